"""Whole graphs as lists without recursion: for pickling and saving, at any depth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphlab.errors import Origin
from graphlab.graph.node import Apply, Constant, Graph, Provenance, Shared, Variable
from graphlab.graph.types import TensorType

Array = np.ndarray[Any, Any]
Reference = Variable | tuple[Apply, int]  # a variable that nothing computes, or an output of an application


def history(variables: Iterable[Variable], known: Collection[Apply] = ()) -> list[Apply]:
    """The applications that `variables` stand on and those not in `known`, each after all that it refers to.

    Unlike `toposort` it also holds what computes nothing for them: the graphs inside ops, the forward
    applications of gradients, and what stood in a place before it was rewritten.
    """
    done, order = set(known), list[Apply]()
    for variable in variables:
        stack = [_opened(variable.owner)] if variable.owner is not None and variable.owner not in done else []
        done.update(node for node, _ in stack)
        while stack:
            node, pending = stack[-1]
            following = next((other for other in pending if other not in done), None)
            if following is None:
                order.append(node)
                stack.pop()
            else:
                done.add(following)
                stack.append(_opened(following))
    return order


def _opened(node: Apply) -> tuple[Apply, Iterator[Apply]]:
    """`node` and the applications that it refers to."""
    why = node.provenance
    inside = (v for graph in node.op.graphs for v in (*graph.inputs, *graph.outputs))
    owners = (v.owner for v in (*node.inputs, *inside))
    return node, (other for other in (*owners, why.grad_of, why.replaced) if other is not None)


def reference(variable: Variable) -> Reference:
    """`variable`, named by the application that computes it if there is one."""
    return variable if variable.owner is None else (variable.owner, variable.index)


def referred(reference: Reference) -> Variable:
    """The variable that `reference` names."""
    return reference if isinstance(reference, Variable) else reference[0].outputs[reference[1]]


# ---- making parts again, exactly as they were ----------------------------------------------------


def remade_input(type: TensorType, name: str | None, origin: Origin | None) -> Variable:
    """An input; `origin` is the line that made the first of its kind."""
    return _labelled(Variable(type), name, origin)


def remade_constant(data: Array, name: str | None, origin: Origin | None) -> Variable:
    """A constant with the very bits of `data`."""
    return _labelled(Constant(data), name, origin)


def remade_shared(type: TensorType, cell: list[Array], name: str | None, origin: Origin | None) -> Variable:
    """A shared variable that reads and writes `cell`."""
    shared = Shared(cell[0], shape=type.shape, borrow=True)
    object.__setattr__(shared, "cell", cell)
    return _labelled(shared, name, origin)


def _labelled(variable: Variable, name: str | None, origin: Origin | None) -> Variable:
    variable.name = name
    object.__setattr__(variable, "_origin", origin)
    return variable


def remade_apply(
    op: Any, inputs: Sequence[Reference], types: Sequence[TensorType], names: Sequence[str | None], why: Provenance
) -> Apply:
    """An application, its outputs named."""
    node = Apply(op, [referred(r) for r in inputs], types, why)
    for output, name in zip(node.outputs, names, strict=True):
        if name is not None:
            output.name = name
    return node


def remade_graph(inputs: Sequence[Reference], outputs: Sequence[Reference]) -> Graph:
    """A graph between variables."""
    return Graph(tuple(referred(r) for r in inputs), tuple(referred(r) for r in outputs))
