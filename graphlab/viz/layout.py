"""Where everything on a picture stands: by Graphviz's dot where there is one, else by graphlab's own."""

from __future__ import annotations

from graphlab.viz import dot, linear
from graphlab.viz.diagram import Diagram
from graphlab.viz.geometry import Layout

DOT_LIMIT = 1000  # more cards than dot lays out in good time
PATIENCE = 10.0  # seconds that dot may take


def layout(diagram: Diagram, engine: str = "auto", patience: float = PATIENCE) -> Layout:
    """Place `diagram`; `engine` is "auto", "dot" or "linear". DotFailed is raised only for "dot"."""
    if engine == "linear":
        return linear.place(diagram)
    if engine == "auto" and len(diagram.cards) > DOT_LIMIT:
        return linear.place(diagram, f"the picture has more than {DOT_LIMIT} nodes")
    try:
        return dot.place(diagram, patience)
    except dot.DotFailed as failure:
        if engine == "dot":
            raise
        return linear.place(diagram, str(failure))
