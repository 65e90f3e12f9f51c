"""Modes are tuned in a line: rules and passes come and go by name, by tag, or as they are."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphValueError
from graphlab.graph.node import Graph
from graphlab.rewrite.driver import RewriteError, RewriteWarning
from graphlab.viz.record import record

PING = graphlab.Rule("sin(x) -> cos(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.cos(x))
PONG = graphlab.Rule("cos(x) -> sin(x)", "exact", find=lambda x: T.cos(x), make=lambda x: T.sin(x))


def test_a_rule_of_ones_own_is_a_line_and_shows_in_the_trace() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.sin(x), mode=graphlab.mode("fast_run").including(PING))
    (applied,) = f.trace.rewrites
    assert (applied.rule, applied.source.split(":")[0]) == (PING.name, "test_modes.py")
    np.testing.assert_allclose(f([0.5]), np.cos([0.5]))
    (shown,) = record(f)["rewrites"]  # what the explorer draws from
    assert (shown["rule"], shown["before"]["text"], shown["after"]["text"]) == (PING.name, "sin(x)", "cos(x)")


def test_a_mode_may_be_the_default() -> None:
    x = T.dvector("x")
    with graphlab.using(mode=graphlab.mode("fast_run").including(PING)):
        np.testing.assert_allclose(graphlab.function([x], T.sin(x))([0.5]), np.cos([0.5]))
    np.testing.assert_allclose(graphlab.function([x], T.sin(x))([0.5]), np.sin([0.5]))


def test_a_pass_of_ones_own_runs_where_it_says() -> None:
    seen: list[str] = []

    def look(graph: Graph, name: str) -> Graph:
        seen.append(f"{name}: {graphlab.maths(*graph.outputs)}")
        return graph

    x = T.dvector("x")
    early = graphlab.Pass("looked at early", function=look, after="calls are opened")
    late = graphlab.Pass("looked at late", function=look)
    own = graphlab.mode("fast_run").including(late, early)
    f = graphlab.function([x], T.log(1 + x), mode=own)
    assert seen == ["looked at early: log(1 + x)", "looked at late: log1p(x)"]
    assert [p.name for p in f.trace.passes][1 :: len(f.trace.passes) - 2] == ["looked at early", "looked at late"]
    assert [p.name for p in own.excluding("looked at late").steps if own.excluding("looked at late").runs(p)][-1] != (
        "looked at late"
    )


def test_a_pass_of_rules_applies_them_in_its_place_only() -> None:
    x = T.dvector("x")
    step = graphlab.Pass("sines are cosines", rules=(PING,))
    f = graphlab.function([x], T.sin(x), mode=graphlab.mode("fast_run").including(step))
    assert [r.pass_name for r in f.trace.rewrites] == ["sines are cosines"]
    assert graphlab.maths(*f.trace.at(1).outputs) == "cos(x)"


def test_passes_are_excluded_by_name() -> None:
    x = T.dvector("x")
    y = T.exp(x) + T.exp(x)
    without = graphlab.mode("fast_run").excluding("equal nodes are one", "equal forms are one", "equal results are one")
    assert [n.op.name for n in graphlab.applies_of(graphlab.optimize(y))].count("exp") == 1
    assert [n.op.name for n in graphlab.applies_of(graphlab.optimize(y, without))].count("exp") == 2


@pytest.mark.parametrize("what", ["log(1+x) -> log1p(x)", "stabel"])
def test_unknown_names_are_refused_with_near_ones(what: str) -> None:
    near = "log(1 + x) -> log1p(x)" if "log" in what else "stable"
    for change in (graphlab.mode("fast_run").including, graphlab.mode("fast_run").excluding):
        with pytest.raises(GraphValueError, match="no rule, tag or pass is called") as caught:
            change(what)
        assert near in str(caught.value)


def test_a_pass_after_an_unknown_one_is_refused() -> None:
    with pytest.raises(GraphValueError, match="no rule, tag or pass is called 'nothing'"):
        graphlab.mode("fast_run").including(graphlab.Pass("mine", rules=(PING,), after="nothing"))


def test_optimize_works_alone_with_rules_of_ones_own() -> None:
    x = T.dvector("x")
    y = T.sin(x) * 1
    assert graphlab.maths(graphlab.optimize(y, rules=[PING])) == "cos(x)*1"
    assert graphlab.maths(graphlab.optimize(y)) == "sin(x)"
    first, second = graphlab.optimize([y, T.cos(x)], rules=[PING])
    assert graphlab.maths(first, second) == "cos(x)*1, cos(x)"


def test_rules_that_never_settle_stop_and_the_culprit_is_named() -> None:
    x = T.dvector("x")
    with pytest.warns(RewriteWarning, match=r"do not settle; '(sin|cos)\(x\) -> .*' fired \d+ times"):
        graphlab.optimize(T.sin(x), rules=[PING, PONG])
    with pytest.warns(RewriteWarning, match="do not settle"):
        f = graphlab.function([x], T.sin(x), mode=graphlab.Mode("numpy", compiles=False).including(PING, PONG))
    assert f([0.0]).shape == (1,)
    with pytest.raises(RewriteError, match=r"'(sin|cos)\(x\) -> .*' fired"):
        graphlab.function([x], T.sin(x), mode=graphlab.mode("debug").including(PING, PONG))
