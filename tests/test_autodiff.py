"""Gradients: known answers, disconnected inputs, forward against reverse, depth."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, hessian_vector_product, jvp, verify_grad, vjp
from graphlab.errors import DisconnectedInputError, GraphTypeError, GraphValueError, NullGradientError
from graphlab.graph.walk import toposort


def value(variable: object, given: dict[object, object]) -> np.ndarray:
    return variable.eval(given)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("cost", "at", "expected"),
    [
        (lambda x: T.maximum(x, 2.0).sum(), [2.0, 3.0, 1.0], [1.0, 1.0, 0.0]),
        (lambda x: T.maximum(2.0, x).sum(), [2.0, 3.0, 1.0], [0.0, 1.0, 0.0]),
        (lambda x: abs(x).sum(), [0.0, -2.0, 3.0], [0.0, -1.0, 1.0]),
        (lambda x: x.prod(), [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
        (lambda x: x.max(), [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
        (lambda x: (x**2).sum(), [0.0, -1.0, 3.0], [0.0, -2.0, 6.0]),
        (lambda x: (x**0).sum(), [0.0, -1.0, 3.0], [0.0, 0.0, 0.0]),
        (lambda x: T.floor(x).sum(), [0.5, 1.5, -2.5], [0.0, 0.0, 0.0]),
        (lambda x: T.where(x > 0, x * 2, x * 3).sum(), [1.0, -1.0, 0.0], [2.0, 3.0, 3.0]),
        (lambda x: T.softplus(x).sum(), [800.0, -800.0, 0.0], [1.0, 0.0, 0.5]),
        (lambda x: (x * T.disconnected_grad(x)).sum(), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        (lambda x: (x * T.zero_grad(x)).sum(), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        (lambda x: (5 * T.grad_clip(x, -1, 1)).sum(), [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]),
    ],
)
def test_known_gradients(cost, at, expected) -> None:  # type: ignore[no-untyped-def]
    x = T.vector("x")
    g = grad(cost(x), x)
    np.testing.assert_allclose(value(g, {x: at}), expected, atol=1e-300)
    np.testing.assert_allclose(graphlab.function([x], g)(at), expected, atol=1e-300)


def test_the_gradient_of_a_switch_at_its_edge_is_nan_in_reverse_mode() -> None:
    x = T.scalar("x")
    g = grad(T.where(x > 0, T.sqrt(x), 0.0), x)
    assert np.isnan(value(g, {x: 0.0}))


def test_known_grads_replace_the_cost() -> None:
    x = T.vector("x")
    y = x**2
    g = grad(None, x, known_grads={y: np.array([1.0, 10.0])})
    np.testing.assert_array_equal(value(g, {x: [3.0, 4.0]}), [6.0, 80.0])


def test_an_intermediate_variable_can_be_wrt() -> None:
    x = T.scalar("x")
    h = T.tanh(x)
    np.testing.assert_array_equal(value(grad(h**2, h), {x: 0.5}), 2 * np.tanh(0.5))


def test_consider_constant_stops_the_flow() -> None:
    x = T.scalar("x")
    h = x * 3
    assert value(grad(h * x, x, consider_constant=[h]), {x: 2.0}) == 6.0


def test_float32_gradients_stay_float32_beside_float64() -> None:
    x, y = T.fvector("x"), T.dvector("y")
    assert grad((x * y).sum(), x).dtype == "float32"


class TestMistakes:
    def test_an_unused_wrt_is_named(self) -> None:
        x, unused = T.scalar("x"), T.scalar("unused")
        with pytest.raises(DisconnectedInputError, match="unused"):
            grad(x**2, unused)
        assert value(grad(x**2, unused, disconnected_inputs="ignore"), {x: 1.0, unused: 5.0}) == 0.0
        with pytest.warns(UserWarning, match="unused"):
            grad(x**2, unused, disconnected_inputs="warn")
        assert grad(x**2, unused, disconnected_inputs="ignore", return_disconnected="none") is None

    def test_the_cost_must_be_a_float_scalar(self) -> None:
        x = T.vector("x")
        with pytest.raises(GraphTypeError, match="float scalar"):
            grad(x**2, x)
        with pytest.raises(GraphTypeError, match="float scalar"):
            grad((x > 0).sum(), x)

    def test_wrt_must_be_floating(self) -> None:
        n = T.iscalar("n")
        with pytest.raises(GraphTypeError, match="n: int32"):
            grad(n * 1.5, n)

    def test_a_bad_policy_is_refused(self) -> None:
        x = T.scalar("x")
        with pytest.raises(GraphValueError, match="disconnected_inputs"):
            grad(x, x, disconnected_inputs="maybe")

    def test_an_op_without_gradient_names_the_line(self) -> None:
        x = T.scalar("x")
        y = T.polygamma(x, 2.0)  # no derivative by the order
        with pytest.raises((NullGradientError, DisconnectedInputError)):
            grad(y, x)


def test_forward_and_reverse_mode_agree() -> None:
    rng = np.random.default_rng(1)
    x, w = T.matrix("x"), T.vector("w")
    y = T.softmax(T.tanh(x * w + 1), axis=-1) * T.dot(x, w).dimshuffle(0, "x")
    point = {x: rng.normal(size=(4, 3)), w: rng.normal(size=3)}
    t_x, t_w, c = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(4, 3))
    forward = (value(jvp(y, [x, w], [t_x, t_w]), point) * c).sum()
    g_x, g_w = vjp(y, [x, w], c)
    reverse = (value(g_x, point) * t_x).sum() + (value(g_w, point) * t_w).sum()
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)


def test_a_tangent_of_one_operand_takes_the_shape_of_the_result() -> None:
    x, y = T.vectors("x", "y")
    t = jvp(x + y, x, np.array([1.0]))
    np.testing.assert_array_equal(value(t, {x: [1.0], y: [1.0, 2.0, 3.0]}), [1.0, 1.0, 1.0])


def test_second_derivatives() -> None:
    x = T.vector("x")
    cost = (T.exp(x) * T.sin(x)).sum()
    product = hessian_vector_product(cost, x, np.array([1.0, -2.0]))
    at = np.array([0.3, 0.7])
    np.testing.assert_allclose(value(product, {x: at}), 2 * np.exp(at) * np.cos(at) * [1.0, -2.0], rtol=1e-12)


def test_verify_grad_finds_a_wrong_gradient() -> None:
    verify_grad(lambda x: T.exp(x) * T.sin(x), [np.array([0.1, 0.7])])
    with pytest.raises(GraphValueError, match="input 0"):
        verify_grad(lambda x: x * T.disconnected_grad(x), [np.array([0.1, 0.7])])


def test_gradient_nodes_know_their_forward_node_and_its_line() -> None:
    x = T.scalar("x")
    y = T.exp(x)
    g = grad(y**2, x)
    belongs = {n.provenance.grad_of.op.name for n in toposort([g]) if n.provenance.grad_of is not None}
    assert {"exp", "power"} <= belongs
    node = next(n for n in toposort([g]) if n.provenance.grad_of is not None and n.provenance.grad_of.op.name == "exp")
    assert node.provenance.origins[0].text == "y = T.exp(x)"


def test_a_gradient_is_linear_in_the_graph_and_needs_no_recursion() -> None:
    sizes = []
    for n in (500, 5000):
        x = h = T.scalar("x")
        for _ in range(n):
            h = h * x + 1
        sizes.append(len(toposort([grad(h, x)])))
    assert sizes[1] <= 10.5 * sizes[0]
