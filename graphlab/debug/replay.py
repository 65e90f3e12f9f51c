"""Time travel under a byte budget: steps run forward once, and again where their values were given up.

No value is ever written twice, so going back is not looking ahead; what costs is memory. As long as all values fit
into the budget all are kept. Beyond it, only those are sure to stay that are needed at a *checkpoint*, at every
`spacing`-th step, and where the run stands; a value that was given up is computed again from the nearest
checkpoint before it, which takes at most `spacing` steps. Where the checkpoints themselves do not fit, every other
one goes. Steps are functions of what they read - draws of the state of their stream - so the values are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from graphlab.debug.schedule import StepView, inside
from graphlab.errors import GraphlabError
from graphlab.graph.node import Apply, Variable
from graphlab.interpret import Environment, run_node
from graphlab.lower import Lowered
from graphlab.runtime.program import Layout, Machine

Array = np.ndarray[Any, Any]

ROOM = 0.75  # of the budget: so much is kept when something has to go


class Values(Protocol):
    """Where the values of a run are: computed step by step, held, and given up."""

    bytes: int

    def run(self, step: StepView) -> None:
        """Compute the outputs of `step`, whose inputs are there."""

    def peek(self, v: Variable) -> Array | None:
        """The value of `v`, not to be changed and valid until it is dropped; None if it is not there."""

    def drop(self, v: Variable) -> None:
        """Give up the value of `v`, which was computed."""


class NodeValues:
    """Values that NumPy computes, node by node.

    What only a branch of a choice needs may fail: then it is not there, and the branch must not be taken.
    """

    def __init__(self, given: Mapping[Variable, Array], outputs: Iterable[Variable]) -> None:
        self._given = dict(given)
        self._needed = _needed(outputs, self._given)
        self._made: dict[Variable, Array] = {}
        self._failed: dict[Variable, GraphlabError] = {}
        self.bytes = 0

    def run(self, step: StepView) -> None:
        for node in step.nodes:
            self._run(node)

    def _run(self, node: Apply) -> None:
        environment: Environment = {v: a for v in node.inputs if (a := self.peek(v)) is not None}
        failed = [self._failed[v] for v in node.inputs if v in self._failed]
        try:
            if failed and not node.op.branches(node):
                raise failed[0]
            run_node(node, environment)
        except GraphlabError as error:
            if node in self._needed:
                raise (failed[0] if failed else error) from None
            self._failed.update(dict.fromkeys(node.outputs, error))
            return
        for v in node.outputs:
            self.drop(v)
            self._made[v] = environment[v]
            self.bytes += environment[v].nbytes

    def peek(self, v: Variable) -> Array | None:
        return self._made.get(v, self._given.get(v))

    def drop(self, v: Variable) -> None:
        value = self._made.pop(v, None)
        self.bytes -= 0 if value is None else value.nbytes


def _needed(outputs: Iterable[Variable], given: Collection[Variable]) -> set[Apply]:
    """The applications that are needed whichever branches choices take."""
    needed, stack = set[Apply](), list(outputs)
    while stack:
        v = stack.pop()
        if v in given or v.owner is None or v.owner in needed:
            continue
        needed.add(v.owner)
        optional = {i for group in v.owner.op.branches(v.owner) for i in group}
        stack += [u for i, u in enumerate(v.owner.inputs) if i not in optional]
    return needed


class ProgramValues:
    """Values that a compiled program computes: they lie where its frame has them."""

    def __init__(self, lowered: Lowered, machine: Machine, arguments: Sequence[Array]) -> None:
        self._lowered = lowered
        self._frame = machine.frame(arguments)
        self._blocks: dict[int, tuple[int, set[Variable]]] = {}  # its bytes, and who needs it
        self._block: dict[Variable, int] = {}
        self.bytes = 0

    def run(self, step: StepView) -> None:
        self._frame.run_step(step.index)
        slots = self._lowered.slots
        for v in step.outputs:
            self._forget(v)
            layout = self._frame.layout(slots[v])
            if layout is not None and layout.block:
                self._block[v] = layout.block
                known, users = self._blocks.get(layout.block, (0, set()))
                size = max(known, _span(layout, v.dtype))
                self._blocks[layout.block] = size, users | {v}
                self.bytes += size - known
        program = self._lowered.program.steps[step.index]
        for slot in inside(program):
            self._frame.drop(slot)
        if not step.nodes:  # a copy: an output's own array, which the run itself has no need of
            for v in step.outputs:
                for slot in self._lowered.program.outputs:
                    if slot != slots[v] and self._lowered.variables[slot] is v:
                        self._frame.drop(slot)

    def peek(self, v: Variable) -> Array | None:
        slot = self._lowered.slots.get(v)
        layout = None if slot is None else self._frame.layout(slot)
        return None if layout is None else _at(layout, v.dtype, self._frame)

    def drop(self, v: Variable) -> None:
        if v in self._block:
            self._forget(v)
            self._frame.drop(self._lowered.slots[v])

    def _forget(self, v: Variable) -> None:
        block = self._block.pop(v, 0)
        if block:
            size, users = self._blocks[block]
            users.discard(v)
            if not users:
                del self._blocks[block]
                self.bytes -= size


class _Memory:
    """What NumPy asks for to see memory as an array; keeps `owner` alive."""

    def __init__(self, layout: Layout, dtype: str, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3, "shape": layout.shape, "strides": layout.strides, "typestr": np.dtype(dtype).str,
            "data": (layout.address, True),
        }  # fmt: skip


def _at(layout: Layout, dtype: str, owner: Any) -> Array:
    """The array of `layout`, read-only and without a copy."""
    if 0 in layout.shape:
        return np.empty(layout.shape, dtype)
    return np.asarray(_Memory(layout, dtype, owner))


def _span(layout: Layout, dtype: str) -> int:
    """The bytes from its first to its last element."""
    if 0 in layout.shape:
        return 0
    way = sum((n - 1) * abs(stride) for n, stride in zip(layout.shape, layout.strides, strict=True))
    return way + np.dtype(dtype).itemsize


class Replay:
    """A run of `steps` over `values`: forward as far as asked, and again where values were given up.

    `held` are the values computed and there now; `outputs` are needed to the end. `ran` steps have run.
    """

    def __init__(
        self, steps: Sequence[StepView], values: Values, given: Collection[Variable], outputs: Iterable[Variable],
        budget: int,
    ) -> None:  # fmt: skip
        self.steps, self.values, self.budget = steps, values, budget
        self.ran, self.spacing = 0, 1
        self.born: dict[Variable, int] = {}
        self.held: set[Variable] = set()
        self._given = set(given)
        self._last: dict[Variable, int] = {}
        for step in steps:
            for v in step.outputs:
                self.born.setdefault(v, step.index)
            for v in step.inputs:
                self._last[v] = step.index
        for v in outputs:
            self._last[v] = len(steps)

    def reach(self, position: int) -> Iterable[StepView]:
        """Run what has not run before `position`; each step is given when it has run."""
        while self.ran < position:
            step = self.steps[self.ran]
            self.bring(step.inputs)
            self._run(step)
            self.ran += 1
            self.thin(self.ran)
            yield step

    def _run(self, step: StepView) -> None:
        self.values.run(step)
        self.held.update(v for v in step.outputs if self.born[v] == step.index)

    def bring(self, wanted: Iterable[Variable]) -> tuple[int, ...]:
        """Compute those of `wanted` that were given up again; the steps that ran for it."""
        needed = self._slice(v for v in wanted if v not in self._given and self.born.get(v, self.ran) < self.ran)
        readers = {v: k for k in needed for v in self.steps[k].inputs}  # the last of them
        wanted = set(wanted)
        for k in needed:
            self._run(self.steps[k])
            self.thin(k + 1, {v for v in self.held if v in wanted or readers.get(v, -1) > k})
        return tuple(needed)

    def _slice(self, wanted: Iterable[Variable]) -> list[int]:
        """The steps that compute `wanted` from what is held, in order."""
        steps, stack = set[int](), [v for v in wanted if v not in self.held]
        while stack:
            v = stack.pop()
            k = self.born[v]
            if k not in steps:
                steps.add(k)
                stack += [u for u in self.steps[k].inputs if u in self.born and u not in self.held]
        return sorted(steps)

    def thin(self, position: int, pinned: Collection[Variable] = ()) -> None:
        """Give values up until the rest fits the budget: first those of no checkpoint, far from `position`."""
        if self.values.bytes <= self.budget:
            return
        goal = int(ROOM * self.budget)
        while True:
            spare = [v for v in self.held if v not in pinned and not self._sure(v)]
            for v in sorted(spare, key=lambda v: (-abs(self.born[v] + 1 - position), self.born[v], v.index)):
                if self.values.bytes <= goal:
                    return
                self.values.drop(v)
                self.held.discard(v)
            if self.values.bytes <= goal or self.spacing > len(self.steps):
                return
            self.spacing *= 2

    def _sure(self, v: Variable) -> bool:
        """Whether a checkpoint, or the place where the run stands, needs `v`."""
        first, last = self.born[v] + 1, self._last.get(v, -1)
        return first <= self.ran <= last or (last // self.spacing) * self.spacing >= first


def evaluated(
    nodes: Sequence[Apply], given: Mapping[Variable, Array], wanted: Collection[Variable], room: int
) -> dict[Variable, Array]:
    """The values of `wanted` and, while there is `room` in bytes, of all that `nodes` compute, by NumPy."""
    environment: Environment = dict(given)
    readers = {v: k for k, node in enumerate(nodes) for v in node.inputs}
    size, made = 0, dict[Variable, Array]()
    for k, node in enumerate(nodes):
        if all(v in environment for v in node.outputs):
            continue
        run_node(node, environment)
        for v in node.outputs:
            made[v] = environment[v]
            size += environment[v].nbytes
        if size > room:
            gone = [v for v in made if v not in wanted and readers.get(v, -1) <= k]
            size -= sum(made.pop(v).nbytes for v in gone)
            for v in gone:
                del environment[v]
    return made
