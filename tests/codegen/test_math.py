"""csrc/gl_math.h: that it is C, that single functions can be taken out of it, and that they mean what NumPy means."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from graphlab.codegen.paste import LIBM, PACKAGE, library, needed, words
from graphlab.dtypes import INTEGER, SIGNED
from graphlab.options import options
from tests.codegen.test_c import compiles_cleanly
from tests.lower.programs import Array, Formula, built, var

CSRC = PACKAGE.parent / "csrc"
FLOATS = ("float32", "float64")


def names(what: str) -> list[str]:
    """The dtypes for which gl_<what>_<dtype> exists."""
    return [n.removeprefix(f"gl_{what}_") for n in library() if n.startswith(f"gl_{what}_")]


# ---- the header ------------------------------------------------------------------------------------


def test_the_header_is_c_by_itself() -> None:
    command = [*options().cc, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"]
    done = subprocess.run([*command, str(CSRC / "gl_math.h")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_all_its_functions_pasted_are_c_too() -> None:
    compiles_cleanly((CSRC / "gl_abi.h").read_text() + "\n".join(needed(set(library()))))


def test_a_pasted_function_brings_what_it_uses_before_it() -> None:
    for name in library():
        text = ""
        for piece in needed({name}):
            used = words(piece) & {*library(), *LIBM}
            assert all(u in words(text + piece) for u in used)
            text += piece
        assert text.rstrip().endswith(("}", ";", "*/"))
        assert f"{name}" in text


def test_pasted_functions_read_like_functions() -> None:
    assert library()["gl_floor_divide_int8"] == (
        "/* floor(a / b); x // 0 is 0, and the quotient of the least integer by -1 wraps */\n"
        "GL_FN int8_t gl_floor_divide_int8(int8_t a, int8_t b) {\n"
        "  if (b == 0) return 0;\n"
        "  if (b == -1) return -a;\n"
        "  const int8_t q = a / b;\n"
        "  return q - (a % b != 0 && (a < 0) != (b < 0));\n"
        "}\n"
    )
    assert "##" not in "".join(library().values())


# ---- values ----------------------------------------------------------------------------------------


def edges(dtype: str) -> Array:
    """Values at which such functions go wrong."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGER:
        info = np.iinfo(dtype)
        near = [*range(-9, 10), 31, 32, 33, 63, 64, 65, info.max, info.max - 1, info.min, info.min + 1]
        return np.array([v for v in near if info.min <= v <= info.max], dtype)
    info_f = np.finfo(dtype)
    some = [0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 7.25, 1e-3, 20, 88.5, 300, 709.5, 745, np.inf, 1e30]
    some += [info_f.tiny, info_f.smallest_subnormal, info_f.max, info_f.eps]
    return np.array([*some, *(-v for v in some), np.nan], dtype)


def run(template: str, function: Callable[..., Any], dtype: str, arity: int, result: str) -> tuple[Array, Array]:
    """What C and what NumPy give for all combinations of edge values."""
    values = [a.ravel() for a in np.meshgrid(*[edges(dtype)] * arity)]
    op = Formula("helper", template, function, (dtype,) * arity, result)
    inputs = [var(dtype, None) for _ in range(arity)]
    program = built(inputs, [op(*inputs)])
    with np.errstate(all="ignore"):
        return program(*values)[0], op.evaluate(*values)[0]


INTEGERS: dict[str, Callable[..., Any]] = {
    "floor_divide": np.floor_divide, "remainder": np.remainder, "fmod": np.fmod,
    "left_shift": np.left_shift, "right_shift": np.right_shift, "abs": np.absolute, "sign": np.sign,
    "maximum": np.maximum, "minimum": np.minimum, "fmax": np.fmax, "fmin": np.fmin,
}  # fmt: skip
UNARY = ("abs", "sign", "sigmoid", "softplus", "exp", "gammaln", "digamma")
ORDER = ("maximum", "minimum", "fmax", "fmin")


@pytest.mark.parametrize(("what", "dtype"), [(w, d) for w in INTEGERS for d in names(w) if d not in FLOATS])
def test_integer_helpers_are_numpys(what: str, dtype: str) -> None:
    arity = 1 if what in UNARY else 2
    arguments = ", ".join(f"{{{k}}}" for k in range(arity))
    got, want = run(f"gl_{what}_{dtype}({arguments})", INTEGERS[what], dtype, arity, dtype)
    np.testing.assert_array_equal(got, want)


def test_every_integer_dtype_has_every_helper() -> None:
    assert all(set(INTEGER) <= set(names(what)) for what in (*INTEGERS, "power"))
    assert all("bool" in names(what) for what in ORDER)


@pytest.mark.parametrize("dtype", INTEGER)
def test_integer_power_wraps_like_numpys(dtype: str) -> None:
    def power(a: Array, b: Array) -> Array:
        return np.where(b < 0, 0, np.power(a, np.where(b < 0, 0, b)))

    got, want = run(f"{{1}} < 0 ? 0 : gl_power_{dtype}({{0}}, {{1}})", power, dtype, 2, dtype)
    np.testing.assert_array_equal(got, want)


