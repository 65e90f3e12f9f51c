"""What stands between the brackets of x[...]: a key of numbers, slices, new axes and arrays."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import EllipsisType
from typing import Any

import numpy as np

from graphlab.dtypes import is_integer
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Constant, Variable, as_data_variable
from graphlab.graph.types import Extent, Shape, TensorType, broadcast_shape
from graphlab.ops.base import Array
from graphlab.ops.conversion import cast
from graphlab.ops.extents import shape_vector

# ---- the key -------------------------------------------------------------------------------------


class Slot(Enum):
    """Stands in a key for the next of the op's index inputs."""

    INPUT = "·"

    def __repr__(self) -> str:
        return self.value


SLOT = Slot.INPUT
Bound = int | Slot | None


@dataclass(frozen=True, slots=True)
class Slice:
    """start:stop:step, each an integer, absent or symbolic."""

    start: Bound = None
    stop: Bound = None
    step: Bound = None

    @property
    def bounds(self) -> tuple[Bound, Bound, Bound]:
        """Start, stop and step."""
        return (self.start, self.stop, self.step)

    def extent(self, n: Extent) -> Extent:
        """How many elements it selects from `n`; None if that is not known."""
        if self in (FULL, REVERSED) or n is None or SLOT in self.bounds:
            return n if self in (FULL, REVERSED) else None
        return len(range(*slice(*self.bounds).indices(n)))


FULL, REVERSED = Slice(), Slice(step=-1)
Entry = int | Slot | Slice | EllipsisType | None


