"""Reductions: sum, product, extremes and the like over some axes, and the sum that undoes broadcasting."""

from __future__ import annotations

import builtins  # whose any and max mean reductions below
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.dtypes import ALL, BOOL, COMPLEX, INTEGER, SIGNED, UNSIGNED
from graphlab.errors import GraphShapeError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import Extent, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Built, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import (
    add,
    equal,
    imag,
    maximum,
    multiply,
    real,
    sqrt,
    square,
    subtract,
    true_divide,
)
from graphlab.ops.extents import broadcast_to, full, normalized_axes, reshape, shape_of
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Expand, Host, Lowering, Reduction, Runtime
from graphlab.ops.shape import expand_dims, extent, flatten, size
from graphlab.ops.ufunc import ZERO

# ---- the family ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reduce(Op):
    """Fold the elements along `axes` (None: all) into one; `keepdims` keeps those axes with extent 1."""

    axes: tuple[int, ...] | None = None
    keepdims: bool = False

    def over(self, ndim: int) -> tuple[int, ...]:
        """The axes that are folded in an array of rank `ndim`."""
        return tuple(range(ndim)) if self.axes is None else self.axes

    def dtype(self, dtype: str) -> str:
        """The dtype of the result for elements of `dtype`."""
        return dtype

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        axes = self.over(x.ndim)
        if axes and builtins.max(axes) >= x.ndim:
            raise GraphShapeError(f"{self.name}: axes {axes} are out of range for {x}")
        kept = [(a, n) for a, n in enumerate(x.shape) if self.keepdims or a not in axes]
        return (TensorType(self.dtype(x.dtype), tuple(1 if a in axes else n for a, n in kept)),)

    def back(self, reduced: Variable, x: Variable) -> Variable:
        """`reduced`, of the result's shape, so that it broadcasts against `x`."""
        return reduced if self.keepdims else expand_dims(reduced, self.over(x.ndim))

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(replace(self, axes=tuple(a + 1 for a in self.over(node.inputs[0].ndim))))

    def folded(self, x: Variable, initial: float | None, accumulate: str) -> Lowering:
        """The lowering as a fold that starts with `initial` and goes on by `accumulate`."""
        dtype = self.dtype(x.dtype)
        inside = "float32" if dtype == "float16" else dtype  # halves are rounded once, at the end
        return Reduction(self.over(x.ndim), self.keepdims, inside, initial, accumulate)


def accumulated(dtype: str) -> str:
    """NumPy's dtype for sums and products: small integers are added up in 64 bits."""
    return "int64" if dtype in BOOL + SIGNED else "uint64" if dtype in UNSIGNED else dtype


@dataclass(frozen=True, slots=True)
class Sum(Reduce):
    """The sum along `axes`; 0 where there is nothing to add."""

    name = "sum"

    def dtype(self, dtype: str) -> str:
        return accumulated(dtype)

    def numpy(self, *values: Array) -> Any:
        return np.sum(values[0], axis=self.axes, keepdims=self.keepdims)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        return [broadcast_to(self.back(g, x), shape_of(x))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0])]

    def lowering(self, node: Apply) -> Lowering:
        return self.folded(node.inputs[0], 0, "{a} + {x}")


@dataclass(frozen=True, slots=True)
class Extreme(Reduce):
    """What max and min share: NaN is stronger than any number, and nothing at all is an error.

    Where several elements are the extreme they share the gradient: max of [1, 3, 3] has [0, 1/2, 1/2].
    `initial`, where given, is compared too, so that nothing at all has an extreme.
    """

    initial: float | None = None

    def _numpy(self, function: Callable[..., Array], x: Array) -> Array:
        initial = {} if self.initial is None else {"initial": x.dtype.type(self.initial)}
        return function(x, axis=self.axes, keepdims=self.keepdims, **initial)

    def _share(self, y: Variable, x: Variable) -> Variable:
        """For each element its part of the derivative."""
        hits = cast(equal(x, self.back(y, x)), x.dtype)
        share: Variable = true_divide(hits, self.back(Sum(self.axes, self.keepdims)(hits), x))
        return share

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        return [multiply(self.back(g, x), self._share(node.outputs[0], x))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,), (x,) = tangents, node.inputs
        if t is None:
            return [None]
        return [Sum(self.axes, self.keepdims)(multiply(t, self._share(node.outputs[0], x)))]


