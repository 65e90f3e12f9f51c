"""Where a session stands, as small data for a page: path, next step, breakpoints, watches, and what stopped it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphlab.debug.breakpoints import Breakpoint
from graphlab.debug.levels import Level
from graphlab.debug.opening import Turns, has_inside
from graphlab.debug.places import levels
from graphlab.debug.schedule import StepView
from graphlab.debug.session import Session
from graphlab.debug.watches import Watch, short
from graphlab.errors import Origin
from graphlab.graph.node import Apply, Variable
from graphlab.viz.escape import clip
from graphlab.viz.record import Recorder
from graphlab.viz.twins import Node, node_of

ROWS = 200  # steps of a level that one answer has
NODES = 100  # of a step that are lit
MARKS = 2000  # steps at which a breakpoint is shown, and
MARKED = 400  # breakpoints in levels of which that is remembered
LINES, LINE = 6, 300  # of the user's, and characters of one
HISTORY = 8  # values of a watch that are listed, and
COURSE = 48  # those of which its course is drawn
_PART = re.compile(r"(\w{1,20})\.(\d{1,4})@((?: ?\d{1,9},)*(?: ?\d{1,9})?)")
_BARS = "▁▂▃▄▅▆▇█"


class Stepping:
    """What a page knows of `session`; the ids are those of `recorder`."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.session, self.recorder = session, recorder
        self.acts = 0  # so that the page hears of each, even if nothing has changed
        self.failed = ""  # what the last move said when it could not be made
        self.element = ""  # that is looked at, as the page has said it
        self.places: dict[int, dict[str, str]] = {}  # of breakpoints that the page has set
        self._numbers: dict[Level, int] = {}
        self._next = 0
        self._marks: dict[tuple[Breakpoint, int], list[int]] = {}

    def state(self) -> dict[str, Any]:
        """Everything but values and the steps of the function itself, which the trace has."""
        session, here = self.session, self.session.here
        path = [self._level(level) for level in self._open()]
        before = session.steps[session.position - 1] if session.position else None
        line = next((o for o in here.origins), None) if here is not None else None
        return {
            "acts": self.acts,
            "status": self._status(),
            "path": path,
            "place": self.place(),
            "next": self.names(here.nodes[:NODES]) if here is not None else [],
            "last": self.names([node_of(v) for v in before.outputs] or before.nodes)[:NODES] if before else [],
            "line": [line.place, clip(line.text, 200)] if line is not None else [],
            "inside": here is not None and has_inside(here),
            "element": self.element,
            "stopped": clip(session.stopped, 300),
            "failed": self.failed,
            "findings": [clip(text, 300) for text in session.findings[:20]],
            "breakpoints": [self._breakpoint(b) for b in session.breakpoints],
            "watches": [_watch(w, session.place) for w in session.watches],
        }

    def place(self) -> str:
        """Where it stands, for keys of answers: the number of each level, which no other one gets, and its position."""
        return ".".join(f"{self._numbers[level]}/{level.position}" for level in self._open())

    @property
    def run(self) -> int:
        """The number of the run: it is another after a restart."""
        return self._numbers[self._open()[0]]

    def rows(self, number: int, first: int) -> list[dict[str, Any]]:
        """At most ROWS steps of the level `number` from the step `first` on; ValueError if it is not open."""
        level = next((one for one in self._open() if self._numbers[one] == number), None)
        if level is None or not 0 <= first:
            raise ValueError("these steps are of a level that was left")
        return [self._row(step) for step in level.steps[first : first + ROWS]]

    def names(self, nodes: Sequence[Node]) -> list[str]:
        """The ids of `nodes`; of what was copied for a program inside, those of what it is a copy of."""
        found = (self.recorder.ids.get(node) or self._alike.get(_mark(node)) for node in nodes)
        return list(dict.fromkeys(name for name in found if name is not None))

    def name(self, *nodes: Node) -> str | None:
        """The id of the first of `nodes` that is in the trace."""
        return next(iter(self.names(nodes)), None)

    def variable(self, name: str, output: int = 0) -> Variable:
        """What node `name` gives as `output`; ValueError if there is no such thing."""
        node = self.recorder.nodes.get(name)
        outputs = node.outputs if isinstance(node, Apply) else () if node is None else (node,)
        if not 0 <= output < len(outputs):
            raise ValueError(f"there is no node {name[:40]!r}, or it has no output {output}")
        return outputs[output]

    def part(self, key: str) -> tuple[Variable, tuple[int, ...]]:
        """The variable and the index of an element, as in "n4.0@1, 0": of output 0 of n4."""
        found = _PART.fullmatch(key)
        if found is None:
            raise ValueError(f"{key[:40]!r} is no element")
        return self.variable(found[1], int(found[2])), tuple(int(k) for k in found[3].split(",") if k.strip())

    # -- parts --

    def _open(self) -> Sequence[Level]:
        """The levels, the outermost first, each with its number."""
        found = levels(self.session)
        for level in found:
            if level not in self._numbers:
                self._numbers[level], self._next = self._next, self._next + 1
        self._numbers = {level: self._numbers[level] for level in found}
        return found

    def _status(self) -> str:
        session = self.session
        if self.failed:
            return "error"
        if session.depth == 1 and session.here is None:
            return "finished"
        return "idle" if session.place == (0,) and not session.stopped else "paused"

    def _level(self, level: Level) -> dict[str, Any]:
        number = self._numbers[level]
        return {"title": clip(level.title, 80), "level": number, "position": level.position, "count": len(level.steps)}

    def _row(self, step: StepView) -> dict[str, Any]:
        turn = step.kind == "turn"  # of which there may be many, all of the same nodes
        return {
            "index": step.index,
            "name": f"turn {step.index}" if turn else step.name,
            "kind": step.kind,
            "nodes": [] if turn else self.names(step.nodes),
            "outputs": [] if turn else [[*self.names([node_of(v)]), v.index] for v in step.outputs],
        }

    def _breakpoint(self, b: Breakpoint) -> dict[str, Any]:
        level = self.session.level
        key = b, self._numbers[level]
        if key not in self._marks:
            self._marks = {} if len(self._marks) > MARKED else self._marks
            self._marks[key] = [] if isinstance(level, Turns) or not b.placed else _steps_of(b, level)
        text = str(b).partition(": ")[2].rpartition("  (")[0]
        return {
            "number": b.number, "text": clip(text, 200), "hits": b.hits, "enabled": b.enabled, "tests": b.tests,
            "node": self.places.get(b.number, {}).get("node", ""), "steps": self._marks[key],
        }  # fmt: skip

    @cached_property
    def _alike(self) -> dict[tuple[int, type, str], str]:
        found = dict[tuple[int, type, str], str]()
        for node, name in self.recorder.ids.items():
            if isinstance(node, Apply):
                found.setdefault(_mark(node), name)
        return found


