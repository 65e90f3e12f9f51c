"""Stable forms: what is more accurate than the expression it replaces, and right where that breaks down.

They change the rounding (usually for the better), the sign of a zero, and results that overflowed or
cancelled on the way. NaN in gives NaN out, as before. The second table holds the forms that the
derivatives of naive expressions take, so that a gradient is as stable as its cost.
"""

from __future__ import annotations

from graphlab.graph.node import Variable
from graphlab.ops.elementwise import (
    exp,
    expm1,
    log,
    log1p,
    logaddexp,
    sigmoid,
    softplus,
    sqrt,
    square,
)
from graphlab.ops.extents import broadcast_to, shape_of
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.ops.special import erf, erfc
from graphlab.rewrite.rule import ROUNDING, AnyRule, Rule
from graphlab.rewrite.rule import STABLE as TAG


def keeps_place(total: Sum, x: Variable) -> bool:
    """Whether total(x) broadcasts against x as its own sum: kept axes, or one sum of everything."""
    return total.keepdims or len(total.over(x.ndim)) == x.ndim


def puts_back(total: Sum, back: Dimshuffle, x: Variable) -> bool:
    """Whether `back` puts the axes that `total` folded back in their places, as axes of extent 1."""
    folded = total.over(x.ndim)
    left = iter(range(x.ndim - len(folded)))
    return not total.keepdims and back.pattern == tuple("x" if a in folded else next(left) for a in range(x.ndim))


def alike(s: Softmax, total: Sum, again: Sum, x: Variable) -> bool:
    """Whether all fold the same axes, and both sums broadcast against x."""
    same = total.over(x.ndim) == again.over(x.ndim) == s.axes
    return same and again.keepdims and keeps_place(total, x)


def keeps_axes(s: Softmax, total: Sum, x: Variable) -> bool:
    """Whether the sum folds the axes of the softmax, and keeps them."""
    return total.keepdims and total.over(x.ndim) == s.axes


def softmax_like(total: Sum, x: Variable) -> Variable:
    """Softmax over the axes of `total`."""
    result: Variable = Softmax(total.over(x.ndim))(x)
    return result


