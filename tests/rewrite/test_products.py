"""Products of matrices take fewer operations, where nothing else needs what they replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rules import FAMILIES
from graphlab.rewrite.uses import work

PRODUCTS = [r for title, rules in FAMILIES if title.startswith("Products") for r in rules]
RNG = np.random.default_rng(0)
A, B, V = RNG.normal(size=(40, 30)), RNG.normal(size=(30, 40)), RNG.normal(size=40)


def fired(f: Any) -> set[str]:
    return {rewrite.rule for rewrite in f.trace.rewrites}


def compiled(build: Callable[..., Variable], *types: str, fast_math: bool = False) -> Any:
    inputs = [Variable(TensorType.parse(t), f"x{i}") for i, t in enumerate(types)]
    return graphlab.function(inputs, build(*inputs), mode=graphlab.mode("fast_run", fast_math=fast_math))


@pytest.mark.parametrize("rule", PRODUCTS, ids=lambda r: r.name)
def test_each_pays_on_its_examples(rule: Any) -> None:
    for each in rule.examples:
        output = each.build(**{n: Variable(t, n) for n, t in each.types.items()})
        graph = Graph((), (output,))
        after = apply_rules(graph, [rule], strict=True, paying=rule not in dict(FAMILIES)["Products without a sum"])
        assert after.outputs[0] is not output
        assert rule.name == "column @ row -> column * row + 0.0" or work(toposort(after.outputs)) < work(
            toposort([output])
        )


CASES = [
    ("column @ row -> column * row + 0.0", lambda x, y: T.dot(x, y), ["float64[?,1]", "float64[1,?]"],
     (A[:, :1], B[:1]), lambda x, y: x @ y),
    ("column @ row -> column * row + 0.0", lambda x, y: T.dot(x, y), ["float64[1]", "float64[1,?]"],
     (A[0, :1], B[:1]), lambda x, y: x @ y),
    ("ones @ x -> sum(x, 0)", lambda x: T.dot(T.ones(40), x), ["float64[40,?]"], (A,), lambda x: x.sum(0)),
    ("(-x) @ y -> 0 - x @ y", lambda x, y: T.dot(-x, y), ["float64[?,?]", "float64[?]"], (B, V), lambda x, y: -(x @ y)),
    ("trace(x @ y) -> sum(x * y.T)", lambda x, y: T.linalg.trace(T.dot(x, y)), ["float64[40,30]", "float64[30,40]"],
     (A, B), lambda x, y: np.trace(x @ y)),
    ("trace(x @ y) -> sum(x * y.T)", lambda x: T.linalg.trace(T.dot(x, x.T)), ["float64[?,?]"], (A,),
     lambda x: np.trace(x @ x.T)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "build", "types", "values", "want"), CASES)
def test_rules_fire_in_the_pipeline(
    name: str, build: Any, types: list[str], values: tuple[Any, ...], want: Callable[..., Any]
) -> None:
    f = compiled(build, *types)
    assert name in fired(f)
    np.testing.assert_allclose(f(*values), want(*values), rtol=1e-12)


SCALED = "diag(d) @ x -> where(nan elsewhere, nan, d * x)"
SCALINGS = [
    (lambda x, d, eye: T.dot(T.diag(d), x), lambda x, d, eye: np.diag(d) @ x),
    (lambda x, d, eye: T.dot(x.T, T.diag(d)), lambda x, d, eye: x.T @ np.diag(d)),
    (lambda x, d, eye: T.dot(eye, x), lambda x, d, eye: eye @ x),
    (lambda x, d, eye: T.dot(x.T, eye), lambda x, d, eye: x.T @ eye),
    (lambda x, d, eye: T.dot(eye * d, x), lambda x, d, eye: (eye * d) @ x),
    (lambda x, d, eye: T.dot(x.T, d[:, None] * eye), lambda x, d, eye: x.T @ (d[:, None] * eye)),
    (lambda x, d, eye: T.dot(eye * d, x[:, 0]), lambda x, d, eye: (eye * d) @ x[:, 0]),
]


@pytest.mark.parametrize(("build", "want"), SCALINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_diagonal_scales_and_zero_times_inf_is_nan(build: Any, want: Callable[..., Any], dtype: str) -> None:
    x_, d_ = T.tensor(dtype, (40, None)), T.tensor(dtype, (40,))
    f = graphlab.function([x_, d_], build(x_, d_, T.eye(x_.shape[0], dtype=dtype)), on_unused_input="ignore")
    assert SCALED in fired(f)
    assert all(node.op.name != "matmul" for node in toposort(f.optimized.outputs))
    x, d = B.T.astype(dtype), V.astype(dtype)
    awkward, one, both = x.copy(), x.copy(), x.copy()
    awkward[RNG.random(x.shape) < 0.03] = np.inf
    awkward[RNG.random(x.shape) < 0.1] = -0.0
    one[7, 3], both[2, 2:] = np.nan, -np.inf
    spoilt = d.copy()
    spoilt[7] = np.inf
    for values in [(x, d), (awkward, d), (one, d), (both, d), (x, spoilt), (one, spoilt), (x[:, :1], -d), (x * 0, d)]:
        with np.errstate(invalid="ignore"):
            expected = want(*values, np.eye(40, dtype=dtype))
        got = f(*values)
        np.testing.assert_array_equal(got, expected)
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(expected)[known])


def test_a_diagonal_whose_zeros_are_spoilt_along_the_result_stays_a_matrix() -> None:
    f = compiled(lambda x, d: T.dot(T.eye(40) * d[:, None], x), "float64[40,?]", "float64[40]")
    assert SCALED not in fired(f)
    np.testing.assert_allclose(f(B.T, V), V[:, None] * B.T, rtol=1e-12)


FAST = [
    ("(c * x) @ y -> c * (x @ y)", lambda x, v: T.dot(0.1 * x, v), (B, V), lambda x, v: 0.1 * x @ v),
    ("(x @ y) @ z -> x @ (y @ z)", lambda x, v: T.dot(T.dot(x.T, x), v), (B, V), lambda x, v: x.T @ x @ v),
    ("x @ (y @ z) -> (x @ y) @ z", lambda x, v: T.dot(v, T.dot(x.T, x)), (B, V), lambda x, v: v @ x.T @ x),
    ("sum(x @ y) -> sum(x, 0) @ sum(y, 1)", lambda x, v: T.dot(x, x.T).sum() + v[0], (B, V),
     lambda x, v: (x @ x.T).sum() + v[0]),
    ("eye @ x -> x", lambda x, v: T.dot(T.eye(x.shape[0]), x) * v, (B, V), lambda x, v: x * v),
    ("diag(d) @ x -> d * x", lambda x, v: T.dot(x, T.diag(v)), (B, V), lambda x, v: x * v),
    ("diag(d) @ x -> d * x", lambda x, v: T.dot(T.diag(v), x.T), (B, V), lambda x, v: v[:, None] * x.T),
]  # fmt: skip


@pytest.mark.parametrize(("name", "build", "values", "want"), FAST)
def test_some_are_for_fast_math(name: str, build: Any, values: tuple[Any, ...], want: Callable[..., Any]) -> None:
    types = ["float64[30,40]", "float64[40]"]
    f = compiled(build, *types, fast_math=True)
    assert name in fired(f)
    assert name not in fired(compiled(build, *types))
    np.testing.assert_allclose(f(*values), want(*values), rtol=1e-10)


def test_infinities_and_zeros_of_a_column_times_a_row() -> None:
    f = compiled(T.dot, "float64[?,1]", "float64[1,?]")
    x, y = np.array([[-0.0], [np.inf], [np.nan], [2.0]]), np.array([[0.0, -1.0, np.inf]])
    with np.errstate(invalid="ignore"):
        want = x @ y
    np.testing.assert_array_equal(f(x, y), want)
    assert not np.signbit(f(x, y)[0, 0])
    assert not want.size or not np.signbit(want[0, 0])


def test_a_product_that_is_read_itself_is_not_computed_twice() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    square = T.dot(x.T, x)
    f = graphlab.function([x, v], [square, T.dot(square, v)], mode=graphlab.mode("fast_run", fast_math=True))
    assert "(x @ y) @ z -> x @ (y @ z)" not in fired(f)
    np.testing.assert_allclose(f(A, A[0])[1], A.T @ A @ A[0])


def test_chains_are_computed_from_the_cheap_side() -> None:
    f = compiled(lambda a, b, c, v: T.dot(T.dot(T.dot(a, b), c), v), *["float64[?,?]"] * 3, "float64[?]",
                 fast_math=True)  # fmt: skip
    square, v = RNG.normal(size=(3, 3)), np.arange(3.0)
    np.testing.assert_allclose(f(square, square, square, v), square @ square @ square @ v)
    shapes = [n.output.type.ndim for n in toposort(f.trace.at(len(f.trace.rewrites)).outputs) if n.op.name == "matmul"]
    assert shapes == [1, 1, 1]


def test_extents_that_do_not_fit_are_still_an_error() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    for build in (T.dot(T.diag(v), x), T.dot(T.ones_like(v), x), T.linalg.trace(T.dot(x, x)) + v):
        f = graphlab.function([x, v], build, mode=graphlab.mode("fast_run", fast_math=True))
        with pytest.raises((ValueError, graphlab.GraphlabError)):
            f(np.ones((2, 3)), np.ones(4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(100, 7), (7, 100), (65, 65), (64, 1), (0, 80)])
def test_a_matrix_times_its_own_transpose_is_symmetric(dtype: str, shape: tuple[int, int]) -> None:
    x = T.matrix("x", dtype=dtype)
    f = graphlab.function([x], [T.dot(x, x.T), T.dot(x.T, x)])
    whole = RNG.normal(size=shape).astype(dtype)
    for a in (whole, np.asfortranarray(whole), whole[::-1]):
        for got, want in zip(f(a), (a @ a.T, a.T @ a), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
            assert len(got) < 64 or a is not whole or (got == got.T).all()
