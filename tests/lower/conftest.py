"""These tests build programs into a cache folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphlab.options import using


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "graphlab"


@pytest.fixture(autouse=True)
def own_cache(session_cache: Path) -> Iterator[None]:
    with using(cache_dir=session_cache):
        yield
