"""Arrays with a part replaced or increased, and arrays joined: nothing written twice, nothing copied to no end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlab.dtypes import FLOAT, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.elementwise import add
from graphlab.ops.extents import BroadcastTo, broadcast_to, zeros, zeros_like
from graphlab.ops.index import Index, IndexUpdate, inc_subtensor, index, set_subtensor
from graphlab.ops.join import Concatenate, concatenate, stack
from graphlab.ops.shape import Dimshuffle, expand_dims
from graphlab.rewrite.facts import facts, may_drop, same_extents, surely_computed, uniform_value
from graphlab.rewrite.keys import (
    FAR,
    Item,
    as_slice,
    canonical,
    is_basic,
    is_whole,
    items_of,
    part,
    positions,
)
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, example

Update = Callable[[Variable, Any], Variable]

MOST_PARTS = 32  # of a concatenation that is made of several: chains of them stay linear

# ---- written once --------------------------------------------------------------------------------


def _items(node: Apply) -> tuple[Item, ...]:
    assert isinstance(node.op, IndexUpdate)
    return items_of(node.op.key, node.inputs[2:])


def _same_place(a: Apply, b: Apply) -> bool:
    """Whether two updates write to the same elements, in the same order."""
    return isinstance(a.op, IndexUpdate) and isinstance(b.op, IndexUpdate) and _items(a) == _items(b)


def written_whole(node: Apply) -> Variable | None:
    """All of x replaced or increased."""
    x, values, *_ = node.inputs
    if not is_basic(node, 2) or not all(map(is_whole, _items(node))) or not surely_computed(node):
        return None
    assert isinstance(node.op, IndexUpdate)
    made = add(x, values) if node.op.mode == "inc" else values
    return made if same_extents(made, x) and may_drop(x, made) else None


def written_as_it_was(node: Apply) -> Variable | None:
    """What stands there put there again, or increased by nothing; -0.0 + 0.0 is 0.0, so that 0.0 is not nothing."""
    x, values, *indices = node.inputs
    assert isinstance(node.op, IndexUpdate)
    if node.op.mode == "inc":
        same = isinstance(values, Constant) and _is_nothing(values)
    else:
        source = values.owner
        same = source is not None and source.op == Index(node.op.key) and source.inputs == (x, *indices)
    return x if same and surely_computed(node) and all(may_drop(v, x) for v in (values, *indices)) else None


def _is_nothing(values: Constant) -> bool:
    zero = uniform_value(values)
    if zero is None or zero != 0:
        return False
    return values.dtype in INTEGER or (values.dtype in FLOAT and bool(np.signbit(zero)))


def overwritten(node: Apply) -> Variable | None:
    """Of two values for the same elements the second; of a value and what is added to it the sum."""
    inner = node.inputs[0].owner
    if inner is None or not _same_place(node, inner):
        return None
    x, first, *indices = inner.inputs
    assert isinstance(node.op, IndexUpdate) and isinstance(inner.op, IndexUpdate)  # noqa: PT018
    if not _fits(inner) or facts(first).may_fail:
        return None
    values = node.inputs[1]
    if node.op.mode == "inc":
        if inner.op.mode == "inc" or not is_basic(node, 2) or not _fits(node):
            return None
        values = add(first, values)
    made: Variable = IndexUpdate("set", node.op.key)(x, values, *indices)
    return made


def _fits(node: Apply) -> bool:
    """Whether the values of an update surely broadcast to the part, whether or not the key fits the array."""
    x, values, *indices = node.inputs
    assert isinstance(node.op, IndexUpdate)
    selected: Variable = Index(node.op.key)(x, *indices)
    have, want = facts(values).extents, facts(selected).extents
    return len(have) <= len(want) and all(not h or h == w for h, w in zip(reversed(have), reversed(want), strict=False))


# ---- gradients of parts --------------------------------------------------------------------------


def is_zero(v: Variable) -> bool:
    """Whether all elements of `v` are seen to be 0 (not -0.0)."""
    if v.owner is not None and isinstance(v.owner.op, BroadcastTo):
        v = v.owner.inputs[0]
    value = uniform_value(v) if isinstance(v, Constant) else None
    return value is not None and bool(value == 0) and v.dtype in (*FLOAT, *INTEGER) and not np.signbit(value)


def gathered(node: Apply) -> Variable | None:
    """The sum of arrays that are zero but for a part: each is added to the part of the one before."""
    for u, w in (node.inputs, node.inputs[::-1]):
        update = w.owner
        if update is None or not isinstance(update.op, IndexUpdate) or update.op.mode != "inc":
            continue
        blank, values, *indices = update.inputs
        integer = u.dtype in INTEGER
        if not is_zero(blank) or not (integer or (is_basic(update, 2) and never_negative_zero(u))):
            continue
        if same_extents(u, blank) and same_extents(u, node.output) and may_drop(blank, u):
            made: Variable = update.op(u, values, *indices)
            return made
    return None


def never_negative_zero(v: Variable) -> bool:
    """Whether no element of `v` is -0.0, so that adding 0.0 to it changes nothing: sums that start from 0.0."""
    while v.owner is not None and isinstance(v.owner.op, IndexUpdate) and v.owner.op.mode == "inc":
        v = v.owner.inputs[0]
    if v.owner is not None and v.owner.op is add:
        return any(is_zero(o) for o in v.owner.inputs)
    return is_zero(v)


def put_together(node: Apply) -> Variable | None:
    """Updates that write each element once, one slice or number after the other, as a concatenation."""
    axis, x = _axis(node), node.output
    n = None if axis is None else x.type.shape[axis]
    if axis is None or n is None:
        return None
    mode = node.op.mode  # type: ignore[attr-defined]
    found, left = list[tuple[range, Variable]](), n
    while left > 0:
        update = x.owner
        if update is None or _axis(update) != axis or update.op.mode != mode or len(found) == MOST_PARTS:  # type: ignore[attr-defined]
            return None
        piece = _piece(update, axis, n)
        if piece is None or any(_overlap(piece[0], other) for other, _ in found):
            return None
        found.append(piece)
        x, left = update.inputs[0], left - len(piece[0])
    if mode == "inc" and not is_zero(x):
        return None
    parts = [v for _, v in sorted(found, key=lambda piece: piece[0].start)]
    if mode == "inc":
        parts = [add(v, zeros((), v.dtype)) for v in parts]  # 0.0 + -0.0 is 0.0
    made = concatenate(parts, axis)
    return made if same_extents(made, node.output) and may_drop(x, made) else None


def _axis(node: Apply) -> int | None:
    """The one axis along which an update writes less than everything."""
    if not isinstance(node.op, IndexUpdate) or not is_basic(node, 2):
        return None
    items = _items(node)
    partly = [a for a, item in enumerate(items) if not is_whole(item)]
    return partly[0] if len(partly) == 1 and None not in items else None


def _piece(node: Apply, axis: int, n: int) -> tuple[range, Variable] | None:
    """The positions that an update writes, in order, and the values as they stand there."""
    x, values, *_ = node.inputs
    item = _items(node)[axis]
    where = positions(item, n)
    if not where or where.step != 1 or not surely_computed(node):
        return None
    selected = part(x, _items(node))
    if not same_extents(values, selected):
        if None in selected.type.shape:
            return None
        values = broadcast_to(values, selected.type.shape)
    return where, values if isinstance(item, slice) else expand_dims(values, axis)


def _overlap(a: range, b: range) -> bool:
    return a.start < b.stop and b.start < a.stop


# ---- joined --------------------------------------------------------------------------------------


def joined_once(node: Apply) -> Variable | None:
    """A concatenation of one array, of concatenations along the same axis, or with arrays that are empty."""
    assert isinstance(node.op, Concatenate)
    axis = node.op.axis
    if len(node.inputs) == 1:
        return node.inputs[0]
    flat = [v for each in node.inputs for v in _parts(each, axis)]
    if len(flat) > MOST_PARTS:
        return None
    kept = [v for v in flat if not _adds_no_elements(v, axis, node.output)]
    if len(kept) == len(node.inputs) or not kept:
        return None
    return kept[0] if len(kept) == 1 else concatenate(kept, axis)


def _parts(v: Variable, axis: int) -> Sequence[Variable]:
    """What `v` is concatenated from along `axis`: itself, if it is not."""
    return v.owner.inputs if v.owner is not None and v.owner.op == Concatenate(axis) else (v,)


def _adds_no_elements(v: Variable, axis: int, whole: Variable) -> bool:
    across = [h == w for a, (h, w) in enumerate(zip(facts(v).extents, facts(whole).extents, strict=True)) if a != axis]
    return v.type.shape[axis] == 0 and all(across) and not facts(v).may_fail


def neighbours(node: Apply) -> Variable | None:
    """Slices (or rows) of one array that lie side by side are one slice."""
    assert isinstance(node.op, Concatenate)
    axis = node.op.axis
    parts = list[Variable]()
    for v in node.inputs:
        both = _as_one(parts[-1], v, axis) if parts else None
        parts[-1:] = [both] if both is not None else [*parts[-1:], v]
    if len(parts) == len(node.inputs):
        return None
    return parts[0] if len(parts) == 1 else concatenate(parts, axis)


def _as_one(a: Variable, b: Variable, axis: int) -> Variable | None:
    one, other = _slice_of(a, axis), _slice_of(b, axis)
    if one is None or other is None or one[0] is not other[0] or one[1] != other[1]:
        return None
    (x, items, first), (_, _, then) = one, other
    n = x.type.shape[axis]
    if first.stop != then.start or first.step != 1 or then.step != 1:
        return None
    both = range(first.start, then.stop)
    whole = canonical(both, n) if n is not None else slice(both.start or None, both.stop if then.stop < FAR else None)
    return part(x, [*items[:axis], whole, *items[axis:]])


def _slice_of(v: Variable, axis: int) -> tuple[Variable, list[Item], range] | None:
    """The array of which `v` is a slice along `axis`, what is selected along the others, and the positions."""
    node = v.owner
    row = node is not None and isinstance(node.op, Dimshuffle)
    if row and node is not None:
        if node.op.pattern != (*range(axis), "x", *range(axis, v.ndim - 1)):  # type: ignore[attr-defined]
            return None
        node = node.inputs[0].owner
    if node is None or not isinstance(node.op, Index) or not is_basic(node) or node.inputs[0].ndim != v.ndim:
        return None
    x, items = node.inputs[0], list(items_of(node.op.key, node.inputs[1:]))
    item, n = items.pop(axis), node.inputs[0].type.shape[axis]
    if not all(isinstance(i, slice) for i in items) or isinstance(item, slice) == row or (row and n is None):
        return None
    if n is None and (bounds := as_slice(item)) is not None and (bounds.stop or 0) < 0:
        return None
    where = positions(item, n)
    return (x, items, where) if where else None


# ---- tables --------------------------------------------------------------------------------------


def _twice(first: Update, then: Update, x: Variable, key: Any, a: Any, b: Any) -> Variable:
    return then(index(first(index(x, key), a), key), b)


def _twice_apart(update: Update, x: Variable, keys: tuple[Any, Any], a: Any, b: Any) -> Variable:
    return update(index(update(index(x, keys[0]), a), keys[1]), b)


def _into_zeros(x: Variable, key: Any, a: Any) -> Variable:
    return inc_subtensor(index(zeros_like(x), key), a)


UPDATES: tuple[AnyRule, ...] = (
    NodeRule("set(x[:], y) -> y", EXACT, written_whole, (IndexUpdate,), because="and inc(x[:], y) -> x + y", examples=(
        example(lambda x, y: set_subtensor(index(x, slice(None)), x * y), x="float64[4]", y="float64[]"),
        example(lambda x, y: inc_subtensor(index(x, ...), y), x="float64[2,3]", y="float64[3]"))),
    NodeRule("set(x[i], x[i]) -> x", EXACT, written_as_it_was, (IndexUpdate,),
             because="and inc(x[i], 0) -> x, for floats of -0.0", examples=(
        example(lambda x: set_subtensor(index(x, slice(1, None)), index(x, slice(1, None))), x="float64[4]"),
        example(lambda x: inc_subtensor(index(x, slice(1, None)), 0), x="int64[4]"),
        example(lambda x: inc_subtensor(index(x, 2), -0.0), x="float64[4]"))),
    NodeRule("set(set(x[i], a)[i], b) -> set(x[i], b)", EXACT, overwritten, (IndexUpdate,),
             because="and inc(set(x[i], a)[i], b) -> set(x[i], a + b)", examples=(
        example(lambda x, a, b: _twice(set_subtensor, set_subtensor, x, slice(1, 3), a, b), x="float64[4]",
                a="float64[]", b="float64[2]"),
        example(lambda x, a, i: _twice(inc_subtensor, set_subtensor, x, i, a, 0.0), x="float64[4]", a="float64[]",
                i="int64[3]"),
        example(lambda x, a, b: _twice(set_subtensor, inc_subtensor, x, 1, a, b), x="float64[4,2]", a="float64[]",
                b="float64[2]"))),
    NodeRule("u + inc(0[i], a) -> inc(u[i], a)", EXACT, gathered, (add,), of=(IndexUpdate,),
             because="where u surely has no -0.0, which 0.0 would change: the parts gather in one array", examples=(
        example(lambda x, a, b: inc_subtensor(index(x * 0, slice(1, None)), a) + _into_zeros(x, 0, b), x="int64[4]",
                a="int64[]", b="int64[]"),
        example(lambda x, a, b: _into_zeros(x, 1, a) + _into_zeros(x, slice(1, 3), b), x="float64[4,2]", a="float64[2]",
                b="float64[2,2]"))),
    NodeRule("inc(inc(0[:k], a)[k:], b) -> concatenate(a, b)", EXACT, put_together, (IndexUpdate,),
             because="where the parts cover all; set(...) too", examples=(
        example(lambda x, a, b: inc_subtensor(index(_into_zeros(x, slice(0, 1), a), slice(1, None)), b),
                x="float64[4]", a="float64[1]", b="float64[3]"),
        example(lambda x, a, b: _twice_apart(set_subtensor, x, (1, 0), a, b), x="float64[2,3]", a="float64[3]",
                b="float64[]"))),
)  # fmt: skip
JOINS: tuple[AnyRule, ...] = (
    NodeRule("concatenate(concatenate(x, y), z) -> concatenate(x, y, z)", EXACT, joined_once, (Concatenate,),
             because="along the same axis; without arrays that are empty", examples=(
        example(lambda x: concatenate([x]), x="float64[3]"),
        example(lambda x, y: concatenate([concatenate([x, y], 1), x], 1), x="float64[2,3]", y="float64[2,1]"),
        example(lambda x: concatenate([x, Constant(np.zeros(0))]), x="float64[3]"))),
    NodeRule("concatenate(x[:i], x[i:]) -> x", EXACT, neighbours, (Concatenate,),
             because="slices, or rows that are known to be there, that lie side by side", examples=(
        example(lambda x: concatenate([index(x, slice(None, 2)), index(x, slice(2, None))]), x="float64[5]"),
        example(lambda x: stack([index(x, 1), index(x, 2), index(x, 0)]), x="float64[3,2]"),
        example(lambda x: concatenate([index(x, slice(1, 2)), index(x, slice(2, 4)), x]), x="float64[5]"))),
)  # fmt: skip
