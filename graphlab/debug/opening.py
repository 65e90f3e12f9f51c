"""What is inside a step: a kernel's nodes, a loop's turns, their steps, a branch, a symbolic function's body.

The body of a loop, and a branch, are programs of their own inside: built as they are in the whole program, from the
same graph by the same lowering, so that each of their steps can be run alone. Where NumPy runs the function, it runs
them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np

from graphlab.codegen.c import Source, emit
from graphlab.compiled import build
from graphlab.control.call import Call
from graphlab.control.ifelse import IfElse
from graphlab.control.loop import Scan
from graphlab.debug.kin import Kin
from graphlab.debug.levels import Found, Level, Run, close, node_level, program_level
from graphlab.debug.replay import NodeValues, evaluated
from graphlab.debug.schedule import StepView, node_steps, toposort_of
from graphlab.errors import GraphValueError, caller_origin
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.interpret import interpret
from graphlab.lower import Lowered, lower
from graphlab.runtime.program import Machine

Array = np.ndarray[Any, Any]

OPEN = "kernels, loops, branches and symbolic functions open"


@dataclass(frozen=True)
class Program:
    """The program of an inner graph."""

    lowered: Lowered
    source: Source
    machine: Machine


@dataclass
class Programs:
    """The programs of the graphs inside a function, each built when it is entered first; none if not `compiles`."""

    compiles: bool
    _known: dict[tuple[Graph, bool], Program | None] = field(default_factory=dict)

    def of(self, graph: Graph, values: Sequence[Array]) -> Program | None:
        """The program of `graph` that is right for these values of its inputs."""
        if not self.compiles:
            return None
        program = self._built(graph, False)
        given = dict(zip(graph.inputs, values, strict=True))
        if program is None or all(equal.holds(given) for equal in program.lowered.assumed):
            return program
        return self._built(graph, True)

    def _built(self, graph: Graph, general: bool) -> Program | None:
        if (graph, general) not in self._known:
            lowered = lower(graph, general=general)
            source = emit(lowered.program)
            machine = build(lowered, source, ())
            self._known[graph, general] = None if machine is None else Program(lowered, source, machine)
        return self._known[graph, general]

    def level(self, title: str, graph: Graph, values: Sequence[Array], budget: int) -> Run:
        """A level that computes `graph` for `values`."""
        given = dict(zip(graph.inputs, values, strict=True))
        program = self.of(graph, values)
        if program is None:
            return node_level(title, graph, given, budget)
        return program_level(title, program.lowered, program.machine, given, budget, program.source)


def has_inside(step: StepView) -> bool:
    """Whether `step` can be entered."""
    return step.kind in ("kernel", "turn") or any(isinstance(n.op, Scan | IfElse | Call) for n in step.nodes)


def entered(level: Level, step: StepView, programs: Programs, budget: int) -> Level:
    """The level inside of `step`, which is of `level`; GraphValueError if there is nothing inside."""
    if isinstance(level, Turns):
        return level.turn(step.index)
    if step.kind == "kernel":
        return _kernel(level, step, budget)
    holder = next((n for n in step.nodes if isinstance(n.op, Scan | IfElse | Call)), None)
    if holder is None:
        what = ", ".join(n.op.name for n in step.nodes) or step.name
        raise GraphValueError(f"there is nothing inside step {step.index}: it is one {step.kind} ({what})",
                              origin=caller_origin(), hint=OPEN)  # fmt: skip
    values = [level.find(v).value if _is_there(level, v) else _NOTHING for v in holder.inputs]
    return opened(holder, values, programs, budget, _outcome(level, step))


_NOTHING = np.empty(0)  # of a branch that was not taken


def _is_there(level: Level, v: Variable) -> bool:
    try:
        level.find(v)
    except GraphValueError:
        return False
    return True


def opened(
    node: Apply, values: Sequence[Array], programs: Programs, budget: int, outcome: Mapping[Variable, Array]
) -> Level:
    """The level inside `node`, which holds graphs, for these `values` of its inputs; `outcome`: what it gives."""
    match node.op:
        case Scan():
            return Turns(node, node.op, values, programs, budget, outcome)
        case IfElse():
            taken = node.op.chosen(values[0])
            graph, inputs = node.op.graphs[taken], node.op.branches(node)[taken]
            title = f"ifelse: the condition is {bool(values[0])}"
            return programs.level(title, graph, [values[i] for i in inputs], budget)
        case _:
            return programs.level(node.op.name, node.op.graphs[0], values, budget)


def _outcome(level: Level, step: StepView) -> dict[Variable, Array]:
    """What `step` gives, which is run for it; nothing if it fails: then its inside is where one looks why."""
    before = level.position
    try:
        for _ in level.goto(step.index + 1):
            pass
        return {v: level.find(v).value for v in step.outputs}
    except Exception:
        return {}
    finally:
        level.position = before


def _kernel(level: Level, step: StepView, budget: int) -> Run:
    """The nodes of a fused kernel, one by one, by NumPy, from what the kernel reads."""
    given = {v: level.find(v).value for v in step.inputs}
    values = NodeValues(given, step.outputs)
    expected = _outcome(level, step)
    return Run(step.name, node_steps(step.nodes), values, given, step.outputs, budget, expected=expected)


# ---- loops ---------------------------------------------------------------------------------------

Past = list[list[Array]]


class _TurnSteps(Sequence[StepView]):
    """The turns of a loop as steps, made when they are looked at: there may be many."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._nodes = tuple(toposort_of(turns.op.body))

    def __len__(self) -> int:
        return self._turns.count

    @overload
    def __getitem__(self, k: int) -> StepView: ...
    @overload
    def __getitem__(self, k: slice) -> tuple[StepView, ...]: ...
    def __getitem__(self, k: int | slice) -> StepView | tuple[StepView, ...]:
        if isinstance(k, slice):
            return tuple(self[i] for i in range(*k.indices(len(self))))
        if not -len(self) <= k < len(self):
            raise IndexError(k)
        outputs = tuple(v for v in self._turns.op.body.outputs if v.owner is not None)
        return StepView(k % len(self), f"turn_{k % len(self)}", "turn", self._nodes, tuple(dict.fromkeys(outputs)))


