"""What each op makes of the extents of its operands, and which ops can't fail on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from graphlab.control.loop import Scan
from graphlab.dtypes import FLOAT, INTEGER, UNSIGNED
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.base import Op
from graphlab.ops.check import Check, Print
from graphlab.ops.conversion import Cast
from graphlab.ops.elementwise import add, multiply, power
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, StackScalars
from graphlab.ops.index import Index, IndexUpdate
from graphlab.ops.join import Concatenate
from graphlab.ops.key import SLOT, Gathered, Key, Slice, is_advanced, is_mask
from graphlab.ops.linalg import MatMul
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.products import Prod
from graphlab.ops.ranges import ARange
from graphlab.ops.reduce import All_, Any_, Reduce, Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.axes import ONE, VALUE, Axis, Extents, broadcast, combined, has_value, number, of_number, sliced

MAX_DEPTH = 5  # of sums and products of extents
known: WeakKeyDictionary[Variable, Extents] = WeakKeyDictionary()  # those worked out, filled in by facts.py


def _inputs(node: Apply) -> list[Extents]:
    return [known[v] for v in node.inputs]


# ---- op by op ------------------------------------------------------------------------------------


@singledispatch
def extents_of(op: Op, node: Apply) -> Extents | None:
    """The extents of the one output of `node`, whose inputs are known; None: only its type tells."""
    return None


@extents_of.register
def _(op: Elementwise, node: Apply) -> Extents | None:
    return broadcast(_inputs(node))


@extents_of.register(Cast)
@extents_of.register(Check)
@extents_of.register(Print)
@extents_of.register(Softmax)
@extents_of.register(LogSoftmax)
@extents_of.register(IndexUpdate)
def _(op: Op, node: Apply) -> Extents | None:
    return _inputs(node)[0]


def _reduced(extents: Extents, axes: Iterable[int], keepdims: bool) -> Extents:
    gone = set(axes)
    return tuple(ONE if a in gone else e for a, e in enumerate(extents) if keepdims or a not in gone)


@extents_of.register
def _(op: Reduce, node: Apply) -> Extents | None:
    (x,) = _inputs(node)
    return _reduced(x, op.over(len(x)), op.keepdims)


@extents_of.register
def _(op: LogSumExp, node: Apply) -> Extents | None:
    (x,) = _inputs(node)
    return _reduced(x, op.axes, op.keepdims)


@extents_of.register
def _(op: Dimshuffle, node: Apply) -> Extents | None:
    (x,) = _inputs(node)
    return tuple(x[a] if isinstance(a, int) else ONE for a in op.pattern)


@extents_of.register
def _(op: SumTo, node: Apply) -> Extents | None:
    return _inputs(node)[1]


@extents_of.register
def _(op: BroadcastTo, node: Apply) -> Extents | None:
    return described_by(node.inputs[1])


@extents_of.register
def _(op: Reshape, node: Apply) -> Extents | None:
    target = described_by(node.inputs[1])
    # A symbolic number among them may turn out to be -1, which stands for another extent.
    if target is None or any(map(has_value, target)):
        return None
    if -1 not in op.extents:
        return target
    at = op.extents.index(-1)
    rest = combined("product", known[node.inputs[0]]).without(combined("product", target[:at] + target[at + 1 :]))
    return None if rest is None else (*target[:at], rest.axis, *target[at + 1 :])


@extents_of.register
def _(op: MatMul, node: Apply) -> Extents | None:
    a, b = _inputs(node)
    if len(a) > 1 and len(b) > 1:
        return (*broadcast([a[:-2], b[:-2]]), a[-2], b[-1])
    return (*a[:-1], *b[1:]) if len(a) < 3 and len(b) < 3 else None


@extents_of.register
def _(op: Concatenate, node: Apply) -> Extents | None:
    first, *others = _inputs(node)
    joined = combined("sum", [e[op.axis] for e in (first, *others)]).axis
    return (*first[: op.axis], joined, *first[op.axis + 1 :])


@extents_of.register
def _(op: ARange, node: Apply) -> Extents | None:
    start, stop, step = node.inputs
    plain = all(isinstance(v, Constant) and v.data == n for v, n in ((start, 0), (step, 1)))
    return (as_axis(stop),) if plain and stop.dtype == "int64" else None


@extents_of.register
def _(op: Index, node: Apply) -> Extents | None:
    return part_extents(op.key, known[node.inputs[0]], node.inputs[1:])


def part_extents(key: Key, source: Extents, indices: Sequence[Variable]) -> Extents | None:
    """The extents of the part that `key` selects of an array; None if only the run knows how many a mask selects."""
    if any(is_mask(v.type) for v in indices):
        return None
    axes, pending = iter(source), iter(indices)
    kept, arrays = list[Axis](), list[Extents]()
    for entry in key.entries:
        if entry is None:
            kept.append(ONE)
        elif isinstance(entry, Slice):
            kept.append(sliced(next(axes), entry, [_bound(next(pending)) if b is SLOT else b for b in entry.bounds]))
        elif entry is not ...:
            next(axes)
            if entry is SLOT:
                arrays.append(known[next(pending)])
    if not is_advanced([v.type for v in indices]):
        return tuple(kept)
    at = Gathered.by(key, [v.type for v in indices]).at
    return (*kept[:at], *broadcast(arrays), *kept[at:])


def _bound(scalar: Variable) -> Any:
    """A symbolic bound as an axis if it is an extent, else as itself."""
    axis = as_axis(scalar)
    return (id(scalar), VALUE) if has_value(axis) else axis


def loop_extents(op: Scan, node: Apply, output: Variable) -> Extents | None:
    """Those of an output of a loop: a value that is carried on keeps the shape from which it starts."""
    starts = [known[v] for v in node.inputs[op.starts]]
    final = next((k for k, at in op.finals.items() if at == output.index), None)
    if final is not None:
        return starts[final]
    own = tuple(
        of_number(n) if n is not None else frozenset([(id(output), a)]) for a, n in enumerate(output.type.shape)
    )
    stack = output.index if output.index < len(op.traces) else output.index - len(op.finals)
    if not own or stack >= len(op.kept):
        return None
    rows = own[0] if op.until or op.kept[stack] is not None else as_axis(node.inputs[0])
    traced = next((k for k, at in op.traces.items() if at == output.index), None)
    if traced is None:
        return (rows, *own[1:])
    return (rows, *starts[traced][int(op.recurrences[traced].depth > 1) :])


# ---- vectors that describe shapes ----------------------------------------------------------------


def described_by(vector: Variable) -> Extents | None:
    """The extents that an integer vector, used as a shape, describes."""
    if isinstance(vector, Constant):
        return tuple(map(as_axis, vector.data))
    node = vector.owner
    if node is None:
        return None
    if isinstance(node.op, ShapeOf):
        return known[node.inputs[0]]
    if isinstance(node.op, StackScalars):
        return tuple(map(as_axis, node.inputs))
    return None


def as_axis(extent: Any) -> Axis:
    """The axis of an extent: a number, an element of a shape, a sum or product of these, or any integer scalar."""
    if isinstance(extent, Constant):
        extent = extent.data
    if not isinstance(extent, Variable):
        return of_number(int(extent))
    axis = _computed(extent, MAX_DEPTH)
    return frozenset([(id(extent), VALUE)]) if axis is None else axis


def _computed(scalar: Variable, depth: int) -> Axis | None:
    """How an extent is seen to be computed from others; None if it could be any number."""
    axis = _element(scalar)
    return _total(scalar, depth) if axis is None else axis


def _element(scalar: Variable) -> Axis | None:
    node = scalar.owner
    if node is None or not isinstance(node.op, Index) or len(node.inputs) > 1:
        return None
    extents, (entry, *more) = described_by(node.inputs[0]), node.op.key.entries
    return extents[entry] if extents is not None and isinstance(entry, int) and not more else None


def _total(scalar: Variable, depth: int) -> Axis | None:
    """A sum or product of extents and numbers."""
    node = scalar.owner
    if node is None or depth == 0 or (node.op is not add and node.op is not multiply) or scalar.dtype != "int64":
        return None
    parts = [of_number(int(v.data)) if isinstance(v, Constant) else _computed(v, depth - 1) for v in node.inputs]
    sure = [p for p in parts if p is not None and not has_value(p) and (number(p) or 0) >= 0]
    return combined("sum" if node.op is add else "product", sure).axis if len(sure) == len(parts) else None


# ---- what can't fail -----------------------------------------------------------------------------


@singledispatch
def never_fails(op: Op, node: Apply) -> bool:
    """Whether computing `node` from its inputs can't raise, whatever they are."""
    return isinstance(op, Cast | ShapeOf | StackScalars | Sum | Prod | Any_ | All_)


