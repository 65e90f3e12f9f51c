"""Which node of the optimised graph is which of the user's: what a rewrite merely rebuilt is the same."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Mapping

from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import ancestors

Node = Apply | Variable  # an application, or a variable that nothing computes


def node_of(variable: Variable) -> Node:
    """The node that `variable` comes out of: its application, or itself if it is a leaf."""
    return variable.owner or variable


def nodes_of(graph: Graph) -> list[Node]:
    """Every node of `graph`, inputs first; unused inputs too."""
    unused = (v for v in graph.inputs if v.owner is None)
    return list(dict.fromkeys([*unused, *map(node_of, ancestors(graph.outputs, graph.inputs))]))


def twins(before: Collection[Node], after: Collection[Node]) -> dict[Node, Node]:
    """For each node of `after` that stood in `before` as well, its node there.

    Two applications are the same when they are one object; else when the same op is applied to the
    same inputs; else when the same op was made at the same place of the program, so that only its
    inputs were rewritten. Each node of `before` is given away once.
    """
    stay, found = set(before), dict[Node, Node]()
    if stay.issuperset(after):
        return {node: node for node in after}
    taken: set[Node] = stay.intersection(after)
    pools = [(key, defaultdict[Hashable, deque[Node]](deque)) for key in (_by_meaning, _by_place)]
    for node in before:
        for key, pool in pools:
            pool[key(node, {})].append(node)
    for node in after:
        twin = node if node in stay else None
        for key, pool in pools:
            candidates = pool.get(key(node, found), deque())
            while twin is None and candidates:
                first = candidates.popleft()
                twin = None if first in taken else first
        if twin is not None:
            found[node] = twin
            taken.add(twin)
    return found


def _by_meaning(node: Node, found: Mapping[Node, Node]) -> Hashable:
    if isinstance(node, Constant):
        return ("constant", node.key)
    if not isinstance(node, Apply):
        return node
    return (node.op, tuple((found.get(node_of(v), node_of(v)), v.index) for v in node.inputs))


def _by_place(node: Node, found: Mapping[Node, Node]) -> Hashable:
    if not isinstance(node, Apply):
        return ("leaf", node)
    why = node.provenance
    return (node.op, why.origins, why.grad_of, why.rule)
