"""The two graphs of a trace on one stage: laid out once, so that nothing moves from view to view.

What is laid out is the union of both; before, after and any moment in between show their part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphlab.viz import drawing
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

    def __init__(self, trace: Trace, engine: str = "auto", patience: float = PATIENCE) -> None:
        self.trace, self.engine, self.patience = trace, engine, patience
        self._stages: dict[frozenset[str], Stage] = {}
        self._placed: dict[Diagram, Layout] = {}

    def stage(self, toggles: Collection[str] = ()) -> Stage:
        """The graphs with what is inside of the ops among `toggles`."""
        opened = frozenset(key for key in toggles if not _is_group(key))
        if opened not in self._stages:
            before, after = (drawing.graph(self.trace, side, opened) for side in ("before", "after"))
            both = union(before, after)
            found = inside(self.stage().outline, both) if opened else outline(both)
            self._stages[opened] = Stage(before, after, both, found, drawing.kernels(self.trace, after))
        return self._stages[opened]

    def view(self, name: str, toggles: Collection[str] = ()) -> Placed:
        """The view "before", "after" or "difference", and where its cards, links and frames are."""
        stage = self.stage(toggles)
        closed = stage.outline.closed.symmetric_difference(filter(_is_group, toggles))
        groups = stage.outline.groups
        if name == "difference":
            return self._laid_out(fold(stage.both, groups, closed))
        if name == "before":
            return _part(fold(stage.before, groups, closed), *self._laid_out(fold(stage.both, groups, closed)))
        # Only closed kernels matter to the layout: open ones are drawn around their cards, wherever these are.
        shut = [kernel for kernel in stage.kernels if kernel.toggle in closed]
        whole = self._laid_out(fold(stage.both, (*groups, *shut), closed))
        return _part(fold(stage.after, (*groups, *stage.kernels), closed), *whole)

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
