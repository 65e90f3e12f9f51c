"""Quantiles, averages, what ignores NaN, covariance and histograms: NumPy's values, and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphlabError
from tests.ops.values import value

Array = np.ndarray[Any, Any]
METHODS = (
    "linear", "lower", "higher", "nearest", "midpoint", "inverted_cdf", "interpolated_inverted_cdf", "weibull",
    "hazen", "median_unbiased", "normal_unbiased",
)  # fmt: skip
HOLED = np.array([[1.0, np.nan, 3.0, -2.0], [np.nan, np.nan, 5.0, 0.5], [0.0, np.nan, 1.0, 2.5]])


def agrees(build: Callable[..., Any], meaning: Callable[..., Any], *arrays: Array, rtol: float = 1e-12) -> None:
    """Of variables of unknown extents `build` gives what `meaning` gives of arrays: dtype, shape and values."""
    inputs = [T.tensor(a.dtype, (None,) * a.ndim) for a in arrays]
    made = build(*inputs)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        want = np.asarray(meaning(*arrays))
    got = value(made, dict(zip(inputs, arrays, strict=True)))
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-12)


# ---- quantiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_quantiles_are_numpys(rng: np.random.Generator, method: str, dtype: str) -> None:
    x = (9 * rng.normal(size=(4, 5))).astype(dtype)
    for q in (0.3, [0.0, 0.125, 0.5, 1.0]):
        for axis in (None, 1):
            agrees(lambda v, q=q, a=axis: T.quantile(v, q, a, method),
                   lambda v, q=q, a=axis: np.quantile(v, q, a, method=method), x, rtol=1e-5)  # fmt: skip


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), (0, 1, 2)])
def test_quantiles_over_some_axes(rng: np.random.Generator, axis: Any) -> None:
    x = rng.normal(size=(2, 3, 4))
    for q in (0.25, np.array([[0.1], [0.9]])):
        for kept in (False, True):
            agrees(lambda v, q=q, k=kept: T.quantile(v, q, axis, keepdims=k),
                   lambda v, q=q, k=kept: np.quantile(v, q, axis, keepdims=k), x)  # fmt: skip


def test_percentiles_nan_and_single_elements() -> None:
    agrees(lambda v: T.percentile(v, [25, 50], 1), lambda v: np.percentile(v, [25, 50], 1), HOLED)
    agrees(lambda v: T.percentile(v, 30), lambda v: np.percentile(v, 30), np.array([4.0]))
    agrees(lambda v, q: T.quantile(v, q), np.quantile, np.array([4.0, 1.0, 2.0]), np.array([0.2, 0.9]))


def test_a_quantile_has_gradients_by_the_elements_and_by_q() -> None:
    x = np.array([[3.0, 1.0, 4.0], [1.5, 9.0, 2.5]])
    verify_grad(lambda v, q: T.quantile(v, q, 1), [x, np.array([0.2, 0.8])])
    verify_grad(lambda v: T.percentile(v, 40), [x])


def test_quantiles_that_make_no_sense_are_errors() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphlabError, match=r"in \[0, 1\]"):
        T.quantile(x, 1.5)
    with pytest.raises(GraphlabError, match="method must be one of linear"):
        T.quantile(x, 0.5, method="best")
    with pytest.raises(GraphlabError, match=r"percentile: q must be in \[0, 100\]"):
        T.percentile(x, [50, 101])
    with pytest.raises(GraphlabError, match="bins must be an integer or a vector"):
        T.histogram(x, 2.5)


# ---- averages and what is not NaN ----------------------------------------------------------------


def test_averages_are_numpys(rng: np.random.Generator) -> None:
    x, w, v = rng.normal(size=(3, 4)), rng.uniform(1, 2, (3, 4)), rng.uniform(1, 2, 4)
    agrees(lambda x, w: T.average(x, weights=w), lambda x, w: np.average(x, weights=w), x, w)
    agrees(lambda x, w: T.average(x, 0, w, keepdims=True), lambda x, w: np.average(x, 0, w, keepdims=True), x, w)
    agrees(lambda x, v: T.average(x, 1, v), lambda x, v: np.average(x, 1, v), x, v)
    agrees(lambda x: T.average(x, -1), lambda x: np.average(x, -1), x)
    whole = np.array([1, 2, 5])
    agrees(lambda x, w: T.average(x, weights=w), lambda x, w: np.average(x, weights=w), whole, whole)
    verify_grad(lambda x, v: T.average(x, 1, v), [x, v])
    with pytest.raises(GraphlabError, match="weights of rank 1 do not fit"):
        T.average(T.dmatrix(), weights=T.dvector())


NAN_FOLDS = ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmin", "nanmax")


@pytest.mark.parametrize("name", NAN_FOLDS)
def test_folds_that_ignore_nan_are_numpys(name: str) -> None:
    build, meaning = getattr(T, name), getattr(np, name)
    for x in (HOLED, HOLED.astype("float32"), np.arange(6).reshape(2, 3), np.array([[np.inf, np.nan, 1.0]])):
        for axis in (None, 0, 1):
            agrees(lambda v, a=axis: build(v, axis=a), lambda v, a=axis: meaning(v, axis=a), x, rtol=1e-6)
        agrees(lambda v: build(v, axis=1, keepdims=True), lambda v: meaning(v, axis=1, keepdims=True), x, rtol=1e-6)
    x = T.dmatrix("x")
    slope = value(grad(build(x, axis=1).sum(), x), {x: HOLED})
    assert np.isfinite(slope).all()
    assert (slope[np.isnan(HOLED)] == 0).all()
    assert (slope != 0).any()


def test_the_gradient_of_a_nanvar_is_that_of_the_var_of_the_rest() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    holed = value(grad(T.nanvar(x, ddof=1), x), {x: HOLED[0]})
    whole = value(grad(T.var(y, ddof=1), y), {y: HOLED[0][~np.isnan(HOLED[0])]})
    np.testing.assert_allclose(holed[~np.isnan(HOLED[0])], whole)


# ---- covariance and histograms -------------------------------------------------------------------


def test_covariance_and_correlation_are_numpys(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(3, 6)), rng.normal(size=(2, 6))
    agrees(T.cov, np.cov, x)
    agrees(T.cov, np.cov, x, y)
    agrees(lambda x: T.cov(x, bias=True), lambda x: np.cov(x, bias=True), x.astype("float32"), rtol=1e-6)
    agrees(lambda x: T.cov(x, rowvar=False, ddof=2), lambda x: np.cov(x, rowvar=False, ddof=2), x)
    agrees(T.cov, np.cov, x[0])
    agrees(T.corrcoef, np.corrcoef, x)
    agrees(lambda x, y: T.corrcoef(x, y, rowvar=False), lambda x, y: np.corrcoef(x, y, rowvar=False), x.T, y.T)
    agrees(T.corrcoef, np.corrcoef, x[0])
    verify_grad(T.cov, [x])
    verify_grad(T.corrcoef, [x])


def test_histograms_are_numpys(rng: np.random.Generator) -> None:
    x, w = rng.normal(size=50).round(1), rng.uniform(size=50)
    edges = np.array([-2.0, -0.5, 0.5, 0.6, 1.0])
    for part in (0, 1):
        agrees(lambda x, p=part: T.histogram(x, 7)[p], lambda x, p=part: np.histogram(x, 7)[p], x)
        agrees(lambda x, e, p=part: T.histogram(x, e)[p], lambda x, e, p=part: np.histogram(x, e)[p], x, edges)
        agrees(lambda x, p=part: T.histogram(x, 4, (-1, 1), density=True)[p],
               lambda x, p=part: np.histogram(x, 4, (-1, 1), density=True)[p], x)  # fmt: skip
        agrees(lambda x, p=part: T.histogram(x, 3)[p], lambda x, p=part: np.histogram(x, 3)[p], np.ones((2, 2)))
    agrees(lambda x, w: T.histogram(x, 5, (-1, 1), weights=w)[0],
           lambda x, w: np.histogram(x, 5, (-1, 1), weights=w)[0], x, w)  # fmt: skip
    verify_grad(lambda w: T.histogram(x, 5, (-1, 1), weights=w)[0], [w])


def test_digits_of_ascending_and_descending_edges_are_numpys() -> None:
    x, edges = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, np.nan]), np.array([0.0, 1.0, 2.0])
    for right in (False, True):
        agrees(lambda x, e, r=right: T.digitize(x, e, r), lambda x, e, r=right: np.digitize(x, e, r), x, edges)
        agrees(lambda x, r=right: T.digitize(x, edges[::-1], r), lambda x, r=right: np.digitize(x, edges[::-1], r), x)


def test_compiled_statistics_are_those_of_the_interpreter(rng: np.random.Generator) -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    outputs = [T.quantile(x, v, axis) for axis in (None, 1)] + [getattr(T, name)(x, 1) for name in NAN_FOLDS]
    outputs += [T.average(x, 1, v), T.cov(x), T.corrcoef(x), *T.histogram(x, 4), T.digitize(x, v)]
    arrays = rng.normal(size=(4, 3)), np.array([0.1, 0.5, 0.9])
    for got, made in zip(graphlab.function([x, v], outputs)(*arrays), outputs, strict=True):
        np.testing.assert_allclose(got, value(made, {x: arrays[0], v: arrays[1]}), rtol=1e-12)
