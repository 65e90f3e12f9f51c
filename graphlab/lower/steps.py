"""Units become steps, one after the other; a loop or a choice becomes a step with others inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Graph, Shared, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import run_node
from graphlab.loops.ir import (
    Action,
    Branch,
    Carried,
    HostCall,
    Kernel,
    Loop,
    LoopCall,
    RuntimeCall,
    SameExtents,
    Stack,
    Step,
    Turns,
)
from graphlab.loops.walk import without_unused
from graphlab.lower.assume import Equal, assume, declared, relied_on
from graphlab.lower.backwards import written_backwards
from graphlab.lower.expand import lowerings
from graphlab.lower.forms import RowKernel, row_kernel
from graphlab.lower.frame import Frame, frame_of, likeness
from graphlab.lower.fuse import Unit, fuse
from graphlab.lower.inplace import finishing, taken
from graphlab.lower.kernels import is_written_once, pointwise_body
from graphlab.lower.memory import Memory, Table, given_slots, plan
from graphlab.lower.reductions import Rule
from graphlab.lower.turns import REASON, TurnsKernel, unit_of_turns
from graphlab.ops.lowering import Choose, Lowering, Recurrence, Repeat, Runtime

Array = np.ndarray[Any, Any]
HostFunction = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """A fused kernel: its name in C, the step that runs it, its applications and arrays, and why it is one."""

    name: str
    step: int
    nodes: tuple[Apply, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The steps of one graph, the program's own or one inside another: they compute `graph` where `assumed` holds.

    The last `finishing` are those of Program.finishing.
    """

    graph: Graph
    memory: Memory
    steps: tuple[Step, ...]
    assumed: tuple[Equal, ...]
    finishing: int = 0


class Steps:
    """A program in the making: the table of slots, the numbers of nodes, the kernels and the host functions."""

    def __init__(self, general: bool, updates: Sequence[Shared]) -> None:
        self.general = general
        self.updates = updates
        self.table = Table()
        self.number: dict[Apply, int] = {}
        self.kernels: list[KernelInfo] = []
        self.alike: dict[object, Kernel] = {}
        self.shared: dict[Kernel, Kernel] = {}
        self.rules: dict[Rule, int] = {}
        self.hosts: list[HostFunction] = []
        self.names = 0
        self.whole: _Block | None = None

    def program(self, graph: Graph) -> Block:
        """The steps of the whole program, which computes the expanded `graph`."""
        return self.block(graph, None)

    def block(self, graph: Graph, given: Mapping[Variable, int] | None) -> Block:
        """The steps that compute `graph`; `given`: slots of its inputs, None for the whole program."""
        graph = written_backwards(graph)
        graph, assumed = (graph, ()) if self.general else assume(graph)
        nodes = tuple(toposort(graph.outputs, graph.inputs))
        for node in nodes:
            self.number[node] = len(self.number)
        meanings = lowerings(nodes)
        units = fuse(graph, nodes, meanings, relied_on(assumed))
        whole = given is None
        updates = dict(zip(reversed(graph.outputs), reversed(self.updates), strict=False)) if whole else {}
        finish = finishing(graph, units, updates, meanings)
        last = set(finish.units)
        units = (*(unit for unit in units if unit not in last), *finish.units)
        if given is None:
            given = given_slots(graph, units, [v for equal in assumed for v, _ in equal.axes], self.table)
        memory = plan(graph, units, meanings, self.table, given, owned=whole, finishing=len(finish.units))
        steps = _Block(self, meanings, memory, frozenset(graph.outputs if whole else ()), finish.takes)
        self.whole = self.whole or steps
        if whole and not self.general:
            assumed = (*declared(graph.inputs), *assumed)
        if assumed:
            steps.check(assumed)
        for unit in units[: len(units) - len(finish.units)]:
            steps.add(unit)
        for target, source in memory.copies:
            steps.step("copy", RuntimeCall("copy", (target, source)), ())
        for unit in finish.units:
            steps.add(unit)
        return Block(graph, memory, tuple(steps.steps), assumed, len(finish.units))

    def loops(self, frame: Frame, name: str) -> Kernel:
        """The kernel of `frame`: of this name, or one from before."""
        like = likeness(frame)
        if like not in self.alike:
            self.alike[like] = self.same(kernel_of(frame, self.rules, name))
        return self.alike[like]

    def same(self, kernel: Kernel) -> Kernel:
        """`kernel`, or one from before that differs from it in nothing but its name."""
        return self.shared.setdefault(replace(kernel, name=""), kernel)

    def name(self, kind: str) -> str:
        """A name for the next step."""
        self.names += 1
        return f"{kind}_{self.names - 1}"


