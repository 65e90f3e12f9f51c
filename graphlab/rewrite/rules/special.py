"""Rules of class domain: true in algebra, but not at every number; only `fast_math` applies them.

The second table is applied only where fewer operations are left, as what it replaces may have other users.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphlab.graph.node import Constant, Variable
from graphlab.ops.elementwise import (
    arccos,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cos,
    exp,
    exp2,
    expm1,
    greater,
    greater_equal,
    less,
    log,
    log1p,
    log2,
    maximum,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    where,
)
from graphlab.ops.extents import ones_like, zeros_like
from graphlab.ops.special import erf, erfinv, gamma, gammaln, logit, ndtr, ndtri
from graphlab.rewrite.rule import DOMAIN, AnyRule, Rule
from graphlab.rewrite.rules.regroup import joins_small

INVERSES: tuple[tuple[str, Callable[..., Variable], Callable[..., Variable], str], ...] = (
    ("exp(log(x))", exp, log, "log(-1) is nan"),
    ("exp2(log2(x))", exp2, log2, "log2(-1) is nan"),
    ("expm1(log1p(x))", expm1, log1p, "log1p(-2) is nan"),
    ("square(sqrt(x))", square, sqrt, "sqrt(-1) is nan"),
    ("sin(arcsin(x))", sin, arcsin, "arcsin(2) is nan"),
    ("cos(arccos(x))", cos, arccos, "arccos(2) is nan"),
    ("tan(arctan(x))", tan, arctan, "tan(arctan(inf)) is finite"),
    ("sinh(arcsinh(x))", sinh, arcsinh, "sinh overflows for the largest numbers"),
    ("tanh(arctanh(x))", tanh, arctanh, "arctanh(2) is nan"),
    ("sigmoid(logit(x))", sigmoid, logit, "logit(2) is nan"),
    ("erf(erfinv(x))", erf, erfinv, "erfinv(2) is nan"),
    ("ndtr(ndtri(x))", ndtr, ndtri, "ndtri(2) is nan"),
)


def inverse(name: str, f: Callable[..., Variable], g: Callable[..., Variable], because: str) -> Rule:
    """The rule that f undoes g."""
    return Rule(f"{name} -> x", DOMAIN, find=lambda x: f(g(x)), make=lambda x: x, because=because)


def has_reciprocal(c: Constant) -> bool:
    """Whether 1/c is a number, neither 0 nor infinite."""
    with np.errstate(all="ignore"):
        inverse = np.abs(1 / c.data)
    info = np.finfo(c.data.dtype)
    return bool(np.all((inverse >= info.tiny) & (inverse <= info.max)))


SPECIAL: tuple[AnyRule, ...] = (
    Rule("x + 0 -> x", DOMAIN, find=lambda x: x + 0, make=lambda x: x, because="-0.0 + 0 is 0.0"),
    Rule("0 - x -> -x", DOMAIN, find=lambda x: 0 - x, make=lambda x: -x, because="0 - 0.0 is 0.0"),
    Rule("-(x - y) -> y - x", DOMAIN, find=lambda x, y: -(x - y), make=lambda x, y: y - x,
         because="-(1.0 - 1.0) is -0.0"),
    Rule("x * 0 -> 0", DOMAIN, find=lambda x: x * 0, make=lambda x: zeros_like(x),
         because="nan * 0 and inf * 0 are nan"),
    Rule("0 / x -> 0", DOMAIN, find=lambda x: 0 / x, make=lambda x: zeros_like(x), because="0 / 0 is nan"),
    Rule("x - x -> 0", DOMAIN, find=lambda x: x - x, make=lambda x: zeros_like(x), because="inf - inf is nan"),
    Rule("x / x -> 1", DOMAIN, find=lambda x: x / x, make=lambda x: ones_like(x),
         because="0 / 0 and inf / inf are nan"),
    Rule("(x + y) - y -> x", DOMAIN, find=lambda x, y: (x + y) - y, make=lambda x, y: x, because="inf - inf is nan"),
    Rule("(x - y) + y -> x", DOMAIN, find=lambda x, y: (x - y) + y, make=lambda x, y: x, because="inf - inf is nan"),
    Rule("x - (x - y) -> y", DOMAIN, find=lambda x, y: x - (x - y), make=lambda x, y: y, because="inf - inf is nan"),
    Rule("(x - y) - x -> -y", DOMAIN, find=lambda x, y: (x - y) - x, make=lambda x, y: -y,
         because="inf - inf is nan"),
    Rule("(x + c) + d -> x + (c + d)", DOMAIN, find=lambda x, c, d: (x + c) + d, make=lambda x, c, d: x + (c + d),
         constants={"c": (0.1,), "d": (0.7,)}, when=joins_small, because="x + c may cancel or overflow"),
    # Products and quotients.
    Rule("(x * y) / y -> x", DOMAIN, find=lambda x, y: (x * y) / y, make=lambda x, y: x,
         because="0 / 0 is nan, and x * y may overflow"),
    Rule("(x / y) * y -> x", DOMAIN, find=lambda x, y: (x / y) * y, make=lambda x, y: x, because="x / 0 * 0 is nan"),
    Rule("x / (x * y) -> 1 / y", DOMAIN, find=lambda x, y: x / (x * y), make=lambda x, y: 1 / y,
         because="0 / 0 is nan, and x * y may overflow"),
    Rule("(x * y) / (x * z) -> y / z", DOMAIN, find=lambda x, y, z: (x * y) / (x * z), make=lambda x, y, z: y / z,
         because="0 / 0 is nan, and x * y may overflow"),
    Rule("(x / z) / (y / z) -> x / y", DOMAIN, find=lambda x, y, z: (x / z) / (y / z), make=lambda x, y, z: x / y,
         because="x / 0 is infinite"),
    Rule("x / (y / z) -> (x * z) / y", DOMAIN, find=lambda x, y, z: x / (y / z), make=lambda x, y, z: (x * z) / y,
         because="x * z may overflow"),
    Rule("(x / y) / z -> x / (y * z)", DOMAIN, find=lambda x, y, z: (x / y) / z, make=lambda x, y, z: x / (y * z),
         because="y * z may overflow"),
    Rule("x / c -> x * (1/c)", DOMAIN, find=lambda x, c: x / c, make=lambda x, c: x * Constant(1 / c.data),
         constants={"c": (3.0,)}, when=has_reciprocal, because="rounded twice: 49 * (1/49) is not 1"),
    Rule("(x * c) * d -> x * (c * d)", DOMAIN, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         constants={"c": (0.1,), "d": (7.0,)}, when=joins_small, because="x * c may overflow"),
    Rule("square(x) / x -> x", DOMAIN, find=lambda x: square(x) / x, make=lambda x: x, because="0 / 0 is nan"),
    Rule("x / square(x) -> 1 / x", DOMAIN, find=lambda x: x / square(x), make=lambda x: 1 / x,
         because="0 / 0 is nan"),
    Rule("x / sqrt(x) -> sqrt(x)", DOMAIN, find=lambda x: x / sqrt(x), make=lambda x: sqrt(x), because="0 / 0 is nan"),
    Rule("sqrt(x) / x -> 1 / sqrt(x)", DOMAIN, find=lambda x: sqrt(x) / x, make=lambda x: 1 / sqrt(x),
         because="0 / 0 is nan"),
    # Powers.
    Rule("x ** 0.5 -> sqrt(x)", DOMAIN, find=lambda x: x**0.5, make=lambda x: sqrt(x),
         because="(-inf) ** 0.5 is inf, (-0.0) ** 0.5 is 0.0"),
    Rule("x ** -0.5 -> 1 / sqrt(x)", DOMAIN, find=lambda x: x**-0.5, make=lambda x: 1 / sqrt(x),
         because="(-inf) ** -0.5 is 0.0, (-0.0) ** -0.5 is inf"),
    Rule("x ** 1.5 -> x * sqrt(x)", DOMAIN, find=lambda x: x**1.5, make=lambda x: x * sqrt(x),
         because="(-inf) ** 1.5 is inf"),
    Rule("x ** 0.25 -> sqrt(sqrt(x))", DOMAIN, find=lambda x: x**0.25, make=lambda x: sqrt(sqrt(x)),
         because="(-inf) ** 0.25 is inf"),
    Rule("(x ** c) ** d -> x ** (c * d)", DOMAIN, find=lambda x, c, d: (x**c) ** d, make=lambda x, c, d: x ** (c * d),
         constants={"c": (2.5,), "d": (1.5,)}, when=joins_small, because="((-1) ** 2) ** 0.5 is 1"),
    Rule("log(x ** y) -> y * log(x)", DOMAIN, find=lambda x, y: log(x**y), make=lambda x, y: y * log(x),
         because="(-1) ** 2 is 1"),
    Rule("exp(y * log(x)) -> x ** y", DOMAIN, find=lambda x, y: exp(y * log(x)), make=lambda x, y: x**y,
         because="log(-1) is nan"),
    # What undoes what.
    *(inverse(*row) for row in INVERSES),
    Rule("exp(-log(x)) -> 1 / x", DOMAIN, find=lambda x: exp(-log(x)), make=lambda x: 1 / x,
         because="log(-1) is nan"),
    Rule("exp(log1p(x)) -> x + 1", DOMAIN, find=lambda x: exp(log1p(x)), make=lambda x: x + 1,
         because="log1p(-2) is nan"),
    Rule("log1p(x - 1) -> log(x)", DOMAIN, find=lambda x: log1p(x - 1), make=lambda x: log(x),
         because="-1e-20 - 1 is -1"),
    Rule("log(1 / x) -> -log(x)", DOMAIN, find=lambda x: log(1 / x), make=lambda x: -log(x),
         because="1 / -0.0 is -inf"),
    Rule("log(gamma(x)) -> gammaln(x)", DOMAIN, find=lambda x: log(gamma(x)), make=lambda x: gammaln(x),
         because="gamma(-0.5) is negative"),
    # Signs.
    Rule("sign(x) * |x| -> x", DOMAIN, find=lambda x: sign(x) * abs(x), make=lambda x: x,
         because="the sign of -0.0 is 0.0"),
    Rule("sign(x) * x -> |x|", DOMAIN, find=lambda x: sign(x) * x, make=lambda x: abs(x),
         because="the sign of -0.0 is 0.0"),
    Rule("x / |x| -> sign(x)", DOMAIN, find=lambda x: x / abs(x), make=lambda x: sign(x), because="0 / 0 is nan"),
    Rule("where(x < 0, -x, x) -> |x|", DOMAIN, find=lambda x: where(less(x, 0), -x, x), make=lambda x: abs(x),
         on={"x": ("float64", "float32", "float16")}, because="-0.0 is not less than 0"),
    Rule("where(x > 0, x, 0) -> maximum(x, 0)", DOMAIN, find=lambda x: where(greater(x, 0), x, 0),
         make=lambda x: maximum(x, 0), on={"x": ("float64", "float32", "float16")},
         because="nan is not greater than 0"),
    Rule("where(x >= 0, x, 0) -> maximum(x, 0)", DOMAIN, find=lambda x: where(greater_equal(x, 0), x, 0),
         make=lambda x: maximum(x, 0), on={"x": ("float64", "float32", "float16")},
         because="nan is not greater than 0"),
)  # fmt: skip

SPECIAL_ONCE: tuple[AnyRule, ...] = (
    Rule("x * y + x * z -> x * (y + z)", DOMAIN, find=lambda x, y, z: x * y + x * z, make=lambda x, y, z: x * (y + z),
         because="x * y may overflow"),
    Rule("x * y - x * z -> x * (y - z)", DOMAIN, find=lambda x, y, z: x * y - x * z, make=lambda x, y, z: x * (y - z),
         because="inf - inf is nan"),
    Rule("x / y + z / y -> (x + z) / y", DOMAIN, find=lambda x, y, z: x / y + z / y, make=lambda x, y, z: (x + z) / y,
         because="x / 0 is infinite"),
    Rule("x / y - z / y -> (x - z) / y", DOMAIN, find=lambda x, y, z: x / y - z / y, make=lambda x, y, z: (x - z) / y,
         because="inf - inf is nan"),
    Rule("sqrt(x) * sqrt(y) -> sqrt(x * y)", DOMAIN, find=lambda x, y: sqrt(x) * sqrt(y),
         make=lambda x, y: sqrt(x * y), because="sqrt(-1) is nan"),
    Rule("sqrt(x) / sqrt(y) -> sqrt(x / y)", DOMAIN, find=lambda x, y: sqrt(x) / sqrt(y),
         make=lambda x, y: sqrt(x / y), because="sqrt(-1) is nan"),
    Rule("exp(x) * exp(y) -> exp(x + y)", DOMAIN, find=lambda x, y: exp(x) * exp(y), make=lambda x, y: exp(x + y),
         because="exp(800) overflows, and the sum of large numbers is rounded"),
    Rule("exp(x) / exp(y) -> exp(x - y)", DOMAIN, find=lambda x, y: exp(x) / exp(y), make=lambda x, y: exp(x - y),
         because="exp(800) overflows, and the difference of large numbers is rounded"),
    Rule("log(x) + log(y) -> log(x * y)", DOMAIN, find=lambda x, y: log(x) + log(y), make=lambda x, y: log(x * y),
         because="log(-1) is nan, and x * y may overflow"),
    Rule("log(x) - log(y) -> log(x / y)", DOMAIN, find=lambda x, y: log(x) - log(y), make=lambda x, y: log(x / y),
         because="log(-1) is nan, and x / y may overflow"),
    Rule("x ** y * x ** z -> x ** (y + z)", DOMAIN, find=lambda x, y, z: x**y * x**z, make=lambda x, y, z: x ** (y + z),
         because="x ** y may overflow"),
    Rule("x ** y / x ** z -> x ** (y - z)", DOMAIN, find=lambda x, y, z: x**y / x**z, make=lambda x, y, z: x ** (y - z),
         because="x ** y may overflow"),
    Rule("x * x ** c -> x ** (c + 1)", DOMAIN, find=lambda x, c: x * x**c, make=lambda x, c: x ** (c + 1),
         constants={"c": (2.5,)}, because="0 * 0 ** -1 is nan"),
)  # fmt: skip