@never_fails.register
def _(op: Elementwise, node: Apply) -> bool:
    return accepts_all_values(node) and _meet(_inputs(node))


def _meet(operands: Sequence[Extents]) -> bool:
    """Whether operands broadcast in every run: all along an axis are parts of what one of them is the broadcast of."""
    whole = broadcast(operands)
    padded = [(ONE,) * (len(whole) - len(e)) + e for e in operands]
    return all(axis in some for axis, some in zip(whole, zip(*padded, strict=True), strict=False))


def accepts_all_values(node: Apply) -> bool:
    """Whether an elementwise application can fail by the shapes of its operands only."""
    integer = node.op is power and node.outputs[0].dtype in INTEGER
    return not integer or _never_negative(node.inputs[1])


def _never_negative(exponent: Variable) -> bool:
    return exponent.dtype in UNSIGNED or (isinstance(exponent, Constant) and bool(np.all(exponent.data >= 0)))


@never_fails.register
def _(op: Dimshuffle, node: Apply) -> bool:
    (x,) = _inputs(node)
    return all(x[a] == ONE for a in op.dropped(len(x)))


@never_fails.register
def _(op: Index, node: Apply) -> bool:
    return selects_surely(op.key, node.inputs[0], node.inputs[1:])


def selects_surely(key: Key, x: Variable, indices: Sequence[Variable]) -> bool:
    """Whether `key` fits `x` in every run: slices are cut to fit, numbers lie within an extent that is known."""
    axes, pending = iter(x.type.shape), iter(indices)
    return all(_fits(entry, axes, pending) for entry in key.entries if entry is not None and entry is not ...)


