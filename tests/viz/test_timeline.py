"""The timeline: rules in their own words, verdicts on the values of a run, and scrubbing through it in a browser."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.viz.answers import Answers
from graphlab.viz.record import record
from tests.viz.visit import Visit, opened

WRONG = graphlab.Rule("sin(x) -> tan(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.tan(x))


def wrong() -> graphlab.Function:
    x = T.dvector("x")
    mode = graphlab.mode("fast_run").including(WRONG)
    return graphlab.function([x], T.sin(x) + T.log(1 + x), mode=mode, name="wrong")


def test_passes_have_their_rewrites_between_them(training: graphlab.Function) -> None:
    trace = record(training)
    assert [p["first"] for p in trace["passes"][1:]] == [p["last"] for p in trace["passes"][:-1]]
    assert trace["passes"][-1]["last"] == len(trace["rewrites"])
    for each in trace["passes"]:
        assert all(r["pass"] == each["name"] for r in trace["rewrites"][each["first"] : each["last"]])
    changes = sum(r["nodes"] for r in trace["rewrites"])
    assert changes != 0
    assert "seconds" not in trace["passes"][0]


def test_rules_tell_where_they_come_from(training: graphlab.Function) -> None:
    told = Answers(training).ask("rules", "all")
    assert len(told["seconds"]) == len(training.trace.passes)
    rule = told["rules"]["log(sigmoid(x)) -> -softplus(-x)"]
    assert re.fullmatch(r"graphlab/rewrite/rules/\w+\.py:\d+", rule["source"])
    assert "log(sigmoid(x)) -> -softplus(-x)" in rule["text"]
    assert rule["changes"] == "rounding"
    own = Answers(wrong()).ask("rules", "all")["rules"][WRONG.name]
    assert own["source"].startswith("test_timeline.py:")
    assert own["text"].startswith("WRONG = graphlab.Rule(")


def test_verdicts_come_from_the_values_of_the_run() -> None:
    f = wrong()
    session = f.debug([0.5, 1.0])
    found = Answers(f, session).ask("check", "")
    checked = f.trace.check([0.5, 1.0])
    assert found["totals"] == checked.totals
    words = {r.rule: v for r, v in zip(f.trace.rewrites, found["verdicts"], strict=True)}
    assert words[WRONG.name]["verdict"] == "!"
    assert words["log(1 + x) -> log1p(x)"]["verdict"] in "=≈"
    with pytest.raises(ValueError, match="real values"):
        Answers(f).ask("check", "")


def test_verdicts_use_the_shared_values_that_the_run_began_with() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.array(0.0), name="w")
    f = graphlab.function([x], T.log(1 + T.exp(x * w)), updates=[(w, w + 1)])
    session = f.debug([1000.0])
    answers = Answers(f, session)
    f([1000.0])
    assert "repaired" not in answers.ask("check", "")["totals"]
    assert "1 repaired" in f.trace.check([1000.0]).totals


def test_scrubbing_shows_each_moment_in_place(visit: Visit, training: Any, batch: list[Any], tmp_path: Path) -> None:
    page = opened(visit, training.report(tmp_path / "t.html", args=batch))
    page.get_by_test_id("gl-tab-rewrites").click()
    canvas, status = page.get_by_test_id("gl-canvas").locator("svg"), page.get_by_test_id("gl-moment")
    most, passes = len(training.trace.rewrites), record(training)["passes"]
    expect(status).to_have_text(f"{most} of {most}")
    page.keyboard.press("[")
    expect(canvas).to_have_attribute("data-view", f"step-{most - 1}")
    place = canvas.locator(".gl-input").first.get_attribute("transform")
    page.keyboard.press("{")
    end = max(p["last"] for p in passes if p["last"] < most - 1)
    expect(canvas).to_have_attribute("data-view", f"step-{end}")
    assert canvas.locator(".gl-input").first.get_attribute("transform") == place
    page.get_by_test_id("gl-scrub").fill("0")
    expect(status).to_contain_text("as written")
    expect(canvas).to_have_attribute("data-view", "step-0")
    page.keyboard.press("}")
    following = min(p["last"] for p in passes if p["last"] > 0)
    expect(canvas).to_have_attribute("data-view", f"step-{following}")
    page.keyboard.press("]")
    expect(page.get_by_test_id(f"gl-rewrite-{following}")).to_have_attribute("aria-current", "step")
    count = next(k for k, event in enumerate(training.trace.rewrites, 1) if event.added and "softplus" in event.rule)
    page.get_by_test_id("gl-scrub").fill(str(count))
    expect(canvas.locator(".gl-card.gl-added", has_text="softplus")).to_be_visible()
    page.get_by_test_id("gl-tab-step").click()
    expect(canvas).to_have_attribute("data-view", "after")


def test_a_report_with_values_has_verdicts_and_the_sources_of_rules(visit: Visit, tmp_path: Path) -> None:
    page = opened(visit, wrong().report(tmp_path / "f.html", args=[[0.5, 1.0]]))
    page.get_by_test_id("gl-tab-rewrites").click()
    expect(page.get_by_test_id("gl-totals")).to_contain_text("1 diverged")
    expect(page.get_by_test_id("gl-check")).to_have_count(0)
    page.get_by_test_id("gl-filter").fill("sin tan")
    rows = page.locator("[data-rewrite]")
    expect(rows).to_have_count(1)
    expect(rows.locator(".gl-verdict")).to_have_text("!")
    rows.click()
    detail = page.get_by_test_id("gl-rewrite")
    expect(detail).to_contain_text("diverged, largest error")
    detail.locator("summary").click()
    expect(detail.get_by_test_id("gl-rule-source").locator("pre")).to_contain_text("make=lambda x: T.tan(x)")


def test_without_values_nothing_is_said_to_be_checked(visit: Visit, tmp_path: Path) -> None:
    page = opened(visit, wrong().report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-rewrites").click()
    assert set(page.locator("[data-rewrite] .gl-verdict").all_text_contents()) == {"?"}
    expect(page.get_by_test_id("gl-check")).to_have_count(0)
