"""Norms of vectors and matrices, composed of reductions and singular values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX, is_float
from graphlab.errors import GraphValueError, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import absolute, add, equal, imag, not_equal, power, real, sqrt, square, where
from graphlab.ops.extents import normalized_axes
from graphlab.ops.join import as_tensor
from graphlab.ops.reduce import max as max_over
from graphlab.ops.reduce import min as min_over
from graphlab.ops.reduce import sum as sum_over
from graphlab.ops.shape import expand_dims, moveaxis, squeeze
from graphlab.ops.singular import svdvals

Axes = tuple[int, ...]


@user_boundary
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Variable:
    """The norm of vectors along an `axis`, or of matrices in two, as numpy.linalg.norm (None: of the whole).

    `ord` of vectors: a number, inf or -inf; of matrices: None or "fro", "nuc", 1, -1, 2, -2, inf, -inf.
    The gradient of the Euclidean and Frobenius norm at 0 is 0. GraphValueError: there is no such norm.

    >>> norm(np.ones((5, 3, 4)), "nuc", axis=(1, 2)).type.shape
    (5,)
    """
    variable = as_tensor(x)
    variable = variable if is_float(variable.dtype) else cast(variable, "float64")
    given = axis if isinstance(axis, tuple | list) else range(variable.ndim) if axis is None else (axis,)
    normalized_axes(tuple(given), variable.ndim, "norm")  # refuses duplicates
    axes = tuple(normalized_axes(a, variable.ndim, "norm")[0] for a in given)
    if axis is None and ord is None:
        result = _euclidean(variable, axes)
    elif len(axes) == 1:
        result = _of_vectors(variable, ord, axes)
    elif len(axes) == 2:
        result = _of_matrices(variable, ord, axes)
    else:
        raise GraphValueError(f"norm: expected one axis or two, got {len(axes)}", hint="without ord all axes are taken")
    return result if keepdims else squeeze(result, axes)


def _modulus_squared(x: Variable) -> Variable:
    squared: Variable = add(square(real(x)), square(imag(x))) if x.dtype in COMPLEX else square(x)
    return squared


def _euclidean(x: Variable, axes: Axes) -> Variable:
    """sqrt(sum |x|^2), where the root of 0, which has no derivative, is set apart."""
    squares = sum_over(_modulus_squared(x), axes, keepdims=True)
    zero = equal(squares, 0)
    root: Variable = where(zero, 0, sqrt(where(zero, 1, squares)))
    return root


def _of_vectors(x: Variable, ord: Any, axes: Axes) -> Variable:
    if isinstance(ord, str) or not np.isscalar(2 if ord is None else ord):
        raise GraphValueError(f"norm: vectors have no norm of order {ord!r}", hint="give a number, inf or -inf")
    if ord is None or ord == 2:
        return _euclidean(x, axes)
    sizes = absolute(x)
    if ord == 0:
        return sum_over(cast(not_equal(x, 0), sizes.dtype), axes, keepdims=True)
    if ord in (np.inf, -np.inf):
        return (max_over if ord > 0 else min_over)(sizes, axes, keepdims=True)
    if ord == 1:
        return sum_over(sizes, axes, keepdims=True)
    rooted: Variable = power(sum_over(power(sizes, float(ord)), axes, keepdims=True), 1.0 / float(ord))
    return rooted


def _of_matrices(x: Variable, ord: Any, axes: Axes) -> Variable:
    rows, columns = axes
    of_sums: dict[Any, tuple[Callable[..., Variable], int, int]] = {  # the extreme over one axis of sums over the other
        1: (max_over, columns, rows), -1: (min_over, columns, rows),
        np.inf: (max_over, rows, columns), -np.inf: (min_over, rows, columns),
    }  # fmt: skip
    of_singular: dict[Any, Callable[..., Variable]] = {2: max_over, -2: min_over, "nuc": sum_over}
    if ord in (None, "fro", "f"):
        return _euclidean(x, axes)
    if ord in of_sums:
        extreme, over, summed = of_sums[ord]
        return extreme(sum_over(absolute(x), summed, keepdims=True), over, keepdims=True)
    if ord in of_singular:
        values = svdvals(moveaxis(x, axes, (-2, -1)))
        return expand_dims(of_singular[ord](values, -1), axes)
    raise GraphValueError(
        f"norm: matrices have no norm of order {ord!r}", hint="give 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"
    )
