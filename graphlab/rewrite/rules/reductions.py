"""Reductions in their canonical form: over no axis that need not be folded, of the smallest array that will do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import Extent
from graphlab.ops.conversion import cast
from graphlab.ops.cumulative import CumSum
from graphlab.ops.elementwise import (
    add,
    arctan,
    exp,
    expm1,
    logical_not,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sigmoid,
    softplus,
    tanh,
)
from graphlab.ops.extents import BroadcastTo, broadcast_to, shape_vector
from graphlab.ops.index import Index
from graphlab.ops.join import Concatenate, concatenate
from graphlab.ops.key import Slice
from graphlab.ops.nnet import LogSumExp, logsumexp
from graphlab.ops.products import Prod
from graphlab.ops.reduce import All_, Any_, Extreme, Max, Min, Reduce, Sum
from graphlab.ops.shape import Dimshuffle, dimshuffle, expand_dims
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.facts import facts, may_drop
from graphlab.rewrite.rule import DOMAIN, EXACT, FLOAT, ROUNDING, AnyRule, NodeRule, Rule, example

EVERY = (Sum, Prod, Max, Min, Any_, All_)
CHOOSES = (Max, Min, Any_, All_)  # which give one of the elements, or whether there is one: no rounding
INCREASING = (exp, expm1, tanh, sigmoid, softplus, arctan)  # wherever they are defined: at all numbers


def plain(op: Reduce) -> bool:
    """Whether `op` has no further value that takes part."""
    return not isinstance(op, Extreme) or op.initial is None


def rounds(op: Reduce, dtype: str) -> bool:
    """Whether another order in which `op` folds elements of `dtype` may be another result."""
    return not isinstance(op, CHOOSES) and op.dtype(dtype) not in (*INTEGER, *BOOL)


def inner(node: Apply, *kinds: type) -> Apply | None:
    """The application that makes the first operand of `node`, if its op is of one of `kinds`."""
    owner = node.inputs[0].owner
    return owner if owner is not None and isinstance(owner.op, kinds) else None


# ---- axes ----------------------------------------------------------------------------------------


def kept_axes(node: Apply) -> Variable | None:
    """A reduction whose folded axes are put back as axes of extent 1, or dropped after they were kept."""
    op, found = node.op, inner(node, Reduce, LogSumExp)
    if found is None:
        return None
    (source,), reduction = found.inputs, found.op
    assert isinstance(op, Dimshuffle)
    assert isinstance(reduction, Reduce | LogSumExp)
    folded = reduction.over(source.ndim) if isinstance(reduction, Reduce) else reduction.axes
    left = [a for a in range(source.ndim) if a not in folded]
    if reduction.keepdims:
        wanted: tuple[int | str, ...] = tuple(left)
    else:
        wanted = tuple("x" if a in folded else left.index(a) for a in range(source.ndim))
    if op.pattern != wanted:
        return None
    made: Variable = replace(reduction, keepdims=not reduction.keepdims)(source)
    return made


def of_one(node: Apply) -> Variable | None:
    """A reduction over axes of extent 1, or over none: there is one element to each result."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Reduce)
    over = op.over(x.ndim)
    if not plain(op) or any(facts(x).extents[a] for a in over) or (isinstance(op, Prod) and x.dtype in COMPLEX):
        return None
    one = x if op.keepdims or not over else dimshuffle(x, [a for a in range(x.ndim) if a not in over])
    result = cast(one, op.dtype(x.dtype))
    if over and isinstance(op, Sum) and rounds(op, x.dtype):
        result = add(result, Constant(np.zeros((), result.dtype)))  # a sum starts with 0.0, and 0.0 + -0.0 is 0.0
    return result


def of_moved_axes(node: Apply) -> Variable | None:
    """A reduction of an array with its axes moved: of the array itself, over the axes that they were."""
    op, moved = node.op, inner(node, Dimshuffle)
    if moved is None:
        return None
    (x,), shuffle = moved.inputs, moved.op
    assert isinstance(op, Reduce)
    assert isinstance(shuffle, Dimshuffle)
    pattern, over = shuffle.pattern, op.over(len(shuffle.pattern))
    if not over or shuffle.dropped(x.ndim) or any(pattern[a] == "x" for a in over):
        return None
    folded = sorted(a for i in over if isinstance(a := pattern[i], int))
    left = [a for a in range(x.ndim) if a not in folded]
    outside = ["x" if a in folded else a for a in pattern] if op.keepdims else [
        pattern[i] for i in range(len(pattern)) if i not in over]  # fmt: skip
    small: Variable = replace(op, axes=tuple(folded), keepdims=False)(x)
    return dimshuffle(small, [left.index(a) if isinstance(a, int) else "x" for a in outside])


