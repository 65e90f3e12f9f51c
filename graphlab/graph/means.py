"""Means, as they were written: a sum divided by how many elements it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable


def mean_of(node: Apply) -> tuple[Variable, Any] | None:
    """What `node` is the mean of, and the op of the sum, if it divides a sum by the number of its elements.

    >>> from graphlab.ops.reduce import mean
    >>> from graphlab.graph.types import TensorType
    >>> x = Variable(TensorType("float64", (None, None)), "x")
    >>> operand, op = mean_of(mean(x, axis=0).owner)
    >>> operand.name, op.axes
    ('x', (0,))
    """
    total, count = (v.owner for v in node.inputs) if node.op.name == "true_divide" else (None, None)
    if total is None or total.op.name != "sum":
        return None
    op: Any = total.op
    summed = total.inputs[0]
    wide = summed.owner  # integers are added up as floats
    for operand in (summed, *(wide.inputs if wide is not None and wide.op.name == "cast" else ())):
        if _counts(node.inputs[1] if count is None else count.outputs[0], operand, op.axes):
            return operand, op
    return None


def _counts(count: Variable, operand: Variable, axes: Sequence[int] | None) -> bool:
    """Whether `count` is the number of elements of `operand` over `axes` (None: all)."""
    if count.owner is not None and count.owner.op.name == "cast":
        count = count.owner.inputs[0]
    shape = operand.type.shape
    over = range(len(shape)) if axes is None else axes
    found, known, pending = list[int](), 1.0, [count]
    while pending:
        v = pending.pop()
        if isinstance(v, Constant) and v.ndim == 0:
            known *= float(v.data)
        elif v.owner is not None and v.owner.op.name == "multiply" and len(pending) < len(shape):
            pending += v.owner.inputs
        elif (axis := _extent(v, operand)) is not None:
            found.append(axis)
        else:
            return False
    static = np.prod([float(shape[k] or 1) if shape[k] is not None else 1.0 for k in over], initial=1.0)
    return sorted(found) == sorted(k for k in over if shape[k] is None) and known == static


def _extent(v: Variable, operand: Variable) -> int | None:
    """The axis of `operand` whose extent `v` is."""
    taken = v.owner
    shape = taken.inputs[0].owner if taken is not None and taken.op.name == "index" else None
    if taken is None or shape is None or shape.op.name != "shape" or shape.inputs[0] is not operand:
        return None
    op: Any = taken.op
    entries = op.key.entries
    return entries[0] if len(entries) == 1 and isinstance(entries[0], int) else None
