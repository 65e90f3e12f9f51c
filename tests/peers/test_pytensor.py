"""Values of random expressions agree with PyTensor's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

import graphlab
from tests.peers.translate import Table, Untranslated, translated
from tests.random_graphs import RandomProgram, quiet, random_programs

pytensor = pytest.importorskip("pytensor")
pt = pytest.importorskip("pytensor.tensor")
MODE = pytensor.compile.mode.Mode(linker="py", optimizer=None)  # no rewriting, no C: the meaning alone

# Elementwise ops are called as in pytensor.tensor but for these.
_NAMES = {
    "add": pt.add, "subtract": pt.sub, "multiply": pt.mul, "true_divide": pt.true_div, "floor_divide": pt.int_div,
    "remainder": pt.mod, "negative": pt.neg, "absolute": pt.abs, "power": pt.pow, "square": pt.sqr,
    "equal": pt.eq, "not_equal": pt.neq, "less": pt.lt, "less_equal": pt.le, "greater": pt.gt, "greater_equal": pt.ge,
    "logical_not": lambda x: pt.eq(x, 0), "logical_and": lambda x, y: pt.and_(pt.neq(x, 0), pt.neq(y, 0)),
    "where": pt.switch,
    "bitwise_and": pt.bitwise_and, "bitwise_or": pt.bitwise_or, "reciprocal": pt.reciprocal, "hypot": None,
    "sign": pt.sign, "left_shift": None, "right_shift": None,
}  # fmt: skip


def _shuffled(op: Any, x: Any) -> Any:
    return x.dimshuffle([a if isinstance(a, int) else "x" for a in op.pattern])


def _fold(function: Any) -> Any:
    return lambda op, x: function(pt.as_tensor(x), axis=op.axes, keepdims=op.keepdims)


def _along(function: Any) -> Any:
    return lambda op, x: function(x, axis=op.axes[0])


TABLE: Table = {
    **{op.name: f for op in graphlab.ops.elementwise.TABLE
       if (f := _NAMES.get(op.name, getattr(pt, op.name, None))) is not None},
    "Cast": lambda op, x: pt.cast(x, op.dtype),
    "Sum": _fold(pt.sum), "Prod": _fold(pt.prod), "Any_": _fold(pt.any), "All_": _fold(pt.all),
    "Max": _fold(pt.max), "Min": _fold(pt.min),
    "Softmax": _along(pt.special.softmax), "LogSoftmax": _along(pt.special.log_softmax),
    "LogSumExp": lambda op, x: pt.logsumexp(x, axis=op.axes, keepdims=op.keepdims),
    "MatMul": lambda op, x, y: pt.matmul(x, y),
    "Index": lambda op, x, *indices: pt.as_tensor(x)[op.key.filled(indices)],
    "Dimshuffle": _shuffled,
    "ShapeOf": lambda op, x: pt.shape(x),
    "StackScalars": lambda op, *xs: pt.stack([pt.cast(x, "int64") for x in xs]),
    "Reshape": lambda op, x, shape: pt.reshape(x, shape, ndim=len(op.extents)),
    "BroadcastTo": lambda op, x, shape: pt.broadcast_to(x, shape),
}  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(program=random_programs())
def test_values_of_random_expressions(program: RandomProgram) -> None:
    check(program)


def check(program: RandomProgram) -> None:
    assume(not program.overflows())
    outputs = program.graph()
    theirs = [pt.tensor(dtype=v.dtype.name, shape=v.shape) for v in program.values]
    try:
        results = translated(outputs, dict(zip(program.inputs, theirs, strict=True)), TABLE, pt.cast)
    except Untranslated:
        assume(False)
    f = graphlab.function(program.inputs, outputs, on_unused_input="ignore", mode="fast_compile")
    with quiet():
        wants = pytensor.function(theirs, results, mode=MODE, on_unused_input="ignore")(*program.values)
        got = f(*program.values)
        tolerance = program.tolerance()
    for a, b, t in zip(got, wants, tolerance, strict=True):
        assert a.shape == b.shape
        with quiet():
            near = np.abs(a.astype("float64") - b.astype("float64")) <= t
        assert np.all(near | (a == b) | (np.isnan(a) & np.isnan(b)) | np.isinf(t)), (
            f"{program}\n{a!r}\ninstead of\n{b!r}, tolerance {t!r}"
        )