class _Block:
    """The steps of one graph in the making."""

    def __init__(
        self,
        program: Steps,
        meanings: Mapping[Apply, Lowering],
        memory: Memory,
        owned: frozenset[Variable],
        finish: Mapping[Variable, Shared],
    ) -> None:
        self.program = program
        self.meanings = meanings
        self.memory = memory
        self.owned = owned
        self.finish = finish
        self.steps: list[Step] = []
        self.units = 0

    def add(self, unit: Unit) -> None:
        """The step of a unit."""
        if unit.kernel:
            self.kernel(unit)
            return
        (node,) = unit.nodes
        slots = self.memory.slots
        inputs, outputs = (tuple(slots[v] for v in vs) for vs in (node.inputs, node.outputs))
        match self.meanings[node]:
            case Runtime(function, params):
                function = "scatter_into" if self.takes(unit) else function
                self.step(function, RuntimeCall(function, outputs + inputs, params), (node,))
            case Repeat() as meaning:
                self.loop(node, meaning, inputs, outputs)
            case Choose() as meaning:
                self.choice(node, meaning, inputs, outputs)
            case _:
                self.program.hosts.append(host_function(node))
                self.step("host", HostCall(len(self.program.hosts) - 1, inputs, outputs), (node,))

    def kernel(self, unit: Unit) -> None:
        """Generated loops."""
        name, slots = self.kernel_name(unit, unit.reason), self.memory.slots
        kernel = self.program.loops(frame_of(unit, self.meanings), name)
        outputs, inputs = (tuple(slots[v] for v in some) for some in (unit.outputs, unit.inputs))
        taken = self.takes(unit)
        takes = tuple(unit.inputs.index(taken[v]) if v in taken else -1 for v in unit.outputs) if taken else ()
        self.step(name, LoopCall(kernel, outputs, inputs, takes), unit.nodes)

    def takes(self, unit: Unit) -> dict[Variable, Variable]:
        """For outputs of `unit` the inputs that die with it and whose memory they may have."""
        slots, release = self.memory.slots, self.memory.release[self.units]
        return taken(unit, self.meanings, {v for v in unit.inputs if slots[v] in release}, self.owned, self.finish)

    def loop(self, node: Apply, meaning: Repeat, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """A step that repeats others, or a kernel that is the whole loop."""
        nodes = toposort(meaning.body.outputs, meaning.body.inputs)
        means = lowerings(nodes)
        unit = unit_of_turns(meaning, nodes, means)
        if unit is not None:
            self.turns(node, meaning, unit, means, inputs, outputs)
            return
        body, table = meaning.body, self.program.table
        starts = 1 + meaning.sequences
        constants = starts + len(meaning.recurrences)
        formal = iter(body.inputs)
        given: dict[Variable, int] = {}
        for _ in range(meaning.sequences):
            v = next(formal)
            given[v] = table.add(v)
        elements = tuple(zip(inputs[1:starts], given.values(), strict=True))
        past = [self.past(r, formal, given) for r in meaning.recurrences]
        own = [*given.values(), *(slot for slots in past for slot in slots if slot not in given.values())]
        given.update(zip(formal, inputs[constants:], strict=True))
        block = self.program.block(body, given)
        values = block.memory.outputs[: len(meaning.recurrences) + meaning.maps]
        until = block.memory.outputs[-1] if meaning.until else None
        results, recurrent = iter(outputs), list(zip(meaning.recurrences, values, strict=False))
        kinds = zip(meaning.keep, meaning.backwards, strict=True)
        stacks = [Stack(next(results), new, *next(kinds)) for r, new in recurrent if r.traced]
        carried = [
            Carried(start, slots, new, table.add(v), next(results) if r.final else None)
            for (r, new), start, slots, v in zip(recurrent, inputs[starts:constants], past, body.outputs, strict=False)
        ]
        stacks += [Stack(next(results), value, *next(kinds)) for value in values[len(recurrent) :]]
        action = Loop(
            inputs[0], elements, tuple(carried), tuple(stacks), block.steps,
            dry=meaning.maps > 0, until=until, made=next(results, None),
        )  # fmt: skip
        self.step(node.op.name, action, (node,), (*own, *block.memory.kept))

    def turns(
        self,
        node: Apply,
        meaning: Repeat,
        unit: Unit,
        means: Mapping[Apply, Lowering],
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
    ) -> None:
        """A kernel that is a whole loop, `unit` being all of its body."""
        number = self.program.number
        number.update({inside: k for k, inside in enumerate(unit.nodes, len(number))})
        made = TurnsKernel(meaning, unit, means)
        name = self.kernel_name(unit, REASON)
        title = ", ".join(inside.op.name for inside in unit.nodes)
        kernel = self.program.same(Kernel(name, made.nest, made.body(), title))
        starts, results = 1 + meaning.sequences, iter(outputs)
        constants = starts + len(meaning.recurrences)
        kinds = zip(meaning.keep, meaning.backwards, strict=True)
        stacks = [Stack(next(results), -1, *next(kinds)) for r in meaning.recurrences if r.traced]
        carried = tuple(
            (start, r.depth, next(results) if r.final else None)
            for r, start in zip(meaning.recurrences, inputs[starts:constants], strict=True)
        )
        stacks += [Stack(next(results), -1, *next(kinds)) for _ in range(meaning.maps)]
        action = Turns(
            kernel, inputs[0], tuple(stacks), carried, inputs[1:starts], inputs[constants:],
            tuple(number[inside] for inside in unit.nodes), meaning.until, next(results, None),
        )  # fmt: skip
        self.step(name, action, (node,))

    def kernel_name(self, unit: Unit, reason: str) -> str:
        """The name of a new kernel, which is noted."""
        name = f"kernel_{len(self.program.kernels)}"
        where = len((self.program.whole or self).steps)
        self.program.kernels.append(KernelInfo(name, where, unit.nodes, unit.inputs, unit.outputs, reason))
        return name

    def past(self, r: Recurrence, formal: Iterator[Variable], given: dict[Variable, int]) -> tuple[int, ...]:
        """The slots of a recurrence's past values, the youngest first; those that the body reads go into `given`."""
        taps = dict(zip(r.lags, formal, strict=False))
        given.update((v, self.program.table.add(v)) for v in taps.values())
        filler = taps[r.depth]
        lags = range(1, r.depth + 1)
        return tuple(given[taps[lag]] if lag in taps else self.program.table.add(filler) for lag in lags)

    def choice(self, node: Apply, meaning: Choose, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """A step that runs one of two blocks."""
        then, otherwise = (
            self.program.block(graph, dict(zip(graph.inputs, inputs[1:], strict=True)))
            for graph in (meaning.then, meaning.otherwise)
        )
        results = tuple(zip(outputs, then.memory.outputs, otherwise.memory.outputs, strict=True))
        action = Branch(inputs[0], then.steps, otherwise.steps, results)
        self.step(node.op.name, action, (node,), (*then.memory.kept, *otherwise.memory.kept))

    def check(self, assumed: Sequence[Equal]) -> None:
        """The step that makes sure of what the others rely on."""
        slots = self.memory.slots
        groups = tuple(tuple((slots[v], axis) for v, axis in equal.axes) for equal in assumed)
        action = SameExtents(groups, tuple(equal.known for equal in assumed))
        self.steps.append(Step(self.program.name("same_extents"), action))

    def step(self, kind: str, action: Action, nodes: tuple[Apply, ...], inside: Sequence[int] = ()) -> None:
        """Append a step; `inside`: the slots of steps inside it that are still full after it."""
        name = kind if isinstance(action, LoopCall | Turns) else self.program.name(kind)
        release = (*self.memory.release[self.units], *inside)
        self.units += 1
        self.steps.append(Step(name, action, release, tuple(self.program.number[n] for n in nodes)))


def kernel_of(frame: Frame, rules: dict[Rule, int], name: str) -> Kernel:
    """The kernel of `frame`; `rules` numbers those that the program's kernels fold by."""
    made = row_kernel(frame, rules) if frame.space.reduce else RowKernel(pointwise_body(frame))
    title = ", ".join(node.op.name for node in frame.unit.nodes)
    body = without_unused(made.body)
    return Kernel(
        name, frame.nest(is_written_once(frame)), body, title, made.functions, made.scratch, made.folds, made.block
    )


def host_function(node: Apply) -> HostFunction:
    """NumPy's computation of `node`, whose results are of the declared types and share no memory with operands."""

    def compute(*values: Array) -> tuple[Array, ...]:
        environment = dict(zip(node.inputs, values, strict=True))
        run_node(node, environment)
        return tuple(_owned(environment[v], v.dtype, values) for v in node.outputs)

    return user_boundary(compute)


def _owned(result: Array, dtype: str, values: tuple[Array, ...]) -> Array:
    result = np.asarray(result, dtype)
    shares = result.base is not None or any(np.may_share_memory(result, v) for v in values)
    return result.copy() if shares else result
