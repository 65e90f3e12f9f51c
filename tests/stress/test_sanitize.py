"""A short run under the sanitizers, and that they would see something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sanitize

MISSING = None in (sanitize.library("libasan.so"), sanitize.library("libubsan.so"))
needed = pytest.mark.skipif(MISSING, reason="no gcc with sanitizers")

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


@needed
def test_reads_beyond_an_array_are_seen_and_a_few_graphs_are_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = sanitize.sanitized(tmp_path)  # one build for both: half a minute

    (tmp_path / "sees.py").write_text(SEES)
    ended = subprocess.run([sys.executable, "sees.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 99, ended
    assert "heap-buffer-overflow" in ended.stderr
    assert "kernel_0" in ended.stderr
    assert "nobody saw it" not in ended.stdout

    found = sanitize.random_graphs(tmp_path, environment, **sanitize.SHORT)
    assert found["failures"] == []
    assert found["graphs"] == 12
    assert found["kernels"] > 12
    assert "runtime error" not in capfd.readouterr().err
