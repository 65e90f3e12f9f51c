"""Slots are released exactly when nobody needs them, and outputs never share memory."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from graphlab.graph.node import Constant, Graph, Shared
from graphlab.loops.ir import HostCall, LoopCall, RuntimeCall, Step
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import shape
from tests.lower.programs import built, var
from tests.lower.test_fuse import random_graph


def touched(step: Step) -> set[int]:
    """The slots that a step reads or writes."""
    match step.action:
        case LoopCall(_, outputs, inputs):
            return {*inputs, *outputs}
        case RuntimeCall(_, slots):
            return set(slots)
        case HostCall(_, inputs, outputs):
            return {*inputs, *outputs}
        case _:  # a check of extents
            return set()


@pytest.mark.parametrize("seed", range(60))
def test_a_computed_slot_is_released_once_and_right_after_its_last_use(seed: int) -> None:
    inputs, outputs = random_graph(random.Random(seed))
    program = lower(Graph(tuple(inputs), tuple(outputs))).program
    kept = {*program.inputs, *program.shared, *program.constants, *program.outputs}
    computed = {slot for step in program.steps for slot in touched(step)} - kept
    released = [slot for step in program.steps for slot in step.release]
    assert sorted(released) == sorted(computed)
    last = {slot: k for k, step in enumerate(program.steps) for slot in touched(step)}
    assert all(last[slot] == k for k, step in enumerate(program.steps) for slot in step.release)


def test_outputs_that_would_alias_get_a_copy() -> None:
    x, s, c = var("float64", None, None), Shared(np.ones(2)), Constant(np.arange(3.0))
    y = e.exp(x)
    outputs = [x, s, c, shape.transpose(x), y, y, shape.transpose(y)]
    program = lower(Graph((x,), tuple(outputs))).program
    copies = [step.action.slots for step in program.steps if step.name.startswith("copy")]
    assert len(copies) == 6  # all but the first y
    assert len(set(program.outputs)) == len(outputs)
    assert not {*program.inputs, *program.shared, *program.constants} & {*program.outputs}


def test_outputs_share_memory_with_nothing() -> None:
    x, c = var("float64", None, None), Constant(np.arange(3.0))
    a = np.arange(6.0).reshape(2, 3)
    y = e.exp(x)
    got = built([x], [x, c, shape.transpose(x), y, y])(a)
    for want, value in zip([a, c.data, a.T, np.exp(a), np.exp(a)], got, strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-15)
    assert not any(np.shares_memory(p, q) for p, q in itertools.combinations([a, c.data, *got], 2))


def test_what_lies_in_a_slot_is_told_by_variables() -> None:
    x, s = var("float64", None), Shared(np.ones(3))
    y = e.add(e.exp(x), s)
    lowered = lower(Graph((x,), (y, x)))
    program = lowered.program
    assert [lowered.variables[k] for k in program.inputs] == [x]
    assert [lowered.variables[k] for k in program.shared] == [s]
    assert [lowered.variables[k] for k in program.outputs] == [y, x]
    assert all(lowered.slots[v] == program.inputs[0] for v in (x,))
    assert [program.dtypes[k] for k in lowered.slots.values()] == [v.dtype for v in lowered.slots]


def test_host_results_are_typed_and_own_their_memory() -> None:
    x = var("float16", None)
    lowered = lower(Graph((x,), (e.nextafter(x, np.float16(3)),)))
    (host,) = lowered.hosts
    value = np.ones(3, "float16")
    (result,) = host(value, np.float16(3))
    assert result.dtype == "float16"
    assert result.base is None
    assert not np.shares_memory(result, value)
