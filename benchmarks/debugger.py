"""How long a session's moves take, and what it keeps: over LeNet's training step, and over 10,000 nodes.

    python benchmarks/debugger.py [--nodes 10000] [--budget 33554432]

Opening is to take less than 1 s, a step less than 50 ms, going back less than 100 ms, and the values that are kept
are to fit into the budget. A session steps to the end, then back to the start with a look at each step's value, then
goes to positions in random order: with the default budget, and with a small one, where values are computed again. The
slowest of each kind of move counts, in processor time, since others may share the machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.debug.session import BUDGET, Session

LIMITS = {"open": 1.0, "step": 0.05, "back": 0.1, "goto": 0.1}  # seconds, of the slowest


@graphlab.symbolic
def dense(x: Any, w: Any, b: Any) -> Any:
    """Each row of x times w, and b."""
    return T.dot(x, w) + b


@graphlab.symbolic
def convolve(images: Any, filters: Any, bias: Any) -> Any:
    """Maps of features, the strongest of each 2 x 2 kept."""
    maps = T.nnet.conv2d(images, filters, border_mode="half") + bias.dimshuffle("x", 0, "x", "x")
    return T.nnet.pool_2d(T.nnet.relu(maps), (2, 2), ignore_border=True)


def lenet() -> tuple[graphlab.Function, list[Any]]:
    """The training step of notebook 02: a small LeNet, dropout, its gradient and Adam; and a batch of 50."""
    rng, stream = np.random.default_rng(1), graphlab.RandomStream(seed=2)

    def weights(name: str, shape: tuple[int, ...], fan_in: int) -> Any:
        return graphlab.shared(rng.normal(0, np.sqrt(2 / fan_in), shape).astype("float32"), name, shape=shape)

    shapes = {"F1": (8, 1, 3, 3), "F2": (16, 8, 3, 3), "W3": (64, 64), "W4": (64, 10)}
    f1, f2, w3, w4 = (
        weights(name, shape, fan) for (name, shape), fan in zip(shapes.items(), (9, 72, 64, 64), strict=True)
    )
    c1, c2, b3, b4 = (graphlab.shared(np.zeros(n, "float32"), f"b{n}", shape=(n,)) for n in (8, 16, 64, 10))
    x, labels, rate = T.tensor("float32", (None, 64), "x"), T.lvector("labels"), T.fscalar("rate")
    maps = convolve(convolve(x.reshape((-1, 1, 8, 8)), f1, c1), f2, c2)
    hidden = T.nnet.dropout(T.nnet.relu(dense(maps.flatten(2), w3, b3)), 0.5, stream)
    cost = T.nnet.softmax_categorical_crossentropy(dense(hidden, w4, b4), labels).mean()
    step = graphlab.function([x, labels, rate], cost, updates=adam(cost, [f1, c1, f2, c2, w3, b3, w4, b4], rate))
    return step, [rng.random((50, 64), "float32"), rng.integers(0, 10, 50), np.float32(0.01)]


def adam(cost: Any, parameters: list[Any], rate: Any, beta1: float = 0.9, beta2: float = 0.999) -> dict[Any, Any]:
    """Kingma and Ba, 2015."""
    clock = graphlab.shared(np.float32(0), "time")
    updates = {clock: clock + 1}
    for p, g in zip(parameters, T.grad(cost, parameters), strict=True):
        zeros = np.zeros_like(p.get_value())
        m, v = (graphlab.shared(zeros, f"{k}_{p.name}", shape=zeros.shape) for k in "mv")
        updates[m] = beta1 * m + (1 - beta1) * g
        updates[v] = beta2 * v + (1 - beta2) * g**2
        mean, square = updates[m] / (1 - beta1 ** updates[clock]), updates[v] / (1 - beta2 ** updates[clock])
        updates[p] = p - rate * mean / (T.sqrt(square) + 1e-8)
    return updates


def deep(nodes: int) -> tuple[graphlab.Function, list[Any]]:
    """About so many nodes, one behind the other: a product, and what is fused behind it, again and again."""
    x, w = T.matrix("x"), graphlab.shared(np.random.default_rng(0).normal(0, 0.1, (64, 64)), "w")
    h, b = x, graphlab.shared(np.linspace(-1, 1, 64), "b")
    for _ in range(nodes // 5):
        h = T.tanh(h @ w + b) * 0.5 + x
    return graphlab.function([x], h.sum()), [np.random.default_rng(1).normal(size=(32, 64))]


def timed(action: Callable[[], Any]) -> float:
    """Seconds of this thread's processor time."""
    began = time.thread_time()
    action()
    return time.thread_time() - began


def measured(f: graphlab.Function, arguments: list[Any], budget: int) -> dict[str, list[float]]:
    """The seconds of each kind of move."""
    times: dict[str, list[float]] = {name: [] for name in LIMITS}
    made: list[Session] = []
    times["open"].append(timed(lambda: made.append(Session(f, arguments, budget=budget))))
    (s,) = made
    most = 0
    while s.here is not None:
        times["step"].append(timed(s.step))
        most = max(most, s.bytes)
    print(f"  the plain call to compare with took {1e3 * timed(lambda: s.findings):.1f} ms")
    while s.position:
        times["back"].append(timed(lambda: look(s.back())))
        most = max(most, s.bytes)
    rng = np.random.default_rng(0)
    for k in rng.integers(0, len(s.steps) + 1, 50):
        times["goto"].append(timed(lambda k=k: look(s.goto(int(k)))))
        most = max(most, s.bytes)
    print(f"  {len(s.steps)} steps, at most {most / 1e6:.1f} MB of {budget / 1e6:.1f} MB kept")
    for finding in s.findings:
        print("  finding:", finding)
    if most > budget:
        times["over the budget"] = [most]
    return times


def look(s: Session) -> None:
    """What one sees after a move: the value that the last step wrote."""
    if s.position and s.steps[s.position - 1].outputs:
        s.value(s.position - 1)


def main() -> int:
    """Measure, print, and say whether all is within its limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--budget", type=int, default=1 << 25, help="of the small one, in bytes")
    chosen = parser.parse_args()
    good = True
    for name, made in (("LeNet's training step", lenet), (f"{chosen.nodes:,} nodes", partial(deep, chosen.nodes))):
        began = time.perf_counter()
        f, arguments = made()
        print(f"{name} (compiled in {time.perf_counter() - began:.1f} s)")
        for budget in (BUDGET, chosen.budget if "nodes" in name else chosen.budget // 8):
            times = measured(f, arguments, budget)
            for kind, limit in LIMITS.items():
                middle, worst = np.median(times[kind]), max(times[kind])
                good &= worst < limit
                mark = "" if worst < limit else "   TOO SLOW"
                took = f"median {1e3 * middle:8.2f} ms, worst {1e3 * worst:8.2f} ms"
                print(f"  {kind:5} {took}, wanted {1e3 * limit:.0f} ms{mark}")
            good &= "over the budget" not in times
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
