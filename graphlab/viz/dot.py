"""The layout by Graphviz: the diagram as DOT, named by positions alone, and dot's geometry read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import graphviz

from graphlab.viz.diagram import ADDED, CHANGED, REMOVED, Card, Diagram
from graphlab.viz.escape import clip
from graphlab.viz.geometry import Box, Layout, Point
from graphlab.viz.groups import KERNEL, Group, parents

INCH = 72.0
ORDERED = 60  # operands stand in order, left to right, on pictures of at most so many cards


SIGNS = {ADDED: "+ ", REMOVED: "− ", CHANGED: "± "}


class DotFailed(Exception):
    """dot is not there, took too long or gave nothing usable."""


def digraph(diagram: Diagram, *, labels: bool = False) -> graphviz.Digraph:
    """The diagram as a DOT graph; user's text is only in quoted `labels`, which the layout does without."""
    graph = graphviz.Digraph("graphlab")
    graph.attr("graph", nodesep="0.22", ranksep="0.38", margin="0", rankdir="TB")
    if diagram.groups:  # dot's older way of ranking clusters fails where arrows run to and fro between them
        graph.attr("graph", newrank="true")
    if len(diagram.cards) <= ORDERED:
        graph.attr("graph", ordering="in")
    graph.attr("node", shape="box", fixedsize="false" if labels else "true", label="")
    graph.attr("edge", arrowsize="0.6", fontsize="9", color="#5f6772")
    if labels:
        graph.attr("node", fontname="Helvetica", fontsize="11", style="filled")
        graph.attr("edge", fontname="Helvetica")
    names = {card.key: f"c{k}" for k, card in enumerate(diagram.cards)}
    for card in diagram.cards:
        width, height = card.size
        graph.node(names[card.key], width=_inches(width), height=_inches(height), **(_look(card) if labels else {}))
    for cluster in _clusters(diagram, names, labels):
        graph.subgraph(cluster)
    for number, link in enumerate(diagram.links):
        label = {"label": _label(link.label)} if link.label else {}
        if labels:
            label = {"label": _label(link.type), "penwidth": f"{link.width:g}", **_MARKS.get(link.mark, {})}
        graph.edge(names[link.source], names[link.target], id=str(number), **label)
    return graph


# Colours are those of Okabe and Ito; of a pair the second is for the text on the first.
_COLOURS = {
    "input": ("#56b4e9", "#000000"), "constant": ("#d5d9de", "#000000"), "shared": ("#e69f00", "#000000"),
    "elementwise": ("#009e73", "#000000"), "reduction": ("#d55e00", "#000000"), "shape": ("#f0e442", "#000000"),
    "linear algebra": ("#0072b2", "#ffffff"), "control": ("#cc79a7", "#000000"),
}  # fmt: skip
_SHAPES = {"input": "oval", "constant": "oval", "shared": "cylinder", "reduction": "invtrapezium",
           "shape": "parallelogram", "control": "component", "group": "folder", "reference": "note"}  # fmt: skip
_MARKS = {REMOVED: {"style": "dashed"}, ADDED: {"color": "#000000"}}


def _look(card: Card) -> dict[str, str]:
    """A node for people: its text, the colour and shape of its family, and its mark."""
    colour, on = _COLOURS.get(card.family, ("#eceef1", "#000000"))
    text = _label(f"{SIGNS.get(card.mark, '')}{card.title}\n{card.detail}".rstrip())
    look = {"label": text, "fillcolor": colour, "fontcolor": on, "shape": _SHAPES.get(card.family, "box")}
    if card.mark == REMOVED:
        return {**look, "style": "filled,dashed"}
    return {**look, "peripheries": "2"} if card.mark == ADDED else look


def _clusters(diagram: Diagram, names: Mapping[str, str], labels: bool) -> list[graphviz.Digraph]:
    """The groups as clusters: the outermost, which hold the others."""
    clusters: dict[str, graphviz.Digraph] = {}
    groups = _nested(diagram.groups)
    for number, group in ((diagram.groups.index(group), group) for group in groups):
        cluster = clusters[group.key] = graphviz.Digraph(f"cluster_{number}")
        cluster.attr(margin="14", label=_label(group.label) if labels else " ", fontsize="11", labeljust="l")
        for member in group.members:
            cluster.node(names[member])
    around = parents(groups)
    for key in reversed(clusters):  # smaller first, so that each is whole when it is put into another
        if (outer := around[key]) is not None:
            clusters[outer].subgraph(clusters[key])
    return [cluster for key, cluster in clusters.items() if around[key] is None]


