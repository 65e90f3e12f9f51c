"""Make docs/images/, the pictures in the README: of a layer, and of what the notebooks draw and report.

SVG comes as graphlab writes it. PNG are photographs of reports in a browser; without a Chromium these stay as they are.

.venv/bin/python tools/pictures.py [path of the browser]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

import graphlab
import graphlab.tensor as T
from notebooks import NOTEBOOKS, run

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
COLOURS = 200  # of a photograph: it is text and flat areas, and half the size so


def layer(folder: Path, include: tuple[str, ...] | None = None) -> Path:
    """The report of one layer of a neural network, softplus written as in the textbook, with the parts `include`."""
    x = T.matrix("x")
    W = graphlab.shared(np.random.default_rng(0).normal(size=(24, 24)), name="W")
    b = graphlab.shared(np.linspace(-3, 3, 24), name="b")
    scores = T.dot(x, W) + b
    hidden = T.log(1 + T.exp(scores))
    scores.name, hidden.name = "scores", "hidden"
    waves = np.sin(np.linspace(0, 3, 24)[:, None] * np.linspace(0, 4, 24))
    f = graphlab.function([x], hidden, name="layer")
    return f.report(folder / "layer.html", args=[waves], include=include)


def show_layer(page: Any) -> None:
    """What a rewrite took away and added, beside the steps and a value."""
    page.get_by_test_id("gl-tab-step").click()
    page.get_by_test_id("gl-graph-difference").click()


def show_nan(page: Any) -> None:
    """Where the NaN arose, and the operand that was 0."""
    page.get_by_test_id("gl-tab-value").click()
    page.get_by_test_id("gl-troubles").get_by_role("button", name="0 is spread").click()


def photograph(chromium: Any, report: Path, arrange: Callable[[Any], None], target: Path) -> None:
    """Open `report`, `arrange` what is to be seen, and take its picture at a size at which text is sharp."""
    page = chromium.new_page(viewport={"width": 1200, "height": 640}, device_scale_factor=1.5)
    page.goto(report.as_uri())
    page.locator("#gl-app[data-ready]").wait_for()
    arrange(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.screenshot(path=target)
    page.close()
    with Image.open(target) as picture:
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(target, optimize=True)


def main() -> int:
    """Make them all; 1 if there is no browser."""
    IMAGES.mkdir(exist_ok=True)
    browser = next(filter(None, map(shutil.which, sys.argv[1:] or BROWSERS)), None)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("05_debugging_nan", "07_from_graph_to_assembly"):
            run(NOTEBOOKS / f"{name}.ipynb", folder)
        shutil.copy(folder / "adam.svg", IMAGES / "one_loop.svg")
        if browser is not None:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                photograph(chromium, layer(folder), show_layer, IMAGES / "report.png")
                photograph(chromium, folder / "run.html", show_nan, IMAGES / "nan.png")
                chromium.close()
    for path in sorted(IMAGES.iterdir()):
        print(f"{path.name}: {path.stat().st_size // 1024} kB")
    if browser is None:
        print("there is no browser, so no photographs were taken", file=sys.stderr)
    return int(browser is None)


if __name__ == "__main__":
    sys.exit(main())
