"""The pictures that a trace has, by name: drawn when asked for, once."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from typing import Any

from graphlab.viz import drawing, svg
from graphlab.viz.escape import escape
from graphlab.viz.layout import PATIENCE, layout
from graphlab.viz.scene import Moments, Placed, Scene

VIEWS = ("before", "after", "difference")
SHOWS = (*VIEWS, "side-by-side")
_VIEW = re.compile(r"(before|after|difference|step-\d{1,9})(?::([\w/]+(?:,[\w/]+)*))?")
_REWRITE = re.compile(r"rewrite-(\d{1,9})-(before|after)")
LONGEST = 4000  # characters of a picture's name


class Views:
    """Draws the pictures of one `trace` with one layout `engine`; dot may take `patience` seconds.

    `moments` gives the graph after so many rewrites.
    """

    def __init__(
        self, trace: Mapping[str, Any], engine: str = "auto", patience: float = PATIENCE,
        moments: Moments | None = None,
    ) -> None:  # fmt: skip
        self.trace, self.engine = trace, engine
        self.scene = Scene(trace, engine, patience, moments)
        self._drawn: dict[str, str] = {}

    def placed(self, name: str, toggles: Collection[str] = ()) -> Placed:
        """The diagram of the view `name`, and where its cards stand."""
        return self.scene.view(name, toggles)

    def toggles(self, name: str) -> list[str]:
        """What can be opened and closed in the view `name` as it is at first."""
        diagram, _ = self.placed(name)
        opened = [group.toggle for group in diagram.groups if group.toggle]
        return [*opened, *(card.key for card in diagram.cards if card.opens)]

    def revealed(self, name: str, toggles: str, node: str) -> list[str]:
        """The toggles that show `node` in the view `name`, beside those given: ValueError if it is not there."""
        if not _VIEW.fullmatch(name):
            raise ValueError(f"there is no view {name[:40]!r}")
        return self.scene.revealed(name, [key for key in toggles.split(",") if key], node)

    def picture(self, name: str) -> str:
        """An `<svg>` for a page with the stylesheet; ValueError if there is none.

        `name` is a view, such as "before", or "step-3", the graph after three rewrites; with the groups behind it
        that are not as they are at first and the ops that are open, "after:scope_1,n7"; or one side of a rewrite,
        "rewrite-3-after".
        """
        if name not in self._drawn:
            found = _VIEW.fullmatch(name) if len(name) <= LONGEST else None
            if found is None:
                self._drawn[name] = self._rewrite(name)
            else:
                toggles = found[2].split(",") if found[2] else ()
                self._drawn[name] = svg.graph(*self.placed(found[1], toggles))
        return self._drawn[name]

    def _rewrite(self, name: str) -> str:
        found = _REWRITE.fullmatch(name)
        if found is None or int(found[1]) >= len(self.trace["rewrites"]):
            raise ValueError(f"there is no picture {name[:40]!r}")
        made = drawing.rewrite_side(self.trace, int(found[1]), found[2])
        return svg.graph(made, layout(made, "linear"))  # it is small, and dot takes a process

    def legend(self) -> str:
        """The legend of all views."""
        return svg.legend([self.placed(name)[0] for name in VIEWS])

    def document(self, show: str = "side-by-side") -> str:
        """A standalone SVG document; ValueError if `show` is none of SHOWS."""
        if show not in SHOWS and not re.fullmatch(r"step-\d{1,9}", show):
            raise ValueError(f"show={show!r}: expected one of {', '.join(SHOWS)}")
        names = ("before", "after") if show == "side-by-side" else (show,)
        function = self.trace["function"]
        return svg.picture(function["name"], function["expression"], [self.placed(name) for name in names])


def image(document: str, alt: str, width: int = 900, kind: str = "") -> str:
    """An SVG document as an `<img>`, which notebooks show without trust; `alt` must be escaped.

    `kind` is the name that stylesheets know it by.
    """
    data = base64.b64encode(document.encode()).decode()
    known = f'class="{kind}" ' if kind else ""
    return f'<img {known}alt="{alt}" style="max-width:min(100%,{width}px)" src="data:image/svg+xml;base64,{data}">'


def still(function: Any, views: Views, kind: str = "") -> dict[str, str]:
    """A function as text and as an image that needs neither script nor trust."""
    alt = escape(f"{views.trace['function']['name']}: {views.trace['function']['expression']}", 300)
    return {"text/plain": repr(function), "text/html": image(views.document(), alt, kind=kind)}
