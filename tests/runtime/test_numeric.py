"""Products by BLAS and sums to a shape, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
from graphlab.runtime.program import StepFailed
from tests.runtime.programs import run_one

FLOATS = pytest.mark.parametrize("dtype", ["float64", "float32"])


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same elements in every memory layout that BLAS takes, and in some that it does not."""
    wide = np.zeros(tuple(3 * n + 1 for n in x.shape), x.dtype)
    stepped = wide[tuple(slice(0, 3 * n, 3) for n in x.shape)]
    stepped[...] = x
    padded = np.zeros((*x.shape[:-1], x.shape[-1] + 5), x.dtype)[..., : x.shape[-1]]
    padded[...] = x
    backwards = tuple(slice(None, None, -1) for _ in x.shape)
    return {
        "C": np.ascontiguousarray(x), "Fortran": np.asfortranarray(x), "stepped": stepped, "padded": padded,
        "reversed": np.ascontiguousarray(x[backwards])[backwards],
    }  # fmt: skip


def product(a: np.ndarray, b: np.ndarray) -> Any:
    out = (a.dtype.name, a.ndim + b.ndim - 2)
    return run_one("matmul", out, [a, b], (a.ndim, b.ndim))


SHAPES = [
    ((3, 4), (4, 5)), ((1, 4), (4, 5)), ((3, 4), (4, 1)), ((3, 1), (1, 5)), ((1, 1), (1, 1)),
    ((1, 6), (6, 1)), ((3, 4), (4,)), ((4,), (4, 5)), ((4,), (4,)), ((1,), (1,)), ((1, 4), (4,)),
    ((4,), (4, 1)), ((33, 65), (65, 17)),
]  # fmt: skip


@FLOATS
@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
def test_matmul_takes_every_layout(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=left).astype(dtype), rng.normal(size=right).astype(dtype)
    bound = np.finfo(dtype).eps * 4 * left[-1] * 4
    for x in layouts(a).values():
        for y in layouts(b).values():
            got = product(x, y)
            assert got.dtype == dtype
            assert got.shape == (a @ b).shape
            np.testing.assert_allclose(got, a.astype("f8") @ b.astype("f8"), rtol=bound, atol=bound)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 0), (0, 3)),
        ((0, 3), (3, 2)),
        ((2, 3), (3, 0)),
        ((0,), (0,)),
        ((0, 3), (3,)),
        ((2, 0), (0,)),
        ((0,), (0, 2)),
    ],
    ids=str,
)
def test_products_of_nothing_are_zeros(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(product(np.ones(left), np.ones(right)), np.ones(left) @ np.ones(right), strict=True)


@FLOATS
@pytest.mark.parametrize(
    "shape", [(48, 2100, 40), (2100, 40, 48), (40, 48, 2100), (3, 30000, 130), (120000, 2, 9)], ids=str
)
def test_products_with_one_long_extent_are_cut_alike_for_all_threads(shape: tuple[int, int, int], dtype: str) -> None:
    rng, (rows, length, columns) = np.random.default_rng(1), shape
    a, b = rng.normal(size=(rows, length)).astype(dtype), rng.normal(size=(length, columns)).astype(dtype)
    bound, expected = np.finfo(dtype).eps * length**0.5 * 16, a.astype("f8") @ b.astype("f8")
    threads = graphlab.num_threads()
    for x in (a, np.asfortranarray(a), np.tile(a, 2)[:, :length]):
        for y in (b, np.asfortranarray(b), np.tile(b, 2)[:, :columns]):
            results = []
            for count in (1, 2, 5):
                graphlab.set_num_threads(count)
                results.append(product(x, y))
            graphlab.set_num_threads(threads)
            np.testing.assert_allclose(results[0], expected, rtol=bound, atol=bound)
            assert all(got.tobytes() == results[0].tobytes() for got in results)


def test_a_broadcast_operand_is_packed() -> None:
    a = np.broadcast_to(np.arange(4.0), (3, 4))
    b = np.broadcast_to(np.arange(4.0).reshape(4, 1), (4, 5))
    np.testing.assert_array_equal(product(a, b), a @ b)
    np.testing.assert_array_equal(product(a, np.broadcast_to(2.0, 4)), a @ np.full(4, 2.0))


def test_nan_and_infinity_go_through_products() -> None:
    a = np.array([[np.nan, 1.0], [np.inf, 1.0], [0.0, -0.0]])
    with np.errstate(invalid="ignore"):
        want = a @ np.eye(2)
    np.testing.assert_array_equal(product(a, np.eye(2)), want)


def test_extents_that_differ_are_named() -> None:
    with pytest.raises(StepFailed, match="the inner extents 3 and 4 differ"):
        product(np.ones((2, 3)), np.ones((4, 2)))


# ---- sum_to --------------------------------------------------------------------------------------


def sum_to(x: np.ndarray, shape: tuple[int, ...]) -> Any:
    return run_one("sum_to", (x.dtype.name, len(shape)), [x, np.zeros(shape, x.dtype)], (x.ndim, len(shape)))


def reference(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + d for d, n in enumerate(shape) if n == 1 and x.shape[lead + d] != 1))
    return np.asarray(x.astype("f8").sum(axes, keepdims=True).reshape(shape)).astype(x.dtype)


@FLOATS
@pytest.mark.parametrize(
    "shape", [(), (4,), (1,), (3, 4), (1, 4), (3, 1), (1, 1), (2, 3, 4), (2, 1, 4), (1, 3, 1)], ids=str
)
def test_sum_to_undoes_broadcasting(shape: tuple[int, ...], dtype: str) -> None:
    for x in layouts(np.arange(24).reshape(2, 3, 4).astype(dtype)).values():
        np.testing.assert_array_equal(sum_to(x, shape), reference(x, shape), strict=True)


@pytest.mark.parametrize(
    ("start", "shape"),
    [((0, 3), (3,)), ((0, 3), (1, 3)), ((2, 0), (2, 1)), ((2, 0), ()), ((2, 0), (1, 0))],
    ids=str,
)
def test_sums_of_nothing_are_zeros(start: tuple[int, ...], shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(sum_to(np.ones(start), shape), np.zeros(shape), strict=True)


def test_long_sums_are_as_exact_as_numpys() -> None:
    x = np.random.default_rng(2).uniform(0.1, 1.0, (1000, 700)).astype("float32")
    exact = x.astype("float64")
    np.testing.assert_allclose(sum_to(x, (700,)), exact.sum(0), rtol=6e-8)
    np.testing.assert_allclose(sum_to(x, (1000, 1)), exact.sum(1, keepdims=True), rtol=6e-8)
    np.testing.assert_allclose(sum_to(exact, ()), exact.sum(), rtol=4e-16 * 8)


def test_a_sum_keeps_signed_zeros_and_infinities() -> None:
    x = np.array([[-0.0, np.inf, np.nan, np.inf], [-0.0, np.inf, 1.0, -np.inf]])
    with np.errstate(invalid="ignore"):
        want = x.sum(0)
    got = sum_to(x, (4,))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[:1]), np.signbit(want[:1]))


def test_shapes_that_nothing_was_broadcast_from_are_errors() -> None:
    with pytest.raises(StepFailed) as info:
        sum_to(np.ones((2, 3)), (2,))
    assert (info.value.kind, info.value.detail) == ("broadcast", (0, 1, 1, 3, 2))
