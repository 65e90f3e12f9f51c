"""f.copy, tuple and dict results by the fast path, and the keywords that are there for Theano's sake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import In, Out, shared
from graphlab.errors import GraphTypeError, GraphValueError

MODES = ["fast_run", "fast_compile", "interpret", "debug"]


@pytest.mark.parametrize("mode", MODES)
class TestCopy:
    def test_swapped_state_is_read_and_updated_instead(self, mode: str) -> None:
        x, mine, yours = T.dscalar("x"), shared(0.0, "mine"), shared(10.0, "yours")
        f = graphlab.function([x], mine, updates={mine: mine + x}, mode=mode)
        g = f.copy(swap={mine: yours}, name="g")
        assert (f(1.0), g(2.0), g(3.0)) == (0.0, 10.0, 12.0)
        assert (mine.get_value(), yours.get_value()) == (1.0, 15.0)
        assert (g.name, g.mode) == ("g", f.mode)

    def test_a_plain_copy_shares_state(self, mode: str) -> None:
        count = shared(0)
        f = graphlab.function([], count, updates={count: count + 1}, mode=mode)
        g = f.copy()
        assert g is not f
        assert [int(f()), int(g()), int(f())] == [0, 1, 2]

    def test_updates_can_be_left_out(self, mode: str) -> None:
        x, state = T.dscalar("x"), shared(1.0)
        f = graphlab.function([x], [state * 2], updates={state: state + x}, mode=mode)
        g = f.copy(delete_updates=True)
        assert (g(5.0), state.get_value()) == ([2.0], 1.0)

    def test_two_swap_places(self, mode: str) -> None:
        a, b = shared(1.0, "a"), shared(10.0, "b")
        f = graphlab.function([], a - b, updates={a: a + 1}, mode=mode)
        g = f.copy(swap={a: b, b: a})
        assert g() == 9.0
        assert (a.get_value(), b.get_value()) == (1.0, 11.0)


class TestMistakes:
    def test_swapping_what_is_not_used_names_what_is(self) -> None:
        used, other = shared(1.0, "used"), shared(1.0, "other")
        with pytest.raises(GraphValueError, match=r"does not use other: float64[\s\S]*it uses used: float64"):
            graphlab.function([], used).copy(swap={other: used})

    def test_a_replacement_has_the_same_type(self) -> None:
        w = shared(np.zeros(3), "w")
        with pytest.raises(GraphTypeError, match=r"w: float64.* can't be replaced by v: float32"):
            graphlab.function([], w).copy(swap={w: shared(np.zeros(3, "float32"), "v")})

    def test_only_shared_variables_are_swapped(self) -> None:
        w: Any = shared(1.0)
        with pytest.raises(GraphTypeError, match="shared variables, not Shared by Variable"):
            graphlab.function([], w).copy(swap={w: T.dscalar()})

    def test_nothing_is_updated_twice(self) -> None:
        a, b = shared(1.0), shared(1.0)
        f = graphlab.function([], updates={a: a + 1, b: b + 1})
        with pytest.raises(GraphValueError, match="updated twice"):
            f.copy(swap={a: b})


class TestStructures:
    @pytest.mark.parametrize("mode", MODES)
    def test_tuples_and_dicts_hold_arrays_of_their_own(self, mode: str) -> None:
        x, w = T.dvector("x"), shared(np.zeros(2))
        at = np.array([1.0, 2.0])
        pair = graphlab.function([x], (x, 2 * x, w), updates={w: w + x}, mode=mode)
        a, b, c = got = pair(at)
        assert type(got) is tuple
        assert not any(np.shares_memory(p, q) for p, q in [(a, at), (a, b), (c, w.get_value(borrow=True))])
        table = graphlab.function([x], {"first": x, 2: x.sum()}, mode=mode)(at)
        assert (list(table), table["first"].tolist(), table[2]) == (["first", 2], [1.0, 2.0], 3.0)

    def test_empty_and_single_structures(self) -> None:
        x, w = T.dscalar("x"), shared(0.0)
        for outputs, want in [((), ()), ({}, {}), ([], []), ((x,), (3.0,)), ({"x": x}, {"x": 3.0})]:
            f = graphlab.function([x], outputs, updates={w: w + x}, on_unused_input="ignore")
            assert f(np.array(3.0)) == want
        assert w.get_value() == 15.0

    @pytest.mark.parametrize(("single", "form"), [(True, tuple), (False, list), (False, ("one key",)), (False, "ab")])
    def test_a_program_is_bound_only_to_a_form_that_fits_its_results(self, single: bool, form: Any) -> None:
        x = T.dscalar("x")
        f = graphlab.function([x], [x, x + 1])
        assert f.machine is not None
        with pytest.raises(ValueError, match=r"form is None|one visible output"):
            f.machine.bind(f, f._slow, single, form)
        assert f(np.array(1.0)) == [1.0, 2.0]

    def test_an_error_in_a_tuple_function_names_the_users_line(self) -> None:
        x, y = T.dvector("x"), T.dvector("y")
        with pytest.raises(graphlab.GraphlabError, match=r"x.*y"):
            graphlab.function([x, y], (x + y, x))(np.zeros(2), np.zeros(3))


class TestKeywords:
    def test_trusted_input_is_still_checked(self) -> None:
        x = T.dvector("x")
        f = graphlab.function([x], x.sum())
        assert f.trust_input is False
        f.trust_input = True
        assert f(np.ones(3)) == f([1, 1, 1]) == 3.0
        with pytest.raises(GraphTypeError, match="input 0"):
            f(np.ones((2, 2)))

    def test_mutable_and_borrowed_arguments_are_never_written_to(self) -> None:
        x = T.dvector("x")
        f = graphlab.function([In(x, mutable=True, borrow=True)], Out(x, borrow=True))
        at = np.ones(3)
        got = f(at)
        assert not np.shares_memory(got, at)
        assert at.tolist() == [1, 1, 1]

    def test_strict_takes_the_exact_dtype_alone(self) -> None:
        x = T.dscalar("x")
        f = graphlab.function([In(x, strict=True)], x)
        assert f(np.float64(2)) == 2.0
        with pytest.raises(GraphTypeError, match="strict"):
            f(np.float32(2))

    def test_downcasting_is_allowed_for_each_input_or_for_all(self) -> None:
        x, y = T.fscalar("x"), T.fscalar("y")
        one = graphlab.function([In(x, allow_downcast=True), y], x + y)
        assert one(np.float64(0.1), 0.5).dtype == "float32"
        with pytest.raises(GraphTypeError, match=r"input 1 .*loses precision"):
            one(np.float64(0.1), np.float64(0.1))
        every = graphlab.function([x, In(y, allow_downcast=False)], x + y, allow_input_downcast=True)
        assert every(np.float64(0.1), np.float32(0.1)) == np.float32(0.1) * 2
        with pytest.raises(GraphTypeError, match="input 1 "):
            every(np.float64(0.1), np.float64(0.1))


class TestProfile:
    def test_profiled_calls_do_what_plain_ones_do_and_time_each_step(self) -> None:
        x, w = T.dmatrix("x"), shared(np.ones(2), "w")
        f = graphlab.function([x], (T.tanh(x @ w), x.sum()), updates={w: w + 1}, profile=True)
        assert f.profile.summary() == "not called yet"
        at = np.arange(6.0).reshape(3, 2)
        for k in (1.0, 2.0):
            value, total = f(at)
            np.testing.assert_allclose(value, np.tanh(at @ np.full(2, k)))
            assert total == 15.0
        assert w.get_value().tolist() == [3.0, 3.0]
        assert f.lowered is not None
        assert (f.profile.calls, len(f.profile.steps)) == (2, len(f.lowered.program.steps))
        assert 0 < sum(f.profile.steps.values()) < f.profile.seconds
        assert f.profile.summary().startswith("2 calls, ")

    def test_a_failing_call_changes_nothing_and_is_not_counted(self) -> None:
        x, w = T.dvector("x"), shared(1.0)
        f = graphlab.function([x], x.max(), updates={w: w + 1}, profile=True)
        with pytest.raises(ValueError, match="max"):
            f([])
        assert (f.profile.calls, w.get_value()) == (0, 1.0)

    def test_nothing_is_recorded_unless_asked_for(self) -> None:
        f = graphlab.function([], T.constant(1.0))
        f()
        assert (f.profile.calls, f.profile.seconds, f.profile.steps) == (0, 0.0, {})
        assert "profile=True" in f.profile.summary()
