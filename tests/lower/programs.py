"""Graphs lowered, printed, built and run without the rewriter, so that tests see what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphlab.codegen.c import Source, emit
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.types import TensorType, broadcast_shape
from graphlab.lower import Lowered, lower
from graphlab.ops.base import Op
from graphlab.ops.lowering import Lowering, Pointwise
from graphlab.runtime.program import Facts, Machine

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Formula(Op):
    """An op made of nothing but a C template and its NumPy meaning."""

    name: str
    template: str
    function: Callable[..., Any]
    operands: tuple[str, ...]
    result: str

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType(self.result, broadcast_shape([t.shape for t in inputs])),)

    def numpy(self, *values: Array) -> Any:
        return np.asarray(self.function(*values)).astype(self.result)

    def lowering(self, node: Apply) -> Lowering:
        return Pointwise(self.template, self.operands, self.result)


def var(dtype: str, *shape: int | None) -> Variable:
    """An input of this type."""
    return Variable(TensorType(dtype, shape))


@dataclass(frozen=True)
class Built:
    """A graph, what it was lowered to, its C, and a call of it."""

    graph: Graph
    lowered: Lowered
    source: Source

    @cached_property
    def machine(self) -> Machine:
        """The program, compiled and loaded."""
        low, source = self.lowered, self.source
        return Machine(Facts.of(low.program, source.externs), source.text, constants=low.constants, hosts=low.hosts)

    def __call__(self, *arrays: Array) -> list[Array]:
        return self.machine.call([np.asarray(a) for a in arrays])


def built(inputs: Sequence[Variable], outputs: Sequence[Variable], *, general: bool = False) -> Built:
    """`outputs` as functions of `inputs`, lowered and printed (compiled when called)."""
    graph = Graph(tuple(inputs), tuple(outputs))
    lowered = lower(graph, general=general)
    return Built(graph, lowered, emit(lowered.program))


def kernels(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[list[str]]:
    """The ops of each kernel, in the order in which they run."""
    return [[node.op.name for node in k.nodes] for k in lower(Graph(tuple(inputs), tuple(outputs))).kernels]
