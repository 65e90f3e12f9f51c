"""A loop over a batch: one loop whose body computes all examples at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.batching import Batching, Built, OneByOne
from graphlab.ops.shape import batch_extent, moveaxis
from graphlab.ops.shape import over_batch as repeated
from graphlab.vectorize import vectorize_graph

if TYPE_CHECKING:
    from graphlab.control.loop import Scan


def over_batch(op: Scan, batched: Sequence[bool]) -> Batching:
    """How `op` takes a batch. Where examples would make different numbers of turns, they are computed one by one."""
    if batched[0] or op.until or op.advances:
        return OneByOne()
    return Built(lambda *inputs: _whole(op, batched, inputs))


def _whole(op: Scan, batched: Sequence[bool], inputs: Sequence[Variable]) -> Sequence[Variable]:
    """Everything that is carried on has the axis of the batch; in stacks it comes after the axis of the turns."""
    n = batch_extent(inputs, batched)
    split = op.starts
    sequences = [moveaxis(v, 0, 1) if b else v for v, b in zip(inputs[1 : split.start], batched[1:], strict=False)]
    starts = [_start(v, r.depth, b, n) for v, b, r in zip(inputs[split], batched[split], op.recurrences, strict=True)]
    body = _body(op, batched, sequences, starts, inputs[split.stop :])
    made = replace(op, body=body).apply(inputs[0], *sequences, *starts, *inputs[split.stop :], n).outputs
    deep = [i for k, i in op.finals.items() if op.recurrences[k].depth == 1]
    return [v if i in deep else moveaxis(v, 1, 0) for i, v in enumerate(made)]


def _start(v: Variable, depth: int, is_batched: bool, n: Variable) -> Variable:
    whole = v if is_batched else repeated(v, n)
    return moveaxis(whole, 0, 1) if depth > 1 else whole


def _body(
    op: Scan, batched: Sequence[bool], sequences: Sequence[Variable], starts: Sequence[Variable],
    constants: Sequence[Variable],
) -> Graph:  # fmt: skip
    """The body for all examples, with their number as one more constant."""
    types = [v.type.with_shape(v.type.shape[1:]) for v in sequences]
    for r, start in zip(op.recurrences, starts, strict=True):
        one = start.type if r.depth == 1 else start.type.with_shape(start.type.shape[1:])
        types += [one] * len(r.lags)
    types += [v.type for v in constants]
    formal = [Variable(t, old.name) for t, old in zip(types, op.body.inputs, strict=True)]
    n = Variable(TensorType("int64"), "batch")
    made = vectorize_graph(list(op.body.outputs), dict(zip(op.body.inputs, formal, strict=True)))
    outputs = (repeated(v, n) if v.ndim == old.ndim else v for v, old in zip(made, op.body.outputs, strict=True))
    return Graph((*formal, n), tuple(outputs))
