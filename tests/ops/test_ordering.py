"""Ordering, running folds, padding and grids: what one line of the table can't say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import verify_grad
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError
from tests.ops.values import value


def gradient(build: Any, at: Any) -> list[float]:
    """The gradient by x of the sum of `build(x)` weighted by 1, 10, 100, ..."""
    x = T.dvector("x")
    y = build(x)
    weights = 10.0 ** np.arange(value(y, {x: at}).size)
    result: list[float] = value(T.grad((y * weights).sum(), x), {x: at}).tolist()
    return result


@pytest.mark.parametrize("at", [[2.0, 3.0, 4.0], [2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 5.0], [1.0, 0.0, 0.0, 2.0]])
def test_the_gradient_of_a_running_product_is_right_at_zeros(at: list[float]) -> None:
    verify_grad(T.cumprod, [np.array(at)])
    x, t = np.array(at), np.arange(1.0, len(at) + 1)
    v = T.dvector("v")
    moved = value(T.jvp(T.cumprod(v), v, t), {v: x})
    np.testing.assert_allclose(
        moved, (np.cumprod(x + 1e-6 * t) - np.cumprod(x - 1e-6 * t)) / 2e-6, rtol=1e-6, atol=1e-8
    )


def test_a_gradient_goes_back_to_where_a_sorted_element_came_from() -> None:
    assert gradient(T.sort, [3.0, 1.0, 2.0]) == [100.0, 1.0, 10.0]
    assert gradient(lambda x: T.topk(x, 2), [3.0, 1.0, 2.0]) == [1.0, 0.0, 10.0]


def test_equal_elements_of_unique_share_the_gradient() -> None:
    assert gradient(T.unique, [5.0, 2.0, 5.0]) == [5.0, 1.0, 5.0]


def test_positions_named_twice_add_their_gradients() -> None:
    assert gradient(lambda x: T.take_along_axis(x, [0, 2, 0]), [7.0, 8.0, 9.0]) == [101.0, 0.0, 10.0]
    assert gradient(lambda x: T.pad(x, (2, 0), "edge"), [7.0, 8.0]) == [111.0, 1000.0]
    assert gradient(lambda x: T.pad(x, 1), [7.0, 8.0]) == [10.0, 100.0]


def test_sorting_twice_differentiates_twice() -> None:
    x = T.dvector("x")
    slope = T.grad((T.sort(x) ** 3 * np.array([1.0, 2.0, 3.0])).sum(), x)
    assert value(T.grad(slope.sum(), x), {x: [3.0, 1.0, 2.0]}).tolist() == [54.0, 6.0, 24.0]


def test_the_first_of_equal_elements_is_the_first_of_the_largest() -> None:
    values, positions = T.topk_and_argtopk([1, 3, 2, 3], 3)
    assert value(values).tolist() == [3, 3, 2]
    assert value(positions).tolist() == [1, 3, 2]
    k = T.lscalar("k")
    assert value(T.topk(T.as_tensor([4, 9, 7]), k), {k: 2}).tolist() == [9, 7]


def test_lengths_that_only_the_run_knows_come_out_of_compiled_code() -> None:
    x = T.dmatrix("x")
    i = T.lvector("i")
    outputs = [T.unique(x), *T.nonzero(x), T.bincount(i), T.flatnonzero(x), T.linspace(x.sum(), 9.0, 3)]
    f = graphlab.function([x, i], outputs)
    for a in (np.array([[0.0, 2.0], [5.0, 2.0]]), np.zeros((2, 0)), np.eye(3)):
        n = np.array([4, 0, 4])
        wanted = [np.unique(a), *np.nonzero(a), np.bincount(n), np.flatnonzero(a), np.linspace(a.sum(), 9.0, 3)]
        for got, want in zip(f(a, n), wanted, strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want)


def test_widths_of_a_padding_may_be_symbolic() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        y = T.pad(x, (n, 1), mode)
        for a in ([1.0, 2.0, 3.0], [4.0]):
            np.testing.assert_array_equal(value(y, {x: a, n: 5}), np.pad(np.array(a), (5, 1), mode))


def test_the_last_number_of_linspace_is_the_end_itself() -> None:
    assert value(T.linspace(0.1, 0.7, 4))[-1] == 0.7
    assert T.linspace(T.fscalar(), 1, 3).dtype == "float32"


def test_searchsorted_takes_an_order() -> None:
    a = np.array([3.0, 1.0, 2.0])
    assert value(T.searchsorted(a, [2.5, 0.0], sorter=T.argsort(a))).tolist() == [2, 0]


def test_what_does_not_fit_is_an_error_at_once() -> None:
    x = T.dmatrix("x")
    with pytest.raises(GraphValueError, match="axis 2 is out of range"):
        T.sort(x, 2)
    with pytest.raises(GraphValueError, match="no mode 'mirror'"):
        T.pad(x, 1, "mirror")
    with pytest.raises(GraphValueError, match="negative"):
        T.pad(x, -1)
    with pytest.raises(GraphShapeError, match="pair for each of 2 axes"):
        T.pad(x, ((1, 1), (1, 1), (1, 1)))
    with pytest.raises(GraphShapeError, match="rank"):
        T.take_along_axis(x, [0])
    with pytest.raises(GraphValueError, match="there are no 4"):
        T.topk([1, 2, 3], 4)
    with pytest.raises(GraphTypeError, match="vector of integers"):
        T.bincount(T.dvector("v"))
    with pytest.raises(GraphTypeError, match="scalar"):
        T.nonzero(T.dscalar("s"))
    with pytest.raises(GraphTypeError, match="num must be an integer"):
        T.linspace(0, 1, T.lscalar("n"))


def test_a_negative_number_can_not_be_counted() -> None:
    i = T.lvector("i")
    with pytest.raises(ValueError, match="negative"):
        graphlab.function([i], T.bincount(i))([1, -1])
