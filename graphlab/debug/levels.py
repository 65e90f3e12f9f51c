"""A level of a session: a schedule, the position in it, and its values; what is entered is one more level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from graphlab.codegen.c import Source
from graphlab.debug.kin import Kin
from graphlab.debug.replay import NodeValues, ProgramValues, Replay, Values, evaluated
from graphlab.debug.schedule import StepView, node_steps, program_steps, toposort_of
from graphlab.errors import GraphValueError
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.text import maths
from graphlab.interpret import run_node
from graphlab.lower import Lowered
from graphlab.runtime.program import Machine, StepFailed

Array = np.ndarray[Any, Any]

SINGLE = ("float16", "float32", "complex64")
_SINGLE = frozenset(map(np.dtype, SINGLE))
SMALL_BYTES = 1 << 20  # of operands: NumPy computes such a step too, and what both have is compared
SMALL_LOOP = 2000  # and loops of so many nodes in all


@dataclass(frozen=True)
class Found:
    """A value, the step that it is of, and `how` it was come by; `recomputed`: just now, for whoever asks."""

    value: Array
    step: int | None = None
    how: str = ""
    recomputed: bool = False


class Level(Protocol):
    """Where a session may stand."""

    title: str
    position: int
    findings: list[str]

    @property
    def steps(self) -> Sequence[StepView]: ...
    @property
    def kin(self) -> Kin: ...
    @property
    def bytes(self) -> int: ...
    def variables(self) -> Iterable[Variable]:
        """All that have values here at some position."""

    def born(self, v: Variable) -> int | None:
        """The step that computes `v`, -1 where it is given; None if it is not of this level."""

    def goto(self, position: int) -> Iterator[StepView]:
        """Stand before step `position`; each step that ran for the first time is given."""

    def find(self, v: Variable) -> Found:
        """The value of `v`, which is of this level and known at the position."""

    def peek(self, v: Variable) -> Array | None:
        """As `find`, but only if the value is at hand: nothing is computed for it."""


class Run:
    """A level whose steps compute each variable once: a program, a kernel's nodes, or a graph by NumPy.

    `given`: the values of what is not computed. `expected`: what the last values must be, from elsewhere.
    """

    def __init__(
        self, title: str, steps: Sequence[StepView], values: Values, given: Mapping[Variable, Array],
        outputs: Sequence[Variable], budget: int, lowered: Lowered | None = None, code: Source | None = None,
        expected: Mapping[Variable, Array] | None = None,
    ) -> None:  # fmt: skip
        self.title, self.steps, self.lowered, self.code = title, steps, lowered, code
        self.position = 0
        self.findings: list[str] = []
        self.given = dict(given)
        self.replay = Replay(steps, values, self.given, outputs, budget)
        self._expected = dict(expected or {})
        self._made = {v: s.index for s in reversed(steps) for n in s.nodes for v in n.outputs} | self.replay.born
        self._inner: dict[int, dict[Variable, Array]] = {}
        self._inner_bytes = 0

    @property
    def bytes(self) -> int:
        return self.replay.values.bytes + self._inner_bytes

    def variables(self) -> Iterable[Variable]:
        return (*self.given, *self._made)

    @cached_property
    def kin(self) -> Kin:
        """Its variables, to be found by name and by their like."""
        return Kin(self.variables())

    def born(self, v: Variable) -> int | None:
        return -1 if v in self.given or isinstance(v, Constant) else self._made.get(v)

    # -- moving --

    def goto(self, position: int) -> Iterator[StepView]:
        while self.replay.ran < position:
            step = self.steps[self.replay.ran]
            try:
                for _ in self.replay.reach(step.index + 1):
                    self._check(step)
            except StepFailed as failure:
                if failure.kind == "assumption":
                    raise
                self._explain(step, failure)
            self.position = step.index + 1
            self._trim()
            if self.position == len(self.steps):
                self._compare()
            yield step
        self.position = position

    def _explain(self, step: StepView, failure: StepFailed) -> None:
        """What went wrong in the user's terms: NumPy finds the same fault."""
        values = self._inputs(step)
        for node in step.nodes:
            run_node(node, values)
        ops = ", ".join(n.op.name for n in step.nodes)
        origin = next(iter(step.origins), None)
        raise GraphValueError(f"step {step.index} ({ops}) failed: {failure}", origin=origin)

    def _check(self, step: StepView) -> None:
        """Compare what a small step wrote with what NumPy computes of the same operands."""
        if self.lowered is None or step.kind == "host" or not self._is_small(step):
            return
        inner = self.inner(step)
        made = [(v, got) for v in step.outputs if v in inner and (got := self.replay.values.peek(v)) is not None]
        apart = [(v, got) for v, got in made if not close(got, inner[v])]
        if not apart:
            return
        single = any(v.dtype in SINGLE for n in step.nodes for v in (*n.inputs, *n.outputs))
        passing = largest([*inner.values(), *self._inputs(step).values()])
        for v, got in apart:
            if not close(got, inner[v], single, passing):
                where = f" at {v.origin.label}" if v.origin else ""
                self.findings.append(
                    f"step {step.index} ({step.name}){where}: the kernel and NumPy differ on {maths(v)}"
                )

    def _is_small(self, step: StepView) -> bool:
        if any(n.op.effects for n in step.nodes):  # it would print twice
            return False
        known = [self.peek(v) for v in (*step.inputs, *step.outputs)]
        if sum(a.nbytes for a in known if a is not None) > SMALL_BYTES:
            return False
        if step.kind != "loop":
            return True
        turns = self.peek(step.nodes[0].inputs[0])
        return turns is not None and int(turns) * _nodes_in(step.nodes[0]) <= SMALL_LOOP

    def _compare(self) -> None:
        if not self._expected:
            return
        single = any(v.dtype in SINGLE for v in self._made)
        held = (a for v in (*self.given, *self.replay.held) if (a := self.peek(v)) is not None)
        passing = largest(held)
        for v, other in self._expected.items():
            if not close(self.find(v).value, other, single, passing):
                self.findings.append(f"{self.title}: its nodes one by one and the step differ on {maths(v)}")

    # -- values --

    def peek(self, v: Variable) -> Array | None:
        if v in self.given:
            return self.given[v]
        return v.data if isinstance(v, Constant) else self.replay.values.peek(v)

    def _inputs(self, step: StepView) -> dict[Variable, Array]:
        """What `step` reads; given up values are computed again."""
        self.again = self.replay.bring(step.inputs)
        return {v: a for v in step.inputs if (a := self.peek(v)) is not None}

    def inner(self, step: StepView, wanted: Sequence[Variable] = ()) -> dict[Variable, Array]:
        """The values of the nodes of a step, by NumPy, from what the step reads."""
        known = self._inner.get(step.index, {})
        if not known or any(v not in known for v in wanted):
            room = self.replay.budget - self.replay.values.bytes
            known = evaluated(step.nodes, self._inputs(step), {*wanted, *step.outputs}, room)
            self._forget(step.index)
            self._inner[step.index] = known
            self._inner_bytes += sum(a.nbytes for a in known.values())
            self._trim()
        return known

    def _trim(self) -> None:
        """Give up values of nodes inside steps, the oldest first, as long as all that is kept is beyond the budget."""
        while self._inner and self.bytes > self.replay.budget:
            self._forget(next(iter(self._inner)))

    def _forget(self, index: int) -> None:
        self._inner_bytes -= sum(a.nbytes for a in self._inner.pop(index, {}).values())

    def find(self, v: Variable) -> Found:
        if v in self.given or isinstance(v, Constant):
            return Found(self.given[v] if v in self.given else v.data)  # type: ignore[attr-defined]
        k = self._made[v]
        step = self.steps[k]
        if v not in self.replay.born:
            value = self.inner(step, [v]).get(v)
            self.replay.thin(self.position)
            self._trim()
            return Found(_there(value, v), k, f"inside {step.name}: NumPy computed it from what the step read", True)
        if v in self.replay.held:
            return Found(_there(self.replay.values.peek(v), v).copy(), k)
        again = self.replay.bring([v])
        value = self.replay.values.peek(v)
        found = Found(_there(value, v).copy(), k, _said(again), bool(again))
        self.replay.thin(self.position)
        self._trim()
        return found


