"""Where digits are lost, as data: what each operation of a run loses beside the same run in a wider format."""

from __future__ import annotations

from typing import Any

from graphlab.debug.shadow import Loss, digits
from graphlab.errors import GraphlabError
from graphlab.viz.escape import clip
from graphlab.viz.stepping import Stepping, said
from graphlab.viz.troubles import LINE
from graphlab.viz.values import number

LINED = 60  # operations that the table lists, with their lines: the value panel asks for any


def lost(stepping: Stepping, key: str) -> dict[str, Any]:
    """What each operation loses, the largest growth of errors first; the run in a wider format is made once.

    `note` says it in a sentence, or why this machine, or the function, has nothing wider to offer; `otherwise` are
    nodes that would have decided in another way.
    """
    try:
        shadow = stepping.session.shadow()
    except GraphlabError as error:
        return {"note": error.message, "rows": []}
    told = str(shadow).partition("\n  growth")[0].splitlines()
    return {
        "note": clip("; ".join(line.strip() for line in told), 2 * LINE),
        "beside": shadow.beside,
        "rows": [_row(stepping, loss, k < LINED) for k, loss in enumerate(shadow.losses)],
        "otherwise": stepping.names(shadow.otherwise),
        "listed": LINED,
    }


def _row(stepping: Stepping, loss: Loss, lined: bool) -> dict[str, Any]:
    """One operation; `inside`: it has no card of its own, and `node` is the loop that it is in."""
    name, known = loss.variable.name, loss.node in stepping.recorder.ids
    return {
        "node": stepping.name(loss.node, *(n for n, _ in reversed(loss.turns))),
        "inside": not known,
        "op": f"{name} = {loss.node.op.name}" if name else loss.node.op.name,
        "growth": f"{loss.growth:.1e}", "before": f"{loss.before:.1e}", "after": f"{loss.after:.1e}",
        "kept": f"{loss.kept:.1f}", "had": f"{digits(loss.before):.1f}", "share": f"{loss.share:.0%}",
        "element": list(loss.element), "value": clip(number(loss.value), 60), "true": clip(number(loss.true), 60),
        "lines": said(loss.lines[:1]) if lined else [],
    }  # fmt: skip
