"""A few long rows, folded block by block along all of them: the same bits as row by row, whatever their strides."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from graphlab.graph.node import Variable
from graphlab.lower.tall import MOST_ROWS
from graphlab.ops import elementwise as e
from graphlab.ops import reduce, shape
from graphlab.runtime.threads import set_num_threads, threads_use
from tests.lower.programs import built, var

LONG = 5000


def total(x: Variable, axis: int) -> Variable:
    return reduce.Sum((axis,))(e.multiply(x, x))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_columns_have_the_bits_of_rows(count: int, rng: np.random.Generator) -> None:
    x = var("float64", None, None)
    rows = rng.standard_normal((MOST_ROWS + 1, LONG))  # too many to be folded together
    one_by_one = built([x], [total(x, 1)])(rows)[0][:count]
    few = rows[:count]
    for a in (few.T.copy(), few.T, np.repeat(few.T, 2, 0)[::2], np.repeat(few.T, 2, 1)[:, ::2]):
        np.testing.assert_array_equal(built([x], [total(x, 0)])(a)[0], one_by_one)
    np.testing.assert_array_equal(built([x], [total(x, 1)])(few)[0], one_by_one)


def test_many_columns_that_share_what_they_are_made_of_are_too(rng: np.random.Generator) -> None:
    x, y = var("float64", None, 1, None), var("float64", None, None, 1)
    f = built([x, y], [total(e.multiply(x, y), 0)])
    a, b = rng.standard_normal((LONG, 1, 5)), rng.standard_normal((LONG, 6, 1))
    wide = np.ascontiguousarray(np.moveaxis(a * b, 0, -1)).reshape(30, LONG)
    z = var("float64", None, None)
    by_rows = built([z], [total(z, 1)])(np.concatenate([wide, wide]))[0][:30]
    np.testing.assert_array_equal(f(a, b)[0].ravel(), by_rows)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "complex128", "bool"])
@pytest.mark.parametrize("extents", [(1023, 3), (1024, 3), (4099, 8), (100_000, 2), (2 * LONG, 0)])
def test_every_dtype_by_one_thread_and_three(extents: tuple[int, int], dtype: str, rng: np.random.Generator) -> None:
    x = var(dtype, None, None)
    f = built([x], [reduce.sum(e.multiply(x, x), 0), reduce.any(e.multiply(x, x), 0)])
    a = rng.integers(-2, 3, extents).astype(dtype)
    want = (a * a).sum(0), (a * a).astype(bool).any(0)
    for threads in (1, 3):
        set_num_threads(threads)
        for form in (a, np.asfortranarray(a), np.repeat(a, 2, 0)[::-2]):
            for got, wanted in zip(f(form), want, strict=True):
                np.testing.assert_array_equal(got, wanted)
    set_num_threads(1)


def test_threads_share_a_few_columns_and_give_the_same_bits(rng: np.random.Generator) -> None:
    x, bias = var("float64", None, None), var("float64", None)
    f = built([x, bias], [e.log(reduce.mean(e.exp(x), 0)), e.add(reduce.sum(e.exp(x), 0), bias)])
    a, b = rng.standard_normal((300_001, 3)), rng.standard_normal(3)
    set_num_threads(1)
    alone = f(a, b)
    shared = threads_use().shared
    set_num_threads(3)
    together = f(a, b)
    set_num_threads(1)
    assert threads_use().shared > shared
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(together[1], np.exp(a).sum(0) + b, rtol=1e-13)


def test_nan_and_infinities_stay_in_their_column(rng: np.random.Generator) -> None:
    x = var("float64", None, None)
    f = built([x], [reduce.max(x, 0), total(x, 0)])
    a = rng.standard_normal((LONG, 4))
    a[4711, 1], a[17, 2], a[18, 3], a[4000, 3] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        want = a.max(0), (a * a).sum(0)
    for form in (a, np.asfortranarray(a)):
        for got, wanted in zip(f(form), want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_axes_around_the_columns(rng: np.random.Generator) -> None:
    x, scale = var("float64", None, None, None), var("float64", None, None)
    f = built([x, scale], [reduce.sum(e.multiply(x, shape.expand_dims(scale, 2)), (0, 2))])
    a, s = rng.standard_normal((3, 4, 2000)), rng.standard_normal((3, 4))
    for form in (a, np.asfortranarray(a), np.moveaxis(np.moveaxis(a, 2, 0).copy(), 0, 2)):
        np.testing.assert_allclose(f(form, s)[0], (a * s[:, :, None]).sum((0, 2)), rtol=1e-11)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("stays", list(itertools.product([True, False], repeat=3)))
def test_sums_of_products_along_any_axes_whichever_have_one_element(
    axes: tuple[int, ...], stays: tuple[bool, ...], rng: np.random.Generator
) -> None:
    """Where an axis has one element the runtime may put another in its place, along which `y` may differ."""
    x, y = var("float64", None, None, None), var("float64", *(1 if one else None for one in stays))
    f = built([x, y], [reduce.Sum(axes)(e.multiply(e.square(x), y))])
    for extents in itertools.product((1, 3, 1100), repeat=3):
        if math.prod(extents) > 10_000:
            continue
        a, b = rng.random(extents), rng.random([1 if one else n for one, n in zip(stays, extents, strict=True)])
        for value in (a, a.T.copy().T, np.repeat(a, 2, 2)[:, :, ::2]):
            np.testing.assert_allclose(f(value, b)[0], (a * a * b).sum(axes), rtol=1e-12)
