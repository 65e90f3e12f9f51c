"""A function's body as a closed graph: what it takes from outside becomes inputs of its own."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import rebuild, toposort


def close(
    outputs: Sequence[Variable], inputs: Sequence[Variable], made: Collection[Apply]
) -> tuple[Graph, tuple[Variable, ...]]:
    """The graph of `outputs` by `inputs` and by what else they need, and those other variables.

    `made` are the applications of the body (see `tracing`): the walk stops at what others computed, and at
    shared variables and free inputs. Each of these gets an input of its own after `inputs`; constants stay.
    """
    lifted: dict[Variable, Variable] = {}
    seen, stack = set(inputs), list(reversed(outputs))
    while stack:
        v = stack.pop()
        if v in seen or isinstance(v, Constant):
            continue
        seen.add(v)
        if v.owner is not None and v.owner in made:
            stack.extend(reversed(v.owner.inputs))
        else:
            lifted[v] = Variable(v.type, v.name)
    closed = rebuild(outputs, lifted) if lifted else outputs
    return Graph((*inputs, *lifted.values()), tuple(closed)), tuple(lifted)


def structure(graph: Graph, labels: bool = True) -> Hashable:
    """Equal for closed graphs of the same ops in the same order, with inputs of the same types.

    `labels`: the names of inputs, the lines and the scopes must be the same too.
    """
    numbers = {v: k for k, v in enumerate(graph.inputs)}
    entries: list[Hashable] = [(v.type, v.name if labels else None) for v in graph.inputs]

    def number(v: Variable) -> int:
        if v not in numbers:
            numbers[v] = len(numbers)
            entries.append(v.key if isinstance(v, Constant) else v)
        return numbers[v]

    for node in toposort(graph.outputs, graph.inputs):
        why = node.provenance
        where = (why.origins, why.scope) if labels else ()
        entries.append((node.op, tuple(map(number, node.inputs)), *where))
        numbers.update({v: len(numbers) + k for k, v in enumerate(node.outputs)})
    return (*entries, *map(number, graph.outputs))
