"""Products of arrays, equations, decompositions and norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import linalg as scipy_linalg

import graphlab.tensor as T
from graphlab.dtypes import COMPLEX
from tests.ops.table.case import NUMERIC, REAL, Array, Case, Operand, Shape


def product_cases() -> Iterator[Case]:
    """Products of matrices, vectors and batches."""
    two = (Operand(), Operand())
    close: dict[str, Any] = {"ulps": 16, "scale": 16.0, "signed_zeros": False, "edges": "order"}
    fits: tuple[tuple[str, tuple[tuple[Shape, Shape], ...]], ...] = (
        ("1, 1", (((3,), (3,)), ((0,), (0,)))),
        ("1, 2", (((3,), (3, 4)), ((0,), (0, 4)))),
        ("2, 1", (((2, 3), (3,)), ((2, 0), (0,)))),
        ("2, 2", (((2, 3), (3, 4)), ((2, 0), (0, 3)), ((1, 1), (1, 1)))),
        ("3, 2", (((2, 3, 4), (4, 2)),)),
        ("1, 3", (((4,), (2, 4, 3)),)),
        ("3, 1", (((2, 3, 4), (4,)),)),
        ("3, 4", (((2, 3, 4), (3, 1, 4, 2)), ((1, 3, 0), (3, 1, 0, 2)))),
    )
    for name, shapes in fits:
        yield Case(f"matmul {name}", T.matmul, np.matmul, two, shapes, **close)
    yield Case(
        "matmul mixed",
        T.matmul,
        np.matmul,
        (Operand(), Operand(dtype="float32")),
        (((2, 3), (3, 2)),),
        NUMERIC,
        differentiable=False,
        **close,
    )
    yield Case("dot scalar", T.dot, np.dot, two, (((), (2, 3)),), NUMERIC, **close)
    yield Case("dot 3, 3", T.dot, np.dot, two, (((2, 3, 4), (2, 4, 3)),), NUMERIC, **close)
    yield Case("outer", T.outer, np.outer, two, (((2,), (3,)),), NUMERIC)
    yield Case("inner", T.inner, np.inner, two, (((2, 4), (3, 4)),), NUMERIC, **close)
    for axes in (1, 2, ([0, 2], [1, 0])):
        shapes = (((4, 3, 2), (2, 4, 3)),) if isinstance(axes, tuple) else (((5, 2, 4), (2, 4, 3)),)
        shapes = (((5, 2, 4), (4, 2, 3)),) if axes == 1 else shapes
        yield Case(
            f"tensordot {axes}",
            lambda a, b, x=axes: T.tensordot(a, b, x),
            lambda a, b, x=axes: np.tensordot(a, b, x),
            two,
            shapes,
            NUMERIC,
            **close,
        )


_REGULAR = np.array([[3.0, 1.0, -0.5], [0.5, -2.0, 1.0], [1.0, 0.25, 4.0]])


_SYMMETRIC = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 5.0]])


# No two columns are orthogonal, or rounding, which differs between processors, says what sign a singular vector has.
_TALL = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0], [2.0, 1.0, 0.25], [-1.0, 4.0, 1.25]])


def _batch(matrix: Array) -> Array:
    """Two matrices: `matrix`, and twice it with a larger diagonal."""
    return np.stack([matrix, 2 * matrix + np.eye(*matrix.shape)])


def linear_algebra_cases() -> Iterator[Case]:
    """Equations, determinants, decompositions and functions of matrices, one and in batches."""
    lin, np_lin = T.linalg, np.linalg
    regular, tall, wide = _REGULAR, _TALL, np.ascontiguousarray(_TALL.T)
    spd, four = _SYMMETRIC, 4 * _SYMMETRIC
    unary: tuple[tuple[str, Any, Any, Array], ...] = (
        ("inv", lin.inv, np_lin.inv, regular),
        ("det", lin.det, np_lin.det, regular),
        ("slogdet, the sign", lambda x: lin.slogdet(x)[0], lambda x: np_lin.slogdet(x)[0], regular),
        ("slogdet", lambda x: lin.slogdet(x)[1], lambda x: np_lin.slogdet(x)[1], regular),
        ("cholesky", lin.cholesky, np_lin.cholesky, spd),
        ("cholesky upper", lambda x: lin.cholesky(x, lower=False), lambda x: np_lin.cholesky(x, upper=True), spd),
        ("qr, Q", lambda x: lin.qr(x)[0], lambda x: np_lin.qr(x)[0], tall),
        ("qr, R", lambda x: lin.qr(x, "r"), lambda x: np_lin.qr(x)[1], tall),
        ("qr of wide, Q", lambda x: lin.qr(x)[0], lambda x: np_lin.qr(x)[0], wide),
        ("qr of wide, R", lambda x: lin.qr(x)[1], lambda x: np_lin.qr(x)[1], wide),
        ("svdvals", lin.svdvals, lambda x: np_lin.svd(x, compute_uv=False), tall),
        ("eigh, w", lambda x: lin.eigh(x)[0], lambda x: np_lin.eigh(x)[0], spd),
        ("eigh, V", lambda x: lin.eigh(x)[1], lambda x: np_lin.eigh(x)[1], spd),
        ("eigh upper, V", lambda x: lin.eigh(x, "U")[1], lambda x: np_lin.eigh(x, "U")[1], spd),
        ("eigvalsh", lin.eigvalsh, np_lin.eigvalsh, spd),
        ("eigvalsh upper", lambda x: lin.eigvalsh(x, "U"), lambda x: np_lin.eigvalsh(x, "U"), spd),
        ("pinv", lin.pinv, np_lin.pinv, tall),
        ("pinv of wide", lin.pinv, np_lin.pinv, wide),
        ("expm", lambda x: lin.expm(x / 4), lambda x: scipy_linalg.expm(x / x.dtype.type(4)), four),
        ("matrix_power -2", lambda x: lin.matrix_power(x, -2), lambda x: np_lin.matrix_power(x, -2), regular),
        ("matrix_power 0", lambda x: lin.matrix_power(x, 0), lambda x: np_lin.matrix_power(x, 0), regular),
        ("matrix_power 5", lambda x: lin.matrix_power(x, 5), lambda x: np_lin.matrix_power(x, 5), regular),
        ("trace 1", lambda x: lin.trace(x, 1), lambda x: np_lin.trace(x, offset=1), tall),
    )
    for i, part in enumerate(("U", "s", "Vh")):
        for kind, matrix in (("tall", tall), ("wide", wide), ("square", regular)):
            unary += (
                (
                    f"svd of {kind}, {part}",
                    lambda x, i=i: lin.svd(x, full_matrices=False)[i],
                    lambda x, i=i: np_lin.svd(x, full_matrices=False)[i],
                    matrix,
                ),
            )
    for name, build, meaning, matrix in unary:
        no_slope = name in ("slogdet, the sign", "matrix_power 0")
        # The formulas of derivatives are the same, so those of the batch are enough.
        yield _of_matrices(name, build, meaning, matrix, differentiable=False)
        yield _of_matrices(f"{name}, batch", build, meaning, _batch(matrix), differentiable=not no_slope)
    for part, name in enumerate(("w", "V")):
        yield Case(
            f"eig, {name}",
            lambda x, i=part: lin.eig(x)[i],
            lambda x, i=part: np_lin.eig(x)[i].astype("complex64" if x.dtype == "float32" else "complex128"),
            (Operand(values=regular),),
            (((3, 3),),),
            REAL,
            ulps=64,
            differentiable=False,
            edges="none",
        )


def _of_matrices(name: str, build: Any, meaning: Any, *values: Array, **settings: Any) -> Case:
    """A case of an op on the given matrices."""
    settings = {"ulps": 256, "scale": 8.0, "signed_zeros": False, "edges": "none", "dtypes": REAL, **settings}
    operands = tuple(Operand(values=v) for v in values)
    return Case(name, build, meaning, operands, (tuple(v.shape for v in values),), **settings)


def equation_cases() -> Iterator[Case]:
    """Systems of equations with one right side, several, and batches."""
    right = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 4.0]])
    sides = (("vector", right[:, 0]), ("matrix", right), ("batch", np.stack([right, -right])))
    for label, b in sides:
        yield _of_matrices(f"solve {label}", T.linalg.solve, np.linalg.solve, _REGULAR, b)
        for lower, trans, unit in ((True, "N", False), (False, "N", True), (True, "T", True), (False, "T", False)):
            how = {"lower": lower, "trans": trans, "unit_diagonal": unit}
            yield _of_matrices(
                f"solve_triangular {label}, {'lower' if lower else 'upper'}, {trans}",
                lambda a, b, how=how: T.linalg.solve_triangular(a, b, **how),
                lambda a, b, how=how: _each_solved(a, b, how),
                _REGULAR,
                b,
            )
    yield _of_matrices("solve batches", T.linalg.solve, np.linalg.solve, _batch(_REGULAR)[:, None], sides[2][1])
    yield _of_matrices("solve integers", T.linalg.solve, np.linalg.solve, 2 * _REGULAR, right, dtypes=NUMERIC[:3])
    problems = (("tall", _TALL, np.ones((4, 2))), ("wide", _TALL.T, right), ("vector", _TALL.T, right[:, 0]))
    for label, a, b in problems:
        yield _of_matrices(f"lstsq {label}", T.linalg.lstsq, lambda a, b: np.linalg.lstsq(a, b)[0], a, b)
    yield _of_matrices(
        "lstsq batch",
        T.linalg.lstsq,
        lambda a, b: np.stack([np.linalg.lstsq(one, b)[0] for one in a]),
        _batch(_TALL),
        np.ones((4, 2)),
    )


def _each_solved(a: Array, b: Array, how: dict[str, Any]) -> Array:
    """SciPy's solve_triangular of one problem after the other."""
    if b.ndim < 3:
        return np.asarray(scipy_linalg.solve_triangular(a, b, **how))
    return np.stack([scipy_linalg.solve_triangular(a, one, **how) for one in b])


