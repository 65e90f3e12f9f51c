"""Square matrices, in batches: their systems of equations, inverses, determinants, powers and exponentials.

The derivatives are those of M. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation", 2008; there as here an overbar (a name `by_a`) is a cotangent.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from scipy import linalg as scipy_linalg

from graphlab.dtypes import COMPLEX, is_float, promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Extent, Shape, TensorType, broadcast_shape
from graphlab.ops.base import Array, Cotangents, Host, Lowering, Op
from graphlab.ops.elementwise import (
    ZERO,
    add,
    cast,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    multiply,
    negative,
    subtract,
    where,
)
from graphlab.ops.extents import broadcast_to, normalized_axes, reshape, shape_of, zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import arange, as_tensor, concatenate, eye
from graphlab.ops.linalg import matmul
from graphlab.ops.reduce import sum as sum_over
from graphlab.ops.shape import expand_dims, extent, moveaxis, shape_padleft, size, squeeze, swapaxes

LAPACK = Host("LAPACK computes it, through NumPy")
SCIPY = Host("LAPACK computes it, through SciPy")

# ---- what matrices are checked for, and made of ----------------------------------------------------


def inexact(x: Any, what: str) -> Variable:
    """`x` as floats that LAPACK knows: integers become float64, as in numpy.linalg."""
    variable = as_tensor(x)
    if variable.dtype == "float16":
        raise GraphTypeError(f"{what} is not defined for float16", hint="cast it: x.astype('float32')")
    return variable if is_float(variable.dtype) else cast(variable, "float64")


def real_dtype(dtype: str) -> str:
    """The dtype of the modulus of numbers of `dtype`."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def matrix_shape(what: str, t: TensorType) -> tuple[Shape, Extent, Extent]:
    """The shape of a batch of matrices: its batch dimensions, rows and columns."""
    if t.ndim < 2:
        raise GraphTypeError(f"{what}: expected a matrix or a batch of matrices, got {t}")
    return t.shape[:-2], t.shape[-2], t.shape[-1]


def square_shape(what: str, t: TensorType) -> tuple[Shape, Extent]:
    """The batch dimensions of square matrices, and their rows."""
    batch, rows, columns = matrix_shape(what, t)
    if None not in (rows, columns) and rows != columns:
        raise GraphShapeError(f"{what}: expected square matrices, got {t}")
    return batch, columns if rows is None else rows


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


def total(*terms: Variable | None) -> Variable | None:
    """The sum of those terms that there are."""
    present = [t for t in terms if t is not None]
    return reduce(add, present) if present else None


def triangle(x: Variable, lower: bool = True, strict: bool = False) -> Variable:
    """The lower (or upper) triangle of each matrix, with its diagonal unless `strict`; zeros elsewhere."""
    rows, columns = expand_dims(arange(extent(x, -2)), 1), arange(extent(x, -1))
    inside = (greater if strict else greater_equal) if lower else (less if strict else less_equal)
    kept: Variable = where(inside(rows, columns), x, 0)
    return kept


def mirrored(x: Variable, lower: bool = True) -> Variable:
    """The symmetric matrices of which `x` holds the lower (or upper) triangle."""
    whole: Variable = add(triangle(x, lower), turned(triangle(x, lower, strict=True)))
    return whole


def folded(x: Variable, lower: bool = True) -> Variable:
    """The adjoint of `mirrored`: the other triangle added to the lower (or upper) one."""
    half: Variable = add(triangle(x, lower), triangle(turned(x), lower, strict=True))
    return half


def on_diagonal(n: Variable) -> Variable:
    """The truth of row = column in matrices of `n` rows and columns."""
    truth: Variable = equal(expand_dims(arange(n), 1), arange(n))
    return truth


def diagonal_matrix(v: Variable) -> Variable:
    """Matrices with the vectors `v` on their diagonals."""
    made: Variable = where(on_diagonal(extent(v, -1)), expand_dims(v, -2), 0)
    return made


def diagonal(x: Variable) -> Variable:
    """The diagonals of square matrices."""
    return sum_over(where(on_diagonal(extent(x, -1)), x, 0), -1)


def inner_product(x: Variable, y: Variable) -> Variable:
    """<x, y> of matrices: the sum of the products of their elements."""
    return sum_over(multiply(x, y), (-2, -1))


