"""The schedule: the steps of a program as a debugger tells them, each with what it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from graphlab.callable import Function
from graphlab.errors import Origin
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.loops.ir import Branch, HostCall, Loop, LoopCall, RuntimeCall, SameExtents, Step, Turns
from graphlab.loops.walk import every_step
from graphlab.lower import Lowered

_VIEWS = ("transpose", "reshape", "broadcast_to", "index", "sum_to", "windows")


@dataclass(frozen=True)
class StepView:
    """One step of the schedule.

    `kind`: "kernel" (fused loops), "call" (a C library or runtime function), "view" (no data moves),
    "host" (NumPy computes), "check" (what the others rely on), "loop" and "branch" (steps inside it),
    "turn" (one of a loop that was entered) or "node" (one node of the graph, by NumPy).
    `nodes` are the graph's applications it computes, `outputs` the variables it writes.
    """

    index: int
    name: str
    kind: str
    nodes: tuple[Apply, ...]
    outputs: tuple[Variable, ...]

    @cached_property
    def inputs(self) -> tuple[Variable, ...]:
        """The variables that it reads, constants left out."""
        made = {v for n in self.nodes for v in n.outputs}
        read = dict.fromkeys(v for n in self.nodes for v in n.inputs)
        return tuple(v for v in read if v not in made and not isinstance(v, Constant))

    @property
    def ops(self) -> tuple[str, ...]:
        """The names of the operations that it computes."""
        return tuple(n.op.name for n in self.nodes)

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The types of what it writes."""
        return tuple(v.type for v in self.outputs)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The user's lines that it comes from."""
        return tuple(dict.fromkeys(o for n in self.nodes for o in n.provenance.origins))

    def __str__(self) -> str:
        ops = " ".join(self.ops) or self.name
        where = ", ".join(dict.fromkeys(o.label for o in self.origins))
        types = ", ".join(map(str, self.types))
        return f"{self.index:3} {self.kind:6} {ops}{f' -> {types}' if types else ''}  {where}".rstrip()


def schedule(function: Function, lowered: Lowered | None) -> tuple[StepView, ...]:
    """The steps of `function` as the program `lowered`, in order; node by node where there is none."""
    return node_steps(toposort_of(function.optimized)) if lowered is None else program_steps(lowered)


def toposort_of(graph: Graph) -> list[Apply]:
    """The applications of `graph`, inputs first."""
    return toposort(graph.outputs, graph.inputs)


def node_steps(nodes: list[Apply] | tuple[Apply, ...]) -> tuple[StepView, ...]:
    """A step for each of `nodes`."""
    return tuple(StepView(i, f"node_{i}", "node", (n,), n.outputs) for i, n in enumerate(nodes))


def program_steps(lowered: Lowered) -> tuple[StepView, ...]:
    """The steps of a program."""
    return tuple(
        StepView(i, step.name, _kind(step), tuple(lowered.nodes[n] for n in step.nodes),
                 tuple(v for slot in _written(step) if (v := lowered.variables[slot]) is not None))
        for i, step in enumerate(lowered.program.steps)
    )  # fmt: skip


def _kind(step: Step) -> str:
    match step.action:
        case LoopCall():
            return "kernel"
        case HostCall():
            return "host"
        case SameExtents():
            return "check"
        case Loop() | Turns():
            return "loop"
        case Branch():
            return "branch"
        case RuntimeCall(function=function):
            return "view" if function in _VIEWS else "call"


def _written(step: Step) -> tuple[int, ...]:
    """The slots that `step` fills."""
    match step.action:
        case LoopCall(outputs=outputs) | HostCall(outputs=outputs):
            return outputs
        case RuntimeCall(slots=(out, *_)):
            return (out,)
        case SameExtents():
            return ()
        case Loop(stacks=stacks, carried=carried, made=made):
            finals = [c.final for c in carried]
            return (*(s.stack for s in stacks), *(slot for slot in (*finals, made) if slot is not None))
        case Turns(stacks=rows, carried=values, made=made):
            slots = (*(s.stack for s in rows), *(final for _, _, final in values), made)
            return tuple(slot for slot in slots if slot is not None)
        case Branch(results=results):
            return tuple(out for out, _, _ in results)
    raise TypeError(type(step.action).__name__)


def inside(step: Step) -> Iterator[int]:
    """The slots that only steps inside of `step` fill: elements, past values, and what they compute."""
    for each in every_step((step,)):
        if each is not step:
            yield from _written(each)
        if isinstance(each.action, Loop):
            yield from (slot for _, slot in each.action.elements)
            yield from (slot for c in each.action.carried for slot in (*c.past, c.next))
