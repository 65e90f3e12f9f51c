"""What the linear algebra of matrices shares: checks of their types, triangles, diagonals, products."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX, is_float
from graphlab.errors import GraphShapeError, GraphTypeError
from graphlab.graph.cost import UNKNOWN, elements
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Extent, Shape, TensorType, broadcast_shape
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, conjugate, equal, multiply, reciprocal, subtract, where
from graphlab.ops.grids import tril, triu
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Host
from graphlab.ops.ranges import arange
from graphlab.ops.reduce import sum as sum_over
from graphlab.ops.shape import expand_dims, extent, swapaxes

LAPACK = Host("LAPACK computes it, through NumPy")


def inexact(x: Any, what: str) -> Variable:
    """`x` as floats that LAPACK knows: integers become float64, as in numpy.linalg."""
    variable = as_tensor(x)
    if variable.dtype == "float16":
        raise GraphTypeError(f"{what} is not defined for float16", hint="cast it: x.astype('float32')")
    return variable if is_float(variable.dtype) else cast(variable, "float64")


def checked_finite(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The matrices `a`, if all their elements are finite; LAPACK's singular values may not end if not.

    Raises LinAlgError, as NumPy does for a NaN.
    """
    if not np.isfinite(a).all():
        raise np.linalg.LinAlgError("SVD did not converge: the operand has a NaN or an infinity")
    return a


def real_dtype(dtype: str) -> str:
    """The dtype of the modulus of numbers of `dtype`."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def matrix_shape(what: str, t: TensorType) -> tuple[Shape, Extent, Extent]:
    """The shape of a batch of matrices: its batch dimensions, rows and columns."""
    if t.ndim < 2:
        raise GraphTypeError(f"{what}: expected a matrix or a batch of matrices, got {t}")
    return t.shape[:-2], t.shape[-2], t.shape[-1]


def counted(t: TensorType) -> tuple[int, int, int]:
    """How many matrices `t` holds, their rows and columns: for estimates of work.

    These are those of Golub and Van Loan, "Matrix Computations", for LAPACK's algorithms.
    """
    rows, columns = (UNKNOWN if n is None else n for n in t.shape[-2:])
    return elements(t.with_shape(t.shape[:-2])), rows, columns


def square_shape(what: str, t: TensorType) -> tuple[Shape, Extent]:
    """The batch dimensions of square matrices, and their rows."""
    batch, rows, columns = matrix_shape(what, t)
    if None not in (rows, columns) and rows != columns:
        raise GraphShapeError(f"{what}: expected square matrices, got {t}")
    return batch, columns if rows is None else rows


def smaller(rows: Extent, columns: Extent) -> Extent:
    """The smaller of two extents, None if it is not known."""
    return None if rows is None or columns is None else min(rows, columns)


def fitting_batch(what: str, a: TensorType, b: TensorType) -> Shape:
    """The batch dimensions that the matrices `a` and right sides `b` broadcast to, if their rows agree."""
    (batch_a, rows_a, _), (batch_b, rows_b, _) = matrix_shape(what, a), matrix_shape(what, b)
    if None not in (rows_a, rows_b) and rows_a != rows_b:
        raise GraphShapeError(f"{what}: {a} has {rows_a} rows, the right side {b} has {rows_b}")
    try:
        return broadcast_shape([batch_a, batch_b])
    except ValueError:
        message = f"{what}: {a} and {b}: the dimensions before the last two do not broadcast"
        raise GraphShapeError(message) from None


def turned(a: Variable) -> Variable:
    """Each matrix transposed."""
    return swapaxes(a, -1, -2)


def conj(a: Variable) -> Variable:
    """The conjugates of complex numbers; real ones as they are."""
    result: Variable = conjugate(a) if a.dtype in COMPLEX else a
    return result


def adjoint(a: Variable) -> Variable:
    """Each matrix transposed, and conjugated if it is complex."""
    return conj(turned(a))


def total(*terms: Variable | None) -> Variable | None:
    """The sum of those terms that there are."""
    present = [t for t in terms if t is not None]
    return reduce(add, present) if present else None


def triangle(x: Variable, lower: bool = True, strict: bool = False) -> Variable:
    """The lower (or upper) triangle of each matrix, with its diagonal unless `strict`; zeros elsewhere."""
    return tril(x, -int(strict)) if lower else triu(x, int(strict))


def mirrored(x: Variable, lower: bool = True) -> Variable:
    """The symmetric (Hermitian) matrices of which `x` holds the lower (or upper) triangle."""
    whole: Variable = add(triangle(x, lower), adjoint(triangle(x, lower, strict=True)))
    return whole


def folded(x: Variable, lower: bool = True) -> Variable:
    """The adjoint of `mirrored`: the other triangle added to the lower (or upper) one."""
    half: Variable = add(triangle(x, lower), triangle(adjoint(x), lower, strict=True))
    return half


def on_diagonal(n: Variable) -> Variable:
    """The truth of row = column in matrices of `n` rows and columns."""
    truth: Variable = equal(expand_dims(arange(n), 1), arange(n))
    return truth


def diagonal_matrix(v: Variable) -> Variable:
    """Matrices with the vectors `v` on their diagonals."""
    made: Variable = where(on_diagonal(extent(v, -1)), expand_dims(v, -2), 0)
    return made


def main_diagonal(x: Variable) -> Variable:
    """The diagonals of square matrices."""
    return sum_over(where(on_diagonal(extent(x, -1)), x, 0), -1)


def columns_by(v: Variable) -> Variable:
    """Factors for the columns of matrices: A * columns_by(v) is A diag(v)."""
    return expand_dims(v, -2)


def rows_by(v: Variable) -> Variable:
    """Factors for the rows of matrices: A * rows_by(v) is diag(v) A."""
    return expand_dims(v, -1)


def inverse_gaps(v: Variable) -> Variable:
    """F with F[i, j] = 1 / (v[j] - v[i]), and 0 on the diagonal."""
    same = on_diagonal(extent(v, -1))
    gaps: Variable = where(same, 0, reciprocal(where(same, 1, subtract(columns_by(v), rows_by(v)))))
    return gaps


def inner_product(x: Variable, y: Variable) -> Variable:
    """<x, y> of matrices: the sum of the products of their elements."""
    return sum_over(multiply(x, y), (-2, -1))


def each(scalars: Variable) -> Variable:
    """A batch of scalars, so that it broadcasts against a batch of matrices."""
    return expand_dims(scalars, (-2, -1))


def only_real(node: Apply, what: str) -> None:
    """Refuse a derivative for which only real numbers have a formula here."""
    dtype = node.inputs[0].dtype
    if dtype in COMPLEX:
        raise GraphTypeError(f"{node.op.name} of {dtype} has no {what}", hint="only that of real matrices is known")
