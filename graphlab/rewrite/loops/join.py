"""Loops with the same number of turns, none of which needs another, become one; what is equal in them too.

The loops of a graph have levels: those that need no loop, those that need such ones, and so on. Loops of one
level never need each other, so that they may all become one without a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphlab.control.loop import Scan
from graphlab.graph import events
from graphlab.graph.node import Apply, Graph, Variable, provenance
from graphlab.graph.walk import toposort, with_inputs
from graphlab.rewrite.driver import joined_origins
from graphlab.rewrite.facts import count_of
from graphlab.rewrite.loops.taken import Carried, Fed, Loop, Mapped
from graphlab.rewrite.merge import merge

RULE = "scan(f), scan(g) -> scan(f, g)"
ROUNDS = 8  # as often is it tried to find out which recurrences are equal


def join_loops(graph: Graph, pass_name: str = "join") -> Graph:
    """`graph` with loops that make the same turns, and don't need each other, made one."""
    nodes = toposort(graph.outputs, graph.inputs)
    if sum(isinstance(node.op, Scan) for node in nodes) < 2:
        return graph
    levels = _levels(nodes)
    groups = _groups(nodes, levels)
    new: dict[Variable, Variable] = {}
    for node in sorted(nodes, key=lambda n: (levels[n], not isinstance(n.op, Scan))):
        inputs = [new.get(v, v) for v in node.inputs]
        members = groups.get(node, [node])
        if len(members) > 1:
            if members[0] is node:
                new.update(
                    _joined([with_inputs(n, [new.get(v, v) for v in n.inputs]) for n in members], members, pass_name)
                )
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def _levels(nodes: Sequence[Apply]) -> dict[Apply, int]:
    """How many loops there are, at most, on a way to each application, it included."""
    levels: dict[Apply, int] = {}
    for node in nodes:
        before = max((levels[v.owner] for v in node.inputs if v.owner in levels), default=0)
        levels[node] = before + isinstance(node.op, Scan)
    return levels


def _groups(nodes: Sequence[Apply], levels: Mapping[Apply, int]) -> dict[Apply, list[Apply]]:
    """The loops that can be one, for each of them."""
    groups: dict[object, list[Apply]] = {}
    for node in nodes:
        if isinstance(node.op, Scan) and not (node.op.until or node.op.streams or node.op.effects):
            groups.setdefault((levels[node], count_of(node.inputs[0])), []).append(node)
    return {node: group for group in groups.values() for node in group}


def _joined(nodes: Sequence[Apply], old: Sequence[Apply], pass_name: str) -> dict[Variable, Variable]:
    """One loop in the place of `old`, which are `nodes` on their new inputs: what their outputs become."""
    with provenance(joined_origins(nodes)):
        made = _united([Loop.of(node).copied() for node in nodes])
    outputs = [v for node in nodes for v in node.outputs]
    changed = {before: made[v] for before, v in zip((v for n in old for v in n.outputs), outputs, strict=True)}
    if events.listening():
        before, after = old[-1].outputs[0], changed[old[-1].outputs[0]]
        event = events.RewriteApplied(
            pass_name, RULE, "exact", before, after, 0.0, "join.py", tuple(old), exchanged=tuple(changed.items())
        )
        events.emit(event)
    return changed


# ---- one loop ------------------------------------------------------------------------------------


def _united(loops: Sequence[Loop]) -> dict[Variable, Variable]:
    """What the outputs of `loops` are in the one loop that makes them all."""
    first = loops[0]
    sequences, constants = (_fed([f for loop in loops for f in fed(loop)]) for fed in (_sequences, _constants))
    whole = replace(
        first, sequences=tuple(sequences[0]), constants=tuple(constants[0]),
        carried=tuple(c for loop in loops for c in loop.carried), maps=tuple(m for loop in loops for m in loop.maps),
    ).with_body(sequences[1] | constants[1])  # fmt: skip
    single, same = _without_doubles(whole)
    made = single.built()
    return made | {double: made[v] for double, v in same.items()}