def said(origins: Sequence[Origin]) -> list[list[str]]:
    """The user's lines: where each is, and its text."""
    return [[o.place, clip(o.text, LINE)] for o in origins[:LINES]]


def _mark(node: Node) -> tuple[int, type, str]:
    return (id(node.provenance), type(node.op), node.op.name) if isinstance(node, Apply) else (0, type(node), "")


def _steps_of(b: Breakpoint, level: Level) -> list[int]:
    found = [step.index for step in level.steps if b.nodes(step.nodes, step.name) or b.inside(step.nodes)]
    return found[:MARKS]


def _watch(watch: Watch, place: tuple[int, ...]) -> dict[str, Any]:
    """A watch: its value now, and what it was before, as far as the session stands behind it."""
    seen = [(at, value) for at, value in watch.history if at <= place]
    return {
        "text": clip(watch.expression.text, 200),
        "now": short(seen[-1][1]) if seen else None,
        "history": [[".".join(map(str, at)), short(value)] for at, value in seen[-HISTORY:]],
        "more": max(len(seen) - HISTORY, 0),
        "course": course([value for _, value in seen[-COURSE:]]),
    }


def course(values: Sequence[Any]) -> str:
    """The course of real numbers as a line of bars, × where one is not finite; "" if they are no numbers, or too few.

    >>> course([0.0, 1.0, float("nan"), 2.0])
    '▁▅×█'
    """
    if len(values) < 2 or any(np.size(x) != 1 or np.asarray(x).dtype.kind not in "biuf" for x in values):
        return ""
    numbers = np.array([float(np.asarray(x).reshape(())) for x in values])
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    span = high / 2 - low / 2  # halves: the whole span may overflow
    levels = [int((x / 2 - low / 2) / span * (len(_BARS) - 1) + 0.5) if np.isfinite(x) and span else 0 for x in numbers]
    return "".join(_BARS[k] if np.isfinite(x) else "×" for k, x in zip(levels, numbers, strict=True))
