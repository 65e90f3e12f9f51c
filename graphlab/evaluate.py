"""eval: the value of a variable, for a quick look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, GraphValueError, MissingInputError, caller_origin, user_boundary
from graphlab.function import function
from graphlab.graph.node import Variable
from graphlab.graph.text import labelled
from graphlab.graph.walk import free_inputs

Array = np.ndarray[Any, Any]


@user_boundary
def evaluate(variable: Variable, values: Mapping[Variable | str, Any] | None = None) -> Array:
    """The value of `variable` for given input values, by the interpreter: for a quick look.

    The inputs are given by themselves or by their names; those that it does not depend on are ignored.
    Nothing is compiled, so the first call is as quick as the next. GraphValueError: no input, or more than
    one, has the name; MissingInputError: an input is not given.

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> (2 * x).eval({x: 4}), (2 * x).eval({"x": 5})
    (array(8.), array(10.))
    """
    if not isinstance(values, Mapping | None):
        raise GraphTypeError(f"eval takes the values of the inputs as a dict, got {type(values).__name__}",
                             origin=caller_origin(), hint="eval({x: value}), or eval({'x': value})")  # fmt: skip
    given = {_named(variable, key) if isinstance(key, str) else key: value for key, value in (values or {}).items()}
    try:
        look = function(list(given), variable, mode="interpret", on_unused_input="ignore", no_default_updates=True)
    except MissingInputError as error:
        needed = ", ".join(f"{v.name or 'variable'}: value" for v in free_inputs([variable]))
        error.hint = f"give it the values of its inputs: eval({{{needed}}})"
        raise
    result: Array = look(*given.values())
    return result


def _named(variable: Variable, name: str) -> Variable:
    """The input of `variable` called `name`."""
    inputs = free_inputs([variable])
    found = [v for v in inputs if v.name == name]
    if len(found) == 1:
        return found[0]
    raise GraphValueError(
        f"eval: {len(found) or 'no'} inputs are named {name!r}",
        origin=caller_origin(),
        hint=f"the inputs are {', '.join(map(labelled, inputs)) or 'none'}; {{variable: value}} needs no names",
    )
