"""Loops make and keep only what someone reads: of a stack only the last rows, of dead recurrences nothing.

In `scan(...)[-1]` all turns but the last are stacked up for nobody. A loop knows how many of the last values
of a stack to keep; what is read of it, and with which index, is known only once the whole graph is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphlab.control.loop import Scan
from graphlab.graph import events
from graphlab.graph.node import Apply, Graph, Variable, provenance
from graphlab.graph.walk import toposort, users, with_inputs
from graphlab.ops.index import Index
from graphlab.ops.key import Slice
from graphlab.rewrite.loops.taken import Loop

RULE = "scan(f)[-1] -> scan(f, keep=1)[-1]"
ALL, NOTHING = None, 0
Readers = Mapping[Variable, Sequence[tuple[Apply, int]]]
Rows = int | None  # how many of the last rows of a stack are read: ALL of them, or NOTHING


def slim_loops(graph: Graph, pass_name: str = "loops") -> Graph:
    """`graph` with loops that make and keep only what is read."""
    nodes = toposort(graph.outputs, graph.inputs)
    if not any(isinstance(node.op, Scan) for node in nodes):
        return graph
    reading, wanted = users(graph), set(graph.outputs)
    new: dict[Variable, Variable] = {}
    for node in nodes:
        inputs = [new.get(v, v) for v in node.inputs]
        slim = _slimmed(node, reading, wanted) if isinstance(node.op, Scan) else None
        if slim is not None:
            changed = _made(slim, node, new)
            new.update(changed)
            if events.listening() and changed:
                before, after = next(iter(changed.items()))
                event = events.RewriteApplied(
                    pass_name, RULE, "exact", before, after, 0.0, "slim.py", exchanged=tuple(changed.items())
                )
                events.emit(event)
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def _made(slim: Loop, node: Apply, new: Mapping[Variable, Variable]) -> dict[Variable, Variable]:
    """The loop `slim` in the place of `node`, on inputs that may be `new`."""
    fed = [
        tuple(replace(f, outer=new.get(f.outer, f.outer)) for f in some) for some in (slim.sequences, slim.constants)
    ]
    carried = tuple(replace(c, start=new.get(c.start, c.start)) for c in slim.carried)
    turns = new.get(slim.turns, slim.turns)
    with provenance(node.provenance):
        return replace(slim, turns=turns, sequences=fed[0], carried=carried, constants=fed[1]).built()


def _slimmed(node: Apply, reading: Readers, wanted: set[Variable]) -> Loop | None:
    """The loop `node` without what nobody reads; None if that changes nothing."""
    loop = Loop.of(node)
    read = {v: _rows_read(v, reading, wanted) for v in node.outputs}
    if loop.end is not None:  # how many turns there will be is not known when the first is kept
        read = {v: ALL if rows else rows for v, rows in read.items()}
    carried = tuple(
        replace(
            c,
            trace=None if c.trace is None or read[c.trace] == NOTHING else c.trace,
            keep=None if c.trace is None or read[c.trace] == NOTHING else _least(read[c.trace], c.keep),
            final=None if c.final is None or (read[c.final] == NOTHING and not c.stream) else c.final,
        )
        for c in loop.carried
    )
    maps = tuple(replace(m, keep=_least(read[m.stack], m.keep)) for m in loop.maps if read[m.stack] != NOTHING)
    if carried == loop.carried and maps == loop.maps:
        return None
    return replace(loop, carried=carried, maps=maps).trimmed()


def _least(read: Rows, kept: Rows) -> Rows:
    """How many rows to keep where so many are `read` of those `kept`."""
    return kept if read is ALL else read if kept is ALL else min(read, kept)


def _rows_read(v: Variable, reading: Readers, wanted: set[Variable]) -> Rows:
    """How many of the last rows of `v` are read."""
    by = [ALL] if v in wanted else [_last_rows(user, position) for user, position in reading.get(v, ())]
    return ALL if ALL in by else max((n for n in by if n is not None), default=NOTHING)


def _last_rows(user: Apply, position: int) -> Rows:
    """How many of the last rows `user` reads."""
    if position or not isinstance(user.op, Index) or not user.op.key.entries:
        return ALL
    match user.op.key.entries[0]:
        case int(i) if i < 0:
            return -i
        case Slice(int(start), None, None | 1) if start < 0:
            return -start
        case _:
            return ALL
