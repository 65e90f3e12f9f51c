"""Equations are solved without inverses, triangles by substitution, and what is factorised is so once."""

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
from graphlab.rewrite.factors import share_factors
from graphlab.rewrite.rules import FAMILIES

PAYING = [r for title, rules in FAMILIES if title.startswith("Linear algebra") for r in rules]
RNG = np.random.default_rng(0)
A = RNG.normal(size=(6, 6)) + 6 * np.eye(6)
S = A @ A.T
B = RNG.normal(size=(6, 2))
inv, solve, cholesky, det, slogdet = T.linalg.inv, T.linalg.solve, T.linalg.cholesky, T.linalg.det, T.linalg.slogdet


def fired(f: Any) -> set[str]:
    return {rewrite.rule for rewrite in f.trace.rewrites}


def left(f: Any) -> list[str]:
    """The names of the ops of the optimised graph."""
    return [n.op.name for n in toposort(f.trace.at(len(f.trace.rewrites)).outputs)]


def compiled(build: Callable[..., Any], ranks: tuple[int, ...] = (2,), fast_math: bool = False) -> Any:
    inputs = [Variable(TensorType("float64", (None,) * rank), f"x{i}") for i, rank in enumerate(ranks)]
    return graphlab.function(inputs, build(*inputs), mode=graphlab.mode("fast_run", fast_math=fast_math))


@pytest.mark.parametrize("rule", PAYING, ids=lambda r: r.name)
def test_each_pays_on_its_examples(rule: Any) -> None:
    for each in rule.examples:
        output = each.build(**{n: Variable(t, n) for n, t in each.types.items()})
        after = apply_rules(Graph((), (output,)), [rule], strict=True, paying=True)
        assert after.outputs[0] is not output


CASES = [
    ("inv(a) @ b -> solve(a, b)", lambda a: T.dot(inv(a), B), A, lambda a: np.linalg.solve(a, B), ["solve"]),
    ("inv(a) @ b -> solve(a, b)", lambda a: T.dot(inv(a), B[:, 0]), A, lambda a: np.linalg.solve(a, B[:, 0]),
     ["solve", "dimshuffle"]),
    ("b @ inv(a) -> solve(a.T, b.T).T", lambda a: T.dot(B.T, inv(a)), A, lambda a: B.T @ np.linalg.inv(a),
     ["dimshuffle", "solve", "dimshuffle"]),
    ("b @ inv(a) -> solve(a.T, b.T).T", lambda a: T.dot(B[:, 0], inv(a)), A, lambda a: B[:, 0] @ np.linalg.inv(a),
     ["dimshuffle", "solve", "dimshuffle"]),
    ("solve(cholesky(a), b) -> solve_triangular(cholesky(a), b)", lambda a: solve(cholesky(a), B), S,
     lambda a: np.linalg.solve(np.linalg.cholesky(a), B), ["cholesky", "solve_triangular"]),
    ("solve_triangular(a, eye) @ b -> solve_triangular(a, b)", lambda a: T.dot(inv(cholesky(a).T), B), S,
     lambda a: np.linalg.solve(np.linalg.cholesky(a).T, B), ["cholesky", "solve_triangular"]),
    ("b @ solve_triangular(a, eye) -> solve_triangular(a.T, b.T).T", lambda a: T.dot(B.T, inv(cholesky(a))), S,
     lambda a: B.T @ np.linalg.inv(np.linalg.cholesky(a)), ["cholesky", "solve_triangular", "dimshuffle"]),
    ("inv(cholesky(a)) -> solve_triangular(cholesky(a), eye)", lambda a: inv(cholesky(a)), S,
     lambda a: np.linalg.inv(np.linalg.cholesky(a)), None),
    ("det(cholesky(a)) -> its diagonal", lambda a: det(cholesky(a)), S, lambda a: np.sqrt(np.linalg.det(a)), None),
    ("slogdet(cholesky(a)) -> its diagonal", lambda a: slogdet(cholesky(a))[1], S,
     lambda a: np.linalg.slogdet(a)[1] / 2, None),
    ("cholesky(l @ l.T) -> l", lambda a: cholesky(T.dot(cholesky(a), cholesky(a).T)), S, np.linalg.cholesky,
     ["cholesky"]),
    ("f(eye) -> eye", lambda a: inv(T.eye(a.shape[0])) * a, S, lambda a: np.eye(6) * a, None),
    ("log(det(x)) -> slogdet(x)", lambda a: T.log(det(a)), S, lambda a: np.linalg.slogdet(a)[1], None),
    ("log(prod(x)) -> sum(log(|x|))", lambda a: T.log(T.prod(T.diag(cholesky(a)))), S,
     lambda a: np.linalg.slogdet(a)[1] / 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "build", "value", "want", "ops"), CASES)
