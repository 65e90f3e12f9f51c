"""Estimates of work from static shapes: for comparing two graphs before there are any values."""

from __future__ import annotations

import math

import numpy as np

from graphlab.graph.node import Apply, Constant
from graphlab.graph.types import TensorType

UNKNOWN = 1000  # what an extent counts as that only a call decides


def elements(type: TensorType) -> int:
    """How many elements a value of `type` has, each unknown extent being 1000.

    >>> elements(TensorType("float64", (None, 3)))
    3000
    """
    return math.prod(UNKNOWN if n is None else n for n in type.shape)


def is_view(node: Apply) -> bool:
    """Whether `node` only describes memory that is there, and moves no data."""
    return bool(getattr(node.op.lowering(node), "view", False))


def traffic(node: Apply) -> int:
    """How many bytes `node` reads and writes if it runs by itself; single constants are part of the code."""
    if is_view(node):
        return 0
    read = (v for v in dict.fromkeys(node.inputs) if not (isinstance(v, Constant) and v.data.size == 1))
    return sum(elements(v.type) * np.dtype(v.dtype).itemsize for v in (*read, *node.outputs))