def _each(scalars: Variable) -> Variable:
    """A batch of scalars, so that it broadcasts against a batch of matrices."""
    return expand_dims(scalars, (-2, -1))


# ---- systems of equations --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Solve(Op):
    """X of A X = B, for square matrices A and matrices B of right sides, in batches that broadcast."""

    name = "solve"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        _, n = square_shape(self.name, a)
        batch = fitting_batch(self.name, a, b)
        return (b.with_shape((*batch, b.shape[-2] if n is None else n, b.shape[-1])),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.solve(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Giles 2.3.1: by_B = A^-T by_X, by_A = -by_B X^T.
        (a, _), (x,), (g,) = node.inputs, node.outputs, cotangents
        by_b = self(turned(a), g)
        return [negative(matmul(by_b, turned(x))), by_b]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # dX = A^-1 (dB - dA X).
        (a, _), (x,), (along_a, along_b) = node.inputs, node.outputs, tangents
        moved = None if along_a is None else negative(matmul(along_a, x))
        right = total(along_b, moved)
        return [None if right is None else self(a, right)]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class SolveTriangular(Op):
    """X of op(A) X = B for triangular A, of which only the `lower` (or upper) triangle is read.

    `trans`: "N", "T" or "C" for A, its transpose or its conjugate transpose; `unit_diagonal`: ones stand
    on the diagonal, whatever A says.
    """

    lower: bool
    trans: str = "N"
    unit_diagonal: bool = False
    name = "solve_triangular"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return Solve().infer(*inputs)

    def numpy(self, *values: Array) -> Any:
        a, b = values
        if 0 in a.shape or 0 in b.shape:  # SciPy refuses a batch of nothing
            return np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
        return scipy_linalg.solve_triangular(
            a, b, trans=self.trans, lower=self.lower, unit_diagonal=self.unit_diagonal, check_finite=False
        )

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # As `Solve`, in the triangle that is read; for A^T X = B it is by_A = -X by_B^T.
        (a, _), (x,), (g,) = node.inputs, node.outputs, cotangents
        if self.trans == "C":
            raise GraphTypeError(f"{self.name} of the conjugate transpose has no gradient")
        other = SolveTriangular(self.lower, "T" if self.trans == "N" else "N", self.unit_diagonal)
        by_b = other(a, g)
        product = matmul(by_b, turned(x)) if self.trans == "N" else matmul(x, turned(by_b))
        return [negative(self._read(product)), by_b]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a, _), (x,), (along_a, along_b) = node.inputs, node.outputs, tangents
        if self.trans == "C":
            raise GraphTypeError(f"{self.name} of the conjugate transpose has no forward derivative")
        moved = None
        if along_a is not None:
            read = self._read(along_a)
            moved = negative(matmul(read if self.trans == "N" else turned(read), x))
        right = total(along_b, moved)
        return [None if right is None else self(a, right)]

    def _read(self, x: Variable) -> Variable:
        return triangle(x, self.lower, strict=self.unit_diagonal)

    def lowering(self, node: Apply) -> Lowering:
        return SCIPY


def solved(op: Op, a: Any, b: Any) -> Variable:
    """`op` of matrices and right sides, where `b` may be one vector, as numpy.linalg.solve takes it."""
    left, right = inexact(a, op.name), inexact(b, op.name)
    dtype = promote(left.dtype, right.dtype)
    left, right = cast(left, dtype), cast(right, dtype)
    if right.ndim == 1:
        return squeeze(op(left, expand_dims(right, 1)), -1)
    result: Variable = op(left, right)
    return result


@user_boundary
def solve(a: Any, b: Any) -> Variable:
    """x of a @ x = b, as numpy.linalg.solve: `a` is (..., n, n), `b` a vector (n,) or (..., n, k).

    GraphShapeError: `a` is not square, or `b` does not fit; GraphValueError as it runs: `a` is singular.

    >>> solve(np.ones((5, 3, 3)), np.ones((3, 2))).type.shape
    (5, 3, 2)
    """
    return solved(Solve(), a, b)


_TRANS = {0: "N", 1: "T", 2: "C", "N": "N", "T": "T", "C": "C"}


@user_boundary
def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Variable:
    """x of op(a) @ x = b for triangular `a`, as scipy.linalg.solve_triangular; the other triangle is not read.

    `trans`: 0 or "N" for a, 1 or "T" for its transpose, 2 or "C" for the conjugate transpose.
    `unit_diagonal`: take the diagonal as ones. Errors as those of `solve`.
    """
    if trans not in _TRANS:
        raise GraphValueError(f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    left, right = inexact(a, "solve_triangular"), inexact(b, "solve_triangular")
    how = _TRANS[trans]
    if how == "C" and promote(left.dtype, right.dtype) not in COMPLEX:
        how = "T"
    return solved(SolveTriangular(bool(lower), how, bool(unit_diagonal)), left, right)


@dataclass(frozen=True, slots=True)
class Inv(Op):
    """The inverses of square matrices."""

    name = "inv"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return (a.with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.inv(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Giles 2.2.3: by_A = -C^T by_C C^T for C = A^-1.
        (c,), (g,) = node.outputs, cotangents
        assert g is not None
        return [negative(matmul(matmul(turned(c), g), turned(c)))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (c,), (t,) = node.outputs, tangents
        return [None if t is None else negative(matmul(matmul(c, t), c))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def inv(a: Any) -> Variable:
    """The inverse of each matrix of `a`, (..., n, n), as numpy.linalg.inv. To solve equations use `solve`.

    GraphShapeError: not square; GraphValueError as it runs: singular.

    >>> inv(np.eye(2, dtype="float32")).type
    TensorType(dtype='float32', shape=(2, 2))
    """
    inverse: Variable = Inv()(inexact(a, "inv"))
    return inverse


# ---- determinants ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Det(Op):
    """The determinants of square matrices."""

    name = "det"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0].with_shape(square_shape(self.name, inputs[0])[0]),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.det(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Jacobi: d det A = <cofactors, dA>, which is det A <A^-T, dA> (Giles 2.2.4) but never divides.
        (g,) = cotangents
        assert g is not None
        return [multiply(_each(g), Cofactors()(*node.inputs))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,) = tangents
        return [None if t is None else inner_product(Cofactors()(*node.inputs), t)]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class Cofactors(Op):
    """The derivative of det A by A: det(A) A^-T, and its limit where A is singular."""

    name = "cofactors"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return Inv().infer(*inputs)

    def numpy(self, *values: Array) -> Any:
        # The cofactors of a product are the product of the cofactors, and A = U S V^H.
        u, s, vh = np.linalg.svd(values[0])
        others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]), axis=-1)
        sign = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        return sign * ((u.conj() * others[..., None, :]) @ vh.conj())

    def _derivative(self, node: Apply, t: Variable | None) -> Variable | None:
        # dC = <N, dA> C - C dA^T N for N = A^-T: a symmetric map, so its own transpose. It needs det A != 0.
        if t is None:
            return None
        (a,), (c,) = node.inputs, node.outputs
        n = turned(Inv()(a))
        change: Variable = subtract(multiply(_each(inner_product(n, t)), c), matmul(matmul(c, turned(t)), n))
        return change

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [self._derivative(node, cotangents[0])]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [self._derivative(node, tangents[0])]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def det(a: Any) -> Variable:
    """The determinant of each matrix of `a`, (..., n, n), as numpy.linalg.det.

    The gradient, the cofactors, is right for singular matrices too; a second one needs them to be regular.

    >>> det(np.ones((5, 3, 3))).type.shape
    (5,)
    """
    determinant: Variable = Det()(inexact(a, "det"))
    return determinant


@dataclass(frozen=True, slots=True)
class SLogDet(Op):
    """The sign of each determinant, and the logarithm of its modulus."""

    name = "slogdet"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, _ = square_shape(self.name, a)
        return a.with_shape(batch), TensorType(real_dtype(a.dtype), batch)

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.slogdet(*values))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Any:
        # d log|det A| = <A^-T, dA>, and the sign does not change.
        (a,), (_, g) = node.inputs, cotangents
        only_real(node, "gradient")
        return [ZERO if g is None else multiply(_each(g), turned(Inv()(a)))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        only_real(node, "forward derivative")
        return [None, None if t is None else inner_product(turned(Inv()(a)), t)]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def only_real(node: Apply, what: str) -> None:
    """Refuse a derivative for which only real numbers have a formula here."""
    dtype = node.inputs[0].dtype
    if dtype in COMPLEX:
        raise GraphTypeError(f"{node.op.name} of {dtype} has no {what}", hint="only that of real matrices is known")


@user_boundary
def slogdet(a: Any) -> tuple[Variable, Variable]:
    """The sign and the logarithm of the modulus of each determinant, as numpy.linalg.slogdet.

    It does not overflow where `det` would; of a singular matrix it is (0, -inf).

    >>> sign, logarithm = slogdet(np.eye(3))
    >>> logarithm.type.shape
    ()
    """
    sign, logarithm = SLogDet()(inexact(a, "slogdet"))
    return sign, logarithm


# ---- functions of matrices -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expm(Op):
    """The exponentials of square matrices."""

    name = "expm"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return (a.with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return scipy_linalg.expm(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (a,), (g,) = node.inputs, cotangents
        assert g is not None
        return [self._along(turned(a), g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        return [None if t is None else self._along(a, t)]

    def _along(self, a: Variable, e: Variable) -> Variable:
        """The derivative at `a` along `e`; its adjoint is that at the transpose (Higham, Functions of Matrices, 3)."""
        # exp([[A, E], [0, A]]) = [[exp A, L(A, E)], [0, exp A]] (Mathias 1996).
        upper = concatenate([a, e], -1)
        n = extent(a, -1)
        whole = self(concatenate([upper, concatenate([zeros_like(a), a], -1)], -2))
        return index(whole, (..., slice(None, n), slice(n, None)))

    def lowering(self, node: Apply) -> Lowering:
        return Host("SciPy computes it, by scaling and squaring")


@user_boundary
def expm(a: Any) -> Variable:
    """The exponential of each matrix of `a`, (..., n, n), as scipy.linalg.expm."""
    exponential: Variable = Expm()(inexact(a, "expm"))
    return exponential


@user_boundary
def matrix_power(a: Any, n: int) -> Variable:
    """The product of `n` copies of each matrix of `a`, as numpy.linalg.matrix_power.

    0 gives the identity, a negative `n` powers of the inverse. GraphShapeError: not square.

    >>> matrix_power(np.eye(3, dtype="int64"), 5).type.dtype
    'int64'
    """
    base = as_tensor(a)
    square_shape("matrix_power", base.type)
    try:
        exponent = operator.index(n)
    except TypeError:
        hint = "the power is fixed when the graph is built"
        raise GraphTypeError(f"matrix_power: the power must be an integer, got {n!r}", hint=hint) from None
    if exponent == 0:
        return broadcast_to(eye(extent(base, -1), dtype=base.dtype), shape_of(base))
    if exponent < 0:
        base, exponent = inv(base), -exponent
    power = base if exponent & 1 else None
    while exponent := exponent >> 1:
        base = matmul(base, base)
        if exponent & 1:
            power = base if power is None else matmul(power, base)
    assert power is not None
    return power


@user_boundary
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The sum along diagonal `offset` of the matrices that lie in two axes of `a`, as numpy.trace.

    >>> trace(np.ones((3, 3, 5))).type.shape
    (5,)
    """
    array = as_tensor(a)
    matrix_shape("trace", array.type)
    axes = [normalized_axes(axis, array.ndim, "trace")[0] for axis in (axis1, axis2)]
    matrices = moveaxis(array, axes, (-2, -1))
    rows, columns = expand_dims(arange(extent(matrices, -2)), 1), arange(extent(matrices, -1))
    return sum_over(where(equal(add(rows, operator.index(offset)), columns), matrices, 0), (-2, -1))


@user_boundary
def kron(a: Any, b: Any) -> Variable:
    """The Kronecker product, each element of `a` times all of `b`, as numpy.kron.

    >>> kron(np.ones((2, 3)), np.ones((4, 5))).type.shape
    (8, 15)
    """
    left, right = as_tensor(a), as_tensor(b)
    rank = left.ndim if left.ndim > right.ndim else right.ndim
    left, right = shape_padleft(left, rank - left.ndim), shape_padleft(right, rank - right.ndim)
    # Axes a0 1 a1 1 ... beside 1 b0 1 b1 ...; then each pair becomes one.
    product = multiply(expand_dims(left, tuple(range(1, 2 * rank, 2))), expand_dims(right, tuple(range(0, 2 * rank, 2))))
    return reshape(product, [size(product, (2 * k, 2 * k + 1)) for k in range(rank)])
