"""All that this folder does, and its figures in docs/reliability.md.

    python tests/stress/all.py            the short runs, a few minutes
    python tests/stress/all.py --long     the long ones, many hours: see docs/reliability.md
    python tests/stress/all.py --long --only builds leaks --write

--write puts the figures of what ran into the page, and leaves those of the others as they are.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

PAGE = figures.ROOT / "docs" / "reliability.md"
SCRIPTS = (
    "builds", "bad_calls", "interrupts", "failing", "leaks", "stateful", "metamorphic", "files", "sanitize", "races",
)  # fmt: skip


def ran(name: str, long: bool) -> dict[str, Any]:
    """The figures of one script."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), "--json", file.name]
        status = subprocess.run([*command, *(["--long"] if long else [])], check=False).returncode
        text = Path(file.name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text) if text else {"failures": [f"{name} ended with status {status}"]}
    return found


@functools.cache  # writing the page makes it dirty
def commit() -> str:
    """Of which commit the package is, if git knows."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=figures.ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return said.stdout.decode().strip()


def section(name: str, found: dict[str, Any], long: bool) -> str:
    """What the page says of one run."""
    lines = [f"- {what}: {value}" for what, value in found.items() if what not in ("failures", "seconds")]
    head = f"`{name}.py{' --long' if long else ''}`, {time.strftime('%Y-%m-%d')}, {commit()}, " \
           f"{platform.machine()}, {found.get('seconds', 0):.0f} s: **{len(found['failures'])} failed**"  # fmt: skip
    return "\n".join([f"<!-- {name} -->", head, "", *lines, f"<!-- end {name} -->"])


def written(page: str, name: str, text: str) -> str:
    """The page with a new section of `name`."""
    found = re.compile(rf"<!-- {name} -->.*?<!-- end {name} -->", re.DOTALL)
    return found.sub(lambda _: text, page) if found.search(page) else f"{page.rstrip()}\n\n{text}\n"


def main() -> int:
    """Run the scripts; how many of them found something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="the long runs")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, help="these")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    chosen = parser.parse_args()
    failed = 0
    for name in chosen.only:
        print(f"---- {name}", flush=True)
        found = ran(name, chosen.long)
        failed += bool(found["failures"])
        if chosen.write:
            text = section(name, found, chosen.long)
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
