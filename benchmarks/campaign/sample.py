"""One random graph with rules planted in it, and the values on which it is run; a seed and a number give it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphlab.graph.node import Graph, Variable
from graphlab.rewrite.pipeline import MODES, Mode, mode
from graphlab.rewrite.rule import DOMAIN

from .draw import REFUSED, Array, Draft, begin, edged, finished, instruction, misfitting
from .plant import plant
from .situations import Planted, Situation, everything

PLANTS = 4  # rules for each graph
LONGEST = 5  # instructions beside them
MISFITS = 0.3  # the share of graphs that are also run on values which may not fit together

RULES = everything()
ORDINARY, EDGES, MISFIT = "ordinary", ("edge", "second edge", "third edge"), "misfit"


@dataclass(frozen=True)
class Sample:
    """A graph, the mode that it is compiled in, and values by kind: ordinary ones, edge values, misfits."""

    graph: Graph
    mode: Mode
    values: dict[str, list[Array]]
    planted: tuple[str, ...] = ()


def plan(rules: Sequence[Planted], fired: Counter[tuple[str, str]], graphs: range, seed: int) -> list[list[int]]:
    """For each of `graphs` the numbers of the rules to plant: the half that fired least, domain rules by themselves."""
    rng = np.random.default_rng((seed, graphs.start))
    order = sorted(map(int, rng.permutation(len(rules))), key=lambda k: fired[(rules[k].name, rules[k].changes)])
    half = order[: max(PLANTS, (len(order) + 1) // 2)]
    picked = [half[k % len(half)] for k in range(PLANTS * len(graphs))] if half else []
    alike = ([k for k in picked if (rules[k].changes == DOMAIN) == domain] for domain in (True, False))
    groups = [kind[i : i + PLANTS] for kind in alike for i in range(0, len(kind), PLANTS)]
    return [groups[int(i)] for i in rng.permutation(len(groups))[: len(graphs)]] or [[] for _ in graphs]


def sample(seed: int, index: int, due: Sequence[Planted]) -> Sample:
    """Graph `index` of the run with `seed`, with `due` planted; those that are not graphlab's are applied too."""
    rng = np.random.default_rng((seed, index))
    plain = any(rule.changes == DOMAIN for rule in due)
    d = begin(rng, plain)
    wanted: list[Variable] = []
    done: list[str] = []
    turns: list[Planted | None] = [*due, *[None] * int(rng.integers(1, LONGEST + 1))]
    for k in rng.permutation(len(turns)):
        rule = turns[k]
        made = plant(d, rule) if rule is not None else _drawn(d)
        if rule is not None and made is not None:
            wanted.append(made)
            done.append(rule.name)
    graph = finished(d, wanted)
    own = [rule for rule in due if rule not in RULES and not isinstance(rule, Situation)]
    chosen = mode(MODES["fast_run"].including(*own), fast_math=plain)
    return Sample(graph, chosen, _values(d, graph), tuple(done))


def _drawn(d: Draft) -> Variable | None:
    """A random instruction; another is tried where one does not fit."""
    for _ in range(4):
        try:
            made = instruction(d)
        except REFUSED:
            continue
        if made is not None:
            return made
    return None


def _values(d: Draft, graph: Graph) -> dict[str, list[Array]]:
    given = [d.environment[v] for v in graph.inputs]
    values = {ORDINARY: given}
    if not d.plain:
        for kind in EDGES:
            values[kind] = [edged(a, role, d.rng) for a, role in zip(given, d.roles, strict=True)]
    if d.rng.random() < MISFITS and any(None in v.type.shape for v in graph.inputs):
        misfits = [misfitting(v, a, d.rng) for v, a in zip(graph.inputs, given, strict=True)]
        if any(a.shape != b.shape for a, b in zip(given, misfits, strict=True)):
            values[MISFIT] = misfits
    return values
