"""Shapes in their canonical form: axes moved once, nothing stretched, reshaped or measured that need not be."""

from __future__ import annotations

from itertools import zip_longest
from weakref import WeakKeyDictionary

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.conversion import Cast, cast
from graphlab.ops.elementwise import exp, sin
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, broadcast_to, reshape, shape_of
from graphlab.ops.index import Index, index, set_subtensor
from graphlab.ops.key import Key
from graphlab.ops.ranges import arange
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import Dimshuffle, dimshuffle, expand_dims, extent, squeeze, transpose
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.axes import ONE, Axis, has_value, number
from graphlab.rewrite.extents import accepts_all_values, described_by
from graphlab.rewrite.facts import (
    broadcast,
    count_of,
    facts,
    fails_only_with,
    may_drop,
    same_extents,
    surely_computed,
)
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, example


def shuffled_once(node: Apply) -> Variable | None:
    """Dimshuffle after dimshuffle is one dimshuffle, or none."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Dimshuffle)
    if op.pattern == tuple(range(x.ndim)):
        return x
    if x.owner is None or not isinstance(x.owner.op, Dimshuffle):
        return None
    inner = x.owner.op.pattern
    return dimshuffle(x.owner.inputs[0], [inner[a] if isinstance(a, int) else "x" for a in op.pattern])


def reshaped_once(node: Apply) -> Variable | None:
    """Reshape after a reshape that can't fail."""
    x, shape = node.inputs
    inner = x.owner
    if inner is None or not isinstance(inner.op, Reshape) or not surely_computed(inner):
        return None
    made: Variable = node.op(inner.inputs[0], shape)
    return made if may_drop(inner.inputs[1], made) else None


def already_so(node: Apply) -> Variable | None:
    """The first input where the second, a shape or an array to be like, asks for the shape that it has."""
    x, wanted = node.inputs
    like = wanted if isinstance(node.op, SumTo) else node.outputs[0]
    return x if same_extents(x, like) and may_drop(wanted, x) else None


def plain_sum(node: Apply) -> Variable | None:
    """sum_to(g, like) where it is proven for each axis whether it is summed."""
    g, like = node.inputs
    lead, have, want = g.ndim - like.ndim, facts(g).extents, facts(like).extents
    summed = [a for a, axis in enumerate(want) if not axis and have[lead + a]]
    undecided = any(a not in summed and axis != have[lead + a] for a, axis in enumerate(want))
    if undecided or not may_drop(like, g):
        return None
    total = Sum((*range(lead), *(lead + a for a in summed)))(g)
    return expand_dims(total, tuple(summed))


def without_broadcast(node: Apply) -> Variable | None:
    """An elementwise op broadcasts by itself: operands need not be stretched where another has the shape."""
    operands, dropped = list(node.inputs), list[Variable]()
    for i, v in enumerate(operands):
        small, shapes = _stretched(v)
        if not shapes:
            continue
        others = [facts(o).extents for o in (*operands[:i], small, *operands[i + 1 :])]
        if broadcast(others) == facts(node.outputs[0]).extents:
            operands[i] = small
            dropped += shapes
    if not dropped:
        return None
    made: Variable = node.op(*operands)
    return made if all(may_drop(shape, made) for shape in dropped) else None


def _stretched(v: Variable) -> tuple[Variable, list[Variable]]:
    """What `v` stretches, and the shape to which, if that can't fail; of one element also behind a dimshuffle."""
    source, whole = v, v.owner
    if whole is not None and isinstance(whole.op, Dimshuffle):
        source = whole.inputs[0]
    stretch = source.owner
    if stretch is None or not isinstance(stretch.op, BroadcastTo) or not surely_computed(stretch):
        return v, []
    small, shape = stretch.inputs
    if source is v:
        return small, [shape]
    alone = not any(facts(small).extents) and whole is not None and surely_computed(whole)
    return (dimshuffle(small, ()), [shape]) if alone else (v, [])


def shape_of_operand(node: Apply) -> Variable | None:
    """The shape of f(x) is the shape of x where the extents are the same: then f(x) need not be computed."""
    (v,) = node.inputs
    source = same_shape(v)
    return None if source is v else shape_of(source)


_same_shape: WeakKeyDictionary[Variable, Variable | None] = WeakKeyDictionary()  # None: itself


