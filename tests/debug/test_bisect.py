"""Which rewrite changed an output: of the one that is asked for, by number, key or variable, and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab import Rule, shared
from graphlab.errors import GraphIndexError
from graphlab.rewrite.rule import EXACT

SEARCH = (Phase.explicit, Phase.generate)  # making a failing program small takes a compilation a step
WRONG = Rule("cosh(x) -> sinh(x)", EXACT, find=lambda x: T.cosh(x), make=lambda x: T.sinh(x))
MODE = graphlab.mode("fast_run").including(WRONG)


def test_an_output_is_named_by_key_variable_or_update() -> None:
    x, w = T.dscalar("x"), shared(1.0, "w")
    fine, bad = x * 1 + 2, T.cosh(x) * 1
    f = graphlab.function([x], {"fine": fine, "bad": bad}, updates=[(w, w + T.cosh(x))], mode=MODE)
    assert f.bisect(0.5, output="fine").rewrite is None
    assert f.bisect(0.5, output=fine).rewrite is None
    for output in ("bad", bad, 1):
        found = f.bisect(0.5, output=output)
        assert found.rewrite is not None
        assert found.rewrite.rule == WRONG.name
        assert "changes output 'bad'" in str(found)
    found = f.bisect(0.5, output=w)
    assert found.rewrite is not None
    assert "the new value of w was" in str(found)
    assert w.get_value() == 1.0
    every = f.bisect(0.5)
    assert set(every.outputs) == {1, 2}
    assert "so does output" in str(every)
    with pytest.raises(GraphIndexError, match="its keys are fine, bad"):
        f.bisect(0.5, output="other")
    with pytest.raises(GraphIndexError, match="there are 3"):
        f.bisect(0.5, output=T.dscalar("y"))


def test_where_none_changes_anything_it_says_by_how_much_and_looks_at_the_program() -> None:
    x, count = T.dvector("x"), shared(0, "count")
    f = graphlab.function([x], T.log(1 + T.exp(x)), updates=[(count, count + 1)])
    found = f.bisect([0.3, 1.0])
    assert found.rewrite is None
    assert found.compiled is not None
    assert found.compiled < 1e-14
    assert not found.is_compiled
    assert count.get_value() == 0
    assert "no rewrite changes an output" in str(found)
    assert "the compiled program is" in str(found)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCH)
@given(st.lists(st.sampled_from([T.sin, T.tanh, T.exp, lambda v: v * 1, lambda v: v + 0, T.sigmoid,
                                 lambda v: T.log(1 + T.exp(v))]), max_size=8),
       st.lists(st.sampled_from([lambda v: v / 2 + 1, lambda v: v * 1, lambda v: 0 - v]), max_size=6))  # fmt: skip
def test_a_wrong_rule_is_named_in_random_programs(before: Sequence[object], after: Sequence[object]) -> None:
    x = T.dvector("x")
    v = x
    for step in before:
        v = step(v)  # type: ignore[operator]
    v = T.cosh(T.tanh(v) + 1)  # planted
    for step in after:
        v = step(v)  # type: ignore[operator]
    found = graphlab.function([x], v, mode=MODE).bisect(np.array([0.3, -0.7]))
    assert found.rewrite is not None
    assert found.rewrite.rule == WRONG.name
    assert found.rewrite.before.origin is not None
    assert "# planted" in found.rewrite.before.origin.text
