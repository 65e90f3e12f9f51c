"""How long the explorer makes one wait on large graphs. Run: python benchmarks/explorer.py [--rounds N] [--quick]

Measured in Python: what the page is sent first (the trace, the pictures as they are at first, as JSON), the
opening of groups one after another, moments of the rewriting, questions, a step of a run, a layout that takes dot too
long, and the collapsed picture of a graph of 100,000 nodes. With `--browser`, in headless Chromium (GRAPHLAB_CHROME, or
on the PATH): until a page is painted, of 100,000 nodes too, and in an explorer that Python answers, as in a notebook,
until a click or a key is seen on the page: a group, a step, a search, a rewrite. Each number is the best of some
rounds; the clock on the wall is compared with the target, and behind it is the time of the processor, of Python
alone, which says what the wait would be on a machine that does nothing else. Both together take about a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph
from graphlab.viz.answers import Answers
from graphlab.viz.diagram import Card, Diagram, Link
from graphlab.viz.layout import layout
from graphlab.viz.page import page
from graphlab.viz.record import Expression, record
from graphlab.viz.report import state
from graphlab.viz.views import Views

WORDS = ("tanh", "float64[?,?]", "layer17 matmul", "gradient", "nothing at all")
HUGE = 100_000


class Time(NamedTuple):
    """Seconds on the wall, and of the processor in this process: nan where only the browser works."""

    wall: float
    cpu: float = float("nan")


def timed(work: Callable[[], Any], rounds: int = 1) -> tuple[Time, Any]:
    """The best times of `rounds`, and what the last one gave."""
    wall, cpu, result = float("inf"), float("inf"), None
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        result = work()
        wall, cpu = min(wall, time.perf_counter() - began), min(cpu, time.process_time() - used)
    return Time(wall, cpu), result


def network(layers: int) -> graphlab.Function:
    """A residual network and its gradients; about forty nodes of a trace for each layer."""
    x = T.dmatrix("x")
    weights = [T.dmatrix(f"w{k}") for k in range(layers)]
    h = x
    for k, w in enumerate(weights):
        with graphlab.name_scope(f"block{k // 10}/layer{k}"):
            h = T.tanh(h @ w) * 0.5 + h
    cost = (h**2).mean()
    return graphlab.function([x, *weights], [cost, *T.grad(cost, weights)], name="network")


def chain(nodes: int) -> Expression:
    """A loop written out, of about so many nodes, without any scope."""
    x, h, w = T.dvector("x"), T.dvector("h"), T.dscalar("w")
    first = h
    for _ in range(nodes // 3):
        h = T.tanh(h * w + x)
    return Expression(Graph((x, first, w), (h,)), "loop")


def row(what: str, taken: Time, target: float) -> None:
    """Print one line of the table."""
    verdict = "" if taken.wall < target else "MISSED"
    cpu = "" if np.isnan(taken.cpu) else f"{1000 * taken.cpu:9.1f} ms"
    print(f"{what:44} {1000 * taken.wall:9.1f} ms {cpu:12}   {1000 * target:6.0f} ms   {verdict}".rstrip(), flush=True)


def explorer(function: graphlab.Function, rounds: int) -> None:
    """The waits of somebody who looks at a trace of 10,000 nodes."""

    def first() -> tuple[Answers, str]:
        answers = Answers(function)
        return answers, json.dumps(state(answers.trace, answers.views, lazy=True))

    taken, (answers, sent) = timed(first, rounds)
    drawn, placed = answers.views.placed("before")
    print(
        f"{len(answers.trace['nodes'])} nodes in the trace; {len(drawn.cards)} cards seen at first, "
        f"layout {placed.engine} {placed.why}; {len(sent) / 1e6:.1f} MB"
    )
    row("first paint: data", taken, 1.5)
    toggles, worst = list[str](), Time(0.0, 0.0)
    for key in answers.views.toggles("before")[:8]:
        toggles.append(key)
        name = f"before:{','.join(toggles)}"
        worst = max(worst, timed(lambda name=name: answers.ask("picture", name))[0])  # type: ignore[misc]
    row(f"open or close a group: worst of {len(toggles)}", worst, 0.3)
    before, count = answers.trace["graphs"]["before"]["nodes"], len(answers.trace["rewrites"])
    answers.ask("about", before[-1])
    row("why is it here?", timed(lambda: answers.ask("about", before[len(before) // 2]), rounds)[0], 0.3)
    row("reveal", timed(lambda: answers.ask("reveal", f"before@{before[len(before) // 2]}"), rounds)[0], 0.3)
    moments = [
        timed(lambda k=k: answers.ask("picture", f"step-{k}"))[0]  # type: ignore[misc]
        for k in range(count // 6, count, count // 6)
    ]
    row(f"a moment of the rewriting: worst of {len(moments)}", max(moments), 0.3)


def debugged(function: graphlab.Function) -> Any:
    """A session of such a network on small matrices."""
    rng = np.random.default_rng(0)
    return function.debug(*(rng.normal(size=(8, 8)) / 3 for _ in function.inputs))


def stepping(function: graphlab.Function) -> None:
    """A step of a run, and where it then stands."""
    session = debugged(function)
    answers = Answers(function, session)
    times = [timed(lambda: (answers.step(session.position + 1), answers.state()))[0] for _ in range(50)]
    row("a step: median of fifty", sorted(times)[25], 0.05)


def patience(cards: int) -> None:
    """A picture that dot can't lay out in the second that it is given."""
    rng = np.random.default_rng(0)
    some = tuple(Card(f"n{k}", (f"n{k}",), "elementwise", "+", f"add {k}", "float64[?]") for k in range(cards))
    ends = ((int(rng.integers(k)), k, p) for k in range(1, cards) for p in range(6))
    links = tuple(Link(f"n{a}", f"n{b}", p, "float64[?]") for a, b, p in ends)
    taken, placed = timed(lambda: layout(Diagram("dense", "dense", "", some, links, ()), patience=1.0))
    print(f"{len(links)} links between {cards} cards: layout {placed.engine} ({placed.why})")
    row("a layout that is given up after 1 s", taken, 2.0)


