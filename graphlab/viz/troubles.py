"""What one should see first of a run whose results are not finite: where the NaN or infinity arose, and of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.focus import Operand, formula, value_text
from graphlab.debug.inside import lines_of
from graphlab.debug.origin import Arose
from graphlab.debug.places import program
from graphlab.errors import Origin
from graphlab.graph.node import Constant, Variable
from graphlab.graph.text import number_text, short
from graphlab.viz.escape import clip
from graphlab.viz.twins import Node, node_of

if TYPE_CHECKING:
    from graphlab.debug.session import Session

WORDS = {"nan": "NaN", "inf": "infinity"}
LONGEST = 60  # characters of a variable's formula
Trouble = dict[str, Any]


def troubles(session: Session, ids: Mapping[Node, str], source: Callable[[Origin], int]) -> list[Trouble]:
    """Where the first result that is not finite became so, then what caused that; [] before the end of the run.

    New values of shared variables are results too. `ids` names the nodes, `source` numbers the user's lines. Each
    trouble has the node that made it (None: it is not in the trace), its element, its lines and what it was made of.
    """
    if session.depth > 1 or session.here is not None:
        return []
    if all(_finite(session.value(v)) for v in program(session).outputs):
        return []
    told, arose = list[Trouble](), session.origin()
    title = f"The first {WORDS[arose.kind]} on the way to {_result(session, arose.asked)}:"
    while True:
        told.append(_told(arose, title, session, ids, source))
        if arose.cause is None:
            return told
        arose, title = arose.cause, "made of an infinity:"


def _told(
    arose: Arose, title: str, session: Session, ids: Mapping[Node, str], source: Callable[[Origin], int]
) -> Trouble:
    node, given = arose.node, arose.variable
    own: Node = given if node is None else node
    # What is inside of a loop may have no card of its own: then the loop has, else the step it is in.
    around = [own, *(n for n, _ in reversed(arose.turns))]
    around += session.steps[arose.step].nodes if arose.step is not None else []
    made = _at(given, arose.element) if node is None else formula(node, arose.operands)
    facts = [f"element {list(arose.element)} of {given.dtype}{list(arose.shape)}" if arose.element else ""]
    if node is not None and node.provenance.grad_of is not None:
        facts.append(f"in the gradient of {node.provenance.grad_of.op.name}")
    facts += [f"turn {number} of {n.op.name}" for n, number in arose.turns if number is not None]
    facts.append(f"step {arose.step}" if arose.step is not None else "")
    facts += ["it was given" if node is None else "", arose.note]
    operands = [o for o in arose.operands if not isinstance(o.variable, Constant)]
    return {
        "kind": arose.kind,
        "title": title,
        "op": node.op.name if node is not None else None,
        "node": next((ids[n] for n in around if n in ids), None),
        "element": list(arose.element),
        "step": arose.step,
        "lines": [source(line) for line in arose.lines],
        "formula": f"{made} = {number_text(arose.value)}",
        "facts": ", ".join(filter(None, facts)),
        "operands": [_operand(o, ids, source) for o in operands],
    }


def _operand(operand: Operand, ids: Mapping[Node, str], source: Callable[[Origin], int]) -> dict[str, Any]:
    v = operand.variable
    lines = lines_of(v.owner) if v.owner is not None else (v.origin,) if v.origin is not None else ()
    text = f"{value_text(operand.value)} is {_at(v, operand.element)}"
    return {"node": ids.get(node_of(v)), "text": text, "lines": [source(line) for line in lines]}


def _result(session: Session, asked: Variable) -> str:
    """How a result is called: by its name; a new value by the name of its shared variable."""
    outputs, updated = program(session).outputs, session.function.updated
    new = dict(zip(outputs[len(outputs) - len(updated) :], updated, strict=True))
    if asked in new and asked not in outputs[: len(outputs) - len(updated)]:
        return f"the new {new[asked].name or 'value'}"
    return clip(short(asked), LONGEST) or "a result"


def _at(v: Variable, element: tuple[int, ...]) -> str:
    name = short(v)
    if len(name) > LONGEST and v.owner is not None:
        name = f"{v.owner.op.name}(...)"
    return f"{name}{list(element)}" if element else name


def _finite(value: Any) -> bool:
    return np.asarray(value).dtype.kind not in "fc" or bool(np.isfinite(value).all())
