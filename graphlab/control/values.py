"""What needs the value of a variable, and what only its shape."""

from __future__ import annotations

from collections.abc import Iterable

from graphlab.graph.node import Apply, Variable
from graphlab.ops.extents import ShapeOf
from graphlab.ops.unbroadcast import SumTo


def by_value(outputs: Iterable[Variable], stop: Iterable[Variable]) -> set[Variable]:
    """The variables whose values `outputs` need; those of which only the shape is asked are not among them.

    The walk does not go past variables in `stop`.
    """
    stopped, found, pending = set(stop), set[Variable](), list(outputs)
    while pending:
        v = pending.pop()
        if v not in found:
            found.add(v)
            if v.owner is not None and v not in stopped:
                pending += read_by_value(v.owner)
    return found


def read_by_value(node: Apply) -> tuple[Variable, ...]:
    """The inputs of `node` of which it reads more than the shape."""
    if isinstance(node.op, ShapeOf):
        return ()
    return node.inputs[:1] if isinstance(node.op, SumTo) else node.inputs
