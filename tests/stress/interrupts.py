"""Ctrl-C at random moments, threads, forks and sudden ends: nothing is lost, nothing hangs.

    python tests/stress/interrupts.py --interrupts 100 --forks 200 --exits 50

Times are those from the signal to KeyboardInterrupt in the caller; a machine that does other things adds its own.
Shared variables must be whole after each, and the next call right.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))

import graphlab
import graphlab.tensor as T

SHORT = {"interrupts": 2, "forks": 5, "exits": 1, "rounds": 20, "seed": 1}
LONG = {"interrupts": 100, "forks": 200, "exits": 50, "rounds": 500, "seed": 1}
LIMIT = 0.5  # seconds, for 99 of 100

x, A, n = T.dvector("x"), T.dmatrix("A"), T.lscalar("n")
Steps = tuple[Callable[[], Any], float]  # what takes long, and within how many seconds to interrupt it


def kernels() -> dict[str, tuple[Any, list[Any]]]:
    """What takes a second or more, each with its arguments."""
    chain = x
    for _ in range(40):
        chain = T.sin(chain) + x
    turns, _ = graphlab.scan(lambda s: T.sin(s) * 1.5, outputs_info=[T.constant(1.0)], n_steps=n)
    products, _ = graphlab.scan(lambda s: T.sin(s @ A), outputs_info=[A], n_steps=n)
    return {
        "elementwise": (chain, [np.ones(10_000_000)]),
        "rows": (T.nnet.softmax(T.nnet.softmax(A)), [np.ones((4000, 8000))]),
        "sum": (T.exp(-((x[:, None] - x[None, :]) ** 2)).sum(), [np.ones(32768)]),
        "product": (A @ A, [np.ones((4000, 4000))]),
        "loop over elements": (turns[-1], [200_000_000]),
        "loop over matrices": (products[-1], [np.eye(200), 20_000]),
        "numbers": (graphlab.RandomStream(1).normal(size=(n,)), [100_000_000]),
    }


def interrupted(work: Callable[[], Any], after: float) -> float | None:
    """Do `work`, with Ctrl-C `after` so many seconds; how long after that it ended so, None: it was done before."""
    sent = list[float]()

    def press(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    timer = threading.Timer(after, lambda: (sent.append(time.perf_counter()), os.kill(os.getpid(), signal.SIGINT)))
    timer.start()
    try:
        work()
        timer.join()  # the signal comes here
        time.sleep(0.01)
    except KeyboardInterrupt:
        ended = time.perf_counter()
        timer.join()
        return ended - sent[0]
    return None


def in_kernels(count: int, choose: random.Random, failures: list[str]) -> figures.Figures:
    """Interrupts in compiled calls with updates."""
    found: figures.Figures = {}
    for name, (result, arguments) in kernels().items():
        calls = graphlab.shared(0, name="calls")
        inputs = [v for v in (x, A, n) if v in graphlab.inputs_of([result])]
        arguments = sorted(arguments, key=lambda a: np.ndim(a), reverse=True)
        f = graphlab.function(inputs, result, updates={calls: calls + 1})
        times = list[float]()
        for _ in range(max(1, count // 4)):
            before = int(calls.get_value())
            took = interrupted(lambda f=f, a=arguments: f(*a), choose.uniform(0.06, 0.4))  # type: ignore[misc]
            if int(calls.get_value()) not in (before, before + 1):
                failures.append(f"{name}: half an update")
            if int(calls.get_value()) == before and took is not None:
                times.append(took)
        found[f"stopped in {name}"] = f"{len(times)} times, p99 {figures.quantile(times, 0.99):.3f} s"
        if figures.quantile(times, 0.99) > LIMIT and os.getloadavg()[0] < (os.cpu_count() or 1):
            failures.append(f"{name}: {max(times):.2f} s")
    return found


def in_compiling(count: int, choose: random.Random, failures: list[str]) -> figures.Figures:
    """Interrupts while a function is compiled; afterwards it compiles and is right."""
    times = list[float]()
    for k in range(count):

        def compile(k: int = k) -> graphlab.Function:
            u = x
            for i in range(12):
                u = T.tanh(u * (k + i + 0.25)) + T.exp(-u)
            return graphlab.function([x], [u, T.grad(u.sum(), x)])

        took = interrupted(compile, choose.uniform(0.0, 0.5))
        if took is not None:
            times.append(took)
        u, _ = compile()(np.zeros(2))
        if not np.isfinite(u).all():
            failures.append(f"compiling again after an interrupt gave {u}")
    return {"interrupts while compiling": f"{len(times)}, p99 {figures.quantile(times, 0.99):.3f} s"}


def in_sessions(count: int, choose: random.Random, failures: list[str]) -> figures.Figures:
    """Interrupts in a debug session that steps to and fro; the session or a new one goes on."""
    w = graphlab.shared(np.ones(400), name="w")
    f = graphlab.function([A], T.nnet.softmax(A @ w[:, None] + w), updates={w: w * 0.5})
    value, times = np.ones((400, 400)), list[float]()
    for _ in range(count):
        before = w.get_value()

        def walk() -> None:
            for turn in range(60):
                s = f.debug(value)
                s.finish()
                s.goto(turn % 2)
                s.close()

        took = interrupted(walk, choose.uniform(0.0, 0.3))
        if took is not None:
            times.append(took)
        if not np.array_equal(w.get_value(), before):
            failures.append("a session changed a shared variable")
        if f.debug(value).finish().findings:
            failures.append("a session after an interrupt found a difference")
    return {"interrupts of sessions": f"{len(times)}, p99 {figures.quantile(times, 0.99):.3f} s"}


def threads(rounds: int, failures: list[str]) -> figures.Figures:
    """Eight threads on one function, which updates a counter; each counts once."""
    counter = graphlab.shared(0, name="counter")
    f = graphlab.function([x], T.exp(x).sum(), updates={counter: counter + 1})

    def work(number: int) -> None:
        value = np.full(1000 * number + 1, float(number) / 8)
        for _ in range(rounds):
            if not np.isclose(f(value), np.exp(value).sum()):
                failures.append(f"thread {number} got another's result")

    running = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if int(counter.get_value()) != 8 * rounds:
        failures.append(f"{8 * rounds} calls of 8 threads counted {counter.get_value()}")
    return {"calls of 8 threads": 8 * rounds}


def forks(count: int, failures: list[str]) -> figures.Figures:
    """Children of a process that has just worked in parallel; each works in parallel, and compiles."""
    f = graphlab.function([x], T.exp(x) * 2)
    value = np.linspace(-1, 1, 300_000)
    expected, wrong = f(value), 0
    for k in range(count):
        f(value)
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that hangs dies of it
            good = (f(value) == expected).all()
            if k % 20 == 0:
                good = good and np.allclose(graphlab.function([x], T.sin(x) + k)(value), np.sin(value) + k)
            os._exit(0 if good else 1)
        wrong += os.waitpid(child, 0)[1] != 0
    if wrong:
        failures.append(f"{wrong} of {count} children were wrong or hung")
    return {"forks after parallel work": count}


EXIT = """
import os, sys, threading, time
import numpy as np, graphlab, graphlab.tensor as T
x, n = T.dvector("x"), T.lscalar("n")
work = graphlab.function([x], T.exp(T.sin(T.cos(x))).sum())
turns, _ = graphlab.scan(lambda s: T.sin(s) * 1.5, outputs_info=[T.constant(1.0)], n_steps=n)
loop = graphlab.function([n], turns[-1])
late = graphlab.function([x], T.tanh(x) + float(sys.argv[1]), compile="background")
value = np.ones(3_000_000)
def forever():
    while True:
        work(value); loop(1_000_000)
for _ in range(3):
    threading.Thread(target=forever, daemon=True).start()
time.sleep(float(sys.argv[1]))
print("ending", flush=True)
"""


def exits(count: int, choose: random.Random, failures: list[str]) -> figures.Figures:
    """The end of a process whose threads are in kernels and in the compiler: status 0, at once."""
    for _ in range(count):
        process = figures.start(EXIT, f"{choose.uniform(0.0, 0.3):.3f}")
        try:
            out, errors = process.communicate(timeout=120)
        except Exception:
            process.kill()
            failures.append("a process did not end")
            continue
        if process.returncode or "ending" not in out:
            failures.append(f"a process with work in flight ended with {process.returncode}\n{errors[-1000:]}")
    return {"ends with work in flight": count}


def run(*, interrupts: int, forks: int, exits: int, rounds: int, seed: int) -> figures.Figures:
    """All of them."""
    choose, failures = random.Random(seed), list[str]()
    return {
        **in_kernels(interrupts, choose, failures), **in_compiling(interrupts, choose, failures),
        **in_sessions(interrupts, choose, failures), **threads(rounds, failures), **_forks(forks, failures),
        **_exits(exits, choose, failures), "failures": failures,
    }  # fmt: skip


_forks, _exits = forks, exits

if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
