"""NumExpr: fused elementwise blocks; NumPy only carries what it lacks (axis maxima, small loops)."""

import os

import numexpr as ne
import numpy as np

ne.set_num_threads(int(os.environ["PEERS_THREADS"]))
VERSION = f"numexpr {ne.__version__}"
NO_PRODUCT = "no matrix product or gradient"
NOT_APPLICABLE = {
    "blackscholes": "no erf",
    "logreg": NO_PRODUCT,
    "mlp": NO_PRODUCT,
    "conv": NO_PRODUCT,
    "embed_grad": "no indexing",
    "embed_sgd": "no indexing",
    "rnn": "no loop",
    "ar1": "no loop",
    "ar1_grad": "no loop",
    "hessian": "no derivatives",
    "jacobian": "no derivatives",
    "gmm_grad": "no derivatives",
    "graph_scale": "no multi-step graph",
    "grad_depth": "no derivatives",
}


def array(value):
    return value


def evaluate(text, **names):
    return ne.evaluate(text, local_dict=names, global_dict={})


def compiled(text, **arrays):
    """The compiled expression, called without the lookups of `evaluate`."""
    kind = {"float64": np.double, "float32": float}  # its own names for the two
    signature = [(name, kind[str(value.dtype)]) for name, value in arrays.items()]
    program = ne.NumExpr(text, signature)
    values = list(arrays.values())
    return lambda: program(*values)


def add(a, b):
    return compiled("a + b", a=a, b=b)


add_numpy = add


def poly(x):
    return compiled("2*x + x**3", x=x)


def chain(x):
    return compiled("exp(-x**2)*sin(x) + tanh(x)*log1p(abs(x))", x=x)


def longchain(x, c):
    def call():
        v = x
        for scale in c:
            t = evaluate("v*scale + x", v=v, scale=scale, x=x)
            v = evaluate("t/(1 + abs(t))", t=t)
        return v

    return call


def sqdist(x, y):
    total = compiled("sum((x - y)**2)", x=x, y=y)
    return lambda: x.dtype.type(total())


def rowwise(x):
    top = x.max(axis=1, keepdims=True)
    return evaluate("exp(x - top)", x=x, top=top), top


def logsumexp(x):
    def call():
        e, top = rowwise(x)
        return np.log(e.sum(axis=1)) + top[:, 0]

    return call


def softmax(x):
    def call():
        e, _ = rowwise(x)
        total = e.sum(axis=1, keepdims=True)
        return evaluate("e / total", e=e, total=total)

    return call


def layernorm(x, gain, bias):
    def call():
        mean = x.mean(axis=1, keepdims=True)
        square = evaluate("(x - mean)**2", x=x, mean=mean)
        scale = 1 / np.sqrt(square.mean(axis=1, keepdims=True) + x.dtype.type(1e-5))
        text = "(x - mean)*scale*gain + bias"
        return evaluate(text, x=x, mean=mean, scale=scale, gain=gain, bias=bias)

    return call


def broadcast(x, y, z):
    column, row, turned = x[:, None], y[None, :], z.T

    def call():
        total = evaluate("sum(x*y + z, axis=0)", x=column, y=row, z=turned)
        return total.astype(x.dtype, copy=False)

    return call


def gmm(x, logits, mean, logscale):
    columns = np.ascontiguousarray(x.T)

    def call():
        weights = logits - np.log(np.exp(logits).sum())
        constant = weights - logscale.sum(axis=1) - 0.5 * len(columns) * np.log(2 * np.pi)
        joint = np.empty((len(logits), len(x)), x.dtype)
        for k, out in enumerate(joint):
            names = {f"x{d}": column for d, column in enumerate(columns)}
            names |= {f"m{d}": value for d, value in enumerate(mean[k])}
            names |= {f"s{d}": value for d, value in enumerate(np.exp(-logscale[k]))}
            squares = " + ".join(f"((x{d} - m{d})*s{d})**2" for d in range(len(columns)))
            names["c"] = constant[k]
            out[:] = evaluate(f"c - 0.5*({squares})", **names)
        top = joint.max(axis=0)
        total = evaluate("sum(exp(joint - top), axis=0)", joint=joint, top=top)
        return evaluate("log(total) + top", total=total, top=top).mean()

    return call
