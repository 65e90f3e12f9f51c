"""The PyTensor graphs, shared by its linkers; `compile_with` names the mode to use.

Settings a tuned installation would have: a linked BLAS, OpenMP elementwise
loops where the linker knows them, no garbage collection between calls, and
functions that trust their inputs (except in add_numpy, the default call).
"""

import os
import subprocess
from pathlib import Path

CACHE = Path(os.environ["PEERS_CACHE"])
THREADS = os.environ["PEERS_THREADS"]


def blas_flags():
    """Link flags for SciPy's BLAS, reached under the usual names through a small library of jumps."""
    import scipy

    library = next((Path(scipy.__file__).parents[1] / "scipy.libs").glob("libscipy_openblas*"))
    target = CACHE / "libpeersblas.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        kinds = {"gemm": "sdcz", "gemv": "sdcz", "ger": "sd", "dot": "sd", "axpy": "sdcz", "scal": "sdcz"}
        names = [f"{k}{name}_" for name, letters in kinds.items() for k in letters]
        jump = '__attribute__((naked)) void {0}(void) {{ __asm__("jmp scipy_{0}@PLT"); }}'
        source = "\n".join(jump.format(name) for name in names)
        command = ["gcc", "-x", "c", "-", "-shared", "-fPIC", "-o", f"{target}.{os.getpid()}"]
        command += ["-x", "none", str(library), f"-Wl,-rpath,{library.parent}"]
        subprocess.run(command, input=source, text=True, check=True)
        os.replace(f"{target}.{os.getpid()}", target)
    return f"-L{CACHE} -lpeersblas -Wl,-rpath,{CACHE}"


os.environ["PYTENSOR_FLAGS"] = ",".join(
    [
        f"base_compiledir={CACHE / 'pytensor'}",
        f"openmp={THREADS != '1'}",
        "allow_gc=False",
    ]
)

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import hessian as hessian_of
from pytensor.gradient import jacobian as jacobian_of

pytensor.config.blas__ldflags = blas_flags()
VERSION = f"pytensor {pytensor.__version__}"
NOT_APPLICABLE = {}
compile_with = None  # set by the module of each linker


def array(value):
    return value


def variable(value, name=None):
    return pt.tensor(name, dtype=str(value.dtype), shape=(None,) * value.ndim)


def compiled(expression, *values, trust=True):
    """Compile expression(*variables) and bind it to the values."""
    inputs = [variable(value) for value in values]
    run = pytensor.function(inputs, expression(*inputs), mode=compile_with)
    run.trust_input = trust
    return lambda: run(*values)


def training(loss, rate, parameters, *data):
    """A gradient step on shared variables."""
    shared = [pytensor.shared(value) for value in parameters]
    inputs = [variable(value) for value in data]
    cost = loss(shared, *inputs)
    grads = pt.grad(cost, shared)
    rate = np.asarray(rate, parameters[0].dtype)
    updates = [(p, p - rate * g) for p, g in zip(shared, grads, strict=True)]
    run = pytensor.function(inputs, cost, updates=updates, mode=compile_with)
    run.trust_input = True
    return lambda: run(*data), lambda: tuple(p.get_value() for p in shared)


def add(a, b):
    return compiled(lambda a, b: a + b, a, b)


def add_numpy(a, b):
    return compiled(lambda a, b: a + b, a, b, trust=False)


def poly(x):
    return compiled(lambda x: 2 * x + x**3, x)


def chain(x):
    return compiled(lambda x: pt.exp(-(x**2)) * pt.sin(x) + pt.tanh(x) * pt.log1p(pt.abs(x)), x)


def longchain(x, c):
    def expression(x):
        v = x
        for scale in c:
            v = v * float(scale) + x
            v = v / (1 + pt.abs(v))
        return v

    return compiled(expression, x)


def blackscholes(spot, strike, years, rate=0.02, volatility=0.3):
    def expression(spot, strike, years):
        def cdf(d):
            return half + half * pt.erf(d * np.sqrt(half))

        half, r, v = (np.asarray(value, spot.dtype) for value in (0.5, rate, volatility))
        spread = v * pt.sqrt(years)
        d1 = (pt.log(spot / strike) + (r + half * v**2) * years) / spread
        d2 = d1 - spread
        discounted = strike * pt.exp(-r * years)
        buy = spot * cdf(d1) - discounted * cdf(d2)
        return [buy, buy - spot + discounted]

    return compiled(expression, spot, strike, years)


def sqdist(x, y):
    return compiled(lambda x, y: pt.sum((x - y) ** 2), x, y)


def logsumexp(x):
    return compiled(lambda x: pt.logsumexp(x, axis=1), x)


def softmax(x):
    return compiled(lambda x: pt.special.softmax(x, axis=1), x)


def layernorm(x, gain, bias):
    def expression(x, gain, bias):
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1, keepdims=True)
        return centred / pt.sqrt(variance + np.asarray(1e-5, x.dtype)) * gain + bias

    return compiled(expression, x, gain, bias)


def broadcast(x, y, z):
    return compiled(lambda x, y, z: (x[:, None] * y[None, :] + z.T).sum(axis=0), x, y, z)


