"""Arithmetic in its canonical form: identities, signs, powers, constants brought together."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import COMPLEX, INTEGER, SIGNED
from graphlab.graph.node import Constant
from graphlab.ops.elementwise import absolute, negative, power, reciprocal, square
from graphlab.ops.extents import zeros_like
from graphlab.rewrite.rule import EXACT, FLOAT, REAL, ROUNDING, AnyRule, Rule

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


def joins_small(c: Constant, d: Constant) -> bool:
    """Whether a constant of both, broadcast together, is no larger than the larger of them."""
    return bool(np.prod(np.broadcast_shapes(c.data.shape, d.data.shape)) <= max(c.data.size, d.data.size, 1))


def scale_alike(c: Constant, d: Constant) -> bool:
    """Whether c and d both enlarge or both shrink, so that c*d overflows or underflows only where both steps do."""
    if not joins_small(c, d):
        return False
    with np.errstate(all="ignore"):
        sizes, product = (np.abs(c.data), np.abs(d.data)), np.abs(c.data * d.data)
    info = np.finfo(c.data.dtype)
    grow, shrink = (all(np.all(s >= 1) for s in sizes), all(np.all(s <= 1) for s in sizes))
    return bool((grow or shrink) and np.all(product >= info.tiny) and np.all(product <= info.max))


# ---- tables --------------------------------------------------------------------------------------

IDENTITIES: tuple[AnyRule, ...] = (
    Rule("x + 0 -> x", EXACT, find=lambda x: x + 0, make=lambda x: x, on=INTEGER,
         because="not for floats, where -0.0 + 0 is 0.0"),
    Rule("x + -0.0 -> x", EXACT, find=lambda x: x + -0.0, make=lambda x: x),
    Rule("x - 0 -> x", EXACT, find=lambda x: x - 0, make=lambda x: x, on=REAL),
    Rule("x * 1 -> x", EXACT, find=lambda x: x * 1, make=lambda x: x, on=REAL),
    Rule("x / 1 -> x", EXACT, find=lambda x: x / 1, make=lambda x: x),
    Rule("x // 1 -> x", EXACT, find=lambda x: x // 1, make=lambda x: x, on=INTEGER),
    Rule("x * 0 -> 0", EXACT, find=lambda x: x * 0, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: nan * 0 is nan"),
    Rule("x - x -> 0", EXACT, find=lambda x: x - x, make=lambda x: zeros_like(x), on=INTEGER,
         because="for integers only: inf - inf is nan"),
    Rule("x * -1 -> -x", EXACT, find=lambda x: x * -1, make=lambda x: -x, on=REAL),
)  # fmt: skip

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
    Rule("square(-x) -> square(x)", EXACT, find=lambda x: square(-x), make=lambda x: square(x), on=REAL),
    Rule("square(|x|) -> square(x)", EXACT, find=lambda x: square(absolute(x)), make=lambda x: square(x), on=REAL),
)  # fmt: skip

POWERS: tuple[AnyRule, ...] = (
    Rule("x ** 1 -> x", EXACT, find=lambda x: x**1, make=lambda x: x, on=REAL),
    Rule("x * x -> square(x)", EXACT, find=lambda x: x * x, make=lambda x: square(x), on=REAL),
    Rule("x ** 2 -> square(x)", EXACT, find=lambda x, c: power(x, c), make=lambda x: square(x), on=REAL,
         constants={"c": (2,)}, when=lambda c: is_number(c, 2),
         because="numpy.power multiplies if the exponent is the scalar 2"),
    Rule("x ** 3 -> square(x) * x", EXACT, find=lambda x: x**3, make=lambda x: square(x) * x, on=INTEGER,
         because="integers wrap, in whichever order they are multiplied"),
    Rule("x ** 3 -> square(x) * x", ROUNDING, find=lambda x: x**3, make=lambda x: square(x) * x,
         because="rounded twice instead of once"),
    Rule("x ** -1 -> 1 / x", ROUNDING, find=lambda x: x**-1, make=lambda x: 1 / x,
         because="a division is rounded correctly, pow need not be"),
    Rule("reciprocal(x) -> 1 / x", EXACT, find=lambda x: reciprocal(x), make=lambda x: 1 / x),
    Rule("x / c -> x * (1/c)", EXACT, find=lambda x, c: x / c, make=lambda x, c: x * Constant(1 / c.data),
         constants={"c": (2.0, -0.25)}, when=has_exact_reciprocal,
         because="for powers of two only: then 1/c is exact and both are the same number, rounded once"),
)  # fmt: skip

REGROUPINGS: tuple[AnyRule, ...] = (
    Rule("(x + c) + d -> x + (c + d)", EXACT, find=lambda x, c, d: (x + c) + d, make=lambda x, c, d: x + (c + d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("(x * c) * d -> x * (c * d)", EXACT, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("(x * c) * d -> x * (c * d)", ROUNDING, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         constants={"c": (3.0, 0.3), "d": (7.0, 0.7)}, when=scale_alike,
         because="where both factors enlarge or both shrink; else x * c may overflow and x * (c * d) not"),
)  # fmt: skip

ARITHMETIC: tuple[AnyRule, ...] = (*IDENTITIES, *NEGATIONS, *POWERS, *REGROUPINGS)
