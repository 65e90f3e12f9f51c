"""A rewrite seen close up: the few nodes that it took away and made, over what both sides share."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from graphlab.graph.node import Apply, Constant, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import toposort

MOST, DEEPEST = 12, 5  # nodes and levels of a side that are looked at


@dataclass(frozen=True, slots=True)
class Close:
    """One side of a rewrite: its nodes (inputs first), what it stands on, and its text."""

    root: Variable
    nodes: tuple[Apply, ...]
    leaves: tuple[Variable, ...]
    text: str


def close_up(before: Variable, after: Variable) -> tuple[Close, Close]:
    """Both sides of a rewrite as small graphs; the same leaf has the same name in both texts."""
    near = (_near(before), _near(after))
    shared = (near[0].keys() & near[1].keys()) - {before}
    names = dict[Variable, str]()
    return _side(before, near[0], shared, names), _side(after, near[1], shared, names)


def _near(root: Variable) -> dict[Variable, None]:
    """The nearest ancestors of `root`, itself included, breadth first."""
    found, queue, applied = {root: None}, deque([(root, 0)]), 0
    while queue:
        variable, depth = queue.popleft()
        if variable.owner is None or depth == DEEPEST or applied == MOST:
            continue
        applied += 1
        for v in variable.owner.inputs:
            if v not in found:
                found[v] = None
                queue.append((v, depth + 1))
    return found


def _side(root: Variable, near: Mapping[Variable, None], shared: set[Variable], names: dict[Variable, str]) -> Close:
    stop = {v for v in near if v in shared or v.owner is None or any(i not in near for i in v.owner.inputs)}
    nodes = toposort([root], stop)
    inner = {v for n in nodes for v in n.outputs}
    leaves = dict.fromkeys(v for v in (*(i for n in nodes for i in n.inputs), root) if v not in inner)
    return Close(root, tuple(nodes), tuple(leaves), _text(root, nodes, leaves, names))


def _text(root: Variable, nodes: list[Apply], leaves: Mapping[Variable, None], names: dict[Variable, str]) -> str:
    """Mathematics over named leaves: a part that both sides share is only called a, b, c, ..."""
    stand_ins: dict[Variable, Variable] = {}
    for leaf in leaves:
        if isinstance(leaf, Constant):
            stand_ins[leaf] = leaf
            continue
        plain = leaf.owner is None or isinstance(leaf, Shared)
        free = (c for k in range(len(names) + 1) for c in [f"{chr(97 + k % 26)}{k // 26 or ''}"])
        used = set(names.values())
        names.setdefault(leaf, leaf.name if plain and leaf.name else next(c for c in free if c not in used))
        stand_ins[leaf] = Variable(leaf.type, names[leaf])
    for node in nodes:
        copy = Apply(node.op, [stand_ins[v] for v in node.inputs], [v.type for v in node.outputs])
        stand_ins.update(zip(node.outputs, copy.outputs, strict=True))
    return maths(stand_ins[root])
