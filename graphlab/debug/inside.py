"""Values, also inside of operations that hold graphs: in which turn of a loop, or in which branch, and made of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from graphlab.control.ifelse import IfElse
from graphlab.control.loop import Scan
from graphlab.errors import Origin
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.interpret import demand, leaf_value

Array = np.ndarray[Any, Any]
Element = tuple[int, ...]


@dataclass(eq=False)
class Scope:
    """One computation of a graph: `read` gives the value of a variable in it.

    `held` is the operation that holds the graph, None where that is the whole program; `turn` the number of the turn
    where it is a loop. `inputs` are those of the graph. `note` says how these values
    are not those of the program.
    """

    read: Callable[[Variable], Array]
    inputs: Sequence[Variable]
    held: Held | None = None
    turn: int = 0
    note: str = ""

    @property
    def path(self) -> tuple[tuple[Apply, int | None], ...]:
        """The applications within which it lies, the outermost first, each with the number of its turn, if any."""
        if self.held is None:
            return ()
        node = self.held.node
        return (*self.held.scope.path, (node, self.turn if isinstance(node.op, Scan) else None))


def lines_of(node: Apply) -> tuple[Origin, ...]:
    """The user's lines of `node`; where a rule moved it past another operation, first those where it stood before."""
    lines, before = list(node.provenance.origins), node.provenance.replaced
    while before is not None:
        moved = [v.owner for v in before.inputs if v.owner is not None and v.owner.op == node.op]
        lines[:0] = [o for owner in moved for o in owner.provenance.origins]
        before = before.provenance.replaced
    return tuple(dict.fromkeys(lines))


@dataclass(frozen=True)
class Place:
    """A variable of a scope, or one of its elements."""

    scope: Scope
    variable: Variable
    element: Element = ()

    @property
    def value(self) -> Array:
        """The variable's value."""
        return self.scope.read(self.variable)


def outside(place: Place) -> Place:
    """What an input of a graph inside is, outside: of the last turn, or of what the operation reads."""
    scope = place.scope
    assert scope.held is not None
    return scope.held.outside(scope.turn, scope.inputs.index(place.variable), place.element)


def computed(known: dict[Variable, Array]) -> Callable[[Variable], Array]:
    """Reads variables by computing them from those `known`, which grow by that."""

    def read(variable: Variable) -> Array:
        if variable not in known:
            demand([variable], known)
        return leaf_value(variable, known)

    return read


@dataclass(eq=False)
class Held:
    """The computations of a graph that `node` holds, in `scope`: those of the turns of a loop, or the only one."""

    node: Apply
    scope: Scope
    _scopes: dict[int, Scope] = field(default_factory=dict)

    @cached_property
    def operands(self) -> list[Array | None]:
        """The values of what `node` reads; None for what a branch that is not taken would have read."""
        positions = self.positions
        return [
            self.scope.read(v) if not isinstance(self.node.op, IfElse) or i == 0 or i in positions else None
            for i, v in enumerate(self.node.inputs)
        ]

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """The positions of the inputs that are those of the graph, where it is no loop."""
        op = self.node.op
        if isinstance(op, IfElse):
            return op.branches(self.node)[self.branch]
        return tuple(range(len(self.node.inputs)))

    @cached_property
    def branch(self) -> int:
        """Which graph is computed."""
        op = self.node.op
        return op.chosen(self.scope.read(self.node.inputs[0])) if isinstance(op, IfElse) else 0

    @property
    def graph(self) -> Graph:
        """The graph that is computed."""
        return self.node.op.graphs[self.branch]

    @cached_property
    def given(self) -> list[Sequence[Array]]:
        """The values of the graph's inputs, turn by turn."""
        values = [np.asarray(a) for a in self.operands if a is not None]
        if isinstance(self.node.op, Scan):
            return list(self.node.op.given(*values))
        return [[self.scope.read(self.node.inputs[i]) for i in self.positions]]

    def inner(self, turn: int) -> Scope:
        """The computation of one turn."""
        if turn not in self._scopes:
            self._scopes.clear()  # values of one turn are enough to hold
            known: dict[Variable, Array] = dict(zip(self.graph.inputs, self.given[turn], strict=True))
            self._scopes[turn] = Scope(computed(known), self.graph.inputs, self, turn, self.scope.note)
        return self._scopes[turn]

    # -- from the application's outputs in, and from the graph's inputs out --

    def within(self, output: int, element: Element) -> Place:
        """What `element` of output number `output` of the application is: an element inside, or of what it reads."""
        op = self.node.op
        if not isinstance(op, Scan):
            return Place(self.inner(0), self.graph.outputs[output], element)
        made = len(self.given)
        stacks = [*op.traces.values(), *range(op.first_map, op.first_map + op.maps)]
        if output in stacks:
            kept = op.kept[stacks.index(output)]
            first = 0 if kept is None else max(made - kept, 0)
            recurrence = next((k for k, o in op.traces.items() if o == output), None)
            number = len(op.recurrences) + output - op.first_map if recurrence is None else recurrence
            return Place(self.inner(first + element[0]), self.graph.outputs[number], element[1:])
        k = next(k for k, o in op.finals.items() if o == output)
        depth = op.recurrences[k].depth
        return self._past(k, made - 1 if depth == 1 else made - depth + element[0], element[depth > 1 :])

    def _past(self, k: int, turn: int, element: Element) -> Place:
        """The value that recurrence `k` had made in `turn`; before the first turn it is one that it starts from."""
        op = self.node.op
        assert isinstance(op, Scan)
        if turn >= 0:
            return Place(self.inner(turn), self.graph.outputs[k], element)
        depth = op.recurrences[k].depth
        start = self.node.inputs[op.starts][k]
        return Place(self.scope, start, element if depth == 1 else (depth + turn, *element))

    def outside(self, turn: int, position: int, element: Element) -> Place:
        """Where `element` of input number `position` of the graph comes from in `turn`."""
        op, inputs = self.node.op, self.node.inputs
        if not isinstance(op, Scan):
            return Place(self.scope, inputs[self.positions[position]], element)
        if position < op.sequences:
            return Place(self.scope, inputs[1 + position], (turn, *element))
        for k, (taps, recurrence) in enumerate(zip(op.taps, op.recurrences, strict=True)):
            if position < taps.stop:
                return self._past(k, turn - recurrence.lags[position - taps.start], element)
        return Place(self.scope, inputs[op.starts.stop + position - (op.body_constants.start or 0)], element)
