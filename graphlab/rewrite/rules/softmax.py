"""Softmax, logsumexp and what derivatives make of them, in the forms that do not over- or underflow.

A naive softmax is exp(x) / sum(exp(x)), its logarithm the log of that, a cross-entropy some elements of it.
Their derivatives divide by the sum, or by probabilities that may underflow to 0, and multiply again: what was
divided is found through sums, moved axes and index updates, and neither is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphlab.dtypes import FLOAT, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.conversion import Cast, cast
from graphlab.ops.elementwise import add, exp, log, multiply, negative, subtract, true_divide
from graphlab.ops.extents import BroadcastTo, Reshape, broadcast_to, shape_of
from graphlab.ops.index import Index, IndexUpdate, index
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.nnet import softmax as softmax_of
from graphlab.ops.reduce import Max, Sum, sum
from graphlab.ops.shape import Dimshuffle
from graphlab.rewrite.facts import facts, same_extents, uniform_value
from graphlab.rewrite.rule import ROUNDING, AnyRule, NodeRule, example
from graphlab.rewrite.rule import STABLE as TAG
from graphlab.rewrite.rules.stable import are_positive, log_of, stable

MOST_STEPS = 12  # between a division and the multiplication that undoes it

# ---- guards --------------------------------------------------------------------------------------


def keeps_place(total: Sum, x: Variable) -> bool:
    """Whether total(x) broadcasts against x as its own sum: kept axes, or one sum of everything."""
    return total.keepdims or len(total.over(x.ndim)) == x.ndim


def is_level(op: Softmax | LogSoftmax, top: Max, x: Variable) -> bool:
    """Whether top(x), never the maximum of nothing, is the largest along the axes of `op`, beside `x`.

    Of more axes it would carry a NaN to where `op` alone has none.
    """
    if not (top.keepdims or len(top.over(x.ndim)) == x.ndim) or not all(x.type.shape[a] for a in top.over(x.ndim)):
        return False
    return set(op.axes) == set(top.over(x.ndim))


def same_axes(lse: LogSumExp, x: Variable) -> bool:
    """Whether lse(x) broadcasts against x."""
    return lse.keepdims or len(lse.axes) == x.ndim


def softmax_like(total: Sum, x: Variable) -> Variable:
    """Softmax over the axes of `total`."""
    result: Variable = Softmax(total.over(x.ndim))(x)
    return result


def lse_like(total: Sum, x: Variable) -> Variable:
    """Logsumexp over the axes of `total`."""
    result: Variable = LogSumExp(total.over(x.ndim), total.keepdims)(x)
    return result


# ---- values --------------------------------------------------------------------------------------


def log_of_moved_softmax(node: Apply) -> Variable | None:
    """log(softmax(x)[k]) is log_softmax(x)[k]; moved axes and other shapes do no harm either."""
    moves: list[Apply] = []
    v = node.inputs[0] if node.op is log else None
    while v is not None and v.owner is not None and isinstance(v.owner.op, Index | Reshape | Dimshuffle | BroadcastTo):
        moves.append(v.owner)
        v = v.owner.inputs[0]
    if not moves or v is None or v.owner is None or not isinstance(v.owner.op, Softmax):
        return None
    result: Variable = LogSoftmax(v.owner.op.axes)(v.owner.inputs[0])
    for move in reversed(moves):
        result = move.op(result, *move.inputs[1:])
    return result


def log_of_mean(node: Apply) -> Variable | None:
    """log(sum(exp(x)) / n) is logsumexp(x) - log(n), if n counts."""
    quotient = node.inputs[0].owner if node.op is log else None
    if quotient is None or quotient.op is not true_divide:
        return None
    total, n = quotient.inputs
    counts = n.owner is not None and isinstance(n.owner.op, Cast) and n.owner.inputs[0].dtype in INTEGER
    if not counts or total.owner is None or not isinstance(total.owner.op, Sum) or total.dtype != n.dtype:
        return None
    x = operand_of_exp(total.owner.inputs[0])
    return None if x is None else lse_like(total.owner.op, x) - log(n)


def operand_of_exp(v: Variable) -> Variable | None:
    """x, if `v` is exp(x)."""
    return v.owner.inputs[0] if v.owner is not None and v.owner.op is exp else None


VALUES: tuple[AnyRule, ...] = (
    stable("log(sum(exp(x))) -> logsumexp(x)", lambda x, total: log(total(exp(x))),
           lambda x, total: lse_like(total, x), "exp(1000) overflows", ops={"total": Sum}),
    stable("log(sum(exp(x)) * c) -> logsumexp(x) + log(c)", lambda x, c, total: log(total(exp(x)) * c),
           lambda x, c, total: lse_like(total, x) + log_of(c), "exp(1000) overflows", ops={"total": Sum},
           constants={"c": (0.25,)}, when=are_positive),
    stable("log(sum(exp(x)) / c) -> logsumexp(x) - log(c)", lambda x, c, total: log(total(exp(x)) / c),
           lambda x, c, total: lse_like(total, x) - log_of(c), "exp(1000) overflows", ops={"total": Sum},
           constants={"c": (3.0,)}, when=are_positive),
    NodeRule("log(sum(exp(x)) / n) -> logsumexp(x) - log(n)", ROUNDING, log_of_mean, (log,), (TAG,),
             because="exp(1000) overflows; where n is made of integers",
             examples=(example(lambda x, n: log(sum(exp(x), axis=1) / cast(n, "float64")), x="float64[2,3]", n="int64"),
                       example(lambda x, n: log(sum(exp(x)) / cast(n, "float32")), x="float32[4]", n="int16"))),
    stable("log(softmax(x)) -> log_softmax(x)", lambda x, s: log(s(x)), lambda x, s: LogSoftmax(s.axes)(x),
           "softmax underflows to 0", ops={"s": Softmax}),
    NodeRule("log(softmax(x)[k]) -> log_softmax(x)[k]", ROUNDING, log_of_moved_softmax, (log,), (TAG,),
             because="softmax underflows to 0; reshape and moved axes too",
             examples=(example(lambda x, k: log(index(softmax_of(x), ([0, 1], k))), x="float64[2,3]", k="int64[2]"),
                       example(lambda x: log(softmax_of(x, 0).T[0]), x="float32[2,3]"),
                       example(lambda x: log(softmax_of(x).reshape((6,))), x="float64[2,3]"))),
    stable("exp(x) / sum(exp(x)) -> softmax(x)", lambda x, total: exp(x) / total(exp(x)),
           lambda x, total: softmax_like(total, x), "exp(1000) overflows", ops={"total": Sum}, when=keeps_place),
    stable("(y * exp(x)) / sum(exp(x)) -> y * softmax(x)", lambda x, y, total: (y * exp(x)) / total(exp(x)),
           lambda x, y, total: y * softmax_like(total, x), "exp(1000) overflows", ops={"total": Sum},
           when=lambda x, y, total: keeps_place(total, x)),
    stable("x - logsumexp(x) -> log_softmax(x)", lambda x, lse: x - lse(x), lambda x, lse: LogSoftmax(lse.axes)(x),
           "1000.5 - 1000.0 has lost digits", ops={"lse": LogSumExp}, when=lambda x, lse: same_axes(lse, x)),
    stable("softmax(x - max(x)) -> softmax(x)", lambda x, s, top: s(x - top(x)), lambda x, s: s(x),
           "inf - inf is nan; softmax does it itself", ops={"s": Softmax, "top": Max},
           when=lambda x, s, top: is_level(s, top, x)),
    stable("log_softmax(x - max(x)) -> log_softmax(x)", lambda x, s, top: s(x - top(x)), lambda x, s: s(x),
           "inf - inf is nan; log_softmax does it itself", ops={"s": LogSoftmax, "top": Max},
           when=lambda x, s, top: is_level(s, top, x)),
    stable("logsumexp(x - max(x)) + max(x) -> logsumexp(x)", lambda x, lse, top: lse(x - top(x)) + top(x),
           lambda x, lse: lse(x), "inf - inf is nan; logsumexp does it itself", ops={"lse": LogSumExp, "top": Max},
           when=lambda x, lse, top: is_level(lse, top, x)),
)  # fmt: skip

# ---- what was divided by sum(exp(x)) and is multiplied by exp(x) ---------------------------------


@dataclass(frozen=True)
class Quotient:
    """What is top / (sum(exp(x)) / factor); `layout` maps its axes to those of x, to None where the sum is one number.

    The factor, one number, stays apart: top * factor may be too large for its dtype where the quotient is not.
    """

    top: Variable
    layout: tuple[int | None, ...]
    axes: tuple[int, ...]
    factor: Variable | None = None

    def padded(self, ndim: int) -> tuple[int | None, ...]:
        """The layout behind broadcasting to rank `ndim`."""
        return (None,) * (ndim - len(self.layout)) + self.layout

    def by(self, f: Callable[[Variable], Variable], ndim: int) -> Quotient:
        """f of it, which is elementwise and commutes with the division."""
        return Quotient(f(self.top), self.padded(ndim), self.axes, self.factor)


def quotient(v: Variable, x: Variable, steps: int = MOST_STEPS) -> Quotient | None:
    """`v` as something over sum(exp(x)), if it is seen to be that."""
    node = v.owner
    if node is None or steps == 0 or v.dtype not in FLOAT:
        return None
    if isinstance(node.op, Dimshuffle | Sum):
        inner = quotient(node.inputs[0], x, steps - 1)
        return None if inner is None else moved(inner, node)
    if node.op is true_divide:
        return divided(node, x, steps)
    if node.op is negative or (node.op is subtract and is_zero(node.inputs[0])):
        inner = quotient(node.inputs[-1], x, steps - 1)
        return None if inner is None else inner.by(lambda top: -top, v.ndim)
    if node.op in (add, subtract):
        left, right = (quotient(u, x, steps - 1) for u in node.inputs)
        if left is None or right is None or left.padded(v.ndim) != right.padded(v.ndim):
            return None
        if left.factor is not right.factor:
            return None
        return Quotient(node.op(left.top, right.top), left.padded(v.ndim), left.axes, left.factor)
    if isinstance(node.op, BroadcastTo):
        inner = quotient(node.inputs[0], x, steps - 1)
        return None if inner is None else inner.by(lambda top: node.op(top, node.inputs[1]), v.ndim)
    if node.op is multiply:
        for a, b in (node.inputs, reversed(node.inputs)):
            inner = quotient(a, x, steps - 1)
            if inner is not None:
                return inner.by(lambda top, b=b: top * b, v.ndim)  # type: ignore[misc]
    return None


def divided(node: Apply, x: Variable, steps: int) -> Quotient | None:
    """A division by sum(exp(x)), or by a multiple of it; or of what was divided by it before."""
    top, below = node.inputs
    factor: Variable | None = None
    if below.owner is not None and below.owner.op is true_divide and below.owner.inputs[1].ndim == 0:
        below, factor = below.owner.inputs  # y / (sum(exp(x)) / n)
    total = below.owner
    if total is None or not isinstance(total.op, Sum) or operand_of_exp(total.inputs[0]) is not x:
        inner = quotient(top, x, steps - 1)
        return None if inner is None else inner.by(lambda t: t / node.inputs[1], node.outputs[0].ndim)
    axes = total.op.over(x.ndim)
    layout = tuple(None if a in axes else a for a in range(x.ndim) if total.op.keepdims or a not in axes)
    whole = top if same_extents(top, node.outputs[0]) else broadcast_to(top, shape_of(node.outputs[0]))
    return Quotient(whole, layout, axes, factor).by(lambda t: t, node.outputs[0].ndim)


def moved(inner: Quotient, node: Apply) -> Quotient | None:
    """A sum along axes where the divisor is one number, or the axes in another order."""
    op, layout = node.op, inner.layout
    if isinstance(op, Dimshuffle):
        layout = tuple(layout[a] if isinstance(a, int) else None for a in op.pattern)
        return Quotient(op(inner.top), layout, inner.axes, inner.factor)
    assert isinstance(op, Sum)
    folded = op.over(len(layout))
    if any(layout[a] is not None for a in folded):
        return None
    left = tuple(along for a, along in enumerate(layout) if op.keepdims or a not in folded)
    return Quotient(op(inner.top), left, inner.axes, inner.factor)


def times_softmax(node: Apply) -> Variable | None:
    """(y / sum(exp(x))) * exp(x) is y * softmax(x), wherever in y the division is."""
    for v, e in (node.inputs, reversed(node.inputs)):
        x = operand_of_exp(e)
        found = None if x is None or v.ndim > x.ndim else quotient(v, x)
        if x is not None and found is not None:
            if found.padded(x.ndim) == tuple(None if a in found.axes else a for a in range(x.ndim)):
                part: Variable = Softmax(found.axes)(x)
                product: Variable = found.top * (part if found.factor is None else part * found.factor)
                return product
    return None


# ---- what was divided by softmax(x) and is multiplied by it --------------------------------------

Divisor = Callable[[Variable], bool]


def is_zero(v: Variable) -> bool:
    """Whether `v` is seen to be 0 everywhere."""
    if v.owner is not None and isinstance(v.owner.op, BroadcastTo):
        return is_zero(v.owner.inputs[0])
    return isinstance(v, Constant) and uniform_value(v) == 0


def over(v: Variable, is_divisor: Divisor, steps: int = MOST_STEPS) -> Variable | None:
    """y where `v` is y divided by what `is_divisor` knows, at other places or in another shape perhaps."""
    node = v.owner
    if node is None or steps == 0:
        return None
    if node.op is true_divide:
        top, below = node.inputs
        if is_divisor(below):
            return top if same_extents(top, v) else broadcast_to(top, shape_of(v))
        inner = over(top, is_divisor, steps - 1)
        return None if inner is None else inner / below
    if node.op is negative:
        inner = over(node.inputs[0], is_divisor, steps - 1)
        return None if inner is None else -inner
    return over_moved(node, is_divisor, steps)


def over_moved(node: Apply, is_divisor: Divisor, steps: int) -> Variable | None:
    """The same of what is put back to the place in the divisor where it was taken from."""
    op = node.op
    if isinstance(op, IndexUpdate) and op.mode == "inc":
        start, part, *at = node.inputs
        before = start if is_zero(start) else over(start, is_divisor, steps - 1)
        inner = over(part, lambda v: was(v, Index(op.key), at, is_divisor), steps - 1)
        return None if inner is None or before is None else op(before, inner, *at)
    if isinstance(op, Dimshuffle):
        back = tuple(op.pattern.index(a) for a in range(node.inputs[0].ndim) if a in op.pattern)
        if len(back) == len(op.pattern) == node.inputs[0].ndim:
            inner = over(node.inputs[0], lambda v: was(v, Dimshuffle(back), [], is_divisor), steps - 1)
            return None if inner is None else op(inner)
    if isinstance(op, Reshape):
        inner = over(node.inputs[0], lambda v: was_reshaped(v, node.outputs[0], is_divisor), steps - 1)
        return None if inner is None else op(inner, node.inputs[1])
    return None


def was(v: Variable, op: Index | Dimshuffle, more: list[Variable], is_divisor: Divisor) -> bool:
    """Whether `v` is `op` of the divisor."""
    node = v.owner
    return node is not None and node.op == op and list(node.inputs[1:]) == more and is_divisor(node.inputs[0])


def was_reshaped(v: Variable, whole: Variable, is_divisor: Divisor) -> bool:
    """Whether `v` is a divisor of the shape of `whole` in another shape."""
    node = v.owner
    if node is None or not isinstance(node.op, Reshape) or not is_divisor(node.inputs[0]):
        return False
    return same_extents(node.inputs[0], whole)


def alike(a: Variable, b: Variable, steps: int = 4) -> bool:
    """Whether `a` and `b` are the same computation: rules may have made it twice."""
    if a is b or a.owner is None or b.owner is None or steps == 0:
        return a is b
    pairs = zip(a.owner.inputs, b.owner.inputs, strict=False)
    same_op = a.owner.op == b.owner.op and len(a.owner.inputs) == len(b.owner.inputs)
    return same_op and all(alike(x, y, steps - 1) for x, y in pairs)


def softmax_factor(v: Variable) -> tuple[Variable, Variable] | None:
    """(s, u) where `v` is s * u and s a softmax."""
    if v.owner is not None and v.owner.op is multiply:
        for s, u in (v.owner.inputs, reversed(v.owner.inputs)):
            if s.owner is not None and isinstance(s.owner.op, Softmax):
                return s, u
    return None


def undivided(v: Variable) -> tuple[Variable, Variable] | None:
    """(s, y) where `v` is (y / s) * s and s a softmax."""
    found = softmax_factor(v)
    if found is None:
        return None
    s, u = found
    y = over(u, lambda d: alike(d, s))
    return None if y is None else (s, y)


def with_softmax(v: Variable, s: Variable, old: Variable, new: Variable) -> Variable | None:
    """s * u(new), where `v` is s * u(old) and u folds and moves axes."""
    if v.owner is not None and v.owner.op is negative:
        inner = with_softmax(v.owner.inputs[0], s, old, new)
        return None if inner is None else -inner
    found = softmax_factor(v)
    if found is None or not alike(found[0], s):
        return None
    u = replaced(found[1], lambda d: alike(d, old), new)
    return None if u is None else s * u


def replaced(v: Variable, is_old: Divisor, new: Variable, steps: int = MOST_STEPS) -> Variable | None:
    """`v` with `new` for what is old, if it is a sum of it, with another sign or other axes."""
    if is_old(v):
        return new
    node = v.owner
    if node is None or steps == 0:
        return None
    kept = isinstance(node.op, Sum | Dimshuffle | BroadcastTo) or node.op is negative
    if not kept and not (node.op is subtract and is_zero(node.inputs[0])):
        return None
    at = 1 if node.op is subtract else 0
    inner = replaced(node.inputs[at], is_old, new, steps - 1)
    return None if inner is None else node.op(*node.inputs[:at], inner, *node.inputs[at + 1 :])


def beside_softmax(node: Apply) -> Variable | None:
    """(y / s) * s +- s * sum((y / s) * s) is y +- s * sum(y): s is still there to be nan where it was."""
    for i in (0, 1):
        found = undivided(node.inputs[i])
        if found is None:
            continue
        s, y = found
        other = with_softmax(node.inputs[1 - i], s, node.inputs[i], y)
        if other is not None:
            result: Variable = node.op(y, other) if i == 0 else node.op(other, y)
            return result
    return None


def pulled_back(node: Apply) -> Variable | None:
    """s * (y / s - sum((y / s) * s)), the derivative of a softmax, is y - s * sum(y)."""
    found = softmax_factor(node.outputs[0])
    inner = None if found is None else found[1].owner
    if found is None or inner is None or inner.op not in (add, subtract):
        return None
    s = found[0]
    for i in (0, 1):
        g, rest = inner.inputs[i], inner.inputs[1 - i]
        y = over(g, lambda d: alike(d, s))
        if y is None or facts(y).extents != facts(s).extents:
            continue
        total = replaced(rest, lambda d, g=g: is_product(d, s, g), y)  # type: ignore[misc]
        if total is not None:
            result: Variable = inner.op(y, s * total) if i == 0 else inner.op(s * total, y)
            return result
    return None


def is_product(v: Variable, s: Variable, g: Variable) -> bool:
    """Whether `v` is s * g, for the softmax s."""
    found = softmax_factor(v)
    return found is not None and alike(found[0], s) and alike(found[1], g)


def _beside(x: Variable, y: Variable) -> Variable:
    s = softmax_of(x, 1)
    product = (y / s) * s
    return product - s * sum(product, 1, keepdims=True)


def _back(x: Variable, g: Callable[[Variable], Variable]) -> Variable:
    s = softmax_of(x, 1)
    above = g(s)
    return s * (above - sum(above * s, 1, keepdims=True))


def _put_back(s: Variable, y: Variable, k: Variable) -> Variable:
    """y / s[[0, 1], k], where it was taken from."""
    part = index(s, (Constant([0, 1]), k))
    assert part.owner is not None
    assert isinstance(part.owner.op, Index)
    whole: Variable = IndexUpdate("inc", part.owner.op.key)(
        Constant(np.zeros((2, 3))), y / part, *part.owner.inputs[1:]
    )
    return whole


DERIVATIVES: tuple[AnyRule, ...] = (
    NodeRule("(y / sum(exp(x))) * exp(x) -> y * softmax(x)", ROUNDING, times_softmax, (multiply,), (TAG,),
             because="inf / inf is nan; wherever in y the division is",
             examples=(example(lambda x, y: (y / sum(exp(x), 1, keepdims=True)) * exp(x), x="float64[2,3]",
                               y="float64"),
                       example(lambda x, y: (y / sum(exp(x), 0)) * exp(x), x="float64[2,3]", y="float64[2,3]"),
                       example(lambda x, y: Dimshuffle((0, "x"))(0 - sum(y / sum(exp(x), 1, keepdims=True), 1))
                               * exp(x), x="float64[2,3]", y="float64[2,3]"),
                       example(lambda x, y: Dimshuffle((0, "x"))(y / (sum(exp(x), 1) / 3.0) / 3.0) * exp(x),
                               x="float64[2,3]", y="float64[2]"))),
    NodeRule("y / softmax(x) * softmax(x) - sum(y / softmax(x) * softmax(x)) * softmax(x) -> y - sum(y) * softmax(x)",
             ROUNDING, beside_softmax, (add, subtract), (TAG,), because="softmax underflows, and 0 / 0 is nan",
             examples=(example(_beside, x="float64[2,3]", y="float64[2,3]"),)),
    NodeRule("softmax(x) * (y / softmax(x) - sum(y / softmax(x) * softmax(x))) -> y - softmax(x) * sum(y)",
             ROUNDING, pulled_back, (multiply,), (TAG,), because="softmax underflows, and 0 / 0 is nan",
             examples=(example(lambda x, y: _back(x, lambda s: y / s), x="float64[2,3]", y="float64[2,3]"),
                       example(lambda x, y: _back(x, lambda s: (y / s.T).T), x="float64[2,3]", y="float64[3,2]"),
                       example(lambda x, y: _back(x, lambda s: (y / s.reshape((6,))).reshape((2, 3))),
                               x="float64[2,3]", y="float64[6]"),
                       example(lambda x, y, k: _back(x, lambda s: _put_back(s, y, k)), x="float64[2,3]",
                               y="float64[2]", k="int64[2]"))),
)  # fmt: skip