READY = """new MutationObserver((_, watching) => {
  if (!document.querySelector("#gl-app[data-ready]")) return;
  watching.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
}).observe(document, { subtree: true, childList: true, attributes: true });"""
# Until something in the page has changed, and is laid out, after an act: milliseconds.
WAIT = """async ([seen, act, argument]) => {
  const target = document.querySelector(seen), began = performance.now();
  const changed = new Promise((resolve, reject) => {
    new MutationObserver(resolve).observe(target, { childList: true, subtree: true, characterData: true });
    setTimeout(() => reject(new Error(`nothing came of it: ${act} ${argument}`)), 60000);
  });
  if (act === "key") target.dispatchEvent(new KeyboardEvent("keydown", { key: argument, bubbles: true }));
  else if (act === "click") document.querySelector(argument).dispatchEvent(new MouseEvent("click", { bubbles: true }));
  else {
    const box = document.querySelector("input[type=search]");
    box.value = argument;
    box.dispatchEvent(new Event("input"));
  }
  await changed;
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""
CANVAS, STATUS, FOUND = '[data-testid="gl-canvas"]', '[data-testid="gl-step-status"]', '[data-testid="gl-found"]'


def painted(running: Any, data: dict[str, Any], rounds: int) -> tuple[Time, int]:
    """Until the explorer that `data` describes is painted in a page, and how large that page is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(page("page", "", "offline", {"state": data, "answers": {}}, ""), "utf-8", "replace")
        best = float("inf")
        for _ in range(rounds):
            seen = running.new_page()
            seen.add_init_script(READY)
            seen.goto(path.as_uri())
            best = min(best, seen.wait_for_function("window.painted", timeout=120_000).json_value())
            seen.close()
        return Time(best / 1000), path.stat().st_size


def browser(running: Any, function: graphlab.Function, rounds: int) -> None:
    """The waits in a page, with Python behind it."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.viz.live import live

    session = debugged(function)
    answers = Answers(function, session)
    taken, size = painted(running, state(answers.trace, answers.views, session=answers.state(), lazy=True), rounds)
    row(f"first paint of its page, {size / 1e6:.1f} MB", taken, 1.5)
    page = running.new_page()
    live(page, session, "graph")

    def wait(seen: str, act: str, argument: str) -> Time:
        taken, wall = timed(lambda: page.evaluate(WAIT, [seen, act, argument]))
        return Time(wall / 1000, taken.cpu)

    groups = [wait(CANVAS, "click", f"{CANVAS} [data-group]") for _ in range(rounds)]
    row("a group opens in the page", max(groups), 0.3)
    page.get_by_test_id("gl-tab-step").click()
    steps = [wait(STATUS, "key", "n") for _ in range(50)]
    row("a step in the page: median of fifty", sorted(steps)[25], 0.05)
    page.get_by_test_id("gl-tab-nodes").click()
    wait(FOUND, "search", "first")
    row("a search: worst of five", max(wait(FOUND, "search", word) for word in WORDS), 0.1)
    page.get_by_test_id("gl-tab-rewrites").click()
    moments = [wait(CANVAS, "key", key) for key in "[[{[]"]
    row(f"a moment of the rewriting: worst of {len(moments)}", max(moments), 0.3)
    page.close()


def collapsed(nodes: int, running: Any) -> None:
    """The picture of a graph of so many nodes, from the graph on, and in a page if there is a browser."""
    expression = chain(nodes)

    def whole() -> tuple[dict[str, Any], Views]:
        trace = record(expression)
        views = Views(trace, patience=1.0)
        return state(trace, views, lazy=True), views

    taken, (data, views) = timed(whole)
    drawn, placed = views.placed("before")
    print(
        f"{len(views.trace['graphs']['before']['nodes'])} nodes: {len(drawn.cards)} cards, layout {placed.engine} "
        f"{placed.why}; the page holds {len(data['trace']['nodes'])} of them"
    )
    row("a collapsed view: data", taken, 5.0)
    if running is not None:
        more, size = painted(running, data, 1)
        row(f"  and painted, {size / 1e6:.1f} MB", Time(taken.wall + more.wall), 5.0)


def machine() -> str:
    """The machine, in words."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} processors{load}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--browser", action="store_true", help="measure a page too")
    arguments = parser.parse_args()
    part = 10 if arguments.quick else 1
    print(f"{machine()}, Python {platform.python_version()}")
    print(f"{'':44} {'wall':>12} {'processor':>12}   {'target':>9}")
    if not arguments.browser:
        return all_of_it(part, arguments.rounds, None)
    from playwright.sync_api import sync_playwright

    path = os.environ.get("GRAPHLAB_CHROME") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        all_of_it(part, arguments.rounds, running)
        running.close()


def all_of_it(part: int, rounds: int, running: Any) -> None:
    """Every row; the largest graph first, since whoever waits for it has no other in the process."""
    collapsed(HUGE // part, running)
    function = network(250 // part)
    explorer(function, rounds)
    stepping(function)
    patience(300)
    if running is not None:
        browser(running, function, rounds)


if __name__ == "__main__":
    main()
