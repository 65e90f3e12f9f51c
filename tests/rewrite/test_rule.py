"""Patterns match what their equation says, and rules keep dtype, shape and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.conversion import Cast
from graphlab.ops.elementwise import log, log1p, negative
from graphlab.ops.reduce import Sum
from graphlab.rewrite.rule import ANY, BOOL, EXACT, INTEGER, REAL, ROUNDING, NodeRule, Rule

LOG1P = Rule("log(1 + x) -> log1p(x)", ROUNDING, find=lambda x: log(1 + x), make=lambda x: log1p(x))


def owner(v: Variable) -> Apply:
    assert v.owner is not None
    return v.owner


def applied(rule: Rule | NodeRule, v: Variable) -> Any:
    """What `rule` makes of `v`, or None."""
    found = rule.match(owner(v)) if rule.concerns(owner(v).op) else None
    return None if found is None else rule.build(found)


def test_a_pattern_matches_its_own_form() -> None:
    x = T.dvector("x")
    new = applied(LOG1P, T.log(1 + x))
    assert owner(new).op is log1p
    assert owner(new).inputs == (x,)


def test_operands_of_commutative_ops_match_in_both_orders() -> None:
    x = T.dvector("x")
    assert applied(LOG1P, T.log(x + 1)) is not None


def test_operands_of_other_ops_match_in_their_order_only() -> None:
    rule = Rule("x - 0 -> x", EXACT, find=lambda x: x - 0, make=lambda x: x)
    x = T.dvector("x")
    assert applied(rule, x - 0) is x
    assert applied(rule, 0 - x) is None


def test_a_wildcard_matches_any_expression() -> None:
    x = T.dmatrix("x")
    new = applied(LOG1P, T.log(1 + T.sin(x).sum(axis=0)))
    assert owner(owner(new).inputs[0]).op == Sum((0,))


def test_another_constant_does_not_match() -> None:
    assert applied(LOG1P, T.log(2 + T.dvector("x"))) is None


def test_a_repeated_wildcard_is_one_variable() -> None:
    rule = Rule("x - x -> 0", EXACT, find=lambda x: x - x, make=lambda x: T.zeros_like(x), on=INTEGER)
    x, y = T.lvectors("x", "y")
    assert applied(rule, x - x) is not None
    assert applied(rule, x - y) is None


def test_a_repeated_wildcard_matches_equal_constants() -> None:
    rule = Rule("x*c + x*c", EXACT, find=lambda x, c: x * c + x * c, make=lambda x, c: x * (c + c),
                constants={"c": (3.0,)})  # fmt: skip
    x = T.dscalar("x")
    assert applied(rule, x * 3.0 + x * 3.0) is not None
    assert applied(rule, x * 3.0 + x * 4.0) is None


def test_a_constant_wildcard_matches_constants_only() -> None:
    rule = Rule("x * c", EXACT, find=lambda x, c: x * c, make=lambda x, c: x, constants={"c": (1.0,)})
    x, y = T.dscalars("x", "y")
    assert applied(rule, x * 5.0) is x
    assert applied(rule, x * y) is None


@pytest.mark.parametrize("one", [1.0, [1.0], [1.0, 1.0, 1.0], [[1.0]]])
def test_literals_match_arrays_that_are_full_of_them(one: Any) -> None:
    x = Variable(TensorType("float64", (3, 3)))
    rule = Rule("x * 1 -> x", EXACT, find=lambda x: x * 1, make=lambda x: x)
    assert applied(rule, x * Constant(one)) is x


def test_zero_and_minus_zero_are_two_literals() -> None:
    rule = Rule("x + -0.0 -> x", EXACT, find=lambda x: x + -0.0, make=lambda x: x)
    x = T.dvector("x")
    assert applied(rule, x + -0.0) is x
    assert applied(rule, x + 0.0) is None


def test_an_op_wildcard_binds_the_op_that_stands_there() -> None:
    rule = Rule("-sum(x) -> sum(-x)", ROUNDING, find=lambda x, total: -total(x), ops={"total": Sum},
                make=lambda x, total: total(-x))  # fmt: skip
    x = T.dmatrix("x")
    assert owner(applied(rule, -x.sum(axis=1, keepdims=True))).op == Sum((1,), True)
    assert applied(rule, -x.max(axis=1)) is None


def test_when_is_asked_with_the_bindings_it_names() -> None:
    rule = Rule("-x -> x", EXACT, find=lambda x: -x, make=lambda x: x, when=lambda x: x.name == "yes")
    assert applied(rule, -T.dscalar("yes")) is not None
    assert applied(rule, -T.dscalar("no")) is None


# ---- dtype ---------------------------------------------------------------------------------------


def test_a_rule_is_silent_outside_its_dtypes() -> None:
    x = T.lvector("x")
    assert applied(LOG1P, T.log(1 + x)) is None, "1 + x may wrap"


def test_a_rule_is_silent_where_dtypes_are_mixed() -> None:
    rule = Rule("x - (-y) -> x + y", EXACT, find=lambda x, y: x - (-y), make=lambda x, y: x + y, on=REAL)
    x, y = T.dvector("x"), T.bvector("y")
    assert applied(rule, x - (-y)) is None, "-y wraps in int8 before it is subtracted in float64"


def test_a_rule_never_changes_the_dtype() -> None:
    rule = Rule("x * 1 -> x", EXACT, find=lambda x: x * 1, make=lambda x: x, on={"x": ANY})
    x = T.fvector("x")
    assert applied(rule, x * 1) is x
    assert applied(rule, x * np.float64(1)) is None


def test_each_wildcard_may_have_its_own_dtypes() -> None:
    rule = Rule("where(c, x, x) -> x", EXACT, find=lambda c, x: T.where(c, x, x), make=lambda c, x: x,
                on={"c": BOOL, "x": ANY})  # fmt: skip
    x = T.dscalar("x")
    assert applied(rule, T.where(x > 0, x, x)) is x


# ---- shapes and errors ---------------------------------------------------------------------------

ADD_ZERO = Rule("x + 0 -> x", EXACT, find=lambda x: x + 0, make=lambda x: x, on=INTEGER)


def test_an_operand_that_may_stretch_the_result_stays() -> None:
    x = T.lvector("x")
    assert applied(ADD_ZERO, x + np.zeros(3, "int64")) is None, "x may have one element"
    assert applied(ADD_ZERO, x + np.zeros((1, 1), "int64")) is None, "the result has rank 2"
    assert applied(ADD_ZERO, x + np.zeros(1, "int64")) is x


def test_an_operand_goes_where_the_shape_is_known() -> None:
    x = Variable(TensorType("int64", (3,)))
    assert applied(ADD_ZERO, x + np.zeros(3, "int64")) is x


def test_an_operand_that_may_not_fit_stays() -> None:
    rule = Rule("where(True, x, y) -> x", EXACT, find=lambda x, y: T.where(True, x, y), make=lambda x, y: x)
    x, y = T.dvectors("x", "y")
    assert applied(rule, T.where(True, x, y)) is None
    assert applied(rule, T.where(True, x, T.sin(x))) is x


def test_an_error_in_what_is_dropped_does_not_vanish() -> None:
    rule = Rule("where(True, x, y) -> x", EXACT, find=lambda x, y: T.where(True, x, y), make=lambda x, y: x)
    x, z = Variable(TensorType("float64", (3,))), T.dvector("z")
    assert applied(rule, T.where(True, x, z.reshape((3,)))) is None, "z may not have three elements"
    assert applied(rule, T.where(True, x, T.sin(x))) is x


def test_a_node_rule_that_changes_the_type_is_silent() -> None:
    shorter = NodeRule("cast(x) -> x", EXACT, lambda node: node.inputs[0], (Cast,))
    x = T.fvector("x")
    assert applied(shorter, x.astype("float64")) is None


def test_a_rule_knows_where_it_is_written() -> None:
    file, line = LOG1P.source.split(":")
    assert file == "test_rule.py"
    assert "LOG1P = " in Path(__file__).read_text().splitlines()[int(line) - 1]


def test_find_must_apply_an_op() -> None:
    rule = Rule("x -> -x", EXACT, find=lambda x: x, make=lambda x: negative(x))
    with pytest.raises(TypeError, match="must apply an op"):
        assert rule.patterns
