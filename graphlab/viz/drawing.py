"""From the trace to cards and links: one graph, what is inside of its ops, or one side of a rewrite."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphlab.dtypes import itemsize
from graphlab.graph.cost import UNKNOWN
from graphlab.viz.diagram import ADDED, EDGE, REMOVED, SAME, Card, Diagram, Link
from graphlab.viz.escape import clip
from graphlab.viz.groups import BODY, BRANCH, KERNEL, Group

Trace = Mapping[str, Any]
NAME_LIMIT, LINE_LIMIT = 26, 30
OUTPUT = "output"  # the tag of what leaves the graph
SIDES = {"before": "before: as written", "after": "after: optimised"}


Alike = dict[tuple[Any, ...], Card]  # by all that the nodes of cards have but an id and inputs


def graph(trace: Trace, side: str, opened: Collection[str] = (), alike: Alike | None = None) -> Diagram:
    """The graph "before" or "after", with what is inside of the ops whose cards are `opened` as groups.

    What stands on both sides has the same key on both: that of the node before. `alike` are cards of the same trace.
    """
    shown = trace["graphs"][side]
    about = f"{len(shown['nodes'])} nodes: {trace['function']['expression']}"
    nodes, twins = {n["id"]: n for n in trace["nodes"]}, trace["twins"] if side == "after" else {}
    draw = Drawing(nodes, trace["sources"], twins, alike)
    return draw.whole(shown, opened).diagram(side, SIDES[side], about)


def graphs(trace: Trace, opened: Collection[str] = (), alike: Alike | None = None) -> tuple[Diagram, Diagram]:
    """The graph before and the graph after; with the same cards, and in no time, if nothing was rewritten."""
    before, after = (trace["graphs"][side] for side in ("before", "after"))
    first = graph(trace, "before", opened, alike)
    if before != after:
        return first, graph(trace, "after", opened, alike)
    return first, replace(first, name="after", title=SIDES["after"])


def moment(
    trace: Trace, moment: Mapping[str, Any], opened: Collection[str] = (), alike: Alike | None = None
) -> Diagram:
    """The graph at some moment of the rewriting; what the last rewrite made is marked."""
    nodes = {n["id"]: n for n in (*trace["nodes"], *moment["nodes"])}
    draw = Drawing(nodes, moment["sources"], trace["twins"], alike).whole(moment["graph"], opened)
    for key, card in draw.cards.items():
        if card.nodes[0] in moment["made"]:
            draw.cards[key] = replace(card, mark=ADDED, label=f"{card.label}, added")
    title = f"after {moment['count']} of {len(trace['rewrites'])} rewrites"
    return draw.diagram(f"step-{moment['count']}", title, moment["rule"] or "as written")


def rewrite_side(trace: Trace, number: int, side: str) -> Diagram:
    """One side, "before" or "after", of a rewrite seen close up."""
    rewrite = trace["rewrites"][number]
    seen = rewrite[side]
    draw = Drawing({n["id"]: n for n in trace["nodes"]}, trace["sources"])
    other = set(rewrite["after" if side == "before" else "before"]["nodes"])
    for name in seen["leaves"]:
        draw.card(name, EDGE)
    for name in seen["nodes"]:
        draw.card(name, SAME if name in other else REMOVED if side == "before" else ADDED)
    for name in seen["nodes"]:
        draw.links(name)
    return draw.diagram(f"rewrite-{number}-{side}", side, f"{rewrite['rule']}: {seen['text']}")


def kernels(trace: Trace, after: Diagram) -> tuple[Group, ...]:
    """The fused kernels among the cards of the graph `after`, wherever they lie.

    What a kernel computes again is in the box of the first one that does.
    """
    if not trace["kernels"]:
        return ()
    places = defaultdict[str, dict[str, list[str]]](lambda: defaultdict(list))
    for card in after.cards:
        for name in card.nodes:
            places[name][card.place].append(card.key)
    numbers = _numbers(after)
    found = list[Group]()
    boxed = set[str]()
    for kernel in trace["kernels"]:
        here = [places[name] for name in kernel["nodes"]]
        for place in here[0] if len(here) > 1 else ():
            cards = [key for names in here for key in names.get(place, ())]
            if all(place in names for names in here) and len(cards) > 1:
                key = place + kernel["name"]
                with_numbers = dict.fromkeys(c for card in cards for c in (*numbers.get(card, ()), card))
                members = tuple(card for card in with_numbers if card not in boxed)
                boxed.update(members)
                if len(members) > 1:
                    found.append(Group(key, kernel["name"], members, KERNEL))
    return tuple(found)


def _numbers(drawn: Diagram) -> dict[str, list[str]]:
    """For each card the scalar constants drawn beside it."""
    numbers = defaultdict[str, list[str]](list)
    for link in drawn.links:
        if is_number(link.source):
            numbers[link.target].append(link.source)
    return numbers


def is_number(key: str) -> bool:
    """Whether a card's key is that of one use of a scalar constant."""
    return key.count(".") == 2


