"""Random expressions, built side by side as graphlab graphs and as NumPy programs, with values for their inputs.

A program is a list of instructions over a pool of values; running it with `noise` multiplies every
float result by 1 + tiny random numbers, which measures how much rounding can matter: that is the
tolerance, so an ill-conditioned program raises no false alarm and a well-conditioned one is held tight.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import graphlab.tensor as T
from graphlab.graph.node import Variable

Array = np.ndarray[Any, Any]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings about nan, overflow and empty means: they are what is tested."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@dataclass
class Instruction:
    symbolic: Callable[..., Variable]
    numeric: Callable[..., Any]
    operands: tuple[int, ...]
    text: str


@dataclass
class RandomProgram:
    """Inputs with values, instructions, and the positions in the pool that are outputs."""

    inputs: list[Variable]
    values: list[Array]
    instructions: list[Instruction] = field(default_factory=list)
    outputs: tuple[int, ...] = ()

    def graph(self) -> list[Variable]:
        pool: list[Variable] = list(self.inputs)
        for i in self.instructions:
            pool.append(i.symbolic(*(pool[k] for k in i.operands)))
        return [pool[k] for k in self.outputs]

    def run(self, noise: np.random.Generator | None = None) -> list[Array]:
        """The outputs by NumPy, with `noise` in every float result."""
        pool = self.pool(noise)
        return [pool[k] for k in self.outputs]

    def overflows(self) -> bool:
        """Whether anything on the way is infinite, nan or so close to 0 that a logarithm of it is."""
        floats = [v for v in self.pool() if v.dtype.kind in "fc"]
        return any(not np.all(np.isfinite(v)) or np.any((v != 0) & (np.abs(v) < 1e-30)) for v in floats)

    def pool(self, noise: np.random.Generator | None = None) -> list[Array]:
        """The values of the inputs and of every instruction."""
        pool: list[Array] = list(self.values)
        with quiet():
            for i in self.instructions:
                value = np.asarray(i.numeric(*(pool[k] for k in i.operands)))
                if noise is not None and value.dtype.kind in "fc":
                    scale = (4 if value.dtype == np.float16 else 64) * float(np.finfo(value.dtype).eps)
                    value = (value * (1 + scale * noise.uniform(-1, 1, value.shape))).astype(value.dtype)
                pool.append(value)
        return pool

    def tolerance(self) -> list[Array]:
        """For each output element, how far rounding may move it; infinite where noise changes nan or inf."""
        exact = self.run()
        spread = [np.zeros(e.shape) for e in exact]
        for seed in range(3):
            with quiet():
                for k, (noisy, e) in enumerate(zip(self.run(np.random.default_rng(seed)), exact, strict=True)):
                    if e.dtype.kind not in "fc":
                        moved = np.where(noisy != e, np.inf, 0.0)
                    else:
                        both_finite, both_nan = np.isfinite(noisy) & np.isfinite(e), np.isnan(noisy) & np.isnan(e)
                        same_kind = both_finite | both_nan | (noisy == e)
                        moved = np.where(same_kind, np.abs(np.where(np.isfinite(e), noisy - e, 0.0)), np.inf)
                    spread[k] = np.maximum(spread[k], np.nan_to_num(moved, nan=np.inf, posinf=np.inf))
        tiny = [{"float16": 1e-7, "float32": 1e-37, "complex64": 1e-37}.get(e.dtype.name, 1e-300) for e in exact]
        return [16 * s + t for s, t in zip(spread, tiny, strict=True)]

    def __repr__(self) -> str:
        lines = [f"  {v.name} = {a!r}" for v, a in zip(self.inputs, self.values, strict=True)]
        n = len(self.inputs)
        for k, i in enumerate(self.instructions):
            lines.append(f"  %{n + k} = {i.text}({', '.join(f'%{o}' for o in i.operands)})")
        return "\n".join([*lines, f"  outputs {self.outputs}"])


def _expit(x: Any) -> Any:
    """SciPy's expit, but of half floats a half float: SciPy, which has no loop for them, gives float64."""
    result = special.expit(x)
    return result.astype("float16") if x.dtype == np.float16 else result


