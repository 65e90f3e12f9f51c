"""Extents that only the run knows, as expressions: equal expressions are equal extents in every run.

An axis is described by the set of extents that are broadcast together in it: x + y has {x's, y's}, an
extent of 1 is the empty set. An extent is a number, that of an axis of some variable, or one derived from
others: what a slice leaves, a sum (of arrays joined) or a product (of axes merged).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from graphlab.ops.key import FULL, REVERSED, SLOT, Slice


@dataclass(frozen=True, slots=True)
class Derived:
    """An extent computed from others.

    kind "cut": max(n - k, 0) of (axis, k). "first": min(n, k) of (axis, k). "slice": what is left of
    (axis, bounds). "sum" and "product": of (number, the pairs of an axis and how often it takes part).
    """

    kind: str
    parts: tuple[Any, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Those that it is computed from."""
        if self.kind in ("sum", "product"):
            return tuple(axis for axis, _ in self.parts[1])
        return (self.parts[0],)


# A known extent (not 1), that of an axis of the variable with that id, or one derived from others.
Atom = int | tuple[int, int] | Derived
Axis = frozenset[Atom]
Extents = tuple[Axis, ...]

ONE: Axis = frozenset()
VALUE = -1  # the "axis" that stands for the value of an integer scalar


def of_number(n: int) -> Axis:
    """The axis of extent `n`."""
    return ONE if n == 1 else frozenset([n])


def number(axis: Axis) -> int | None:
    """The extent of `axis` if it is known."""
    if not axis:
        return 1
    (first, *more) = axis
    return first if isinstance(first, int) and not more else None


def has_value(axis: Axis) -> bool:
    """Whether it depends on the value of an integer scalar, which, unlike an extent, may be negative."""
    return any(
        atom[1] == VALUE if isinstance(atom, tuple) else isinstance(atom, Derived) and any(map(has_value, atom.axes))
        for atom in axis
    )


def is_large(axis: Axis, most: int, depth: int = 3) -> bool:
    """Whether its expression holds more than `most` atoms in one place, or nests deeper than `depth`."""
    inner = [atom for atom in axis if isinstance(atom, Derived)]
    return len(axis) > most or any(
        depth == 0 or len(atom.axes) > most or any(is_large(a, most, depth - 1) for a in atom.axes) for atom in inner
    )


def broadcast(operands: Sequence[Extents]) -> Extents:
    """The extents of operands that are broadcast together."""
    rank = max((len(e) for e in operands), default=0)
    padded = [(ONE,) * (rank - len(e)) + e for e in operands]
    return tuple(frozenset().union(*axes) for axes in zip(*padded, strict=True))


# ---- sums and products ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Total:
    """A number plus axes (`kind` "sum"), or a number times axes ("product"), each so many times."""

    kind: str
    number: int
    axes: Mapping[Axis, int]

    @staticmethod
    def of(kind: str, axis: Axis) -> Total:
        """What `axis` is as a sum or as a product."""
        known = number(axis)
        if known is not None:
            return Total(kind, known, {})
        (atom, *more) = axis
        if isinstance(atom, Derived) and atom.kind == kind and not more:
            return Total(kind, atom.parts[0], dict(atom.parts[1]))
        return Total(kind, int(kind == "product"), {axis: 1})

    def __and__(self, other: Total) -> Total:
        both = self.number + other.number if self.kind == "sum" else self.number * other.number
        return Total(self.kind, both, Counter(self.axes) + Counter(other.axes))

    def without(self, part: Total) -> Total | None:
        """What is left if `part` is taken away; None if it is not seen to be a part of it."""
        axes = Counter(self.axes)
        axes.subtract(Counter(part.axes))
        if min(axes.values(), default=0) < 0:
            return None
        if self.kind == "sum":
            left: int | None = self.number - part.number
        else:
            left = self.number // part.number if part.number > 0 and self.number % part.number == 0 else None
        return None if left is None or left < 0 else Total(self.kind, left, +axes)

    @property
    def axis(self) -> Axis:
        """The axis whose extent it is."""
        if not self.axes or (self.kind == "product" and self.number == 0):
            return of_number(self.number)
        (first, *more) = self.axes.items()
        if not more and first[1] == 1 and self.number == int(self.kind == "product"):
            return first[0]
        return frozenset([Derived(self.kind, (self.number, frozenset(self.axes.items())))])


def combined(kind: str, axes: Iterable[Axis]) -> Total:
    """The "sum" or the "product" of the extents of `axes`."""
    return reduce(Total.__and__, (Total.of(kind, a) for a in axes), Total(kind, int(kind == "product"), {}))


# ---- slices --------------------------------------------------------------------------------------


def sliced(axis: Axis, entry: Slice, bounds: Sequence[Any]) -> Axis:
    """What `entry` leaves of `axis`; `bounds` are its own: None, integers, and axes for symbolic extents.

    A bound of any other kind stands for itself.
    """
    known = number(axis)
    if entry in (FULL, REVERSED):
        return axis
    if SLOT not in entry.bounds:
        return of_number(len(range(*slice(*entry.bounds).indices(known)))) if known is not None else _cut(axis, entry)
    start, stop, step = bounds
    if step in (None, 1) and all(b is None or isinstance(b, frozenset) or (isinstance(b, int) and b >= 0)
                                 for b in (start, stop)):  # fmt: skip
        whole = Total.of("sum", axis)
        first, last = _as_sum(start, Total("sum", 0, {})), _as_sum(stop, whole)
        span = last.without(first)
        if span is not None and whole.without(last) is not None:
            return span.axis
    return frozenset([Derived("slice", (axis, tuple(bounds)))])


def _as_sum(bound: Axis | int | None, absent: Total) -> Total:
    if isinstance(bound, frozenset):
        return Total.of("sum", bound)
    return absent if bound is None else Total("sum", bound, {})


def _cut(axis: Axis, entry: Slice) -> Axis:
    """A slice with constant bounds of an axis of unknown extent."""
    start, stop, step = entry.bounds
    assert start is not SLOT
    assert stop is not SLOT
    first = start or 0
    if step in (None, 1):
        if first >= 0 and (stop is None or stop < 0):
            return _shorter(axis, first - (stop or 0))
        if (first == 0) == (stop is not None) and first <= 0 and (stop is None or stop >= 0):
            return frozenset([Derived("first", (axis, stop if stop is not None else -first))])
    return frozenset([Derived("slice", (axis, entry.bounds))])


def _shorter(axis: Axis, count: int) -> Axis:
    """`axis` without `count` of its elements, as far as it has them."""
    atom = next(iter(axis))
    if isinstance(atom, Derived) and atom.kind == "cut" and len(axis) == 1:
        return _shorter(atom.parts[0], atom.parts[1] + count)
    return frozenset([Derived("cut", (axis, count))]) if count else axis
