"""Products of matrices: matmul by NumPy's rules, and dot, outer and tensordot, which are spelled with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.cost import UNKNOWN, elements
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType, broadcast_shape
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching, Built
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, multiply
from graphlab.ops.extents import normalized_axes, reshape
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Host, Lowering, Runtime
from graphlab.ops.shape import aligned, expand_dims, extent, flatten, size, squeeze, swapaxes, transpose

BLAS_DTYPES = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class MatMul(Op):
    """The matrix product of two arrays of one dtype, as numpy.matmul.

    A vector stands for a row on the left and for a column on the right; dimensions before the last two are
    broadcast.
    """

    name = "matmul"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        if a.ndim == 0 or b.ndim == 0:
            hint = "multiply by a scalar with *"
            raise GraphTypeError(f"{self.name}: expected arrays, got {a} and {b}", hint=hint)
        if a.dtype != b.dtype:
            raise GraphTypeError(f"{self.name}: expected one dtype, got {a.dtype} and {b.dtype}")
        inner = a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[-1]
        if None not in inner and inner[0] != inner[1]:
            raise GraphShapeError(
                f"{self.name}: {a} @ {b} do not fit: the left operand has {inner[0]} columns, the right {inner[1]} rows"
            )
        try:
            batch = broadcast_shape([a.shape[:-2], b.shape[:-2]])
        except ValueError:
            raise GraphShapeError(
                f"{self.name}: {a} @ {b}: the dimensions before the last two do not broadcast"
            ) from None
        rows = a.shape[-2:-1] if a.ndim > 1 else ()
        columns = b.shape[-1:] if b.ndim > 1 else ()
        return (a.with_shape((*batch, *rows, *columns)),)

    def numpy(self, *values: Array) -> Any:
        return np.matmul(*values)

    def flops(self, node: Apply) -> int:
        inner = node.inputs[0].type.shape[-1]
        return 2 * elements(node.output.type) * (UNKNOWN if inner is None else inner)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (a, b) = cotangents, node.inputs
        assert g is not None
        match a.ndim, b.ndim:
            case 1, 1:
                return [multiply(g, b), multiply(g, a)]
            case 1, 2:
                return [self(b, g), outer(a, g)]
            case 2, 1:
                return [outer(g, b), self(g, a)]
        # C = A B: dA = G B^T, dB = A^T G, with vectors as matrices of one row or column.
        left = expand_dims(a, 0) if a.ndim == 1 else a
        right = expand_dims(b, 1) if b.ndim == 1 else b
        if b.ndim == 1:
            g = expand_dims(g, -1)
        if a.ndim == 1:
            g = expand_dims(g, -2)
        by_a, by_b = matmul(g, swapaxes(right, -1, -2)), matmul(swapaxes(left, -1, -2), g)
        return [
            squeeze(by_a, -2) if a.ndim == 1 else by_a,
            squeeze(by_b, -1) if b.ndim == 1 else by_b,
        ]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a, b), (along_a, along_b) = node.inputs, tangents
        moving = []
        if along_a is not None:
            moving.append(matmul(along_a, b))
        if along_b is not None:
            moving.append(matmul(a, along_b))
        return [add(*moving) if len(moving) == 2 else moving[0] if moving else None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        ranks = tuple(v.ndim for v in node.inputs)
        if min(ranks) > 1:
            return Along((2, 2))

        def build(a: Variable, b: Variable) -> tuple[Variable]:
            if batched == (True, False) and (ranks[1] == 1 or ranks == (1, 2)):
                return (self(a, b),)  # vectors are the rows of one matrix
            if batched == (False, True) and ranks[1] == 1 and ranks[0] <= 2:
                return (self(b, swapaxes(a, 0, 1) if ranks[0] == 2 else a),)
            # Vectors as matrices of one row or column, with as many axes before the last two as the other.
            left = expand_dims(a, -2) if ranks[0] == 1 else a
            right = expand_dims(b, -1) if ranks[1] == 1 else b
            made = self(*aligned((left, right), [max(rank, 2) - 2 for rank in ranks], batched))
            gone = tuple(axis for axis, rank in zip((-2, -1), ranks, strict=True) if rank == 1)
            return (squeeze(made, gone),)

        return Built(build)

    def lowering(self, node: Apply) -> Lowering:
        a, b = node.inputs
        if a.dtype not in BLAS_DTYPES:
            return Host(f"BLAS has no {a.dtype}")
        return Runtime(self.name, (a.ndim, b.ndim))


@user_boundary
def matmul(a: Any, b: Any) -> Variable:
    """The matrix product a @ b, as numpy.matmul; dtypes promote.

    GraphTypeError: an operand is a scalar; GraphShapeError: columns and rows differ.

    >>> matmul(np.ones((2, 3)), np.ones((3, 4))).type.shape
    (2, 4)
    """
    left, right = as_tensor(a), as_tensor(b)
    dtype = promote(left.dtype, right.dtype)
    product: Variable = MatMul()(cast(left, dtype), cast(right, dtype))
    return product


@user_boundary
def dot(a: Any, b: Any) -> Variable:
    """The sum over the last axis of `a` and the last but one of `b`, as numpy.dot; scalars multiply.

    >>> dot(np.ones((2, 3, 4)), np.ones((5, 4, 6))).type.shape
    (2, 3, 5, 6)
    """
    left, right = as_tensor(a), as_tensor(b)
    if left.ndim == 0 or right.ndim == 0:
        product: Variable = multiply(left, right)
        return product
    if right.ndim == 1 or (left.ndim <= 2 and right.ndim == 2):
        return matmul(left, right)
    return tensordot(left, right, axes=([-1], [-2]))


@user_boundary
def outer(a: Any, b: Any) -> Variable:
    """Every element of `a` times every element of `b`, as numpy.outer: a matrix."""
    left, right = flatten(as_tensor(a)), flatten(as_tensor(b))
    product: Variable = multiply(expand_dims(left, 1), expand_dims(right, 0))
    return product


@user_boundary
def inner(a: Any, b: Any) -> Variable:
    """The sum over the last axes of `a` and `b`, as numpy.inner; scalars multiply."""
    left, right = as_tensor(a), as_tensor(b)
    if left.ndim == 0 or right.ndim == 0:
        return dot(left, right)
    return tensordot(left, right, axes=([-1], [-1]))


@user_boundary
def tensordot(a: Any, b: Any, axes: Any = 2) -> Variable:
    """The sum over pairs of axes, as numpy.tensordot.

    `axes` is how many of the last axes of `a` go with the first of `b`, or two sequences that name them.

    >>> tensordot(np.ones((2, 3, 4)), np.ones((3, 4, 5))).type.shape
    (2, 5)
    """
    left, right = as_tensor(a), as_tensor(b)
    over_left, over_right = _paired_axes(left, right, axes)
    free_left = [k for k in range(left.ndim) if k not in over_left]
    free_right = [k for k in range(right.ndim) if k not in over_right]
    summed = size(left, tuple(over_left))
    rows, columns = size(left, tuple(free_left)), size(right, tuple(free_right))
    product = matmul(
        reshape(transpose(left, [*free_left, *over_left]), [rows, summed]),
        reshape(transpose(right, [*over_right, *free_right]), [size(right, tuple(over_right)), columns]),
    )
    return reshape(product, [*(extent(left, k) for k in free_left), *(extent(right, k) for k in free_right)])


def _paired_axes(a: Variable, b: Variable, axes: Any) -> tuple[Sequence[int], Sequence[int]]:
    if isinstance(axes, int):
        pairs: tuple[Any, Any] = (range(a.ndim - axes, a.ndim), range(axes))
    else:
        pairs = axes
    over = []
    for v, given in zip((a, b), pairs, strict=True):
        listed = list(given) if isinstance(given, list | tuple | range) else [given]
        normalized_axes(listed, v.ndim, "tensordot")  # refuses duplicates
        over.append([normalized_axes(k, v.ndim, "tensordot")[0] for k in listed])
    if len(over[0]) != len(over[1]):
        raise GraphValueError(
            f"tensordot: {len(over[0])} axes of the left operand, but {len(over[1])} of the right",
            origin=caller_origin(),
        )
    for i, j in zip(*over, strict=True):
        if None not in (a.type.shape[i], b.type.shape[j]) and a.type.shape[i] != b.type.shape[j]:
            raise GraphShapeError(
                f"tensordot: axis {i} of {a.type} and axis {j} of {b.type} differ in extent",
                origin=caller_origin(),
            )
    return over[0], over[1]