class Drawing:
    """Collects the cards and links of one graph; a node that `stands_for` another one has its key.

    What is inside of an op has its key, a slash, the number of the graph, and another slash before its own.
    """

    def __init__(
        self, nodes: Mapping[str, Any], sources: Sequence[Any], stands_for: Mapping[str, str] | None = None,
        alike: Alike | None = None,
    ) -> None:  # fmt: skip
        self.nodes, self.sources = nodes, sources
        self.cards: dict[str, Card] = {}
        self.edges: dict[tuple[str, str, int], Link] = {}
        self.constants: dict[str, Card] = {}  # scalar constants: drawn anew beside each user
        self._stands_for = stands_for or {}
        self._keys: dict[tuple[str, str], str] = {}  # by the place where a node is drawn, and its id
        self._sizes: dict[str, int] = {}  # of types, in bytes
        self._alike = {} if alike is None else alike
        self._opened: dict[str, int] = {}  # opened cards, with the number of graphs inside

    def whole(self, shown: Mapping[str, Any], opened: Collection[str]) -> Drawing:
        """Draw all of a graph, and what is inside of the ops whose cards are `opened`."""
        self._nodes("", shown["nodes"], opened)
        drawn = [("", shown["nodes"])]
        for place, names in drawn:  # grows while it is walked
            for name in names:
                key, node = self._keys[place, name], self.nodes[name]
                if key in self._opened:
                    position = len(node["inputs"])
                    for number, inner in enumerate(node["inside"]):
                        within = f"{key}/{number}/"
                        self._nodes(within, inner["nodes"], opened)
                        self._feed(place, node, within, inner, key, position)
                        position += len(inner["outputs"])
                        drawn.append((within, inner["nodes"]))
        for place, names in drawn:
            for name in names:
                self._operands(place, name)
        for name, _ in shown["outputs"]:
            self._output(name)
        return self

    def card(self, name: str, mark: str = SAME) -> None:
        """Draw node `name`."""
        self._draw(name, replace(_card(self.nodes[name], self.sources, mark), key=name))
        self._keys["", name] = name

    def links(self, name: str) -> None:
        """Draw the arrows into node `name` from the cards that are drawn."""
        self._operands("", name)

    def diagram(self, name: str, title: str, about: str) -> Diagram:
        """The finished picture."""
        cards, links = tuple(self.cards.values()), tuple(self.edges.values())
        return Diagram(name, title, about, cards, links, tuple(self._frames()))

    def _nodes(self, place: str, names: Iterable[str], opened: Collection[str]) -> None:
        taken = set[str]()
        for name in names:
            key = place + self._stands_for.get(name, name)
            key = place + name if key in taken else key
            taken.add(key)
            self._keys[place, name] = key
            node = self.nodes[name]
            self._draw(key, self._card(node, key, place))
            if key in opened and any("nodes" in inner for inner in node["inside"]):
                self._opened[key] = len(node["inside"])

    def _card(self, node: Mapping[str, Any], key: str, place: str) -> Card:
        """The card of a node; what nodes that are alike have in common is worked out once."""
        alike = (
            ", ".join([o["type"] for o in node["outputs"]]), tuple(node["origins"]), tuple(node["scope"]), node["name"],
            node["text"], node["kind"], node["family"], id(node["parameters"]), node["gradient"], len(node["inputs"]),
        )  # fmt: skip
        known = None if node["inside"] else self._alike.get(alike)
        if known is None:
            known = self._alike[alike] = _card(node, self.sources, SAME)
        return Card(
            key, (node["id"],), known.family, known.glyph, known.title, known.detail, known.mark, known.tags,
            known.label, known.sign, known.scope, place, known.opens,
        )  # fmt: skip

    def _draw(self, key: str, card: Card) -> None:
        (self.constants if card.small and card.family == "constant" else self.cards)[key] = card

    def _operands(self, place: str, name: str) -> None:
        """The arrows into a node; into an opened op only those that nothing inside of it takes."""
        node, target = self.nodes[name], self._keys[place, name]
        taken = set[int]()
        if target in self._opened:
            taken = {operand for inner in node["inside"] for operand in inner["feeds"]}
        for position, end in enumerate(node["inputs"]):
            if position not in taken:
                made = self._output_of(end)
                self._link(place, end, target, position, made, _label(made, node["outputs"][0]))

    def _feed(
        self, place: str, node: Mapping[str, Any], within: str, inner: Mapping[str, Any], key: str, first: int
    ) -> None:
        """The arrows into a graph inside of `node`, and those from it to its card `key`, from position `first`."""
        for (name, _), operand, role in zip(inner["inputs"], inner["feeds"], inner["roles"], strict=True):
            target = self._keys[within, name]
            if target in self.cards:
                card = self.cards[target]
                detail = " · ".join(filter(None, [self.nodes[name]["outputs"][0]["type"], role]))
                self.cards[target] = replace(card, detail=detail, label=f"{card.label}, {role}".removesuffix(", "))
                if operand is not None:
                    end = node["inputs"][operand]
                    self._link(place, end, target, 0, self._output_of(end), "")
        for position, end in enumerate(inner["outputs"]):
            self._link(within, end, key, first + position, self._output_of(end), "")

    def _link(
        self, place: str, end: Sequence[Any], target: str, position: int, made: Mapping[str, Any], label: str
    ) -> None:
        source = self._keys.get((place, end[0]), "")
        if source in self.constants:
            source = self._constant(source, target, position)
        if source in self.cards and target in self.cards:
            link = Link(source, target, position, made["type"], _nth(end[1], made, label), SAME, self._bytes(made))
            self.edges[source, target, position] = link

    def _bytes(self, made: Mapping[str, Any]) -> int:
        """An estimate where the shape is not known."""
        if made["type"] not in self._sizes:
            extents = (UNKNOWN if n is None else int(n) for n in made["shape"])
            self._sizes[made["type"]] = itemsize(made["dtype"]) * math.prod(extents)
        return self._sizes[made["type"]]

    def _output_of(self, end: Sequence[Any]) -> Mapping[str, Any]:
        made: Mapping[str, Any] = self.nodes[end[0]]["outputs"][end[1]]
        return made

    def _constant(self, source: str, target: str, position: int) -> str:
        key = f"{source}.{target}.{position}"
        self.cards[key] = replace(self.constants[source], key=key, scope=self.cards[target].scope)
        return key

    def _output(self, name: str) -> None:
        """Tag a card whose value leaves the graph."""
        key = self._keys["", name]
        if key in self.constants and key not in self.cards:
            self.cards[key] = self.constants[key]
        card = self.cards[key]
        if OUTPUT not in card.tags:
            self.cards[key] = replace(card, tags=(*card.tags, OUTPUT), label=f"{card.label}, {OUTPUT}")

    def _frames(self) -> Iterable[Group]:
        """A group for each opened op, and within it one for each graph if there are several."""
        for key, graphs in self._opened.items():
            inside = [k for k in self.cards if k.startswith(f"{key}/")]
            (name,) = self.cards[key].nodes
            labels = [inner["label"] for inner in self.nodes[name]["inside"]]
            op = self.nodes[name]["op"]
            label = op if graphs > 1 or labels[0] == op else f"{op}: {labels[0]}"
            yield Group(f"{key}/", label, (key, *inside), BODY)
            for number in range(graphs) if graphs > 1 else ():
                members = tuple(k for k in inside if k.startswith(f"{key}/{number}/"))
                yield Group(f"{key}/{number}/", labels[number], members, BRANCH)