def _extreme(compare: str, bits: str, dtype: str) -> str:
    """C that keeps {a} if it wins or is NaN; a NaN in {x} makes the comparison false and is taken."""
    if dtype in COMPLEX:
        return f"gl_{'maximum' if compare == '>=' else 'minimum'}_{dtype}({{a}}, {{x}})"
    return f"{{a}} {bits} {{x}}" if dtype in BOOL else f"({{a}} {compare} {{x}} || {{a}} != {{a}}) ? {{a}} : {{x}}"


@dataclass(frozen=True, slots=True)
class Max(Extreme):
    """The largest element along `axes`."""

    name = "max"

    def numpy(self, *values: Array) -> Any:
        return self._numpy(np.max, values[0])

    def lowering(self, node: Apply) -> Lowering:
        return self.folded(node.inputs[0], self.initial, _extreme(">=", "|", node.inputs[0].dtype))


@dataclass(frozen=True, slots=True)
class Min(Extreme):
    """The smallest element along `axes`."""

    name = "min"

    def numpy(self, *values: Array) -> Any:
        return self._numpy(np.min, values[0])

    def lowering(self, node: Apply) -> Lowering:
        return self.folded(node.inputs[0], self.initial, _extreme("<=", "&", node.inputs[0].dtype))


@dataclass(frozen=True, slots=True)
class Flat(Reduce):
    """What any, all, argmax and argmin share: their derivative is zero wherever there is one."""

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        return [ZERO]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]


@dataclass(frozen=True, slots=True)
class Any_(Flat):
    """Whether any element along `axes` is true (not zero; NaN is true)."""

    name = "any"

    def dtype(self, dtype: str) -> str:
        return "bool"

    def numpy(self, *values: Array) -> Any:
        return np.any(values[0], axis=self.axes, keepdims=self.keepdims)

    def lowering(self, node: Apply) -> Lowering:
        return self.folded(node.inputs[0], False, "{a} | {x}")


@dataclass(frozen=True, slots=True)
class All_(Flat):
    """Whether all elements along `axes` are true (not zero; NaN is true)."""

    name = "all"

    def dtype(self, dtype: str) -> str:
        return "bool"

    def numpy(self, *values: Array) -> Any:
        return np.all(values[0], axis=self.axes, keepdims=self.keepdims)

    def lowering(self, node: Apply) -> Lowering:
        return self.folded(node.inputs[0], True, "{a} & {x}")


@dataclass(frozen=True, slots=True)
class Position(Flat):
    """What argmax and argmin share: NumPy looks along one axis, or among all elements in a row."""

    largest = False

    def dtype(self, dtype: str) -> str:
        return "int64"

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        rank = node.inputs[0].ndim
        if self.axes:
            return Shifted(replace(self, axes=tuple(a + 1 for a in self.axes)))

        def build(x: Variable) -> tuple[Variable]:
            rows = flatten(x, 2) if rank else expand_dims(x, 1)
            found = replace(self, axes=(1,), keepdims=False)(rows)
            return (expand_dims(found, tuple(range(1, rank + 1))) if self.keepdims else found,)

        return Built(build)

    def lowering(self, node: Apply) -> Lowering:
        (x,) = node.inputs
        if x.dtype == "float16":
            return Expand(lambda v: [self(cast(v, "float32"))])
        if self.axes is None and x.ndim != 1:
            return Expand(self._in_a_row)
        (axis,) = self.over(x.ndim)
        return Runtime("arg_extreme", (ALL.index(x.dtype), int(self.largest), axis, int(self.keepdims)))

    def _in_a_row(self, x: Variable) -> Sequence[Variable]:
        found = replace(self, keepdims=False)(reshape(x, (-1,)))
        return [expand_dims(found, tuple(range(x.ndim))) if self.keepdims and x.ndim else found]


@dataclass(frozen=True, slots=True)
class ArgMax(Position):
    """The position of the first largest element, or first NaN, along one axis or among all in a row."""

    name = "argmax"
    largest = True

    def numpy(self, *values: Array) -> Any:
        return np.argmax(values[0], axis=self.axes[0] if self.axes else None, keepdims=self.keepdims)