def loglik(x, logits, mean, logscale):
    standard = (x[:, None, :] - mean) * pt.exp(-logscale)
    weights = pt.special.log_softmax(logits)
    constant = weights - logscale.sum(axis=1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    return pt.logsumexp(constant - 0.5 * (standard**2).sum(axis=2), axis=1).mean()


def gmm(x, logits, mean, logscale):
    return compiled(loglik, x, logits, mean, logscale)


def gmm_grad(x, logits, mean, logscale):
    def expression(x, *parameters):
        value = loglik(x, *parameters)
        return [value, *pt.grad(value, list(parameters))]

    return compiled(expression, x, logits, mean, logscale)


def logreg(x, y, w, b, rate=0.1, decay=0.01):
    """As in the Theano tutorial; stabilising log(1 - p) is left to the rewrites."""

    def loss(parameters, x, y):
        w, b = parameters
        p = 1 / (1 + pt.exp(-pt.dot(x, w) - b))
        entropy = -y * pt.log(p) - (1 - y) * pt.log(1 - p)
        return entropy.mean() + np.asarray(decay, w.dtype) * (w**2).sum()

    return training(loss, rate, (w, b), x, y)


def mlp(x, labels, w1, b1, w2, b2, rate=0.01):
    def loss(parameters, x, labels):
        w1, b1, w2, b2 = parameters
        logp = pt.special.log_softmax(pt.dot(pt.tanh(pt.dot(x, w1) + b1), w2) + b2, axis=1)
        return -logp[pt.arange(labels.shape[0]), labels].mean()

    return training(loss, rate, (w1, b1, w2, b2), x, labels)


def conv(x, w, b):
    """There is no conv2d operator any more: windows are gathered by index and multiplied."""
    side, width, filters = x.shape[-1], w.shape[-1], len(w)
    half = (side - width + 1) // 2
    corner = np.arange(2 * half)
    corners = (corner[:, None] * side + corner).reshape(half, 2, half, 2).transpose(0, 2, 1, 3)
    offsets = np.arange(width)
    index = corners.reshape(-1, 4, 1) + (offsets[:, None] * side + offsets).ravel()

    def expression(x, w, b):
        windows = x.reshape((x.shape[0], side * side))[:, index.ravel()].reshape((-1, width * width))
        z = pt.dot(windows, w.reshape((filters, width * width)).T)
        pooled = z.reshape((x.shape[0], half * half, 4, filters)).max(axis=2)
        loss = pt.sum(pt.tanh(pooled + b) ** 2) / pt.cast(x.shape[0], x.dtype)
        return [loss, *pt.grad(loss, [w, b])]

    return compiled(expression, x, w, b)


def embed_grad(table, ids, target):
    def expression(table, ids, target):
        loss = pt.sum((table[ids] - target) ** 2) / pt.cast(ids.shape[0], table.dtype)
        return [loss, pt.grad(loss, table)]

    return compiled(expression, table, ids, target)


def embed_sgd(table, ids, target, rate=0.1):
    shared, inputs = pytensor.shared(table), [variable(ids), variable(target)]
    rows = shared[inputs[0]]
    loss = pt.sum((rows - inputs[1]) ** 2) / pt.cast(inputs[0].shape[0], table.dtype)
    change = np.asarray(-rate, table.dtype) * pt.grad(loss, rows)
    updates = [(shared, pt.inc_subtensor(rows, change))]
    run = pytensor.function(inputs, loss, updates=updates, mode=compile_with)
    run.trust_input = True
    return lambda: run(ids, target), lambda: shared.get_value()


def scanned(step, sequences, start, constants):
    return pytensor.scan(
        step, sequences=sequences, outputs_info=start, non_sequences=constants, mode=compile_with,
        return_updates=False, strict=True,
    )  # fmt: skip


def rnn(x, w, u, b):
    def expression(x, w, u, b):
        drive = pt.dot(x.reshape((-1, x.shape[2])), w).reshape(x.shape) + b
        h = scanned(lambda d, h, u: pt.tanh(d + pt.dot(h, u)), drive, pt.zeros_like(x[0]), [u])
        loss = pt.sum(h**2) / pt.cast(h.size, h.dtype)
        return [loss, *pt.grad(loss, [w, u, b])]

    return compiled(expression, x, w, u, b)


def states(a, x):
    return scanned(lambda x, s, a: a * s + x, x, pt.zeros((), dtype=x.dtype), [a])


def ar1(a, x):
    return compiled(states, a, x)


def ar1_grad(a, x):
    def expression(a, x):
        loss = pt.sum(states(a, x) ** 2)
        return [loss, *pt.grad(loss, [a, x])]

    return compiled(expression, a, x)


def hessian(x):
    def expression(x):
        value = pt.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
        return hessian_of(value, x)

    return compiled(expression, x)


def jacobian(m, x):
    def expression(m, x):
        return jacobian_of(pt.tanh(pt.dot(m, x)), x, vectorize=True)

    return compiled(expression, m, x)


def graph_scale(n, x):
    def expression(x):
        v = x
        for block in range(n // 10):
            v = v * (0.5 + 0.1 * (block % 4)) + x
            v = v / (1 + pt.abs(v))
            v = v - 0.1 * (v * v).mean()
        return v

    return compiled(expression, x)


def grad_depth(n, x):
    def expression(x):
        v = x
        for level in range(n):
            v = v / (1 + v * v) + (0.5 + 0.1 * (level % 4)) * x
        return pt.grad(v.sum(), x)

    return compiled(expression, x)
