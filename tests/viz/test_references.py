"""Long links become references, and nothing else changes."""

import graphlab
from graphlab.viz.diagram import Diagram
from graphlab.viz.linear import ranks
from graphlab.viz.record import record
from graphlab.viz.references import FAMILY, LONGEST, with_references
from graphlab.viz.scene import Scene


def test_no_link_spans_more_than_the_limit(training: graphlab.Function) -> None:
    whole = Scene(record(training)).stage().before
    cut = with_references(whole)
    rank = ranks(cut)
    assert any(card.family == FAMILY for card in cut.cards)
    assert all(rank[link.target] - rank[link.source] <= LONGEST for link in cut.links)


def test_what_each_card_reads_stays_the_same(training: graphlab.Function) -> None:
    whole = Scene(record(training)).stage().before
    cut = with_references(whole)

    def reads(drawn: Diagram) -> list[tuple[str, int, tuple[str, ...]]]:
        nodes = {card.key: card.nodes for card in drawn.cards}
        return [(link.target, link.position, nodes[link.source]) for link in drawn.links]

    assert reads(cut) == reads(whole)


def test_a_short_graph_is_left_alone(cubic: graphlab.Function) -> None:
    whole = Scene(record(cubic)).stage().before
    assert with_references(whole) == whole
