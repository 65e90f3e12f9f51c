"""The same elements in other places: flipped, rolled, padded, and taken by positions along an axis.

These are spelled with indexing and concatenation, which bring their own C and gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.elementwise import maximum, minimum, remainder
from graphlab.ops.extents import full, normalized_axes, reshape, shape_of
from graphlab.ops.index import index, take
from graphlab.ops.join import as_tensor, concatenate
from graphlab.ops.key import index_array
from graphlab.ops.ranges import arange
from graphlab.ops.shape import extent, ravel

ALL = slice(None)

# ---- an axis as an argument ----------------------------------------------------------------------


def along(x: Any, axis: Any, what: str) -> tuple[Variable, int]:
    """`x` and one axis of it, counted from the front; None stands for all elements in a row."""
    variable = as_tensor(x)
    if axis is None:
        return ravel(variable), 0
    axes = normalized_axes(axis, variable.ndim, what)
    if len(axes) != 1:
        raise GraphTypeError(f"{what}: expected one axis or None, got {axis}", origin=caller_origin())
    return variable, axes[0]


def extent_along(x: Variable, axis: int) -> Any:
    """The extent of `x` along `axis`: a Python integer if it is known, else a symbolic one."""
    known = x.type.shape[axis]
    return extent(x, axis) if known is None else known


def part(x: Variable, axis: int, which: Any) -> Variable:
    """What `which`, a slice, a number or positions, selects along `axis`."""
    return index(x, (*(ALL,) * axis, which))


# ---- flipped and rolled --------------------------------------------------------------------------


@user_boundary
def flip(x: Any, axis: Any = None) -> Variable:
    """`x` with its elements in reverse order along `axis` (None: all, an integer or a tuple), as numpy.flip.

    >>> flip([1, 2, 3]).eval()
    array([3, 2, 1])
    """
    variable = as_tensor(x)
    axes = normalized_axes(axis, variable.ndim, "flip")
    key = tuple(slice(None, None, -1) if a in axes else ALL for a in range(variable.ndim))
    return index(variable, key) if axes else variable


@user_boundary
def roll(x: Any, shift: Any, axis: Any = None) -> Variable:
    """`x` moved on by `shift` along `axis`, what leaves at the end coming in at the start, as numpy.roll.

    `shift` is an integer, symbolic or not, or a tuple with one for each axis of the tuple `axis`. Without
    an axis, all elements are rolled in a row.

    >>> roll([1, 2, 3, 4], 1).eval()
    array([4, 1, 2, 3])
    """
    variable = as_tensor(x)
    if axis is None:
        return reshape(roll(ravel(variable), shift, 0), shape_of(variable))
    shifts = list(shift) if isinstance(shift, tuple | list) else [shift]
    axes = list(axis) if isinstance(axis, tuple | list) else [axis]
    count = max(len(shifts), len(axes))
    if {len(shifts), len(axes)} - {1, count}:
        raise GraphValueError(f"roll: {len(shifts)} shifts given for {len(axes)} axes", origin=caller_origin())
    for by, a in zip(shifts * (count // len(shifts)), axes * (count // len(axes)), strict=True):
        variable = _rolled(variable, by, normalized_axes(a, variable.ndim, "roll")[0])
    return variable


def _rolled(x: Variable, shift: Any, axis: int) -> Variable:
    n = extent_along(x, axis)
    if isinstance(n, int) and isinstance(shift, int):
        cut: Any = n - shift % n if n else 0
    else:
        cut = n - remainder(shift, n)  # a remainder by 0 is 0, so that nothing stays nothing
    return concatenate([part(x, axis, slice(cut, None)), part(x, axis, slice(None, cut))], axis)


# ---- padded --------------------------------------------------------------------------------------

# Which of n elements stands at position p, where p may lie outside.
_MODES: dict[str, Callable[[Variable, Any], Variable]] = {
    "edge": lambda p, n: minimum(maximum(p, 0), n - 1),
    "wrap": lambda p, n: remainder(p, n),
    "reflect": lambda p, n: _there_and_back(p, 2 * (n - 1), 0),
    "symmetric": lambda p, n: _there_and_back(p, 2 * n, 1),
}


def _there_and_back(p: Variable, period: Any, repeats: int) -> Variable:
    q = remainder(p, period)
    nearer: Variable = minimum(q, period - repeats - q)
    return nearer


@user_boundary
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Variable:
    """`x` made larger at its edges, as numpy.pad.

    `pad_width`: how many elements, an integer for every edge, a pair (before, after) for every axis, or
    a pair for each axis. They are `constant_values`, or taken from `x` by `mode`: "edge" (the last one
    again), "reflect" (mirrored at the last one), "symmetric" (mirrored behind it) or "wrap".
    GraphValueError: no such mode, or a negative width.

    >>> pad([1, 2, 3], (2, 1), "reflect").eval()
    array([3, 2, 1, 2, 3, 2])
    """
    variable = as_tensor(x)
    if mode != "constant" and mode not in _MODES:
        modes = ", ".join(["constant", *_MODES])
        raise GraphValueError(f"pad: there is no mode {mode!r}", origin=caller_origin(), hint=f"one of {modes}")
    for axis, (before, after) in enumerate(_widths(pad_width, variable.ndim)):
        if all(isinstance(n, int) and n == 0 for n in (before, after)):
            continue
        if mode == "constant":
            variable = _padded(variable, before, after, axis, constant_values)
        else:
            n = extent_along(variable, axis)
            where_from = _MODES[mode](arange(-before, n + after), n)
            variable = take(variable, where_from, axis)
    return variable


def _padded(x: Variable, before: Any, after: Any, axis: int, value: Any) -> Variable:
    extents = [extent_along(x, a) for a in range(x.ndim)]
    edges = [full([*extents[:axis], n, *extents[axis + 1 :]], value, x.dtype) for n in (before, after)]
    return concatenate([edges[0], x, edges[1]], axis)


def _widths(pad_width: Any, ndim: int) -> Sequence[tuple[Any, Any]]:
    """`pad_width` as a pair for each axis."""
    given = pad_width.tolist() if hasattr(pad_width, "tolist") else pad_width
    rows = given if isinstance(given, tuple | list) else [given]
    nested = any(isinstance(row, tuple | list) for row in rows)
    rows = [row if isinstance(row, tuple | list) else [row] for row in rows] if nested else [rows]
    pairs = [tuple(row) if len(row) == 2 else (*row, *row) for row in rows] * (ndim if len(rows) == 1 else 1)
    if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
        raise GraphShapeError(f"pad: {pad_width} does not give a pair for each of {ndim} axes", origin=caller_origin())
    if any(isinstance(n, int) and n < 0 for pair in pairs for n in pair):
        raise GraphValueError(f"pad: a width can't be negative, got {pad_width}", origin=caller_origin())
    return pairs


# ---- taken by positions --------------------------------------------------------------------------


@user_boundary
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Variable:
    """For each of `indices` the element of `x` at that position along `axis`, as numpy.take_along_axis.

    `indices`, of the rank of `x`, broadcasts with it along the other axes. Where a position is named
    twice, the gradients of both add up. GraphShapeError: the ranks differ.

    >>> take_along_axis([[3, 1, 2]], [[1, 2, 0]]).eval()
    array([[1, 2, 3]])
    """
    variable, axis = along(x, axis, "take_along_axis")
    positions = index_array(indices)
    if positions.ndim != variable.ndim:
        raise GraphShapeError(
            f"take_along_axis: {variable.type} needs indices of its rank, got {positions.type}",
            origin=caller_origin(),
        )
    ranges = [_column(extent_along(variable, a), variable.ndim - a - 1) for a in range(variable.ndim)]
    return index(variable, (*ranges[:axis], positions, *ranges[axis + 1 :]))


def _column(n: Any, after: int) -> Variable:
    """0, 1, ... n - 1 with `after` axes of extent 1 behind."""
    return reshape(arange(n), [n, *(1,) * after])