VALUES: tuple[AnyRule, ...] = (
    Rule("log(1 + exp(x)) -> softplus(x)", ROUNDING, find=lambda x: log(1 + exp(x)), make=lambda x: softplus(x),
         tags=(TAG,), because="exp(800) overflows"),
    Rule("log1p(exp(x)) -> softplus(x)", ROUNDING, find=lambda x: log1p(exp(x)), make=lambda x: softplus(x),
         tags=(TAG,), because="exp(800) overflows"),
    Rule("log(1 + x) -> log1p(x)", ROUNDING, find=lambda x: log(1 + x), make=lambda x: log1p(x),
         tags=(TAG,), because="1 + 1e-20 is 1"),
    Rule("log(1 - x) -> log1p(-x)", ROUNDING, find=lambda x: log(1 - x), make=lambda x: log1p(-x),
         tags=(TAG,), because="1 - 1e-20 is 1"),
    Rule("exp(x) - 1 -> expm1(x)", ROUNDING, find=lambda x: exp(x) - 1, make=lambda x: expm1(x),
         tags=(TAG,), because="exp(1e-20) is 1"),
    Rule("1 - exp(x) -> -expm1(x)", ROUNDING, find=lambda x: 1 - exp(x), make=lambda x: -expm1(x),
         tags=(TAG,), because="exp(1e-20) is 1"),
    Rule("log(exp(x)) -> x", ROUNDING, find=lambda x: log(exp(x)), make=lambda x: x,
         tags=(TAG,), because="exp(800) overflows, exp(-800) underflows"),
    Rule("log(exp(x) + exp(y)) -> logaddexp(x, y)", ROUNDING, find=lambda x, y: log(exp(x) + exp(y)),
         make=lambda x, y: logaddexp(x, y), tags=(TAG,), because="exp(800) overflows"),
    Rule("log(sum(exp(x))) -> logsumexp(x)", ROUNDING, find=lambda x, total: log(total(exp(x))), ops={"total": Sum},
         make=lambda x, total: LogSumExp(total.over(x.ndim), total.keepdims)(x),
         tags=(TAG,), because="exp(1000) overflows"),
    Rule("log(softmax(x)) -> log_softmax(x)", ROUNDING, find=lambda x, s: log(s(x)), ops={"s": Softmax},
         make=lambda x, s: LogSoftmax(s.axes)(x), tags=(TAG,), because="softmax underflows to 0"),
    Rule("exp(x) / sum(exp(x)) -> softmax(x)", ROUNDING, find=lambda x, total: exp(x) / total(exp(x)),
         ops={"total": Sum}, make=lambda x, total: softmax_like(total, x), when=keeps_place,
         tags=(TAG,), because="exp(1000) overflows"),
    Rule("1 / (1 + exp(-x)) -> sigmoid(x)", ROUNDING, find=lambda x: 1 / (1 + exp(-x)), make=lambda x: sigmoid(x),
         tags=(TAG,), because="exp(800) overflows"),
    Rule("1 / (1 + exp(x)) -> sigmoid(-x)", ROUNDING, find=lambda x: 1 / (1 + exp(x)), make=lambda x: sigmoid(-x),
         tags=(TAG,), because="exp(800) overflows"),
    Rule("exp(x) / (1 + exp(x)) -> sigmoid(x)", ROUNDING, find=lambda x: exp(x) / (1 + exp(x)),
         make=lambda x: sigmoid(x), tags=(TAG,), because="inf / inf is nan"),
    Rule("1 - sigmoid(x) -> sigmoid(-x)", ROUNDING, find=lambda x: 1 - sigmoid(x), make=lambda x: sigmoid(-x),
         tags=(TAG,), because="sigmoid(40) is 1"),
    Rule("log(sigmoid(x)) -> -softplus(-x)", ROUNDING, find=lambda x: log(sigmoid(x)), make=lambda x: -softplus(-x),
         tags=(TAG,), because="sigmoid(-800) underflows to 0"),
    Rule("log1p(-sigmoid(x)) -> -softplus(x)", ROUNDING, find=lambda x: log1p(-sigmoid(x)),
         make=lambda x: -softplus(x), tags=(TAG,), because="sigmoid(40) is 1"),
    Rule("sqrt(square(x)) -> |x|", ROUNDING, find=lambda x: sqrt(square(x)), make=lambda x: abs(x),
         tags=(TAG,), because="square(1e200) overflows"),
    Rule("1 - erf(x) -> erfc(x)", ROUNDING, find=lambda x: 1 - erf(x), make=lambda x: erfc(x),
         tags=(TAG,), because="erf(6) is 1"),
)  # fmt: skip

