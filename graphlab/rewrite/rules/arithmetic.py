"""Arithmetic in its canonical form: identities, signs, powers, parts of complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from graphlab.dtypes import COMPLEX, INTEGER, SIGNED, UNSIGNED
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.conversion import Cast
from graphlab.ops.elementwise import (
    absolute,
    ceil,
    complex_,
    conjugate,
    cos,
    cosh,
    exp,
    exp2,
    fabs,
    float_power,
    floor,
    imag,
    isfinite,
    isinf,
    isnan,
    left_shift,
    negative,
    positive,
    power,
    real,
    reciprocal,
    right_shift,
    rint,
    round,
    sigmoid,
    sign,
    softplus,
    square,
    trunc,
)
from graphlab.ops.extents import ones_like, zeros_like
from graphlab.ops.special import digamma, polygamma
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.rule import EXACT, FLOAT, REAL, ROUNDING, AnyRule, NodeRule, Rule, example

# ---- guards --------------------------------------------------------------------------------------


def is_number(c: Constant, value: float) -> bool:
    """Whether `c` is a scalar of that value."""
    return c.ndim == 0 and bool(c.data == value)


def has_exact_reciprocal(c: Constant) -> bool:
    """Whether 1/c is exact: powers of two, as far as their reciprocals are normal numbers."""
    with np.errstate(all="ignore"):
        mantissa, _ = np.frexp(c.data)
        inverse = np.abs(1 / c.data)
    info = np.finfo(c.data.dtype)
    return bool(np.all((np.abs(mantissa) == 0.5) & (inverse >= info.tiny) & (inverse <= info.max)))


# ---- what is known of x ----------------------------------------------------------------------------

WHOLE = (floor, ceil, trunc, rint, round)
NEVER_NEGATIVE = (absolute, fabs, square, exp, exp2, sigmoid, softplus, cosh)


def is_whole(x: Variable) -> bool:
    """Whether `x` is seen to hold whole numbers, infinities and NaN only."""
    if x.dtype in INTEGER:
        return True
    node = x.owner
    if node is None:
        return False
    return node.op in WHOLE or (isinstance(node.op, Cast) and node.inputs[0].dtype in INTEGER)


def without_rounding(node: Apply) -> Variable | None:
    """floor, ceil, trunc, rint or round of what is whole."""
    (x,) = node.inputs
    return x if is_whole(x) else None


def without_absolute(node: Apply) -> Variable | None:
    """The absolute value of what is seen to be no negative number, nor -0.0."""
    (x,) = node.inputs
    by = None if x.owner is None else x.owner.op
    return x if x.dtype in UNSIGNED or (x.dtype in FLOAT and by in NEVER_NEGATIVE) else None


# ---- tables --------------------------------------------------------------------------------------

IDENTITIES: tuple[AnyRule, ...] = (
    Rule("x + 0 -> x", EXACT, find=lambda x: x + 0, make=lambda x: x, on=INTEGER,
         because="not for floats, where -0.0 + 0 is 0.0"),
    Rule("x + -0.0 -> x", EXACT, find=lambda x: x + -0.0, make=lambda x: x),
    Rule("x - 0 -> x", EXACT, find=lambda x: x - 0, make=lambda x: x, on=REAL),
    Rule("x * 1 -> x", EXACT, find=lambda x: x * 1, make=lambda x: x, on=REAL),
    Rule("x / 1 -> x", EXACT, find=lambda x: x / 1, make=lambda x: x),
    Rule("+x -> x", EXACT, find=lambda x: positive(x), make=lambda x: x, on=(*REAL, *COMPLEX)),
    Rule("x + x -> x * 2", EXACT, find=lambda x: x + x, make=lambda x: x * 2, on=REAL),
    Rule("x // 1 -> x", EXACT, find=lambda x: x // 1, make=lambda x: x, on=INTEGER),
    Rule("x * 0 -> 0", EXACT, find=lambda x: x * 0, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: nan * 0 is nan"),
    Rule("x - x -> 0", EXACT, find=lambda x: x - x, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: inf - inf is nan"),
    Rule("x % 1 -> 0", EXACT, find=lambda x: x % 1, make=lambda x: zeros_like(x), on=INTEGER),
    Rule("x % -1 -> 0", EXACT, find=lambda x: x % -1, make=lambda x: zeros_like(x), on=SIGNED),
    Rule("0 // x -> 0", EXACT, find=lambda x: 0 // x, make=lambda x: zeros_like(x), on=INTEGER,
         because="0 // 0 is 0 for integers"),
    Rule("0 % x -> 0", EXACT, find=lambda x: 0 % x, make=lambda x: zeros_like(x), on=INTEGER,
         because="0 % 0 is 0 for integers"),
    Rule("(x % y) % y -> x % y", EXACT, find=lambda x, y: (x % y) % y, make=lambda x, y: x % y, on=INTEGER,
         because="for integers only: -1e-20 % 1.0 is 1.0, rounded, and 1.0 % 1.0 is 0.0"),
    Rule("(x + y) - y -> x", EXACT, find=lambda x, y: (x + y) - y, make=lambda x, y: x, on=INTEGER,
         because="integers wrap there and back"),
    Rule("(x - y) + y -> x", EXACT, find=lambda x, y: (x - y) + y, make=lambda x, y: x, on=INTEGER,
         because="integers wrap there and back"),
    Rule("x - (x - y) -> y", EXACT, find=lambda x, y: x - (x - y), make=lambda x, y: y, on=INTEGER,
         because="integers wrap there and back"),
    Rule("(x - y) - x -> -y", EXACT, find=lambda x, y: (x - y) - x, make=lambda x, y: -y, on=INTEGER,
         because="integers wrap there and back"),
    Rule("(x + y) - (x + z) -> y - z", EXACT, find=lambda x, y, z: (x + y) - (x + z), make=lambda x, y, z: y - z,
         on=INTEGER, because="integers wrap there and back"),
    Rule("(x ^ y) ^ y -> x", EXACT, find=lambda x, y: (x ^ y) ^ y, make=lambda x, y: x, on=INTEGER),
    Rule("x << 0 -> x", EXACT, find=lambda x: left_shift(x, 0), make=lambda x: x, on=INTEGER),
    Rule("x >> 0 -> x", EXACT, find=lambda x: right_shift(x, 0), make=lambda x: x, on=INTEGER),
    NodeRule("floor(x) -> x", EXACT, without_rounding, WHOLE,
             because="where x is whole; ceil, trunc, rint and round too",
             examples=(example(lambda x: floor(rint(x)), x="float64[5]"),
                       example(lambda x: round(ceil(x)), x="float32[5]"),
                       example(lambda x: trunc(x), x="int8[5]"),
                       example(lambda n: ceil(n.astype("float64")), n="int64[5]"))),
    Rule("x * -1 -> -x", EXACT, find=lambda x: x * -1, make=lambda x: -x, on=REAL),
)  # fmt: skip


def even(f: Elementwise, sign: Elementwise, text: str) -> Rule:
    """The rule that `f` does not see the sign of its operand."""
    return Rule(f"{f.name}({text}) -> {f.name}(x)", EXACT, find=lambda x: f(sign(x)), make=lambda x: f(x),
                on={"x": FLOAT})  # fmt: skip


NEGATIONS: tuple[AnyRule, ...] = (
    Rule("-(-x) -> x", EXACT, find=lambda x: negative(-x), make=lambda x: x, on=(*REAL, *COMPLEX)),
    Rule("x - (-y) -> x + y", EXACT, find=lambda x, y: x - (-y), make=lambda x, y: x + y, on=REAL),
    Rule("x + (-y) -> x - y", EXACT, find=lambda x, y: x + (-y), make=lambda x, y: x - y, on=REAL),
    Rule("0 - x -> -x", EXACT, find=lambda x: 0 - x, make=lambda x: -x, on=INTEGER,
         because="for integers only: 0 - 0.0 is 0.0"),
    Rule("(-x) * (-y) -> x * y", EXACT, find=lambda x, y: (-x) * (-y), make=lambda x, y: x * y, on=REAL),
    Rule("(-x) * y -> -(x * y)", EXACT, find=lambda x, y: (-x) * y, make=lambda x, y: -(x * y), on=REAL,
         because="rounding is symmetric, and integers wrap"),
    Rule("(-x) / y -> -(x / y)", EXACT, find=lambda x, y: (-x) / y, make=lambda x, y: -(x / y)),
    Rule("x / (-y) -> -(x / y)", EXACT, find=lambda x, y: x / (-y), make=lambda x, y: -(x / y)),
    Rule("|-x| -> |x|", EXACT, find=lambda x: abs(-x), make=lambda x: abs(x), on=(*FLOAT, *SIGNED)),
    Rule("||x|| -> |x|", EXACT, find=lambda x: abs(abs(x)), make=lambda x: abs(x), on=REAL),
    Rule("-(x - y) -> y - x", EXACT, find=lambda x, y: -(x - y), make=lambda x, y: y - x, on=INTEGER,
         because="for integers only: -(1.0 - 1.0) is -0.0"),
    Rule("fabs(x) -> |x|", EXACT, find=lambda x: fabs(x), make=lambda x: absolute(x)),
    Rule("sign(x) * |x| -> x", EXACT, find=lambda x: sign(x) * abs(x), make=lambda x: x, on=INTEGER,
         because="for integers only: the sign of -0.0 is 0.0"),
    Rule("sign(x) * x -> |x|", EXACT, find=lambda x: sign(x) * x, make=lambda x: abs(x), on=INTEGER,
         because="for integers only: the sign of -0.0 is 0.0"),
    Rule("sign(sign(x)) -> sign(x)", EXACT, find=lambda x: sign(sign(x)), make=lambda x: sign(x), on=REAL),
    NodeRule("|x| -> x", EXACT, without_absolute, (absolute,), because="where x can't be negative",
             examples=(example(lambda x: absolute(exp(x)), x="float64[5]"),
                       example(lambda x: absolute(square(x)), x="float32[5]"),
                       example(lambda x: absolute(x), x="uint8[5]"))),
    *(even(f, negative, "-x") for f in (cos, cosh)),
    *(even(f, absolute, "|x|") for f in (cos, cosh)),
    *(even(f, negative, "-x") for f in (isnan, isinf, isfinite)),
    Rule("square(-x) -> square(x)", EXACT, find=lambda x: square(-x), make=lambda x: square(x), on=REAL),
    Rule("square(|x|) -> square(x)", EXACT, find=lambda x: square(absolute(x)), make=lambda x: square(x), on=REAL),
)  # fmt: skip


def _powers(name: str, find: Callable[..., Variable], make: Callable[..., Variable]) -> tuple[Rule, ...]:
    """The rule for integers, and that for floats."""
    wraps = Rule(name, EXACT, find, make, on=INTEGER, because="integers wrap, in whichever order they are multiplied")
    return wraps, replace(wraps, changes=ROUNDING, on=FLOAT, because="rounded at each product instead of once")


PRODUCTS: tuple[tuple[str, Callable[..., Variable], Callable[..., Variable]], ...] = (
    ("x ** 3 -> square(x) * x", lambda x: x**3, lambda x: square(x) * x),
    ("x ** 4 -> square(square(x))", lambda x: x**4, lambda x: square(square(x))),
    ("x ** 5 -> square(square(x)) * x", lambda x: x**5, lambda x: square(square(x)) * x),
    ("x ** 6 -> square(square(x) * x)", lambda x: x**6, lambda x: square(square(x) * x)),
    ("x ** 8 -> square(square(square(x)))", lambda x: x**8, lambda x: square(square(square(x)))),
)

POWERS: tuple[AnyRule, ...] = (
    Rule("x ** 1 -> x", EXACT, find=lambda x: x**1, make=lambda x: x, on=REAL),
    Rule("x * x -> square(x)", EXACT, find=lambda x: x * x, make=lambda x: square(x), on=REAL),
    Rule("x ** 2 -> square(x)", EXACT, find=lambda x, c: power(x, c), make=lambda x: square(x), on=REAL,
         constants={"c": (2,)}, when=lambda c: is_number(c, 2),
         because="numpy.power multiplies if the exponent is the scalar 2"),
    Rule("x ** 0 -> 1", EXACT, find=lambda x: x**0, make=lambda x: ones_like(x), on=REAL,
         because="nan ** 0 is 1 too"),
    Rule("1 ** x -> 1", EXACT, find=lambda x: power(1, x), make=lambda x: ones_like(x), on=(*FLOAT, *UNSIGNED),
         because="1 ** nan is 1 too; a negative integer would be an error"),
    *(rule for name, find, make in PRODUCTS for rule in _powers(name, find, make)),
    Rule("x ** -2 -> square(1 / x)", ROUNDING, find=lambda x: x**-2, make=lambda x: square(1 / x),
         because="rounded twice instead of once; 1 / square(x) would lose what is too small for square(x)"),
    Rule("float_power(x, y) -> x ** y", ROUNDING, find=lambda x, y: float_power(x, y), make=lambda x, y: x**y,
         on=("float64",), because="powers of 2 are multiplied"),
    Rule("polygamma(0, x) -> digamma(x)", ROUNDING, find=lambda x: polygamma(0, x), make=lambda x: digamma(x),
         on=("float64",), because="another algorithm for the same function"),
    Rule("x ** -1 -> 1 / x", ROUNDING, find=lambda x: x**-1, make=lambda x: 1 / x,
         because="a division is rounded correctly, pow need not be"),
    Rule("reciprocal(x) -> 1 / x", EXACT, find=lambda x: reciprocal(x), make=lambda x: 1 / x),
    Rule("x / c -> x * (1/c)", EXACT, find=lambda x, c: x / c, make=lambda x, c: x * Constant(1 / c.data),
         constants={"c": (2.0, -0.25)}, when=has_exact_reciprocal,
         because="for powers of two only: then 1/c is exact and both are the same number, rounded once"),
)  # fmt: skip

# ---- parts of complex numbers --------------------------------------------------------------------

PARTS: tuple[AnyRule, ...] = (
    Rule("conj(conj(x)) -> x", EXACT, find=lambda x: conjugate(conjugate(x)), make=lambda x: x, on=COMPLEX),
    Rule("conj(x) -> x", EXACT, find=lambda x: conjugate(x), make=lambda x: x, on=REAL, because="where x is real"),
    Rule("real(x) -> x", EXACT, find=lambda x: real(x), make=lambda x: x, on=REAL, because="where x is real"),
    Rule("imag(x) -> 0", EXACT, find=lambda x: imag(x), make=lambda x: zeros_like(x), on=REAL,
         because="where x is real"),
    Rule("real(conj(x)) -> real(x)", EXACT, find=lambda x: real(conjugate(x)), make=lambda x: real(x),
         on={"x": COMPLEX}),
    Rule("imag(conj(x)) -> -imag(x)", EXACT, find=lambda x: imag(conjugate(x)), make=lambda x: -imag(x),
         on={"x": COMPLEX}),
    Rule("|conj(x)| -> |x|", EXACT, find=lambda x: abs(conjugate(x)), make=lambda x: abs(x), on={"x": COMPLEX}),
    Rule("|-x| -> |x| of complex numbers", EXACT, find=lambda x: abs(-x), make=lambda x: abs(x), on={"x": COMPLEX}),
    Rule("real(complex(x, y)) -> x", EXACT, find=lambda x, y: real(complex_(x, y)), make=lambda x, y: x,
         on={"x": FLOAT[:2], "y": FLOAT[:2]}),
    Rule("imag(complex(x, y)) -> y", EXACT, find=lambda x, y: imag(complex_(x, y)), make=lambda x, y: y,
         on={"x": FLOAT[:2], "y": FLOAT[:2]}),
    Rule("complex(real(x), imag(x)) -> x", EXACT, find=lambda x: complex_(real(x), imag(x)), make=lambda x: x,
         on={"x": COMPLEX}),
)  # fmt: skip