def same_shape(v: Variable) -> Variable:
    """The first variable on the way to `v` that has its shape, and fails where it fails; remembered for each."""
    way = [v]
    while (at := way[-1]) not in _same_shape:
        inputs = at.owner.inputs if at.owner is not None else ()
        nearer = next((x for x in inputs if same_extents(x, at) and fails_only_with(at, x)), None)
        if nearer is None:
            _same_shape[at] = None
        else:
            way.append(nearer)
    known = _same_shape[way[-1]]
    source = way[-1] if known is None else known
    _same_shape.update((w, source) for w in way if w is not source)
    return source


def element_of_shape(node: Apply) -> Variable | None:
    """f(x).shape[i] as a number, or as the extent of x that it is: then f(x) need not be computed."""
    vector = node.inputs[0].owner
    if vector is None or not isinstance(vector.op, ShapeOf) or len(node.inputs) > 1:
        return None
    (v,) = vector.inputs
    (entry,) = node.op.key.entries  # type: ignore[attr-defined]
    if not isinstance(entry, int):
        return None
    wanted = facts(v).extents[entry]
    known = number(wanted)
    if known is not None and not facts(v).may_fail:
        return Constant(np.int64(known))
    source = v.owner
    for x in source.inputs if source is not None and surely_computed(source) else ():
        found = _as_extent(x, wanted)
        if found is not None and all(may_drop(other, found) for other in source.inputs):  # type: ignore[union-attr]
            return found
    return None


def _as_extent(x: Variable, wanted: Axis) -> Variable | None:
    """`wanted` as an extent of `x`, as `x` itself, which is a number, or as an element of `x`, which is a shape."""
    if wanted in facts(x).extents and number(wanted) is None:
        return extent(x, facts(x).extents.index(wanted))
    if has_value(wanted) or x.dtype != "int64" or x.ndim > 1:
        return None
    if x.ndim == 0:
        return x if count_of(x) == wanted else None
    described = described_by(x) or ()
    return index(x, described.index(wanted)) if wanted in described else None


# ---- axes of extent 1, and stretched ones ---------------------------------------------------------


def without_new_axes(node: Apply) -> Variable | None:
    """Operands broadcast by themselves: they need no new axes in front where another operand has them."""
    operands = [_behind_new_axes(v) for v in node.inputs]
    if all(a is b for a, b in zip(operands, node.inputs, strict=True)):
        return None
    if max(v.ndim for v in operands) < node.output.ndim:
        longest = max(range(len(operands)), key=lambda i: node.inputs[i].ndim)
        operands[longest] = node.inputs[longest]
    if all(a is b for a, b in zip(operands, node.inputs, strict=True)):
        return None
    made: Variable = node.op(*operands)
    return made


def _behind_new_axes(v: Variable) -> Variable:
    """What a dimshuffle puts new axes in front of, if it does nothing else; else `v` itself."""
    if v.owner is None or not isinstance(v.owner.op, Dimshuffle):
        return v
    (x,), pattern = v.owner.inputs, v.owner.op.pattern
    lead = len(pattern) - x.ndim
    return x if lead > 0 and pattern == ("x",) * lead + tuple(range(x.ndim)) else v


def stretched_at_once(node: Apply) -> Variable | None:
    """broadcast_to of what was stretched before, or of what only has new axes in front."""
    x, shape = node.inputs
    inner = _behind_new_axes(x)
    if inner is x and x.owner is not None and isinstance(x.owner.op, BroadcastTo):
        small, once = x.owner.inputs
        inner = small if fails_only_with(x, small) and may_drop(once, small) and _fits_too(x, small, shape) else x
    return None if inner is x else broadcast_to(inner, shape)


def _fits_too(x: Variable, small: Variable, shape: Variable) -> bool:
    """Whether `x`, which is `small` stretched, broadcasts to `shape` wherever `small` does."""
    facts(shape)
    axes, target = facts(x).extents[::-1], (described_by(shape) or ())[::-1]
    fitting = zip_longest(axes, facts(small).extents[::-1], target[: len(axes)])
    return all(axis in (before, after, ONE) for axis, before, after in fitting)


def stretched_last(node: Apply) -> Variable | None:
    """f(broadcast_to(x), ...) as broadcast_to(f(x, ...)) where all operands are small: few elements are computed."""
    whole, shape = facts(node.output).extents, None
    operands = list(node.inputs)
    for i, v in enumerate(operands):
        if v.owner is not None and isinstance(v.owner.op, BroadcastTo):
            small, wanted = v.owner.inputs
            if not fails_only_with(v, small) or not may_drop(wanted, v):
                return None
            operands[i], shape = small, wanted if facts(v).extents == whole else shape
    extents = broadcast([facts(v).extents for v in operands])
    within = all(e == w or not e for e, w in zip(reversed(extents), reversed(whole), strict=False))
    fewer = len(extents) < len(whole) or extents != whole
    if shape is None or not within or not fewer or not (isinstance(node.op, Cast) or accepts_all_values(node)):
        return None
    return broadcast_to(node.op(*operands), shape)


