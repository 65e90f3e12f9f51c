"""The explorer by keyboard, by ear, magnified, and in somebody else's colours: one page, many questions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.viz.report import PARTS
from tests.viz.axe import violations
from tests.viz.live import live
from tests.viz.visit import opened, poor_contrast, visiting

PANELS = ("rewrites", "graph", "inspect", "step", "value", "code", "profile", "nodes")


@pytest.fixture
def report(training: Any, batch: Any, tmp_path: Path) -> str:
    """The address of a page with everything in it."""
    path: Path = training.report(tmp_path / "t.html", args=batch, include=PARTS)
    return path.as_uri()


def pages(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    with visiting(browser, ("file:",), **context) as visit:
        yield opened(visit, address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_panel(scheme: str, browser: Any, report: str) -> None:
    for page in pages(browser, report, color_scheme=scheme):
        for view in PANELS:
            page.get_by_test_id(f"gl-tab-{view}").click()
            assert (view, violations(page, "html")) == (view, [])
        page.get_by_test_id("gl-help").click()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.get_by_test_id("gl-help").evaluate("button => { button.textContent = ''; }")
        assert any("button-name" in line for line in violations(page))  # it would have been found


def test_focus_goes_round_the_tabs_and_is_never_lost(browser: Any, report: str) -> None:
    for page in pages(browser, report):
        root, tabs, key = page.get_by_test_id("gl-explorer"), page.get_by_role("tab"), page.keyboard.press
        assert tabs.count() == len(PANELS)
        page.get_by_test_id("gl-tab-step").focus()
        for pressed, view in (("ArrowRight", "value"), ("End", "nodes"), ("ArrowRight", "rewrites"),
                              ("ArrowLeft", "nodes"), ("Home", "rewrites"), ("4", "step")):  # fmt: skip
            key(pressed)
            tab = page.get_by_test_id(f"gl-tab-{view}")
            expect(tab).to_be_focused()
            expect(root).to_have_attribute("data-view", view)
            assert page.locator("[role=tab][tabindex='0']").count() == 1
            panel = page.get_by_role("tabpanel")
            expect(panel).to_have_attribute("id", str(tab.get_attribute("aria-controls")))
            expect(panel).to_have_attribute("aria-labelledby", str(tab.get_attribute("id")))
        page.get_by_test_id("gl-back").focus()
        for pressed in ("n", "p", "p", "7", "[", "6", "2", "d", "3"):  # each draws what had the focus, or hides it
            key(pressed)
            page.wait_for_timeout(30)
            assert page.evaluate("() => document.querySelector('.gl-root').contains(document.activeElement)"), pressed
        card = page.locator(".gl-canvas [data-nodes][tabindex]").first
        card.focus()
        name = card.get_attribute("aria-label")
        key("d")  # another picture, the same node
        expect(page.locator(".gl-canvas svg")).to_have_attribute("data-view", re.compile("after|difference"))
        assert page.evaluate("() => document.activeElement.closest('.gl-root') !== null"), name

        page.get_by_test_id("gl-help").focus()
        key("Enter")
        keys = page.get_by_test_id("gl-keys")
        expect(keys).to_be_visible()
        key("Escape")
        expect(keys).not_to_be_visible()
        expect(page.get_by_test_id("gl-help")).to_be_focused()
        key("?")
        expect(keys).to_be_visible()
        key("Enter")  # its button closes it
        expect(page.get_by_test_id("gl-help")).to_be_focused()
        key("Escape")
        assert page.evaluate("() => document.activeElement === document.body")


def test_nothing_moves_for_those_who_asked_for_that(browser: Any, report: str) -> None:
    for page in pages(browser, report, reduced_motion="reduce"):
        moving = """() => [...document.querySelectorAll("*")].map((e) => [e, getComputedStyle(e)]).filter(([, style]) =>
            /[1-9]/.test(style.transitionDuration + style.animationDuration)).map(([e]) => e.outerHTML.slice(0, 99))"""
        assert page.evaluate(moving) == []
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(moving) != []


@pytest.mark.parametrize(
    "context",
    [
        {"viewport": {"width": 400, "height": 800}},
        {"viewport": {"width": 640, "height": 430}, "device_scale_factor": 2},
    ],
    ids=["narrow", "magnified"],
)
def test_it_needs_no_sideways_scrolling(context: dict[str, Any], browser: Any, report: str, shots: Path) -> None:
    for page in pages(browser, report, **context):
        for view in PANELS:
            page.get_by_test_id(f"gl-tab-{view}").click()
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), view
            cut = """() => { const { right } = document.querySelector(".gl-root").getBoundingClientRect();
                return [...document.querySelectorAll(".gl-tabs button, .gl-bar > *, .gl-foot > *")].filter((e) =>
                    e.getBoundingClientRect().right > right + 1).map((e) => e.outerHTML.slice(0, 99)); }"""
            assert page.evaluate(cut) == []
            shown = page.locator(".gl-side > *").first  # below the picture; scrolled to, it is there
            shown.evaluate("element => element.scrollIntoView()")
            expect(shown).to_be_in_viewport()
        page.screenshot(path=shots / f"report-{context['viewport']['width']}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_are_kept_and_say_what_is_chosen(scheme: str, browser: Any, report: str, shots: Path) -> None:
    for page in pages(browser, report, forced_colors="active", color_scheme=scheme):
        page.get_by_test_id("gl-tab-step").click()
        page.screenshot(path=shots / f"report-forced-{scheme}.png")
        assert poor_contrast(page) == []
        text, paper = page.evaluate("""() => { const card = document.querySelector(".gl-canvas .gl-op text");
            const face = card.parentElement.querySelector(".gl-face");
            return [getComputedStyle(card).fill, getComputedStyle(face).fill]; }""")
        assert text != paper
        lines = page.evaluate("""() => [...document.querySelectorAll(".gl-row")].map((row) =>
            [row.matches(".is-focus"), getComputedStyle(row).outlineStyle])""")
        assert {style for focused, style in lines if focused} == {"solid"}
        assert {style for focused, style in lines if not focused} == {"none"}


def test_a_nan_is_found_by_keyboard_alone(browser: Any) -> None:
    x = T.dvector("x")
    y = T.log(x)
    y.name = "y"
    f = graphlab.function([x], (y * 2 + 1).sum(), name="f", mode="interpret")
    with visiting(browser, ()) as visit:
        page, key = visit.page, visit.page.keyboard.press
        live(page, f.debug([4.0, -1.0]))
        status = page.get_by_test_id("gl-step-status")

        def tab_to(selector: str) -> None:
            for _ in range(120):
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
                key("Tab")
            pytest.fail(f"Tab does not reach {selector}")

        tab_to("[role=tab][aria-selected=true]")  # opened at the stepper
        expect(page.get_by_test_id("gl-tab-step")).to_be_focused()
        key("n")
        expect(status).to_contain_text("1 of")
        key("w")
        tab_to(".gl-drawer input")
        page.keyboard.type("y.min()")
        key("Enter")
        expect(page.locator(".gl-drawer")).to_contain_text("y.min()")
        key("Escape")
        tab_to("[role=tab][aria-selected=true]")
        key("p")
        expect(status).to_contain_text("0 of")
        key("/")
        page.keyboard.type("multiply")
        key("Enter")  # the first that is found has the focus of all panels
        key("Escape")
        tab_to("[role=tab][aria-selected=true]")
        key("4")
        key("b")
        expect(page.get_by_test_id("gl-drawer-breaks").locator(".gl-count")).to_have_text("1")
        key("c")
        expect(status).to_contain_text("stopped")
        key("o")
        expect(page.locator(".gl-drawer")).to_contain_text("log")
        expect(page.locator(".gl-drawer")).to_contain_text("test_access.py")  # the line to read
        expect(page.locator(".gl-drawer")).to_contain_text("-1")
        assert violations(page) == []
