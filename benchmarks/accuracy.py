"""How far compiled elementwise functions are from the true values, in ulp (units in the last place).

Each function is called on random arguments from the whole range of its dtype, and compared with long double, which has
11 digits more than float64 (on x86; elsewhere this says so and stops). At zeros, infinities, nan and the ends of the
range its values are compared with NumPy's and SciPy's. Run: python -m benchmarks.accuracy > docs/accuracy.md
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

import graphlab
import graphlab.tensor as T

Array = np.ndarray[Any, Any]
Exact = Callable[..., Array]
DTYPES = ("float64", "float32")
COUNT = 80_000
LONG_DOUBLE_IS_LONGER = np.finfo(np.longdouble).nmant > 52


def _erfc(x: Array) -> Array:
    """erfc(x) = e**-x**2 / pi times the integral of x e**-t**2 / (x**2 + t**2) over all t, by the midpoint rule.

    Apart from the poles at ix and -ix, whose part is known, its error is below any digit here (Hunter and Regan,
    Math. Comp. 26, 1972).
    """
    h = np.longdouble(0.25)
    pi = np.arccos(np.longdouble(-1))
    size = np.abs(x.astype(np.longdouble)).clip(1e-20)
    t = (np.arange(-60, 60, dtype=np.longdouble) + np.longdouble(0.5)) * h
    total = np.zeros_like(size)
    for node in t:
        total += np.exp(-node * node) / (size * size + node * node)
    tail = np.exp(-size * size) * size * h / pi * total
    poles = 2 / (1 + np.exp(2 * pi * size / h))
    tail = np.where(size < pi / h, tail + poles, tail)
    return np.where(np.isnan(x), x, np.where(x < 0, 2 - tail, tail))


def _erf(x: Array) -> Array:
    """erf by its series where 1 - erfc would lose digits."""
    x = x.astype(np.longdouble)
    small = np.where(np.abs(x) < 1, x, 0)
    term, total = small, small
    for k in range(1, 30):
        term = -term * small * small / k
        total = total + term / (2 * k + 1)
    return np.where(np.abs(x) < 1, total * 2 / np.sqrt(np.arccos(np.longdouble(-1))), 1 - _erfc(x))


def _sigmoid(x: Array) -> Array:
    return np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@dataclass(frozen=True)
class Case:
    """An elementwise function: graphlab's, NumPy's or SciPy's, and its true value in long double."""

    ours: Callable[..., Any]
    numpy: Callable[..., Any]
    exact: Exact
    arity: int = 1


def _ufunc(name: str, arity: int = 1) -> Case:
    function = getattr(np, name)
    return Case(getattr(T, name), function, function, arity)


NAMES = """exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh
arccosh arctanh square reciprocal deg2rad rad2deg""".split()
PAIRS = "add subtract multiply true_divide power hypot arctan2 logaddexp logaddexp2 fmod".split()
ROOT_HALF = np.sqrt(np.longdouble(0.5))
CASES: dict[str, Case] = {
    **{name: _ufunc(name) for name in NAMES},
    **{name: _ufunc(name, 2) for name in PAIRS},
    "sigmoid": Case(T.sigmoid, special.expit, _sigmoid),
    "softplus": Case(T.softplus, lambda x: np.logaddexp(x, np.zeros_like(x)), _softplus),
    "erf": Case(T.erf, special.erf, _erf),
    "erfc": Case(T.erfc, special.erfc, _erfc),
    "ndtr": Case(T.ndtr, special.ndtr, lambda x: _erfc(-x * ROOT_HALF) / 2),
}


def drawn(dtype: str, count: int, rng: np.random.Generator) -> Array:
    """Arguments: any bits, some close to 0 and to 1, and uniform ones of several widths."""
    info = np.finfo(dtype)
    each, wide = count // 8, float(np.log(float(info.max)))
    bits = rng.integers(0, 2 ** (8 * info.dtype.itemsize), each, dtype=f"uint{8 * info.dtype.itemsize}").view(dtype)
    near = np.ldexp(rng.uniform(-1, 1, (2, each)), -rng.integers(0, info.nmant, (2, each)))
    spread = [rng.uniform(-w, w, each) for w in (2, 16, 100, 1.1 * wide, 1e6)]
    return np.concatenate([bits, *(a.astype(dtype) for a in (near[0], 1 + near[1], *spread))])


