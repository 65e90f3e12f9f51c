"""Links that would run across half the picture are cut: a small card where one ended names its source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from graphlab.viz.diagram import Card, Diagram, Link
from graphlab.viz.escape import clip
from graphlab.viz.linear import ranks

LONGEST = 8  # ranks that a link may span
FAMILY = "reference"


def with_references(diagram: Diagram) -> Diagram:
    """`diagram` with each link over more than LONGEST ranks replaced by a reference beside its end.

    A gradient reads what its forward computation made long before: such links make a layout wide and slow.
    """
    rank = ranks(diagram)
    return cut_as(diagram, {key(link) for link in diagram.links if rank[link.target] - rank[link.source] > LONGEST})


def cut_as(diagram: Diagram, keys: Collection[str]) -> Diagram:
    """`diagram` with those of its links cut whose references have one of `keys`."""
    sources, cards, links = {card.key: card for card in diagram.cards}, list(diagram.cards), list[Link]()
    beside = defaultdict[str, list[str]](list)
    for link in diagram.links:
        if key(link) in keys:
            cards.append(_reference(sources[link.source], link))
            beside[link.target].append(key(link))
            link = replace(link, source=key(link), label="")
        links.append(link)
    held = ([k for member in group.members for k in (*beside[member], member)] for group in diagram.groups)
    groups = tuple(replace(group, members=tuple(keys)) for group, keys in zip(diagram.groups, held, strict=True))
    return replace(diagram, cards=tuple(cards), links=tuple(links), groups=groups)


def key(link: Link) -> str:
    """The key of the reference that may stand for the beginning of `link`."""
    return f"{link.source}.{link.target}.{link.position}.{FAMILY}"


def _reference(source: Card, link: Link) -> Card:
    title = "↑ " + clip(source.title.partition(" = ")[0], 14)
    nodes = source.nodes or source.inside[:1]
    return Card(key(link), nodes, FAMILY, "", title, mark=link.mark, label=f"reference to {source.label}")
