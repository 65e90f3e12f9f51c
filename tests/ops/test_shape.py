"""Shapes: what the graph knows of them, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.errors import GraphShapeError, GraphTypeError
from graphlab.graph.node import Constant
from graphlab.ops.join import Concatenate
from tests.ops.values import value


def test_a_known_extent_is_a_constant_and_an_unknown_one_is_symbolic() -> None:
    x = T.tensor("float64", (None, 3), "x")
    n, m = x.shape
    assert isinstance(m, Constant)
    assert m.data == 3
    assert not isinstance(n, Constant)
    assert value(n, {x: np.zeros((5, 3))}) == 5
    assert isinstance(x.shape[1:], Constant)


def test_the_shape_of_a_reshape_is_worked_out_as_far_as_it_is_known() -> None:
    x = T.tensor("float64", (4, 6), "x")
    assert T.reshape(x, (-1, 8)).type.shape == (3, 8)
    y = T.tensor("float64", (None, 6), "y")
    assert T.reshape(y, (y.shape[0], 2, 3)).type.shape == (None, 2, 3)
    assert T.flatten(T.tensor("float64", (None, 2, 3)), 2).type.shape == (None, 6)


@pytest.mark.parametrize("shape", [(5, 5), (-1, 5), (-1, -1), (-2, 12)])
def test_a_reshape_that_can_not_fit_is_an_error_at_once(shape: tuple[int, ...]) -> None:
    with pytest.raises(GraphShapeError, match="reshape"):
        T.reshape(T.tensor("float64", (4, 6)), shape)


def test_a_reshape_that_does_not_fit_is_an_error_when_it_runs() -> None:
    x = T.dmatrix("x")
    with pytest.raises(ValueError, match="reshape"):
        value(T.reshape(x, (2, 2)), {x: np.zeros((2, 3))})


def test_a_shape_must_be_of_integers_and_of_known_rank() -> None:
    x = T.dmatrix("x")
    with pytest.raises(GraphTypeError, match=r"must be an integer or an integer scalar, got 2\.0"):
        T.reshape(x, (2.0, 3))
    with pytest.raises(GraphTypeError, match="the rank of the result is not known"):
        T.reshape(x, T.lvector("shape"))
    assert T.reshape(x, T.lvector("shape"), ndim=3).ndim == 3


def test_dropping_an_axis_is_checked_at_once_or_when_it_runs() -> None:
    with pytest.raises(GraphShapeError, match="its extent is 3 and not 1"):
        T.squeeze(T.tensor("float64", (3, 2)), 0)
    x = T.dmatrix("x")
    dropped = T.squeeze(x, 0)
    np.testing.assert_array_equal(value(dropped, {x: [[1, 2]]}), [1, 2])
    with pytest.raises(ValueError, match="dimshuffle"):
        value(dropped, {x: np.zeros((0, 2))})


def test_squeeze_without_axis_drops_what_is_known_to_be_one() -> None:
    assert T.squeeze(T.tensor("float64", (1, None, 1))).type.shape == (None,)


def test_an_arrangement_that_changes_nothing_is_no_node() -> None:
    x = T.dmatrix("x")
    assert T.dimshuffle(x, 0, 1) is x
    assert T.transpose(T.transpose(x)).owner is not None
    v = T.dvector("v")
    assert v.T is v


@pytest.mark.parametrize("pattern", [(0, 0, 1), (0, 2), ("x", "x")])
def test_a_pattern_that_does_not_permute_is_an_error(pattern: tuple[object, ...]) -> None:
    with pytest.raises((GraphShapeError, ValueError), match="dimshuffle"):
        T.dimshuffle(T.tensor("float64", (2, 3)), *pattern)


def test_broadcasting_to_a_shape_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(GraphShapeError, match="does not broadcast"):
        T.broadcast_to(T.tensor("float64", (2, 3)), (3, 3))
    x = T.dvector("x")
    with pytest.raises(ValueError, match="broadcast"):
        value(T.broadcast_to(x, (2, 3)), {x: [1, 2]})


def test_zeros_and_ones_take_the_default_dtype_and_symbolic_extents() -> None:
    x = T.fmatrix("x")
    made = T.ones((x.shape[1], 2))
    assert (made.dtype, made.type.shape) == ("float64", (None, 2))
    np.testing.assert_array_equal(value(made, {x: np.zeros((4, 3))}), np.ones((3, 2)))
    assert T.zeros_like(x).dtype == "float32"
    assert value(T.full_like(x, 7, dtype="int8"), {x: np.zeros((1, 2))}).tolist() == [[7, 7]]


def test_a_list_that_holds_variables_is_stacked() -> None:
    a, b = T.dscalars("a", "b")
    stacked = T.as_tensor([[a, 1], [2, b]])
    np.testing.assert_array_equal(value(stacked, {a: 5, b: 6}), [[5, 1], [2, 6]])
    np.testing.assert_array_equal(value(T.sum([a, b]), {a: 5, b: 6}), 11)


def test_arrays_that_can_not_be_joined_are_an_error_that_shows_them() -> None:
    x, y = T.tensor("float64", (2, 3), "x"), T.tensor("float64", (3, 3), "y")
    with pytest.raises(GraphShapeError, match=r"along axis 0 .* float64\[2,3\] and float64\[3,3\] differ"):
        T.concatenate([x, y], axis=1)
    with pytest.raises(GraphTypeError, match="one rank"):
        T.concatenate([x, T.dvector("v")])
    with pytest.raises(GraphTypeError, match="scalars"):
        T.concatenate([T.dscalar(), T.dscalar()])
    with pytest.raises(GraphTypeError, match="axis 1 is out of range"):
        Concatenate(1)(T.dvector("x"), T.dvector("y"))


def test_ranges_have_the_dtypes_of_numpy() -> None:
    for arguments in ((3,), (1, 7, 2), (0, 1, 0.25), (np.int8(3),), (np.float32(2),), (5, 0, -2)):
        made = T.arange(*arguments)
        want = np.arange(*arguments)
        assert isinstance(made, Constant)
        assert made.dtype == want.dtype.name
        np.testing.assert_array_equal(made.data, want)
    n = T.iscalar("n")
    np.testing.assert_array_equal(value(T.arange(n), {n: 3}), [0, 1, 2])


def test_the_text_of_views_reads_as_python() -> None:
    from graphlab.graph.text import maths

    x = T.dmatrix("x")
    assert maths(x.T[1:, 0]) == "x.T[1:, 0]"
    assert maths(T.reshape(x, (2, -1))) == "x.reshape([2, -1])"
    assert maths(T.dimshuffle(x, 0, "x", 1)) == "x.dimshuffle(0, 'x', 1)"
