"""Activations against their formulas, and at values where a careless formula overflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from tests.ops.values import value

Array = np.ndarray[Any, Any]
N = T.nnet

FORMULAS: list[tuple[str, Callable[..., Any], Callable[[Array], Array]]] = [
    ("relu", N.relu, lambda x: np.maximum(x, 0)),
    ("leaky_relu", N.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    ("elu", lambda x: N.elu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x))),
    ("selu", N.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    ("gelu", N.gelu, lambda x: x * special.ndtr(x)),
    (
        "gelu by tanh",
        lambda x: N.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    ("silu", N.silu, lambda x: x * special.expit(x)),
    ("mish", N.mish, lambda x: x * np.tanh(np.logaddexp(x, 0))),
    ("softsign", N.softsign, lambda x: x / (1 + np.abs(x))),
    ("hard_sigmoid", N.hard_sigmoid, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
]


@pytest.mark.parametrize(("name", "build", "formula"), FORMULAS, ids=[name for name, *_ in FORMULAS])
def test_values_and_gradients(name: str, build: Any, formula: Any) -> None:
    x = np.random.default_rng(5).uniform(-2.4, 2.4, (3, 4))
    np.testing.assert_allclose(build(T.constant(x)).eval(), formula(x), rtol=1e-12, atol=1e-14)
    single = build(T.constant(x.astype("float32"))).eval()
    assert single.dtype == "float32"
    np.testing.assert_allclose(single, formula(x), rtol=1e-4, atol=1e-6)
    verify_grad(build, [x])


def test_far_from_zero_everything_is_finite() -> None:
    x = T.dvector("x")
    far = [-800.0, -40.0, 40.0, 800.0]
    outputs = [build(x) for _, build, _ in FORMULAS]
    results = graphlab.function([x], outputs + [grad(y.sum(), x) for y in outputs])(far)
    for (name, _, formula), got, slope in zip(FORMULAS, results, results[len(FORMULAS) :], strict=False):
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(got, formula(np.array(far)), atol=1e-12, err_msg=name)
        assert np.isfinite(slope).all(), name


def test_gelu_keeps_its_digits_far_below_zero() -> None:
    np.testing.assert_allclose(N.gelu([-20.0]).eval(), [-20 * special.ndtr(-20)], rtol=1e-12)


def test_slopes_at_zero_and_slopes_as_an_array() -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(value(grad(N.elu(x).sum(), x), {x: [0]}), [1])
    np.testing.assert_array_equal(value(N.relu(x, np.array([0.5, 2.0])), {x: [-1, -1]}), [-0.5, -2])


def test_ultra_fast_sigmoid_is_near_the_true_one() -> None:
    x = np.linspace(-12, 12, 1001)
    error = np.abs(N.ultra_fast_sigmoid(x).eval() - special.expit(x)).max()
    assert 0.02 < error < 0.03


def test_a_chain_of_activations_is_one_kernel() -> None:
    x = T.dvector("x")
    function = graphlab.function([x], N.silu(N.elu(N.softsign(x))))
    assert len(function.kernels) == 1