def _card(node: Mapping[str, Any], sources: Sequence[Any], mark: str) -> Card:
    types = ", ".join(o["type"] for o in node["outputs"])
    lines = [sources[k]["label"] for k in node["origins"]]
    given, gradient, op = node["kind"] != "op", node["gradient"], node["op"]
    title = node["name"] or node["text"]
    if not given:
        title = " ".join([op, *(f"{name}={value}" for name, value in node["parameters"].items())])
        title = f"{node['name']} = {title}" if node["name"] else title
    small = node["kind"] == "constant" and node["outputs"][0]["shape"] == []
    detail = "" if small else " ".join([clip(types, LINE_LIMIT), *(f"· {clip(x, 16)}" for x in lines[:1])])
    words = [title, types, node["kind"] if given else inputs(len(node["inputs"]))]
    words += ["gradient"] * gradient + ([f"line {', '.join(lines)}"] if lines else [])
    words += {ADDED: ["added"], REMOVED: ["removed"]}.get(mark, [])
    opens = ", ".join(inner["label"] for inner in node["inside"] if "nodes" in inner)
    return Card(
        "", (node["id"],), node["family"], "#" if small else node["glyph"], clip(title, NAME_LIMIT), detail, mark,
        ("∂",) if gradient else (), ", ".join(words), f"{node['text'] if op else node['family']} {types}",
        (gradient, tuple(node["scope"])), "", opens,
    )  # fmt: skip


def inputs(count: int) -> str:
    """So many inputs, in words."""
    return f"{count} input{'' if count == 1 else 's'}"


def _label(made: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What of the type differs from that of the result: there something is cast, broadcast or folded."""
    if made["dtype"] != result["dtype"]:
        return str(made["type"])
    return "" if made["shape"] in ([], result["shape"]) else str(made["type"]).removeprefix(made["dtype"])


def _nth(output: int, made: Mapping[str, Any], label: str) -> str:
    return f"{output}: {made['type']}" if output else label
