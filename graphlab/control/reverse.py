"""The gradient of a loop: a loop from the last turn to the first.

With h[t] = body(x[t], h[t-1], ..., w), cotangents of h[t] come from the outside, and from each later turn
that reads it: G[t] = dh[t] + sum over lags of b_lag[t + lag], where b_lag[t] is what the body's own gradient
at turn t sends to the value `lag` turns ago. Counted backwards b_lag is a recurrence with that lag; the
cotangents of constants are summed up as recurrences too, and those of elements are maps. So the gradient of
a Scan is a Scan, and its gradient one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from graphlab.autodiff import pulled
from graphlab.control.invariants import hoisted
from graphlab.control.rewind import Turns
from graphlab.control.values import by_value
from graphlab.dtypes import is_float
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import leaves, rebuild, toposort, with_inputs
from graphlab.ops.base import Cotangents
from graphlab.ops.conversion import Cast
from graphlab.ops.elementwise import add, equal, where
from graphlab.ops.extents import zeros, zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import concatenate
from graphlab.ops.lowering import Recurrence
from graphlab.ops.shape import expand_dims, extent
from graphlab.ops.ufunc import Elementwise, Undefined
from graphlab.ops.unbroadcast import SumTo

if TYPE_CHECKING:
    from graphlab.control.loop import Scan

Link = tuple[int, int]  # recurrence k and a lag: what a turn sends to the value of k made `lag` turns before it
ONCE = Recurrence((1,), traced=False, final=True)


def reverse(node: Apply, cotangents: Cotangents) -> Cotangents:
    """The cotangents of the inputs of `node`, a Scan, given those of its outputs."""
    turns = Turns.of(node)
    seeds, slopes = _of_one_turn(turns.op, _wanted(turns.op, cotangents))
    inputs, op = turns.op.body.inputs, turns.op
    undefined = {v: g for v, g in slopes.items() if isinstance(g, Undefined)}
    broken = next((undefined[v] for taps in op.taps for v in inputs[taps] if v in undefined), None)
    if broken is not None:  # on the way from turn to turn: then there is nothing that does not depend on it
        return [broken if is_float(v.dtype) else None for v in node.inputs]  # type: ignore[misc]
    parts = _Parts.of(op, {v: g for v, g in slopes.items() if isinstance(g, Variable)})
    found = _run(turns, parts, seeds, _Outside.of(turns, parts, cotangents))
    read = (None, *inputs[: op.sequences], *(None for _ in op.recurrences), *inputs[op.body_constants])
    return [g if v is None else undefined.get(v, g) for v, g in zip(read, found, strict=True)]  # type: ignore[misc]


# ---- one turn ------------------------------------------------------------------------------------


def _wanted(op: Scan, cotangents: Cotangents) -> set[int]:
    """The outputs of the body that have a cotangent from outside."""
    positions = [*op.traces.items(), *op.finals.items()]
    positions += [(len(op.recurrences) + j, op.first_map + j) for j in range(op.maps)]
    return {k for k, i in positions if cotangents[i] is not None and is_float(op.body.outputs[k].dtype)}


def _of_one_turn(op: Scan, active: set[int]) -> tuple[dict[int, Variable], dict[Variable, Variable | Undefined | None]]:
    """The gradient of the body: a variable for the cotangent of each output, and from those the ones of its inputs."""
    wrt = [v for v in op.body.inputs if is_float(v.dtype)]
    while True:  # a value that an active one is made from is active too
        seeds = {k: Variable(op.body.outputs[k].type, f"d{k}") for k in sorted(active)}
        known: dict[Variable, Variable] = {}
        for k, seed in seeds.items():
            v = op.body.outputs[k]
            known[v] = add(known[v], seed) if v in known else seed
        slopes = dict(zip(wrt, pulled(known, wrt), strict=True))
        reached = {k for k, taps in enumerate(op.taps) if any(slopes.get(v) is not None for v in op.body.inputs[taps])}
        if reached <= active:
            return seeds, slopes
        active = active | reached


@dataclass(frozen=True)
class _Parts:
    """The gradient of one turn, sorted: what it sends to past values, to constants and to elements."""

    links: dict[Link, Variable]
    constants: dict[int, Variable]
    elements: dict[int, Variable]

    @staticmethod
    def of(op: Scan, slopes: dict[Variable, Variable]) -> _Parts:
        inputs = op.body.inputs
        taps = [(k, lag, v) for k, r in enumerate(op.recurrences)
                for lag, v in zip(r.lags, inputs[op.taps[k]], strict=True)]  # fmt: skip
        return _Parts(
            {(k, lag): slopes[v] for k, lag, v in taps if v in slopes},
            {i: slopes[v] for i, v in enumerate(inputs[op.body_constants]) if v in slopes},
            {i: slopes[v] for i, v in enumerate(inputs[: op.sequences]) if v in slopes},
        )


# ---- what comes from outside ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Outside:
    """Cotangents from outside: of each turn's values, of what recurrences start from, and what links start from."""

    rows: dict[int, Variable]
    starts: dict[int, Variable]
    links: dict[Link, Variable]

    @staticmethod
    def of(turns: Turns, parts: _Parts, cotangents: Cotangents) -> _Outside:
        op, count = turns.op, len(turns.op.recurrences)
        stacked = [*op.traces.items(), *((count + j, op.first_map + j) for j in range(op.maps))]
        rows = {k: g for k, i in stacked if (g := cotangents[i]) is not None}
        starts, links = dict[int, Variable](), dict[Link, Variable]()
        for k, i in op.finals.items():
            g = cotangents[i]
            if g is None or not is_float(g.dtype):
                continue
            if op.recurrences[k].lags == (1,) and (k, 1) in parts.links:
                links[k, 1] = g  # as if one more turn had sent it
                continue
            starts[k], made = _spread(turns, k, g)
            rows[k] = add(rows[k], made) if k in rows else made
        return _Outside({k: g for k, g in rows.items() if is_float(g.dtype)}, starts, links)


