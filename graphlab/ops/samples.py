"""Functions known by samples: interpolation, the trapezoidal rule, convolution of vectors, Vandermonde matrices."""

from __future__ import annotations

from typing import Any

from graphlab.dtypes import COMPLEX, promote
from graphlab.errors import GraphShapeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops import reduce
from graphlab.ops.conversion import cast
from graphlab.ops.cumulative import cumprod, diff
from graphlab.ops.elementwise import conjugate, equal, greater, greater_equal, isnan, less, maximum, minimum, where
from graphlab.ops.extents import normalized_axes, ones
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor, concatenate, stack
from graphlab.ops.linalg import dot
from graphlab.ops.ordering import searchsorted
from graphlab.ops.ranges import arange
from graphlab.ops.rearrange import along, extent_along, flip, pad, part
from graphlab.ops.shape import expand_dims, ravel


def _vector(x: Any, what: str) -> Variable:
    variable = as_tensor(x)
    if variable.ndim != 1:
        raise GraphShapeError(f"{what}: expected a vector, got {variable.type}", origin=caller_origin())
    return variable


def _conjugated(v: Variable) -> Variable:
    result: Variable = conjugate(v) if v.dtype in COMPLEX else v
    return result


@user_boundary
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Variable:
    """The piecewise linear function through the points (`xp`, `fp`), at `x`, as numpy.interp: in float64.

    `xp` ascends. Outside it has the values `left` and `right`, by default the first and the last of `fp`.
    The gradient goes to `x`, `xp` and `fp`.

    >>> interp(2.5, [1.0, 2.0, 3.0], [3.0, 2.0, 0.0]).eval()
    array(1.)
    """
    at = cast(x, "float64")
    knots, values = (cast(_vector(v, "interp"), "float64") for v in (xp, fp))
    n = extent_along(knots, 0)
    i = maximum(minimum(searchsorted(knots, at, "right") - 1, n - 2), 0)
    after = minimum(i + 1, n - 1)
    x0, x1, y0, y1 = index(knots, i), index(knots, after), index(values, i), index(values, after)
    width = x1 - x0
    inside = y0 + (at - x0) * ((y1 - y0) / where(equal(width, 0), 1, width))
    first, last = part(values, 0, 0), part(values, 0, -1)
    below, above = (first if left is None else left), (last if right is None else right)
    result = where(greater_equal(at, part(knots, 0, -1)), last, inside)
    result = where(greater(at, part(knots, 0, -1)), above, where(less(at, part(knots, 0, 0)), below, result))
    return where(isnan(at), at, result)  # type: ignore[no-any-return]


@user_boundary
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Variable:
    """The integral of samples `y` along `axis`, at the places `x` or `dx` apart, as numpy.trapezoid.

    >>> trapezoid([1.0, 2.0, 3.0]).eval()
    array(4.)
    """
    values, a = along(y, axis, "trapezoid")
    width: Any = dx
    if x is not None:
        places = as_tensor(x)
        if places.ndim == 1:
            width = expand_dims(diff(places), tuple(range(1, values.ndim - a)))
        else:
            width = diff(places, axis=axis)
    middle = (part(values, a, slice(1, None)) + part(values, a, slice(None, -1))) / 2.0
    return reduce.sum(width * middle, a)


# ---- convolution ---------------------------------------------------------------------------------


