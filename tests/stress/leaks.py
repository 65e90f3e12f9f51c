"""Calls, compiles, sessions and widgets without end: resident memory and file descriptors stay as they are.

    python tests/stress/leaks.py --calls 100000 --hits 1000 --compiles 1000 --sessions 1000 --widgets 1000

Half as many of each go before, since much is made once, and Python takes memory a MiB at a time.
`benchmarks/memory_growth.py` has more kinds of functions.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))

import graphlab
import graphlab.tensor as T

SHORT = {"calls": 3000, "hits": 20, "compiles": 6, "sessions": 20, "widgets": 10}
LONG = {"calls": 100_000, "hits": 1000, "compiles": 1000, "sessions": 1000, "widgets": 1000}
# In KiB; a compiled program that is distinct stays loaded while its function lives, which here is not for long.
BOUNDS = {"calls": 256, "hits": 2048, "compiles": 30 * 1024, "sessions": 2048, "widgets": 2048}


def resident() -> int:
    """KiB of this process that lie in memory, after all that can be given back was."""
    gc.collect()
    graphlab.release_memory()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4


def descriptors() -> int:
    """How many files are open."""
    return len(os.listdir("/proc/self/fd"))


def works() -> dict[str, Callable[[int], object]]:
    """What is done over and over; it gets its number."""
    x, w = T.dvector("x"), graphlab.shared(np.ones(3), name="w")
    outputs = [T.exp(x * w).sum(), T.sort(x), T.nnet.softmax(x[None, :])]
    f = graphlab.function([x], outputs, updates={w: w * 0.5 + x})
    value = np.array([0.5, 1.5, -0.5])
    trained = graphlab.function([x], T.grad(T.tanh(x * w).sum(), w))

    def call(k: int) -> None:
        f(value)
        f([1, 2, 3])  # by way of Python
        try:
            f(np.ones(2))
        except graphlab.GraphlabError:
            pass

    def session(k: int) -> None:
        s = trained.debug(value)
        s.finish()
        s.goto(0)
        s.close()

    def compile(k: int) -> None:
        assert graphlab.function([x], T.exp(x) * (k + 0.5)).machine is not None

    return {
        "calls": call,
        "hits": lambda k: graphlab.function([x], T.exp(x * w).sum(), updates={w: w * 0.5}),
        "compiles": compile,
        "sessions": session,
        "widgets": lambda k: trained.explore().close(),
    }


def run(**counts: int) -> figures.Figures:
    """So many of each."""
    found: figures.Figures = {}
    failures = list[str]()
    with (
        tempfile.TemporaryDirectory(prefix="graphlab-leaks-") as folder,
        graphlab.using(cache_dir=Path(folder) / "cache"),
    ):
        for name, work in works().items():
            count = counts[name]
            for k in range(-max(count // 2, 5), 0):
                work(k)
            before, files = resident(), descriptors()
            for k in range(count):
                work(k)
            grown, opened = resident() - before, descriptors() - files
            found[name] = f"{count}, {grown:+} KiB (bound {BOUNDS[name]}), {opened:+} file descriptors"
            if grown > BOUNDS[name] or opened > 0:
                failures.append(f"{name}: {found[name]}")
    return {**found, "failures": failures}


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
