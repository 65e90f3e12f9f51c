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
from graphlab.graph.walk import leaves, toposort, users, with_inputs
from graphlab.ops.index import Index
from graphlab.ops.key import Slice

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
        rows = _rows_read(node, reading, wanted) if isinstance(node.op, Scan) else None
        if isinstance(node.op, Scan) and rows is not None and rows != _rows_kept(node.op):
            changed = _slimmed(node, inputs, rows)
            new.update(changed)
            if events.listening():
                for before, after in list(changed.items())[:1]:
                    event = events.RewriteApplied(
                        pass_name, RULE, "exact", before, after, 0.0, "loops.py", exchanged=tuple(changed.items())
                    )
                    events.emit(event)
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


# ---- what is read --------------------------------------------------------------------------------


def _rows_read(node: Apply, reading: Readers, wanted: set[Variable]) -> list[Rows]:
    """For each output of `node` how many of its last rows are read."""
    rows: list[Rows] = []
    for v in node.outputs:
        by = [ALL] if v in wanted else [_last_rows(user, position) for user, position in reading.get(v, ())]
        rows.append(ALL if ALL in by else max((n for n in by if n is not None), default=NOTHING))
    op = node.op
    assert isinstance(op, Scan)
    if op.until:  # how many turns there will be is not known when the first is kept
        rows = [ALL if n else n for n in rows]
    return rows


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


def _rows_kept(op: Scan) -> list[Rows]:
    """For each output of `op` how many of its last rows it keeps."""
    kept = list(op.kept)
    traces, maps = kept[: len(op.traces)], kept[len(op.traces) :]
    return [*traces, *([ALL] * len(op.finals)), *maps, *([ALL] * op.until)]


# ---- the loop without the rest -------------------------------------------------------------------


def _slimmed(node: Apply, inputs: Sequence[Variable], rows: Sequence[Rows]) -> dict[Variable, Variable]:
    """The outputs of `node` that are read, and what they become."""
    op = node.op
    assert isinstance(op, Scan)
    maps = [j for j in range(op.maps) if rows[op.first_map + j] != NOTHING]
    recurrences = [
        replace(r, traced=r.traced and rows[op.traces[k]] != NOTHING,
                final=r.final and (rows[op.finals[k]] != NOTHING or k in op.streams))
        for k, r in enumerate(op.recurrences)
    ]  # fmt: skip
    alive = _alive(op, {k for k, r in enumerate(recurrences) if r.traced or r.final}, maps)
    count = len(op.recurrences)
    outputs = [op.body.outputs[k] for k in alive] + [op.body.outputs[count + j] for j in maps]
    outputs += op.body.outputs[count + op.maps :]
    body_inputs = [*op.body.inputs[: op.sequences], *(v for k in alive for v in op.body.inputs[op.taps[k]])]
    body = Graph((*body_inputs, *op.body.inputs[op.body_constants]), tuple(outputs))
    keep = [rows[op.traces[k]] for k in alive if recurrences[k].traced] + [rows[op.first_map + j] for j in maps]
    slim = replace(
        op, body=body, recurrences=tuple(recurrences[k] for k in alive), maps=len(maps), keep=tuple(keep),
        streams=tuple(alive.index(k) for k in op.streams),
    )  # fmt: skip
    starts = [inputs[op.starts][k] for k in alive]
    with provenance(node.provenance):
        made = slim.apply(*inputs[: op.starts.start], *starts, *inputs[op.starts.stop :])
    positions = {op.traces[k]: slim.traces[i] for i, k in enumerate(alive) if i in slim.traces}
    positions |= {op.finals[k]: slim.finals[i] for i, k in enumerate(alive) if i in slim.finals}
    positions |= {op.first_map + j: slim.first_map + i for i, j in enumerate(maps)}
    if op.until:
        positions[len(node.outputs) - 1] = len(made.outputs) - 1
    for old, now in positions.items():
        made.outputs[now].name = node.outputs[old].name
    return {node.outputs[old]: made.outputs[now] for old, now in positions.items()}


def _alive(op: Scan, read: set[int], maps: Sequence[int]) -> list[int]:
    """The recurrences that are `read`, or that some output needs."""
    alive, count = set(read), len(op.recurrences)
    fixed = [op.body.outputs[count + j] for j in maps] + list(op.body.outputs[count + op.maps :])
    while True:
        needed = set(leaves([*fixed, *(op.body.outputs[k] for k in alive)], op.body.inputs))
        grown = alive | {k for k, taps in enumerate(op.taps) if any(v in needed for v in op.body.inputs[taps])}
        if grown == alive:
            return sorted(alive)
        alive = grown
