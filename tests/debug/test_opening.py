"""Inside of steps: kernels node by node, loops turn by turn, branches, symbolic functions; one inside the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.debug.session import Session
from graphlab.errors import GraphValueError


def named(v: Any, name: str) -> Any:
    v.name = name
    return v


def step_of(s: Session, kind: str) -> int:
    return next(step.index for step in s.steps if step.kind == kind)


@pytest.fixture
def looped() -> Function:
    """A loop whose turns are steps of their own: a product, and what is fused behind it."""
    x, w = T.matrix("x"), T.matrix("w")

    def turn(x_t: Any, h: Any) -> Any:
        pre = named(x_t @ w + h, "pre")
        return named(T.tanh(pre) * 2, "h")

    hs, _ = graphlab.scan(turn, x, T.zeros((3,)))
    return graphlab.function([x, w], hs.sum())


X, W = np.arange(15.0).reshape(5, 3) / 10, np.arange(9.0).reshape(3, 3) / 9


def by_hand() -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    h, turns = np.zeros(3), []
    for row in X:
        pre = row @ W + h
        h = np.tanh(pre) * 2
        turns.append((pre, h))
    return turns


def test_a_kernel_opens_node_by_node() -> None:
    x = T.vector("x")
    f = graphlab.function([x], T.dot(T.tanh(named(T.exp(x), "e") + 1), x))
    s = f.debug([0.0, 1.0])
    at = step_of(s, "kernel")
    s.enter(at)
    assert s.depth == 2
    assert [step.nodes[0].op.name for step in s.steps] == [n.op.name for n in f.kernels[0].nodes]
    with pytest.raises(GraphValueError, match="computed by step 0"):
        s.value("e")
    np.testing.assert_allclose(s.step().value("e"), np.exp([0.0, 1.0]))
    s.finish()
    assert s.findings == ()
    s.leave()
    assert (s.depth, s.position) == (1, at + 1)
    s.goto(at).enter().leave()
    assert s.position == at  # nothing inside has run
    with pytest.raises(GraphValueError, match="in the function itself"):
        s.leave()


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_a_loop_opens_turn_by_turn_and_a_turn_step_by_step(looped: Function, mode: str) -> None:
    f = looped if mode == "fast_run" else graphlab.function(looped.inputs, looped.graph.outputs[0], mode=mode)
    s = f.debug(X, W)
    at = next(step.index for step in s.steps if any(n.op.name == "scan" for n in step.nodes))
    s.enter(at)
    assert len(s.steps) == 5
    turns = by_hand()
    order = np.random.default_rng(0).permutation(5)
    for t in [0, 1, 4, *order]:
        s.goto(t + 1)
        np.testing.assert_allclose(s.value("h"), turns[t][1], rtol=1e-14)
        np.testing.assert_allclose(s.value("pre"), turns[t][0], rtol=1e-14)
    s.goto(3).enter()
    assert s.depth == 3
    s.finish()
    np.testing.assert_allclose(s.value("h"), turns[3][1], rtol=1e-14)
    np.testing.assert_allclose(s.value("w"), W)  # of the function outside
    s.leave()
    assert s.position == 4
    s.finish().leave().finish()
    assert s.findings == ()
    np.testing.assert_array_equal(s.outputs[0], f(X, W))


def test_turns_of_which_the_loop_keeps_only_the_last_run_again(looped: Function) -> None:
    x = T.vector("x")
    last, _ = graphlab.reduce(lambda x_t, h: named(T.sin(h) + x_t, "h"), x, T.zeros(()))
    s = graphlab.function([x], last * 2).debug(np.arange(40.0))
    s.enter(step_of(s, "loop"))
    values, h = [], 0.0
    for k in range(40):
        values.append(h := float(np.sin(h) + k))
    for t in np.random.default_rng(1).permutation(40):
        np.testing.assert_allclose(s.goto(int(t) + 1).value("h"), values[t])


def test_a_loop_that_ends_by_itself_has_the_turns_it_made() -> None:
    x = T.scalar("x")
    root = graphlab.while_loop(lambda r: abs(r * r - x) > 1e-12, lambda r: named((r + x / r) / 2, "r"), x)
    f = graphlab.function([x], root)
    s = f.debug(2.0)
    s.enter(step_of(s, "loop")).finish()
    assert 3 < len(s.steps) < 10
    np.testing.assert_allclose(s.value("r"), f(2.0), rtol=1e-15)


@pytest.mark.parametrize("x_value", [1.0, -1.0])
def test_of_a_choice_the_branch_taken_opens(x_value: float) -> None:
    x = T.vector("x")
    f = graphlab.function([x], graphlab.ifelse(x.sum() > 0, T.exp(x).sum(), T.sin(x).sum()))
    s = f.debug([x_value, x_value])
    s.enter(step_of(s, "branch"))
    assert f"the condition is {x_value > 0}" in str(s)
    assert next(n.op.name for step in s.steps for n in step.nodes) == ("exp" if x_value > 0 else "sin")
    s.finish().leave().finish()
    assert s.outputs[0] == f([x_value, x_value])


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_a_symbolic_function_opens(mode: str) -> None:
    @graphlab.symbolic
    def dense(x: Any, w: Any) -> Any:
        return T.tanh(named(x @ w, "inner"))

    x, w = T.matrix("x"), graphlab.shared(W, "w")
    y = dense(x, w)
    f = graphlab.function([x], (y**2).sum(), mode=mode)
    s = f.debug(X).finish()
    s.enter(y).step()
    np.testing.assert_allclose(s.value("inner"), X @ W)
    s.finish()
    np.testing.assert_allclose(s.value(len(s.steps) - 1), np.tanh(X @ W))


def test_a_loop_in_a_branch_in_a_loop() -> None:
    x = T.vector("x")

    def inner(h: Any) -> Any:
        return named(h + T.exp(-h), "innermost")

    def outer(x_t: Any, h: Any) -> Any:
        grown = graphlab.reduce(lambda a, b: inner(b) + 0 * a, T.zeros_like(x), h)[0]
        return graphlab.ifelse(x_t > 0, grown, h - x_t)

    hs, _ = graphlab.scan(outer, x, T.zeros(()))
    f = graphlab.function([x], hs)
    s = f.debug([1.0, -1.0, 2.0])
    s.break_at(op="exp")
    seen = 0
    while s.run().stopped != "the end":
        seen += 1
        assert s.depth >= 5  # the loop, its turn, the branch, the loop in there, its turn
    assert seen == 6
    np.testing.assert_array_equal(s.outputs[0], f([1.0, -1.0, 2.0]))
    assert s.findings == ()


def test_breakpoints_and_watches_reach_into_loops(looped: Function) -> None:
    s = looped.debug(X, W)
    watch = s.watch("h.max()")
    b = s.break_at(op="tanh", when=lambda a: a.max() > 0.9)
    turns = by_hand()
    first = next(t for t, (pre, _) in enumerate(turns) if np.tanh(pre).max() > 0.9)
    s.run()
    assert (s.depth, s.position, b.hits) == (2, first + 1, 1)
    at = s._levels[0].position
    assert [(place, round(float(value), 12)) for place, value in watch.history] == [
        ((at, t + 1), round(float(turns[t][1].max()), 12)) for t in range(first + 1)
    ]
    b.disable()
    assert s.run().stopped == "the end"
    s.breakpoints.clear()
    s.break_at(op="tanh")
    for t in range(5):
        assert s.restart() is s if t == 0 else True
        s.run()
        assert s.depth == 3
        assert f"turn {t} of 5" in str(s)


def test_what_is_single_does_not_open(looped: Function) -> None:
    s = looped.debug(X, W)
    with pytest.raises(GraphValueError, match="nothing inside step 0"):
        s.enter()
    with pytest.raises(GraphValueError, match="this is the end"):
        s.finish().enter()


def test_the_turn_that_fails_is_found() -> None:
    x = T.vector("x")
    ys, _ = graphlab.scan(lambda x_t: named(graphlab.check(T.sqrt(x_t), x_t >= 0, "negative"), "root"), x)
    f = graphlab.function([x], ys.sum())
    s = f.debug([1.0, 4.0, -1.0, 9.0])
    with pytest.raises(GraphValueError, match="negative"):
        s.finish()
    s.enter(next(step.index for step in s.steps if any(n.op.graphs for n in step.nodes)))
    with pytest.raises(GraphValueError, match="negative"):
        s.finish()
    assert s.position == 2
    assert s.value("root") == 2.0
