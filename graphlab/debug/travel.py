"""A run that one can travel in: its levels, where it stands, and its moves: forward and back, in and out.

The steps are those of the compiled program itself: each runs its own C. Inside a fused kernel the
original nodes are evaluated by the interpreter from the kernel's own inputs, and what the kernel
wrote is compared with them; differences are findings. Shared variables stay as they are.
"""

from __future__ import annotations

import contextlib
import gc
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from graphlab.callable import Function
from graphlab.codegen.c import Source
from graphlab.codegen.c import emit as printed
from graphlab.debug.handles import Handle, Written, variable_of
from graphlab.debug.levels import Level, Run, node_level, program_level
from graphlab.debug.looking import is_same, look, note
from graphlab.debug.opening import OPEN, Programs, entered, has_inside, opened
from graphlab.debug.schedule import StepView
from graphlab.debug.show import called
from graphlab.debug.watches import Watch
from graphlab.errors import GraphIndexError, GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.graph.events import StepRan, emit
from graphlab.graph.node import Shared, Variable
from graphlab.graph.walk import leaves
from graphlab.lower import Lowered
from graphlab.runtime.program import StepFailed

if TYPE_CHECKING:
    from graphlab.debug.shadow import Shadow

Array = np.ndarray[Any, Any]


MANY = 1000  # steps: Python's full collection takes a while over so large a graph, and opening can wait, not a step


