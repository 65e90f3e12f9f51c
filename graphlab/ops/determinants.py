"""Determinants of square matrices, in batches, and their logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX
from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import complex_, imag, multiply, real, subtract
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Lowering
from graphlab.ops.matrices import LAPACK, counted, each, inexact, inner_product, real_dtype, square_shape, turned
from graphlab.ops.systems import Inv
from graphlab.ops.ufunc import ZERO


@dataclass(frozen=True, slots=True)
class Det(Op):
    """The determinants of square matrices."""

    name = "det"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0].with_shape(square_shape(self.name, inputs[0])[0]),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.det(*values)

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 2 * n**3 // 3

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Jacobi: d det A = <cofactors, dA>, which is det A <A^-T, dA> (Giles 2.2.4) but never divides.
        (g,) = cotangents
        assert g is not None
        return [multiply(each(g), Cofactors()(*node.inputs))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,) = tangents
        return [None if t is None else inner_product(Cofactors()(*node.inputs), t)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class Cofactors(Op):
    """The derivative of det A by A: det(A) A^-T, and its limit where A is singular."""

    name = "cofactors"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return Inv().infer(*inputs)

    def numpy(self, *values: Array) -> Any:
        # The cofactors of a product are the product of the cofactors, and A = U S V^H.
        finite = np.isfinite(values[0]).all(axis=(-2, -1), keepdims=True)
        u, s, vh = np.linalg.svd(np.where(finite, values[0], 0))  # which may not end for what is not finite
        others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]), axis=-1)
        sign = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        return np.where(finite, sign * ((u.conj() * others[..., None, :]) @ vh.conj()), values[0].dtype.type(np.nan))

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 24 * n**3  # singular values with their vectors, and a product

    def _derivative(self, node: Apply, t: Variable | None) -> Variable | None:
        # dC = <N, dA> C - C dA^T N for N = A^-T: a symmetric map, so its own transpose. It needs det A != 0.
        if t is None:
            return None
        (a,), (c,) = node.inputs, node.outputs
        n = turned(Inv()(a))
        change: Variable = subtract(multiply(each(inner_product(n, t)), c), matmul(matmul(c, turned(t)), n))
        return change

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [self._derivative(node, cotangents[0])]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [self._derivative(node, tangents[0])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def det(a: Any) -> Variable:
    """The determinant of each matrix of `a`, (..., n, n), as numpy.linalg.det.

    The gradient, the cofactors, is right for singular matrices too; a second one needs them to be regular.

    >>> det(np.ones((5, 3, 3))).type.shape
    (5,)
    """
    determinant: Variable = Det()(inexact(a, "det"))
    return determinant


@dataclass(frozen=True, slots=True)
class SLogDet(Op):
    """The sign of each determinant, and the logarithm of its modulus."""

    name = "slogdet"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, _ = square_shape(self.name, a)
        return a.with_shape(batch), TensorType(real_dtype(a.dtype), batch)

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.slogdet(*values))

    def flops(self, node: Apply) -> int:
        count, n, _ = counted(node.inputs[0].type)
        return count * 2 * n**3 // 3

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        # d log det A = <A^-T, dA>; its real part is d log|det A|, its imaginary part turns the sign.
        (a,), (sign, _), (by_sign, g) = node.inputs, node.outputs, cotangents
        if a.dtype in COMPLEX and by_sign is not None:
            g = complex_(0.0 if g is None else g, imag(multiply(by_sign, sign)))
        return [ZERO if g is None else multiply(each(g), turned(Inv()(a)))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (sign, _), (t,) = node.inputs, node.outputs, tangents
        if t is None:
            return [None, None]
        moved = inner_product(turned(Inv()(a)), t)
        if a.dtype not in COMPLEX:
            return [None, moved]
        return [multiply(sign, complex_(0.0, imag(moved))), real(moved)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def slogdet(a: Any) -> tuple[Variable, Variable]:
    """The sign and the logarithm of the modulus of each determinant, as numpy.linalg.slogdet.

    It does not overflow where `det` would; of a singular matrix it is (0, -inf).

    >>> sign, logarithm = slogdet(np.eye(3))
    >>> logarithm.type.shape
    ()
    """
    sign, logarithm = SLogDet()(inexact(a, "slogdet"))
    return sign, logarithm
