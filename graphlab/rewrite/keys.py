"""Keys of indexing as values: the slice of a slice, the positions that an entry selects, keys that can't meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import Extent
from graphlab.ops.index import Index
from graphlab.ops.key import SLOT, Key, Slice, is_advanced

# What stands for an axis of an array: an integer or an integer scalar, a slice with such bounds, an array.
# None stands for a new axis.
Item = Any
WHOLE = slice(None)
FAR = 1 << 62  # beyond the end of every axis


def items_of(key: Key, indices: Sequence[Variable]) -> tuple[Item, ...]:
    """The entries of `key`, its slots filled; scalars that are known are integers."""
    return key.filled([int(v.data) if isinstance(v, Constant) and v.ndim == 0 and v.dtype == "int64" else v
                       for v in indices])  # fmt: skip


def part(x: Variable, items: Sequence[Item]) -> Variable:
    """The part of `x` that `items` select, one for each axis and None for new ones; `x` itself if that is all of it."""
    if all(map(is_whole, items)):
        return x
    inputs = list[Variable]()

    def entry(item: Item) -> Any:
        if isinstance(item, slice):
            return Slice(*(entry(bound) for bound in (item.start, item.stop, item.step)))
        if isinstance(item, Variable):
            inputs.append(item)
            return SLOT
        return item

    key = Key(tuple(entry(item) for item in items))
    selected: Variable = Index(key)(x, *inputs)
    return selected


def is_basic(node: Apply, first: int = 1) -> bool:
    """Whether the key of `node`, whose inputs from `first` on fill its slots, has no index arrays or masks."""
    return not is_advanced([v.type for v in node.inputs[first:]])


def is_whole(item: Item) -> bool:
    """Whether it is a full slice."""
    return isinstance(item, slice) and item.start is item.stop is item.step is None


def as_slice(entry: Item) -> slice | None:
    """A slice whose bounds are integers or absent; None for anything else."""
    if not isinstance(entry, slice):
        return None
    return entry if all(b is None or isinstance(b, int) for b in (entry.start, entry.stop, entry.step)) else None


# ---- slices of slices ----------------------------------------------------------------------------


def canonical(positions: range, n: int) -> slice:
    """The slice that selects `positions` of an axis of extent `n`."""
    if positions == range(n):
        return WHOLE
    if not positions:
        return slice(0, 0)
    step = None if positions.step == 1 or len(positions) == 1 else positions.step
    stop = positions[-1] + (1 if step is None or step > 0 else -1)
    return slice(positions[0], None if stop < 0 else stop, step)


def sliced_slice(inner: slice, outer: slice, n: Extent) -> slice | None:
    """The slice equal to `inner` followed by `outer` on an axis of extent `n`; None if none is known to be."""
    if is_whole(inner) or is_whole(outer):
        return outer if is_whole(inner) else inner
    if n is not None:
        return canonical(range(n)[inner][outer], n)
    a, b, s = inner.start or 0, inner.stop, inner.step or 1
    c, d, t = outer.start or 0, outer.stop, outer.step or 1
    if c < 0 or t < 0:
        return WHOLE if inner == outer == slice(None, None, -1) else None
    if inner == slice(None, None, -1) and (d is None or d >= 0):
        return slice(-1 - c if c else None, None if d is None else -1 - d, -t)
    if a < 0 or s < 0:
        return None
    if (b is None or b >= 0) and (d is None or d >= 0):
        ends = [end for end in (b, None if d is None else a + d * s) if end is not None]
        return _tidy(a + c * s, min(ends, default=None), s * t)
    if s == t == 1 and (b is None or b < 0) and (d is None or d < 0):
        return _tidy(a + c, (b or 0) + (d or 0) or None, 1)
    return None


def _tidy(start: int, stop: int | None, step: int) -> slice:
    return slice(start or None, stop, step if step != 1 else None)


def picked_of_slice(inner: slice, i: int, n: Extent) -> int | None:
    """The position of element `i` of `inner`; None if it is not known, or may be out of range for one of them alone."""
    if n is not None:
        positions = range(n)[inner]
        return positions[i] if -len(positions) <= i < len(positions) else None
    a, b, s = inner.start or 0, inner.stop, inner.step or 1
    if inner == slice(None, None, -1):
        return -1 - i
    if i >= 0 and a >= 0 and s > 0 and (b is None or a + i * s < b):
        return a + i * s
    if i < 0 and s == 1 and b is None and -a >= -i:  # the last -a elements
        return i
    return i if is_whole(inner) else None


# ---- positions -----------------------------------------------------------------------------------


def positions(item: Item, n: Extent) -> range | None:
    """Those that `item` selects of an axis of extent `n` (not known: selects at most); None if they are not known."""
    if isinstance(item, int):
        at = item + n if n is not None and item < 0 else item
        return range(at, at + 1) if at >= 0 else None
    bounds = as_slice(item)
    if bounds is None:
        return None
    if n is not None:
        return range(n)[bounds]
    a, b, s = bounds.start or 0, bounds.stop, bounds.step or 1
    return range(a, FAR if b is None or b < 0 else b, s) if a >= 0 and s > 0 else None


def never_meet(a: Sequence[Item], b: Sequence[Item], shape: Sequence[Extent]) -> bool:
    """Whether two basic keys without new axes select no element twice of an array of `shape`."""
    return any(_apart(i, j, n) for i, j, n in zip(a, b, shape, strict=True))


def _apart(a: Item, b: Item, n: Extent) -> bool:
    if isinstance(a, int) and isinstance(b, int) and a < 0 and b < 0:
        return a != b
    one, other = positions(a, n), positions(b, n)
    if one is None or other is None:
        return False
    if not one or not other:
        return True
    interleaved = one.step == other.step and (one.start - other.start) % one.step != 0
    return interleaved or _last(one) < _first(other) or _last(other) < _first(one)


def _first(some: range) -> int:
    return min(some[0], some[-1])


def _last(some: range) -> int:
    return max(some[0], some[-1])
