"""A session: the compiled program, run one step at a time on real values, forward and back.

The steps are those of the compiled program itself: each runs its own C. Inside a fused kernel the
original nodes are evaluated by the interpreter from the kernel's own inputs, and what the kernel
wrote is compared with them; differences are findings. Shared variables stay as they are.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from graphlab.codegen.c import Source
from graphlab.codegen.c import emit as printed
from graphlab.debug.breakpoints import Breakpoint, Breakpoints, Test
from graphlab.debug.compare import Parted, compare
from graphlab.debug.console import interact
from graphlab.debug.element import Element
from graphlab.debug.exact import Exact, exact
from graphlab.debug.expressions import Expression, Unknown
from graphlab.debug.flow import Flow, gradient_flow
from graphlab.debug.handles import Handle, Written, names_of, variable_of
from graphlab.debug.levels import Level, node_level, program_level
from graphlab.debug.looking import c_here, checked, element_of, is_known, path, standing, where_is
from graphlab.debug.opening import OPEN, Programs, entered, has_inside, opened
from graphlab.debug.origin import Arose, origin
from graphlab.debug.placing import applications, breakpoint_at
from graphlab.debug.running import run_on
from graphlab.debug.schedule import StepView
from graphlab.debug.shadow import Shadow, shadow
from graphlab.debug.show import Text, called, source
from graphlab.debug.statistics import Statistics, statistics
from graphlab.debug.watches import Watch, short
from graphlab.errors import GraphIndexError, GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.function import Function
from graphlab.graph.events import StepRan, emit
from graphlab.graph.node import Apply, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import leaves, toposort
from graphlab.lower import Lowered
from graphlab.runtime.program import StepFailed

Array = np.ndarray[Any, Any]

BUDGET = 1 << 30  # bytes
SETTINGS = ("break_on", "budget", "commit")


@dataclass(frozen=True)
class Seen:
    """A value as a session shows it: of which variable, from which step, and how it was come by.

    `recomputed`: no step had it ready, and it was computed for this look. `how` says in what way, or in which form
    the program has it; "" where it is just what the step wrote.
    """

    variable: Variable
    value: Array
    step: int | None
    how: str
    recomputed: bool

    def __str__(self) -> str:
        where = "" if self.step is None or self.step < 0 else f"  of step {self.step}"
        note = f"  ({self.how})" if self.how else ""
        return f"{called(self.variable)} = {short(self.value)}{where}{note}"


@user_boundaries
class Session:
    """An evaluation of `function` on fixed arguments, paused between steps.

    `budget`: how many bytes of values are kept for going back; what goes beyond is computed again when it is asked
    for. `break_on`: "nan" or "inf": run at once to where one arises. `commit`: updates of shared variables take
    effect when the session is closed; without it they never do. (As keywords of `f.debug` the three are taken for
    inputs if the function has inputs of these names.)

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> s = graphlab.function([x], T.exp(x).sum()).debug([0.0, 0.0])
    >>> s.finish().outputs
    [array(2.)]
    """

    def __init__(
        self,
        function: Function,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        break_on: str | None = None,
        budget: int = BUDGET,
        commit: bool = False,
    ) -> None:
        self.function, self.budget, self.commit = function, budget, commit
        self.breakpoints = Breakpoints()
        self.watches: list[Watch] = []
        self._begin(function.arguments(args, kwargs or {}))
        if break_on is not None:
            self.break_at(when=break_on)
            self.run()

    def _begin(self, arrays: Sequence[Array]) -> None:
        f = self.function
        self.stopped, self.paused = "", tuple[int, ...]()
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
        self._levels: list[Level] = [top]
        self._focus: tuple[Handle | None, tuple[int, ...]] | None = None

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
    def findings(self) -> tuple[str, ...]:
        """What should not be: where kernels and NumPy, or the steps and the plain call, differ."""
        return tuple(text for level in self._levels for text in level.findings)

    @property
    def bytes(self) -> int:
        """The bytes of all values that are kept for going back: at most `budget`, if what one step needs fits."""
        return sum(level.bytes for level in self._levels)

    # -- moving --

    def step(self) -> Session:
        """Run one step."""
        return self.goto(min(self.position + 1, len(self.steps)))

    def back(self) -> Session:
        """Go back by one step."""
        return self.goto(max(self.position - 1, 0))

    def finish(self) -> Session:
        """Run to the end of the level it stands in, whatever breakpoints say."""
        return self.goto(len(self.steps))

    @user_boundary
    def goto(self, position: int) -> Session:
        """Stand before step `position`: what ran later is put out of sight, what is missing is run."""
        if not 0 <= position <= len(self.steps):
            raise GraphIndexError(
                f"there is no position {position}: there are {len(self.steps)} steps", origin=caller_origin()
            )
        self.stopped, self.paused = "", ()
        self._move(position)
        return self

    def _move(self, position: int) -> None:
        level, top = self.level, len(self._levels) == 1
        began = time.perf_counter()
        try:
            for step in level.goto(position):
                if top:
                    emit(StepRan(step.index, step.name, time.perf_counter() - began))
                    if step.index + 1 == len(level.steps):
                        self._compare_with_call()
                self._note_all()
                began = time.perf_counter()
        except StepFailed:
            self.function.generalize()  # as the plain call does where an assumption fails, and begin again
            self._begin(self._arguments)
            self._move(position)
        self._note_all()

    @user_boundary
    def restart(self, *args: Any, **kwargs: Any) -> Session:
        """Begin again: with the same arguments, or with new ones. Breakpoints and watches stay."""
        self._begin(self.function.arguments(args, kwargs) if args or kwargs else self._arguments)
        return self

    def _compare_with_call(self) -> None:
        """The plain, uninstrumented call must give the same outputs, bit for bit."""
        if self._machine is None:
            return
        top = self._levels[0]
        silent = any(n.op.effects for n in toposort(self._graph.outputs))  # they have had their effect
        with self._shared_as(self._written.given), contextlib.redirect_stdout(io.StringIO()) if silent else (
            contextlib.nullcontext()
        ):  # fmt: skip
            copies: dict[Variable, Array] = {
                v: a.copy() for v, a in self._written.given.items() if isinstance(v, Shared)
            }
            with self._shared_as(copies):  # which may be written over
                plain = self._machine.call(self._arguments)
        for i, (v, other) in enumerate(zip(self._graph.outputs, plain, strict=False)):
            mine = top.find(v).value
            if mine.dtype != other.dtype or mine.shape != other.shape or mine.tobytes() != other.tobytes():
                top.findings.append(f"output {i}: the steps and the plain call differ")

    # -- leaving --

    def __enter__(self) -> Session:
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

    # -- looking --

    def known(self, x: Handle) -> bool:
        """Whether `x` has been computed at this position, by a step or inside of one."""
        found = self._locate(variable_of(x, self._levels, self._written))
        return found is not None and is_known(*found)

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

    @user_boundary
    def look(self, x: Handle) -> Seen:
        """The value of `x` now, and how it was come by; see `value`.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> y = T.log(1 + x)
        >>> s = graphlab.function([x], 2 * y).debug([0.0, 0.0])
        >>> s.look(y).how
        'optimised away: NumPy computed it from the graph as written'
        """
        v = variable_of(x, self._levels, self._written)
        located = self._locate(v)
        if located is not None and is_known(*located):
            level, form = located
            found = level.find(form)
            if not _is_same(form, v):
                found = replace(found, how=found.how or f"the program has it as {maths(form, limit=60)}")
        elif located is not None and _is_same(located[1], v):
            level, k = located[0], located[0].born(located[1]) or 0
            raise GraphValueError(
                f"{v.name or 'the variable'} is computed by step {k}; the session stands before step {level.position}",
                origin=caller_origin(),
                hint=f"s.goto({k + 1})",
            )
        else:
            found = self._written.compute(v)
        return Seen(v, found.value, found.step, found.how, found.recomputed)

    @user_boundary
    def value(self, x: Handle) -> Array:
        """The value of `x` now: of a variable or application, of what has a name, or of what step `x` writes first.

        What was optimised away is recomputed by the interpreter, what was beyond the budget by its steps: `look`
        says so. GraphValueError if it belongs to the program but its step has not run yet.
        """
        return self.look(x).value

    def stats(self, x: Handle) -> Statistics:
        """The statistics of `value(x)`, with a histogram."""
        return statistics(self.value(x), bins=10)

    @property
    def outputs(self) -> list[Array]:
        """The function's results; GraphValueError before the end."""
        visible = len(self.function.graph.outputs) - len(self.function.updated)
        return [self.value(v) for v in self._graph.outputs[:visible]]

    # -- stopping --

    @user_boundary
    def run(self, until: Handle | Callable[[Session], Any] | None = None) -> Session:
        """Run on, to the next breakpoint or the end; `stopped` says what it was that stopped it.

        `until`: a position; a variable, a name or an application, to stop behind its step; an expression over named
        values, such as "loss > 10", or a function of the session, to stop where it holds.
        """
        run_on(self, until)
        return self

    @user_boundary
    def break_at(
        self,
        op: str | Any = None,
        node: Variable | Apply | None = None,
        line: int | str | None = None,
        kernel: Any = None,
        when: str | Test | None = None,
        condition: str | None = None,
    ) -> Breakpoint:
        """Let `run` stop at a place, where values are such, or both.

        Places: applications of `op`, what computes `node`, what a `line` (12, or "file.py:12") of yours became, a
        `kernel` (its number, name, or itself). Of values: `when` is "nan", "inf" or a function of an array;
        `condition` an expression over named values, `value` being that of the place. With a place, the values it makes
        are asked; without, "nan" and "inf" stop where they arise, in none of the operands, and a condition where it
        begins to hold. What only has a place stops before its step, what asks for values behind it.

        GraphValueError: there is no such thing in the program.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> s = graphlab.function([x], T.log(x).sum()).debug([1.0, -1.0])
        >>> s.break_at(op="log", when="nan")
        0: log when nan  (hit 0 times)
        >>> print(s.run().stopped)
        breakpoint 0: log made nan at (1,)
        """
        return breakpoint_at(self, (op, node, line, kernel), when, condition)

    def has_op(self, name: str) -> bool:
        """Whether the program has applications of an op of this name."""
        return any(n.op.name == name for n in applications(self._graph))

    def has_name(self, name: str) -> bool:
        """Whether a value is called so."""
        return self._names(name)

    def named(self, name: str) -> Variable:
        """The variable called `name`; GraphValueError if there is none, or there are several."""
        return variable_of(name, self._levels, self._written)

    def _names(self, name: str) -> bool:
        return name in names_of(self._levels, self._written) or any(
            v.name == name for n in applications(self._graph) for v in (*n.inputs, *n.outputs)
        )

    # -- watching --

    @user_boundary
    def watch(self, expression: str) -> Watch:
        """Show the value of `expression`, over named values, at each stop; its `history` is kept over the steps.

        GraphValueError: it names what there is not.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> s = graphlab.function([x], T.exp(x).sum()).debug([0.0, 0.0])
        >>> s.watch("x.mean() + 1").history
        [((0,), np.float64(1.0))]
        """
        watch = Watch(Expression.of(expression, self._names))
        self.watches.append(watch)
        self._note(watch)
        return watch

    def unwatch(self, which: Watch | int) -> None:
        """Watch it no more; a number is the position in `watches`."""
        self.watches.remove(self.watches[which] if isinstance(which, int) else which)

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands: the position in each level, the outermost first."""
        return tuple(level.position for level in self._levels)

    def _note_all(self) -> None:
        for watch in self.watches:
            self._note(watch)

    def _note(self, watch: Watch) -> None:
        with contextlib.suppress(Unknown, GraphValueError):
            watch.note(self.place, watch.expression.value(self._named))

    @user_boundary
    def evaluate(self, expression: str) -> Any:
        """The value of an expression over named values, at the position; GraphValueError if there is none yet."""
        try:
            return Expression.of(expression, self._names).value(self._named)
        except Unknown as unknown:
            raise GraphValueError(f"{unknown} is not computed yet", origin=caller_origin()) from None

    def _named(self, name: str) -> Array:
        """The value of what is called `name`; Unknown if it has none at the position."""
        try:
            return self.look(name).value
        except GraphValueError:
            raise Unknown(name) from None

    # -- asking: of the whole run, whatever was entered --

    def origin(self, x: Handle | None = None, kind: str | None = None, element: Sequence[int] | None = None) -> Arose:
        """The first operation that made a NaN or infinity (`kind`; None: either) that `x` has: see debug/origin.py.

        `x`: by default the first output that has one; `element`: by default the first that is one.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> y = T.log(x)
        >>> s = graphlab.function([x], (y * y)[::-1].sum()).debug([1.0, -2.0, 3.0])
        >>> found = s.origin()
        >>> found.node.op.name, found.element, found.operands[0].value
        ('log', (1,), np.float64(-2.0))
        """
        return origin(self, x, kind, element)

    def compare(self, *other: Any, tolerance: float = 0.0, **named: Any) -> Parted:
        """The first value that is another in a run on other arguments, or in another session; see debug/compare.py.

        `tolerance`: how far values may be apart, as a part of the largest.
        """
        session = other[0] if other and isinstance(other[0], Session) else Session(self.function, other, named)
        return compare(self, session, tolerance)

    @overload
    def shadow(self) -> Shadow: ...
    @overload
    def shadow(self, x: Handle, element: tuple[int, ...] | None = None, digits: int = 50) -> Exact: ...
    def shadow(
        self, x: Handle | None = None, element: tuple[int, ...] | None = None, digits: int = 50
    ) -> Shadow | Exact:
        """The run beside the same run in a wider format: which operations lose digits; see debug/shadow.py.

        With `x`, one `element` of it by mpmath, with so many decimal `digits`; see debug/exact.py.
        """
        return shadow(self) if x is None else exact(self, x, element, digits)

    def gradient_flow(self) -> Flow:
        """The size of the gradients, layer by layer, and whether they vanish or explode; see debug/flow.py."""
        return gradient_flow(self)

    # -- going inside --

    @property
    def depth(self) -> int:
        """In how many levels it stands: 1 is the function itself."""
        return len(self._levels)

    @user_boundary
    def enter(self, x: Handle | None = None) -> Session:
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

    def _open(self, v: Variable) -> Session:
        located = self._locate(v)
        step = self.level.steps[located[0].born(located[1]) or 0] if located and located[0] is self.level else None
        if step is not None and located is not None and _is_same(located[1], v) and has_inside(step):
            return self.enter(step)
        if v.owner is None or not v.owner.op.graphs:
            raise GraphValueError(f"there is nothing inside {called(v)}", origin=caller_origin(),
                                  hint=OPEN)  # fmt: skip
        values = [self.look(u).value for u in v.owner.inputs]
        self._push(opened(v.owner, values, Programs(False), self._room(), {}))
        return self

    def _push(self, level: Level) -> None:
        self._levels.append(level)
        self.stopped = ""
        self._note_all()

    def leave(self) -> Session:
        """Go back to the level outside: behind the step that was entered if all inside has run, else before it."""
        if len(self._levels) == 1:
            raise GraphValueError("the session stands in the function itself", origin=caller_origin(), hint="s.close()")
        done = self.here is None
        inner = self._levels.pop()
        self.level.findings += inner.findings
        if done:
            self._move(self.position + 1)
        self.stopped = ""
        return self

    def _room(self) -> int:
        """The bytes that a level inside may have."""
        return max(self.budget - self.bytes, self.budget // 4)

    # -- one element --

    @property
    def element(self) -> Element | None:
        """The element that is looked at, of the variable it was set for, else of what the last step wrote."""
        if self._focus is None:
            return None
        x, index = self._focus
        v = self._last() if x is None else variable_of(x, self._levels, self._written)
        return None if v is None else element_of(self, v, index)

    @element.setter
    def element(self, where: Any) -> None:
        self._focus = None
        if where is None:
            return
        x, index = (
            where if isinstance(where, tuple) and len(where) == 2 and isinstance(where[1], tuple) else (None, where)
        )
        index = tuple(int(k) for k in index) if isinstance(index, tuple | list) else (int(index),)
        v = self._last() if x is None else variable_of(x, self._levels, self._written)
        if v is None:
            raise GraphValueError("no step has run yet: of which variable is the element?", origin=caller_origin(),
                                  hint="s.element = (x, (3, 7))")  # fmt: skip
        self._focus = (x, checked(index, self.look(v).value.shape, called(v)))
        element_of(self, v, self._focus[1])

    def _last(self) -> Variable | None:
        """What the last step has written."""
        before = self.steps[self.position - 1].outputs if self.position else ()
        return before[0] if before else None

    # -- text --

    def where(self, x: Handle | None = None) -> Text:
        """The user's lines of `x`, else of the step that runs next; of gradients also the line that asked for them."""
        return where_is(self, x)

    def source(self, x: Handle | None = None) -> Text:
        """The user's file around the lines of `x`, else of the step that runs next, which are marked."""
        if x is None:
            return source(self._at().origins)
        owner = variable_of(x, self._levels, self._written).owner
        return source(owner.provenance.origins if owner is not None else ())

    def c(self) -> Text:
        """The C of the step that runs next, beside its lines what they compute, with values where there are any."""
        return c_here(self)

    def _at(self) -> StepView:
        """The step that runs next, the last one at the end."""
        if not len(self.steps):
            raise GraphValueError("there are no steps: the outputs are given", origin=caller_origin())
        return self.steps[min(self.position, len(self.steps) - 1)]

    def __str__(self) -> str:
        """Where it stands, with ten steps around, watches, the element, and what stopped it."""
        return standing(self)

    def __repr__(self) -> str:
        return f"<session of {path(self)}: before step {self.position} of {len(self.steps)}>"

    def interact(self, read: Callable[[str], str] = input, write: Callable[[str], Any] = print) -> None:
        """A small command line, in a terminal or in IPython: ? lists the commands, q leaves."""
        interact(self, read, write)


def _is_same(form: Variable, v: Variable) -> bool:
    """Whether `form` is `v`, or a copy of it on other inputs, and no other expression."""
    if form is v or form.owner is None or v.owner is None:
        return form is v
    return form.owner.provenance is v.owner.provenance
