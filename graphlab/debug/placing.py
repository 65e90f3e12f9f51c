"""Setting a breakpoint: what the user says of place and values is checked against the program, and its own forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from graphlab.debug.breakpoints import ODD, Breakpoint, Test, place_of
from graphlab.debug.expressions import Expression
from graphlab.debug.kin import Kin
from graphlab.errors import GraphValueError, caller_origin
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort

if TYPE_CHECKING:
    from graphlab.debug.session import Session


def breakpoint_at(
    session: Session, place: tuple[Any, Any, Any, Any, Any], when: str | Test | None, condition: str | None
) -> Breakpoint:
    """A new breakpoint of `session`, at (op, node, line, kernel, rule), one at most; see Session.break_at."""
    said, matches, kernel = place_of(*place, lambda v: _alike(session, v))
    if kernel is not None:
        matches, kernel = _kernel(session, kernel)
    if matches is not None and not any(map(matches, applications(session._graph))):
        raise GraphValueError(f"nothing in this program is {said}", origin=caller_origin(),
                              hint="print(s) lists its steps; what was optimised away can't stop it")  # fmt: skip
    if isinstance(when, str) and when not in ODD:
        raise GraphValueError(f"when={when!r} is unknown", origin=caller_origin(),
                              hint='it is "nan", "inf" or a function of an array')  # fmt: skip
    test = ODD[when] if isinstance(when, str) else when
    name = when if isinstance(when, str) else getattr(when, "__name__", "the test") if when else ""
    asked = None if condition is None else Expression.of(condition, lambda n: n == "value" or session.has_name(n))
    if asked is not None and not asked.names:
        raise GraphValueError(f"{condition!r} asks for no value", origin=caller_origin(),
                              hint='a condition reads named values: "abs(x).max() > 1e3"')  # fmt: skip
    if matches is None and kernel is None and test is None and asked is None:
        raise GraphValueError("break_at needs a place, when= or condition=", origin=caller_origin(),
                              hint='s.break_at(op="log"), s.break_at(when="nan")')  # fmt: skip
    return session.breakpoints.add(said, matches=matches, kernel=kernel, when=name, test=test, condition=asked)


def _alike(session: Session, v: Variable) -> Callable[[Apply], bool]:
    """A test for the application that computes `v`, in whatever form."""
    forms = Kin(session._written.forms(v))
    return lambda n: any(forms.find(out) is not None for out in n.outputs)


def _kernel(session: Session, name: str) -> tuple[Callable[[Apply], bool] | None, str | None]:
    """The place of a kernel: by its name where it is a step, else - in a loop - by what it computes."""
    if any(step.name == name for step in session._levels[0].steps):
        return None, name
    found = next((k for k in session.function.kernels if k.name == name), None)
    if found is None:
        raise GraphValueError(f"there is no {name}", origin=caller_origin(), hint="f.kernels lists them")
    return _alike(session, found.nodes[0].outputs[0]), None


def applications(graph: Graph) -> Iterator[Apply]:
    """All that `graph` computes, in loops, branches and symbolic functions too."""
    pending = [graph]
    while pending:
        inner = pending.pop()
        for node in toposort(inner.outputs, inner.inputs):
            yield node
            pending += node.op.graphs
