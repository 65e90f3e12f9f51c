"""Running graphlab's graphs by another library: a table says which of its functions each op is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.walk import toposort
from graphlab.ops.ufunc import Elementwise

Array = np.ndarray[Any, Any]
Table = Mapping[str, Callable[..., Any]]  # an op's name, or its class's -> function of the op and its operands


class Untranslated(Exception):
    """The table has no such op."""


def translated(outputs: Sequence[Variable], given: Mapping[Variable, Any], table: Table,
               cast: Callable[[Any, str], Any]) -> list[Any]:  # fmt: skip
    """`outputs` computed by the functions of `table` from the values `given` for the inputs.

    Operands of elementwise ops are cast as graphlab would: promotion is not what is compared.
    """
    known: dict[Variable, Any] = dict(given)
    for node in toposort(outputs):
        operands = [known[v] if v in known else v.data for v in node.inputs if v in known or isinstance(v, Constant)]
        results = _applied(node, operands, table, cast)
        known.update(zip(node.outputs, results if isinstance(results, tuple) else (results,), strict=True))
    return [known[v] if v in known else v.data for v in outputs if v in known or isinstance(v, Constant)]


def _applied(node: Apply, operands: list[Any], table: Table, cast: Callable[[Any, str], Any]) -> Any:
    op = node.op
    if isinstance(op, Elementwise):
        dtypes, result = op.loop(*(v.dtype for v in node.inputs))
        operands = [cast(x, d) for x, d in zip(operands, dtypes, strict=True)]
        if op.name not in table:
            raise Untranslated(op.name)
        return cast(table[op.name](*operands), result)
    kind = type(op).__name__
    if kind not in table:
        raise Untranslated(kind)
    return table[kind](op, *operands)
