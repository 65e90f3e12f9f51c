"""Indexing in its canonical form: one index instead of several, and of what is read only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import singledispatch

from graphlab.graph.node import Apply, Variable, here, provenance
from graphlab.graph.types import Extent, Shape
from graphlab.ops.base import Op
from graphlab.ops.conversion import Cast, cast
from graphlab.ops.elementwise import add, exp
from graphlab.ops.extents import BroadcastTo, StackScalars, broadcast_to, shape_of
from graphlab.ops.index import Index, IndexUpdate, inc_subtensor, index, set_subtensor
from graphlab.ops.join import Concatenate, concatenate
from graphlab.ops.shape import Dimshuffle, dimshuffle, expand_dims
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.axes import ONE
from graphlab.rewrite.extents import accepts_all_values
from graphlab.rewrite.facts import facts, fails_only_with, may_drop, same_extents, surely_computed
from graphlab.rewrite.keys import (
    WHOLE,
    Item,
    as_slice,
    canonical,
    is_basic,
    is_whole,
    items_of,
    never_meet,
    part,
    picked_of_slice,
    positions,
    sliced_slice,
)
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, example

MOST_LIFTED = 64  # elementwise applications through which an index is moved at once

# ---- one index -----------------------------------------------------------------------------------


def whole(node: Apply) -> Variable | None:
    """x[:] and every slice of step 1 that provably selects all elements; new axes as a dimshuffle."""
    x, *indices = node.inputs
    if not is_basic(node):
        return None
    items = _items(node)
    if not all(item is None or _forward(item) for item in items) or not all(may_drop(v, x) for v in indices):
        return None
    kept = [axis for axis, item in zip(facts(node.output).extents, items, strict=True) if item is not None]
    if tuple(kept) != facts(x).extents:
        return None
    axes = iter(range(x.ndim))
    return dimshuffle(x, ["x" if item is None else next(axes) for item in items])


def _forward(item: Item) -> bool:
    return isinstance(item, slice) and (item.step is None or (isinstance(item.step, int) and item.step == 1))


def indexed_once(node: Apply) -> Variable | None:
    """x[i][j] as one index where it selects the same, and fails where the two did."""
    inner = node.inputs[0].owner
    if inner is None or not isinstance(inner.op, Index) or not is_basic(node) or not is_basic(inner):
        return None
    x, *indices = inner.inputs
    outer, extents = iter(_items(node)), iter(x.type.shape)
    merged = list[Item]()
    for item in items_of(inner.op.key, indices):
        n = None if item is None else next(extents)
        if item is None or isinstance(item, slice):
            new, then = _next_axis(outer)
            both = _selected_twice(item, then, n)
            if both is None:
                return None
            merged += [*new, *both]
        else:
            merged.append(item)
    return part(x, [*merged, *outer])


def _items(node: Apply) -> tuple[Item, ...]:
    assert isinstance(node.op, Index)
    return items_of(node.op.key, node.inputs[1:])


def _next_axis(items: Iterator[Item]) -> tuple[list[None], Item]:
    """The new axes that come first, and what stands for the next axis that is there."""
    new = list[None]()
    for item in items:
        if item is not None:
            return new, item
        new.append(None)
    raise AssertionError("a key covers every axis")


def _selected_twice(first: Item, then: Item, n: Extent) -> list[Item] | None:
    """What stands for an axis that is new (None) or sliced by `first`, and then indexed by `then`; None: not known."""
    if first is None:
        return _of_new_axis(then)
    if is_whole(first) or is_whole(then):
        return [then if is_whole(first) else first]
    inner, outer = as_slice(first), as_slice(then)
    if inner is None:
        return None
    at = sliced_slice(inner, outer, n) if outer else picked_of_slice(inner, then, n) if isinstance(then, int) else None
    return None if at is None else [at]


def _of_new_axis(item: Item) -> list[Item] | None:
    """What is left of a new axis indexed by `item`: itself, or nothing; None if that is not known, or may fail."""
    if isinstance(item, int):
        return [] if item in (0, -1) else None
    bounds = as_slice(item)
    return [None] if bounds is not None and len(range(1)[bounds]) == 1 else None


# ---- an index of what is put together or moved ---------------------------------------------------


def read_only(node: Apply) -> Variable | None:
    """An index of an array that is only arranged otherwise, or put together from others: of those instead."""
    source = node.inputs[0].owner
    if source is None or len(source.outputs) > 1 or not is_basic(node):
        return None
    items = _items(node)
    return None if all(item is None or is_whole(item) for item in items) else through(source.op, source, node, items)


@singledispatch
def through(op: Op, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    """The part of the output of `source` that `items` select, `node`, read from its inputs; None: it is not there."""
    return None


@through.register
def _(op: Dimshuffle, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    (x,) = source.inputs
    at, pattern, wanted = iter(op.pattern), list[int | None](), [WHOLE] * x.ndim
    for item in items:
        axis = None if item is None else next(at)
        if isinstance(axis, int):
            wanted[axis] = item
            pattern += [axis] if isinstance(item, slice) else []
        else:
            left = [None] if item is None else _of_new_axis(item)
            if left is None:
                return None
            pattern += left
    kept = [a for a in range(x.ndim) if isinstance(wanted[a], slice)]
    return dimshuffle(part(x, wanted), ["x" if a is None else kept.index(a) for a in pattern])


@through.register
def _(op: BroadcastTo, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    x, whole = source.inputs[0], source.output
    if None in items or not fails_only_with(whole, x) or not may_drop(source.inputs[1], x):
        return None
    lead, wanted = whole.ndim - x.ndim, list[Item]()
    for axis, (item, n) in enumerate(zip(items, whole.type.shape, strict=True)):
        stretched = axis < lead or facts(x).extents[axis - lead] == ONE
        if stretched and not isinstance(item, slice) and (n is None or not isinstance(item, int)):
            return None  # it may be out of range
        if axis >= lead:
            wanted.append(item if not stretched else WHOLE if isinstance(item, slice) else 0)
    small, shape = part(x, wanted), node.output.type.shape
    if same_extents(small, node.output):
        return small
    return None if None in shape else broadcast_to(small, shape)


@through.register
def _(op: Concatenate, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    if None in items or facts(source.output).may_fail:
        return None
    found = _piece(source, items[op.axis], source.output.type.shape[op.axis])
    return None if found is None else part(found[0], [*items[: op.axis], found[1], *items[op.axis + 1 :]])


def _piece(source: Apply, item: Item, n: Extent) -> tuple[Variable, Item] | None:
    """Which operand of a concatenation holds all that `item` selects, and by what it is selected there."""
    backwards = isinstance(item, int) and item < 0
    start = 0
    for v in reversed(source.inputs) if backwards else source.inputs:
        extent = v.type.shape[source.op.axis]  # type: ignore[attr-defined]
        if extent is None:
            return None
        if isinstance(item, int):
            at = item + start if backwards else item - start
            if -extent <= at < extent and (at < 0) == backwards:
                return v, at
        elif (bounds := as_slice(item)) is not None and n is not None and (selected := range(n)[bounds]):
            if start <= min(selected[0], selected[-1]) and max(selected[0], selected[-1]) < start + extent:
                inside = range(selected.start - start, selected.stop - start, selected.step)
                return v, canonical(inside, extent)
        start += extent
    return None


@through.register
def _(op: StackScalars, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    (item,) = items
    return source.inputs[item] if isinstance(item, int) and not facts(source.output).may_fail else None


@through.register
def _(op: IndexUpdate, source: Apply, node: Apply, items: tuple[Item, ...]) -> Variable | None:
    """What was written just there, or what was there where nothing was written."""
    x, values, *indices = source.inputs
    if not is_basic(source, 2) or not surely_computed(source):
        return None
    written = items_of(op.key, indices)
    if None in written:
        return None
    rows = _slices_for_rows(written, items, x.type.shape)
    if written == items or rows is not None:
        made = values if op.mode == "set" else add(part(x, written), values)
        made = expand_dims(made, rows) if rows else made
        return made if same_extents(made, node.output) and may_drop(x, made) else None
    if None in items or facts(values).may_fail:
        return None
    return part(x, items) if never_meet(items, written, x.type.shape) else None


def _slices_for_rows(written: Sequence[Item], items: Sequence[Item], shape: Shape) -> tuple[int, ...] | None:
    """The axes of the part where one element was written, and a slice selects just that; None if they differ more."""
    rows, at = list[int](), 0
    for w, item, n in zip(written, items, shape, strict=False):
        if isinstance(w, int) and isinstance(item, slice) and n is not None and positions(w, n) == positions(item, n):
            rows.append(at)
        elif w != item:
            return None
        at += isinstance(item, slice)
    return tuple(rows) if rows and len(items) == len(written) else None


# ---- an index of what is computed element by element ---------------------------------------------


def computed_for_part(node: Apply) -> Variable | None:
    """f(x, y)[i] as f(x[i], y[i]), through all the elementwise applications that compute f at once."""
    x = node.inputs[0]
    if x.owner is None or not isinstance(x.owner.op, Elementwise | Cast) or not is_basic(node):
        return None
    items = _items(node)
    if None in items:
        return None
    region = _region(x, items)
    return None if region is None else _lifted(x, items, region)


def _region(x: Variable, items: Sequence[Item]) -> dict[Variable, None] | None:
    """The elementwise results from `x` upwards that an index can be moved through; None if `x` is not, or many are."""
    found = dict[Variable, None]()
    pending = [x]
    while pending:
        v = pending.pop()
        if v in found or v.owner is None or not isinstance(v.owner.op, Elementwise | Cast):
            continue
        if not _moves_through(v, items):
            if v is x:
                return None
            continue
        found[v] = None
        if len(found) > MOST_LIFTED:
            return None
        pending += v.owner.inputs
    return found


def _moves_through(v: Variable, items: Sequence[Item]) -> bool:
    """Whether each operand has the extent of `v`, or surely 1, along the axes that are indexed."""
    assert v.owner is not None
    extents = facts(v).extents
    own = _own_items(v, items)
    fits = all(
        is_whole(item) or axis in (ONE, extents[len(extents) - o.ndim + a])
        for o in v.owner.inputs
        for a, (axis, item) in enumerate(zip(facts(o).extents, own[len(own) - o.ndim :], strict=True))
    )
    return fits and any(not is_whole(item) for item in own) and accepts_all_values(v.owner)


def _own_items(v: Variable, items: Sequence[Item]) -> list[Item]:
    """What selects from `v`, which broadcasts with what `items` are for, the same part."""
    aligned = items[len(items) - v.ndim :]
    return [
        item if axis != ONE else WHOLE if isinstance(item, slice) else 0
        for axis, item in zip(facts(v).extents, aligned, strict=True)
    ]


def _lifted(x: Variable, items: Sequence[Item], region: dict[Variable, None]) -> Variable:
    """`x`, which is computed through `region`, for the part only."""
    made = dict[Variable, Variable]()
    pending = [x]
    while pending:
        v = pending[-1]
        needed = v.owner.inputs if v.owner is not None and v in region else ()
        waiting = [o for o in needed if o not in made]
        if waiting:
            pending += waiting
            continue
        pending.pop()
        if v not in made:
            made[v] = _applied(v, [made[o] for o in needed]) if needed else part(v, _own_items(v, items))
    return made[x]


def _applied(v: Variable, operands: Sequence[Variable]) -> Variable:
    """What computes `v`, of other operands: of the same lines."""
    assert v.owner is not None
    own, rule = v.owner.provenance, here()
    with provenance(replace(own, rule=rule.rule, replaced=rule.replaced)):
        made: Variable = v.owner.op(*operands)
    return made


INDEXING: tuple[AnyRule, ...] = (
    NodeRule("x[:] -> x", EXACT, whole, (Index,),
             because="also x[0:], x[::1], x[:n] of n elements; new axes become a dimshuffle", examples=(
        example(lambda x: index(x, slice(0, None)), x="float64[4]"),
        example(lambda x: index(x, (slice(None), None, slice(None, None, 1))), x="float64[2,3]"),
        example(lambda x: index(x, slice(None, index(shape_of(x), 0))), x="int64[4]"),
        example(lambda x: index(x, slice(-9, 9)), x="float64[4]"))),
    NodeRule("x[i][j] -> x[k]", EXACT, indexed_once, (Index,),
             because="where it selects the same, and fails where the two did", examples=(
        example(lambda x: index(index(x, slice(None, None, -1)), slice(None, None, -1)), x="float64[4]"),
        example(lambda x: index(index(x, slice(1, None)), slice(1, -1)), x="float64[6]"),
        example(lambda x: index(index(x, slice(1, 5, 2)), slice(1, 9)), x="float64[7]"),
        example(lambda x: index(index(x, slice(None, None, -1)), slice(1, 3, 2)), x="float64[5]"),
        example(lambda x: index(index(x, slice(2, 4)), 1), x="float64[5]"),
        example(lambda x: index(index(x, slice(-3, None)), -2), x="float64[5]"),
        example(lambda x, i, j: index(index(x, (i, slice(None), None)), j), x="float64[3,4]", i="int64[]", j="int64[]"),
        example(lambda x: index(index(x, (slice(None), None)), (1, 0)), x="float64[3,4]"))),
    NodeRule("arranged(x)[i] -> arranged(x[i])", EXACT, read_only, (Index,),
             because="of transposed, stretched, concatenated and updated arrays: only what is selected is read",
             examples=(
        example(lambda x: index(dimshuffle(x, (1, "x", 0)), (slice(1, 2), 0, -1)), x="float64[3,2]"),
        example(lambda x: index(broadcast_to(x, (3, 4)), (1, slice(1, 3))), x="float64[4]"),
        example(lambda x: index(broadcast_to(x, (3, 4)), (slice(1, None), 2)), x="float64[3,1]"),
        example(lambda x, y: index(concatenate([x, y]), 3), x="float64[2,3]", y="float64[2,3]"),
        example(lambda x: index(concatenate([x, x], 1), (0, slice(-1, 4, -1))), x="float64[2,6]"),
        example(lambda x, y: index(set_subtensor(index(x, slice(1, 3)), y), slice(1, 3)), x="float64[4]",
                y="float64[2]"),
        example(lambda x, y: index(inc_subtensor(index(x, slice(None, 2)), y), slice(None, 2)), x="float64[3]",
                y="float64[]"),
        example(lambda x, y: index(inc_subtensor(index(x, slice(1, None)), y), 0), x="float64[3]", y="float64[]"))),
)  # fmt: skip
INDEXING_ONCE: tuple[AnyRule, ...] = (
    NodeRule("f(x, y)[i] -> f(x[i], y[i])", EXACT, computed_for_part, (Index,),
             because="of elementwise f, where x and y surely have its extents along what is indexed, or 1", examples=(
        example(lambda x, y: index(exp(x) * y, 1), x="float64[4,3]", y="float64[3]"),
        example(lambda x, i: index(cast(exp(x) + x, "float32"), i), x="float64[4]", i="int64[]"),
        example(lambda x, y: index(x + y, (slice(None), slice(0, 2))), x="float64[3,8]", y="float64[3,1]"))),
)  # fmt: skip
