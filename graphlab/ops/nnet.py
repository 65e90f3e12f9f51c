"""Softmax, its logarithm, and logsumexp: three ops that stay whole for the rules and are taken apart to lower."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX, is_float
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, exp, isfinite, log, multiply, subtract, true_divide, where
from graphlab.ops.extents import normalized_axes
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Expand, Lowering
from graphlab.ops.reduce import Max, sum
from graphlab.ops.shape import dimshuffle, expand_dims

Axes = tuple[int, ...]

# ---- softmax and its kin -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Softmax(Op):
    """exp(x) / sum(exp(x)) along `axes`, computed from x - max(x) so that nothing overflows.

    Infinities give what the formula as written gives: beside +inf a finite element has 0, +inf has nan.
    """

    axes: Axes
    name = "softmax"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        (x,) = values
        e = np.exp(x - _finite_max(x, self.axes))
        return e / np.sum(e, axis=self.axes, keepdims=True)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [self._derivative(cotangents[0], node.outputs[0])]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [self._derivative(tangents[0], node.outputs[0])]

    def _derivative(self, g: Variable | None, y: Variable) -> Variable | None:
        # The Jacobian diag(y) - y y^T is symmetric, so it is its own transpose.
        if g is None:
            return None
        result: Variable = multiply(y, subtract(g, sum(multiply(g, y), self.axes, keepdims=True)))
        return result

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(Softmax(tuple(a + 1 for a in self.axes)))

    def lowering(self, node: Apply) -> Lowering:
        return Expand(self._expanded)

    def _expanded(self, x: Variable) -> tuple[Variable, ...]:
        e = exp(_levelled(x, self.axes))
        return (true_divide(e, sum(e, self.axes, keepdims=True)),)


@dataclass(frozen=True, slots=True)
class LogSoftmax(Op):
    """x - logsumexp(x) along `axes`: the logarithm of softmax, without its underflow."""

    axes: Axes
    name = "log_softmax"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        (x,) = values
        shifted = x - _finite_max(x, self.axes)
        return shifted - np.log(np.sum(np.exp(shifted), axis=self.axes, keepdims=True))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (y,) = cotangents, node.outputs
        return [subtract(g, multiply(exp(y), sum(g, self.axes, keepdims=True)))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,), (y,) = tangents, node.outputs
        return [None if t is None else subtract(t, sum(multiply(exp(y), t), self.axes, keepdims=True))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(LogSoftmax(tuple(a + 1 for a in self.axes)))

    def lowering(self, node: Apply) -> Lowering:
        return Expand(self._expanded)

    def _expanded(self, x: Variable) -> tuple[Variable, ...]:
        shifted = _levelled(x, self.axes)
        return (subtract(shifted, log(sum(exp(shifted), self.axes, keepdims=True))),)


@dataclass(frozen=True, slots=True)
class LogSumExp(Op):
    """log(sum(exp(x))) along `axes`, computed from x - max(x) so that nothing overflows."""

    axes: Axes
    keepdims: bool = False
    name = "logsumexp"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        kept = [(a, n) for a, n in enumerate(x.shape) if self.keepdims or a not in self.axes]
        return (x.with_shape(tuple(1 if a in self.axes else n for a, n in kept)),)

    def numpy(self, *values: Array) -> Any:
        (x,) = values
        top = _finite_max(x, self.axes)
        total = np.log(np.sum(np.exp(x - top), axis=self.axes, keepdims=True)) + top
        return total if self.keepdims else np.squeeze(total, self.axes)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        assert g is not None
        return [multiply(self._back(g), self._softmax(node))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,) = tangents
        if t is None:
            return [None]
        return [sum(multiply(t, self._softmax(node)), self.axes, keepdims=self.keepdims)]

    def _softmax(self, node: Apply) -> Variable:
        result: Variable = exp(subtract(node.inputs[0], self._back(node.outputs[0])))
        return result

    def _back(self, reduced: Variable) -> Variable:
        return reduced if self.keepdims else expand_dims(reduced, self.axes)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(LogSumExp(tuple(a + 1 for a in self.axes), self.keepdims))

    def lowering(self, node: Apply) -> Lowering:
        return Expand(self._expanded)

    def _expanded(self, x: Variable) -> tuple[Variable, ...]:
        total = log(sum(exp(_levelled(x, self.axes)), self.axes, keepdims=True))
        if not _is_level(x, self.axes):
            total = add(total, _finite_or_zero(_top(x, self.axes)))
        kept = [a for a in range(x.ndim) if a not in self.axes]
        return (total if self.keepdims else dimshuffle(total, kept),)


def _finite_max(x: Array, axes: Axes) -> Array:
    """The maximum, or 0 where it is infinite: subtracting infinity would make NaN of what has a value."""
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    finite: Array = np.where(np.isfinite(top), top, top.dtype.type(0))
    return finite


def _top(x: Variable, axes: Axes) -> Variable:
    """The maximum, -inf of nothing: so that an empty softmax is empty, and an empty logsumexp -inf."""
    top: Variable = Max(axes, True, -math.inf)(x)
    return top


def _finite_or_zero(top: Variable) -> Variable:
    finite: Variable = where(isfinite(top), top, 0)
    return finite


def _levelled(x: Variable, axes: Axes) -> Variable:
    """`x` less its maximum, where that is finite; just `x`, where that is 0 or NaN for certain."""
    return x if _is_level(x, axes) else subtract(x, _finite_or_zero(_top(x, axes)))


def _is_level(x: Variable, axes: Axes) -> bool:
    """Whether `x` is y - max(y) already, as programs that see to overflow themselves have it."""
    if x.owner is None or x.owner.op is not subtract:
        return False
    y, top = x.owner.inputs
    if top.owner is None or not isinstance(top.owner.op, Max) or top.owner.inputs[0] is not y:
        return False
    over = top.owner.op.over(y.ndim)
    return set(over) == set(axes) and (top.owner.op.keepdims or len(over) == y.ndim)


def floating(x: Any, what: str) -> Variable:
    """`x` as floats; GraphTypeError, from `what`, if it is complex."""
    variable = as_tensor(x)
    if variable.dtype in COMPLEX:
        raise GraphTypeError(f"{what} is not defined for {variable.dtype}", origin=caller_origin())
    return variable if is_float(variable.dtype) else cast(variable, "float64")


@user_boundary
def softmax(x: Any, axis: Any = -1) -> Variable:
    """exp(x) / sum(exp(x)) along `axis` (the last; None: over all elements), as scipy.special.softmax.

    >>> softmax(np.zeros((2, 4))).type.shape
    (2, 4)
    """
    variable = floating(x, "softmax")
    result: Variable = Softmax(normalized_axes(axis, variable.ndim, "softmax"))(variable)
    return result


@user_boundary
def log_softmax(x: Any, axis: Any = -1) -> Variable:
    """log(softmax(x)) along `axis` without under- or overflow, as scipy.special.log_softmax."""
    variable = floating(x, "log_softmax")
    result: Variable = LogSoftmax(normalized_axes(axis, variable.ndim, "log_softmax"))(variable)
    return result


logsoftmax = log_softmax


@user_boundary
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """log(sum(exp(x))) over `axis` (None: all) without overflow, as scipy.special.logsumexp.

    Of minus infinities it is minus infinity; of nothing, a ValueError when it runs.
    """
    variable = floating(x, "logsumexp")
    axes = normalized_axes(axis, variable.ndim, "logsumexp")
    result: Variable = LogSumExp(axes, bool(keepdims))(variable)
    return result
