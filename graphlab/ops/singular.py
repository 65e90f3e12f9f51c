"""Singular values of matrices, in batches.

Where singular values coincide the vectors have no derivative: it is infinite or NaN there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import add, multiply, real, subtract, true_divide
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Lowering
from graphlab.ops.matrices import (
    LAPACK,
    adjoint,
    checked_finite,
    columns_by,
    conj,
    counted,
    diagonal_matrix,
    inexact,
    inverse_gaps,
    main_diagonal,
    matrix_shape,
    only_real,
    real_dtype,
    rows_by,
    smaller,
    total,
    turned,
)


def _outside(x: Variable, u: Variable) -> Variable:
    """(I - U U^T) X: what of the columns of X is orthogonal to those of U."""
    rest: Variable = subtract(x, matmul(u, matmul(turned(u), x)))
    return rest


@dataclass(frozen=True, slots=True)
class SVD(Op):
    """A = U diag(s) Vh; `full_matrices`: U and Vh are square, else they have min(m, n) columns and rows."""

    full_matrices: bool
    name = "svd"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, rows, columns = matrix_shape(self.name, a)
        few = smaller(rows, columns)
        u, vh = (rows, columns) if self.full_matrices else (few, few)
        s = TensorType(real_dtype(a.dtype), (*batch, few))
        return a.with_shape((*batch, rows, u)), s, a.with_shape((*batch, vh, columns))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.svd(checked_finite(values[0]), full_matrices=self.full_matrices))

    def flops(self, node: Apply) -> int:
        count, rows, columns = counted(node.inputs[0].type)
        large, small = max(rows, columns), min(rows, columns)
        inside = 4 * large * large * small + 8 * large * small * small + 9 * small**3
        return count * (inside if self.full_matrices else 6 * large * small * small + 20 * small**3)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Townsend 2016, "Differentiating the singular value decomposition", with F[i, j] = 1/(s_j^2 - s_i^2):
        # by_A = U [F*(U^T by_U - by_U^T U) S + diag(by_s) + S F*(V^T by_V - by_V^T V)] V^T
        #        + (I - U U^T) by_U S^-1 V^T + U S^-1 by_V^T (I - V V^T)
        (a,), (u, s, vh), (by_u, by_s, by_vh) = node.inputs, node.outputs, cotangents
        only_real(node, "gradient")
        if by_u is None and by_vh is None:
            return SingularValues().pullback(node, [by_s])
        self._differentiable("gradient")
        inside, across = None if by_s is None else diagonal_matrix(by_s), None
        gaps = inverse_gaps(multiply(s, s))
        rows, columns = a.type.shape[-2:]
        if by_u is not None:
            spin = matmul(turned(u), by_u)
            inside = total(inside, multiply(multiply(gaps, subtract(spin, turned(spin))), columns_by(s)))
            if rows is None or rows != u.type.shape[-1]:
                across = matmul(_outside(true_divide(by_u, columns_by(s)), u), vh)
        if by_vh is not None:
            spin = matmul(vh, turned(by_vh))
            inside = total(inside, multiply(rows_by(s), multiply(gaps, subtract(spin, turned(spin)))))
            if columns is None or columns != vh.type.shape[-2]:
                rest = turned(_outside(turned(true_divide(by_vh, rows_by(s))), turned(vh)))
                across = total(across, matmul(u, rest))
        assert inside is not None
        return [total(matmul(matmul(u, inside), vh), across)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # With dP = U^T dA V (Townsend 2016): ds = diag(dP), dU = U F*(dP S + S dP^T) + (I - U U^T) dA V S^-1,
        # dV = V F*(S dP + dP^T S) + (I - V V^T) dA^T U S^-1.
        (a,), (u, s, vh), (t,) = node.inputs, node.outputs, tangents
        only_real(node, "forward derivative")
        self._differentiable("forward derivative")
        if t is None:
            return [None, None, None]
        v, gaps = turned(vh), inverse_gaps(multiply(s, s))
        p = matmul(matmul(turned(u), t), v)
        right, left = multiply(p, columns_by(s)), multiply(rows_by(s), p)
        along_u = matmul(u, multiply(gaps, add(right, turned(right))))
        along_v = matmul(v, multiply(gaps, add(left, turned(left))))
        rows, columns = a.type.shape[-2:]
        if rows is None or rows != u.type.shape[-1]:
            along_u = add(along_u, _outside(true_divide(matmul(t, v), columns_by(s)), u))
        if columns is None or columns != vh.type.shape[-2]:
            along_v = add(along_v, _outside(true_divide(matmul(turned(t), u), columns_by(s)), v))
        return [along_u, main_diagonal(p), turned(along_v)]

    def _differentiable(self, what: str) -> None:
        if self.full_matrices:
            hint = "full_matrices=False has one: the further columns are not determined by the matrix"
            raise GraphTypeError(f"{self.name} with full_matrices=True has no {what}", hint=hint)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class SingularValues(Op):
    """The singular values of matrices, the largest first."""

    name = "svdvals"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, rows, columns = matrix_shape(self.name, inputs[0])
        return (TensorType(real_dtype(inputs[0].dtype), (*batch, smaller(rows, columns))),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.svd(checked_finite(values[0]), compute_uv=False)

    def flops(self, node: Apply) -> int:
        count, rows, columns = counted(node.inputs[0].type)
        few = min(rows, columns)
        return count * (4 * rows * columns * few - 4 * few**3 // 3)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = U diag(by_s) V^T (Giles 2008, 3.2), conjugated; also where values coincide or are 0.
        (a,), (g,) = node.inputs, cotangents
        assert g is not None
        u, _, vh = SVD(False)(a)
        return [matmul(multiply(conj(u), columns_by(g)), conj(vh))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        if t is None:
            return [None]
        u, _, vh = SVD(False)(a)
        return [real(main_diagonal(matmul(matmul(adjoint(u), t), adjoint(vh))))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(U, s, Vh) with a = U @ diag(s) @ Vh for each matrix of `a`, (..., m, n), as numpy.linalg.svd.

    `full_matrices=False`: U is (m, k) and Vh (k, n) for k = min(m, n); only then have they a gradient (s always
    has). `compute_uv=False`: s alone.

    >>> [v.type.shape for v in svd(np.ones((5, 3)), full_matrices=False)]
    [(5, 3), (3,), (3, 3)]
    """
    matrices = inexact(a, "svd")
    if not compute_uv:
        values: Variable = SingularValues()(matrices)
        return values
    return SVD(bool(full_matrices))(matrices)


@user_boundary
def svdvals(a: Any) -> Variable:
    """The singular values of each matrix of `a`, the largest first, as numpy.linalg.svdvals."""
    values: Variable = SingularValues()(inexact(a, "svdvals"))
    return values
