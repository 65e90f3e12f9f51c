"""Where the run that a page shows and one on other arguments part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.expressions import Expression, namespace
from graphlab.debug.places import arguments
from graphlab.graph.text import short
from graphlab.viz.escape import clip
from graphlab.viz.stepping import Stepping, said
from graphlab.viz.troubles import LINE

if TYPE_CHECKING:
    from graphlab.debug.session import Session

LONGEST = 20_000  # characters of the question


def compare(stepping: Stepping, key: str) -> dict[str, Any]:
    """Where this run and one on other arguments part, told as an origin is.

    `key` is a JSON list of texts: the number of the run, a tolerance, and for each input an expression over the inputs,
    or "" to leave it as it is.
    """
    session = stepping.session
    _, tolerance, *changes = _texts(key, 2 + len(session.function.inputs))
    apart = _tolerance(tolerance)
    parted = session.compare(*_changed(session, changes), tolerance=apart)
    v, node = parted.variable, parted.node
    given = [{"node": stepping.name(u), "text": clip(f"{short(u) or 'an input'}: {d}", LINE)} for u, d in parted.given]
    if v is None or node is None:
        more = f" by more than {apart:g} of the largest value" if apart else ""
        return {"note": f"The runs do not part: no value that is computed differs{more}.", "told": [], "given": given}
    turns = [f"turn {n} of {u.op.name}" if n is not None else f"inside {u.op.name}" for u, n in reversed(parted.turns)]
    same = f"{parted.before} {'value' if parted.before == 1 else 'values'} before it are the same"
    facts = ", ".join([*turns, f"step {parted.step}", same, *filter(None, [parted.note])])
    one = {"title": f"The runs part at {clip(short(v) or node.op.name, 60)}", "lines": said(parted.lines),
           "formula": clip(str(parted.difference), LINE), "operands": given, "facts": facts, "step": parted.step,
           "node": stepping.name(node, *(u for u, _ in reversed(parted.turns)))}  # fmt: skip
    return {"note": "", "told": [one]}


def _changed(session: Session, changes: Sequence[str]) -> list[Any]:
    """The arguments of a session, changed by expressions over them."""
    function, values = session.function, arguments(session)
    specs = enumerate(zip(function.specs, function.inputs, strict=True))
    names = [spec.label or v.name or f"input {i}" for i, (spec, v) in specs]
    given = dict(zip(names, values, strict=True))
    found = list[Any](values)
    for i, text in enumerate(changes):
        if text.strip():
            value = np.asarray(Expression.of(text, given.__contains__).value(namespace(given)))
            kind = values[i].dtype  # NumPy's double precision of a literal is none of the user's
            found[i] = value.astype(kind) if np.can_cast(value.dtype, kind, "same_kind") else value
    return found


def _tolerance(text: str) -> float:
    try:
        found = float(text or 0)
    except ValueError:
        found = -1.0
    if not 0 <= found < np.inf:
        raise ValueError(f"{text[:40]!r} is no tolerance: a part of the largest value, such as 1e-6")
    return found


def _texts(key: str, count: int) -> list[str]:
    """A JSON list of `count` texts."""
    try:
        found = json.loads(key) if len(key) <= LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != count or not all(isinstance(one, str) for one in found):
        raise ValueError(f"that is said by a list of {count} texts")
    return found
