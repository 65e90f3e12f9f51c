"""Decompositions of matrices, in batches: cholesky, QR, singular values, eigenvalues; and pinv and lstsq.

Of symmetric matrices only one triangle is read, as NumPy does, and the whole gradient goes to that triangle.
Where singular values or eigenvalues coincide the vectors have no derivative: it is infinite or NaN there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import promote
from graphlab.errors import GraphTypeError, GraphValueError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Extent, TensorType
from graphlab.ops.base import Array, Cotangents, Lowering, Op
from graphlab.ops.elementwise import add, multiply, reciprocal, subtract, true_divide, where
from graphlab.ops.extents import zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import concatenate
from graphlab.ops.linalg import matmul
from graphlab.ops.matrices import (
    LAPACK,
    SolveTriangular,
    diagonal,
    diagonal_matrix,
    fitting_batch,
    folded,
    inexact,
    matrix_shape,
    mirrored,
    on_diagonal,
    only_real,
    real_dtype,
    solved,
    square_shape,
    total,
    triangle,
    turned,
)
from graphlab.ops.shape import expand_dims, extent

# ---- cholesky --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cholesky(Op):
    """L of A = L L^T, lower triangular, for positive definite A, of which the lower triangle is read."""

    name = "cholesky"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, n = square_shape(self.name, inputs[0])
        return (inputs[0].with_shape((*batch, n, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.cholesky(*values)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = L^-T Phi(L^T by_L) L^-1 (Murray 2016, "Differentiation of the Cholesky decomposition", eq. 10).
        (l,), (g,) = node.outputs, cotangents  # noqa: E741
        only_real(node, "gradient")
        assert g is not None
        left = SolveTriangular(True, "T")(l, _phi(matmul(turned(l), g)))
        return [folded(turned(SolveTriangular(True, "T")(l, turned(left))))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # dL = L Phi(L^-1 dA L^-T) (Murray 2016, eq. 8).
        (l,), (t,) = node.outputs, tangents  # noqa: E741
        only_real(node, "forward derivative")
        if t is None:
            return [None]
        left = SolveTriangular(True)(l, mirrored(t))
        return [matmul(l, _phi(turned(SolveTriangular(True)(l, turned(left)))))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _phi(x: Variable) -> Variable:
    """The lower triangle with half the diagonal."""
    half: Variable = multiply(0.5, add(triangle(x), triangle(x, strict=True)))
    return half


@user_boundary
def cholesky(a: Any, lower: bool = True) -> Variable:
    """The triangular factor of each positive definite matrix of `a`, (..., n, n): a = L L^T, or U^T U.

    Only that triangle of `a` is read. GraphShapeError: not square; GraphValueError as it runs: not
    positive definite.

    >>> cholesky(np.eye(3)).type.shape
    (3, 3)
    """
    matrices = inexact(a, "cholesky")
    if matrices.ndim < 2 or lower:
        factor: Variable = Cholesky()(matrices)
        return factor
    return turned(Cholesky()(turned(matrices)))


# ---- QR --------------------------------------------------------------------------------------------


def _smaller(rows: Extent, columns: Extent) -> Extent:
    return None if rows is None or columns is None else min(rows, columns)


@dataclass(frozen=True, slots=True)
class QR(Op):
    """A = Q R: orthonormal columns times an upper triangle; `mode` "reduced" or "complete" as numpy.linalg.qr."""

    mode: str = "reduced"
    name = "qr"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, rows, columns = matrix_shape(self.name, a)
        inner = rows if self.mode == "complete" else _smaller(rows, columns)
        return a.with_shape((*batch, rows, inner)), a.with_shape((*batch, inner, columns))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.qr(values[0], self.mode))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # More columns than rows (Roberts and Roberts 2020, "QR and LQ decomposition matrix backpropagation
        # algorithms"): A = [X Y] = Q [U V] with square U, where V = Q^T Y. Y is empty for tall matrices.
        self._differentiable(node, "gradient")
        (a,), (q, r) = node.inputs, node.outputs
        by_q, by_r = (zeros_like(v) if g is None else g for v, g in zip((q, r), cotangents, strict=True))
        if _is_tall(a):
            return [_by_tall(q, r, by_q, by_r)]
        (_, y), (u, _), (by_u, by_v) = (_cut(x, extent(q, -1)) for x in (a, r, by_r))
        by_x = _by_tall(q, u, add(by_q, matmul(y, turned(by_v))), by_u)
        return [concatenate([by_x, matmul(q, by_v)], -1)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        self._differentiable(node, "forward derivative")
        (a,), (q, r), (t,) = node.inputs, node.outputs, tangents
        if t is None:
            return [None, None]
        if _is_tall(a):
            return _along_tall(q, r, t)
        (_, y), (u, _), (along_x, along_y) = (_cut(x, extent(q, -1)) for x in (a, r, t))
        along_q, along_u = _along_tall(q, u, along_x)
        along_v = add(matmul(turned(along_q), y), matmul(turned(q), along_y))
        return [along_q, concatenate([along_u, along_v], -1)]

    def _differentiable(self, node: Apply, what: str) -> None:
        only_real(node, what)
        if self.mode == "complete":
            hint = "mode='reduced' has one: the further columns of Q are not determined by the matrix"
            raise GraphTypeError(f"{self.name} with mode='complete' has no {what}", hint=hint)

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _is_tall(a: Variable) -> bool:
    """Whether the matrices are known to have at least as many rows as columns."""
    rows, columns = a.type.shape[-2:]
    return rows is not None and columns is not None and rows >= columns


def _cut(x: Variable, columns: Variable) -> tuple[Variable, Variable]:
    """The first `columns` columns, and the others."""
    return index(x, (..., slice(None, columns))), index(x, (..., slice(columns, None)))


def _by_tall(q: Variable, r: Variable, by_q: Variable, by_r: Variable) -> Variable:
    # by_A = (by_Q + Q mirrored(M)) R^-T, M = R by_R^T - by_Q^T Q
    # (Walter, Lehmann and Lamour 2012, "On higher-order derivatives of the QR decomposition").
    m = subtract(matmul(r, turned(by_r)), matmul(turned(by_q), q))
    product = add(by_q, matmul(q, mirrored(m)))
    return turned(SolveTriangular(False)(r, turned(product)))


def _along_tall(q: Variable, r: Variable, t: Variable) -> list[Variable]:
    # With C = dA R^-1 and W = Q^T C = Omega + dR R^-1 for antisymmetric Omega, which the strict lower triangle
    # of W tells: dQ = Q Omega + C - Q W, dR = (W - Omega) R.
    c = turned(SolveTriangular(False, "T")(r, turned(t)))
    w = matmul(turned(q), c)
    below = triangle(w, strict=True)
    rest = subtract(w, subtract(below, turned(below)))
    return [subtract(c, matmul(q, rest)), matmul(rest, r)]


@user_boundary
def qr(a: Any, mode: str = "reduced") -> Any:
    """(Q, R) with a = Q @ R for each matrix of `a`, (..., m, n), as numpy.linalg.qr; mode "r" gives R alone.

    "reduced": Q is (m, k), R (k, n) for k = min(m, n). "complete": (m, m) and (m, n), without gradient.

    >>> q, r = qr(np.ones((5, 3)))
    >>> q.type.shape, r.type.shape
    ((5, 3), (3, 3))
    """
    if mode not in ("reduced", "complete", "r"):
        raise GraphValueError(f"qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    q, r = QR("reduced" if mode == "r" else mode)(inexact(a, "qr"))
    return r if mode == "r" else (q, r)


# ---- singular values -------------------------------------------------------------------------------


def _columns(v: Variable) -> Variable:
    """Factors for the columns of matrices: A * _columns(v) is A diag(v)."""
    return expand_dims(v, -2)


def _rows(v: Variable) -> Variable:
    """Factors for the rows of matrices: A * _rows(v) is diag(v) A."""
    return expand_dims(v, -1)


def _inverse_gaps(v: Variable) -> Variable:
    """F with F[i, j] = 1 / (v[j] - v[i]), and 0 on the diagonal."""
    same = on_diagonal(extent(v, -1))
    gaps: Variable = where(same, 0, reciprocal(where(same, 1, subtract(_columns(v), _rows(v)))))
    return gaps


def _outside(x: Variable, u: Variable) -> Variable:
    """(I - U U^T) X: what of the columns of X is orthogonal to those of U."""
    rest: Variable = subtract(x, matmul(u, matmul(turned(u), x)))
    return rest


@dataclass(frozen=True, slots=True)
class SVD(Op):
    """A = U diag(s) Vh; `full_matrices`: U and Vh are square, else they have min(m, n) columns and rows."""

    full_matrices: bool
    name = "svd"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, rows, columns = matrix_shape(self.name, a)
        few = _smaller(rows, columns)
        u, vh = (rows, columns) if self.full_matrices else (few, few)
        s = TensorType(real_dtype(a.dtype), (*batch, few))
        return a.with_shape((*batch, rows, u)), s, a.with_shape((*batch, vh, columns))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.svd(values[0], full_matrices=self.full_matrices))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # Townsend 2016, "Differentiating the singular value decomposition", with F[i, j] = 1/(s_j^2 - s_i^2):
        # by_A = U [F*(U^T by_U - by_U^T U) S + diag(by_s) + S F*(V^T by_V - by_V^T V)] V^T
        #        + (I - U U^T) by_U S^-1 V^T + U S^-1 by_V^T (I - V V^T)
        (a,), (u, s, vh), (by_u, by_s, by_vh) = node.inputs, node.outputs, cotangents
        only_real(node, "gradient")
        if by_u is None and by_vh is None:
            return SingularValues().pullback(node, [by_s])
        self._differentiable("gradient")
        inside, across = None if by_s is None else diagonal_matrix(by_s), None
        gaps = _inverse_gaps(multiply(s, s))
        rows, columns = a.type.shape[-2:]
        if by_u is not None:
            spin = matmul(turned(u), by_u)
            inside = total(inside, multiply(multiply(gaps, subtract(spin, turned(spin))), _columns(s)))
            if rows is None or rows != u.type.shape[-1]:
                across = matmul(_outside(true_divide(by_u, _columns(s)), u), vh)
        if by_vh is not None:
            spin = matmul(vh, turned(by_vh))
            inside = total(inside, multiply(_rows(s), multiply(gaps, subtract(spin, turned(spin)))))
            if columns is None or columns != vh.type.shape[-2]:
                rest = turned(_outside(turned(true_divide(by_vh, _rows(s))), turned(vh)))
                across = total(across, matmul(u, rest))
        assert inside is not None
        return [total(matmul(matmul(u, inside), vh), across)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # With dP = U^T dA V (Townsend 2016): ds = diag(dP), dU = U F*(dP S + S dP^T) + (I - U U^T) dA V S^-1,
        # dV = V F*(S dP + dP^T S) + (I - V V^T) dA^T U S^-1.
        (a,), (u, s, vh), (t,) = node.inputs, node.outputs, tangents
        only_real(node, "forward derivative")
        self._differentiable("forward derivative")
        if t is None:
            return [None, None, None]
        v, gaps = turned(vh), _inverse_gaps(multiply(s, s))
        p = matmul(matmul(turned(u), t), v)
        right, left = multiply(p, _columns(s)), multiply(_rows(s), p)
        along_u = matmul(u, multiply(gaps, add(right, turned(right))))
        along_v = matmul(v, multiply(gaps, add(left, turned(left))))
        rows, columns = a.type.shape[-2:]
        if rows is None or rows != u.type.shape[-1]:
            along_u = add(along_u, _outside(true_divide(matmul(t, v), _columns(s)), u))
        if columns is None or columns != vh.type.shape[-2]:
            along_v = add(along_v, _outside(true_divide(matmul(turned(t), u), _columns(s)), v))
        return [along_u, diagonal(p), turned(along_v)]

    def _differentiable(self, what: str) -> None:
        if self.full_matrices:
            hint = "full_matrices=False has one: the further columns are not determined by the matrix"
            raise GraphTypeError(f"{self.name} with full_matrices=True has no {what}", hint=hint)

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class SingularValues(Op):
    """The singular values of matrices, the largest first."""

    name = "svdvals"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, rows, columns = matrix_shape(self.name, inputs[0])
        return (TensorType(real_dtype(inputs[0].dtype), (*batch, _smaller(rows, columns))),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.svd(values[0], compute_uv=False)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = U diag(by_s) V^T (Giles 2008, 3.2), also where values coincide or are 0.
        (a,), (g,) = node.inputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        u, _, vh = SVD(False)(a)
        return [matmul(multiply(u, _columns(g)), vh)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        only_real(node, "forward derivative")
        if t is None:
            return [None]
        u, _, vh = SVD(False)(a)
        return [diagonal(matmul(matmul(turned(u), t), turned(vh)))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(U, s, Vh) with a = U @ diag(s) @ Vh for each matrix of `a`, (..., m, n), as numpy.linalg.svd.

    `full_matrices=False`: U is (m, k) and Vh (k, n) for k = min(m, n); only then have they a gradient (s always
    has). `compute_uv=False`: s alone.

    >>> [v.type.shape for v in svd(np.ones((5, 3)), full_matrices=False)]
    [(5, 3), (3,), (3, 3)]
    """
    matrices = inexact(a, "svd")
    if not compute_uv:
        values: Variable = SingularValues()(matrices)
        return values
    return SVD(bool(full_matrices))(matrices)


