"""The graph after any number of rewrites is drawn where the graphs before and after are drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import graphlab
from graphlab.graph.walk import toposort
from graphlab.viz.record import Recorder
from graphlab.viz.views import Views


@pytest.fixture
def views(training: graphlab.Function) -> Views:
    recorder = Recorder(training)
    return Views(recorder.trace(None, False), "linear", moments=recorder.moment)


def test_every_moment_has_all_its_nodes_and_no_others(views: Views, training: graphlab.Function) -> None:
    for count in range(len(training.trace.rewrites) + 1):
        graph = training.trace.at(count)
        drawn, _ = views.placed(f"step-{count}")
        ops = sorted(card.title.split(" ")[0] for card in drawn.cards if card.computed)
        assert ops == sorted(node.op.name for node in toposort(graph.outputs, graph.inputs))
        tree = ET.fromstring(views.picture(f"step-{count}"))
        assert sum(1 for g in tree.iter() if g.get("data-nodes")) == len(drawn.cards)


def test_nothing_moves_and_nothing_overlaps(views: Views, training: graphlab.Function) -> None:
    _, whole = views.placed("difference")
    for count in range(len(training.trace.rewrites) + 1):
        _, placed = views.placed(f"step-{count}")
        assert all(box == whole.cards[key] for key, box in placed.cards.items() if key in whole.cards)
        boxes = list(placed.cards.values())
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[k + 1 :])
            assert 0 <= box.x <= box.x + box.width <= placed.width
            assert 0 <= box.y <= box.y + box.height <= placed.height


def test_the_first_moment_is_the_graph_as_written(views: Views) -> None:
    (first, there), (before, here) = views.placed("step-0"), views.placed("before")
    assert {card.key for card in first.cards} == {card.key for card in before.cards}
    assert there.cards == here.cards


def test_what_the_last_rewrite_made_is_marked(views: Views, training: graphlab.Function) -> None:
    count = next(k for k, event in enumerate(training.trace.rewrites, 1) if event.added and "softplus" in event.rule)
    marked = {card.title for card in views.placed(f"step-{count}")[0].cards if card.mark == "added"}
    assert "softplus" in marked


def test_there_is_no_moment_beyond_the_last(views: Views, training: graphlab.Function) -> None:
    with pytest.raises(ValueError, match="no graph after"):
        views.picture(f"step-{len(training.trace.rewrites) + 1}")
    with pytest.raises(ValueError, match="no graph after"):
        Views(views.trace, "linear").picture("step-0")
