"""What `graphlab.record` costs: calls that are recorded beside calls that are not, as ratios. Run:
python benchmarks/recorded_calls.py [seconds for each]

Runs of calls that are recorded stand between runs that are not: the median of the ratios to the mean of these two.
Processor time of one thread, since others may share the machine. `every call`: looked at in each, `as it is`: as many
as a fortieth of the time allows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function

CALLS = 20  # of a run


def training(rng: np.random.Generator) -> tuple[Function, list[Any]]:
    """A step of training a network of three layers."""
    x, target = T.fmatrix("x"), T.fmatrix("target")
    sizes = (784, 500, 300, 10)
    weights = [graphlab.shared((0.05 * rng.standard_normal(s)).astype("float32"))
               for s in pairwise(sizes)]  # fmt: skip
    layer = x
    for w in weights[:-1]:
        layer = T.tanh(layer @ w)
    loss = T.square(T.nnet.softmax(layer @ weights[-1]) - target).mean()
    updates = {w: w - np.float32(0.1) * g for w, g in zip(weights, T.grad(loss, weights), strict=True)}
    arrays = [rng.standard_normal((256, n)).astype("float32") for n in (784, 10)]
    return graphlab.function([x, target], loss, updates=updates), arrays


def cases(rng: np.random.Generator) -> dict[str, tuple[Function, list[Any]]]:
    """Functions whose calls take a millisecond or more, with arguments."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    a, b = rng.standard_normal((2, 1200, 1200))
    return {
        "x + y, 11 MB": (graphlab.function([x, y], x + y), [a, b]),
        "exp(x), 11 MB": (graphlab.function([x], T.exp(x)), [a]),
        "softmax(x), 11 MB": (graphlab.function([x], T.nnet.softmax(x)), [a]),
        "exp(x).sum(0), 11 MB": (graphlab.function([x], T.exp(x).sum(0)), [a]),
        "tanh(x @ y)": (graphlab.function([x, y], T.tanh(x @ y)), [a, b]),
        "training, 3 layers": training(rng),
    }


def seconds(run: Callable[[], Any]) -> float:
    """The processor time of a run."""
    began = time.thread_time()
    run()
    return time.thread_time() - began


def ratio(f: Function, arguments: list[Any], budget: float, every: int | None) -> float:
    """The time of recorded calls over that of plain ones."""

    def run() -> None:
        for _ in range(CALLS):
            f(*arguments)

    with graphlab.record(f, every=every) as log:
        run()
    ratios, ends = list[float](), time.perf_counter() + budget
    while not ratios or time.perf_counter() < ends:
        before = seconds(run)
        with log:
            recorded = seconds(run)
        ratios.append(2 * recorded / (before + seconds(run)))
    return float(np.median(ratios))


def main(budget: float) -> None:
    """A line for each case."""
    graphlab.set_num_threads(1)
    print(f"{'':22}{'every call':>12}{'as it is':>12}")
    for name, (f, arguments) in cases(np.random.default_rng(0)).items():
        print(f"{name:22}{ratio(f, arguments, budget, 1):12.3f}{ratio(f, arguments, budget, None):12.3f}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
