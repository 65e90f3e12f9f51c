"""Along an axis in C: where the extreme is, running sums and products, ranges; bit for bit as NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.dtypes import ALL
from graphlab.errors import GraphlabError
from tests.runtime.test_index import called

Array = np.ndarray[Any, Any]
SHAPES = [(3, 4, 5), (1, 1, 1), (2, 70, 130), (1, 300, 1)]


def ties_and_nans(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    array: Array = rng.integers(-4, 5, shape) * 1.25
    if np.dtype(dtype).kind not in "fc":
        return array.astype("int64").astype(dtype)
    array[rng.random(shape) < 0.01] = np.nan
    array[rng.random(shape) < 0.01] = -np.inf
    made = array.astype(dtype)
    if np.dtype(dtype).kind == "c":
        made.imag = array[::-1]
    return made


def layouts(array: Array) -> list[Array]:
    return [array, np.asfortranarray(array), array[::-1, :, ::-1], np.repeat(array, 2, axis=2)[:, :, ::2]]


@pytest.mark.parametrize("dtype", ALL)
def test_the_position_of_an_extreme_is_numpys(dtype: str, rng: np.random.Generator) -> None:
    x = T.tensor(dtype, (None,) * 3, "x")
    cases = [(axis, keepdims) for axis in (0, 1, 2, None) for keepdims in (False, True)]
    function = graphlab.function([x], [f(x, a, keepdims=k) for f in (T.argmax, T.argmin) for a, k in cases])
    assert "host" not in called(function)
    for shape in SHAPES:
        for array in layouts(ties_and_nans(rng, shape, dtype)):
            want = [f(array, a, keepdims=k) for f in (np.argmax, np.argmin) for a, k in cases]
            for got, expected in zip(function(array), want, strict=True):
                np.testing.assert_array_equal(got, expected, strict=True)


def test_the_first_of_equals_and_the_first_nan() -> None:
    v = T.dvector("v")
    largest = graphlab.function([v], T.argmax(v))
    rising = np.arange(100.0)
    assert largest(rising) == 99
    assert largest(rising[::-1]) == 0
    assert largest(np.minimum(rising, 50)) == 50
    assert largest(np.where(rising == 97, np.nan, rising)) == 97
    assert largest(np.array([np.nan, np.inf])) == 0
    assert largest(np.array([-0.0, 0.0])) == 0


def test_of_nothing_there_is_no_position() -> None:
    x = T.dmatrix("x")
    function = graphlab.function([x], T.argmax(x, axis=1))
    np.testing.assert_array_equal(function(np.zeros((0, 3))), np.zeros(0, "int64"), strict=True)
    with pytest.raises(ValueError, match="empty sequence") as info:
        function(np.zeros((2, 0)))
    assert "test_along.py" in str(info.value)


@pytest.mark.parametrize("dtype", ALL)
def test_running_sums_and_products_are_numpys(dtype: str, rng: np.random.Generator) -> None:
    x = T.tensor(dtype, (None,) * 3, "x")
    function = graphlab.function([x], [f(x, a) for f in (T.cumsum, T.cumprod) for a in (0, 1, 2, None)])
    assert "host" not in called(function) or dtype == "float16"
    for shape in [*SHAPES, (2, 0, 3)]:
        for array in layouts(ties_and_nans(rng, shape, dtype)):
            with np.errstate(all="ignore"):
                want = [f(array, a) for f in (np.cumsum, np.cumprod) for a in (0, 1, 2, None)]
            for got, expected in zip(function(array), want, strict=True):
                np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "float64", "bool"])
@pytest.mark.parametrize("into", [None, "float32", "float64"])
def test_ranges_are_numpys(dtype: str, into: str | None, rng: np.random.Generator) -> None:
    scalars = [T.tensor(dtype, (), name) for name in ("start", "stop", "step")]
    function = graphlab.function(scalars, T.arange(*scalars, dtype=into))
    assert called(function) == ["arange"]
    for _ in range(50):
        given = [np.dtype(dtype).type(n) for n in rng.normal(0, 20, 3)]
        given[2] = given[2] or np.dtype(dtype).type(1)
        want = np.arange(*(n.item() for n in given), dtype=into)
        np.testing.assert_array_equal(function(*given), want, strict=True)


def test_a_range_of_narrow_integers_is_cast_where_it_fits_and_numpys_error_elsewhere() -> None:
    n = T.lscalar("n")
    narrow = graphlab.function([n], T.arange(n, dtype="int8"))
    assert called(narrow) == ["arange"]
    np.testing.assert_array_equal(narrow(5), np.arange(5, dtype="int8"), strict=True)
    with pytest.raises(ValueError, match="out of bounds for int8"):
        graphlab.function([n], T.arange(n, 300, dtype="int8"))(200)


def test_a_range_that_has_no_length_is_an_error() -> None:
    stop, step = T.lscalar("stop"), T.lscalar("step")
    function = graphlab.function([stop, step], T.arange(0, stop, step))
    np.testing.assert_array_equal(function(-5, 1), np.zeros(0, "int64"), strict=True)
    np.testing.assert_array_equal(function(-5, -2), [0, -2, -4])
    with pytest.raises(GraphlabError, match="division by zero"):
        function(3, 0)
    with pytest.raises(GraphlabError, match="too big"):
        function(2**62, 1)
