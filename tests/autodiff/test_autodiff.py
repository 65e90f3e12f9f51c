"""Gradients: known answers, disconnected inputs, forward against reverse, depth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, hessian_vector_product, jvp, verify_grad, vjp
from graphlab.errors import DisconnectedInputError, GraphTypeError, GraphValueError, NullGradientError
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops import decompositions, elementwise, linalg, reduce, shape, singular, systems
from graphlab.ops.base import Op


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
        (lambda x: (x * T.grad_scale(x, -3)).sum(), [1.0, 2.0, 3.0], [-2.0, -4.0, -6.0]),
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
        with pytest.raises(NullGradientError, match=r"by x.*polygamma by n") as caught:
            grad(y, x)
        assert caught.value.origin is not None
        assert caught.value.origin.text.startswith("y = T.polygamma(x, 2.0)")


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


# ---- derivatives that there are not --------------------------------------------------------------


class TestUndefined:
    def test_it_is_an_error_only_for_who_needs_it(self) -> None:
        a, x = T.dscalar("a"), T.dscalar("x")
        y = T.gammainc(a, x)
        slope = graphlab.function([a, x], grad(y, x))(2.0, 1.0)
        np.testing.assert_allclose(slope, np.exp(-1.0), rtol=1e-12)
        for mistake in (lambda: grad(y, [x, a]), lambda: vjp(y, a, 1.0), lambda: jvp(y, a, 1.0)):
            with pytest.raises(NullGradientError, match="gammainc by a"):
                mistake()
        # What hides behind a constant or a zero is not needed.
        held = T.gammainc(T.disconnected_grad(a), x) * a
        np.testing.assert_allclose(value(grad(held, a), {a: 2.0, x: 1.0}), 1 - 2 / np.e, rtol=1e-12)
        assert value(grad(T.floor(y) + a, a), {a: 2.0, x: 1.0}) == 1.0
        deep = T.gammainc(T.zero_grad(T.exp(a)) * 2, x) + a
        assert value(grad(deep, a), {a: 2.0, x: 1.0}) == 1.0

    def test_it_goes_on_to_what_comes_before(self) -> None:
        a, x = T.dscalar("a"), T.dscalar("x")
        y = T.gammainc(T.exp(a) * 2, x) ** 2
        with pytest.raises(NullGradientError, match=r"by a: float64.*gammainc by a") as caught:
            grad(y, a)
        assert caught.value.origin is not None
        assert caught.value.origin.text == "y = T.gammainc(T.exp(a) * 2, x) ** 2"
        with pytest.raises(NullGradientError, match="gammainc by a"):
            jvp(y, a, 1.0)
        np.testing.assert_array_equal(value(jvp(T.floor(y), a, 1.0), {a: 0.0, x: 1.0}), 0.0)

    def test_it_can_be_returned_as_nan(self) -> None:
        a, x = T.dvector("a"), T.dscalar("x")
        by_a, by_x = grad(T.gammainc(a, x).sum(), [a, x], null_gradients="return")
        assert np.isnan(value(by_a, {a: [1.0, 2.0], x: 1.0})).all()
        assert np.isfinite(value(by_x, {a: [1.0, 2.0], x: 1.0}))
        with pytest.raises(GraphValueError, match="null_gradients"):
            grad(x, x, null_gradients="maybe")

    def test_an_op_says_so_itself(self) -> None:
        @dataclass(frozen=True)
        class Mixed(Op):
            name = "mixed"

            def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
                return (inputs[0],)

            def numpy(self, *values: np.ndarray) -> np.ndarray:
                return values[0] * np.floor(values[1]) * values[2]

            def pullback(self, node: Apply, cotangents: Any) -> Any:
                (g,), (_, y, z) = cotangents, node.inputs
                missing = T.grad_not_implemented(self, 1, y, "ask for it")
                return [g * T.floor(y) * z, missing, T.grad_undefined(self, 2, z)]

        x, y, z = T.dscalars("x", "y", "z")
        cost = Mixed()(x, y, z)
        assert value(grad(cost, x), {x: 5.0, y: 2.5, z: 2.0}) == 4.0
        with pytest.raises(NullGradientError, match=r"mixed by input 1 \(y\) is not implemented: ask for it"):
            grad(cost, y)
        with pytest.raises(NullGradientError, match=r"mixed by input 2 \(z\) is not defined"):
            grad(cost, [x, z])

    def test_positions_have_a_zero_derivative_and_an_op_without_any_is_undefined(self) -> None:
        x = T.dvector("x")
        at = {x: [1.0, 3.0, 2.0]}
        np.testing.assert_array_equal(value(grad(x[T.argmax(x)], x), at), [0.0, 1.0, 0.0])
        counted = (T.searchsorted(x, np.array([2.5])) * x[0]).sum()
        np.testing.assert_array_equal(value(grad(counted, x), {x: [1.0, 2.0, 3.0]}), [2.0, 0.0, 0.0])
        with pytest.raises(NullGradientError, match="nextafter has no derivative by its operand 1"):
            grad(T.nextafter(x, 1.0).sum(), x)


# ---- forward mode without a formula ---------------------------------------------------------------


@dataclass(frozen=True)
class Reverse(Op):
    """An op as it is without its pushforward."""

    op: Op
    name = "reverse"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return self.op.infer(*inputs)

    def numpy(self, *values: np.ndarray) -> Any:
        return self.op.numpy(*values)

    def pullback(self, node: Apply, cotangents: Any) -> Any:
        return self.op.pullback(node, cotangents)


def test_the_forward_derivative_comes_from_the_pullback_where_there_is_no_formula() -> None:
    rng = np.random.default_rng(2)
    x, y = T.dmatrix("x"), T.dmatrix("y")
    at = {x: rng.normal(size=(3, 3)) + 4 * np.eye(3), y: rng.normal(size=(3, 3))}
    one = T.dmatrix("x")
    t_x, t_y = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    for op, operands in (
        (elementwise.multiply, [x, y[0]]), (elementwise.where, [x > 4, x * y, y]), (linalg.MatMul(), [x, y]),
        (systems.Solve(), [x, y]), (systems.Inv(), [x]), (decompositions.QR(), [x]), (reduce.Sum((0,)), [x]),
        (shape.Dimshuffle((1, 0)), [x]), (singular.SVD(False), [x]), (reduce.Max(), [x]),
    ):  # fmt: skip
        for own, derived in zip(op.apply(*operands).outputs, Reverse(op).apply(*operands).outputs, strict=True):
            want, got = (jvp(out, [x, y], [t_x, t_y]) for out in (own, derived))
            np.testing.assert_allclose(_at(got, at), _at(want, at), rtol=1e-9, atol=1e-11, err_msg=op.name)
    # It is a function of the point, and has derivatives itself.
    cubed = Reverse(elementwise.power)(one, 3.0)
    slope = jvp(jvp(cubed, one, np.ones((1, 1))), one, np.ones((1, 1)))
    assert value(slope, {one: [[2.0]]}) == 12.0


def _at(v: Variable, at: dict[Variable, np.ndarray]) -> np.ndarray:
    return interpret(Graph(tuple(at), (v,)), list(at.values()))[0]


def test_a_tangent_must_have_the_rank_of_what_moves() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphTypeError, match="tangent of x"):
        jvp(x.sum(), x, 1.0)


# ---- size -----------------------------------------------------------------------------------------


def _chain(n: int) -> tuple[Variable, Variable]:
    x = h = T.scalar("x")
    for _ in range(n):
        h = h * x + 1
    return h, x


def _diamonds(n: int) -> tuple[Variable, Variable]:
    """2**n paths lead from the end to the start."""
    x = h = T.scalar("x")
    for _ in range(n):
        h = T.sin(h) * T.cos(h)
    return h, x


def _fan_in(n: int) -> tuple[Variable, Variable]:
    x = T.scalar("x")
    return T.stack([T.sin(x + i) for i in range(n)]).sum(), x


def _fan_out(n: int) -> tuple[Variable, Variable]:
    """A sum of n terms, each of which reads x: n cotangents meet there."""
    x = T.scalar("x")
    total = x
    for i in range(n):
        total = total + T.sin(x + i)
    return total, x


@pytest.mark.parametrize("build", [_chain, _diamonds, _fan_in, _fan_out])
def test_derivatives_are_linear_in_the_graph_and_need_no_recursion(build: Any) -> None:
    sizes = dict[tuple[str, int], int]()
    for n in (300, 3000):
        cost, x = build(n)
        for direction, made in (("reverse", grad(cost, x)), ("forward", jvp(cost, x, 1.0))):
            sizes[direction, n] = len(toposort([made]))
    for direction in ("reverse", "forward"):
        assert sizes[direction, 3000] <= 10.5 * sizes[direction, 300]


def test_each_application_is_pulled_through_once() -> None:
    calls = Counter[int]()

    @dataclass(frozen=True)
    class Tracked(Op):
        number: int
        name = "tracked"

        def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
            return (inputs[0],)

        def pullback(self, node: Apply, cotangents: Any) -> Any:
            calls[self.number] += 1
            return [cotangents[0] * 2]

    x = h = T.scalar("x")
    for i in range(40):
        t = Tracked(i)(h)
        h = t * t + t
    grad(h, x)
    assert calls == Counter(range(40))


def test_the_gradient_of_hypot_at_the_origin_is_zero_as_that_of_a_norm() -> None:
    x, y = T.dscalars("x", "y")
    assert [g.eval({x: 0.0, y: 0.0}) for g in T.grad(T.hypot(x, y), [x, y])] == [0.0, 0.0]
    assert [g.eval({x: 3.0, y: -4.0}) for g in T.grad(T.hypot(x, y), [x, y])] == [0.6, -0.8]
