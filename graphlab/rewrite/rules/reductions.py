"""Reductions in their canonical form: one after another is one, and over no axes none."""

from __future__ import annotations

from dataclasses import replace

from graphlab.dtypes import BOOL, INTEGER
from graphlab.graph.node import Apply, Variable
from graphlab.ops.nnet import LogSumExp
from graphlab.ops.products import Prod
from graphlab.ops.reduce import All_, Any_, Max, Min, Reduce, Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.rewrite.rule import DOMAIN, EXACT, AnyRule, NodeRule


def kept_axes(node: Apply) -> Variable | None:
    """A reduction whose folded axes are put back as axes of extent 1, or dropped after they were kept."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Dimshuffle)
    if x.owner is None or not isinstance(x.owner.op, Reduce | LogSumExp):
        return None
    (source,), inner = x.owner.inputs, x.owner.op
    folded = inner.over(source.ndim) if isinstance(inner, Reduce) else inner.axes
    left = [a for a in range(source.ndim) if a not in folded]
    if inner.keepdims:
        wanted: tuple[int | str, ...] = tuple(left)
    else:
        wanted = tuple("x" if a in folded else left.index(a) for a in range(source.ndim))
    if op.pattern != wanted:
        return None
    made: Variable = replace(inner, keepdims=not inner.keepdims)(source)
    return made


def reduced_once(node: Apply) -> Variable | None:
    """A reduction over no axes, or after the same kind of reduction."""
    (x,), op = node.inputs, node.op
    assert isinstance(op, Reduce)
    if not op.over(x.ndim):
        plain = op == type(op)(op.axes, op.keepdims)  # no initial value that takes part
        return x if plain and x.dtype == node.outputs[0].dtype else None
    if op.dtype(x.dtype) not in (*INTEGER, *BOOL) and isinstance(op, Sum | Prod):
        return None  # floats: another order of adding is another result
    return merged_reduction(node)


def merged_reduction(node: Apply) -> Variable | None:
    """r(r(x)) as one reduction over all the axes, if both keep them or both drop them."""
    (x,), op, inner = node.inputs, node.op, node.inputs[0].owner
    assert isinstance(op, Reduce)
    if inner is None or type(inner.op) is not type(op) or replace(inner.op, axes=op.axes) != op:
        return None
    (source,) = inner.inputs
    first = inner.op.over(source.ndim)
    left = [a for a in range(source.ndim) if op.keepdims or a not in first]
    axes = sorted({*first, *(left[a] for a in op.over(x.ndim))})
    made: Variable = replace(op, axes=tuple(axes))(source)
    return made


def summed_once(node: Apply) -> Variable | None:
    """Sum after sum, or product after product, of floats."""
    return merged_reduction(node) if isinstance(node.op, Reduce) else None


REDUCTIONS: tuple[AnyRule, ...] = (
    NodeRule("dimshuffle(reduce(x)) -> reduce(x)", EXACT, kept_axes, (Dimshuffle,),
             because="where it puts the folded axes back, or drops them"),
    NodeRule("reduce(reduce(x)) -> reduce(x)", EXACT, reduced_once, (Sum, Prod, Max, Min, Any_, All_),
             because="sums and products of integers, extremes, any and all; or over no axes"),
    NodeRule("sum(sum(x)) -> sum(x)", DOMAIN, summed_once, (Sum, Prod),
             because="another order of adding cancels and overflows elsewhere"),
)  # fmt: skip
