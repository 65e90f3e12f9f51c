"""Sessions: every value at every step is the interpreter's, in any order of moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import graphlab
import graphlab.tensor as T
from graphlab import shared
from graphlab.debug.levels import Run, close
from graphlab.debug.schedule import StepView
from graphlab.debug.statistics import statistics
from graphlab.errors import GraphValueError
from graphlab.graph.events import StepRan, listen
from graphlab.graph.node import Variable
from graphlab.interpret import run_node
from tests.random_graphs import RandomProgram, random_programs


@pytest.fixture
def f() -> graphlab.Function:
    x, w = T.matrix("x"), T.vector("w")
    return graphlab.function([x, w], T.softmax(T.dot(x, w) + 1).sum() + T.tanh(x).mean())


ARGS = (np.arange(6.0).reshape(3, 2), np.array([0.5, -0.25]))


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_forward_back_and_goto_show_the_same_values(mode: str) -> None:
    x = T.vector("x")
    y = T.exp(x)
    z = (y * 2).sum() / T.dot(x, x)
    f = graphlab.function([x], z, mode=mode)
    s = f.debug([1.0, 2.0])
    assert s.position == 0
    assert s.here is s.steps[0]
    s.finish()
    assert s.here is None
    np.testing.assert_array_equal(s.outputs[0], f([1.0, 2.0]))
    seen = {v: s.value(v) for step in s.steps for v in step.outputs}
    for k in (0, len(s.steps), 1, len(s.steps) - 1, len(s.steps)):
        s.goto(k)
        assert s.position == k
        for step in s.steps:
            for v in step.outputs:
                if step.index < k:
                    np.testing.assert_array_equal(s.value(v), seen[v])
                else:
                    with pytest.raises(GraphValueError, match=f"step {step.index}"):
                        s.value(v)
    assert s.back().position == len(s.steps) - 1
    assert s.step().position == len(s.steps)
    assert s.findings == ()


def test_nodes_inside_a_fused_kernel_have_values() -> None:
    x = T.vector("x")
    f = graphlab.function([x], T.tanh(T.exp(x) + 1) * 2)
    (kernel,) = f.kernels
    assert len(kernel.nodes) >= 4
    s = f.debug([0.0, 1.0]).finish()
    inner = next(n.outputs[0] for n in kernel.nodes if n.op.name == "exp")
    np.testing.assert_allclose(s.value(inner), np.exp([0.0, 1.0]))


def test_a_variable_that_was_optimised_away_is_recomputed() -> None:
    x = T.vector("x")
    gone = T.log(1 + x)
    f = graphlab.function([x], gone * 2)
    assert all(n.op.name != "log" for k in f.kernels for n in k.nodes)
    np.testing.assert_allclose(f.debug([0.5]).value(gone), np.log([1.5]))


def test_a_foreign_variable_is_refused(f: graphlab.Function) -> None:
    with pytest.raises(GraphValueError, match="no part of this function"):
        f.debug(*ARGS).finish().value(T.vector("other") + 1)


def test_a_session_leaves_shared_variables_alone_and_keeps_its_own_view() -> None:
    count = shared(1.0, "count")
    f = graphlab.function([], count * 10, updates={count: count + 1})
    s = f.debug()
    count.set_value(5.0)
    s.finish()
    assert s.outputs[0] == 10.0
    assert count.get_value() == 5.0
    assert s.findings == ()


def test_steps_are_events_and_name_their_nodes(f: graphlab.Function) -> None:
    events: list[object] = []
    with listen(events.append):
        s = f.debug(*ARGS).finish()
    assert [e.step for e in events if isinstance(e, StepRan)] == list(range(len(s.steps)))
    kinds = {step.kind for step in s.steps}
    assert "kernel" in kinds
    assert "call" in kinds  # the matrix product
    assert "test_session.py" in str(s)


def test_restart_with_other_arguments(f: graphlab.Function) -> None:
    s = f.debug(*ARGS).finish()
    before = s.outputs[0]
    s.restart(ARGS[0] * 2, ARGS[1])
    assert s.position == 0
    assert s.finish().outputs[0] != before


def test_stats_are_those_of_the_value_at_hand(f: graphlab.Function) -> None:
    s = f.debug(*ARGS).finish()
    stats = s.stats(s.steps[0].outputs[0])
    value = s.value(s.steps[0].outputs[0])
    assert (stats.dtype, stats.shape, stats.min, stats.max) == ("float64", value.shape, value.min(), value.max())


def test_statistics_tell_nan_inf_and_zero() -> None:
    s = statistics(np.array([[0.0, np.nan], [np.inf, -2.0]]))
    assert (s.nan, s.inf, s.zero, s.min, s.max) == (1, 1, 1, -2.0, 0.0)
    assert statistics(np.zeros((0, 3))).min is None
    assert str(statistics(np.array([True, False]))).startswith("bool[2]")


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(random_programs(longest=6))
def test_every_value_of_a_random_session_is_the_interpreters(program: RandomProgram) -> None:
    f = graphlab.function(program.inputs, program.graph(), on_unused_input="ignore")
    s = f.debug(*program.values).finish()
    assert s.findings == ()
    known = dict(zip(s._graph.inputs, s._arguments, strict=True))
    for step in s.steps:
        passing = {v.dtype for node in step.nodes for v in (*node.inputs, *node.outputs)}
        rtol = 1e-4 if "float32" in passing else 1e-9  # in a kernel what is double may be made of what is single
        for node in step.nodes:
            run_node(node, known)
            for v in node.outputs:
                got = s.value(v)
                assert got.dtype == known[v].dtype
                np.testing.assert_allclose(got, known[v], rtol=rtol, atol=1e-12)
                known[v] = got
    for a, b in zip(s.outputs, f(*program.values), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_plain_call_is_compared_once_and_a_single_step_does_not_wait_for_it(
    f: graphlab.Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, calls = f.debug(*ARGS), list[object]()
    assert s._machine is not None

    def wrong(arrays: object) -> list[np.ndarray]:
        calls.append(arrays)
        return [s.outputs[0] + 1]

    monkeypatch.setattr(s._machine, "call", wrong)
    s.goto(len(s.steps) - 1).step()
    assert not calls
    s.back()
    assert not calls  # nobody has asked
    assert s.goto(len(s.steps)).findings == ("output 0: the steps and the plain call differ",)
    s.back().step().goto(0).finish()
    assert len(calls) == 1
    assert "finding: output 0" in str(s)
    s.restart().finish()
    assert len(calls) == 2


def test_a_kernel_that_is_wrong_is_a_finding_at_its_step(f: graphlab.Function, monkeypatch: pytest.MonkeyPatch) -> None:
    s = f.debug(*ARGS)
    wanted = next(k for k, step in enumerate(s.steps) if step.kind == "kernel")
    plain = Run.inner

    def off(run: Run, step: StepView, wanted_: object = ()) -> dict[Variable, np.ndarray]:
        return {v: a * 1.001 if step.index == wanted else a for v, a in plain(run, step, ()).items()}

    monkeypatch.setattr(Run, "inner", off)
    s.goto(wanted)
    assert s.findings == ()
    assert f"step {wanted} (kernel_0)" in s.step().findings[0]
    assert "the kernel and NumPy differ" in s.findings[0]


def test_values_that_differ_by_rounding_alone_are_close() -> None:
    ones = np.ones(3)
    assert close(ones, ones * (1 + 1e-10))
    assert not close(ones, ones * (1 + 1e-8))
    assert close(ones.astype("float32"), ones.astype("float32") * np.float32(1 + 1e-5))
    assert close(np.array([1e-14, 1.0]), np.array([2e-14, 1.0]))
    assert close(np.array([1e-3]), np.array([1.1e-3]), passing=1e12)  # a difference of large numbers
    odd = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert close(odd, odd + np.array([0, 0, 0, 1e-12]))
    for k in range(3):
        assert not close(odd, np.where(np.arange(4) == k, 1.0, odd))
        assert not close(np.where(np.arange(4) == k, 1.0, odd), odd)
    assert close(np.empty((0, 3)), np.empty((0, 3)))
    assert not close(np.empty((0, 3)), np.empty((3, 0)))
    assert not close(np.array([True]), np.array([False]))
