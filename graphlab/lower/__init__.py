"""From a graph to a program: expand, fuse, plan the memory, write the loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphlab.graph.collector import uncollected
from graphlab.graph.events import KernelFused, emit
from graphlab.graph.node import Apply, Graph, Shared, Variable
from graphlab.loops.ir import Program
from graphlab.loops.text import program_text
from graphlab.lower.assume import Equal
from graphlab.lower.expand import expand
from graphlab.lower.steps import Array, HostFunction, KernelInfo, Steps, host_function


@dataclass(frozen=True, slots=True, repr=False)
class Lowered:
    """A program and how it belongs to its graph; printed, the program.

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

    def __repr__(self) -> str:
        return f"<program: {', '.join(step.name for step in self.program.steps)}>"

    def __str__(self) -> str:
        return program_text(self.program)


@uncollected
def lower(graph: Graph, updates: Sequence[Shared] = (), *, general: bool = False) -> Lowered:
    """`graph` as a program of kernels and calls; emits a KernelFused event for each kernel.

    The last outputs are the new values of `updates`.
    Unless `general`, the program takes the equalities `Lowered.assumed` for granted and fails with
    "assumption" where they do not hold (see assume.py).

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp, multiply
    >>> x = Variable(TensorType("float64", (None,)), "x")
    >>> lowered = lower(Graph((x,), (exp(multiply(x, x)),)))
    >>> [(k.name, [n.op.name for n in k.nodes]) for k in lowered.kernels]
    [('kernel_0', ['multiply', 'exp'])]
    """
    steps = Steps(general, updates)
    whole = steps.program(expand(graph))
    table = steps.table.variables
    for kernel in steps.kernels:
        emit(KernelFused(kernel.name, kernel.nodes, kernel.reason))
    inputs = len(graph.inputs)
    program = Program(
        tuple(v.dtype for v in table),
        tuple(v.ndim for v in table),
        tuple(range(inputs)),
        tuple(k for k, v in enumerate(table[inputs:], inputs) if isinstance(v, Shared) and whole.memory.slots[v] == k),
        tuple(steps.table.constants.values()),
        whole.memory.outputs,
        whole.steps,
        whole.finishing,
    )
    return Lowered(
        whole.graph, program, whole.memory.slots, tuple(table), tuple(steps.number),
        tuple(steps.hosts), tuple(c.data for c in steps.table.constants), tuple(steps.kernels), whole.assumed,
    )  # fmt: skip


__all__ = ["Array", "HostFunction", "KernelInfo", "Lowered", "host_function", "lower"]
