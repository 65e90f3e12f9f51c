"""Compiled elementary functions: close to the true value everywhere, the same at any position, and vector code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import graphlab
import graphlab.tensor as T
from benchmarks.accuracy import CASES, DTYPES, LONG_DOUBLE_IS_LONGER, compiled, differences, drawn, worst
from graphlab.codegen.near import STRIP
from graphlab.codegen.paste import csrc, library
from graphlab.options import options
from graphlab.runtime.compiler import FLAGS, arguments, find_compiler

LOOSE = {"logaddexp", "logaddexp2"}  # as NumPy's: see docs/accuracy.md
FLUSHED = {"sigmoid": -87.0}  # SciPy's gives 0 below, ours what a subnormal number can say
VECTOR = [name for name, case in CASES.items() if case.arity == 1 and name not in ("arcsinh", "arccosh", "arctanh")]
WAVES = ("sin", "cos", "tan")


@pytest.mark.skipif(not LONG_DOUBLE_IS_LONGER, reason="long double is no longer than float64")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in CASES if name not in LOOSE])
def test_every_value_is_within_two_ulp(name: str, dtype: str) -> None:
    ours, _, at = worst(CASES[name], dtype, 16_000)
    assert ours <= 2.0, at


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_special_values_are_numpys(name: str, dtype: str) -> None:
    assert [at for at in differences(CASES[name], dtype) if not at[0] < FLUSHED.get(name, -np.inf)] == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VECTOR)
def test_a_value_is_the_same_at_any_position(name: str, dtype: str) -> None:
    f = compiled(CASES[name], dtype)
    x = drawn(dtype, 2000, np.random.default_rng(1))
    whole = f(x)
    np.testing.assert_array_equal(f(np.repeat(x, 2)[::2]), whole)  # not contiguous: plain code
    for start, count in ((1, 1), (3, 7), (5, 17), (8, 33), (250, 1500)):
        np.testing.assert_array_equal(f(x[start : start + count].copy()), whole[start : start + count])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WAVES)
def test_a_huge_argument_is_reduced_and_leaves_its_neighbours_alone(name: str, dtype: str) -> None:
    case = CASES[name]
    f = compiled(case, dtype)
    x = np.random.default_rng(2).uniform(-100, 100, 3 * STRIP + 5).astype(dtype)
    calm = f(x)
    huge = np.array([2.0**20, 1e7, 1e22, -1e30, np.finfo(dtype).max], dtype)
    for place in (0, STRIP - 1, STRIP, len(x) - 1):
        for value in huge:
            y = x.copy()
            y[place] = value
            result = f(y)
            np.testing.assert_allclose(result[place], case.numpy(value.astype("float64")), rtol=3e-7)
            np.testing.assert_array_equal(np.delete(result, place), np.delete(calm, place))


def test_multiples_of_pi_keep_their_digits() -> None:
    x = np.arange(1, 300_000, 7) * np.pi
    for name in WAVES:
        exact = getattr(np, name)(x.astype(np.longdouble))
        np.testing.assert_allclose(compiled(CASES[name], "float64")(x), exact.astype(float), rtol=5e-16)


def test_huge_arguments_are_asked_for_through_what_they_are_computed_from() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], [T.sin(x * 2.0**18) + T.cos(x), T.sinc(x).sum()])
    for value in (np.linspace(-3, 3, 40), np.linspace(-3, 60, 2000), np.array([1e300, -5.0]), np.array([np.inf])):
        with np.errstate(all="ignore"):
            want = np.sin(value * 2.0**18) + np.cos(value), np.sinc(value).sum()
        for got, expected in zip(f(value), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_tails_of_distributions_do_not_vanish() -> None:
    x = T.dvector("x")
    deep = np.array([-5.0, -20.0, -37.0])
    got = graphlab.function([x], [T.ndtr(x), T.erfc(-x / np.sqrt(2)), T.sigmoid(20 * x)])(deep)
    np.testing.assert_allclose(got[0], special.ndtr(deep), rtol=1e-12)
    np.testing.assert_allclose(got[1], special.erfc(-deep / np.sqrt(2)), rtol=1e-12)
    np.testing.assert_allclose(got[2], np.exp(20 * deep) / (1 + np.exp(20 * deep)), rtol=1e-12, atol=1e-322)


# ---- vector code -----------------------------------------------------------------------------------


def is_gcc() -> bool:
    """Whether the compiler says which loops it vectorised."""
    command = [find_compiler(options().cc).command[0], "--version"]
    return "Free Software Foundation" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("dtype", DTYPES)
def test_their_loops_become_vector_code(dtype: str, tmp_path: Path) -> None:
    if not is_gcc():
        pytest.skip("asks gcc what it did")
    x = T.vector(dtype=dtype)
    text = graphlab.function([x], [CASES[name].ours(x) for name in VECTOR] + [T.power(x, x), T.hypot(x, 2)]).c_source
    (tmp_path / "loops.c").write_text(text)
    command = arguments(find_compiler(options().cc), tmp_path / "loops.so")
    command = (*(str(tmp_path / "loops.c") if a == "-" else a for a in command), "-fopt-info-vec-optimized")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    done = {int(line) for line in re.findall(r"loops\.c:(\d+):\d+: optimized: loop vectorized", said)}
    marked = [k for k, line in enumerate(text.splitlines(), 2) if "#pragma omp simd" in line]
    assert len(marked) > len(VECTOR) // 2 or "strip" in text
    assert [k for k in marked if not done & {k, k + 1, k + 2, k + 3}] == []


@pytest.mark.parametrize("flags", [("-march=x86-64",), ("-march=x86-64-v2", "-O3"), ("-march=native", "-O0")])
def test_the_portable_forms_are_accurate_too(flags: tuple[str, ...], tmp_path: Path) -> None:
    """On a processor without multiply-and-add: e**x, log x, x**y, sin x and erfc x against long double."""
    names = ("exp", "log", "near_sin", "erfc", "cbrt")
    if not LONG_DOUBLE_IS_LONGER:
        pytest.skip("long double is no longer than float64")
    exact = {"near_sin": "sinl"}
    loops = "\n".join(
        f"double worst_{n}(const double *x, int n) {{ double worst = 0; for (int i = 0; i < n; i++) {{"
        f" const long double want = {exact.get(n, n + 'l')}(x[i]);"
        f" const double got = gl_{n}_float64(x[i]), size = __builtin_fabs((double)want);"
        f" const double off = __builtin_fabsl(got - want) / (nextafter(size, 1e308) - size);"
        f" if (off > worst) worst = off; }} return worst; }}"
        for n in names
    )
    text = f"""#include <stdio.h>
