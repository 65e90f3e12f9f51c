"""Eigenvalues and eigenvectors of matrices, in batches.

Of symmetric matrices only one triangle is read, as NumPy does, and the whole gradient goes to that triangle.
Where eigenvalues coincide the vectors have no derivative: it is infinite or NaN there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import promote
from graphlab.errors import GraphValueError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import multiply, real
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Lowering
from graphlab.ops.matrices import (
    LAPACK,
    adjoint,
    columns_by,
    conj,
    counted,
    diagonal_matrix,
    folded,
    inexact,
    inverse_gaps,
    main_diagonal,
    mirrored,
    only_real,
    real_dtype,
    square_shape,
    total,
    turned,
)


@dataclass(frozen=True, slots=True)
class Eigh(Op):
    """A = V diag(w) V^T, w ascending, for symmetric (Hermitian) A, of which one triangle is read."""

    lower: bool
    name = "eigh"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return TensorType(real_dtype(a.dtype), (*batch, n)), a.with_shape((*batch, n, n))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.eigh(values[0], UPLO="L" if self.lower else "U"))

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 9 * n**3

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = V (diag(by_w) + F*(V^T by_V)) V^T, F[i, j] = 1/(w_j - w_i) (Giles 2008, 3.1).
        (w, v), (by_w, by_v) = node.outputs, cotangents
        only_real(node, "gradient")
        spin = None if by_v is None else multiply(inverse_gaps(w), matmul(turned(v), by_v))
        inside = total(None if by_w is None else diagonal_matrix(by_w), spin)
        assert inside is not None
        return [folded(matmul(matmul(v, inside), turned(v)), self.lower)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # With dP = V^T dA V: dw = diag(dP), dV = V F*dP.
        (w, v), (t,) = node.outputs, tangents
        only_real(node, "forward derivative")
        if t is None:
            return [None, None]
        p = matmul(matmul(turned(v), mirrored(t, self.lower)), v)
        return [main_diagonal(p), matmul(v, multiply(inverse_gaps(w), p))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class EigvalsH(Op):
    """The eigenvalues of symmetric (Hermitian) matrices, ascending; one triangle is read."""

    lower: bool
    name = "eigvalsh"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, n = square_shape(self.name, inputs[0])
        return (TensorType(real_dtype(inputs[0].dtype), (*batch, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.eigvalsh(values[0], UPLO="L" if self.lower else "U")

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 4 * n**3 // 3

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # dw[i] = v[i]^H dA v[i].
        (a,), (g,) = node.inputs, cotangents
        assert g is not None
        _, v = Eigh(self.lower)(a)
        return [folded(matmul(multiply(conj(v), columns_by(g)), turned(v)), self.lower)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        if t is None:
            return [None]
        _, v = Eigh(self.lower)(a)
        return [real(main_diagonal(matmul(matmul(adjoint(v), mirrored(t, self.lower)), v)))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _reads_lower(uplo: str, what: str) -> bool:
    if uplo not in ("L", "U"):
        raise GraphValueError(f"{what}: UPLO must be 'L' or 'U', the triangle that is read, got {uplo!r}")
    return uplo == "L"


@user_boundary
def eigh(a: Any, UPLO: str = "L") -> tuple[Variable, Variable]:
    """(w, V): the eigenvalues, ascending, and eigenvectors of each symmetric matrix of `a`, as numpy.linalg.eigh.

    Only the lower ("L") or upper ("U") triangle is read, and gets the whole gradient.

    >>> [v.type.shape for v in eigh(np.ones((5, 3, 3)))]
    [(5, 3), (5, 3, 3)]
    """
    w, v = Eigh(_reads_lower(UPLO, "eigh"))(inexact(a, "eigh"))
    return w, v


@user_boundary
def eigvalsh(a: Any, UPLO: str = "L") -> Variable:
    """The eigenvalues, ascending, of each symmetric matrix of `a`, as numpy.linalg.eigvalsh."""
    w: Variable = EigvalsH(_reads_lower(UPLO, "eigvalsh"))(inexact(a, "eigvalsh"))
    return w


@dataclass(frozen=True, slots=True)
class Eig(Op):
    """The eigenvalues and eigenvectors of square matrices: always complex, and without derivative."""

    name = "eig"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        dtype = promote(a.dtype, "complex64")
        return TensorType(dtype, (*batch, n)), TensorType(dtype, (*batch, n, n))

    def numpy(self, *values: Array) -> Any:
        dtype = promote(values[0].dtype.name, "complex64")
        return tuple(result.astype(dtype, copy=False) for result in np.linalg.eig(values[0]))

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 25 * n**3

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def eig(a: Any) -> tuple[Variable, Variable]:
    """(w, V): the eigenvalues and eigenvectors of each matrix of `a`, as numpy.linalg.eig, but always complex.

    They have no gradient; those of symmetric matrices have: `eigh`.

    >>> eig(np.eye(3, dtype="float32"))[0].type.dtype
    'complex64'
    """
    w, v = Eig()(inexact(a, "eig"))
    return w, v
