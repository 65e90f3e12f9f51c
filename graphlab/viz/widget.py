"""The explorer as a Jupyter widget: state that is small as traits, pictures and values on demand."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython
from IPython.display import publish_display_data

from graphlab.callable import Function
from graphlab.debug.profile import Profile
from graphlab.debug.session import Session
from graphlab.viz import bundle
from graphlab.viz.answers import Answers
from graphlab.viz.mainthread import in_main_thread
from graphlab.viz.report import state
from graphlab.viz.views import still

PAUSE = 0.1  # seconds between two pictures of a session that a cell moves
TABS = ("rewrites", "graph", "inspect", "step", "value", "code", "profile", "nodes")


def explore(
    function: Function, session: Session | None = None, view: str = "graph", profile: Profile | None = None
) -> Explorer:
    """An explorer of `function` for a notebook, opened at `view`; with a `session` it steps through that run.

    `view` is the tab: "rewrites", "graph", "inspect", "step", "value", "code", "profile" or "nodes"; ValueError
    otherwise.
    """
    if view not in TABS:
        raise ValueError(f"view={view!r}: expected one of {', '.join(TABS)}")
    return Explorer(Answers(function, session, profile), view)


class Explorer(anywidget.AnyWidget):
    """A compiled function, looked at from all sides; with a session, stepped through."""

    _esm, _css = bundle.script("widget"), bundle.style()
    trace, pictures, listings = (traitlets.Dict().tag(sync=True) for _ in range(3))
    view, graph, folds, focus, legend, error = (traitlets.Unicode("").tag(sync=True) for _ in range(6))
    step = traitlets.Int(0).tag(sync=True)  # of the function itself, whatever was entered
    session = traitlets.Dict().tag(sync=True)  # where it stands, see stepping.py

    def __init__(self, answers: Answers, view: str) -> None:
        self.answers = answers
        position = answers.session.position if answers.session else 0
        super().__init__(**state(answers.trace, answers.views, view, position, answers.state(), lazy=True))
        self.on_msg(lambda *message: in_main_thread(lambda: self._received(*message)))
        self._busy, self._late, self._told = False, False, 0.0
        self._leave = answers.session.listen(self._heard) if answers.session else None

    def close(self) -> None:
        """Take it off the page, and its layout, which is a widget too and would stay for ever."""
        if self._leave:
            self._leave()
        self.layout.close()
        super().close()

    def _received(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Answer the browser; an error is shown in the widget, since no cell would show it."""
        self._busy = True
        try:
            self._answer(message)
            self.error = ""
        except KeyboardInterrupt:  # of whoever waited too long
            self._failed(message, "Stopped: the kernel was interrupted.")
        except Exception as error:
            self._failed(message, str(error).splitlines()[0][:200] if str(error) else type(error).__name__)
        finally:
            self._busy = False

    def _failed(self, message: Any, why: str) -> None:
        """Say it in the line of errors; and whoever asked has no answer, and is told why."""
        self.error = why
        if isinstance(message, dict) and message.get("kind") == "ask":
            what, key = message.get("what"), message.get("key")
            if isinstance(what, str) and isinstance(key, str):
                self.send({"kind": "answer", "what": what, "key": key, "data": {"absent": why, "waiting": why}})

    def _answer(self, message: Any) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "ask":
            what, key = message.get("what"), message.get("key")
            self.send({"kind": "answer", "what": what, "key": key, "data": self.answers.ask(what, key)})
        elif kind in ("act", "step"):
            try:
                if kind == "act":
                    self.answers.act(message.get("what"), message.get("key"))
                else:
                    self.answers.step(message.get("to"))
            finally:  # a move that fails may have been made in part
                self._stand()
        else:
            raise ValueError("a message that means nothing was ignored")

    def _heard(self) -> None:
        """A cell has moved the session: show it at once, but not more often than one can see.

        Within a PAUSE it is shown when the cell is over, as the event loop goes on then; where there is none, at once.
        """
        if self._busy or self._late or self.answers.stepping is None:
            return
        self.answers.stepping.failed = ""
        try:
            loop = asyncio.get_running_loop() if time.monotonic() - self._told < PAUSE else None
        except RuntimeError:
            loop = None
        if loop is None:
            self._stand()
        else:
            self._late = True
            loop.call_soon(self._stand)

    def _stand(self) -> None:
        """Tell the page where the session stands."""
        self._late = False
        with self.hold_sync():
            self.session = self.answers.state()
            self.step = self.session["path"][0]["position"] if self.session else 0
        self._told = time.monotonic()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and beside it what stays when no kernel or no trust is left: text and an image."""
        data, metadata = self._viewed(**options)
        return {**data, **self._still()}, metadata

    def _still(self, name: str = "") -> dict[str, str]:
        """What needs neither script nor kernel: an image, and of a run where it stands as text."""
        text = {} if self.answers.session is None else {"text/plain": str(self.answers.session)}
        return {**still(self.answers.function, self.answers.views, name), **text}

    def _viewed(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made: Any = super()._repr_mimebundle_(**options)
        return made if isinstance(made, tuple) else (made or {}, {})

    def _ipython_display_(self) -> None:
        """Two outputs in a notebook: the picture, and the widget, which hides the picture while it is there.

        A page shows one form of an output, and where a notebook holds the state of widgets nbconvert takes the
        widget, even for readers who can't load one.
        """
        if not hasattr(get_ipython(), "kernel"):
            raise NotImplementedError  # IPython then asks for the bundle
        publish_display_data(self._still("gl-still"))
        data, metadata = self._viewed()
        publish_display_data({**data, "text/plain": ""}, metadata)
