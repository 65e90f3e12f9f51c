"""What only one branch of a choice needs is computed in that branch: then the others never pay for it.

In the user's graph a choice (`Op.branches`) takes values that were computed before it. Here every application
gets its place: the innermost branch that all its readers are in. Those whose place is a branch move into the
graph that the choice holds for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphlab.graph import events
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import rebuild, toposort

if TYPE_CHECKING:
    from graphlab.ops.base import Op

RULE = "ifelse(c, f(x), g(y)) -> ifelse(c, x -> f(x), y -> g(y))"


def enclose(graph: Graph, pass_name: str = "enclose") -> Graph:
    """`graph` with choices that hold what only their branches need."""
    new = enclosed(graph, (), pass_name)
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs)) if new else graph


def enclosed(graph: Graph, keep: Collection[Variable], pass_name: str = "enclose") -> dict[Variable, Variable]:
    """The variables of `graph` that change where choices hold what only their branches need, and what they become.

    `keep` stay outside, whoever needs them. What moves into a branch is not among them.
    """
    nodes = toposort(graph.outputs, graph.inputs)
    new: dict[Variable, Variable] = {}
    if not any(node.op.branches(node) for node in nodes):
        return new
    places, forms = find_places(graph, nodes, keep), dict[Apply, Form]()
    for node in nodes:
        if any(place.nodes for place in places.branches[node]):
            forms[node] = _form(node, places, forms)
    for node in places.outside.nodes:
        changed = _renewed(node, lambda v: new.get(v, v), forms)
        new.update(changed)
        if node in forms and events.listening():
            before, after = node.outputs[0], changed[node.outputs[0]]
            event = events.RewriteApplied(
                pass_name, RULE, "exact", before, after, 0.0, "enclose.py", exchanged=tuple(changed.items())
            )
            events.emit(event)
    return new


# ---- places --------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Place:
    """A branch of a choice, which has a place itself; or, without one, outside of all. `nodes` are those in it."""

    within: Place | None = None
    depth: int = 0
    nodes: list[Apply] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Places:
    """The place of every application, and for each choice those of its branches."""

    of: dict[Apply, Place]
    branches: dict[Apply, tuple[Place, ...]]
    outside: Place


def find_places(graph: Graph, nodes: Sequence[Apply], keep: Collection[Variable]) -> Places:
    """The places of `nodes`, the applications of `graph` in topological order."""
    found = Places({}, {}, Place())
    wanted: dict[Variable, Place] = dict.fromkeys([*graph.outputs, *keep], found.outside)
    for node in reversed(nodes):
        place = _common([wanted[v] for v in node.outputs if v in wanted])
        found.of[node] = place
        groups = node.op.branches(node)
        found.branches[node] = tuple(Place(place, place.depth + 1) for _ in groups)
        inside = {i: p for group, p in zip(groups, found.branches[node], strict=True) for i in group}
        for i, v in enumerate(node.inputs):
            needs = inside.get(i, place)
            wanted[v] = _common([wanted[v], needs]) if v in wanted else needs
    for node in nodes:
        found.of[node].nodes.append(node)
    return found


def _common(places: Sequence[Place]) -> Place:
    """The innermost place that all of `places` are in."""
    found = places[0]
    for place in places[1:]:
        while found is not place:
            deeper = found if found.depth >= place.depth else place
            assert deeper.within is not None
            found, place = (deeper.within, place) if deeper is found else (found, deeper.within)
    return found


# ---- moving --------------------------------------------------------------------------------------

Form = tuple["Op", Sequence[Variable]]  # an op and its inputs, in terms of the variables of the old graph


def _form(node: Apply, places: Places, forms: dict[Apply, Form]) -> Form:
    """`node`, a choice, with what has its place in its branches."""
    groups = node.op.branches(node)
    decided = [v for i, v in enumerate(node.inputs) if not any(i in group for group in groups)]
    graphs, inputs = [], []
    for graph, group, place in zip(node.op.graphs, groups, places.branches[node], strict=True):
        body, outer = _moved(graph, [node.inputs[i] for i in group], place.nodes, forms)
        graphs.append(body)
        inputs += outer
    return node.op.with_graphs(graphs), (*decided, *inputs)


def _moved(
    graph: Graph, values: Sequence[Variable], nodes: Sequence[Apply], forms: dict[Apply, Form]
) -> tuple[Graph, list[Variable]]:
    """`graph` on `values`, which `nodes` compute, as a closed graph, and what it needs from outside."""
    inner: dict[Variable, Variable] = {}
    formal: dict[Variable, Variable] = {}

    def at(v: Variable) -> Variable:
        if v in inner or isinstance(v, Constant):
            return inner.get(v, v)
        return formal.setdefault(v, Variable(v.type, v.name))

    for node in nodes:
        inner.update(_renewed(node, at, forms))
    outputs = rebuild(graph.outputs, dict(zip(graph.inputs, map(at, values), strict=True)))
    return Graph(tuple(formal.values()), tuple(outputs)), list(formal)


def _renewed(node: Apply, at: Callable[[Variable], Variable], forms: dict[Apply, Form]) -> dict[Variable, Variable]:
    """For each output of `node` the one of the same application on what `at` gives; empty if nothing changes."""
    op, old = forms.get(node, (node.op, node.inputs))
    inputs = [at(v) for v in old]
    if op is node.op and all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return {}
    made = Apply(op, inputs, op.infer(*(v.type for v in inputs)), node.provenance)
    for before, after in zip(node.outputs, made.outputs, strict=True):
        after.name = before.name
    return dict(zip(node.outputs, made.outputs, strict=True))
