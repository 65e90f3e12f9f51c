"""Each rewrite judged on real values, and the first that changes an output found."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError
from graphlab.rewrite.rule import EXACT, Rule
from graphlab.rewrite.verdicts import error

WRONG = Rule("sin(x) -> tan(x)", EXACT, find=lambda x: T.sin(x), make=lambda x: T.tan(x))
SLIGHTLY = Rule("tanh(x) -> x", EXACT, find=lambda x: T.tanh(x), make=lambda x: x)


def mode(*rules: Rule, name: str = "fast_run") -> graphlab.Mode:
    return graphlab.mode(name).including(*rules)


# ---- comparing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "want", "off"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([0.0], [-0.0], 0.0),
        ([np.inf, 1.0], [np.inf, 1.5], 1 / 3),
        ([np.inf], [-np.inf], np.inf),
        ([np.nan], [1.0], np.inf),
        ([1e308], [-1e308], 2.0),
        ([], [], 0.0),
        ([1], [2], np.inf),
        ([1.0, 2.0], [1.0], np.inf),
        ([1 + 1j], [1 + 1j], 0.0),
    ],
)
def test_the_error_is_measured_by_the_largest_finite_value(got: list[float], want: list[float], off: float) -> None:
    assert error(np.array(got), np.array(want)) == pytest.approx(off)


def test_another_dtype_is_another_value() -> None:
    assert error(np.ones(2, "float32"), np.ones(2)) == np.inf


# ---- check ---------------------------------------------------------------------------------------


def test_every_rewrite_has_a_verdict_and_the_table_totals() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.sin(x * 1) + T.log(1 + x), mode=mode(WRONG))
    table = f.trace.check([0.5, 1.0])
    by_rule = {row.rewrite.rule: row for row in table.rows}
    assert by_rule["x * 1 -> x"].verdict == "exact"
    assert by_rule["log(1 + x) -> log1p(x)"].verdict in ("exact", "rounding")
    assert by_rule["log(1 + x) -> log1p(x)"].error < 1e-15
    wrong = by_rule["sin(x) -> tan(x)"]
    assert wrong.verdict == "diverged"
    np.testing.assert_allclose(wrong.before, np.sin([0.5, 1.0]))
    np.testing.assert_allclose(wrong.after, np.tan([0.5, 1.0]))
    assert table.diverged == (wrong,)
    text = str(table)
    assert "sin(x) -> tan(x)" in text
    assert "test_verdicts.py:" in text
    assert text.splitlines()[-1].startswith(f"{len(table.rows)} rewrites: ")
    assert "1 diverged" in table.totals


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (lambda x: T.log(1 + T.exp(x)), 800.0),
        (lambda x: T.log(T.sigmoid(x)), -800.0),
        (lambda x: T.log(1 / (1 + T.exp(-x))), -800.0),
        (lambda x: T.log(T.exp(x).sum()), 1000.0),
    ],
)
def test_a_form_that_overflowed_is_repaired_not_diverged(form, value) -> None:  # type: ignore[no-untyped-def]
    x = T.dvector("x")
    table = graphlab.function([x], form(x)).trace.check([value, value])
    assert "repaired" in [row.verdict for row in table.rows]
    assert not table.diverged


def test_a_wrong_rule_that_turns_an_overflow_into_a_number_is_not_repaired() -> None:
    wrong = Rule("log(exp(x)) -> -x", "rounding", find=lambda x: T.log(T.exp(x)), make=lambda x: -x)
    x = T.dvector("x")
    f = graphlab.function([x], T.log(T.exp(x)), mode=mode(wrong))
    assert [row.verdict for row in f.trace.check([800.0]).rows] == ["diverged"]


def test_cancellation_is_measured_by_the_operands() -> None:
    x, y = T.dvectors("x", "y")
    order = Rule(
        "(x + y) - z -> (x - z) + y", "rounding", find=lambda x, y, z: (x + y) - z, make=lambda x, y, z: (x - z) + y
    )
    f = graphlab.function([x, y], (x + y) - x, mode=mode(order))
    (row,) = f.trace.check(np.linspace(1e6, 2e6, 9), np.linspace(0.1, 0.7, 9)).rows
    assert row.verdict == "rounding"
    assert 0 < row.error < 1e-15


def test_rewrites_inside_a_loop_are_judged_in_its_turns() -> None:
    x = T.dvector("x")
    values, _ = graphlab.scan(lambda v: T.sin(v) * 1, sequences=x)
    table = graphlab.function([x], values, mode=mode(WRONG)).trace.check([0.5, 1.0])
    verdicts = {row.rewrite.rule: (row.verdict, bool(row.note)) for row in table.rows}
    assert verdicts["sin(x) -> tan(x)"] == ("diverged", False)
    assert verdicts["x * 1 -> x"] == ("exact", False)


def test_a_loop_that_keeps_less_is_judged_by_what_is_read_of_it() -> None:
    x = T.dvector("x")
    values, _ = graphlab.scan(lambda v, s: s + v, sequences=x, outputs_info=0.0)
    table = graphlab.function([x], values[-1]).trace.check([0.5, 1.0])
    assert [row.rewrite.rule for row in table.rows] == ["scan(f)[-1] -> scan(f, keep=1)[-1]"]
    assert table.rows[0].verdict == "exact"


def test_what_can_not_be_evaluated_says_why() -> None:
    x, y = T.dvectors("x", "y")
    f = graphlab.function([x, y], (x + y) * 1)
    (row,) = f.trace.check([1.0, 2.0], [1.0, 2.0, 3.0]).rows
    assert row.verdict == "not evaluated"
    assert "broadcast" in row.note


def test_another_number_of_values_is_refused() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphTypeError, match="has 1 inputs, got 2 values"):
        graphlab.function([x], x * 1).trace.check(1.0, 2.0)


# ---- bisect --------------------------------------------------------------------------------------


def test_bisect_names_the_rule_the_line_and_the_values() -> None:
    x = T.dscalar("x")
    y = (x * 1 - 0) * 1
    z = T.sin(y)
    f = graphlab.function([x], T.log(1 + z) * 1 - 0, mode=mode(WRONG))
    found = f.bisect(0.5)
    assert found.rewrite is not None
    assert found.rewrite.rule == WRONG.name
    assert f.trace.rewrites[found.number] is found.rewrite
    np.testing.assert_allclose([found.want, found.got], [np.log1p(np.sin(0.5)), np.log1p(np.tan(0.5))])
    text = str(found)
    assert "z = T.sin(y)" in text
    assert "test_verdicts.py:" in text
    assert "0.479" in text
    assert "0.546" in text


def test_bisect_looks_at_one_output_and_takes_a_tolerance() -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], [T.sin(x), T.tanh(x / 50), x * 1], mode=mode(SLIGHTLY, WRONG))
    assert f.bisect(0.5, output=1, tolerance=1e-9).rewrite.rule == SLIGHTLY.name  # type: ignore[union-attr]
    assert f.bisect(0.5, output=1, tolerance=1e-5).rewrite is None
    assert f.bisect(x=0.5, output=0).rewrite.rule == WRONG.name  # type: ignore[union-attr]
    assert f.bisect(0.5, output=2).rewrite is None
    assert "no rewrite changes" in str(f.bisect(0.5, output=2))
    with pytest.raises(GraphIndexError, match="has no output 3"):
        f.bisect(0.5, output=3)


def test_bisect_finds_a_rewrite_inside_a_loop() -> None:
    x = T.dvector("x")
    values, _ = graphlab.scan(lambda v: T.sin(v) * 1, sequences=x)
    found = graphlab.function([x], values, mode=mode(WRONG)).bisect([0.5, 1.0])
    assert found.rewrite is not None
    assert found.rewrite.rule == WRONG.name


# ---- mode "debug" --------------------------------------------------------------------------------


def test_debug_mode_names_the_rule_the_line_and_the_values() -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], T.sin(x * 1) + 1, mode=mode(WRONG, name="debug"))
    with pytest.raises(GraphValueError, match=r"output 0 of function") as caught:
        f(0.5)
    said = str(caught.value)
    assert "'sin(x) -> tan(x)' (test_verdicts.py:" in said
    assert "T.sin(x * 1) + 1" in said
    assert "0.479" in said
    assert "0.546" in said


def test_debug_mode_accepts_what_a_rewrite_repaired() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(1 + T.exp(x)), mode="debug")
    np.testing.assert_allclose(f([800.0, 0.0]), [800.0, np.log(2.0)])
