"""Every contender in a process of its own: rows timed in turn, first results in new processes."""

import contextlib
import json
import math
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from report import INTERPRETED, line
from workloads import LATENCY, SCALE

HERE = Path(__file__).parent
PATIENCE = 180  # seconds a contender may take to build a row
SCALE_PATIENCE = 40  # and to build one generated graph
EARLY = "by NumPy while C is compiled"  # how graphlab answers where compile="background"
TRIES = 4  # turns for each that counts, where others take the processors
QUICK = 3  # seconds; a first result that takes longer is not measured again in each turn


@dataclass(frozen=True)
class Setting:
    """How a run measures, and where contenders keep what they compile."""

    contenders: list[str]
    threads: int
    rounds: int
    seconds: float
    quiet: float
    priority: bool
    cache: Path
    log: TextIO

    def environment(self, cache=None):
        """The environment of every measured process: the same thread count for every runtime."""
        names = "OMP OPENBLAS MKL NUMEXPR NUMBA GRAPHLAB".split()
        counts = {f"{name}_NUM_THREADS": str(self.threads) for name in names}
        counts["NUMEXPR_MAX_THREADS"] = str(self.threads)
        own = dict(
            PEERS_THREADS=str(self.threads),
            PEERS_CACHE=str(cache or self.cache),
            PEERS_PRIORITY="1" if self.priority else "",
        )
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        return os.environ | counts | own | dict(PYTHONPATH=path, PYTHONHASHSEED="0")

    def command(self, script, *arguments):
        """The arguments that run a script, on one processor where one thread is asked for."""
        pin = [] if self.threads > 1 else ["taskset", "-c", "0"]
        return [*pin, sys.executable, str(HERE / script), *map(str, arguments)]


def end(process):
    """End a process and the compilers it may have started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Worker:
    """One contender in a process of its own, asked one thing at a time."""

    def __init__(self, contender, setting):
        self.dead = None
        self.process = subprocess.Popen(
            setting.command("worker.py", "serve", contender), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=setting.log, bufsize=0, start_new_session=True, env=setting.environment(),
        )  # fmt: skip

    def hear(self, patience):
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.dead = f"more than {patience} s"
            end(self.process)
        answer = self.process.stdout.readline()
        if not answer:
            self.dead = self.dead or f"process ended ({self.process.wait()})"
            return dict(skip=self.dead)
        return json.loads(answer)

    def ask(self, do, patience=PATIENCE, **request):
        if self.dead:
            return dict(skip=self.dead)
        self.process.stdin.write((json.dumps(dict(do=do, **request)) + "\n").encode())
        return self.hear(patience)

    def close(self):
        end(self.process)


def reference(row, folder):
    """The file with the row's expected outputs: the NumPy contender in float64."""
    from contenders import numpy_
    from worker import build, outputs

    path = folder / "reference.npz"
    inputs = row.inputs("float64")
    np.savez(path, *outputs(row, *build(numpy_, row, inputs)))
    return str(path)


def settle(patience):
    """Wait until the processors are idle: threads of the last contender may spin, others may share the machine.

    Returns the seconds spent beyond the first look.
    """

    def ticks():
        with open("/proc/stat") as file:
            counts = [int(field) for field in file.readline().split()[1:9]]
        return sum(counts), counts[3] + counts[4]

    begin = time.perf_counter()
    while True:
        total, idle = ticks()
        time.sleep(0.03)
        now, still = ticks()
        spent = time.perf_counter() - begin - 0.03
        if still - idle >= 0.8 * (now - total) or spent > patience:
            return spent


def measure_row(row, workers, setting, folder):
    """Prepare the row in every worker, then time the workers in turn, starting elsewhere each round.

    Turns in which threads waited for a processor, or the processor for its host, are
    repeated, up to TRIES times as many turns in all; the calmest `rounds` turns count.
    """
    key, cells = (row.workload, row.case, row.dtype), {}
    expected = reference(row, folder)
    for name, worker in workers.items():
        cells[name] = worker.ask("prepare", row=key, reference=expected)
    turns = {name: [] for name in workers if "skip" not in cells[name]}
    patience = setting.quiet
    for number in range(TRIES * setting.rounds):
        order = list(turns)
        for name in order[number % len(order) :] + order[: number % len(order)] if order else []:
            calm = sum(turn["waited"] < 0.02 for turn in turns[name])
            slow = bool(turns[name]) and turns[name][0]["median"] > 0.3
            if calm >= setting.rounds or (slow and len(turns[name]) >= 3):
                continue
            patience -= settle(patience)
            turn = workers[name].ask("turn", seconds=setting.seconds)
            if "skip" in turn:
                cells[name] = turn
                del turns[name]
            else:
                turns[name].append(turn)
    for name, taken in turns.items():
        taken = sorted(taken, key=lambda turn: turn["waited"])[: setting.rounds]
        cells[name]["median"] = statistics.median(turn["median"] for turn in taken)
        cells[name]["least"] = min(turn["least"] for turn in taken)
        cells[name]["waited"] = max(turn["waited"] for turn in taken)
        found = workers[name].ask("inspect")
        cells[name] |= {key: value for key, value in found.items() if key != "skip"}
    for worker in workers.values():
        worker.ask("drop")
    return cells


