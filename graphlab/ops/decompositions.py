"""Triangular factors of matrices, in batches: cholesky and QR.

Of symmetric matrices only one triangle is read, as NumPy does, and the whole gradient goes to that triangle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphlab.errors import GraphTypeError, GraphValueError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import add, multiply, subtract
from graphlab.ops.extents import zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import concatenate
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Lowering
from graphlab.ops.matrices import (
    LAPACK,
    counted,
    folded,
    inexact,
    matrix_shape,
    mirrored,
    only_real,
    smaller,
    square_shape,
    triangle,
    turned,
)
from graphlab.ops.shape import extent
from graphlab.ops.systems import SolveTriangular


@dataclass(frozen=True, slots=True)
class Cholesky(Op):
    """L of A = L L^T, lower triangular, for positive definite A, of which the lower triangle is read."""

    name = "cholesky"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, n = square_shape(self.name, inputs[0])
        return (inputs[0].with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.cholesky(*values)

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * n**3 // 3

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = L^-T Phi(L^T by_L) L^-1 (Murray 2016, "Differentiation of the Cholesky decomposition", eq. 10).
        (l,), (g,) = node.outputs, cotangents  # noqa: E741
        only_real(node, "gradient")
        assert g is not None
        left = SolveTriangular(True, "T")(l, _phi(matmul(turned(l), g)))
        return [folded(turned(SolveTriangular(True, "T")(l, turned(left))))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # dL = L Phi(L^-1 dA L^-T) (Murray 2016, eq. 8).
        (l,), (t,) = node.outputs, tangents  # noqa: E741
        only_real(node, "forward derivative")
        if t is None:
            return [None]
        left = SolveTriangular(True)(l, mirrored(t))
        return [matmul(l, _phi(turned(SolveTriangular(True)(l, turned(left)))))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _phi(x: Variable) -> Variable:
    """The lower triangle with half the diagonal."""
    half: Variable = multiply(0.5, add(triangle(x), triangle(x, strict=True)))
    return half


@user_boundary
def cholesky(a: Any, lower: bool = True) -> Variable:
    """The triangular factor of each positive definite matrix of `a`, (..., n, n): a = L L^T, or U^T U.

    Only that triangle of `a` is read. GraphShapeError: not square; GraphValueError as it runs: not
    positive definite.

    >>> cholesky(np.eye(3)).type.shape
    (3, 3)
    """
    matrices = inexact(a, "cholesky")
    if matrices.ndim < 2 or lower:
        factor: Variable = Cholesky()(matrices)
        return factor
    return turned(Cholesky()(turned(matrices)))


# ---- QR --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QR(Op):
    """A = Q R: orthonormal columns times an upper triangle; `mode` "reduced" or "complete" as numpy.linalg.qr."""

    mode: Literal["reduced", "complete"] = "reduced"
    name = "qr"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, rows, columns = matrix_shape(self.name, a)
        inner = rows if self.mode == "complete" else smaller(rows, columns)
        return a.with_shape((*batch, rows, inner)), a.with_shape((*batch, inner, columns))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.qr(values[0], self.mode))

    def flops(self, node: Apply) -> int:
        count, rows, columns = counted(node.inputs[0].type)
        few = min(rows, columns)
        return count * (4 * rows * columns * few - 4 * few**3 // 3)  # Q is made of its reflections

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # More columns than rows (Roberts and Roberts 2020, "QR and LQ decomposition matrix backpropagation
        # algorithms"): A = [X Y] = Q [U V] with square U, where V = Q^T Y. Y is empty for tall matrices.
        self._differentiable(node, "gradient")
        (a,), (q, r) = node.inputs, node.outputs
        by_q, by_r = (zeros_like(v) if g is None else g for v, g in zip((q, r), cotangents, strict=True))
        if _is_tall(a):
            return [_by_tall(q, r, by_q, by_r)]
        (_, y), (u, _), (by_u, by_v) = (_cut(x, extent(q, -1)) for x in (a, r, by_r))
        by_x = _by_tall(q, u, add(by_q, matmul(y, turned(by_v))), by_u)
        return [concatenate([by_x, matmul(q, by_v)], -1)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        self._differentiable(node, "forward derivative")
        (a,), (q, r), (t,) = node.inputs, node.outputs, tangents
        if t is None:
            return [None, None]
        if _is_tall(a):
            return _along_tall(q, r, t)
        (_, y), (u, _), (along_x, along_y) = (_cut(x, extent(q, -1)) for x in (a, r, t))
        along_q, along_u = _along_tall(q, u, along_x)
        along_v = add(matmul(turned(along_q), y), matmul(turned(q), along_y))
        return [along_q, concatenate([along_u, along_v], -1)]

    def _differentiable(self, node: Apply, what: str) -> None:
        only_real(node, what)
        if self.mode == "complete":
            hint = "mode='reduced' has one: the further columns of Q are not determined by the matrix"
            raise GraphTypeError(f"{self.name} with mode='complete' has no {what}", hint=hint)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _is_tall(a: Variable) -> bool:
    """Whether the matrices are known to have at least as many rows as columns."""
    rows, columns = a.type.shape[-2:]
    return rows is not None and columns is not None and rows >= columns


def _cut(x: Variable, columns: Variable) -> tuple[Variable, Variable]:
    """The first `columns` columns, and the others."""
    return index(x, (..., slice(None, columns))), index(x, (..., slice(columns, None)))


def _by_tall(q: Variable, r: Variable, by_q: Variable, by_r: Variable) -> Variable:
    # by_A = (by_Q + Q mirrored(M)) R^-T, M = R by_R^T - by_Q^T Q
    # (Walter, Lehmann and Lamour 2012, "On higher-order derivatives of the QR decomposition").
    m = subtract(matmul(r, turned(by_r)), matmul(turned(by_q), q))
    product = add(by_q, matmul(q, mirrored(m)))
    return turned(SolveTriangular(False)(r, turned(product)))


def _along_tall(q: Variable, r: Variable, t: Variable) -> list[Variable]:
    # With C = dA R^-1 and W = Q^T C = Omega + dR R^-1 for antisymmetric Omega, which the strict lower triangle
    # of W tells: dQ = Q Omega + C - Q W, dR = (W - Omega) R.
    c = turned(SolveTriangular(False, "T")(r, turned(t)))
    w = matmul(turned(q), c)
    below = triangle(w, strict=True)
    rest = subtract(w, subtract(below, turned(below)))
    return [subtract(c, matmul(q, rest)), matmul(rest, r)]


@user_boundary
def qr(a: Any, mode: str = "reduced") -> Any:
    """(Q, R) with a = Q @ R for each matrix of `a`, (..., m, n), as numpy.linalg.qr; mode "r" gives R alone.

    "reduced": Q is (m, k), R (k, n) for k = min(m, n). "complete": (m, m) and (m, n), without gradient.

    >>> q, r = qr(np.ones((5, 3)))
    >>> q.type.shape, r.type.shape
    ((5, 3), (3, 3))
    """
    if mode not in ("reduced", "complete", "r"):
        raise GraphValueError(f"qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    q, r = QR("complete" if mode == "complete" else "reduced")(inexact(a, "qr"))
    return r if mode == "r" else (q, r)
