"""Ops that are made of simpler ones are replaced by them, until every op has a lowering of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphlab.errors import GraphTypeError
from graphlab.graph.node import Apply, Graph, Variable, provenance
from graphlab.graph.walk import rebuild, replace_nodes, toposort
from graphlab.ops.lowering import Expand, Inline, Lowering, Pointwise, Reduction
from graphlab.ops.reduce import Reduce
from graphlab.ops.shape import expand_dims
from graphlab.rewrite.inline import opened
from graphlab.rewrite.merge import merge


def expand(graph: Graph) -> Graph:
    """`graph` with every application whose lowering is Expand replaced by what that builds, also inside it.

    What several of them need, such as the windows of an image in a convolution and in its gradient, is one
    afterwards; so is what is folded with and without the folded axes kept, as by `x.mean()` and `x.var()`. The graphs
    that applications hold are expanded too, and copied: every application inside them stands in one place of the
    program only.
    """
    flat, done = _folded_once(merge(replace_nodes(graph, _built), told=False)), set[int]()

    def within(node: Apply, _: Apply) -> Sequence[Variable] | None:
        if not node.op.graphs or id(node.op) in done:
            return None
        op = node.op.with_graphs([expand(fresh(g)) for g in node.op.graphs])
        done.add(id(op))
        made = Apply(op, node.inputs, [v.type for v in node.outputs], node.provenance)
        for old, new in zip(node.outputs, made.outputs, strict=True):
            new.name = old.name
        return made.outputs

    return replace_nodes(flat, within)


def fresh(graph: Graph) -> Graph:
    """`graph` with inputs and applications of its own."""
    inputs = {v: Variable(v.type, v.name) for v in graph.inputs}
    return Graph(tuple(inputs.values()), tuple(rebuild(graph.outputs, inputs)))


def _built(node: Apply, _: Apply) -> Sequence[Variable] | None:
    lowering = node.op.lowering(node)
    if isinstance(lowering, Inline):
        return opened(node, lowering, lowering.function)
    if not isinstance(lowering, Expand):
        return None
    why = replace(node.provenance, rule=f"lower {node.op.name}", replaced=node)
    with provenance(why):
        outputs = tuple(lowering.build(*node.inputs))
    for wanted, got in zip(node.outputs, outputs, strict=True):
        if (wanted.dtype, wanted.ndim) != (got.dtype, got.ndim):
            raise GraphTypeError(f"{node.op.name} is {wanted.type} but expands to {got.type}")
    return outputs


def _folded_once(graph: Graph) -> Graph:
    """Reductions that keep their axes are views of others that drop them, where there are such."""
    dropped: dict[object, Reduce] = {}
    for node in toposort(graph.outputs, graph.inputs):
        if isinstance(node.op, Reduce) and not node.op.keepdims:
            dropped[_without_axes(node.op, node)] = node.op

    def view(node: Apply, old: Apply) -> Sequence[Variable] | None:
        op = node.op
        twin = dropped.get(_without_axes(op, old)) if isinstance(op, Reduce) and op.keepdims else None
        if twin is None:
            return None
        with provenance(replace(node.provenance, rule="fold once", replaced=node)):
            return [expand_dims(twin(*node.inputs), twin.over(node.inputs[0].ndim))]

    return merge(replace_nodes(graph, view), told=False) if dropped else graph


def _without_axes(op: Reduce, node: Apply) -> object:
    """What is the same for reductions of the same elements, whether their axes are kept or not."""
    return replace(op, axes=op.over(node.inputs[0].ndim), keepdims=False), node.inputs


def lowerings(nodes: Sequence[Apply]) -> dict[Apply, Lowering]:
    """How each of `nodes`, expanded already, is computed."""
    return {node: _feasible(node, node.op.lowering(node)) for node in nodes}


def _feasible(node: Apply, lowering: Lowering) -> Lowering:
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