def norm_cases() -> Iterator[Case]:
    """Norms of vectors and matrices, of every order."""
    kinds: tuple[tuple[tuple[Any, ...], Any, Shape], ...] = (
        ((None,), None, (2, 3, 2)),
        ((None, 0, 1, 2, 3, -1, np.inf, -np.inf), 1, (2, 3)),
        (("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf), (0, -1), (4, 2, 3)),
    )
    for orders, axis, shape in kinds:
        for order in orders:
            for keepdims in (False, True) if order in (None, 2, -1, "nuc") else (False,):
                yield Case(
                    f"norm {order} over {axis}{', kept' if keepdims else ''}",
                    lambda x, o=order, a=axis, k=keepdims: T.norm(x, o, a, k),
                    lambda x, o=order, a=axis, k=keepdims: np.linalg.norm(x, o, a, k),
                    shapes=((shape,),),
                    dtypes=(*(NUMERIC if axis is None else REAL), *COMPLEX),
                    ulps=64,
                    scale=4.0,
                    edges="none",
                    differentiable=order != 0,
                )


def contraction_cases() -> Iterator[Case]:
    """einsum, kron and trace."""
    forms: tuple[tuple[str, tuple[Shape, ...]], ...] = (
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk", ((2, 3), (3, 4))),
        ("bij,bjk->bik", ((5, 2, 3), (5, 3, 2))),
        ("bij,jk->kbi", ((5, 2, 3), (3, 2))),
        ("...ij,...jk", ((5, 1, 2, 3), (4, 3, 2))),
        ("i...,i->...", ((3, 2, 4), (3,))),
        ("i,j->ji", ((2,), (3,))),
        ("i,i", ((3,), (3,))),
        ("i,i->i", ((3,), (1,))),
        ("ii", ((3, 3),)),
        ("ii->i", ((3, 3),)),
        ("ijij->j", ((2, 3, 2, 3),)),
        ("ba", ((2, 3),)),
        ("ij->", ((2, 3),)),
        ("ij,kj,kl->il", ((2, 3), (4, 3), (4, 2))),
        ("ab,cb,db->acd", ((2, 3), (2, 3), (2, 3))),
        ("ij,ikj", ((2, 3), (2, 4, 3))),
        ("ij,ij->", ((2, 3), (2, 3))),
        (",i", ((), (3,))),
    )
    close: dict[str, Any] = {"ulps": 64, "scale": 32.0, "signed_zeros": False, "edges": "none"}
    close["dtypes"] = (*REAL, *COMPLEX, "int8")
    for form, shapes in forms:
        yield Case(
            f"einsum {form}",
            lambda *xs, f=form: T.einsum(f, *xs),
            lambda *xs, f=form: np.einsum(f, *xs),
            tuple(Operand() for _ in shapes),
            (shapes,),
            **close,
        )
    for label, shapes in (("matrices", ((2, 3), (3, 2))), ("vector", ((2,), (3, 2))), ("empty", ((0, 2), (2, 1)))):
        yield Case(f"kron {label}", T.kron, np.kron, (Operand(), Operand()), (shapes,), ulps=2)
    for axes in ((0, 1), (2, 0)):
        yield Case(
            f"trace {axes}",
            lambda x, a=axes: T.trace(x, -1, *a),
            lambda x, a=axes: np.trace(x, -1, *a),
            shapes=(((2, 3, 4),), ((3, 2, 1),)),
            signed_zeros=False,
            edges="order",
            ulps=4,
            scale=8.0,
        )
