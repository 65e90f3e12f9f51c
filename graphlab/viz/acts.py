"""What a page may do to a session: move, stop, watch and go inside; every text from there is checked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from graphlab.debug.expressions import Expression
from graphlab.debug.opening import Turns
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError, GraphValueError
from graphlab.graph.node import Apply
from graphlab.viz.stepping import Stepping

PATIENCE = 20.0  # seconds that a run goes on while somebody waits
LONGEST = 1000  # characters of what is said of a breakpoint or a watch
MOST = 200  # breakpoints, and watches
PLACES = ("op", "node", "line", "kernel", "rule")
Act = Callable[[Stepping, str], Any]


def act(stepping: Stepping, what: str, key: str) -> None:
    """Do `what`, one of ACTS, of which `key` says more; ValueError, or a GraphlabError, if that can't be done."""
    stepping.acts += 1
    stepping.failed = ""
    try:
        if len(key) > LONGEST:
            raise ValueError(f"{what}: that is too long")
        ACTS[what](stepping, key)
    except GraphlabError as error:
        stepping.failed = error.message[:LONGEST] if what in MOVES else ""
        raise
    except KeyboardInterrupt:
        stepping.session.stopped = "interrupted"
        raise


# ---- moving --------------------------------------------------------------------------------------


def goto(stepping: Stepping, key: str) -> None:
    """To a position of the level it stands in, or as near as there is one."""
    session = stepping.session
    session.goto(min(max(_whole(key), 0), len(session.steps)))


def run(stepping: Stepping, key: str) -> None:
    """On to the next breakpoint; "node n4": to where that is computed, if need be back; "until EXPRESSION"."""
    word, _, rest = key.partition(" ")
    session = stepping.session
    if word == "node":
        _run_to(stepping, rest)
    elif word == "until" and rest.strip():
        Expression.of(rest, session.has_name)  # which refuses what is none
        session.run(until=_Patient(rest.strip(), partial(_holds, session, rest.strip())))
    elif not key:
        session.run(until=_Patient("", lambda: False))
    else:
        raise ValueError(f"run: {key[:40]!r} is nothing to run to")


def _run_to(stepping: Stepping, name: str) -> None:
    session, v = stepping.session, stepping.variable(name)
    form = session.level.kin.find(v)
    step = session.level.born(form) if form is not None and not isinstance(session.level, Turns) else None
    if step is not None and 0 <= step < session.position:
        session.goto(step + 1)
    elif session.known(v):
        raise ValueError(f"{v.name or name} is there already")
    else:
        session.run(until=_Patient(f"{v.name or _op(v.owner)} is computed", partial(session.known, v)))


def _op(node: Apply | None) -> str:
    return node.op.name if node is not None else "it"


def _holds(session: Session, expression: str) -> bool:
    """Whether it is true, of an array: of any element; not where it has no value yet."""
    try:
        return bool(np.any(session.evaluate(expression)))
    except GraphValueError:
        return False


class _Patient:
    """Where a run stops by itself: where `holds`, which `said` tells, or when it has taken its time."""

    def __init__(self, said: str, holds: Callable[[], bool]) -> None:
        self.said, self.holds = said, holds
        self.end = time.monotonic() + PATIENCE
        self.__name__ = said

    def __call__(self, session: Session) -> bool:
        held = self.holds()
        self.__name__ = self.said if held else f"{PATIENCE:.0f} seconds are over: continue runs on"
        return held or time.monotonic() > self.end


def enter(stepping: Stepping, key: str) -> None:
    """Into the step that is next, or the one of this number."""
    session = stepping.session
    if key and not 0 <= _whole(key) < len(session.steps):
        raise ValueError(f"there is no step {key}: there are {len(session.steps)}")
    session.enter(_whole(key) if key else None)


