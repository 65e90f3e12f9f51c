"""What programs for Theano and PyTensor call and NumPy has no function for, made of what stands elsewhere."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from graphlab.errors import GraphShapeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.check import check
from graphlab.ops.conversion import cast
from graphlab.ops.einsum import einsum
from graphlab.ops.elementwise import equal, subtract, where
from graphlab.ops.extents import normalized_axes, reshape
from graphlab.ops.grids import linspace, meshgrid
from graphlab.ops.join import as_tensor, concatenate, eye, stack
from graphlab.ops.linalg import dot, matmul
from graphlab.ops.ranges import arange
from graphlab.ops.rearrange import extent_along
from graphlab.ops.reduce import argmax
from graphlab.ops.reduce import max as largest
from graphlab.ops.shape import atleast_1d, atleast_2d, expand_dims, extent, squeeze
from graphlab.ops.special import xlogy

# ---- products of batches -------------------------------------------------------------------------


@user_boundary
def batched_dot(a: Any, b: Any) -> Variable:
    """The product of each matrix (or vector) of `a` with that of `b`, along their first axes.

    Of (n, i, j) and (n, j, k) it is (n, i, k); of (n, j) in place of either, without i or k.
    GraphShapeError: an operand is neither a matrix nor a 3-dimensional array.

    >>> batched_dot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [0.0, 2.0]]).eval()
    array([3., 8.])
    """
    x, y = as_tensor(a), as_tensor(b)
    if not {x.ndim, y.ndim} <= {2, 3}:
        raise GraphShapeError(
            f"batched_dot: expected 2 or 3 dimensions, got {x.type} and {y.type}",
            origin=caller_origin(),
            hint="T.matmul multiplies matrices in any shape of batch",
        )
    product = matmul(x if x.ndim == 3 else expand_dims(x, 1), y if y.ndim == 3 else expand_dims(y, 2))
    dropped = [axis for axis, v in ((1, x), (2, y)) if v.ndim == 2]
    return squeeze(product, tuple(dropped)) if dropped else product


@user_boundary
def batched_tensordot(a: Any, b: Any, axes: Any = 2) -> Variable:
    """tensordot of each entry of `a` along its first axis with that of `b`.

    `axes`: how many of the last axes of `a` meet the first of `b` after the batch, or the two lists of axes that
    meet, counted with the batch.

    >>> batched_tensordot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [0.0, 2.0]], 1).eval()
    array([3., 8.])
    """
    x, y = as_tensor(a), as_tensor(b)
    if isinstance(axes, int):
        axes = (range(x.ndim - axes, x.ndim), range(1, axes + 1))
    left, right = ([n] if isinstance(n, int) else list(n) for n in axes)
    if 0 in left or 0 in right or len(left) != len(right):
        raise GraphValueError("batched_tensordot: axes must pair axes behind the first, the batch, got "
                              f"{left} and {right}", origin=caller_origin())  # fmt: skip
    letters = iter(string.ascii_letters)
    of_x = [next(letters) for _ in range(x.ndim)]
    of_y = [of_x[0], *(next(letters) for _ in range(1, y.ndim))]
    for i, j in zip(left, right, strict=True):
        of_y[j] = of_x[i]
    met = {of_x[i] for i in left}
    kept = [letter for letter in (*of_x, *of_y[1:]) if letter not in met]
    return einsum(f"{''.join(of_x)},{''.join(of_y)}->{''.join(kept)}", x, y)


@user_boundary
def matrix_dot(*matrices: Any) -> Variable:
    """The product of several matrices, from the left.

    >>> matrix_dot([[2.0]], [[3.0]], [[4.0]]).eval()
    array([[24.]])
    """
    if not matrices:
        raise GraphValueError("matrix_dot: expected at least one matrix", origin=caller_origin())
    product = as_tensor(matrices[0])
    for factor in matrices[1:]:
        product = dot(product, factor)
    return product


# ---- shapes --------------------------------------------------------------------------------------


@user_boundary
def addbroadcast(x: Any, *axes: int) -> Variable:
    """`x` itself: in graphlab whatever extent is 1 when it runs broadcasts. The axes must exist."""
    variable = as_tensor(x)
    normalized_axes(axes, variable.ndim, "addbroadcast")
    return variable


@user_boundary
def unbroadcast(x: Any, *axes: int) -> Variable:
    """`x` itself, as addbroadcast."""
    return addbroadcast(x, *axes)


@user_boundary
def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Variable:
    """`x` itself, as addbroadcast; `broadcastable` has an entry for each axis."""
    variable = as_tensor(x)
    if len(broadcastable) != variable.ndim:
        raise GraphShapeError(f"patternbroadcast: {len(broadcastable)} entries do not fit {variable.type}",
                              origin=caller_origin())  # fmt: skip
    return variable


@user_boundary
def specify_shape(x: Any, shape: Sequence[int | None]) -> Variable:
    """`x`, with extents that are known from here on; None leaves one to the run.

    When it runs and an extent is another, that is an error. GraphShapeError: the rank is another.

    >>> import graphlab.tensor as T
    >>> str(specify_shape(T.dmatrix("x"), (None, 3)).type)
    'float64[?,3]'
    """
    variable = as_tensor(x)
    if len(shape) != variable.ndim:
        raise GraphShapeError(f"specify_shape: {tuple(shape)} has another rank than {variable.type}",
                              origin=caller_origin())  # fmt: skip
    unknown = [a for a, n in enumerate(shape) if n is not None and variable.type.shape[a] != n]
    for a in unknown:
        variable = check(variable, equal(extent(variable, a), shape[a]),
                         f"specify_shape: the extent of axis {a} is not {shape[a]}")  # fmt: skip
    extents = [extent(variable, a) if n is None else n for a, n in enumerate(shape)]
    return reshape(variable, tuple(extents)) if unknown else variable


@user_boundary
def makeKeepDims(x: Any, y: Any, axis: Any = None) -> Variable:
    """`y`, a reduction of `x` over `axis` that dropped the axes, with the axes kept as extents of 1."""
    return expand_dims(y, normalized_axes(axis, as_tensor(x).ndim, "makeKeepDims"))


@user_boundary
def horizontal_stack(*matrices: Any) -> Variable:
    """Matrices side by side."""
    return concatenate([as_tensor(m) for m in matrices], axis=1)


@user_boundary
def vertical_stack(*matrices: Any) -> Variable:
    """Matrices one below the other."""
    return concatenate([as_tensor(m) for m in matrices], axis=0)


@user_boundary
def hstack(arrays: Sequence[Any]) -> Variable:
    """Arrays side by side, vectors behind each other, as numpy.hstack.

    >>> hstack([[1, 2], [3]]).eval()
    array([1, 2, 3])
    """
    parts = [atleast_1d(a) for a in arrays]
    return concatenate(parts, axis=0 if parts and parts[0].ndim == 1 else 1)


@user_boundary
def vstack(arrays: Sequence[Any]) -> Variable:
    """Arrays one below the other, vectors as rows, as numpy.vstack.

    >>> vstack([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [3, 4]])
    """
    return concatenate([atleast_2d(a) for a in arrays], axis=0)


# ---- matrices with something on the diagonal -----------------------------------------------------


@user_boundary
def identity_like(x: Any, dtype: Any = None) -> Variable:
    """Ones on the diagonal and zeros elsewhere, in the shape of the matrix `x`."""
    matrix = _matrix(x, "identity_like")
    return eye(extent(matrix, 0), extent(matrix, 1), dtype=dtype or matrix.dtype)


@user_boundary
def fill_diagonal(a: Any, val: Any) -> Variable:
    """The matrix `a` with `val` on its diagonal.

    >>> fill_diagonal([[1.0, 2.0], [3.0, 4.0]], 0.0).eval()
    array([[0., 2.],
           [3., 0.]])
    """
    return fill_diagonal_offset(a, val, 0)


@user_boundary
def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Variable:
    """The matrix `a` with `val` on the diagonal that lies `offset` to the right of the main one."""
    matrix = _matrix(a, "fill_diagonal")
    rows, columns = (arange(extent_along(matrix, axis)) for axis in (0, 1))
    on = equal(subtract(expand_dims(columns, 0), expand_dims(rows, 1)), offset)
    return cast(where(on, val, matrix), matrix.dtype)


def _matrix(x: Any, what: str) -> Variable:
    variable = as_tensor(x)
    if variable.ndim != 2:
        raise GraphShapeError(f"{what}: expected a matrix, got {variable.type}", origin=caller_origin())
    return variable


# ---- values --------------------------------------------------------------------------------------


@user_boundary
def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Variable:
    """For each integer of `y` a row of zeros with a 1 at that place, in float64 unless `dtype` says another.

    Where there is no such place the row has no 1.

    >>> to_one_hot([0, 2], 3, "int8").eval()
    array([[1, 0, 0],
           [0, 0, 1]], dtype=int8)
    """
    labels = as_tensor(y)
    return cast(equal(expand_dims(labels, labels.ndim), arange(nb_class)), dtype or "float64")


@user_boundary
@user_boundary
def max_and_argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> tuple[Variable, Variable]:
    """The largest element along `axis` (None: of all) and its position, the first of equals.

    >>> import graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> [int(v.eval({x: [1.0, 5.0, 5.0]})) for v in T.max_and_argmax(x)]
    [5, 1]
    """
    return largest(x, axis, keepdims), argmax(x, axis, keepdims)


def xlogx(x: Any) -> Variable:
    """x log(x), and 0 at 0.

    >>> xlogx([0.0, 1.0]).eval()
    array([0., 0.])
    """
    result: Variable = xlogy(x, x)
    return result


class Grid:
    """Makes grids from slices, as numpy.mgrid (dense, one array) and numpy.ogrid (`sparse`, a tuple).

    The bounds may be symbolic. A step of 5j stands for 5 numbers with the end among them.

    >>> Grid(sparse=False)[0:2, 0:3].eval()[1]
    array([[0, 1, 2],
           [0, 1, 2]])
    """

    def __init__(self, *, sparse: bool) -> None:
        self.sparse = sparse

    @user_boundary
    def __getitem__(self, key: slice | tuple[slice, ...]) -> Any:
        if not isinstance(key, tuple):
            return self._range(key)
        grids = meshgrid(*map(self._range, key), indexing="ij", sparse=self.sparse)
        return grids if self.sparse else stack(grids)

    def _range(self, part: Any) -> Variable:
        if not isinstance(part, slice) or part.stop is None:
            raise GraphValueError(f"a grid needs slices with an end, got {part!r:.60}", origin=caller_origin(),
                                  hint="for example T.mgrid[0:3, 0:4]")  # fmt: skip
        start = 0 if part.start is None else part.start
        if isinstance(part.step, complex):
            return linspace(start, part.stop, int(abs(part.step)))
        return arange(start, part.stop, 1 if part.step is None else part.step)


mgrid, ogrid = Grid(sparse=False), Grid(sparse=True)
