"""Jacobians and Hessians: closed forms, any rank, finite differences, and graphs that do not grow."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import hessian, hessian_vector_product, jacobian
from graphlab.errors import DisconnectedInputError, GraphTypeError, GraphValueError
from graphlab.graph.node import Variable
from graphlab.graph.walk import toposort

RNG = np.random.default_rng(5)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))
both_modes = pytest.mark.parametrize("mode", ["reverse", "forward"])


@both_modes
def test_the_jacobian_of_a_linear_map_is_its_matrix(mode: str) -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(jacobian(T.dot(A, x), x, mode=mode).eval({x: np.ones(4)}), A)


@both_modes
def test_the_shape_is_that_of_the_expression_and_then_that_of_wrt(mode: str) -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    by_a, by_b = (j.eval({a: A, b: B}) for j in jacobian(a @ b, [a, b], mode=mode))
    # d(AB)[i, j] / dA[k, l] = [i = k] B[l, j], and by B[k, l] it is A[i, k] [j = l].
    np.testing.assert_allclose(by_a, np.einsum("ik,lj->ijkl", np.eye(3), B), rtol=1e-12)
    np.testing.assert_allclose(by_b, np.einsum("ik,jl->ijkl", A, np.eye(2)), rtol=1e-12)


@both_modes
def test_scalars_vectors_and_constant_expressions(mode: str) -> None:
    x, s = T.dvector("x"), T.dscalar("s")
    np.testing.assert_allclose(jacobian(T.exp(s), s, mode=mode).eval({s: 1.0}), np.e)
    np.testing.assert_allclose(jacobian(T.exp(x).sum(), x, mode=mode).eval({x: [0.0, 1.0]}), [1, np.e])
    np.testing.assert_allclose(jacobian(s * x, s, mode=mode).eval({s: 2.0, x: [5.0, 6.0]}), [5, 6])
    np.testing.assert_allclose(jacobian(x, x, mode=mode).eval({x: [5.0, 6.0]}), np.eye(2))
    np.testing.assert_array_equal(jacobian(T.floor(x), x, mode=mode).eval({x: [0.5, 1.5]}), np.zeros((2, 2)))
    assert jacobian(x**2, x, mode=mode).eval({x: np.zeros(0)}).shape == (0, 0)


@both_modes
def test_a_compiled_jacobian_is_what_finite_differences_give(mode: str) -> None:
    x = T.dmatrix("x")
    y = T.softmax(T.tanh(x) @ B, axis=0)[:, :1] * T.cumsum(x, 1)[:, 1:]
    f, at = graphlab.function([x], y), A
    got = graphlab.function([x], jacobian(y, x, mode=mode))(at)
    assert got.shape == (3, 3, 3, 4)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = 1e-6
        numeric = (f(at + step) - f(at - step)) / 2e-6
        np.testing.assert_allclose(got[(..., *place)], numeric, atol=1e-8)


def test_float32_stays_float32() -> None:
    x = T.fvector("x")
    assert jacobian(T.exp(x), x).dtype == hessian(T.exp(x).sum(), x).dtype == "float32"


def test_the_graph_does_not_grow_with_the_dimension() -> None:
    def sizes(n: int) -> tuple[int, ...]:
        x = T.tensor("float64", (n,), "x")
        y = T.tanh(T.dot(np.ones((n, n)), x))
        rows, columns = jacobian(y, x), jacobian(y, x, mode="forward")
        return tuple(len(toposort([v])) for v in (rows, columns, hessian(y.sum(), x)))

    assert sizes(2) == sizes(300)


def test_consider_constant_and_disconnected_inputs_are_those_of_grad() -> None:
    x, other = T.dvector("x"), T.dvector("other")
    h = x**2
    for mode in ("reverse", "forward"):
        held = jacobian(h * x, x, consider_constant=[h], mode=mode)
        np.testing.assert_allclose(held.eval({x: [1.0, 3.0]}), np.diag([1.0, 9.0]))
        none = jacobian(h, other, disconnected_inputs="ignore", mode=mode)
        assert none.eval({x: np.ones(2), other: np.ones(3)}).shape == (2, 3)
        with pytest.raises(DisconnectedInputError, match="other"):
            jacobian(h, other, mode=mode)
    with pytest.raises(GraphValueError, match="mode"):
        jacobian(h, x, mode="sideways")
    with pytest.raises(GraphTypeError, match="real"):
        jacobian(T.zvector("z"), x)


# ---- second derivatives ----------------------------------------------------------------------------


def _rosenbrock(x: Variable) -> Variable:
    cost: Variable = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    return cost


def _rosenbrock_hessian(x: np.ndarray) -> np.ndarray:
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
        h[i + 1, i + 1] += 200
    return h


def test_the_hessian_in_closed_form() -> None:
    x, at = T.dvector("x"), RNG.normal(size=5)
    f = graphlab.function([x], hessian(_rosenbrock(x), x))
    np.testing.assert_allclose(f(at), _rosenbrock_hessian(at), rtol=1e-10, atol=1e-9)
    np.testing.assert_array_equal(hessian(x.sum(), x).eval({x: at}), np.zeros((5, 5)))


def test_the_hessian_by_a_matrix_and_a_list_of_blocks() -> None:
    # C = sum(X Q X^T): d^2C / dX[i, j] dX[k, l] = Q[j, l] + Q[l, j].
    x, y, q = T.dmatrix("x"), T.dscalar("y"), RNG.normal(size=(4, 4))
    cost = (x * (x @ q)).sum() * y**3
    by_x, by_y = (h.eval({x: A, y: 2.0}) for h in hessian(cost, [x, y]))
    np.testing.assert_allclose(by_x, 8 * np.einsum("ik,jl->ijkl", np.eye(3), q + q.T), rtol=1e-12)
    np.testing.assert_allclose(by_y, 12 * (A * (A @ q)).sum(), rtol=1e-12)
    mixed = jacobian(T.grad(cost, x), y).eval({x: A, y: 2.0})
    np.testing.assert_allclose(mixed, 12 * A @ (q + q.T), rtol=1e-12)


def test_a_hessian_vector_product_needs_no_hessian() -> None:
    x, v, at = T.dvector("x"), T.dvector("v"), RNG.normal(size=5)
    product = hessian_vector_product(_rosenbrock(x), x, v)
    along = RNG.normal(size=5)
    np.testing.assert_allclose(product.eval({x: at, v: along}), _rosenbrock_hessian(at) @ along, rtol=1e-9)


def test_the_jacobian_of_a_jacobian() -> None:
    x = T.dvector("x")
    third = jacobian(jacobian(jacobian((x**4).sum(), x), x), x).eval({x: [1.0, 2.0]})
    want = np.zeros((2, 2, 2))
    want[0, 0, 0], want[1, 1, 1] = 24, 48
    np.testing.assert_allclose(third, want, rtol=1e-12)


def test_a_compiled_hessian_measures_its_argument_and_nothing_else() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], hessian((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum(), x))
    names = [step.name.rpartition("_")[0] for step in f.lowered.program.steps]
    assert "sum_to" not in names
    assert names.count("shape_of") == names.count("broadcast_to") == 1  # zeros of (n, n), into which parts are added
    x0 = RNG.normal(size=4)
    want = np.diag(np.append(1200 * x0[:-1] ** 2 - 400 * x0[1:] + 2, 0) + np.append(0, np.full(3, 200)))
    want += np.diag(-400 * x0[:-1], 1) + np.diag(-400 * x0[:-1], -1)
    np.testing.assert_allclose(f(x0), want, rtol=1e-12)


def test_a_compiled_jacobian_of_a_layer_needs_no_product_of_matrices() -> None:
    m, x = T.dmatrix("m"), T.dvector("x")
    f = graphlab.function([m, x], jacobian(T.tanh(T.dot(m, x)), x))
    calls = [step.name.rpartition("_")[0] for step in f.lowered.program.steps]
    assert calls.count("matmul") == 1  # m @ x
    assert "arange" not in calls
    m0, x0 = RNG.normal(size=(5, 4)), RNG.normal(size=4)
    np.testing.assert_allclose(f(m0, x0), (1 - np.tanh(m0 @ x0) ** 2)[:, None] * m0, rtol=1e-12)
