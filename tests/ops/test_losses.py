"""Losses against their formulas, and exact where chances round to 0 or 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphTypeError
from tests.ops.values import value

N = T.nnet


def test_binary_crossentropy_of_logits_is_that_of_their_sigmoid() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3, 4)), rng.random((3, 4))
    p = special.expit(x)
    want = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    np.testing.assert_allclose(N.sigmoid_binary_crossentropy(x, t).eval(), want)
    np.testing.assert_allclose(N.binary_crossentropy(N.sigmoid(x), t).eval(), want)
    verify_grad(N.sigmoid_binary_crossentropy, [x, t])


def test_binary_crossentropy_of_logits_at_extremes() -> None:
    x, t = T.dvector("x"), T.lvector("t")
    cost = N.sigmoid_binary_crossentropy(x, t)
    function = graphlab.function([x, t], [cost, grad(cost.sum(), x)])
    got, slope = function([-1000, 1000, -1000, 1000, 40], [1, 1, 0, 0, 1])
    np.testing.assert_allclose(got, [1000, 0, 0, 1000, np.exp(-40)], rtol=1e-12)
    np.testing.assert_allclose(slope, [-1, 0, 0, 1, -np.exp(-40)], rtol=1e-12)
    single = N.sigmoid_binary_crossentropy(np.float32([-200]), np.float32([1])).eval()
    assert single.dtype == "float32"
    assert single == 200


def test_crossentropy_of_logits_takes_classes_or_distributions() -> None:
    rng = np.random.default_rng(1)
    x, classes = rng.normal(size=(4, 3)), np.array([2, 0, 1, 1])
    want = -special.log_softmax(x, axis=1)[np.arange(4), classes]
    np.testing.assert_allclose(N.softmax_categorical_crossentropy(x, classes).eval(), want)
    rows = N.to_one_hot(classes, 3)
    np.testing.assert_allclose(N.softmax_categorical_crossentropy(x, rows).eval(), want)
    np.testing.assert_allclose(N.softmax_categorical_crossentropy(x.T, classes, axis=0).eval(), want)
    np.testing.assert_allclose(N.softmax_categorical_crossentropy(x.T, rows.T, axis=0).eval(), want)
    np.testing.assert_allclose(N.categorical_crossentropy(N.softmax(x), classes).eval(), want)
    verify_grad(lambda v: N.softmax_categorical_crossentropy(v, classes), [x])
    cost, chances, best = N.crossentropy_softmax_argmax_1hot_with_bias(x, np.ones(3), classes)
    np.testing.assert_allclose(cost.eval(), want)
    np.testing.assert_allclose(chances.eval(), special.softmax(x, axis=1))
    np.testing.assert_array_equal(best.eval(), x.argmax(1))


def test_crossentropy_of_logits_at_extremes() -> None:
    x = T.dmatrix("x")
    cost = N.softmax_categorical_crossentropy(x, np.array([0, 0]))
    function = graphlab.function([x], [cost, grad(cost.sum(), x)])
    got, slope = function([[0.0, 1000.0], [1000.0, -1000.0]])
    np.testing.assert_array_equal(got, [1000, 0])
    np.testing.assert_array_equal(slope, [[-1, 1], [0, 0]])


def test_targets_of_another_kind_are_refused() -> None:
    with pytest.raises(GraphTypeError, match="integers of rank 1"):
        N.softmax_categorical_crossentropy(T.dmatrix("x"), T.dvector("t"))
    with pytest.raises(GraphTypeError, match="not defined for complex128"):
        N.binary_crossentropy(T.zvector("x"), T.zvector("t"))


def test_an_embedding_adds_up_the_gradients_of_a_row_that_is_used_twice() -> None:
    table, indices = T.dmatrix("table"), T.lmatrix("indices")
    rows = N.embedding(table, indices)
    given = {table: np.arange(6.0).reshape(3, 2), indices: [[2, 0], [2, 2]]}
    np.testing.assert_array_equal(value(rows, given), given[table][given[indices]])  # type: ignore[call-overload, index]
    np.testing.assert_array_equal(value(grad(rows.sum(), table), given), [[1, 1], [0, 0], [3, 3]])