_FLOAT_UNARY: dict[str, tuple[Any, Any]] = {
    "neg": (lambda x: -x, np.negative), "abs": (abs, np.abs), "exp": (T.exp, np.exp), "log": (T.log, np.log),
    "sqrt": (T.sqrt, np.sqrt), "tanh": (T.tanh, np.tanh), "sin": (T.sin, np.sin), "cos": (T.cos, np.cos),
    "sigmoid": (T.sigmoid, _expit), "log1p": (T.log1p, np.log1p), "expm1": (T.expm1, np.expm1),
    "square": (T.square, np.square), "floor": (T.floor, np.floor), "sign": (T.sign, np.sign),
    "softplus": (T.softplus, lambda x: np.logaddexp(x, x.dtype.type(0))), "isnan": (T.isnan, np.isnan),
    "1+": (lambda x: 1 + x, lambda x: 1 + x), "1-": (lambda x: 1 - x, lambda x: 1 - x),
    "2*": (lambda x: 2 * x, lambda x: 2 * x), "/3": (lambda x: x / 3, lambda x: x / 3),
    "**2": (lambda x: x**2, lambda x: x**2), "**3": (lambda x: x**3, lambda x: x**3),
    "-0": (lambda x: x - 0, lambda x: x - 0), "*1": (lambda x: x * 1, lambda x: x * 1),
    "*0": (lambda x: x * 0, lambda x: x * 0), "1/": (lambda x: 1 / x, lambda x: 1 / x),
    "float32": (lambda x: x.astype("float32"), lambda x: x.astype("float32")),
}  # fmt: skip
_COMPLEX_UNARY: dict[str, tuple[Any, Any]] = {
    "conj": (lambda x: x.conj(), np.conj), "real": (lambda x: x.real, np.real), "imag": (lambda x: x.imag, np.imag),
    "x conj": (lambda x: x * x.conj(), lambda x: x * x.conj()), "abs2": (lambda x: abs(x) ** 2, lambda x: abs(x) ** 2),
    "sqrt square": (lambda x: T.sqrt(T.square(x)), lambda x: np.sqrt(np.square(x))),
    "log exp": (lambda x: T.log(T.exp(x)), lambda x: np.log(np.exp(x))), "*1j": (lambda x: x * 1j, lambda x: x * 1j),
    "log(1 + exp)": (lambda x: T.log(1 + T.exp(x)), lambda x: np.log(1 + np.exp(x))),
    "exp - 1": (lambda x: T.exp(x) - 1, lambda x: np.exp(x) - 1), "|-x|": (lambda x: abs(-x), lambda x: abs(-x)),
    "x / x": (lambda x: x / x, lambda x: x / x), "x - x": (lambda x: x - x, lambda x: x - x),
    "1/(1+exp(-x))": (lambda x: 1 / (1 + T.exp(-x)), lambda x: 1 / (1 + np.exp(-x))),
}  # fmt: skip


def _widened(x: Any) -> Any:
    """A variable or an array in double precision."""
    return x.astype("complex128" if "complex" in str(x.dtype) else "float64")


_ANY_UNARY: dict[str, tuple[Any, Any]] = {
    "T": (lambda x: x.T, np.transpose), "ravel": (lambda x: x.flatten(), np.ravel),
    "float64": (_widened, _widened),
    "==": (lambda x: T.eq(x, x), lambda x: x == x), "not": (T.logical_not, np.logical_not),
    "[..., None]": (lambda x: x[..., None], lambda x: x[..., None]), "[...]": (lambda x: x[...], lambda x: x[...]),
}  # fmt: skip
_RANKED_UNARY: dict[str, tuple[Any, Any]] = {
    "[::-1]": (lambda x: x[::-1], lambda x: x[::-1]), "[1:]": (lambda x: x[1:], lambda x: x[1:]),
    "[..., :2]": (lambda x: x[..., :2], lambda x: x[..., :2]), "[..., 0]": (lambda x: x[..., 0], lambda x: x[..., 0]),
    "[-1]": (lambda x: x[-1], lambda x: x[-1]),
}  # fmt: skip