def _nested(groups: Sequence[Group]) -> list[Group]:
    """`groups` without the kernels that cross another group: clusters must nest. The larger come first."""
    sets = {group.key: set(group.members) for group in groups}
    others = [sets[group.key] for group in groups if group.kind != KERNEL]

    def fits(kernel: set[str]) -> bool:
        return all(kernel <= other or not kernel & other for other in others)

    kept = [group for group in groups if group.kind != KERNEL or fits(sets[group.key])]
    return sorted(kept, key=lambda group: -len(group.members))


def _inches(points: float) -> str:
    return f"{points / INCH:.4f}"


def _label(text: str) -> str:
    printable = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in clip(text, 200))
    escaped: str = graphviz.escape(printable)  # no plain text, which would be HTML if it began with < and ended with >
    return escaped


def place(diagram: Diagram, patience: float) -> Layout:
    """Lay out with dot in at most `patience` seconds; DotFailed if that can't be done."""
    try:
        geometry = json.loads(run(digraph(diagram).source, "json", patience))
    except ValueError as error:
        raise DotFailed("dot wrote no JSON") from error
    _, _, width, height = _numbers(geometry["bb"])
    places = {o["name"]: o for o in geometry.get("objects", ())}

    def flip(x: float, y: float) -> Point:  # dot's y axis points up
        return round(x, 2), round(height - y, 2)

    def box(item: Any) -> Box:
        left, bottom, right, top = _numbers(item["bb"])
        return Box(*flip(left, top), round(right - left, 2), round(top - bottom, 2))

    cards = {}
    for k, card in enumerate(diagram.cards):
        (x, y), (w, h) = flip(*_numbers(places[f"c{k}"]["pos"])), card.size
        cards[card.key] = Box(round(x - w / 2, 2), round(y - h / 2, 2), w, h)
    edges = sorted(geometry.get("edges", ()), key=lambda e: int(e["id"]))
    links = tuple(tuple(flip(*p) for p in _spline(e["pos"])) for e in edges)
    labels = tuple(flip(*_numbers(e["lp"])) if "lp" in e else None for e in edges)
    groups = {g.key: box(places[f"cluster_{k}"]) for k, g in enumerate(diagram.groups)}
    return Layout("dot", width, height, cards, links, labels, groups)


def drawn(source: str, format: str, patience: float) -> bytes:
    """The picture that dot draws as "png" or "pdf", the same bytes every time: a PDF says when it was made."""
    made = run(source, format, patience)
    return re.sub(rb"/CreationDate \(D:\d{14}", b"/CreationDate (D:20000101000000", made)


def _numbers(text: str) -> list[float]:
    return [float(x) for x in text.split(",")]


def _spline(text: str) -> list[Point]:
    """The control points of `e,x,y x,y ...`; the end point e, the arrow's tip, closes the last curve."""
    words = [w.split(",") for w in text.split()]
    points = [(float(w[-2]), float(w[-1])) for w in words if w[0] not in ("e", "s")]
    tips = [(float(w[-2]), float(w[-1])) for w in words if w[0] == "e"]
    return [*points[:-1], *(tips or points[-1:])]


def run(source: str, format: str, patience: float) -> bytes:
    """What dot makes of a DOT text in `format`; DotFailed if there is no dot, or it takes longer than `patience`."""
    command = [os.fspath(graphviz.backend.DOT_BINARY), f"-T{format}"]
    try:
        return subprocess.run(
            command, input=source.encode(), capture_output=True, timeout=patience, check=True,
        ).stdout  # fmt: skip
    except (FileNotFoundError, NotADirectoryError):
        raise DotFailed("Graphviz's dot was not found") from None
    except subprocess.TimeoutExpired:
        raise DotFailed(f"dot took longer than {patience:g} s") from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise DotFailed(f"dot failed: {type(error).__name__}") from error
