"""Functions of matrices, in batches: powers, the exponential, trace and the Kronecker product."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from graphlab.errors import GraphTypeError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import add, equal, multiply, where
from graphlab.ops.extents import broadcast_to, normalized_axes, reshape, shape_of, zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor, concatenate, eye
from graphlab.ops.later import Later
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Host, Lowering
from graphlab.ops.matrices import inexact, matrix_shape, square_shape, turned
from graphlab.ops.ranges import arange
from graphlab.ops.reduce import sum as sum_over
from graphlab.ops.shape import expand_dims, extent, moveaxis, shape_padleft, size
from graphlab.ops.systems import inv

_expm = Later("scipy.linalg", "expm")


@dataclass(frozen=True, slots=True)
class Expm(Op):
    """The exponentials of square matrices."""

    name = "expm"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return (a.with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return _expm(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (a,), (g,) = node.inputs, cotangents
        assert g is not None
        return [self._along(turned(a), g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        return [None if t is None else self._along(a, t)]

    def _along(self, a: Variable, e: Variable) -> Variable:
        """The derivative at `a` along `e`; its adjoint is that at the transpose (Higham, Functions of Matrices, 3)."""
        # exp([[A, E], [0, A]]) = [[exp A, L(A, E)], [0, exp A]] (Mathias 1996).
        upper = concatenate([a, e], -1)
        n = extent(a, -1)
        whole = self(concatenate([upper, concatenate([zeros_like(a), a], -1)], -2))
        return index(whole, (..., slice(None, n), slice(n, None)))

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((2,))

    def lowering(self, node: Apply) -> Lowering:
        return Host("SciPy computes it, by scaling and squaring")


@user_boundary
def expm(a: Any) -> Variable:
    """The exponential of each matrix of `a`, (..., n, n), as scipy.linalg.expm."""
    exponential: Variable = Expm()(inexact(a, "expm"))
    return exponential


@user_boundary
def matrix_power(a: Any, n: int) -> Variable:
    """The product of `n` copies of each matrix of `a`, as numpy.linalg.matrix_power.

    0 gives the identity, a negative `n` powers of the inverse. GraphShapeError: not square.

    >>> import numpy as np
    >>> matrix_power(np.eye(3, dtype="int64"), 5).type.dtype
    'int64'
    """
    base = as_tensor(a)
    square_shape("matrix_power", base.type)
    try:
        exponent = operator.index(n)
    except TypeError:
        hint = "the power is fixed when the graph is built"
        raise GraphTypeError(f"matrix_power: the power must be an integer, got {n!r}", hint=hint) from None
    if exponent == 0:
        return broadcast_to(eye(extent(base, -1), dtype=base.dtype), shape_of(base))
    if exponent < 0:
        base, exponent = inv(base), -exponent
    power = base if exponent & 1 else None
    while exponent := exponent >> 1:
        base = matmul(base, base)
        if exponent & 1:
            power = base if power is None else matmul(power, base)
    assert power is not None
    return power


@user_boundary
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The sum along diagonal `offset` of the matrices that lie in two axes of `a`, as numpy.trace.

    >>> import numpy as np
    >>> trace(np.ones((3, 3, 5))).type.shape
    (5,)
    """
    array = as_tensor(a)
    matrix_shape("trace", array.type)
    axes = [normalized_axes(axis, array.ndim, "trace")[0] for axis in (axis1, axis2)]
    matrices = moveaxis(array, axes, (-2, -1))
    rows, columns = expand_dims(arange(extent(matrices, -2)), 1), arange(extent(matrices, -1))
    return sum_over(where(equal(add(rows, operator.index(offset)), columns), matrices, 0), (-2, -1))


@user_boundary
def kron(a: Any, b: Any) -> Variable:
    """The Kronecker product, each element of `a` times all of `b`, as numpy.kron.

    >>> import numpy as np
    >>> kron(np.ones((2, 3)), np.ones((4, 5))).type.shape
    (8, 15)
    """
    left, right = as_tensor(a), as_tensor(b)
    rank = left.ndim if left.ndim > right.ndim else right.ndim
    left, right = shape_padleft(left, rank - left.ndim), shape_padleft(right, rank - right.ndim)
    # Axes a0 1 a1 1 ... beside 1 b0 1 b1 ...; then each pair becomes one.
    spread_left = expand_dims(left, tuple(range(1, 2 * rank, 2)))
    product = multiply(spread_left, expand_dims(right, tuple(range(0, 2 * rank, 2))))
    return reshape(product, [size(product, (2 * k, 2 * k + 1)) for k in range(rank)])