@user_boundaries
class Travel:
    """A call of `function` that stands still between steps, with the levels that were entered."""

    def __init__(self, function: Function, arrays: Sequence[Array], budget: int, commit: bool) -> None:
        self.function, self.budget, self.commit = function, budget, commit
        self.watches: list[Watch] = []
        self._listeners: list[Callable[[], object]] = []
        self._begin(arrays)

    def _begin(self, arrays: Sequence[Array]) -> None:
        f = self.function
        self.stopped, self.paused, self._compared = "", tuple[int, ...](), False
        self._shadow: Shadow | None = None  # of these arguments
        self._arguments = [a.copy() for a in arrays]
        lowered, self._machine = f.program_for(self._arguments)
        self._lowered = lowered if self._machine is not None else None
        self._graph = graph = self._lowered.graph if self._lowered is not None else f.optimized
        given: dict[Variable, Array] = dict(zip(graph.inputs, self._arguments, strict=True))
        known = dict.fromkeys((*leaves(graph.outputs), *leaves(f.graph.outputs), *f.updated))
        # Shared values as they are now, whatever later calls do to them.
        given |= {v: v.cell[0].copy() for v in known if isinstance(v, Shared)}
        self._written = Written(f, dict(given), self.budget // 4)
        self._programs = Programs(self._machine is not None)
        with self._shared_as(given):
            top = (
                node_level(f.name, graph, given, self.budget)
                if self._lowered is None or self._machine is None
                else program_level(f.name, self._lowered, self._machine, given, self.budget, self._code(self._lowered))
            )
        if len(top.steps) > MANY:
            gc.collect()
        self._levels: list[Level] = [top]
        self._focus: tuple[Handle | None, tuple[int, ...]] | None = None  # the element that is looked at

    def _code(self, lowered: Lowered) -> Source:
        """The C of the program that runs: of the general one it is printed again."""
        compiled = self.function.compiled
        return (
            compiled.source if lowered is compiled.lowered and compiled.source is not None else printed(lowered.program)
        )

    @contextlib.contextmanager
    def _shared_as(self, values: Mapping[Variable, Array]) -> Iterator[None]:
        """Inside the block shared variables have the values of this session."""
        held = {v: v.cell[0] for v in values if isinstance(v, Shared)}
        try:
            for v in held:
                v.cell[0] = values[v]
            yield
        finally:
            for v, current in held.items():
                v.cell[0] = current

    # -- where it stands --

    @property
    def level(self) -> Level:
        """Where the session stands: the function itself, or what was entered."""
        return self._levels[-1]

    @property
    def steps(self) -> Sequence[StepView]:
        """The schedule of the level it stands in."""
        return self.level.steps

    @property
    def position(self) -> int:
        """The number of the step that runs next, in the level it stands in."""
        return self.level.position

    @property
    def here(self) -> StepView | None:
        """The step that runs next; None at the end."""
        return self.steps[self.position] if self.position < len(self.steps) else None

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands: the position in each level, the outermost first."""
        return tuple(level.position for level in self._levels)

    @property
    def depth(self) -> int:
        """In how many levels it stands: 1 is the function itself."""
        return len(self._levels)

    @property
    def findings(self) -> tuple[str, ...]:
        """What should not be: where kernels and NumPy, or the steps and the plain call, differ."""
        self._compare_with_call()
        return tuple(text for level in self._levels for text in level.findings)

    @property
    def bytes(self) -> int:
        """The bytes of all values that are kept for going back: at most `budget`, if what one step needs fits."""
        return sum(level.bytes for level in self._levels)

    def _locate(self, v: Variable) -> tuple[Level, Variable] | None:
        """The innermost level that has `v`, or what became of it, as its own variable; None if it is gone."""
        for level in reversed(self._levels):
            if level.born(v) is not None:
                return level, v
        forms = self._written.forms(v)
        for level in reversed(self._levels):
            for form in reversed(forms):
                same = level.kin.find(form)
                if same is not None:
                    return level, same
        return None

    # -- being followed --

    def listen(self, heard: Callable[[], object]) -> Callable[[], None]:
        """Call `heard` after each move, and when breakpoints or watches change; what is returned ends that.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> s = graphlab.function([x], T.exp(x).sum()).debug([0.0, 0.0])
        >>> stop = s.listen(lambda: print("before step", s.position))
        >>> s = s.step()
        before step 1
        >>> stop()
        >>> s = s.back()
        """
        self._listeners.append(heard)
        return lambda: self._listeners.remove(heard) if heard in self._listeners else None

    def _tell(self) -> None:
        """Questions, which move the session for a while, tell nobody."""
        for heard in tuple(self._listeners):
            heard()

    # -- moving --

    def step(self) -> Self:
        """Run one step."""
        return self._go(min(self.position + 1, len(self.steps)))

    def back(self) -> Self:
        """Go back by one step."""
        return self.goto(max(self.position - 1, 0))

    def finish(self) -> Self:
        """Run to the end of the level it stands in, whatever breakpoints say."""
        return self.goto(len(self.steps))

    @user_boundary
    def goto(self, position: int) -> Self:
        """Stand before step `position`: what ran later is put out of sight, what is missing is run."""
        if not 0 <= position <= len(self.steps):
            raise GraphIndexError(
                f"there is no position {position}: there are {len(self.steps)} steps", origin=caller_origin()
            )
        self._go(position)
        if self.here is None:
            self._compare_with_call()
        return self

    def _go(self, position: int) -> Self:
        self.stopped, self.paused = "", ()
        try:
            self._move(position)
        finally:  # a move that fails may have been made in part
            self._tell()
        return self

    def _move(self, position: int) -> None:
        level, top = self.level, len(self._levels) == 1
        began = time.perf_counter()
        try:
            for step in level.goto(position):
                if top:
                    emit(StepRan(step.index, step.name, time.perf_counter() - began))
                note(self)
                began = time.perf_counter()
        except StepFailed:
            self.function.generalize()  # as the plain call does where an assumption fails, and begin again
            self._begin(self._arguments)
            self._move(position)
        note(self)

    @user_boundary
    def restart(self, *args: Any, **kwargs: Any) -> Self:
        """Begin again: with the same arguments, or with new ones. Breakpoints and watches stay."""
        self._begin(self.function.arguments(args, kwargs) if args or kwargs else self._arguments)
        self._tell()
        return self

    def _compare_with_call(self) -> None:
        """The plain, uninstrumented call must give the same outputs, bit for bit; asked once, when all steps have run.

        A single step to the end does not wait for it: whoever asks for findings does.
        """
        top = self._levels[0]
        if self._compared or self._machine is None or not isinstance(top, Run) or top.replay.ran < len(top.steps):
            return
        self._compared = True
        silent = any(n.op.effects for step in top.steps for n in step.nodes)  # they have had their effect
        muted = contextlib.redirect_stdout(io.StringIO()) if silent else contextlib.nullcontext()
        copies: dict[Variable, Array] = {v: a.copy() for v, a in self._written.given.items() if isinstance(v, Shared)}
        with muted, self._shared_as(copies):  # which may be written over
            plain = self._machine.call(self._arguments)
        for i, (v, other) in enumerate(zip(self._graph.outputs, plain, strict=False)):
            mine = top.find(v).value
            if mine.dtype != other.dtype or mine.shape != other.shape or mine.tobytes() != other.tobytes():
                top.findings.append(f"output {i}: the steps and the plain call differ")

    # -- going inside --

    @user_boundary
    def enter(self, x: Handle | None = None) -> Self:
        """Go inside the step that runs next: all moves and questions are then about what is inside; `leave` ends it.

        A fused kernel opens node by node (NumPy computes them from what the kernel reads), a loop turn by turn, a turn
        step by step, an ifelse into the branch that is taken, a symbolic function into its body. With `x`, the step or
        variable to go into: of what the optimiser opened or left out, as it was written, by NumPy.

        GraphValueError: there is nothing inside.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> s = graphlab.function([x], T.exp(2 * x).sum()).debug([0.0, 0.0]).enter()
        >>> [step.nodes[0].op.name for step in s.steps]
        ['multiply', 'exp', 'sum']
        >>> s.step().value(0)
        array([0., 0.])
        """
        step = self.here
        if isinstance(x, StepView | int) and not isinstance(x, bool):
            step = self.steps[x if isinstance(x, int) else x.index]
            self._move(step.index)
        elif x is not None:
            return self._open(variable_of(x, self._levels, self._written))
        if step is None:
            raise GraphValueError(
                "there is no step to go into: this is the end", origin=caller_origin(), hint="s.back()"
            )
        self._push(entered(self.level, step, self._programs, self._room()))
        return self

    def _open(self, v: Variable) -> Self:
        located = self._locate(v)
        step = self.level.steps[located[0].born(located[1]) or 0] if located and located[0] is self.level else None
        if step is not None and located is not None and is_same(located[1], v) and has_inside(step):
            return self.enter(step)
        if v.owner is None or not v.owner.op.graphs:
            raise GraphValueError(f"there is nothing inside {called(v)}", origin=caller_origin(),
                                  hint=OPEN)  # fmt: skip
        values = [look(self, u).value for u in v.owner.inputs]
        self._push(opened(v.owner, values, Programs(False), self._room(), {}))
        return self

    def _push(self, level: Level) -> None:
        self._levels.append(level)
        self.stopped = ""
        note(self)
        self._tell()

    def leave(self) -> Self:
        """Go back to the level outside: behind the step that was entered if all inside has run, else before it."""
        if len(self._levels) == 1:
            raise GraphValueError("the session stands in the function itself", origin=caller_origin(), hint="s.close()")
        done = self.here is None
        inner = self._levels.pop()
        self.level.findings += inner.findings
        if done:
            self._move(self.position + 1)
        self.stopped = ""
        self._tell()
        return self

    def _room(self) -> int:
        """The bytes that a level inside may have."""
        return max(self.budget - self.bytes, self.budget // 4)

    # -- leaving --

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *rest: object) -> None:
        self.close(commit=self.commit and kind is None)

    def close(self, commit: bool | None = None) -> None:
        """Leave the session; if `commit` (None: as it was opened) what is left runs, and the updates take effect."""
        if not (self.commit if commit is None else commit):
            return
        del self._levels[1:]
        self._move(len(self.steps))
        updated = self.function.updated
        values = [self.level.find(v).value for v in self._graph.outputs[len(self._graph.outputs) - len(updated) :]]
        for shared, value in zip(updated, values, strict=True):
            shared.cell[0] = value
