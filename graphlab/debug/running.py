"""Running on: step by step, until a breakpoint or a condition says stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.breakpoints import ODD, Breakpoint
from graphlab.debug.expressions import Expression, Unknown
from graphlab.debug.handles import names_of, variable_of
from graphlab.debug.looking import named_value
from graphlab.debug.schedule import StepView
from graphlab.errors import GraphIndexError, caller_origin
from graphlab.graph.node import Apply, Shared, Variable
from graphlab.graph.text import maths

if TYPE_CHECKING:
    from graphlab.debug.session import Session

Array = np.ndarray[Any, Any]
Goal = Callable[[], str]  # why to stop here, or ""


def run_on(session: Session, until: Any = None) -> None:
    """Run `session` to the next breakpoint, to where `until` says, or to the end; it says why it `stopped`."""
    goal = _goal(session, until)
    session.stopped = ""
    for b in session.breakpoints:
        if b.condition is not None and not b.placed:
            b.held = _holds(session, b.condition)
    if session.place == (0,) and (said := _given(session)):
        session.stopped = said
        return
    told = session.paused == session.place  # what stopped it here has done so
    said = ""
    while not said:
        step = session.here
        if step is None:  # a level is at its end: behind the step that it is inside of
            if session.depth == 1:
                said = "the end"
            else:
                session.leave()
                said = _behind(session, session.steps[session.position - 1]) or goal()
        elif not told and _opens(session, step):
            session.enter()
        elif not told and (said := _before(session, step)):
            session.paused = session.place
        else:
            told = False
            session._move(session.position + 1)
            said = _behind(session, step) or goal()
    session.stopped = said


def _opens(session: Session, step: StepView) -> bool:
    """Whether a breakpoint is inside of `step`, which is no kernel: loops, then their turns, branches and calls open.

    One that asks for values is asked behind each turn, without entering it.
    """
    placed = [b for b in session.breakpoints if b.enabled and b.placed]
    if step.kind == "turn":
        return any((not b.tests and b.nodes(step.nodes, step.name)) or b.inside(step.nodes) for b in placed)
    return any(b.inside(step.nodes) for b in placed)


def _goal(session: Session, until: Any) -> Goal:
    if until is None:
        return lambda: ""
    if isinstance(until, int) and not isinstance(until, bool):
        if not session.position <= until <= len(session.steps):
            raise GraphIndexError(
                f"run can't get to position {until} from {session.position}: there are {len(session.steps)} steps",
                origin=caller_origin(), hint="s.goto goes back",
            )  # fmt: skip
        return lambda: f"position {until}" if session.position == until else ""
    if isinstance(until, str) and until not in names_of(session._levels, session._written):
        expression = Expression.of(until, session._names)
        return lambda: until if _holds(session, expression) else ""
    if callable(until) and not isinstance(until, Variable):
        return lambda: getattr(until, "__name__", "until") if until(session) else ""
    v = variable_of(until, session._levels, session._written)
    name = v.name or maths(v, limit=40)
    return lambda: f"{name} is computed" if session.known(v) else ""


def _given(session: Session) -> str:
    """What breakpoints of no place say of the arguments, once."""
    top = session._levels[0]
    for b in session.breakpoints:
        if not b.enabled or b.test is None or b.placed or b.held:
            continue
        b.held = True
        for v, value in getattr(top, "given", {}).items():
            if isinstance(v, Shared) or v in session.function.inputs:
                if b.test(value):
                    b.hits += 1
                    kind = "shared variable" if isinstance(v, Shared) else "argument"
                    return f"breakpoint {b.number}: the {kind} {v.name or '(unnamed)'} has {b.when}{_first(value, b)}"
    return ""


def _before(session: Session, step: StepView) -> str:
    """What stops before `step`: a breakpoint at one of its nodes that asks for nothing."""
    if step.kind == "turn":
        return ""
    for b in session.breakpoints:
        if b.enabled and not b.tests and b.nodes(step.nodes, step.name):
            b.hits += 1
            return f"breakpoint {b.number}: {b.place}"
    return ""


def _behind(session: Session, step: StepView) -> str:
    """What stops behind `step`: a breakpoint whose test its values pass."""
    for b in session.breakpoints:
        if not b.enabled or not b.tests:
            continue
        said = _at_place(session, step, b) if b.placed else _anywhere(session, step, b)
        if said:
            b.hits += 1
            return f"breakpoint {b.number}: {said}"
    return ""


def _at_place(session: Session, step: StepView, b: Breakpoint) -> str:
    nodes = b.nodes(step.nodes, step.name)
    made = step.outputs if b.kernel and nodes else [v for n in nodes for v in n.outputs]
    for v in made:
        value = session.level.find(v).value
        if b.test is not None and not np.any(b.test(value)):
            continue
        if b.condition is not None and not _holds(session, b.condition, value):
            continue
        what = f": {b.condition.text}" if b.condition is not None else _made(value, b)
        return f"{v.owner.op.name if v.owner else b.place}{what}"
    return ""


def _anywhere(session: Session, step: StepView, b: Breakpoint) -> str:
    if b.condition is not None:
        before, b.held = b.held, _holds(session, b.condition)
        if before or not b.held:
            return ""
    if b.test is None:
        return b.condition.text if b.condition is not None else ""
    find = session.level.find
    made = next((v for v in step.outputs if b.test(find(v).value)), None)
    if made is None or any(b.test(find(v).value) for v in step.inputs):
        return ""
    node, value = _culprit(session, step.nodes, b) or (made.owner, find(made).value)
    line = next(iter(node.provenance.origins), None) if node is not None else None
    where = f", {line.label}" if line is not None else ""
    return f"{node.op.name if node is not None else step.name}{_made(value, b)}{where}"


def _culprit(session: Session, nodes: Sequence[Apply], b: Breakpoint) -> tuple[Apply, Array] | None:
    """The first of `nodes` that made it of operands that have none."""
    if b.test is None or len(nodes) < 2:
        return None
    for node in nodes:
        for v in node.outputs:
            value = session.level.find(v).value
            if b.test(value) and not any(b.test(session.level.find(u).value) for u in node.inputs):
                return node, value
    return None


def _made(value: Array, b: Breakpoint) -> str:
    """What is said of a value that passed a test."""
    return f" made {b.when}{_first(value, b)}" if b.when in ODD else f": {b.when} holds"


def _first(value: Array, b: Breakpoint) -> str:
    """The first element that is so, where it can be said."""
    odd = {"nan": np.isnan, "inf": np.isinf}.get(b.when)
    if odd is None or value.ndim == 0 or value.dtype.kind not in "fc":
        return ""
    index = np.unravel_index(int(np.argmax(odd(value))), value.shape)
    return f" at ({', '.join(map(str, index))}{',' if len(index) == 1 else ''})"


def _holds(session: Session, expression: Expression, value: Array | None = None) -> bool:
    def lookup(name: str) -> Any:
        return value if name == "value" and value is not None else named_value(session, name)

    try:
        return expression.holds(lookup)
    except Unknown:
        return False


__all__ = ["run_on"]