def of_repeats(node: Apply) -> Variable | None:
    """A reduction over axes along which an array was stretched, by extents that are known and not 0."""
    op, stretched = node.op, inner(node, BroadcastTo)
    if stretched is None or not may_drop(stretched.outputs[0], stretched.inputs[0]):
        return None
    (small, shape), large = stretched.inputs, stretched.outputs[0]
    assert isinstance(op, Reduce)
    x = expand_dims(small, tuple(range(large.ndim - small.ndim)))
    have, over = facts(x).extents, op.over(large.ndim)
    repeated = [a for a in over if not have[a]]
    count = _known_size([large.type.shape[a] for a in repeated])
    undecided = any(have[a] and have[a] != facts(large).extents[a] for a in over)
    if not repeated or not count or not plain(op) or undecided or (isinstance(op, Prod) and x.dtype not in FLOAT):
        return None
    reduced: Variable = op(x)
    if isinstance(op, Sum):
        reduced = multiply(reduced, Constant(np.asarray(count, reduced.dtype)))
    elif isinstance(op, Prod):
        reduced = power(reduced, Constant(np.asarray(count, reduced.dtype)))
    kept = [1 if a in over else shape[a] for a in range(large.ndim) if op.keepdims or a not in over]
    return broadcast_to(reduced, shape_vector(kept)) if kept else reduced


def _known_size(extents: Sequence[Extent]) -> int:
    """The product of `extents`, 0 if one is not known."""
    return math.prod(n or 0 for n in extents)


# ---- what is reduced -----------------------------------------------------------------------------


def of_negated(node: Apply) -> Variable | None:
    """max(-x) is -min(x), and the other way round; not for integers, whose smallest is its own negative."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Max | Min)
    if x.owner is None or x.owner.op is not negative or x.dtype not in FLOAT or not plain(op):
        return None
    other = (Min if isinstance(op, Max) else Max)(op.axes, op.keepdims)
    result: Variable = negative(other(*x.owner.inputs))
    return result


def of_inverted(node: Apply) -> Variable | None:
    """any(not x) is not all(x), and the other way round."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Any_ | All_)
    if x.owner is None or x.owner.op is not logical_not:
        return None
    other = (All_ if isinstance(op, Any_) else Any_)(op.axes, op.keepdims)
    result: Variable = logical_not(other(*x.owner.inputs))
    return result


def of_increasing(node: Apply) -> Variable | None:
    """The largest of exp(x) is exp of the largest x."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Max | Min)
    if x.owner is None or x.owner.op not in INCREASING or not plain(op) or x.owner.inputs[0].dtype != x.dtype:
        return None
    result: Variable = x.owner.op(op(*x.owner.inputs))
    return result


def of_joined(node: Apply) -> Variable | None:
    """A reduction along the axis along which arrays were joined: of each by itself."""
    op, joined = node.op, inner(node, Concatenate)
    if joined is None:
        return None
    assert isinstance(op, Reduce)
    assert isinstance(joined.op, Concatenate)
    axis, parts = joined.op.axis, joined.inputs
    others = [facts(v).extents[:axis] + facts(v).extents[axis + 1 :] for v in parts]
    if axis not in op.over(joined.outputs[0].ndim) or not plain(op) or any(o != others[0] for o in others):
        return None
    if isinstance(op, Extreme) and not all(v.type.shape[axis] for v in parts):
        return None  # nothing at all has no extreme
    total, *rest = (op(v) for v in parts)
    for each in rest:
        total = _both(op)(total, each)
    result: Variable = total
    return result


def _both(op: Reduce) -> Elementwise:
    """Of two elements what `op` makes of many."""
    chosen = {Sum: add, Prod: multiply, Max: maximum, Min: minimum, Any_: maximum, All_: minimum}
    return chosen[type(op)]


def chosen_of_joined(node: Apply) -> Variable | None:
    """The same where the order can't matter."""
    assert isinstance(node.op, Reduce)
    return None if rounds(node.op, node.inputs[0].dtype) else of_joined(node)


