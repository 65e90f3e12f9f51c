"""How much a process grows by calling a function, and by compiling it again from a warm cache.

    python benchmarks/memory_growth.py [calls] [builds]

Exit status 1: a program grew by more than 256 KiB over the calls (100,000), or 2 MiB over the builds (1,000).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T

KIB = 1024
CALLS_KIB, BUILDS_KIB = 256, 2048
Program = Callable[[], tuple[Any, tuple[Any, ...]]]


def resident() -> int:
    """The bytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def elementwise() -> tuple[Any, tuple[Any, ...]]:
    """One kernel."""
    x = T.dvector("x")
    return graphlab.function([x], T.exp(x) + 1), (np.ones(100),)


def several() -> tuple[Any, tuple[Any, ...]]:
    """Several steps, several results."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    p = x @ y
    return graphlab.function([x, y], (T.softmax(p, axis=1), p.sum(), T.cumsum(p).max())), (np.eye(8), np.eye(8))


def training() -> tuple[Any, tuple[Any, ...]]:
    """Updates of shared variables, some of them in place."""
    w, x, i = graphlab.shared(np.ones((20, 4))), T.dmatrix("x"), T.lvector("i")
    rows = w[i]
    loss = ((rows - x) ** 2).sum()
    step = graphlab.function([x, i], loss, updates=[(w, T.inc_subtensor(rows, -0.01 * T.grad(loss, rows)))])
    return step, (np.ones((3, 4)), np.array([1, 2, 1]))


def loop() -> tuple[Any, tuple[Any, ...]]:
    """A loop, and a choice inside it."""
    x = T.dmatrix("x")
    values, _ = graphlab.scan(lambda row, s: T.tanh(s + row), sequences=[x], outputs_info=[T.zeros_like(x[0])])
    return graphlab.function([x], values[-1]), (np.ones((5, 6)),)


def host() -> tuple[Any, tuple[Any, ...]]:
    """NumPy in the middle of a program."""
    x = T.dvector("x")
    return graphlab.function([x], T.sort(x) * 2), (np.ones(10),)


def numbers() -> tuple[Any, tuple[Any, ...]]:
    """Python's numbers as arguments, as a list too."""
    x, y = T.dscalar("x"), T.dvector("y")
    return graphlab.function([x, y], {"sum": x + y}), (2, [1.0, 2.0])


PROGRAMS: tuple[Program, ...] = (elementwise, several, training, loop, host, numbers)


def growth(turn: Callable[[], Any], turns: int, warm: int) -> int:
    """By how many bytes the process is larger after `turns` turns than it was after `warm` of them."""
    for _ in range(warm):
        turn()
    gc.collect()
    before = resident()
    for _ in range(turns):
        turn()
    gc.collect()
    return resident() - before


def of_calls(program: Program, calls: int) -> int:
    """The growth, in bytes, by calling `program`."""
    f, arguments = program()
    return growth(lambda: f(*arguments), calls, 1000)


def of_builds(program: Program, builds: int) -> int:
    """The growth, in bytes, by compiling `program` again and calling it once."""

    def turn() -> None:
        f, arguments = program()
        f(*arguments)

    return growth(turn, builds, 20)


def main() -> int:
    given = [int(n) for n in sys.argv[1:3]]
    calls, builds = [*given, *(100_000, 1000)[len(given) :]]
    failed = 0
    for name, measured, turns, bound in (
        ("calls", of_calls, calls, CALLS_KIB),
        ("builds", of_builds, builds, BUILDS_KIB),
    ):
        for program in PROGRAMS:
            kib = measured(program, turns) / KIB
            failed |= kib > bound
            print(
                f"{turns:7} {name} {program.__name__:12} {kib:8.0f} KiB{' TOO MUCH' if kib > bound else ''}", flush=True
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())
