"""The stepper in a real browser, answered by Python: whole debugging sessions, with NumPy's values."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from graphlab.viz.record import record
from tests.viz.hostile import check_live, texts
from tests.viz.live import live
from tests.viz.test_stepping import DATA, states
from tests.viz.visit import Visit, elements, poor_contrast, visiting

ALLOWED = ()  # pages of their own ask for nothing at all


def turn(x_t: Any, state: Any) -> Any:
    grown = T.exp(state) * x_t
    grown.name = "grown"
    return grown


@pytest.fixture
def loop() -> graphlab.Function:
    """log(states - 1).sum() of a loop, with NaN in it."""
    seq = T.dmatrix("seq")
    w = T.log(graphlab.scan(turn, seq, T.zeros(2))[0] - 1)
    w.name = "w"
    return graphlab.function([seq], w.sum(), name="loop")


def test_a_session_from_a_breakpoint_to_the_origin(visit: Visit, loop: graphlab.Function) -> None:
    page = visit.page
    live(page, loop.debug(DATA))
    status, crumbs = page.get_by_test_id("gl-step-status"), page.get_by_test_id("gl-crumbs")
    expect(status).to_have_text("0 of 4 steps run")
    page.get_by_test_id("gl-drawer-breaks").click()
    page.get_by_test_id("gl-break-place").select_option("op")
    page.get_by_test_id("gl-break-which").select_option("exp")
    page.get_by_test_id("gl-break-when").select_option("if")
    page.get_by_test_id("gl-break-if").fill("value.max() > 2")
    page.get_by_test_id("gl-break-set").click()
    expect(page.get_by_test_id("gl-breaks")).to_contain_text("exp if value.max() > 2")
    expect(page.get_by_test_id("gl-step-2")).to_contain_text("●")
    page.get_by_test_id("gl-drawer-watches").click()
    page.get_by_test_id("gl-watch").fill("grown.max()")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("gl-watches")).to_contain_text("not computed yet")
    page.get_by_test_id("gl-continue").click()
    expect(status).to_contain_text("in scan: 3 turns: 2 of 3 steps run · stopped: breakpoint 0: exp: value.max() > 2")
    expect(crumbs).to_contain_text("loop 2/4›scan: 3 turns 2/3")
    history = page.get_by_test_id("gl-watches").locator(".gl-history li")
    expect(history).to_have_count(2)
    seen = [float(str(text).split()[1]) for text in history.all_text_contents()]
    np.testing.assert_allclose(seen, states().max(1)[:2], rtol=1e-4)

    page.get_by_test_id("gl-drawer-watches").focus()
    page.keyboard.press("p")  # one turn back
    expect(status).to_have_text("in scan: 3 turns: 1 of 3 steps run")
    expect(page.get_by_test_id("gl-watches").locator("b")).to_have_text("1.")
    page.keyboard.press("e")
    expect(crumbs).to_contain_text("turn 1 of 3")
    rows = page.get_by_test_id("gl-steps").locator("[data-step]")
    kernel = rows.filter(has_text="grown")
    kernel.locator("[data-enter]").click()
    expect(crumbs).to_contain_text("kernel_0 0/2")
    page.get_by_test_id("gl-step-0").click()
    expect(status).to_have_text("in kernel_0: 1 of 2 steps run")
    expect(page.get_by_test_id("gl-value")).to_contain_text("exp")
    np.testing.assert_allclose(elements(page), np.exp(states()[0]), rtol=1e-12)
    page.keyboard.press("n")
    expect(page.get_by_test_id("gl-value")).to_contain_text("grown")
    np.testing.assert_allclose(elements(page), states()[1], rtol=1e-12)
    crumbs.get_by_role("button", name="loop").click()
    expect(status).to_have_text("2 of 4 steps run")

    page.get_by_test_id("gl-end").click()
    expect(status).to_contain_text("finished: 4 of 4 steps run")
    page.keyboard.press("o")
    origin = page.get_by_test_id("gl-told-origin")
    expect(origin).to_contain_text("log(-0.5) = nan")
    expect(origin).to_contain_text("element [0, 1] of float64[3, 2], step 3")
    expect(origin).to_contain_text("w = T.log(")
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("w = log"))
    origin.get_by_role("button", name="go to step 3").click()
    expect(status).to_have_text("3 of 4 steps run")
    page.get_by_test_id("gl-drawer-element").click()
    expect(page.get_by_test_id("gl-error")).to_have_text("")


def test_the_keyboard_sets_breakpoints_runs_and_leaves(visit: Visit, loop: graphlab.Function) -> None:
    page = visit.page
    live(page, loop.debug(DATA))
    status = page.get_by_test_id("gl-step-status")
    card = page.locator('.gl-canvas [aria-label*="subtract"]')
    card.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("b")
    expect(page.get_by_test_id("gl-drawer-breaks")).to_contain_text("1")
    page.keyboard.press("c")
    expect(status).to_contain_text("3 of 4 steps run · stopped: breakpoint 0: subtract")
    page.keyboard.press("e")
    expect(page.get_by_test_id("gl-crumbs")).to_contain_text("kernel_1")
    page.keyboard.press("n")
    np.testing.assert_allclose(elements(page), (states() - 1).ravel(), rtol=1e-12)
    page.keyboard.press("u")
    expect(status).to_contain_text("3 of 4 steps run")
    page.keyboard.press("w")
    page.keyboard.type("c + n")  # letters that are keys elsewhere
    expect(page.get_by_test_id("gl-watch")).to_have_value("c + n")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("gl-error")).to_contain_text("nothing is called 'c'")


def test_each_key_of_the_card_does_what_it_says(visit: Visit) -> None:
    x, w, b = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b")
    hidden = T.log(1 + T.exp(x @ w + b))
    hidden.name = "hidden"
    f = graphlab.function([x, w, b], hidden, name="layer")
    most, ends = len(f.trace.rewrites), [one["last"] for one in record(f)["passes"]]
    page, pressed = visit.page, set[str]()
    live(page, f.debug([[1.0, 2.0]], [[0.5], [0.25]], [0.0]), "graph")
    root, canvas = page.get_by_test_id("gl-explorer"), page.get_by_test_id("gl-canvas").locator("svg")
    status, search = page.get_by_test_id("gl-step-status"), page.get_by_test_id("gl-search")

    def key(name: str) -> None:
        pressed.add(name)
        page.keyboard.press(name)

    def width() -> float:
        return float(canvas.get_attribute("width"))

    page.get_by_test_id("gl-tab-graph").focus()
    for number, view in enumerate(("rewrites", "graph", "inspect", "step", "value", "code", "profile", "nodes"), 1):
        key(str(number))
        expect(root).to_have_attribute("data-view", view)
    key("2")
    for shown in ("difference", "after"):
        key("d")
        expect(canvas).to_have_attribute("data-view", shown)
    key("f")
    fitting = width()
    key("+")
    assert width() == pytest.approx(1.25 * fitting)
    for _ in range(3):
        key("-")
    assert width() == pytest.approx(0.64 * fitting)
    key("f")
    assert width() == pytest.approx(fitting)
    page.get_by_test_id("gl-graph-after").focus()  # among the tabs, arrows go round
    for name, to in (("ArrowUp", "add"), ("ArrowUp", "matmul"), ("ArrowUp", "x,"), ("ArrowRight", "w,"),
                     ("ArrowLeft", "x,"), ("ArrowDown", "matmul")):  # fmt: skip
        key(name)
        expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile(f"^{to}"))
    page.locator('.gl-canvas [aria-label^="hidden"]').focus()
    key("Enter")
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("^hidden"))
    place = most
    for name in ("[", "]", "{", "}"):
        key(name)
        place += {"[": -1, "]": 1}.get(name, 0)
        place = max([0, *(e for e in ends if e < place)]) if name == "{" else place
        place = min([e for e in ends if e > place]) if name == "}" else place
        expect(canvas).to_have_attribute("data-view", f"step-{place}")
        expect(root).to_have_attribute("data-view", "rewrites")
    key("/")
    expect(search).to_be_focused()
    key("Escape")
    assert page.evaluate("() => document.activeElement === document.body")
    page.get_by_test_id("gl-tab-nodes").focus()
    key("4")
    for name, told in (
        ("n", "1 of 2"),
        ("p", "0 of 2"),
        ("b", "0 of 2"),
        ("c", "1 of 2 steps run · stopped"),
    ):
        if name == "b":  # a step has the focus of what it computed
            page.locator('.gl-canvas [aria-label^="hidden"]').click()
            page.get_by_test_id("gl-tab-step").focus()
        key(name)
        expect(status).to_contain_text(told)
    key("e")
    expect(page.get_by_test_id("gl-crumbs")).to_contain_text("›kernel_0")
    key("u")
    expect(page.get_by_test_id("gl-crumbs")).to_be_hidden()
    key("o")
    expect(page.get_by_test_id("gl-told-origin")).to_be_visible()
    key("w")
    expect(page.get_by_test_id("gl-watch")).to_be_focused()
    page.get_by_test_id("gl-tab-step").focus()
    key("?")
    expect(page.get_by_test_id("gl-keys")).to_be_visible()
    arrows = {"↑": "ArrowUp", "↓": "ArrowDown", "←": "ArrowLeft", "→": "ArrowRight"}
    assert {arrows.get(text, text) for text in page.locator(".gl-keys kbd").all_text_contents()} == pressed


def test_an_element_digits_and_bisection(visit: Visit, loop: graphlab.Function) -> None:
    page = visit.page
    live(page, loop.debug(DATA).finish())
    page.locator('.gl-canvas [aria-label*="w = log"]').click()
    page.get_by_test_id("gl-drawer-element").click()
    page.get_by_test_id("gl-element-index").fill("2, 0")
    page.get_by_test_id("gl-element-show").click()
    told = page.get_by_test_id("gl-element")
    expect(told).to_contain_text(f"w[2, 0] = {np.log(states()[2, 0] - 1):.6g}"[:14])
    page.get_by_test_id("gl-value").locator('td[data-index="0,0"]').click()  # or picked in the table
    expect(told).to_contain_text("w[0, 0] = log(")
    told.get_by_role("button", name="all of seq").click()
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("seq"))
    page.get_by_test_id("gl-drawer-digits").click()
    row = page.get_by_test_id("gl-told-digits").locator("tbody tr").first
    row.click()
    expect(page.get_by_test_id("gl-value").locator("h3").first).to_have_text(
        str(row.locator("td").first.text_content())
    )
    page.get_by_test_id("gl-drawer-bisect").click()
    expect(page.get_by_test_id("gl-told-bisect")).to_contain_text("no rewrite changes an output")


def test_it_shows_where_a_run_on_other_arguments_parts(visit: Visit, loop: graphlab.Function) -> None:
    page = visit.page
    live(page, loop.debug(DATA))
    page.get_by_test_id("gl-drawer-compare").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("where(seq == 2, 2.5, seq)")  # letters that are keys elsewhere
    page.keyboard.press("Enter")
    told = page.get_by_test_id("gl-told-compare")
    expect(told).to_contain_text("The runs part at grown")
    expect(told).to_contain_text("turn 2 of scan, step 2")
    expect(told).to_contain_text("grown = T.exp(state) * x_t")
    expect(page.locator(".gl-canvas .is-focus")).to_have_count(1)
    told.get_by_role("button", name="seq: 2 here and 2.5 there").press("Enter")
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("seq"))
    told.get_by_role("button", name="go to step 2").press("Enter")
    expect(page.get_by_test_id("gl-step-status")).to_have_text("2 of 4 steps run")
    page.get_by_test_id("gl-other-seq").fill("nosuch")
    page.keyboard.press("Enter")
    expect(told).to_contain_text("nothing is called 'nosuch'")
    expect(page.get_by_test_id("gl-error")).to_contain_text("nothing is called 'nosuch'")


@pytest.mark.parametrize(("drawer", "what"), [("origin", "origin"), ("digits", "shadow"), ("bisect", "bisect")])
def test_what_takes_long_says_so_and_may_be_interrupted(
    drawer: str, what: str, visit: Visit, loop: graphlab.Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, session = visit.page, loop.debug(DATA)
    status, seen = page.get_by_test_id("gl-step-status"), list[str | None]()

    def long(*args: Any) -> Any:
        expect(status).to_have_text("working… Interrupt the kernel to stop it.")
        seen.append(page.get_by_test_id(f"gl-told-{drawer}").text_content())
        raise KeyboardInterrupt

    live(page, session)
    with monkeypatch.context() as patch:
        patch.setattr(*((graphlab.Function, "bisect") if what == "bisect" else (session, what)), long)
        page.get_by_test_id(f"gl-drawer-{drawer}").click()
        told = page.get_by_test_id(f"gl-told-{drawer}")
        expect(told).to_contain_text("Stopped: the kernel was interrupted.")
    assert seen == ["working… Interrupt the kernel to stop it."]
    expect(status).to_have_text("0 of 4 steps run")
    page.get_by_test_id("gl-forward").click()  # it goes on, and what was said stays
    expect(status).to_have_text("1 of 4 steps run")
    expect(page.get_by_test_id("gl-error")).to_have_text("")
    expect(told).to_contain_text("Stopped: the kernel was interrupted.")
    told.get_by_role("button", name="Ask again").click()
    expect(told).to_contain_text({"origin": "log(-0.5) = nan", "digits": "the outputs", "bisect": "no rewrite"}[drawer])


def test_it_follows_what_is_done_in_python(visit: Visit, loop: graphlab.Function) -> None:
    page, session = visit.page, loop.debug(DATA)
    live(page, session, follows=True)
    status = page.get_by_test_id("gl-step-status")
    session.step().step()
    expect(status).to_have_text("2 of 4 steps run")
    session.break_at(op="exp")
    expect(page.get_by_test_id("gl-drawer-breaks")).to_contain_text("1")
    expect(status).to_contain_text("breakpoint 0 is set: exp")
    session.run()
    expect(status).to_contain_text("in turn 0 of 3: 1 of 2 steps run · stopped: breakpoint 0: exp")
    session.breakpoints[0].disable()
    page.get_by_test_id("gl-drawer-breaks").click()
    expect(page.get_by_test_id("gl-breaks")).to_contain_text("off")
    session.leave().leave().finish()
    expect(status).to_contain_text("finished: 4 of 4 steps run")
    expect(page.get_by_test_id("gl-value")).to_contain_text("sum")


def test_ten_thousand_steps_draw_only_what_is_in_sight(visit: Visit) -> None:
    f = graphlab.function([], graphlab.scan(lambda s: 0.5 * s + 1, outputs_info=T.zeros(()), n_steps=10_000)[0][-1])
    page = visit.page
    live(page, f.debug())
    page.get_by_test_id("gl-steps").locator("[data-step]", has_text="loop").locator("[data-enter]").click()
    status, rows = page.get_by_test_id("gl-step-status"), page.get_by_test_id("gl-steps").locator("[data-step]")
    expect(status).to_contain_text("0 of 10000 steps run")
    page.get_by_test_id("gl-steps").evaluate("list => { list.scrollTop = 27 * 7000; }")
    page.get_by_test_id("gl-step-7004").click()
    expect(status).to_contain_text("7005 of 10000 steps run")
    assert rows.count() < 60
    np.testing.assert_allclose(elements(page), [2.0], rtol=1e-12)
    page.get_by_test_id("gl-end").click()
    expect(page.get_by_test_id("gl-step-9999")).to_be_visible()


def test_whatever_is_typed_or_named_stays_text(visit: Visit) -> None:
    check_live(visit, texts(31))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_legible(scheme: str, browser: Any, loop: graphlab.Function, shots: Any) -> None:
    with visiting(browser, (), color_scheme=scheme, viewport={"width": 1280, "height": 800}) as visit:
        page = visit.page
        live(page, loop.debug(DATA, break_on="nan"))
        for name in ("breaks", "watches", "element", "origin", "compare", "digits", "bisect"):
            page.get_by_test_id(f"gl-drawer-{name}").click()
            if name == "watches":
                page.get_by_test_id("gl-watch").fill("w.max()")
                page.get_by_test_id("gl-watch-add").click()
                expect(page.get_by_test_id("gl-watches")).to_contain_text("nan")
            if name == "compare":
                page.get_by_test_id("gl-other-seq").fill("seq * (1 + 1e-9)")
                page.get_by_test_id("gl-compare").click()
                expect(page.get_by_test_id("gl-told-compare")).to_contain_text("The runs part at")
            page.screenshot(path=shots / f"stepper-{name}-{scheme}.png")
            assert poor_contrast(page) == []
