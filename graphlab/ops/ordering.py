"""Elements put in order and found by their order: sort, the largest few, searches, what differs from zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, INTEGER
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching, OneByOne, Shifted
from graphlab.ops.elementwise import isnan, subtract, true_divide, where
from graphlab.ops.extents import zeros_like
from graphlab.ops.index import inc_subtensor, index
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Host, Lowering
from graphlab.ops.rearrange import along, extent_along, flip, part, take_along_axis
from graphlab.ops.reduce import any, max, mean, min
from graphlab.ops.shape import expand_dims, ravel
from graphlab.ops.ufunc import ZERO

# ---- order ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sort(Op):
    """The elements along `axis` in ascending order, NaN last."""

    axis: int
    name = "sort"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        return np.sort(values[0], axis=self.axis, kind="stable")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # The order of the order is where each element went: the inverse of the permutation.
        order = ArgSort(self.axis)
        return [take_along_axis(cotangents[0], order(order(node.inputs[0])), self.axis)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,), (x,) = tangents, node.inputs
        return [None if t is None else take_along_axis(t, ArgSort(self.axis)(x), self.axis)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(Sort(self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        return Host("sorting has no C form yet")


@dataclass(frozen=True, slots=True)
class ArgSort(Op):
    """The positions along `axis` in the order of the elements there; equal ones keep theirs, NaN comes last."""

    axis: int
    name = "argsort"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0].with_dtype("int64"),)

    def numpy(self, *values: Array) -> Any:
        return np.argsort(values[0], axis=self.axis, kind="stable")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        return [ZERO]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(ArgSort(self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        return Host("sorting has no C form yet")


@user_boundary
def sort(x: Any, axis: int | None = -1) -> Variable:
    """The elements in ascending order along `axis` (None: all in a row), NaN last, as numpy.sort.

    A gradient goes back to where each element came from.

    >>> sort([3.0, 1.0, 2.0]).eval()
    array([1., 2., 3.])
    """
    variable, a = along(x, axis, "sort")
    ordered: Variable = Sort(a)(variable)
    return ordered


@user_boundary
def argsort(x: Any, axis: int | None = -1) -> Variable:
    """The positions that put `x` in order along `axis`, as numpy.argsort(kind="stable"): equal ones keep theirs."""
    variable, a = along(x, axis, "argsort")
    order: Variable = ArgSort(a)(variable)
    return order


@user_boundary
def topk_and_argtopk(x: Any, k: Any, axis: int | None = -1) -> tuple[Variable, Variable]:
    """The `k` largest elements along `axis` (None: of all), largest first, and their positions.

    Of equal elements the first comes first; NaN counts as largest. GraphValueError if it can be seen
    that there are fewer than `k`; in a run, fewer then come back.

    >>> [v.eval().tolist() for v in topk_and_argtopk([1, 3, 2, 3], 3)]
    [[3, 3, 2], [1, 3, 2]]
    """
    variable, a = along(x, axis, "topk")
    n = extent_along(variable, a)
    if isinstance(k, int) and (k < 0 or (isinstance(n, int) and k > n)):
        raise GraphValueError(f"topk: there are no {k} elements along axis {a} of {variable.type}",
                              origin=caller_origin())  # fmt: skip
    # Flipped twice: equal elements then come in the order in which they stand.
    descending = flip(subtract(n - 1, ArgSort(a)(flip(variable, a))), a)
    positions = part(descending, a, slice(None, k))
    return take_along_axis(variable, positions, a), positions


@user_boundary
def topk(x: Any, k: Any, axis: int | None = -1) -> Variable:
    """The `k` largest elements along `axis` (None: of all), largest first; see topk_and_argtopk."""
    return topk_and_argtopk(x, k, axis)[0]


@user_boundary
def argtopk(x: Any, k: Any, axis: int | None = -1) -> Variable:
    """The positions of the `k` largest elements along `axis` (None: of all); see topk_and_argtopk."""
    return topk_and_argtopk(x, k, axis)[1]


@user_boundary
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """The middle one of the elements along `axis`, or the mean of the middle two, as numpy.median.

    NaN if there is one, and of nothing.

    >>> median([1, 5, 2, 4]).eval()
    array(3.)
    """
    variable, a = along(x, axis, "median")
    n = extent_along(variable, a)
    result = mean(part(Sort(a)(variable), a, slice((n - 1) // 2, n // 2 + 1)), a)
    if variable.dtype not in BOOL + INTEGER:
        result = where(any(isnan(variable), a), np.nan, result)
    if not keepdims:
        return result
    return expand_dims(result, a if axis is not None else tuple(range(as_tensor(x).ndim)))


@user_boundary
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The largest less the smallest element over `axis`, as numpy.ptp."""
    spread: Variable = subtract(max(x, axis, keepdims=keepdims), min(x, axis, keepdims=keepdims))
    return spread


