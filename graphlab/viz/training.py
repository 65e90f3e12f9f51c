"""The log of `graphlab.record` to look at: as a widget, and as a page that needs nothing but itself."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from graphlab.debug.record import Log
from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.viz import bundle, multiples
from graphlab.viz.escape import escape
from graphlab.viz.page import page
from graphlab.viz.values import window
from graphlab.viz.views import image

BUDGET = 2_000_000  # characters of values that a page holds
_KEY = re.compile(r"(\d{1,9})@(\d{1,18})(?:@0@((?:\d{1,9},)*(?:\d{1,9})?)@(\d{1,18}),(\d{1,18}))?")


class Answers:
    """What a page may ask of a log, checked: whatever it sends, nothing breaks."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.refresh()

    def refresh(self) -> None:
        """Look at the log as it is now."""
        found = multiples.multiples(self.log)
        self.data = multiples.data(self.log, found)
        self.variables = [one.variable for one in found]

    def ask(self, what: Any, key: Any) -> dict[str, Any]:
        """The "value" of an array in a call, as in "3@100", or a "window" of it, "3@100@0@2@6,8"; else ValueError."""
        found = _KEY.fullmatch(key) if isinstance(key, str) else None
        if what not in ("value", "window") or found is None or (found[4] is None) != (what == "value"):
            raise ValueError(f"{str(what)[:40]!r} of {str(key)[:40]!r} can't be asked for")
        variable, call = self._variable(int(found[1])), int(found[2])
        if what == "value":
            return multiples.value(self.log, variable, call)
        at = [int(k) for k in found[3].split(",") if k]
        return window(self.log.value(variable, call), at, (int(found[4]), int(found[5])))

    def _variable(self, number: int) -> Variable:
        if number >= len(self.variables):
            raise ValueError(f"there is no array {number}")
        return self.variables[number]

    def state(self) -> dict[str, Any]:
        """What a page starts from: at the first NaN or infinity if there is one, else at the last call."""
        first = self.data["firsts"][:1]
        calls = self.data["calls"]
        return {"data": self.data, "array": first[0]["array"] if first else 0,
                "call": first[0]["call"] if first else calls[-1] if calls else 0, "error": ""}  # fmt: skip


class Training(anywidget.AnyWidget):
    """A log as small multiples over the calls, looked at call by call."""

    _esm, _css = bundle.script("logwidget"), bundle.style()
    data = traitlets.Dict().tag(sync=True)
    array, call = (traitlets.Int(0).tag(sync=True) for _ in range(2))
    error = traitlets.Unicode("").tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)

    def __init__(self, log: Log) -> None:
        self.answers = Answers(log)
        super().__init__(**self.answers.state())
        self.on_msg(self._received)

    def _received(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Answer the browser; an error is shown in the widget, since no cell would show it."""
        try:
            self._answer(message if isinstance(message, dict) else {})
            self.error = ""
        except Exception as error:
            self.error = str(error).splitlines()[0][:200] if str(error) else type(error).__name__

    def _answer(self, message: dict[str, Any]) -> None:
        kind, what, key = (message.get(name) for name in ("kind", "what", "key"))
        if kind == "ask":
            self.send({"kind": "answer", "what": what, "key": key, "data": self.answers.ask(what, key)})
        elif (kind, what) == ("act", "refresh"):
            self.answers.refresh()
            self.data = self.answers.data
        else:
            raise ValueError("a message that means nothing was ignored")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made: Any = super()._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**data, **bundle_of(self.answers.log)}, metadata


def bundle_of(log: Log) -> dict[str, str]:
    """A log as text and as an image, which need neither script nor trust."""
    return {"text/plain": str(log), "text/html": image(multiples.still(log), escape(repr(log), 300))}


@user_boundary
def report(log: Log, path: str | os.PathLike[str]) -> Path:
    """Write the log to `path` as a page (.html), or its first charts as a picture (.svg); the path.

    The page holds the statistics of all arrays, and of those arrays that were kept as many as 2 MB of it hold, the last
    calls first. It makes no request. GraphValueError: an unknown ending.
    """
    target = Path(path)
    if target.suffix not in (".html", ".svg"):
        raise GraphValueError(f"report: the ending of {target.name!r} is unknown", origin=caller_origin(),
                              hint=".html is a page, .svg a picture")  # fmt: skip
    text = multiples.still(log) if target.suffix == ".svg" else html(log)
    target.write_text(text, encoding="utf-8")
    return target


def html(log: Log) -> str:
    """The page."""
    answers = Answers(log)
    state = answers.state()
    held, left = dict[str, Any](), BUDGET
    last_first = sorted(answers.data["kept"], key=lambda call: (call != state["call"], -call))
    for call in last_first:
        for k, one in enumerate(answers.data["arrays"]):
            if left > 0 and call in one["calls"]:
                found = answers.ask("value", f"{k}@{call}")
                left -= len(str(found))
                held[f"value:{k}@{call}"] = found
    calls = len({key.partition("@")[2] for key in held})
    said = f"it holds the statistics of {log.looked} calls, and values of {calls or 'none'}"
    return page(f"{log.function.name} · log", said, "logpage", {"state": {**state, "live": False}, "answers": held},
                f"<p>{escape(log, 2000)}</p>")  # fmt: skip