def run_rows(selected, setting, keeper):
    """Keep the cells of each row; a workload's rows share their contenders' processes."""
    selected = [row for row in selected if not keeper.done(str(row), setting.contenders)]
    with tempfile.TemporaryDirectory() as folder:
        for workload in dict.fromkeys(row.workload for row in selected):
            workers = {c: Worker(c, setting) for c in setting.contenders}
            for worker in workers.values():
                worker.hear(PATIENCE)
            for row in (row for row in selected if row.workload == workload):
                cells = measure_row(row, workers, setting, Path(folder))
                keeper.keep(str(row), cells)
                print(line(str(row), cells, setting.contenders), flush=True)
            for worker in workers.values():
                worker.close()


def first(contender, key, expected, setting, cache, patience):
    """One expression in a fresh process: seconds from the expression to its first result."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        setting.command("worker.py", "first", contender, *key, expected), stdout=subprocess.PIPE,
        stderr=setting.log, env=setting.environment(cache), text=True, start_new_session=True,
    )  # fmt: skip
    try:
        answer, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        return dict(skip=f"more than {patience} s")
    finally:
        end(process)
    if not answer:
        return dict(skip=f"process ended ({process.returncode})")
    return json.loads(answer) | dict(process=time.perf_counter() - begin)


def run_latency(setting, keeper):
    """Every expression in new processes, each with an empty cache and then with the one it left, in turn."""
    for row in LATENCY:
        labels = [f"{row.workload} cold", f"{row.workload} warm"]
        early = f"{row.workload} cold, {EARLY}"
        if all(keeper.done(label, setting.contenders) for label in labels):
            continue
        turns = {label: {c: [] for c in setting.contenders} for label in labels}
        if "graphlab" in setting.contenders:
            turns[early] = {"graphlab": []}
        key = row.workload, row.case, row.dtype
        for number in range(setting.rounds):
            with tempfile.TemporaryDirectory() as folder:
                expected = reference(row, Path(folder))
                for c in setting.contenders:
                    known = turns[labels[0]][c]
                    if number and known[0].get("seconds", QUICK) >= QUICK:
                        continue
                    for label in labels:
                        turns[label][c].append(first(c, key, expected, setting, Path(folder) / c, PATIENCE))
                    if c == "graphlab":
                        cache = Path(folder) / "background"
                        turns[early][c].append(first("graphlab_background", key, expected, setting, cache, PATIENCE))
        for label, taken in turns.items():
            cells = {c: middle(answers) for c, answers in taken.items()}
            keeper.keep(label, cells)
            print(line(label, cells, setting.contenders, "seconds"), flush=True)


def middle(answers):
    """The answer whose time is the median; one that has none, if there is one."""
    return next(
        (answer for answer in answers if "skip" in answer),
        sorted(answers, key=lambda answer: answer.get("seconds", 0))[(len(answers) - 1) // 2],
    )


def run_scale(workload, setting, keeper):
    """Cold time to the first result against graph size, until a contender runs out of patience."""
    from contenders import numpy_

    contenders = [c for c in setting.contenders if c not in INTERPRETED and c != "numba"]
    lost = {}
    x = np.random.default_rng(3).standard_normal(1000)
    labels = {n: f"{workload} n={n}" for n in SCALE[workload]}
    for n, label in labels.items():
        if not keeper.done(label, contenders):
            cells = {}
            with tempfile.TemporaryDirectory() as folder:
                expected = Path(folder) / "reference.npz"
                np.savez(expected, getattr(numpy_, workload)(n, x)(), x=x)
                for c in contenders:
                    if c in lost:
                        cells[c] = dict(skip=lost[c])
                    else:
                        key = workload, n, "float64"
                        cells[c] = first(c, key, expected, setting, Path(folder) / c, SCALE_PATIENCE)
                keeper.keep(label, cells)
                print(line(label, cells, contenders, "seconds"), flush=True)
                if "graphlab" in contenders:
                    key, cache = (workload, n, "float64"), Path(folder) / "background"
                    early = {"graphlab": first("graphlab_background", key, expected, setting, cache, SCALE_PATIENCE)}
                    keeper.keep(f"{label}, {EARLY}", early)
                    print(line(f"{label}, {EARLY}", early, contenders, "seconds"), flush=True)
        lost |= {c: cell["skip"] for c, cell in keeper.results[label].items() if "skip" in cell}
    slopes = exponents({label: keeper.results[label] for label in labels.values()}, contenders)
    keeper.keep(f"{workload} exponent", slopes)
    print(line(f"{workload} exponent", slopes, contenders, "seconds"), flush=True)


def exponents(results, contenders):
    """The slope of log time over log size between the two largest sizes a contender reached."""
    cells = {}
    for c in contenders:
        points = [
            (int(key.partition("n=")[2]), row[c]["seconds"]) for key, row in results.items() if "seconds" in row[c]
        ]
        if len(points) > 1:
            (n, s), (m, t) = points[-2:]
            cells[c] = dict(exponent=math.log(t / s) / math.log(m / n), sizes=[n, m])
    return cells


def machine(setting):
    """Measured limits of the machine with this many threads."""
    done = subprocess.run(
        setting.command("machine.py"), stdout=subprocess.PIPE, stderr=setting.log, env=setting.environment(),
        text=True, check=True, start_new_session=True,
    )  # fmt: skip
    return json.loads(done.stdout)
