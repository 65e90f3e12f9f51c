"""Both engines place every card without overlap, and links run from card to card."""

import os
from collections.abc import Sequence

import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz import dot
from graphlab.viz.diagram import Card, Diagram, Link
from graphlab.viz.geometry import Box, Layout
from graphlab.viz.groups import Group
from graphlab.viz.layout import layout
from graphlab.viz.record import record
from graphlab.viz.scene import Scene

ENGINES = ["linear", pytest.param("dot", marks=pytest.mark.needs_dot)]


def made(edges: Sequence[tuple[int, int]], groups: tuple[Group, ...] = ()) -> Diagram:
    """A diagram of plain cards from pairs of numbers."""
    keys = dict.fromkeys(k for edge in edges for k in edge)
    cards = tuple(Card(f"n{k}", (f"n{k}",), "elementwise", "+", f"node {k}", "float64") for k in keys)
    links = tuple(Link(f"n{a}", f"n{b}", i) for i, (a, b) in enumerate(edges))
    return Diagram("test", "test", "a test", cards, links, groups)


def near(box: Box, point: tuple[float, float], slack: float = 9.0) -> bool:
    x, y = point
    return box.x - slack <= x <= box.x + box.width + slack and box.y - slack <= y <= box.y + box.height + slack


def check(drawn: Diagram, placed: Layout) -> None:
    boxes = [placed.cards[card.key] for card in drawn.cards]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])
        assert -1 <= box.x <= box.x + box.width <= placed.width + 1
        assert -1 <= box.y <= box.y + box.height <= placed.height + 1
    for link, points in zip(drawn.links, placed.links, strict=True):
        assert len(points) % 3 == 1
        assert near(placed.cards[link.source], points[0])
        assert near(placed.cards[link.target], points[-1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("side", ["before", "after", "both"])
def test_cards_do_not_overlap_and_links_meet_their_cards(engine, side, training: graphlab.Function) -> None:
    drawn = getattr(Scene(record(training)).stage(), side)
    placed = layout(drawn, engine)
    assert placed.engine == engine
    check(drawn, placed)
    assert placed == layout(drawn, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_stand_above_what_reads_them(engine) -> None:
    drawn = made([(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)])
    cards = layout(drawn, engine).cards
    assert cards["n0"].y < cards["n1"].y < cards["n2"].y < cards["n3"].y


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cycle_in_a_union_of_two_graphs_is_drawn(engine) -> None:
    drawn = made([(0, 1), (1, 2), (2, 1), (2, 3)])
    check(drawn, layout(drawn, engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_picture_can_be_placed(engine) -> None:
    assert layout(Diagram("test", "test", "nothing", (), ()), engine).cards == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_kernels_frame_holds_its_ops_and_no_stranger(engine, cubic: graphlab.Function) -> None:
    drawn, placed = Scene(record(cubic), engine).view("after")
    (group,) = drawn.groups
    frame = placed.groups[group.key]
    inside = {card.key for card in drawn.cards if frame.overlaps(placed.cards[card.key])}
    assert {card.key for card in drawn.cards if card.computed} <= inside <= set(group.members)


def test_operands_enter_in_order_in_the_linear_layout() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    drawn = Scene(record(graphlab.function([x, y], y - x))).stage().before
    placed = layout(drawn, "linear")
    ends = {link.source: points[-1][0] for link, points in zip(drawn.links, placed.links, strict=True)}
    y_card, x_card = (next(c.key for c in drawn.cards if c.title == name) for name in ("y", "x"))
    assert ends[y_card] < ends[x_card]


def test_ten_thousand_cards_take_the_linear_layout() -> None:
    drawn = made([(k, k + 1) for k in range(9_999)] + [(k, k + 7) for k in range(0, 9_000, 3)])
    placed = layout(drawn)
    assert placed.engine == "linear"
    assert "1000" in placed.why
    assert len(placed.cards) == 10_000


def test_without_dot_the_linear_layout_says_so(monkeypatch, cubic: graphlab.Function) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    drawn = Scene(record(cubic)).stage().before
    placed = layout(drawn)
    assert (placed.engine, placed.why) == ("linear", "Graphviz's dot was not found")
    with pytest.raises(dot.DotFailed):
        layout(drawn, "dot")


@pytest.mark.needs_dot
def test_a_dot_that_takes_too_long_is_given_up() -> None:
    placed = layout(made([(0, 1)]), patience=1e-4)
    assert placed.engine == "linear"
    assert "longer" in placed.why
