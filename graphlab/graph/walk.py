"""Walks over graphs: iterative, so depth costs no stack, and linear in the number of nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphlab.graph.node import Apply, Constant, Graph, Provenance, Shared, Variable

if TYPE_CHECKING:
    from graphlab.ops.base import Op


def toposort(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Apply]:
    """The applications that `outputs` need, inputs first, in an order that depends on the graph alone.

    The walk does not go past variables in `stop`.
    """
    stopped, done, order = set(stop), set[Apply](), list[Apply]()
    for output in outputs:
        if output.owner is None or output in stopped or output.owner in done:
            continue
        stack: list[tuple[Apply, Iterator[Variable]]] = [(output.owner, iter(output.owner.inputs))]
        done.add(output.owner)
        while stack:
            node, pending = stack[-1]
            for variable in pending:
                owner = variable.owner
                if owner is not None and owner not in done and variable not in stopped:
                    done.add(owner)
                    stack.append((owner, iter(owner.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def ancestors(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Variable]:
    """Every variable that `outputs` depend on, themselves included; each once, inputs first."""
    outputs = list(outputs)
    seen: dict[Variable, None] = {}
    for node in toposort(outputs, stop):
        for variable in (*node.inputs, *node.outputs):
            seen.setdefault(variable)
    for variable in outputs:
        seen.setdefault(variable)
    return list(seen)


def leaves(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Variable]:
    """The ancestors that nothing computes: inputs, shared variables and constants."""
    stopped = set(stop)
    return [v for v in ancestors(outputs, stopped) if v.owner is None or v in stopped]


def free_inputs(outputs: Iterable[Variable]) -> list[Variable]:
    """The leaves that are neither constant nor shared: what a caller must supply."""
    return [v for v in leaves(outputs) if not isinstance(v, Constant | Shared)]


def users(graph: Graph) -> dict[Variable, list[tuple[Apply, int]]]:
    """For each variable of `graph`, the applications that read it and at which position."""
    found: dict[Variable, list[tuple[Apply, int]]] = {}
    for node in toposort(graph.outputs, graph.inputs):
        for position, variable in enumerate(node.inputs):
            found.setdefault(variable, []).append((node, position))
    return found


def with_inputs(node: Apply, inputs: Sequence[Variable], why: Provenance | None = None) -> Apply:
    """`node` applied to other inputs, its types inferred anew; names and provenance are kept."""
    types = node.op.infer(*(v.type for v in inputs))
    made = Apply(node.op, inputs, types, why or node.provenance)
    for old, new in zip(node.outputs, made.outputs, strict=True):
        if old.name is not None:
            new.name = old.name
    return made


def rebuild(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """`outputs` with each variable of `replace` exchanged; what does not depend on them is shared.

    The replacements are simultaneous: a replacement is not itself searched.
    """
    new: dict[Variable, Variable] = dict(replace)
    for node in toposort(outputs, replace):
        if any(new.get(v, v) is not v for v in node.inputs):
            made = with_inputs(node, [new.get(v, v) for v in node.inputs])
            for old, fresh in zip(node.outputs, made.outputs, strict=True):
                new.setdefault(old, fresh)
    return [new.get(v, v) for v in outputs]


def instantiate(
    graph: Graph, inputs: Sequence[Variable], why: Callable[[Provenance], Provenance] = lambda own: own
) -> list[Variable]:
    """A copy of `graph` on other `inputs`: its outputs. `why` maps a node's provenance to that of its copy."""
    new: dict[Variable, Variable] = dict(zip(graph.inputs, inputs, strict=True))
    for node in toposort(graph.outputs, graph.inputs):
        made = with_inputs(node, [new.get(v, v) for v in node.inputs], why(node.provenance))
        new.update(zip(node.outputs, made.outputs, strict=True))
    return [new.get(v, v) for v in graph.outputs]


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What an application was replaced by: to be looked up once all of it is in place."""

    node: Apply
    outputs: Sequence[Variable]


def replace_nodes(graph: Graph, build: Callable[[Apply, Apply], Sequence[Variable] | None]) -> Graph:
    """`graph` with every application for which `build` gives outputs replaced by them, also inside of what it gives.

    `build` is called with the application on its new inputs, and with the one that stood there before.
    """
    new: dict[Variable, Variable] = {}
    pending: deque[Apply | _Replaced] = deque(toposort(graph.outputs, graph.inputs))
    while pending:
        item = pending.popleft()
        if isinstance(item, _Replaced):
            for old, made in zip(item.node.outputs, item.outputs, strict=True):
                new[old] = new.get(made, made)
            continue
        inputs = [new.get(v, v) for v in item.inputs]
        moved = any(now is not old for now, old in zip(inputs, item.inputs, strict=True))
        node = with_inputs(item, inputs) if moved else item
        outputs = build(node, item)
        if outputs is not None:
            pending.extendleft(reversed([*toposort(outputs, node.inputs), _Replaced(item, outputs)]))
        elif node is not item:
            new.update(zip(item.outputs, node.outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def replace_inner(graph: Graph, rewritten: Callable[[Graph], Graph]) -> Graph:
    """`graph` with each graph that its operations hold `rewritten`."""
    done: dict[Op, Op] = {}

    def build(node: Apply, _: Apply) -> Sequence[Variable] | None:
        if not node.op.graphs or any(node.op is op for op in done.values()):
            return None
        if node.op not in done:
            done[node.op] = node.op.with_graphs([rewritten(g) for g in node.op.graphs])
        made = Apply(done[node.op], node.inputs, [v.type for v in node.outputs], node.provenance)
        for old, new in zip(node.outputs, made.outputs, strict=True):
            new.name = old.name
        return made.outputs

    return replace_nodes(graph, build)
