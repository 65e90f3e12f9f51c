"""Interpolation, integrals of samples, convolution, powers and products of vectors: NumPy's values, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.autodiff import verify_grad
from graphlab.errors import GraphlabError
from tests.ops.test_statistics import agrees

KNOTS, VALUES = np.array([-1.0, 0.0, 2.0, 2.5]), np.array([1.0, 3.0, -1.0, 0.5])


def test_interpolation_is_numpys_inside_outside_and_at_the_knots() -> None:
    x = np.array([[-5.0, -1.0, -0.3, 0.0], [1.7, 2.5, 2.6, np.nan]])
    agrees(T.interp, np.interp, x, KNOTS, VALUES)
    agrees(lambda x: T.interp(x, KNOTS, VALUES, -9.0, 9.0), lambda x: np.interp(x, KNOTS, VALUES, -9.0, 9.0), x)
    agrees(lambda x: T.interp(x, [1.0], [7.0], 0.0), lambda x: np.interp(x, [1.0], [7.0], 0.0), np.array([0.0, 1.0, 2]))
    agrees(T.interp, np.interp, np.array([1, 2], "int32"), KNOTS, VALUES)
    verify_grad(T.interp, [np.array([-5.0, -0.3, 1.7, 2.6]), KNOTS, VALUES])


def test_the_trapezoidal_rule_is_numpys(rng: np.random.Generator) -> None:
    y, x = rng.normal(size=(3, 4)), np.array([0.0, 1.0, 1.5])
    agrees(T.trapezoid, np.trapezoid, y)
    agrees(lambda y, x: T.trapezoid(y, x, axis=0), lambda y, x: np.trapezoid(y, x, axis=0), y, x)
    agrees(T.trapezoid, np.trapezoid, y, y + 1)
    agrees(lambda y: T.trapezoid(y, dx=0.5), lambda y: np.trapezoid(y, dx=0.5), np.array([1, 2, 4]))
    verify_grad(lambda y, x: T.trapezoid(y, x, axis=0), [y, x])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(5, 3), (3, 5), (4, 4), (6, 3), (3, 6), (6, 2), (2, 6), (1, 4), (4, 1)])
def test_convolution_and_correlation_are_numpys(rng: np.random.Generator, mode: Any, n: int, m: int) -> None:
    a, v = rng.normal(size=n), rng.normal(size=m)
    agrees(lambda a, v: T.convolve(a, v, mode), lambda a, v: np.convolve(a, v, mode), a, v)
    agrees(lambda a, v: T.correlate(a, v, mode), lambda a, v: np.correlate(a, v, mode), a, v)
    np.testing.assert_allclose(T.correlate(a, v, mode).eval(), np.correlate(a, v, mode))  # of known extents


def test_convolution_differentiates_and_conjugates(rng: np.random.Generator) -> None:
    a, v = rng.normal(size=5), rng.normal(size=3)
    verify_grad(lambda a, v: T.convolve(a, v, "same"), [a, v])
    z = a[:3] + 1j * v
    np.testing.assert_allclose(T.correlate(a + 0j, z, "full").eval(), np.correlate(a + 0j, z, "full"))
    np.testing.assert_allclose(T.vdot(z, z[::-1]).eval(), np.vdot(z, z[::-1]))
    with pytest.raises(GraphlabError, match="convolve: expected a vector, got float64"):
        T.convolve(T.dmatrix("x"), v)
    with pytest.raises(GraphlabError, match="'full', 'same' or 'valid'"):
        T.convolve(a, v, "wide")


def test_powers_and_products_of_vectors_are_numpys(rng: np.random.Generator) -> None:
    x = rng.normal(size=4)
    agrees(T.vander, np.vander, x)
    agrees(lambda x: T.vander(x, 3, increasing=True), lambda x: np.vander(x, 3, increasing=True), x.astype("float32"))
    agrees(lambda x: T.vander(x, 2), lambda x: np.vander(x, 2), np.array([2, 3], "int8"))
    agrees(lambda x: T.vander(x, 0), lambda x: np.vander(x, 0), x)
    verify_grad(lambda x: T.vander(x, 4), [np.array([0.0, 1.0, -2.0])])
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(4, 1, 3))
    agrees(T.cross, np.cross, a, b)
    agrees(lambda a, b: T.cross(a, b, axis=0), lambda a, b: np.cross(a, b, axis=0), a.T, b[:2, 0].T)
    agrees(T.vdot, np.vdot, a, b[:2, 0])
    verify_grad(T.cross, [a, b])
    with pytest.raises(GraphlabError, match="expected 3 elements"):
        T.cross(np.ones(2), np.ones(2))
