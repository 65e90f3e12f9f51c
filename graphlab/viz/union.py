"""Two graphs as one: what stayed once, what went and what came marked; so that both have one layout."""

from __future__ import annotations

from dataclasses import replace

from graphlab.viz.diagram import ADDED, REMOVED, SAME, Card, Diagram

WORDS = {ADDED: ", added", REMOVED: ", removed"}


def union(before: Diagram, after: Diagram) -> Diagram:
    """Every card and link of the two; those of both are the ones with the same key or ends.

    A card of both is as wide as the wider of its forms.
    """
    if before.cards is after.cards:
        about = f"{len(before.cards)} stayed, none was removed or added."
        return replace(before, name="difference", title="difference", about=about)
    old, new = ({card.key: card for card in side.cards} for side in (before, after))
    cards = [_both(card, new[key]) if key in new else _marked(card, REMOVED) for key, card in old.items()]
    cards += [_marked(card, ADDED) for key, card in new.items() if key not in old]
    gone, came = ({link.ends: link for link in side.links} for side in (before, after))
    links = [link if ends in came else replace(link, mark=REMOVED) for ends, link in gone.items()]
    links += [replace(link, mark=ADDED) for ends, link in came.items() if ends not in gone]
    groups = {group.key: group for group in before.groups}
    for group in after.groups:
        known = groups.get(group.key, group)
        groups[group.key] = replace(known, members=tuple(dict.fromkeys((*known.members, *group.members))))
    stayed = sum(key in new for key in old)
    about = f"{stayed} stayed, {len(old) - stayed} were removed, {len(new) - stayed} were added."
    return Diagram("difference", "difference", about, tuple(cards), tuple(links), tuple(groups.values()))


def _marked(card: Card, mark: str) -> Card:
    return replace(card, mark=mark, label=card.label + WORDS[mark])


def _both(old: Card, new: Card) -> Card:
    if old is new:
        return old
    nodes, tags = (tuple(dict.fromkeys((*a, *b))) for a, b in ((old.nodes, new.nodes), (old.tags, new.tags)))
    alike = (old.title, old.detail, old.glyph, old.tags) == (new.title, new.detail, new.glyph, tags)
    room = 0.0 if alike else max(old.size[0], new.size[0])
    return replace(old, nodes=nodes, tags=tags, room=room, mark=SAME, opens=old.opens or new.opens)
