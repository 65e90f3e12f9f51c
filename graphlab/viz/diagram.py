"""What a picture shows, before anyone decides where: cards, the links between them, and groups."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphlab.dtypes import itemsize
from graphlab.viz.escape import clip
from graphlab.viz.groups import Group, Path, nested

Trace = Mapping[str, Any]
SAME, ADDED, REMOVED, EDGE = "same", "added", "removed", "edge"  # EDGE: where a close-up ends
WIDTH, SMALL = 7.3, 6.1  # of a character of the title and of the small text under it
NAME_LIMIT, LINE_LIMIT = 26, 30


@dataclass(frozen=True, slots=True)
class Card:
    """One box: a node, or one use of a scalar constant. `nodes` are the ids it stands for."""

    key: str
    nodes: tuple[str, ...]
    family: str
    glyph: str
    title: str
    detail: str = ""
    mark: str = SAME
    tags: tuple[str, ...] = ()  # short remarks on its upper edge: the gradient's sign, "output"
    label: str = ""  # the whole node in words

    @property
    def computed(self) -> bool:
        """Whether an op makes it, rather than its being given."""
        return self.family not in ("input", "constant", "shared", "reference")

    @property
    def small(self) -> bool:
        """Whether it is but a word: a number, or a reference."""
        return not self.detail

    @property
    def tile(self) -> float:
        """The width of the glyph's tile."""
        return max(26.0, 10 + 7.6 * columns(self.glyph)) + (6 if self.leans else 0)

    @property
    def leans(self) -> bool:
        """Whether its sides are not upright."""
        return self.family in ("reduction", "shape")

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        if self.small:
            return max(30.0, 18 + WIDTH * columns(self.title)), 24.0
        text = max(WIDTH * columns(self.title), SMALL * columns(self.detail))
        tags = sum(14 + 5.8 * columns(t) for t in self.tags)
        return max(self.tile + text + (30 if self.leans else 20), tags + 18), 40.0


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow from card `source` to card `target`, which reads it as operand number `position`."""

    source: str
    target: str
    position: int
    label: str = ""
    mark: str = SAME
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Diagram:
    """Everything on one picture; `name` is unique in a page, `about` describes it in a sentence."""

    name: str
    title: str
    about: str
    cards: tuple[Card, ...]
    links: tuple[Link, ...]
    groups: tuple[Group, ...] = field(default=())


def columns(text: str) -> int:
    """How many character cells `text` takes in a monospaced font."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    return len(text) + wide - marks


# ---- the views -----------------------------------------------------------------------------------


def before(trace: Trace) -> Diagram:
    """The graph as the user wrote it; what was made in one name scope is a group."""
    return _whole(trace, "before", "before: as written")


def after(trace: Trace) -> Diagram:
    """The optimised graph; nodes fused into one kernel are a group, and those of a name scope."""
    return _whole(trace, "after", "after: optimised")


def difference(trace: Trace) -> Diagram:
    """Both graphs in one picture: what stayed once, what went dashed, what came with a double border."""
    nodes, twins = _by_id(trace), trace["twins"]
    old, new = (trace["graphs"][side]["nodes"] for side in ("before", "after"))
    stayed = {twins[n]: n for n in new if n in twins}
    draw = _Drawing(nodes, trace["sources"])
    for name in old:
        draw.card(name, SAME if name in stayed else REMOVED, also=stayed.get(name))
    for name in new:
        if name not in twins:
            draw.card(name, ADDED)
    draw.stand_for(twins)
    for name in old:
        draw.links(name, REMOVED)
    for name in new:
        draw.links(name, ADDED)  # a link of both graphs is found again, and then marked as one that stayed
    draw.outputs([*trace["graphs"]["before"]["outputs"], *trace["graphs"]["after"]["outputs"]])
    gone, came = sum(n not in stayed for n in old), sum(n not in twins for n in new)
    about = f"{len(stayed)} nodes stayed, {gone} were removed, {came} were added."
    return draw.diagram("difference", "difference", about)


def rewrite_side(trace: Trace, number: int, side: str) -> Diagram:
    """One side, "before" or "after", of a rewrite seen close up."""
    rewrite = trace["rewrites"][number]
    seen = rewrite[side]
    draw = _Drawing(_by_id(trace), trace["sources"])
    other = set(rewrite["after" if side == "before" else "before"]["nodes"])
    for name in seen["leaves"]:
        draw.card(name, EDGE)
    for name in seen["nodes"]:
        draw.card(name, SAME if name in other else REMOVED if side == "before" else ADDED)
    for name in seen["nodes"]:
        draw.links(name, SAME)
    return draw.diagram(f"rewrite-{number}-{side}", side, f"{rewrite['rule']}: {seen['text']}")


def _whole(trace: Trace, side: str, title: str) -> Diagram:
    graph = trace["graphs"][side]
    draw = _Drawing(_by_id(trace), trace["sources"])
    for name in graph["nodes"]:
        draw.card(name)
    for name in graph["nodes"]:
        draw.links(name)
    draw.outputs(graph["outputs"])
    kernels = trace["kernels"] if side == "after" else ()
    fused = [group for group in map(draw.kernel, kernels) if len(group.members) > 1]
    groups = nested(fused, draw.scopes(), {key for key, card in draw.cards.items() if card.computed})
    made = draw.diagram(side, title, f"{len(graph['nodes'])} nodes: {trace['function']['expression']}")
    return replace(made, groups=groups)


def _by_id(trace: Trace) -> dict[str, Any]:
    return {n["id"]: n for n in trace["nodes"]}


