"""Calls of malloc, write, fsync, rename, dlopen and pthread_create fail: a clean error or a way around it.

    python tests/stress/failing.py --sites 100000

`failing.c` is built with cc and preloaded. For each kind of call and each piece of work the calls are counted
first; then, in a forked process each, call number 1, 2, 3... fails, alone or with all that follow. The work must
give the right result, or MemoryError or an error of graphlab's; shared variables must be as before such an error;
and the same work must succeed right after it. Python's own allocations fail in turn too, where this Python has
`_testcapi`.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

SHORT = {"sites": 1, "python": 3}
LONG = {"sites": 100_000, "python": 1500}
KINDS = ("memory", "write", "fsync", "rename", "dlopen", "thread")
MANY = 1 << 30


class Work:
    """A piece of work with a result that is known, and a shared variable that it may change.

    `call` runs a function that is there, `compile` makes one, `remember` one that gets a plan in the cache, `recall`
    finds that plan.
    """

    def __init__(self, name: str, folder: Path) -> None:
        import graphlab
        import graphlab.tensor as T

        self.name, self.folder, self.turn = name, folder, 0
        x = T.dvector("x")
        self.count = graphlab.shared(np.zeros(3), name="count")
        large = T.exp(T.reshape(x, (-1, 3)))
        outputs = [large.sum(axis=0), T.concatenate([x, x])[::2], large.T @ large]
        outputs += [graphlab.scan(lambda e, s: s * 0.5 + e, sequences=x[:9], outputs_info=[T.constant(1.0)])[0]]
        if name in ("call", "compile"):  # with what NumPy computes there is no plan
            outputs += [T.sort(x)[:4], x[T.argsort(x)[:3]]]
        self.value = np.cos(np.arange(300_000.0 if name == "call" else 30.0))
        self.make: Callable[[], Any] = lambda: graphlab.function(
            [x], outputs, updates={self.count: self.count + large.sum(axis=0)}, name=name
        )
        self.function = self.make() if name == "call" else None
        self.expected = [np.asarray(r) for r in self.do()]
        self.step = self.count.get_value()
        self.using = graphlab.using

    def do(self) -> Any:
        """The result, of a function that is compiled now, or was before."""
        import graphlab

        if self.function is not None:
            graphlab.release_memory()  # what is kept would not be asked for
            return self.function(self.value)
        self.turn += 1
        place = "plans" if self.name == "recall" else f"{os.getpid()}-{self.turn}"
        with graphlab.using(cache_dir=self.folder / "cache" / place):
            return self.make()(self.value)

    def check(self, before: Any, results: Any) -> None:
        """The results are right, and the update took place; without results nothing has changed."""
        after = self.count.get_value()
        np.testing.assert_allclose(after - before, self.step if results is not None else 0.0, rtol=1e-9)
        for got, want in zip(results or self.expected, self.expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9)


def attempt(work: Work, arm: Callable[[], None], disarm: Callable[[], None]) -> str:
    """The work while a call fails, then once more; what became of the first."""
    from graphlab.errors import GraphlabError

    before, outcome, results = work.count.get_value(), "way around", None
    arm()
    try:
        results = work.do()
    except (MemoryError, GraphlabError) as error:
        outcome = f"error {type(error).__name__}"
    finally:
        disarm()
    work.check(before, results)
    before = work.count.get_value()
    work.check(before, work.do())
    return outcome


def in_child(action: Callable[[], str]) -> str:
    """What `action` says in a fork of this process; "died ..." or the traceback if it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(120)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said = action()
        except BaseException:
            said = f"failed: {traceback.format_exc()[-1500:]}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    return said if status == 0 else f"failed: died with status {status}"


def each_site(
    work: Work, name: str, count: int, most: int, action: Callable[[int], str], found: dict[str, Any]
) -> None:
    """Let the calls fail one after the other, or `most` of them, evenly spread."""
    outcomes = Counter[str]()
    for number in sorted({1 + k * count // most for k in range(most)} if count > most else set(range(1, count + 1))):
        said = in_child(lambda n=number: action(n))  # type: ignore[misc]
        outcomes["failed" if said.startswith("failed") else said] += 1
        if said.startswith("failed"):
            found["failures"].append(f"{name} while we {work.name}, call {number}: {said}")
    if outcomes:
        became = ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items())
        found[f"{name}, {work.name}: {count} calls, of which failed"] = became


def system_calls(shim: Any, work: Work, kind: int, name: str, sites: int, found: dict[str, Any]) -> None:
    """Let calls of one kind fail: each alone, and each with all that follow."""

    def counted() -> str:
        shim.fail_arm(kind, 0, 0)
        work.do()
        return str(shim.fail_count())

    def failing(number: int, many: int) -> str:
        return attempt(work, lambda: shim.fail_arm(kind, number, many), lambda: shim.fail_arm(0, 0, 0))

    count = int(in_child(counted))
    each_site(work, name, count, sites, lambda number: failing(number, 1), found)
    each_site(work, f"{name} from there on", count, sites, lambda number: failing(number, MANY), found)


def python_memory(work: Work, most: int, found: dict[str, Any]) -> None:
    """Let Python's own allocations fail, where it can."""
    if importlib.util.find_spec("_testcapi") is None:
        return
    testcapi: Any = importlib.import_module("_testcapi")

    def failing(number: int) -> str:
        return attempt(work, lambda: testcapi.set_nomemory(number, number + 1), testcapi.remove_mem_hooks)

    each_site(work, "Python's memory", most, most, failing, found)


def inside(sites: int, python: int) -> figures.Figures:
    """What runs with failing.c preloaded."""
    shim = ctypes.CDLL(None)
    found: dict[str, Any] = {"failures": []}
    folder = Path(os.environ["GRAPHLAB_FAILING"])
    os.environ.pop("LD_PRELOAD")
    for work in (Work(name, folder) for name in ("call", "compile", "remember", "recall")):
        for kind, name in enumerate(KINDS, 1):
            system_calls(shim, work, kind, name, sites, found)
    python_memory(Work("call", folder), python, found)
    return found


def run(*, sites: int, python: int) -> figures.Figures:
    """Build the shim, and run `inside` with it."""
    with tempfile.TemporaryDirectory(prefix="graphlab-failing-") as name:
        folder = Path(name)
        (folder / "cache").mkdir(mode=0o700)
        shim = folder / "failing.so"
        source = str(Path(__file__).with_name("failing.c"))
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-Wall", source, "-o", str(shim), "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(shim), "GRAPHLAB_FAILING": name, "PYTHONPATH": str(figures.ROOT),
                       "GRAPHLAB_CACHE_DIR": str(folder / "cache")}  # fmt: skip
        command = [sys.executable, __file__, "--inside", str(sites), str(python)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        answer: figures.Figures = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"failures": [f"status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"]}
    return answer


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(inside(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        sys.exit(figures.main(__doc__, run, SHORT, LONG))
