"""A report in a real browser with the network blocked: NumPy's values, and one focus through everything."""

import re
import shutil
from functools import reduce

import numpy as np
import pytest
from playwright.sync_api import expect

import graphlab
import graphlab.tensor as T
from tests.viz.hostile import check_page, check_picture, function, texts
from tests.viz.visit import elements, opened, poor_contrast, visiting


def test_stepping_shows_the_values_that_numpy_gives(visit, training, batch, tmp_path) -> None:
    x, t = batch
    w, b = (v.get_value() for v in training.updated)
    p = 1 / (1 + np.exp(-(x @ w + b)))
    cost = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    page = opened(visit, training.report(tmp_path / "t.html", args=batch))
    status, steps = page.get_by_test_id("gl-step-status"), page.get_by_test_id("gl-steps").locator("[data-step]")
    page.get_by_test_id("gl-start").click()
    expect(status).to_contain_text("0 of")
    page.locator('.gl-canvas [aria-label^="x, float64"]').click()
    np.testing.assert_array_equal(elements(page), x[:6].ravel())
    products = 0
    for k in range(1, steps.count() + 1):
        page.get_by_test_id("gl-forward").click()
        expect(status).to_contain_text("finished" if k == steps.count() else f"{k} of")
        if "matmul" in str(steps.nth(k - 1).text_content()) and elements(page).size == 6:
            products += 1
            np.testing.assert_allclose(elements(page), x @ w, rtol=1e-12)
    assert products == 1
    page.locator(".gl-canvas .gl-out >> xpath=..").first.click()
    np.testing.assert_allclose(elements(page), [cost], rtol=1e-12)
    page.get_by_test_id("gl-back").click()
    expect(status).to_contain_text(f"{steps.count() - 1} of")


def test_slices_windows_and_the_first_nan_are_those_of_the_array(visit, rng, tmp_path) -> None:
    x, w = T.dtensor3("x"), T.dmatrix("w")
    y = T.log(x)
    y.name = "y"
    f = graphlab.function([x, w], [y, w + 1])
    x0, w0 = 0.5 + rng.random((3, 5, 7)), rng.normal(size=(10, 12))
    x0[1, 4, 6] = -1.0
    page = opened(visit, f.report(tmp_path / "f.html", args=[x0, w0]))
    page.get_by_test_id("gl-tab-value").click()
    page.locator('.gl-canvas [aria-label^="y = log"]').first.click()
    value, odd = page.get_by_test_id("gl-value"), page.get_by_test_id("gl-offenders").locator("button")
    expect(odd).to_have_text("×[1, 4, 6] nan")
    expect(value.locator(".gl-plot [data-kind=nan]")).to_have_count(1)
    expect(value).to_contain_text("showing 35 of 105")
    np.testing.assert_allclose(elements(page).reshape(5, 7), np.log(np.where(x0[1] > 0, x0[1], np.nan)), rtol=1e-14)
    slider = page.get_by_test_id("gl-slice-0")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(value).to_contain_text("2 (of 0–2)")
    np.testing.assert_allclose(elements(page).reshape(5, 7), np.log(x0[2]), rtol=1e-14)
    expect(value.locator(".gl-plot [data-kind=nan]")).to_have_count(0)
    odd.click()
    expect(value.locator("td.is-element")).to_have_text("×nan")
    page.locator('.gl-canvas [aria-label^="w, float64"]').first.click()
    page.get_by_test_id("gl-next-rows").click()
    page.get_by_test_id("gl-next-columns").click()
    expect(value).to_contain_text("rows 6–9 of 10")
    np.testing.assert_array_equal(elements(page).reshape(4, 4), w0[6:, 8:])
    page.get_by_test_id("gl-jump").fill("2, 3")
    page.keyboard.press("Enter")
    expect(value.locator("td.is-element")).to_have_attribute("title", str(w0[2, 3]))


def test_lost_digits_are_said_beside_a_value(visit, tmp_path) -> None:
    x = T.fvector("x")
    y = 1 - T.cos(x)
    y.name = "y"
    page = opened(visit, graphlab.function([x], y).report(tmp_path / "f.html", args=[[1e-3, 2.0]]))
    page.get_by_test_id("gl-tab-value").click()
    page.locator(".gl-canvas .gl-out >> xpath=..").first.click()
    digits = page.get_by_test_id("gl-digits")
    digits.get_by_role("button").click()
    expect(digits).to_contain_text(re.compile(r"[\d.]+ digits are right, of [\d.]+ in its operands, beside float64"))
    digits.get_by_role("button", name="all operations").click()
    table = page.get_by_test_id("gl-told-digits")
    expect(table).to_contain_text("digits are lost first of all in subtract")
    expect(table.locator("tbody tr").first).to_contain_text("y = subtract")
    assert page.get_by_test_id("gl-error").text_content() == ""


