"""A loop of very few turns is written out, so that its turns fuse."""

from __future__ import annotations

from collections.abc import Sequence

from graphlab.control.loop import Scan
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import instantiate
from graphlab.ops.index import index
from graphlab.ops.join import stack
from graphlab.rewrite.facts import same_extents
from graphlab.rewrite.loops.taken import Carried, Loop
from graphlab.rewrite.rule import EXACT, NodeRule

MAX_TURNS = 4
MAX_NODES = 64


def _unrolled(node: Apply) -> Sequence[Variable] | None:
    loop = Loop.of(node)
    turns = int(loop.turns.data) if isinstance(loop.turns, Constant) else 0
    if not 1 <= turns <= MAX_TURNS or not _may_be_written_out(loop, turns):
        return None
    past = [[c.start] if max(c.lags) == 1 else [index(c.start, i) for i in range(max(c.lags))] for c in loop.carried]
    rows: list[list[Variable]] = []
    for t in range(turns):
        elements = [index(f.outer, t) for f in loop.sequences]
        taps = [p[-lag] for p, c in zip(past, loop.carried, strict=True) for lag in c.lags]
        new = instantiate(Graph(loop.inputs, loop.outputs), [*elements, *taps, *(f.outer for f in loop.constants)])
        if any(not same_extents(v, p[-1]) for v, p in zip(new, past, strict=False)):
            return None  # the loop sees to it that what is carried on keeps its shape
        past = [[*p[1:], v] for p, v in zip(past, new, strict=False)]
        rows.append(new)
    result: dict[Variable | None, Variable] = {}
    for k, (c, last) in enumerate(zip(loop.carried, past, strict=True)):
        result[c.trace] = _stacked([row[k] for row in rows], c.keep)
        result[c.final] = _final(c, last)
    for k, m in enumerate(loop.maps, len(loop.carried)):
        result[m.stack] = _stacked([row[k] for row in rows], m.keep)
    return [result[v] for v in node.outputs]


def _may_be_written_out(loop: Loop, turns: int) -> bool:
    """Whether `loop` is small, draws and prints nothing, and surely has as many elements as turns."""
    nodes = loop.nodes
    quiet = not any(n.op.effects or n.op.advances for n in nodes)
    counted = all(f.outer.type.shape[0] == turns for f in loop.sequences)
    started = all(max(c.lags) == 1 or c.start.type.shape[0] == max(c.lags) for c in loop.carried)
    return loop.end is None and quiet and counted and started and turns * len(nodes) <= MAX_NODES


def _stacked(rows: Sequence[Variable], keep: int | None) -> Variable:
    return stack(rows[-keep if keep else 0 :])


def _final(c: Carried, last: Sequence[Variable]) -> Variable:
    return last[-1] if max(c.lags) == 1 else stack(last)


UNROLLED = NodeRule("scan(f, n_steps=2) -> f(f(x))", EXACT, _unrolled, (Scan,))
