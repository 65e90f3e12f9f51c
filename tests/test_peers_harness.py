"""The benchmark against other compilers: graphlab's programs compute what NumPy's do, and the report is right."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

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
        if name.partition(".")[0] in ("contenders", "workloads", "worker", "report", "record", "measure"):
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


def test_an_interrupted_run_keeps_its_rows_and_goes_on_behind_them(load, tmp_path: Path, monkeypatch) -> None:
    measure, record, report, workloads = load("measure"), load("record"), load("report"), load("workloads")
    chosen, path = workloads.rows(["poly/1e3", "sqdist"]), tmp_path / "out.json"
    setting = measure.Setting(["graphlab", "numpy"], 1, 1, 0.0, 0.0, False, tmp_path, sys.stderr)
    asked = []

    def row_until(last: int):
        def measured(row, workers, setting, folder):
            if len(asked) == last:
                raise KeyboardInterrupt
            asked.append(str(row))
            return {c: {"median": 1.0, "least": 1.0, "peak": 1} for c in setting.contenders}

        return measured

    def run(last: int, *, resume: bool) -> None:
        kept = record.read(path, setting.contenders, "here")
        monkeypatch.setattr(measure, "measure_row", row_until(last))
        measure.run_rows(chosen, setting, record.Keeper(kept, "1", path, "quickly", resume))

    monkeypatch.setattr(measure, "Worker", lambda *args: SimpleNamespace(hear=lambda patience: {}, close=lambda: None))
    with pytest.raises(KeyboardInterrupt):
        run(3, resume=False)
    found = json.loads(path.read_text())
    assert list(found["results"]["1"]) == asked == ["poly/1e3/f64", "poly/1e3/f32", "sqdist/1e7/f64"]
    assert found["made"]["1"]["poly/1e3/f64"]["how"] == "quickly"
    run(9, resume=True)
    assert asked == [str(row) for row in chosen]  # each once
    found = json.loads(path.read_text())
    assert list(found["results"]["1"]) == asked
    assert "UTC: quickly." in report.markdown({**found, "python": "3"})
    assert "UTC" not in report.markdown({**found, "python": "3", "made": {}})
    with pytest.raises(SystemExit, match="measured on here"):
        record.read(path, [], "elsewhere")
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]


def test_a_row_of_first_results_that_nobody_reached_is_none_of_calls(load) -> None:
    report = load("report")
    cells = {"graphlab": {"skip": "more than 40 s"}}
    record = {"machine": "", "python": "", "contenders": ["graphlab"], "limits": {}, "results": {"1": {}}}
    record["results"]["1"]["graph_scale n=10000"] = cells
    text = report.markdown(record)
    assert "## Calls" not in text
    assert "| graph_scale n=10000 | n/a |" in text
