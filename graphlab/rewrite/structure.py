"""What the graph alone proves about matrices: that they are symmetric, triangular, diagonal or the identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.conversion import Cast
from graphlab.ops.decompositions import QR, Cholesky
from graphlab.ops.elementwise import (
    absolute,
    add,
    cos,
    cosh,
    equal,
    greater_equal,
    less_equal,
    multiply,
    negative,
    square,
    subtract,
    true_divide,
    where,
)
from graphlab.ops.index import Index
from graphlab.ops.key import FULL
from graphlab.ops.linalg import MatMul
from graphlab.ops.ranges import ARange
from graphlab.ops.reduce import Reduce
from graphlab.ops.shape import Dimshuffle, Pattern, dimshuffle
from graphlab.ops.systems import Inv
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.axes import ONE, Axis
from graphlab.rewrite.facts import count_of, facts, same_bits, uniform_value
from graphlab.rewrite.rule import COMMUTATIVE

EVEN = (square, absolute, cos, cosh)  # f(-x) is f(x)
MAX_PAIRS = 1000  # pairs of variables that are compared before the answer is no
MAX_DEPTH = 40  # and how far from the matrix they may be

# ---- axes ----------------------------------------------------------------------------------------


def shuffled(v: Variable) -> tuple[Variable, Pattern] | None:
    """What `v` is with its axes in another order, and that order; also where it is written as x[:, None]."""
    node = v.owner
    if node is None:
        return None
    if isinstance(node.op, Dimshuffle):
        return node.inputs[0], node.op.pattern
    if not isinstance(node.op, Index) or any(entry not in (FULL, None) for entry in node.op.key.entries):
        return None
    axes = iter(range(node.inputs[0].ndim))
    pattern: list[int | str] = ["x" if entry is None else next(axes) for entry in node.op.key.entries]
    return node.inputs[0], (*pattern, *axes)


def untransposed(v: Variable) -> Variable | None:
    """The matrices of which `v` holds the transposes, if it is seen to."""
    found = shuffled(v)
    if found is None:
        return None
    source, pattern = found
    axes = range(source.ndim)
    return source if source.ndim > 1 and pattern == (*axes[:-2], axes[-1], axes[-2]) else None


# ---- symmetry ------------------------------------------------------------------------------------


def symmetric(v: Variable) -> bool:
    """Whether the matrices `v` are their own transposes, but for the rounding of products of matrices."""
    return v.ndim > 1 and _Pairs().exchanged(v, v, -1, -2)


@dataclass
class _Pairs:
    """A search for reasons why one expression is another with two axes exchanged; axes count from the right."""

    known: dict[tuple[int, int, int, int, bool], bool] = field(default_factory=dict)
    depth: int = 0

    def exchanged(self, a: Variable, b: Variable, i: int, j: int) -> bool:
        """Whether `b` is `a` with axes i and j exchanged."""
        return self._once(a, b, i, j, True)

    def opposite(self, a: Variable, b: Variable, i: int, j: int) -> bool:
        """Whether `b` is -a with axes i and j exchanged."""
        return self._once(a, b, i, j, False)

    def _once(self, a: Variable, b: Variable, i: int, j: int, same: bool) -> bool:
        key = id(a), id(b), i, j, same
        if key not in self.known:
            self.known[key] = False
            if len(self.known) < MAX_PAIRS and self.depth < MAX_DEPTH:
                self.depth += 1
                self.known[key] = self._exchanged(a, b, i, j) if same else self._opposite(a, b, i, j)
                self.depth -= 1
        return self.known[key]

    def _exchanged(self, a: Variable, b: Variable, i: int, j: int) -> bool:
        if _flat(a, i, j) and _flat(b, i, j):
            return a is b
        if isinstance(a, Constant) and isinstance(b, Constant):
            return a.type == b.type and a.ndim >= max(-i, -j) and same_bits(a.data.swapaxes(i, j), b.data)
        if on_diagonal(a) and on_diagonal(b):
            return True
        if self._moved(a, b, i, j):
            return True
        first, second = a.owner, b.owner
        return first is not None and second is not None and first.op == second.op and self._alike(first, second, i, j)

    def _moved(self, a: Variable, b: Variable, i: int, j: int) -> bool:
        """Whether both have the axes of one array in orders that differ by the exchange."""
        (p, before), (q, after) = ((v, tuple(range(v.ndim))) if (f := shuffled(v)) is None else f for v in (a, b))
        if p is a and q is b and a is not b:
            return False
        rank = max(len(before), len(after), -i, -j)
        before, after = (("x",) * (rank - len(pattern)) + pattern for pattern in (before, after))
        if p is q:
            turned = list(before)
            turned[i], turned[j] = turned[j], turned[i]
            return tuple(turned) == after
        k, l = before[i], before[j]  # noqa: E741
        return before == after and p.ndim == q.ndim and isinstance(k, int) and isinstance(l, int) and self.exchanged(
            p, q, k - p.ndim, l - p.ndim)  # fmt: skip

    def _alike(self, a: Apply, b: Apply, i: int, j: int) -> bool:
        op, pairs = a.op, list(zip(a.inputs, b.inputs, strict=True))
        if isinstance(op, Elementwise):
            if all(self.exchanged(x, y, i, j) for x, y in pairs):
                return True
            if op in COMMUTATIVE:
                return self.exchanged(a.inputs[0], b.inputs[1], i, j) and self.exchanged(a.inputs[1], b.inputs[0], i, j)
            return op in EVEN and self.opposite(a.inputs[0], b.inputs[0], i, j)
        if isinstance(op, Cast) or (isinstance(op, Inv) and {i, j} == {-1, -2}):
            return self.exchanged(*pairs[0], i, j)
        if isinstance(op, MatMul) and {i, j} == {-1, -2}:  # (A B)' = B' A'
            left, right = a.inputs
            return min(left.ndim, right.ndim) == 2 and (
                self.exchanged(left, b.inputs[1], i, j) and self.exchanged(right, b.inputs[0], i, j))  # fmt: skip
        if isinstance(op, Reduce):
            (x, y), rank = pairs[0], a.inputs[0].ndim
            left_over = [k for k in range(rank) if op.keepdims or k not in op.over(rank)]
            if max(-i, -j) > len(left_over) or x.ndim != y.ndim:
                return False
            return self.exchanged(x, y, left_over[i] - rank, left_over[j] - rank)
        return False

    def _opposite(self, a: Variable, b: Variable, i: int, j: int) -> bool:
        first, second = a.owner, b.owner
        if first is None or second is None or first.op is not second.op:
            return False
        (x, *more), (y, *others) = first.inputs, second.inputs
        if first.op is subtract:  # (p - q)' = -(q' - p')
            return self.exchanged(x, others[0], i, j) and self.exchanged(more[0], y, i, j)
        if first.op is negative:
            return self.opposite(x, y, i, j)
        if first.op is true_divide:
            return self.opposite(x, y, i, j) and self.exchanged(more[0], others[0], i, j)
        if first.op is multiply:
            return (self.opposite(x, y, i, j) and self.exchanged(more[0], others[0], i, j)) or (
                self.exchanged(x, y, i, j) and self.opposite(more[0], others[0], i, j))  # fmt: skip
        return False


def _flat(v: Variable, i: int, j: int) -> bool:
    """Whether `v` is the same all along the axes i and j of what it is broadcast to."""
    extents = facts(v).extents
    return all(-axis > len(extents) or not extents[axis] for axis in (i, j))


# ---- zeros ---------------------------------------------------------------------------------------


def _numbers(v: Variable) -> Axis | None:
    """How many numbers the vector `v` holds, if they are 0, 1, 2 and so on."""
    if isinstance(v, Constant):
        counted = v.ndim == 1 and np.array_equal(v.data, np.arange(len(v.data)))
        return (ONE if len(v.data) == 1 else frozenset([len(v.data)])) if counted else None
    if v.owner is None or not isinstance(v.owner.op, ARange):
        return None
    start, stop, step = v.owner.inputs
    plain = isinstance(start, Constant) and isinstance(step, Constant) and start.data == 0 and step.data == 1
    return count_of(stop) if plain else None


def _along(v: Variable) -> tuple[Variable, Pattern]:
    """The vector of which `v` is made, and how; what adds 0 to it aside."""
    made = v.owner
    if made is not None and made.op is add and isinstance(made.inputs[1], Constant) and not made.inputs[1].data.any():
        return _along(made.inputs[0])
    found = shuffled(v)
    if found is None:
        return v, tuple(range(v.ndim))
    return (_along(found[0])[0] if found[0].ndim == 1 else found[0]), found[1]


def _rows_and_columns(v: Variable, *ops: Elementwise) -> tuple[Axis, Axis] | None:
    """How many rows and columns the matrix `v` has if it compares, by one of `ops`, their numbers."""
    node = v.owner
    if node is None or node.op not in ops or v.ndim != 2:
        return None
    (first, down), (second, across) = map(_along, node.inputs)
    if node.op in COMMUTATIVE and across == (0, "x"):
        first, down, second, across = second, across, first, down
    rows, columns = _numbers(first), _numbers(second)
    fits = down == (0, "x") and across in ((0,), ("x", 0))
    return (rows, columns) if fits and rows is not None and columns is not None else None


def on_diagonal(v: Variable) -> bool:
    """Whether the square bool matrix `v` is true on its diagonal alone."""
    if isinstance(v, Constant) and v.dtype == "bool" and v.ndim == 2:
        return v.data.shape[0] == v.data.shape[1] and bool(np.all(v.data == np.eye(len(v.data), dtype=bool)))
    extents = _rows_and_columns(v, equal)
    return extents is not None and extents[0] == extents[1]


def identity_extent(v: Variable) -> Axis | None:
    """How many rows and columns the matrix `v` has, if it is the identity."""
    if isinstance(v, Constant) and v.ndim == 2 and v.dtype != "bool":
        square = v.data.shape[0] == v.data.shape[1] > 0 and bool(np.all(v.data == np.eye(len(v.data))))
        return _numbers(Constant(np.arange(len(v.data)))) if square else None
    truth = v.owner.inputs[0] if v.owner is not None and isinstance(v.owner.op, Cast) else None
    if truth is None or not on_diagonal(truth):
        return None
    extents = _rows_and_columns(truth, equal)
    return extents[0] if extents is not None else facts(truth).extents[0]


def is_identity(v: Variable) -> bool:
    """Whether the matrix `v` is the identity."""
    return identity_extent(v) is not None


def _zero_elsewhere(v: Variable) -> tuple[Variable, Variable] | None:
    """Where `v` is where(kept, x, 0): `kept` and `x`."""
    node = v.owner
    if node is None or node.op is not where or v.ndim != 2:
        return None
    kept, x, zero = node.inputs
    return (kept, x) if isinstance(zero, Constant) and uniform_value(zero) == 0 else None


def diagonal_part(v: Variable) -> Variable | None:
    """The matrix, or what broadcasts to it, of which the square matrix `v` is the diagonal; zero elsewhere."""
    found = _zero_elsewhere(v)
    return found[1] if found is not None and on_diagonal(found[0]) else None


def diagonal_of(v: Variable) -> Variable | None:
    """The vector d if `v` is seen to be diag(d)."""
    x = diagonal_part(v)
    found = shuffled(x) if x is not None else None
    if found is None or found[0].ndim != 1 or found[1] not in ((0, "x"), ("x", 0)):
        return None
    d = found[0]
    return d if facts(d).extents[0] == facts(v).extents[0] else None


@dataclass(frozen=True, slots=True)
class Scaling:
    """A matrix of zeros beside its diagonal, as the vector or number `d` on it; None: ones.

    `spoils`: the zeros are 0 * d, each with the `d` of its column (`down` is False) or of its row.
    """

    d: Variable | None
    extent: Axis
    spoils: bool = False
    down: bool = False


def scaling(v: Variable) -> Scaling | None:
    """What the matrix `v` scales by: the identity, diag(d), or the identity times a number, a row or a column."""
    unit = identity_extent(v)
    if unit is not None:
        return Scaling(None, unit)
    d = diagonal_of(v)
    if d is not None:
        return Scaling(d, facts(d).extents[0])
    if v.owner is None or v.owner.op is not multiply:
        return None
    for eye, factor in (v.owner.inputs, v.owner.inputs[::-1]):
        unit, extents = identity_extent(eye), facts(factor).extents
        varying = [axis for axis, extent in enumerate(extents) if extent]
        if unit is None or eye.dtype != v.dtype or factor.dtype != v.dtype or len(extents) > 2 or len(varying) > 1:
            continue
        if not varying or extents[varying[0]] == unit:
            return Scaling(dimshuffle(factor, varying), unit, True, bool(varying) and len(extents) - varying[0] == 2)
    return None


Side = Literal["lower", "upper"]


def triangular(v: Variable) -> Side | None:
    """The side of the matrices `v` on which alone they have elements other than zero."""
    source = untransposed(v)
    if source is not None:
        other: dict[Side | None, Side | None] = {"lower": "upper", "upper": "lower", None: None}
        return other[triangular(source)]
    if is_factor(v):
        return "lower"
    if v.owner is not None and isinstance(v.owner.op, QR) and v.index == 1:
        return "upper"
    found = _zero_elsewhere(v)
    if found is None:
        return None
    kept = found[0]
    if isinstance(kept, Constant) and kept.ndim == 2:  # folded: the extents were known
        return "lower" if not np.triu(kept.data, 1).any() else "upper" if not np.tril(kept.data, -1).any() else None
    if _rows_and_columns(kept, greater_equal) is not None:
        return "lower"
    return "upper" if _rows_and_columns(kept, less_equal) is not None else None


def is_factor(v: Variable) -> bool:
    """Whether `v` is a Cholesky factor: lower triangular, with a positive diagonal."""
    return v.owner is not None and isinstance(v.owner.op, Cholesky)
