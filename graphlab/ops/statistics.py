"""Statistics: quantiles, weighted means, what ignores NaN, covariance and histograms, as NumPy's of the same name.

All are made of simpler operations, so that they fuse and differentiate by themselves.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, INTEGER, is_float
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Constant, Variable
from graphlab.ops import cumulative, products, reduce
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import (
    add,
    ceil,
    clip,
    equal,
    floor,
    greater_equal,
    isnan,
    less_equal,
    logical_and,
    minimum,
    rint,
    sqrt,
    subtract,
    true_divide,
    where,
)
from graphlab.ops.extents import normalized_axes, zeros_like
from graphlab.ops.grids import linspace
from graphlab.ops.join import as_tensor, concatenate
from graphlab.ops.linalg import matmul
from graphlab.ops.matrices import main_diagonal
from graphlab.ops.ordering import Sort, searchsorted
from graphlab.ops.rearrange import extent_along, flip, part
from graphlab.ops.shape import expand_dims, flatten, moveaxis, ravel, squeeze, transpose

# ---- quantiles -----------------------------------------------------------------------------------


def _hyndman_fan(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    # Hyndman and Fan, Sample quantiles in statistical packages (1996), counted from 0.
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


def _middle(n: Any, q: Any) -> Any:
    position = (n - 1) * q
    return 0.5 * (floor(position) + ceil(position))


# Where among n ordered elements the quantile q lies, by NumPy's names of the methods.
_POSITION: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q,
    "lower": lambda n, q: floor((n - 1) * q),
    "higher": lambda n, q: ceil((n - 1) * q),
    "nearest": lambda n, q: rint((n - 1) * q),
    "midpoint": _middle,
    "weibull": _hyndman_fan(0, 0),
    "hazen": _hyndman_fan(0.5, 0.5),
    "interpolated_inverted_cdf": _hyndman_fan(0, 1),
    "inverted_cdf": lambda n, q: ceil(n * q) - 1,
    "median_unbiased": _hyndman_fan(1 / 3, 1 / 3),
    "normal_unbiased": _hyndman_fan(3 / 8, 3 / 8),
}
_ON_AN_ELEMENT = ("lower", "higher", "nearest", "inverted_cdf")  # which keep the dtype of the elements


@user_boundary
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Variable:
    """The quantiles `q`, in [0, 1], of the elements over `axis` (None: all), as numpy.quantile.

    The axes of `q` come first in the result. `method`: linear, lower, higher, nearest, midpoint, inverted_cdf,
    interpolated_inverted_cdf, weibull, hazen, median_unbiased or normal_unbiased. NaN if there is one.
    The gradient goes to the elements beside the quantile, and to `q`.
    GraphValueError: `q` is known and outside [0, 1], or there is no such method.

    >>> quantile([1.0, 2.0, 4.0], [0.5, 0.75]).eval()
    array([2., 3.])
    """
    variable = as_tensor(x)
    if variable.dtype in COMPLEX:
        raise GraphTypeError(f"quantile: expected real numbers, got {variable.type}", origin=caller_origin())
    if method not in _POSITION:
        raise GraphValueError(f"quantile: method must be one of {', '.join(_POSITION)}, got {method!r}",
                              origin=caller_origin())  # fmt: skip
    weak = isinstance(q, int | float) and is_float(variable.dtype)
    wanted = as_tensor(np.asarray(q, variable.dtype) if weak else q)
    wanted = wanted if is_float(wanted.dtype) else cast(wanted, "float64")
    if isinstance(wanted, Constant) and not np.all((wanted.data >= 0) & (wanted.data <= 1)):
        raise GraphValueError(f"quantile: q must be in [0, 1], got {q}", origin=caller_origin())
    axes = normalized_axes(axis, variable.ndim, "quantile")
    rows = flatten(moveaxis(variable, axes, tuple(range(-len(axes), 0))), variable.ndim - len(axes) + 1) if axes else (
        expand_dims(variable, -1)
    )  # fmt: skip
    result = _of_rows(rows, wanted, method)
    return expand_dims(result, tuple(a + wanted.ndim for a in axes)) if keepdims and axes else result


def _of_rows(rows: Variable, q: Variable, method: str) -> Variable:
    """The quantiles along the last axis, with the axes of `q` first."""
    last = rows.ndim - 1
    n = extent_along(rows, last)
    n = n if isinstance(n, int) else cast(n, q.dtype)
    position = clip(_POSITION[method](n, q), 0, n - 1)
    before = floor(position)
    ordered = Sort(last)(rows)
    if rows.dtype in BOOL:
        ordered = cast(ordered, "float64")
    low = part(ordered, last, cast(before, "int64"))
    value = low
    if method not in _ON_AN_ELEMENT:
        high = part(ordered, last, cast(minimum(before + 1, n - 1), "int64"))
        share, step = position - before, high - low
        # From the nearer end, so that both ends are met exactly.
        value = where(greater_equal(share, 0.5), high - step * (1 - share), low + step * share)
    if is_float(rows.dtype):
        broken = expand_dims(reduce.any(isnan(rows), last), tuple(range(last, last + q.ndim)))
        value = where(broken, np.nan, value)
    return moveaxis(value, tuple(range(last, last + q.ndim)), tuple(range(q.ndim))) if q.ndim else value


@user_boundary
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Variable:
    """The percentiles `q`, in [0, 100], over `axis`, as numpy.percentile; see quantile.

    >>> percentile([1.0, 2.0, 4.0], 75).eval()
    array(3.)
    """
    if isinstance(q, Variable) and not isinstance(q, Constant):
        return quantile(x, true_divide(q, 100.0), axis, method, keepdims)
    known = q.data if isinstance(q, Constant) else np.asarray(q)
    if not np.all((known >= 0) & (known <= 100)):
        raise GraphValueError(f"percentile: q must be in [0, 100], got {q}", origin=caller_origin())
    share = q / 100 if isinstance(q, int | float) else known / known.dtype.type(100)
    return quantile(x, share, axis, method, keepdims)


# ---- weights -------------------------------------------------------------------------------------


@user_boundary
def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Variable:
    """The mean over `axis` with `weights` in the shape of `x`, or a vector along the one axis, as numpy.average.

    Weights that sum to 0 give NaN or an infinity, where NumPy raises.
    GraphShapeError: the weights have another rank than those two.

    >>> average([1.0, 4.0], weights=[2.0, 1.0]).eval()
    array(2.)
    """
    variable = as_tensor(x)
    if weights is None:
        return reduce.mean(variable, axis, keepdims=keepdims)
    given = as_tensor(weights)
    if given.ndim != variable.ndim:
        axes = normalized_axes(axis, variable.ndim, "average")
        if given.ndim != 1 or axis is None or len(axes) != 1:
            raise GraphShapeError(
                f"average: weights of rank {given.ndim} do not fit {variable.type}",
                origin=caller_origin(),
                hint="give weights of the same shape, or a vector and the one axis it goes along",
            )
        given = expand_dims(given, tuple(a for a in range(variable.ndim) if a != axes[0]))
    total = reduce.sum(variable * given, axis, keepdims=keepdims)
    weight = reduce.sum(cast(add(given, zeros_like(variable)), total.dtype), axis, keepdims=keepdims)
    mean: Variable = true_divide(total, weight)
    return mean


# ---- without NaN ---------------------------------------------------------------------------------


def _without(x: Any, instead: Any) -> tuple[Variable, Variable | None]:
    """`x` with NaN replaced by `instead`, and where there was one; None if there can't be."""
    variable = as_tensor(x)
    if variable.dtype in BOOL + INTEGER:
        return variable, None
    missing: Variable = isnan(variable)
    return where(missing, instead, variable), missing


