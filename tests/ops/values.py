"""A short way to the value of an expression, by the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlab.graph.node import Graph, Variable
from graphlab.interpret import interpret


def value(output: Variable, given: dict[Variable, Any] | None = None) -> np.ndarray[Any, Any]:
    """What `output` is when the variables of `given` have those values."""
    given = given or {}
    arrays = [np.asarray(a, dtype=v.dtype) for v, a in given.items()]
    (result,) = interpret(Graph(tuple(given), (output,)), arrays)
    return result
