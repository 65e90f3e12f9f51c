"""Make docs/images/report.png, the picture in the README: a photograph of a real report in a real browser.

It needs a Chromium: .venv/bin/python tools/picture.py [path of the browser]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import graphlab
import graphlab.tensor as T

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "report.png"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def layer() -> graphlab.Function:
    """One layer of a neural network: softplus written as in the textbook."""
    x = T.matrix("x")
    W = graphlab.shared(np.random.default_rng(0).normal(size=(24, 24)), name="W")
    b = graphlab.shared(np.linspace(-3, 3, 24), name="b")
    scores = T.dot(x, W) + b
    hidden = T.log(1 + T.exp(scores))
    scores.name, hidden.name = "scores", "hidden"
    return graphlab.function([x], hidden, name="layer")


def main() -> None:
    """Write the report, open it, and take its picture at twice the size for sharp text."""
    browser = next(filter(None, map(shutil.which, sys.argv[1:] or BROWSERS)))
    waves = np.sin(np.linspace(0, 3, 24)[:, None] * np.linspace(0, 4, 24))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = layer().report(Path(folder) / "layer.html", args=[waves])
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1200, "height": 640}, device_scale_factor=1.5)
        page.goto(page_file.as_uri())
        page.get_by_role("tab", name="Step").click()
        page.get_by_role("button", name="Difference").click()
        page.get_by_text("hidden", exact=False).last.wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        TARGET.parent.mkdir(exist_ok=True)
        page.screenshot(path=TARGET)
        chromium.close()
    print(f"{TARGET}: {TARGET.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
