"""Where two runs part: the first node in the order of the schedule, the element, by how much, and the line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.debug.compare import Parted, difference
from graphlab.graph.node import Variable

SEARCH = (Phase.explicit, Phase.generate)  # making a failing program small takes a compilation a step
MODES = ["fast_run", "interpret"]


def op_of(parted: Parted) -> str:
    assert parted.node is not None
    return str(parted.node.op.name)


@pytest.mark.parametrize("mode", MODES)
def test_inputs_that_hide_their_difference_part_where_it_shows(mode: str) -> None:
    x = T.dvector("x")
    size = abs(x)
    y = T.exp(-size)
    sign = x > 0  # here
    f = graphlab.function([x], y + T.where(sign, 0.0, 1.0), mode=mode)
    parted = f.debug([1.0, -2.0, 3.0]).compare([1.0, 2.0, 3.0])
    assert op_of(parted) == "greater"
    assert "# here" in parted.lines[0].text
    assert parted.difference is not None
    assert parted.difference.element == (1,)
    assert parted.difference.count == 1
    assert parted.before >= 2
    ((v, apart),) = parted.given
    assert v is x
    assert (apart.mine, apart.yours, apart.largest) == (-2.0, 2.0, 4.0)
    text = str(parted)
    assert "x differs: -2 here and 2 there at [1]" in text
    assert "False here and True there at [1], 1 of 3 elements differ" in text


def test_equal_runs_do_not_part() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(x).sum())
    s = f.debug([1.0, -2.0])  # NaN is equal to NaN
    parted = s.compare([1.0, -2.0])
    assert parted.variable is None
    assert parted.before >= 2
    assert "do not part" in str(parted)
    assert s.position == 0


def test_a_session_is_compared_with_a_session_and_within_a_tolerance() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    f = graphlab.function([x], y * 1e6)
    near = np.array([1.0, 1.0 + 1e-13])
    assert op_of(f.debug([1.0, 1.0]).compare(f.debug(near))) == "exp"
    assert f.debug([1.0, 1.0]).compare(f.debug(near), tolerance=1e-9).variable is None


@pytest.mark.parametrize("mode", MODES)
def test_inside_a_loop_the_turn_is_named(mode: str) -> None:
    x, c = T.dvector("x"), T.dscalar("c")
    states, _ = graphlab.scan(lambda a, b: T.maximum(a, c) + T.tanh(b), [x], [T.constant(0.0)])
    f = graphlab.function([x, c], states, mode=mode)
    parted = f.debug([5.0, 4.0, 1.0, 3.0], 0.0).compare([5.0, 4.0, 1.0, 3.0], 2.0)
    assert op_of(parted) == "maximum"
    ((loop, turn),) = parted.turns
    assert (loop.op.name, turn) == ("scan", 2)
    assert "turn 2 of scan" in str(parted)
    assert parted.difference is not None
    assert (parted.difference.mine, parted.difference.yours) == (1.0, 2.0)


def test_the_other_branch_is_told() -> None:
    x, c = T.dvector("x"), T.dvector("c")
    y = graphlab.ifelse(c.sum() > 0, T.exp(x), T.exp(x) + 1e-3)
    f = graphlab.function([x, c], y)
    parted = f.debug([1.0], [1.0]).compare([1.0], [-1.0])
    assert parted.variable is not None
    assert parted.step is not None
    g = graphlab.function([x, c], graphlab.ifelse(T.gt(c[0], 0), T.exp(x), T.cos(x)))
    parted = g.debug([1.0], [1.0]).compare([1.0], [-1.0])
    assert op_of(parted) in ("greater", "index")


def test_other_extents() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.exp(x).sum())
    parted = f.debug([1.0, 2.0]).compare([1.0])
    assert parted.difference is not None
    assert parted.difference.shapes == ("float64[2]", "float64[1]")


def test_two_programs_of_one_graph() -> None:
    """The same lines, compiled in another way: what has no counterpart is passed over."""
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))  # written
    z = T.tanh(x) * 3
    f = graphlab.function([x], [y, z])
    g = graphlab.function([x], [y, z], mode="interpret")
    assert f.debug([1.0]).compare(g.debug([1.0]), tolerance=1e-12).variable is None
    assert op_of(f.debug([1.0]).compare(g.debug([2.0]), tolerance=1e-12)) == "tanh"


def test_differences() -> None:
    apart = difference(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert apart is not None
    assert (apart.largest, apart.element) == (np.inf, (1,))
    assert difference(np.array([np.nan, np.inf]), np.array([np.nan, np.inf])) is None
    apart = difference(np.array([1, 5]), np.array([1, 3]))
    assert apart is not None
    assert (apart.largest, apart.relative) == (2.0, 0.4)
    assert difference(np.float64([1]), np.float32([1])) is not None
    assert difference(np.array([-0.0]), np.array([0.0])) is None


# ---- random programs -------------------------------------------------------------------------------

STEPS: list[Any] = [T.sin, T.cos, T.tanh, lambda v: v * 0.5 + 0.1, lambda v: v**2, lambda v: v[::-1], T.sigmoid,
                    lambda v: v - v.mean(), lambda v: T.cumsum(v) / 5, T.sort]  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCH)
@given(st.lists(st.sampled_from(range(len(STEPS))), min_size=2, max_size=15), st.data())
def test_random_programs_part_at_node_k(chosen: list[int], data: st.DataObject) -> None:
    """A second input enters at a random node, and only there."""
    k = data.draw(st.integers(0, len(chosen)))
    x, c = T.dvector("x"), T.dscalar("c")
    v: Variable = T.exp(x)
    for i, step in enumerate([*chosen, 0]):
        if i == k:
            v = v + T.maximum(x, c)  # enters
        v = STEPS[step](v)
    f = graphlab.function([x, c], v, mode=data.draw(st.sampled_from(MODES)))
    values = np.linspace(0.1, 1.0, 7)
    assert f.debug(values, -1.0).compare(values, 0.0).variable is None  # no element is smaller
    parted = f.debug(values, -1.0).compare(values, 0.35)
    assert op_of(parted) == "maximum"
    assert "# enters" in parted.lines[0].text
    assert parted.difference is not None
    assert parted.difference.yours == 0.35
