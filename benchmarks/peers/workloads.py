"""What is measured: the inputs of every workload, its rows, and how closely outputs must agree.

A workload says how to draw its inputs; the expression itself lives in each
contender, in a function of the same name that takes these inputs and returns a
callable.  The NumPy contender evaluated in float64 is the reference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

F64, F32 = ("float64",), ("float32",)
BOTH = F64 + F32
TOLERANCE = {"float64": 1e-9, "float32": 2e-4}  # max |error| over max |reference|


@dataclass(frozen=True)
class Workload:
    inputs: Callable  # (rng, **case) -> {name: array}
    cases: dict  # label -> arguments of `inputs`
    dtypes: tuple = F64
    calls: int = 1  # calls made before the outputs are compared
    numpy_only: bool = False  # inputs and outputs stay NumPy arrays
    traffic: Callable | None = None  # (**case) -> items that must cross memory once


@dataclass(frozen=True)
class Row:
    workload: str
    case: str
    dtype: str

    def __str__(self):
        return f"{self.workload}/{self.case}/f{self.dtype[-2:]}"

    @property
    def spec(self):
        return WORKLOADS[self.workload]

    @property
    def tolerance(self):
        return TOLERANCE[self.dtype]

    @property
    def traffic(self):
        """Bytes read once plus bytes written once, where that is what bounds the row."""
        if self.spec.traffic is None:
            return None
        return self.spec.traffic(**self.spec.cases[self.case]) * np.dtype(self.dtype).itemsize

    def inputs(self, dtype=None):
        """The inputs rounded to the row's dtype, then stored as `dtype` (for the reference)."""
        rng = np.random.default_rng(20)
        drawn = self.spec.inputs(rng, **self.spec.cases[self.case])
        return {name: self._cast(value, dtype) for name, value in drawn.items()}

    def _cast(self, value, dtype):
        value = np.asarray(value)
        if value.dtype.kind != "f":
            return value
        return value.astype(self.dtype).astype(dtype or self.dtype)


def pair(rng, shape):
    return dict(a=rng.standard_normal(shape), b=rng.standard_normal(shape))


def vector(rng, n):
    return dict(x=rng.standard_normal(n))


def two_vectors(rng, n):
    return dict(x=rng.standard_normal(n), y=rng.standard_normal(n))


def matrix(rng, rows, columns):
    return dict(x=rng.standard_normal((rows, columns)))


def normalised(rng, rows, columns):
    return dict(
        x=rng.standard_normal((rows, columns)),
        gain=rng.standard_normal(columns),
        bias=rng.standard_normal(columns),
    )


def outer_and_transpose(rng, n):
    return dict(x=rng.standard_normal(n), y=rng.standard_normal(n), z=rng.standard_normal((n, n)))


def chain_constants(rng, n, links=40):
    return dict(x=rng.standard_normal(n), c=rng.uniform(0.5, 1.5, links))


def classification(rng, batch, features=784):
    return dict(
        x=rng.standard_normal((batch, features)),
        y=rng.integers(0, 2, batch).astype(float),
        w=0.01 * rng.standard_normal(features),
        b=np.zeros(()),
    )


def perceptron(rng, batch, sizes=(784, 500, 10)):
    features, hidden, classes = sizes
    return dict(
        x=rng.uniform(0, 1, (batch, features)),
        labels=rng.integers(0, classes, batch),
        w1=rng.uniform(-1, 1, (features, hidden)) * np.sqrt(6 / (features + hidden)),
        b1=np.zeros(hidden),
        w2=0.01 * rng.standard_normal((hidden, classes)),
        b2=np.zeros(classes),
    )


def sequence(rng, steps, batch, hidden):
    return dict(
        x=rng.standard_normal((steps, batch, hidden)),
        w=rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        u=0.5 * rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        b=0.1 * rng.standard_normal(hidden),
    )


def recurrence(rng, n):
    return dict(a=np.asarray(0.9), x=rng.standard_normal(n))


def small_map(rng, n):
    return dict(m=rng.standard_normal((n, n)) / np.sqrt(n), x=rng.standard_normal(n))


def images(rng, batch, side=28, filters=20, width=5):
    return dict(
        x=rng.uniform(0, 1, (batch, 1, side, side)),
        w=0.2 * rng.standard_normal((filters, 1, width, width)),
        b=0.1 * rng.standard_normal(filters),
    )


