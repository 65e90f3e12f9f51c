"""NumPy, with SciPy for erf and for linear recurrences; gradients are written out by hand.

In float64 this module is also the reference for every other contender.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter
from scipy.special import erf

VERSION = f"numpy {np.__version__}"
NOT_APPLICABLE = {}


def array(value):
    return value


def add(a, b):
    return lambda: a + b


add_numpy = add


def poly(x):
    return lambda: 2 * x + x**3


def chain(x):
    return lambda: np.exp(-(x**2)) * np.sin(x) + np.tanh(x) * np.log1p(np.abs(x))


def longchain(x, c):
    def call():
        v = x
        for scale in c:
            v = v * scale + x
            v = v / (1 + np.abs(v))
        return v

    return call


def blackscholes(spot, strike, years, rate=0.02, volatility=0.3):
    def cdf(d):
        return 0.5 + 0.5 * erf(d * 0.5**0.5)

    def call():
        spread = volatility * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        d2 = d1 - spread
        discounted = strike * np.exp(-rate * years)
        buy = spot * cdf(d1) - discounted * cdf(d2)
        return buy, buy - spot + discounted

    return call


def sqdist(x, y):
    return lambda: np.sum((x - y) ** 2)


def logsumexp(x):
    def call():
        top = x.max(axis=1, keepdims=True)
        return np.log(np.exp(x - top).sum(axis=1)) + top[:, 0]

    return call


def softmax(x):
    def call():
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return call


def layernorm(x, gain, bias):
    def call():
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1, keepdims=True)
        return centred / np.sqrt(variance + 1e-5) * gain + bias

    return call


def broadcast(x, y, z):
    return lambda: (x[:, None] * y[None, :] + z.T).sum(axis=0)


def mixture_terms(x, logits, mean, logscale):
    standard = (x[:, None, :] - mean) * np.exp(-logscale)
    weights = logits - np.log(np.exp(logits).sum())
    constant = weights - logscale.sum(axis=1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    joint = constant - 0.5 * (standard**2).sum(axis=2)
    top = joint.max(axis=1, keepdims=True)
    total = np.log(np.exp(joint - top).sum(axis=1, keepdims=True)) + top
    return standard, joint, total


def gmm(x, logits, mean, logscale):
    return lambda: mixture_terms(x, logits, mean, logscale)[2].mean()


def gmm_grad(x, logits, mean, logscale):
    def call():
        standard, joint, total = mixture_terms(x, logits, mean, logscale)
        share = np.exp(joint - total)
        prior = np.exp(logits) / np.exp(logits).sum()
        to_mean = np.einsum("nk,nkd->kd", share, standard) * np.exp(-logscale) / len(x)
        to_scale = np.einsum("nk,nkd->kd", share, standard**2 - 1) / len(x)
        return total.mean(), share.mean(axis=0) - prior, to_mean, to_scale

    return call


def logreg(x, y, w, b, rate=0.1, decay=0.01):
    def step():
        nonlocal w, b
        z = x @ w + b
        cost = np.mean(np.logaddexp(0, z) - y * z) + decay * np.sum(w * w)
        residual = (1 / (1 + np.exp(-z)) - y) / len(y)
        w = w - rate * (x.T @ residual + 2 * decay * w)
        b = b - rate * residual.sum()
        return cost

    return step, lambda: (w, b)


def mlp(x, labels, w1, b1, w2, b2, rate=0.01):
    picks = np.arange(len(x)), labels

    def step():
        nonlocal w1, b1, w2, b2
        h = np.tanh(x @ w1 + b1)
        z = h @ w2 + b2
        z = z - z.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        cost = -logp[picks].mean()
        dz = np.exp(logp)
        dz[picks] -= 1
        dz /= len(x)
        dh = (dz @ w2.T) * (1 - h * h)
        w1 = w1 - rate * (x.T @ dh)
        b1 = b1 - rate * dh.sum(axis=0)
        w2 = w2 - rate * (h.T @ dz)
        b2 = b2 - rate * dz.sum(axis=0)
        return cost

    return step, lambda: (w1, b1, w2, b2)


def conv(x, w, b):
    batch, width = len(x), w.shape[-1]
    half = (x.shape[-1] - width + 1) // 2

    def call():
        windows = sliding_window_view(x[:, 0], (width, width), axis=(1, 2))
        windows = windows.reshape(batch, half, 2, half, 2, width * width)
        windows = windows.transpose(0, 1, 3, 2, 4, 5).reshape(batch, half, half, 4, -1)
        z = windows @ w.reshape(len(w), -1).T
        best = z.argmax(axis=3, keepdims=True)
        y = np.tanh(np.take_along_axis(z, best, axis=3) + b)
        pooled = 2 * y * (1 - y * y) / batch
        dz = np.zeros_like(z)
        np.put_along_axis(dz, best, pooled, axis=3)
        dw = dz.reshape(-1, len(w)).T @ windows.reshape(-1, width * width)
        return np.sum(y * y) / batch, dw.reshape(w.shape), pooled.sum(axis=(0, 1, 2, 3))

    return call


def embed_grad(table, ids, target):
    def call():
        residual = table[ids] - target
        grad = np.zeros_like(table)
        np.add.at(grad, ids, residual * (2 / len(ids)))
        return np.sum(residual**2) / len(ids), grad

    return call


def embed_sgd(table, ids, target, rate=0.1):
    table = table.copy()

    def step():
        residual = table[ids] - target
        np.subtract.at(table, ids, residual * (2 * rate / len(ids)))
        return np.sum(residual**2) / len(ids)

    return step, lambda: table


def rnn(x, w, u, b):
    steps, batch, hidden = x.shape

    def call():
        drive = x @ w + b
        h = np.zeros((steps + 1, batch, hidden), x.dtype)
        for t in range(steps):
            h[t + 1] = np.tanh(drive[t] + h[t] @ u)
        dz = np.empty_like(drive)
        carry = np.zeros((batch, hidden), x.dtype)
        for t in reversed(range(steps)):
            dz[t] = (h[t + 1] * (2 / drive.size) + carry) * (1 - h[t + 1] ** 2)
            carry = dz[t] @ u.T
        flat = dz.reshape(-1, hidden)
        dw = x.reshape(-1, hidden).T @ flat
        du = h[:-1].reshape(-1, hidden).T @ flat
        return np.mean(h[1:] ** 2), dw, du, flat.sum(axis=0)

    return call


def ar1(a, x):
    return lambda: lfilter([1], [1, -a], x)


def ar1_grad(a, x):
    def call():
        s = lfilter([1], [1, -a], x)
        dx = lfilter([1], [1, -a], 2 * s[::-1])[::-1]
        return np.sum(s * s), np.sum(dx[1:] * s[:-1]), dx

    return call


def hessian(x):
    """Of sum(100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2)."""

    def call():
        head = x[:-1]
        diagonal = np.zeros_like(x)
        diagonal[:-1] = 1200 * head**2 - 400 * x[1:] + 2
        diagonal[1:] += 200
        return np.diag(diagonal) + np.diag(-400 * head, 1) + np.diag(-400 * head, -1)

    return call


def jacobian(m, x):
    """Of tanh(m @ x)."""
    return lambda: (1 - np.tanh(m @ x) ** 2)[:, None] * m


def graph_scale(n, x):
    """Ten operations a block: scale, shift, squash, then a reduction fed back in."""

    def call():
        v = x
        for block in range(n // 10):
            v = v * (0.5 + 0.1 * (block % 4)) + x
            v = v / (1 + abs(v))
            v = v - 0.1 * (v * v).mean()
        return v

    return call


def grad_depth(n, x):
    """d/dx of sum(v) after n rounds of v = v / (1 + v^2) + c x: every v is used three times."""
    constants = [0.5 + 0.1 * (level % 4) for level in range(n)]

    def call():
        values = [x]
        for c in constants:
            v = values[-1]
            values.append(v / (1 + v * v) + c * x)
        dv, dx = np.ones_like(x), np.zeros_like(x)
        for c, v in zip(reversed(constants), values[-2::-1], strict=True):
            dx += c * dv
            dv = dv * (1 - v * v) / (1 + v * v) ** 2
        return dx + dv

    return call
