"""Where a NaN or an infinity arose: followed back, element by element, to the first operation that made one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.focus import Focus, Operand, formula, value_text
from graphlab.debug.inside import Array, Element, Held, Place, lines_of, outside
from graphlab.debug.places import finished, place_of, program, schedule, whole
from graphlab.errors import GraphValueError, Origin, caller_origin
from graphlab.graph.cost import is_view
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.text import number_text, short

if TYPE_CHECKING:
    from graphlab.debug.session import Session

KINDS: dict[str, Callable[[Any], Any]] = {"nan": np.isnan, "inf": np.isinf}
LONGEST = 48  # characters of a formula that the text has
SHOWN = 4  # operations on the way that the text has

# ---- the answer ----------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Arose:
    """Where a NaN or an infinity (`kind`) in `asked` arose: in `element` of `variable`, which `node` computes.

    `node` is None where it was given: `variable` is an input, a shared variable or a constant then. `operands` are what
    it was made of, `lines` the user's, `turns` the loops and branches around it with the numbers of their turns, and
    `step` the position of its step in the session. `path` are the applications that passed it on, from `asked` back,
    and `within` what of them only moved it. `cause` is where the infinity arose that a NaN was made of.
    """

    kind: str
    asked: Variable
    node: Apply | None
    variable: Variable
    element: Element
    value: Any
    shape: tuple[int, ...]
    operands: tuple[Operand, ...] = ()
    lines: tuple[Origin, ...] = ()
    turns: tuple[tuple[Apply, int | None], ...] = ()
    step: int | None = None
    path: tuple[Apply, ...] = ()
    cause: Arose | None = None
    note: str = ""

    @property
    def root(self) -> Arose:
        """The first cause: itself, or where the infinity arose that it was made of, and so on."""
        return self if self.cause is None else self.cause.root

    def __str__(self) -> str:
        return "\n".join(self._text(f"the {self.kind} in {_named(self.asked)}"))

    __repr__ = __str__

    def _text(self, what: str) -> list[str]:
        at = f"[{', '.join(map(str, self.element))}]" if self.element else ""
        inside = "".join(f", turn {n} of {_at(node)}" if n is not None else f", in a branch of {_at(node)}"
                         for node, n in reversed(self.turns))  # fmt: skip
        place = f"element {at} of {self.variable.dtype}{list(self.shape)}" if at else f"a {self.variable.dtype}"
        step = f", step {self.step}" if self.step is not None else ""
        if self.node is None:
            lines = [f"{what} was given: {_named(self.variable)}{at} = {number_text(self.value)}{inside}"]
        else:
            whole = (self.node.provenance.rule or "").removeprefix("lower ")
            part = f" of {whole}" if whole and whole != self.node.provenance.rule else ""
            if (forward := self.node.provenance.grad_of) is not None:
                part += f", in the gradient of {forward.op.name}"
            lines = [f"{what} arose in {self.node.op.name}{part}, {place}{inside}{step}"]
        lines += [f"  {o.label}{f': {o.text}' if o.text else ''}" for o in self.lines]
        if self.node is not None:
            lines.append(f"  {formula(self.node, self.operands)} = {number_text(self.value)}")
            lines += [f"    {value_text(o.value)} is {_named(o.variable)}{_index(o.element)}"
                      for o in self.operands if not isinstance(o.variable, Constant)]  # fmt: skip
        if self.note:
            lines.append(f"  {self.note}")
        if passed := [n for n in self.path if not is_view(n)]:
            way = " <- ".join(f"{n.op.name}" for n in passed[:SHOWN])
            more = f" <- {len(passed) - SHOWN} more" if len(passed) > SHOWN else ""
            lines.append(f"  it came by {way}{more}")
        if self.cause is not None:
            lines += self.cause._text("that infinity")
        return lines


def _index(element: Element) -> str:
    return f"[{', '.join(map(str, element))}]" if element else ""


def _at(node: Apply) -> str:
    origin = next(iter(node.provenance.origins), None)
    return f"{node.op.name}{f' at {origin.label}' if origin else ''}"


def _named(v: Variable) -> str:
    text = short(v)
    return text if len(text) <= LONGEST else f"{v.owner.op.name}(...)" if v.owner is not None else text[:LONGEST]


# ---- the search ----------------------------------------------------------------------------------


def origin(session: Session, x: Any = None, kind: str | None = None, element: Sequence[int] | None = None) -> Arose:
    """The first operation that made a NaN or infinity (`kind`; None: a NaN if there is one) that `x` has in `element`.

    `x` is a variable of the function, by default the first output that has one; `element` by default the first that is
    one. What only passes it on is skipped: views and copies, and whatever would have had a number there, had its
    operand been one. Inside of loops and branches the search goes on. GraphValueError: there is none in `x`.
    """
    if kind is not None and kind not in KINDS:
        raise GraphValueError(f"kind={kind!r} is unknown", origin=caller_origin(), hint='it is "nan" or "inf"')
    with finished(session):
        start = _first(session, kind) if x is None else place_of(session, x)
        kind, element = _asked(start, kind, element)
        asked = x if isinstance(x, Variable) else start.variable
        return _arose(Place(start.scope, start.variable, element), kind, asked, session)


def _first(session: Session, kind: str | None) -> Place:
    """The first output that has one, else the first value on the way."""
    scope, outputs = whole(session), program(session).outputs
    made = [v for step in schedule(session) for node in step.nodes for v in node.outputs]
    for variables in (outputs, made):
        for k in (kind,) if kind else KINDS:
            for v in variables:
                if (value := scope.read(v)).dtype.kind in "fc" and np.any(KINDS[k](value)):
                    return Place(scope, v)
    raise GraphValueError(f"there is no {kind or 'nan and no inf'} in this run", origin=caller_origin())


def _asked(start: Place, kind: str | None, element: Sequence[int] | None) -> tuple[str, Element]:
    """Which kind there is in which element."""
    value, what = start.value, short(start.variable)
    counts = {k: int(np.count_nonzero(bad(value))) for k, bad in KINDS.items() if value.dtype.kind in "fc"}
    if element is not None:
        try:
            counts = {k: int(KINDS[k](value[tuple(element)])) for k in counts}
        except IndexError:
            raise GraphValueError(f"{what} has no element {element}: its shape is {value.shape}",
                                  origin=caller_origin()) from None  # fmt: skip
    chosen = kind or next((k for k, n in counts.items() if n), None)
    if chosen is None or not counts.get(chosen):
        others = next((f"it has {k}: s.origin(..., kind={k!r})" for k, n in counts.items() if n), None)
        where = f" in element {element}" if element is not None else ""
        raise GraphValueError(f"{what} has no {chosen or 'nan and no inf'}{where}", origin=caller_origin(), hint=others)
    return chosen, tuple(element) if element is not None else _position(KINDS[chosen](value))


def _position(mask: Array) -> Element:
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(mask)), mask.shape))


def _arose(place: Place, kind: str, asked: Variable, session: Session) -> Arose:
    """Follow the element of `place` back to where it arose."""
    bad, path = KINDS[kind], list[Apply]()
    while True:
        scope, v = place.scope, place.variable
        if scope.held is not None and v in scope.inputs:
            place = outside(place)
            continue
        node = None if v in scope.inputs else v.owner
        if node is None:
            return _told(place, kind, asked, path, session)
        if node.op.graphs:
            sent: Place | None = Held(node, scope).within(v.index, place.element)
            again = sent.value[sent.element] if sent is not None else None
        else:
            focus = Focus.on(node, place)
            again = focus.computed()
            sent = focus.owed(bad, bad) if bad(again) else None
        if not bad(again):
            note = f"NumPy makes {number_text(again)} of the same operands: the compiled step made it"
            return _told(place, kind, asked, path, session, node=node, note=note)
        if sent is None:
            return _told(place, kind, asked, path, session, node=node)
        path.append(node)
        place = sent


def _told(place: Place, kind: str, asked: Variable, path: Sequence[Apply], session: Session,
          node: Apply | None = None, note: str = "") -> Arose:  # fmt: skip
    v, value = place.variable, place.value
    lines = lines_of(node) if node is not None else (v.origin,) if v.origin is not None else ()
    operands, cause = tuple[Operand, ...](), None
    if node is not None and not node.op.graphs:
        focus = Focus.on(node, place)
        infinite = focus.owed(KINDS[kind], np.isinf) if kind == "nan" and not note else None
        operands = focus.operands()
        cause = None if infinite is None else _arose(infinite, "inf", infinite.variable, session)
    around = place.scope.path[0][0] if place.scope.path else node
    step = next((s.index for s in schedule(session) if around is not None and around in s.nodes), None)
    note = "; ".join(filter(None, (note, place.scope.note)))
    return Arose(kind, asked, node, v, place.element, value[place.element], value.shape, operands, lines,
                 place.scope.path, step, tuple(path), cause, note)  # fmt: skip
