"""The pictures that a trace has, by name: drawn when asked for, once."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from graphlab.viz import diagram, svg
from graphlab.viz.diagram import Diagram
from graphlab.viz.escape import escape
from graphlab.viz.geometry import Layout
from graphlab.viz.layout import layout
from graphlab.viz.references import with_references

VIEWS: dict[str, Callable[[Mapping[str, Any]], Diagram]] = {
    "before": diagram.before,
    "after": diagram.after,
    "difference": diagram.difference,
}
SHOWS = (*VIEWS, "side-by-side")
_REWRITE = re.compile(r"rewrite-(\d{1,9})-(before|after)")


class Views:
    """Draws the pictures of one `trace` with one layout `engine`."""

    def __init__(self, trace: Mapping[str, Any], engine: str = "auto") -> None:
        self.trace, self.engine = trace, engine
        self._drawn: dict[str, str] = {}
        self._placed: dict[str, tuple[Diagram, Layout]] = {}

    def placed(self, name: str) -> tuple[Diagram, Layout]:
        """The diagram `name` and where its cards stand."""
        if name not in self._placed:
            made = with_references(VIEWS[name](self.trace))
            self._placed[name] = made, layout(made, self.engine)
        return self._placed[name]

    def picture(self, name: str) -> str:
        """An `<svg>` for a page with the stylesheet: "before", "rewrite-3-after"; ValueError if unknown."""
        if name not in self._drawn:
            self._drawn[name] = svg.graph(*self.placed(name)) if name in VIEWS else self._rewrite(name)
        return self._drawn[name]

    def _rewrite(self, name: str) -> str:
        found = _REWRITE.fullmatch(name)
        if found is None or int(found[1]) >= len(self.trace["rewrites"]):
            raise ValueError(f"there is no picture {name[:40]!r}")
        made = diagram.rewrite_side(self.trace, int(found[1]), found[2])
        return svg.graph(made, layout(made, self.engine))

    def legend(self) -> str:
        """The legend of all views."""
        return svg.legend([self.placed(name)[0] for name in VIEWS])

    @property
    def engine_used(self) -> str:
        """The layout that was used, and why if it was not dot."""
        return svg.engine_note([self.placed(name)[1] for name in VIEWS])

    def document(self, show: str = "side-by-side") -> str:
        """A standalone SVG document; ValueError if `show` is none of SHOWS."""
        if show not in SHOWS:
            raise ValueError(f"show={show!r}: expected one of {', '.join(SHOWS)}")
        names = ("before", "after") if show == "side-by-side" else (show,)
        function = self.trace["function"]
        return svg.picture(function["name"], function["expression"], [self.placed(name) for name in names])


def image(document: str, alt: str, width: int = 900) -> str:
    """An SVG document as an `<img>`, which notebooks show without trust; `alt` must be escaped."""
    data = base64.b64encode(document.encode()).decode()
    return f'<img alt="{alt}" style="max-width:min(100%,{width}px)" src="data:image/svg+xml;base64,{data}">'


def still(function: Any, views: Views) -> dict[str, str]:
    """A function as text and as an image that needs neither script nor trust."""
    alt = escape(f"{views.trace['function']['name']}: {views.trace['function']['expression']}", 300)
    return {"text/plain": repr(function), "text/html": image(views.document(), alt)}
