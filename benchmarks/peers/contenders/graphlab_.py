"""graphlab: the plain expression, gradients by grad, loops by scan, training steps by updates of shared variables."""

import os

os.environ["GRAPHLAB_CACHE_DIR"] = os.path.join(os.environ["PEERS_CACHE"], "graphlab")

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.loops.ir import LoopCall

VERSION = f"graphlab {graphlab.__version__}"
NOT_APPLICABLE = {}


def array(value):
    return value


def variable(value):
    """A variable for arrays like `value`, of any extents."""
    return T.tensor(value.dtype.name, (None,) * value.ndim)


def bound(function, *values):
    """A call of the function with these values, and the function itself, for `steps`."""

    def call():
        return function(*values)

    call.function = function
    return call


def compiled(expression, *values):
    """Compile expression(*variables) and bind it to the values."""
    inputs = [variable(value) for value in values]
    return bound(graphlab.function(inputs, expression(*inputs)), *values)


def steps(call, calls=5, most=5):
    """The share of each step in the time that all steps of a call take, the largest first, and what it computes."""
    function = call.function
    function.start_profile()
    for _ in range(calls):
        call()
    actions = [step.action for step in function.lowered.program.steps]
    taken, total = function.profile.steps, sum(function.profile.steps.values())
    shares = [
        (seconds / total, f"{name.partition(': ')[2]}{operations(action)}")
        for (name, seconds), action in zip(taken.items(), actions, strict=True)
    ]
    return [share for share in sorted(shares, reverse=True)[:most] if share[0] >= 0.03]


def operations(action, most=6):
    """What a kernel computes, in brackets."""
    if not isinstance(action, LoopCall):
        return ""
    names = action.kernel.title.split(", ")
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" ({', '.join(names[:most])}{more})"


def value_and_grad(loss, *parameters):
    return [loss, *T.grad(loss, list(parameters))]


def training(loss, rate, parameters, *data):
    """A gradient step on shared variables."""
    shared = [graphlab.shared(value) for value in parameters]
    inputs = [variable(value) for value in data]
    cost = loss(shared, *inputs)
    updates = [(p, p - rate * g) for p, g in zip(shared, T.grad(cost, shared), strict=True)]
    step = graphlab.function(inputs, cost, updates=updates)
    return bound(step, *data), lambda: tuple(p.get_value() for p in shared)


def add(a, b):
    return compiled(lambda a, b: a + b, a, b)


add_numpy = add


def poly(x):
    return compiled(lambda x: 2 * x + x**3, x)


def chain(x):
    return compiled(lambda x: T.exp(-(x**2)) * T.sin(x) + T.tanh(x) * T.log1p(abs(x)), x)


def longchain(x, c):
    def expression(x):
        v = x
        for scale in c:
            v = v * float(scale) + x
            v = v / (1 + abs(v))
        return v

    return compiled(expression, x)


def blackscholes(spot, strike, years, rate=0.02, volatility=0.3):
    def expression(spot, strike, years):
        def cdf(d):
            return 0.5 + 0.5 * T.erf(d * 0.5**0.5)

        spread = volatility * T.sqrt(years)
        d1 = (T.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        d2 = d1 - spread
        discounted = strike * T.exp(-rate * years)
        buy = spot * cdf(d1) - discounted * cdf(d2)
        return [buy, buy - spot + discounted]

    return compiled(expression, spot, strike, years)


def sqdist(x, y):
    return compiled(lambda x, y: ((x - y) ** 2).sum(), x, y)


def logsumexp(x):
    return compiled(lambda x: T.logsumexp(x, axis=1), x)


def softmax(x):
    return compiled(lambda x: T.softmax(x, axis=1), x)


def layernorm(x, gain, bias):
    def expression(x, gain, bias):
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1, keepdims=True)
        return centred / T.sqrt(variance + 1e-5) * gain + bias

    return compiled(expression, x, gain, bias)


def broadcast(x, y, z):
    return compiled(lambda x, y, z: (x[:, None] * y[None, :] + z.T).sum(axis=0), x, y, z)


