"""What a derivative is asked by: the variables, and what is said where there is none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from graphlab.dtypes import is_float
from graphlab.errors import DisconnectedInputError, GraphTypeError, NullGradientError, caller_origin
from graphlab.graph.node import Variable
from graphlab.graph.text import labelled
from graphlab.ops.shape import full_like, zeros_like
from graphlab.ops.ufunc import Undefined

Wrt = Variable | Sequence[Variable]


def label(v: Variable) -> str:
    """`v` by name and type, and where it was made."""
    where = f" (made at {v.origin.label})" if v.origin else ""
    return f"{labelled(v)}{where}"


def as_list(wrt: Wrt) -> list[Variable]:
    """`wrt` as a list; GraphTypeError unless all are floating variables."""
    variables = [wrt] if isinstance(wrt, Variable) else list(wrt)
    for v in variables:
        if not isinstance(v, Variable):
            raise GraphTypeError(
                f"wrt must be graphlab variables, got {type(v).__name__}",
                origin=caller_origin(),
                hint="shared variables, inputs and intermediate variables can be given",
            )
        if not is_float(v.dtype):
            raise GraphTypeError(
                f"there is no derivative by {label(v)}: its dtype is not floating",
                origin=caller_origin(),
                hint=f"make it a float, for example {v.name or 'x'}.astype('float64')",
            )
    return variables


def disconnected(v: Variable, policy: str, returned: str) -> Variable | None:
    """What stands for the gradient by `v`, on which the cost does not depend; see `grad` for the policies."""
    message = f"the cost does not depend on {label(v)}"
    if policy == "raise":
        raise DisconnectedInputError(
            message,
            origin=caller_origin(),
            hint="drop it from wrt, or pass disconnected_inputs='ignore' for a gradient of zeros",
        )
    if policy == "warn":
        warnings.warn(message, stacklevel=5)
    return zeros_like(v) if returned == "zero" else None


def null(v: Variable, undefined: Undefined, policy: str) -> Variable:
    """What stands for the gradient by `v` that is undefined: NaN ("return"), or an error that says why."""
    if policy == "return":
        return full_like(v, np.nan)
    raise NullGradientError(
        f"there is no gradient by {label(v)}: {undefined.reason}",
        origin=undefined.origin,
        hint=undefined.hint or "hold what it can't be derived by constant with T.disconnected_grad(...)",
    )
