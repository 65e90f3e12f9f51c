"""What may be written where another array dies: kernels that read and write at the same places, and updates.

A new value of a shared variable may have the memory of the old one if nothing can fail once a byte of it is
overwritten. So the steps that make such values go last of all, and the runtime runs them in two parts: it plans all,
which can fail, and then computes all, which can not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.node import Apply, Graph, Shared, Variable
from graphlab.lower.frame import Frame, frame_of
from graphlab.lower.fuse import Unit
from graphlab.lower.passes import passes_of
from graphlab.ops.lowering import Lowering, Runtime

Updates = Mapping[Variable, Shared]


@dataclass(frozen=True, slots=True)
class Finish:
    """The units that go last, and for each new value that they make the shared variable whose memory it may have."""

    units: tuple[Unit, ...] = ()
    takes: Updates = field(default_factory=dict)


def overwritable(unit: Unit, lowerings: Mapping[Apply, Lowering]) -> dict[Variable, tuple[Variable, ...]]:
    """For each output the inputs of its dtype whose memory it could have: elements are read before they are written."""
    if not unit.kernel:
        node = unit.nodes[0]
        match lowerings[node]:
            case Runtime("scatter") if node.inputs.count(node.inputs[0]) == 1:
                return {node.output: (node.inputs[0],)}
            case _:
                return {}
    space = unit.space
    assert space is not None
    ndim = len(space.extents)
    found: dict[Variable, tuple[Variable, ...]] = {}
    for v in unit.outputs:
        own = unit.maps[v]
        if sorted(own) == list(range(ndim)):
            same = tuple(u for u in unit.inputs if u.dtype == v.dtype and unit.maps[u] == own)
            found.update({v: same} if same else {})
    return _read_before(frame_of(unit, lowerings), found) if found and space.reduce else found


def _read_before(frame: Frame, found: Mapping[Variable, tuple[Variable, ...]]) -> dict[Variable, tuple[Variable, ...]]:
    """Of inputs that kernels with several passes over a row could overwrite, those that no pass needs any more.

    What is folded as it lies in memory is read only after its block of elements has been computed.
    """
    last: dict[Variable, int] = {}
    written: dict[Variable, int] = {}
    for number, each in enumerate(passes_of(frame).passes):
        written.update(dict.fromkeys(each.stored, number))
        last.update((u, number) for node in each.nodes for u in node.inputs)
        last.update((node.inputs[0], number + 1) for node in each.folds)
        last.update((u, number + 1) for node in each.after for u in node.inputs)
    return {v: tuple(u for u in some if last.get(u, 0) <= written[v]) for v, some in found.items() if v in written}


def finishing(graph: Graph, units: Sequence[Unit], updates: Updates, lowerings: Mapping[Apply, Lowering]) -> Finish:
    """The units that only make new values, which `updates` maps to their shared variables, each from its old value.

    Kernels without reductions and `scatter` qualify: once planned they can't fail. A new value may be read by
    others of these units.
    """
    given, readers = Counter(graph.outputs), dict[Variable, list[Unit]]()
    for unit in units if updates else ():
        for v in unit.inputs:
            readers.setdefault(v, []).append(unit)
    chosen: dict[Unit, dict[Variable, Shared]] = {}
    for unit in reversed(units if updates else ()):
        alone = all(
            v in updates and given[v] == 1 and all(reader in chosen for reader in readers.get(v, ()))
            for v in unit.outputs
        )
        if alone and not (unit.space is not None and unit.space.reduce):
            could = overwritable(unit, lowerings)
            takes = {v: updates[v] for v in unit.outputs if updates[v] in could.get(v, ())}
            if takes:
                chosen[unit] = takes
    takes = {
        v: shared for some in chosen.values() for v, shared in some.items()
        if sum(reader in chosen for reader in readers[shared]) == 1
    }  # fmt: skip
    return Finish(tuple(reversed(chosen)), takes)


def taken(
    unit: Unit,
    lowerings: Mapping[Apply, Lowering],
    dying: Collection[Variable],
    owned: Collection[Variable],
    finish: Updates,
) -> dict[Variable, Variable]:
    """For outputs of `unit` inputs whose memory each may have: some that are `dying` with it, each once, or old values.

    What is `owned` by the caller has memory of its own.
    """
    chosen: dict[Variable, Variable] = {v: finish[v] for v in unit.outputs if v in finish}
    for v, some in overwritable(unit, lowerings).items() if dying else ():
        free = [u for u in some if u in dying and u not in chosen.values()]
        if free and v not in owned:
            chosen[v] = free[0]
    return chosen