def test_rules_fire_in_the_pipeline(name: str, build: Any, value: Any, want: Any, ops: list[str] | None) -> None:
    f = compiled(build)
    assert name in fired(f)
    assert ops is None or left(f) == ops
    np.testing.assert_allclose(f(value), want(value), rtol=1e-10, atol=1e-12)


def test_triangles_that_are_no_factors_are_for_fast_math() -> None:
    build = lambda a: solve(T.tril(a), B)  # noqa: E731
    assert "solve" in left(compiled(build))
    fast = compiled(build, fast_math=True)
    assert "solve_triangular" in left(fast)
    np.testing.assert_allclose(fast(A), np.linalg.solve(np.tril(A), B), rtol=1e-10)


def test_singular_matrices_are_still_errors() -> None:
    singular = np.zeros((6, 6))
    for build in (lambda a: T.dot(inv(a), B), lambda a: T.dot(B.T, inv(a)), lambda a: solve(T.tril(a), B)):
        for fast_math in (False, True):
            with pytest.raises((np.linalg.LinAlgError, graphlab.GraphlabError)):
                compiled(build, fast_math=fast_math)(singular)


def test_an_inverse_that_is_read_itself_is_used() -> None:
    a = T.dmatrix("a")
    product = T.dot(inv(a), B)
    f = graphlab.function([a], [product.owner.inputs[0], product])
    assert f.why_not("inv(a) @ b -> solve(a, b)", product).reason.endswith("may need what it replaces")
    assert left(f).count("solve") == 0
    np.testing.assert_allclose(f(A)[1], np.linalg.solve(A, B))


def test_logarithms_of_determinants_do_not_overflow_and_keep_their_sign() -> None:
    f, g = compiled(lambda a: T.log(det(a))), compiled(lambda a: T.log(abs(det(a))))
    huge = 1e200 * np.eye(3)
    np.testing.assert_allclose([f(huge), g(-huge)], 600 * np.log(10))
    assert np.isnan(f(-huge))
    assert f(np.zeros((2, 2))) == -np.inf
    assert np.isnan(f(np.full((2, 2), np.nan)))


def test_logarithms_of_products_do_not_overflow_and_keep_their_sign() -> None:
    f = compiled(lambda x: T.log(T.prod(x, axis=1)))
    rows = np.array([[1e200, 1e200], [-1e200, -1e200], [-2.0, 3.0], [0.0, 3.0], [0.0, np.inf], [1.0, np.nan]])
    np.testing.assert_allclose(f(rows), [400 * np.log(10)] * 2 + [np.nan, -np.inf, np.nan, np.nan])


# ---- factors are shared --------------------------------------------------------------------------


def gaussian_process() -> tuple[list[Variable], Variable]:
    """The inputs and the negative log-likelihood of a Gaussian process, written as the book has it."""
    x, y, theta = T.dvector("x"), T.dvector("y"), T.dvector("theta")
    square = (x[:, None] - x[None, :]) ** 2
    k = theta[0] ** 2 * T.exp(-square / (2 * theta[1] ** 2)) + theta[2] ** 2 * T.eye(x.shape[0])
    factor = cholesky(k)
    white = T.linalg.solve_triangular(factor, y, lower=True)
    return [theta, x, y], 0.5 * T.sum(white**2) + 0.5 * slogdet(k)[1]


def test_a_gaussian_process_factorises_once_and_inverts_nothing() -> None:
    inputs, cost = gaussian_process()
    outputs = [cost, T.grad(cost, inputs[0])]
    f = graphlab.function(inputs, outputs)
    ops = left(f)
    assert ops.count("cholesky") == 1
    assert not {"inv", "slogdet", "solve", "det"} & set(ops)
    values = [np.array([1.0, 0.7, 0.4]), RNG.normal(size=12), RNG.normal(size=12)]
    plain = graphlab.function(inputs, outputs, mode="interpret")
    for got, want in zip(f(*values), plain(*values), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9)


