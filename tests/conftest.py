"""What every test shares: a build cache of its own, and dot where ./dev put it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Find the private copy of Graphviz also when pytest was not started by ./dev."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    private = cache / "graphlab" / "gv" / "bin"
    if (private / "dot").is_file():
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{private}"


# With these first, several processors end at about the same time: some of their tests take half a minute.
LONGEST = {"test_random_graphs.py", "test_short.py", "test_sanitize.py", "test_export.py", "test_notebooks.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, where they are many."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240229)


@pytest.fixture
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder, which is returned."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