def _fits(entry: Any, axes: Iterator[int | None], pending: Iterator[Variable]) -> bool:
    n = next(axes)
    if not isinstance(entry, Slice):
        where = next(pending) if entry is SLOT else entry
        if isinstance(where, Constant) and not is_mask(where.type) and n is not None:
            return bool(np.all((where.data >= -n) & (where.data < n)))
        return isinstance(where, int) and n is not None and -n <= where < n
    bounds = [next(pending) if b is SLOT else b for b in entry.bounds]
    return not isinstance(bounds[2], Variable)  # a step may turn out to be 0


@never_fails.register
def _(op: IndexUpdate, node: Apply) -> bool:
    x, values, *indices = node.inputs
    part = part_extents(op.key, known[x], indices)
    return part is not None and selects_surely(op.key, x, indices) and _within(known[values], part)


@never_fails.register
def _(op: Concatenate, node: Apply) -> bool:
    across = [e[: op.axis] + e[op.axis + 1 :] for e in _inputs(node)]
    return all(e == across[0] for e in across)


@never_fails.register
def _(op: ARange, node: Apply) -> bool:
    step = node.inputs[2]
    counted = all(v.dtype == "int64" for v in node.inputs) and op.dtype in ("int64", *FLOAT)
    return counted and isinstance(step, Constant) and step.data != 0


@never_fails.register
def _(op: MatMul, node: Apply) -> bool:
    a, b = _inputs(node)
    return a[-1] == b[-2:][0] and _meet([a[:-2], b[:-2]])


@never_fails.register
def _(op: Reshape, node: Apply) -> bool:
    target = described_by(node.inputs[1])
    if target is None or any(map(has_value, target)):
        return False
    have, others = combined("product", known[node.inputs[0]]), [e for e in target if number(e) != -1]
    asked = combined("product", others)
    if len(others) == len(target):
        return have.axis == asked.axis
    return len(target) - len(others) == 1 and not asked.axes and asked.number > 0 and have.without(asked) is not None


@never_fails.register
def _(op: BroadcastTo, node: Apply) -> bool:
    target = described_by(node.inputs[1])
    return target is not None and not any(map(has_value, target)) and _within(known[node.inputs[0]], target)


@never_fails.register
def _(op: SumTo, node: Apply) -> bool:
    g, like = _inputs(node)
    return _within(like, g)


def _within(small: Extents, large: Extents) -> bool:
    """Whether an array of extents `small` always broadcasts to `large` without changing it."""
    return len(small) <= len(large) and broadcast([small, large]) == large
