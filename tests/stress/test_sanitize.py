"""A short run under the sanitizers, and that they would see something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sanitize.py")
sys.path.insert(0, str(SCRIPT.parent))

from sanitize import library  # noqa: E402

needed = pytest.mark.skipif(None in (library("libasan.so"), library("libubsan.so")), reason="no gcc with sanitizers")

SEES = """
import numpy as np, graphlab, graphlab.tensor as T
from pathlib import Path
x = T.dvector("x")
f = graphlab.function([x], T.exp(x) * 2)
f([1.0])
assert b"__asan_report_load" in Path(graphlab._rt.__file__).read_bytes()
built = [p.read_bytes() for p in Path(graphlab.options().cache_dir).rglob("*.so")]
assert built and all(b"__asan_report_load" in text for text in built)
short = np.empty(4)
wrong = np.lib.stride_tricks.as_strided(short, (64,))  # an array that says more than it has
f(wrong)
print("nobody saw it")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False, timeout=600
    )


@needed
def test_reading_beyond_an_array_is_seen(tmp_path: Path) -> None:
    script = tmp_path / "sees.py"
    script.write_text(SEES)
    done = run("--python", str(script))
    assert done.returncode == 99, done.stdout + done.stderr
    assert "heap-buffer-overflow" in done.stderr
    assert "kernel_0" in done.stderr
    assert "nobody saw it" not in done.stdout


@needed
def test_a_few_graphs_are_clean() -> None:
    done = run("--graphs", "12", "--seed", "3", "--jobs", "1")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "12 graphs, 0 that differ" in done.stdout
    assert "runtime error" not in done.stderr