@dataclass(frozen=True, slots=True)
class ArgMin(Position):
    """The position of the first smallest element, or first NaN, along one axis or among all in a row."""

    name = "argmin"

    def numpy(self, *values: Array) -> Any:
        return np.argmin(values[0], axis=self.axes[0] if self.axes else None, keepdims=self.keepdims)


# ---- undoing a broadcast -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SumTo(Op):
    """The first input summed to the run-time shape of the second, to which it once was broadcast from."""

    name = "sum_to"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        g, like = inputs
        trailing = g.shape[g.ndim - like.ndim :] if g.ndim >= like.ndim else None
        if trailing is None or builtins.any(
            None not in (n, m) and m not in (1, n) for n, m in zip(trailing, like.shape, strict=True)
        ):
            raise GraphShapeError(f"{self.name}: {g} is not a broadcast of {like}")
        return (g.with_shape(tuple(map(_summed_extent, trailing, like.shape))),)

    def numpy(self, *values: Array) -> Any:
        g, like = values
        lead = g.ndim - like.ndim
        axes = tuple(range(lead)) + tuple(lead + a for a, n in enumerate(like.shape) if n == 1)
        summed = np.sum(g, axis=axes, keepdims=True, dtype=g.dtype).reshape(
            [1 if lead + a in axes else n for a, n in enumerate(g.shape[lead:])]
        )
        if summed.shape != like.shape:
            raise GraphShapeError(f"{self.name}: shape {g.shape} is not a broadcast of {like.shape}")
        return summed

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        assert cotangents[0] is not None
        return [broadcast_to(cotangents[0], shape_of(node.inputs[0])), None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else sum_to(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        rank = node.inputs[1].ndim

        def build(g: Variable, like: Variable) -> tuple[Variable]:
            if not batched[0]:
                return (sum_to(g, full(_inner_extents(like), 0, like.dtype)),)
            lead = tuple(range(1, g.ndim - rank))  # what has no counterpart is summed first, so that the axes meet
            summed = Sum(lead)(g) if lead else g
            each = like if batched[1] else broadcast_to(like, [extent(g, 0), *(extent(like, a) for a in range(rank))])
            return (sum_to(summed, each),)

        return Built(build)

    def lowering(self, node: Apply) -> Lowering:
        g, like = node.inputs
        if g.dtype not in ("float32", "float64"):
            return Host(f"{self.name} of {g.dtype} has no C form")
        return Runtime(self.name, (g.ndim, like.ndim), view=True)


def conform(g: Variable, like: Variable) -> Variable:
    """`g` summed to the run-time shape of `like`, in its dtype: what broadcasting spread is gathered again.

    Of a real operand that met complex ones only the real part can move.
    """
    flowing = real(g) if g.dtype in COMPLEX and like.dtype not in COMPLEX else g
    return cast(sum_to(flowing, like), like.dtype)


def _inner_extents(x: Variable) -> list[Variable]:
    """The extents behind the first."""
    return [extent(x, a) for a in range(1, x.ndim)]


def _summed_extent(n: Extent, m: Extent) -> Extent:
    """The extent of `like`, which is 1 or that of `g`."""
    return m if m is not None else 1 if n == 1 else None


def sum_to(g: Variable, like: Variable) -> Variable:
    """`g` summed to the run-time shape of `like`: `g` itself or a plain sum where types tell."""
    target, lead = like.type.shape, g.ndim - like.ndim
    if lead < 0:
        summed: Variable = SumTo()(g, like)  # says what does not fit
        return summed
    plain = [_plain(n, m) for n, m in zip(g.type.shape[lead:], target, strict=True)]
    if None in plain:
        return SumTo()(g, like)  # type: ignore[no-any-return]
    summed_axes = [a for a, summed_too in enumerate(plain) if summed_too]
    axes = (*range(lead), *(lead + a for a in summed_axes))
    if not axes:
        return g
    total = Sum(_canonical_axes(axes, g.ndim))(g)
    return expand_dims(total, tuple(summed_axes)) if summed_axes else total


def _plain(n: Extent, m: Extent) -> bool | None:
    """Whether an axis of extent `n` must be summed to become `m`; None if only the run can tell."""
    if n == 1 or (m is not None and m != 1):
        return False
    return True if m == 1 else None


# ---- the functions -------------------------------------------------------------------------------


def _canonical_axes(axes: tuple[int, ...], ndim: int) -> tuple[int, ...] | None:
    return None if len(axes) == ndim else axes


def reduced(kind: type[Reduce], x: Any, axis: Any, keepdims: bool) -> Variable:
    variable = as_tensor(x)
    axes = normalized_axes(axis, variable.ndim, kind.name)
    result: Variable = kind(_canonical_axes(axes, variable.ndim), bool(keepdims))(variable)
    return result


def as_dtype(x: Any, dtype: Any) -> Variable:
    return as_tensor(x) if dtype is None else cast(as_tensor(x), dtype)


@user_boundary
def sum(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Variable:
    """The sum over `axis` (None: all, an integer or a tuple), as numpy.sum: integers are added up in 64 bits.

    >>> sum(Constant(np.ones((2, 3), "int8")), axis=0).type.dtype
    'int64'
    """
    total = reduced(Sum, as_dtype(x, dtype), axis, keepdims)
    return total if dtype is None else cast(total, dtype)


@user_boundary
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The largest element over `axis`, as numpy.max: NaN if there is one; of nothing a ValueError as it runs.

    Elements that tie share the gradient: [1, 3, 3] has [0, 1/2, 1/2].
    """
    return reduced(Max, x, axis, keepdims)


@user_boundary
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The smallest element over `axis`, as numpy.min; elements that tie share the gradient."""
    return reduced(Min, x, axis, keepdims)


@user_boundary
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """Whether any element over `axis` is true."""
    return reduced(Any_, x, axis, keepdims)


@user_boundary
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """Whether all elements over `axis` are true."""
    return reduced(All_, x, axis, keepdims)


def _position(kind: type[Reduce], x: Any, axis: Any, keepdims: bool) -> Variable:
    variable = as_tensor(x)
    if axis is not None and len(normalized_axes(axis, variable.ndim, kind.name)) != 1:
        raise GraphTypeError(
            f"{kind.name}: expected one axis or None, got {axis}",
            origin=caller_origin(),
            hint="None gives the position among all elements in a row",
        )
    return reduced(kind, variable, axis, keepdims)


@user_boundary
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """The position of the first largest element along `axis` (None: among all in a row), as numpy.argmax."""
    return _position(ArgMax, x, axis, keepdims)


@user_boundary
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """The position of the first smallest element along `axis` (None: among all in a row), as numpy.argmin."""
    return _position(ArgMin, x, axis, keepdims)


@user_boundary
def mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Variable:
    """The mean over `axis`, as numpy.mean: float64 for integers; NaN of nothing.

    >>> mean(Constant([1, 2])).type.dtype
    'float64'
    """
    variable = as_dtype(x, dtype)
    inside, outside = _mean_dtypes(variable.dtype)
    total = reduced(Sum, cast(variable, inside), axis, keepdims)
    count = _count(variable, axis, total.dtype, "mean")
    return cast(true_divide(total, count), outside)


@user_boundary
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Variable:
    """The variance over `axis`, sum(|x - mean|**2) / (n - ddof), as numpy.var."""
    variable = as_tensor(x)
    inside, outside = _mean_dtypes(variable.dtype)
    wide = cast(variable, inside)
    away = subtract(wide, mean(wide, axis, keepdims=True))
    squares = add(square(real(away)), square(imag(away))) if inside in COMPLEX else multiply(away, away)
    total = reduced(Sum, squares, axis, keepdims)
    count = maximum(subtract(_count(variable, axis, total.dtype, "var"), ddof), 0)
    result = true_divide(total, count)
    return result if outside in COMPLEX else cast(result, outside)


@user_boundary
def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Variable:
    """The standard deviation over `axis`, the square root of `var`, as numpy.std."""
    result: Variable = sqrt(var(x, axis, ddof, keepdims))
    return result


def _mean_dtypes(dtype: str) -> tuple[str, str]:
    """In what numpy.mean adds up elements of `dtype`, and what it returns."""
    if dtype == "float16":
        return "float32", "float16"
    return ("float64", "float64") if dtype in BOOL + INTEGER else (dtype, dtype)


def _count(x: Variable, axis: Any, dtype: str, what: str) -> Variable:
    """The number of elements over `axis` as a scalar of `dtype`: a constant if it is known."""
    n = size(x, normalized_axes(axis, x.ndim, what))
    return Constant(n.data.astype(dtype)) if isinstance(n, Constant) else cast(n, dtype)