def _softmax(x: Array) -> Array:
    """As scipy.special.softmax, but beside +inf a finite element has 0 as in the formula written out."""
    top = np.max(x, axis=-1, keepdims=True)
    e = np.exp(x - np.where(np.isfinite(top), top, x.dtype.type(0)))
    return e / e.sum(axis=-1, keepdims=True)


_SOFT: dict[str, tuple[Any, Any]] = {
    "softmax": (lambda x: T.softmax(x, axis=-1), _softmax),
    "log_softmax": (lambda x: T.log_softmax(x, axis=-1), lambda x: special.log_softmax(x, axis=-1)),
    "logsumexp": (lambda x: T.logsumexp(x, axis=-1), lambda x: special.logsumexp(x, axis=-1)),
    "softmax written out": (lambda x: T.exp(x) / T.exp(x).sum(axis=-1, keepdims=True),
                            lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)),
    "log sum exp": (lambda x: T.log(T.exp(x).sum(axis=-1)), lambda x: np.log(np.exp(x).sum(axis=-1))),
}  # fmt: skip
_BINARY: dict[str, tuple[Any, Any]] = {
    "+": (lambda x, y: x + y, np.add), "-": (lambda x, y: x - y, np.subtract), "*": (lambda x, y: x * y, np.multiply),
    "/": (lambda x, y: x / y, np.true_divide), "//": (lambda x, y: x // y, np.floor_divide),
    "%": (lambda x, y: x % y, np.remainder), "maximum": (T.maximum, np.maximum), "minimum": (T.minimum, np.minimum),
    "<": (lambda x, y: x < y, np.less), "<=": (lambda x, y: x <= y, np.less_equal), "eq": (T.eq, np.equal),
    "neq": (T.neq, np.not_equal), "arctan2": (T.arctan2, np.arctan2), "hypot": (T.hypot, np.hypot),
    "and": (T.logical_and, np.logical_and),
    "where": (lambda x, y: T.where(x > 0, x, y), lambda x, y: np.where(x > 0, x, y)),
}  # fmt: skip
_INTEGER_BINARY: dict[str, tuple[Any, Any]] = {
    "&": (lambda x, y: x & y, np.bitwise_and), "|": (lambda x, y: x | y, np.bitwise_or),
    "<<": (lambda x, y: x << y, np.left_shift), ">>": (lambda x, y: x >> y, np.right_shift),
}  # fmt: skip
_REDUCTIONS = ("sum", "prod", "max", "min", "mean", "any", "all")

DTYPES = ("float64", "float64", "float32", "int64", "int8", "bool")
_EDGE = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 1e308, 5e-324, 800.0, -800.0]


_SMALL = [(2, 3), (3, 1), (1, 4), (0, 2), (3, 3), (5, 17)]
_LARGE = [(4000, 1), (1, 4000), (4000, 3), (3, 4000), (1500, 8), (70, 130)]  # for other loops, tiles and threads


def _entry(table: dict[str, tuple[Any, Any]]) -> st.SearchStrategy[tuple[str, Any, Any]]:
    return st.sampled_from(sorted(table)).map(lambda name: (name, *table[name]))