def _spread(turns: Turns, k: int, final: Variable) -> tuple[Variable, Variable]:
    """The cotangent of the last values of recurrence k, as that of its start and that of what the turns made."""
    depth = turns.op.recurrences[k].depth
    last = expand_dims(final, 0) if depth == 1 else final
    none = zeros((turns.made, *(extent(last, d) for d in range(1, last.ndim))), final.dtype)
    ends = concatenate([none, last])
    start = index(ends, slice(None, depth)) if depth > 1 else index(ends, 0)
    return start, index(ends, slice(depth, None))


# ---- the loop backwards --------------------------------------------------------------------------


def _run(turns: Turns, parts: _Parts, seeds: dict[int, Variable], outside: _Outside) -> Cotangents:
    """The loop backwards, and from what it makes the cotangents of the inputs of the loop forwards."""
    op, body = turns.op, turns.op.body
    row = {k: Variable(seed.type, seed.name) for k, seed in seeds.items() if k in outside.rows}
    sent = {link: Variable(_value_type(op, link), f"b{link[0]}_{link[1]}") for link in parts.links}
    sums = {i: Variable(body.inputs[op.body_constants][i].type, f"sum{i}") for i in parts.constants}
    whole = {seed: _sum([*([row[k]] if k in row else []), *(b for (to, _), b in sent.items() if to == k)],
                        body.outputs[k]) for k, seed in seeds.items()}  # fmt: skip
    slopes = [*parts.links.values(), *parts.constants.values(), *parts.elements.values()]
    now = _made_forwards(turns, slopes)
    slopes = _asking(slopes, {v: here for v, (here, _) in now.items()})
    made = iter(rebuild(slopes, whole | {v: here for v, (here, _) in now.items()}))
    new = [next(made) for _ in sent] + [add(total, next(made)) for total in sums.values()]
    outputs = (*new, *made)

    elements, constants = _read(turns, outputs)
    elements.update((v, outside.rows[k]) for k, v in row.items())
    read = set(leaves(outputs, [here for here, _ in now.values()]))
    elements.update((here, stack) for here, stack in now.values() if here in read)
    inputs = (*elements, *sent.values(), *sums.values(), *constants)
    back, fixed = hoisted(Graph(inputs, outputs), tuple(constants.values()))
    backwards = replace(
        op, body=back, sequences=len(elements), maps=len(parts.elements), until=False,
        recurrences=(*(Recurrence((lag,), False, True) for _, lag in sent), *[ONCE] * len(sums)),
        truncate=None, keep=(), streams=(), number=0, name=f"{op.name.removesuffix(' gradient')} gradient",
    )  # fmt: skip
    starts = [outside.links.get(link, _zeros(turns, link)) for link in sent]
    starts += [zeros_like(turns.constants[i]) for i in sums]
    done = iter(backwards.apply(turns.back, *map(turns.backwards, elements.values()), *starts,
                                *fixed).outputs)  # fmt: skip
    arrived = {link: next(done) for link in sent}
    by_constant = {i: next(done) for i in sums}
    by_element = {i: turns.forwards(next(done), turns.sequences[i]) for i in parts.elements}
    return [
        None,
        *(by_element.get(i) for i in range(op.sequences)),
        *(_of_start(turns, k, arrived, outside) for k in range(len(op.recurrences))),
        *(by_constant.get(i) for i in range(len(turns.constants))),
    ]


