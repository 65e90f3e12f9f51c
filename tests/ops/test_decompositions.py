"""Linear algebra: second derivatives, compiled batches, symmetric gradients, and how mistakes read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, NullGradientError
from graphlab.graph.node import Variable
from graphlab.graph.walk import toposort
from graphlab.ops.lowering import Host
from tests.ops.values import value

Array = np.ndarray[Any, Any]

REGULAR = np.array([[3.0, 1.0, -0.5], [0.5, -2.0, 1.0], [1.0, 0.25, 4.0]])
SYMMETRIC = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 5.0]])
# No two columns are orthogonal, or rounding, which differs between processors, says what sign a singular vector has.
TALL = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0], [2.0, 1.0, 0.25], [-1.0, 4.0, 1.25]])
WIDE = np.ascontiguousarray(TALL.T)
RIGHT = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 4.0]])

# ---- derivatives of derivatives --------------------------------------------------------------------

SECOND: tuple[tuple[str, Callable[..., Variable], tuple[Array, ...]], ...] = (
    ("solve", T.linalg.solve, (REGULAR, RIGHT)),
    ("solve of batches", T.linalg.solve, (np.stack([REGULAR, SYMMETRIC]), RIGHT)),
    ("solve_triangular", lambda a, b: T.linalg.solve_triangular(a, b, "T", lower=True), (REGULAR, RIGHT)),
    ("inv", T.linalg.inv, (REGULAR,)),
    ("det", T.linalg.det, (REGULAR,)),
    ("slogdet", lambda a: T.linalg.slogdet(a)[1], (REGULAR,)),
    ("cholesky", T.linalg.cholesky, (SYMMETRIC,)),
    ("qr", lambda a: T.linalg.qr(a)[0], (TALL,)),
    ("qr of wide", lambda a: T.linalg.qr(a)[1], (WIDE,)),
    ("svd", lambda a: T.linalg.svd(a, full_matrices=False)[0], (TALL,)),
    ("svdvals", T.linalg.svdvals, (WIDE,)),
    ("eigh, values", lambda a: T.linalg.eigh(a)[0], (SYMMETRIC,)),
    ("eigh, vectors", lambda a: T.linalg.eigh(a)[1], (SYMMETRIC,)),
    ("eigvalsh", T.linalg.eigvalsh, (SYMMETRIC,)),
    ("pinv", T.linalg.pinv, (TALL,)),
    ("lstsq", T.linalg.lstsq, (WIDE, RIGHT)),
    ("expm", lambda a: T.linalg.expm(a / 4), (REGULAR,)),
    ("matrix_power", lambda a: T.linalg.matrix_power(a, 3), (REGULAR,)),
    ("norm", T.linalg.norm, (TALL,)),
    ("einsum", lambda a, b: T.einsum("ij,jk,ij->k", a, b, a), (REGULAR, RIGHT)),
)


@pytest.mark.parametrize(("build", "points"), [c[1:] for c in SECOND], ids=[c[0] for c in SECOND])
def test_the_gradient_has_a_gradient(build: Callable[..., Variable], points: tuple[Array, ...]) -> None:
    def slope(*inputs: Variable) -> Variable:
        result: Variable = grad((build(*inputs) ** 2).sum(), inputs[0])
        return result

    verify_grad(slope, points, tolerance=1e-4)


@pytest.mark.parametrize(("build", "points"), [c[1:] for c in SECOND], ids=[c[0] for c in SECOND])
def test_the_graph_of_a_second_derivative_stays_small(
    build: Callable[..., Variable], points: tuple[Array, ...]
) -> None:
    inputs = [T.tensor("float64", p.shape) for p in points]
    first = grad((build(*inputs) ** 2).sum(), inputs[0])
    assert len(toposort([grad((first**2).sum(), inputs[0])])) < 600


def test_all_parts_of_a_decomposition_together_have_the_sum_of_their_gradients() -> None:
    def of_svd(a: Variable) -> Variable:
        u, s, vh = T.linalg.svd(a, full_matrices=False)
        return (u[0] * s * vh[:, 1]).sum() + (u**3).sum() * (vh**3).sum()

    def of_eigh(a: Variable) -> Variable:
        w, v = T.linalg.eigh(a)
        return (v[0] * w * v[1] ** 2).sum()

    def of_qr(a: Variable) -> Variable:
        q, r = T.linalg.qr(a)
        return (q**3).sum() * (r**2).sum()

    for build, point in ((of_svd, TALL), (of_svd, WIDE), (of_eigh, SYMMETRIC), (of_qr, TALL), (of_qr, WIDE)):
        verify_grad(build, [point])


# ---- what gradients mean ---------------------------------------------------------------------------


def test_the_determinant_of_a_singular_matrix_has_its_cofactors_as_gradient() -> None:
    a = T.dmatrix("a")
    slope = grad(T.linalg.det(a), a)
    np.testing.assert_allclose(value(slope, {a: np.diag([2.0, 0.0, 3.0])}), np.diag([0.0, 6.0, 0.0]), atol=1e-14)
    np.testing.assert_allclose(
        value(slope, {a: REGULAR}), np.linalg.det(REGULAR) * np.linalg.inv(REGULAR).T, atol=1e-13
    )


def test_the_gradient_goes_to_the_triangle_that_is_read() -> None:
    a = T.dmatrix("a")
    for build in (T.linalg.cholesky, lambda x: T.linalg.eigh(x)[0], T.linalg.eigvalsh):
        g = value(grad((build(a) ** 3).sum(), a), {a: SYMMETRIC})
        assert np.array_equal(g, np.tril(g))
        assert np.all(g[np.tril_indices(3)] != 0)
    g = value(grad((T.linalg.cholesky(a, lower=False) ** 3).sum(), a), {a: SYMMETRIC})
    assert np.array_equal(g, np.triu(g))


def test_the_log_determinant_by_cholesky_has_the_gradient_of_slogdet_along_symmetric_directions() -> None:
    x = T.dmatrix("x")
    a = x @ x.T
    by_factor = grad(2 * T.log(T.diag(T.linalg.cholesky(a))).sum(), x)
    directly = grad(T.linalg.slogdet(a)[1], x)
    np.testing.assert_allclose(value(by_factor, {x: REGULAR}), value(directly, {x: REGULAR}), rtol=1e-10)


def test_singular_values_that_coincide_have_a_gradient_and_a_norm_of_nothing_has_zeros() -> None:
    a = T.dmatrix("a")
    for build in (T.linalg.svdvals, lambda x: T.linalg.svd(x, full_matrices=False)[1]):
        np.testing.assert_allclose(value(grad(build(a).sum(), a), {a: np.eye(3)}), np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(value(grad(T.norm(a), a), {a: np.zeros((2, 2))}), np.zeros((2, 2)))
    assert np.isnan(value(T.norm(a), {a: np.array([[np.nan, 1.0]])}))


def test_lstsq_of_too_few_equations_is_the_smallest_solution() -> None:
    a, b = T.dmatrix("a"), T.dvector("b")
    got = value(T.linalg.lstsq(a, b), {a: [[1.0, 1.0]], b: [2.0]})
    np.testing.assert_allclose(got, [1.0, 1.0])


# ---- dtypes and compiled programs ------------------------------------------------------------------


def test_float32_stays_and_integers_become_float64_as_in_numpy() -> None:
    single, double, integers = T.fmatrix("f"), T.dmatrix("d"), T.tensor("int8", (None, None), "i")
    lin = T.linalg
    for unary in (lin.inv, lin.det, lin.cholesky, lin.eigvalsh, lin.svdvals, lin.pinv, lin.expm, lin.norm):
        assert unary(single).dtype == "float32"
        assert unary(integers).dtype == "float64"
        assert grad(unary(single).sum(), single).dtype == "float32"
    assert lin.solve(single, single).dtype == "float32"
    assert lin.solve(single, double).dtype == lin.solve(single, integers).dtype == "float64"
    assert np.linalg.solve(np.eye(2, dtype="float32"), np.eye(2, dtype="int8")).dtype == "float64"


def test_complex_matrices_have_values_and_holomorphic_functions() -> None:
    z = T.zmatrix("z")
    point = REGULAR + 1j * SYMMETRIC
    hermitian = point @ point.conj().T
    for build, meaning in (
        (T.linalg.inv, np.linalg.inv),
        (T.linalg.det, np.linalg.det),
        (lambda x: T.linalg.svd(x)[2], lambda x: np.linalg.svd(x)[2]),
        (T.linalg.svdvals, lambda x: np.linalg.svd(x, compute_uv=False)),
        (T.norm, np.linalg.norm),
        (lambda x: T.linalg.slogdet(x)[0], lambda x: np.linalg.slogdet(x)[0]),
        (lambda x: T.linalg.solve_triangular(x, x, "C"), lambda x: np.linalg.solve(np.triu(x).conj().T, x)),
    ):
        got, want = value(build(z), {z: point}), meaning(point)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, atol=1e-12)
    for lower in (True, False):
        factor = value(T.linalg.cholesky(z, lower=lower), {z: hermitian})
        np.testing.assert_allclose(factor, np.linalg.cholesky(hermitian, upper=not lower), atol=1e-12)
        w, v = T.linalg.eigh(z, "L" if lower else "U")
        rebuilt = value(v, {z: hermitian}) * value(w, {z: hermitian})
        np.testing.assert_allclose(rebuilt, hermitian @ value(v, {z: hermitian}), atol=1e-12)
    with pytest.raises(NullGradientError, match="svd of complex128 has no gradient"):
        grad(abs(T.linalg.svd(z, full_matrices=False)[0]).sum(), z)


def test_a_compiled_program_computes_batches_of_every_size_with_their_gradients() -> None:
    a, b = T.dtensor3("a"), T.dmatrix("b")
    x = T.linalg.solve(a @ T.swapaxes(a, 1, 2) + T.eye(3), b)
    cost = T.linalg.slogdet(a)[1].sum() + (x**2).sum()
    f = graphlab.function([a, b], [x, *grad(cost, [a, b])])
    g = graphlab.function([a, b], [x, *grad(cost, [a, b])], mode="interpret")
    assert "gl_run" in f.c_source
    for points in (np.stack([REGULAR, SYMMETRIC]), REGULAR[None], np.zeros((0, 3, 3))):
        for got, want in zip(f(points, RIGHT), g(points, RIGHT), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(f(REGULAR[None], RIGHT)[0][0], np.linalg.solve(REGULAR @ REGULAR.T + np.eye(3), RIGHT))


def test_a_library_call_says_which_library_computes_it() -> None:
    node = T.linalg.inv(T.dmatrix("a")).owner
    assert node is not None
    assert node.op.lowering(node) == Host("LAPACK computes it, through NumPy")


# ---- mistakes --------------------------------------------------------------------------------------


def test_a_matrix_that_is_not_square_is_an_error_that_names_it() -> None:
    a = T.tensor("float64", (2, 3), "a")
    for build in (T.linalg.inv, T.linalg.det, T.linalg.slogdet, T.linalg.cholesky, T.linalg.eigh, T.linalg.eig):
        with pytest.raises(GraphShapeError, match=r"expected square matrices, got float64\[2,3\]") as caught:
            build(a)
        assert "test_decompositions.py" in str(caught.value)
        assert "a: float64[2,3]" in str(caught.value)
    with pytest.raises(GraphShapeError, match="matrix_power: expected square"):
        T.linalg.matrix_power(a, 2)
    with pytest.raises(GraphTypeError, match="det: expected a matrix or a batch of matrices, got float64"):
        T.linalg.det(T.dvector("v"))


def test_right_sides_that_do_not_fit_are_an_error() -> None:
    a, b = T.tensor("float64", (3, 3), "a"), T.tensor("float64", (2, 4), "b")
    for build in (T.linalg.solve, T.linalg.solve_triangular, T.linalg.lstsq):
        with pytest.raises(GraphShapeError, match=r"has 3 rows, the right side float64\[2,4\] has 2"):
            build(a, b)
    with pytest.raises(GraphShapeError, match="do not broadcast"):
        T.linalg.solve(T.tensor("float64", (2, 3, 3)), T.tensor("float64", (5, 3, 1)))


@pytest.mark.parametrize("mode", ["interpret", "fast_run"])
def test_a_singular_matrix_is_an_error_that_names_the_line_and_the_operand(mode: str) -> None:
    a, singular = T.dmatrix("a"), np.zeros((2, 2))
    cases: tuple[tuple[Callable[[Variable], Variable], Array, str], ...] = (
        (T.linalg.inv, singular, "inv: Singular matrix"),
        (lambda x: T.linalg.solve(x, x), singular, "solve: Singular matrix"),
        (lambda x: T.linalg.solve_triangular(x, x), singular, "solve_triangular: singular matrix"),
        (T.linalg.cholesky, -np.eye(2), "cholesky: Matrix is not positive definite"),
        (T.linalg.det, np.zeros((2, 3)), r"det: expected square matrices, got float64\[2,3\]"),
        (T.linalg.svdvals, np.full((2, 2), np.nan), "svdvals: SVD did not converge"),
    )
    outputs = [build(a) for build, _, _ in cases]
    for output, (_, wrong, message) in zip(outputs, cases, strict=True):
        f = graphlab.function([a], output, mode=mode)
        with pytest.raises((GraphValueError, GraphShapeError), match=message) as caught:
            f(wrong)
        text = str(caught.value)
        assert "outputs = [build(a) for build, _, _ in cases]" in text or "lambda x:" in text
        assert "a: float64[2, " in text


def test_what_has_no_gradient_says_what_has() -> None:
    a = T.dmatrix("a")
    with pytest.raises(NullGradientError, match="qr with mode='complete' has no gradient") as caught:
        grad(T.linalg.qr(a, "complete")[0].sum(), a)
    assert "mode='reduced'" in str(caught.value)
    with pytest.raises(NullGradientError, match="svd with full_matrices=True has no gradient"):
        grad(T.linalg.svd(a)[0].sum(), a)
    with pytest.raises(NullGradientError, match="eig has no gradient"):
        grad(abs(T.linalg.eig(a)[0]).sum(), a)
    s = T.linalg.svd(a)[1]  # these are determined in any case
    np.testing.assert_allclose(value(grad(s.sum(), a), {a: np.diag([2.0, 1.0])}), np.eye(2), atol=1e-12)


def test_arguments_that_mean_nothing_are_errors() -> None:
    a = T.dmatrix("a")
    wrong: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: T.linalg.qr(a, "raw"), "mode must be"),
        (lambda: T.linalg.eigh(a, "l"), "UPLO must be"),
        (lambda: T.linalg.solve_triangular(a, a, trans=3), "trans must be"),
        (lambda: T.linalg.matrix_power(a, 0.5), "the power must be an integer"),
        (lambda: T.linalg.inv(T.tensor("float16", (2, 2))), "inv is not defined for float16"),
        (lambda: T.norm(a, "fro", axis=0), "vectors have no norm of order 'fro'"),
        (lambda: T.norm(a, 3), "matrices have no norm of order 3"),
        (lambda: T.norm(T.dtensor3("x"), 2), "expected one axis or two, got 3"),
        (lambda: T.norm(a, axis=2), "axis 2 is out of range"),
        (lambda: T.einsum("ij,jk", a), "describes 2 operands, got 1"),
        (lambda: T.einsum("ijk", a), "'ijk' does not fit operand 0, float64"),
        (lambda: T.einsum("ij->k", a), "label k is not among"),
        (lambda: T.einsum("ij->ii", a), "label i stands twice in the output"),
        (lambda: T.einsum("i1", a), "no sequence of letters"),
        (lambda: T.einsum("...i->i", a), "the output lacks"),
        (lambda: T.einsum("ij,jk", np.ones((2, 3)), np.ones((2, 3))), "label j has extent 3, but 2 in operand 1"),
        (lambda: T.einsum(a, [0, 1]), "subscripts must be a str"),
    )
    for call, message in wrong:
        with pytest.raises((GraphValueError, GraphTypeError, GraphShapeError), match=message) as caught:
            call()
        assert "test_decompositions.py" in str(caught.value), message


def test_einsum_of_matrices_is_a_product_that_blas_computes() -> None:
    a, b = T.dmatrices("a", "b")
    ops = [node.op.name for node in toposort([T.einsum("ij,kj->ik", a, b)])]
    assert ops == ["dimshuffle", "matmul"]


@pytest.mark.parametrize("function", [T.linalg.svd, T.linalg.svdvals, T.linalg.pinv])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_singular_values_of_what_is_not_finite_are_an_error_and_end(function: Any, bad: float) -> None:
    a = T.dmatrix("a")
    f = graphlab.function([a], function(a))
    with pytest.raises(GraphValueError, match="did not converge"):
        f(np.full((3, 3), bad))


def test_the_gradient_of_a_determinant_is_nan_where_the_matrix_is() -> None:
    a = T.dtensor3("a")
    f = graphlab.function([a], grad(T.linalg.det(a).sum(), a))
    got = f(np.stack([np.full((2, 2), np.inf), np.eye(2)]))
    assert np.isnan(got[0]).all()
    np.testing.assert_allclose(got[1], np.eye(2))
