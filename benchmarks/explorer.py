"""How long the explorer makes one wait on large graphs. Run: python benchmarks/explorer.py [--rounds N] [--quick]

Measured in Python: what the page is sent first (the trace, the pictures as they are at first, as JSON), the
opening of groups one after another, moments of the rewriting, questions, a step of a run, and the collapsed picture of
a graph of 100,000 nodes. With `--browser`, in headless Chromium (GRAPHLAB_CHROME, or on the PATH): until a page of that
trace is painted, a search, and the opening of a group. Each number is the best of some rounds, of the wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph
from graphlab.viz.answers import Answers
from graphlab.viz.record import Expression, record
from graphlab.viz.report import state
from graphlab.viz.views import Views

WORDS = ("tanh", "float64[?,?]", "layer17 matmul", "gradient", "nothing at all")


def timed(work: Callable[[], Any], rounds: int = 1) -> tuple[float, Any]:
    """The best time of `rounds`, and what the last one gave."""
    best, result = float("inf"), None
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, result


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


def row(what: str, seconds: float, target: float) -> None:
    """Print one line of the table."""
    verdict = "" if seconds < target else "MISSED"
    print(f"{what:44} {1000 * seconds:9.1f} ms   target {1000 * target:6.0f} ms   {verdict}".rstrip())


def explorer(layers: int, rounds: int) -> None:
    """The waits of somebody who looks at a trace of 40 * `layers` nodes."""
    function = network(layers)

    def first() -> tuple[Answers, str]:
        answers = Answers(function)
        return answers, json.dumps(state(answers.trace, answers.views, lazy=True))

    seconds, (answers, sent) = timed(first, rounds)
    drawn, placed = answers.views.placed("before")
    print(
        f"{len(answers.trace['nodes'])} nodes in the trace; {len(drawn.cards)} cards seen at first, "
        f"layout {placed.engine} {placed.why}; {len(sent) / 1e6:.1f} MB"
    )
    row("first paint: data", seconds, 1.5)
    toggles, worst = list[str](), 0.0
    for key in answers.views.toggles("before")[:8]:
        toggles.append(key)
        name = f"before:{','.join(toggles)}"
        seconds, _ = timed(lambda name=name: answers.ask("picture", name))  # type: ignore[misc]
        worst = max(worst, seconds)
    row(f"open or close a group: worst of {len(toggles)}", worst, 0.3)
    before, count = answers.trace["graphs"]["before"]["nodes"], len(answers.trace["rewrites"])
    answers.ask("about", before[-1])
    row("why is it here?", timed(lambda: answers.ask("about", before[len(before) // 2]), rounds)[0], 0.3)
    row("reveal", timed(lambda: answers.ask("reveal", f"before@{before[len(before) // 2]}"), rounds)[0], 0.3)
    moments = [timed(lambda k=k: answers.ask("picture", f"step-{k}"))[0] for k in (count // 2, count // 3)]  # type: ignore[misc]
    row("a moment of the rewriting", min(moments), 0.3)


def stepping(layers: int) -> None:
    """A step of a run of such a network, and its value."""
    function = network(layers)
    rng = np.random.default_rng(0)
    session = function.debug(*(rng.normal(size=(8, 8)) / 3 for _ in range(layers + 1)))
    answers = Answers(function, session)
    times = [timed(lambda: answers.step(session.position + 1))[0] for _ in range(50)]
    row("a step: median of fifty", sorted(times)[25], 0.05)


SEARCH = """(query) => {
  const search = document.querySelector('[data-testid="gl-search"]'), began = performance.now();
  search.value = query;
  search.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""
OPEN = """async () => {
  const canvas = document.querySelector('[data-testid="gl-canvas"]'), began = performance.now();
  const drawn = new Promise((resolve) => new MutationObserver(resolve).observe(canvas, { childList: true }));
  canvas.querySelector("[data-group]").dispatchEvent(new MouseEvent("click", { bubbles: true }));
  await drawn;
  canvas.getBoundingClientRect();
  return performance.now() - began;
}"""


def browser(layers: int, rounds: int) -> None:
    """The waits in a page of that trace."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("GRAPHLAB_CHROME") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_path = network(layers).report(Path(folder) / "network.html")
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page, painted = running.new_page(), []
        for _ in range(rounds):
            page.goto(page_path.as_uri())
            page.locator("#gl-app[data-ready]").wait_for()
            painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
        print(f"a page of {page_path.stat().st_size / 1e6:.1f} MB")
        row("first paint of a page", min(painted), 1.5)
        page.get_by_test_id("gl-tab-nodes").click()
        page.evaluate(SEARCH, "first")
        searches = [min(page.evaluate(SEARCH, word) for _ in range(rounds)) for word in WORDS]
        row("search: worst of five", max(searches) / 1000, 0.1)
        if page.locator(".gl-canvas [data-group]").count():
            row("a group opens in the page", page.evaluate(OPEN) / 1000, 0.3)
        running.close()


def collapsed(nodes: int) -> None:
    """The picture of a graph of so many nodes, from the graph on."""
    expression = chain(nodes)
    seconds, trace = timed(lambda: record(expression))
    more, _ = timed(lambda: Views(trace, patience=1.0).picture("before"))
    print(f"{len(trace['graphs']['before']['nodes'])} nodes: recorded in {seconds:.2f} s, drawn in {more:.2f} s")
    row("a collapsed view of a large graph", seconds + more, 5.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--browser", action="store_true", help="measure a page too")
    arguments = parser.parse_args()
    part = 10 if arguments.quick else 1
    explorer(250 // part, arguments.rounds)
    stepping(250 // part)
    if arguments.browser:
        browser(250 // part, arguments.rounds)
    collapsed(100_000 // part)


if __name__ == "__main__":
    main()
