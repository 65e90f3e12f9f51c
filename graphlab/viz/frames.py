"""Frames around the cards of each group, where there is room for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlab.viz.diagram import Diagram
from graphlab.viz.geometry import Box
from graphlab.viz.groups import heights


def frames(diagram: Diagram, cards: Mapping[str, Box]) -> dict[str, Box]:
    """A frame for each group whose frame would hold no stranger, without its constants if need be."""
    computed = {card.key for card in diagram.cards if card.computed}
    found: dict[str, Box] = {}
    height = heights(diagram.groups)
    for group in diagram.groups:
        members = set(group.members)
        strangers = [box for key, box in cards.items() if key not in members]
        strangers += [found[g.key] for g in diagram.groups if g.key in found and not members & set(g.members)]
        for inside in (members, members & computed):
            frame = _frame([cards[key] for key in inside or members], height[group.key])
            if not any(frame.overlaps(box) for box in strangers):
                found[group.key] = frame
                break
    return found


def _frame(boxes: Sequence[Box], height: int) -> Box:
    """A box around `boxes`, with room for the frames of `height` groups within it."""
    room, above = 8 + 6 * height, 20 + 17 * height
    left, top = min(b.x for b in boxes) - room, min(b.y for b in boxes) - above
    right, bottom = max(b.x + b.width for b in boxes) + room, max(b.y + b.height for b in boxes) + room
    return Box(round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2))
