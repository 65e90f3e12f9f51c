"""The functions that only Theano has: their values, shapes and errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import verify_grad
from graphlab.errors import GraphlabError
from tests.ops.test_statistics import agrees
from tests.ops.values import value


@pytest.mark.parametrize(
    ("left", "right", "form"),
    [((4, 2, 3), (4, 3, 5), "nij,njk->nik"), ((4, 3), (4, 3, 5), "nj,njk->nk"), ((4, 2, 3), (4, 3), "nij,nj->ni"),
     ((4, 3), (4, 3), "nj,nj->n")],
)  # fmt: skip
def test_products_of_batches(rng: np.random.Generator, left: tuple[int], right: tuple[int], form: str) -> None:
    a, b = rng.normal(size=left), rng.normal(size=right)
    agrees(T.batched_dot, lambda a, b: np.einsum(form, a, b), a, b)
    agrees(lambda a, b: T.batched_tensordot(a, b, 1), lambda a, b: np.einsum(form, a, b), a, b)
    verify_grad(T.batched_dot, [a, b])


def test_batched_tensordot_pairs_the_axes_that_are_named(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(4, 2, 3, 5)), rng.normal(size=(4, 5, 6, 2))
    agrees(lambda a, b: T.batched_tensordot(a, b, [[1, 3], [3, 1]]),
           lambda a, b: np.einsum("nijk,nkli->njl", a, b), a, b)  # fmt: skip
    agrees(lambda a, b: T.batched_tensordot(a, b, [3, 1]), lambda a, b: np.einsum("nijk,nklm->nijlm", a, b), a, b)
    with pytest.raises(GraphlabError, match="behind the first, the batch"):
        T.batched_tensordot(a, b, [[0], [0]])
    with pytest.raises(GraphlabError, match="expected 2 or 3 dimensions"):
        T.batched_dot(T.dvector(), b)


def test_matrices_with_something_on_the_diagonal(rng: np.random.Generator) -> None:
    for shape in ((3, 3), (2, 4), (4, 2)):
        x = rng.normal(size=shape)
        filled = x.copy()
        np.fill_diagonal(filled, 7.0)
        agrees(lambda x: T.fill_diagonal(x, 7), lambda x, f=filled: f, x)
        agrees(T.identity_like, lambda x: np.eye(*x.shape), x)
        for offset in (-1, 1):
            agrees(lambda x, k=offset: T.fill_diagonal_offset(x, 7.0, k),
                   lambda x, k=offset: np.where(np.eye(*x.shape, k=k, dtype=bool), 7.0, x), x)  # fmt: skip
    agrees(T.matrix_dot, lambda a, b, c: a @ b @ c, *rng.normal(size=(3, 2, 2)))


def test_stacks(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    agrees(lambda a, b: T.hstack([a, b]), lambda a, b: np.hstack([a, b]), a, b)
    agrees(lambda a, b: T.vstack([a, b]), lambda a, b: np.vstack([a, b]), a, b)
    agrees(lambda a, b: T.hstack([a, b]), lambda a, b: np.hstack([a, b]), a[0], b[0])
    agrees(lambda a, b: T.vstack([a, b]), lambda a, b: np.vstack([a, b]), a[0], b[0])
    agrees(T.horizontal_stack, lambda a, b: np.hstack([a, b]), a, b)
    agrees(T.vertical_stack, lambda a, b: np.vstack([a, b]), a, b)
    x = T.dscalar("x")
    np.testing.assert_array_equal(T.stacklists([[x, 1.0], [2.0, x]]).eval({x: 5.0}), [[5, 1], [2, 5]])


def test_broadcast_patterns_change_nothing_and_kept_axes_come_back() -> None:
    x = T.dmatrix("x")
    assert T.addbroadcast(x, 0) is T.unbroadcast(x, 1) is T.patternbroadcast(x, (True, False)) is x
    assert T.makeKeepDims(x, x.sum(axis=1), 1).type.shape == (None, 1)
    assert T.makeKeepDims(x, x.sum()).ndim == 2
    for wrong in (lambda: T.addbroadcast(x, 2), lambda: T.patternbroadcast(x, (True,))):
        with pytest.raises(GraphlabError):
            wrong()


def test_a_specified_shape_is_known_and_checked() -> None:
    x = T.dmatrix("x")
    narrow = T.specify_shape(x, (None, 3))
    assert narrow.type.shape == (None, 3)
    assert T.specify_shape(narrow, (None, 3)) is narrow
    f = graphlab.function([x], narrow * 2)
    assert f(np.ones((2, 3))).shape == (2, 3)
    with pytest.raises(Exception, match="the extent of axis 1 is not 3"):
        f(np.ones((3, 2)))
    with pytest.raises(GraphlabError, match="another rank"):
        T.specify_shape(x, (3,))


def test_grids_are_numpys() -> None:
    n = T.lscalar("n")
    np.testing.assert_array_equal(value(T.mgrid[0:3, 1:n], {n: 4}), np.mgrid[0:3, 1:4])
    for ours, theirs in zip(T.ogrid[:3, 0:6:2], np.ogrid[:3, 0:6:2], strict=True):
        np.testing.assert_array_equal(value(ours), theirs)
    np.testing.assert_allclose(value(T.mgrid[-1:1:5j]), np.mgrid[-1:1:5j])
    with pytest.raises(GraphlabError, match="slices with an end"):
        T.mgrid[3]


def test_one_hot_rows_and_x_log_x() -> None:
    agrees(lambda y: T.to_one_hot(y, 3), lambda y: np.eye(3)[y], np.array([[0, 2], [1, 1]]))
    assert T.to_one_hot(T.ivector(), 3, "int8").dtype == "int8"
    np.testing.assert_allclose(T.xlogx([0.0, 2.0]).eval(), [0, 2 * np.log(2)])


def test_a_tensor_type_makes_variables() -> None:
    assert str(T.TensorType("float32", (False, True))("x").type) == "float32[?,1]"
    assert T.TensorType("int8", (3, None))().type.shape == (3, None)
    assert T.TensorType("float64", ())("c").name == "c"
