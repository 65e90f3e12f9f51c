"""Evenly spaced numbers, coordinate grids, and matrices by their diagonals and triangles."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlab.dtypes import canonical, is_integer, promote
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Constant, Variable
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import (
    add,
    equal,
    floor,
    greater_equal,
    less_equal,
    maximum,
    minimum,
    multiply,
    subtract,
    true_divide,
    where,
)
from graphlab.ops.extents import broadcast_to
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor, eye
from graphlab.ops.ranges import arange
from graphlab.ops.rearrange import extent_along, pad
from graphlab.ops.shape import expand_dims, moveaxis, ravel

# ---- ranges and grids ----------------------------------------------------------------------------


@user_boundary
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Variable:
    """`num` evenly spaced numbers from `start` to `stop`, `stop` itself only if `endpoint`, as numpy.linspace.

    Where `start` and `stop` are arrays, the numbers stand along a new first axis. Rounded down for an
    integer `dtype`. GraphValueError: `num` is negative.

    >>> linspace(0, 1, 5).eval()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    count = _as_integer(num, "linspace: num")
    if count < 0:
        raise GraphValueError(f"linspace: num can't be negative, got {count}", origin=caller_origin())
    first, last = subtract.convert(start, stop)
    inside = promote(first.dtype, last.dtype, 1.0)
    first, last = cast(first, inside), cast(last, inside)
    steps = expand_dims(Constant(np.arange(count, dtype=inside)), _behind(max(first.ndim, last.ndim)))
    step = true_divide(subtract(last, first), max(count - 1 if endpoint else count, 1))
    numbers = add(multiply(steps, step), first)
    if endpoint and count > 1:
        numbers = where(equal(steps, count - 1), last, numbers)  # not a rounding error beside it
    chosen = inside if dtype is None else canonical(dtype)
    return cast(floor(numbers) if is_integer(chosen) else numbers, chosen)


def _behind(count: int) -> tuple[int, ...]:
    return tuple(range(-count, 0))


def _as_integer(value: Any, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise GraphTypeError(
            f"{what} must be an integer, got {value!r:.40}",
            origin=caller_origin(),
            hint="it is fixed when the graph is built",
        ) from None


@user_boundary
def meshgrid(*arrays: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Variable, ...]:
    """The coordinates of a grid whose axes are the vectors `arrays`, as numpy.meshgrid: one array for each.

    indexing="ij": vector k runs along axis k; "xy": the first two are exchanged. `sparse`: each keeps
    extent 1 along the axes of the others, with which it broadcasts.

    >>> [g.type.shape for g in meshgrid([1, 2, 3], [4, 5])]
    [(2, 3), (2, 3)]
    """
    if indexing not in ("xy", "ij"):
        raise GraphValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}", origin=caller_origin())
    vectors = [ravel(as_tensor(a)) for a in arrays]
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = 1, 0
    extents = [extent_along(vectors[a], 0) for a in axes]  # the exchange is its own inverse
    thin = [expand_dims(v, tuple(b for b in range(len(axes)) if b != a)) for v, a in zip(vectors, axes, strict=True)]
    return tuple(thin if sparse else [broadcast_to(v, extents) for v in thin])


# ---- diagonals and triangles ---------------------------------------------------------------------


@user_boundary
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The elements at i, i + `offset` along `axis1` and `axis2`, along a new last axis, as numpy.diagonal.

    >>> diagonal([[1, 2, 3], [4, 5, 6]], 1).eval()
    array([2, 6])
    """
    variable, k = as_tensor(x), _as_integer(offset, "diagonal: offset")
    turned = moveaxis(variable, (axis1, axis2), (-2, -1))
    down, right = max(-k, 0), max(k, 0)
    rows, columns = (extent_along(turned, a) for a in (turned.ndim - 2, turned.ndim - 1))
    if isinstance(rows, int) and isinstance(columns, int):
        count: Any = max(min(rows - down, columns - right), 0)
    else:
        count = maximum(minimum(rows - down, columns - right), 0)
    steps = arange(count)
    return index(turned, (..., add(steps, down) if down else steps, add(steps, right) if right else steps))


@user_boundary
def diag(v: Any, k: int = 0) -> Variable:
    """Diagonal `k` of a matrix, or the matrix with the vector `v` on it and zeros elsewhere, as numpy.diag.

    >>> diag([1, 2]).eval()
    array([[1, 0],
           [0, 2]])
    """
    variable, offset = as_tensor(v), _as_integer(k, "diag: k")
    if variable.ndim == 2:
        return diagonal(variable, offset)
    if variable.ndim != 1:
        raise GraphTypeError(f"diag: expected a vector or a matrix, got {variable.type}", origin=caller_origin())
    # The element for row i, or below the main diagonal for column j.
    elements = expand_dims(pad(variable, (0, abs(offset))), 1 if offset >= 0 else 0)
    n = extent_along(variable, 0) + abs(offset)
    return where(eye(n, k=offset, dtype="bool"), elements, _zero(variable))  # type: ignore[no-any-return]


def _zero(x: Variable) -> Variable:
    return Constant(np.zeros((), x.dtype))


def _triangle(x: Any, k: Any, keeps: Callable[..., Variable]) -> Variable:
    """`x` where `keeps` holds of row + k and column, and zero elsewhere; a vector stands for each row."""
    variable = as_tensor(x)
    if variable.ndim == 0:
        raise GraphTypeError(f"expected a matrix, got {variable.type}", origin=caller_origin())
    rows = arange(extent_along(variable, max(variable.ndim - 2, 0)))
    columns = arange(extent_along(variable, variable.ndim - 1))
    shifted = rows if isinstance(k, int) and k == 0 else add(rows, k)
    kept: Variable = where(keeps(expand_dims(shifted, 1), columns), variable, _zero(variable))
    return kept


@user_boundary
def tril(x: Any, k: Any = 0) -> Variable:
    """`x` with zeros above diagonal `k` of its last two axes, as numpy.tril.

    >>> tril([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [3, 4]])
    """
    return _triangle(x, k, greater_equal)


@user_boundary
def triu(x: Any, k: Any = 0) -> Variable:
    """`x` with zeros below diagonal `k` of its last two axes, as numpy.triu.

    >>> triu([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [0, 4]])
    """
    return _triangle(x, k, less_equal)
