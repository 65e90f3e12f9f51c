"""Pseudo-inverses and least squares, in batches; their derivatives take the rank as constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import add, subtract
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Lowering
from graphlab.ops.matrices import (
    LAPACK,
    checked_finite,
    counted,
    fitting_batch,
    inexact,
    matrix_shape,
    only_real,
    total,
    turned,
)
from graphlab.ops.systems import solved


@dataclass(frozen=True, slots=True)
class Pinv(Op):
    """The pseudo-inverses of matrices; singular values up to `rcond` times the largest count as 0."""

    rcond: float | None
    name = "pinv"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, rows, columns = matrix_shape(self.name, inputs[0])
        return (inputs[0].with_shape((*batch, columns, rows)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.pinv(checked_finite(values[0]), self.rcond)

    def flops(self, node: Apply) -> int:
        count, rows, columns = counted(node.inputs[0].type)
        few = min(rows, columns)
        return count * (8 * rows * columns * few + 20 * few**3)  # singular values with their vectors, and a product

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (a,), (p,), (g,) = node.inputs, node.outputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        return [_by_inverted(a, p, g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (p,), (t,) = node.inputs, node.outputs, tangents
        only_real(node, "forward derivative")
        return [None if t is None else _along_inverted(a, p, t)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


# For P, the pseudo-inverse of A of constant rank (Golub and Pereyra 1973, "The differentiation of
# pseudo-inverses", eq. 4.12): dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P.


def _along_inverted(a: Variable, p: Variable, t: Variable) -> Variable:
    """dP for dA = `t`."""
    right = matmul(matmul(p, turned(p)), turned(t))
    left = matmul(turned(t), matmul(turned(p), p))
    terms = subtract(right, matmul(matmul(right, a), p)), subtract(left, matmul(p, matmul(a, left)))
    change: Variable = subtract(add(*terms), matmul(matmul(p, t), p))
    return change


def _by_inverted(a: Variable, p: Variable, g: Variable) -> Variable:
    """by_A = -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) for G = by_P = `g`."""
    right = matmul(turned(g), matmul(p, turned(p)))
    left = matmul(matmul(turned(p), p), turned(g))
    terms = subtract(right, matmul(a, matmul(p, right))), subtract(left, matmul(matmul(left, p), a))
    by_a: Variable = subtract(add(*terms), matmul(matmul(turned(p), g), turned(p)))
    return by_a


@user_boundary
def pinv(a: Any, rcond: float | None = None) -> Variable:
    """The pseudo-inverse of each matrix of `a`, (..., m, n) to (..., n, m), as numpy.linalg.pinv.

    `rcond`: singular values up to so much of the largest count as 0 (None: NumPy's default). The gradient
    takes the rank as constant.
    """
    inverse: Variable = Pinv(None if rcond is None else float(rcond))(inexact(a, "pinv"))
    return inverse


@dataclass(frozen=True, slots=True)
class LeastSquares(Op):
    """The smallest X that minimizes |A X - B|; singular values up to `rcond` times the largest count as 0."""

    rcond: float | None
    name = "lstsq"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        batch = fitting_batch(self.name, a, b)
        return (b.with_shape((*batch, a.shape[-1], b.shape[-1])),)

    def numpy(self, *values: Array) -> Any:
        # NumPy solves one problem at a time.
        a, b = checked_finite(values[0]), values[1]
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x = np.empty((*batch, a.shape[-1], b.shape[-1]), b.dtype)
        many_a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
        many_b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
        for place in np.ndindex(batch):
            x[place] = np.linalg.lstsq(many_a[place], many_b[place], self.rcond)[0]
        return x

    def flops(self, node: Apply) -> int:
        (count, rows, columns), (*_, right) = counted(node.inputs[0].type), counted(node.outputs[0].type)
        few = min(rows, columns)
        return count * (4 * rows * columns * few + 8 * few**3 + 2 * rows * columns * right)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # X = P B for the pseudo-inverse P of A.
        (a, b), (g,) = node.inputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        p = Pinv(self.rcond)(a)
        return [_by_inverted(a, p, matmul(g, turned(b))), matmul(turned(p), g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a, b), (along_a, along_b) = node.inputs, tangents
        only_real(node, "forward derivative")
        p = Pinv(self.rcond)(a)
        by_matrix = None if along_a is None else matmul(_along_inverted(a, p, along_a), b)
        return [total(by_matrix, None if along_b is None else matmul(p, along_b))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2, 2))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Variable:
    """The smallest x that minimizes |a @ x - b|: the solution of numpy.linalg.lstsq alone, also in batches.

    `a` is (..., m, n), `b` a vector (m,) or (..., m, k). `rcond` as that of `pinv`; None: the precision of
    the dtype times max(m, n). The gradient takes the rank of `a` as constant.

    >>> lstsq(np.ones((5, 3)), np.ones(5)).type.shape
    (3,)
    """
    return solved(LeastSquares(None if rcond is None else float(rcond)), a, b)
