"""What a program takes for granted: that unknown extents which meet in a broadcast are equal.

A gradient is summed back to the run-time shape of what it is the gradient of (`sum_to`), for an
operand of extent 1 may have been stretched. In nearly every call none was. So a program is lowered as
if none ever were, which lets gradients fuse; its first step checks that this holds for the arrays at
hand. The same is taken for granted where rows are normalised, so that a scale and a shift are in their
kernel, and a cotangent that is the same for all elements is not stretched where another operand has the
shape. Where it does not, the caller runs the general program, lowered without assumptions. The same
step checks what the types of inputs declare, which arguments must meet in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Graph, Shared, Variable, provenance
from graphlab.graph.types import Shape
from graphlab.graph.walk import toposort, with_inputs
from graphlab.lower.expand import lowerings
from graphlab.lower.extents import Axis, Extent, SymbolicShapes, padded
from graphlab.ops.extents import BroadcastTo, ShapeOf
from graphlab.ops.lowering import Pointwise, Reduction
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import expand_dims
from graphlab.ops.unbroadcast import SumTo


@dataclass(frozen=True, slots=True)
class Equal:
    """The extents of `axes`, each an axis of an input or a shared variable, are one; `known`: this one."""

    axes: tuple[Axis, ...]
    known: int | None = None

    def holds(self, values: Mapping[Variable, np.ndarray[Any, Any]]) -> bool:
        """Whether it is so for these arrays (those of shared variables are their own)."""
        extents = {_value(v, values).shape[axis] for v, axis in self.axes}
        return len(extents | ({self.known} if self.known is not None else set())) == 1


def _value(v: Variable, values: Mapping[Variable, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    if v in values:
        return values[v]
    assert isinstance(v, Shared)
    return v.cell[0]


class _Classes:
    """Which atoms of extent are taken to be equal, as a union-find; some are taken to be a number."""

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}
        self.number: dict[int, int] = {}

    def find(self, atom: int) -> int:
        while (above := self.parent.get(atom, atom)) != atom:
            self.parent[atom] = self.parent.get(above, above)
            atom = above
        return atom

    def known(self, extents: Sequence[Extent]) -> set[int]:
        """The numbers that `extents` contain or are taken to be."""
        atoms = [self.number.get(self.find(a)) for e in extents if isinstance(e, frozenset) for a in e]
        return {n for n in (*atoms, *extents) if isinstance(n, int)}

    def canonical(self, extents: Sequence[Extent]) -> tuple[Extent, ...]:
        """`extents` with each atom replaced by its class's first: equal if they are taken to be equal."""
        return tuple(e if isinstance(e, int) else frozenset(map(self.find, e)) for e in extents)

    def merge(self, extents: Sequence[Extent]) -> None:
        """Take all of `extents` to be one."""
        numbers = self.known(extents)
        roots = sorted({self.find(a) for e in extents if isinstance(e, frozenset) for a in e})
        for root in roots[1:]:
            self.parent[root] = roots[0]
        if numbers and roots:
            (self.number[roots[0]],) = numbers


def declared(inputs: Sequence[Variable]) -> tuple[Equal, ...]:
    """What the types of `inputs` say of extents, which a program is compiled for: the caller refuses other arrays."""
    return tuple(Equal(((v, d),), n) for v in inputs for d, n in enumerate(v.type.shape) if n is not None)


def assume(graph: Graph) -> tuple[Graph, tuple[Equal, ...]]:
    """`graph` (expanded) without the sums to a shape that are plain sums, or none, if the returned equalities hold.

    What holds in every run is used without being listed.
    """
    nodes = toposort(graph.outputs, graph.inputs)
    meanings = lowerings(nodes)
    shapes = SymbolicShapes(nodes, meanings)
    classes, dropped = _Classes(), set[Apply]()
    for node in nodes:
        if not isinstance(node.op, SumTo):
            continue
        g, like = (shapes[v] for v in node.inputs)
        pairs = [(a, b) for a, b in zip(g[len(g) - len(like) :], like, strict=True) if b != 1]
        if all(_may_be_equal(a, b, classes, shapes) for a, b in pairs):
            for pair in pairs:
                classes.merge(pair)
            dropped.add(node)
    if any(isinstance(m, Reduction) and m.keepdims and len(m.axes) < n.inputs[0].ndim for n, m in meanings.items()):
        for node in nodes:
            if isinstance(meanings[node], Pointwise):
                _meet(node, classes, shapes)
    relieved = _relieved(graph, nodes, classes, shapes)
    assumed = _equalities(classes, shapes)
    return _unstretched(_without(graph, nodes, dropped, relieved), assumed), assumed


def _relieved(graph: Graph, nodes: Sequence[Apply], classes: _Classes, shapes: SymbolicShapes) -> dict[Apply, Variable]:
    """For each ShapeOf that a gradient asks for, an input or shared variable of the same shape, if there is one.

    A gradient often needs the shape of a value and not the value, which then need not be computed.
    """
    given = dict.fromkeys(v for v in (*graph.inputs, *(v for n in nodes for v in n.inputs)) if v.owner is None)
    like = {classes.canonical(shapes[v]): v for v in reversed(given) if None in v.type.shape}
    asked = [n for n in nodes if isinstance(n.op, ShapeOf) and n.provenance.grad_of is not None]
    found = {n: like.get(classes.canonical(shapes[n.inputs[0]])) for n in asked}
    return {n: v for n, v in found.items() if v is not None and n.inputs[0].owner is not None}


