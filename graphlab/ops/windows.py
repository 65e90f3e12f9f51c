"""Windows that slide over the last axes of an array, and their transpose, which adds windows back in place.

Convolutions and pools are made of these two. Each is the derivative of the other, so derivatives of every
order need nothing else.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Extent, Shape, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching, OneByOne
from graphlab.ops.extents import known_shape, shape_vector
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Host, Lowering, Runtime
from graphlab.ops.rearrange import extent_along

Numbers = tuple[int, ...]

# ---- extents -------------------------------------------------------------------------------------


def window_count(extent: Extent, window: Extent, stride: int, dilation: int) -> Extent:
    """How many windows lie along `extent`: (extent - (window - 1) dilation - 1) // stride + 1, 0 if none fits.

    >>> window_count(7, 3, 2, 1), window_count(7, 3, 1, 2), window_count(2, 3, 1, 1)
    (3, 3, 0)
    """
    if extent is None or window is None:
        return None
    room = extent - (window - 1) * dilation - 1
    return room // stride + 1 if room >= 0 and window >= 1 else 0


def spatial(x: Variable, rank: int) -> list[Any]:
    """The last `rank` extents of `x`: Python integers where they are known."""
    return [extent_along(x, axis) for axis in range(x.ndim - rank, x.ndim)]


def per_axis(value: Any, rank: int, what: str, least: int = 1) -> Numbers:
    """`value`, an integer for all of `rank` axes or a sequence with one for each, none below `least`.

    >>> per_axis(2, 2, "stride"), per_axis((1, 2), 2, "stride")
    ((2, 2), (1, 2))
    """
    given = list(value) if isinstance(value, tuple | list) else [value] * rank
    try:
        numbers = tuple(operator.index(n) for n in given)
    except TypeError:
        numbers = ()
    if len(numbers) != rank or min(numbers) < least:
        raise GraphValueError(
            f"{what} must be an integer or {rank} of them, from {least} up; got {value!r}",
            origin=caller_origin(),
        )
    return numbers


# ---- the ops -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sliding(Op):
    """What both share: between neighbouring windows are `stride` elements, inside of them `dilation`.

    `extents` is what is known of the second input, a vector with a number for each axis slid over.
    """

    stride: Numbers
    dilation: Numbers
    extents: Shape

    @property
    def rank(self) -> int:
        """How many axes, the last ones, the windows slide over."""
        return len(self.stride)

    def counts(self, shape: Shape, window: Shape) -> Shape:
        """How many windows lie along each of the axes, which have the extents `shape`; GraphShapeError if none."""
        counts = tuple(map(window_count, shape, window, self.stride, self.dilation))
        for axis, (extent, size, dilation, count) in enumerate(zip(shape, window, self.dilation, counts, strict=True)):
            if count == 0:
                apart = f", {dilation} apart," if dilation > 1 else ""
                raise GraphShapeError(
                    f"{self.name}: a window of {size} elements{apart} does not fit along spatial axis {axis}, "
                    f"whose extent is {extent}"
                )
        return counts

    def check(self, x: TensorType, ndim: int, vector: TensorType) -> None:
        """GraphTypeError unless `x` has `ndim` axes at least and `vector` a number for each axis slid over."""
        if x.ndim < ndim:
            raise GraphTypeError(f"{self.name}: expected {ndim} axes at least, got {x}")
        if vector.dtype != "int64" or vector.ndim != 1 or vector.shape[0] not in (None, self.rank):
            raise GraphTypeError(f"{self.name}: the extents must be int64[{self.rank}], got {vector}")

    def text(self, x: str, extents: str) -> str:
        moves = {"stride": self.stride, "dilation": self.dilation}
        shown = [f"{word}={numbers}" for word, numbers in moves.items() if set(numbers) != {1}]
        return f"{self.name}({', '.join([x, extents, *shown])})"

    def _params(self) -> Numbers:
        return (self.rank, *self.stride, *self.dilation)


@dataclass(frozen=True, slots=True)
class Windows(Sliding):
    """Every window over the last axes of the first input, as an array on new last axes; a view.

    The second input is the extents of a window. (..., H, W) becomes (..., rows, columns, h, w).
    """

    name = "windows"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, window = inputs
        self.check(x, self.rank, window)
        lead, slid = x.shape[: x.ndim - self.rank], x.shape[x.ndim - self.rank :]
        return (x.with_shape((*lead, *self.counts(slid, self.extents), *self.extents)),)

    def numpy(self, *values: Array) -> Any:
        x, window = values[0], tuple(int(n) for n in values[1])
        lead = x.ndim - self.rank
        counts = self.counts(x.shape[lead:], window)
        steps = x.strides[lead:]
        between = tuple(map(operator.mul, steps, self.stride))
        inside = tuple(map(operator.mul, steps, self.dilation))
        shape, strides = (*x.shape[:lead], *counts, *window), (*x.strides[:lead], *between, *inside)
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x, _) = cotangents, node.inputs
        return [fold_windows(g, spatial(x, self.rank), self.stride, self.dilation), None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return OneByOne() if batched[1] else Along((self.rank, 1))

    def lowering(self, node: Apply) -> Lowering:
        return Runtime(self.name, self._params(), view=True)


@dataclass(frozen=True, slots=True)
class FoldWindows(Sliding):
    """The transpose of Windows: each window is added to where it lies, elements that meet are summed.

    The first input is windows, (..., rows, columns, h, w), the second the extents (H, W) they lie over.
    """

    name = "fold_windows"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        g, vector = inputs
        self.check(g, 2 * self.rank, vector)
        lead = g.ndim - 2 * self.rank
        have, window = g.shape[lead : lead + self.rank], g.shape[lead + self.rank :]
        self._agree(have, self.counts(self.extents, window))
        return (g.with_shape((*g.shape[:lead], *self.extents)),)

    def _agree(self, have: Shape, fitting: Shape) -> None:
        if any(None not in (n, m) and n != m for n, m in zip(have, fitting, strict=True)):
            raise GraphShapeError(
                f"{self.name}: {have} windows given, but {fitting} of them lie over the extents {self.extents}"
            )

    def numpy(self, *values: Array) -> Any:
        g, extents = values[0], tuple(int(n) for n in values[1])
        lead = g.ndim - 2 * self.rank
        counts, window = g.shape[lead : lead + self.rank], g.shape[lead + self.rank :]
        self._agree(counts, self.counts(extents, window))
        out = np.zeros((*g.shape[:lead], *extents), g.dtype)
        for inside in np.ndindex(*window):  # the order in which the C adds
            at = zip(inside, self.dilation, self.stride, counts, strict=True)
            where: tuple[Any, ...] = (..., *(slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, s, n in at))
            out[where] += g[(..., *inside)]
        return out

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (folded, _) = cotangents, node.inputs
        return [windows(g, spatial(folded, self.rank), self.stride, self.dilation), None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return OneByOne() if batched[1] else Along((2 * self.rank, 1))

    def lowering(self, node: Apply) -> Lowering:
        dtype = node.inputs[0].dtype
        if dtype not in ("float32", "float64"):
            return Host(f"{self.name} of {dtype} has no C form")
        return Runtime(self.name, self._params())


# ---- the functions -------------------------------------------------------------------------------


@user_boundary
def windows(x: Any, window: Sequence[Any], stride: Any = 1, dilation: Any = 1) -> Variable:
    """Every window over the last axes of `x`, on new axes at the end, as numpy's sliding_window_view; a view.

    `window` has an extent for each axis slid over, symbolic or not. Neighbouring windows begin `stride`
    elements apart, and neighbours in a window are `dilation` apart (an integer, or one for each axis).
    GraphShapeError: a window is larger than the array.

    >>> windows([1, 2, 3, 4], [2]).eval()
    array([[1, 2],
           [2, 3],
           [3, 4]])
    """
    rank, vector = len(window), shape_vector(window)
    strides, dilations = per_axis(stride, rank, "windows: stride"), per_axis(dilation, rank, "windows: dilation")
    view: Variable = Windows(strides, dilations, known_shape(vector, "windows"))(as_tensor(x), vector)
    return view


@user_boundary
def fold_windows(x: Any, extents: Sequence[Any], stride: Any = 1, dilation: Any = 1) -> Variable:
    """The windows of `x`, as `windows` gives them, added up where they lie in an array with `extents` at the end.

    GraphShapeError: over such extents lie other windows.

    >>> fold_windows([[1, 2], [2, 3], [3, 4]], [4]).eval()
    array([1, 4, 6, 4])
    """
    rank, vector = len(extents), shape_vector(extents)
    name = "fold_windows"
    strides, dilations = per_axis(stride, rank, f"{name}: stride"), per_axis(dilation, rank, f"{name}: dilation")
    folded: Variable = FoldWindows(strides, dilations, known_shape(vector, name))(as_tensor(x), vector)
    return folded
