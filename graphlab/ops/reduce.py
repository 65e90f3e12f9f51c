"""Reductions: sum, extremes and the like over some axes."""

from __future__ import annotations

import builtins  # whose any and max mean reductions below
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.dtypes import ALL, BOOL, COMPLEX, INTEGER, SIGNED, UNSIGNED
from graphlab.errors import GraphShapeError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import TensorType
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
from graphlab.ops.extents import broadcast_to, normalized_axes, reshape, shape_of
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Expand, Lowering, Reduction, Runtime
from graphlab.ops.shape import expand_dims, flatten, size
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


# ---- the functions -------------------------------------------------------------------------------


def reduced(kind: type[Reduce], x: Any, axis: Any, keepdims: bool) -> Variable:
    """The reduction of `kind` over `axis`: None for all, an integer or a tuple."""
    variable = as_tensor(x)
    axes = normalized_axes(axis, variable.ndim, kind.name)
    every = len(axes) == variable.ndim
    result: Variable = kind(None if every else axes, bool(keepdims))(variable)
    return result


def as_dtype(x: Any, dtype: Any) -> Variable:
    """`x` as a variable, cast where there is a `dtype`."""
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
