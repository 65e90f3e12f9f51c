"""A picture with some of its groups closed: each is one card then, and what goes in and out of it one link each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from graphlab.viz.diagram import CHANGED, SAME, Card, Diagram, Link
from graphlab.viz.escape import clip
from graphlab.viz.groups import CHAIN, COPY, KERNEL, PART, REPEAT, SCOPE, Group, parents, shown

FAMILY = "group"
GLYPHS = {KERNEL: "⚙", SCOPE: "▣", REPEAT: "⧉", COPY: "⧉", CHAIN: "⋮", PART: "…"}
WORDS = {KERNEL: "fused kernel", SCOPE: "scope", REPEAT: "repetition", COPY: "copy", CHAIN: "chain", PART: "part"}
TITLE = 30


def fold(diagram: Diagram, groups: Sequence[Group], closed: Collection[str]) -> Diagram:
    """`diagram` with its `groups` (the larger first, kernels last), of which those with a toggle in `closed` are cards.

    A group none of whose cards is in `diagram` is left out, as is one in a closed group; of a kernel, what is in one.
    """
    cards = {card.key: card for card in diagram.cards}
    place, folded, opened = dict[str, str](), dict[str, Group](), list[Group]()
    for group in groups:
        inside = [key for key in group.members if key in cards and key not in place]
        if not inside or (group.kind == KERNEL and len(inside) < 2):
            continue
        present = replace(group, members=tuple(inside))
        if group.toggle in closed:
            folded[group.key] = present
            place.update(dict.fromkeys(inside, group.key))
        else:
            opened.append(present)
    links = _links(diagram.links, place, folded)
    around = _names(groups)
    made = {key: _card(group, around[key], [cards[k] for k in group.members], links) for key, group in folded.items()}
    visible = dict.fromkeys(place.get(key, key) for key in cards)
    drawn = [made.get(key) or cards[key] for key in visible]
    frames = (replace(group, members=_present(group, place, folded)) for group in opened)
    return replace(diagram, cards=tuple(drawn), links=tuple(links), groups=tuple(g for g in frames if g.members))


def _present(group: Group, place: Mapping[str, str], folded: Mapping[str, Group]) -> tuple[str, ...]:
    """The cards in an open group; a closed kernel that has others too is in none."""
    members = set(group.members)
    held = dict.fromkeys(place.get(key, key) for key in group.members)
    return tuple(key for key in held if key not in folded or members.issuperset(folded[key].members))


def _names(groups: Sequence[Group]) -> dict[str, str]:
    """What each group is called within the one around it."""
    around, by_key = parents(groups), {group.key: group for group in groups}
    return {group.key: shown(group, by_key.get(around[group.key] or "")) for group in groups}


def _links(links: Iterable[Link], place: Mapping[str, str], folded: Mapping[str, Group]) -> list[Link]:
    """What stays of the links; those between the same two cards are one if either is a closed group."""
    kept = dict[tuple[str, str, int], list[Link]]()
    for link in links:
        source, target = place.get(link.source, link.source), place.get(link.target, link.target)
        if source != target:
            merged = source in folded or target in folded
            kept.setdefault((source, target, 0 if merged else link.position), []).append(link)
    return [_together(*ends, several) for ends, several in kept.items()]


def _together(source: str, target: str, position: int, links: Sequence[Link]) -> Link:
    (first, *others), count = links, sum(link.count for link in links)
    if not others:
        return first if first.ends == (source, target, position) else replace(
            first, source=source, target=target, position=position)  # fmt: skip
    types, marks = {link.type for link in links}, {link.mark for link in links}
    return Link(
        source, target, position, first.type if len(types) == 1 else "different types", f"{count} values",
        first.mark if len(marks) == 1 else SAME, sum(link.bytes for link in links), count,
    )  # fmt: skip


def _card(group: Group, name: str, cards: Sequence[Card], links: Iterable[Link]) -> Card:
    """The card of a closed group."""
    ops = sum(card.computed for card in cards)
    nodes = tuple(dict.fromkeys(name for card in cards for name in card.nodes))
    marks = {card.mark for card in cards}
    mark = next(iter(marks)) if len(marks) == 1 else SAME if marks <= {SAME} else CHANGED
    tags = tuple(tag for tag in ("output",) if any(tag in card.tags for card in cards))
    what = {SCOPE: "", KERNEL: " fused"}.get(group.kind, "")
    detail = f"{ops} ops{what}" if ops else f"{len(cards)} values"
    changes = [f"{sum(c.mark == m for c in cards)} {m}" for m in ("removed", "added") if mark == CHANGED]
    words = [name, f"{WORDS[group.kind]} of {detail}", *(c for c in changes if c[0] != "0"), *tags, "closed"]
    title = clip(name, TITLE)
    return Card(
        group.key, (), FAMILY, GLYPHS[group.kind], title, detail, mark, tags, ", ".join(words),
        opens=group.label, inside=nodes,
    )  # fmt: skip
