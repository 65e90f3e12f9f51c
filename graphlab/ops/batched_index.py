"""Indexing over a batch: each example's own part, read or written by one index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Op
from graphlab.ops.extents import full
from graphlab.ops.index import Index, IndexUpdate, Survives
from graphlab.ops.key import FULL, SLOT, Gathered, Key, indexed_shape, is_advanced
from graphlab.ops.ranges import arange
from graphlab.ops.shape import aligned, batch_extent, dimshuffle, expand_dims, extent, over_batch

Variables = Sequence[Variable]
Flags = Sequence[bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """A key over a batch, what fills its slots, and the `order` that brings the axes of its part to (batch, *part)."""

    key: Key
    indices: Variables
    order: tuple[int, ...]

    def example_axes_first(self, part: Variable) -> Variable:
        """The part with the batch in front, and then the axes as they are for one example."""
        return dimshuffle(part, self.order)

    def as_indexed(self, values: Variable) -> Variable:
        """The other way round: what has the batch in front, as the key wants it."""
        return dimshuffle(values, [self.order.index(a) for a in range(len(self.order))])


def _of_each(key: Key, types: Sequence[TensorType], indices: Variables, batched: Flags, ndim: int) -> Selection:
    """`key` for an array with the batch in front; `ndim`: the rank of the part of one example."""
    gathered = Gathered.by(key, types)
    rank, at = gathered.rank, gathered.at
    if not any(batched):
        # The axes of index arrays that are apart stand first, before the batch.
        apart = is_advanced(types) and not gathered.together
        order = (rank, *range(rank), *range(rank + 1, ndim + 1)) if apart else tuple(range(ndim + 1))
        return Selection(Key((FULL, *key.entries)), indices, order)
    # Example b reads at index array b: the number of the example is an index array beside the others.
    number = expand_dims(arange(batch_extent(indices, batched)), tuple(range(1, rank + 1)))
    kept = range(rank + 1, ndim + 1)
    return Selection(
        Key((SLOT, *key.entries)),
        [number, *_lined_up(types, indices, batched, rank)],
        (0, *kept[:at], *range(1, rank + 1), *kept[at:]),
    )


def _lined_up(types: Sequence[TensorType], indices: Variables, batched: Flags, rank: int) -> Variables:
    """The indices with the batch in front of `rank` axes."""
    return [
        expand_dims(v, tuple(range(1, 1 + rank - t.ndim))) if b else v
        for v, t, b in zip(indices, types, batched, strict=True)
    ]


@singledispatch
def keyed(op: Op, node: Apply, inputs: Variables, batched: Flags) -> Variable:
    """The output of `node`, an index, for inputs of which those `batched` have one axis more in front."""
    raise NotImplementedError(type(op).__name__)


def _types(variables: Variables) -> list[TensorType]:
    return [v.type for v in variables]


@keyed.register
def _(op: Index, node: Apply, inputs: Variables, batched: Flags) -> Variable:
    (x, *indices), types, rank = inputs, _types(node.inputs[1:]), node.outputs[0].ndim
    if batched[0]:
        selection = _of_each(op.key, types, indices, batched[1:], rank)
        return selection.example_axes_first(Index(selection.key)(x, *selection.indices))
    gathered = Gathered.by(op.key, types)
    part: Variable = op(x, *_lined_up(types, indices, batched[1:], gathered.rank))
    at = gathered.at
    return dimshuffle(part, (at, *range(at), *range(at + 1, rank + 1)))


@keyed.register
def _(op: IndexUpdate, node: Apply, inputs: Variables, batched: Flags) -> Variable:
    (x, y, *indices), (old_x, old_y, *old_indices) = inputs, node.inputs
    types = _types(old_indices)
    rank = len(indexed_shape(op.key, old_x.type.shape, types))
    whole = x if batched[0] else over_batch(x, batch_extent(inputs, batched))
    selection = _of_each(op.key, types, indices, batched[2:], rank)
    if batched[1]:
        (values, _) = aligned((y, y), (old_y.ndim, rank), (True, False))
    else:
        values = expand_dims(y, tuple(range(rank + 1 - y.ndim)))
    updated: Variable = IndexUpdate(op.mode, selection.key)(whole, selection.as_indexed(values), *selection.indices)
    return updated


@keyed.register
def _(op: Survives, node: Apply, inputs: Variables, batched: Flags) -> Variable:
    (x, *indices), types = inputs, _types(node.inputs[1:])
    if not any(batched[1:]):  # it asks for the shape of x alone
        same: Any = op(full([extent(x, a) for a in range(1, x.ndim)], 0, x.dtype), *indices)
        return same  # type: ignore[no-any-return]
    whole = x if batched[0] else over_batch(x, batch_extent(inputs, batched))
    selection = _of_each(op.key, types, indices, batched[1:], node.outputs[0].ndim)
    return selection.example_axes_first(Survives(selection.key)(whole, *selection.indices))
