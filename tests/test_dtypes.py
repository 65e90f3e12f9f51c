"""Complex numbers and float16: what they promote to, what becomes C, and what their gradients are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError, GraphTypeError, NullGradientError
from graphlab.graph.node import Variable
from graphlab.loops.ir import LoopCall

Array = np.ndarray[Any, Any]
COMPLEX = ("complex64", "complex128")


def compiled(inputs: Sequence[Variable], outputs: Any) -> graphlab.Function:
    """A function in which generated loops compute everything."""
    f = graphlab.function(list(inputs), outputs)
    actions = [step.action for step in f.lowered.program.steps if step.nodes]
    assert all(isinstance(action, LoopCall) for action in actions)
    return f


def numbers(*shape: int, seed: int = 0) -> Array:
    """Complex numbers around 0."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


# ---- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", *COMPLEX])
@pytest.mark.parametrize("number", [1j, 1.5, 2, np.complex64(1j)])
def test_numbers_promote_as_in_numpy(dtype: str, number: Any) -> None:
    x = T.tensor(dtype, (None,))
    assert (x + number).dtype == (np.ones(1, dtype) + number).dtype
    assert (number * x).dtype == (number * np.ones(1, dtype)).dtype


def test_the_parts_of_complex_numbers_are_real() -> None:
    c, f = T.cmatrix("c"), T.fvector("f")
    types = {name: getattr(c, name).dtype for name in ("real", "imag", "T")}
    assert types == {"real": "float32", "imag": "float32", "T": "complex64"}
    assert (abs(c).dtype, T.angle(c).dtype, c.conj().dtype) == ("float32", "float32", "complex64")
    assert (T.complex(f, 1.0).dtype, T.complex(T.iscalar(), f).dtype) == ("complex64", "complex128")
    assert T.complex_from_polar(f, f).dtype == "complex64"
    assert [v.dtype for v in (*T.zscalars(2), *T.cmatrices("a", "b"))] == ["complex128"] * 2 + ["complex64"] * 2


@pytest.mark.parametrize(
    "build",
    [lambda z: z.astype("float64"), lambda z: z % 2, T.floor, lambda z: T.complex(z, 1.0), lambda z: T.grad(z[0], z)],
)
def test_what_complex_numbers_have_not_is_an_error(build: Callable[[Variable], Variable]) -> None:
    with pytest.raises(GraphTypeError, match="complex"):
        build(T.zvector("z"))


def test_arguments_are_cast_where_nothing_is_lost() -> None:
    z, c = T.zvector("z"), T.cvector("c")
    twice, single = graphlab.function([z], z * 2), graphlab.function([c], c)
    np.testing.assert_array_equal(twice([1, 2j]), [2, 4j])
    np.testing.assert_array_equal(twice(np.ones(2, "int8")), [2, 2])
    with pytest.raises(GraphTypeError, match="complex128 to complex64 loses precision"):
        single(np.array([1j]))
    with pytest.raises(GraphTypeError, match="imaginary part"):
        graphlab.function([x := T.dvector("x")], x)(np.array([1j]))


# ---- C -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_arithmetic_fuses_into_a_reduction(dtype: str) -> None:
    z, w = T.tensor(dtype, (3, None), "z"), T.tensor(dtype, (3, None), "w")
    f = compiled([z, w], T.sum(T.exp(abs(z.conj() * w - 1j)) / (w + z.real), axis=1))
    assert len(f.lowered.kernels) == 1
    for a, b in ((numbers(3, 50), numbers(3, 50, seed=1)), (numbers(3, 100)[:, ::-2], numbers(3, 50, seed=1))):
        a, b = a.astype(dtype), b.astype(dtype)
        want = np.sum(np.exp(abs(a.conj() * b - 1j)) / (b + a.real), axis=1)
        got = f(a, b)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-4 if dtype == "complex64" else 1e-12)
    assert f(np.zeros((3, 0), dtype), np.zeros((3, 0), dtype)).tolist() == [0, 0, 0]