def embedding(rng, rows, width, ids):
    return dict(
        table=rng.standard_normal((rows, width)),
        ids=rng.integers(0, rows, ids),
        target=rng.standard_normal((ids, width)),
    )


def options(rng, n):
    return dict(spot=rng.uniform(10, 200, n), strike=rng.uniform(10, 200, n), years=rng.uniform(0.1, 3, n))


def mixture(rng, n, k, d):
    return dict(
        x=2 * rng.standard_normal((n, d)),
        logits=rng.standard_normal(k),
        mean=2 * rng.standard_normal((k, d)),
        logscale=0.3 * rng.standard_normal((k, d)),
    )


def sizes(*labels):
    return {label: dict(n=int(float(label))) for label in labels}


WIDE = {"2048x1024": dict(rows=2048, columns=1024)}
TABLE = {"50kx64": dict(rows=50_000, width=64, ids=4096)}
POINTS = {"1e5x8x4": dict(n=100_000, k=8, d=4)}

WORKLOADS = {
    # Calls so small that only the path from Python to the kernel counts.
    "add": Workload(pair, {"0d": dict(shape=()), "vec10": dict(shape=10)}),
    "add_numpy": Workload(pair, {"0d": dict(shape=()), "vec10": dict(shape=10)}, numpy_only=True),
    # Elementwise.
    "poly": Workload(vector, sizes("1e3", "1e5", "1e7"), BOTH, traffic=lambda n: 2 * n),
    "chain": Workload(vector, sizes("1e3", "1e6", "1e7"), BOTH, traffic=lambda n: 2 * n),
    "longchain": Workload(chain_constants, sizes("1e5")),
    "blackscholes": Workload(options, sizes("1e6"), BOTH, traffic=lambda n: 5 * n),
    # Reductions and broadcasting.
    "sqdist": Workload(two_vectors, sizes("1e7"), BOTH, traffic=lambda n: 2 * n),
    "logsumexp": Workload(matrix, WIDE, BOTH, traffic=lambda rows, columns: rows * columns),
    "softmax": Workload(matrix, WIDE, BOTH, traffic=lambda rows, columns: 2 * rows * columns),
    "layernorm": Workload(normalised, WIDE, BOTH, traffic=lambda rows, columns: 2 * rows * columns),
    "broadcast": Workload(outer_and_transpose, sizes("2000"), BOTH, traffic=lambda n: n * n),
    "gmm": Workload(mixture, POINTS),
    "gmm_grad": Workload(mixture, POINTS),
    # Training steps that update shared parameters.
    "logreg": Workload(
        classification,
        {"400x784": dict(batch=400), "10kx784": dict(batch=10_000)},
        BOTH,
        calls=3,
        traffic=lambda batch: batch * 784,
    ),
    "mlp": Workload(perceptron, {"batch20": dict(batch=20), "batch500": dict(batch=500)}, F32, calls=3),
    "conv": Workload(images, {"batch32": dict(batch=32)}, F32),
    "embed_grad": Workload(embedding, TABLE, F32, traffic=lambda rows, width, ids: rows * width),
    "embed_sgd": Workload(embedding, TABLE, F32, calls=3),
    # Loops and derivatives.
    "rnn": Workload(sequence, {"200x16x64": dict(steps=200, batch=16, hidden=64)}, BOTH),
    "ar1": Workload(recurrence, sizes("1e5")),
    "ar1_grad": Workload(recurrence, sizes("1e5")),
    "hessian": Workload(vector, sizes("20")),
    "jacobian": Workload(small_map, sizes("50")),
}

# Measured in fresh processes, from the expression to its first result.
LATENCY = (
    Row("poly", "1e5", "float64"),
    Row("logreg", "400x784", "float64"),
    Row("longchain", "1e5", "float64"),
    Row("mlp", "batch20", "float32"),
)
# The same, for generated graphs of growing size.
SCALE = {"graph_scale": (100, 1000, 10_000), "grad_depth": (3, 30, 100, 300, 1000)}


def rows(selected):
    """The rows of the named workloads; `poly/1e7` or `poly/1e7/f32` narrow a workload down."""
    every = [Row(name, case, dtype) for name, spec in WORKLOADS.items() for case in spec.cases for dtype in spec.dtypes]
    if not selected:
        return every
    return [row for row in every if any(f"{row}/".startswith(f"{want}/") for want in selected)]