def _there(value: Array | None, v: Variable) -> Array:
    if value is None:
        raise GraphValueError(f"{v.name or maths(v, limit=60)} was not computed: its branch was not taken")
    return value


def _said(again: Sequence[int]) -> str:
    """What was computed again, in words."""
    if not again:
        return ""
    steps = f"step {again[0]}" if len(again) == 1 else f"{len(again)} steps, {again[0]} to {again[-1]},"
    return f"computed again by {steps}: its value was beyond the budget"


def _nodes_in(node: Apply) -> int:
    """How many applications the graphs that `node` holds have, those inside them included."""
    count, pending = 1, [n for g in node.op.graphs for n in _applied(g)]
    while pending:
        inner = pending.pop()
        count += 1
        pending += [n for g in inner.op.graphs for n in _applied(g)]
    return count


def _applied(graph: Graph) -> list[Apply]:
    return toposort_of(graph)


def node_level_steps(graph: Graph) -> tuple[StepView, ...]:
    """The steps of `graph`, node by node."""
    return node_steps(toposort_of(graph))


def program_level(
    title: str, lowered: Lowered, machine: Machine, given: Mapping[Variable, Array], budget: int, code: Source
) -> Run:  # fmt: skip
    """A level that runs a program; `given`: its inputs and the shared variables it reads."""
    values = ProgramValues(lowered, machine, [given[v] for v in lowered.graph.inputs])
    return Run(title, program_steps(lowered), values, given, lowered.graph.outputs, budget, lowered, code)


def node_level(title: str, graph: Graph, given: Mapping[Variable, Array], budget: int) -> Run:
    """A level that runs `graph` by NumPy."""
    values = NodeValues(given, graph.outputs)
    return Run(title, node_level_steps(graph), values, given, graph.outputs, budget)


def close(got: Array, expected: Array, single: bool = False, passing: float = 0.0) -> bool:
    """Whether two values differ by rounding at most.

    `single`: they were computed of less than double precision; `passing`: the largest number on the way, of which
    differences may have left only what was rounded.
    """
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return False
    if got.tobytes() == expected.tobytes():
        return True
    tolerance = 1e-4 if single or got.dtype in _SINGLE else 1e-9
    with np.errstate(all="ignore"):
        if got.dtype.kind == "f" and np.max(np.abs(got - expected)) <= tolerance * np.max(np.abs(expected)) < np.inf:
            return True  # soon said of numbers; NaN and infinities take longer
        slack = tolerance * largest([expected]) + 1e-6 * tolerance * passing
        return bool(np.allclose(got, expected, rtol=tolerance, atol=slack, equal_nan=True))


def largest(values: Iterable[Array]) -> float:
    """The largest magnitude of the finite floating-point numbers in `values`."""
    numbers = (a[np.isfinite(a)] for a in values if a.dtype.kind in "fc")
    return max((float(np.max(np.abs(a), initial=0.0)) for a in numbers), default=0.0)
