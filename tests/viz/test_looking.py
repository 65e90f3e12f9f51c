"""Values, code and profile of a live session in a real browser, answered by Python."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.viz.answers import Answers
from tests.viz.live import live
from tests.viz.visit import elements

ALLOWED = ()  # pages of their own ask for nothing at all


@pytest.fixture
def layers() -> graphlab.Function:
    """y = log(x) over layers of matrices, and its sum."""
    x = T.dtensor3("x")
    y = T.log(x)
    y.name = "y"
    return graphlab.function([x], [y, y.sum()], name="layers")


def test_a_value_is_looked_at_slice_by_slice_and_element_by_element(visit, layers, rng) -> None:
    x = 0.5 + rng.random((60, 20, 30))
    x[41, 13, 17] = -1.0
    session, page = layers.debug(x).finish(), visit.page
    live(page, session, "value")
    page.locator('.gl-canvas [aria-label^="y = log"]').first.click()
    value = page.get_by_test_id("gl-value")
    expect(value).to_contain_text("rows 12–17 of 20")
    page.get_by_test_id("gl-offenders").locator("button").click()
    expect(value.locator("td.is-element")).to_have_text("×nan")
    assert session.element is not None
    assert session.element.index == (41, 13, 17)
    slider = page.get_by_test_id("gl-slice-0")
    slider.fill("7")
    expect(value).to_contain_text("7 (of 0–59)")
    np.testing.assert_allclose(elements(page).reshape(6, -1), np.log(x[7, 12:18, 16:24]), rtol=1e-14)
    page.get_by_test_id("gl-jump").fill("59, 19, 29")
    page.keyboard.press("Enter")
    expect(value.locator("td.is-element")).to_have_attribute("title", str(session.value("y")[59, 19, 29]))
    assert session.element.index == (59, 19, 29)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not here")
def test_machine_code_and_a_profile_come_when_they_are_asked_for(visit, layers) -> None:
    page = visit.page
    live(page, layers.debug(np.ones((2, 3, 4))), "code")
    page.get_by_test_id("gl-show-assembly").click()
    expect(page.get_by_test_id("gl-assembly").locator("li[data-nodes]").first).to_be_visible()
    page.get_by_test_id("gl-tab-profile").click()
    expect(page.locator(".gl-profile-panel")).to_contain_text("Estimated, before any call")
    page.get_by_test_id("gl-profile-call").click()
    rows = page.get_by_test_id("gl-profile").locator("tbody tr")
    expect(rows).to_have_count(len(layers.lowered.program.steps))
    rows.first.click()
    expect(rows.first).to_have_class(re.compile("is-chosen"))
    expect(page.locator(".gl-row-facts")).to_contain_text("arrays there meanwhile")


def test_parts_of_values_are_numpys_and_nonsense_is_refused(layers, rng) -> None:
    x = 0.5 + rng.random((3, 8, 9))
    answers = Answers(layers, layers.debug(x).finish())
    name = next(node["id"] for node in answers.trace["nodes"] if node["name"] == "y")
    found = answers.ask("window", f"{name}@0/1@0@2@6,8")
    assert np.array_equal(np.array(found["elements"], float), answers.session.value("y")[2, 6:, 8:])
    for key in ("", f"{name}@1@0@2", f"{name}@1@9@2@0,0", f"{name}@1@0@3@0,0", f"{name}@1@0@2@8,0", "n999@1@0@@0,0",
                f"{name}@1@0@-1@0,0", f"{name}@1@0@{'9' * 400}@0,0"):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011
            answers.ask("window", key)
    with pytest.raises(ValueError, match="no part"):
        Answers(layers).ask("window", f"{name}@1@0@2@0,0")
