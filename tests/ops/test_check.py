"""Print and check: the identity for values and gradients, and what they do on the way."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import Assert, Print, check
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.graph.tools import applies_of

MODES = ("fast_run", "fast_compile", "interpret")
x = T.dvector("x")
Captured = pytest.CaptureFixture[str]


class TestPrint:
    @pytest.mark.parametrize("mode", MODES)
    def test_it_prints_what_the_value_is_whenever_it_is_computed(
        self, mode: str, capsys: pytest.CaptureFixture
    ) -> None:
        f = graphlab.function([x], T.exp(Print("x:", attrs=("__str__", "shape", "max"))(x)), mode=mode)
        for _ in range(2):
            np.testing.assert_allclose(f([0.0, 1.0]), np.exp([0.0, 1.0]))
        once = "x: __str__ = [0. 1.]\nx: shape = (2,)\nx: max = 1.0\n"
        assert capsys.readouterr().out == 2 * once

    @pytest.mark.parametrize("mode", MODES)
    def test_it_is_not_folded_merged_or_dropped(self, mode: str, capsys: Captured) -> None:
        seen = Print("c")(T.constant([1.0, 2.0]))
        twice = Print("n")
        n = T.lscalar("n")
        outputs = [seen + 1, twice(n) + 0 * twice(n), T.log(1 + Print("y")(x))]
        f = graphlab.function([x, n], outputs, mode=mode)
        capsys.readouterr()
        f([1.0], 5)
        out = capsys.readouterr().out
        assert [out.count(m) for m in ("c __str__", "n __str__ = 5", "y __str__ = [1.]")] == [1, 2, 1]

    def test_two_of_them_print_in_their_order(self, capsys: Captured) -> None:
        f = graphlab.function([x], Print("second")(T.exp(Print("first")(x))))
        f([0.0])
        assert capsys.readouterr().out == "first __str__ = [0.]\nsecond __str__ = [1.]\n"

    def test_nobody_uses_it_nobody_sees_it(self, capsys: Captured) -> None:
        Print("lost")(x)
        graphlab.function([x], x + 1)([1.0])
        assert capsys.readouterr().out == ""

    def test_gradients_pass_through_both_ways(self) -> None:
        y = (Print("y", attrs=())(x) ** 2).sum()
        np.testing.assert_allclose(T.grad(y, x).eval({x: [1.0, 3.0]}), [2.0, 6.0])
        np.testing.assert_allclose(T.jvp(y, x, [1.0, 1.0]).eval({x: [1.0, 3.0]}), 8.0)

    def test_an_op_that_holds_one_has_its_effect(self) -> None:
        f = graphlab.symbolic(lambda v: Print("inside")(v) + 1)
        g = graphlab.symbolic(lambda v: v + 1)
        assert f(x).owner.op.effects
        assert not g(x).owner.op.effects

    def test_attributes_must_exist(self) -> None:
        with pytest.raises(GraphTypeError, match="no attribute 'median'"):
            Print("x", attrs=("median",))


class TestCheck:
    @pytest.mark.parametrize("mode", MODES)
    def test_it_is_the_value_or_the_error(self, mode: str) -> None:
        f = graphlab.function([x], T.log(check(x, x > 0, "x must be positive")), mode=mode)  # the check
        np.testing.assert_allclose(f([1.0, 2.0]), np.log([1.0, 2.0]))
        with pytest.raises(GraphValueError) as caught:
            f([1.0, -2.0, 0.0])
        text = str(caught.value)
        assert "x must be positive (condition is false: 2 of 3 elements are false)" in text
        assert "# the check" in text
        assert "x > 0: bool[3] = [ True, False, False]" in text

    def test_asserts_take_several_conditions(self) -> None:
        n = T.lscalar("n")
        f = graphlab.function([n], Assert("n is out of range")(n, n >= 0, n < 10))
        assert f(3) == 3
        with pytest.raises(GraphValueError, match=r"n is out of range \(condition 2 is false\)") as caught:
            f(12)
        assert "n < 10: bool[] = False" in str(caught.value)

    def test_empty_conditions_and_numbers_hold_as_in_numpy(self) -> None:
        f = graphlab.function([x], check(x, x, "a zero"))
        assert f([]).shape == (0,)
        np.testing.assert_array_equal(f([1.0, np.nan]), [1.0, np.nan])
        with pytest.raises(GraphValueError, match="a zero"):
            f([1.0, 0.0])

    def test_only_true_constants_let_it_vanish(self) -> None:
        def ops(condition: object) -> list[str]:
            return [n.op.name for n in applies_of(graphlab.optimize(check(x, condition) + 1))]

        assert ops([True, True]) == ["add"]
        assert ops(1) == ["add"]
        assert "check" in ops([True, False])
        assert "check" in ops(T.eq(x, x))

    def test_it_is_not_dropped_with_a_value_that_is_not_needed(self) -> None:
        n = T.lscalar("n")
        f = graphlab.function([n], check(n, n > 0, "n") * 0)
        assert f(1) == 0
        with pytest.raises(GraphValueError):
            f(-1)

    def test_a_false_constant_is_found_when_it_runs(self) -> None:
        f = graphlab.function([], check(T.constant(1.0), False, "never"))
        with pytest.raises(GraphValueError, match="never"):
            f()

    def test_gradients_pass_through_the_value_alone(self) -> None:
        y = (check(x, x > 0) ** 2).sum()
        np.testing.assert_allclose(T.grad(y, x).eval({x: [1.0, 3.0]}), [2.0, 6.0])
        np.testing.assert_allclose(T.jvp(y, x, [1.0, 1.0]).eval({x: [1.0, 3.0]}), 8.0)

    def test_mistakes(self) -> None:
        with pytest.raises(GraphTypeError, match="there is no condition"):
            Assert("m")(x)
        with pytest.raises(GraphTypeError, match="the message of a check is a text, got Variable"):
            Assert(x)  # type: ignore[arg-type]
