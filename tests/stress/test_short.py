"""The short run of each script here, and that a script which finds something says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

import all as everything  # noqa: E402
import figures  # noqa: E402
import races  # noqa: E402


@pytest.mark.parametrize("name", [name for name in everything.SCRIPTS if name != "sanitize"])  # it has its own test
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    if name == "races" and (reason := races.unable()):
        pytest.skip(reason)
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--json", str(tmp_path / "figures.json")],
        capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "GRAPHLAB_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["failures"] == []
    assert len(found) > 2


def test_what_is_found_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*, tries: int) -> figures.Figures:
        return {"tries": tries, "failures": ["it fell"] if tries > 1 else []}

    assert figures.main("", run, {"tries": 1}, {"tries": 9}, []) == 0
    assert figures.main("", run, {"tries": 1}, {"tries": 9}, ["--long", "--json", str(tmp_path / "f.json")]) == 1
    assert "it fell\n1 failed" in capsys.readouterr().out
    assert json.loads((tmp_path / "f.json").read_text())["tries"] == 9


def test_the_page_keeps_the_figures_of_others() -> None:
    page = everything.written("# Page\n", "files", everything.section("files", {"files": 3, "failures": []}, True))
    page = everything.written(page, "leaks", everything.section("leaks", {"calls": 5, "failures": ["x"]}, False))
    page = everything.written(page, "files", everything.section("files", {"files": 4, "failures": []}, True))
    assert "- files: 4" in page
    assert "- files: 3" not in page
    assert "- calls: 5" in page
    assert "**1 failed**" in page
