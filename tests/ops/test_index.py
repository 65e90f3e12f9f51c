"""Indexing: repeated indices, gradients through them, and mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError
from graphlab.ops.lowering import Runtime
from tests.ops.values import value

TWICE = np.array([0, 0, 2])
WEIGHTS = np.array([10.0, 20.0, 30.0])


def test_inc_subtensor_adds_every_value_of_a_repeated_index() -> None:
    y = T.dvector("y")
    z = T.inc_subtensor(T.zeros(3)[TWICE], y)
    np.testing.assert_array_equal(value(z, {y: [1, 2, 5]}), [3, 0, 5])
    np.testing.assert_array_equal(value(T.grad((z * WEIGHTS).sum(), y), {y: [1, 2, 5]}), [10, 10, 30])


def test_set_subtensor_keeps_the_last_value_and_only_that_one_gets_a_gradient() -> None:
    y = T.dvector("y")
    z = T.set_subtensor(T.zeros(3)[TWICE], y)
    np.testing.assert_array_equal(value(z, {y: [1, 2, 5]}), [2, 0, 5])
    np.testing.assert_array_equal(value(T.grad((z * WEIGHTS).sum(), y), {y: [1, 2, 5]}), [0, 10, 30])


def test_what_is_overwritten_gets_no_gradient() -> None:
    x = T.dvector("x")
    z = T.set_subtensor(x[1:], 0.0)
    np.testing.assert_array_equal(value(T.grad((z * WEIGHTS).sum(), x), {x: [1, 2, 3]}), [10, 0, 0])


def test_a_repeated_index_collects_its_gradient() -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(value(T.grad((x[TWICE] * WEIGHTS).sum(), x), {x: [1, 2, 3]}), [30, 0, 30])


def test_indices_and_masks_may_be_symbolic() -> None:
    x, i, rows, mask = T.dmatrix("x"), T.iscalar("i"), T.lvector("rows"), T.tensor("bool", (None,), "mask")
    array = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(value(x[i], {x: array, i: -1}), array[-1])
    np.testing.assert_array_equal(value(x[::i, i:], {x: array, i: 2}), array[::2, 2:])
    np.testing.assert_array_equal(value(x[rows, i], {x: array, rows: [0, 3], i: 1}), array[[0, 3], 1])
    np.testing.assert_array_equal(value(x[mask], {x: array, mask: [1, 0, 0, 1]}), array[[0, 3]])
    np.testing.assert_array_equal(value(x[x > 7], {x: array}), array[array > 7])
    np.testing.assert_array_equal(value(x[[i, 0]], {x: array, i: 2}), array[[2, 0]])


KEYS: tuple[Any, ...] = (
    0, -1, slice(1, 3), slice(None, None, -2), slice(5, 1), slice(-2, None), None, ..., (..., 1), (None, 0, ..., None),
    (slice(None), slice(3, 0, -1)), (1, 2, 3), np.int32(1), np.array(1), [1, 0], ([0, 1], [2, 1]), (0, [1, 2]),
    ([0, 1], slice(None), [2, 1]), (slice(None), [1, 0], [0, 1]), ([[0], [1]], [1, 2]), (..., [0, 1]),
    (slice(None), 0, [0, 1]), (0, slice(None), [0, 1]), ([0, 1], None, [0, 1]), (slice(None), [0], ..., [1, 2]),
    (slice(None), [0, 1], ...), [True, False], ([True, False], 0), (0, [[True, False, True, False]] * 3),
    (slice(None), [True, False, True], [0, 1]), [], True, (slice(None), np.array(False)), np.array([], dtype=bool)[:0],
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS[:-1], ids=repr)
def test_the_shape_and_value_of_an_indexed_array_are_those_of_numpy(key: Any) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    want = array[key]
    known, unknown = T.tensor("float64", (2, 3, 4), "x"), T.tensor3("x")
    for x in (known, unknown):
        part = T.as_tensor(x)[key]
        np.testing.assert_array_equal(value(part, {x: array}), want)
        assert part.ndim == want.ndim
        assert all(n in (None, m) for n, m in zip(part.type.shape, want.shape, strict=True))


def test_the_key_is_spelled_out_for_the_runtime() -> None:
    x, i = T.tensor3("x"), T.lscalar("i")
    node = x[1, None, i::-2, ...].owner
    assert node is not None
    whole = (2, 0, 0, 0, 0, 0, 0)
    assert node.op.lowering(node) == Runtime("index", (3, 3, 4, 1, 1, 1, 0, 2, 2, 0, 0, 0, 1, -2, *whole), view=True)


def test_an_index_out_of_range_is_an_error_at_once_where_the_extent_is_known() -> None:
    x = T.tensor("float64", (2, 3), "x")
    with pytest.raises(IndexError, match="index 2 is out of range for an axis of extent 2"):
        x[2]
    with pytest.raises(GraphIndexError, match="too many indices: the operand has 2 dimensions, the key covers 3"):
        x[0, 0, 0]
    with pytest.raises(IndexError, match="out of range"):
        x.shape[2]
    v = T.dvector("v")
    with pytest.raises(IndexError, match="out of range"):
        value(v[3], {v: [1, 2]})


def test_what_can_not_be_an_index_is_an_error_that_says_so() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphTypeError, match="an index must be of integers or booleans, got y: float64"):
        x[T.dscalar("y")]
    with pytest.raises(GraphTypeError, match=r"bounds of a slice must be integers, got 1\.5"):
        x[:1.5]
    with pytest.raises(GraphValueError, match="step of a slice can't be zero"):
        x[::0]
    with pytest.raises(GraphIndexError, match="one ellipsis"):
        x[..., ...]


def test_only_an_indexed_variable_can_be_set() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphTypeError, match=r"must be an indexed variable, got float64\[\?\]"):
        T.set_subtensor(x, 1.0)
    with pytest.raises(GraphTypeError, match="values of float64 would lose by standing in int64"):
        T.inc_subtensor(T.lvector("n")[0], 1.5)
    with pytest.raises(ValueError, match="does not broadcast"):
        T.set_subtensor(T.tensor("float64", (3,))[:2], np.ones(3))
