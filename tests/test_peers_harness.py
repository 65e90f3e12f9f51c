"""The benchmark against other compilers: graphlab's programs compute what NumPy's do, and the report is right."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PEERS = Path(__file__).resolve().parent.parent / "benchmarks" / "peers"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[object]]:
    """Imports a module of the harness, which runs as scripts of one folder."""
    monkeypatch.syspath_prepend(str(PEERS))
    monkeypatch.setenv("PEERS_CACHE", str(tmp_path))
    monkeypatch.setenv("GRAPHLAB_CACHE_DIR", str(tmp_path))
    before = set(sys.modules)
    yield importlib.import_module  # type: ignore[misc]
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("contenders", "workloads", "worker", "report"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "case"), [("gmm_grad", {"n": 7, "k": 3, "d": 2}), ("embed_sgd", {"rows": 9, "width": 3, "ids": 20})]
)
def test_graphlab_computes_what_numpy_does(load, name: str, case: dict[str, int]) -> None:
    worker, workloads = load("worker"), load("workloads")
    calls = workloads.WORKLOADS[name].calls
    inputs = workloads.WORKLOADS[name].inputs(np.random.default_rng(0), **case)

    def outputs(module: ModuleType) -> list[np.ndarray]:
        built = getattr(module, name)(**{key: np.array(value) for key, value in inputs.items()})
        call, state = built if isinstance(built, tuple) else (built, lambda: ())
        results = [call() for _ in range(calls)]
        return worker.flat((results[-1], state()))

    found, expected = outputs(load("contenders.graphlab_")), outputs(load("contenders.numpy_"))
    assert worker.error(found, expected, "float64") < 1e-12


def test_every_workload_is_written_for_graphlab(load) -> None:
    module, workloads = load("contenders.graphlab_"), load("workloads")
    assert [name for name in (*workloads.WORKLOADS, *workloads.SCALE) if not hasattr(module, name)] == []


def test_the_report_lists_what_is_slower_than_a_peer_or_far_from_the_limit(load) -> None:
    report = load("report")

    def row(ours: float, peer: float, limit: float) -> dict[str, dict[str, float]]:
        return {"graphlab": {"median": ours}, "jax": {"median": peer}, "c_limit": {"median": limit}}

    assert report.ratios(row(2.0, 1.0, 0.5)) == (2.0, 4.0)
    assert report.falls_short(row(2.0, 1.0, 0.5))  # slower than jax
    assert report.falls_short(row(1.4, 1.5, 0.9))  # faster, but more than 1.5 x C
    assert not report.falls_short(row(1.2, 1.5, 0.9))
    assert report.best_peer(row(0.1, 1.0, 0.01), without=["graphlab"]) == "jax"
