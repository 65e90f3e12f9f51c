"""Sessions over random functions: every value at every step, in any order of moves, within any budget."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.debug.random_sessions import RandomFunction, check, look_inside, random_functions

_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(_SETTINGS, max_examples=25)
@given(made=random_functions(), seed=st.integers(0, 999))
def test_each_value_is_the_interpreters_in_any_order(made: RandomFunction, seed: int) -> None:
    check(made, seed)


@settings(_SETTINGS, max_examples=15)
@given(made=random_functions(), seed=st.integers(0, 999), budget=st.sampled_from([0, 200, 1000, 5000]))
def test_a_budget_changes_no_value(made: RandomFunction, seed: int, budget: int) -> None:
    check(made, seed, budget=budget)


@settings(_SETTINGS, max_examples=10)
@given(made=random_functions(longest=4))
def test_everything_opens_and_agrees_inside(made: RandomFunction) -> None:
    s = check(made)
    opened = look_inside(s.goto(0))
    assert s.findings == ()
    assert opened >= sum(step.kind in ("kernel", "loop", "branch") for step in s.steps)


@pytest.mark.parametrize("mode", ["interpret", "fast_compile"])
@settings(_SETTINGS, max_examples=8)
@given(made=random_functions(longest=4))
def test_by_numpy_too(mode: str, made: RandomFunction) -> None:
    check(made, mode=mode)
