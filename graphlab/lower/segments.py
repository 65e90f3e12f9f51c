"""Long bodies of loops in segments, each a loop of its own over a tile of elements.

A processor works on many elements at a time if what it looks ahead reaches the next of them. In a body of hundreds of
operations that wait for one another it does not: 200 with 40 divisions took 2.2 ms for 1e5 elements in one loop, and
take 1.2 ms in segments of 40. What passes from one to the next is kept in tiles; a cut is where that is little.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlab.graph.node import Apply, Variable

LEAST, MOST = 24, 40  # applications in a segment
MOST_PASSED = 4  # values from one to the next: loads and stores must stay few beside the operations
TILE = 256  # elements: some tiles are in the nearest cache


def segments(nodes: Sequence[Apply], outputs: Sequence[Variable]) -> list[tuple[Apply, ...]]:
    """`nodes`, which are in topological order, cut into segments; all `outputs` are needed behind the last.

    (An output may have the memory of an input, which therefore has to be read before.)
    """
    passed = _passed(nodes, outputs)
    found: list[tuple[Apply, ...]] = []
    start = 0
    while len(nodes) - start > MOST:
        cuts = range(start + LEAST, min(start + MOST, len(nodes) - 1) + 1)
        cut = min(reversed(cuts), key=lambda k: passed[k])
        if passed[cut] > MOST_PASSED:
            return [tuple(nodes)]
        found.append(tuple(nodes[start:cut]))
        start = cut
    return [*found, tuple(nodes[start:])]


def _passed(nodes: Sequence[Apply], outputs: Sequence[Variable]) -> list[int]:
    """How many values are made by the first k of `nodes` and needed by the others, for each k."""
    last = {v: k for k, node in enumerate(nodes) for v in node.inputs}
    last.update(dict.fromkeys(outputs, len(nodes)))
    change = [0] * (len(nodes) + 2)
    for k, node in enumerate(nodes):
        if last.get(node.output, k) > k:
            change[k + 1] += 1
            change[last[node.output] + 1] -= 1
    passed, now = [], 0
    for each in change:
        now += each
        passed.append(now)
    return passed
