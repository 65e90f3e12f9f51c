"""Graphs over batches: what was written for one example computes all of them at once, by operations on batches.

Each op says how it takes a batch (`Op.batching`); an op that does not say is computed example by example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce, singledispatch
from typing import Any

import numpy as np

from graphlab.dtypes import is_float
from graphlab.errors import GraphShapeError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable, provenance
from graphlab.graph.types import Extent, TensorType
from graphlab.graph.walk import toposort, with_inputs
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batched_index import keyed
from graphlab.ops.batching import Along, Batching, Built, Extents, Keyed, OneByOne, Shifted, ToShape
from graphlab.ops.elementwise import floor_divide, multiply
from graphlab.ops.extents import StackScalars, shape_vector
from graphlab.ops.index import index
from graphlab.ops.lowering import Expand, Host, Inline, Lowering
from graphlab.ops.shape import aligned, batch_extent, extent, over_batch, size
from graphlab.ops.ufunc import Undefined, Zero
from graphlab.ops.unbroadcast import conform

Flags = tuple[bool, ...]

# ---- the walk ------------------------------------------------------------------------------------


@user_boundary
def vectorize_graph(outputs: Any, replace: Mapping[Variable, Any]) -> Any:
    """`outputs` with each variable `old` of `replace` exchanged for `new`, which is `old` with more axes in front.

    The outputs that depend on it get these axes too. Where `new` has several of them, those of different
    variables are aligned at the right, as in broadcasting; along each, the extents agree. `outputs` is a
    variable, or a list (then a list comes back). GraphTypeError, GraphShapeError: `new` does not fit `old`.

    >>> import graphlab.tensor as T
    >>> x, xs = T.vector("x"), T.matrix("xs")
    >>> vectorize_graph(x.sum(), {x: xs}).type.ndim
    1
    """
    several = [outputs] if isinstance(outputs, Variable) else list(outputs)
    given = {old: as_data_variable(new) for old, new in replace.items()}
    extra = {old: _extra_axes(old, new) for old, new in given.items()}
    current = {old: old for old in given}
    # One axis after the other, the innermost first: `current` is `old` with those that are done.
    for axes in range(max(extra.values(), default=0) + 1):
        step = {
            current[old]: new if extra[old] == axes else _with_axes(new, extra[old] - axes)
            for old, new in given.items()
            if extra[old] >= axes and (axes or not extra[old])
        }  # fmt: skip
        several = _over_one_axis(several, step) if step else several
        current |= {old: step[v] for old, v in current.items() if v in step}
    return several[0] if isinstance(outputs, Variable) else several


def _extra_axes(old: Variable, new: Variable) -> int:
    extra = new.ndim - old.ndim
    expected = f"expected {old.dtype} with axes in front of {list(old.type.shape)}, got {new.type}"
    if extra < 0 or new.dtype != old.dtype:
        raise GraphTypeError(f"vectorize_graph: {_called(old)}: {expected}", origin=caller_origin())
    if not old.type.accepts(new.type.with_shape(new.type.shape[extra:])):
        raise GraphShapeError(f"vectorize_graph: {_called(old)}: {expected}", origin=caller_origin())
    return extra


def _with_axes(new: Variable, dropped: int) -> Variable:
    """A variable that stands for `new` without its first axes."""
    return Variable(new.type.with_shape(new.type.shape[dropped:]))


def _called(v: Variable) -> str:
    return v.name or "a variable"


def _over_one_axis(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """`outputs` for replacements that have one axis more, or none."""
    new = dict(replace)
    for node in toposort(outputs, replace):
        inputs = [new.get(v, v) for v in node.inputs]
        batched = tuple(now.ndim > was.ndim for now, was in zip(inputs, node.inputs, strict=True))
        if any(batched):
            with provenance(node.provenance):
                made: Sequence[Variable] = batch(node, inputs, batched)
        elif any(now is not was for now, was in zip(inputs, node.inputs, strict=True)):
            made = with_inputs(node, inputs).outputs
        else:
            continue
        for old, v in zip(node.outputs, made, strict=True):
            v.name = v.name or old.name
            new.setdefault(old, v)
    return [new.get(v, v) for v in outputs]


def batch(node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    """The outputs of `node` for `inputs` of which those `batched` have one axis more: each has it too, or is shared."""
    return _realized(node.op.batching(node, batched), node, inputs, batched)


# ---- the ways to take a batch --------------------------------------------------------------------


@singledispatch
def _realized(way: Batching, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    raise NotImplementedError(type(way).__name__)


@_realized.register
def _(way: Along, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    before = [v.ndim - core for v, core in zip(node.inputs, way.core, strict=True)]
    return node.op.apply(*aligned(inputs, before, batched)).outputs


@_realized.register
def _(way: Shifted, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    n = batch_extent(inputs, batched)
    return way.op.apply(*(x if b else over_batch(x, n) for x, b in zip(inputs, batched, strict=True))).outputs


@_realized.register
def _(way: ToShape, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    x, shape = inputs
    rank, wanted = node.inputs[0].ndim, node.outputs[0].ndim
    if way.align:
        (x, _) = aligned((x, x), (rank, wanted), (True, False))
    op = way.op(x.type.shape[0])
    known = op.extents[1:]  # type: ignore[attr-defined]
    parts = [Constant(n) if n is not None else v for n, v in zip(known, _elements(shape, wanted), strict=True)]
    return op.apply(x, shape_vector([extent(x, 0), *_worked_out(parts, x)])).outputs


def _worked_out(parts: Sequence[Variable], x: Variable) -> Sequence[Variable]:
    """The extents of one example, where one may be -1: NumPy could not tell it for a batch of nothing."""
    free = [isinstance(n, Constant) and n.data == -1 for n in parts]
    if not any(free):
        return parts
    others = reduce(multiply, [n for n, f in zip(parts, free, strict=True) if not f], Constant(1))
    rest = floor_divide(size(x, tuple(range(1, x.ndim))), others)
    return [rest if f else n for n, f in zip(parts, free, strict=True)]


def _elements(vector: Variable, count: int) -> Sequence[Variable]:
    if vector.owner is not None and isinstance(vector.owner.op, StackScalars):
        return vector.owner.inputs
    return [index(vector, i) for i in range(count)]


@_realized.register
def _(way: Extents, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    return [shape_vector([extent(inputs[0], a) for a in range(1, inputs[0].ndim)])]


@_realized.register
def _(way: Keyed, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    return [keyed(node.op, node, inputs, batched)]


@_realized.register
def _(way: Built, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    return way.build(*inputs)


@_realized.register
def _(way: OneByOne, node: Apply, inputs: Sequence[Variable], batched: Flags) -> Sequence[Variable]:
    match node.op.lowering(node) if way.build is None else Expand(way.build):
        case Expand(build):
            given = [Variable(v.type) for v in node.inputs]
            return _over_one_axis(build(*given), dict(zip(given, inputs, strict=True)))
        case Inline(graph=graph):
            return _over_one_axis(graph.outputs, dict(zip(graph.inputs, inputs, strict=True)))
    return EachExample(node.op, batched).apply(*inputs).outputs


# ---- one by one ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EachExample(Op):
    """`op` of one example after the other, side by side along a new first axis.

    `batched`: which inputs have that axis, the others are the same for all. It is an error as it runs if the
    results differ in shape.
    """

    op: Op
    batched: Flags

    @property
    def name(self) -> str:
        """That of the op, and how it is applied."""
        return f"each {self.op.name}"

    @property
    def effects(self) -> bool:
        """Those of the op."""
        return self.op.effects

    def _single(self, inputs: Sequence[TensorType]) -> list[TensorType]:
        return [t.with_shape(t.shape[1:]) if b else t for t, b in zip(inputs, self.batched, strict=True)]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        extents = {t.shape[0] for t, b in zip(inputs, self.batched, strict=True) if b and t.shape[0] is not None}
        if len(extents) > 1:
            raise GraphShapeError(f"{self.name}: batches of {' and '.join(map(str, sorted(extents)))} examples")
        n: Extent = next(iter(extents), None)
        return tuple(t.with_shape((n, *t.shape)) for t in self.op.infer(*self._single(inputs)))

    def numpy(self, *values: Array) -> Any:
        counts = {v.shape[0] for v, b in zip(values, self.batched, strict=True) if b}
        if len(counts) > 1:
            raise GraphShapeError(f"{self.name}: batches of {' and '.join(map(str, sorted(counts)))} examples")
        rows = [
            self.op.evaluate(*(v[i] if b else v for v, b in zip(values, self.batched, strict=True)))
            for i in range(counts.pop())
        ]
        if not rows:
            types = self.infer(*(TensorType(v.dtype.name, v.shape) for v in values))
            return tuple(np.zeros([n or 0 for n in t.shape], t.dtype) for t in types)
        for results in zip(*rows, strict=True):
            if len({r.shape for r in results}) > 1:
                raise GraphShapeError(f"{self.name}: the results have different shapes", hint="mask or pad them")
        return tuple(np.stack(results) for results in zip(*rows, strict=True))

    def _example(self, node: Apply) -> Apply:
        return self.op.apply(*(Variable(t) for t in self._single([v.type for v in node.inputs])))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        one = self._example(node)
        pulled = [None if g is None else Variable(v.type) for g, v in zip(cotangents, one.outputs, strict=True)]
        results: list[Any] = []
        for v, g in zip(one.inputs, self.op.pullback(one, pulled), strict=True):
            flows = isinstance(g, Variable) and is_float(v.dtype)
            # Brought to the example's own shape: what the caller sums is the batch alone.
            results.append(conform(g, v) if flows and isinstance(g, Variable) else g)
        return self._whole(node, one, zip(pulled, cotangents, strict=True), results)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents | None:
        one = self._example(node)
        moving = [None if t is None else Variable(v.type) for t, v in zip(tangents, one.inputs, strict=True)]
        results = self.op.pushforward(one, moving)
        return None if results is None else self._whole(node, one, zip(moving, tangents, strict=True), results)

    def _whole(self, node: Apply, one: Apply, along: Any, results: Sequence[Any]) -> list[Any]:
        """The batch of `results`, which are written for one example."""
        replace = {v: x for v, x in zip(one.inputs, node.inputs, strict=True)}
        replace |= {v: x for v, x in zip(one.outputs, node.outputs, strict=True)}
        replace |= {v: x for v, x in along if v is not None}
        whole = iter(vectorize_graph([r for r in results if isinstance(r, Variable)], replace))
        return [r if r is None or isinstance(r, Zero | Undefined) else next(whole) for r in results]

    def lowering(self, node: Apply) -> Lowering:
        return Host(f"{self.op.name} has no rule for batches")
