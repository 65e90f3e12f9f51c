"""Stable forms: what is more accurate than the expression it replaces, and right where that breaks down.

They change the rounding (usually for the better), the sign of a zero, and results that overflowed or
cancelled on the way. NaN in gives NaN out, as before. The last table holds the forms that the
derivatives of naive expressions take, so that a gradient is as stable as its cost. Those of softmax
and of sums of exponentials are in softmax.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlab.graph.node import Constant, Variable
from graphlab.ops.elementwise import (
    arcsinh,
    copysign,
    cosh,
    exp,
    exp2,
    expm1,
    hypot,
    less,
    log,
    log1p,
    log2,
    logaddexp,
    maximum,
    minimum,
    sigmoid,
    sinh,
    softplus,
    sqrt,
    square,
    tanh,
    where,
)
from graphlab.ops.special import (
    erf,
    erfc,
    erfcx,
    log_ndtr,
    logit,
    ndtr,
)
from graphlab.rewrite.rule import ROUNDING, AnyRule, Rule
from graphlab.rewrite.rule import STABLE as TAG


def stable(name: str, find: Callable[..., Variable], make: Callable[..., Variable], because: str, **more: Any) -> Rule:
    """A rule whose right side is more accurate; `because` says where the left one breaks down."""
    return Rule(name, ROUNDING, find, make, tags=(TAG,), because=because, **more)


def are_positive(c: Constant) -> bool:
    """Whether all of `c` are positive numbers, neither huge nor tiny."""
    info = np.finfo(c.data.dtype)
    return bool(np.all((c.data > 2 * info.tiny) & (c.data < info.max / 2)))


def are_plain(c: Constant) -> bool:
    """Whether all of `c` are numbers, neither 0, huge nor tiny."""
    return are_positive(Constant(np.abs(c.data)))


def undo(c: Constant, d: Constant) -> bool:
    """Whether c and d are powers of two and c * d is 1."""
    with np.errstate(all="ignore"):
        powers = np.all(np.abs(np.frexp(c.data)[0]) == 0.5)
        return bool(powers and c.ndim == d.ndim == 0 and c.data * d.data == 1)


def times_exp(y: Variable, x: Variable) -> Variable:
    """y * exp(x) in two steps, so that an infinite y stays infinite beside the smallest exponentials."""
    half = exp(x * 0.5)
    product: Variable = (y * half) * half
    return product


def log_of(c: Constant) -> Constant:
    """The logarithm of a constant."""
    return Constant(np.log(c.data))


# ---- exponentials and logarithms -----------------------------------------------------------------

EXPONENTIALS: tuple[AnyRule, ...] = (
    stable("log(1 + exp(x)) -> softplus(x)", lambda x: log(1 + exp(x)), lambda x: softplus(x), "exp(800) overflows"),
    stable("log1p(exp(x)) -> softplus(x)", lambda x: log1p(exp(x)), lambda x: softplus(x), "exp(800) overflows"),
    stable("logaddexp(x, 0) -> softplus(x)", lambda x: logaddexp(x, 0), lambda x: softplus(x), "the same, at once"),
    stable("log(1 + x) -> log1p(x)", lambda x: log(1 + x), lambda x: log1p(x), "1 + 1e-20 is 1"),
    stable("log(1 - x) -> log1p(-x)", lambda x: log(1 - x), lambda x: log1p(-x), "1 - 1e-20 is 1"),
    stable("exp(x) - 1 -> expm1(x)", lambda x: exp(x) - 1, lambda x: expm1(x), "exp(1e-20) is 1"),
    stable("1 - exp(x) -> -expm1(x)", lambda x: 1 - exp(x), lambda x: -expm1(x), "exp(1e-20) is 1"),
    stable("expm1(x) + 1 -> exp(x)", lambda x: expm1(x) + 1, lambda x: exp(x), "expm1(-40) is -1"),
    stable("log(exp(x)) -> x", lambda x: log(exp(x)), lambda x: x, "exp(800) overflows, exp(-800) underflows"),
    stable("log2(exp2(x)) -> x", lambda x: log2(exp2(x)), lambda x: x, "exp2(2000) overflows"),
    stable("log1p(expm1(x)) -> x", lambda x: log1p(expm1(x)), lambda x: x, "expm1(800) overflows, expm1(-40) is -1"),
    stable("log(exp(x) * c) -> x + log(c)", lambda x, c: log(exp(x) * c), lambda x, c: x + log_of(c),
           "exp(800) overflows", constants={"c": (0.1, 2.5)}, when=are_positive),
    stable("log(exp(x) + c) -> logaddexp(x, log(c))", lambda x, c: log(exp(x) + c),
           lambda x, c: logaddexp(x, log_of(c)), "exp(800) overflows", constants={"c": (0.1, 2.5)}, when=are_positive),
    stable("log(exp(x) + exp(y)) -> logaddexp(x, y)", lambda x, y: log(exp(x) + exp(y)),
           lambda x, y: logaddexp(x, y), "exp(800) overflows"),
    stable("log((exp(x) + exp(y)) + exp(z)) -> logaddexp(logaddexp(x, y), z)",
           lambda x, y, z: log((exp(x) + exp(y)) + exp(z)), lambda x, y, z: logaddexp(logaddexp(x, y), z),
           "exp(800) overflows"),
    stable("log(expm1(x)) -> x + log(-expm1(-x))", lambda x: log(expm1(x)), lambda x: x + log(-expm1(-x)),
           "expm1(800) overflows"),
    stable("log(square(x)) -> log(|x|) * 2", lambda x: log(square(x)), lambda x: log(abs(x)) * 2,
           "square(1e200) overflows"),
    stable("log(sqrt(x)) -> log(x) * 0.5", lambda x: log(sqrt(x)), lambda x: log(x) * 0.5,
           "the root is rounded, which shows near 1"),
    stable("log(cosh(x)) -> |x| + log1p(expm1(|x| * -2) * 0.5)", lambda x: log(cosh(x)),
           lambda x: abs(x) + log1p(expm1(abs(x) * -2) * 0.5), "cosh(800) overflows"),
    stable("sqrt(exp(x)) -> exp(x * 0.5)", lambda x: sqrt(exp(x)), lambda x: exp(x * 0.5), "exp(800) overflows"),
)  # fmt: skip

# ---- sigmoid, softplus and the hyperbolic functions ----------------------------------------------

STEPS: tuple[AnyRule, ...] = (
    stable("1 / (1 + exp(-x)) -> sigmoid(x)", lambda x: 1 / (1 + exp(-x)), lambda x: sigmoid(x), "exp(800) overflows"),
    stable("1 / (1 + exp(x)) -> sigmoid(-x)", lambda x: 1 / (1 + exp(x)), lambda x: sigmoid(-x), "exp(800) overflows"),
    stable("exp(x) / (1 + exp(x)) -> sigmoid(x)", lambda x: exp(x) / (1 + exp(x)), lambda x: sigmoid(x),
           "inf / inf is nan"),
    stable("exp(x) / (exp(x) + exp(y)) -> sigmoid(x - y)", lambda x, y: exp(x) / (exp(x) + exp(y)),
           lambda x, y: sigmoid(x - y), "inf / inf is nan"),
    stable("exp(x) / (exp(x) + c) -> sigmoid(x - log(c))", lambda x, c: exp(x) / (exp(x) + c),
           lambda x, c: sigmoid(x - log_of(c)), "inf / inf is nan", constants={"c": (0.1, 2.5)}, when=are_positive),
    stable("(tanh(x * 0.5) + 1) * 0.5 -> sigmoid(x)", lambda x: (tanh(x * 0.5) + 1) * 0.5, lambda x: sigmoid(x),
           "tanh(-40) is -1"),
    stable("1 - sigmoid(x) -> sigmoid(-x)", lambda x: 1 - sigmoid(x), lambda x: sigmoid(-x), "sigmoid(40) is 1"),
    stable("sigmoid(x) / sigmoid(-x) -> exp(x)", lambda x: sigmoid(x) / sigmoid(-x), lambda x: exp(x),
           "sigmoid(-800) underflows"),
    stable("log(sigmoid(x)) -> -softplus(-x)", lambda x: log(sigmoid(x)), lambda x: -softplus(-x),
           "sigmoid(-800) underflows to 0"),
    stable("log1p(-sigmoid(x)) -> -softplus(x)", lambda x: log1p(-sigmoid(x)), lambda x: -softplus(x),
           "sigmoid(40) is 1"),
    stable("logit(sigmoid(x)) -> x", lambda x: logit(sigmoid(x)), lambda x: x, "sigmoid(40) is 1"),
    stable("softplus(x) - x -> softplus(-x)", lambda x: softplus(x) - x, lambda x: softplus(-x),
           "softplus(40) is 40"),
    stable("x - softplus(x) -> -softplus(-x)", lambda x: x - softplus(x), lambda x: -softplus(-x),
           "softplus(40) is 40"),
    stable("softplus(-x) + x -> softplus(x)", lambda x: softplus(-x) + x, lambda x: softplus(x),
           "softplus(40) is 40"),
    stable("exp(x) - exp(-x) -> sinh(x) * 2", lambda x: exp(x) - exp(-x), lambda x: sinh(x) * 2,
           "exp(1e-20) is 1"),
    stable("(sinh(x) * 2) / (exp(x) + exp(-x)) -> tanh(x)", lambda x: (sinh(x) * 2) / (exp(x) + exp(-x)),
           lambda x: tanh(x), "inf / inf is nan"),
    stable("sinh(x) / cosh(x) -> tanh(x)", lambda x: sinh(x) / cosh(x), lambda x: tanh(x), "inf / inf is nan"),
    stable("expm1(x) / (1 + exp(x)) -> tanh(x * 0.5)", lambda x: expm1(x) / (1 + exp(x)), lambda x: tanh(x * 0.5),
           "inf / inf is nan"),
    stable("arcsinh(sinh(x)) -> x", lambda x: arcsinh(sinh(x)), lambda x: x, "sinh(800) overflows"),
)  # fmt: skip

# ---- roots, quotients and the error function -----------------------------------------------------

ROOTS: tuple[AnyRule, ...] = (
    stable("sqrt(square(x)) -> |x|", lambda x: sqrt(square(x)), lambda x: abs(x), "square(1e200) overflows"),
    stable("sqrt(square(x) + square(y)) -> hypot(x, y)", lambda x, y: sqrt(square(x) + square(y)),
           lambda x, y: maximum(maximum(hypot(x, y), x), y),
           "square(1e200) overflows. hypot(inf, nan) is inf, but the larger of nan and anything nan, as before"),
    stable("y / (1 / x) -> y * x", lambda x, y: y / (1 / x), lambda x, y: y * x, "1 / 1e-310 overflows"),
    stable("(x * c) * (1 / c) -> x", lambda x, c, d: (x * c) * d, lambda x, c, d: x, "x * c overflows",
           constants={"c": (2.0, 0.5), "d": (2.0, 0.5)}, when=undo),
    stable("(x * c) / (y * c) -> x / y", lambda x, y, c: (x * c) / (y * c), lambda x, y, c: x / y, "x * c overflows",
           constants={"c": (0.3, 1e4)}, when=are_plain),
)  # fmt: skip

ERRORS: tuple[AnyRule, ...] = (
    stable("1 - erf(x) -> erfc(x)", lambda x: 1 - erf(x), lambda x: erfc(x), "erf(6) is 1"),
    stable("erf(x) - 1 -> -erfc(x)", lambda x: erf(x) - 1, lambda x: -erfc(x), "erf(6) is 1"),
    stable("erf(x) + 1 -> erfc(-x)", lambda x: erf(x) + 1, lambda x: erfc(-x), "erf(-6) is -1"),
    stable("1 - erfc(x) -> erf(x)", lambda x: 1 - erfc(x), lambda x: erf(x), "erfc(1e-20) is 1"),
    stable("erfc(x) - 1 -> -erf(x)", lambda x: erfc(x) - 1, lambda x: -erf(x), "erfc(1e-20) is 1"),
    stable("1 - ndtr(x) -> ndtr(-x)", lambda x: 1 - ndtr(x), lambda x: ndtr(-x), "ndtr(9) is 1"),
    stable("log(ndtr(x)) -> log_ndtr(x)", lambda x: log(ndtr(x)), lambda x: log_ndtr(x), "ndtr(-40) underflows"),
    stable("log(erfc(x)) -> where(x < 1, log1p(-erf(x)), log(erfcx(x)) - square(x))", lambda x: log(erfc(x)),
           lambda x: where(less(x, 1), log1p(-erf(x)), log(erfcx(x)) - square(x)), "erfc(30) underflows"),
    stable("log(erfc(x) * c) -> log_ndtr(x * -sqrt(2)) + log(2 * c)", lambda x, c: log(erfc(x) * c),
           lambda x, c: log_ndtr(x * -math.sqrt(2)) + log_of(Constant(c.data * 2)), "erfc(30) underflows",
           constants={"c": (0.5, 3.0)}, when=are_positive),
)  # fmt: skip

# ---- what derivatives of naive forms look like ---------------------------------------------------

DERIVATIVES: tuple[AnyRule, ...] = (
    stable("y / (1 + exp(x)) -> y * sigmoid(-x)", lambda x, y: y / (1 + exp(x)), lambda x, y: y * sigmoid(-x),
           "exp(800) overflows"),
    stable("sigmoid(x) * exp(-x) -> sigmoid(-x)", lambda x: sigmoid(x) * exp(-x), lambda x: sigmoid(-x),
           "0 * inf is nan"),
    stable("sigmoid(-x) * exp(x) -> sigmoid(x)", lambda x: sigmoid(-x) * exp(x), lambda x: sigmoid(x),
           "0 * inf is nan"),
    stable("(y * sigmoid(x)) * exp(-x) -> y * sigmoid(-x)", lambda x, y: (y * sigmoid(x)) * exp(-x),
           lambda x, y: y * sigmoid(-x), "0 * inf is nan"),
    stable("(y * sigmoid(-x)) * exp(x) -> y * sigmoid(x)", lambda x, y: (y * sigmoid(-x)) * exp(x),
           lambda x, y: y * sigmoid(x), "0 * inf is nan"),
    stable("((y / sigmoid(x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(-x)",
           lambda x, y: ((y / sigmoid(x)) * sigmoid(x)) * sigmoid(-x), lambda x, y: y * sigmoid(-x),
           "sigmoid(-800) underflows, and 0 / 0 is nan"),
    stable("((y / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(x)",
           lambda x, y: ((y / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x), lambda x, y: y * sigmoid(x),
           "sigmoid(-800) underflows, and 0 / 0 is nan"),
    # Of a cross entropy, t * log(p) + (1 - t) * log(1 - p), the two come together.
    stable("((y / sigmoid(x) - z / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(-x) - z * sigmoid(x)",
           lambda x, y, z: ((y / sigmoid(x) - z / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x),
           lambda x, y, z: y * sigmoid(-x) - z * sigmoid(x), "sigmoid(-800) underflows, and 0 / 0 is nan"),
    stable("((y / sigmoid(-x) - z / sigmoid(x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(x) - z * sigmoid(-x)",
           lambda x, y, z: ((y / sigmoid(-x) - z / sigmoid(x)) * sigmoid(x)) * sigmoid(-x),
           lambda x, y, z: y * sigmoid(x) - z * sigmoid(-x), "sigmoid(-800) underflows, and 0 / 0 is nan"),
    stable("((y / sigmoid(x) + z / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x) -> y * sigmoid(-x) + z * sigmoid(x)",
           lambda x, y, z: ((y / sigmoid(x) + z / sigmoid(-x)) * sigmoid(x)) * sigmoid(-x),
           lambda x, y, z: y * sigmoid(-x) + z * sigmoid(x), "sigmoid(-800) underflows, and 0 / 0 is nan"),
    stable("(y / exp(x)) * exp(x) -> y - (x - x)", lambda x, y: (y / exp(x)) * exp(x), lambda x, y: y - (x - x),
           "0 / 0 and inf / inf are nan; x - x is nan where x is nan or infinite, as before"),
    stable("(y / (exp(x) * c)) * exp(x) -> y / c - (x - x)", lambda x, y, c: (y / (exp(x) * c)) * exp(x),
           lambda x, y, c: y / c - (x - x), "0 / 0 and inf / inf are nan", constants={"c": (2.0, 0.3)}, when=are_plain),
    stable("(z / (exp(x) + exp(y))) * exp(x) -> z * exp(x - logaddexp(x, y))",
           lambda x, y, z: (z / (exp(x) + exp(y))) * exp(x), lambda x, y, z: times_exp(z, x - logaddexp(x, y)),
           "inf / inf is nan"),
    stable("(z / (exp(x) + c)) * exp(x) -> z * sigmoid(x - log(c))", lambda x, z, c: (z / (exp(x) + c)) * exp(x),
           lambda x, z, c: z * sigmoid(x - log_of(c)), "inf / inf is nan", constants={"c": (0.1, 2.5)},
           when=are_positive),
    stable("(w / ((exp(x) + exp(y)) + exp(z))) * exp(x) -> w * exp(x - logaddexp(logaddexp(x, y), z))",
           lambda x, y, z, w: (w / ((exp(x) + exp(y)) + exp(z))) * exp(x),
           lambda x, y, z, w: times_exp(w, x - logaddexp(logaddexp(x, y), z)), "inf / inf is nan"),
    stable("(w / ((exp(x) + exp(y)) + exp(z))) * exp(z) -> w * exp(z - logaddexp(logaddexp(x, y), z))",
           lambda x, y, z, w: (w / ((exp(x) + exp(y)) + exp(z))) * exp(z),
           lambda x, y, z, w: times_exp(w, z - logaddexp(logaddexp(x, y), z)), "inf / inf is nan"),
    stable("(y / square(x)) * (x * c) -> (y / x) * ((x / x) * c)", lambda x, y, c: (y / square(x)) * (x * c),
           lambda x, y, c: (y / x) * ((x / x) * c),
           "square(1e200) overflows. x / x is nan where x is 0 or infinite, as before", constants={"c": (2.0,)},
           when=are_plain),
    stable("(y / cosh(x)) * sinh(x) -> y * tanh(x)", lambda x, y: (y / cosh(x)) * sinh(x), lambda x, y: y * tanh(x),
           "inf / inf is nan"),
    stable("(y / expm1(x)) * exp(x) -> y / copysign(expm1(-|x|), x) * exp(minimum(x, 0))",
           lambda x, y: (y / expm1(x)) * exp(x),
           lambda x, y: (y / copysign(expm1(-abs(x)), x)) * exp(minimum(x, 0)), "inf / inf is nan"),
    stable("(y / (x * c)) * c -> y / x", lambda x, y, c: (y / (x * c)) * c, lambda x, y, c: y / x,
           "x * c underflows", constants={"c": (0.3, 1e4)}, when=are_plain),
    stable("((y / erfc(x)) * c) * exp(-square(x)) -> (y / erfcx(x)) * c",
           lambda x, y, c: ((y / erfc(x)) * c) * exp(-square(x)), lambda x, y, c: (y / erfcx(x)) * c,
           "0 / 0 is nan", constants={"c": (-1.5,)}, when=are_plain),
    stable("((y / ndtr(x)) * c) * exp(square(x) * -0.5) -> (y / erfcx(x * -sqrt(0.5))) * (c * 2)",
           lambda x, y, c: ((y / ndtr(x)) * c) * exp(square(x) * -0.5),
           lambda x, y, c: (y / erfcx(x * -math.sqrt(0.5))) * Constant(c.data * 2), "0 / 0 is nan",
           constants={"c": (0.4,)}, when=are_plain),
)  # fmt: skip