DERIVATIVES: tuple[AnyRule, ...] = (
    Rule("y / (1 + exp(x)) -> y * sigmoid(-x)", ROUNDING, find=lambda x, y: y / (1 + exp(x)),
         make=lambda x, y: y * sigmoid(-x), tags=(TAG,), because="exp(800) overflows"),
    Rule("sigmoid(x) * exp(-x) -> sigmoid(-x)", ROUNDING, find=lambda x: sigmoid(x) * exp(-x),
         make=lambda x: sigmoid(-x), tags=(TAG,), because="0 * inf is nan"),
    Rule("sigmoid(-x) * exp(x) -> sigmoid(x)", ROUNDING, find=lambda x: sigmoid(-x) * exp(x),
         make=lambda x: sigmoid(x), tags=(TAG,), because="0 * inf is nan"),
    Rule("(y * sigmoid(x)) * exp(-x) -> y * sigmoid(-x)", ROUNDING, find=lambda x, y: (y * sigmoid(x)) * exp(-x),
         make=lambda x, y: y * sigmoid(-x), tags=(TAG,), because="0 * inf is nan"),
    Rule("(y * sigmoid(-x)) * exp(x) -> y * sigmoid(x)", ROUNDING, find=lambda x, y: (y * sigmoid(-x)) * exp(x),
         make=lambda x, y: y * sigmoid(x), tags=(TAG,), because="0 * inf is nan"),
    Rule("((y / sigmoid(x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(-x)", ROUNDING,
         find=lambda x, y: ((y / sigmoid(x)) * sigmoid(x)) * sigmoid(-x), make=lambda x, y: y * sigmoid(-x),
         tags=(TAG,), because="sigmoid(-800) underflows, and 0 / 0 is nan"),
    Rule("((y / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(x)", ROUNDING,
         find=lambda x, y: ((y / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x), make=lambda x, y: y * sigmoid(x),
         tags=(TAG,), because="sigmoid(-800) underflows, and 0 / 0 is nan"),
    Rule("(y / sum(exp(x))) * exp(x) -> y * softmax(x)", ROUNDING,
         find=lambda x, y, total: (y / total(exp(x))) * exp(x), ops={"total": Sum},
         make=lambda x, y, total: y * softmax_like(total, x), when=keeps_place,
         tags=(TAG,), because="inf / inf is nan"),
    Rule("dimshuffle(y / sum(exp(x))) * exp(x) -> dimshuffle(y) * softmax(x)", ROUNDING,
         find=lambda x, y, total, back: back(y / total(exp(x))) * exp(x), ops={"total": Sum, "back": Dimshuffle},
         make=lambda x, y, total, back: back(broadcast_to(y, shape_of(total(x)))) * softmax_like(total, x),
         when=lambda x, y, total, back: puts_back(total, back, x) and y.ndim <= x.ndim - len(total.over(x.ndim)),
         tags=(TAG,), because="inf / inf is nan"),
    Rule("(y / sum(exp(x)) + sum(-(z * softmax(x) / sum(exp(x))))) * exp(x)"
         " -> y * softmax(x) - sum(z * softmax(x)) * softmax(x)", ROUNDING,
         find=lambda x, y, z, s, total, again: (y / total(exp(x)) + again(-(z * s(x) / total(exp(x))))) * exp(x),
         make=lambda x, y, z, s, again: y * s(x) - again(z * s(x)) * s(x), when=alike,
         ops={"s": Softmax, "total": Sum, "again": Sum}, tags=(TAG,), because="inf / inf is nan"),
    Rule("sum(-(z * softmax(x) / sum(exp(x)))) * exp(x) -> -(sum(z * softmax(x)) * softmax(x))", ROUNDING,
         find=lambda x, z, s, total, again: again(-(z * s(x) / total(exp(x)))) * exp(x),
         make=lambda x, z, s, again: -(again(z * s(x)) * s(x)), when=alike,
         ops={"s": Softmax, "total": Sum, "again": Sum}, tags=(TAG,), because="inf / inf is nan"),
    Rule("y / softmax(x) * softmax(x) - sum(y / softmax(x) * softmax(x)) * softmax(x) -> y - sum(y) * softmax(x)",
         ROUNDING, find=lambda x, y, s, total: y / s(x) * s(x) - total(y / s(x) * s(x)) * s(x), when=keeps_axes,
         make=lambda x, y, s, total: broadcast_to(y, shape_of(x)) - total(broadcast_to(y, shape_of(x))) * s(x),
         ops={"s": Softmax, "total": Sum}, tags=(TAG,), because="softmax underflows, and 0 / 0 is nan"),
    Rule("softmax(x) * (y / softmax(x) - sum(y / softmax(x) * softmax(x))) -> y - softmax(x) * sum(y)", ROUNDING,
         find=lambda x, y, s, total: s(x) * (y / s(x) - total(y / s(x) * s(x))), ops={"s": Softmax, "total": Sum},
         make=lambda x, y, s, total: broadcast_to(y, shape_of(x)) - s(x) * total(broadcast_to(y, shape_of(x))),
         when=keeps_axes, tags=(TAG,), because="softmax underflows, and 0 / 0 is nan"),
)  # fmt: skip
