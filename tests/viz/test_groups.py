"""Groups nest, open and close: scopes, kernels and what ops hold; each is drawn around its cards and no others."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz.diagram import CHANGED, Diagram
from graphlab.viz.fold import FAMILY, fold
from graphlab.viz.groups import BODY, BRANCH, KERNEL, SCOPE, Group, heights, parents, shown
from graphlab.viz.record import record
from graphlab.viz.scene import Scene
from graphlab.viz.views import Views

ENGINES = ["linear", pytest.param("dot", marks=pytest.mark.needs_dot)]


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


@pytest.fixture
def holding() -> graphlab.Function:
    """A loop, a choice and a call of a symbolic function in one graph."""
    x, h0 = T.dvector("x"), T.dscalar("h0")
    w = graphlab.shared(2.0, "w")
    states, _ = graphlab.scan(lambda e, h: T.tanh(e * w + h), sequences=x, outputs_info=h0)
    chosen = graphlab.ifelse(h0 > 0, T.exp(x).sum(), T.sin(x).sum())
    called = graphlab.symbolic(lambda a, b: T.tanh(a) * b, name="scaled")(chosen, h0)
    return graphlab.function([x, h0], called + states[-1], name="holding")


def openable(scene: Scene, op: str, side: str = "before") -> str:
    """The card of the only op of that name."""
    (key,) = (c.key for c in getattr(scene.stage(), side).cards if c.opens and c.title.split(" ")[-1] == op)
    return key


def labels(drawn: Diagram, kind: str) -> set[str]:
    return {group.label for group in drawn.groups if group.kind == kind}


# ---- the tree --------------------------------------------------------------------------------------


def test_parents_are_the_smallest_around() -> None:
    groups = (Group("m", "m", ("a", "b", "c")), Group("n", "m/n", ("a", "b")), Group("k", "k", ("b",)))
    assert parents(groups) == {"m": None, "n": "m", "k": "n"}
    assert heights(groups) == {"m": 2, "n": 1, "k": 0}
    assert [shown(groups[1], groups[0]), shown(groups[1], None)] == ["n", "m/n"]


def test_before_has_the_scopes_of_the_user_and_after_those_of_the_calls_too(model: graphlab.Function) -> None:
    trace = record(model)
    before, after = (Scene(trace, "linear").view(name)[0] for name in ("before", "after"))
    assert {"model", "model/first", "loss", "model (gradient)"} <= labels(before, SCOPE)
    assert {"model/first", "model/dense", "model/dense (gradient)"} <= labels(after, SCOPE)
    assert labels(before, KERNEL) == set()
    assert labels(after, KERNEL) == {k["name"] for k in trace["kernels"] if len(k["nodes"]) > 1}
    leaf = next(n for n in trace["nodes"] if n["name"] == "w1")
    assert (leaf["scope"], leaf["inside"]) == (["model", "first"], [])


def test_a_scope_that_holds_but_another_has_one_box_with_it_and_none_without_ops() -> None:
    x = T.dvector("x")
    with graphlab.name_scope("m"), graphlab.name_scope("n"):
        y = T.exp(x)
    with graphlab.name_scope("o"):
        z = T.dvector("z")
    drawn, _ = Scene(record(graphlab.function([x, z], y + z)), "linear").view("before")
    assert labels(drawn, SCOPE) == {"m/n"}


def test_a_graph_without_scopes_has_no_groups_as_written(cubic: graphlab.Function) -> None:
    assert Scene(record(cubic), "linear").view("before")[0].groups == ()


# ---- drawing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["before", "after", "difference"])
def test_frames_hold_their_cards_and_no_strangers(engine: str, name: str, model: graphlab.Function) -> None:
    drawn, placed = Scene(record(model), engine).view(name)
    assert placed.groups or engine == "linear"
    computed = {card.key for card in drawn.cards if card.computed}
    for group in drawn.groups:
        if group.key in placed.groups:
            frame = placed.groups[group.key]
            inside = {key for key, box in placed.cards.items() if frame.overlaps(box)}
            assert set(group.members) & computed <= inside <= set(group.members)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_group_is_named_and_can_be_closed(engine: str, model: graphlab.Function) -> None:
    views = Views(record(model), engine)
    for name in ("before", "after", "difference"):
        picture = views.picture(name)
        for group in views.placed(name)[0].groups:
            assert f'data-{group.kind}="{group.label}"' in picture
            assert f'data-group="{group.toggle}" role="button" tabindex="0" aria-expanded="true"' in picture


def test_names_of_scopes_are_only_text() -> None:
    x = T.dvector("x")
    with graphlab.name_scope("<script>\"'&x"):
        f = graphlab.function([x], T.exp(x))
    for toggles in ("", ":scope_0"):
        picture = Views(record(f), "linear").picture(f"before{toggles}")
        assert "<script" not in picture
        assert "&lt;script&gt;" in picture


# ---- closing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_each_group_closes_to_one_card_that_stands_for_its_nodes(engine: str, model: graphlab.Function) -> None:
    scene = Scene(record(model), engine)
    for name in ("before", "after", "difference"):
        whole, _ = scene.view(name)
        for group in whole.groups:
            drawn, _ = scene.view(name, [group.toggle])
            (card,) = (card for card in drawn.cards if card.key == group.key)
            gone = {card.key: card for card in whole.cards if card.key in group.members and card.family != "reference"}
            assert card.family == FAMILY
            assert set(card.inside) == {node for c in gone.values() for node in c.nodes}
            assert not gone.keys() & {card.key for card in drawn.cards}


def test_what_goes_in_and_out_of_a_closed_group_is_one_link_each() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    with graphlab.name_scope("m"):
        a, b = x + y, x * y
    drawn, _ = Scene(record(graphlab.function([x, y], a - b)), "linear").view("before", ["scope_0"])
    (card,) = (card for card in drawn.cards if card.family == FAMILY)
    links = {(link.source == card.key, link.count): link.label for link in drawn.links}
    assert len(drawn.links) == 3
    assert links == {(False, 2): "2 values", (True, 2): "2 values"}
    assert card.label == "m, scope of 2 ops, closed"


def test_a_closed_group_says_what_changed_in_it() -> None:
    x = T.dvector("x")
    with graphlab.name_scope("m"):
        y = T.exp(T.log(1 + x))
    scene = Scene(record(graphlab.function([x], y)), "linear")
    drawn, _ = scene.view("difference", ["scope_0"])
    (card,) = (card for card in drawn.cards if card.family == FAMILY)
    assert card.mark == CHANGED
    assert re.search(r"\d removed, \d added", card.label)


def test_nothing_moves_from_view_to_view(model: graphlab.Function) -> None:
    scene = Scene(record(model), "linear")
    for toggles in ([], ["scope_0"]):
        boxes = [scene.view(name, toggles)[1].cards for name in ("before", "after", "difference")]
        for one in boxes:
            assert {key: boxes[2][key] for key in one} == one


def test_toggles_that_mean_nothing_here_change_nothing(cubic: graphlab.Function) -> None:
    scene = Scene(record(cubic), "linear")
    assert scene.view("after", ["scope_99", "n999", "kernel_7"]) == scene.view("after")
    with pytest.raises(ValueError, match="no picture"):
        Views(scene.trace).picture("after:<script>")


def test_a_kernel_that_crosses_a_closed_scope_keeps_the_rest(model: graphlab.Function) -> None:
    def cards(group: Group) -> set[str]:
        return {key for key in group.members if not key.endswith("reference")}

    scene = Scene(record(model), "linear")
    whole, _ = scene.view("after")
    for scope in (group for group in whole.groups if group.kind == SCOPE):
        drawn, _ = scene.view("after", [scope.key])
        for kernel in (group for group in drawn.groups if group.kind == KERNEL):
            before = next(group for group in whole.groups if group.key == kernel.key)
            assert cards(kernel) == cards(before) - cards(scope)


# ---- what ops hold ---------------------------------------------------------------------------------


def test_a_loop_opens_into_its_body(holding: graphlab.Function) -> None:
    scene = Scene(record(holding), "linear")
    key = openable(scene, "scan")
    drawn, _ = scene.view("before", [key])
    cards = {card.key: card for card in drawn.cards}
    inside = {card.title: card for card in drawn.cards if card.place == f"{key}/0/"}
    assert {"tanh", "multiply", "add"} <= inside.keys()
    roles = {card.detail.split(" · ")[-1] for card in inside.values() if card.family == "input"}
    assert roles == {"an element", "1 turn ago", "in every turn"}
    feeds = {cards[link.source].title: link.target for link in drawn.links if cards[link.target].family == "input"}
    assert feeds.keys() == {"x", "h0", "w"}
    reads = {cards[link.source].title for link in drawn.links if link.target == key}
    assert "tanh" in reads
    assert (labels(drawn, BODY), labels(drawn, BRANCH)) == ({"scan: body"}, set())


def test_a_choice_opens_into_two_branches_and_a_call_into_its_function(holding: graphlab.Function) -> None:
    scene = Scene(record(holding), "linear")
    keys = [openable(scene, op) for op in ("ifelse", "scaled")]
    drawn, _ = scene.view("before", keys)
    assert (labels(drawn, BODY), labels(drawn, BRANCH)) == ({"ifelse", "scaled"}, {"then", "otherwise"})
    after, _ = scene.view("after", [openable(scene, "ifelse", "after")])
    assert {card.title for card in after.cards if card.place} >= {"exp", "sin", "sum"}


def test_what_is_opened_inside_of_what_is_opened() -> None:
    xs = T.dmatrix("xs")
    sums, _ = graphlab.scan(
        lambda row: graphlab.scan(lambda e, s: T.sin(s) + e, sequences=row, outputs_info=xs[0, 0])[0][-1], sequences=xs
    )
    scene = Scene(record(graphlab.function([xs], sums)), "linear")
    outer = openable(scene, "scan")
    first, _ = scene.view("before", [outer])
    (inner,) = (card.key for card in first.cards if card.place and card.opens)
    second, _ = scene.view("before", [outer, inner])
    assert len(second.cards) > len(first.cards)
    frames = {group.key: set(group.members) for group in second.groups}
    assert frames[f"{inner}/"] < frames[f"{outer}/"]
    assert scene.view("before", [inner])[0] == scene.view("before")[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_opened_ops_are_drawn_with_all_their_nodes(engine: str, holding: graphlab.Function) -> None:
    trace = record(holding)
    views = Views(trace, engine)
    keys = sorted(openable(views.scene, op) for op in ("scan", "ifelse", "scaled"))
    tree = ET.fromstring(views.picture(f"before:{','.join(keys)}"))
    drawn = {name for g in tree.iter() for name in str(g.get("data-nodes", "")).split()}
    held = {name for n in trace["nodes"] if n["id"] in keys for inner in n["inside"] for name in inner["nodes"]}
    assert drawn == held | set(trace["graphs"]["before"]["nodes"])


def test_a_kernel_inside_of_a_loop_is_a_group_there(holding: graphlab.Function) -> None:
    scene = Scene(record(holding), "linear")
    key = openable(scene, "scan", "after")
    drawn, _ = scene.view("after", [key])
    (kernel,) = (group for group in drawn.groups if group.kind == KERNEL and group.key.startswith(f"{key}/0/"))
    body = next(group for group in drawn.groups if group.key == f"{key}/")
    assert set(kernel.members) < set(body.members)


def test_folding_keeps_every_path_between_what_is_left(model: graphlab.Function) -> None:
    stage = Scene(record(model), "linear").stage()
    groups = stage.outline.groups

    def reached(drawn: Diagram, key: str) -> set[str]:
        found, pending = {key}, [key]
        for one in pending:
            new = {link.target for link in drawn.links if link.source == one} - found
            found |= new
            pending += new
        return found

    small = fold(stage.both, groups, {groups[0].key})
    left = {card.key for card in small.cards} & {card.key for card in stage.both.cards}
    for key in left:
        assert reached(stage.both, key) & left <= reached(small, key)


def test_what_two_kernels_compute_is_in_the_box_of_the_first() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    z = (x[:, None, :] - y) * y
    q = T.exp((z * z).sum(axis=2))
    f = graphlab.function([x, y], [q, (z * q[:, :, None]).sum(axis=0)])
    assert set(f.kernels[0].nodes) & set(f.kernels[1].nodes)
    drawn, _ = Scene(record(f), "linear").view("after")
    first, second = (group for group in drawn.groups if group.kind == KERNEL)
    assert not set(first.members) & set(second.members)
