"""Where a session stands and what it sees there: the steps around, lines, C, and the arithmetic of one element."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.element import Element, element
from graphlab.debug.expressions import Unknown
from graphlab.debug.handles import Handle, variable_of
from graphlab.debug.levels import Level, Run
from graphlab.debug.opening import Turns
from graphlab.debug.show import Text, around, c_of, called, where
from graphlab.debug.watches import Watch, short
from graphlab.errors import GraphIndexError, GraphValueError, caller_origin
from graphlab.graph.node import Apply, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import toposort

if TYPE_CHECKING:
    from graphlab.debug.session import Session
    from graphlab.debug.travel import Travel

Array = np.ndarray[Any, Any]
Index = tuple[int, ...]


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


def is_same(form: Variable, v: Variable) -> bool:
    """Whether `form` is `v`, or a copy of it on other inputs, and no other expression."""
    if form is v or form.owner is None or v.owner is None:
        return form is v
    return form.owner.provenance is v.owner.provenance


def is_known(level: Level, v: Variable) -> bool:
    """Whether `v` is of `level`, and computed at its position."""
    k = level.born(v)
    return k is not None and k < level.position


def look(session: Travel, x: Handle) -> Seen:
    """The value of `x` now, and how it was come by; see Session.value."""
    v = variable_of(x, session._levels, session._written)
    located = session._locate(v)
    if located is not None and is_known(*located):
        level, form = located
        found = level.find(form)
        if not is_same(form, v):
            found = replace(found, how=found.how or f"the program has it as {maths(form, limit=60)}")
    elif located is not None and is_same(located[1], v):
        level, k = located[0], located[0].born(located[1]) or 0
        raise GraphValueError(
            f"{v.name or 'the variable'} is computed by step {k}; the session stands before step {level.position}",
            origin=caller_origin(),
            hint=f"s.goto({k + 1})",
        )
    else:
        found = session._written.compute(v)
    return Seen(v, found.value, found.step, found.how, found.recomputed)


def named_value(session: Travel, name: str) -> Array:
    """The value of what is called `name`; Unknown if it has none at the position."""
    try:
        return look(session, name).value
    except GraphValueError:
        raise Unknown(name) from None


def note(session: Travel, watches: Sequence[Watch] | None = None) -> None:
    """Let watches (by default all) take down what they have here."""
    for watch in session.watches if watches is None else watches:
        with contextlib.suppress(Unknown, GraphValueError):
            watch.note(session.place, watch.expression.value(lambda name: named_value(session, name)))


def path(session: Session) -> str:
    """Where it stands, in words, the innermost level first."""
    return " in ".join(level.title for level in reversed(session._levels))


def standing(session: Session) -> str:
    """Where it stands, with ten steps around, watches, the element, and what stopped it."""
    n, at, here = len(session.steps), session.position, session.here
    place = f"before step {at} of {n}" if at < n else f"at the end, behind {n} step{'' if n == 1 else 's'}"
    lines = [f"> {path(session)}: {place}"]
    if here is not None:
        lines += [f"> {origin.label}: {origin.text}" for origin in here.origins[:1] if origin.text]
    lines += around(session.level)
    lines += [f"watch: {watch}" for watch in session.watches]
    with contextlib.suppress(GraphValueError):
        lines += [f"element: {line}" for line in str(session.element or "").splitlines()]
    lines += [f"stopped: {session.stopped}"] if session.stopped else []
    return "\n".join([*lines, *(f"finding: {f}" for f in session.findings)])


def where_is(session: Session, x: Handle | None) -> Text:
    """The lines of `x`, else of the step that runs next."""
    if x is None:
        step, told = session._at(), "runs next" if session.here is not None else "was the last"
        return where(step.nodes, f"step {step.index}, {step.name}, of {path(session)}: {told}")
    v = variable_of(x, session._levels, session._written)
    located = session._locate(v)
    v = v if located is None else located[1]
    if v.owner is None:
        return Text(f"{called(v)} is given{f', {v.origin.label}: {v.origin.text}' if v.origin else ''}")
    return where([v.owner], f"{called(v)}, {path(session)}")


def c_here(session: Session) -> Text:
    """The C of the step that runs next in the innermost level that has any."""

    def shown(v: Variable) -> str:
        located = session._locate(v)
        if located is None or not is_known(*located):
            return "not computed yet"
        return short(located[0].find(located[1]).value, 50)

    for level in reversed(session._levels):
        if isinstance(level, Run) and level.lowered is not None and level.code is not None and level.steps:
            step = level.steps[min(level.position, len(level.steps) - 1)]
            return c_of(step, level.lowered, level.code, shown)
    return Text("there is no C: NumPy runs this function")


# ---- one element ---------------------------------------------------------------------------------


def element_of(session: Session, v: Variable, index: Index) -> Element | None:
    """Element `index` of `v`, from what its step reads; None if the value has another rank."""
    located = session._locate(v)
    if located is None or not is_known(*located):
        written = session._written
        nodes = toposort([v], session.function.inputs)
        return element(v, index, nodes, nodes, _given_to(nodes), lambda u: written.compute(u).value)
    level, form = located
    if level.find(form).value.ndim != len(index):
        return None
    k = level.born(form)
    own = level.steps[k].nodes if k is not None and k >= 0 else ()
    behind = [n for s in level.steps[: (k or 0) + 1] for n in s.nodes] if not isinstance(level, Turns) else own
    return element(form, index, own, behind, _given_to(behind), lambda u: level.find(u).value)


def _given_to(nodes: Sequence[Apply]) -> list[Variable]:
    """What `nodes` read and do not make."""
    made = {v for n in nodes for v in n.outputs}
    return [v for v in dict.fromkeys(u for n in nodes for u in n.inputs) if v not in made]


def checked(index: Index, shape: tuple[int, ...], name: str) -> Index:
    """`index` with negative numbers counted from the end; GraphIndexError if there is no such element."""
    if len(index) != len(shape) or any(not -n <= i < n for i, n in zip(index, shape, strict=False)):
        raise GraphIndexError(f"there is no element {index}: {name} has shape {shape}", origin=caller_origin())
    return tuple(i % n for i, n in zip(index, shape, strict=True))