# ---- one after the other -------------------------------------------------------------------------


def merged_reduction(node: Apply) -> Variable | None:
    """r(r(x)) as one reduction over all the axes, if both keep them or both drop them."""
    (x,), op, first = node.inputs, node.op, node.inputs[0].owner
    assert isinstance(op, Reduce)
    if first is None or type(first.op) is not type(op) or replace(first.op, axes=op.axes) != op:
        return None
    (source,) = first.inputs
    folded = first.op.over(source.ndim)
    left = [a for a in range(source.ndim) if op.keepdims or a not in folded]
    axes = sorted({*folded, *(left[a] for a in op.over(x.ndim))})
    made: Variable = replace(op, axes=tuple(axes))(source)
    return made


def reduced_once(node: Apply) -> Variable | None:
    """The same where the order can't matter."""
    assert isinstance(node.op, Reduce)
    return None if rounds(node.op, node.inputs[0].dtype) else merged_reduction(node)


def logsumexp_once(node: Apply) -> Variable | None:
    """The logarithm of a sum of sums of exponentials."""
    (x,), op, first = node.inputs, node.op, inner(node, LogSumExp)
    if first is None:
        return None
    (source,) = first.inputs
    assert isinstance(op, LogSumExp)
    assert isinstance(first.op, LogSumExp)
    if op.keepdims != first.op.keepdims or x.dtype != source.dtype:
        return None
    left = [a for a in range(source.ndim) if op.keepdims or a not in first.op.axes]
    axes = sorted({*first.op.axes, *(left[a] for a in op.axes)})
    made: Variable = replace(op, axes=tuple(axes))(source)
    return made


def last_sum(node: Apply) -> Variable | None:
    """The last of the running sums, where there is one."""
    op, running = node.op, inner(node, CumSum)
    if running is None or len(node.inputs) > 1:
        return None
    assert isinstance(op, Index)
    assert isinstance(running.op, CumSum)
    (x,), axis = running.inputs, running.op.axis
    entries, rank, n = op.key.entries, x.ndim, x.type.shape[axis]
    if not n or None in entries or ... in entries or len(entries) <= axis:
        return None
    picks, others = entries[axis], (*entries[:axis], *entries[axis + 1 :])
    if picks not in (-1, n - 1) or any(entry != Slice() for entry in others) or axis >= rank:
        return None
    total: Variable = Sum((axis,))(x)
    return total


# ---- tables --------------------------------------------------------------------------------------

ORDER = "another order of adding cancels and overflows elsewhere"

