"""Questions to a node: why it is here, what became of it, which rules nearly fired; in Python and in the page."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.viz.answers import Answers
from tests.viz.visit import Visit, opened


def asked(function: graphlab.Function) -> tuple[Answers, dict[str, str]]:
    """Its answers, and the id of the last node of each op as written."""
    answers = Answers(function)
    nodes = {n["id"]: n for n in answers.trace["nodes"]}
    return answers, {nodes[name]["op"]: name for name in answers.trace["graphs"]["before"]["nodes"]}


def test_about_tells_what_became_of_a_node() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(1 + T.exp(x)) * 2)
    answers, ids = asked(f)
    told = answers.ask("about", ids["log"])
    (rewrite,) = told["rewrites"]
    assert (rewrite["rule"], rewrite["changes"]) == ("log(1 + exp(x)) -> softplus(x)", "rounding")
    nodes = {n["id"]: n for n in answers.trace["nodes"]}
    assert nodes[told["now"]]["op"] == "softplus"
    assert told["now"] in answers.trace["graphs"]["after"]["nodes"]
    assert told["step"] == f.kernels[0].name
    assert any("T.log(1 + T.exp(x))" in line["text"] for line in told["lines"])
    assert answers.ask("about", ids["exp"])["gone"]
    # What each node is told is what the function says, whichever was asked before.
    for name in answers.trace["graphs"]["before"]["nodes"]:
        why = f.why(answers.recorder.nodes[name])
        assert [r["number"] for r in answers.ask("about", name)["rewrites"]] == [number for number, _ in why.rewrites]
    with pytest.raises(ValueError, match="no node"):
        answers.ask("about", "n999")


def test_near_names_rules_that_fit_and_did_not_fire() -> None:
    x = T.dvector("x")
    answers, ids = asked(graphlab.function([x], T.log(2 + T.exp(x)) + (x - x)))
    near = answers.ask("near", ids["subtract"])["rules"]
    assert near[0]["rule"] == "x - x -> 0"
    assert near[0]["kind"] == "domain"
    said = answers.ask("why_not", f"{ids['log']}@log(1 + x) -> log1p(x)")
    assert said["reason"] == "where the pattern has 1, there is <2: float64>"
    assert not any(each["fired"] for each in near)
    with pytest.raises(ValueError, match="no rule"):
        answers.ask("why_not", f"{ids['log']}@no such rule")


def test_apart_says_where_fusion_was_cut() -> None:
    x = T.dmatrix("x")
    answers, ids = asked(graphlab.function([x], x / x.sum() + 1))
    found = answers.ask("apart", f"{ids['sum']},{ids['true_divide']}")
    assert found == {"fused": False, "reason": "sum: all elements are needed before the first is used"}
    assert answers.ask("apart", f"{ids['add']},{ids['true_divide']}")["fused"]


def test_a_page_tells_the_story_of_a_node_and_of_a_line(visit: Visit, tmp_path: Path) -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))
    page = opened(visit, graphlab.function([x], y * 2).report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-inspect").click()
    page.locator(".gl-canvas [aria-label^='log']").click()
    inspector = page.get_by_test_id("gl-inspector")
    story = page.get_by_test_id("gl-why")
    expect(story).to_contain_text("log(1 + exp(x)) -> softplus(x)")
    expect(story.locator(".gl-chip")).to_have_text("softplus")
    inspector.get_by_test_id("gl-line").first.click()
    survived = inspector.locator(".gl-survival").first
    expect(survived).to_contain_text("Of 3 operations 0 run as written, 1 in another form, 2 not at all.")
    survived.get_by_role("button", name="softplus(x)").click()
    expect(page.get_by_test_id("gl-explorer")).to_have_attribute("data-view", "rewrites")
    expect(page.get_by_test_id("gl-canvas").locator(".gl-card.gl-added", has_text="softplus")).to_be_visible()
    expect(page.get_by_test_id("gl-rewrite")).to_contain_text("log(1 + exp(x)) -> softplus(x)")
    expect(page.get_by_test_id("gl-error")).to_have_text("")


def test_two_nodes_are_compared_by_picking_the_second(visit: Visit, tmp_path: Path) -> None:
    x = T.dvector("x")
    page = opened(visit, graphlab.function([x], T.tanh(T.exp(x)) * 2).report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-inspect").click()
    page.get_by_test_id("gl-graph-after").click()
    page.locator(".gl-canvas [aria-label^='exp']").first.click()
    page.get_by_test_id("gl-apart").click()
    page.locator(".gl-canvas [aria-label^='tanh']").click()
    expect(page.get_by_test_id("gl-apart-said")).to_contain_text("share a kernel")
    page.get_by_test_id("gl-apart").click()
    page.locator(".gl-canvas [aria-label^='x, float64']").click()
    expect(page.get_by_test_id("gl-apart-said")).to_contain_text("report does not hold that")