#include "gl_math.h"
{loops}
int main(void) {{ static double x[20000]; for (int i = 0; i < 20000; i++) x[i] = (i + 0.37) * 0.0011;
printf("{" ".join(["%g"] * len(names))}", {", ".join(f"worst_{n}(x, 20000)" for n in names)}); }}"""
    program = tmp_path / "accurate"
    kept = [f for f in FLAGS if f not in ("-O1", "-march=native", "-mprefer-vector-width=512", "-shared")]
    command = [*options().cc, "-O1", *kept, *flags, f"-I{csrc()}", "-x", "c", "-", "-o", str(program), "-lm"]
    built = subprocess.run(command, input=text, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    errors = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert all(float(e) <= 2.0 for e in errors), errors


@pytest.mark.parametrize(
    ("dtype", "bits", "infinity", "digits"),
    [("float32", "uint32", 0xFF << 23, 23), ("float64", "uint64", 0x7FF << 52, 52)],
)
@pytest.mark.parametrize("name", ["exp", "exp2", "expm1", "tanh", "sigmoid"])
def test_a_nan_stays_one_whatever_it_carries(name: str, dtype: str, bits: str, infinity: int, digits: int) -> None:
    """(The bits of the argument are added to those of a power of two.)"""
    carried = [1 << k for k in range(digits)] + [(1 << (digits - 1)) | k for k in range(512)]
    positive = np.array([infinity | k for k in carried], bits)
    sign = np.array(1, bits) << np.array(8 * positive.itemsize - 1, bits)
    nans = np.concatenate([positive, positive | sign]).view(dtype)
    x = T.tensor(dtype, (None,))
    assert np.isnan(nans).all()
    assert np.isnan(graphlab.function([x], getattr(T, name)(x))(nans)).all()


def test_every_near_function_has_one_that_takes_any_argument() -> None:
    near = [name for name in library() if name.startswith("gl_near_")]
    assert near
    assert all(name.replace("gl_near_", "gl_") in library() for name in near)
