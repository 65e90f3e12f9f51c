"""ifelse: one of two values, of which only the one that is wanted is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.autodiff import pulled
from graphlab.control.alike import AlikeByGraphs
from graphlab.dtypes import is_float, promote
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import instantiate, toposort
from graphlab.interpret import interpret
from graphlab.ops.base import Array, Cotangents
from graphlab.ops.batching import Batching, Built
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, where
from graphlab.ops.extents import zeros_like
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Choose, Lowering
from graphlab.ops.shape import batch_extent, over_batch
from graphlab.ops.ufunc import Undefined
from graphlab.vectorize import vectorize_graph


@dataclass(frozen=True, eq=False)
class IfElse(AlikeByGraphs):
    """The outputs of `then` where the first input holds, else those of `otherwise`.

    The next inputs are those of `then`, the last those of `otherwise`. As the user writes it each graph
    only hands on what was computed before; `graph.enclose` moves into it what nothing else needs.
    """

    then: Graph
    otherwise: Graph
    name = "ifelse"

    def __repr__(self) -> str:
        return "ifelse"

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return (self.then, self.otherwise)

    def with_graphs(self, graphs: Sequence[Graph]) -> IfElse:
        return IfElse(*graphs)

    def branches(self, node: Apply) -> tuple[tuple[int, ...], ...]:
        split = 1 + len(self.then.inputs)
        return tuple(range(1, split)), tuple(range(split, len(node.inputs)))

    def chosen(self, *decided: Array) -> int:
        return 0 if decided[0] else 1

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        split = 1 + len(self.then.inputs)
        then, otherwise = (
            [v.type for v in instantiate(graph, [Variable(t) for t in types])]
            for graph, types in ((self.then, inputs[1:split]), (self.otherwise, inputs[split:]))
        )
        return tuple(
            a.with_shape(tuple(n if n == m else None for n, m in zip(a.shape, b.shape, strict=True)))
            for a, b in zip(then, otherwise, strict=True)
        )

    def numpy(self, *values: Array) -> Any:
        split = 1 + len(self.then.inputs)
        graph, given = (self.then, values[1:split]) if values[0] else (self.otherwise, values[split:])
        return tuple(interpret(graph, given))

    def flops(self, node: Apply) -> int:
        return max(sum(n.op.flops(n) for n in toposort(g.outputs, g.inputs)) for g in self.graphs)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        sides = [_Side.of(graph, cotangents) for graph in self.graphs]
        split = 1 + len(self.then.inputs)
        values = [node.inputs[1:split], node.inputs[split:]]
        seeds = [g for g in cotangents if g is not None]
        graphs = tuple(sides[k].gradient(sides[1 - k], first=k == 0) for k in (0, 1))
        given = [[*values[k], *seeds, *sides[1 - k].sloping(values[1 - k])] for k in (0, 1)]
        found = iter(IfElse(*graphs).apply(node.inputs[0], *given[0], *given[1]).outputs)
        slopes = [g for side in sides for g in side.slopes]
        return [None, *(next(found) if isinstance(g, Variable) else g for g in slopes)]  # type: ignore[list-item]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Built(lambda *inputs: _over_batch(self, batched, inputs))

    def lowering(self, node: Apply) -> Lowering:
        unused = [[Variable(v.type) for v in g.inputs] for g in self.graphs]
        then = Graph((*self.then.inputs, *unused[1]), self.then.outputs)
        otherwise = Graph((*unused[0], *self.otherwise.inputs), self.otherwise.outputs)
        return Choose(then, otherwise)


# ---- the gradient --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Side:
    """A branch and its gradient: `seeds` stand for the cotangents of its outputs, `slopes` are those of its inputs."""

    graph: Graph
    seeds: tuple[Variable, ...]
    slopes: tuple[Variable | Undefined | None, ...]

    @staticmethod
    def of(graph: Graph, cotangents: Cotangents) -> _Side:
        """The gradient of a branch, for the outputs that have cotangents."""
        pairs = [(v, Variable(v.type)) for v, g in zip(graph.outputs, cotangents, strict=True) if g is not None]
        known: dict[Variable, Variable] = {}
        for v, seed in pairs:
            known[v] = add(known[v], seed) if v in known else seed
        wrt = [v for v in graph.inputs if is_float(v.dtype)]
        found = dict(zip(wrt, pulled(known, wrt), strict=True))
        return _Side(graph, tuple(seed for _, seed in pairs), tuple(found.get(v) for v in graph.inputs))

    def sloping(self, values: Sequence[Variable]) -> list[Variable]:
        """Those of `values`, one for each input, whose input has a slope."""
        return [v for v, g in zip(values, self.slopes, strict=True) if isinstance(g, Variable)]

    def gradient(self, other: _Side, first: bool) -> Graph:
        """The gradient where this branch was taken: its own slopes, and zeros for the inputs of the other."""
        blank = [Variable(v.type, v.name) for v in other.sloping(other.graph.inputs)]
        own = [g for g in self.slopes if isinstance(g, Variable)]
        zeros = [zeros_like(v) for v in blank]
        inputs = (*self.graph.inputs, *self.seeds, *blank)
        return Graph(inputs, (*own, *zeros) if first else (*zeros, *own))


# ---- a batch -------------------------------------------------------------------------------------


def _over_batch(op: IfElse, batched: Sequence[bool], inputs: Sequence[Variable]) -> Sequence[Variable]:
    """Over a batch of conditions both values are computed, and chosen from; over one condition one is."""
    split = 1 + len(op.then.inputs)
    values = inputs[1:split], inputs[split:]
    if batched[0]:
        then, otherwise = (
            vectorize_graph(list(g.outputs), dict(zip(g.inputs, vs, strict=True)))
            for g, vs in zip(op.graphs, values, strict=True)
        )
        conditions = [inputs[0].dimshuffle(0, *["x"] * v.ndim) for v in op.then.outputs]
        return [where(c, a, b) for c, a, b in zip(conditions, then, otherwise, strict=True)]
    n = batch_extent(inputs, batched)
    graphs = [_with_axis(g, vs) for g, vs in zip(op.graphs, values, strict=True)]
    return IfElse(*graphs).apply(inputs[0], *values[0], n, *values[1], n).outputs


def _with_axis(graph: Graph, values: Sequence[Variable]) -> Graph:
    """`graph` for inputs of which some have the axis of the batch, and for its extent; all outputs have the axis."""
    formal = [Variable(v.type, old.name) for old, v in zip(graph.inputs, values, strict=True)]
    n = Variable(TensorType("int64"), "batch")
    made = vectorize_graph(list(graph.outputs), dict(zip(graph.inputs, formal, strict=True)))
    outputs = (over_batch(v, n) if v.ndim == old.ndim else v for v, old in zip(made, graph.outputs, strict=True))
    return Graph((*formal, n), tuple(outputs))


# ---- what users write ----------------------------------------------------------------------------


@user_boundary
def ifelse(condition: Any, then: Any, otherwise: Any, name: str | None = None) -> Any:
    """`then` if the scalar `condition` holds, else `otherwise`; only the one that is wanted is computed.

    Both are variables, or lists or tuples of as many: then a list comes back. They have the same ranks;
    their dtypes are promoted. For a choice element by element there is `where`. GraphTypeError: the
    condition is no scalar, or the values do not fit each other.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> graphlab.ifelse(x > 0, T.sqrt(x), 0.0).eval({x: -1.0})
    array(0.)
    """
    test = as_tensor(condition)
    if test.ndim != 0:
        raise GraphTypeError(
            f"the condition of ifelse must be a scalar, got {test.type}", origin=caller_origin(),
            hint="reduce it with .all() or .any(), or choose element by element with T.where(condition, a, b)",
        )  # fmt: skip
    several = isinstance(then, list | tuple)
    firsts, seconds = ([as_tensor(v) for v in (vs if several else [vs])] for vs in (then, otherwise))
    if len(firsts) != len(seconds):
        raise GraphTypeError(f"ifelse chooses between {len(firsts)} values and {len(seconds)}", origin=caller_origin())
    pairs = [_alike(k, a, b) for k, (a, b) in enumerate(zip(firsts, seconds, strict=True))]
    graphs = [_hand_on([pair[side] for pair in pairs]) for side in (0, 1)]
    outputs = IfElse(*graphs).apply(cast(test, "bool"), *(a for a, _ in pairs), *(b for _, b in pairs)).outputs
    if name is not None and len(outputs) == 1:
        outputs[0].name = name
    return list(outputs) if several else outputs[0]


def _alike(k: int, a: Variable, b: Variable) -> tuple[Variable, Variable]:
    """Both values in one dtype."""
    if a.ndim != b.ndim:
        raise GraphTypeError(
            f"ifelse: value {k} has type {a.type} if the condition holds, else {b.type}", origin=caller_origin(),
            hint="both must have the same rank; reshape or broadcast one of them",
        )  # fmt: skip
    dtype = promote(a.dtype, b.dtype)
    return cast(a, dtype), cast(b, dtype)


def _hand_on(values: Sequence[Variable]) -> Graph:
    """The graph whose outputs are its inputs."""
    inputs = tuple(Variable(v.type, v.name) for v in values)
    return Graph(inputs, inputs)
