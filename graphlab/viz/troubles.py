"""What one should see first of a run whose results are not finite: where the NaN or infinity arose, and of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.focus import Operand, formula, value_text
from graphlab.debug.inside import lines_of
from graphlab.debug.origin import Arose
from graphlab.debug.places import program
from graphlab.errors import Origin
from graphlab.graph.node import Constant, Variable
from graphlab.graph.text import ATOM, COMPARE, INFIX, number_text, short, written_out
from graphlab.viz.escape import clip
from graphlab.viz.twins import Node, node_of

if TYPE_CHECKING:
    from graphlab.debug.session import Session

WORDS = {"nan": "NaN", "inf": "infinity"}
LONGEST = 60  # characters of a variable's formula
LINE = 300  # and of a line of text
Trouble = dict[str, Any]


def troubles(session: Session, ids: Mapping[Node, str], source: Callable[[Origin], int]) -> list[Trouble]:
    """Where the first result that is not finite became so, then what caused that; [] before the end of the run.

    New values of shared variables are results too. `ids` names the nodes, `source` numbers the user's lines. Each
    trouble has the node that made it (None: it is not in the trace), its element, its lines and what it was made of.
    """
    if session.depth > 1 or session.here is not None:
        return []
    if all(finite(session.value(v)) for v in program(session).outputs):
        return []
    arose = session.origin()
    title = f"The first {WORDS[arose.kind]} on the way to {_result(session, arose.asked)} arose here:"
    titles = [title, *("out of an infinity, which arose here:" for _ in causes(arose)[1:])]
    steps = session.steps
    return [
        # What is inside of a loop may have no card of its own: then the loop has, else the step it is in.
        told(each, title, lambda *nodes: next((ids[n] for n in nodes if n in ids), None),
             lambda origins: [source(line) for line in origins],
             steps[each.step].nodes if each.step is not None else ())
        for each, title in zip(causes(arose), titles, strict=True)
    ]  # fmt: skip


def causes(arose: Arose) -> list[Arose]:
    """What arose, then the infinity that it was made of, and so on."""
    found = [arose]
    while (cause := found[-1].cause) is not None:
        found.append(cause)
    return found


def told(
    arose: Arose, title: str, name: Callable[..., str | None], lines: Callable[[Sequence[Origin]], list[Any]],
    around: Sequence[Node] = (),
) -> Trouble:  # fmt: skip
    """An origin as data: `name` gives the id of the first of some nodes that has one, `lines` what stands for lines."""
    node, given = arose.node, arose.variable
    own: Node = given if node is None else node
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
        "node": name(own, *(n for n, _ in reversed(arose.turns)), *around),
        "element": list(arose.element),
        "step": arose.step,
        "lines": lines(arose.lines),
        "formula": clip(f"{made} = {number_text(arose.value)}", LINE),
        "facts": ", ".join(filter(None, facts)),
        "operands": [_operand(o, name, lines) for o in operands],
    }


def _operand(
    operand: Operand, name: Callable[..., str | None], lines: Callable[[Sequence[Origin]], list[Any]]
) -> dict[str, Any]:
    v = operand.variable
    made = lines_of(v.owner) if v.owner is not None else (v.origin,) if v.origin is not None else ()
    text = clip(f"{value_text(operand.value)} is {_at(v, operand.element)}", LINE)
    return {"node": name(node_of(v)), "text": text, "lines": lines(made)}


def _result(session: Session, asked: Variable) -> str:
    """How a result is called: by its name; a new value by the name of its shared variable."""
    outputs, updated = program(session).outputs, session.function.updated
    new = dict(zip(outputs[len(outputs) - len(updated) :], updated, strict=True))
    if asked in new and asked not in outputs[: len(outputs) - len(updated)]:
        return f"the new {new[asked].name or 'value'}"
    return clip(short(asked), LONGEST) or "a result"


def _at(v: Variable, element: tuple[int, ...]) -> str:
    name = short(v)
    if v.owner is not None and not v.name:
        named = any(u.name and u.owner is not None for u in v.owner.inputs)  # by the user: said by these it is known
        if named or len(name) > LONGEST or name.endswith("(...)"):
            name = written_out(v.owner, [_word(u) for u in v.owner.inputs])
        if element and v.owner.op.name in INFIX:
            name = f"({name})"
    return f"{name}{list(element)}" if element else name


def _word(v: Variable) -> tuple[str, int]:
    """An operand in a word, and how tightly that binds."""
    text = short(v)
    if v.name or isinstance(v, Constant):
        return text, ATOM
    return ("...", ATOM) if len(text) > LONGEST // 2 or text.endswith("(...)") else (text, COMPARE)


def finite(value: Any) -> bool:
    """Whether an array has no NaN and no infinity.

    >>> finite(np.array([1.0, np.inf])), finite(np.array([True]))
    (False, True)
    """
    return np.asarray(value).dtype.kind not in "fc" or bool(np.isfinite(value).all())
