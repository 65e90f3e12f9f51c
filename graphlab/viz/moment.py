"""A moment of the rewriting at the places of the graphs before and after: only what is in neither needs its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphlab.viz.diagram import Diagram, Link
from graphlab.viz.frames import frames
from graphlab.viz.geometry import Box, Layout, Point
from graphlab.viz.groups import Group

GAP, RING = 14.0, 40  # between cards; how many places around the wished one are tried


def joined(groups: Iterable[Group], drawn: Diagram, whole: Diagram) -> list[Group]:
    """`groups` of `whole` with those cards of `drawn` that are new: each where what it reads is, or its user."""
    there = {card.key for card in whole.cards}
    near = dict[str, str]()
    for link in drawn.links:
        near.setdefault(link.source, link.target)
    given = {card.key for card in drawn.cards if not card.computed}
    for link in drawn.links:
        if link.source not in given:
            near[link.target] = link.source
    new = [card.key for card in drawn.cards if card.key not in there and card.nodes]
    wanted, holders = {near.get(key) for key in new}, defaultdict[str | None, list[int]](list)
    found = list(groups)
    for number, group in enumerate(found):
        for key in wanted.intersection(group.members):
            holders[key].append(number)
    joining = defaultdict[int, list[str]](list)
    for key in new:
        holders[key] = holders[near.get(key)]
        for number in holders[key]:
            joining[number].append(key)
    for number, keys in joining.items():
        found[number] = replace(found[number], members=(*found[number].members, *keys))
    return found


def placed(drawn: Diagram, whole: Diagram, layout: Layout) -> Layout:
    """Places for `drawn`: those that `layout` has for the cards and links of `whole`, and new ones near by."""
    cards = {card.key: layout.cards[card.key] for card in drawn.cards if card.key in layout.cards}
    free = [box for key, box in layout.cards.items() if key not in cards]
    reads = defaultdict[str, list[str]](list)
    for link in drawn.links:
        reads[link.target].append(link.source)
    for card in drawn.cards:
        if card.key not in cards:
            above = [cards[key] for key in reads[card.key] if key in cards]
            users = [cards[link.target] for link in drawn.links if link.source == card.key and link.target in cards]
            cards[card.key] = _spot(*card.size, above, users, free, list(cards.values()))
    ways = dict(zip((link.ends for link in whole.links), zip(layout.links, layout.labels, strict=True), strict=True))
    found = [ways.get(link.ends) or (_straight(link, cards), None) for link in drawn.links]
    links, labels = zip(*found, strict=True) if found else ((), ())
    boxes = {group.key: layout.groups[group.key] for group in drawn.groups if group.key in layout.groups}
    boxes |= frames(replace(drawn, groups=tuple(g for g in drawn.groups if g.key not in boxes)), cards)
    right = max([layout.width, *(box.x + box.width + GAP for box in cards.values())])
    bottom = max([layout.height, *(box.y + box.height + GAP for box in cards.values())])
    return replace(layout, width=right, height=bottom, cards=cards, links=links, labels=labels, groups=boxes)


def _spot(
    width: float, height: float, above: Sequence[Box], users: Sequence[Box], free: Sequence[Box], taken: Sequence[Box]
) -> Box:
    """A place below what a card reads and above its users, if there is one; best where something hidden has its own."""
    near = [*above, *users] or [Box(0, 0, 0, 0)]
    x = sum(box.centre[0] for box in near) / len(near)
    top = max((box.y + box.height for box in above), default=min(box.y for box in near) - height - 2 * GAP)
    low = min((box.y for box in users), default=top + height + 4 * GAP)
    y = (top + low) / 2 if low > top else top + GAP + height / 2
    hidden = sorted((abs(b.centre[0] - x) + abs(b.centre[1] - y), b.centre) for b in free)
    wished = [centre for distance, centre in hidden[:RING] if distance < 6 * (width + height)]
    steps = [(column, row) for row in range(RING) for column in range(-3, 4)]
    steps.sort(key=lambda step: (abs(step[0]) + step[1], step))
    wished += [(x + column * (width + GAP), y + row * (height + GAP)) for column, row in steps]
    boxes = (
        Box(round(max(cx - width / 2, 0.0), 2), round(max(cy - height / 2, 0.0), 2), width, height) for cx, cy in wished
    )
    lowest = Box(0.0, max((b.y + b.height for b in taken), default=0.0) + GAP, width, height)
    return next((box for box in boxes if not any(_near(box, other) for other in taken)), lowest)


def _near(box: Box, other: Box) -> bool:
    wider = Box(box.x - GAP / 2, box.y - GAP / 2, box.width + GAP, box.height + GAP)
    return wider.overlaps(other)


def _straight(link: Link, cards: dict[str, Box]) -> tuple[Point, ...]:
    """A curve from the lower edge of one card to the upper edge of the other."""
    first, last = cards[link.source], cards[link.target]
    (x0, y0), (x1, y1) = (first.centre[0], first.y + first.height), (last.centre[0], last.y)
    bend = max(abs(y1 - y0) / 2, 20.0)
    return (x0, y0), (x0, round(y0 + bend, 2)), (x1, round(y1 - bend, 2)), (x1, y1)