def awkward(dtype: str) -> Array:
    """Zeros, infinities, nan, the ends of the range, small whole numbers, and where the exponential ends."""
    info = np.finfo(dtype)
    some = [0, 0.5, 1, 2, 3, 100, 1e9, 88.8, 709.8, 1e22, info.tiny, info.smallest_subnormal, info.max, np.inf]
    return np.array([*some, *(-v for v in some), np.nan], dtype)


def error(got: Array, exact: Array) -> Array:
    """The distance of `got` from the long doubles `exact`, in ulp of `got`'s dtype; 0 where both are no number."""
    dtype, info = got.dtype, np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        exponent = np.frexp(np.abs(exact).clip(np.longdouble(info.tiny), np.longdouble(info.max)))[1]
        ulp = np.ldexp(np.longdouble(1), exponent - info.nmant - 1)
        distance = np.abs(got.astype(np.longdouble) - exact) / ulp
        same = (rounded == got) & ~np.isfinite(got) | np.isnan(rounded) & np.isnan(got)
    return np.where(same, 0, np.where(np.isnan(distance), np.inf, distance)).astype(float)


def compiled(case: Case, dtype: str) -> Callable[..., Array]:
    """graphlab's function of vectors."""
    inputs = [T.vector(dtype=dtype) for _ in range(case.arity)]
    return graphlab.function(inputs, case.ours(*inputs))


def worst(case: Case, dtype: str, count: int) -> tuple[float, float, tuple[float, ...]]:
    """The largest error of the compiled function, that of NumPy's, and where the former is."""
    rng = np.random.default_rng(0)
    operands = [rng.permutation(drawn(dtype, count, rng)) for _ in range(case.arity)]
    with np.errstate(all="ignore"):
        exact = case.exact(*(x.astype(np.longdouble) for x in operands))
        ours = error(compiled(case, dtype)(*operands), exact)
        theirs = error(np.asarray(case.numpy(*operands)), exact)
    at = int(ours.argmax())
    return float(ours[at]), float(theirs.max()), tuple(float(x[at]) for x in operands)


def differences(case: Case, dtype: str) -> list[tuple[float, ...]]:
    """The awkward arguments at which one of ours and NumPy's is nan, infinite or zero and the other is not."""
    operands = [np.ravel(a) for a in np.meshgrid(*[awkward(dtype)] * case.arity)]
    with np.errstate(all="ignore"):
        ours, theirs = compiled(case, dtype)(*operands), np.asarray(case.numpy(*operands))
        special_value = ~np.isfinite(theirs) | ~np.isfinite(ours) | (theirs == 0) | (ours == 0)
        same = (ours == theirs) & (np.signbit(ours) == np.signbit(theirs)) | np.isnan(ours) & np.isnan(theirs)
    return [tuple(float(x[i]) for x in operands) for i in np.flatnonzero(special_value & ~same)]


INTRODUCTION = f"""\
The largest errors over {COUNT:,} random arguments from the whole range, compared with long double; half an ulp is
correct rounding. A compiled function gives the same value wherever in an array an element stands. `logaddexp` and
`logaddexp2` add a logarithm to the larger operand, as NumPy's do: where the two cancel, their error is that of the
logarithm. Made by `python -m benchmarks.accuracy > docs/accuracy.md`.
"""


def main() -> None:
    """Print the table."""
    if not LONG_DOUBLE_IS_LONGER:
        sys.exit("long double is no longer than float64 here: nothing to compare with")
    print(__doc__.split("\n\n")[0].replace("How far", "# Accuracy\n\nHow far", 1), end="\n\n")
    print(INTRODUCTION)
    print("| function | dtype | ulp | NumPy's, SciPy's | largest at | special values that differ from NumPy's |")
    print("|---|---|---|---|---|---|")
    for name, case in CASES.items():
        for dtype in DTYPES:
            ours, theirs, at = worst(case, dtype, COUNT)
            where = ", ".join(f"{v:.9g}" for v in at)
            others = differences(case, dtype)
            named = "; ".join(", ".join(f"{v:.4g}" for v in values) for values in others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            print(f"| `{name}` | {dtype} | {ours:.3f} | {theirs:.3g} | {where} | {named or 'none'}{more} |", flush=True)


if __name__ == "__main__":
    main()