def _made_forwards(turns: Turns, slopes: Sequence[Variable]) -> dict[Variable, tuple[Variable, Variable]]:
    """What the loop forwards has stacked and a turn backwards would compute again: an element of it, and the stack."""
    op, body, outputs = turns.op, turns.op.body, turns.node.outputs
    if op.truncate is not None or op.keep:  # the way of a derivative through a stack is cut as short as the first
        return {}
    stacks = {body.outputs[k]: outputs[i] for k, i in op.traces.items()}
    stacks |= {body.outputs[len(op.recurrences) + j]: outputs[op.first_map + j] for j in range(op.maps)}
    read = by_value(slopes, body.inputs)
    return {v: (Variable(v.type, v.name), s) for v, s in stacks.items() if v in read and v.owner is not None
            and v not in body.inputs}  # fmt: skip


def _asking(slopes: Sequence[Variable], now: Mapping[Variable, Variable]) -> list[Variable]:
    """`slopes` with sums to the shape of a value of `now` where it is that of what an elementwise op makes it from."""
    like = dict(now)
    for v, here in now.items():
        while v.owner is not None and isinstance(v.owner.op, Elementwise | Cast) and len(v.owner.inputs) == 1:
            v = v.owner.inputs[0]
            like[v] = here
    new: dict[Variable, Variable] = {}
    for node in toposort(slopes):
        inputs = [new.get(v, v) for v in node.inputs]
        if isinstance(node.op, SumTo) and node.inputs[1] in like:
            inputs[1] = like[node.inputs[1]]
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return [new.get(v, v) for v in slopes]


def _value_type(op: Scan, link: Link) -> TensorType:
    """The type of what a link sends."""
    first: Variable = op.body.inputs[op.taps[link[0]].start]
    return first.type


def _sum(parts: Sequence[Variable], like: Variable) -> Variable:
    return reduce(add, parts) if parts else zeros_like(like)


def _read(turns: Turns, outputs: Iterable[Variable]) -> tuple[dict[Variable, Variable], dict[Variable, Variable]]:
    """What of the loop forwards the body backwards reads: elements, with the stacks that hold them, and constants."""
    op, inputs = turns.op, turns.op.body.inputs
    read = set(leaves(outputs, inputs))
    elements = {v: s for v, s in zip(inputs, turns.sequences, strict=False) if v in read}
    needed = [k for k, taps in enumerate(op.taps) if any(v in read for v in inputs[taps])]
    traces = turns.traces(needed)
    for k in needed:
        for v, lag in zip(inputs[op.taps[k]], op.recurrences[k].lags, strict=True):
            if v in read:
                elements[v] = turns.past(traces, k, lag)
    constants = {v: c for v, c in zip(inputs[op.body_constants], turns.constants, strict=True) if v in read}
    return elements, constants


def _zeros(turns: Turns, link: Link) -> Variable:
    """What a link starts from: nothing comes from after the last turn."""
    k, lag = link
    start = turns.starts[k]
    if turns.op.recurrences[k].depth == 1:
        return zeros_like(start)
    return zeros_like(index(start, 0) if lag == 1 else index(start, slice(-lag, None)))


def _of_start(turns: Turns, k: int, arrived: dict[Link, Variable], outside: _Outside) -> Variable | None:
    """The cotangent of what recurrence k starts from: what the first turns sent to before themselves."""
    depth, start = turns.op.recurrences[k].depth, turns.starts[k]
    parts = [outside.starts[k]] if k in outside.starts else []
    for (to, lag), last in arrived.items():
        if to != k:
            continue
        if not turns.whole:  # a truncated gradient does not come as far back
            last = where(equal(turns.back, turns.made), last, zeros_like(last))
        if depth > 1:
            rows = expand_dims(last, 0) if lag == 1 else index(last, slice(None, None, -1))
            last = concatenate([zeros_like(index(start, slice(None, depth - lag))), rows]) if lag < depth else rows
        parts.append(last)
    return reduce(add, parts) if parts else None