@user_boundary
def convolve(a: Any, v: Any, mode: str = "full") -> Variable:
    """The convolution of two vectors, sum over j of a[k - j] v[j], as numpy.convolve.

    `mode`: "full", every place where they overlap; "same", as many as the longer one has; "valid", only where
    they overlap wholly. It gathers a matrix of len(a) + len(v) - 1 by len(v); for long ones or many of them use
    T.nnet.conv1d or conv2d.
    GraphShapeError: an operand is no vector.

    >>> convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).eval()
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    first, second = _vector(a, "convolve"), _vector(v, "convolve")
    n, m = extent_along(first, 0), extent_along(second, 0)
    small, large = (min(n, m), max(n, m)) if isinstance(n, int) and isinstance(m, int) else (
        minimum(n, m), maximum(n, m)
    )  # fmt: skip
    return _cut(_full(first, second, n, m), (small - 1) // 2, small, large, mode, "convolve")


@user_boundary
def correlate(a: Any, v: Any, mode: str = "valid") -> Variable:
    """The correlation of two vectors, sum over j of a[k + j] conj(v[j]), as numpy.correlate; see convolve.

    >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).eval()
    array([3.5])
    """
    first, second = _vector(a, "correlate"), flip(_conjugated(_vector(v, "correlate")))
    n, m = extent_along(first, 0), extent_along(second, 0)
    if isinstance(n, int) and isinstance(m, int):
        small, large, before = min(n, m), max(n, m), (m - 1) // 2 if n >= m else n // 2
    else:
        small, large, before = minimum(n, m), maximum(n, m), where(greater_equal(n, m), (m - 1) // 2, n // 2)
    return _cut(_full(first, second, n, m), before, small, large, mode, "correlate")


def _full(a: Variable, v: Variable, n: Any, m: Any) -> Variable:
    padded = pad(a, ((m - 1, m - 1),))
    windows = expand_dims(arange(n + m - 1), 1) + expand_dims(arange(m), 0)
    return dot(index(padded, windows), flip(v))


def _cut(full: Variable, before: Any, small: Any, large: Any, mode: str, what: str) -> Variable:
    if mode == "full":
        return full
    if mode == "same":
        return index(full, slice(before, before + large))
    if mode == "valid":
        return index(full, slice(small - 1, large))
    raise GraphValueError(f"{what}: mode must be 'full', 'same' or 'valid', got {mode!r}", origin=caller_origin())


# ---- vectors and matrices from samples -----------------------------------------------------------


@user_boundary
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Variable:
    """The powers of the elements of a vector as columns, the highest first unless `increasing`, as numpy.vander.

    >>> vander([2, 3], 3).eval()
    array([[4, 2, 1],
           [9, 3, 1]])
    """
    base = _vector(x, "vander")
    base = cast(base, promote(base.dtype, "int64"))
    columns = extent_along(base, 0) if N is None else N
    if N == 0:
        return index(expand_dims(base, 1), (slice(None), slice(0, 0)))
    first = ones((extent_along(base, 0), 1), base.dtype)
    powers = expand_dims(base, 1) + cast(expand_dims(arange(columns - 1), 0) * 0, base.dtype)
    result = cumprod(concatenate([first, powers], axis=1), 1)
    return result if increasing else flip(result, 1)


@user_boundary
def cross(a: Any, b: Any, axis: int = -1) -> Variable:
    """The vector product of vectors of 3 elements along `axis`, as numpy.cross.

    GraphShapeError: the extent along `axis` is known and is not 3.

    >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).eval()
    array([0., 0., 1.])
    """
    operands = []
    for x in (a, b):
        variable = as_tensor(x)
        (where_,) = normalized_axes(axis, variable.ndim, "cross")
        if variable.type.shape[where_] not in (3, None):
            raise GraphShapeError(f"cross: expected 3 elements along axis {axis}, got {variable.type}",
                                  origin=caller_origin())  # fmt: skip
        operands.append([part(variable, where_, i) for i in range(3)])
    (a0, a1, a2), (b0, b1, b2) = operands
    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=axis)


@user_boundary
def vdot(a: Any, b: Any) -> Variable:
    """The sum of conj(a) b over all elements in a row, as numpy.vdot.

    >>> vdot([1.0, 2.0], [3.0, 4.0]).eval()
    array(11.)
    """
    first, second = ravel(as_tensor(a)), ravel(as_tensor(b))
    return dot(_conjugated(first), second)
