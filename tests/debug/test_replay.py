"""Time travel: within the budget nothing is computed twice, beyond it the same values come again, and it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.debug.levels import Run
from graphlab.debug.session import Session


def chain(steps: int, mode: str = "fast_run") -> Function:
    """Products one behind the other, each a step of its own, with a random draw in the middle."""
    x, w = T.matrix("x"), T.matrix("w")
    h, stream = x, graphlab.RandomStream(3)
    for k in range(steps):
        h = h @ w
        h.name = f"h{k}"
        if k == steps // 2:
            h = h + stream.normal(size=(10, 10))
    return graphlab.function([x, w], h, mode=mode)


ARGS = (np.eye(10), np.random.default_rng(0).normal(0, 0.3, (10, 10)))
ONE = 800  # bytes of a value


def replay_of(s: Session) -> Any:
    level = s.level
    assert isinstance(level, Run)
    return level.replay


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_within_the_budget_nothing_runs_twice(mode: str) -> None:
    s = chain(40, mode).debug(*ARGS).finish()
    for k in (0, 7, 39, 20):
        assert s.look(f"h{k}").how == ""
    assert replay_of(s).spacing == 1


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_beyond_it_values_come_again_with_the_same_bits(mode: str) -> None:
    f = chain(40, mode)
    state = f.updated[0].get_value()
    free = f.debug(*ARGS).finish()
    expected = {k: free.value(f"h{k}") for k in range(40)}
    s = f.debug(*ARGS, budget=12 * ONE).finish()
    assert s.bytes <= 12 * ONE
    spacing = replay_of(s).spacing
    assert spacing > 1
    again = 0
    for k in np.random.default_rng(0).permutation(40):
        seen = s.look(f"h{int(k)}")
        assert seen.value.tobytes() == expected[int(k)].tobytes()
        assert seen.recomputed == ("computed again by" in seen.how)
        again += seen.recomputed
        assert s.bytes <= 12 * ONE
    assert again > 5
    for _ in range(len(s.steps)):
        s.back()
        assert s.bytes <= 12 * ONE
    assert s.finish().outputs[0].tobytes() == free.outputs[0].tobytes()
    assert s.findings == ()
    np.testing.assert_array_equal(f.updated[0].get_value(), state)


def test_a_value_comes_again_from_the_nearest_checkpoint() -> None:
    s = chain(64).debug(*ARGS, budget=16 * ONE).finish()
    replay = replay_of(s)
    ran: list[int] = []
    run = replay.values.run
    replay.values.run = lambda step: (ran.append(step.index), run(step))[1]
    for k in (50, 3, 33):
        ran.clear()
        s.look(f"h{k}")
        assert len(ran) <= replay.spacing
        assert ran == sorted(ran)


def test_what_was_given_up_is_shown_as_such() -> None:
    s = chain(64).debug(*ARGS, budget=8 * ONE).finish()
    s.goto(len(s.steps) // 2)
    assert "(given up)" in str(s)
    assert "computed again by" in str(s.look("h20"))


def test_views_keep_what_they_view() -> None:
    x = T.matrix("x")
    y = T.exp(x)
    z = y.T[::-1]
    z.name = "z"
    f = graphlab.function([x], T.dot(T.dot(z, x), T.dot(z, z.T)))
    s = f.debug(*ARGS[:1], budget=0).finish()
    np.testing.assert_allclose(s.value("z"), np.exp(ARGS[0]).T[::-1])
    np.testing.assert_array_equal(s.outputs[0], f(ARGS[0]))


def test_a_loops_states_fit_the_budget_too() -> None:
    n = 400
    last, _ = graphlab.reduce(lambda a, h: T.tanh(h) * 1.01 + a, T.dvector("a"), T.zeros((10,)))
    (a,) = [v for v in graphlab.inputs_of(last) if v.name == "a"]
    s = graphlab.function([a], last.sum()).debug(np.linspace(0, 1, n), budget=2000)
    s.enter(next(step.index for step in s.steps if step.kind == "loop"))
    values, h = [], np.zeros(10)
    for element in np.linspace(0, 1, n):
        values.append(h := np.tanh(h) * 1.01 + element)
    v = s.steps[0].outputs[0]
    for t in np.random.default_rng(0).integers(0, n, 25):
        np.testing.assert_allclose(s.goto(int(t) + 1).value(v), values[int(t)], rtol=1e-12)
        assert s.level.bytes <= 2000


# ---- updates -------------------------------------------------------------------------------------


@pytest.fixture
def counting() -> Function:
    count, stream = graphlab.shared(np.zeros(3), "count"), graphlab.RandomStream(1)
    x = T.vector("x")
    return graphlab.function([x], count.sum() + stream.uniform(), updates={count: count + x})


def test_updates_take_effect_only_if_they_are_asked_to(counting: Function) -> None:
    count, state = counting.updated
    before = count.get_value(), state.get_value()
    with counting.debug(np.ones(3)) as s:
        first = s.finish().outputs[0]
        assert s.restart().finish().outputs[0] == first  # the draw is the same
    counting.debug(np.ones(3)).close()
    np.testing.assert_array_equal(count.get_value(), before[0])
    np.testing.assert_array_equal(state.get_value(), before[1])
    with counting.debug(np.ones(3), commit=True) as s:
        s.step()  # what is left runs when it is closed
    np.testing.assert_array_equal(count.get_value(), np.ones(3))
    assert (state.get_value() != before[1]).any()
    assert counting(np.ones(3)) != first
    other = counting.debug(np.ones(3))
    other.close(commit=True)
    np.testing.assert_array_equal(count.get_value(), np.full(3, 3.0))


def test_an_error_on_the_way_commits_nothing(counting: Function) -> None:
    with pytest.raises(ZeroDivisionError), counting.debug(np.ones(3), commit=True):
        raise ZeroDivisionError
    np.testing.assert_array_equal(counting.updated[0].get_value(), np.zeros(3))


def test_values_borrowed_and_changed_during_a_session_do_not_reach_it(counting: Function) -> None:
    s = counting.debug(np.ones(3))
    counting.updated[0].get_value(borrow=True)[:] = 100
    argument = np.ones(3)
    t = counting.debug(argument)
    argument[:] = 7
    assert s.finish().outputs[0] < 2
    counting.updated[0].set_value(np.zeros(3))
    np.testing.assert_array_equal(t.value("x"), np.ones(3))


def test_settings_give_way_to_inputs_of_their_names() -> None:
    budget, commit = T.scalars("budget", "commit")
    f = graphlab.function([budget, commit], budget * commit)
    s = f.debug(2.0, commit=3.0)
    assert s.commit is False
    assert s.finish().outputs[0] == 6.0
    assert f.debug(budget=2.0, commit=3.0).finish().outputs[0] == 6.0
    assert Session(f, (2.0,), {"commit": 3.0}, budget=10).budget == 10
