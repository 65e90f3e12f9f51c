"""Reductions: known answers, ties, zeros, nothing at all, and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.graph.walk import toposort
from graphlab.ops.unbroadcast import SumTo, sum_to
from tests.ops.values import value


@pytest.mark.parametrize(
    ("x", "gradient"),
    [([2, 0, 3], [0, 6, 0]), ([0, 0, 3], [0, 0, 0]), ([2, 4, 3], [12, 6, 8]), ([0.0], [1]), ([-0.0, 5], [5, 0])],
)
def test_the_gradient_of_a_product_is_the_product_of_the_others(x: list[float], gradient: list[float]) -> None:
    v = T.dvector("v")
    np.testing.assert_array_equal(value(T.grad(T.prod(v), v), {v: x}), gradient)


@pytest.mark.parametrize("reduction", [T.max, T.min])
def test_extremes_that_tie_share_the_gradient(reduction: object) -> None:
    v = T.dvector("v")
    x = np.array([1.0, 3.0, 3.0]) if reduction is T.max else -np.array([1.0, 3.0, 3.0])
    np.testing.assert_array_equal(value(T.grad(reduction(v), v), {v: x}), [0, 0.5, 0.5])  # type: ignore[operator]


def test_small_integers_are_added_up_in_64_bits() -> None:
    v = T.bvector("v")
    total = value(v.sum(), {v: [127, 127]})
    assert total.dtype == np.int64
    assert total == 254
    assert T.sum(T.tensor("uint8", (None,))).dtype == "uint64"
    assert T.sum(T.tensor("bool", (None,))).dtype == "int64"
    assert T.mean(v).dtype == "float64"


def test_reductions_of_nothing() -> None:
    v = T.dvector("v")
    assert value(v.sum(), {v: []}) == 0
    assert value(v.prod(), {v: []}) == 1
    assert np.isnan(value(v.mean(), {v: []}))
    assert value(T.all(v), {v: []})
    assert not value(T.any(v), {v: []})
    with pytest.raises(ValueError, match="max"):
        value(v.max(), {v: []})


def test_nan_is_the_largest_and_the_smallest() -> None:
    v = T.dvector("v")
    for reduction in (T.max, T.min):
        assert np.isnan(value(reduction(v), {v: [1, np.nan, 2]}))
    for position in (T.argmax, T.argmin):
        assert value(position(v), {v: [1, np.nan, 2]}) == 1


def test_the_dtype_of_a_sum_can_be_chosen() -> None:
    v = T.ivector("v")
    assert T.sum(v, dtype="float32").dtype == "float32"
    assert value(T.sum(v, dtype="int8"), {v: [100, 100]}) == np.int8(-56)


def test_all_axes_and_none_are_the_same_op() -> None:
    x = T.dmatrix("x")
    assert T.sum(x).owner.op == T.sum(x, axis=(0, 1)).owner.op == T.sum(x, axis=(-1, 0)).owner.op  # type: ignore[union-attr]


def test_an_axis_out_of_range_or_named_twice_is_an_error_that_names_it() -> None:
    x = T.dmatrix("x")
    with pytest.raises(GraphValueError, match="sum: axis 2 is out of range, the operand has axes -2 to 1"):
        x.sum(axis=2)
    with pytest.raises(GraphValueError, match="named twice"):
        T.max(x, axis=(0, -2))
    with pytest.raises(GraphTypeError, match=r"max: an axis must be an integer, got 0\.5"):
        T.max(x, axis=0.5)
    with pytest.raises(GraphTypeError, match="one axis or None"):
        T.argmax(x, axis=(0, 1))


def test_sum_to_sums_only_what_was_broadcast() -> None:
    g, like = T.dmatrix("g"), T.dvector("like")
    summed = sum_to(g, like)
    ones = np.ones((2, 3))
    np.testing.assert_array_equal(value(summed, {g: ones, like: np.zeros(3)}), [2, 2, 2])
    np.testing.assert_array_equal(value(summed, {g: ones, like: np.zeros(1)}), [6])
    with pytest.raises(ValueError, match="not a broadcast"):
        value(summed, {g: ones, like: np.zeros(2)})


def test_sum_to_needs_no_op_where_the_types_tell() -> None:
    g = T.tensor("float64", (4, 3), "g")
    assert sum_to(g, T.tensor("float64", (4, 3))) is g
    for like in ((1, 3), (3,), (4, 1), ()):
        summed = sum_to(g, T.tensor("float64", like))
        assert summed.type.shape == like
        assert not any(isinstance(node.op, SumTo) for node in toposort([summed]))


def test_gradients_sum_back_to_each_input_s_own_run_time_shape() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    by_x, by_y = T.grad((x * y).sum(), [x, y])
    given = {x: np.ones((3, 3)), y: np.arange(3.0).reshape(3, 1)}
    np.testing.assert_array_equal(value(by_x, given), np.broadcast_to(given[y], (3, 3)))
    np.testing.assert_array_equal(value(by_y, given), np.full((3, 1), 3.0))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_products_have_derivatives_of_every_order_where_elements_are_zero(axis: int | None) -> None:
    # The product of n numbers is linear in each, so its third differences are its third derivatives.
    x, at = T.dmatrix("x"), np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.5]])
    u, v, w = (np.eye(6)[k].reshape(2, 3) for k in (1, 3, 4))
    for build, meaning in ((T.prod, np.prod), (T.cumprod, np.cumprod)):
        along = build(x, axis)
        for step in (u, v, w):
            along = T.jvp(along, x, step)
        signs = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        want = sum((-1) ** (3 - a - b - c) * meaning(at + a * u + b * v + c * w, axis) for a, b, c in signs)
        np.testing.assert_allclose(along.eval({x: at}), want, atol=1e-12)
