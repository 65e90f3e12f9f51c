"""A session: the compiled program, run one step at a time on real values, forward and back.

The steps are those of the compiled program itself: each runs its own C. Inside a fused kernel the
original nodes are evaluated by the interpreter from the kernel's own inputs, and what the kernel
wrote is compared with them; differences are findings. Shared variables stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.debug.statistics import Statistics, statistics
from graphlab.errors import GraphIndexError, GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.function import Function
from graphlab.graph.events import StepRan, emit
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import Names, maths
from graphlab.graph.walk import leaves, toposort
from graphlab.interpret import interpret, leaf_value, run_node
from graphlab.loops.ir import Branch, HostCall, Loop, LoopCall, RuntimeCall, SameExtents, Step, Turns
from graphlab.lower import Lowered
from graphlab.runtime.program import StepFailed

Array = np.ndarray[Any, Any]
_VIEWS = ("transpose", "reshape", "broadcast_to", "index", "sum_to", "windows")


@dataclass(frozen=True)
class StepView:
    """One step of the schedule.

    `kind`: "kernel" (fused loops), "call" (a C library or runtime function), "view" (no data moves),
    "host" (NumPy computes), "check" (what the others rely on), "loop" and "branch" (steps inside it) or
    "node" (the function has no C: one node of the graph).
    `nodes` are the graph's applications it computes, `outputs` the variables it writes.
    """

    index: int
    name: str
    kind: str
    nodes: tuple[Apply, ...]
    outputs: tuple[Variable, ...]

    def __str__(self) -> str:
        ops = " ".join(n.op.name for n in self.nodes) or self.name
        where = ", ".join(dict.fromkeys(o.label for n in self.nodes for o in n.provenance.origins))
        types = ", ".join(str(v.type) for v in self.outputs)
        return f"{self.index:3} {self.kind:6} {ops}{f' -> {types}' if types else ''}  {where}".rstrip()


def _kind(step: Step) -> str:
    match step.action:
        case LoopCall():
            return "kernel"
        case HostCall():
            return "host"
        case SameExtents():
            return "check"
        case Loop() | Turns():
            return "loop"
        case Branch():
            return "branch"
        case RuntimeCall(function=function):
            return "view" if function in _VIEWS else "call"


def schedule(function: Function, lowered: Lowered | None) -> tuple[StepView, ...]:
    """The steps of `function` as the program `lowered`, in order; node by node where there is none."""
    if lowered is None:
        nodes = toposort(function.optimized.outputs, function.inputs)
        return tuple(StepView(i, f"node_{i}", "node", (n,), n.outputs) for i, n in enumerate(nodes))
    return tuple(
        StepView(i, step.name, _kind(step), tuple(lowered.nodes[n] for n in step.nodes),
                 tuple(v for slot in _written(step) if (v := lowered.variables[slot]) is not None))
        for i, step in enumerate(lowered.program.steps)
    )  # fmt: skip


def _written(step: Step) -> tuple[int, ...]:
    """The slots that `step` fills."""
    match step.action:
        case LoopCall(outputs=outputs) | HostCall(outputs=outputs):
            return outputs
        case RuntimeCall(slots=(out, *_)):
            return (out,)
        case SameExtents():
            return ()
        case Loop(stacks=stacks, carried=carried, made=made):
            finals = [c.final for c in carried]
            return (*(stack for stack, *_ in stacks), *(slot for slot in (*finals, made) if slot is not None))
        case Turns(stacks=rows, carried=values, made=made):
            slots = (*(slot for slot, _ in rows), *(final for _, _, final in values), made)
            return tuple(slot for slot in slots if slot is not None)
        case Branch(results=results):
            return tuple(out for out, _, _ in results)
    raise TypeError(type(step.action).__name__)


@user_boundaries
class Session:
    """An evaluation of `function` on fixed arguments, paused between steps.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> s = graphlab.function([x], T.exp(x).sum()).debug([0.0, 0.0])
    >>> s.finish().outputs
    [array(2.)]
    """

    def __init__(self, function: Function, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.function = function
        self._begin(function.arguments(args, kwargs or {}))

    def _begin(self, arrays: Sequence[Array]) -> None:
        f = self.function
        self.position = 0
        self.findings: tuple[str, ...] = ()
        self._arguments = [a.copy() for a in arrays]
        self._ran = 0
        lowered, self._machine = f.program_for(self._arguments)
        self._lowered = lowered if self._machine is not None else None
        self.steps = schedule(f, self._lowered)
        self._frame = self._machine.frame(self._arguments) if self._machine is not None else None
        self._graph = graph = self._lowered.graph if self._lowered is not None else f.optimized
        self._values: dict[Variable, Array] = dict(zip(graph.inputs, self._arguments, strict=True))
        for v in leaves(graph.outputs):  # shared values as they are now, whatever later calls do to them
            if isinstance(v, Constant | Shared):
                self._values[v] = leaf_value(v, {}).copy()
        self._born: dict[Variable, int] = dict.fromkeys(self._values, 0)

    # -- moving --

    @property
    def here(self) -> StepView | None:
        """The step that runs next; None at the end."""
        return self.steps[self.position] if self.position < len(self.steps) else None

    def step(self) -> Session:
        """Run one step."""
        return self.goto(min(self.position + 1, len(self.steps)))

    def back(self) -> Session:
        """Go back by one step."""
        return self.goto(max(self.position - 1, 0))

    def finish(self) -> Session:
        """Run to the end."""
        return self.goto(len(self.steps))

    @user_boundary
    def goto(self, position: int) -> Session:
        """Stand before step `position`: what ran later is put out of sight, what is missing is run."""
        if not 0 <= position <= len(self.steps):
            raise GraphIndexError(
                f"there is no position {position}: there are {len(self.steps)} steps", origin=caller_origin()
            )
        while self._ran < position:
            self._run(self.steps[self._ran])
        self.position = position
        return self

    @user_boundary
    def restart(self, *args: Any, **kwargs: Any) -> Session:
        """Begin again: with the same arguments, or with new ones."""
        self._begin(self.function.arguments(args, kwargs) if args or kwargs else self._arguments)
        return self

    def _run(self, step: StepView) -> None:
        began = time.perf_counter()
        computed = dict(self._values)
        for node in step.nodes:
            run_node(node, computed)
        if self._frame is not None:
            try:
                self._frame.run_step(step.index)
            except StepFailed as failure:
                if failure.kind != "assumption":
                    raise
                self.function.generalize()  # as the plain call does, and begin again
                self._begin(self._arguments)
                return
            slots = self._lowered.slots if self._lowered else {}
            for v in step.outputs:
                written = self._frame.value(slots[v])
                if written is None:
                    continue
                self._check(step, v, written, computed.get(v))
                computed[v] = written
        for v in computed:
            self._born.setdefault(v, step.index + 1)
        self._values = computed
        self._ran += 1
        emit(StepRan(step.index, step.name, time.perf_counter() - began))
        if self._ran == len(self.steps):
            self._compare_with_call()

    def _check(self, step: StepView, v: Variable, got: Array, expected: Array | None) -> None:
        if expected is not None and not _close(got, expected):
            where = f" at {v.origin.label}" if v.origin else ""
            self.findings += (f"step {step.index} ({step.name}){where}: the kernel and NumPy differ on {maths(v)}",)

    def _compare_with_call(self) -> None:
        """The plain, uninstrumented call must give the same outputs, bit for bit."""
        machine = self._machine
        if machine is None:
            return
        shared = {v for v in leaves(self._graph.outputs) if isinstance(v, Shared)}
        held = {v: v.cell[0] for v in (*shared, *self.function.updated)}
        try:
            for s in shared:
                s.cell[0] = self._values[s]
            plain = machine.call(self._arguments)
        finally:
            for s, current in held.items():
                s.cell[0] = current
        for i, (v, other) in enumerate(zip(self._graph.outputs, plain, strict=False)):
            mine = leaf_value(v, self._values)
            if mine.tobytes() != other.tobytes():
                self.findings += (f"output {i}: the steps and the plain call differ",)

    # -- looking --

    def known(self, variable: Variable) -> bool:
        """Whether `variable` has been computed at this position."""
        return variable in self._born and self._born[variable] <= self.position

    @user_boundary
    def value(self, variable: Variable) -> Array:
        """The value of `variable` now; one that was optimised away is recomputed by the interpreter.

        GraphValueError if it belongs to the program but its step has not run yet.
        """
        if self.known(variable):
            return self._values[variable].copy()
        upcoming = next((s.index for s in self.steps if any(variable in n.outputs for n in s.nodes)), None)
        if upcoming is not None:
            raise GraphValueError(
                f"{variable.name or 'the variable'} is computed by step {upcoming}; the session stands before"
                f" step {self.position}",
                origin=caller_origin(),
                hint=f"s.goto({upcoming + 1})",
            )
        graph = self.function.graph
        here = dict(self._values)
        missing = [v for v in leaves([variable], here) if v not in here and v not in graph.inputs]
        if any(not isinstance(v, Constant | Shared) for v in missing):
            raise GraphValueError(
                f"{variable.name or 'the variable'} is no part of this function", origin=caller_origin()
            )
        return interpret(Graph(graph.inputs, (variable,)), self._arguments)[0]

    def stats(self, variable: Variable) -> Statistics:
        """The statistics of `value(variable)`."""
        return statistics(self.value(variable))

    @property
    def outputs(self) -> list[Array]:
        """The function's results; GraphValueError before the end."""
        visible = len(self.function.graph.outputs) - len(self.function.updated)
        return [self.value(v) for v in self._graph.outputs[:visible]]

    def __str__(self) -> str:
        """The steps around the position, with the values that are known."""
        first = max(0, self.position - 5)
        lines = [f"{self.function.name}: before step {self.position} of {len(self.steps)}"]
        names = Names()
        for s in self.steps[first : first + 10]:
            lines.append(("-> " if s.index == self.position else "   ") + str(s))
            if s.index < self.position:
                lines += [f"         {v.name or names(v)} = {_short(self.value(v))}" for v in s.outputs]
        return "\n".join([*lines, *(f"finding: {f}" for f in self.findings)])

    def __repr__(self) -> str:
        return f"<session of {self.function.name}: before step {self.position} of {len(self.steps)}>"


def _short(value: Array) -> str:
    return np.array2string(value, threshold=6, precision=5, edgeitems=2).replace("\n", " ")[:80]


def _close(got: Array, expected: Array) -> bool:
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return False
    tolerance = 1e-4 if got.dtype.name in ("float16", "float32", "complex64") else 1e-9
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
        return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True))