def loglik(x, logits, mean, logscale):
    standard = (x[:, None, :] - mean) * T.exp(-logscale)
    constant = T.log_softmax(logits) - logscale.sum(axis=1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    return T.logsumexp(constant - 0.5 * (standard**2).sum(axis=2), axis=1).mean()


def gmm(x, logits, mean, logscale):
    return compiled(loglik, x, logits, mean, logscale)


def gmm_grad(x, logits, mean, logscale):
    def expression(x, *parameters):
        return value_and_grad(loglik(x, *parameters), *parameters)

    return compiled(expression, x, logits, mean, logscale)


def logreg(x, y, w, b, rate=0.1, decay=0.01):
    """As in the Theano tutorial; stabilising log(1 - p) is left to the rules."""

    def loss(parameters, x, y):
        w, b = parameters
        p = 1 / (1 + T.exp(-T.dot(x, w) - b))
        entropy = -y * T.log(p) - (1 - y) * T.log(1 - p)
        return entropy.mean() + decay * (w**2).sum()

    return training(loss, rate, (w, b), x, y)


def mlp(x, labels, w1, b1, w2, b2, rate=0.01):
    def loss(parameters, x, labels):
        w1, b1, w2, b2 = parameters
        logp = T.log_softmax(T.dot(T.tanh(T.dot(x, w1) + b1), w2) + b2, axis=1)
        return -logp[T.arange(labels.shape[0]), labels].mean()

    return training(loss, rate, (w1, b1, w2, b2), x, labels)


def conv(x, w, b):
    def expression(x, w, b):
        pooled = T.nnet.max_pool(T.nnet.conv2d(x, w, filter_flip=False), (2, 2))
        loss = (T.tanh(pooled + b[:, None, None]) ** 2).sum() / T.cast(x.shape[0], x.dtype)
        return value_and_grad(loss, w, b)

    return compiled(expression, x, w, b)


def embed_grad(table, ids, target):
    def expression(table, ids, target):
        loss = ((table[ids] - target) ** 2).sum() / T.cast(ids.shape[0], table.dtype)
        return value_and_grad(loss, table)

    return compiled(expression, table, ids, target)


def embed_sgd(table, ids, target, rate=0.1):
    """The gradient of the rows that were read, added to them."""
    shared, inputs = graphlab.shared(table), [variable(ids), variable(target)]
    rows = shared[inputs[0]]
    loss = ((rows - inputs[1]) ** 2).sum() / T.cast(inputs[0].shape[0], table.dtype.name)
    updates = [(shared, T.inc_subtensor(rows, -rate * T.grad(loss, rows)))]
    step = graphlab.function(inputs, loss, updates=updates)
    return bound(step, ids, target), lambda: shared.get_value()


def rnn(x, w, u, b):
    def expression(x, w, u, b):
        drive = T.dot(x, w) + b
        h, _ = graphlab.scan(lambda d, h, u: T.tanh(d + T.dot(h, u)), [drive], [T.zeros_like(x[0])], [u])
        return value_and_grad((h**2).mean(), w, u, b)

    return compiled(expression, x, w, u, b)


def states(a, x):
    return graphlab.scan(lambda x, s, a: a * s + x, [x], [T.zeros((), x.dtype)], [a])[0]


def ar1(a, x):
    return compiled(states, a, x)


def ar1_grad(a, x):
    return compiled(lambda a, x: value_and_grad((states(a, x) ** 2).sum(), a, x), a, x)


def hessian(x):
    def expression(x):
        return T.hessian((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum(), x)

    return compiled(expression, x)


def jacobian(m, x):
    return compiled(lambda m, x: T.jacobian(T.tanh(T.dot(m, x)), x), m, x)


def graph_scale(n, x):
    def expression(x):
        v = x
        for block in range(n // 10):
            v = v * (0.5 + 0.1 * (block % 4)) + x
            v = v / (1 + abs(v))
            v = v - 0.1 * (v * v).mean()
        return v

    return compiled(expression, x)


def grad_depth(n, x):
    def expression(x):
        v = x
        for level in range(n):
            v = v / (1 + v * v) + (0.5 + 0.1 * (level % 4)) * x
        return T.grad(v.sum(), x)

    return compiled(expression, x)
