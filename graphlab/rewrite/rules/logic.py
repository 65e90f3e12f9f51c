"""Comparison, logic and choice in their canonical form; checks that can't fail."""

from __future__ import annotations

from graphlab.dtypes import BOOL, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.check import Check
from graphlab.ops.elementwise import (
    equal,
    greater_equal,
    invert,
    less,
    logical_not,
    maximum,
    minimum,
    not_equal,
    where,
)
from graphlab.rewrite.rule import ANY, EXACT, REAL, AnyRule, NodeRule, Rule, example

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

# ---- checks --------------------------------------------------------------------------------------


def certainly_true(node: Apply) -> Variable | None:
    """A check whose conditions are all known to be true."""
    x, *conditions = node.inputs
    return x if all(isinstance(c, Constant) and c.data.all() for c in conditions) else None


CHECKS: tuple[AnyRule, ...] = (
    NodeRule("check(x, True) -> x", EXACT, certainly_true, (Check,),
             examples=(example(lambda x: Check("it holds")(x, Constant([True, True])), x="float64[2,3]"),)),
)  # fmt: skip
