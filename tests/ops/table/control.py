"""Ops that hold graphs, and ops that compute a batch example by example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.ops.recurrence import LinearRecurrence
from tests.ops.table.case import REAL, Array, Case, Operand


def _running(step: Any, x: Array, start: Array) -> Array:
    """The values of a loop over the rows of `x`, in NumPy."""
    values = []
    for row in x:
        start = step(row, start)
        values.append(start)
    return np.array(values, start.dtype).reshape(len(x), *start.shape)


@graphlab.symbolic
def _blend(x: Variable, y: Variable) -> Variable:
    return x * T.sin(y) + y


def control_cases() -> Iterator[Case]:
    """Loops, choices, symbolic functions and batches; tests/control has what is more than an example."""
    some = (((4, 3), (3,)), ((1, 3), (3,)), ((2, 0), (0,)))
    close: dict[str, Any] = {"edges": "none", "ulps": 16, "scale": 4.0, "signed_zeros": False}
    loop = {**close, "exact_shape": False}
    two = (Operand(), Operand())
    yield Case(
        "scan",
        lambda x, h: graphlab.scan(lambda row, h: T.tanh(row + h / 2), x, h)[0],
        lambda x, h: _running(lambda row, h: np.tanh(row + h / 2), x, h),
        two,
        some,
        REAL,
        **loop,
    )
    yield Case(
        "scan of integers",
        lambda x, h: graphlab.scan(lambda row, h: row + 3 * h, x, h)[0],
        lambda x, h: _running(lambda row, h: row + 3 * h, x, h),
        two,
        some,
        ("int64", "int8", "uint8"),
        exact_shape=False,
    )
    for name, turn in (("taken", 1.0), ("not taken", -1.0)):
        yield Case(
            f"ifelse, {name}",
            lambda x, y, c: graphlab.ifelse(c > 0, x * y, T.exp(x) - y),
            lambda x, y, c: x * y if c > 0 else np.exp(x) - y,
            (*two, Operand(dtype="float64", values=turn)),
            (((2, 3), (2, 3), ()), ((0, 3), (0, 3), ())),
            REAL,
            **close,
        )
    yield Case(
        "symbolic function",
        _blend,
        lambda x, y: x * np.sin(y) + y,
        two,
        (((2, 3), (1, 3)), ((0, 3), (1, 3))),
        REAL,
        **close,
    )
    yield Case(
        "each example by itself",
        T.vmap(lambda row: T.bincount([3, 0, 3], row, 5)),
        lambda x: np.stack([np.bincount([3, 0, 3], row, 5) for row in x]),
        (Operand(),),
        (((2, 3),), ((1, 3),)),
        REAL,
        **loop,
    )
    yield Case(
        "linear recurrence",
        LinearRecurrence(1),
        lambda a, b: _running(lambda ab, y: ab[0] * y + ab[1], np.stack([a.T, b.T], 1), 0 * b[:, 0]).T,
        two,
        (((2, 4), (2, 4)), ((1, 1), (1, 1)), ((3, 2), (3, 2))),
        (*REAL, "complex128", "int64"),
        **close,
    )
