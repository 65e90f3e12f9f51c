"""What a page may ask of a session: the steps inside, one element, an origin, where runs part, the rewrite at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphlab.debug.looking import element_of
from graphlab.debug.origin import Arose
from graphlab.debug.places import arguments, program
from graphlab.debug.reach import described
from graphlab.errors import GraphlabError
from graphlab.graph.node import Variable
from graphlab.graph.text import number_text, short
from graphlab.viz.digits import lost
from graphlab.viz.escape import clip
from graphlab.viz.parting import compare
from graphlab.viz.stepping import Stepping, said
from graphlab.viz.troubles import LINE, WORDS, causes, finite, told
from graphlab.viz.twins import Node, node_of

ORIGINS = 20  # outputs whose origins a report holds
Answer = dict[str, Any]


def steps(stepping: Stepping, key: str) -> Answer:
    """Steps of a level that is open: "3:200" are those of level 3 from step 200 on."""
    number, _, first = key.partition(":")
    return {"rows": stepping.rows(_number(number), _number(first))}


def element(stepping: Stepping, key: str) -> Answer:
    """An element of a node, as in "n4.0@1, 0@place": the arithmetic that makes it, and what reaches it."""
    v, index = stepping.part(key.rpartition("@")[0])
    session = stepping.session
    shape = session.value(v).shape
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        raise ValueError(f"there is no element {list(index)}: the shape is {list(shape)}")
    found = element_of(session, v, index)
    if found is None:
        return {"waiting": "It has no such element here."}
    reach = [
        {"node": stepping.name(node_of(u)), "text": clip(described(_called(found.names, u), mask), LINE)}
        for u, mask in found.reach.items()
    ]
    return {
        "name": f"{clip(_called(found.names, found.variable), 60)}{list(index) if index else ''}",
        "value": number_text(found.value),
        "lines": [clip(line, LINE) for line in found.lines],
        "reach": reach,
    }


def _called(names: dict[Variable, str], v: Variable) -> str:
    return names.get(v) or v.name or "(unnamed)"


# ---- where a NaN or an infinity arose ------------------------------------------------------------


def origin(stepping: Stepping, key: str) -> Answer:
    """Where the NaN or infinity of a node arose, or where it has none that of the first output that has one."""
    name = key.partition("@")[0]
    note = ""
    if name:
        v = stepping.variable(name)
        try:
            return {"note": "", "told": _told(stepping, stepping.session.origin(v))}
        except GraphlabError as error:
            note = f"{error.message}."
    try:
        return {"note": note, "told": _told(stepping, stepping.session.origin())}
    except GraphlabError:
        return {"note": "There is no NaN and no infinity in this run.", "told": []}


def origins(stepping: Stepping) -> dict[str, Answer]:
    """The origins of the outputs that have a NaN or an infinity, by their ids, and by "" that of the first one."""
    found, session = dict[str, Answer](), stepping.session
    outputs = dict.fromkeys(program(session).outputs)
    for v in [v for v in outputs if not finite(session.value(v))][:ORIGINS]:
        for name in stepping.names([node_of(v)]):
            found[name] = {"note": "", "told": _told(stepping, session.origin(v))}
            found.setdefault("", found[name])
    return found


def _told(stepping: Stepping, arose: Arose) -> list[Answer]:
    first = f"The {WORDS[arose.kind]} in {clip(short(arose.asked), 48)}"
    return [
        told(each, _title(each, "That infinity" if k else first), stepping.name, said)
        for k, each in enumerate(causes(arose))
    ]


def _title(arose: Arose, what: str) -> str:
    return f"{what} {'was given' if arose.node is None else f'arose in {arose.node.op.name}'}"


# ---- the rewrite at fault ------------------------------------------------------------------------


def bisect(stepping: Stepping, key: str) -> Answer:
    """The first rewrite that changes an output of this run; `rewrite` is its number in the trace, if it has one."""
    function = stepping.session.function
    found = function.bisect(*arguments(stepping.session))
    events = function.trace.rewrites
    number = next((k for k, event in enumerate(events) if event is found.rewrite), None)
    roots: list[Node] = []
    if found.rewrite is not None:
        roots = [node_of(found.rewrite.after), node_of(found.rewrite.before)]
    return {"text": clip(str(found), 4 * LINE), "rewrite": number, "found": found.rewrite is not None,
            "node": stepping.name(*roots)}  # fmt: skip


def _number(text: str) -> int:
    text = text.strip()
    if not (text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 12):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


QUESTIONS: dict[str, Callable[[Stepping, str], Answer]] = {
    "steps": steps, "element": element, "origin": origin, "digits": lost, "compare": compare, "bisect": bisect,
}  # fmt: skip
