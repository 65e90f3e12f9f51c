"""A session: the compiled program, run one step at a time on real values, forward and back, and what it can be asked.

Each question is a function of its own beside this file; here is how they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np

from graphlab.callable import Function
from graphlab.debug.breakpoints import Breakpoint, Breakpoints, Test
from graphlab.debug.compare import Parted, compare
from graphlab.debug.console import interact
from graphlab.debug.element import Element
from graphlab.debug.exact import Exact, exact
from graphlab.debug.expressions import Expression, Unknown
from graphlab.debug.flow import Flow, gradient_flow
from graphlab.debug.handles import Handle, names_of, variable_of
from graphlab.debug.looking import (
    Seen,
    c_here,
    checked,
    element_of,
    is_known,
    look,
    named_value,
    note,
    path,
    standing,
    where_is,
)
from graphlab.debug.origin import Arose, origin
from graphlab.debug.placing import applications, breakpoint_at
from graphlab.debug.running import run_on
from graphlab.debug.schedule import StepView
from graphlab.debug.shadow import Shadow, shadow
from graphlab.debug.show import Text, called, source
from graphlab.debug.statistics import Statistics, statistics
from graphlab.debug.travel import Travel
from graphlab.debug.watches import Watch
from graphlab.errors import GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.graph.node import Apply, Variable

Array = np.ndarray[Any, Any]

BUDGET = 1 << 30  # bytes
SETTINGS = ("break_on", "budget", "commit")


@user_boundaries
class Session(Travel):
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
        super().__init__(function, function.arguments(args, kwargs or {}), budget, commit)
        self.breakpoints = Breakpoints(self._tell)
        if break_on is not None:
            self.break_at(when=break_on)
            self.run()

    # -- looking --

    def known(self, x: Handle) -> bool:
        """Whether `x` has been computed at this position, by a step or inside of one."""
        found = self._locate(variable_of(x, self._levels, self._written))
        return found is not None and is_known(*found)

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
        return look(self, x)

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
        try:
            run_on(self, until)
            if self.here is None:
                self._compare_with_call()
        finally:
            self._tell()
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
        rule: Any = None,
    ) -> Breakpoint:
        """Let `run` stop at a place, where values are such, or both.

        Places: applications of `op`, what computes `node`, what a `line` (12, or "file.py:12") of yours became, a
        `kernel` (its number, name, or itself), what a rewrite `rule` (its name, or itself) has made. Of values: `when`
        is "nan", "inf" or a function of an array; `condition` an expression over named values, `value` being that of
        the place. With a place, the values it makes are asked; without, "nan" and "inf" stop where they arise, in none
        of the operands, and a condition where it begins to hold. What only has a place stops before its step, what
        asks for values behind it.

        GraphValueError: there is no such thing in the program.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> s = graphlab.function([x], T.log(x).sum()).debug([1.0, -1.0])
        >>> s.break_at(op="log", when="nan")
        0: log when nan  (hit 0 times)
        >>> print(s.run().stopped)
        breakpoint 0: log made nan at (1,)
        """
        return breakpoint_at(self, (op, node, line, kernel, rule), when, condition)

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
        note(self, [watch])
        self._tell()
        return watch

    def unwatch(self, which: Watch | int) -> None:
        """Watch it no more; a number is the position in `watches`."""
        self.watches.remove(self.watches[which] if isinstance(which, int) else which)
        self._tell()

    @user_boundary
    def evaluate(self, expression: str) -> Any:
        """The value of an expression over named values, at the position; GraphValueError if there is none yet."""
        try:
            return Expression.of(expression, self._names).value(lambda name: named_value(self, name))
        except Unknown as unknown:
            raise GraphValueError(f"{unknown} is not computed yet", origin=caller_origin()) from None

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
        if other and isinstance(other[0], Session):
            return compare(self, other[0], tolerance)
        with self._shared_as(self._written.given):  # only the arguments are others, whatever was called since
            return compare(self, Session(self.function, other, named), tolerance)

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
        if x is not None:
            return exact(self, x, element, digits)
        if self._shadow is None:  # it is of the whole run, wherever the session stands
            self._shadow = shadow(self)
        return self._shadow

    def gradient_flow(self) -> Flow:
        """The size of the gradients, layer by layer, and whether they vanish or explode; see debug/flow.py."""
        return gradient_flow(self)

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
