"""What the graph alone proves about a variable: its run-time extents, whether computing it may fail.

Extents are unknown while a graph is built and broadcast when it runs, so a rule may drop an operand only
where the shape provably stays, and where no error vanishes with it. An axis is described by the set of
extents that are broadcast together in it: x + y has {x's, y's}, an extent of 1 is the empty set. Two
axes with equal sets have equal extents in every run, and the same mismatches are errors in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from graphlab.dtypes import INTEGER, UNSIGNED
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.base import Op
from graphlab.ops.check import Check, Print
from graphlab.ops.conversion import Cast
from graphlab.ops.elementwise import power
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, StackScalars
from graphlab.ops.index import Index
from graphlab.ops.key import Slice
from graphlab.ops.linalg import MatMul
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.products import Prod
from graphlab.ops.reduce import All_, Any_, Reduce, Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo

# An extent: a known one (not 1), or one that only the run knows: of an axis of the variable with that id.
# Ids, as the facts of a variable are forgotten with it and the variables it is made from live as long.
Atom = int | tuple[int, int]
Axis = frozenset[Atom]
Extents = tuple[Axis, ...]

MAX_ATOMS = 8  # a longer set is forgotten and gets a name of its own, so that wide sums stay linear
MAX_SEARCH = 64  # nodes that `depends_on` looks at
ONE: Axis = frozenset()
_VALUE = -1  # the "axis" that stands for the value of an integer scalar


@dataclass(frozen=True, slots=True)
class Facts:
    """`extents`: the sets described above; `may_fail`: whether computing it can raise."""

    extents: Extents
    may_fail: bool


_known: WeakKeyDictionary[Variable, Facts] = WeakKeyDictionary()
_uniform: WeakKeyDictionary[Constant, Any] = WeakKeyDictionary()


def facts(variable: Variable) -> Facts:
    """What is known of `variable`; each is worked out once."""
    stack = [variable]
    while stack:
        v = stack[-1]
        if v in _known:
            stack.pop()
            continue
        node = v.owner
        pending = [] if node is None else [i for i in node.inputs if i not in _known]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        if node is None:
            _known[v] = Facts(own_extents(v), False)
        else:
            _known.update((out, _of_output(out, node)) for out in node.outputs)
    return _known[variable]


def _of_output(v: Variable, node: Apply) -> Facts:
    inputs = [_known[i] for i in node.inputs]
    extents = extents_of(node.op, node) if len(node.outputs) == 1 else None
    fails = any(f.may_fail for f in inputs) or not never_fails(node.op, node)
    if extents is None:
        return Facts(own_extents(v), fails)
    own = own_extents(v)
    kept = zip(extents, own, v.type.shape, strict=True)
    return Facts(tuple(o if len(e) > MAX_ATOMS or n == 1 else e for e, o, n in kept), fails)


def own_extents(v: Variable) -> Extents:
    """The extents of `v` as its type gives them, the unknown ones named after `v` itself."""
    return tuple(
        ONE if n == 1 else frozenset([n if n is not None else (id(v), axis)]) for axis, n in enumerate(v.type.shape)
    )


def same_extents(a: Variable, b: Variable) -> bool:
    """Whether `a` and `b` provably have the same shape in every run."""
    return facts(a).extents == facts(b).extents


def depends_on(v: Variable, other: Variable) -> bool:
    """Whether `v` is seen to be computed from `other`, looking at its nearest ancestors only."""
    seen, queue = {v}, [v]
    for found in queue:
        if found is other:
            return True
        if found.owner is not None and len(queue) < MAX_SEARCH:
            fresh = [i for i in dict.fromkeys(found.owner.inputs[:MAX_SEARCH]) if i not in seen]
            seen.update(fresh)
            queue.extend(fresh)
    return False


def fails_only_with(v: Variable, kept: Variable) -> bool:
    """Whether computing `v` from its inputs can fail only where its input `kept` does."""
    node = v.owner
    others = [] if node is None else [i for i in node.inputs if i is not kept]
    facts(v)
    return node is not None and never_fails(node.op, node) and not any(facts(i).may_fail for i in others)


def may_drop(dropped: Variable, kept: Variable) -> bool:
    """Whether no error vanishes when `kept` is computed and `dropped` no longer is."""
    return not facts(dropped).may_fail or depends_on(kept, dropped)


def uniform_value(constant: Constant) -> Any:
    """The one value that all elements of `constant` have, as a NumPy scalar; None if they differ or are none."""
    if constant.data.size == 1:
        return constant.data.reshape(())[()]
    if constant not in _uniform:
        flat = constant.data.reshape(-1)
        alike = flat.size > 0 and flat[0] == flat[-1] and same_bits(flat, np.broadcast_to(flat[:1], flat.shape))
        _uniform[constant] = flat[0] if alike else None
    return _uniform[constant]


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays hold the same values, -0.0 unlike 0.0."""
    if a.dtype.kind in "fc":
        parts = [(a.real, b.real), (a.imag, b.imag)] if a.dtype.kind == "c" else [(a, b)]
        return all(bool(np.all((p == q) & (np.signbit(p) == np.signbit(q)))) for p, q in parts)
    return bool(np.all(a == b))