def test_products_and_quotients_of_infinities_are_those_of_numpy() -> None:
    z, w = T.zvectors("z", "w")
    parts = (np.inf, -np.inf, np.nan, 0.0, 1.0)
    every = np.array([complex(a, b) for a in parts for b in parts])
    a, b = np.repeat(every, every.size), np.tile(every, every.size)
    with np.errstate(all="ignore"):
        wanted = a * b, a / b
    for got, want in zip(compiled([z, w], [z * w, z / w])(a, b), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_powers_are_those_of_numpy(dtype: str) -> None:
    z, w = T.tensor(dtype, (None,)), T.tensor(dtype, (None,))
    exponents = np.array([0, 1, 2, 3, -1, 7, -20, 0.5, 1j, 1 - 2j, 120], dtype)
    bases = np.array([0, 1, -1, 1j, 0.5 - 1j, -2.0], dtype)
    a, b = np.repeat(bases, exponents.size), np.tile(exponents, bases.size)
    with np.errstate(all="ignore"):
        want = a**b
    np.testing.assert_allclose(compiled([z, w], z**w)(a, b), want, rtol=1e-5 if dtype == "complex64" else 1e-13)


def test_halves_are_rounded_after_every_operation_as_in_numpy() -> None:
    rng = np.random.default_rng(0)
    x, y = T.tensor("float16", (None,), "x"), T.tensor("float16", (None,), "y")
    f = compiled(
        [x, y], [x + y, x - y, x * y, x / y, x * y + x, (x + y) * (x - y), T.sqrt(abs(x)), x.astype("float64")]
    )
    bits = rng.integers(0, 2**16, (2, 4000)).astype("uint16").view("float16")
    with np.errstate(all="ignore"):
        a, b = bits
        wanted = [a + b, a - b, a * b, a / b, a * b + a, (a + b) * (a - b), np.sqrt(abs(a)), a.astype("float64")]
    for got, want in zip(f(a, b), wanted, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_halves_are_summed_in_single_precision() -> None:
    x = T.tensor("float16", (None, None), "x")
    ones = np.ones((4096, 2), "float16")
    assert graphlab.function([x], x.sum(0))(ones).tolist() == [4096, 4096]  # adding in halves stops at 2048
    some = np.random.default_rng(0).normal(size=(30, 50)).astype("float16")
    total, mean, product = graphlab.function([x], [x.sum(1), x.mean(), T.prod(1 + x / 64)])(some)
    assert {total.dtype.name, mean.dtype.name, product.dtype.name} == {"float16"}
    np.testing.assert_allclose(total, some.astype("float64").sum(1), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(mean, some.astype("float64").mean(), rtol=2e-3)


@pytest.mark.parametrize("mode", ["interpret", "fast_compile", "debug"])
def test_every_mode_computes_them(mode: str) -> None:
    z, h = T.zvector("z"), T.tensor("float16", (None,), "h")
    given = numbers(5), np.arange(5, dtype="float16") / 4
    f = graphlab.function([z, h], [T.prod(z) * h.sum(), T.grad(T.sum(abs(T.exp(z)) * h), h)], mode=mode)
    first, second = f(*given)
    np.testing.assert_allclose(first, np.prod(given[0]) * 2.5, rtol=1e-12)
    np.testing.assert_array_equal(second, abs(np.exp(given[0])).astype("float16"))


# ---- gradients -----------------------------------------------------------------------------------


def test_a_gradient_by_a_complex_number_ascends() -> None:
    z = T.zvector("z")
    at = numbers(4)
    square, real, imaginary = (T.grad(cost.sum(), z) for cost in (abs(z) ** 2, z.real, z.imag))
    a, b, c = graphlab.function([z], [square, real, imaginary])(at)
    np.testing.assert_allclose(a, 2 * at)
    np.testing.assert_array_equal(b, [1] * 4)
    np.testing.assert_array_equal(c, [1j] * 4)
    assert T.grad(abs(z).sum(), z).eval({z: np.zeros(2, complex)}).tolist() == [0, 0]


def test_known_gradients_are_in_the_same_convention() -> None:
    z = T.zvector("z")
    w = T.exp(z)
    cost = T.sum(abs(w - 1) ** 2)
    whole = T.grad(cost, z)
    by_w = T.grad(cost, w)
    parts = T.grad(None, z, known_grads={w: by_w})
    a, b = graphlab.function([z], [whole, parts])(numbers(3))
    np.testing.assert_allclose(a, b)


def test_a_real_operand_gets_the_real_part() -> None:
    x, z = T.dvector("x"), T.zvector("z")
    g = T.grad((x * z).imag.sum() + T.real(T.outer(x, z)).sum(), x)
    assert g.dtype == "float64"
    at = numbers(3)
    np.testing.assert_allclose(graphlab.function([x, z], g)(np.ones(3), at), at.imag + at.sum().real)


REAL_LINEAR: dict[str, Callable[[Variable], Variable]] = {
    "conj": lambda z: z.conj() * z, "parts": lambda z: z.real * z.imag, "abs": lambda z: abs(z) * z,
    "angle": lambda z: T.angle(z), "sign": T.sgn, "polar": lambda z: T.complex_from_polar(abs(z), 2 * T.angle(z)),
    "complex": lambda z: T.complex(z.imag, z.real**2), "abs2": lambda z: abs(z) ** 4,
}  # fmt: skip


@pytest.mark.parametrize("name", REAL_LINEAR)
def test_functions_that_are_not_holomorphic_have_both_derivatives(name: str) -> None:
    build, at = REAL_LINEAR[name], numbers(3) + 0.5
    T.verify_grad(build, [at])
    z = T.zvector("z")
    w = build(z)
    along, weights = numbers(3, seed=1), numbers(3, seed=2)
    weights = weights if w.dtype == "complex128" else weights.real
    forward, back = graphlab.function([z], [T.jvp(w, z, along), T.vjp(w, z, weights)])(at)
    assert np.sum(weights * forward).real == pytest.approx(np.sum(back * along).real)
    step = 1e-6
    moved = [w.eval({z: at + sign * step * along}) for sign in (1, -1)]
    np.testing.assert_allclose(forward, (moved[0] - moved[1]) / (2 * step), rtol=1e-6, atol=1e-8)
    T.verify_grad(lambda z: T.grad(T.real(build(z) * weights).sum(), z), [at])  # and again


A, B = numbers(3, 3) + 2 * np.eye(3), numbers(3, 2, seed=5)
HERMITIAN = A + A.conj().T
LINEAR: dict[str, tuple[Any, Any, tuple[Array, ...]]] = {
    "solve": (T.linalg.solve, np.linalg.solve, (A, B)),
    "solve_triangular": (
        lambda a, b: T.solve_triangular(a, b, trans="C"), lambda a, b: np.linalg.solve(np.triu(a).conj().T, b), (A, B),
    ),
    "inv": (T.linalg.inv, np.linalg.inv, (A,)),
    "det": (T.linalg.det, np.linalg.det, (A,)),
    "sign of det": (lambda a: T.linalg.slogdet(a)[0], lambda a: np.linalg.slogdet(a)[0], (A,)),
    "logarithm of det": (lambda a: T.linalg.slogdet(a)[1], lambda a: np.linalg.slogdet(a)[1], (A,)),
    "eigvalsh": (T.linalg.eigvalsh, np.linalg.eigvalsh, (HERMITIAN,)),
    "eigvalsh, upper": (lambda a: T.linalg.eigvalsh(a, "U"), lambda a: np.linalg.eigvalsh(a, "U"), (HERMITIAN,)),
    "svdvals": (T.linalg.svdvals, np.linalg.svdvals, (B,)),
    "norm": (T.linalg.norm, np.linalg.norm, (A,)),
    "matmul of real": (lambda a, b: a.real @ b, lambda a, b: a.real @ b, (A, B)),
    "einsum": (lambda a, b: T.einsum("ij,jk->ki", a, b), lambda a, b: np.einsum("ij,jk->ki", a, b), (A, B)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_linear_algebra_of_complex_matrices(name: str) -> None:
    build, meaning, arguments = LINEAR[name]
    inputs = [T.zmatrix() for _ in arguments]
    np.testing.assert_allclose(graphlab.function(inputs, build(*inputs))(*arguments), meaning(*arguments), rtol=1e-10)
    T.verify_grad(build, arguments)
    output = build(*inputs)
    along = [numbers(*a.shape, seed=9) for a in arguments]
    moved = T.jvp(output, inputs, along).eval(dict(zip(inputs, arguments, strict=True)))
    step = 1e-6
    ends = [meaning(*(a + s * step * t for a, t in zip(arguments, along, strict=True))) for s in (1, -1)]
    np.testing.assert_allclose(moved, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["cholesky", "qr", "eigh", "svd", "pinv"])
def test_decompositions_compute_complex_values_and_refuse_their_gradients(name: str) -> None:
    a = T.zmatrix("a")
    positive = A @ A.conj().T
    result = getattr(T.linalg, name)(a)
    last = result[-1] if isinstance(result, tuple) else result
    meaning = getattr(np.linalg, name)(positive)
    want = meaning[-1] if isinstance(meaning, tuple) else meaning
    np.testing.assert_allclose(abs(last.eval({a: positive})), abs(want), rtol=1e-8)
    with pytest.raises((NullGradientError, GraphlabError), match="complex128"):
        T.grad(T.real(last).sum(), a)