def arranged_anew(node: Apply) -> Variable | None:
    """Reshape or dimshuffle of what has one element everywhere: stretched to the new shape at once."""
    v = node.inputs[0]
    if v.owner is None or not isinstance(v.owner.op, BroadcastTo) or not surely_computed(node):
        return None
    x, wanted = v.owner.inputs
    if (
        any(facts(x).extents)
        or not fails_only_with(v, x)
        or not all(may_drop(s, x) for s in (wanted, *node.inputs[1:]))
    ):
        return None
    small, static = dimshuffle(x, ()), node.output.type.shape
    if None not in static:
        return broadcast_to(small, static)
    return broadcast_to(small, node.inputs[1]) if isinstance(node.op, Reshape) and -1 not in node.op.extents else None


def reshaped_by_ones(node: Apply) -> Variable | None:
    """A reshape that only makes or drops axes of extent 1 is a dimshuffle."""
    x, shape = node.inputs
    have, want = facts(x).extents, facts(node.output).extents
    kept = [a for a, axis in enumerate(have) if axis]
    if [have[a] for a in kept] != [axis for axis in want if axis] or not may_drop(shape, x):
        return None
    places = iter(kept)
    return dimshuffle(x, [next(places) if axis else "x" for axis in want])


def reshaped_from(node: Apply) -> Variable | None:
    """Reshape of what only has more or fewer axes of extent 1 than x: a reshape of x."""
    v, shape = node.inputs
    if v.owner is None or not isinstance(v.owner.op, Dimshuffle) or not surely_computed(v.owner):
        return None
    kept = v.owner.op.kept()
    return node.op(v.owner.inputs[0], shape) if kept == tuple(sorted(kept)) else None