def test_a_report_holds_the_parts_that_were_chosen_and_says_so(visit, training, batch, tmp_path) -> None:
    page = opened(visit, training.report(tmp_path / "c.html", args=batch, include=("values", "code")))
    expect(page.get_by_test_id("gl-status")).to_contain_text("it holds the values of one run, and C")
    expect(page.get_by_test_id("gl-canvas")).to_be_hidden()
    page.get_by_test_id("gl-tab-code").click()
    page.get_by_test_id("gl-c").locator("li[data-nodes]").filter(visible=True).first.click()
    page.get_by_test_id("gl-tab-value").click()
    assert elements(page).size
    plain = opened(visit, training.report(tmp_path / "g.html", args=batch, include=("graph",)))
    expect(plain.get_by_test_id("gl-status")).to_contain_text("it holds no values, but graph")
    expect(plain.get_by_test_id("gl-canvas").locator("svg")).to_be_visible()
    for view, text in (("value", "written without values"), ("code", "written without code")):
        plain.get_by_test_id(f"gl-tab-{view}").click()
        expect(plain.locator(".gl-side")).to_contain_text(text)


def test_a_value_is_not_shown_before_its_step(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html", args=[[1.0, 2.0]]))
    page.get_by_test_id("gl-start").click()
    page.locator(".gl-canvas .gl-out >> xpath=..").click()
    expect(page.get_by_test_id("gl-value")).to_contain_text("Step 0 computes it")
    page.keyboard.press("n")
    np.testing.assert_array_equal(elements(page), [3.0, 12.0])
    page.keyboard.press("p")
    expect(page.get_by_test_id("gl-step-status")).to_contain_text("0 of")


def test_a_line_of_c_lights_its_node_and_the_users_line(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-code").click()
    line = page.get_by_test_id("gl-c").locator("li[data-nodes]").filter(visible=True).last
    nodes = set(str(line.get_attribute("data-nodes")).split())
    line.click()
    expect(line).to_have_class(re.compile("is-focus"))
    lit = page.locator(".gl-canvas .is-focus").evaluate_all("all => all.flatMap(g => g.dataset.nodes.split(' '))")
    assert nodes & set(lit)
    expect(page.get_by_test_id("gl-python").locator("li.is-focus")).to_contain_text("2 * x + x**3")
    page.get_by_test_id("gl-python").locator("li", has_text="dvector").click()
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("^x, float64"))


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not here")
def test_python_c_and_assembly_light_each_other(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html", include=("graph", "code", "assembly")))
    page.get_by_test_id("gl-tab-code").click()
    page.get_by_test_id("gl-show-assembly").click()
    c, machine = page.get_by_test_id("gl-c"), page.get_by_test_id("gl-assembly")
    expect(c.locator(".gl-remark").first).to_be_visible()
    numbers = {str(one.line.number) for one in cubic.kernels[0].assembly if one.line.nodes}
    number = next(n for n in sorted(numbers, key=int) if c.locator(f'li[data-line="{n}"]').is_visible())
    c.locator(f'li[data-line="{number}"]').click()
    lit = machine.locator("li.is-line").evaluate_all("all => all.map((li) => li.dataset.c)")
    assert lit
    assert set(lit) == {number}
    machine.locator("li[data-nodes]").last.click()
    last = str(machine.locator("li[data-nodes]").last.get_attribute("data-c"))
    expect(c.locator("li.is-line")).to_have_attribute("data-line", last)
    expect(page.get_by_test_id("gl-python").locator("li.is-focus")).to_contain_text("2 * x + x**3")


def test_picking_a_node_lights_its_lines_and_its_row(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html"))
    page.locator(".gl-canvas .gl-out >> xpath=..").click()
    expect(page.get_by_test_id("gl-inspector")).to_contain_text("y = 2 * x + x**3")
    page.get_by_test_id("gl-tab-nodes").click()
    expect(page.get_by_test_id("gl-table").locator("tr.is-focus")).to_contain_text("add")
    page.get_by_test_id("gl-tab-code").click()
    assert page.get_by_test_id("gl-c").locator("li.is-focus").count() > 0


def test_each_rewrite_shows_both_sides(visit, tmp_path) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.exp(T.log(1 + x)))
    page = opened(visit, f.report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-rewrites").click()
    number = next(k for k, r in enumerate(f.trace.rewrites) if "log1p" in r.rule)
    page.get_by_test_id(f"gl-rewrite-{number}").click()
    detail = page.get_by_test_id("gl-rewrite")
    expect(detail.locator("figure").first).to_contain_text("log(")
    expect(detail.locator("figure").last).to_contain_text("log1p(")
    expect(detail.locator("svg")).to_have_count(2)


def test_the_keyboard_reaches_everything(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html", args=[[1.0]]))
    page.get_by_test_id("gl-tab-graph").focus()
    for key, view in (
        ("1", "rewrites"),
        ("3", "inspect"),
        ("4", "step"),
        ("5", "value"),
        ("6", "code"),
        ("7", "profile"),
        ("8", "nodes"),
        ("2", "graph"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_test_id("gl-explorer")).to_have_attribute("data-view", view)
    page.keyboard.press("d")
    expect(page.get_by_test_id("gl-canvas").locator("svg")).to_have_attribute("data-view", "difference")
    page.locator(".gl-canvas [data-nodes]").first.focus()
    page.keyboard.press("Enter")
    first = page.get_by_test_id("gl-inspector").text_content()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("gl-inspector")).not_to_have_text(str(first))
    page.keyboard.press("/")
    page.keyboard.type("add")
    expect(page.get_by_test_id("gl-table").locator("tbody tr:visible")).to_have_count(1)


def test_a_profile_is_a_panel_whose_rows_lead_to_their_nodes(visit, training, batch, tmp_path) -> None:
    page = opened(visit, training.report(tmp_path / "t.html", args=batch, include=("profile",)))
    page.get_by_test_id("gl-tab-profile").click()
    rows = page.get_by_test_id("gl-profile").locator("tbody tr")
    expect(rows).to_have_count(len(training.lowered.program.steps))
    row = rows.filter(has_text="matmul").first
    row.click()
    expect(row).to_have_class(re.compile("is-focus"))
    point = page.get_by_test_id("gl-roofline").locator(".gl-point", has_text="matmul").last
    point.focus()
    page.keyboard.press("Enter")
    expect(point).to_have_class(re.compile("is-focus"))
    expect(page.get_by_test_id("gl-inspector").locator("h3")).to_contain_text("matmul")
    expect(page.locator(".gl-row-facts")).to_contain_text("operations (estimated)")
    plain = opened(visit, training.report(tmp_path / "p.html", args=batch))
    plain.get_by_test_id("gl-tab-profile").click()
    expect(plain.locator(".gl-side")).to_contain_text("No profile")
    expect(plain.locator(".gl-side")).to_contain_text("Estimated, before any call")
    plain.get_by_test_id("gl-estimates").locator("tbody tr").first.click()
    expect(plain.get_by_test_id("gl-estimates").locator("tbody tr").first).to_have_class(re.compile("is-focus"))


def test_a_nan_is_told_above_all_and_leads_to_its_node(visit, tmp_path, shots) -> None:
    x = T.dmatrix("x")
    share = x / x.sum(axis=1, keepdims=True)
    entropy = (share * T.log(share)).sum()
    share.name, entropy.name = "share", "entropy"
    f = graphlab.function([x], entropy)
    page = opened(visit, f.report(tmp_path / "f.html", args=[[[1.0, 3.0], [4.0, 0.0]]]))
    told = page.get_by_test_id("gl-troubles")
    for text in (
        "The first NaN on the way to entropy arose here:",
        "entropy = (share * T.log(share)).sum()",
        "log(0) = -inf",
    ):
        expect(told).to_contain_text(text)
    expect(told).to_contain_text("share = x / x.sum(axis=1, keepdims=True)")
    assert poor_contrast(page) == []
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("^log"))
    told.get_by_role("button", name="0 is share[1, 1]").last.click()
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("^share"))
    told.get_by_role("button", name="Show").first.click()
    expect(page.locator(".gl-canvas .is-focus")).to_have_attribute("aria-label", re.compile("^multiply"))
    page.screenshot(path=shots / "troubles.png")
    well = opened(visit, f.report(tmp_path / "well.html", args=[[[1.0, 3.0]]]))
    expect(well.get_by_test_id("gl-troubles")).to_be_hidden()


def test_a_page_of_hostile_texts_runs_nothing_and_has_every_node(visit, tmp_path) -> None:
    names = texts(40)
    f = function(names)
    check_picture(f)
    check_page(visit, f.report(tmp_path / "f.html", args=[[1.0]] * len(names)), names)
    harmed = tmp_path / "harmed.html"  # what it would look like
    harmed.write_text("<main id=gl-app data-ready><script>window.harm = 1</script></main>")
    visit.page.goto(harmed.as_uri())
    assert visit.page.evaluate("() => 'harm' in window")


def test_the_address_keeps_the_focus(visit, cubic, tmp_path) -> None:
    page = opened(visit, cubic.report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-code").click()
    page.locator('.gl-canvas [aria-label^="x, float64"]').click()
    page.reload()
    page.locator("#gl-app[data-ready]").wait_for()
    expect(page.get_by_test_id("gl-explorer")).to_have_attribute("data-view", "code")
    page.get_by_test_id("gl-tab-inspect").click()
    expect(page.get_by_test_id("gl-inspector").locator("h3")).to_contain_text("x")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_legible_in_light_and_dark(scheme, browser, training, batch, shots, tmp_path) -> None:
    with visiting(browser, ("file:",), color_scheme=scheme) as visit:
        page = opened(visit, training.report(tmp_path / "t.html", args=batch))
        for view in ("graph", "rewrites", "inspect", "step", "value", "code", "nodes"):
            page.get_by_test_id(f"gl-tab-{view}").click()
            page.screenshot(path=shots / f"report-{view}-{scheme}.png")
            assert poor_contrast(page) == []


def test_groups_open_and_close_by_click_and_by_key(visit, tmp_path) -> None:
    x = T.dvector("x")
    with graphlab.name_scope("inner"):
        y = T.exp(x) + 1
    loop, _ = graphlab.scan(lambda e, s: T.tanh(e) + s, sequences=y, outputs_info=x[0])
    page = opened(visit, graphlab.function([x], loop).report(tmp_path / "f.html"))
    canvas = page.get_by_test_id("gl-canvas")
    scope = canvas.locator('[aria-label="close inner, scope"]')
    scope.click()
    closed = canvas.get_by_role("button", name="inner, scope of 2 ops, closed")
    expect(closed).to_have_attribute("aria-expanded", "false")
    expect(canvas.locator("[aria-label^='exp']")).to_have_count(0)
    closed.focus()
    page.keyboard.press("Enter")
    expect(scope).to_be_focused()
    expect(canvas.locator("[aria-label^='exp']")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(closed).to_be_focused()
    canvas.get_by_role("button", name="open body").click()
    expect(canvas.locator(".gl-body[data-body='scan: body']")).to_have_count(1)
    expect(canvas.locator("[aria-label^='tanh']")).to_have_count(1)
    page.get_by_test_id("gl-tab-nodes").click()
    page.get_by_test_id("gl-table").locator("tr", has_text="exp").first.click()
    page.get_by_test_id("gl-canvas").get_by_role("button", name="close scan: body").click()
    scope.click()
    expect(closed).to_have_class(re.compile("is-focus"))


def test_search_finds_by_anything_said_of_a_node_and_opens_what_hides_it(visit, tmp_path) -> None:
    x = T.fvector("x")
    with graphlab.name_scope("inner"):
        y = T.exp(x)
        y.name = "risen"
    page = opened(visit, graphlab.function([x], T.log1p(y).astype("float64")).report(tmp_path / "f.html"))
    canvas, rows = page.get_by_test_id("gl-canvas"), page.get_by_test_id("gl-table").locator("tr[data-nodes]")
    canvas.locator('[aria-label="close inner, scope"]').click()
    expect(canvas.locator("[aria-label^='risen']")).to_have_count(0)
    page.keyboard.press("/")
    search, found = page.get_by_test_id("gl-search"), page.get_by_test_id("gl-found")
    for query in ("risen", "exp", "EXP float32", "inner", "test_page.py y.name", "elementwise T.exp"):
        search.fill(query)
        if query != "test_page.py y.name":
            expect(rows.first).to_contain_text("risen")
    search.fill("softplus")  # a rule's name finds what it made
    assert rows.count() == sum("softplus" in row for row in rows.all_text_contents())
    search.fill("no such thing")
    expect(found).to_contain_text("0 of")
    search.fill("risen")
    page.keyboard.press("Enter")
    expect(canvas.locator("[aria-label^='risen']")).to_have_class(re.compile("is-focus"))
    expect(page.get_by_test_id("gl-inspector").locator("h3")).to_contain_text("risen = exp")
    rows.first.focus()
    search.fill("")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()


def test_ten_thousand_nodes_are_searched_quickly_and_few_rows_are_in_the_page(visit, tmp_path) -> None:
    x = y = T.dvector("x")
    for k in range(2500):
        y = T.tanh(y * (k + 0.5))
    f = graphlab.function([x], y, mode="interpret", name="long")
    page = opened(visit, f.report(tmp_path / "f.html"))
    page.get_by_test_id("gl-tab-nodes").click()
    rows = page.get_by_test_id("gl-table").locator("tr[data-nodes]")
    assert rows.count() < 100
    page.get_by_test_id("gl-search").fill("2499.5")
    expect(rows).to_have_count(1)
    page.get_by_test_id("gl-search").fill("multiply")
    expect(page.get_by_test_id("gl-found")).to_contain_text("2,500 of")
    assert rows.count() < 100
    box = page.locator(".gl-list").filter(has=page.get_by_test_id("gl-table"))
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(rows.last).to_be_in_viewport()
    assert rows.count() < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_graph_that_does_not_fit_is_legible_around_its_output(scheme: str, browser, tmp_path, shots) -> None:
    x, ws = T.dmatrix("x"), [graphlab.shared(np.eye(8), f"w{k}") for k in range(4)]
    cost = (reduce(lambda h, w: T.tanh(h @ w), ws, x) ** 2).mean()
    f = graphlab.function([x], cost, updates=[(w, w - g) for w, g in zip(ws, T.grad(cost, ws), strict=True)])
    with visiting(browser, ("file:",), color_scheme=scheme) as visit:
        page = opened(visit, f.report(tmp_path / "f.html"))
        page.wait_for_function(_CENTRED)
        for view in ("code", "step", "graph"):  # another width, and again
            page.get_by_test_id(f"gl-tab-{view}").click()
            page.wait_for_function(_CENTRED)
            smallest = page.evaluate(_SMALLEST)
            assert smallest["card"] > 8.99
            assert smallest["legend"] > 10.99
            page.screenshot(path=shots / f"fits-{view}-{scheme}.png")
        assert poor_contrast(page) == []
        page.keyboard.press("f")  # all of it
        assert page.evaluate(_SMALLEST)["card"] < 9
        page.get_by_role("button", name="Zoom in").click()
        wide = page.evaluate("() => document.querySelector('.gl-canvas > svg').clientWidth")
        page.get_by_test_id("gl-tab-code").click()  # what somebody has zoomed stays as it is
        page.wait_for_timeout(100)
        assert page.evaluate("() => document.querySelector('.gl-canvas > svg').clientWidth") == wide


# Whether the output that is focused stands below what it is made of, as far as the picture reaches.
_CENTRED = r"""() => {
  const box = document.querySelector(".gl-canvas"), focus = box.querySelector(".is-focus");
  const frame = box.getBoundingClientRect(), card = focus.getBoundingClientRect();
  const off = [card.left + card.width / 2 - frame.left - frame.width / 2,
    card.top + card.height / 2 - frame.top - frame.height * 2 / 3];
  const left = [box.scrollLeft, box.scrollWidth - box.clientWidth];
  const top = [box.scrollTop, box.scrollHeight - box.clientHeight];
  return [left, top].every(([at, most], k) => Math.abs(off[k]) < 12 || at < 1 || at > most - 1);
}"""
# The smallest text of cards and of the legend, in pixels of the screen.
_SMALLEST = r"""() => {
  const pixels = (text) => parseFloat(getComputedStyle(text).fontSize) * text.getCTM().a;
  const least = (selector) => Math.min(...[...document.querySelectorAll(selector)].map(pixels));
  return { card: least(".gl-canvas .gl-type"), legend: least(".gl-legend-line text.gl-key") };
}"""
