"""The two graphs of a trace on one stage: laid out once, so that nothing moves from view to view.

What is laid out is the union of both; before, after and any moment in between show their part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphlab.graph.collector import uncollected
from graphlab.viz import drawing, moment
from graphlab.viz.diagram import Diagram
from graphlab.viz.fold import fold
from graphlab.viz.frames import frames
from graphlab.viz.geometry import Layout
from graphlab.viz.groups import Group
from graphlab.viz.layout import PATIENCE, layout
from graphlab.viz.outline import Outline, inside, outline
from graphlab.viz.references import FAMILY, cut_as, with_references
from graphlab.viz.union import union

Trace = Mapping[str, Any]
Placed = tuple[Diagram, Layout]
Moments = Callable[[int], Mapping[str, Any]]  # the graph after so many rewrites


@dataclass(frozen=True)
class Stage:
    """All that can be seen with some ops open: each graph, their union, its groups and the kernels of `after`."""

    before: Diagram
    after: Diagram
    both: Diagram
    outline: Outline
    kernels: tuple[Group, ...]


class Scene:
    """Places the views of one `trace`; `toggles` are groups that are not as they are at first, and opened ops."""

    def __init__(
        self, trace: Trace, engine: str = "auto", patience: float = PATIENCE, moments: Moments | None = None
    ) -> None:
        self.trace, self.engine, self.patience, self.moments = trace, engine, patience, moments
        self._alike: drawing.Alike = {}
        self._stages: dict[frozenset[str], Stage] = {}
        self._placed: dict[Diagram, Layout] = {}
        self._folded: dict[tuple[frozenset[str], frozenset[str]], Diagram] = {}  # the union, by what is open and closed
        self._first: dict[str, Placed] = {}  # the views as they are at first

    def stage(self, toggles: Collection[str] = ()) -> Stage:
        """The graphs with what is inside of the ops among `toggles`."""
        opened = frozenset(key for key in toggles if not _is_group(key))
        if opened not in self._stages:
            before, after = drawing.graphs(self.trace, opened, self._alike)
            both = union(before, after)
            found = inside(self.stage().outline, both) if opened else outline(both)
            self._stages[opened] = Stage(before, after, both, found, drawing.kernels(self.trace, after))
        return self._stages[opened]

    @uncollected
    def view(self, name: str, toggles: Collection[str] = ()) -> Placed:
        """The view "before", "after", "difference" or "step-3", and where its cards, links and frames are.

        "step-3" is the graph after three rewrites; ValueError if there were fewer, or nobody knows them any more.
        """
        if name.startswith("step-"):
            return self._moment(int(name.removeprefix("step-")), toggles)
        if toggles:
            return self._side(name, toggles)
        if name not in self._first:
            self._first[name] = self._side(name, ())
        return self._first[name]

    def _side(self, name: str, toggles: Collection[str]) -> Placed:
        stage, closed, both = self._union(toggles)
        if name == "difference":
            return self._laid_out(both)
        drawn = stage.before if name == "before" else stage.after
        groups, kernels = stage.outline.groups, () if name == "before" else stage.kernels
        # Only closed kernels matter to the layout: open ones are drawn around their cards, wherever these are.
        shut = [kernel for kernel in kernels if kernel.toggle in closed]
        whole = self._laid_out(fold(stage.both, (*groups, *shut), closed) if shut else both)
        if drawn.cards is stage.both.cards and not kernels:  # nothing was rewritten, and there may be much of it
            return _part(replace(both, name=name, title=drawn.title, about=drawn.about), *whole)
        return _part(fold(drawn, (*groups, *kernels), closed), *whole)

    def _union(self, toggles: Collection[str]) -> tuple[Stage, frozenset[str], Diagram]:
        """The graphs, the groups that are closed, and what is then seen of both graphs together."""
        stage = self.stage(toggles)
        closed = stage.outline.closed.symmetric_difference(filter(_is_group, toggles))
        name = frozenset(key for key in toggles if not _is_group(key)), closed
        if name not in self._folded:
            self._folded[name] = fold(stage.both, stage.outline.groups, closed)
        return stage, closed, self._folded[name]

    def _moment(self, count: int, toggles: Collection[str]) -> Placed:
        if self.moments is None or count > len(self.trace["rewrites"]):
            raise ValueError(f"there is no graph after {count} rewrites here: there are {len(self.trace['rewrites'])}")
        stage, closed, both = self._union(toggles)
        drawn = drawing.moment(self.trace, self.moments(count), toggles, self._alike)
        whole, layout = self._laid_out(both)
        part = fold(drawn, moment.joined(stage.outline.groups, drawn, stage.both), closed)
        cut = cut_as(part, {card.key for card in whole.cards if card.family == FAMILY})
        return cut, moment.placed(cut, whole, layout)

    def revealed(self, name: str, toggles: Sequence[str], node: str) -> list[str]:
        """`toggles` and what more must be opened to see `node` in the view `name`; ValueError if it is not there."""
        opened = [key for key in toggles if not _is_group(key)]
        opened += [key for key in self._holders(node) if key not in opened]
        stage = self.stage(opened)
        drawn = {"before": stage.before, "after": stage.after}.get(name, stage.both)
        key = next((card.key for card in drawn.cards if node in card.nodes), None)
        if key is None:
            raise ValueError(f"there is no node {node[:40]!r} in the view {name}")
        groups = stage.outline.groups + (stage.kernels if name == "after" else ())
        closed = stage.outline.closed.symmetric_difference(filter(_is_group, toggles))
        hiding = {group.key for group in groups if group.key in closed and key in group.members}
        return [*opened, *sorted(hiding.symmetric_difference(filter(_is_group, toggles)))]

    def _holders(self, node: str) -> list[str]:
        """The cards of the ops to be opened so that `node` is drawn, the outermost first."""
        nodes = {n["id"]: n for n in self.trace["nodes"]}
        outer = {name for side in ("before", "after") for name in self.trace["graphs"][side]["nodes"]}
        places = {
            name: (holder["id"], number)
            for holder in nodes.values()
            for number, inner in enumerate(holder["inside"])
            for name in inner.get("nodes", ())
            if name not in outer
        }
        chain = list[tuple[str, int]]()
        while node in places and len(chain) < len(places):
            chain.append(places[node])
            node = chain[-1][0]
        keys, place = list[str](), ""
        for name, number in reversed(chain):
            keys.append(place + self.trace["twins"].get(name, name))
            place = f"{keys[-1]}/{number}/"
        return keys

    def _laid_out(self, folded: Diagram) -> Placed:
        whole = with_references(folded)
        if whole not in self._placed:
            self._placed[whole] = layout(whole, self.engine, self.patience)
        return whole, self._placed[whole]


def _is_group(toggle: str) -> bool:
    """Whether a toggle is the key of a group; else it is that of an op's card."""
    return "_" in toggle


def _part(part: Diagram, whole: Diagram, placed: Layout) -> Placed:
    """`part` at its places in the layout of `whole`."""
    cut = cut_as(part, {card.key for card in whole.cards if card.family == FAMILY})
    cards = {card.key: placed.cards[card.key] for card in cut.cards}
    found = zip(placed.links, placed.labels, strict=True)
    ways = {link.ends: way for link, way in zip(whole.links, found, strict=True)}
    links, labels = zip(*(ways[link.ends] for link in cut.links), strict=True) if cut.links else ((), ())
    boxes = {group.key: placed.groups[group.key] for group in cut.groups if group.key in placed.groups}
    others = tuple(group for group in cut.groups if group.key not in boxes)
    boxes |= frames(replace(cut, groups=others), cards)
    return cut, replace(placed, cards=cards, links=links, labels=labels, groups=boxes)
