"""Assumed extents: gradients fuse as if nothing were stretched, and are right where something is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.lower import lower
from graphlab.ops.unbroadcast import SumTo

RNG = np.random.default_rng(3)


def _gradient() -> tuple[graphlab.Function, list[graphlab.Variable]]:
    x, y = T.vectors("x", "y")
    cost = (T.tanh(x * y) + x).sum()
    return graphlab.function([x, y], T.grad(cost, [x, y])), [x, y]


def _by_hand(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    slope = 1 - np.tanh(x * y) ** 2
    g_x, g_y = slope * y + 1, slope * x
    return [g.sum(keepdims=True) if v.shape == (1,) != g.shape else g for g, v in ((g_x, x), (g_y, y))]


def test_sums_to_a_shape_vanish_and_the_gradient_is_one_kernel() -> None:
    f, inputs = _gradient()
    assert f.lowered is not None
    assert not any(isinstance(n.op, SumTo) for n in f.lowered.nodes)
    assert len(f.kernels) == 1
    assert [set(e.axes) for e in f.lowered.assumed] == [{(inputs[0], 0), (inputs[1], 0)}]
    assert "GL_ERROR_ASSUMPTION;" in f.c_source


def test_sums_over_axes_of_which_the_operand_has_one_are_plain_sums() -> None:
    """As for a bias of each channel: nothing is assumed of how many rows and columns there are."""
    images, filters, bias = T.tensor4("images"), T.tensor4("filters"), T.vector("bias")
    maps = T.nnet.max_pool(T.nnet.conv2d(images, filters), (2, 2)) + bias[:, None, None]
    f = graphlab.function([images, filters, bias], T.grad((maps**2).sum(), bias))
    assert f.lowered is not None
    assert not any(isinstance(n.op, SumTo) for n in f.lowered.nodes)
    assert [set(e.axes) for e in f.lowered.assumed] == [{(filters, 0), (bias, 0)}]
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(2, 1, 6, 6)), rng.normal(size=(3, 1, 3, 3))
    plain = graphlab.function([images, filters], T.nnet.max_pool(T.nnet.conv2d(images, filters), (2, 2)))(x, w)
    for b in (rng.normal(size=3), rng.normal(size=1)):
        slopes = 2 * (plain + b[:, None, None]).sum((0, 2, 3))
        np.testing.assert_allclose(f(x, w, b), slopes if b.size == 3 else slopes.sum(keepdims=True), rtol=1e-12)


def test_the_general_program_keeps_them() -> None:
    f, _ = _gradient()
    general = lower(f.optimized, general=True)
    assert general.assumed == ()
    assert any(isinstance(n.op, SumTo) for n in general.nodes)


@pytest.mark.parametrize("shapes", [(4, 4), (1, 4), (4, 1), (1, 1), (0, 0), (1, 0)])
def test_gradients_are_right_whatever_is_stretched(shapes: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    f, _ = _gradient()
    x, y = (rng.normal(size=n) for n in shapes)
    for got, want in zip(f(x, y), _by_hand(x, y), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-12)
    session = f.debug(x, y).finish()
    assert session.findings == ()
    for got, want in zip(session.outputs, _by_hand(x, y), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_function_goes_back_and_forth_between_its_programs() -> None:
    f, _ = _gradient()
    for n in (1, 3, 1, 3):
        x, y = np.ones(n), np.arange(3.0)
        for got, want in zip(f(x, y), _by_hand(x, y), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_updates_of_shared_variables_rely_on_their_extents_too() -> None:
    x = T.matrix("x")
    w = graphlab.shared(np.ones(3), "w")
    cost = (x * w).sum()
    f = graphlab.function([x], cost, updates={w: w - T.grad(cost, w)})
    f(np.ones((2, 3)))
    np.testing.assert_array_equal(w.get_value(), [-1, -1, -1])
    w.set_value([1.0])
    f(np.ones((2, 3)))
    np.testing.assert_array_equal(w.get_value(), [-5])


@pytest.mark.parametrize("shapes", [(4, 4), (1, 4), (4, 1), (1, 1), (0, 0)])
def test_a_cotangent_that_is_the_same_everywhere_stays_one_number(shapes: tuple[int, int]) -> None:
    x, y = T.vectors("x", "y")
    f = graphlab.function([x, y], T.grad((y * T.softplus(x) - T.exp(y)).mean(), [x, y]))
    names = {node.op.name for node in f.lowered.nodes}
    assert "broadcast_to" in {node.op.name for node in toposort(f.optimized.outputs)}
    assert "broadcast_to" not in names
    assert "broadcast_to" in {node.op.name for node in lower(f.optimized, general=True).nodes}
    values = [RNG.normal(size=n) for n in shapes]
    for got, want in zip(f(*values), interpret(f.graph, values), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
        assert got.shape == want.shape
    assert f.debug(*values).finish().findings == ()


def test_what_the_user_stretches_may_still_fail() -> None:
    x, y, z = T.vectors("x", "y", "z")
    f = graphlab.function([x, y, z], T.grad((x * y).sum(), x) * T.broadcast_to(2.0, (y + z).shape))
    np.testing.assert_array_equal(f(np.ones(3), np.ones(3), np.ones(3)), [2, 2, 2])
    with pytest.raises(graphlab.GraphlabError):
        f(np.ones(3), np.ones(3), np.ones(4))


def test_a_clash_of_shapes_still_names_the_line() -> None:
    f, _ = _gradient()
    with pytest.raises(graphlab.errors.GraphShapeError, match=r"T.tanh\(x \* y\)"):
        f(np.ones(2), np.ones(3))


SHAPES = [(4,), (1,), (3, 4), (3, 1), (1, 4), (), (1, 1)]
Var = graphlab.Variable


def _random_gradient(rng: np.random.Generator) -> tuple[graphlab.Function, list[tuple[int, ...]]]:
    """The gradient of a random expression that broadcasts its inputs against each other, and their shapes."""
    steps: list[Callable[[Var, Var], Var]] = [
        lambda a, b: a * b,
        lambda a, b: a + T.tanh(b),
        lambda a, b: T.maximum(a, b),
        lambda a, b: a * b.sum(),
        lambda a, b: T.where(a > 0, a, b),
        lambda a, b: (a * b).mean(axis=-1, keepdims=True) if max(a.ndim, b.ndim) else a - b,
    ]
    shapes = [SHAPES[k] for k in rng.integers(len(SHAPES), size=rng.integers(2, 5))]
    inputs = [T.tensor("float64", (None,) * len(s), f"x{k}") for k, s in enumerate(shapes)]
    pool: list[Var] = list(inputs)
    for _ in range(rng.integers(2, 7)):
        a, b = (pool[k] for k in rng.integers(len(pool), size=2))
        pool.append(steps[rng.integers(len(steps))](a, b))
    cost = pool[-1].sum() + pool[-2].sum()
    gradient = T.grad(cost, inputs, disconnected_inputs="ignore")
    return graphlab.function(inputs, gradient, on_unused_input="ignore"), shapes


@pytest.mark.parametrize("seed", range(30))
def test_random_gradients_are_the_interpreters_whatever_is_stretched(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, shapes = _random_gradient(rng)
    stretched = [tuple(1 if rng.random() < 0.4 else (3, 4)[d - len(s)] for d in range(len(s))) for s in shapes]
    for some in (shapes, stretched, shapes):
        values = [np.asarray(rng.normal(size=s)) for s in some]
        for got, want in zip(f(*values), interpret(f.graph, values), strict=True):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
        assert f.debug(*values).finish().findings == ()


def test_a_number_is_not_stretched_where_another_operand_has_the_shape() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    f = graphlab.function([x, w], T.grad((T.tanh(x * w) ** 2).mean(), [x, w]))
    assert not any(node.op.name == "broadcast_to" for node in f.lowered.nodes)
    rng = np.random.default_rng(0)
    for shape in ((4, 3), (1, 3), (0, 3), (4, 1)):
        values = rng.normal(size=shape), rng.normal(size=3)
        with np.errstate(all="ignore"):
            plain = graphlab.function([x, w], T.grad((T.tanh(x * w) ** 2).mean(), [x, w]), mode="interpret")(*values)
        for got, want in zip(f(*values), plain, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)
