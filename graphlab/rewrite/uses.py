"""What a rewrite saves: the work of the applications that nothing needs any more, less that of the new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from graphlab.graph.cost import traffic
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort


class Uses:
    """How often each variable is used in a graph that is being rewritten, as an operand or as an output."""

    def __init__(self, graph: Graph) -> None:
        self.of: Counter[Variable] = Counter(graph.outputs)
        for node in toposort(graph.outputs, graph.inputs):
            self.of.update(node.inputs)

    def stands_for(self, new: Variable, old: Variable) -> None:
        """`new` stands where `old` stood."""
        self.of[new] += self.of[old]

    def freed(self, node: Apply, made: Sequence[Variable], fresh: Collection[Apply]) -> list[Apply]:
        """`node` and what only it needed, once `made`, of which `fresh` is new, stands in its place."""
        kept = {*made, *(v for n in fresh for v in n.inputs)}
        lost: Counter[Variable] = Counter()
        gone, queue = {node}, [node]
        for dead in queue:
            for v in dead.inputs:
                lost[v] += 1
                owner = v.owner
                if owner is None or owner in gone or any(lost[o] < self.of[o] or o in kept for o in owner.outputs):
                    continue
                gone.add(owner)
                queue.append(owner)
        return queue

    def replace(self, gone: Collection[Apply], fresh: Collection[Apply]) -> None:
        """The applications `gone` no longer use their operands; `fresh` ones do."""
        for node in gone:
            self.of.subtract(node.inputs)
        for node in fresh:
            self.of.update(node.inputs)


def work(nodes: Collection[Apply]) -> tuple[int, int]:
    """About how many arithmetic operations `nodes` take; then, between equals, how many bytes they move."""
    return sum(node.op.flops(node) for node in nodes), sum(map(traffic, nodes))
