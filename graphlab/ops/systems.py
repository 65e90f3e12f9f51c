"""Systems of linear equations, in batches: solve, solve_triangular, and the inverse.

The derivatives are those of M. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation", 2008. A name `by_a` is a cotangent, there written as an overbar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphlab.dtypes import promote
from graphlab.errors import GraphValueError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import negative
from graphlab.ops.later import Module
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Host, Lowering
from graphlab.ops.matrices import LAPACK, conj, counted, fitting_batch, inexact, square_shape, total, triangle, turned
from graphlab.ops.shape import expand_dims, squeeze

scipy_linalg = Module("scipy.linalg")
Trans = Literal["N", "T"]


@dataclass(frozen=True, slots=True)
class Solve(Op):
    """X of A X = B, for square matrices A and matrices B of right sides, in batches that broadcast."""

    name = "solve"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        _, n = square_shape(self.name, a)
        batch = fitting_batch(self.name, a, b)
        return (b.with_shape((*batch, b.shape[-2] if n is None else n, b.shape[-1])),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.solve(*values)

    def flops(self, node: Apply) -> int:
        (_, n, _), (count, _, right) = (counted(v.type) for v in (node.inputs[0], node.outputs[0]))
        return count * (2 * n**3 // 3 + 2 * n * n * right)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Giles 2.3.1: by_B = A^-T by_X, by_A = -by_B X^T.
        (a, _), (x,), (g,) = node.inputs, node.outputs, cotangents
        by_b = self(turned(a), g)
        return [negative(matmul(by_b, turned(x))), by_b]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # dX = A^-1 (dB - dA X).
        (a, _), (x,), (along_a, along_b) = node.inputs, node.outputs, tangents
        moved = None if along_a is None else negative(matmul(along_a, x))
        right = total(along_b, moved)
        return [None if right is None else self(a, right)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2, 2))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class SolveTriangular(Op):
    """X of op(A) X = B for triangular A, of which only the `lower` (or upper) triangle is read.

    `trans`: "N" or "T" for A or its transpose; `unit_diagonal`: ones stand on the diagonal, whatever A says.
    """

    lower: bool
    trans: Trans = "N"
    unit_diagonal: bool = False
    name = "solve_triangular"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return Solve().infer(*inputs)

    def numpy(self, *values: Array) -> Any:
        a, b = values
        if (0 in a.shape or 0 in b.shape) and a.shape[-1] == b.shape[-2]:  # SciPy refuses a batch of nothing
            return np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
        return scipy_linalg.solve_triangular(
            a, b, trans=self.trans, lower=self.lower, unit_diagonal=self.unit_diagonal, check_finite=False
        )

    def flops(self, node: Apply) -> int:
        (_, n, _), (count, _, right) = (counted(v.type) for v in (node.inputs[0], node.outputs[0]))
        return count * n * n * right

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # As `Solve`, in the triangle that is read; for A^T X = B it is by_A = -X by_B^T.
        (a, _), (x,), (g,) = node.inputs, node.outputs, cotangents
        other = SolveTriangular(self.lower, "T" if self.trans == "N" else "N", self.unit_diagonal)
        by_b = other(a, g)
        product = matmul(by_b, turned(x)) if self.trans == "N" else matmul(x, turned(by_b))
        return [negative(self._read(product)), by_b]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a, _), (x,), (along_a, along_b) = node.inputs, node.outputs, tangents
        moved = None
        if along_a is not None:
            read = self._read(along_a)
            moved = negative(matmul(read if self.trans == "N" else turned(read), x))
        right = total(along_b, moved)
        return [None if right is None else self(a, right)]

    def _read(self, x: Variable) -> Variable:
        return triangle(x, self.lower, strict=self.unit_diagonal)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2, 2))

    def lowering(self, node: Apply) -> Lowering:
        return Host("LAPACK computes it, through SciPy")


def solved(op: Op, a: Any, b: Any) -> Variable:
    """`op` of matrices and right sides, where `b` may be one vector, as numpy.linalg.solve takes it."""
    left, right = inexact(a, op.name), inexact(b, op.name)
    dtype = promote(left.dtype, right.dtype)
    left, right = cast(left, dtype), cast(right, dtype)
    if right.ndim == 1:
        return squeeze(op(left, expand_dims(right, 1)), -1)
    result: Variable = op(left, right)
    return result


@user_boundary
def solve(a: Any, b: Any) -> Variable:
    """x of a @ x = b, as numpy.linalg.solve: `a` is (..., n, n), `b` a vector (n,) or (..., n, k).

    GraphShapeError: `a` is not square, or `b` does not fit; GraphValueError as it runs: `a` is singular.

    >>> solve(np.ones((5, 3, 3)), np.ones((3, 2))).type.shape
    (5, 3, 2)
    """
    return solved(Solve(), a, b)


_TRANS: dict[int | str, Trans] = {0: "N", 1: "T", 2: "T", "N": "N", "T": "T", "C": "T"}


@user_boundary
def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Variable:
    """x of op(a) @ x = b for triangular `a`, as scipy.linalg.solve_triangular; the other triangle is not read.

    `trans`: 0 or "N" for a, 1 or "T" for its transpose, 2 or "C" for the conjugate transpose.
    `unit_diagonal`: take the diagonal as ones. Errors as those of `solve`.
    """
    if trans not in _TRANS:
        raise GraphValueError(f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    left = inexact(a, "solve_triangular")
    left = conj(left) if trans in (2, "C") else left
    return solved(SolveTriangular(bool(lower), _TRANS[trans], bool(unit_diagonal)), left, b)


@dataclass(frozen=True, slots=True)
class Inv(Op):
    """The inverses of square matrices."""

    name = "inv"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return (a.with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.inv(*values)

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 8 * n**3 // 3  # as NumPy computes it, a factorisation and n right sides

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Giles 2.2.3: by_A = -C^T by_C C^T for C = A^-1.
        (c,), (g,) = node.outputs, cotangents
        assert g is not None
        return [negative(matmul(matmul(turned(c), g), turned(c)))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (c,), (t,) = node.outputs, tangents
        return [None if t is None else negative(matmul(matmul(c, t), c))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def inv(a: Any) -> Variable:
    """The inverse of each matrix of `a`, (..., n, n), as numpy.linalg.inv. To solve equations use `solve`.

    GraphShapeError: not square; GraphValueError as it runs: singular.

    >>> inv(np.eye(2, dtype="float32")).type
    TensorType(dtype='float32', shape=(2, 2))
    """
    inverse: Variable = Inv()(inexact(a, "inv"))
    return inverse