def leave(stepping: Stepping, key: str) -> None:
    """Out of the innermost level, or to the level that is so deep: 1 is the function itself."""
    session = stepping.session
    depth = _whole(key) if key else session.depth - 1
    if not 1 <= depth < session.depth and key:
        raise ValueError(f"leave: there is no level {depth} around this one")
    session.leave()
    while session.depth > depth:
        session.leave()


# ---- stopping ------------------------------------------------------------------------------------


def stop(stepping: Stepping, key: str) -> None:
    """Set a breakpoint: JSON of a place, "when" and "if"; one at a node that has one already is taken away."""
    said = _parts(key, (*PLACES, "when", "if"))
    session, breakpoints = stepping.session, stepping.session.breakpoints
    place = [(name, said[name]) for name in PLACES if name in said]
    if len(place) > 1:
        raise ValueError("a breakpoint has one place")
    if "node" in said and len(said) == 1:
        old = [b for b in breakpoints if stepping.places.get(b.number) == said]
        if old:
            return breakpoints.remove(old[0])
    if len(breakpoints) >= MOST:
        raise ValueError(f"there are {MOST} breakpoints: remove some")
    where: dict[str, Any] = {name: _place(stepping, name, text) for name, text in place}
    made = session.break_at(**where, when=said.get("when"), condition=said.get("if"))
    stepping.places[made.number] = said
    return None


def _place(stepping: Stepping, name: str, text: str) -> Any:
    if name == "node":
        return stepping.variable(text)
    return int(text) if name in ("line", "kernel") and text.isdecimal() and len(text) < 10 else text


def unstop(stepping: Stepping, key: str) -> None:
    """Take the breakpoint of this number away."""
    stepping.session.breakpoints.remove(_whole(key))
    stepping.places.pop(_whole(key), None)


def enable(stepping: Stepping, key: str) -> None:
    """Let the breakpoint of this number stop runs if it does not, and the other way round."""
    found = next((b for b in stepping.session.breakpoints if b.number == _whole(key)), None)
    if found is None:
        raise ValueError(f"there is no breakpoint {key[:40]}")
    (found.disable if found.enabled else found.enable)()


def watch(stepping: Stepping, key: str) -> None:
    """Watch an expression over named values."""
    if len(stepping.session.watches) >= MOST:
        raise ValueError(f"there are {MOST} watches: remove some")
    stepping.session.watch(key.strip())


def unwatch(stepping: Stepping, key: str) -> None:
    """Watch the expression at this position of the list no more."""
    if not 0 <= _whole(key) < len(stepping.session.watches):
        raise ValueError(f"there is no watch {key[:40]}")
    stepping.session.unwatch(_whole(key))


def look_at(stepping: Stepping, key: str) -> None:
    """Look at one element, as "n4.0@1, 0" says: of output 0 of node n4; at none if nothing is said."""
    session = stepping.session
    if not key:
        stepping.element, session.element = "", None
        return
    v, index = stepping.part(key)
    session.element = (v, index)
    stepping.element = key


# ---- what is said --------------------------------------------------------------------------------


def _whole(key: str) -> int:
    if not (key.removeprefix("-").isdecimal() and key.isascii() and len(key) < 12):
        raise ValueError(f"{key[:40]!r} is no whole number")
    return int(key)


def _parts(key: str, names: tuple[str, ...]) -> dict[str, str]:
    """A flat JSON object of texts, under these names; empty ones are left out."""
    try:
        found = json.loads(key)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(k in names and isinstance(v, str) for k, v in found.items()):
        raise ValueError(f"a breakpoint is said by texts for {', '.join(names)}")
    return {k: v if k in PLACES else v.strip() for k, v in found.items() if v.strip()}  # names may begin with a space


MOVES: dict[str, Act] = {"goto": goto, "run": run}
ACTS: dict[str, Act] = {
    **MOVES, "enter": enter, "leave": leave, "break": stop, "unbreak": unstop, "enable": enable, "watch": watch,
    "unwatch": unwatch, "element": look_at,
    "look": lambda stepping, key: None,  # the session may have been moved by a cell
}  # fmt: skip
