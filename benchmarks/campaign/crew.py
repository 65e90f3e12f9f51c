"""The crew: processes that take graphs in batches, each with a cache folder that goes with it.

A batch is a process of its own, so that what one loads is given back, and a crash or a loop without end is laid at
the door of one graph and the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shlex
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import graphlab

from .judge import Verdict, compiled, judge
from .sample import ORDINARY, Sample, plan, sample
from .shrink import Shrinker, written
from .situations import Planted

BATCH = 200
PATIENCE = 120.0  # seconds that one graph may take
PROCESSES = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Failure:
    """A graph that failed, and why; `text` is its smallest form, where it was made small."""

    seed: int
    index: int
    message: str
    planted: tuple[int, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        again = f"python benchmarks/random_graphs.py --seed {self.seed} --only {self.index}"
        again += f" --plant {','.join(map(str, self.planted))}" if self.planted else ""
        return "\n".join(["-" * 100, f"graph {self.index}: {self.message}", f"again: {again}", self.text])


@dataclass
class Report:
    """What a run found."""

    graphs: int = 0
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    elements: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    text: str = ""
    kernels: int = 0

    def add(self, other: Report) -> None:
        """Count the graphs of `other` too."""
        self.graphs += other.graphs
        self.fired.update(other.fired)
        self.elements.update(other.elements)
        self.failures += other.failures
        self.kernels += other.kernels


# ---- one graph -----------------------------------------------------------------------------------


def one(
    seed: int, index: int, rules: Sequence[Planted], planted: Sequence[int], shrink: bool, compares: bool = True
) -> Report:
    """Draw graph `index` with those of `rules` that `planted` numbers; compile, run and, if it `compares`, judge it."""
    try:
        s = sample(seed, index, [rules[k] for k in planted])
        verdict = judge(s, compares)
    except Exception as error:  # nothing that is drawn may fail to compile, and no rule may raise
        said = f"{type(error).__name__}: {error}"
        return Report(1, failures=[Failure(seed, index, said, tuple(planted), traceback.format_exc())])
    report = Report(1, verdict.fired, verdict.elements, kernels=verdict.kernels)
    if verdict.differences:
        first = verdict.differences[0]
        message = f"output {first.output} on {first.kind} values: {first.message}"
        text = smallest(s, verdict) if shrink else ""
        report.failures.append(Failure(seed, index, message, tuple(planted), text))
    return report


def smallest(s: Sample, verdict: Verdict) -> str:
    """The text of the smallest form of the first difference."""
    first = verdict.differences[0]
    shrinker = Shrinker(first.kind)
    small = shrinker.shrink(s, first.output)
    shrinker.trials = 0
    found, rules = shrinker.failure(small), shrinker.culprits(small)
    lines = [written(small), f"gives {found.got!r}\ninstead of {found.want!r}" if found else "(it comes and goes)"]
    return "\n".join([*lines, f"gone without any of: {', '.join(map(repr, rules)) or 'no rule; look at the C'}"])


def examine(seed: int, index: int, rules: Sequence[Planted], planted: Sequence[int]) -> Report:
    """Graph `index` with all that there is to say about it."""
    s = sample(seed, index, [rules[k] for k in planted])
    with cache():
        report = one(seed, index, rules, planted, shrink=True)
        lines = [f"planted: {', '.join(map(repr, s.planted))}; mode {s.mode.name}, fast_math={s.mode.fast_math}"]
        lines.append(written(Sample(s.graph, s.mode, {ORDINARY: s.values[ORDINARY]})))
        lines += [f"  fired: {r.rule} [{r.changes}]" for r in compiled(s).trace.rewrites]
        lines += [f"  {n} {what}" for what, n in report.elements.items()]
    report.text = "\n".join([*lines, *map(str, report.failures)])
    return report


# ---- many ----------------------------------------------------------------------------------------


class cache:
    """An empty cache folder in force inside the `with` block, removed afterwards."""

    def __enter__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="graphlab-campaign-"))
        self.options = graphlab.using(cache_dir=self.folder)
        self.options.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.options.__exit__(*error)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def plain_c() -> Iterator[None]:
    """C is built with -O0 inside: what is checked is the rewriting, and most of the time is the C compiler's."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "cc"
        script.write_text(f'#!/bin/bash\nexec {shlex.join(graphlab.options().cc)} "${{@/#-O1/-O0}}"\n')
        script.chmod(0o755)
        with graphlab.using(cc=(str(script),)):
            yield


def run(seed: int, graphs: int, rules: Sequence[Planted], jobs: int, shrink: int, compares: bool = True) -> Report:
    """Graphs 0 to `graphs` of the seed by `jobs` processes; the first `shrink` failures are made small."""
    total, began = Report(), time.monotonic()
    batches: list[range] = [range(k, min(k + BATCH, graphs)) for k in range(0, graphs, BATCH)]
    batches.reverse()
    working: dict[Connection, Worker] = {}
    while batches or working:
        while batches and len(working) < max(jobs, 1):
            batch = batches.pop()
            due = plan(rules, total.fired, batch, seed)
            worker = Worker(seed, batch, rules, due, shrink - len(total.failures), compares)
            working[worker.reports] = worker
        for ready in wait(list(working), timeout=1.0):
            assert isinstance(ready, Connection)
            report = working[ready].received()
            if report is not None:
                total.add(report)
                tell(report)
        for at, worker in list(working.items()):
            left, failure = worker.left()
            if failure is not None:
                lost = Report(1, failures=[failure])
                total.add(lost)
                tell(lost)
            if left is not None:
                del working[at]
                batches += [left] if left else []
                rate = total.graphs / (time.monotonic() - began)
                print(f"{total.graphs} graphs, {len(total.failures)} failures, {rate:.1f} a second", flush=True)
    return total


def tell(report: Report) -> None:
    """Print the failures at once: a run takes long."""
    for failure in report.failures:
        print(failure, flush=True)


@dataclass
class Worker:
    """A process that works through a batch and reports on each graph."""

    seed: int
    batch: range
    rules: Sequence[Planted]
    due: Sequence[Sequence[int]]
    shrink: int
    compares: bool
    at: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.reports, theirs = PROCESSES.Pipe(duplex=False)
        arguments = (theirs, self.seed, self.batch, self.rules, self.due, self.shrink, self.compares)
        self.process = PROCESSES.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.since = time.monotonic()

    def received(self) -> Report | None:
        """The next report, None if there will be no more."""
        try:
            report: Report = self.reports.recv()
        except EOFError:
            self.ended = True
            return None
        self.at, self.since = self.at + 1, time.monotonic()
        return report

    def left(self) -> tuple[range | None, Failure | None]:
        """The graphs still to do if the process is gone or hangs (None while it works), and why if it failed."""
        stuck = time.monotonic() - self.since > PATIENCE
        if not self.ended and not stuck:
            return None, None
        if stuck:
            self.process.kill()
        self.process.join()
        self.reports.close()
        if self.at == len(self.batch):
            return range(0), None
        why = f"takes longer than {PATIENCE:.0f} s" if stuck else f"the process died ({self.process.exitcode})"
        return self.batch[self.at + 1 :], Failure(self.seed, self.batch[self.at], why, tuple(self.due[self.at]))


def _work(reports: Connection, seed: int, batch: range, rules: Sequence[Planted], due: Sequence[Sequence[int]],
          shrink: int, compares: bool) -> None:  # fmt: skip
    small = 0
    with cache():
        for index, planted in zip(batch, due, strict=True):
            report = one(seed, index, rules, planted, small < shrink, compares)
            small += len(report.failures)
            reports.send(report)
