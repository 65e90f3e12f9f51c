"""What a page with a kernel may ask of Python, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphlab.callable import Function
from graphlab.debug.opening import Turns
from graphlab.debug.profile import Profile
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError
from graphlab.graph.collector import uncollected
from graphlab.viz import acts, asking, timeline
from graphlab.viz.instructions import assembly, build
from graphlab.viz.listing import listings
from graphlab.viz.profiling import profiled
from graphlab.viz.record import Recorder
from graphlab.viz.seen import part
from graphlab.viz.stepping import Stepping
from graphlab.viz.views import Views
from graphlab.viz.whys import Whys

PATIENCE = 1.0  # seconds that dot may take while somebody waits


class Answers:
    """What the explorer in the browser may ask of Python, checked: whatever it sends, nothing breaks."""

    @uncollected
    def __init__(self, function: Function, session: Session | None = None, profile: Profile | None = None) -> None:
        self.function, self.session = function, session
        self.recorder = Recorder(function)
        self.stepping = None if session is None else Stepping(session, self.recorder)
        self.trace = self.recorder.trace(session, False, profile)
        self.trace["values"] = {}  # they are asked for one by one
        self._whys: Whys | None = None
        self.views = Views(self.trace, patience=PATIENCE, moments=self.recorder.moment)

    def ask(self, what: Any, key: Any) -> dict[str, Any]:
        """The answer to a question, one of QUESTIONS, about `key`; ValueError if there is none."""
        answer: dict[str, Any] = _named(QUESTIONS, what, key, "asked for")(self, key)
        return answer

    def act(self, what: Any, key: Any) -> None:
        """Do one of ACTS to the session; ValueError, or a GraphlabError, if that can't be done."""
        _named(ACTS, what, key, "done")(self, key)

    def step(self, to: Any) -> None:
        """Go to position `to` of the level the session stands in, or as near as there is one."""
        if not isinstance(to, int) or isinstance(to, bool):
            raise ValueError(f"step: {str(to)[:40]!r} is no position")
        self.act("goto", str(to))

    def state(self) -> dict[str, Any]:
        """Where the session stands: {} if there is none."""
        return {} if self.stepping is None else self.stepping.state()

    @property
    def whys(self) -> Whys:
        """Who tells why nodes are here."""
        self._whys = self._whys or Whys(self.function, self.recorder)
        return self._whys

    def run(self) -> Session:
        """The session; ValueError if there is none."""
        if self.session is None:
            raise ValueError("that needs real values: f.explore(f.debug(...)), or %%symgraph --with x=...")
        return self.session

    def reveal(self, key: str) -> dict[str, Any]:
        """The toggles that show a node, of a view with its toggles and the node, as in "after:scope_1@n7"."""
        view, _, toggles = key.rpartition("@")[0].partition(":")
        return {"folds": ",".join(self.views.revealed(view, toggles, key.rpartition("@")[2]))}

    def troubles(self) -> dict[str, Any]:
        """Where results that are not finite became so, with the lines that it speaks of: nothing before the end."""
        found = [] if self.session is None else self.recorder.troubles(self.session)
        return {"troubles": found, "sources": self.recorder.sources()}

    def value(self, name: str) -> dict[str, Any]:
        """The value of node `name` now: {"outputs": ...}, or {"waiting": why there is none}."""
        node = self.recorder.nodes.get(name)
        if node is None or self.session is None:
            raise ValueError(f"there is no value of {name[:40]!r}")
        inside = isinstance(self.session.level, Turns)  # all of its steps compute the same
        steps = () if inside else self.session.steps[self.session.position :]
        step = next((s.index for s in steps if node in s.nodes), None)
        if step is not None:
            return {"waiting": f"Step {step} computes it."}
        try:
            return {"outputs": self.recorder.value(self.session, node)}
        except GraphlabError as error:
            return {"waiting": error.message}


def _named(table: Mapping[str, Handler], what: Any, key: Any, word: str) -> Handler:
    if not isinstance(what, str) or what not in table or not isinstance(key, str):
        raise ValueError(f"{str(what)[:40]!r} can't be {word}")
    return table[what]


def _stepping(handler: Callable[[Stepping, str], Any]) -> Handler:
    """What is asked of a session, or done to it."""

    def handle(answers: Answers, key: str) -> Any:
        if answers.stepping is None:
            raise ValueError("there is no run to step through")
        return handler(answers.stepping, key)

    return handle


def _doing(what: str) -> Callable[[Stepping, str], None]:
    return lambda stepping, key: acts.act(stepping, what, key)


Handler = Callable[[Answers, str], Any]
# What a page may ask, and what it may do, each with a text that says of what. Each story has its own module.
QUESTIONS: dict[str, Handler] = {
    "picture": lambda answers, key: {"svg": answers.views.picture(key)},
    "listings": lambda answers, key: dict(listings(answers.trace)),
    "rules": lambda answers, key: timeline.rules(answers.function, live=True),
    "check": lambda answers, key: timeline.check(answers.run()),
    "assembly": lambda answers, key: assembly(answers.function, answers.recorder, key),
    "profile": lambda answers, key: profiled(answers.recorder, answers.session),
    "build": lambda answers, key: build(answers.function),
    "reveal": Answers.reveal,
    "about": lambda answers, key: answers.whys.about(key),
    "near": lambda answers, key: answers.whys.near(key),
    "why_not": lambda answers, key: answers.whys.why_not(key),
    "apart": lambda answers, key: answers.whys.apart(key),
    "troubles": lambda answers, key: answers.troubles(),
    "value": lambda answers, key: answers.value(key.partition("@")[0]),
    "window": lambda answers, key: part(answers.recorder, answers.session, key),
    **{what: _stepping(question) for what, question in asking.QUESTIONS.items()},
}
ACTS: dict[str, Handler] = {what: _stepping(_doing(what)) for what in acts.ACTS}
