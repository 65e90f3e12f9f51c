"""Softmax and costs at the values where the naive formula fails."""

from __future__ import annotations

import numpy as np
import pytest

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
