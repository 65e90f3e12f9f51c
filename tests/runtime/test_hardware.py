"""The machine's figures: plausible, kept for the next process, measured again when asked or damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphlab
from graphlab.options import using
from graphlab.runtime import hardware


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of its own, and measurements that are quick."""
    monkeypatch.setattr(hardware, "SECONDS", 1e-4)
    monkeypatch.setattr(hardware, "LARGEST", 1 << 20)
    monkeypatch.setattr(hardware, "ORDER", 64)
    with using(cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache"


def test_every_level_is_measured_with_one_thread_and_with_all(folder: Path) -> None:
    here = graphlab.machine()
    counts = {1, here.threads}
    levels = [name for name, _ in here.caches] + ["memory"]
    assert [(b.level, b.threads) for b in here.bandwidths] == [(name, n) for name in levels for n in sorted(counts)]
    assert all(rate > 0 for b in here.bandwidths for rate in (b.read, b.copy, b.triad))
    assert here.dgemm > 0
    assert here.sgemm == here.gflops("float32")
    assert here.threads == len(os.sched_getaffinity(0))
    sizes = [size for _, size in here.caches]
    assert sizes == sorted(sizes)


def test_the_bandwidth_is_that_of_the_smallest_level_that_holds_the_data() -> None:
    def rate(level: str, best: float) -> hardware.Bandwidth:
        return hardware.Bandwidth(level, 1, 0, best, best / 2, best / 3)

    here = hardware.Hardware("a cpu", 1, (), (("L1", 1000), ("L2", 5000)),
                             (rate("L1", 100.0), rate("L2", 50.0), rate("memory", 10.0)), 1.0, 2.0)  # fmt: skip
    assert [here.bandwidth(n) for n in (10, 1000, 1001, 5001)] == [100.0, 100.0, 50.0, 10.0]


def test_it_is_measured_once_and_again_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = graphlab.machine()
    assert len(list(folder.glob("machine-*.json"))) == 1
    with monkeypatch.context() as patched:
        patched.setattr(hardware, "_measured", lambda: pytest.fail("measured again"))
        assert graphlab.machine() == first
    assert graphlab.machine(refresh=True) != first
    assert graphlab.machine() != first


def test_a_damaged_file_is_measured_anew(folder: Path) -> None:
    graphlab.machine()
    (kept,) = folder.glob("machine-*.json")
    for damage in ("", "{}", "[1]", '{"cpu": 3}', '{"bandwidths": [{"level": 1}], "caches": [], "features": []}'):
        kept.write_text(damage)
        assert graphlab.machine().dgemm > 0


def test_as_text_it_names_everything(folder: Path) -> None:
    here = graphlab.machine()
    text = str(here)
    assert here.cpu in text
    assert "dgemm" in text
    assert all(b.level in text for b in here.bandwidths)
