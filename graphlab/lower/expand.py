"""Ops that are made of simpler ones are replaced by them, until every op has a lowering of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlab.dtypes import COMPLEX
from graphlab.errors import GraphTypeError
from graphlab.graph.node import Apply, Graph, Provenance, Variable, provenance
from graphlab.graph.walk import toposort, with_inputs
from graphlab.ops.base import Expand, Host, Lowering, Pointwise, Reduction


@dataclass(frozen=True, slots=True)
class _Expanded:
    """What an application was replaced by: to be looked up once all of it is in place."""

    node: Apply
    outputs: tuple[Variable, ...]


def expand(graph: Graph) -> Graph:
    """`graph` with every application whose lowering is Expand replaced by what that builds, also inside it."""
    new: dict[Variable, Variable] = {}
    pending: deque[Apply | _Expanded] = deque(toposort(graph.outputs, graph.inputs))
    while pending:
        item = pending.popleft()
        if isinstance(item, _Expanded):
            for old, made in zip(item.node.outputs, item.outputs, strict=True):
                new[old] = new.get(made, made)
            continue
        node = _renewed(item, new)
        lowering = node.op.lowering(node)
        if isinstance(lowering, Expand):
            outputs = _built(node, lowering)
            pending.extendleft(reversed([*toposort(outputs, node.inputs), _Expanded(item, outputs)]))
        elif node is not item:
            new.update(zip(item.outputs, node.outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def _renewed(node: Apply, new: Mapping[Variable, Variable]) -> Apply:
    if all(new.get(v, v) is v for v in node.inputs):
        return node
    return with_inputs(node, [new.get(v, v) for v in node.inputs])


def _built(node: Apply, lowering: Expand) -> tuple[Variable, ...]:
    origin = node.provenance
    why = Provenance(origin.origins, origin.grad_of, rule=f"lower {node.op.name}", replaced=node)
    with provenance(why):
        outputs = tuple(lowering.build(*node.inputs))
    for wanted, got in zip(node.outputs, outputs, strict=True):
        if (wanted.dtype, wanted.ndim) != (got.dtype, got.ndim):
            raise GraphTypeError(f"{node.op.name} is {wanted.type} but expands to {got.type}")
    return outputs


def lowerings(nodes: Sequence[Apply]) -> dict[Apply, Lowering]:
    """How each of `nodes`, expanded already, is computed; what C can't compute becomes Host."""
    return {node: _feasible(node, node.op.lowering(node)) for node in nodes}


def _feasible(node: Apply, lowering: Lowering) -> Lowering:
    if not isinstance(lowering, Pointwise | Reduction):
        return lowering
    dtypes = {v.dtype for v in (*node.inputs, *node.outputs)}
    dtypes |= {*lowering.input_dtypes} if isinstance(lowering, Pointwise) else {lowering.dtype}
    missing = sorted(d for d in dtypes if d == "float16" or d in COMPLEX)
    if missing:
        return Host(f"{', '.join(missing)} has no C form")
    if isinstance(lowering, Reduction) and not lowering.axes:
        return _of_single_elements(node, lowering)
    return lowering


def _of_single_elements(node: Apply, lowering: Reduction) -> Pointwise:
    """Folding along no axes: every element is a fold of its own."""
    template = "{0}"
    if lowering.initial is not None:
        template = lowering.accumulate.format(a=f"({lowering.initial + 0!r})", x="{0}")
    if lowering.finish is not None:
        template = lowering.finish.format(a=f"({template})", n="1")
    return Pointwise(template, (lowering.dtype,), node.outputs[0].dtype)
