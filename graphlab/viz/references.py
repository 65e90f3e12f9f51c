"""Links that would run across half the picture are cut: a small card where one ended names its source."""

from __future__ import annotations

from dataclasses import replace

from graphlab.viz.diagram import Card, Diagram, Link
from graphlab.viz.escape import clip
from graphlab.viz.linear import ranks

LONGEST = 5  # ranks that a link may span
FAMILY = "reference"


def with_references(diagram: Diagram) -> Diagram:
    """`diagram` with each link over more than LONGEST ranks replaced by a reference beside its end.

    A gradient reads what its forward computation made long before: such links make a layout wide and slow.
    """
    rank, sources = ranks(diagram), {card.key: card for card in diagram.cards}
    cards, links = list(diagram.cards), list[Link]()
    for link in diagram.links:
        if rank[link.target] - rank[link.source] > LONGEST:
            card = _reference(sources[link.source], link)
            cards.append(card)
            link = replace(link, source=card.key, label="")
        links.append(link)
    return replace(diagram, cards=tuple(cards), links=tuple(links))


def _reference(source: Card, link: Link) -> Card:
    key = f"{link.source}.{link.target}.{link.position}"
    title = "↑ " + clip(source.title.partition(" = ")[0], 14)
    return Card(key, source.nodes, FAMILY, "", title, mark=link.mark, label=f"reference to {source.label}")