def _sequences(loop: Loop) -> tuple[Fed, ...]:
    return loop.sequences


def _constants(loop: Loop) -> tuple[Fed, ...]:
    return loop.constants


def _fed(several: Sequence[Fed]) -> tuple[list[Fed], dict[Variable, Variable]]:
    """Those fed by one variable as one, and which inner variables have given way to which."""
    kept: dict[Variable, Fed] = {}
    gone: dict[Variable, Variable] = {}
    for f in several:
        one = kept.setdefault(f.outer, f)
        if one is not f:
            gone[f.inner] = one.inner
    return list(kept.values()), gone


def _without_doubles(loop: Loop) -> tuple[Loop, dict[Variable, Variable]]:
    """`loop` with equal recurrences and maps made one, and which of its outputs have given way to which."""
    classes = _equal_recurrences(loop)
    leader = {v: w for c, first in zip(loop.carried, classes, strict=True) if c is not first
              for v, w in zip(c.taps, first.taps, strict=True)}  # fmt: skip
    merged = _merged(loop.with_body(leader))
    same: dict[Variable, Variable] = {}
    carried: dict[int, Carried] = {}
    for c, first in zip(merged.carried, classes, strict=True):
        one = carried.get(id(first))
        carried[id(first)] = c if one is None else _both(one, c, same)
    maps: dict[Variable, Mapped] = {}
    for m in merged.maps:
        one_map = maps.setdefault(m.new, m)
        if one_map is not m:
            maps[m.new] = replace(one_map, keep=_more(one_map.keep, m.keep))
            same[m.stack] = one_map.stack
    return replace(merged, carried=tuple(carried.values()), maps=tuple(maps.values())), same


def _both(one: Carried, other: Carried, same: dict[Variable, Variable]) -> Carried:
    """The recurrence that gives what two equal ones give."""
    for mine, theirs in ((one.trace, other.trace), (one.final, other.final)):
        if mine is not None and theirs is not None:
            same[theirs] = mine
    keep = _more(one.keep, other.keep) if one.trace is not None and other.trace is not None else (
        one.keep if one.trace is not None else other.keep
    )  # fmt: skip
    return replace(one, trace=_either(one.trace, other.trace), final=_either(one.final, other.final), keep=keep)


def _either(a: Variable | None, b: Variable | None) -> Variable | None:
    return b if a is None else a


def _more(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)


def _equal_recurrences(loop: Loop) -> list[Carried]:
    """For each recurrence the first that is equal to it.

    All that start from the same are taken to be equal, as long as what a turn makes of them is the same then too.
    """
    keys: list[object] = [(c.start, c.lags) for c in loop.carried]
    for _ in range(ROUNDS):
        firsts: dict[object, Carried] = {}
        classes = [firsts.setdefault(key, c) for key, c in zip(keys, loop.carried, strict=True)]
        leader = {v: w for c, first in zip(loop.carried, classes, strict=True)
                  for v, w in zip(c.taps, first.taps, strict=True)}  # fmt: skip
        news = _merged(loop.with_body(leader)).carried
        refined = [(key, c.new) for key, c in zip(map(id, classes), news, strict=True)]
        if len(set(refined)) == len(firsts):
            return classes
        keys = [(id(first), *rest) for first, rest in zip(classes, _numbered(refined), strict=True)]
    return list(loop.carried)


def _numbered(keys: Sequence[object]) -> list[tuple[int]]:
    numbers: dict[object, int] = {}
    return [(numbers.setdefault(key, len(numbers)),) for key in keys]


def _merged(loop: Loop) -> Loop:
    """`loop` with equal applications of its body made one."""
    outputs = merge(Graph(loop.inputs, loop.outputs), told=False).outputs
    count = len(loop.carried)
    carried = tuple(replace(c, new=v) for c, v in zip(loop.carried, outputs, strict=False))
    maps = tuple(replace(m, new=v) for m, v in zip(loop.maps, outputs[count:], strict=False))
    return replace(loop, carried=carried, maps=maps)
