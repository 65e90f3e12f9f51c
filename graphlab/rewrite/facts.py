"""What the graph alone proves about a variable: its run-time extents, whether computing it may fail.

Extents are unknown while a graph is built and broadcast when it runs, so a rule may drop an operand only
where the shape provably stays, and where no error vanishes with it. axes.py says how extents are described:
two axes of equal description have equal extents in every run, and the same mismatches are errors in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from graphlab.control.loop import Scan
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.rewrite.axes import ONE, Axis, Extents, broadcast, is_large
from graphlab.rewrite.extents import as_axis, extents_of, known, loop_extents, never_fails

__all__ = [
    "Facts", "broadcast", "count_of", "depends_on", "facts", "fails_only_with", "may_drop",
    "own_extents", "same_bits", "same_extents", "surely_computed", "uniform_value",
]  # fmt: skip

MAX_ATOMS = 8  # a larger description is forgotten, the axis gets a name of its own: wide sums stay linear
MAX_SEARCH = 64  # nodes that `depends_on` looks at


@dataclass(frozen=True, slots=True)
class Facts:
    """`extents`: what is known of each axis; `may_fail`: whether computing it can raise."""

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
            _learn(v, Facts(own_extents(v), False))
        else:
            for out in node.outputs:
                _learn(out, _of_output(out, node))
    return _known[variable]


def _learn(v: Variable, found: Facts) -> None:
    _known[v], known[v] = found, found.extents


def _of_output(v: Variable, node: Apply) -> Facts:
    inputs = [_known[i] for i in node.inputs]
    if isinstance(node.op, Scan):
        extents: Extents | None = loop_extents(node.op, node, v)
    else:
        extents = extents_of(node.op, node) if len(node.outputs) == 1 else None
    fails = any(f.may_fail for f in inputs) or not never_fails(node.op, node)
    if extents is None:
        return Facts(own_extents(v), fails)
    own = own_extents(v)
    kept = zip(extents, own, v.type.shape, strict=True)
    return Facts(tuple(o if n == 1 or is_large(e, MAX_ATOMS) else e for e, o, n in kept), fails)


def own_extents(v: Variable) -> Extents:
    """The extents of `v` as its type gives them, the unknown ones named after `v` itself."""
    return tuple(
        ONE if n == 1 else frozenset([n if n is not None else (id(v), axis)]) for axis, n in enumerate(v.type.shape)
    )


def same_extents(a: Variable, b: Variable) -> bool:
    """Whether `a` and `b` provably have the same shape in every run."""
    return facts(a).extents == facts(b).extents


def count_of(scalar: Variable) -> Axis:
    """The integer `scalar` as an extent: that of a stack with so many rows."""
    facts(scalar)
    return as_axis(scalar)


def depends_on(v: Variable, other: Variable) -> bool:
    """Whether `v` is seen to be computed from `other`, looking at its nearest ancestors only."""
    return other in _nearest(v)


def _nearest(v: Variable) -> dict[Variable, None]:
    """`v` and its nearest ancestors, at least MAX_SEARCH if it has so many."""
    seen, queue = {v: None}, [v]
    for found in queue:
        if found.owner is not None and len(queue) < MAX_SEARCH:
            fresh = [i for i in dict.fromkeys(found.owner.inputs[:MAX_SEARCH]) if i not in seen]
            seen.update(dict.fromkeys(fresh))
            queue.extend(fresh)
    return seen


def surely_computed(node: Apply) -> bool:
    """Whether computing `node` from its inputs can't raise, whatever they are."""
    for v in node.inputs:
        facts(v)
    return never_fails(node.op, node)


def fails_only_with(v: Variable, kept: Variable) -> bool:
    """Whether computing `v` from its inputs can fail only where its input `kept` does."""
    node = v.owner
    others = [] if node is None else [i for i in node.inputs if i is not kept]
    return node is not None and surely_computed(node) and all(may_drop(i, kept) for i in others)


def may_drop(dropped: Variable, kept: Variable) -> bool:
    """Whether no error vanishes when `kept` is computed and `dropped` no longer is.

    So it is where `kept` is seen to be computed from all that may fail on the way to `dropped`.
    """
    if not facts(dropped).may_fail:
        return True
    computed, seen = _nearest(kept), {dropped}
    queue = [dropped]
    for v in queue:
        if v in computed or not facts(v).may_fail:
            continue
        if v.owner is None or not surely_computed(v.owner) or len(queue) > MAX_SEARCH:
            return False
        fresh = [i for i in dict.fromkeys(v.owner.inputs) if i not in seen]
        seen.update(fresh)
        queue.extend(fresh)
    return True


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
