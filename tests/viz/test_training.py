"""The log of a training over time: what NumPy says of each call, and no NaN lost among many calls."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.debug.record import Log
from graphlab.viz.multiples import POINTS, multiples, still
from graphlab.viz.training import Answers, Training
from tests.viz.axe import violations
from tests.viz.visit import poor_contrast


def trained(calls: int, odd: dict[int, float], keep: str = "values") -> Log:
    """y is exp(x), w becomes x + 1; in the calls `odd` an element of x is that."""
    x, w = T.dvector("x"), graphlab.shared(np.zeros(3), "w")
    y = T.exp(x)
    y.name = "y"
    f = graphlab.function([x], y, updates=[(w, x + 1.0)], name="train")
    with graphlab.record(f, keep=keep, every=1) as log:
        for call in range(calls):
            value = np.array([0.0, 1.0, 2.0]) + call / calls
            value[1] = odd.get(call, value[1])
            f(value)
    return log


def test_the_numbers_of_a_call_are_numpys() -> None:
    log = trained(8, {5: np.nan})
    data = Answers(log).data
    (y,) = (one for one in data["arrays"] if one["name"] == "y")
    assert any(one["name"] == "w, updated" for one in data["arrays"])
    for call, row in zip(y["calls"], y["rows"], strict=True):
        value = np.exp([call / 8, np.nan if call == 5 else 1 + call / 8, 2 + call / 8])
        finite = value[np.isfinite(value)]
        assert [float(text) for text in row[:4]] == pytest.approx(
            [finite.min(), finite.max(), finite.mean(), finite.std()], rel=1e-5
        )
        assert row[4:] == [str(int(call == 5)), "0", "0", "3"]
    assert y["odd"] == [["nan", 1, 5]]
    assert data["firsts"][0]["call"] == 5


def test_one_nan_among_many_calls_keeps_its_cross_and_its_call() -> None:
    log = trained(5 * POINTS, {777: np.nan, 900: np.inf}, keep="stats")
    (y,) = (one for one in multiples(log) if one.name == "y")
    ET.fromstring(y.chart)
    shapes = dict(re.findall(r'data-kind="([^"]+)" d="([^"]+)"', y.chart))
    assert [shapes[kind].count("M") for kind in ("nan", "+inf")] == [2, 1]
    left = float(shapes["nan"].split()[0][1:]) + 3
    assert left == pytest.approx(4 + 292 * 777 / (5 * POINTS - 1), abs=292 / POINTS)
    data = Answers(log).data
    assert {777, 900} <= set(data["calls"])
    assert len(y.chart) < 20_000
    ET.fromstring(still(log))


def test_values_that_were_kept_can_be_asked_for() -> None:
    log = trained(3, {})
    answers = Answers(log)
    k = next(k for k, one in enumerate(answers.data["arrays"]) if one["name"] == "y")
    found = answers.ask("value", f"{k}@2")
    np.testing.assert_array_equal(np.array(found["elements"][0], float), log.value("y", 2))
    assert answers.ask("window", f"{k}@2@0@@0,0")["elements"] == found["elements"]
    for what, key in (("value", "99@0"), ("value", None), ("value", "0@99"), ("window", "0@1"), ("x", "0@1"), (3, {})):
        with pytest.raises(ValueError):  # noqa: PT011
            answers.ask(what, key)


def test_a_widget_looks_again_and_refuses_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    log = trained(3, {})
    sent: list[Any] = []
    widget = Training(log)
    monkeypatch.setattr(Training, "send", lambda self, message: sent.append(message))
    with log:
        log.function(np.zeros(3))
    widget._received(widget, {"kind": "act", "what": "refresh", "key": ""}, [])
    assert (widget.data["calls"], widget.error) == ([0, 1, 2, 3], "")
    widget._received(widget, {"kind": "ask", "what": "value", "key": "0@3"}, [])
    assert sent[-1]["data"]["facts"]
    for message in (None, {}, {"kind": "ask", "what": "value", "key": "../x"}, {"kind": "act", "what": "delete"}):
        widget._received(widget, message, [])
        assert 0 < len(widget.error) <= 200
    shown = widget._repr_mimebundle_()[0]
    assert shown["text/html"].startswith("<img ")
    assert log._repr_mimebundle_()["text/plain"] == str(log)


def test_the_page_leads_from_the_first_nan_to_its_values(visit, shots, tmp_path: Path) -> None:
    log = trained(40, {17: np.nan})
    one, other = (log.report(tmp_path / f"{k}.html").read_text() for k in "ab")
    assert one == other
    assert json.loads(re.search(r'id="gl-data">(.*?)</script>', one)[1])["state"]["call"] == 17
    visit.page.goto((tmp_path / "a.html").as_uri())
    page = visit.page
    page.locator("#gl-app[data-ready]").wait_for()
    expect(page.get_by_test_id("gl-call-said")).to_contain_text("17 of 0")
    detail = page.get_by_test_id("gl-log-detail")
    expect(detail.locator(".gl-elements td.gl-odd")).to_have_text("×nan")
    page.get_by_test_id("gl-log-search").fill("updated")
    expect(page.get_by_test_id("gl-multiples").locator("button:visible")).to_have_count(1)
    page.get_by_test_id("gl-multiples").locator("button:visible").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    expect(page.get_by_test_id("gl-call-said")).to_contain_text("18 of 0")
    expect(detail).to_contain_text("w, updated")
    cells = [cell.get_attribute("title") for cell in detail.locator(".gl-elements td").all()]
    np.testing.assert_array_equal(np.array(cells, float), log.value("w", 18))
    page.get_by_test_id("gl-log-search").fill("")
    page.get_by_test_id("gl-firsts").locator("button").click()
    expect(page.get_by_test_id("gl-call-said")).to_contain_text("17 of 0")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=shots / f"log-{scheme}.png")
        assert poor_contrast(page) == []
    assert violations(page, "html") == []
