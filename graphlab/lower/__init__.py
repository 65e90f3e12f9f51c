"""From a graph to a program: expand, fuse, plan the memory, write the loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import user_boundary
from graphlab.graph.events import KernelFused, emit
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import run_node
from graphlab.loops.ir import HostCall, Kernel, LoopCall, Program, RuntimeCall, SameExtents, Step
from graphlab.loops.walk import without_unused
from graphlab.lower.assume import Equal, assume, relied_on
from graphlab.lower.expand import expand, lowerings
from graphlab.lower.frame import frame_of
from graphlab.lower.fuse import Unit, fuse
from graphlab.lower.kernels import pointwise_body
from graphlab.lower.memory import Memory, plan
from graphlab.lower.reductions import reduction_kernel
from graphlab.ops.base import Lowering, Runtime

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
class Lowered:
    """A program and how it belongs to its graph.

    `graph` is the expanded graph, `nodes` its applications: a statement's number k means nodes[k].
    `slots` says where each computed or given variable lies, `variables` what lies in each slot;
    `hosts` and `constants` are what the program's numbers of them mean, `assumed` what it relies on.
    """

    graph: Graph
    program: Program
    slots: dict[Variable, int]
    variables: tuple[Variable | None, ...]
    nodes: tuple[Apply, ...]
    hosts: tuple[HostFunction, ...]
    constants: tuple[Array, ...]
    kernels: tuple[KernelInfo, ...]
    assumed: tuple[Equal, ...] = ()


def lower(graph: Graph, *, general: bool = False) -> Lowered:
    """`graph` as a program of kernels and calls; emits a KernelFused event for each kernel.

    Unless `general`, the program takes the equalities `Lowered.assumed` for granted and fails with
    "assumption" where they do not hold (see assume.py).

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp, multiply
    >>> x = Variable(TensorType("float64", (None,)), "x")
    >>> lowered = lower(Graph((x,), (exp(multiply(x, x)),)))
    >>> [(k.name, [n.op.name for n in k.nodes]) for k in lowered.kernels]
    [('kernel_0', ['multiply', 'exp'])]
    """
    graph, assumed = (expand(graph), ()) if general else assume(expand(graph))
    nodes = tuple(toposort(graph.outputs, graph.inputs))
    meanings = lowerings(nodes)
    units = fuse(graph, nodes, meanings, relied_on(assumed))
    memory = plan(graph, units, meanings, [v for equal in assumed for v, _ in equal.axes])
    steps = _Steps(nodes, meanings, memory)
    if assumed:
        steps.check(assumed)
    for unit in units:
        steps.add(unit)
    for target, source in memory.copies:
        steps.copy(target, source)
    for kernel in steps.kernels:
        emit(KernelFused(kernel.name, kernel.nodes, kernel.reason))
    constants = tuple(v.data for v in (memory.variables[k] for k in memory.constants) if isinstance(v, Constant))
    return Lowered(
        graph, _program(memory, steps.steps), memory.slots, memory.variables, nodes,
        tuple(steps.hosts), constants, tuple(steps.kernels), assumed,
    )  # fmt: skip


def _program(memory: Memory, steps: list[Step]) -> Program:
    return Program(
        tuple(v.dtype for v in memory.variables),
        tuple(v.ndim for v in memory.variables),
        memory.inputs,
        memory.shared,
        memory.constants,
        memory.outputs,
        tuple(steps),
    )


class _Steps:
    """Units become steps, one after the other."""

    def __init__(self, nodes: tuple[Apply, ...], meanings: Mapping[Apply, Lowering], memory: Memory) -> None:
        self.number = {node: k for k, node in enumerate(nodes)}
        self.meanings = meanings
        self.memory = memory
        self.steps: list[Step] = []
        self.checks = 0
        self.kernels: list[KernelInfo] = []
        self.hosts: list[HostFunction] = []

    def add(self, unit: Unit) -> None:
        """The step of a unit."""
        if unit.kernel:
            self.loop(unit)
        else:
            self.call(unit)

    def loop(self, unit: Unit) -> None:
        """A kernel."""
        frame = frame_of(unit, self.meanings, self.number, self.memory.slots)
        name = f"kernel_{len(self.kernels)}"
        body, functions = reduction_kernel(name, frame) if frame.reduced else (pointwise_body(frame), ())
        self.kernels.append(KernelInfo(name, len(self.steps), unit.nodes, unit.inputs, unit.outputs, unit.reason))
        title = ", ".join(node.op.name for node in unit.nodes)
        kernel = Kernel(name, frame.nest(), without_unused(body), title, functions)
        self.step(name, LoopCall(kernel), unit.nodes)

    def call(self, unit: Unit) -> None:
        """A function of the runtime, or NumPy."""
        (node,) = unit.nodes
        slots = self.memory.slots
        inputs, outputs = (tuple(slots[v] for v in vs) for vs in (node.inputs, node.outputs))
        match self.meanings[node]:
            case Runtime(function, params):
                name = f"{function}_{len(self.steps)}"
                self.step(name, RuntimeCall(function, outputs + inputs, params), (node,))
            case _:
                name = f"host_{len(self.steps)}"
                self.step(name, HostCall(len(self.hosts), inputs, outputs), (node,))
                self.hosts.append(host_function(node))

    def copy(self, target: int, source: int) -> None:
        """An output gets memory of its own."""
        self.step(f"copy_{len(self.steps)}", RuntimeCall("copy", (target, source)), ())

    def check(self, assumed: Sequence[Equal]) -> None:
        """The step that makes sure of what the others rely on."""
        slots = self.memory.slots
        groups = tuple(tuple((slots[v], axis) for v, axis in equal.axes) for equal in assumed)
        self.checks = 1
        self.steps.append(Step("same_extents", SameExtents(groups, tuple(equal.known for equal in assumed))))

    def step(self, name: str, action: LoopCall | RuntimeCall | HostCall, nodes: tuple[Apply, ...]) -> None:
        """Append a step."""
        release = self.memory.release[len(self.steps) - self.checks]
        self.steps.append(Step(name, action, release, tuple(self.number[n] for n in nodes)))


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
