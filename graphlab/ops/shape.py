"""The same elements with their axes arranged otherwise: transposed, dropped, made new, merged."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.elementwise import multiply
from graphlab.ops.extents import (
    broadcast_to,
    full,
    full_like,
    normalized_axes,
    ones,
    ones_like,
    reshape,
    shape_of,
    shape_vector,
    zeros,
    zeros_like,
)
from graphlab.ops.index import index
from graphlab.ops.lowering import Lowering, Runtime

__all__ = [
    "Dimshuffle", "aligned", "atleast_1d", "atleast_2d", "batch_extent", "broadcast_to", "dimshuffle",
    "expand_dims", "extent", "flatten", "full", "full_like", "moveaxis", "ones", "ones_like", "over_batch",
    "ravel", "reshape", "shape_of", "shape_padaxis", "shape_padleft", "shape_padright", "shape_vector", "size",
    "squeeze", "swapaxes", "transpose", "zeros", "zeros_like",
]  # fmt: skip

Pattern = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Dimshuffle(Op):
    """Axes permuted by `pattern`: an entry names an axis of the input, or is "x" for a new axis of extent 1.

    Axes that it leaves out are dropped and must have extent 1; the run checks those that are not known.
    """

    pattern: Pattern
    name = "dimshuffle"

    def dropped(self, ndim: int) -> tuple[int, ...]:
        """The axes of the input that the pattern leaves out."""
        return tuple(a for a in range(ndim) if a not in self.pattern)

    def kept(self) -> tuple[int, ...]:
        """The axes of the input in the order of the output."""
        return tuple(a for a in self.pattern if isinstance(a, int))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        kept = self.kept()
        if len(set(kept)) < len(kept) or not all(0 <= a < x.ndim for a in kept):
            raise GraphShapeError(f"{self.name}: {self.pattern} does not permute the axes of {x}")
        for a in self.dropped(x.ndim):
            if x.shape[a] not in (1, None):
                raise GraphShapeError(
                    f"{self.name}: axis {a} of {x} can't be dropped, its extent is {x.shape[a]} and not 1",
                    hint="reduce it (sum, mean) or pick one element of it (x[0]) instead",
                )
        return (x.with_shape(tuple(x.shape[a] if isinstance(a, int) else 1 for a in self.pattern)),)

    def numpy(self, *values: Array) -> Any:
        (x,) = values
        dropped = self.dropped(x.ndim)
        if any(x.shape[a] != 1 for a in dropped):
            raise GraphShapeError(f"{self.name}: axes {dropped} of shape {x.shape} can't be dropped: not all are 1")
        small = x.squeeze(dropped) if dropped else x
        places = sorted(self.kept())
        turned = small.transpose([places.index(a) for a in self.kept()])
        return turned[tuple(None if a == "x" else slice(None) for a in self.pattern)]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        axes = range(node.inputs[0].ndim)
        return [Dimshuffle(tuple(self.pattern.index(a) if a in self.pattern else "x" for a in axes))(g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(Dimshuffle((0, *(a + 1 if isinstance(a, int) else a for a in self.pattern))))

    def lowering(self, node: Apply) -> Lowering:
        axes = [a if isinstance(a, int) else -1 for a in self.pattern]
        return Runtime("transpose", (len(axes), *axes), view=True)

    def text(self, x: str) -> str:
        if len(self.pattern) > 1 and self.pattern == tuple(reversed(range(len(self.pattern)))):
            return f"{x}.T"
        return f"{x}.dimshuffle({', '.join(map(repr, self.pattern))})"


@user_boundary
def dimshuffle(x: Any, *pattern: Any) -> Variable:
    """Axes permuted, made and dropped as in Theano: `dimshuffle(x, 1, "x", 0)`, or with one sequence.

    "x" makes a new axis of extent 1; an axis left out is dropped and must have extent 1. `x` itself if
    nothing changes. GraphShapeError: the pattern does not fit.

    >>> dimshuffle(Constant([[1, 2, 3]]), 1, "x", 0).type.shape
    (3, 1, 1)
    """
    variable = as_data_variable(x)
    entries = pattern[0] if len(pattern) == 1 and isinstance(pattern[0], tuple | list) else pattern
    axes = tuple(a if a == "x" else normalized_axes(a, variable.ndim, "dimshuffle")[0] for a in entries)
    if axes == tuple(range(variable.ndim)):
        return variable
    shuffled: Variable = Dimshuffle(axes)(variable)
    return shuffled


@user_boundary
def transpose(x: Any, *axes: Any) -> Variable:
    """The axes reversed, or permuted by `axes` (integers or one sequence), as numpy.transpose."""
    variable = as_data_variable(x)
    given = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)) else axes
    order = tuple(given) if given else tuple(reversed(range(variable.ndim)))
    if len(order) != variable.ndim:
        raise GraphShapeError(
            f"transpose: {len(order)} axes {order} given for an operand of rank {variable.ndim}",
            origin=caller_origin(),
        )
    return dimshuffle(variable, order)


@user_boundary
def swapaxes(x: Any, axis1: int, axis2: int) -> Variable:
    """Two axes exchanged, as numpy.swapaxes."""
    variable = as_data_variable(x)
    order = list(range(variable.ndim))
    (a,), (b,) = (normalized_axes(axis, variable.ndim, "swapaxes") for axis in (axis1, axis2))
    order[a], order[b] = b, a
    return dimshuffle(variable, order)


@user_boundary
def moveaxis(x: Any, source: Any, destination: Any) -> Variable:
    """Axes `source` moved to `destination` (integers or sequences), the others in order as before."""
    variable = as_data_variable(x)
    moved, places = (_in_order(axes, variable.ndim, "moveaxis") for axes in (source, destination))
    if len(moved) != len(places):
        raise GraphValueError(
            f"moveaxis: {len(moved)} axes to move, but {len(places)} places for them", origin=caller_origin()
        )
    order = [a for a in range(variable.ndim) if a not in moved]
    for place, a in sorted(zip(places, moved, strict=True)):
        order.insert(place, a)
    return dimshuffle(variable, order)


def _in_order(axes: Any, ndim: int, what: str) -> list[int]:
    given = axes if isinstance(axes, tuple | list) else (axes,)
    normalized_axes(tuple(given), ndim, what)  # refuses duplicates
    return [normalized_axes(a, ndim, what)[0] for a in given]


@user_boundary
def expand_dims(x: Any, axis: Any) -> Variable:
    """New axes of extent 1 at the positions `axis` of the result, as numpy.expand_dims.

    >>> expand_dims(Constant([1, 2]), -1).type.shape
    (2, 1)
    """
    variable = as_data_variable(x)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    new = normalized_axes(axis, variable.ndim + count, "expand_dims")
    old = iter(range(variable.ndim))
    return dimshuffle(variable, ["x" if a in new else next(old) for a in range(variable.ndim + count)])


@user_boundary
def squeeze(x: Any, axis: Any = None) -> Variable:
    """Axes of extent 1 dropped, as numpy.squeeze.

    The rank must be known, so without `axis` only those axes go whose extent is known to be 1; with
    `axis`, an extent that is not yet known is checked when it runs.
    """
    variable = as_data_variable(x)
    if axis is None:
        dropped = tuple(a for a, n in enumerate(variable.type.shape) if n == 1)
    else:
        dropped = normalized_axes(axis, variable.ndim, "squeeze")
    return dimshuffle(variable, [a for a in range(variable.ndim) if a not in dropped])


def extent(x: Any, axis: int) -> Variable:
    """The extent of `x` along `axis` as an int64 scalar: a constant if it is known."""
    return index(shape_of(x), axis)


@user_boundary
def size(x: Any, axes: tuple[int, ...] | None = None) -> Variable:
    """The number of elements of `x`, or along `axes`, as an int64 scalar: a constant if it is known.

    >>> size(Constant([[1, 2, 3]])).data
    array(3)
    """
    variable = as_data_variable(x)
    extents = [extent(variable, a) for a in (range(variable.ndim) if axes is None else axes)]
    known, product = 1, None
    for n in extents:
        if isinstance(n, Constant):
            known *= int(n.data)
        else:
            product = n if product is None else multiply(product, n)
    if product is None:
        return Constant(known)
    result: Variable = product if known == 1 else multiply(product, known)
    return result


@user_boundary
def flatten(x: Any, ndim: int = 1) -> Variable:
    """The trailing axes merged into one, so that `ndim` are left (1: all elements in a row).

    >>> flatten(Constant([[[1, 2], [3, 4]]]), 2).type.shape
    (1, 4)
    """
    variable = as_data_variable(x)
    ndim = operator.index(ndim)
    if not 1 <= ndim <= max(variable.ndim, 1):
        raise GraphTypeError(
            f"flatten: ndim must be from 1 to the operand's rank {variable.ndim}, got {ndim}",
            origin=caller_origin(),
        )
    if variable.ndim == ndim:
        return variable
    # The product is spelled out, not -1, which would be ambiguous for an empty array.
    rest = size(variable, tuple(range(ndim - 1, variable.ndim)))
    return reshape(variable, [*(extent(variable, a) for a in range(ndim - 1)), rest])


@user_boundary
def ravel(x: Any) -> Variable:
    """All elements in a row, as numpy.ravel."""
    return flatten(x, 1)


@user_boundary
def shape_padleft(x: Any, n_ones: int = 1) -> Variable:
    """`n_ones` new axes of extent 1 before the others."""
    return expand_dims(x, tuple(range(n_ones)))


@user_boundary
def shape_padright(x: Any, n_ones: int = 1) -> Variable:
    """`n_ones` new axes of extent 1 after the others."""
    return expand_dims(x, tuple(range(-n_ones, 0)))


@user_boundary
def shape_padaxis(x: Any, axis: int) -> Variable:
    """A new axis of extent 1 at `axis`."""
    return expand_dims(x, axis)


def batch_extent(inputs: Sequence[Variable], batched: Sequence[bool]) -> Variable:
    """How many examples the `batched` inputs hold along their first axis: a constant if any of them tells."""
    found = [extent(x, 0) for x, b in zip(inputs, batched, strict=True) if b]
    return next((n for n in found if isinstance(n, Constant)), found[0])


def over_batch(x: Variable, n: Any) -> Variable:
    """`x`, the same for each of `n` examples."""
    return broadcast_to(x, [n, *(extent(x, a) for a in range(x.ndim))])


def aligned(inputs: Sequence[Variable], before: Sequence[int], batched: Sequence[bool]) -> list[Variable]:
    """`inputs`, those `batched` with one axis in front of the `before` that broadcast, so that these still meet."""
    most = max(before)
    return [
        expand_dims(x, tuple(range(1, 1 + most - count))) if first else x
        for x, count, first in zip(inputs, before, batched, strict=True)
    ]


def _at_least(x: Any, ndim: int) -> Variable:
    variable = as_data_variable(x)
    return shape_padleft(variable, max(ndim - variable.ndim, 0))


@user_boundary
def atleast_1d(x: Any) -> Variable:
    """`x` with rank 1 at least, as numpy.atleast_1d."""
    return _at_least(x, 1)


@user_boundary
def atleast_2d(x: Any) -> Variable:
    """`x` with rank 2 at least, new axes in front, as numpy.atleast_2d."""
    return _at_least(x, 2)
