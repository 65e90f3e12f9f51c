"""Arithmetic and logic with fewer operations: what they replace may have other users, so that it may not pay."""

from __future__ import annotations

from graphlab.dtypes import BOOL, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.elementwise import exp, isnan, logical_and, logical_not, logical_or, where
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.facts import same_extents
from graphlab.rewrite.rule import EXACT, REAL, AnyRule, NodeRule, Rule, example


def of_chosen(node: Apply) -> Variable | None:
    """where(c, f(x), f(y)) is f(where(c, x, y))."""
    c, a, b = node.inputs
    f = None if a.owner is None else a.owner.op
    if a.owner is None or b.owner is None or b.owner.op is not f or not isinstance(f, Elementwise) or f.arity != 1:
        return None
    (x,), (y,) = a.owner.inputs, b.owner.inputs
    whole = same_extents(a, node.outputs[0]) and same_extents(b, node.outputs[0])
    return f(where(c, x, y)) if whole and x.dtype == y.dtype else None


# What they replace may have other users: they are applied only where fewer operations are left.
ARITHMETIC_ONCE: tuple[AnyRule, ...] = (
    Rule("-(x * c) -> x * (-c)", EXACT, find=lambda x, c: -(x * c), make=lambda x, c: x * Constant(-c.data), on=REAL,
         constants={"c": (3, 100)}, because="rounding is symmetric, and integers wrap"),
    Rule("-(x / c) -> x / (-c)", EXACT, find=lambda x, c: -(x / c), make=lambda x, c: x / Constant(-c.data),
         constants={"c": (3.0, 0.0)}, because="rounding is symmetric"),
    Rule("-(c / x) -> (-c) / x", EXACT, find=lambda x, c: -(c / x), make=lambda x, c: Constant(-c.data) / x,
         constants={"c": (3.0, 0.0)}, because="rounding is symmetric"),
    Rule("|x| * |y| -> |x * y|", EXACT, find=lambda x, y: abs(x) * abs(y), make=lambda x, y: abs(x * y),
         because="rounding is symmetric"),
    Rule("|x| / |y| -> |x / y|", EXACT, find=lambda x, y: abs(x) / abs(y), make=lambda x, y: abs(x / y),
         because="rounding is symmetric"),
    Rule("x * y + x * z -> x * (y + z)", EXACT, find=lambda x, y, z: x * y + x * z, make=lambda x, y, z: x * (y + z),
         on=INTEGER, because="integers wrap in any order"),
    Rule("x * y - x * z -> x * (y - z)", EXACT, find=lambda x, y, z: x * y - x * z, make=lambda x, y, z: x * (y - z),
         on=INTEGER, because="integers wrap in any order"),
    Rule("~x & ~y -> ~(x | y)", EXACT, find=lambda x, y: ~x & ~y, make=lambda x, y: ~(x | y), on=(*INTEGER, *BOOL)),
    Rule("~x | ~y -> ~(x & y)", EXACT, find=lambda x, y: ~x | ~y, make=lambda x, y: ~(x & y), on=(*INTEGER, *BOOL)),
    Rule("not x and not y -> not (x or y)", EXACT, find=lambda x, y: logical_and(logical_not(x), logical_not(y)),
         make=lambda x, y: logical_not(logical_or(x, y)), on=BOOL),
    Rule("not x or not y -> not (x and y)", EXACT, find=lambda x, y: logical_or(logical_not(x), logical_not(y)),
         make=lambda x, y: logical_not(logical_and(x, y)), on=BOOL),
    NodeRule("where(c, f(x), f(y)) -> f(where(c, x, y))", EXACT, of_chosen, (where,),
             because="for each f of one operand",
             examples=(example(lambda c, x, y: where(c, exp(x), exp(y)), c="bool[5]", x="float64[5]", y="float64[5]"),
                       example(lambda c, x, y: where(c, isnan(x), isnan(y)), c="bool", x="float32[5]",
                               y="float32[5]"))),
)  # fmt: skip