FLOATING: dict[str, tuple[Callable[..., Any], float]] = {  # and within how many ulps
    "floor_divide": (np.floor_divide, 0), "remainder": (np.remainder, 0), "fmod": (np.fmod, 0),
    "sign": (np.sign, 0), "maximum": (np.maximum, 0), "minimum": (np.minimum, 0), "fmax": (np.fmax, 0),
    "fmin": (np.fmin, 0), "exp": (np.exp, 2), "sigmoid": (special.expit, 4),
    "softplus": (lambda x: np.logaddexp(x, np.zeros_like(x)), 4), "logaddexp": (np.logaddexp, 4),
    "logaddexp2": (np.logaddexp2, 4), "gammaln": (special.gammaln, 32), "digamma": (special.digamma, 32),
}  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("what", FLOATING)
def test_floating_helpers_are_numpys(what: str, dtype: str) -> None:
    function, ulps = FLOATING[what]
    arity = 1 if what in UNARY else 2
    arguments = ", ".join(f"{{{k}}}" for k in range(arity))
    got, want = run(f"gl_{what}_{dtype}({arguments})", function, dtype, arity, dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    if what == "gammaln":  # SciPy's overflows where the argument is not normal
        tiny = np.abs(edges(dtype)) < np.finfo(dtype).tiny
        got, want = (np.where(tiny & (edges(dtype) != 0), 0, a) for a in (got, want))
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.abs(want))
        if what.startswith("logaddexp"):  # the larger operand and the logarithm cancel where both are about log 2
            spacing = np.maximum(spacing, np.spacing(np.array(0.5, dtype)))
        far = ~((got == want) | np.isnan(want) | (np.abs(got - want) <= ulps * spacing))
    assert not far.any(), (got[far][:5], want[far][:5])
    if what not in ORDER:  # of 0 and -0 NumPy gives now one and now the other
        zero = want == 0
        np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


# ---- conversion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("dtype", INTEGER)
def test_truncation_is_numpys_where_the_value_fits(source: str, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.trunc(edges(source))
    fits = np.isfinite(values) & (values >= float(info.min)) & (values < float(info.max))
    got, want = run(f"gl_truncate_{dtype}({{0}})", lambda x: x.astype(dtype), source, 1, dtype)
    np.testing.assert_array_equal(got[fits], want[fits])


@pytest.mark.parametrize("dtype", SIGNED)
def test_truncation_of_what_does_not_fit_is_defined(dtype: str) -> None:
    got, _ = run(f"gl_truncate_{dtype}({{0}})", lambda x: np.zeros_like(x), "float64", 1, dtype)
    outside = ~np.isfinite(edges("float64")) | (np.abs(edges("float64")) > 2.0**64)
    least = np.iinfo(dtype).min if dtype in ("int32", "int64") else 0  # narrow ones: the low bits of int32's
    assert set(got[outside].tolist()) == {least}


# ---- exp -------------------------------------------------------------------------------------------


def exponents(dtype: str, rng: np.random.Generator) -> Array:
    """Arguments from where e**x vanishes to where it overflows, and close to 0."""
    low, high = (-745.2, 709.78) if dtype == "float64" else (-103.9, 88.7)
    spread = [rng.uniform(low, high, 100_000), rng.uniform(-1, 1, 50_000), rng.uniform(low, low + 40, 50_000)]
    return np.concatenate([*spread, rng.standard_normal(20_000) * 10.0 ** rng.integers(-30, 1, 20_000)]).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_exp_is_within_about_one_ulp(dtype: str, rng: np.random.Generator) -> None:
    x = exponents(dtype, rng)
    v = var(dtype, None)
    got = built([v], [Formula("exp", f"gl_exp_{dtype}({{0}})", np.exp, (dtype,), dtype)(v)])(x)[0]
    exact = np.exp(x.astype(np.longdouble))
    error = np.abs(got.astype(np.longdouble) - exact) / np.spacing(exact.astype(dtype)).astype(np.longdouble)
    assert float(error.max()) <= (1.0 if dtype == "float64" else 1.07)


@pytest.mark.parametrize(
    ("dtype", "overflows", "vanishes"), [("float64", 709.79, -745.14), ("float32", 88.73, -103.98)]
)
def test_exp_ends_where_it_should(dtype: str, overflows: float, vanishes: float) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, overflows, vanishes, 1e30, -1e30, overflows - 0.02], dtype)
    v = var(dtype, None)
    got = built([v], [Formula("exp", f"gl_exp_{dtype}({{0}})", np.exp, (dtype,), dtype)(v)])(x)[0]
    np.testing.assert_array_equal(got[:-1], np.array([np.nan, np.inf, 0, 1, 1, np.inf, 0, np.inf, 0], dtype))
    assert np.isfinite(got[-1])