class _Drawing:
    """Collects the cards and links of one picture."""

    def __init__(self, nodes: Mapping[str, Any], sources: list[Any]) -> None:
        self.nodes, self.sources = nodes, sources
        self.cards: dict[str, Card] = {}
        self.edges: dict[tuple[str, str, int], Link] = {}
        self.constants: dict[str, Card] = {}  # scalar constants: drawn anew beside each user
        self._stands_for: Mapping[str, str] = {}

    def stand_for(self, twins: Mapping[str, str]) -> None:
        """From now on, a link of a twin is drawn at the card of the other."""
        self._stands_for = twins

    def card(self, name: str, mark: str = SAME, also: str | None = None) -> None:
        """Draw node `name`; the card stands for node `also` as well."""
        node = self.nodes[name]
        ids = (name,) if also in (None, name) else (name, str(also))
        made = _card(node, ids, mark, self.sources)
        small = node["kind"] == "constant" and not made.detail
        (self.constants if small else self.cards)[name] = made

    def links(self, name: str, mark: str = SAME) -> None:
        """Draw the arrows into node `name`; one drawn before with another mark belongs to both graphs."""
        node, target = self.nodes[name], self._stands_for.get(name, name)
        for position, (origin, output) in enumerate(node["inputs"]):
            source = self._stands_for.get(origin, origin)
            if source in self.constants:
                source = self._constant(source, target, position, mark)
            if source in self.cards and target in self.cards:
                made = self.nodes[origin]["outputs"][output]
                link = Link(source, target, position, _link_label(made, node, output), mark, _bytes(made))
                known = self.edges.get((source, target, position), link)
                self.edges[source, target, position] = replace(link, mark=_merged(known.mark, mark))

    def _constant(self, source: str, target: str, position: int, mark: str) -> str:
        key = f"{source}.{target}.{position}"
        known = self.cards.get(key)
        self.cards[key] = replace(self.constants[source], key=key, mark=_merged(known.mark, mark) if known else mark)
        return key

    def outputs(self, ends: Iterable[Any]) -> None:
        """Tag the cards whose values leave the graph."""
        for name, _ in ends:
            key = self._stands_for.get(name, name)
            if key in self.constants and key not in self.cards:
                self.cards[key] = self.constants[key]
            card = self.cards[key]
            if "output" not in card.tags:
                self.cards[key] = replace(card, tags=(*card.tags, "output"), label=f"{card.label}, output")

    def kernel(self, kernel: Mapping[str, Any]) -> Group:
        """A kernel's group."""
        return Group(kernel["name"], kernel["name"], tuple(self._with_numbers(kernel["nodes"])))

    def scopes(self) -> dict[Path, list[str]]:
        """The cards of every name scope, outer scopes first; the gradient's part of a scope is another one."""
        inside: dict[Path, list[str]] = {}
        for key, node in ((k, self.nodes[k]) for k in self.cards if k in self.nodes):
            for depth in range(1, len(node["scope"]) + 1):
                inside.setdefault((node["gradient"], tuple(node["scope"][:depth])), []).append(key)
        outer_first = sorted(inside.items(), key=lambda item: len(item[0][1]))
        return {path: self._with_numbers(cards) for path, cards in outer_first}

    def _with_numbers(self, names: Iterable[str]) -> list[str]:
        """The cards `names` and those of the scalar constants that they read."""
        inside = self.cards.keys() & set(names)
        uses = {e.source for e in self.edges.values() if e.target in inside and e.source.count(".") == 2}
        return [k for k in self.cards if k in inside or k in uses]

    def diagram(self, name: str, title: str, about: str) -> Diagram:
        """The finished picture."""
        return Diagram(name, title, about, tuple(self.cards.values()), tuple(self.edges.values()))


def _card(node: Mapping[str, Any], ids: tuple[str, ...], mark: str, sources: list[Any]) -> Card:
    types = [o["type"] for o in node["outputs"]]
    lines = [sources[k]["label"] for k in node["origins"]]
    tags = ("∂",) if node["gradient"] else ()
    title = node["name"] or node["text"]
    if node["kind"] == "op":
        title = " ".join([node["op"], *(f"{name}={value}" for name, value in node["parameters"].items())])
        title = f"{node['name']} = {title}" if node["name"] else title
    small = node["kind"] == "constant" and node["outputs"][0]["shape"] == []
    detail = "" if small else " ".join([clip(", ".join(types), LINE_LIMIT), *(f"· {clip(x, 16)}" for x in lines[:1])])
    words = [
        title,
        ", ".join(types),
        f"{len(node['inputs'])} inputs" if node["kind"] == "op" else node["kind"],
    ]
    words += ["gradient"] * node["gradient"] + ([f"line {', '.join(lines)}"] if lines else [])
    words += {ADDED: ["added"], REMOVED: ["removed"]}.get(mark, [])
    glyph = "#" if small else node["glyph"]
    return Card(ids[0], ids, node["family"], glyph, clip(title, NAME_LIMIT), detail, mark, tags, ", ".join(words))


def _link_label(made: Mapping[str, Any], user: Mapping[str, Any], output: int) -> str:
    """What of the type differs from that of the result: there something is cast, broadcast or folded."""
    result = user["outputs"][0]
    if made["dtype"] != result["dtype"]:
        text = made["type"]
    else:
        text = "" if made["shape"] in ([], result["shape"]) else made["type"].removeprefix(made["dtype"])
    return f"{output}: {made['type']}" if output else text


def _merged(one: str, other: str) -> str:
    return one if one == other else SAME


def _bytes(made: Mapping[str, Any]) -> int:
    extents = [1 if n is None else int(n) for n in made["shape"]]
    return itemsize(made["dtype"]) * math.prod(extents)
