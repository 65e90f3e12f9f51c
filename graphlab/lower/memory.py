"""Which slot holds which array, and until when: liveness is decided here, not by rewriting the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.lower.fuse import Unit
from graphlab.ops.base import Lowering, Runtime


@dataclass(frozen=True, slots=True)
class Memory:
    """The table of slots and what steps do to it.

    `slots` says where each variable lies, `variables` what lies in each slot. `copies` are the
    (target, source) slots of outputs that would otherwise alias something, made after the last unit.
    `release[k]`: the slots that nobody needs after step k, copies counted as steps after the units.
    """

    slots: dict[Variable, int]
    variables: tuple[Variable, ...]
    inputs: tuple[int, ...]
    shared: tuple[int, ...]
    constants: tuple[int, ...]
    outputs: tuple[int, ...]
    copies: tuple[tuple[int, int], ...]
    release: tuple[tuple[int, ...], ...]


def plan(
    graph: Graph, units: Sequence[Unit], lowerings: Mapping[Apply, Lowering], also: Sequence[Variable] = ()
) -> Memory:
    """The memory of a program that runs `units` in order; the inputs and shared variables `also` get slots too."""
    table = list(graph.inputs)
    read = dict.fromkeys([*(v for unit in units for v in unit.inputs), *graph.outputs, *also])
    shared = [v for v in read if isinstance(v, Shared) and v not in graph.inputs]
    constants = [v for v in read if isinstance(v, Constant)]
    computed = [v for unit in units for v in unit.outputs]
    table += [*shared, *constants, *computed]
    slots = {v: k for k, v in reversed([*enumerate(table)])}
    outputs, copies = _outputs(graph, table, slots, lowerings)
    release = _releases(units, slots, [slots[v] for v in computed], outputs, copies)
    bounds = (0, len(graph.inputs), len(graph.inputs) + len(shared))
    return Memory(
        slots,
        tuple(table),
        tuple(range(bounds[1])),
        tuple(range(bounds[1], bounds[2])),
        tuple(range(bounds[2], bounds[2] + len(constants))),
        outputs,
        copies,
        release,
    )


def _outputs(
    graph: Graph, table: list[Variable], slots: Mapping[Variable, int], lowerings: Mapping[Apply, Lowering]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The output slots, each holding an array of its own; copies get new slots at the end of `table`."""
    outputs, copies = list[int](), list[tuple[int, int]]()
    for variable in graph.outputs:
        slot = slots[variable]
        if slot in outputs or not _owns_memory(variable, graph, lowerings):
            copies.append((len(table), slot))
            slot = len(table)
            table.append(variable)
        outputs.append(slot)
    return tuple(outputs), tuple(copies)


def _owns_memory(variable: Variable, graph: Graph, lowerings: Mapping[Apply, Lowering]) -> bool:
    """Whether the array of `variable` is fresh in every call."""
    if variable.owner is None or variable in graph.inputs:
        return False
    lowering = lowerings[variable.owner]
    return not (isinstance(lowering, Runtime) and lowering.view)


def _releases(
    units: Sequence[Unit],
    slots: Mapping[Variable, int],
    computed: Sequence[int],
    outputs: Sequence[int],
    copies: Sequence[tuple[int, int]],
) -> tuple[tuple[int, ...], ...]:
    """For each step the computed slots that it is the last to touch. (A view keeps its memory alive itself.)"""
    touched: list[Iterator[int]] = [iter([slots[v] for v in (*u.inputs, *u.outputs)]) for u in units]
    touched += [iter([source]) for _, source in copies]
    last = {slot: step for step, some in enumerate(touched) for slot in some}
    dying: list[list[int]] = [[] for _ in touched]
    for slot in computed:
        if slot not in outputs:
            dying[last[slot]].append(slot)
    return tuple(tuple(sorted(some)) for some in dying)