@user_boundary
def nansum(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Variable:
    """The sum over `axis` of what is not NaN, as numpy.nansum.

    >>> nansum([1.0, float("nan"), 2.0]).eval()
    array(3.)
    """
    return reduce.sum(_without(x, 0)[0], axis, dtype, keepdims)


@user_boundary
def nanprod(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Variable:
    """The product over `axis` of what is not NaN, as numpy.nanprod."""
    return products.prod(_without(x, 1)[0], axis, dtype, keepdims)


def _present(missing: Variable, axis: Any, dtype: str, keepdims: bool) -> Variable:
    """How many numbers are not missing."""
    return cast(reduce.sum(equal(missing, False), axis, keepdims=keepdims), dtype)


@user_boundary
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The mean over `axis` of what is not NaN; NaN where all are, as numpy.nanmean."""
    kept, missing = _without(x, 0)
    if missing is None:
        return reduce.mean(kept, axis, keepdims=keepdims)
    total = reduce.sum(kept, axis, keepdims=keepdims)
    mean: Variable = true_divide(total, _present(missing, axis, _real(total), keepdims))
    return mean


@user_boundary
def nanvar(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Variable:
    """The variance over `axis` of what is not NaN; NaN where no more than `ddof` are left, as numpy.nanvar."""
    variable = as_tensor(x)
    _, missing = _without(variable, 0)
    if missing is None or variable.dtype in COMPLEX:
        if missing is not None:
            raise GraphTypeError(f"nanvar: expected real numbers, got {variable.type}", origin=caller_origin())
        return reduce.var(variable, axis, ddof=ddof, keepdims=keepdims)
    away = where(missing, 0, subtract(variable, nanmean(variable, axis, keepdims=True)))
    n = _present(missing, axis, variable.dtype, keepdims) - ddof
    total = reduce.sum(away * away, axis, keepdims=keepdims)
    result: Variable = where(less_equal(n, 0), np.nan, total / where(less_equal(n, 0), 1, n))
    return result


@user_boundary
def nanstd(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Variable:
    """The standard deviation over `axis` of what is not NaN, as numpy.nanstd."""
    result: Variable = sqrt(nanvar(x, axis, ddof, keepdims))
    return result


@user_boundary
def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The largest over `axis` of what is not NaN; NaN where all are, as numpy.nanmax."""
    return _extreme(reduce.max, -np.inf, x, axis, keepdims)


@user_boundary
def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """The smallest over `axis` of what is not NaN; NaN where all are, as numpy.nanmin."""
    return _extreme(reduce.min, np.inf, x, axis, keepdims)


def _extreme(fold: Callable[..., Variable], never: float, x: Any, axis: Any, keepdims: bool) -> Variable:
    kept, missing = _without(x, never)
    result = fold(kept, axis, keepdims=keepdims)
    return result if missing is None else where(reduce.all(missing, axis, keepdims=keepdims), np.nan, result)


def _real(v: Variable) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(v.dtype, v.dtype)


# ---- how variables go together -------------------------------------------------------------------


@user_boundary
def cov(x: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Variable:
    """The covariance matrix of the rows of `x` (columns unless `rowvar`), and of `y`, as numpy.cov: in float64.

    The sums of products are divided by n - 1, by n if `bias`, or by n - `ddof`. Of one variable, a vector or a
    matrix known to have one row, it is a scalar.

    >>> cov([[1.0, 2.0, 3.0], [1.0, 0.0, 2.0]]).eval()
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    rows = _rows(x, rowvar)
    if y is not None:
        rows = concatenate([rows, _rows(y, rowvar)], axis=0)
    n = extent_along(rows, 1)
    away = rows - reduce.mean(rows, 1, keepdims=True)
    ddof = (0 if bias else 1) if ddof is None else operator.index(ddof)
    result: Variable = matmul(away, transpose(away)) / cast(as_tensor(n - ddof), "float64")
    return squeeze(result, (0, 1)) if rows.type.shape[0] == 1 else result


def _rows(x: Any, rowvar: bool) -> Variable:
    variable = as_tensor(x)
    if variable.ndim > 2 or variable.dtype in COMPLEX:
        raise GraphTypeError(f"cov: expected a vector or matrix of real numbers, got {variable.type}",
                             origin=caller_origin())  # fmt: skip
    variable = cast(variable, "float64")
    if variable.ndim < 2:
        return expand_dims(ravel(variable), 0)
    return variable if rowvar else transpose(variable)


@user_boundary
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Variable:
    """The correlations of the rows of `x` (columns unless `rowvar`), and of `y`, as numpy.corrcoef: in float64.

    >>> corrcoef([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]).eval().round(6)
    array([[1., 1.],
           [1., 1.]])
    """
    together = cov(x, y, rowvar)
    if together.ndim == 0:
        ratio: Variable = together / together
        return ratio
    scale = sqrt(main_diagonal(together))
    return clip(together / expand_dims(scale, 1) / expand_dims(scale, 0), -1.0, 1.0)


# ---- how often -----------------------------------------------------------------------------------


@user_boundary
def digitize(x: Any, bins: Any, right: bool = False) -> Variable:
    """The number of the bin of each element of `x` between the ordered edges `bins`, as numpy.digitize.

    Bin i is bins[i-1] <= x < bins[i], or with `right` bins[i-1] < x <= bins[i]. Edges may descend if they are
    known; symbolic ones must ascend.

    >>> digitize([0.5, 1.0, 9.0], [0.0, 1.0, 2.0]).eval()
    array([1, 2, 3])
    """
    edges, side = as_tensor(bins), "left" if right else "right"
    if isinstance(edges, Constant) and edges.data.size > 1 and edges.data[0] > edges.data[-1]:
        place: Variable = edges.data.size - searchsorted(flip(edges), x, side)
        return place
    return searchsorted(edges, x, side)


@user_boundary
def histogram(
    x: Any, bins: Any = 10, range: tuple[Any, Any] | None = None, density: bool = False, weights: Any = None
) -> tuple[Variable, Variable]:
    """How many elements of `x` lie in each bin, and the edges of the bins, as numpy.histogram.

    `bins`: a number of equal bins between the ends `range` (default: the least and the largest element), or
    ascending edges. The last bin has its right edge too. `weights` are summed in place of counting, and get a
    gradient. `density`: divided by the total and the widths.

    >>> histogram([1.0, 2.0, 1.0], bins=2)[0].eval()
    array([2, 1])
    """
    data = ravel(as_tensor(x))
    edges = _edges(data, bins, range) if isinstance(bins, int) else as_tensor(bins)
    if edges.ndim != 1:
        raise GraphTypeError(f"histogram: bins must be an integer or a vector of edges, got {edges.type}",
                             origin=caller_origin())  # fmt: skip
    count = extent_along(edges, 0) - 1
    first, last = part(edges, 0, 0), part(edges, 0, -1)
    place = where(equal(data, last), count - 1, searchsorted(edges, data, "right") - 1)
    inside = logical_and(greater_equal(data, first), less_equal(data, last))
    # What lies outside goes into one more bin, which is dropped, as are those that no element reaches.
    spare = as_tensor(np.zeros(1, "int64")) + count
    places = concatenate([where(inside, place, count), spare], axis=0)
    if weights is not None:
        weights = concatenate([ravel(as_tensor(weights)), np.zeros(1)], axis=0)
    counts = part(cumulative.bincount(places, weights), 0, slice(None, count))
    if density:
        counts = counts / cumulative.diff(edges) / reduce.sum(counts)
    return counts, edges


def _edges(data: Variable, bins: int, range: tuple[Any, Any] | None) -> Variable:
    if bins < 1:
        raise GraphValueError(f"histogram: bins must be positive, got {bins}", origin=caller_origin())
    low, high = map(as_tensor, range) if range else (reduce.min(data), reduce.max(data))
    if range and is_float(data.dtype):
        low, high = cast(low, data.dtype), cast(high, data.dtype)
    flat = equal(low, high)  # then NumPy makes bins around the one value
    return linspace(where(flat, low - 0.5, low), where(flat, high + 0.5, high), bins + 1)
