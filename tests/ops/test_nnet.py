"""Softmax and costs at the values where the naive formula fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphTypeError
from tests.ops.values import value


def test_log_softmax_and_logsumexp_do_not_overflow() -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(value(T.log_softmax(x), {x: [1000, 0, -1000]}), [0, -1000, -2000])
    np.testing.assert_allclose(value(T.logsumexp(x), {x: [1000, 1000]}), 1000.6931471805599)
    assert value(T.logsumexp(x), {x: [-np.inf, -np.inf]}) == -np.inf
    assert value(T.logsumexp(x), {x: [np.inf, 0]}) == np.inf


def test_softmax_sums_to_one_and_its_gradient_to_zero() -> None:
    x = T.dmatrix("x")
    array = np.array([[1000.0, 0, -1000], [1, 2, 3]])
    np.testing.assert_allclose(value(T.softmax(x).sum(axis=-1), {x: array}), 1)
    slope = value(T.grad((T.softmax(x)[:, 1]).sum(), x), {x: array})
    np.testing.assert_allclose(slope.sum(axis=-1), 0, atol=1e-16)


LEVELLED: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda x, top: T.exp(x - top) / T.exp(x - top).sum(-1, keepdims=True),
    "log_softmax": lambda x, top: x - top - T.log(T.exp(x - top).sum(-1, keepdims=True)),
    "logsumexp": lambda x, top: T.log(T.exp(x - top).sum(-1, keepdims=True)) + top,
}


@pytest.mark.parametrize("name", LEVELLED)
@pytest.mark.parametrize("variable", [T.dvector, T.fmatrix])
def test_who_subtracts_the_maximum_has_it_found_once(name: str, variable: Any) -> None:
    x = variable("x")
    f = graphlab.function([x], LEVELLED[name](x, x.max(-1, keepdims=True)))
    assert [n.op.name for k in f.lowered.kernels for n in k.nodes].count("max") == 1
    rows = np.array([[1, 2, 3], [-np.inf, 0, 1e30], [-np.inf] * 3, [np.inf, 0, 1], [np.nan, 0, 1]], x.dtype)
    for array in rows if x.ndim == 1 else [rows]:
        with np.errstate(all="ignore"):
            (want,) = graphlab.interpret(f.graph, [array])
        np.testing.assert_allclose(f(array), want, rtol=1e-6 if x.dtype == "float32" else 1e-14)
    with pytest.raises(ValueError, match="max"):
        f(np.zeros((0,) * x.ndim, x.dtype))


def test_the_maximum_of_other_axes_is_no_level() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.softmax(x - x.max(), axis=1))
    array = np.array([[0.0, 1], [-1000, -1001]])
    np.testing.assert_allclose(f(array), value(T.softmax(x, axis=1), {x: array}))


def test_relu_has_no_slope_at_zero() -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(value(T.grad(T.nnet.relu(x).sum(), x), {x: [-1, 0, 2]}), [0, 0, 1])
    np.testing.assert_array_equal(value(T.grad(T.nnet.relu(x, 0.5).sum(), x), {x: [-1, 0, 2]}), [0.5, 0.5, 1])


def test_crossentropy_takes_classes_or_distributions() -> None:
    p, t = T.dmatrix("p"), T.lvector("t")
    chances = np.array([[0.5, 0.5, 0], [0.1, 0.2, 0.7]])
    cost = T.nnet.categorical_crossentropy(p, t)
    np.testing.assert_allclose(value(cost, {p: chances, t: [1, 2]}), -np.log([0.5, 0.7]))
    # A chance of zero for a class that is not the true one leaves the gradient finite.
    slope = value(T.grad(cost.sum(), p), {p: chances, t: [1, 2]})
    np.testing.assert_allclose(slope, [[0, -2, 0], [0, 0, -1 / 0.7]])
    with pytest.raises(GraphTypeError, match="or integers of rank 1"):
        T.nnet.categorical_crossentropy(p, T.dvector("t"))