def test_squared_distances_over_features_are_symmetric_too() -> None:
    x = T.dmatrix("x")
    square = T.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2)
    k = T.exp(-square) + T.eye(x.shape[0])
    f = graphlab.function([x], [cholesky(k), slogdet(k)[1], inv(k), det(k), solve(k, x)])
    assert {"slogdet", "inv", "det", "solve"} & set(left(f)) == set()
    points = RNG.normal(size=(5, 2))
    matrix = np.exp(-((points[:, None] - points) ** 2).sum(2)) + np.eye(5)
    want = [np.linalg.cholesky(matrix), np.linalg.slogdet(matrix)[1], np.linalg.inv(matrix), np.linalg.det(matrix),
            np.linalg.solve(matrix, points)]  # fmt: skip
    for got, wanted in zip(f(points), want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


def test_a_factor_reads_one_triangle_so_it_stands_for_symmetric_matrices_alone() -> None:
    f = compiled(lambda a: [cholesky(a), slogdet(a)[1], T.dot(inv(a), B)])
    assert {"slogdet", "solve"} <= set(left(f))
    np.testing.assert_allclose(f(S)[1], np.linalg.slogdet(S)[1])


def test_an_indefinite_matrix_is_still_an_error_and_only_where_it_was_one() -> None:
    both = compiled(lambda a: [cholesky(a + a.T), slogdet(a + a.T)[1]])
    alone = compiled(lambda a: slogdet(a + a.T)[1])
    assert "slogdet" not in left(both)
    with pytest.raises((np.linalg.LinAlgError, graphlab.GraphlabError)):
        both(-np.eye(2))
    assert alone(-np.eye(2)) == pytest.approx(2 * np.log(2))


def test_batches_share_their_factors() -> None:
    x = T.dtensor3("x")
    k = T.matmul(x, x.dimshuffle(0, 2, 1)) + 3 * np.eye(4)
    f = graphlab.function([x], [cholesky(k), inv(k)])
    batch = RNG.normal(size=(3, 4, 4))
    want = np.linalg.inv(batch @ batch.transpose(0, 2, 1) + 3 * np.eye(4))
    np.testing.assert_allclose(f(batch)[1], want, rtol=1e-10)


@pytest.mark.parametrize(("build", "name"), [
    (lambda a: T.linalg.svd(a, full_matrices=False)[1], "svdvals"), (lambda a: T.linalg.eigh(a)[0], "eigvalsh"),
])  # fmt: skip
def test_vectors_that_nobody_reads_are_not_computed(build: Any, name: str) -> None:
    f = compiled(build)
    assert left(f) == [name]
    want = {"svdvals": np.linalg.svd(S)[1], "eigvalsh": np.linalg.eigvalsh(S)}[name]
    np.testing.assert_allclose(f(S), want, rtol=1e-10)
    assert left(compiled(lambda a: list(T.linalg.eigh(a)))) == ["eigh"]


def test_a_determinant_is_had_from_its_logarithm() -> None:
    f = compiled(lambda a: [det(a), slogdet(a)[1], slogdet(a)[0]])
    assert "det" not in left(f)
    np.testing.assert_allclose(f(A), [np.linalg.det(A), *np.linalg.slogdet(A)[::-1]])


def test_what_stands_behind_a_rewrite_gets_its_turn() -> None:
    x = T.dmatrix("x")
    k = T.dot(x, x.T)
    first = solve(k, x)  # k has a factor, and so has what is made of the solution
    second = T.dot(first, first.T)
    outputs = (cholesky(k), first, cholesky(second), slogdet(second)[1])
    after = share_factors(Graph((x,), outputs))
    ops = [n.op.name for n in toposort(after.outputs)]
    assert not {"solve", "slogdet"} & set(ops)


def test_a_graph_without_matrices_is_left_alone() -> None:
    x = T.dvector("x")
    graph = Graph((x,), (T.exp(x),))
    assert share_factors(graph) is graph
