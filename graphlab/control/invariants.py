"""What is the same in every turn of a loop is computed once, before the loop."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import instantiate, rebuild, toposort


def hoisted(body: Graph, outside: Sequence[Variable]) -> tuple[Graph, tuple[Variable, ...]]:
    """`body` without what only its last inputs decide, whose values are `outside`, and its new values outside.

    The last inputs of a body are its constants, one for each of `outside`; what is hoisted becomes a constant
    of its own. Constants that nothing in the new body needs are left out. What draws, prints or checks stays.
    """
    varying = body.inputs[: len(body.inputs) - len(outside)]
    value = dict(zip(body.inputs[len(varying) :], outside, strict=True))
    nodes = toposort(body.outputs, body.inputs)
    fixed = _fixed(nodes, varying)
    wanted = dict.fromkeys(v for n in nodes if n not in fixed for v in n.inputs if v.owner in fixed)
    wanted.update(dict.fromkeys(v for v in body.outputs if v.owner in fixed))
    given = tuple(value)
    made = instantiate(Graph(given, tuple(wanted)), list(value.values()))
    inputs = {v: Variable(v.type, v.name) for v in wanted}
    body = Graph((*body.inputs, *inputs.values()), tuple(rebuild(body.outputs, inputs)))
    outer = {**value, **dict(zip(inputs.values(), made, strict=True))}
    needed = _needed(body)
    kept = [v for v in outer if v in needed]
    return Graph((*varying, *kept), body.outputs), tuple(outer[v] for v in kept)


def _fixed(nodes: Sequence[Apply], varying: Collection[Variable]) -> set[Apply]:
    """The applications that are the same in every turn."""
    changing, fixed = set(varying), set[Apply]()
    for node in nodes:
        if any(v in changing for v in node.inputs) or node.op.effects or node.op.advances:
            changing.update(node.outputs)
        else:
            fixed.add(node)
    return fixed


def _needed(body: Graph) -> set[Variable]:
    """The variables that the outputs of `body` need."""
    found = set(body.outputs)
    for node in toposort(body.outputs, body.inputs):
        found.update(node.inputs)
    return found
