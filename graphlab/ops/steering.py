"""Operations that leave values alone and steer gradients: cut off, zero or limited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Lowering, Op, Pointwise
from graphlab.ops.elementwise import clip
from graphlab.ops.extents import zeros_like


@dataclass(frozen=True, slots=True)
class Steer(Op):
    """The identity, but for its gradient: none ("disconnected"), zero ("zero") or clipped ("clip")."""

    how: str
    low: float | None = None
    high: float | None = None
    name = "steer_gradient"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        return values[0]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        if self.how == "disconnected" or g is None:
            return [None]
        return [zeros_like(g) if self.how == "zero" else clip(g, self.low, self.high)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [tangents[0] if self.how == "clip" else None]

    def lowering(self, node: Apply) -> Lowering:
        dtype = node.inputs[0].dtype
        return Pointwise("{0}", (dtype,), dtype)


def disconnected_grad(x: Any) -> Variable:
    """`x`, through which no gradient flows: a cost that depends on it only here is disconnected from it."""
    result: Variable = Steer("disconnected")(x)
    return result


consider_constant = disconnected_grad


def zero_grad(x: Any) -> Variable:
    """`x`, with a gradient of zeros."""
    result: Variable = Steer("zero")(x)
    return result


def grad_clip(x: Any, low: float, high: float) -> Variable:
    """`x`, with the gradient that comes back limited to [low, high]."""
    result: Variable = Steer("clip", float(low), float(high))(x)
    return result