# ---- extents, op by op ---------------------------------------------------------------------------


def broadcast(operands: Sequence[Extents]) -> Extents:
    """The extents of operands that are broadcast together."""
    rank = max((len(e) for e in operands), default=0)
    padded = [(ONE,) * (rank - len(e)) + e for e in operands]
    return tuple(frozenset().union(*axes) for axes in zip(*padded, strict=True))


def _inputs(node: Apply) -> list[Extents]:
    return [_known[v].extents for v in node.inputs]


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
    extents = described_by(node.inputs[1])
    # A symbolic number among them may turn out to be -1, which stands for another extent.
    safe = extents is not None and -1 not in op.extents and not any(_is_value(a) for e in extents for a in e)
    return extents if safe else None


def _is_value(atom: Atom) -> bool:
    return isinstance(atom, tuple) and atom[1] == _VALUE


@extents_of.register
def _(op: MatMul, node: Apply) -> Extents | None:
    a, b = _inputs(node)
    if len(a) > 2 or len(b) > 2:
        return None
    return (*a[:-1], *b[1:])


def described_by(vector: Variable) -> Extents | None:
    """The extents that an integer vector, used as a shape, describes."""
    if isinstance(vector, Constant):
        return tuple(map(_as_axis, vector.data))
    node = vector.owner
    if node is None:
        return None
    if isinstance(node.op, ShapeOf):
        return _known[node.inputs[0]].extents
    if isinstance(node.op, StackScalars):
        return tuple(map(_as_axis, node.inputs))
    return None


def _as_axis(extent: Any) -> Axis:
    """The set for an extent given as a number, an element of a shape or any other integer scalar."""
    if isinstance(extent, Constant):
        extent = extent.data
    if not isinstance(extent, Variable):
        return ONE if extent == 1 else frozenset([int(extent)])
    node = extent.owner
    if node is not None and isinstance(node.op, Index) and len(node.inputs) == 1:
        extents, (entry, *more) = described_by(node.inputs[0]), node.op.key.entries
        if extents is not None and isinstance(entry, int) and not more:
            return extents[entry]
    return frozenset([(id(extent), _VALUE)])


# ---- what can't fail -----------------------------------------------------------------------------


@singledispatch
def never_fails(op: Op, node: Apply) -> bool:
    """Whether computing `node` from its inputs can't raise, whatever they are."""
    return isinstance(op, Cast | ShapeOf | StackScalars | Sum | Prod | Any_ | All_)


@never_fails.register
def _(op: Elementwise, node: Apply) -> bool:
    if op is power and node.outputs[0].dtype in INTEGER and not _never_negative(node.inputs[1]):
        return False
    return all(len(axis) <= 1 for axis in broadcast(_inputs(node)))


def _never_negative(exponent: Variable) -> bool:
    return exponent.dtype in UNSIGNED or (isinstance(exponent, Constant) and bool(np.all(exponent.data >= 0)))


@never_fails.register
def _(op: Dimshuffle, node: Apply) -> bool:
    (x,) = _inputs(node)
    return all(x[a] == ONE for a in op.dropped(len(x)))


@never_fails.register
def _(op: Index, node: Apply) -> bool:
    """Slices are cut to fit; a number must lie within an extent that is known, which `infer` has checked."""
    axes = iter(node.inputs[0].type.shape)
    used = [(entry, next(axes)) for entry in op.key.entries if entry is not None and entry is not ...]
    return len(node.inputs) == 1 and all(isinstance(entry, Slice) or n is not None for entry, n in used)


@never_fails.register
def _(op: Reshape, node: Apply) -> bool:
    x, shape = node.inputs
    return None not in (*x.type.shape, *op.extents) and isinstance(shape, Constant)


@never_fails.register
def _(op: BroadcastTo, node: Apply) -> bool:
    target = described_by(node.inputs[1])
    return target is not None and _within(_inputs(node)[0], target)


@never_fails.register
def _(op: SumTo, node: Apply) -> bool:
    g, like = _inputs(node)
    return _within(like, g)


def _within(small: Extents, large: Extents) -> bool:
    """Whether an array of extents `small` always broadcasts to `large` without changing it."""
    return len(small) <= len(large) and broadcast([small, large]) == large
