"""Ctrl-C in the middle of long steps: the call stops there, and shared variables stay as they were."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.walk import free_inputs

x, A, B = T.dvector("x"), T.dmatrix("A"), T.dmatrix("B")
n = T.lscalar("n")
ROWS = 1000


def normals(count: Any) -> Any:
    return graphlab.RandomStream(1).normal(size=(count,))


# What to compute, and its arguments for a size: elements, or multiplications.
LONG: dict[str, tuple[Any, Callable[[int], list[Any]]]] = {
    "copy": (A.T.flatten(), lambda size: [np.ones((ROWS, size // ROWS))]),
    "concatenate": (T.concatenate([A.T, A.T], axis=0), lambda size: [np.ones((ROWS, size // ROWS))]),
    "cumsum": (T.cumsum(x), lambda size: [np.ones(size)]),
    "cumsum of columns": (T.cumsum(A, axis=0), lambda size: [np.ones((size // ROWS, ROWS))]),
    "argmax": (T.argmax(A, axis=0), lambda size: [np.ones((size // ROWS, ROWS))]),
    "arange": (T.arange(n), lambda size: [size]),
    "arange of floats": (T.arange(n.astype("float64")), lambda size: [float(size)]),
    "gather": (x[T.arange(n) % 7], lambda size: [size, np.ones(7)]),
    "scatter": (x[T.arange(n) % 7].inc(1.0), lambda size: [size, np.ones(7)]),
    "scatter of rows": (A[T.arange(n) % 3000].inc(1.0), lambda size: [size // 16, np.ones((3000, 64))]),
    "normal": (normals(n), lambda size: [size]),
    "kernel": (T.sin(T.cos(x)), lambda size: [np.ones(size)]),
    "kernel of columns": (T.sin(T.cos(A.T)), lambda size: [np.ones((ROWS, size // ROWS))]),
    "sum of broadcast rows": (
        T.exp(A + x).sum(), lambda size: [np.ones((ROWS, size // ROWS)), np.ones(size // ROWS)],
    ),
    "matmul": (A @ B, lambda size: [np.ones((ROWS, size // 4000)), np.ones((size // 4000, 10 * ROWS))]),
    "many products": (T.matmul(A[:, None, :], B), lambda size: [np.ones((size // ROWS, ROWS)), np.ones((ROWS, 60))]),
    "a product with itself": (A @ A.T, lambda size: [np.ones((5 * ROWS, size // 5000))]),
}  # fmt: skip


class Pressed(Exception):
    """What the handler raises: an ordinary exception, which must not be taken for a failure of the call."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def press(number: int, frame: FrameType | None) -> None:
        raise Pressed

    before = signal.signal(signal.SIGALRM, press)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", LONG)
def test_a_long_step_is_stopped_in_the_middle(alarm: None, name: str) -> None:
    result, arguments = LONG[name]
    calls = graphlab.shared(0, name="calls")
    f = graphlab.function(free_inputs([result]), result, updates={calls: calls + 1})
    assert f.machine is not None
    size = 10_000_000
    while size <= 160_000_000:  # until it takes so long that the signal comes meanwhile
        given, before = arguments(size), int(calls.get_value())
        signal.setitimer(signal.ITIMER_REAL, 0.08)
        try:
            f(*given)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Pressed:
            if int(calls.get_value()) == before:
                break
        size *= 2
    else:
        pytest.fail("no call was stopped")
    small = arguments(20_000)
    f(*small)
    assert int(calls.get_value()) == before + 1


# ---- what is done in pieces is what it was --------------------------------------------------------


def integers(rows: int, columns: int) -> Any:
    return (np.arange(rows * columns, dtype=float) % 10007 % 19 - 9.0).reshape(rows, columns)


@pytest.mark.parametrize(("rows", "sums", "columns"), [(1700, 1600, 1650), (40, 9000, 12000), (400, 26000, 400)])
def test_a_product_in_pieces_is_the_product(rows: int, sums: int, columns: int) -> None:
    a, b = integers(rows, sums), integers(sums, columns)
    product = graphlab.function([A, B], A @ B)
    expected = a @ b  # of integers: exact in any order
    assert np.array_equal(product(a, b), expected)
    assert np.array_equal(product(np.asfortranarray(a), np.asfortranarray(b)), expected)


def test_a_product_with_itself_in_pieces_is_the_product() -> None:
    a = integers(2500, 1300)
    square = graphlab.function([A], A @ A.T)
    np.testing.assert_array_equal(square(a), a @ a.T)
    np.testing.assert_array_equal(square(np.asfortranarray(a)), a @ a.T)


def test_steps_in_pieces_give_what_numpy_gives() -> None:
    count, stream, numpy = 3_000_001, graphlab.RandomStream(5), np.random.default_rng(np.random.Philox(5))
    outputs = [
        stream.normal(size=(n,)), stream.integers(0, 100, size=(n,), dtype="uint8"), stream.gamma(x + 1.0, 2.0),
        T.arange(n), T.arange(n.astype("float32"), dtype="float32"), T.cumsum(x), T.reshape(x, (3, -1)).T.flatten(),
        T.argmax(T.reshape(x, (-1, 3)), axis=0),
    ]  # fmt: skip
    values = np.arange(count + 2.0) * 7 % 1001
    got = graphlab.function([n, x], outputs)(count, values)
    expected = [
        numpy.normal(size=count), numpy.integers(0, 100, count, "uint8"), numpy.gamma(values + 1.0, 2.0),
        np.arange(count), np.arange(np.float32(count), dtype="float32"), np.cumsum(values),
        values.reshape(3, -1).T.flatten(), values.reshape(-1, 3).argmax(axis=0),
    ]  # fmt: skip
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)
