"""A stack that is only read the other way round is written that way: the gradient of a loop runs from its last turn.

The graph has `scan(f)[::-1]`, and the program a loop that writes its rows from the last one on. So the result is an
array in C order: an output needs no copy, and neither has a reshaping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphlab.control.loop import Scan
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import replace_nodes, toposort, users
from graphlab.ops.extents import ShapeOf
from graphlab.rewrite.loops.outside import turned


def written_backwards(graph: Graph) -> Graph:
    """`graph` with the stacks of its loops the other way round where nobody reads them as they are."""
    loops = [node for node in toposort(graph.outputs, graph.inputs) if isinstance(node.op, Scan) and not node.op.until]
    if not loops:
        return graph
    reading, wanted = users(graph), {*graph.outputs}
    stacks = {v for node in loops for v in _stacks(node) if v not in wanted and _is_turned(v, reading)}

    def build(node: Apply, before: Apply) -> Sequence[Variable] | None:
        if before in made:
            return None
        if isinstance(before.op, Scan) and not stacks.isdisjoint(before.outputs):
            op = replace(before.op, backwards=tuple(v in stacks for v in _stacks(before)))
            new = Apply(op, node.inputs, [v.type for v in before.outputs], node.provenance)
            for v, old in zip(new.outputs, before.outputs, strict=True):
                v.name = old.name
            made.add(new)
            return new.outputs
        first = turned(before.outputs[0])
        return (node.inputs[0],) if first in stacks else None

    made = set[Apply]()
    return replace_nodes(graph, build) if stacks else graph


def _stacks(node: Apply) -> list[Variable]:
    """The outputs of a Scan that are stacks, in the order of its `keep`."""
    op = node.op
    assert isinstance(op, Scan)
    return [*node.outputs[: len(op.traces)], *node.outputs[op.first_map : op.first_map + op.maps]]


def _is_turned(v: Variable, reading: Mapping[Variable, Sequence[tuple[Apply, int]]]) -> bool:
    """Whether somebody reads `v` the other way round, and nobody as it is; a shape is the same either way."""
    others = [user for user, _ in reading.get(v, ()) if turned(user.outputs[0]) is not v]
    return len(others) < len(reading.get(v, ())) and all(isinstance(user.op, ShapeOf) for user in others)
