"""Linear algebra with known structure: equations are solved without an inverse, triangles by substitution.

What raises an error still does: nothing here drops a factorisation that may find its matrix singular, but
for one that decides the same. Where a matrix is singular but for rounding, rounding decides in both forms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphlab.dtypes import COMPLEX, FLOAT
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.decompositions import Cholesky, cholesky
from graphlab.ops.determinants import Det, SLogDet, det, slogdet
from graphlab.ops.elementwise import absolute, exp, less, log, multiply, sign, where
from graphlab.ops.grids import diagonal, tril, triu
from graphlab.ops.join import eye
from graphlab.ops.linalg import MatMul, matmul
from graphlab.ops.matrices import turned
from graphlab.ops.products import Prod, prod
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import expand_dims, extent, squeeze
from graphlab.ops.systems import Inv, Solve, SolveTriangular, inv, solve
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.facts import facts
from graphlab.rewrite.rule import DOMAIN, EXACT, ROUNDING, STABLE, AnyRule, NodeRule, example
from graphlab.rewrite.structure import identity_extent, is_factor, is_identity, triangular, untransposed

# ---- systems -------------------------------------------------------------------------------------


def source_of(v: Variable, op: type) -> Variable | None:
    """What an application of `op` that makes `v` is applied to."""
    return v.owner.inputs[0] if v.owner is not None and isinstance(v.owner.op, op) else None


def solved_left(node: Apply) -> Variable | None:
    """A^-1 B is the X of A X = B."""
    inverse, b = node.inputs
    a = source_of(inverse, Inv)
    return None if a is None else _columns(Solve(), a, b)


def solved_right(node: Apply) -> Variable | None:
    """B A^-1 is the transpose of the X of A^T X = B^T."""
    b, inverse = node.inputs
    a = source_of(inverse, Inv)
    return None if a is None else _rows(Solve(), turned(a), b)


def substituted_left(node: Apply) -> Variable | None:
    """The same where A^-1 is what substitution makes of the identity."""
    inverse, b = node.inputs
    found = _inverted(inverse)
    return None if found is None else _columns(*found, b)


def substituted_right(node: Apply) -> Variable | None:
    """The same from the right: the triangle is read transposed."""
    b, inverse = node.inputs
    found = _inverted(inverse)
    if found is None:
        return None
    op, a = found
    return _rows(replace(op, trans="T" if op.trans == "N" else "N"), a, b)


def _inverted(v: Variable) -> tuple[SolveTriangular, Variable] | None:
    """The op and the triangle if `v` is the inverse of a triangle."""
    node = v.owner
    if node is None or not isinstance(node.op, SolveTriangular):
        return None
    a, unit = node.inputs
    return (node.op, a) if identity_extent(unit) in facts(a).extents[-2:] else None  # which is square, or an error


def _columns(op: Solve | SolveTriangular, a: Variable, b: Variable) -> Variable:
    """X of A X = B, where B may be one column."""
    return squeeze(op(a, expand_dims(b, 1)), -1) if b.ndim == 1 else op(a, b)


def _rows(op: Solve | SolveTriangular, a: Variable, b: Variable) -> Variable:
    """X^T of A X = B^T, where B may be one row."""
    return _columns(op, a, b) if b.ndim == 1 else turned(op(a, turned(b)))


def solved_by_substitution(node: Apply) -> Variable | None:
    """A system whose matrix is triangular."""
    return substituted(*node.inputs)


def of_factor(node: Apply) -> bool:
    """Whether `node` is about a Cholesky factor or the transpose of one."""
    (a, *_) = node.inputs
    source = untransposed(a)
    return is_factor(a if source is None else source)


def substituted(a: Variable, b: Variable) -> Variable | None:
    """X of A X = B if A is known to be triangular; the transpose of a triangle is read as it lies."""
    side = triangular(a)
    if side is None or a.dtype in COMPLEX:
        return None
    source = untransposed(a)
    if source is None:
        return SolveTriangular(side == "lower")(a, b)  # type: ignore[no-any-return]
    return SolveTriangular(side == "upper", "T")(source, b)  # type: ignore[no-any-return]


def inverted_by_substitution(node: Apply) -> Variable | None:
    """The inverse of one triangular matrix."""
    (a,) = node.inputs
    return substituted(a, eye(extent(a, -1), dtype=a.dtype)) if a.ndim == 2 else None


def of_identity(node: Apply) -> Variable | None:
    """The identity is its own inverse and its own factor."""
    (a,) = node.inputs
    return a if is_identity(a) and a.dtype in FLOAT else None


def factor_of_square(node: Apply) -> Variable | None:
    """The Cholesky factor of L L^T, for a factor L."""
    (a,) = node.inputs
    if a.owner is None or not isinstance(a.owner.op, MatMul):
        return None
    left, right = a.owner.inputs
    return left if is_factor(left) and left.dtype in FLOAT and untransposed(right) is left else None


# ---- determinants --------------------------------------------------------------------------------


def slogdet_of_triangle(node: Apply) -> tuple[Variable, Variable] | None:
    """The sign and the logarithm of the determinant of a triangular matrix, from its diagonal."""
    (a,) = node.inputs
    extents = facts(a).extents
    if triangular(a) is None or a.dtype in COMPLEX or (not is_factor(a) and extents[-1] != extents[-2]):
        return None
    d = diagonal(a, 0, -2, -1)
    logarithm = Sum((d.ndim - 1,))(log(absolute(d)))
    return Prod((d.ndim - 1,))(sign(d)), logarithm


def det_of_triangle(node: Apply) -> Variable | None:
    """The determinant as NumPy has it: its sign times exp of its logarithm, which does not overflow on the way."""
    pieces = slogdet_of_triangle(node)
    if pieces is None:
        return None
    result: Variable = multiply(pieces[0], exp(pieces[1]))
    return result


def logarithm_of(node: Apply, op: type) -> tuple[Apply, bool] | None:
    """Where `node` is log(x) or log(|x|): the application of `op` that makes x, and whether there was a modulus."""
    if node.op is not log or node.inputs[0].dtype not in FLOAT:
        return None
    made = node.inputs[0].owner
    modulus = made is not None and made.op is absolute
    if made is not None and modulus:
        made = made.inputs[0].owner
    fits = made is not None and isinstance(made.op, op) and made.inputs[0].dtype == node.outputs[0].dtype
    return (made, modulus) if made is not None and fits else None


def log_of_det(node: Apply) -> Variable | None:
    """log(det(A)) is the second result of slogdet, where the first is not -1."""
    found = logarithm_of(node, Det)
    if found is None:
        return None
    side, logarithm = SLogDet()(*found[0].inputs)
    return logarithm if found[1] else _nan_where(less(side, 0), logarithm)


def log_of_product(node: Apply) -> Variable | None:
    """log(prod(x)) is the sum of log(|x|), where not an odd number of them is negative."""
    found = logarithm_of(node, Prod)
    if found is None:
        return None
    product, (x,) = found[0].op, found[0].inputs
    assert isinstance(product, Prod)
    logarithm: Variable = Sum(product.axes, product.keepdims)(log(absolute(x)))
    return logarithm if found[1] else _nan_where(less(product(sign(x)), 0), logarithm)


def _nan_where(condition: Variable, x: Variable) -> Variable:
    result: Variable = where(condition, Constant(np.asarray(np.nan, x.dtype)), x)
    return result


# ---- tables --------------------------------------------------------------------------------------


def regular(x: Variable) -> Variable:
    """A matrix that is far from singular, made of any."""
    return squared(x) + 5 * eye(extent(x, -2), dtype=x.dtype)


def squared(x: Variable) -> Variable:
    """L L^T."""
    return matmul(x, turned(x))


NEAR = "near a singular matrix rounding decides whether it is found to be one"
SPREADS = "inf and nan spread otherwise than in a factorisation"

LOGARITHMS: tuple[AnyRule, ...] = (
    NodeRule("log(det(x)) -> slogdet(x)", ROUNDING, log_of_det, (Elementwise,), tags=(STABLE,),
             because="det over- or underflows; nan where it is negative, as before; and log(|det(x)|)",
             examples=(example(lambda x: log(det(x)), x="float64[3,3]"),
                       example(lambda x: log(absolute(det(x))), x="float32[2,3,3]"))),
    NodeRule("log(prod(x)) -> sum(log(|x|))", ROUNDING, log_of_product, (Elementwise,), tags=(STABLE,),
             because="prod over- or underflows; nan where it is negative, as before; and log(|prod(x)|)",
             examples=(example(lambda x: log(prod(x)), x="float64[5]"),
                       example(lambda x: log(absolute(prod(x, 0))), x="float32[3,2]"))),
)  # fmt: skip

# What may have other users, and would then be computed all the same: for a pass that weighs the work.
LINEAR_ALGEBRA: tuple[AnyRule, ...] = (
    NodeRule("inv(a) @ b -> solve(a, b)", ROUNDING, solved_left, (MatMul,),
             because="nearer to the solution, with the factorisation that inv does",
             examples=(example(lambda x, b: matmul(inv(regular(x)), b), x="float64[3,3]", b="float64[3]"),
                       example(lambda x, b: matmul(inv(regular(x)), b), x="float32[2,3,3]", b="float32[3,2]"))),
    NodeRule("b @ inv(a) -> solve(a.T, b.T).T", ROUNDING, solved_right, (MatMul,), because=NEAR,
             examples=(example(lambda x, b: matmul(b, inv(regular(x))), x="float64[3,3]", b="float64[3]"),
                       example(lambda x, b: matmul(b, inv(regular(x))), x="float64[3,3]", b="float64[2,3]"))),
    NodeRule("solve(cholesky(a), b) -> solve_triangular(cholesky(a), b)", ROUNDING,
             lambda node: solved_by_substitution(node) if of_factor(node) else None, (Solve,), tags=(STABLE,),
             because="also for the transpose of a factor: no factorisation of what is one",
             examples=(example(lambda x, b: solve(cholesky(regular(x)), b), x="float64[3,3]", b="float64[3,2]"),
                       example(lambda x, b: solve(turned(cholesky(regular(x))), b), x="float64[3,3]", b="float64[3]"))),
    NodeRule("solve(triangle, b) -> solve_triangular(triangle, b)", DOMAIN, solved_by_substitution, (Solve,),
             because=SPREADS,
             examples=(example(lambda x, b: solve(tril(regular(x)), b), x="float64[3,3]", b="float64[3,2]"),
                       example(lambda x, b: solve(triu(regular(x)), b), x="float32[3,3]", b="float32[3]"))),
    NodeRule("inv(cholesky(a)) -> solve_triangular(cholesky(a), eye)", ROUNDING,
             lambda node: inverted_by_substitution(node) if of_factor(node) else None, (Inv,), tags=(STABLE,),
             because="also for the transpose of a factor: no factorisation of what is one",
             examples=(example(lambda x: inv(cholesky(regular(x))), x="float64[3,3]"),)),
    NodeRule("inv(triangle) -> solve_triangular(triangle, eye)", DOMAIN, inverted_by_substitution, (Inv,),
             because=SPREADS, examples=(example(lambda x: inv(triu(regular(x))), x="float64[3,3]"),)),
    NodeRule("solve_triangular(a, eye) @ b -> solve_triangular(a, b)", ROUNDING, substituted_left, (MatMul,),
             tags=(STABLE,), because="nearer to the solution",
             examples=(example(lambda x, b: matmul(SolveTriangular(True)(cholesky(regular(x)), np.eye(3)), b),
                               x="float64[3,3]", b="float64[3]"),)),
    NodeRule("b @ solve_triangular(a, eye) -> solve_triangular(a.T, b.T).T", ROUNDING, substituted_right, (MatMul,),
             tags=(STABLE,), because="nearer to the solution",
             examples=(example(lambda x, b: matmul(b, SolveTriangular(True)(cholesky(regular(x)), np.eye(3))),
                               x="float64[3,3]", b="float64[2,3]"),)),
    NodeRule("f(eye) -> eye", EXACT, of_identity, (Inv, Cholesky), because="the inverse and the Cholesky factor",
             examples=(example(lambda x: inv(eye(extent(x, 0))), x="float64[3]"),)),
    NodeRule("cholesky(l @ l.T) -> l", ROUNDING, factor_of_square, (Cholesky,), tags=(STABLE,),
             because="where l is a Cholesky factor itself, so its diagonal is positive",
             examples=(example(lambda x: cholesky(squared(cholesky(regular(x)))), x="float64[3,3]"),)),
    NodeRule("slogdet(cholesky(a)) -> its diagonal", ROUNDING,
             lambda node: slogdet_of_triangle(node) if of_factor(node) else None, (SLogDet,),
             because="also for the transpose of a factor: no factorisation of what is one",
             examples=(example(lambda x: slogdet(cholesky(regular(x)))[1], x="float64[12,12]"),)),
    NodeRule("slogdet(triangle) -> its diagonal", DOMAIN, slogdet_of_triangle, (SLogDet,), because=SPREADS,
             examples=(example(lambda x: slogdet(tril(x))[1], x="float64[12,12]"),)),
    NodeRule("det(cholesky(a)) -> its diagonal", ROUNDING,
             lambda node: det_of_triangle(node) if of_factor(node) else None, (Det,),
             because="also for the transpose of a factor: no factorisation of what is one",
             examples=(example(lambda x: det(cholesky(regular(x))), x="float64[12,12]"),)),
    NodeRule("det(triangle) -> its diagonal", DOMAIN, det_of_triangle, (Det,), because=SPREADS,
             examples=(example(lambda x: det(tril(x)), x="float64[12,12]"),)),
)  # fmt: skip
