"""Pools: the largest element, the sum or the mean of each window over the last axes, as in theano.tensor.signal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, INTEGER, is_float
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, equal, floor_divide, maximum, multiply, true_divide
from graphlab.ops.extents import broadcast_to, ones, shape_of, zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Expand, Lowering, Runtime
from graphlab.ops.rearrange import pad
from graphlab.ops.reduce import Max, Sum
from graphlab.ops.shape import moveaxis
from graphlab.ops.windows import FoldWindows, Numbers, Windows, fold_windows, per_axis, spatial, window_count, windows

REAL = ("float32", "float64")  # of these the runtime finds the largest
UNROLLED = 8  # windows of so many elements along each axis are folded without a loop

# ---- the op --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pool(Op):
    """The largest element or the sum (`mode`) of each window of extents `window` over the last axes.

    Windows begin `stride` elements apart. Where several elements are the largest they share the gradient, as
    those of max; NaN is stronger than any number.
    """

    mode: str
    window: Numbers
    stride: Numbers

    @property
    def name(self) -> str:
        """max_pool or sum_pool."""
        return f"{self.mode}_pool"

    @property
    def rank(self) -> int:
        """How many axes are pooled."""
        return len(self.window)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        lead, slid = x.shape[: x.ndim - self.rank], x.shape[x.ndim - self.rank :]
        if x.ndim < self.rank:
            raise GraphTypeError(f"{self.name}: expected {self.rank} axes at least, got {x}")
        counts = tuple(window_count(n, w, s, 1) for n, w, s in zip(slid, self.window, self.stride, strict=True))
        if 0 in counts:
            axis = counts.index(0)
            raise GraphShapeError(
                f"{self.name}: a window of {self.window[axis]} elements does not fit along spatial axis {axis}, which "
                f"has {slid[axis]}; smaller windows or ignore_border=False would"
            )
        return (x.with_shape((*lead, *counts)),)

    def numpy(self, *values: Array) -> Any:
        self.infer(TensorType(values[0].dtype.name, values[0].shape))  # says what does not fit
        seen = Windows(self.stride, (1,) * self.rank, self.window).numpy(values[0], np.array(self.window))
        inside = self._inside(values[0].ndim)
        return np.max(seen, inside) if self.mode == "max" else np.sum(seen, inside, dtype=seen.dtype)

    def _inside(self, ndim: int) -> Numbers:
        return tuple(range(ndim, ndim + self.rank))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        if self.mode == "max":
            return [MaxPoolInput(self.window, self.stride)(x, node.outputs[0], g)]
        return [_folded_back(broadcast_to(g, shape_of(_seen(x, self.window, self.stride))), x, self.stride)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,) = tangents
        if t is None or self.mode == "sum":
            return [None if t is None else self(t)]
        return [_shared(t, node.inputs[0], node.outputs[0], self.window, self.stride)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((self.rank,))

    def lowering(self, node: Apply) -> Lowering:
        if self.mode == "max" and node.output.dtype in REAL:
            return Runtime("max_pool", (self.rank, *self.window, *self.stride))
        return Expand(self._expanded)

    def text(self, x: str) -> str:
        return f"{self.name}({x}, {self.window}, stride={self.stride})"

    def _expanded(self, x: Variable) -> tuple[Variable, ...]:
        if max(self.window) > UNROLLED:
            fold = Max if self.mode == "max" else Sum
            return (cast(fold(self._inside(x.ndim))(windows(x, self.window, self.stride)), x.dtype),)
        # Axis by axis: fewer steps, and all but the last go along neighbouring elements.
        for axis, window, stride in zip(range(x.ndim - self.rank, x.ndim), self.window, self.stride, strict=True):
            seen = windows(moveaxis(x, axis, -1), (window,), stride)
            parts = [index(seen, (..., k)) for k in range(window)]
            x = moveaxis(reduce(maximum if self.mode == "max" else add, parts), -1, axis)
        return (x,)


# ---- the derivative of the largest ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MaxPoolInput(Op):
    """The derivative of max_pool by what it pools: inputs are that, the largest elements, and a cotangent for each.

    An element of a window has its share of the window's cotangent, 0 unless it is the largest; shares of windows
    that meet are added.
    """

    window: Numbers
    stride: Numbers
    name = "max_pool_input"

    @property
    def rank(self) -> int:
        """How many axes are pooled."""
        return len(self.window)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, best, g = inputs
        (pooled,) = Pool("max", self.window, self.stride).infer(x)
        for other in (best, g):
            if (other.dtype, other.ndim) != (x.dtype, x.ndim):
                raise GraphTypeError(f"{self.name}: expected {pooled}, got {other}")
            if any(None not in pair and len(set(pair)) > 1 for pair in zip(other.shape, pooled.shape, strict=True)):
                raise GraphShapeError(f"{self.name}: {x} has windows {pooled}, not {other}")
        return (x,)

    def numpy(self, *values: Array) -> Any:
        x, best, g = values
        self.infer(*(TensorType(v.dtype.name, v.shape) for v in values))  # says what does not fit
        once, inside = (1,) * self.rank, tuple(range(x.ndim, x.ndim + self.rank))
        best, g = (v.reshape((*v.shape, *once)) for v in (best, g))
        hits = (Windows(self.stride, once, self.window).numpy(x, np.array(self.window)) == best).astype(x.dtype)
        parts = g * (hits / hits.sum(inside, keepdims=True))
        return FoldWindows(self.stride, once, (None,) * self.rank).numpy(parts, np.array(x.shape[x.ndim - self.rank :]))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (t,), (x, best, _) = cotangents, node.inputs
        assert t is not None
        return [zeros_like(x), zeros_like(best), _shared(t, x, best, self.window, self.stride)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (x, best, _), along_g = node.inputs, tangents[2]
        return [zeros_like(x) if along_g is None else self(x, best, along_g)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(self)

    def lowering(self, node: Apply) -> Lowering:
        apart = all(w <= s for w, s in zip(self.window, self.stride, strict=True))
        if apart and node.output.dtype in REAL:
            return Runtime(self.name, (self.rank, *self.window, *self.stride))
        return Expand(self._expanded)

    def text(self, *operands: str) -> str:
        return f"{self.name}({', '.join(operands)}, {self.window}, stride={self.stride})"

    def _expanded(self, x: Variable, best: Variable, g: Variable) -> tuple[Variable, ...]:
        return (_folded_back(multiply(g, _share(x, best, self.window, self.stride)), x, self.stride),)


def _front(window: Numbers) -> Numbers:
    return tuple(range(len(window)))


def _seen(x: Variable, window: Numbers, stride: Numbers) -> Variable:
    """The windows, their own axes in front, so that loops go along neighbouring windows, not within small ones."""
    inside = tuple(range(x.ndim, x.ndim + len(window)))
    return moveaxis(windows(x, window, stride), inside, _front(window))


def _folded_back(parts: Variable, x: Variable, stride: Numbers) -> Variable:
    """Such windows added up where they lie in `x`."""
    inside = tuple(range(x.ndim, x.ndim + len(stride)))
    return fold_windows(moveaxis(parts, _front(stride), inside), spatial(x, len(stride)), stride)


def _share(x: Variable, best: Variable, window: Numbers, stride: Numbers) -> Variable:
    """For each element of each window its part of the derivative of the largest."""
    hits = cast(equal(_seen(x, window, stride), best), x.dtype)
    share: Variable = true_divide(hits, Sum(_front(window))(hits))
    return share


def _shared(t: Variable, x: Variable, best: Variable, window: Numbers, stride: Numbers) -> Variable:
    """The derivative of the largest elements of `x` along the direction `t`."""
    along: Variable = Sum(_front(window))(multiply(_seen(t, window, stride), _share(x, best, window, stride)))
    return along


# ---- with Theano's arguments ---------------------------------------------------------------------

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def _pooled(rank: int, x: Any, ws: Any, ignore_border: Any, stride: Any, pads: Any, mode: str) -> Variable:
    what = f"pool_{rank}d"
    variable = as_tensor(x)
    window = per_axis(ws, rank, f"{what}: ws")
    steps = window if stride is None else per_axis(stride, rank, f"{what}: stride")
    widths = per_axis(pads, rank, f"{what}: pad", 0)
    _check(what, variable, rank, window, bool(ignore_border), widths, mode)
    if variable.dtype in BOOL or (mode.startswith("average") and not is_float(variable.dtype)):
        variable = cast(variable, "float64")
    if ignore_border:
        ends = list(widths)
    else:
        ends = [_end(n, w, s) for n, w, s in zip(spatial(variable, rank), window, steps, strict=True)]
    around = [(0, 0)] * (variable.ndim - rank) + list(zip(widths, ends, strict=True))
    if mode == "max":
        return _folded("max", pad(variable, around, constant_values=_least(variable.dtype)), window, steps)
    total = _folded("sum", pad(variable, around), window, steps)
    if mode == "sum":
        return total
    if ignore_border and (mode == "average_inc_pad" or not any(widths)):
        counts: Any = math.prod(window)
    else:
        seen = ones(spatial(variable, rank), variable.dtype)
        counts = _folded("sum", pad(seen, around[-rank:]), window, steps)
    mean: Variable = true_divide(total, counts)
    return mean


def _folded(mode: str, x: Variable, window: Numbers, stride: Numbers) -> Variable:
    folded: Variable = Pool(mode, window, stride)(x)
    return folded


def _check(what: str, x: Variable, rank: int, window: Numbers, ignore_border: bool, widths: Numbers, mode: str) -> None:
    if x.ndim < rank or x.dtype in COMPLEX:
        raise GraphTypeError(
            f"{what}: expected {rank} axes at least of real numbers, got {x.type}", origin=caller_origin()
        )
    if mode not in MODES:
        raise GraphValueError(
            f"{what}: there is no mode {mode!r}", origin=caller_origin(), hint=f"one of {', '.join(MODES)}"
        )
    if any(p >= w for p, w in zip(widths, window, strict=True)) and any(widths):
        raise GraphValueError(
            f"{what}: pad {widths} must be smaller than the window {window}: a window would see nothing but padding",
            origin=caller_origin(),
        )
    if any(widths) and not ignore_border:
        raise GraphValueError(
            f"{what}: pad goes with ignore_border=True only, as in Theano",
            origin=caller_origin(),
            hint="pass ignore_border=True, or pad the array before: T.pad(x, ...)",
        )


def _least(dtype: str) -> float | int:
    """What no element is below."""
    return int(np.iinfo(dtype).min) if dtype in INTEGER else -math.inf


def _end(extent: Any, window: int, stride: int) -> Any:
    """The padding at the end with which windows that begin inside reach over the border.

    As in Theano there are 1 + ceil((extent - window) / stride) windows where they overlap, of those that begin
    inside; without overlap all of these count.
    """
    if stride >= window:
        count = _quotient(extent - 1, stride) + 1
    else:
        count = _at_least_0(_quotient(extent - 1 - window + stride, stride)) + 1
    return _at_least_0((count - 1) * stride + window - extent)


def _quotient(a: Any, b: int) -> Any:
    return a // b if isinstance(a, int) else floor_divide(a, b)


def _at_least_0(n: Any) -> Any:
    return max(n, 0) if isinstance(n, int) else maximum(n, 0)


@user_boundary
def pool_2d(
    input: Any, ws: Any, ignore_border: bool = False, stride: Any = None, pad: Any = (0, 0), mode: str = "max"
) -> Variable:
    """Windows of `ws` = (rows, columns) over the last two axes of `input`, folded by `mode`.

    `stride`: how far apart windows begin; by default side by side. `ignore_border=False`: windows that reach
    over the end count with what they see; True: they are left out, and `pad` elements are put at each end of
    an axis. Modes: "max", "sum", "average_inc_pad" (padding counts as zeros), "average_exc_pad" (it does not
    count). Elements that tie for the maximum share the gradient. GraphShapeError: no window fits.

    >>> pool_2d([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], (2, 2)).eval()
    array([[5., 6.]])
    """
    return _pooled(2, input, ws, ignore_border, stride, pad, mode)


@user_boundary
def pool_3d(
    input: Any, ws: Any, ignore_border: bool = False, stride: Any = None, pad: Any = (0, 0, 0), mode: str = "max"
) -> Variable:
    """Windows of `ws` = (depth, rows, columns) over the last three axes of `input`; else as pool_2d."""
    return _pooled(3, input, ws, ignore_border, stride, pad, mode)


@user_boundary
def max_pool_2d(
    input: Any, ds: Any, ignore_border: bool = False, st: Any = None, padding: Any = (0, 0), mode: str = "max"
) -> Variable:
    """pool_2d under the name and with the arguments of Theano's older theano.tensor.signal.downsample."""
    return _pooled(2, input, ds, ignore_border, st, padding, mode)


# ---- with the arguments of most other libraries ----------------------------------------------------


@user_boundary
def max_pool(x: Any, window: Sequence[int], stride: Any = None, padding: Any = 0) -> Variable:
    """The largest element of each whole window over the last axes, as many as `window` has extents.

    >>> max_pool([1.0, 5.0, 2.0, 3.0], [2], stride=1).eval()
    array([5., 5., 3.])
    """
    return _pooled(len(window), x, window, True, stride, padding, "max")


@user_boundary
def avg_pool(x: Any, window: Sequence[int], stride: Any = None, padding: Any = 0) -> Variable:
    """The mean of each whole window over the last axes; padding counts as zeros.

    >>> avg_pool([1.0, 5.0, 2.0, 4.0], [2]).eval()
    array([3., 3.])
    """
    return _pooled(len(window), x, window, True, stride, padding, "average_inc_pad")
