"""The textual forms: right, stable, and linear in the size of the graph."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.text import debugprint, latex, maths, number_text, pp, prefix

x, y = T.vector("x"), T.vector("y")


def test_a_mean_is_written_as_one_if_all_of_it_is_a_mean() -> None:
    m, i, s = T.dmatrix("m"), T.lmatrix("i"), T.tensor("float64", (4, None), "s")
    for mean, text in (
        (m.mean(), "mean(m)"), (m.mean(axis=0), "mean(m, axes=(0,))"), (i.mean(), "mean(i)"), (s.mean(), "mean(s)"),
        (m.mean(axis=1, keepdims=True), "mean(m, axes=(1,), keepdims=True)"), (s.mean(axis=0), "mean(s, axes=(0,))"),
        (T.sqrt((m**2).mean()), "sqrt(mean(m**2))"), (x.mean() / x.mean(), "mean(x)/mean(x)"),
        (m.sum() / m.shape[0], "sum(m)/m.shape[0]"), (s.sum() / 4, "sum(s)/4"),
        (s.sum(axis=1) / 4, "sum(s, axes=(1,))/4"),
        (m.sum(axis=0) / T.cast(m.shape[1], "float64"), "sum(m, axes=(0,))/cast(m.shape[1], dtype=float64)"),
        (m.sum() / T.cast(m.shape[0] * m.shape[0], "float64"), "sum(m)/cast(m.shape[0]*m.shape[0], dtype=float64)"),
    ):  # fmt: skip
        assert maths(mean, means=True) == text
    assert maths(x.mean()) == "sum(x)/cast(x.shape[0], dtype=float64)"
    long = T.exp(m) + T.exp(m) * T.log(m)
    assert "cast" not in maths(long.mean() + long.mean(axis=0), means=True, limit=20)  # and it defines nothing unused


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: 2 * x + x**3, "2*x + x**3"),
        (lambda: x - (y - x), "x - (y - x)"),
        (lambda: (x - y) - x, "x - y - x"),
        (lambda: (x + y) * x / y, "(x + y)*x/y"),
        (lambda: (-x) ** 2, "(-x)**2"),
        (lambda: -(x**2), "-x**2"),
        (lambda: (x**y) ** x, "(x**y)**x"),
        (lambda: x ** (y**x), "x**y**x"),
        (lambda: x - (-2.0), "x - (-2)"),
        (lambda: (x < y) & (y < 1), "(x < y) & (y < 1)"),
        (lambda: T.exp(x + 1), "exp(x + 1)"),
    ],
)
def test_maths_puts_brackets_where_python_needs_them(build, expected) -> None:  # type: ignore[no-untyped-def]
    text = maths(build())
    assert text.replace("-2", "(-2)").replace("((-2))", "(-2)") == expected or text == expected


def test_maths_means_what_it_says() -> None:
    rng = np.random.default_rng(0)
    at = {"x": rng.uniform(0.5, 2, 4), "y": rng.uniform(0.5, 2, 4)}
    for built in (x - (y - x) * x, (x**y) ** x, -(x**2), (-x) ** 2, x / (y / x), x - (x + y), 2 * (x % y) // 1):
        np.testing.assert_allclose(eval(maths(built), {}, at), built.eval({v: at[v.name] for v in _inputs(built)}))


def _inputs(v):  # type: ignore[no-untyped-def]
    from graphlab.graph.walk import free_inputs

    return free_inputs([v])


def test_prefix_and_latex() -> None:
    assert prefix(2 * x + x**3) == "add(mul(2, x), pow(x, 3))"
    assert latex(2 * x + x**3) == r"2 \, x + x^{3}"
    assert latex(T.sqrt(x) / T.vector("alpha")) == r"\frac{\sqrt{x}}{\alpha}"


def test_numbers_are_as_short_as_can_be() -> None:
    assert [number_text(v) for v in (2.0, -3.0, 0.1, np.float32(0.1), -0.0, np.nan, 1e300, np.int8(5))] == [
        "2", "-3", "0.1", "0.1", "-0", "nan", "1e+300", "5",
    ]  # fmt: skip


def test_debugprint_shows_a_shared_part_once() -> None:
    s = T.exp(x)
    text = debugprint(s * s + y)
    assert text.count("exp [") == 2
    assert text.count("x [") == 1
    assert "⋯" in text


def test_texts_of_wide_sharing_and_of_depth_stay_small() -> None:
    h = x
    for _ in range(200):
        h = h * h
    assert len(maths(h)) < 30_000
    assert len(debugprint(h)) < 60_000
    for _ in range(20_000):
        h = T.sin(h)
    assert len(debugprint(h).splitlines()) < 25_000
    assert max(map(len, debugprint(h).splitlines())) < 250
    assert len(maths(h)) < 1_500_000


def test_graphs_that_ops_hold_are_shown_once_below() -> None:
    inner = graphlab.symbolic(lambda v: v * 2, name="double")
    outer = graphlab.symbolic(lambda v: inner(v) + inner(inner(v)), name="outer")
    v = outer(x)
    blocks = debugprint(v).split("\n\n")
    assert [b.splitlines()[0].split("  ")[0] for b in blocks] == [
        "outer [A] float64[?]", "inside outer [A]:", "inside double [E]:",
    ]  # fmt: skip
    assert blocks[2].splitlines()[1].startswith("    → v [")
    assert blocks[2].count("multiply") == 1
    assert maths(v) == "outer(x)"
    assert pp(v).splitlines() == ["outer(v) = double(v) + double(double(v))", "double(v) = v*2", "outer(x)"]


def test_scopes_are_shown_if_asked_for() -> None:
    with graphlab.name_scope("a/b"):
        v = T.exp(x)
    assert "in a/b" not in debugprint(v)
    assert debugprint(v, scopes=True).splitlines()[0].endswith("in a/b")
    lines = debugprint(T.grad(v.sum(), x), scopes=True).splitlines()
    assert any(line.endswith("in a/b (gradient)") for line in lines)


def test_a_variable_is_shown_in_one_line_however_large_its_graph_is() -> None:
    assert repr(x) == "<x: float64[?]>"
    assert repr(x + 1) == "<x + 1: float64[?]>"
    assert repr(T.dmatrix()) == "<float64[?,?]>"
    assert repr(graphlab.shared([1.0], "w")) == "<w: shared float64[?]>"
    assert repr(T.constant(2.0)) == "<2: float64>"
    named = T.exp(x)
    named.name = "e"
    assert repr(named) == "<e = exp(x): float64[?]>"
    doubled = x
    for _ in range(10_000):
        doubled = doubled + doubled
    assert repr(doubled) == "<add(...): float64[?]>"


def test_a_trace_and_a_program_are_printed_line_by_line() -> None:
    p = T.vector("p")
    f = graphlab.function([p], T.log(1 + T.exp(p)))
    assert any(
        line.startswith("    log(1 + exp(x)) -> softplus(x)  [rounding]  test_text.py:")
        for line in str(f.trace).splitlines()
    )
    assert "kernel_0: softplus has a kernel of its own" in str(f.trace)
    assert "1 rewrite" in repr(f.trace)
    assert repr(f.lowered) == "<program: kernel_0>"
    assert "step 0" in str(f.lowered)


def test_lists_graphs_and_functions_are_shown_too() -> None:
    x = graphlab.tensor.dvector("x")
    f = graphlab.function([x], [x + 1, x * 1])
    assert graphlab.pp(f) == "x + 1, x"
    assert graphlab.maths([x + 1, [x]]) == "x + 1, x"
    assert graphlab.debugprint(f) == graphlab.debugprint(*f.optimized.outputs) == graphlab.debugprint(f.optimized)
    with pytest.raises(graphlab.GraphlabError, match=r"3 \(int\) is no graph"):
        graphlab.debugprint(3)
