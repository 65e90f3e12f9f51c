"""What the trace costs: rewriting a graph with a listener, and without one. Run: python benchmarks/recording.py"""

from __future__ import annotations

import gc
import time

import graphlab.tensor as T
from graphlab.graph import events
from graphlab.graph.node import Graph
from graphlab.rewrite.pipeline import optimize

NODES, ROUNDS = 900, 15


def graph() -> Graph:
    """A chain in which nearly every node is rewritten."""
    x = T.dvector("x")
    y = x
    for _ in range(NODES // 6):
        y = T.log(1 + T.exp(T.negative(-y) * 1))
    return Graph((x,), (y,))


def seconds(listening: bool) -> float:
    """The time that one rewriting takes."""
    g, kept = graph(), list[events.Event]()
    began = time.process_time()
    if listening:
        with events.listen(kept.append):
            optimize(g)
    else:
        optimize(g)
    return time.process_time() - began


def main() -> None:
    """Alternate both, and print the best of each as a ratio."""
    gc.disable()  # when it runs is chance
    told, silent = (min(t) for t in zip(*((seconds(True), seconds(False)) for _ in range(ROUNDS)), strict=True))
    print(f"{NODES} nodes: {1e3 * silent:.1f} ms in silence, {1e3 * told:.1f} ms recorded, ratio {told / silent:.3f}")


if __name__ == "__main__":
    main()
