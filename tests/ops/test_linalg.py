"""Products: their shapes, promotion and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError
from graphlab.ops.lowering import Host, Runtime
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


BATCHES = [
    ((2, 3, 4), (2, 4, 5)), ((3, 4), (5, 4, 2)), ((1, 2, 3, 4), (5, 1, 4, 2)), ((4,), (3, 4, 2)), ((2, 3, 4), (4,)),
    ((2, 1, 4), (2, 4, 1)), ((2, 1, 4), (2, 4, 3)), ((0, 3, 4), (4, 2)), ((2, 3, 0), (2, 0, 2)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_batch_of_products_is_computed_in_c_as_numpy_does(dtype: str) -> None:
    rng = np.random.default_rng(0)
    by_rank = {}
    for left, right in BATCHES:
        a, b = (rng.normal(size=shape).astype(dtype) for shape in (left, right))
        ranks = a.ndim, b.ndim
        if ranks not in by_rank:
            x, y = (T.tensor(dtype, (None,) * n) for n in ranks)
            by_rank[ranks] = graphlab.function([x, y], x @ y)
            assert "api->matmul" in by_rank[ranks].c_source
        for given in (a, a[..., ::-1], a[::-1], np.asfortranarray(a)):
            want = np.matmul(given, b)
            got = by_rank[ranks](given, b)
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    wide = np.broadcast_to(rng.normal(size=(3, 4)).astype(dtype), (6, 3, 4))
    np.testing.assert_allclose(by_rank[3, 3](wide, wide.swapaxes(1, 2)), wide @ wide.swapaxes(1, 2), rtol=1e-5)
    with pytest.raises(GraphlabError, match="matmul"):
        by_rank[3, 3](np.ones((2, 3, 4), dtype), np.ones((3, 4, 5), dtype))


def test_tensordot_refuses_axes_that_do_not_pair() -> None:
    a = T.tensor("float64", (2, 3), "a")
    with pytest.raises(GraphShapeError, match=r"axis 1 .* and axis 0 .* differ"):
        T.tensordot(a, a, 1)
    with pytest.raises(ValueError, match="1 axes of the left operand, but 2 of the right"):
        T.tensordot(a, a, ([0], [0, 1]))
