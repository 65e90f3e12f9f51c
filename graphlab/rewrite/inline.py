"""Calls of symbolic functions are opened: their graphs stand in their places, where rules and fusion see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from graphlab.graph import events
from graphlab.graph.node import Apply, Graph, Provenance, Variable
from graphlab.graph.walk import instantiate, replace_nodes, toposort
from graphlab.ops.lowering import Inline
from graphlab.rewrite.rule import EXACT


def inline(graph: Graph, pass_name: str = "inline") -> Graph:
    """`graph` with every call of a symbolic function replaced by the graph that it calls, also inside of that.

    The nodes keep their own lines and belong to the scope of the call. Where a function is called more
    than once in a scope, the calls are numbered: `dense`, `dense 2`. A gradient has its forward call's number.
    """
    names = _Names()

    def build(node: Apply, before: Apply) -> Sequence[Variable] | None:
        lowering = node.op.lowering(node) if node.op.graphs else None
        if not isinstance(lowering, Inline):
            return None
        outputs = opened(node, lowering, names(before, lowering.function))
        if events.listening():
            rule = f"{node.op.name}(...) -> its graph"
            event = events.RewriteApplied(
                pass_name, rule, EXACT, node.outputs[0], outputs[0], 0.0, "inline.py", (node,),
                tuple(toposort(outputs, node.inputs)), tuple(zip(before.outputs, outputs, strict=True)),
            )  # fmt: skip
            events.emit(event)
        return outputs

    return replace_nodes(graph, build)


def opened(node: Apply, lowering: Inline, name: str) -> list[Variable]:
    """The outputs of the called graph, copied onto the inputs of `node`, in the scope `name` of the call."""
    scope = (*node.provenance.scope, name)

    def why(own: Provenance) -> Provenance:
        return replace(own, scope=(*scope, *own.scope))

    outputs = instantiate(lowering.graph, node.inputs, why)
    for old, new in zip(node.outputs, outputs, strict=True):
        if old.name and new.owner is not None and new not in node.inputs:
            new.name = old.name
    return outputs


class _Names:
    """The name of each call: the function's, with a number from the second call in a scope on."""

    def __init__(self) -> None:
        self._given: dict[Apply, str] = {}
        self._calls: Counter[tuple[str, ...]] = Counter()

    def __call__(self, node: Apply, function: str) -> str:
        forward = node
        while (of := forward.provenance.grad_of) is not None and of.op.graphs:
            forward = of
        if forward not in self._given:
            path = (*forward.provenance.scope, function)
            self._calls[path] += 1
            number = self._calls[path]
            self._given[forward] = function if number == 1 else f"{function} {number}"
        return self._given[forward]
