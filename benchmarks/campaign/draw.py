"""Random graphs: inputs with values, and instructions on a pool of variables whose values are known as it grows.

Every instruction is computed by NumPy as soon as it is written; what NumPy refuses, and what would grow too
large, is left out. So shapes fit for the values drawn, though many are unknown to the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.interpret import demand, leaf_value
from graphlab.rewrite.awkward import awkward_values

Array = np.ndarray[Any, Any]
Environment = dict[Variable, Array]

MOST_ELEMENTS, MOST_AXES = 400, 4
SHAPES = ((2, 3), (3, 3), (4, 3), (3, 1), (1, 4), (0, 2), (5, 17))
DTYPES = ("float64",) * 10 + ("float32",) * 4 + ("int64", "int64", "int8", "uint8", "bool", "complex128")

# Beside the awkward values, numbers whose squares and exponentials over- and underflow, and zeros.
EXTREMES = {
    "float64": (1e200, -1e200, 1e-200, -1e-200, 800.0, -800.0, 0.0, -0.0, -0.0),
    "float32": (1e30, -1e30, 1e-30, -1e-30, 100.0, -100.0, 0.0, -0.0, -0.0),
}
# What is refused when a graph is built or computed: such an instruction is left out.
REFUSED = (GraphlabError, ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError)


@dataclass
class Draft:
    """A graph in the making. `plain`: only positive numbers around one, and only what keeps them so."""

    rng: np.random.Generator
    plain: bool = False
    inputs: list[Variable] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    environment: Environment = field(default_factory=dict)
    pool: list[Variable] = field(default_factory=list)

    # -- choosing --

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return bool(self.rng.random() < p)

    def choose(self, options: Any) -> Any:
        """One of `options`."""
        return options[int(self.rng.integers(len(options)))]

    def recent(self) -> Variable:
        """A variable of the pool; the latest are likelier."""
        back = int(min(self.rng.geometric(0.3) - 1, len(self.pool) - 1))
        return self.pool[len(self.pool) - 1 - back]

    def value(self, v: Variable) -> Array:
        """The value of `v` for the ordinary values of the inputs."""
        demand((v,), self.environment)
        return leaf_value(v, self.environment)

    # -- growing --

    def add_input(self, dtype: str, shape: tuple[int, ...], static: tuple[int | None, ...] | None = None,
                  role: str = "") -> Variable:  # fmt: skip
        """A new input with a value. `role`: "index" for numbers that index, "matrix" for one that is well-conditioned.

        `static`: its extents as the graph knows them; by chance if it is None.
        """
        if static is None:
            whole = self.chance(0.3)
            static = tuple(n if whole or (n == 1 and self.chance(0.7)) else None for n in shape)
        v = Variable(TensorType(dtype, static), f"x{len(self.inputs)}")
        self.environment[v] = ordinary(dtype, shape, role, self.plain, self.rng)
        self.inputs.append(v)
        self.roles.append(role)
        if role != "index":
            self.pool.append(v)
        return v

    def add(self, build: Callable[..., Any], *operands: Variable, pooled: bool = True) -> Variable | None:
        """What `build` makes of `operands`, if NumPy can compute it and it is small; it joins the pool if `pooled`."""
        known = dict(self.environment)
        try:
            made = build(*operands)
            if not isinstance(made, Variable):
                return None
            value = self.value(made)
        except REFUSED:
            self.environment = known
            return None
        if value.size > MOST_ELEMENTS or value.ndim > MOST_AXES or value.dtype == np.float16:
            self.environment = known
            return None
        if pooled and self.plain and not _is_plain(value):
            return None
        if pooled and made not in self.pool:
            self.pool.append(made)
        return made


def _is_plain(value: Array) -> bool:
    """Whether all numbers are positive and neither large nor small."""
    return value.dtype.kind in "iu" or bool(np.all((np.abs(value) > 1e-3) & (np.abs(value) < 1e3)))


# ---- values --------------------------------------------------------------------------------------


def ordinary(dtype: str, shape: tuple[int, ...], role: str, plain: bool, rng: np.random.Generator) -> Array:
    """Numbers between -3 and 3; small integers; positive numbers around one if `plain`."""
    if role == "index":
        return np.asarray(rng.integers(int(plain), 2, shape)).astype(dtype)
    if role == "matrix":
        noise = rng.uniform(-1, 1, shape)
        value = noise + np.swapaxes(noise, -1, -2) + 3 * shape[-1] * np.eye(shape[-1])
        return value.astype(dtype)
    if dtype == "bool":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if dtype[0] in "iu":
        return np.asarray(rng.integers(1 if plain else 0 if dtype[0] == "u" else -4, 6, shape)).astype(dtype)
    value = rng.uniform(0.5, 2.0, shape) if plain else rng.uniform(-3, 3, shape)
    if dtype[0] == "c":
        value = value + 1j * rng.uniform(0.5 if plain else -3, 2, shape)
    return np.asarray(value).astype(dtype)


def edged(value: Array, role: str, rng: np.random.Generator) -> Array:
    """`value` with nan, infinities, zeros of both signs and extremes in places."""
    if role or value.dtype == bool or not value.size:
        return value
    share = 0.35 if value.dtype.kind in "fc" else 0.2
    known = awkward_values(value.dtype.name, rng)
    if value.dtype.kind == "f":
        known = np.concatenate([known, EXTREMES[value.dtype.name]]).astype(value.dtype)
    with np.errstate(all="ignore"):
        picked = rng.choice(known, value.shape)
    return np.where(rng.random(value.shape) < share, picked, value).astype(value.dtype)


def misfitting(v: Variable, value: Array, rng: np.random.Generator) -> Array:
    """`value`, perhaps with another extent along an axis of unknown extent."""
    loose = [axis for axis, n in enumerate(v.type.shape) if n is None]
    if not loose or rng.random() < 0.5:
        return value
    axis = int(rng.choice(loose))
    wanted = int(rng.choice([0, 1, value.shape[axis] + 1, max(value.shape[axis] - 1, 0)]))
    if value.shape[axis] == 0:
        shape = tuple(wanted if a == axis else n for a, n in enumerate(value.shape))
        return np.ones(shape, value.dtype)
    return np.take(value, np.arange(wanted) % value.shape[axis], axis=axis)


# ---- instructions --------------------------------------------------------------------------------

Instruction = Callable[[Draft, Variable], Variable | None]
Unary = Callable[[Any], Any]

FLOAT_UNARY: tuple[Unary, ...] = (
    T.exp, T.log, T.sqrt, T.tanh, T.sin, T.cos, T.sigmoid, T.log1p, T.expm1, T.softplus, T.arctan, T.erf, T.erfc,
    T.cosh, T.exp2, T.log2, T.arcsinh, T.cbrt, T.floor, T.ceil, T.rint, T.trunc, T.reciprocal, T.isnan, T.isinf,
    lambda x: 1 / (1 + T.exp(-x)), lambda x: T.log(1 + T.exp(x)), lambda x: x - T.floor(x), lambda x: x / 3,
)  # fmt: skip
ANY_UNARY: tuple[Unary, ...] = (
    lambda x: -x, lambda x: abs(x), T.square, T.sign, lambda x: x * 2, lambda x: 1 + x, lambda x: 1 - x,
    lambda x: x**2, lambda x: x**3, lambda x: x * 1, lambda x: x + 0, lambda x: x * 0, lambda x: x > 0,
    lambda x: T.eq(x, x), T.logical_not, lambda x: x // 2, lambda x: x % 3,
)  # fmt: skip
KEEPS_PLAIN: tuple[Unary, ...] = (
    T.sqrt, T.tanh, T.sigmoid, T.log1p, T.softplus, T.arctan, T.reciprocal, T.square, lambda x: 1 + x,
    lambda x: x * 2, lambda x: x / 3, lambda x: x**2, T.exp,
)  # fmt: skip
COMPLEX_UNARY: tuple[Unary, ...] = (
    lambda x: x.conj(), lambda x: x.real, lambda x: x.imag, abs, lambda x: x * x.conj(), lambda x: abs(x) ** 2, T.exp,
    lambda x: x * 1j, T.square, lambda x: -x,
)  # fmt: skip
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    *(lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y) * 3,
    lambda x, y: x // y, lambda x, y: x % y, T.maximum, T.minimum, lambda x, y: x < y, lambda x, y: x <= y, T.eq, T.neq,
    T.arctan2, T.hypot, T.logical_and, T.logical_or, lambda x, y: T.where(x > y, x, y), T.logaddexp,
)  # fmt: skip
PLAIN_BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x / y, T.maximum, T.minimum, T.hypot,
)  # fmt: skip
INTEGER_BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x & y, lambda x, y: x | y, lambda x, y: x ^ y, lambda x, y: x << y, lambda x, y: x >> y,
)  # fmt: skip


def unary(d: Draft, x: Variable) -> Variable | None:
    """An elementwise function of one operand."""
    if x.dtype.startswith("c"):
        return d.add(d.choose(COMPLEX_UNARY), x)
    if d.plain:
        return d.add(d.choose(KEEPS_PLAIN), x)
    return d.add(d.choose(FLOAT_UNARY if x.dtype[0] == "f" and d.chance(0.6) else ANY_UNARY), x)


def partner(d: Draft, x: Variable) -> Variable:
    """A variable that broadcasts with `x`: of the pool if there is one, else a new input, else `x`."""
    shape = d.value(x).shape
    for _ in range(4):
        y = d.recent() if d.chance(0.7) else d.choose(d.pool)
        try:
            np.broadcast_shapes(shape, d.value(y).shape)
        except ValueError:
            continue
        return y
    if d.chance(0.3):
        dtype = x.dtype if x.dtype[0] in "fc" else "float64"
        return d.add_input(dtype, shape[int(d.rng.integers(len(shape) + 1)) :])
    return x


def binary(d: Draft, x: Variable) -> Variable | None:
    """An elementwise function of two operands."""
    y = partner(d, x)
    if x.dtype[0] in "iub" and y.dtype[0] in "iub" and d.chance(0.4):
        return d.add(d.choose(INTEGER_BINARY), x, y)
    return d.add(d.choose(PLAIN_BINARY if d.plain else BINARY), *((x, y) if d.chance(0.5) else (y, x)))


def reduction(d: Draft, x: Variable) -> Variable | None:
    """A reduction over some axes."""
    names = ("sum", "prod", "max", "min", "mean", "any", "all", "var", "argmax", "argmin")
    name = d.choose(("sum", "max", "min", "mean", "prod") if d.plain else names)
    axis = None if d.chance(0.3) else int(d.rng.integers(-x.ndim, x.ndim))
    keep = d.chance(0.4)
    return d.add(lambda v: getattr(T, name)(v, axis=axis, keepdims=keep), x)


def cast(d: Draft, x: Variable) -> Variable | None:
    """The same in another dtype."""
    dtype = d.choose(("float64", "float32") if d.plain else ("float64", "float32", "int64", "int32", "int8", "bool"))
    return d.add(lambda v: v.astype(dtype), x)


def axes(d: Draft, x: Variable) -> Variable | None:
    """Other axes: transposed, reshaped, added, broadcast."""
    value = d.value(x)
    k = int(d.rng.integers(6))
    if k == 0:
        order = [int(a) for a in d.rng.permutation(x.ndim)]
        return d.add(lambda v: T.transpose(v, order), x)
    if k == 1:
        shapes = [(-1,), (*value.shape, 1), (1, -1), value.shape[::-1], (value.size,)]
        return d.add(lambda v: v.reshape(d.choose(shapes)), x)
    if k == 2:
        return d.add(lambda v: v[..., None] if d.chance(0.5) else v[None], x)
    if k == 3:
        return d.add(lambda v: T.broadcast_to(v, (2, *value.shape)), x)
    if k == 4 and 1 in value.shape:
        return d.add(lambda v: T.squeeze(v, value.shape.index(1)), x)
    return d.add(lambda v: v.flatten() if d.chance(0.5) else v.T, x)


def indexed(d: Draft, x: Variable) -> Variable | None:
    """A part of it, by slices, numbers or an array of them."""
    n = d.value(x).shape[0]
    keys: list[Any] = [slice(1, None), slice(None, None, -1), slice(0, -1), slice(None, 2), -1, 0, (..., 0),
                       (..., slice(None, None, 2)), slice(-2, None), (slice(None), None)]  # fmt: skip
    key = d.choose(keys)
    if n and d.chance(0.3):
        at = d.add_input("int64", (3,), role="index")
        return d.add(lambda v, i: v[i % n], x, at)
    return d.add(lambda v: v[key], x)


def updated(d: Draft, x: Variable) -> Variable | None:
    """It with a part set, or increased."""
    part = d.choose((T.set_subtensor, T.inc_subtensor))
    key = d.choose((0, -1, slice(1, None), slice(None, 2), slice(None, None, -1)))
    y = partner(d, x)
    return d.add(lambda v, w: part(v[key], w.astype(v.dtype)[..., key] if w.ndim and d.chance(0.3) else 1), x, y)


def joined(d: Draft, x: Variable) -> Variable | None:
    """Together with another, one after the other or stacked."""
    y = partner(d, x)
    k = int(d.rng.integers(3))
    return d.add(lambda v, w: T.stack([v, w]) if k == 0 else T.concatenate([v, w], axis=0 if k == 1 else -1), x, y)


def product(d: Draft, x: Variable) -> Variable | None:
    """A product of matrices."""
    k = int(d.rng.integers(5))
    if k == 0:
        return d.add(lambda v, w: v @ w, x, d.choose(d.pool))
    if k == 1:
        return d.add(lambda v, w: v @ w.T, x, d.choose(d.pool))
    if k == 2:
        return d.add(lambda v: v.T @ v, x)
    if k == 3:
        return d.add(lambda v, w: T.outer(v.flatten()[:4], w.flatten()[:4]), x, d.choose(d.pool))
    return d.add(lambda v: v @ v.T, x)


def soft(d: Draft, x: Variable) -> Variable | None:
    """A member of the softmax family, as one op or written out."""
    axis = int(d.rng.integers(x.ndim))
    ways: tuple[Unary, ...] = (
        lambda v: T.softmax(v, axis=axis), lambda v: T.log_softmax(v, axis=axis),
        lambda v: T.logsumexp(v, axis=axis), lambda v: T.log(T.exp(v).sum(axis=axis)),
        lambda v: T.exp(v) / T.exp(v).sum(axis=axis, keepdims=True), lambda v: T.log(T.softmax(v, axis=axis)),
    )  # fmt: skip
    return d.add(d.choose(ways), x)


def linear_algebra(d: Draft, x: Variable) -> Variable | None:
    """Something of a well-conditioned matrix."""
    n = 3
    a = d.add_input(x.dtype if x.dtype in ("float32", "float64") else "float64", (n, n), role="matrix")
    ways: tuple[Unary, ...] = (
        T.matrix_inverse, T.det, T.cholesky, lambda m: T.slogdet(m)[1], lambda m: T.log(T.det(m)),
        lambda m: T.matrix_inverse(m) @ m, lambda m: T.solve(m, T.tanh(m)), lambda m: T.trace(m @ m),
    )  # fmt: skip
    return d.add(d.choose(ways), a)


def gradient(d: Draft, x: Variable) -> Variable | None:
    """The derivative of its sum by something that it is computed from."""
    above = [v for v in graphlab.ancestors([x]) if v is not x and v.dtype[0] == "f" and v in d.environment]
    if not above or x.dtype[0] != "f":
        return None
    wrt = d.choose(above)
    return d.add(lambda v: T.grad(v.sum(), wrt), x)


def loop(d: Draft, x: Variable) -> Variable | None:
    """A short loop over its first axis, or its last state alone."""
    start = np.asarray(0.5, x.dtype)
    bodies: tuple[Callable[[Any, Any], Any], ...] = (
        lambda a, s: T.tanh(s + a), lambda a, s: s * start + a * a, lambda a, s: T.where(a > 0, s + a, s),
        lambda a, s: T.log(1 + T.exp(s)) - a * 1,
    )  # fmt: skip
    body = d.choose(bodies)

    def build(v: Variable) -> Any:
        states, _ = graphlab.scan(lambda a, s: body(a, s).astype(v.dtype), [v], [T.zeros_like(v[0]) + start])
        return states[-1] if d.chance(0.5) else states

    return d.add(build, x)


def choice(d: Draft, x: Variable) -> Variable | None:
    """One of two branches."""
    return d.add(lambda v: graphlab.ifelse(T.sum(v) > 0, T.exp(-v), v * 2), x)


def instruction(d: Draft) -> Variable | None:
    """A random instruction on a recent variable."""
    x = d.recent()
    kinds: list[Instruction] = [unary] * 4 + [binary] * 5 + [cast]
    if x.ndim and x.dtype[0] in "fiu":
        kinds += [axes] * 2 + [reduction] * 2 + [indexed] * 2 + [joined]
    if x.ndim and x.dtype[0] == "f" and d.value(x).size:
        kinds += [soft] * (not d.plain) + [product] + [updated]
    if x.dtype[0] == "f" and not d.plain:
        kinds += [gradient] * 2 + ([choice, linear_algebra, loop] if d.chance(0.3) and x.ndim else [])
    return d.choose(kinds)(d, x)


def begin(rng: np.random.Generator, plain: bool) -> Draft:
    """A draft with one to three inputs."""
    d = Draft(rng, plain)
    m, n = d.choose(SHAPES)
    shapes = ((), (n,), (m, n), (m, n), (1, n), (m, 1))
    for _ in range(int(rng.integers(1, 4))):
        d.add_input(d.choose(("float64", "float64", "float32") if plain else DTYPES), d.choose(shapes))
    return d


def finished(d: Draft, wanted: list[Variable]) -> Graph:
    """The graph whose outputs are what nothing else of the pool needs, of `wanted` and the latest."""
    sinks = list(dict.fromkeys([*wanted, d.pool[-1]]))
    inner = {v for s in sinks for v in graphlab.ancestors([s]) if v is not s}
    return Graph(tuple(d.inputs), tuple(s for s in sinks if s not in inner))
