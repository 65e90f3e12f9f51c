"""What is proven of matrices is true, and what is not true is not proven."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Constant, Variable
from graphlab.rewrite.structure import (
    diagonal_of,
    identity_extent,
    is_factor,
    is_identity,
    on_diagonal,
    symmetric,
    triangular,
    untransposed,
)

X, Y, Z = T.dmatrices("x", "y", "z")
V, W = T.dvectors("v", "w")
C = T.dscalar("c")
POINTS = T.dmatrix("points")
ROWS, COLUMNS = V.dimshuffle(0, "x"), V.dimshuffle("x", 0)
APART = POINTS[:, None, :] - POINTS[None, :, :]

SYMMETRIC = {
    "x + x.T": X + X.T,
    "x @ x.T": T.dot(X, X.T),
    "outer": ROWS * COLUMNS,
    "outer with a vector as the row": ROWS * V,
    "kernel": C * T.exp(-T.square(ROWS - COLUMNS) / (2 * C**2)) + C * T.eye(V.shape[0]),
    "kernel by indices": T.exp(-abs(V[:, None] - V[None, :])),
    "kernel over features": T.exp(-T.sum(T.square(APART), axis=2)),
    "even functions": T.cos((ROWS - V) / C) + T.square(C * (V - ROWS)),
    "inverse": T.linalg.inv(X + X.T),
    "constants": Constant(np.array([[1.0, 2.0], [2.0, 3.0]])),
    "identity": T.eye(V.shape[0]),
    "a scalar times": T.dot(X, X.T) * C,
    "where": T.where(T.eq(ROWS, V), ROWS + V, 0),
}
NOT = {
    "x": X,
    "x + y.T": X + Y.T,
    "x - x.T": X - X.T,
    "x @ y.T": T.dot(X, Y.T),
    "rows": ROWS + T.zeros_like(ROWS * V),
    "rows alone": ROWS,
    "difference": ROWS - V,
    "odd": T.sin(ROWS - V),
    "another vector": T.exp(-((V[:, None] - W[None, :]) ** 2)),
    "weighted by the column": T.exp(-((ROWS - V) ** 2)) * V,
    "ordered operands": ROWS / V,
    "constants": Constant(np.array([[1.0, 2.0], [3.0, 4.0]])),
    "sum over the wrong axis": T.sum(APART**2, axis=1),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_matrices_are_known(name: str) -> None:
    assert symmetric(SYMMETRIC[name])


@pytest.mark.parametrize("name", NOT)
def test_others_are_not_taken_for_symmetric(name: str) -> None:
    assert not symmetric(NOT[name])


def test_what_is_called_symmetric_is() -> None:
    rng = np.random.default_rng(0)
    given = {X: (4, 4), Y: (4, 4), V: (4,), C: (), POINTS: (4, 2)}
    values = {v: rng.normal(size=shape) for v, shape in given.items()}
    for name, v in SYMMETRIC.items():
        used = {u: a for u, a in values.items() if u in _leaves(v)}
        value = v.data if isinstance(v, Constant) else v.eval(used)
        np.testing.assert_allclose(value, value.T, rtol=1e-12, err_msg=name)


def _leaves(v: Variable) -> set[Variable]:
    return {v} if v.owner is None else set().union(*map(_leaves, v.owner.inputs))


def test_a_search_that_is_too_wide_ends() -> None:
    v = X
    for _ in range(300):
        v = (v + v.T) * T.exp(v.T)
    assert not symmetric(v)


def test_triangles() -> None:
    factor = T.linalg.cholesky(X)
    r = T.linalg.qr(X, mode="r")
    known = [factor, T.tril(X), T.tril(T.as_tensor(np.ones((3, 3))) * X), factor.T, T.triu(X), T.triu(X).T, r]
    assert [triangular(v) for v in known] == ["lower", "lower", "lower", "upper", "upper", "lower", "upper"]
    assert [triangular(v) for v in (X, T.tril(X, 1), factor + X, T.linalg.qr(X)[0])] == [None] * 4
    assert is_factor(factor)
    assert not is_factor(factor.T)


def test_identities_and_diagonals() -> None:
    assert is_identity(T.eye(3))
    assert is_identity(T.eye(V.shape[0]))
    assert identity_extent(T.eye(3)) == frozenset([3])
    assert not any(map(is_identity, (X, T.eye(3, 4), T.eye(3, k=1), T.eye(V.shape[0], W.shape[0]), 2 * T.eye(3))))
    assert diagonal_of(T.diag(V)) is V
    assert diagonal_of(T.diag(V, 1)) is None
    assert not on_diagonal(T.eq(ROWS, V))  # equal values, not equal places


def test_transposes() -> None:
    assert untransposed(X.T) is X
    assert untransposed(X) is None
    assert untransposed(T.dtensor3("b").dimshuffle(1, 0, 2)) is None