REDUCTIONS: tuple[AnyRule, ...] = (
    NodeRule("dimshuffle(reduce(x)) -> reduce(x)", EXACT, kept_axes, (Dimshuffle,),
             because="where it puts the folded axes back, or drops them",
             examples=(example(lambda x: expand_dims(Sum((1,))(x), 1), x="float64[2,3]"),
                       example(lambda x: dimshuffle(Max((0,), True)(x), (1,)), x="int64[2,3]"))),
    NodeRule("reduce(x) -> x", EXACT, of_one, EVERY, because="where the folded axes have extent 1, or are none",
             examples=(example(lambda x: Sum((1,))(x), x="float64[3,1]"),
                       example(lambda x: Max((0, 2), True)(x), x="float32[1,3,1]"),
                       example(lambda x: Prod(())(x), x="int32[3]"), example(lambda x: Any_((0,))(x), x="float64[1]"))),
    NodeRule("reduce(dimshuffle(x)) -> dimshuffle(reduce(x))", ROUNDING, of_moved_axes, EVERY,
             because="axes are folded where they lie; sums may be added up in another order",
             examples=(example(lambda x: Sum(None)(dimshuffle(x, (1, 0))), x="float64[3,4]"),
                       example(lambda x: Max((0,))(dimshuffle(x, (2, "x", 0, 1))), x="float64[2,3,4]"),
                       example(lambda x: Sum((1,), True)(dimshuffle(x, ("x", 1, 0))), x="float32[3,4]"))),
    NodeRule("reduce(broadcast_to(x)) -> reduce(x)", ROUNDING, of_repeats, EVERY,
             because="n * x is rounded once; where n is known, as 0 * inf is not 0",
             examples=(example(lambda x: Sum(None)(broadcast_to(x, (3, 4))), x="float64[]"),
                       example(lambda x: Prod((0,))(broadcast_to(x, (3, 4))), x="float64[4]"),
                       example(lambda x: Max((0,), True)(broadcast_to(x, (3, 4))), x="float64[4]"),
                       example(lambda x: Sum((1,))(broadcast_to(x, (2, 3, 4))), x="int32[3,1]"))),
    NodeRule("max(-x) -> -min(x)", EXACT, of_negated, (Max, Min), because="and min(-x) -> -max(x)",
             examples=(example(lambda x: Max((0,))(negative(x)), x="float64[3,4]"),
                       example(lambda x: Min(None)(negative(x)), x="float32[5]"))),
    NodeRule("any(not x) -> not all(x)", EXACT, of_inverted, (Any_, All_), because="and all(not x) -> not any(x)",
             examples=(example(lambda x: Any_((0,))(logical_not(x)), x="bool[3,4]"),
                       example(lambda x: All_(None, True)(logical_not(x)), x="float64[3,4]"))),
    NodeRule("max(exp(x)) -> exp(max(x))", ROUNDING, of_increasing, (Max, Min),
             because="also min, expm1, tanh, sigmoid, softplus and arctan: they are increasing, up to rounding",
             examples=(example(lambda x: Max((1,))(exp(x)), x="float64[3,4]"),
                       example(lambda x: Min(None)(tanh(x)), x="float32[5]"))),
    NodeRule("max(join(x, y)) -> maximum(max(x), max(y))", EXACT, chosen_of_joined, EVERY,
             because="also min, any, all, and sums and products of integers",
             examples=(example(lambda x, y: Max((0,))(concatenate([x, y])), x="float64[2,3]", y="float64[1,3]"),
                       example(lambda x, y: Sum(None)(concatenate([x, y])), x="int64[2]", y="int64[3]"),
                       example(lambda x, y: Any_((1,))(concatenate([x, y], 1)), x="bool[2,2]", y="bool[2,1]"))),
    NodeRule("sum(join(x, y)) -> sum(x) + sum(y)", DOMAIN, of_joined, (Sum, Prod), because=ORDER,
             examples=(example(lambda x, y: Sum((0,))(concatenate([x, y])), x="float64[2,3]", y="float64[1,3]"),)),
    Rule("sum(c * x) -> c * sum(x)", DOMAIN, find=lambda c, x, total: total(c * x),
         make=lambda c, x, total: c * total(x), ops={"total": Sum}, shapes={"c": (), "x": (3, 4)},
         when=lambda c, x: c.ndim == 0 < x.ndim, because="sum(x) may overflow where c * x is small"),
)  # fmt: skip

# What may have other users, and would then be computed all the same: for a pass that weighs the work.
REDUCTIONS_ONCE: tuple[AnyRule, ...] = (
    NodeRule("reduce(reduce(x)) -> reduce(x)", EXACT, reduced_once, EVERY,
             because="sums and products of integers, extremes, any and all",
             examples=(example(lambda x: Max((0,))(Max((0,))(x)), x="float64[3,4]"),
                       example(lambda x: Sum((1,), True)(Sum((0,), True)(x)), x="int64[3,4]"))),
    NodeRule("sum(sum(x)) -> sum(x)", DOMAIN, merged_reduction, (Sum, Prod), because=ORDER,
             examples=(example(lambda x: Sum((0,))(Sum((0,))(x)), x="float64[3,4]"),)),
    NodeRule("logsumexp(logsumexp(x)) -> logsumexp(x)", ROUNDING, logsumexp_once, (LogSumExp,),
             because="one logarithm instead of two",
             examples=(example(lambda x: logsumexp(logsumexp(x, 1), 0), x="float64[3,4]"),)),
    NodeRule("cumsum(x)[-1] -> sum(x)", ROUNDING, last_sum, (Index,), because="where there is a last one",
             examples=(example(lambda x: CumSum(0)(x)[-1], x="float64[4]"),
                       example(lambda x: CumSum(1)(x)[:, -1], x="float32[3,4]"))),
)  # fmt: skip
