"""Ten thousand hostile texts through SVG, DOT, and pages in a browser: reports, and explorers that Python answers.

They are names of inputs, values, functions and ops of one's own, scopes, rules, lines, files, documentation and errors,
and what is typed: searches, watches, conditions, and all else that a page may send.

    python tests/stress/hostile.py --texts 10000 --seed 1

It ends with the first text that runs, asks for something, or makes a node appear or disappear.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import sync_playwright

from tests.viz.conftest import FLAGS, NAMES
from tests.viz.hostile import check_dot, check_live, check_page, check_picture, function, texts
from tests.viz.visit import Visit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=140, help="so many in one function: more, and groups hide some")
    parser.add_argument("--first", type=int, default=0, help="begin with this text")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    names, began, size = texts(chosen.texts, chosen.seed), time.perf_counter(), chosen.batch
    path = os.environ.get("GRAPHLAB_CHROME") or next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as temporary:
        browser, folder = playwright.chromium.launch(executable_path=path, args=FLAGS), Path(temporary)
        for first in range(chosen.first, len(names), size):
            batch = names[first : first + size]
            f = function(batch)
            check_picture(f)
            if shutil.which("dot"):
                check_dot(f, folder)
            visit = Visit(browser, ("file:",))
            check_page(visit, f.report(folder / "f.html", args=[[1.0]] * len(batch)), batch)
            visit.context.close()
            visit = Visit(browser, ())
            check_live(visit, batch)
            visit.context.close()
            print(f"{first + len(batch)} texts, {time.perf_counter() - began:.0f} s", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
