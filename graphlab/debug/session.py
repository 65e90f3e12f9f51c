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
from typing import Any

import numpy as np

from graphlab.debug.breakpoints import ODD, Breakpoint, Breakpoints, Test, place_of
from graphlab.debug.compare import Parted, compare
from graphlab.debug.expressions import Expression, Unknown
from graphlab.debug.handles import Handle, Kin, Written, names_of, variable_of
from graphlab.debug.levels import Level, node_level, program_level
from graphlab.debug.origin import Arose, origin
from graphlab.debug.running import run_on
from graphlab.debug.schedule import StepView
from graphlab.debug.statistics import Statistics, statistics
from graphlab.debug.watches import Watch, short
from graphlab.errors import GraphIndexError, GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.function import Function
from graphlab.graph.events import StepRan, emit
from graphlab.graph.node import Apply, Constant, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import leaves, toposort
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
        with self._shared_as(given):
            top = (
                node_level(f.name, graph, given, self.budget)
                if self._lowered is None or self._machine is None
                else program_level(f.name, self._lowered, self._machine, given, self.budget)
            )
        self._levels: list[Level] = [top]

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
                for watch in self.watches:
                    self._note(watch)
                began = time.perf_counter()
        except StepFailed:
            self.function.generalize()  # as the plain call does where an assumption fails, and begin again
            self._begin(self._arguments)
            self._move(position)
        for watch in self.watches:
            self._note(watch)

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
        return found is not None and _is_known(*found)

    def _locate(self, v: Variable) -> tuple[Level, Variable] | None:
        """The innermost level that has `v`, or what became of it, as its own variable; None if it is gone."""
        for level in reversed(self._levels):
            if level.born(v) is not None:
                return level, v
        forms = self._written.forms(v)
        for level in reversed(self._levels):
            kin = self._kin(level)
            for form in reversed(forms):
                same = kin.find(form)
                if same is not None:
                    return level, same
        return None

    def _kin(self, level: Level) -> Kin:
        known: Kin | None = getattr(level, "kin", None)
        if known is None:
            known = Kin(level.variables())
            level.kin = known  # type: ignore[attr-defined]
        return known

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
        if located is not None and _is_known(*located):
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
        place, matches, name = place_of(op, node, line, kernel, self._alike)
        if name is not None:
            matches, name = self._kernel(name)
        if matches is not None and not any(map(matches, self._applications())):
            raise GraphValueError(f"nothing in this program is {place}", origin=caller_origin(),
                                  hint="print(s) lists its steps; what was optimised away can't stop it")  # fmt: skip
        if isinstance(when, str) and when not in ODD:
            raise GraphValueError(f"when={when!r} is unknown", origin=caller_origin(),
                                  hint='it is "nan", "inf" or a function of an array')  # fmt: skip
        test = ODD[when] if isinstance(when, str) else when
        said = when if isinstance(when, str) else getattr(when, "__name__", "a function holds") if when else ""
        asked = None if condition is None else Expression.of(condition, lambda n: n == "value" or self._names(n))
        if matches is None and name is None and test is None and asked is None:
            raise GraphValueError("break_at needs a place, when= or condition=", origin=caller_origin(),
                                  hint='s.break_at(op="log"), s.break_at(when="nan")')  # fmt: skip
        return self.breakpoints.add(place, matches=matches, kernel=name, when=said, test=test, condition=asked)

    def _alike(self, v: Variable) -> Callable[[Apply], bool]:
        forms = Kin(form for form in self._written.forms(v))
        return lambda n: any(forms.find(out) is not None for out in n.outputs)

    def _kernel(self, name: str) -> tuple[Callable[[Apply], bool] | None, str | None]:
        """The place of a kernel: by its name where it is a step, else - in a loop - by what it computes."""
        if any(step.name == name for step in self._levels[0].steps):
            return None, name
        found = next((k for k in self.function.kernels if k.name == name), None)
        if found is None:
            raise GraphValueError(f"there is no {name}", origin=caller_origin(), hint="f.kernels lists them")
        return self._alike(found.nodes[0].outputs[0]), None

    def _applications(self) -> Iterator[Apply]:
        """All that the program computes, in loops, branches and symbolic functions too."""
        pending = [self._graph]
        while pending:
            graph = pending.pop()
            for node in toposort(graph.outputs, graph.inputs):
                yield node
                pending += node.op.graphs

    def _names(self, name: str) -> bool:
        return name in names_of(self._levels, self._written) or any(
            v.name == name for n in self._applications() for v in (*n.inputs, *n.outputs)
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

    # -- asking --

    def origin(self, x: Any = None, kind: str | None = None, element: Sequence[int] | None = None) -> Arose:
        """The first operation that made a NaN or infinity (`kind`; None: either) that `x` has: see debug/origin.py.

        `x`: a variable, by default the first output that has one; `element`: by default the first that is one.
        """
        return origin(self, x, kind, element)

    def compare(self, *other: Any, tolerance: float = 0.0, **named: Any) -> Parted:
        """The first value that is another in a run on other arguments, or in another session; see debug/compare.py.

        `tolerance`: how far values may be apart, as a part of the largest.
        """
        session = other[0] if other and isinstance(other[0], Session) else Session(self.function, other, named)
        return compare(self, session, tolerance)

    # -- text --

    def __str__(self) -> str:
        """The steps around the position, with the values that are known."""
        first = max(0, self.position - 5)
        lines = [f"{self.function.name}: before step {self.position} of {len(self.steps)}"]
        for s in self.steps[first : first + 10]:
            lines.append(("-> " if s.index == self.position else "   ") + str(s))
            if s.index < self.position:
                lines += [f"         {called(v)} = {short(self.value(v))}" for v in s.outputs]
        lines += [f"watch: {watch}" for watch in self.watches]
        lines += [f"stopped: {self.stopped}"] if self.stopped else []
        return "\n".join([*lines, *(f"finding: {f}" for f in self.findings)])

    def __repr__(self) -> str:
        return f"<session of {self.function.name}: before step {self.position} of {len(self.steps)}>"


def _is_known(level: Level, v: Variable) -> bool:
    k = level.born(v)
    return k is not None and k < level.position


def _is_same(form: Variable, v: Variable) -> bool:
    """Whether `form` is `v`, or a copy of it on other inputs, and no other expression."""
    if form is v or form.owner is None or v.owner is None:
        return form is v
    return form.owner.provenance is v.owner.provenance


def called(v: Variable) -> str:
    """The name of a variable, or what it is made by."""
    if v.name:
        return v.name
    return maths(v) if isinstance(v, Constant) else v.owner.op.name if v.owner is not None else "unnamed"
