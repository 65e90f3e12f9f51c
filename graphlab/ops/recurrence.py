"""The recurrence y[i] = a[i] y[i-1] + b[i] along an axis, in which the derivatives of running products end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.errors import GraphShapeError
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.elementwise import multiply
from graphlab.ops.extents import zeros_like
from graphlab.ops.join import concatenate
from graphlab.ops.lowering import Host, Lowering
from graphlab.ops.rearrange import flip, part


@dataclass(frozen=True, slots=True)
class LinearRecurrence(Op):
    """y[0] = b[0], y[i] = a[i] y[i-1] + b[i] along `axis`, for a and b of one shape and dtype; a[0] is not used.

    Its adjoint is such a recurrence from the end, so that derivatives of every order are linear in time.
    """

    axis: int
    name = "linear_recurrence"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        if (a.dtype, a.ndim) != (b.dtype, b.ndim) or not 0 <= self.axis < a.ndim:
            raise GraphShapeError(
                f"{self.name} along axis {self.axis}: expected two arrays of one type, got {a} and {b}"
            )
        return (b.with_shape(tuple(n if m is None else m for n, m in zip(a.shape, b.shape, strict=True))),)

    def numpy(self, *values: Array) -> Any:
        a, b = (np.moveaxis(v, self.axis, 0) for v in values)
        y = b.copy()
        for i in range(1, len(b)):
            y[i] += a[i] * y[i - 1]
        return np.moveaxis(y, 0, self.axis)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # s[i] = g[i] + a[i+1] s[i+1] is the derivative by b[i], and s[i] y[i-1] that by a[i].
        (g,), (a, _), (y,) = cotangents, node.inputs, node.outputs
        assert g is not None
        s = self.backwards(after(a, self.axis), g)
        return [multiply(s, before(y, self.axis)), s]

    def backwards(self, a: Variable, b: Variable) -> Variable:
        """y[i] = a[i] y[i+1] + b[i], which begins at the end."""
        turned: Variable = self(flip(a, self.axis), flip(b, self.axis))
        return flip(turned, self.axis)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(replace(self, axis=self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        return Host("a recurrence has no C form")


def before(x: Variable, axis: int, first: Variable | None = None) -> Variable:
    """x[i-1] in the place of x[i] along `axis`, and `first` (else 0) in that of x[0]."""
    start = zeros_like(part(x, axis, slice(0, 1))) if first is None else first
    return concatenate([start, part(x, axis, slice(0, -1))], axis)


def after(x: Variable, axis: int) -> Variable:
    """x[i+1] in the place of x[i] along `axis`, and 0 in that of the last."""
    return concatenate([part(x, axis, slice(1, None)), zeros_like(part(x, axis, slice(0, 1)))], axis)
