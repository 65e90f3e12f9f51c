"""What a page with a kernel may ask of Python, and the answers."""

from __future__ import annotations

from typing import Any

from graphlab.debug.profile import Profile
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError
from graphlab.function import Function
from graphlab.viz.record import Recorder
from graphlab.viz.views import Views


class Answers:
    """What the explorer in the browser may ask of Python, checked: whatever it sends, nothing breaks."""

    def __init__(self, function: Function, session: Session | None = None, profile: Profile | None = None) -> None:
        self.function, self.session = function, session
        self.recorder = Recorder(function)
        self.trace = self.recorder.trace(session, False, profile)
        self.trace["values"] = {}  # they are asked for one by one
        self.views = Views(self.trace)

    def step(self, to: Any) -> int:
        """Go to position `to`, or as near as there is one; the position then."""
        if self.session is None:
            raise ValueError("there is no run to step through")
        if not isinstance(to, int) or isinstance(to, bool):
            raise ValueError(f"step: {str(to)[:40]!r} is no position")
        self.session.goto(min(max(to, 0), len(self.session.steps)))
        return self.session.position

    def ask(self, what: Any, key: Any) -> dict[str, Any]:
        """The picture or the value called `key`; ValueError if there is none."""
        if what == "picture" and isinstance(key, str):
            return {"svg": self.views.picture(key)}
        if what == "value" and isinstance(key, str):
            return self.value(key.partition("@")[0])
        raise ValueError(f"{str(what)[:40]!r} can't be asked for")

    def value(self, name: str) -> dict[str, Any]:
        """The value of node `name` now: {"outputs": ...}, or {"waiting": why there is none}."""
        node = self.recorder.nodes.get(name)
        if node is None or self.session is None:
            raise ValueError(f"there is no value of {name[:40]!r}")
        steps = self.session.steps[self.session.position :]
        step = next((s.index for s in steps if node in s.nodes), None)
        if step is not None:
            return {"waiting": f"Step {step} computes it."}
        try:
            return {"outputs": self.recorder.value(self.session, node)}
        except GraphlabError as error:
            return {"waiting": error.message}