@st.composite
def random_programs(
    draw: st.DrawFn, *, edge: bool = False, longest: int = 8, dtypes: tuple[str, ...] = DTYPES, large: bool = False
) -> RandomProgram:
    """A program of up to `longest` instructions on inputs of `dtypes`, in `large` arrays if wanted.

    With `edge`, inputs hold nan, infinities, -0 and extremes. Halves that overflow are left out: how far sums
    are rounded on the way is another thing than in NumPy.
    """
    m, n = draw(st.sampled_from(_LARGE if large else _SMALL))
    shapes = st.sampled_from([(), (n,), (m, n), (1, n), (m, 1), (m, n)])
    program = RandomProgram([], [])
    for k in range(draw(st.integers(1, 3))):
        dtype = draw(st.sampled_from(dtypes))
        shape = draw(shapes)
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        low, high = (0, 2) if dtype == "bool" else (-4, 5)
        value: Any = rng.uniform(-3, 3, shape) if dtype[0] in "fc" else rng.integers(low, high, shape)
        value = value + 1j * rng.uniform(-3, 3, shape) if dtype.startswith("c") else value
        value = np.asarray(value).astype(dtype)
        if edge and dtype.startswith("f"):
            with quiet():
                value = np.where(rng.uniform(size=shape) < 0.5, rng.choice(_EDGE, shape), value).astype(dtype)
        program.inputs.append(T.tensor(dtype, (None,) * len(shape), name=f"x{k}"))
        program.values.append(np.asarray(value))
    pool, most = list(program.values), 20_000 if large else 500
    for _ in range(draw(st.integers(1, longest))):
        instruction = draw(_instructions(pool))
        try:
            with quiet():
                value = np.asarray(instruction.numeric(*(pool[i] for i in instruction.operands)))
        except (TypeError, ValueError, IndexError):
            continue  # NumPy refuses: the tests of errors are elsewhere
        halves = value.dtype.name == "float16"
        if (halves and not ("float16" in dtypes and np.isfinite(value).all())) or value.size > most or value.ndim > 4:
            continue
        program.instructions.append(instruction)
        pool.append(value)
    last = len(pool) - 1
    extra = draw(st.lists(st.integers(0, last), max_size=2))
    program.outputs = (last, *extra)
    return program


@st.composite
def _instructions(draw: st.DrawFn, pool: list[Array]) -> Instruction:
    position = st.integers(0, len(pool) - 1).map(lambda i: len(pool) - 1 - i)
    a = draw(position)
    x = pool[a]
    kinds = ["any", "binary", "binary", "binary"]
    kinds += {"f": ["float"] * 4, "c": ["complex"] * 4, "i": ["integer"]}.get(x.dtype.kind, [])
    kinds += ["reduction", "ranked"] if x.ndim else []
    kinds += ["soft"] if x.ndim and x.dtype.kind == "f" and x.size else []
    kinds += ["matmul"] if x.ndim in (1, 2) and x.dtype.kind in "fc" else []
    kind = draw(st.sampled_from(kinds))
    if kind == "reduction":
        name = draw(st.sampled_from(_REDUCTIONS))
        axis = draw(st.sampled_from([None, *range(x.ndim)]))
        keep = draw(st.booleans())
        return Instruction(
            lambda v: getattr(v, name)(axis=axis, keepdims=keep),
            lambda v: getattr(np, name)(v, axis=axis, keepdims=keep),
            (a,), f"{name}[axis={axis}, keepdims={keep}]",
        )  # fmt: skip
    if kind == "matmul":
        return Instruction(lambda v: v @ v.T, lambda v: v @ v.T, (a,), "x @ x.T")
    tables = {"any": _ANY_UNARY, "float": _FLOAT_UNARY, "ranked": _RANKED_UNARY, "soft": _SOFT,
              "binary": _BINARY, "integer": _INTEGER_BINARY, "complex": _COMPLEX_UNARY}  # fmt: skip
    name, symbolic, numeric = draw(_entry(tables[kind]))
    operands = (a, draw(position)) if kind in ("binary", "integer") else (a,)
    return Instruction(symbolic, numeric, operands, name)