class Turns:
    """A loop that was entered: each step is a turn. Before a turn, names say what it reads; behind it, what it made.

    What a turn starts from is what the loop itself has kept of the turn before; where it keeps only the last, turns run
    one by one, and every so many their state is remembered, as many as the budget allows.
    """

    def __init__(
        self, node: Apply, op: Scan, values: Sequence[Array], programs: Programs, budget: int,
        outcome: Mapping[Variable, Array],
    ) -> None:  # fmt: skip
        self.node, self.op, self.values, self.programs, self.budget = node, op, values, programs, budget
        self.count = max(int(values[0]), 0)
        if op.until and outcome:
            self.count = int(outcome[node.outputs[-1]])
        self.title = f"{op.name}: {self.count} turns"
        self.steps = _TurnSteps(self)
        self.position, self.findings, self._ran = 0, list[str](), 0
        self._outcome = outcome
        starts = values[op.starts]
        self._start: Past = [[s] if r.depth == 1 else list(s) for r, s in zip(op.recurrences, starts, strict=True)]
        self._kept = self._traces()
        self._states: dict[int, Past] = {0: self._start}
        self._held = _bytes_of(self._start)
        self._spacing = 1
        self._recent: tuple[int, Past] = (0, self._start)
        self._made: tuple[int, list[Array]] = (-1, [])
        self._known = set(op.body.inputs)
        self._computed = {v for n in toposort_of(op.body) for v in n.outputs}

    @property
    def bytes(self) -> int:
        return self._held

    def variables(self) -> Iterable[Variable]:
        return (*self._known, *self._computed)

    @cached_property
    def kin(self) -> Kin:
        """Its variables, to be found by name and by their like."""
        return Kin(self.variables())

    def born(self, v: Variable) -> int | None:
        if v in self._known or isinstance(v, Constant):
            return -1
        return 0 if v in self._computed else None

    def goto(self, position: int) -> Iterator[StepView]:
        for t in range(self._ran, min(position, len(self.steps))):
            if t >= self.count:
                break
            if self._kept is None:
                self._results(t)
            self._ran = self.position = t + 1
            if self._ran == self.count:
                self._compare()
            yield self.steps[t]
        self.position = min(position, self.count)

    def find(self, v: Variable) -> Found:
        if isinstance(v, Constant):
            return Found(v.data)
        op, t = self.op, self.position - (v in self._computed)
        if self.count == 0:
            raise GraphValueError(f"{v.name or 'the variable'} has no value: the loop makes no turn")
        t = min(t, self.count - 1)
        inputs = self._inputs(t)
        if v in self._known:
            return Found(np.array(_of(v, op.body.inputs, inputs)))
        if any(v is o for o in op.body.outputs):
            return Found(np.array(_of(v, op.body.outputs, self._results(t))), t)
        given = dict(zip(op.body.inputs, inputs, strict=True))
        made = evaluated(toposort_of(op.body), given, [v], self.budget)
        return Found(made[v], t, f"inside turn {t}: NumPy computed it from what the turn read", True)

    def turn(self, t: int) -> Run:
        """The level inside turn `t`."""
        room = max(self.budget - self.bytes, self.budget // 4)
        return self.programs.level(f"turn {t} of {self.count}", self.op.body, self._inputs(t), room)

    def peek(self, v: Variable) -> Array | None:
        return self.find(v).value if self.count else None

    # -- states --

    def _traces(self) -> list[list[Array]] | None:
        """All values of each recurrence, those it starts from first, if the loop has kept them."""
        op = self.op
        traced = all(k in op.traces and op.kept[op.traces[k]] is None for k in range(len(op.recurrences)))
        if not traced or not self._outcome:
            return None
        rows = [self._outcome[self.node.outputs[op.traces[k]]] for k in range(len(op.recurrences))]
        return [[*start, *row] for start, row in zip(self._start, rows, strict=True)]

    def _state(self, t: int) -> Past:
        """The past values that turn `t` starts from, the oldest first."""
        if self._kept is not None:
            depths = [r.depth for r in self.op.recurrences]
            return [rows[t : t + depth] for rows, depth in zip(self._kept, depths, strict=True)]
        near = next(k for k in range(t - t % self._spacing, -1, -self._spacing) if k in self._states)  # 0 is, always
        at, past = near, self._states[near]
        if near < self._recent[0] <= t:
            at, past = self._recent
        for u in range(at, t):
            new = self._run(u, past)
            past = [[*rows[1:], v] for rows, v in zip(past, new, strict=False)]
            self._recent = (u + 1, past)
            self._remember(u + 1, past)
        return past

    def _remember(self, t: int, past: Past) -> None:
        if t % self._spacing:
            return
        self._held += 0 if t in self._states else _bytes_of(past)
        self._states[t] = past
        while self.bytes > self.budget and len(self._states) > 1:
            self._spacing *= 2
            self._states = {k: p for k, p in self._states.items() if k % self._spacing == 0}
            self._held = sum(map(_bytes_of, self._states.values()))

    def _inputs(self, t: int) -> list[Array]:
        """What the body reads in turn `t`."""
        op = self.op
        sequences, constants = self.values[1 : op.starts.start], self.values[op.starts.stop :]
        taps = [rows[-lag] for rows, r in zip(self._state(t), op.recurrences, strict=True) for lag in r.lags]
        return [np.ascontiguousarray(v).reshape(np.shape(v)) for v in (*(s[t] for s in sequences), *taps, *constants)]

    def _run(self, t: int, past: Past) -> list[Array]:
        """What the body makes in turn `t`."""
        if self._made[0] == t:
            return self._made[1]
        op = self.op
        sequences, constants = self.values[1 : op.starts.start], self.values[op.starts.stop :]
        taps = [rows[-lag] for rows, r in zip(past, op.recurrences, strict=True) for lag in r.lags]
        inputs = [np.asarray(v) for v in (*(s[t] for s in sequences), *taps, *constants)]
        program = self.programs.of(op.body, inputs)
        results = program.machine.call(inputs) if program is not None else interpret(op.body, inputs)
        made = [np.asarray(v, o.dtype) for v, o in zip(results, op.body.outputs, strict=True)]
        self._made = (t, made)
        if op.until and made[-1]:
            self.count = min(self.count, t + 1)
        return made

    def _results(self, t: int) -> list[Array]:
        return self._run(t, self._state(t))

    def _compare(self) -> None:
        """What the last turn made must be what the loop kept of it."""
        if not self._outcome:
            return
        op, made = self.op, self._results(self.count - 1)
        first = len(op.recurrences)
        stacks = {**op.traces, **{first + k: op.first_map + k for k in range(op.maps)}}
        for k, output in stacks.items():
            kept = self._outcome[self.node.outputs[output]]
            if len(kept) and not close(np.asarray(made[k]), np.asarray(kept[-1])):
                self.findings.append(f"{op.name}: the last turn and the loop differ on output {output}")


def _bytes_of(past: Past) -> int:
    return sum(a.nbytes for rows in past for a in rows)


def _of(v: Variable, variables: Sequence[Variable], values: Sequence[Array]) -> Array:
    return next(a for u, a in zip(variables, values, strict=True) if u is v)
