"""What a question to a session is about: a place in its whole run, from the first step to the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from graphlab.debug.handles import AWAY, Handle, variable_of
from graphlab.debug.inside import Array, Place, Scope, computed
from graphlab.debug.levels import Level
from graphlab.debug.schedule import StepView
from graphlab.errors import GraphlabError, GraphValueError, caller_origin
from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.text import short
from graphlab.graph.walk import ancestors

if TYPE_CHECKING:
    from graphlab.debug.session import Session
    from graphlab.rewrite.verdicts import Checked


@contextmanager
def finished(session: Session) -> Iterator[None]:
    """Inside of the block the session stands at its end, or where it fails; afterwards where it stood."""
    levels, watches, position = session._levels, session.watches, session._levels[0].position
    session._levels, session.watches = levels[:1], []
    try:
        with suppress(GraphlabError):  # then the question is about what was computed before that
            session._move(len(session.steps))
        yield
    finally:
        session._move(position)
        if session._levels[0] is levels[0]:  # else an assumption did not hold, and the session began anew
            session._levels = levels
        session.watches = watches


def program(session: Session) -> Graph:
    """The graph that the session's steps compute."""
    return session._graph


def levels(session: Session) -> Sequence[Level]:
    """The levels in which it stands, the function itself first."""
    return session._levels


def schedule(session: Session) -> Sequence[StepView]:
    """All steps, whatever was entered."""
    return session._levels[0].steps


def arguments(session: Session) -> list[Array]:
    """The arguments of the call, in order."""
    return session._arguments


def whole(session: Session) -> Scope:
    """The run of the session's program."""
    known: dict[Variable, Array] = {}
    level, room, size = session._levels[0], session.budget // 4, 0

    def read(v: Variable) -> Array:
        nonlocal size
        if isinstance(v, Constant):
            return v.data
        if v not in known:
            value = level.find(v).value
            if size + value.nbytes > room:  # what is asked for again is found again
                known.clear()
                size = 0
            known[v] = value
            size += value.nbytes
        return known[v]

    return Scope(read, program(session).inputs)


def as_written(session: Session) -> Scope:
    """The run of the graph as the user wrote it, by NumPy, on the same arguments and shared values."""
    known = dict(session._written.given)
    known.update(zip(session.function.inputs, arguments(session), strict=True))
    return Scope(computed(known), session.function.inputs, note=AWAY)


def checked(session: Session) -> Checked:
    """The verdicts on all rewrites, on the arguments of the call and the shared values that it began with."""
    with session._shared_as(session._written.given):
        return session.function.trace.check(*arguments(session))


def place_of(session: Session, x: Handle) -> Place:
    """Where `x` is computed: in the program that runs, or if that has nothing in its place as the user wrote it.

    To be asked while the session is `finished`. GraphValueError: it is no part of the function; GraphTypeError: it
    stands for no value.
    """
    v = variable_of(x, session._levels, session._written)
    located = session._locate(v)
    if located is not None:
        return Place(whole(session), located[1])
    written = session._written.kin.find(v)
    if written is None or written not in set(ancestors((*session.function.graph.outputs, *session.function.inputs))):
        raise GraphValueError(f"{short(v) or 'the variable'} is no part of {session.function.name}",
                              origin=caller_origin(), hint="take a variable that its outputs were made of")  # fmt: skip
    return Place(as_written(session), written)