# ---- searches ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchSorted(Op):
    """Where in the first input, a vector in ascending order, each element of the second belongs.

    `side`: before ("left") or behind ("right") the elements equal to it.
    """

    side: str
    name = "searchsorted"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        ordered, values = inputs
        if ordered.ndim != 1:
            raise GraphTypeError(f"{self.name}: expected a vector to search, got {ordered}")
        return (values.with_dtype("int64"),)

    def numpy(self, *values: Array) -> Any:
        return np.searchsorted(values[0], values[1], side="left" if self.side == "left" else "right")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        return [ZERO, ZERO]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return OneByOne() if batched[0] else Along((1, 0))

    def lowering(self, node: Apply) -> Lowering:
        return Host("a binary search has no C form yet")


@user_boundary
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Variable:
    """Where in the ascending vector `a` each element of `v` belongs, as numpy.searchsorted.

    `side`: before ("left") or behind ("right") its equals. `sorter`: positions that put `a` in order.

    >>> searchsorted([1, 2, 3], [2, 9]).eval()
    array([1, 3])
    """
    if side not in ("left", "right"):
        raise GraphValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}", origin=caller_origin())
    ordered = as_tensor(a) if sorter is None else index(as_tensor(a), as_tensor(sorter))
    found: Variable = SearchSorted(side)(ordered, as_tensor(v))
    return found


# ---- as many as there are ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unique(Op):
    """The different elements of a vector in ascending order; NaN is one value.

    Elements that are equal share the gradient.
    """

    name = "unique"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.ndim != 1:
            raise GraphTypeError(f"{self.name}: expected a vector, got {x}")
        return (x.with_shape((None,)),)

    def numpy(self, *values: Array) -> Any:
        return np.unique(values[0])

    def _places(self, node: Apply) -> tuple[Variable, Variable]:
        """Where in the output each element of the input stands; and how many stand at each place."""
        (x,), (y,) = node.inputs, node.outputs
        place = SearchSorted("left")(y, x)
        return place, inc_subtensor(index(zeros_like(y), place), 1.0)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        place, count = self._places(node)
        return [index(true_divide(cotangents[0], count), place)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        if tangents[0] is None:
            return [None]
        place, count = self._places(node)
        total = inc_subtensor(index(zeros_like(node.outputs[0]), place), tangents[0])
        return [true_divide(total, count)]

    def lowering(self, node: Apply) -> Lowering:
        return Host("its length is known only once its values are")


@user_boundary
def unique(x: Any) -> Variable:
    """The different elements of `x` in ascending order, a vector of as many as there are, as numpy.unique.

    >>> unique([3, 1, 3]).eval()
    array([1, 3])
    """
    different: Variable = Unique()(ravel(as_tensor(x)))
    return different


@dataclass(frozen=True, slots=True)
class NonZero(Op):
    """Where the elements that are not zero stand: for each axis a vector of their positions along it."""

    name = "nonzero"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.ndim == 0:
            hint = "a vector of one element: atleast_1d(x)"
            raise GraphTypeError(f"{self.name}: a scalar has no positions", hint=hint)
        return (TensorType("int64", (None,)),) * x.ndim

    def numpy(self, *values: Array) -> Any:
        return values[0].nonzero()

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        return [ZERO]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None] * len(node.outputs)

    def lowering(self, node: Apply) -> Lowering:
        return Host("its length is known only once its values are")


@user_boundary
def nonzero(x: Any) -> tuple[Variable, ...]:
    """Where the elements that are not zero stand, as numpy.nonzero: for each axis the positions along it.

    >>> [p.eval().tolist() for p in nonzero([[0, 7], [5, 0]])]
    [[0, 1], [1, 0]]
    """
    return NonZero().apply(as_tensor(x)).outputs


@user_boundary
def flatnonzero(x: Any) -> Variable:
    """Where the elements that are not zero stand among all in a row, as numpy.flatnonzero."""
    return nonzero(ravel(as_tensor(x)))[0]