SHAPES: tuple[AnyRule, ...] = (
    NodeRule("dimshuffle(dimshuffle(x)) -> dimshuffle(x)", EXACT, shuffled_once, (Dimshuffle,), examples=(
        example(lambda x: dimshuffle(dimshuffle(x, 1, "x", 0), 2, "x", 0), x="float64[2,3]"),
        example(lambda x: transpose(transpose(x)), x="int64[2,3]"),
        example(lambda x: squeeze(expand_dims(x, 1), 1), x="float64[3]"))),
    NodeRule("reshape(x, its shape) -> x", EXACT, already_so, (Reshape,), examples=(
        example(lambda x: reshape(exp(x), shape_of(x)), x="float64[?,3]"),
        example(lambda x: reshape(x, (extent(x, 0), extent(x, 1))), x="float64[2,3]"))),
    NodeRule("reshape(x, with axes of 1) -> dimshuffle(x)", EXACT, reshaped_by_ones, (Reshape,), examples=(
        example(lambda x: reshape(x, (3, 1, 2)), x="float64[3,2]"),
        example(lambda x: reshape(expand_dims(x, 0), (extent(x, 0),)), x="float64[3]"),
        example(lambda x: reshape(x, (1, -1)), x="float64[3]"))),
    NodeRule("reshape(reshape(x)) -> reshape(x)", EXACT, reshaped_once, (Reshape,),
             because="where the inner one is known to fit: an error must not vanish", examples=(
        example(lambda x: reshape(reshape(x, (3, 2)), (6,)), x="float64[2,3]"),
        example(lambda x: reshape(reshape(x, (extent(x, 0) * extent(x, 1),)), (3, 2)), x="float64[2,3]"))),
    NodeRule("reshape(dimshuffle(x)) -> reshape(x)", EXACT, reshaped_from, (Reshape,),
             because="where the dimshuffle only makes or drops axes of extent 1", examples=(
        example(lambda x: reshape(dimshuffle(x, 0, "x", 1), (6,)), x="float64[2,3]"),)),
    NodeRule("broadcast_to(x, its shape) -> x", EXACT, already_so, (BroadcastTo,), examples=(
        example(lambda x: broadcast_to(exp(x), shape_of(x)), x="float64[?,3]"),
        example(lambda x: broadcast_to(exp(x), (extent(x, 0), extent(x, 1))), x="float64[2,3]"))),
    NodeRule("broadcast_to(broadcast_to(x)) -> broadcast_to(x)", EXACT, stretched_at_once, (BroadcastTo,),
             because="where the inner one is known to fit; also after new axes in front", examples=(
        example(lambda x: broadcast_to(broadcast_to(x, (2, 3)), (4, 2, 3)), x="float64[]"),
        example(lambda x, y: broadcast_to(expand_dims(x, 0), shape_of(y)), x="float64[3]", y="float64[2,3]"))),
    NodeRule("reshape(broadcast_to(c)) -> broadcast_to(c)", EXACT, arranged_anew, (Reshape, Dimshuffle),
             because="of one element; dimshuffle too, to a shape that is known", examples=(
        example(lambda c: reshape(broadcast_to(c, (2, 3)), (3, 2)), c="float64[]"),
        example(lambda c, x: reshape(broadcast_to(c, shape_of(x)), (extent(x, 1), extent(x, 0))), c="float64[1]",
                x="float64[2,3]"),
        example(lambda c: transpose(broadcast_to(c, (2, 3))), c="float64[]"))),
    NodeRule("sum_to(g, like its shape) -> g", EXACT, already_so, (SumTo,), examples=(
        example(lambda x: SumTo()(sin(x), x), x="float64[2,3]"),
        example(lambda x: SumTo()(x, index(x, slice(None, None, -1))), x="float64[3]"))),
    NodeRule("sum_to(g, like) -> sum(g)", EXACT, plain_sum, (SumTo,), because="where the summed axes are known",
             examples=(
        example(lambda x: SumTo()(x, expand_dims(index(x, (0, slice(None))), 0)), x="float64[2,3]"),
        example(lambda x, y: SumTo()(x, y), x="float64[2,3]", y="float64[1,1]"))),
    NodeRule("f(broadcast_to(x), y) -> f(x, y)", EXACT, without_broadcast, (Elementwise,), of=(BroadcastTo, Dimshuffle),
             because="where y has the shape already", examples=(
        example(lambda x, c: broadcast_to(c, shape_of(x)) * sin(x), x="float64[2,3]", c="float64[]"),
        example(lambda x, c: sin(x) - broadcast_to(c, (2, 3)), x="float64[2,3]", c="float64[3]"),
        example(lambda x, y, c: broadcast_to(c, shape_of(x * y)) * sin(x * y), x="float64[2,3]", y="float64[2,3]",
                c="float64[]"),
        example(lambda x, c: expand_dims(broadcast_to(c, (extent(x, 0),)), 1) * sin(x), x="float64[2,3]",
                c="float64[]"))),
    NodeRule("f(dimshuffle(x), y) -> f(x, y)", EXACT, without_new_axes, (Elementwise,), of=(Dimshuffle,),
             because="where it only puts axes in front, and y has them", examples=(
        example(lambda x, b: x + expand_dims(b, 0), x="float64[2,3]", b="float64[3]"),
        example(lambda x, c: expand_dims(c, (0, 1)) * expand_dims(x, 0), x="float64[3]", c="float64[]"))),
    NodeRule("f(broadcast_to(x)) -> broadcast_to(f(x))", EXACT, stretched_last, (Elementwise, Cast), of=(BroadcastTo,),
             because="where all operands are small, f is computed for few elements", examples=(
        example(lambda x, y: exp(broadcast_to(x, shape_of(y))), x="float64[]", y="float64[2,3]"),
        example(lambda x: broadcast_to(x, (4, 3)) * 2.0, x="float64[3]"),
        example(lambda x: cast(broadcast_to(x, (4, 3)), "float32"), x="float64[3]"),
        example(lambda x, y: broadcast_to(x, (4, 3)) + broadcast_to(y, (4, 3)), x="float64[3]", y="float64[]"))),
    NodeRule("shape(f(x)) -> shape(x)", EXACT, shape_of_operand, (ShapeOf,), because="where f keeps it", examples=(
        example(lambda x: ShapeOf()(exp(sin(x))), x="float64[2,3]"),
        example(lambda x: ShapeOf()(set_subtensor(index(x, slice(1, None)), 0.0)), x="float64[3]"))),
    NodeRule("f(x).shape[i] -> x.shape[j]", EXACT, element_of_shape, (Index,),
             because="where f keeps that extent, or makes it one that is known", examples=(
        example(lambda x: Index(Key((0,)))(ShapeOf()(transpose(x))), x="float64[2,3]"),
        example(lambda x: Index(Key((-1,)))(ShapeOf()(expand_dims(Sum((0,))(x), 1))), x="float64[2,3]"),
        example(lambda x: extent(broadcast_to(0.0, (2, extent(x, 1))), 1), x="float64[2,?]"),
        example(lambda x: extent(arange(extent(x, 0)), 0), x="float64[?]"))),
)  # fmt: skip
