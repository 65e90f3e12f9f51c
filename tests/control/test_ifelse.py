"""ifelse: one of two values, and nothing of the other."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError, GraphTypeError
from graphlab.graph.walk import toposort
from graphlab.loops.ir import Branch

MODES = ("fast_run", "fast_compile", "interpret", "debug")


@pytest.mark.parametrize("mode", MODES)
def test_values(mode: str) -> None:
    x, c = T.dvector("x"), T.dscalar("c")
    f = graphlab.function([x, c], graphlab.ifelse(c > 0, T.exp(x), x * 2), mode=mode)
    np.testing.assert_allclose(f([0.0, 1.0], 1.0), np.exp([0.0, 1.0]))
    np.testing.assert_array_equal(f([0.0, 1.0], -1.0), [0.0, 2.0])
    np.testing.assert_array_equal(f([0.0, 1.0], np.nan), [0.0, 2.0])


@pytest.mark.parametrize("mode", MODES)
def test_the_other_branch_never_runs(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    x, c = T.dmatrix("x"), T.dscalar("c")
    then = graphlab.Print("then")(T.linalg.cholesky(x)).sum()
    otherwise = graphlab.Print("otherwise")(x).sum()
    f = graphlab.function([x, c], graphlab.ifelse(c > 0, then, otherwise), mode=mode)
    assert f(-np.eye(2), -1.0) == -2.0  # no Cholesky decomposition of it exists
    printed = capsys.readouterr().out
    assert "otherwise" in printed
    assert "then" not in printed
    with pytest.raises(GraphlabError, match="positive definite"):
        f(-np.eye(2), 1.0)
    assert "otherwise" not in capsys.readouterr().out


def test_what_a_branch_needs_is_in_the_branch() -> None:
    x, c = T.dvector("x"), T.dscalar("c")
    both = T.exp(x)
    f = graphlab.function([x, c], graphlab.ifelse(c > 0, T.sin(both).sum(), T.cos(both).sum()))
    assert "ifelse(c, f(x), g(y)) -> ifelse(c, x -> f(x), y -> g(y))" in [r.rule for r in f.trace.rewrites]
    (node,) = [n for n in toposort(f.optimized.outputs) if n.op.name == "ifelse"]
    inside = [[n.op.name for n in toposort(g.outputs, g.inputs)] for g in node.op.graphs]
    assert inside == [["sin", "sum"], ["cos", "sum"]]
    assert "exp" in [n.op.name for n in toposort(f.optimized.outputs)]
    (step,) = [s for s in f.lowered.program.steps if isinstance(s.action, Branch)]
    assert len(step.action.then) == len(step.action.otherwise) == 1
    assert f([0.0], 1.0) == np.sin(1.0)


def test_what_others_need_too_stays_outside() -> None:
    x, c = T.dscalar("x"), T.dscalar("c")
    shared = T.exp(x)
    f = graphlab.function([x, c], [graphlab.ifelse(c > 0, shared, x), shared])
    assert [float(v) for v in f(0.0, 1.0)] == [1.0, 1.0]
    (node,) = [n for n in toposort(f.optimized.outputs) if n.op.name == "ifelse"]
    assert all(not toposort(g.outputs, g.inputs) for g in node.op.graphs)


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_is_lazy_too(mode: str) -> None:
    x = T.dscalar("x")
    y = graphlab.ifelse(x > 0, T.sqrt(x), x * 3)
    f = graphlab.function([x], T.grad(y, x), mode=mode)
    assert f(0.0) == 3.0  # not nan, as where(x > 0, sqrt(x), 3 * x) has it
    assert f(4.0) == 0.25
    g = graphlab.function([x], T.grad(T.grad(y, x), x), mode=mode)
    assert g(4.0) == pytest.approx(-0.25 * 4.0**-1.5)
    assert g(-1.0) == 0.0


def test_gradient_by_an_intermediate_and_by_shared_variables() -> None:
    w, c = graphlab.shared(np.array([1.0, 2.0]), "w"), T.dscalar("c")
    h = w**2
    y = graphlab.ifelse(c > 0, h.sum(), (3 * w).sum())
    by_h, by_w = graphlab.function([c], T.grad(y, [h, w]))(1.0)
    np.testing.assert_array_equal(by_h, [1.0, 1.0])
    np.testing.assert_array_equal(by_w, [2.0, 4.0])
    np.testing.assert_array_equal(graphlab.function([c], T.grad(y, w))(-1.0), [3.0, 3.0])


def test_several_values_and_nesting() -> None:
    x = T.dscalar("x")
    inner = graphlab.ifelse(x > 10, x * 100, x * 10)
    a, b = graphlab.ifelse(x > 0, [inner, T.constant(1)], [x, T.constant(2.5)])
    assert b.dtype == "float64"
    f = graphlab.function([x], [a, b])
    assert [[float(v) for v in f(k)] for k in (11.0, 1.0, -1.0)] == [[1100.0, 1.0], [10.0, 1.0], [-1.0, 2.5]]
    (node,) = [n for n in toposort(f.optimized.outputs) if n.op.name == "ifelse"]
    assert [n.op.name for n in toposort(node.op.then.outputs, node.op.then.inputs)].count("ifelse") == 1


def test_in_a_loop_and_over_a_batch() -> None:
    x = T.dvector("x")
    kept, _ = graphlab.scan(lambda v, s: graphlab.ifelse(v > s, v, s), x, -np.inf)
    np.testing.assert_array_equal(kept.eval({x: [1.0, 3.0, 2.0, 5.0]}), [1.0, 3.0, 3.0, 5.0])
    batch = graphlab.vmap(lambda v: graphlab.ifelse(v > 0, T.exp(v), v - 1))
    a = np.array([1.0, -1.0, 0.0])
    np.testing.assert_allclose(batch(x).eval({x: a}), np.where(a > 0, np.exp(a), a - 1))
    c, m = T.dscalar("c"), T.dmatrix("m")
    rows = graphlab.vmap(lambda r: graphlab.ifelse(c > 0, r.sum(), c))(m)
    f = graphlab.function([c, m], rows)
    np.testing.assert_array_equal(f(1.0, np.ones((2, 3))), [3.0, 3.0])
    np.testing.assert_array_equal(f(-1.0, np.ones((2, 3))), [-1.0, -1.0])


def test_forward_mode() -> None:
    x = T.dscalar("x")
    y = graphlab.ifelse(x > 0, x**3, -x)
    f = graphlab.function([x], T.jvp(y, x, 1.0))
    assert f(2.0) == 12.0
    assert f(-2.0) == -1.0


def test_updates_through_a_choice() -> None:
    n, c = graphlab.shared(np.int64(3), "n"), T.lscalar("c")
    f = graphlab.function([c], n, updates={n: graphlab.ifelse(c > 0, n + 1, n)})
    f(1), f(0), f(1)
    assert n.get_value() == 5


def test_mistakes() -> None:
    x, y = T.dvector("x"), T.dscalar("y")
    with pytest.raises(GraphTypeError, match="must be a scalar"):
        graphlab.ifelse(x > 0, x, x)
    with pytest.raises(GraphTypeError, match="same rank"):
        graphlab.ifelse(y > 0, x, y)
    with pytest.raises(GraphTypeError, match="between 2 values and 1"):
        graphlab.ifelse(y > 0, [x, x], [x])


def test_a_session_steps_over_the_choice() -> None:
    x = T.dscalar("x")
    s = graphlab.function([x], graphlab.ifelse(x > 0, T.exp(x), x) * 2).debug(-1.0).finish()
    assert "branch" in [step.kind for step in s.steps]
    assert s.findings == ()
    assert s.outputs[0] == -2.0


def test_a_derivative_that_does_not_exist_is_missed_only_by_who_asks() -> None:
    x, a = T.dscalar("x"), T.dscalar("a")
    y = graphlab.ifelse(x > 0, T.gammainc(a, x), x * a)
    f = graphlab.function([x, a], T.grad(y, x))
    np.testing.assert_allclose(f(1.5, 2.0), 1.5 * np.exp(-1.5), rtol=1e-12)
    assert f(-1.5, 2.0) == 2.0
    with pytest.raises(GraphlabError, match="gammainc"):
        T.grad(y, a)
