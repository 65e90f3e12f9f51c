"""Large graphs are shown collapsed: by scope, then what repeats, then chains, until there is little enough to see."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import free_inputs
from graphlab.viz.diagram import Diagram
from graphlab.viz.fold import FAMILY, fold
from graphlab.viz.groups import CHAIN, COPY, PART, REPEAT, SCOPE
from graphlab.viz.outline import LIMIT, WITHIN, Outline
from graphlab.viz.record import Expression, record
from graphlab.viz.repeats import repetitions
from graphlab.viz.scene import Scene


def layered() -> list[Variable]:
    """Sixty layers in three blocks of name scopes, and their gradients."""
    h, weights = T.dmatrix("x"), [T.dmatrix(f"w{k}") for k in range(60)]
    for k, w in enumerate(weights):
        with graphlab.name_scope(f"block{k // 20}/layer{k}"):
            h = T.tanh(h @ w) * 0.5 + h
    return T.grad((h**2).mean(), weights)


def unrolled() -> list[Variable]:
    """A loop of 400 turns written out, without any scope."""
    h, x, w = T.dvector("h"), T.dvector("x"), T.dscalar("w")
    for _ in range(400):
        h = T.tanh(h * w + x)
    return [h]


def chained() -> list[Variable]:
    """Three hundred chains of two to four ops that nothing repeats, joined one after another."""
    ops, rng = [T.exp, T.sin, T.cos, T.tanh, T.sqrt, T.log], random.Random(1)
    total = T.dscalar("t")
    for k in range(300):
        v = T.dscalar(f"v{k}")
        for _ in range(rng.randint(2, 4)):
            v = rng.choice(ops)(v)
        total = total + v
    return [total]


def tangled() -> list[Variable]:
    """Three thousand nodes that read whichever others."""
    rng = random.Random(0)
    made = [T.dscalar("a"), T.dscalar("b")]
    for _ in range(3000):
        a, b = rng.sample(made[-40:], 2) if len(made) > 2 else made
        made.append(rng.choice([T.add, T.multiply, T.subtract])(a, b))
    return made[-40:]


LONG = 40  # references that may come with what is opened
ALL = pytest.mark.parametrize("make", [layered, unrolled, chained, tangled])


@cache
def scene(make: Callable[[], list[Variable]]) -> Scene:
    outputs = make()
    return Scene(record(Expression(Graph(tuple(free_inputs(outputs)), tuple(outputs)), "large")), "linear")


def seen(diagram: Diagram, outline: Outline) -> Diagram:
    return fold(diagram, outline.groups, outline.closed)


@ALL
def test_little_enough_is_seen_and_every_node_once(make: Callable[[], list[Variable]]) -> None:
    stage = scene(make).stage()
    whole, outline = stage.before, stage.outline
    assert len(whole.cards) > LIMIT
    drawn = seen(whole, outline)
    assert len(drawn.cards) <= LIMIT
    shown = [node for card in drawn.cards for node in card.nodes or card.inside]
    assert set(shown) == {node for card in whole.cards for node in card.nodes}
    names = {card.key for card in drawn.cards}
    assert all({link.source, link.target} <= names for link in drawn.links)


@ALL
def test_groups_nest_and_the_larger_come_first(make: Callable[[], list[Variable]]) -> None:
    groups = scene(make).stage().outline.groups
    sets = [set(group.members) for group in groups]
    assert [len(s) for s in sets] == sorted(map(len, sets), reverse=True)
    for k, one in enumerate(sets[:200]):
        assert all(other <= one or not other & one for other in sets[k + 1 :])


@ALL
def test_it_is_the_same_every_time(make: Callable[[], list[Variable]]) -> None:
    fresh = Scene(scene(make).trace, "linear")
    assert scene(make).stage().outline == fresh.stage().outline


@pytest.mark.parametrize("make", [unrolled, tangled])
def test_opening_a_group_never_floods_the_picture(make: Callable[[], list[Variable]]) -> None:
    view = scene(make)
    at_first = len(view.view("before")[0].cards)
    largest = [g for g in view.stage().outline.groups if g.key in view.stage().outline.closed][:8]
    for count in range(1, len(largest) + 1):
        assert len(view.view("before", [g.key for g in largest[:count]])[0].cards) <= at_first + count * (WITHIN + LONG)


def test_scopes_are_closed_from_the_innermost_on() -> None:
    stage = scene(layered).stage()
    scopes = {g.label: g.key in stage.outline.closed for g in stage.outline.groups if g.kind == SCOPE}
    assert scopes["block0/layer0"]
    assert scopes["block0/layer0 (gradient)"]
    drawn = seen(stage.before, stage.outline)
    assert {card.title for card in drawn.cards if card.family == FAMILY} >= {"layer0", "layer59"}
    assert not any(g.kind in (REPEAT, CHAIN, PART) for g in stage.outline.groups)


def test_the_turns_of_a_loop_written_out_are_one_repetition() -> None:
    stage = scene(unrolled).stage()
    (card,) = (c for c in seen(stage.before, stage.outline).cards if c.family == FAMILY)
    assert card.title in ("400 × multiply · add · tanh", "399 × tanh · multiply · add")
    copies = [g for g in stage.outline.groups if g.kind == COPY]
    assert len(copies) in (399, 400)
    assert {len(g.members) for g in copies} <= {3, 4, 5}


def test_what_looks_alike_but_is_wired_otherwise_is_no_repetition() -> None:
    rng = random.Random(3)
    made = [T.dscalar("a"), T.dscalar("b")]
    for _ in range(400):
        made.append(T.add(made[-1], made[-rng.randint(2, min(20, len(made)))]))
    groups = scene(lambda: [made[-1]]).stage().outline.groups
    assert all(len(g.members) < 40 for g in groups if g.kind == REPEAT)


def test_chains_become_one_card_each() -> None:
    stage = scene(chained).stage()
    kinds = [g.kind for g in stage.outline.groups]
    assert kinds.count(CHAIN) >= 250
    chain = next(g for g in stage.outline.groups if g.kind == CHAIN)
    assert " · " in chain.label


def test_a_group_in_a_group_is_opened_step_by_step() -> None:
    view = scene(unrolled)
    outline = view.stage().outline
    (repeat,) = (g for g in outline.groups if g.kind == REPEAT)
    first, _ = view.view("before", [repeat.key])
    inner = next(card for card in first.cards if card.family == FAMILY)
    second, _ = view.view("before", [repeat.key, inner.key])
    assert len(second.cards) > len(first.cards) > len(view.view("before")[0].cards)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_repetitions_repeat_and_share_nothing(tokens: list[int]) -> None:
    end = 0
    for r in repetitions(tokens):
        assert r.start >= end
        end = r.start + r.length
        assert r.copies >= 2
        first = tokens[r.start : r.start + r.period]
        assert tokens[r.start : end] == first * r.copies


def test_the_shortest_period_is_found_though_others_fit_too() -> None:
    (found,) = repetitions([9, *([1, 2, 3] * 40), 8])
    assert (found.period, found.copies) == (3, 40)
