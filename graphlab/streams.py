"""Streams of random numbers in a function: its draws follow one another as the lines that wrote them do.

In the user's graph every draw reads the shared state of its stream. Here the second draw is made to read the
state that the first leaves, and so on; the last state is what the stream is updated to. So one call of the
function draws what the same lines would draw from a numpy.random.Generator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlab.graph.node import Apply, Shared, Variable
from graphlab.graph.walk import toposort, with_inputs


def thread(roots: Sequence[Variable]) -> tuple[list[Variable], dict[Shared, Variable]]:
    """`roots` with the draws of each stream one after another, and the last state of each stream."""
    draws = in_order(toposort(roots))
    if not draws:
        return list(roots), {}
    new: dict[Variable, Variable] = {}
    latest: dict[Shared, Variable] = {}
    # Each draw comes with all that it needs, which holds no draw after it.
    for node in toposort([*(draw.outputs[0] for draw in draws), *roots]):
        inputs = [new.get(v, v) for v in node.inputs]
        states = [(i, k, v) for i, k in node.op.advances if isinstance(v := node.inputs[i], Shared)]
        for i, _, state in states:
            inputs[i] = latest.get(state, state)
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            made = with_inputs(node, inputs)
            new.update(zip(node.outputs, made.outputs, strict=True))
        latest.update((state, new.get(node.outputs[k], node.outputs[k])) for _, k, state in states)
    return [new.get(v, v) for v in roots], latest


def in_order(nodes: Iterable[Apply]) -> list[Apply]:
    """Those of `nodes`, in topological order, that advance a stream, as they were written.

    A draw can need one that was written after it, if `givens` put that there: then it comes later.
    """
    key: dict[Variable, int] = {}  # the highest number among the draws that a variable needs
    found: list[tuple[int, Apply]] = []
    for node in nodes:
        number = max((key[v] for v in node.inputs if v in key), default=0)
        if node.op.advances:
            number = max(number, node.op.number)
            if any(isinstance(node.inputs[i], Shared) for i, _ in node.op.advances):
                found.append((number, node))
        key.update(dict.fromkeys(node.outputs, number))
    return [node for _, node in sorted(found, key=lambda pair: pair[0])]


def default_updates(
    latest: dict[Shared, Variable], updated: Iterable[Shared], without: bool | Iterable[object]
) -> list[tuple[Shared, Variable]]:
    """The updates of streams that a function makes by itself: not those in `updated`, nor those it is to be `without`.

    `without`: True for none at all, or the streams (or their states) to leave where they are.
    """
    if without is True:
        return []
    left = {getattr(stream, "state", stream) for stream in without} if without else set()
    return [(state, after) for state, after in latest.items() if state not in left and state not in set(updated)]
