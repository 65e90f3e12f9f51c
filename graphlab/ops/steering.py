"""Operations that leave values alone and steer gradients: cut off, zero or limited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.elementwise import clip, multiply
from graphlab.ops.lowering import Lowering, Pointwise
from graphlab.ops.ufunc import ZERO


@dataclass(frozen=True, slots=True)
class Steer(Op):
    """The identity, but for its gradient: none ("disconnected"), zero ("zero"), "clip" limits and "scale" scales it."""

    how: str
    low: float | None = None
    high: float | None = None
    factor: float | None = None
    name = "steer_gradient"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        return values[0]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        (g,) = cotangents
        if self.how == "disconnected" or g is None:
            return [None]
        if self.how == "zero":
            return [ZERO]
        return [multiply(g, self.factor) if self.how == "scale" else clip(g, self.low, self.high)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,) = tangents
        if self.how == "scale" and t is not None:
            return [multiply(t, self.factor)]
        return [t if self.how == "clip" else None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((0,))

    def lowering(self, node: Apply) -> Lowering:
        dtype = node.inputs[0].dtype
        return Pointwise("{0}", (dtype,), dtype)


@user_boundary
def disconnected_grad(x: Any) -> Variable:
    """`x`, through which no gradient flows: a cost that depends on it only here is disconnected from it."""
    result: Variable = Steer("disconnected")(x)
    return result


consider_constant = disconnected_grad


@user_boundary
def zero_grad(x: Any) -> Variable:
    """`x`, with a gradient of zeros."""
    result: Variable = Steer("zero")(x)
    return result


@user_boundary
def grad_clip(x: Any, low: float, high: float) -> Variable:
    """`x`, with the gradient that comes back limited to [low, high]."""
    result: Variable = Steer("clip", float(low), float(high))(x)
    return result


@user_boundary
def grad_scale(x: Any, factor: float) -> Variable:
    """`x`, with the gradient that comes back multiplied by `factor`; -1 reverses it."""
    result: Variable = Steer("scale", factor=float(factor))(x)
    return result
