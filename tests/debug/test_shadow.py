"""Where digits are lost: the operation that makes errors grow is named first, not the one where they are seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.debug.shadow import Loss, Shadow
from graphlab.debug.wide import relative
from graphlab.graph.node import Variable

SEARCH = (Phase.explicit, Phase.generate)  # making a failing program small takes a compilation a step
MODES = ["fast_run", "interpret"]
LONG = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps


def first(found: Shadow) -> Loss:
    assert found.first is not None
    return found.first


@pytest.mark.parametrize("mode", MODES)
def test_a_variance_by_the_difference_of_two_means(mode: str) -> None:
    x = T.fvector("x")
    squares = (x * x).mean()
    variance = squares - x.mean() ** 2  # cancels
    z = (x - x.mean()) / T.sqrt(variance + 1e-6)
    f = graphlab.function([x], T.exp(-T.sqrt(variance)) + (z * z).mean(), mode=mode)
    values = (1000 + np.random.default_rng(0).normal(size=500)).astype("float32")
    found = f.debug(values).shadow()
    loss = first(found)
    assert found.beside == "float64"
    assert loss.node.op.name == "subtract"
    assert loss.variable.ndim == 0
    assert "# cancels" in loss.lines[0].text
    assert loss.growth > 1e4
    assert loss.share == 1
    assert loss.before < 1e-6 < loss.after
    assert loss.kept < 3
    assert loss.true == pytest.approx(np.var(values.astype("float64")), rel=1e-6)
    assert found.outputs[0] > 1e-3
    text = str(found)
    assert "digits are lost first of all in subtract" in text
    assert "and should be" in text


def test_what_is_seen_late_is_named_where_it_began() -> None:
    """The largest error is at the end; the growth is where 1 - cos(x) cancels, in the small elements of x."""
    x = T.fvector("x")
    top = 1 - T.cos(x)  # cancels
    y = top / x**2
    f = graphlab.function([x], T.exp(10 * y).sum())
    found = f.debug(np.linspace(1e-4, 1, 300).astype("float32")).shadow()
    loss = first(found)
    assert "# cancels" in loss.lines[0].text
    assert loss.element == (0,)
    assert loss.share < 0.1
    assert (float(loss.value), float(loss.true)) == (0.0, pytest.approx(5e-9, rel=1e-3))


def test_a_stable_form_loses_nothing() -> None:
    x = T.fvector("x")
    f = graphlab.function([x], (2 * T.sin(x / 2) ** 2 / x**2).sum())
    found = f.debug(np.linspace(1e-4, 1, 300).astype("float32")).shadow()
    assert found.first is None
    assert found.outputs[0] < 1e-6
    assert "no operation loses digits" in str(found)


def test_sums_that_are_near_zero_by_chance_are_no_loss() -> None:
    x, w = T.fvector("x"), T.fmatrix("w")
    h = x
    for _ in range(3):
        h = T.tanh(T.dot(w, h))
    rng = np.random.default_rng(1)
    args = rng.normal(size=80).astype("float32"), (rng.normal(size=(80, 80)) / 9).astype("float32")
    assert graphlab.function([x, w], h.sum()).debug(*args).shadow().first is None


@pytest.mark.skipif(not LONG, reason="long doubles have no more digits than float64 here")
def test_double_precision_is_run_in_long_doubles() -> None:
    x = T.dvector("x")
    y = T.exp(x) - 1 - x  # cancels
    found = graphlab.function([x], T.tanh(y)).debug([1e-9, 1.0]).shadow()
    assert found.beside == np.dtype(np.longdouble).name
    assert "# cancels" in first(found).lines[0].text


@pytest.mark.parametrize("mode", MODES)
def test_inside_a_loop_the_turn_is_named(mode: str) -> None:
    x = T.fvector("x")

    def turn(v: Variable, total: Variable) -> Variable:
        gap = T.sqrt(v + 1) - T.sqrt(v)  # cancels
        return total + gap

    totals, _ = graphlab.scan(turn, [x], [T.constant(np.float32(0))])
    f = graphlab.function([x], totals[-1], mode=mode)
    loss = first(f.debug(np.array([1, 2, 1e6, 3], "float32")).shadow())
    assert "# cancels" in loss.lines[0].text
    ((loop, number),) = loss.turns
    assert (loop.op.name, number) == ("scan", 2)


def test_what_is_decided_stays_decided_and_is_told() -> None:
    x = T.fvector("x")
    f = graphlab.function([x], T.where(x * x > 2, x, -x))
    just = np.float32(np.sqrt(2))
    value = np.array([just, np.nextafter(just, np.float32(0))])
    found = f.debug(value).shadow()
    assert found.first is None
    wide = value.astype("float64") ** 2 > 2
    if not np.array_equal(wide, value * value > 2):
        assert [n.op.name for n in found.otherwise] == ["greater"]
        assert "would have decided in another way" in str(found)


def test_relative_errors() -> None:
    value = np.array([1.5, np.inf, np.nan, np.nan, 0.0, 0.0], "float32")
    true = np.array([1.0, np.inf, np.nan, 1.0, 1e-300, 0.0])
    np.testing.assert_allclose(relative(value, true), [0.5, 0, 0, np.inf, 0, 0], atol=1e-200)


# ---- random programs -------------------------------------------------------------------------------

# None of these makes all elements the same number, however often: of one number the rounding may be right by luck, and
# then no digit is lost (five times exp(v / 100) does that).
CALM: list[Callable[[Variable], Variable]] = [
    T.tanh, T.sigmoid, lambda v: T.log(v + 1), lambda v: v * 0.5, lambda v: v + 1, lambda v: 1 / (1 + v * v), T.sqrt,
    lambda v: v[::-1],
]  # fmt: skip
CANCELLING: list[Callable[[Variable], Variable]] = [
    lambda v: T.sqrt(v + 10000) - 100,  # planted
    lambda v: (1 - T.cos(v / 500)) * 1e5,  # planted
    lambda v: (v + 300) * (v + 300) - 90000,  # planted
]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCH)
@given(
    st.lists(st.sampled_from(range(len(CALM))), max_size=5),
    st.sampled_from(range(len(CANCELLING))),
    st.lists(st.sampled_from(range(len(CALM))), max_size=5),
)
def test_a_planted_cancellation_comes_first_in_random_programs(
    before: Sequence[int], planted: int, after: Sequence[int]
) -> None:
    x = T.fvector("x")
    v = x
    for k in before:
        v = CALM[k](abs(v))
    v = CANCELLING[planted](0.3 * T.sin(v) + 1.03)
    for k in after:
        v = CALM[k](abs(v))
    f = graphlab.function([x], v)
    values = np.linspace(0.3, 2.0, 40).astype("float32")
    loss = first(f.debug(values).shadow())
    assert loss.node.op.name == "subtract"
    assert any("# planted" in line.text for line in loss.lines)
