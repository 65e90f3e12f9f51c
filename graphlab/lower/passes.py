"""What a kernel with reductions computes in which pass over a row.

A reduction needs the whole row before its result is there: what is computed from that waits for the next
pass. Softmax takes three: the maximum; the exponentials and their sum; the quotients. What a later pass
needs again is computed again where that is cheap, and else kept in memory for one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from graphlab.dtypes import itemsize
from graphlab.graph.node import Apply, Variable
from graphlab.lower.frame import Frame, per_element
from graphlab.lower.fuse import is_costly
from graphlab.ops.lowering import Reduction


@dataclass
class Pass:
    """One pass over the elements of a row.

    It reads the kept values `again`, computes `nodes` for each element, keeps `saved`, folds `folds` and
    writes the outputs `stored`; `after` is computed from its results, once for the row.
    """

    folds: list[Apply] = field(default_factory=list)
    nodes: list[Apply] = field(default_factory=list)
    again: list[Variable] = field(default_factory=list)
    saved: list[Variable] = field(default_factory=list)
    stored: list[Variable] = field(default_factory=list)
    after: list[Apply] = field(default_factory=list)


@dataclass(frozen=True)
class Passes:
    """The passes over each row; `before` is computed before the first."""

    before: tuple[Apply, ...]
    passes: tuple[Pass, ...]

    @property
    def kept(self) -> tuple[Variable, ...]:
        """What is kept in memory from one pass to another, wider elements first."""
        return tuple(sorted((v for each in self.passes for v in each.saved), key=lambda v: -itemsize(v.dtype)))

    @property
    def only_folds(self) -> bool:
        """Whether elements are only folded, in one pass that needs nothing computed before it for the row."""
        if len(self.passes) != 1 or self.passes[0].stored:
            return False
        reading = (v.owner for node in (*self.passes[0].nodes, *self.passes[0].folds) for v in node.inputs)
        return not any(owner in self.before for owner in reading)


def passes_of(frame: Frame) -> Passes:
    """The passes of a kernel's unit."""
    ready = _ready(frame)
    elements = set(per_element(frame))
    last = max((ready[v] for v in _whole_outputs(frame, elements)), default=-1)
    count = max([last + 1, *(ready[n.output] for n in frame.unit.nodes if _is_fold(frame, n))])
    passes = [Pass() for _ in range(count)]
    before: list[Apply] = []
    for node in frame.unit.nodes:
        if _is_fold(frame, node):
            passes[ready[node.output] - 1].folds.append(node)
        elif node in frame.unit.rows:
            (passes[ready[node.output] - 1].after if ready[node.output] else before).append(node)
    for v in _whole_outputs(frame, elements):
        passes[ready[v]].stored.append(v)
    _share(frame, passes, elements)
    return Passes(tuple(before), tuple(passes))


def _is_fold(frame: Frame, node: Apply) -> bool:
    return isinstance(frame.lowerings[node], Reduction)


def _whole_outputs(frame: Frame, elements: set[Apply]) -> list[Variable]:
    return [v for v in frame.unit.outputs if v.owner in elements]


def _ready(frame: Frame) -> dict[Variable, int]:
    """For each value made here its pass; for what is made once for a row, how many passes are over by then."""
    ready: dict[Variable, int] = {}
    for node in frame.unit.nodes:
        ready[node.output] = max((ready.get(v, 0) for v in node.inputs), default=0) + _is_fold(frame, node)
    return ready


def _share(frame: Frame, passes: list[Pass], elements: set[Apply]) -> None:
    """Decide for each pass what it computes, and what it reads because an earlier one has computed it."""
    made: dict[Apply, Pass] = {}
    dear: dict[Apply, bool] = {}
    for node in frame.unit.nodes:
        if node in elements:
            sources = (v.owner for v in node.inputs)
            dear[node] = is_costly(frame.lowerings[node]) or any(s is not None and dear.get(s, False) for s in sources)
    order = {node: k for k, node in enumerate(frame.unit.nodes)}
    for each in passes:
        needed = [v for v in (*(n.inputs[0] for n in each.folds), *each.stored) if v.owner in elements]
        found: set[Apply] = set()
        for node in _owners(needed):
            _visit(node, each, elements, made, dear, found)
        each.nodes += sorted(found, key=order.__getitem__)
        made.update((node, each) for node in found if node not in made)


def _visit(
    start: Apply, each: Pass, elements: set[Apply], made: dict[Apply, Pass], dear: dict[Apply, bool], found: set[Apply]
) -> None:
    stack = [start]
    while stack:
        node = stack.pop()
        if node in found or node.output in each.again:
            continue
        if node in made and dear[node]:
            earlier, v = made[node], node.output
            if v not in earlier.saved and v not in earlier.stored:
                earlier.saved.append(v)
            each.again.append(v)
            continue
        found.add(node)
        stack += [owner for owner in _owners(node.inputs) if owner in elements]


def _owners(variables: Iterable[Variable]) -> list[Apply]:
    return [v.owner for v in variables if v.owner is not None]
