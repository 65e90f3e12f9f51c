"""@graphlab.symbolic: one node a call, the body's own meaning, gradients of every order, opened when compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError, GraphTypeError, NullGradientError
from graphlab.graph.tools import applies_of
from graphlab.rewrite.inline import inline

MODES = ("fast_run", "fast_compile", "interpret", "debug")


def ops(*outputs: graphlab.Variable) -> list[str]:
    return [node.op.name for node in applies_of(outputs)]


@graphlab.symbolic
def dense(x: Any, w: Any, activation: str = "tanh") -> Any:
    return getattr(T, activation)(x @ w)


def test_a_call_is_one_node_named_after_the_function() -> None:
    y = dense(T.dvector("x"), T.dmatrix("w"))
    assert ops(y) == ["dense"]
    (graph,) = y.owner.op.graphs
    assert ops(*graph.outputs) == ["matmul", "tanh"]
    assert [v.name for v in graph.inputs] == ["x", "w"]
    assert str(y.type) == "float64[?]"


@pytest.mark.parametrize("mode", MODES)
def test_it_computes_what_its_body_computes(mode: str, rng: np.random.Generator) -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    f = graphlab.function([x, w], dense(dense(x, w), w, activation="exp"), mode=mode)
    a, b = rng.normal(size=3), rng.normal(size=(3, 3))
    np.testing.assert_allclose(f(a, b), np.exp(np.tanh(a @ b) @ b))


def test_compiled_calls_are_opened_and_fused() -> None:
    square = graphlab.symbolic(lambda v: v * v, name="squared")
    x = T.dvector("x")
    f = graphlab.function([x], T.exp(square(square(x))))
    (kernel,) = f.kernels
    assert "squared" not in [n.op.name for n in kernel.nodes]
    assert len(kernel.nodes) == 3
    assert [r.rule for r in f.trace.rewrites][:2] == ["squared(...) -> its graph"] * 2


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_first_and_second_derivatives_are_those_of_the_body(mode: str, rng: np.random.Generator) -> None:
    body = lambda x, w: T.tanh(x @ w)  # noqa: E731
    x, w = T.dvector("x"), T.dmatrix("w")
    values = [rng.normal(size=3), rng.normal(size=(3, 2))]
    results = []
    for make in (body, graphlab.symbolic(body)):
        first = T.grad((make(x, w) ** 2).sum(), [x, w])
        second = T.grad((first[0] ** 2).sum() + first[1].sum(), [x, w])
        forward = T.jvp(make(x, w), x, T.ones_like(x))
        results.append(graphlab.function([x, w], [*first, *second, forward], mode=mode)(*values))
    for plain, symbolic in zip(*results, strict=True):
        np.testing.assert_allclose(symbolic, plain, rtol=1e-9)


def test_a_gradient_is_a_node_too() -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    g = T.grad(dense(x, w).sum(), w)
    assert "dense gradient" in ops(g)
    assert "tanh" not in ops(g)
    again = T.grad(g.sum(), w)
    assert "dense gradient gradient" in ops(again)


def test_verify_grad_of_a_function_of_functions(rng: np.random.Generator) -> None:
    @graphlab.symbolic
    def two_layers(x: Any, w: Any) -> Any:
        return dense(dense(x, w), w)

    graphlab.tensor.verify_grad(two_layers, [rng.normal(size=3), rng.normal(size=(3, 3))])
    y = two_layers(T.dvector("x"), T.dmatrix("w"))
    assert ops(*y.owner.op.graph.outputs) == ["dense", "dense"]
    scopes = [n.provenance.scope for n in applies_of(inline(graphlab_graph(y)).outputs)]
    assert scopes == [("two_layers", "dense")] * 2 + [("two_layers", "dense 2")] * 2


def graphlab_graph(y: graphlab.Variable) -> Any:
    from graphlab.graph.node import Graph

    return Graph(tuple(graphlab.inputs_of(y)), (y,))


def test_what_the_body_takes_from_outside_becomes_an_input() -> None:
    w, scale = graphlab.shared([1.0, 2.0], "w"), T.dscalar("scale")
    outside = T.exp(scale)

    @graphlab.symbolic
    def scaled(x: Any) -> Any:
        return x * w * outside + 1

    x = T.dvector("x")
    y = scaled(x)
    assert y.owner.inputs == (x, w, outside)
    assert ops(*y.owner.op.graph.outputs) == ["multiply", "multiply", "add"]
    f = graphlab.function([x, scale], [y, T.grad(y.sum(), w), T.grad(y.sum(), scale)])
    for value, expected in zip(f([3.0, 4.0], 0.0), ([4.0, 9.0], [3.0, 4.0], 11.0), strict=True):
        np.testing.assert_allclose(value, expected)
    w.set_value([0.0, 0.0])
    np.testing.assert_allclose(f([3.0, 4.0], 0.0)[0], [1.0, 1.0])


def test_a_closure_is_read_at_each_call() -> None:
    factor = T.dscalar("a")
    times = graphlab.symbolic(lambda x: x * factor, name="times")
    x = T.dscalar("x")
    first = times(x)
    factor = T.dscalar("b")
    assert [y.owner.inputs[1].name for y in (first, times(x))] == ["a", "b"]


@pytest.mark.parametrize(("kind", "result"), [(tuple, (3.0, 2.0)), (list, [3.0, 2.0])])
def test_results_come_as_the_body_returns_them(kind: type, result: Any) -> None:
    x, y = T.dscalars("x", "y")
    both = graphlab.symbolic(lambda a, b: kind([a + b, a * b]))
    made = both(x, y)
    assert type(made) is kind
    assert [float(v.eval({x: 1.0, y: 2.0})) for v in made] == list(result)
    named = graphlab.symbolic(lambda a: {"twice": 2 * a, "self": a})(x)
    assert {k: float(v.eval({x: 2.0})) for k, v in named.items()} == {"twice": 4.0, "self": 2.0}
    np.testing.assert_allclose(graphlab.function([x], named["self"])(5.0), 5.0)


def test_arguments_may_be_nested_data_or_static() -> None:
    @graphlab.symbolic
    def affine(parameters: Any, x: Any, *, axis: int | None = None, names: tuple[str, ...] = ("w", "b")) -> Any:
        return (x * parameters[names[0]] + parameters[names[1]]).sum(axis=axis)

    w, b = T.dvector("weight"), T.dscalar("b")
    y = affine({"w": w, "b": b}, np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    assert [v.name for v in y.owner.op.graph.inputs] == ["parameters['w']", "parameters['b']", "x"]
    np.testing.assert_allclose(y.eval({w: [1.0, 10.0], b: 0.5}), [5.0, 61.0])


def test_calls_of_other_types_have_other_graphs_and_equal_calls_share_one() -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    one, two, other = dense(x, w), dense(dense(x, w), w), dense(T.fvector("x"), T.fmatrix("w"))
    assert one.owner.op == two.owner.op
    assert one.owner.op.graph is two.owner.op.graph
    assert other.owner.op != one.owner.op
    assert other.dtype == "float32"
    assert dense(x, w, activation="exp").owner.op != one.owner.op


def test_a_method_can_be_symbolic() -> None:
    class Layer:
        def __init__(self) -> None:
            self.w = graphlab.shared(2.0, "w")

        @graphlab.symbolic
        def forward(self, x: Any) -> Any:
            return self.w * x

    y = Layer().forward(T.dscalar("x"))
    assert ops(y) == ["forward"]
    assert [v.name for v in y.owner.inputs] == ["x", "w"]


class TestCustomGradients:
    def test_it_replaces_the_derivative_of_the_body(self) -> None:
        @graphlab.symbolic
        def straight_through(x: Any) -> Any:
            return T.round(x)

        @straight_through.def_vjp
        def gradient(inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [cotangents[0] * 3 + 0 * (inputs[0] + outputs[0])]

        x = T.dvector("x")
        g = T.grad(straight_through(x).sum(), x)
        assert "straight_through gradient" in ops(g)
        for mode in MODES:
            np.testing.assert_allclose(graphlab.function([x], g, mode=mode)([0.2, 1.7]), [3.0, 3.0])

    def test_none_cuts_and_the_count_is_checked(self) -> None:
        x, y = T.dscalars("x", "y")
        product = graphlab.symbolic(lambda a, b: a * b, name="product", gradient=lambda i, o, g: [None, g[0]])
        np.testing.assert_allclose(T.grad(product(x, y) + x, [x, y])[0].eval({x: 1.0, y: 2.0}), 1.0)
        wrong = graphlab.symbolic(lambda a, b: a * b, name="wrong", gradient=lambda i, o, g: [g[0]])
        with pytest.raises(GraphlabError, match="gives 1 results for 2 arguments"):
            T.grad(wrong(x, y), x)

    def test_what_it_depends_on_must_be_arguments(self) -> None:
        w, x = T.dscalars("w", "x")
        f = graphlab.symbolic(lambda a: a * w, name="f", gradient=lambda i, o, g: g)
        with pytest.raises(GraphlabError, match="must be arguments: w is not"):
            T.grad(f(x), x)

    def test_forward_mode_goes_through_it(self) -> None:
        x = T.dscalar("x")
        f = graphlab.symbolic(lambda a: a * a, name="f", gradient=lambda i, o, g: [10 * g[0]])
        assert T.jvp(f(x), x, 2.0).eval({x: 3.0}) == 20.0


def test_only_who_asks_for_an_undefined_gradient_gets_an_error() -> None:
    both = graphlab.symbolic(lambda n, x: T.polygamma(n, x), name="both")
    n, x = T.dscalars("n", "x")
    assert np.isfinite(T.grad(both(n, x), x).eval({n: 1.0, x: 2.0}))
    with pytest.raises(NullGradientError):
        T.grad(both(n, x), n)


def test_integers_have_no_gradient_and_others_are_unharmed() -> None:
    pick = graphlab.symbolic(lambda x, i: x[i] ** 2)
    x, i = T.dvector("x"), T.lscalar("i")
    np.testing.assert_allclose(T.grad(pick(x, i), x).eval({x: [1.0, 2.0, 3.0], i: 1}), [0.0, 4.0, 0.0])


class TestMistakes:
    def test_recursion_is_refused(self) -> None:
        @graphlab.symbolic
        def loop(x: Any) -> Any:
            return loop(x + 1)

        with pytest.raises(GraphTypeError, match="loop calls itself") as caught:
            loop(T.dscalar("x"))
        assert "scan" in str(caught.value)
        assert "test_symbolic.py" in str(caught.value)
        assert graphlab.symbolic(lambda x: x)(T.dscalar("x")).type.ndim == 0  # and the next call works

    def test_nothing_or_no_variable_is_returned(self) -> None:
        x = T.dscalar("x")
        with pytest.raises(GraphTypeError, match="nothing returns nothing"):
            graphlab.symbolic(lambda x: None, name="nothing")(x)
        with pytest.raises(GraphTypeError, match="an output must be a variable, got str"):
            graphlab.symbolic(lambda x: "x")(x)
        with pytest.raises(GraphTypeError, match="got int"):
            graphlab.symbolic(3)

    def test_an_error_names_the_line_in_the_body(self) -> None:
        @graphlab.symbolic
        def joined(x: Any, y: Any) -> Any:
            return x + y  # the line at fault

        x, y = T.dvectors("x", "y")
        for mode in ("interpret", "fast_run"):
            f = graphlab.function([x, y], joined(x, y), mode=mode)
            with pytest.raises(GraphlabError, match="x \\+ y  # the line at fault"):
                f([1.0, 2.0], [1.0, 2.0, 3.0])


def test_other_types_can_be_put_in() -> None:
    x, w, v = T.dvector("x"), T.dmatrix("w"), T.tensor("float64", (3,), "v")
    y = graphlab.clone_replace(dense(x, w), {x: v, w: T.tensor("float64", (3, 2), "u")})
    assert y.owner.op.name == "dense"
    assert y.type.shape == (2,)
    with pytest.raises(GraphTypeError, match="x is float64"):
        dense(x, w).owner.op.apply(w, w)


class TestRandomNumbers:
    @pytest.mark.parametrize("mode", ["fast_run", "interpret"])
    def test_calls_draw_what_the_bodies_would(self, mode: str) -> None:
        def results(wrap: Any) -> Any:
            stream = graphlab.RandomStream(3)
            before = stream.normal()
            noisy = wrap(lambda x: x + stream.normal(size=(2,)) * stream.uniform() + before)
            x = T.dvector("x")
            f = graphlab.function([x], [noisy(x), noisy(x), before, stream.normal()], mode=mode)
            return [value for _ in range(2) for value in f([0.0, 1.0])]

        for plain, symbolic in zip(results(lambda f: f), results(graphlab.symbolic), strict=True):
            np.testing.assert_array_equal(plain, symbolic)

    @pytest.mark.parametrize("mode", ["fast_run", "interpret"])
    def test_gradients_see_the_numbers_of_their_own_call(self, mode: str) -> None:
        stream = graphlab.RandomStream(3)
        noisy = graphlab.symbolic(lambda x: x**2 * stream.normal(size=(3,)), name="noisy")
        x = T.dvector("x")
        y, z = noisy(x), noisy(x)
        f = graphlab.function([x], [y, z, T.grad(y.sum(), x), T.grad(z.sum(), x)], mode=mode)
        for _ in range(2):
            value, other, slope, other_slope = f([1.0, 1.0, 1.0])
            np.testing.assert_allclose(slope, 2 * value)
            np.testing.assert_allclose(other_slope, 2 * other)
            assert not np.allclose(value, other)