@user_boundary
def svdvals(a: Any) -> Variable:
    """The singular values of each matrix of `a`, the largest first, as numpy.linalg.svdvals."""
    values: Variable = SingularValues()(inexact(a, "svdvals"))
    return values


# ---- eigenvalues -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Eigh(Op):
    """A = V diag(w) V^T, w ascending, for symmetric (Hermitian) A, of which one triangle is read."""

    lower: bool
    name = "eigh"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        return TensorType(real_dtype(a.dtype), (*batch, n)), a.with_shape((*batch, n, n))

    def numpy(self, *values: Array) -> Any:
        return tuple(np.linalg.eigh(values[0], UPLO="L" if self.lower else "U"))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # by_A = V (diag(by_w) + F*(V^T by_V)) V^T, F[i, j] = 1/(w_j - w_i) (Giles 2008, 3.1).
        (w, v), (by_w, by_v) = node.outputs, cotangents
        only_real(node, "gradient")
        spin = None if by_v is None else multiply(_inverse_gaps(w), matmul(turned(v), by_v))
        inside = total(None if by_w is None else diagonal_matrix(by_w), spin)
        assert inside is not None
        return [folded(matmul(matmul(v, inside), turned(v)), self.lower)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # With dP = V^T dA V: dw = diag(dP), dV = V F*dP.
        (w, v), (t,) = node.outputs, tangents
        only_real(node, "forward derivative")
        if t is None:
            return [None, None]
        p = matmul(matmul(turned(v), mirrored(t, self.lower)), v)
        return [diagonal(p), matmul(v, multiply(_inverse_gaps(w), p))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@dataclass(frozen=True, slots=True)
class EigvalsH(Op):
    """The eigenvalues of symmetric (Hermitian) matrices, ascending; one triangle is read."""

    lower: bool
    name = "eigvalsh"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, n = square_shape(self.name, inputs[0])
        return (TensorType(real_dtype(inputs[0].dtype), (*batch, n)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.eigvalsh(values[0], UPLO="L" if self.lower else "U")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (a,), (g,) = node.inputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        _, v = Eigh(self.lower)(a)
        return [folded(matmul(multiply(v, _columns(g)), turned(v)), self.lower)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (t,) = node.inputs, tangents
        only_real(node, "forward derivative")
        if t is None:
            return [None]
        _, v = Eigh(self.lower)(a)
        return [diagonal(matmul(matmul(turned(v), mirrored(t, self.lower)), v))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


def _reads_lower(uplo: str, what: str) -> bool:
    if uplo not in ("L", "U"):
        raise GraphValueError(f"{what}: UPLO must be 'L' or 'U', the triangle that is read, got {uplo!r}")
    return uplo == "L"


@user_boundary
def eigh(a: Any, UPLO: str = "L") -> tuple[Variable, Variable]:
    """(w, V): the eigenvalues, ascending, and eigenvectors of each symmetric matrix of `a`, as numpy.linalg.eigh.

    Only the lower ("L") or upper ("U") triangle is read, and gets the whole gradient.

    >>> [v.type.shape for v in eigh(np.ones((5, 3, 3)))]
    [(5, 3), (5, 3, 3)]
    """
    w, v = Eigh(_reads_lower(UPLO, "eigh"))(inexact(a, "eigh"))
    return w, v


@user_boundary
def eigvalsh(a: Any, UPLO: str = "L") -> Variable:
    """The eigenvalues, ascending, of each symmetric matrix of `a`, as numpy.linalg.eigvalsh."""
    w: Variable = EigvalsH(_reads_lower(UPLO, "eigvalsh"))(inexact(a, "eigvalsh"))
    return w


@dataclass(frozen=True, slots=True)
class Eig(Op):
    """The eigenvalues and eigenvectors of square matrices: always complex, and without derivative."""

    name = "eig"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (a,) = inputs
        batch, n = square_shape(self.name, a)
        dtype = promote(a.dtype, "complex64")
        return TensorType(dtype, (*batch, n)), TensorType(dtype, (*batch, n, n))

    def numpy(self, *values: Array) -> Any:
        dtype = promote(values[0].dtype.name, "complex64")
        return tuple(result.astype(dtype, copy=False) for result in np.linalg.eig(values[0]))

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def eig(a: Any) -> tuple[Variable, Variable]:
    """(w, V): the eigenvalues and eigenvectors of each matrix of `a`, as numpy.linalg.eig, but always complex.

    They have no gradient; those of symmetric matrices have: `eigh`.

    >>> eig(np.eye(3, dtype="float32"))[0].type.dtype
    'complex64'
    """
    w, v = Eig()(inexact(a, "eig"))
    return w, v


# ---- pseudo-inverse and least squares --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pinv(Op):
    """The pseudo-inverses of matrices; singular values up to `rcond` times the largest count as 0."""

    rcond: float | None
    name = "pinv"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        batch, rows, columns = matrix_shape(self.name, inputs[0])
        return (inputs[0].with_shape((*batch, columns, rows)),)

    def numpy(self, *values: Array) -> Any:
        return np.linalg.pinv(values[0], self.rcond)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (a,), (p,), (g,) = node.inputs, node.outputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        return [_by_inverted(a, p, g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a,), (p,), (t,) = node.inputs, node.outputs, tangents
        only_real(node, "forward derivative")
        return [None if t is None else _along_inverted(a, p, t)]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


# For P, the pseudo-inverse of A of constant rank (Golub and Pereyra 1973, "The differentiation of
# pseudo-inverses", eq. 4.12): dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P.


def _along_inverted(a: Variable, p: Variable, t: Variable) -> Variable:
    """dP for dA = `t`."""
    right = matmul(matmul(p, turned(p)), turned(t))
    left = matmul(turned(t), matmul(turned(p), p))
    terms = subtract(right, matmul(matmul(right, a), p)), subtract(left, matmul(p, matmul(a, left)))
    change: Variable = subtract(add(*terms), matmul(matmul(p, t), p))
    return change


def _by_inverted(a: Variable, p: Variable, g: Variable) -> Variable:
    """by_A = -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) for G = by_P = `g`."""
    right = matmul(turned(g), matmul(p, turned(p)))
    left = matmul(matmul(turned(p), p), turned(g))
    terms = subtract(right, matmul(a, matmul(p, right))), subtract(left, matmul(matmul(left, p), a))
    by_a: Variable = subtract(add(*terms), matmul(matmul(turned(p), g), turned(p)))
    return by_a


@user_boundary
def pinv(a: Any, rcond: float | None = None) -> Variable:
    """The pseudo-inverse of each matrix of `a`, (..., m, n) to (..., n, m), as numpy.linalg.pinv.

    `rcond`: singular values up to so much of the largest count as 0 (None: NumPy's default). The gradient
    takes the rank as constant.
    """
    inverse: Variable = Pinv(None if rcond is None else float(rcond))(inexact(a, "pinv"))
    return inverse


@dataclass(frozen=True, slots=True)
class LeastSquares(Op):
    """The smallest X that minimizes |A X - B|; singular values up to `rcond` times the largest count as 0."""

    rcond: float | None
    name = "lstsq"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        batch = fitting_batch(self.name, a, b)
        return (b.with_shape((*batch, a.shape[-1], b.shape[-1])),)

    def numpy(self, *values: Array) -> Any:
        # NumPy solves one problem at a time.
        a, b = values
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x = np.empty((*batch, a.shape[-1], b.shape[-1]), b.dtype)
        many_a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
        many_b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
        for place in np.ndindex(batch):
            x[place] = np.linalg.lstsq(many_a[place], many_b[place], self.rcond)[0]
        return x

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # X = P B for the pseudo-inverse P of A.
        (a, b), (g,) = node.inputs, cotangents
        only_real(node, "gradient")
        assert g is not None
        p = Pinv(self.rcond)(a)
        return [_by_inverted(a, p, matmul(g, turned(b))), matmul(turned(p), g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (a, b), (along_a, along_b) = node.inputs, tangents
        only_real(node, "forward derivative")
        p = Pinv(self.rcond)(a)
        by_matrix = None if along_a is None else matmul(_along_inverted(a, p, along_a), b)
        return [total(by_matrix, None if along_b is None else matmul(p, along_b))]

    def lowering(self, node: Apply) -> Lowering:
        return LAPACK


@user_boundary
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Variable:
    """The smallest x that minimizes |a @ x - b|: the solution of numpy.linalg.lstsq alone, also in batches.

    `a` is (..., m, n), `b` a vector (m,) or (..., m, k). `rcond` as that of `pinv`; None: the precision of
    the dtype times max(m, n). The gradient takes the rank of `a` as constant.

    >>> lstsq(np.ones((5, 3)), np.ones(5)).type.shape
    (3,)
    """
    return solved(LeastSquares(None if rcond is None else float(rcond)), a, b)
