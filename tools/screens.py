"""Make docs/images/explorer-*.png, the pictures of docs/explorer.md: panels of a report, light and dark, each small.

.venv/bin/python tools/screens.py [path of the browser]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from pictures import BROWSERS, IMAGES, layer
from PIL import Image
from playwright.sync_api import sync_playwright

from graphlab.viz.report import PARTS

PANELS = {  # on which ground; what is shown beside which graph, with which node picked, after which clicks
    "light": {
        "graph": ("after", "hidden", ()),
        "step": ("after", "", ()),
        "code": ("after", "", ("gl-show-assembly",)),
        "nodes": ("before", "", ()),
    },
    "dark": {
        "inspect": ("after", "scores", ()),
        "value": ("after", "scores", ()),
        "profile": ("after", "", ()),
        "rewrites": ("", "", ("gl-rewrite-0", "gl-graph-difference")),
    },
}
COLOURS, MOST = 128, 60_000  # of a picture: colours, bytes


def main() -> int:
    """Make them all; 1 if there is no browser or one is too large."""
    browser = next(filter(None, map(shutil.which, sys.argv[1:] or BROWSERS)), None)
    if browser is None:
        print("there is no browser", file=sys.stderr)
        return 1
    status = 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # Without a profile: times would be others in each picture, and the panel shows the estimates.
        report = layer(Path(folder), tuple(part for part in PARTS if part != "profile"))
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for scheme, panels in PANELS.items():
            page = chromium.new_page(viewport={"width": 1080, "height": 560}, color_scheme=scheme)
            page.goto(report.as_uri())
            page.locator("#gl-app[data-ready]").wait_for()
            for panel, (graph, node, clicks) in panels.items():
                page.get_by_test_id(f"gl-tab-{panel}").click()
                if graph:
                    page.get_by_test_id(f"gl-graph-{graph}").click()
                if node:
                    page.locator(f'.gl-canvas [aria-label^="{node} ="]').click()
                for button in clicks:
                    page.get_by_test_id(button).click()
                    page.wait_for_timeout(300)
                page.mouse.move(0, 0)
                page.wait_for_timeout(300)
                target = IMAGES / f"explorer-{panel}-{scheme}.png"
                page.screenshot(path=target)
                with Image.open(target) as picture:
                    few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
                    few.save(target, optimize=True)
                size = target.stat().st_size
                status |= size > MOST
                print(f"{target.name}: {size // 1024} kB")
        chromium.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