def _unstretched(graph: Graph, assumed: Sequence[Equal]) -> Graph:
    """`graph` where elementwise operands that a gradient only stretched to the shape of another are not stretched.

    Elements that are all the same are one number in a kernel.
    """
    nodes = toposort(graph.outputs, graph.inputs)
    if not any(map(_stretches, nodes)):
        return graph
    meanings = lowerings(nodes)
    shapes = SymbolicShapes(nodes, meanings, relied_on(assumed))
    new: dict[Variable, Variable] = {}
    for node in nodes:
        operands = _small_operands(node, shapes) if isinstance(meanings[node], Pointwise) else node.inputs
        inputs = [new.get(v, v) for v in operands]
        if any(v is not w for v, w in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def _stretches(node: Apply | None) -> bool:
    """Whether `node` stretches a cotangent."""
    return node is not None and isinstance(node.op, BroadcastTo) and node.provenance.grad_of is not None


def _small_operands(node: Apply, shapes: SymbolicShapes) -> Sequence[Variable]:
    """The operands of `node`, as small as they were before a gradient stretched them, where its shape stays."""
    operands, whole = list(node.inputs), shapes[node.output]
    for k, v in enumerate(operands):
        if v.owner is None or not _stretches(v.owner):
            continue
        x = v.owner.inputs[0]
        others = [padded(shapes[u], len(whole)) for u in (*operands[:k], x, *operands[k + 1 :])]
        fits = all(a in (1, b) for a, b in zip(reversed(shapes[x]), reversed(shapes[v]), strict=False))
        if fits and all(extent in some for extent, some in zip(whole, zip(*others, strict=True), strict=True)):
            operands[k] = x
    return operands


def _may_be_equal(a: Extent, b: Extent, classes: _Classes, shapes: SymbolicShapes) -> bool:
    """Whether a check of the arguments alone can tell that extents `a` and `b` are equal."""
    if a == b:
        return True
    atoms = [atom for e in (a, b) if isinstance(e, frozenset) for atom in e]
    numbers = classes.known((a, b))
    return bool(atoms) and all(atom in shapes.leaf for atom in atoms) and len(numbers) <= 1 and 1 not in numbers


def _meet(node: Apply, classes: _Classes, shapes: SymbolicShapes) -> None:
    """Take the extents of the operands of `node` to be equal along each axis, where that can be told."""
    operands = [padded(shapes[v], node.output.ndim) for v in node.inputs]
    for axis in zip(*operands, strict=True):
        first, *others = dict.fromkeys(e for e in axis if e != 1) or (1,)
        for other in others:
            if _may_be_equal(first, other, classes, shapes):
                classes.merge((first, other))


def _without(graph: Graph, nodes: Sequence[Apply], dropped: set[Apply], relieved: Mapping[Apply, Variable]) -> Graph:
    """`graph` with each dropped sum replaced by what it would sum, but for axes that its operand lacks or has 1 of.

    Each relieved node asks that variable.
    """
    new: dict[Variable, Variable] = {}
    for node in nodes:
        inputs = [new.get(v, v) for v in node.inputs]
        if node in dropped:
            with provenance(node.provenance):
                new[node.output] = _plainly_summed(inputs[0], node.inputs[1].type.shape)
        elif node in relieved:
            new[node.output] = with_inputs(node, [relieved[node]]).output
        elif any(v is not w for v, w in zip(inputs, node.inputs, strict=True)):
            new.update(zip(node.outputs, with_inputs(node, inputs).outputs, strict=True))
    return Graph(graph.inputs, tuple(new.get(v, v) for v in graph.outputs))


def _plainly_summed(g: Variable, like: Shape) -> Variable:
    """`g` summed over the axes that `like` lacks, and over those of which it has 1."""
    lead = g.ndim - len(like)
    ones = [a for a, n in enumerate(like) if n == 1 and g.type.shape[lead + a] != 1]
    axes = (*range(lead), *(lead + a for a in ones))
    summed: Variable = Sum(axes)(g) if axes else g
    return expand_dims(summed, ones) if ones else summed


def _equalities(classes: _Classes, shapes: SymbolicShapes) -> tuple[Equal, ...]:
    groups: dict[int, list[Axis]] = {}
    for atom, axis in shapes.leaf.items():
        groups.setdefault(classes.find(atom), []).append(axis)
    found = [(tuple(axes), classes.number.get(root)) for root, axes in groups.items()]
    return tuple(Equal(axes, known) for axes, known in found if len(axes) > 1 or known is not None)


def relied_on(assumed: Sequence[Equal]) -> dict[Axis, Extent]:
    """The extents of axes where the equalities hold: a number, or an atom for each group (below 0: no other's)."""
    return {
        axis: frozenset((-1 - k,)) if equal.known is None else equal.known
        for k, equal in enumerate(assumed)
        for axis in equal.axes
    }
