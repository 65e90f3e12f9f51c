"""Comparisons of arrays and choices between them are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import verify_grad
from graphlab.errors import GraphlabError
from tests.ops.test_statistics import agrees

ODD = np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, 1.0 + 5e-6, 1e10])


@pytest.mark.parametrize("equal_nan", [False, True])
def test_what_is_close_is_what_numpy_finds_close(equal_nan: bool) -> None:
    pairs = [a.ravel() for a in np.meshgrid(ODD, ODD)]
    agrees(
        lambda a, b: T.isclose(a, b, equal_nan=equal_nan), lambda a, b: np.isclose(a, b, equal_nan=equal_nan), *pairs
    )
    agrees(lambda a, b: T.allclose(a, b, equal_nan=equal_nan),
           lambda a, b: np.allclose(a, b, equal_nan=equal_nan), ODD, ODD)  # fmt: skip
    agrees(lambda a, b: T.isclose(a, b, 0.5), lambda a, b: np.isclose(a, b, 0.5), np.arange(4), np.arange(1, 5))


def test_equal_arrays_have_one_shape() -> None:
    a, b, m = T.dvector("a"), T.dvector("b"), T.dmatrix("m")
    f = graphlab.function([a, b, m], [T.array_equal(a, b), T.array_equal(a, m), T.array_equal(a, a, equal_nan=True)])
    assert [bool(r) for r in f([1, np.nan], [1, 2], [[1, 2]])] == [False, False, True]
    assert [bool(r) for r in f([1.0], [1.0], [[1.0]])] == [True, False, True]
    assert [bool(r) for r in f([1.0], [1.0, 1.0], [[1.0]])] == [False, False, True]


def test_select_takes_the_first_and_piecewise_the_last(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4))
    agrees(lambda x: T.select([x > 0.5, x > 0], [x, x * 10], -1),
           lambda x: np.select([x > 0.5, x > 0], [x, x * 10], -1), x)  # fmt: skip
    agrees(lambda x: T.piecewise(x, [x > 0, x > 0.5], [lambda v: v * v, 7]),
           lambda x: np.piecewise(x, [x > 0, x > 0.5], [lambda v: v * v, 7]), x)  # fmt: skip
    agrees(lambda x: T.piecewise(x, [x > 2], [1.5, lambda v: -v]),
           lambda x: np.piecewise(x, [x > 2], [1.5, lambda v: -v]), np.arange(5))  # fmt: skip
    verify_grad(lambda x: T.select([x > 0.5, x > 0], [x**2, x * 10], x), [x])
    with pytest.raises(GraphlabError, match="as many choices as conditions"):
        T.select([x > 0], [])
    with pytest.raises(GraphlabError, match="expected a condition of dtype bool"):
        T.select([T.dvector("x")], [1])


def test_choose_is_numpys_in_every_mode() -> None:
    choices = [np.arange(3.0), np.full((2, 1), 7.0), np.float64(9.0)]
    for mode, a in (("raise", [0, 1, 2]), ("clip", [-5, 1, 9]), ("wrap", [-1, 4, 2])):
        agrees(lambda a, m=mode: T.choose(a, choices, m),
               lambda a, m=mode: np.choose(a, choices, mode=m), np.array(a))  # fmt: skip
    with pytest.raises(IndexError):
        T.choose([3], choices).eval()
    verify_grad(lambda x, y: T.choose([0, 1, 1], [x, y]), [np.ones(3), np.zeros(3)])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_numbers_for_nan_and_infinities(dtype: str) -> None:
    x: Any = ODD.astype(dtype) if dtype != "int32" else np.arange(3, dtype=dtype)
    agrees(T.nan_to_num, np.nan_to_num, x)
    agrees(lambda x: T.nan_to_num(x, -1, 2, -3), lambda x: np.nan_to_num(x, nan=-1, posinf=2, neginf=-3), x)
