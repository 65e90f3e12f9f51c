"""Comparison, logic and choice in their canonical form; checks that can't fail."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import BOOL, INTEGER, SIGNED, UNSIGNED
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.check import Check
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import (
    absolute,
    equal,
    greater,
    greater_equal,
    invert,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    not_equal,
    where,
)
from graphlab.ops.extents import full_like, ones_like, zeros_like
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.rule import ANY, EXACT, FLOAT, REAL, AnyRule, NodeRule, Rule, example

WHOLE = (*INTEGER, *BOOL)

# ---- comparisons ---------------------------------------------------------------------------------


def contrary(f: Elementwise, text: str, opposite: Elementwise, other: str) -> Rule:
    """The rule that the contrary of `f` is `opposite`."""
    return Rule(f"not (x {text} y) -> x {other} y", EXACT, find=lambda x, y: logical_not(f(x, y)),
                make=lambda x, y: opposite(x, y), on={"x": WHOLE, "y": WHOLE},
                because="not for floats: both are False for nan")  # fmt: skip


def itself(f: Elementwise, text: str, result: bool, on: tuple[str, ...]) -> Rule:
    """The rule for what is compared with itself."""
    return Rule(f"x {text} x -> {result}", EXACT, find=lambda x: f(x, x),
                make=lambda x: full_like(x, result, "bool"), on={"x": on},
                because="" if on == ANY else "not for floats: nan == nan is False")  # fmt: skip


def of_whole(f: Elementwise, result: bool) -> Rule:
    """The rule for isnan and its like where there is no NaN and no infinity."""
    return Rule(f"{f.name}(x) -> {result}", EXACT, find=lambda x: f(x), make=lambda x: full_like(x, result, "bool"),
                on={"x": WHOLE}, because="where x holds integers")  # fmt: skip


COMPARISONS: tuple[AnyRule, ...] = (
    Rule("not (x == y) -> x != y", EXACT, find=lambda x, y: logical_not(equal(x, y)), make=lambda x, y: not_equal(x, y),
         on={"x": ANY, "y": ANY}),
    Rule("not (x != y) -> x == y", EXACT, find=lambda x, y: logical_not(not_equal(x, y)), make=lambda x, y: equal(x, y),
         on={"x": ANY, "y": ANY}),
    contrary(less, "<", greater_equal, ">="),
    contrary(less_equal, "<=", greater, ">"),
    contrary(greater, ">", less_equal, "<="),
    contrary(greater_equal, ">=", less, "<"),
    itself(equal, "==", True, WHOLE),
    itself(not_equal, "!=", False, WHOLE),
    itself(less_equal, "<=", True, WHOLE),
    itself(greater_equal, ">=", True, WHOLE),
    itself(less, "<", False, ANY),
    itself(greater, ">", False, ANY),
    Rule("x >= 0 -> True", EXACT, find=lambda x: greater_equal(x, 0), make=lambda x: ones_like(x, "bool"),
         on={"x": UNSIGNED}, because="for unsigned integers"),
    Rule("x < 0 -> False", EXACT, find=lambda x: less(x, 0), make=lambda x: zeros_like(x, "bool"),
         on={"x": UNSIGNED}, because="for unsigned integers"),
    Rule("x - y < 0 -> x < y", EXACT, find=lambda x, y: less(x - y, 0), make=lambda x, y: less(x, y),
         on={"x": FLOAT, "y": FLOAT}, because="floats: integers wrap. A difference underflows gradually"),
    Rule("x - y > 0 -> x > y", EXACT, find=lambda x, y: greater(x - y, 0), make=lambda x, y: greater(x, y),
         on={"x": FLOAT, "y": FLOAT}, because="floats: integers wrap. A difference underflows gradually"),
    of_whole(isnan, False),
    of_whole(isinf, False),
    of_whole(isfinite, True),
)  # fmt: skip

# ---- logic and bits ------------------------------------------------------------------------------

LOGIC: tuple[AnyRule, ...] = (
    Rule("not (not x) -> x", EXACT, find=lambda x: logical_not(logical_not(x)), make=lambda x: x, on=BOOL),
    Rule("x and True -> x", EXACT, find=lambda x: logical_and(x, True), make=lambda x: x, on=BOOL),
    Rule("x and False -> False", EXACT, find=lambda x: logical_and(x, False), make=lambda x: zeros_like(x), on=BOOL),
    Rule("x or False -> x", EXACT, find=lambda x: logical_or(x, False), make=lambda x: x, on=BOOL),
    Rule("x or True -> True", EXACT, find=lambda x: logical_or(x, True), make=lambda x: ones_like(x), on=BOOL),
    Rule("x xor False -> x", EXACT, find=lambda x: logical_xor(x, False), make=lambda x: x, on=BOOL),
    Rule("x xor True -> not x", EXACT, find=lambda x: logical_xor(x, True), make=lambda x: logical_not(x), on=BOOL),
    Rule("x and x -> x", EXACT, find=lambda x: logical_and(x, x), make=lambda x: x, on=BOOL),
    Rule("x or x -> x", EXACT, find=lambda x: logical_or(x, x), make=lambda x: x, on=BOOL),
    Rule("x xor x -> False", EXACT, find=lambda x: logical_xor(x, x), make=lambda x: zeros_like(x), on=BOOL),
    Rule("x and not x -> False", EXACT, find=lambda x: logical_and(x, logical_not(x)), make=lambda x: zeros_like(x),
         on=BOOL),
    Rule("x or not x -> True", EXACT, find=lambda x: logical_or(x, logical_not(x)), make=lambda x: ones_like(x),
         on=BOOL),
    Rule("x and (x and y) -> x and y", EXACT, find=lambda x, y: logical_and(x, logical_and(x, y)),
         make=lambda x, y: logical_and(x, y), on=BOOL),
    Rule("x or (x or y) -> x or y", EXACT, find=lambda x, y: logical_or(x, logical_or(x, y)),
         make=lambda x, y: logical_or(x, y), on=BOOL),
    Rule("x and (x or y) -> x", EXACT, find=lambda x, y: logical_and(x, logical_or(x, y)), make=lambda x, y: x,
         on=BOOL),
    Rule("x or (x and y) -> x", EXACT, find=lambda x, y: logical_or(x, logical_and(x, y)), make=lambda x, y: x,
         on=BOOL),
    Rule("x == True -> x", EXACT, find=lambda x: equal(x, True), make=lambda x: x, on=BOOL),
    Rule("x == False -> not x", EXACT, find=lambda x: equal(x, False), make=lambda x: logical_not(x), on=BOOL),
    Rule("x != False -> x", EXACT, find=lambda x: not_equal(x, False), make=lambda x: x, on=BOOL),
    Rule("x != True -> not x", EXACT, find=lambda x: not_equal(x, True), make=lambda x: logical_not(x), on=BOOL),
)  # fmt: skip

BITS: tuple[AnyRule, ...] = (
    Rule("~~x -> x", EXACT, find=lambda x: invert(invert(x)), make=lambda x: x, on=WHOLE),
    Rule("x & x -> x", EXACT, find=lambda x: x & x, make=lambda x: x, on=WHOLE),
    Rule("x | x -> x", EXACT, find=lambda x: x | x, make=lambda x: x, on=WHOLE),
    Rule("x ^ x -> 0", EXACT, find=lambda x: x ^ x, make=lambda x: zeros_like(x), on=WHOLE),
    Rule("x & 0 -> 0", EXACT, find=lambda x: x & 0, make=lambda x: zeros_like(x), on=INTEGER),
    Rule("x & -1 -> x", EXACT, find=lambda x: x & -1, make=lambda x: x, on=SIGNED),
    Rule("x | 0 -> x", EXACT, find=lambda x: x | 0, make=lambda x: x, on=INTEGER),
    Rule("x | -1 -> -1", EXACT, find=lambda x: x | -1, make=lambda x: full_like(x, -1), on=SIGNED),
    Rule("x ^ 0 -> x", EXACT, find=lambda x: x ^ 0, make=lambda x: x, on=INTEGER),
    Rule("x ^ -1 -> ~x", EXACT, find=lambda x: x ^ -1, make=lambda x: invert(x), on=SIGNED),
    Rule("x & ~x -> 0", EXACT, find=lambda x: x & ~x, make=lambda x: zeros_like(x), on=WHOLE),
    Rule("x & (x & y) -> x & y", EXACT, find=lambda x, y: x & (x & y), make=lambda x, y: x & y, on=WHOLE),
    Rule("x | (x | y) -> x | y", EXACT, find=lambda x, y: x | (x | y), make=lambda x, y: x | y, on=WHOLE),
    Rule("x & (x | y) -> x", EXACT, find=lambda x, y: x & (x | y), make=lambda x, y: x, on=WHOLE),
    Rule("x | (x & y) -> x", EXACT, find=lambda x, y: x | (x & y), make=lambda x, y: x, on=WHOLE),
)  # fmt: skip

# ---- the larger and the smaller ------------------------------------------------------------------


def again(f: Elementwise) -> tuple[Rule, ...]:
    """The rules that the larger or the smaller of the same is the same."""
    return (
        Rule(f"{f.name}(x, x) -> x", EXACT, find=lambda x: f(x, x), make=lambda x: x, on=(*REAL, *BOOL)),
        Rule(f"{f.name}({f.name}(x, y), y) -> {f.name}(x, y)", EXACT, find=lambda x, y: f(f(x, y), y),
             make=lambda x, y: f(x, y), on=(*REAL, *BOOL)),
        Rule(f"{f.name}({f.name}(x, y), x) -> {f.name}(x, y)", EXACT, find=lambda x, y: f(f(x, y), x),
             make=lambda x, y: f(x, y), on=WHOLE,
             because="not for floats: 0.0 and -0.0 are equal, and the first is taken"),
        Rule(f"{f.name}(x, {f.name}(x, y)) -> {f.name}(x, y)", EXACT, find=lambda x, y: f(x, f(x, y)),
             make=lambda x, y: f(x, y), on=(*REAL, *BOOL)),
    )  # fmt: skip


EXTREMES: tuple[AnyRule, ...] = (
    *again(maximum),
    *again(minimum),
    Rule("maximum(x, -inf) -> x", EXACT, find=lambda x: maximum(x, -float("inf")), make=lambda x: x),
    Rule("minimum(x, inf) -> x", EXACT, find=lambda x: minimum(x, float("inf")), make=lambda x: x),
    Rule("maximum(x, 0) -> x", EXACT, find=lambda x: maximum(x, 0), make=lambda x: x, on=UNSIGNED,
         because="for unsigned integers"),
    Rule("minimum(x, 0) -> 0", EXACT, find=lambda x: minimum(x, 0), make=lambda x: zeros_like(x), on=UNSIGNED,
         because="for unsigned integers"),
    Rule("maximum(x, minimum(x, y)) -> x", EXACT, find=lambda x, y: maximum(x, minimum(x, y)), make=lambda x, y: x,
         on=WHOLE, because="not for floats: y may be nan"),
    Rule("minimum(x, maximum(x, y)) -> x", EXACT, find=lambda x, y: minimum(x, maximum(x, y)), make=lambda x, y: x,
         on=WHOLE, because="not for floats: y may be nan"),
)  # fmt: skip

# ---- choices -------------------------------------------------------------------------------------


def chosen(f: Elementwise, text: str, extreme: Elementwise) -> Rule:
    """The rule that a choice between what is compared is the larger or the smaller."""
    return Rule(f"where(x {text} y, x, y) -> {extreme.name}(x, y)", EXACT, find=lambda x, y: where(f(x, y), x, y),
                make=lambda x, y: extreme(x, y), on={"x": INTEGER, "y": INTEGER},
                because="for integers only: what is compared with nan is False")  # fmt: skip


def are_one_and_zero(one: Constant, zero: Constant) -> bool:
    """Whether these are scalars of value 1 and 0, not -0.0."""
    scalars = one.ndim == zero.ndim == 0
    return bool(scalars and one.data == 1 and zero.data == 0 and not np.signbit(np.real(zero.data)))


def one_of_equals(f: Elementwise, text: str) -> Rule:
    """The rule that of equal things either may be chosen."""
    first = f is not_equal
    return Rule(f"where(x {text} y, x, y) -> {'x' if first else 'y'}", EXACT,
                find=lambda x, y: where(f(x, y), x, y), make=lambda x, y: x if first else y,
                on={"x": INTEGER, "y": INTEGER}, because="not for floats: 0.0 == -0.0")  # fmt: skip


CHOICES: tuple[AnyRule, ...] = (
    Rule("where(True, x, y) -> x", EXACT, find=lambda x, y: where(True, x, y), make=lambda x, y: x,
         on={"x": ANY, "y": ANY}),
    Rule("where(False, x, y) -> y", EXACT, find=lambda x, y: where(False, x, y), make=lambda x, y: y,
         on={"x": ANY, "y": ANY}),
    Rule("where(c, x, x) -> x", EXACT, find=lambda c, x: where(c, x, x), make=lambda c, x: x,
         on={"c": BOOL, "x": ANY}),
    Rule("where(not c, x, y) -> where(c, y, x)", EXACT, find=lambda c, x, y: where(logical_not(c), x, y),
         make=lambda c, x, y: where(c, y, x), on={"c": BOOL, "x": ANY, "y": ANY}),
    Rule("where(c, where(c, x, y), z) -> where(c, x, z)", EXACT, find=lambda c, x, y, z: where(c, where(c, x, y), z),
         make=lambda c, x, z: where(c, x, z), on={"c": BOOL, "x": ANY, "y": ANY, "z": ANY}),
    Rule("where(c, x, where(c, y, z)) -> where(c, x, z)", EXACT, find=lambda c, x, y, z: where(c, x, where(c, y, z)),
         make=lambda c, x, z: where(c, x, z), on={"c": BOOL, "x": ANY, "y": ANY, "z": ANY}),
    Rule("where(c, True, False) -> c", EXACT, find=lambda c: where(c, True, False), make=lambda c: c, on=BOOL),
    Rule("where(c, False, True) -> not c", EXACT, find=lambda c: where(c, False, True),
         make=lambda c: logical_not(c), on=BOOL),
    Rule("where(c, x, False) -> c and x", EXACT, find=lambda c, x: where(c, x, False),
         make=lambda c, x: logical_and(c, x), on=BOOL),
    Rule("where(c, True, x) -> c or x", EXACT, find=lambda c, x: where(c, True, x),
         make=lambda c, x: logical_or(c, x), on=BOOL),
    Rule("where(c, 1, 0) -> cast(c)", EXACT, find=lambda c, one, zero: where(c, one, zero),
         make=lambda c, one: cast(c, one.dtype), on={"c": BOOL, "one": ANY, "zero": ANY},
         constants={"one": (1,), "zero": (0,)},
         when=lambda one, zero: are_one_and_zero(one, zero)),
    Rule("where(c, 0, 1) -> cast(not c)", EXACT, find=lambda c, zero, one: where(c, zero, one),
         make=lambda c, one: cast(logical_not(c), one.dtype), on={"c": BOOL, "zero": ANY, "one": ANY},
         constants={"zero": (0,), "one": (1,)},
         when=lambda zero, one: are_one_and_zero(one, zero)),
    chosen(less, "<", minimum),
    chosen(less_equal, "<=", minimum),
    chosen(greater, ">", maximum),
    chosen(greater_equal, ">=", maximum),
    one_of_equals(equal, "=="),
    one_of_equals(not_equal, "!="),
    Rule("where(x < 0, -x, x) -> |x|", EXACT, find=lambda x: where(less(x, 0), -x, x), make=lambda x: absolute(x),
         on={"x": SIGNED}, because="for integers only: -0.0 is not less than 0"),
    Rule("where(x > 0, x, -x) -> |x|", EXACT, find=lambda x: where(greater(x, 0), x, -x), make=lambda x: absolute(x),
         on={"x": SIGNED}, because="for integers only: nan is not greater than 0, and its sign would change"),
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
