"""Operations that leave a value alone and look at it while the program runs: print it, check a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching, Built
from graphlab.ops.lowering import Host, Lowering


@dataclass(frozen=True, slots=True)
class Print(Op):
    """Give back the operand, and print `message` and each of `attrs` of its value whenever it is computed.

    An attribute that can be called is called: "__str__", "min" and "mean" print what they return. No rule
    removes, folds or merges a Print whose result is used; one whose result nobody uses does not run.
    GraphTypeError: arrays have no such attribute.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphlab.function([x], Print("x is", attrs=("__str__", "shape"))(x).sum())
    >>> f([1.0, 2.0])
    x is __str__ = [1. 2.]
    x is shape = (2,)
    array(3.)
    """

    message: str = ""
    attrs: tuple[str, ...] = ("__str__",)
    name = "print"

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", tuple(self.attrs))
        if missing := [a for a in self.attrs if not hasattr(np.ndarray, a)]:
            raise GraphTypeError(
                f"Print: arrays have no attribute {missing[0]!r:.40}",
                origin=caller_origin(),
                hint='attrs is a tuple of names, for example ("shape", "min", "max")',
            )

    @property
    def effects(self) -> bool:
        return True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        for attr in self.attrs:
            shown = getattr(values[0], attr)
            print(self.message, attr, "=", shown() if callable(shown) else shown)
        return values[0]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return cotangents

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return tangents

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((0,))

    def lowering(self, node: Apply) -> Lowering:
        return Host("prints")


@dataclass(frozen=True, slots=True)
class Check(Op):
    """The first operand, given back if every element of the other operands, the conditions, is true."""

    message: str
    name = "check"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if len(inputs) < 2:
            raise GraphTypeError("check: there is no condition", hint="check(x, condition, message)")
        return (inputs[0],)

    def numpy(self, *values: Array) -> Any:
        for k, condition in enumerate(values[1:]):
            if not condition.all():
                false, number = condition.size - np.count_nonzero(condition), f" {k + 1}" * (len(values) > 2)
                extent = f": {false} of {condition.size} elements are false" if condition.ndim else ""
                raise GraphValueError(f"{self.message} (condition{number} is false{extent})")
        return values[0]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [cotangents[0], *(None for _ in node.inputs[1:])]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [tangents[0]]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Built(lambda *inputs: (self(*inputs),))  # the conditions must hold of every example

    def lowering(self, node: Apply) -> Lowering:
        return Host("may raise a message of the user's")


@user_boundary
def check(x: Any, condition: Any, message: str = "a check failed") -> Variable:
    """`x`, once every element of `condition` is known to be true; gradients pass through.

    Only what uses the result is checked. GraphValueError, when it runs and an element is false: `message`,
    with the line of the check and the condition.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphlab.function([x], T.log(check(x, x > 0, "x must be positive")))
    >>> f([1.0, 1.0])
    array([0., 0.])
    """
    return Assert(message)(x, condition)


class Assert:
    """Theano's form of `check`: `Assert(message)(x, *conditions)` is `x`, once all `conditions` are true."""

    def __init__(self, message: str = "Assert failed!") -> None:
        if not isinstance(message, str):
            raise GraphTypeError(
                f"the message of a check is a text, got {type(message).__name__}",
                origin=caller_origin(),
                hint="check(x, condition, message), Assert(message)(x, *conditions)",
            )
        self.message = message

    @user_boundary
    def __call__(self, x: Any, *conditions: Any) -> Variable:
        """`x`, once every element of all `conditions` is known to be true."""
        result: Variable = Check(self.message)(x, *conditions)
        return result
