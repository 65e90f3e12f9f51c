"""Products: their shapes, promotion and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.errors import GraphShapeError, GraphTypeError
from graphlab.ops.base import Host, Runtime
from tests.ops.values import value


def test_a_product_of_empty_matrices_is_zeros() -> None:
    a, b = T.dmatrices("a", "b")
    np.testing.assert_array_equal(value(a @ b, {a: np.zeros((2, 0)), b: np.zeros((0, 3))}), np.zeros((2, 3)))


def test_columns_and_rows_that_differ_are_an_error_that_names_both() -> None:
    a, b = T.tensor("float64", (2, 3), "a"), T.tensor("float64", (4, 2), "b")
    with pytest.raises(GraphShapeError, match="3 columns, the right 4 rows") as caught:
        a @ b
    assert "a: float64[2,3]" in str(caught.value)
    with pytest.raises(GraphTypeError, match="expected arrays"):
        T.matmul(a, 2.0)
    x, y = T.dmatrices("x", "y")
    with pytest.raises(ValueError, match="matmul"):
        value(x @ y, {x: np.ones((2, 3)), y: np.ones((2, 3))})


def test_dtypes_promote_and_blas_takes_only_its_own() -> None:
    product = T.fmatrix("a") @ T.lmatrix("b")
    assert product.dtype == "float64"
    assert product.owner is not None
    assert product.owner.op.lowering(product.owner) == Runtime("matmul", (2, 2))
    integers = T.lmatrix("a") @ T.lmatrix("b")
    assert integers.owner is not None
    assert isinstance(integers.owner.op.lowering(integers.owner), Host)


def test_tensordot_refuses_axes_that_do_not_pair() -> None:
    a = T.tensor("float64", (2, 3), "a")
    with pytest.raises(GraphShapeError, match=r"axis 1 .* and axis 0 .* differ"):
        T.tensordot(a, a, 1)
    with pytest.raises(ValueError, match="1 axes of the left operand, but 2 of the right"):
        T.tensordot(a, a, ([0], [0, 1]))
