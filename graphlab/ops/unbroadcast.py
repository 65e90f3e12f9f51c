"""The sum that undoes a broadcast: gradients of what was stretched, summed to the shape that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX
from graphlab.errors import GraphShapeError
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Extent, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Built
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import real
from graphlab.ops.extents import broadcast_to, full, shape_of
from graphlab.ops.lowering import Host, Lowering, Runtime
from graphlab.ops.reduce import Sum, reduced
from graphlab.ops.shape import expand_dims, extent


@dataclass(frozen=True, slots=True)
class SumTo(Op):
    """The first input summed to the run-time shape of the second, to which it once was broadcast from."""

    name = "sum_to"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        g, like = inputs
        trailing = g.shape[g.ndim - like.ndim :] if g.ndim >= like.ndim else None
        if trailing is None or any(
            None not in (n, m) and m not in (1, n) for n, m in zip(trailing, like.shape, strict=True)
        ):
            raise GraphShapeError(f"{self.name}: {g} is not a broadcast of {like}")
        return (g.with_shape(tuple(map(_summed_extent, trailing, like.shape))),)

    def numpy(self, *values: Array) -> Any:
        g, like = values
        if g.shape == like.shape:
            return g  # a sum over no axes would make 0.0 of -0.0
        lead = g.ndim - like.ndim
        axes = tuple(range(lead)) + tuple(lead + a for a, n in enumerate(like.shape) if n == 1)
        summed = np.sum(g, axis=axes, keepdims=True, dtype=g.dtype).reshape(
            [1 if lead + a in axes else n for a, n in enumerate(g.shape[lead:])]
        )
        if summed.shape != like.shape:
            raise GraphShapeError(f"{self.name}: shape {g.shape} is not a broadcast of {like.shape}")
        return summed

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        assert cotangents[0] is not None
        return [broadcast_to(cotangents[0], shape_of(node.inputs[0])), None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else sum_to(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        rank = node.inputs[1].ndim

        def build(g: Variable, like: Variable) -> tuple[Variable]:
            if not batched[0]:
                return (sum_to(g, full(_inner_extents(like), 0, like.dtype)),)
            lead = tuple(range(1, g.ndim - rank))  # what has no counterpart is summed first, so that the axes meet
            summed = Sum(lead)(g) if lead else g
            each = like if batched[1] else broadcast_to(like, [extent(g, 0), *(extent(like, a) for a in range(rank))])
            return (sum_to(summed, each),)

        return Built(build)

    def lowering(self, node: Apply) -> Lowering:
        g, like = node.inputs
        if g.dtype not in ("float32", "float64"):
            return Host(f"{self.name} of {g.dtype} has no C form")
        return Runtime(self.name, (g.ndim, like.ndim), view=True)


def conform(g: Variable, like: Variable) -> Variable:
    """`g` summed to the run-time shape of `like`, in its dtype: what broadcasting spread is gathered again.

    Of a real operand that met complex ones only the real part can move.
    """
    flowing = real(g) if g.dtype in COMPLEX and like.dtype not in COMPLEX else g
    return cast(sum_to(flowing, like), like.dtype)


def _inner_extents(x: Variable) -> list[Variable]:
    """The extents behind the first."""
    return [extent(x, a) for a in range(1, x.ndim)]


def _summed_extent(n: Extent, m: Extent) -> Extent:
    """The extent of `like`, which is 1 or that of `g`."""
    return m if m is not None else 1 if n == 1 else None


def sum_to(g: Variable, like: Variable) -> Variable:
    """`g` summed to the run-time shape of `like`: `g` itself or a plain sum where types tell."""
    target, lead = like.type.shape, g.ndim - like.ndim
    if lead < 0:
        summed: Variable = SumTo()(g, like)  # says what does not fit
        return summed
    plain = [_plain(n, m) for n, m in zip(g.type.shape[lead:], target, strict=True)]
    if None in plain:
        return SumTo()(g, like)  # type: ignore[no-any-return]
    summed_axes = [a for a, summed_too in enumerate(plain) if summed_too]
    axes = (*range(lead), *(lead + a for a in summed_axes))
    if not axes:
        return g
    total = reduced(Sum, g, axes, False)
    return expand_dims(total, tuple(summed_axes)) if summed_axes else total


def _plain(n: Extent, m: Extent) -> bool | None:
    """Whether an axis of extent `n` must be summed to become `m`; None if only the run can tell."""
    if n == 1 or (m is not None and m != 1):
        return False
    return True if m == 1 else None
