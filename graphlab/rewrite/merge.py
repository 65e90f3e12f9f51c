"""Merging: applications of one op to the same inputs become one, which keeps the lines of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphlab.graph import events
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import toposort, with_inputs
from graphlab.rewrite.driver import joined_origins
from graphlab.rewrite.rule import COMMUTATIVE, EXACT

RULE = "equal nodes -> one node"


def merge(graph: Graph, pass_name: str = "merge", told: bool = True) -> Graph:
    """`graph` with equal constants and equal applications made one; linear in its size. `told`: as rewrites."""
    order = toposort(graph.outputs, graph.inputs)
    classes = _Classes()
    for variable in graph.inputs:
        classes.number(variable)
    groups = [group for node in order if (group := classes.place(node)) is not None]
    new: dict[Variable, Variable] = {}
    for group in groups:
        _build(group, classes, new, pass_name if told else None)
    kept = [classes.leader(v) for v in graph.outputs]
    return Graph(graph.inputs, tuple(new.get(v, v) for v in kept))


@dataclass
class _Classes:
    """Value numbering: every variable has the number of the first variable that is equal to it."""

    numbers: dict[Variable, int] = field(default_factory=dict)
    leaders: list[Variable] = field(default_factory=list)
    groups: dict[Any, list[Apply]] = field(default_factory=dict)
    constants: dict[Any, int] = field(default_factory=dict)

    def number(self, v: Variable) -> int:
        """The number of `v`, a new one if it is a leaf not yet seen."""
        if v not in self.numbers:
            fresh = len(self.leaders)
            known = self.constants.setdefault(v.key, fresh) if isinstance(v, Constant) else fresh
            if known == fresh:
                self.leaders.append(v)
            self.numbers[v] = known
        return self.numbers[v]

    def leader(self, v: Variable) -> Variable:
        """The first variable equal to `v`."""
        return self.leaders[self.number(v)]

    def place(self, node: Apply) -> list[Apply] | None:
        """Put `node` into the group of its equals; the group if `node` is its first."""
        inputs = [self.number(v) for v in node.inputs]
        if node.op in COMMUTATIVE:
            inputs.sort()
        key = (node.op, *inputs)
        group = self.groups.setdefault((node, key) if node.op.effects else key, [])
        group.append(node)
        for mine, first in zip(node.outputs, group[0].outputs, strict=True):
            if mine is not first:
                self.numbers.setdefault(mine, self.number(first))
            self.number(mine)
        return group if len(group) == 1 else None


def _build(group: list[Apply], classes: _Classes, new: dict[Variable, Variable], pass_name: str | None) -> None:
    """Map the outputs of the group's first node to those of the one node that stands for all."""
    node = group[0]
    leaders = [classes.leader(v) for v in node.inputs]
    inputs = [new.get(v, v) for v in leaders]
    same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
    if same and len(group) == 1:
        return
    made = with_inputs(node, inputs, joined_origins(group))
    for i, fresh in enumerate(made.outputs):
        fresh.name = next((member.outputs[i].name for member in group if member.outputs[i].name), None)
        new[node.outputs[i]] = fresh
    if pass_name is not None and events.listening():
        for member in group[1:]:
            one = [pair for old in (node, member) for pair in zip(old.outputs, made.outputs, strict=True)]
            event = events.RewriteApplied(
                pass_name, RULE, EXACT, member.outputs[0], made.outputs[0], 0.0, "merge.py", (member,), (), tuple(one)
            )
            events.emit(event)