@dataclass(frozen=True, slots=True)
class Key:
    """One entry per axis: an integer, a slice, None for a new axis, SLOT for an input (a number or an array).

    An ellipsis is already spelled out; it stays only where it covers no axis and yet, as in NumPy,
    keeps two index arrays apart.
    """

    entries: tuple[Entry, ...]

    def filled(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The entries as NumPy takes them, the slots filled by `values` in order."""
        pending = iter(values)

        def fill(entry: Any) -> Any:
            if isinstance(entry, Slice):
                return slice(*(fill(bound) for bound in entry.bounds))
            return next(pending) if entry is SLOT else entry

        return tuple(fill(entry) for entry in self.entries)

    def numpy(self, values: Sequence[Array]) -> tuple[Any, ...]:
        """The key for NumPy: scalars become Python's, so that basic indexing gives views."""
        return self.filled([v if v.ndim else v.item() for v in values])

    def text(self, names: Sequence[str]) -> str:
        """As it is written between brackets."""
        return ", ".join(_entry_text(entry) for entry in self.filled(names))

    def __str__(self) -> str:
        return f"[{', '.join(_entry_text(entry) for entry in self.filled([SLOT] * 64))}]"


def _entry_text(entry: Any) -> str:
    if isinstance(entry, slice):
        bounds = ["" if b is None else str(b) for b in (entry.start, entry.stop, entry.step)]
        return ":".join(bounds if bounds[2] else bounds[:2])
    return "..." if entry is ... else repr(entry) if isinstance(entry, Slot) else str(entry)


def is_mask(t: TensorType) -> bool:
    """Whether an index input selects by truth, not by position."""
    return t.dtype == "bool"


def is_advanced(types: Sequence[TensorType]) -> bool:
    """Whether any index input is an array or a mask: NumPy then gathers, instead of giving a view."""
    return any(t.ndim or is_mask(t) for t in types)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Where NumPy puts the axes of the index arrays of a key: `rank` axes from axis `at` of the part on.

    That is where they stand in the key if they are `together`, else in front.
    """

    rank: int
    at: int
    together: bool

    @staticmethod
    def by(key: Key, types: Sequence[TensorType]) -> Gathered:
        """Those of `key`, whose slots are filled by inputs of `types`; integers count as arrays beside arrays."""
        kept, first, rank, places = 0, 0, 0, list[int]()
        for position, entry in enumerate(key.filled(types)):
            if entry is None or isinstance(entry, slice):
                kept += 1
            elif entry is not ...:
                first = first if places else kept
                places.append(position)
                if isinstance(entry, TensorType):
                    rank = max(rank, 1 if is_mask(entry) else entry.ndim)
        together = not places or places[-1] - places[0] == len(places) - 1
        return Gathered(rank, first if together else 0, together)


# ---- from what the user wrote --------------------------------------------------------------------


def _scalar(item: Any) -> tuple[Bound, list[Variable]]:
    """An integer, or a slot with its int64 scalar."""
    if isinstance(item, Variable) and not isinstance(item, Constant):
        if item.ndim == 0 and is_integer(item.dtype):
            return SLOT, [cast(item, "int64")]
    elif item is None:
        return None, []
    else:
        try:
            return operator.index(item.data[()] if isinstance(item, Constant) else item), []
        except (TypeError, IndexError):
            pass
    came = item.type if isinstance(item, Variable) else repr(item)
    raise GraphTypeError(
        f"the bounds of a slice must be integers, got {came}",
        origin=caller_origin(),
        hint="use integers or integer scalars; cast a float first, for example i.astype('int64')",
    )


def _slice(item: slice) -> tuple[Slice, list[Variable]]:
    bounds, inputs = zip(*(_scalar(b) for b in (item.start, item.stop, item.step)), strict=True)
    if bounds[2] == 0:
        raise GraphValueError("the step of a slice can't be zero", origin=caller_origin())
    return Slice(*bounds), [v for found in inputs for v in found]


def index_array(item: Any) -> Variable:
    """An index that is not a Python integer, slice, None or ellipsis, as an integer or boolean variable."""
    if isinstance(item, list) and any(isinstance(i, Variable) for i in item):
        return shape_vector(item)
    v = as_data_variable(item)
    if isinstance(item, list | tuple) and v.type.shape == (0,):
        v = Constant(np.zeros(0, "int64"))  # an empty list has no dtype of its own
    if is_integer(v.dtype) or is_mask(v.type):
        return v
    raise GraphTypeError(
        f"an index must be of integers or booleans, got {v.name or ''}{': ' if v.name else ''}{v.type}",
        origin=caller_origin(),
        hint="cast it first, for example i.astype('int64')",
    )


def _entry(item: Any) -> tuple[Entry, list[Variable], int]:
    """One item of a key: its entry, its inputs, and how many axes it covers."""
    if item is None or item is ...:
        return item, [], 0
    if isinstance(item, slice):
        return *_slice(item), 1
    if isinstance(item, int | np.integer) and not isinstance(item, bool):
        return int(item), [], 1
    v = index_array(item)
    if v.ndim or is_mask(v.type):
        return SLOT, [v], v.ndim if is_mask(v.type) else 1
    return *_scalar(v), 1


def parse_key(key: Any, ndim: int) -> tuple[Key, list[Variable]]:
    """What stands between the brackets of an array of rank `ndim`: the Key and the inputs for its slots.

    GraphIndexError if it covers more than `ndim` axes or has two ellipses.
    """
    parts = [_entry(item) for item in (key if isinstance(key, tuple) else (key,))]
    inputs = [v for _, found, _ in parts for v in found]
    missing = ndim - sum(covers for _, _, covers in parts)
    if missing < 0:
        raise GraphIndexError(
            f"too many indices: the operand has {ndim} dimensions, the key covers {ndim - missing}",
            origin=caller_origin(),
        )
    entries = [entry for entry, _, _ in parts]
    if sum(e is ... for e in entries) > 1:
        raise GraphIndexError("an index can have only one ellipsis", origin=caller_origin())
    if ... not in entries:
        entries.append(...)
    at = entries.index(...)
    separates = missing == 0 and 0 < at < len(entries) - 1 and is_advanced([v.type for v in inputs])
    entries[at : at + 1] = [...] if separates else [FULL] * missing
    return Key(tuple(entries)), inputs


# ---- the shape of what it selects ----------------------------------------------------------------


def _checked(entry: int, n: Extent) -> None:
    if n is not None and not -n <= entry < n:
        raise GraphIndexError(f"index {entry} is out of range for an axis of extent {n}")


def indexed_shape(key: Key, shape: Shape, types: Sequence[TensorType]) -> Shape:
    """The static shape of what `key` selects from an array of `shape`, index inputs having `types`."""
    extents, pending = iter(shape), iter(types)
    kept: list[Extent] = []  # of axes that are not indexed by arrays
    gathered: list[Shape] = []  # shapes of the index arrays; integers count as arrays beside arrays
    places: list[int] = []  # positions of the entries that are arrays or integers
    first = 0  # where among `kept` the first of them stands
    for position, entry in enumerate(key.entries):
        if entry is None:
            kept.append(1)
        elif isinstance(entry, Slice):
            for bound in entry.bounds:
                if bound is SLOT:
                    next(pending)
            kept.append(entry.extent(next(extents)))
        elif entry is not ...:
            index = next(pending) if entry is SLOT else TensorType("int64")
            if isinstance(entry, int):
                _checked(entry, next(extents))
            else:
                _covered(index, extents)
            first = first if places else len(kept)
            places.append(position)
            gathered.append((None,) if is_mask(index) else index.shape)
    if not is_advanced(types):
        return tuple(kept)
    together = places[-1] - places[0] == len(places) - 1
    at = first if together else 0
    return (*kept[:at], *_broadcast(gathered), *kept[at:])


def _covered(index: TensorType, extents: Iterator[Extent]) -> None:
    """Take from `extents` the axes that an index input covers; a mask must have their extents."""
    if not is_mask(index):
        next(extents)
        return
    for n in index.shape:
        have = next(extents)
        if None not in (n, have) and n != have:
            raise GraphIndexError(f"a mask of extent {n} does not fit an axis of extent {have}")


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    try:
        return broadcast_shape(shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise GraphIndexError(f"index arrays of shapes {listed} do not broadcast") from None
