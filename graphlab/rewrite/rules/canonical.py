"""Canonical forms: one way to write each thing, and nothing computed that need not be."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from graphlab.dtypes import COMPLEX, FLOAT, INTEGER, SIGNED
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.check import Check
from graphlab.ops.conversion import Cast, cast
from graphlab.ops.elementwise import (
    absolute,
    equal,
    greater_equal,
    invert,
    less,
    logical_not,
    maximum,
    minimum,
    negative,
    not_equal,
    power,
    reciprocal,
    square,
    where,
)
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, shape_of, zeros_like
from graphlab.ops.nnet import LogSumExp
from graphlab.ops.products import Prod
from graphlab.ops.reduce import All_, Any_, Max, Min, Reduce, Sum
from graphlab.ops.shape import Dimshuffle, dimshuffle, expand_dims
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.facts import broadcast, facts, fails_only_with, may_drop, never_fails, same_extents
from graphlab.rewrite.rule import ANY, BOOL, EXACT, REAL, ROUNDING, AnyRule, NodeRule, Rule

FOLD_LIMIT = 1 << 16  # elements: a larger result is not folded unless its operands are as large

# ---- guards --------------------------------------------------------------------------------------


def is_number(c: Constant, value: float) -> bool:
    """Whether `c` is a scalar of that value."""
    return c.ndim == 0 and bool(c.data == value)


def has_exact_reciprocal(c: Constant) -> bool:
    """Whether 1/c is exact: powers of two, as far as their reciprocals are normal numbers."""
    with np.errstate(all="ignore"):
        mantissa, _ = np.frexp(c.data)
        inverse = np.abs(1 / c.data)
    info = np.finfo(c.data.dtype)
    return bool(np.all((np.abs(mantissa) == 0.5) & (inverse >= info.tiny) & (inverse <= info.max)))


def joins_small(c: Constant, d: Constant) -> bool:
    """Whether a constant of both, broadcast together, is no larger than the larger of them."""
    return bool(np.prod(np.broadcast_shapes(c.data.shape, d.data.shape)) <= max(c.data.size, d.data.size, 1))


def scale_alike(c: Constant, d: Constant) -> bool:
    """Whether c and d both enlarge or both shrink, so that c*d overflows or underflows only where both steps do."""
    if not joins_small(c, d):
        return False
    with np.errstate(all="ignore"):
        sizes, product = (np.abs(c.data), np.abs(d.data)), np.abs(c.data * d.data)
    info = np.finfo(c.data.dtype)
    grow, shrink = (all(np.all(s >= 1) for s in sizes), all(np.all(s <= 1) for s in sizes))
    return bool((grow or shrink) and np.all(product >= info.tiny) and np.all(product <= info.max))


# ---- constants -----------------------------------------------------------------------------------


def fold(node: Apply) -> tuple[Variable, ...] | None:
    """The outputs as constants if all inputs are; None where computing them fails or would take much room."""
    if not node.inputs or node.op.effects or not all(isinstance(v, Constant) for v in node.inputs):
        return None
    sizes = [_size(v) for v in node.outputs]
    given = sum(v.data.size for v in node.inputs if isinstance(v, Constant))
    if any(size is None or size > max(FOLD_LIMIT, given) for size in sizes):
        return None
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = node.op.evaluate(*(v.data for v in node.inputs if isinstance(v, Constant)))
    except Exception:  # whatever it is, the run will say it with the user's line
        return None
    fits = all(value.dtype.name == v.dtype for value, v in zip(values, node.outputs, strict=True))
    return tuple(map(Constant, values)) if fits else None


def _size(v: Variable) -> int | None:
    extents = v.type.shape
    return None if None in extents else int(np.prod([n for n in extents if n is not None], dtype=np.int64))


FOLD: tuple[AnyRule, ...] = (
    NodeRule("f(constants) -> constant", EXACT, fold, because="NumPy computes it, once, as it would in each run"),
)

# ---- arithmetic ----------------------------------------------------------------------------------

IDENTITIES: tuple[AnyRule, ...] = (
    Rule("x + 0 -> x", EXACT, find=lambda x: x + 0, make=lambda x: x, on=INTEGER,
         because="not for floats, where -0.0 + 0 is 0.0"),
    Rule("x + -0.0 -> x", EXACT, find=lambda x: x + -0.0, make=lambda x: x),
    Rule("x - 0 -> x", EXACT, find=lambda x: x - 0, make=lambda x: x, on=REAL),
    Rule("x * 1 -> x", EXACT, find=lambda x: x * 1, make=lambda x: x, on=REAL),
    Rule("x / 1 -> x", EXACT, find=lambda x: x / 1, make=lambda x: x),
    Rule("x // 1 -> x", EXACT, find=lambda x: x // 1, make=lambda x: x, on=INTEGER),
    Rule("x * 0 -> 0", EXACT, find=lambda x: x * 0, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: nan * 0 is nan"),
    Rule("x - x -> 0", EXACT, find=lambda x: x - x, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: inf - inf is nan"),
    Rule("x * -1 -> -x", EXACT, find=lambda x: x * -1, make=lambda x: -x, on=REAL),
)  # fmt: skip

NEGATIONS: tuple[AnyRule, ...] = (
    Rule("-(-x) -> x", EXACT, find=lambda x: negative(-x), make=lambda x: x, on=(*REAL, *COMPLEX)),
    Rule("x - (-y) -> x + y", EXACT, find=lambda x, y: x - (-y), make=lambda x, y: x + y, on=REAL),
    Rule("x + (-y) -> x - y", EXACT, find=lambda x, y: x + (-y), make=lambda x, y: x - y, on=REAL),
    Rule("0 - x -> -x", EXACT, find=lambda x: 0 - x, make=lambda x: -x, on=INTEGER,
         because="for integers only: 0 - 0.0 is 0.0"),
    Rule("(-x) * (-y) -> x * y", EXACT, find=lambda x, y: (-x) * (-y), make=lambda x, y: x * y, on=REAL),
    Rule("(-x) * y -> -(x * y)", EXACT, find=lambda x, y: (-x) * y, make=lambda x, y: -(x * y), on=REAL,
         because="rounding is symmetric, and integers wrap"),
    Rule("(-x) / y -> -(x / y)", EXACT, find=lambda x, y: (-x) / y, make=lambda x, y: -(x / y)),
    Rule("x / (-y) -> -(x / y)", EXACT, find=lambda x, y: x / (-y), make=lambda x, y: -(x / y)),
    Rule("|-x| -> |x|", EXACT, find=lambda x: abs(-x), make=lambda x: abs(x), on=(*FLOAT, *SIGNED)),
    Rule("||x|| -> |x|", EXACT, find=lambda x: abs(abs(x)), make=lambda x: abs(x), on=REAL),
    Rule("square(-x) -> square(x)", EXACT, find=lambda x: square(-x), make=lambda x: square(x), on=REAL),
    Rule("square(|x|) -> square(x)", EXACT, find=lambda x: square(absolute(x)), make=lambda x: square(x), on=REAL),
)  # fmt: skip

POWERS: tuple[AnyRule, ...] = (
    Rule("x ** 1 -> x", EXACT, find=lambda x: x**1, make=lambda x: x, on=REAL),
    Rule("x * x -> square(x)", EXACT, find=lambda x: x * x, make=lambda x: square(x), on=REAL),
    Rule("x ** 2 -> square(x)", EXACT, find=lambda x, c: power(x, c), make=lambda x: square(x), on=REAL,
         constants={"c": (2,)}, when=lambda c: is_number(c, 2),
         because="numpy.power multiplies if the exponent is the scalar 2"),
    Rule("x ** 3 -> square(x) * x", EXACT, find=lambda x: x**3, make=lambda x: square(x) * x, on=INTEGER,
         because="integers wrap, in whichever order they are multiplied"),
    Rule("x ** 3 -> square(x) * x", ROUNDING, find=lambda x: x**3, make=lambda x: square(x) * x,
         because="rounded twice instead of once"),
    Rule("x ** -1 -> 1 / x", ROUNDING, find=lambda x: x**-1, make=lambda x: 1 / x,
         because="a division is rounded correctly, pow need not be"),
    Rule("reciprocal(x) -> 1 / x", EXACT, find=lambda x: reciprocal(x), make=lambda x: 1 / x),
    Rule("x / c -> x * (1/c)", EXACT, find=lambda x, c: x / c, make=lambda x, c: x * Constant(1 / c.data),
         constants={"c": (2.0, -0.25)}, when=has_exact_reciprocal,
         because="for powers of two only: then 1/c is exact and both are the same number, rounded once"),
)  # fmt: skip

REGROUPINGS: tuple[AnyRule, ...] = (
    Rule("(x + c) + d -> x + (c + d)", EXACT, find=lambda x, c, d: (x + c) + d, make=lambda x, c, d: x + (c + d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("(x * c) * d -> x * (c * d)", EXACT, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("(x * c) * d -> x * (c * d)", ROUNDING, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         constants={"c": (3.0, 0.3), "d": (7.0, 0.7)}, when=scale_alike,
         because="where both factors enlarge or both shrink; else x * c may overflow and x * (c * d) not"),
)  # fmt: skip

# ---- comparison and choice -----------------------------------------------------------------------

LOGIC: tuple[AnyRule, ...] = (
    Rule("not (not x) -> x", EXACT, find=lambda x: logical_not(logical_not(x)), make=lambda x: x, on=BOOL),
    Rule("not (x == y) -> x != y", EXACT, find=lambda x, y: logical_not(equal(x, y)), make=lambda x, y: not_equal(x, y),
         on={"x": ANY, "y": ANY}),
    Rule("not (x != y) -> x == y", EXACT, find=lambda x, y: logical_not(not_equal(x, y)), make=lambda x, y: equal(x, y),
         on={"x": ANY, "y": ANY}),
    Rule("not (x < y) -> x >= y", EXACT, find=lambda x, y: logical_not(less(x, y)),
         make=lambda x, y: greater_equal(x, y), on={"x": INTEGER, "y": INTEGER},
         because="for integers only: both are False for nan"),
    Rule("~~x -> x", EXACT, find=lambda x: invert(invert(x)), make=lambda x: x, on=(*INTEGER, *BOOL)),
    Rule("x & x -> x", EXACT, find=lambda x: x & x, make=lambda x: x, on=(*INTEGER, *BOOL)),
    Rule("x | x -> x", EXACT, find=lambda x: x | x, make=lambda x: x, on=(*INTEGER, *BOOL)),
    Rule("maximum(x, x) -> x", EXACT, find=lambda x: maximum(x, x), make=lambda x: x, on=(*REAL, *BOOL)),
    Rule("minimum(x, x) -> x", EXACT, find=lambda x: minimum(x, x), make=lambda x: x, on=(*REAL, *BOOL)),
    Rule("where(True, x, y) -> x", EXACT, find=lambda x, y: where(True, x, y), make=lambda x, y: x,
         on={"x": ANY, "y": ANY}),
    Rule("where(False, x, y) -> y", EXACT, find=lambda x, y: where(False, x, y), make=lambda x, y: y,
         on={"x": ANY, "y": ANY}),
    Rule("where(c, x, x) -> x", EXACT, find=lambda c, x: where(c, x, x), make=lambda c, x: x,
         on={"c": BOOL, "x": ANY}),
    Rule("where(not c, x, y) -> where(c, y, x)", EXACT, find=lambda c, x, y: where(logical_not(c), x, y),
         make=lambda c, x, y: where(c, y, x), on={"c": BOOL, "x": ANY, "y": ANY}),
)  # fmt: skip

# ---- casts ---------------------------------------------------------------------------------------


def keeps_values(source: str, target: str) -> bool:
    """Whether every value of dtype `source` is one of dtype `target`."""
    lossy = source in ("int64", "uint64") and target in (*FLOAT, *COMPLEX)  # which NumPy calls safe
    return not lossy and np.can_cast(source, target, "safe")


def shorter_cast(node: Apply) -> Variable | None:
    """cast(cast(x, a), b) is cast(x, b) where a holds every value of x and casting from it is the same."""
    (inner,) = node.inputs
    if inner.owner is None or not isinstance(inner.owner.op, Cast):
        return None
    (x,) = inner.owner.inputs
    # Floats out of range become integers as the machine likes, so only integers may go on to integers.
    to_integer = node.outputs[0].dtype in INTEGER and inner.dtype not in (*INTEGER, *BOOL)
    return cast(x, node.outputs[0].dtype) if keeps_values(x.dtype, inner.dtype) and not to_integer else None


def same_dtype(node: Apply) -> Variable | None:
    """A cast to the dtype that the operand has."""
    (x,) = node.inputs
    return x if x.dtype == node.outputs[0].dtype else None


CASTS: tuple[AnyRule, ...] = (
    NodeRule("cast(x, x.dtype) -> x", EXACT, same_dtype, (Cast,)),
    NodeRule("cast(cast(x, a), b) -> cast(x, b)", EXACT, shorter_cast, (Cast,), because="where a holds all that x can"),
)

# ---- shapes --------------------------------------------------------------------------------------


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


SHAPES: tuple[AnyRule, ...] = (
    NodeRule("dimshuffle(dimshuffle(x)) -> dimshuffle(x)", EXACT, shuffled_once, (Dimshuffle,)),
    NodeRule("dimshuffle(reduce(x)) -> reduce(x)", EXACT, kept_axes, (Dimshuffle,),
             because="where it puts the folded axes back, or drops them"),
    NodeRule("reshape(x, its shape) -> x", EXACT, already_so, (Reshape,)),
    NodeRule("reshape(reshape(x)) -> reshape(x)", EXACT, reshaped_once, (Reshape,),
             because="where the inner one is known to fit: an error must not vanish"),
    NodeRule("broadcast_to(x, its shape) -> x", EXACT, already_so, (BroadcastTo,)),
    NodeRule("sum_to(g, like its shape) -> g", EXACT, already_so, (SumTo,)),
    NodeRule("sum_to(g, like) -> sum(g)", EXACT, plain_sum, (SumTo,), because="where the summed axes are known"),
    NodeRule("f(broadcast_to(x), y) -> f(x, y)", EXACT, without_broadcast, (Elementwise,),
             because="where y has the shape already"),
    NodeRule("shape(f(x)) -> shape(x)", EXACT, shape_of_operand, (ShapeOf,), because="where f keeps it"),
    NodeRule("reduce(reduce(x)) -> reduce(x)", EXACT, reduced_once, (Sum, Prod, Max, Min, Any_, All_),
             because="sums and products of integers, extremes, any and all; or over no axes"),
)  # fmt: skip

# ---- checks --------------------------------------------------------------------------------------


def certainly_true(node: Apply) -> Variable | None:
    """A check whose conditions are all known to be true."""
    x, *conditions = node.inputs
    return x if all(isinstance(c, Constant) and c.data.all() for c in conditions) else None


CHECKS: tuple[AnyRule, ...] = (NodeRule("check(x, True) -> x", EXACT, certainly_true, (Check,)),)

CANONICAL: tuple[AnyRule, ...] = (
    *IDENTITIES, *NEGATIONS, *POWERS, *REGROUPINGS, *LOGIC, *CASTS, *SHAPES, *CHECKS,
)  # fmt: skip
