"""Derivatives that there are not: what the pullback of an op returns for them."""

from __future__ import annotations

from graphlab.errors import user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Undefined


@user_boundary
def grad_undefined(op: Op, position: int, x: Variable, comment: str = "") -> Undefined:
    """What a `pullback` returns for input number `position`, `x`, if there is no such derivative.

    Whoever asks for it gets a NullGradientError with this reason and the line; to the other gradients it
    is nothing.
    """
    return Undefined(_reason("is not defined", op, position, x, comment))


@user_boundary
def grad_not_implemented(op: Op, position: int, x: Variable, comment: str = "") -> Undefined:
    """As `grad_undefined`, for a derivative that exists but has not been written."""
    return Undefined(_reason("is not implemented", op, position, x, comment))


def _reason(what: str, op: Op, position: int, x: Variable, comment: str) -> str:
    called = f"input {position}{f' ({x.name})' if x.name else ''}"
    return f"the derivative of {op.name} by {called} {what}" + (f": {comment}" if comment else "")
