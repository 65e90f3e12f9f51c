"""Shapes in their canonical form: axes moved once, nothing stretched, reshaped or measured that need not be."""

from __future__ import annotations

from graphlab.graph.node import Apply, Variable
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, shape_of
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import Dimshuffle, dimshuffle, expand_dims
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.facts import broadcast, facts, fails_only_with, may_drop, never_fails, same_extents
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule


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
    if inner is None or not isinstance(inner.op, Reshape) or not never_fails(inner.op, inner):
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
    operands = list(node.inputs)
    for i, v in enumerate(operands):
        if v.owner is not None and isinstance(v.owner.op, BroadcastTo):
            small = v.owner.inputs[0]
            others = [facts(o).extents for o in (*operands[:i], small, *operands[i + 1 :])]
            if broadcast(others) == facts(node.outputs[0]).extents and fails_only_with(v, small):
                operands[i] = small
    if all(a is b for a, b in zip(operands, node.inputs, strict=True)):
        return None
    made: Variable = node.op(*operands)
    return made


def shape_of_operand(node: Apply) -> Variable | None:
    """The shape of f(x) is the shape of x where the extents are the same: then f(x) need not be computed."""
    (v,) = node.inputs
    inputs = v.owner.inputs if v.owner is not None else ()
    return next((shape_of(x) for x in inputs if same_extents(x, v) and fails_only_with(v, x)), None)


SHAPES: tuple[AnyRule, ...] = (
    NodeRule("dimshuffle(dimshuffle(x)) -> dimshuffle(x)", EXACT, shuffled_once, (Dimshuffle,)),
    NodeRule("reshape(x, its shape) -> x", EXACT, already_so, (Reshape,)),
    NodeRule("reshape(reshape(x)) -> reshape(x)", EXACT, reshaped_once, (Reshape,),
             because="where the inner one is known to fit: an error must not vanish"),
    NodeRule("broadcast_to(x, its shape) -> x", EXACT, already_so, (BroadcastTo,)),
    NodeRule("sum_to(g, like its shape) -> g", EXACT, already_so, (SumTo,)),
    NodeRule("sum_to(g, like) -> sum(g)", EXACT, plain_sum, (SumTo,), because="where the summed axes are known"),
    NodeRule("f(broadcast_to(x), y) -> f(x, y)", EXACT, without_broadcast, (Elementwise,),
             because="where y has the shape already"),
    NodeRule("shape(f(x)) -> shape(x)", EXACT, shape_of_operand, (ShapeOf,), because="where f keeps it"),
)  # fmt: skip
