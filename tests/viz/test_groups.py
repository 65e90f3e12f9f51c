"""Boxes nest: kernels, name scopes and calls; each layout draws them around their cards and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz import diagram, dot
from graphlab.viz.groups import SCOPE, Group, heights, nested, parents, shown
from graphlab.viz.layout import layout
from graphlab.viz.record import record
from graphlab.viz.views import Views


def scopes(**cards: str) -> dict[tuple[bool, tuple[str, ...]], list[str]]:
    return {(False, tuple(name.split("_"))): list(members) for name, members in cards.items()}


@pytest.fixture
def model() -> graphlab.Function:
    """Two layers, one of them a symbolic function, and a loss; fused across their borders."""
    rng = np.random.default_rng(0)
    layer = graphlab.symbolic(lambda v, w: T.tanh(v @ w), name="dense")
    x = T.dmatrix("x")
    with graphlab.name_scope("model"):
        with graphlab.name_scope("first"):
            h = T.tanh(x @ graphlab.shared(rng.normal(size=(4, 3)), "w1"))
        y = layer(h, graphlab.shared(rng.normal(size=(3, 2)), "w2"))
    with graphlab.name_scope("loss"):
        cost = (y**2).sum()
    return graphlab.function([x], [cost, T.grad(cost, x)], name="model")


def test_larger_groups_come_first_and_hold_the_smaller() -> None:
    groups = nested([Group("k", "k", ("b", "c"))], scopes(m="abcd", m_n="abc"), "abcd")
    assert [(g.label, g.members) for g in groups] == [
        ("m", ("a", "b", "c", "d")),
        ("m/n", ("a", "b", "c")),
        ("k", ("b", "c")),
    ]
    keys = {g.label: g.key for g in groups}
    assert parents(groups) == {keys["m"]: None, keys["m/n"]: keys["m"], "k": keys["m/n"]}
    assert heights(groups) == {keys["m"]: 2, keys["m/n"]: 1, "k": 0}
    assert [shown(groups[1], groups[0]), shown(groups[1], None)] == ["n", "m/n"]


def test_a_scope_is_cut_along_the_kernels_that_cross_it() -> None:
    groups = nested([Group("k", "k", ("b", "c", "x"))], scopes(m="abc"), "abcx")
    assert [(g.label, g.members, g.kind) for g in groups] == [
        ("k", ("b", "c", "x"), "kernel"),
        ("m", ("b", "c"), SCOPE),
        ("m", ("a",), SCOPE),
    ]


def test_a_scope_that_holds_but_another_has_one_box_with_it_and_none_without_ops() -> None:
    groups = nested([], scopes(m="ab", m_n="ab", o="c"), "a")
    assert [(g.label, g.members) for g in groups] == [("m/n", ("a", "b"))]


def test_before_has_the_scopes_of_the_user_and_after_those_of_the_calls_too(model: graphlab.Function) -> None:
    trace = record(model)
    before, after = (dict.fromkeys(g.label for g in view(trace).groups) for view in (diagram.before, diagram.after))
    assert {"model", "model/first", "loss", "model (gradient)"} <= set(before)
    assert {"model/first", "model/dense", "model/dense (gradient)"} <= set(after)
    call = next(n for n in trace["nodes"] if n["op"] == "dense")
    assert (call["glyph"], call["scope"]) == ("ƒ", ["model"])
    assert "matmul" in call["inside"][0]
    leaf = next(n for n in trace["nodes"] if n["name"] == "w1")
    assert (leaf["scope"], leaf["inside"]) == (["model", "first"], [])


@pytest.mark.parametrize("engine", ["linear", pytest.param("dot", marks=pytest.mark.needs_dot)])
def test_boxes_hold_their_cards_and_no_strangers(engine: str, model: graphlab.Function) -> None:
    drawn: Any
    for view in (diagram.before, diagram.after):
        drawn = view(record(model))
        placed = layout(drawn, engine)
        assert placed.groups or engine == "linear"
        computed = {card.key for card in drawn.cards if card.computed}
        for group in drawn.groups:
            if group.key in placed.groups:
                frame = placed.groups[group.key]
                inside = {key for key, box in placed.cards.items() if frame.overlaps(box)}
                assert set(group.members) & computed <= inside <= set(group.members)
        boxes = [(set(g.members), placed.groups[g.key]) for g in drawn.groups if g.key in placed.groups]
        for k, (members, box) in enumerate(boxes):
            for others, other in boxes[k + 1 :]:
                assert members & others or not box.overlaps(other)


def test_where_there_is_no_room_for_a_box_each_card_says_its_scope(model: graphlab.Function) -> None:
    drawn = diagram.before(record(model))
    placed = layout(drawn, "linear")
    assert any(group.key not in placed.groups for group in drawn.groups)
    picture = Views(record(model), "linear").picture("before")
    assert {f'data-scope="{g.label}"' in picture for g in drawn.groups if g.label != "model"} == {True}


def test_names_of_scopes_are_only_text() -> None:
    x = T.dvector("x")
    with graphlab.name_scope("<script>\"'&x"):
        f = graphlab.function([x], T.exp(x))
    trace = record(f)
    picture = Views(trace, "linear").picture("before")
    assert "<script" not in picture
    assert "&lt;script&gt;" in picture
    source = dot.digraph(diagram.before(trace), labels=True).source
    assert "subgraph cluster_0" in source


def test_a_graph_without_scopes_is_drawn_as_before(cubic: graphlab.Function) -> None:
    assert diagram.before(record(cubic)).groups == ()
