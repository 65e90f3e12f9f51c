"""What a turn computes from elements and constants alone is computed before the loop, for all turns at once.

dot(x[t], w) in every turn is one large product dot(X, w). A loop of which nothing is left is no loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphlab.control.invariants import hoisted
from graphlab.control.loop import Scan
from graphlab.control.values import by_value, read_by_value
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.rewrite.loops.outside import Body, all_turns, is_counted, is_open, last_rows
from graphlab.rewrite.loops.taken import Fed, Loop, Mapped
from graphlab.rewrite.rule import ROUNDING, NodeRule


def _before(node: Apply) -> Sequence[Variable] | None:
    loop = Loop.of(node)
    if not is_open(loop):
        return None
    body = Body.of(loop)
    gone = [m for m in loop.maps if m.new in body.early]
    rest = [m for m in loop.maps if m.new not in body.early]
    if not loop.carried and not rest and not is_counted(loop):  # then only the loop sees that a length is wrong
        gone, rest = [], list(loop.maps)
    edge = _edge(loop, rest, body)
    if not gone and not edge:
        return None
    stacks = all_turns(loop, [*(m.new for m in gone), *edge], {})
    result = {m.stack: last_rows(v, m.keep) for m, v in zip(gone, stacks, strict=False)}
    inner = {v: Variable(v.type, v.name) for v in edge}
    fed = [Fed(stack, inner[v]) for v, stack in zip(edge, stacks[len(gone) :], strict=True)]
    left = replace(loop, maps=tuple(rest), sequences=(*loop.sequences, *fed)).with_body(inner).trimmed()
    if left.carried or left.maps:
        result |= left.built()
    return [result[v] for v in node.outputs]


def _edge(loop: Loop, maps: Sequence[Mapped], body: Body) -> list[Variable]:
    """What is worth to be computed before: the last of it, which the rest of the body reads."""
    roots = [c.new for c in loop.carried] + [m.new for m in maps]
    needed = by_value(roots, loop.inputs)
    read = list(roots)
    for node in loop.nodes:
        if any(v in needed and v not in body.early for v in node.outputs):
            read += read_by_value(node)
    return [v for v in dict.fromkeys(read) if v in body.heavy]


def _invariant(node: Apply) -> Sequence[Variable] | None:
    op, split = node.op, len(node.inputs)
    assert isinstance(op, Scan)
    split = op.starts.stop
    body, fixed = hoisted(op.body, node.inputs[split:])
    if _size(body) == _size(op.body):
        return None
    return replace(op, body=body).apply(*node.inputs[:split], *fixed).outputs


def _size(graph: Graph) -> int:
    return len(toposort(graph.outputs, graph.inputs))


BEFORE = NodeRule(
    "scan(f(g(x[t]))) -> scan(f(v[t])), v = g(x)", ROUNDING, _before, (Scan,),
    because="a product of all turns is added up in another order than those of each",
)  # fmt: skip
INVARIANT = NodeRule("scan(f(g(w))) -> scan(f(v)), v = g(w)", "exact", _invariant, (Scan,))
