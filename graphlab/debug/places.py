"""What a question to a session is about: a variable, a name, a node or a step as a place in its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphlab.debug.inside import Array, Place, Scope, computed
from graphlab.debug.questions import followed, made_of, roots
from graphlab.errors import GraphlabError, GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import short
from graphlab.graph.walk import ancestors, leaves, toposort
from graphlab.interpret import leaf_value
from graphlab.rewrite.replay import histories

if TYPE_CHECKING:
    from graphlab.debug.session import Session


@contextmanager
def finished(session: Session) -> Iterator[None]:
    """Inside of the block the session has run as far as it can; afterwards it stands where it stood."""
    position = session.position
    try:
        session.finish()
    except GraphlabError:
        pass  # the question is about what was computed before that
    try:
        yield
    finally:
        session.goto(position)


def program(session: Session) -> Graph:
    """The graph that the session's steps compute."""
    return session._graph


def arguments(session: Session) -> list[Array]:
    """The arguments of the call, in order."""
    return session._arguments


def whole(session: Session) -> Scope:
    """The run of the session's program."""
    known: dict[Variable, Array] = {}

    def read(v: Variable) -> Array:
        if v not in known:
            known[v] = v.data if isinstance(v, Constant) else session.value(v)
        return known[v]

    return Scope(read, program(session).inputs)


def as_written(session: Session) -> Scope:
    """The run of the graph as the user wrote it, by NumPy, on the same arguments and shared values."""
    graph, mine = session.function.graph, set(ancestors(program(session).outputs))
    known: dict[Variable, Array] = dict(zip(graph.inputs, arguments(session), strict=True))
    for v in leaves(graph.outputs, graph.inputs):
        if isinstance(v, Shared):
            known[v] = session.value(v) if v in mine else leaf_value(v, {})
    note = "in the graph as written, by NumPy: the program computes nothing in its place"
    return Scope(computed(known), graph.inputs, note=note)


def place_of(session: Session, x: Any) -> Place:
    """Where `x` is computed: in the program that runs, or if it has nothing that stands for `x` as the user wrote it.

    `x` is a variable, the name of one, an application (its first output), a step or the number of one.
    GraphTypeError: it is something else; GraphValueError: it is no part of the function.
    """
    v = _variable(session, x)
    there = set(ancestors(program(session).outputs))
    if v in there:
        return Place(whole(session), v)
    written = set(ancestors((*session.function.graph.outputs, *session.function.graph.inputs)))
    now = _now(session, v, there)
    if now is not None:
        return Place(whole(session), now)
    if v in written:
        return Place(as_written(session), v)
    raise GraphValueError(f"{short(v) or 'the variable'} is no part of {session.function.name}", origin=caller_origin(),
                          hint="take a variable that its outputs were made of")  # fmt: skip


def _variable(session: Session, x: Any) -> Variable:
    if isinstance(x, Variable):
        return x
    if isinstance(x, Apply):
        return x.outputs[0]
    if isinstance(x, int):
        x = session.steps[x]
    if isinstance(x, str):
        known = ancestors([*session.function.graph.outputs, *program(session).outputs])
        found = next((v for v in known if v.name == x), None)
        if found is None:
            raise GraphValueError(f"{session.function.name} has no variable named {x!r}", origin=caller_origin())
        return found
    if getattr(x, "outputs", None):
        return x.outputs[0]  # type: ignore[no-any-return]
    raise GraphTypeError(
        f"expected a variable, the name of one, an application or a step, got {type(x).__name__}",
        origin=caller_origin(),
    )


def _now(session: Session, v: Variable, there: set[Variable]) -> Variable | None:
    """What the program computes in the place of `v`, which the user wrote."""
    f = session.function
    now, _ = followed(v, histories(f.trace.events), set(ancestors(roots(f))))
    if now is None or now in there or now.owner is None:
        return now if now in there else None
    nodes = [n for n in toposort(program(session).outputs) if made_of(n, now.owner)]
    alike = [u for n in nodes for u in n.outputs if (u.dtype, u.ndim) == (now.dtype, now.ndim)]
    return alike[-1] if alike else None
