"""Which slot holds which array, and until when: liveness is decided here, not by rewriting the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.lower.fuse import Unit
from graphlab.ops.lowering import Choose, Lowering, Repeat, Runtime


@dataclass(slots=True)
class Table:
    """The slots of a program in the making: `variables` says what lies in each."""

    variables: list[Variable] = field(default_factory=list)
    constants: dict[Constant, int] = field(default_factory=dict)

    def add(self, variable: Variable) -> int:
        """A new slot for `variable`."""
        self.variables.append(variable)
        return len(self.variables) - 1

    def constant(self, variable: Constant) -> int:
        """The slot of `variable`: one in the whole program."""
        if variable not in self.constants:
            self.constants[variable] = self.add(variable)
        return self.constants[variable]


@dataclass(frozen=True, slots=True)
class Memory:
    """Where the values of one graph lie, and what steps do to them.

    `slots` says where each variable lies, `outputs` where the graph's outputs are. `copies` are the
    (target, source) slots of outputs that would otherwise alias something, made after the last unit but for the
    `finishing` ones. `release[k]`: the slots that nobody needs after step k, copies counted as steps there;
    `kept`: the computed ones that no step releases.
    """

    slots: dict[Variable, int]
    outputs: tuple[int, ...]
    copies: tuple[tuple[int, int], ...]
    release: tuple[tuple[int, ...], ...]
    kept: tuple[int, ...]


def given_slots(graph: Graph, units: Sequence[Unit], also: Sequence[Variable], table: Table) -> dict[Variable, int]:
    """Slots for what comes from outside: first the inputs, one by one, then the shared variables that are read."""
    read = dict.fromkeys([*(v for unit in units for v in unit.inputs), *graph.outputs, *also])
    numbered = [(table.add(v), v) for v in graph.inputs]
    slots = {v: k for k, v in reversed(numbered)}
    slots.update((v, table.add(v)) for v in read if isinstance(v, Shared) and v not in slots)
    return slots


def plan(
    graph: Graph,
    units: Sequence[Unit],
    lowerings: Mapping[Apply, Lowering],
    table: Table,
    given: Mapping[Variable, int],
    owned: bool = True,
    finishing: int = 0,
) -> Memory:
    """The memory of steps that run `units` in order, the last `finishing` of them after all copies.

    `owned`: each output needs an array of its own.
    """
    slots = dict(given)
    read = dict.fromkeys([*(v for unit in units for v in unit.inputs), *graph.outputs])
    slots.update((v, table.constant(v)) for v in read if isinstance(v, Constant) and v not in slots)
    computed = [v for unit in units for v in unit.outputs]
    slots.update((v, table.add(v)) for v in computed)
    outputs: tuple[int, ...] = tuple(slots[v] for v in graph.outputs)
    copies: tuple[tuple[int, int], ...] = ()
    if owned:
        written = {v for unit in units if unit.kernel for v in unit.outputs}
        outputs, copies = _outputs(graph, table, slots, lowerings, written)
    touched = [tuple(slots[v] for v in (*unit.inputs, *unit.outputs)) for unit in units]
    before = len(units) - finishing
    touched[before:before] = [(source,) for _, source in copies]
    release = _releases(touched, [slots[v] for v in computed], outputs)
    held = set(outputs)
    kept = tuple(dict.fromkeys(slots[v] for v in computed if slots[v] in held))
    return Memory(slots, outputs, copies, release, kept)


def _outputs(
    graph: Graph,
    table: Table,
    slots: Mapping[Variable, int],
    lowerings: Mapping[Apply, Lowering],
    written: Collection[Variable],
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The output slots, each holding an array of its own; copies get new slots. Kernels have `written` theirs."""
    outputs, copies = dict[int, None](), list[tuple[int, int]]()
    inputs = set(graph.inputs)
    for variable in graph.outputs:
        slot = slots[variable]
        if slot in outputs or not (variable in written or _owns_memory(variable, inputs, lowerings)):
            copies.append((table.add(variable), slot))
            slot = copies[-1][0]
        outputs[slot] = None
    return tuple(outputs), tuple(copies)


def _owns_memory(variable: Variable, inputs: Collection[Variable], lowerings: Mapping[Apply, Lowering]) -> bool:
    """Whether the array of `variable` is fresh in every call; `inputs` are those of the graph."""
    if variable.owner is None or variable in inputs:
        return False
    match lowerings[variable.owner]:
        case Runtime(view=view):
            return not view
        case Repeat() as loop:  # a loop that may end early leaves part of a stack, and what is carried is shared
            traced = sum(r.traced for r in loop.recurrences)
            finals = sum(r.final for r in loop.recurrences)
            return not loop.until and not traced <= variable.index < traced + finals
        case Choose():
            return False
        case _:
            return True


def _releases(
    touched: Sequence[tuple[int, ...]], computed: Sequence[int], outputs: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """For each step the computed slots that it is the last to touch. (A view keeps its memory alive itself.)"""
    last = {slot: step for step, some in enumerate(touched) for slot in some}
    held = set(outputs)
    dying: list[list[int]] = [[] for _ in touched]
    for slot in computed:
        if slot not in held:
            dying[last[slot]].append(slot)
    return tuple(tuple(sorted(some)) for some in dying)
