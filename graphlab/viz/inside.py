"""What an op that holds graphs is inside: each graph by name, and what goes into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from graphlab.control.call import Call
from graphlab.control.ifelse import IfElse
from graphlab.control.loop import Scan
from graphlab.graph.node import Graph


@dataclass(frozen=True, slots=True)
class Inner:
    """A graph in an op. `feeds` says for each of its inputs which operand of the op it gets, `roles` how."""

    label: str
    graph: Graph
    feeds: tuple[int | None, ...]
    roles: tuple[str, ...]


@singledispatch
def inner(op: Any) -> tuple[Inner, ...]:
    """The graphs of `op`; of an op that is not known here nobody can say what goes into them."""
    return tuple(_plain(f"graph {k}", graph) for k, graph in enumerate(op.graphs))


def _plain(label: str, graph: Graph, first: int | None = None) -> Inner:
    count = len(graph.inputs)
    feeds = (None,) * count if first is None else tuple(range(first, first + count))
    return Inner(label, graph, feeds, ("",) * count)


@inner.register
def _(op: Call) -> tuple[Inner, ...]:
    return (_plain(op.name, op.graph, 0),)


@inner.register
def _(op: IfElse) -> tuple[Inner, ...]:
    return _plain("then", op.then, 1), _plain("otherwise", op.otherwise, 1 + len(op.then.inputs))


@inner.register
def _(op: Scan) -> tuple[Inner, ...]:
    elements = [(1 + k, "an element") for k in range(op.sequences)]
    taps = [
        (op.starts.start + k, f"{lag} turn{'s' * (lag > 1)} ago")
        for k, recurrence in enumerate(op.recurrences)
        for lag in recurrence.lags
    ]
    constants = op.body.inputs[op.body_constants]
    same = [(op.starts.stop + k, "in every turn") for k in range(len(constants))]
    feeds, roles = zip(*elements, *taps, *same, strict=True) if op.body.inputs else ((), ())
    return (Inner("body", op.body, feeds, roles),)
