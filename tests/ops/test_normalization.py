"""Normalization against its formulas in NumPy, and dropout."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import verify_grad
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError

N = T.nnet
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(3, 2, (4, 3, 2, 5))


def test_layer_norm() -> None:
    gamma, beta = RNG.normal(size=5), RNG.normal(size=5)
    center, spread = IMAGES.mean(-1, keepdims=True), IMAGES.var(-1, keepdims=True)
    want = (IMAGES - center) / np.sqrt(spread + 1e-5) * gamma + beta
    np.testing.assert_allclose(N.layer_norm(IMAGES, gamma, beta).eval(), want)
    plain = N.layer_norm(IMAGES, axis=(1, 2, 3), epsilon=0.0).eval().reshape(4, -1)
    np.testing.assert_allclose([plain.mean(1), plain.var(1)], [[0] * 4, [1] * 4], atol=1e-12)
    verify_grad(N.layer_norm, [IMAGES[0], gamma, beta])
    single = N.layer_norm(IMAGES.astype("float32"), gamma.astype("float32"), beta.astype("float32")).eval()
    assert single.dtype == "float32"
    np.testing.assert_allclose(single, want, rtol=1e-3, atol=1e-5)


def test_batch_norm() -> None:
    gamma, beta = RNG.normal(size=3), RNG.normal(size=3)
    over = (0, 2, 3)
    center, spread = IMAGES.mean(over, keepdims=True), IMAGES.var(over, keepdims=True)
    want = (IMAGES - center) / np.sqrt(spread + 1e-5) * gamma[:, None, None] + beta[:, None, None]
    for axis in (over, "spatial"):
        np.testing.assert_allclose(N.batch_norm(IMAGES, gamma, beta, axis).eval(), want)
    verify_grad(lambda x, g, b: N.batch_norm(x, g, b, "spatial"), [IMAGES[:, :, :, 0], gamma, beta])


@pytest.mark.parametrize("wide", [False, True])
def test_theanos_training_gives_statistics_and_running_averages(wide: bool) -> None:
    over = (0, 2, 3)
    arrays = [RNG.random(3) + 0.5 for _ in range(4)]
    full = [a[None, :, None, None] for a in arrays]
    gamma, beta, mean, var = full if wide else arrays
    x = T.dtensor4("x")
    outputs = N.batch_normalization_train(x, gamma, beta, "spatial", 1e-3, 0.2, mean, var)
    out, center, invstd, new_mean, new_var = graphlab.function([x], list(outputs))(IMAGES)
    want_center, want_spread = IMAGES.mean(over, keepdims=True), IMAGES.var(over, keepdims=True)
    np.testing.assert_allclose(out, (IMAGES - want_center) / np.sqrt(want_spread + 1e-3) * full[0] + full[1])
    assert center.shape == invstd.shape == new_mean.shape == new_var.shape == gamma.shape
    np.testing.assert_allclose(center.ravel(), want_center.ravel())
    np.testing.assert_allclose(invstd.ravel(), 1 / np.sqrt(want_spread + 1e-3).ravel())
    np.testing.assert_allclose(new_mean.ravel(), 0.8 * arrays[2] + 0.2 * want_center.ravel())
    np.testing.assert_allclose(new_var.ravel(), 0.8 * arrays[3] + 0.2 * IMAGES.var(over, ddof=1))


def test_theanos_other_two() -> None:
    x = IMAGES[:, :, 0, 0]
    gamma, beta, mean, var = (RNG.random(3) + 0.5 for _ in range(4))
    want = (x - mean) / np.sqrt(var + 1e-4) * gamma + beta
    np.testing.assert_allclose(N.batch_normalization_test(x, gamma, beta, mean, var).eval(), want)
    np.testing.assert_allclose(N.batch_normalization(x, gamma, beta, mean, np.sqrt(var + 1e-4)).eval(), want)


def test_parameters_that_do_not_fit_are_named() -> None:
    x = T.tensor("float64", (None, 3, 8, 8), "x")
    with pytest.raises(GraphShapeError, match="gamma has 4 elements for axis 1"):
        N.batch_norm(x, np.ones(4), axis="spatial")
    with pytest.raises(GraphShapeError, match=r"beta must have the axes \(1,\)"):
        N.batch_norm(x, None, np.ones((3, 8)), axis="spatial")
    with pytest.raises(GraphValueError, match="there are no axes 'channels'"):
        N.batch_norm(x, axis="channels")


def test_dropout_drops_that_share_and_keeps_the_mean() -> None:
    x = T.dmatrix("x")
    function = graphlab.function([x], N.dropout(x, 0.25, graphlab.RandomStream(7)))
    first, second = function(np.ones((200, 300))), function(np.ones((200, 300)))
    assert set(np.unique(first)) == {0, 1 / 0.75}
    assert abs((first == 0).mean() - 0.25) < 0.01
    assert (first != second).any()
    slope = graphlab.function([x], T.grad(N.dropout(x, 0.5, graphlab.RandomStream(7)).sum(), x))(np.ones((20, 30)))
    assert set(np.unique(slope)) == {0, 2}


def test_dropout_refuses_what_is_no_chance_or_no_stream() -> None:
    with pytest.raises(GraphValueError, match="rate must be a number from 0 up and below 1"):
        N.dropout(T.dvector(), 1, graphlab.RandomStream(7))
    with pytest.raises(GraphTypeError, match="expected a random stream, got int"):
        N.dropout(T.dvector(), 0.5, 7)
