"""What the scripts of this folder share: a short run and a long one, their numbers, figures as text and JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Figures = dict[str, Any]  # what was counted, by name; "failures" is a list of texts


def main(
    doc: str | None, run: Callable[..., Figures], short: Mapping[str, int], long: Mapping[str, int],
    argv: Sequence[str] | None = None,
) -> int:  # fmt: skip
    """Run `run` with the numbers of `short`, or of `long` with --long, each of which has an option; how many failed."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="the long run")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    for name in short:
        help = f"(default: {short[name]}, long: {long[name]})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=help)
    chosen = vars(parser.parse_args(argv))
    numbers = {name: (long if chosen["long"] else short)[name] for name in short}
    numbers |= {name: chosen[name] for name in short if chosen[name] is not None}
    began = time.perf_counter()
    figures = run(**numbers)
    figures = {"seconds": round(time.perf_counter() - began, 1), **figures}
    if chosen["json"]:
        Path(chosen["json"]).write_text(json.dumps(figures, indent=1, default=str), encoding="utf-8")
    for name, value in figures.items():
        if name != "failures":
            print(f"{name}: {value}")
    print(*figures["failures"][:20], sep="\n\n")
    print(f"{len(figures['failures'])} failed")
    return min(len(figures["failures"]), 1)


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A new Python with `code`, in its own process group."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, start_new_session=True,
    )  # fmt: skip


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of them lie, or the largest."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0
