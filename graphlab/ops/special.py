"""Special functions, one entry each: SciPy's meaning, SciPy's own code in compiled programs, and the derivative.

To add one: write a `Special(...)` below, put it in TABLE, and declare its pointer gl_extern_... in csrc/gl_math.h
(or give its C as `c`). Derivatives are those of the NIST Handbook (dlmf.nist.gov), whose sections stand beside them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX, promote
from graphlab.errors import user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.base import Array
from graphlab.ops.elementwise import (
    absolute,
    cos,
    equal,
    exp,
    less,
    log,
    log1p,
    negative,
    sigmoid,
    sign,
    square,
    subtract,
    where,
)
from graphlab.ops.later import Module
from graphlab.ops.ufunc import Elementwise, Loop, Undefined, same_float

special = Module("scipy.special")


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Special(Elementwise):
    """A function of scipy.special; its C, unless given, is SciPy's function itself, computed in double."""

    def __post_init__(self) -> None:
        if self.c is None:
            operands = ", ".join(("{x}", "{y}", "{z}")[: self.arity])
            object.__setattr__(self, "c", f"gl_extern_{self.name}({operands})")


def _undefined(name: str, operand: str) -> Undefined:
    return Undefined(f"the derivative of {name} by {operand} has no closed form: hold {operand} constant")


def _in_float64(*dtypes: str) -> Loop:
    if promote(*dtypes) in COMPLEX:
        raise TypeError
    return ("float64",) * len(dtypes), "float64"


def _sinc(x: Array) -> Array:
    result: Array = np.sinc(x)
    return result


# ---- gamma: dlmf 5, 8 ----------------------------------------------------------------------------

gamma = Special("gamma", special.gamma, domain=(0.3, 4.0), pull=(lambda g, r, x: g * r * digamma(x),))
gammaln = Special("gammaln", special.gammaln, c="gl_gammaln_{t}({x})", domain=(0.3, 5.0), ulps=32,
                  pull=(lambda g, r, x: g * digamma(x),))  # fmt: skip
digamma = Special("digamma", special.digamma, c="gl_digamma_{t}({x})", domain=(0.3, 5.0), ulps=32,
                  pull=(lambda g, r, x: g * polygamma(1, x),))  # fmt: skip
polygamma = Special(
    "polygamma", special.polygamma, 2, c="gl_polygamma({x}, {y})", resolve=_in_float64, domain=(1.0, 4.0), ulps=32,
    pull=(_undefined("polygamma", "n"), lambda g, r, n, x: g * polygamma(n + 1, x)),
)  # fmt: skip


def _gamma_density(g: Variable, r: Variable, a: Variable, x: Variable) -> Any:
    # 8.8.13: x**(a-1) e**-x / gamma(a)
    return g * exp(xlogy(a - 1, x) - x - gammaln(a))


gammainc = Special("gammainc", special.gammainc, 2, domain=(0.3, 4.0), pull=(_undefined("gammainc", "a"),
                   _gamma_density))  # fmt: skip
gammaincc = Special("gammaincc", special.gammaincc, 2, domain=(0.3, 4.0), pull=(_undefined("gammaincc", "a"),
                    lambda g, r, a, x: negative(_gamma_density(g, r, a, x))))  # fmt: skip
beta = Special(
    "beta", special.beta, 2, domain=(0.3, 4.0),
    pull=(lambda g, r, a, b: g * r * (digamma(a) - digamma(a + b)),
          lambda g, r, a, b: g * r * (digamma(b) - digamma(a + b))),
)  # fmt: skip
betaln = Special(
    "betaln", special.betaln, 2, domain=(0.3, 4.0),
    pull=(lambda g, r, a, b: g * (digamma(a) - digamma(a + b)), lambda g, r, a, b: g * (digamma(b) - digamma(a + b))),
)  # fmt: skip
betainc = Special(  # 8.17.1: the derivative is the density of the beta distribution
    "betainc", special.betainc, 3, domain=(0.2, 0.9), ulps=512,  # SciPy computes float32 in float32
    pull=(_undefined("betainc", "a"), _undefined("betainc", "b"),
          lambda g, r, a, b, x: g * exp(xlogy(a - 1, x) + xlog1py(b - 1, negative(x)) - betaln(a, b))),
)  # fmt: skip
binom = Special(
    "binom", special.binom, 2, domain=(0.3, 4.0), ulps=64,
    pull=(lambda g, r, n, k: g * r * (digamma(n + 1) - digamma(n - k + 1)),
          lambda g, r, n, k: g * r * (digamma(n - k + 1) - digamma(k + 1))),
)  # fmt: skip

# ---- the error function and the normal distribution: dlmf 7 --------------------------------------

erf = Special("erf", special.erf, c="gl_erf_{t}({x})",
              pull=(lambda g, r, x: g * (2 / math.sqrt(math.pi)) * exp(negative(square(x))),))  # fmt: skip
erfc = Special("erfc", special.erfc, c="gl_erfc_{t}({x})", ulps=8,
               pull=(lambda g, r, x: g * (-2 / math.sqrt(math.pi)) * exp(negative(square(x))),))  # fmt: skip
erfcx = Special("erfcx", special.erfcx, pull=(lambda g, r, x: g * (2 * x * r - 2 / math.sqrt(math.pi)),))
erfinv = Special("erfinv", special.erfinv, domain=(-0.8, 0.8), ulps=16,
                 pull=(lambda g, r, x: g * (math.sqrt(math.pi) / 2) * exp(square(r)),))  # fmt: skip
erfcinv = Special("erfcinv", special.erfcinv, domain=(0.2, 1.8),
                  pull=(lambda g, r, x: g * (-math.sqrt(math.pi) / 2) * exp(square(r)),))  # fmt: skip
ndtr = Special("ndtr", special.ndtr, c="gl_ndtr_{t}({x})", ulps=256,  # SciPy loses digits in the lower tail
               pull=(lambda g, r, x: g * (1 / math.sqrt(2 * math.pi)) * exp(-0.5 * square(x)),))  # fmt: skip
# The density over the distribution, by erfcx because both may be too small for a float.
log_ndtr = Special("log_ndtr", special.log_ndtr,
                   pull=(lambda g, r, x: g * math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5)),))  # fmt: skip
ndtri = Special("ndtri", special.ndtri, domain=(0.1, 0.9),
                pull=(lambda g, r, x: g * math.sqrt(2 * math.pi) * exp(0.5 * square(r)),))  # fmt: skip

# ---- Bessel functions: dlmf 10.6, 10.29 ----------------------------------------------------------

j0 = Special("j0", special.j0, pull=(lambda g, r, x: negative(g * j1(x)),))
j1 = Special("j1", special.j1, pull=(lambda g, r, x: g * 0.5 * (j0(x) - jv(2.0, x)),))
jv = Special("jv", special.jv, 2, domain=(0.5, 3.0), pull=(_undefined("jv", "v"),
             lambda g, r, v, x: g * 0.5 * (jv(v - 1, x) - jv(v + 1, x))))  # fmt: skip
y0 = Special("y0", special.y0, domain=(0.5, 4.0), pull=(lambda g, r, x: negative(g * y1(x)),))
y1 = Special("y1", special.y1, domain=(0.5, 4.0), pull=(lambda g, r, x: g * (y0(x) - r / x),))
yv = Special("yv", special.yv, 2, domain=(0.5, 3.0), pull=(_undefined("yv", "v"),
             lambda g, r, v, x: g * 0.5 * (yv(v - 1, x) - yv(v + 1, x))))  # fmt: skip
i0 = Special("i0", special.i0, pull=(lambda g, r, x: g * i1(x),))
i1 = Special("i1", special.i1, pull=(lambda g, r, x: g * 0.5 * (i0(x) + iv(2.0, x)),))
iv = Special("iv", special.iv, 2, domain=(0.5, 3.0), pull=(_undefined("iv", "v"),
             lambda g, r, v, x: g * 0.5 * (iv(v - 1, x) + iv(v + 1, x))))  # fmt: skip
# Scaled by e**-|x|.
i0e = Special("i0e", special.i0e, pull=(lambda g, r, x: g * (i1e(x) - sign(x) * r),))
i1e = Special("i1e", special.i1e, pull=(lambda g, r, x: g * (0.5 * (i0e(x) + ive(2.0, x)) - sign(x) * r),))
ive = Special("ive", special.ive, 2, domain=(0.5, 3.0), pull=(_undefined("ive", "v"),
              lambda g, r, v, x: g * (0.5 * (ive(v - 1, x) + ive(v + 1, x)) - sign(x) * r)))  # fmt: skip
k0 = Special("k0", special.k0, domain=(0.5, 4.0), pull=(lambda g, r, x: negative(g * k1(x)),))
k1 = Special("k1", special.k1, domain=(0.5, 4.0), pull=(lambda g, r, x: negative(g * (k0(x) + r / x)),))
kv = Special("kv", special.kv, 2, domain=(0.5, 3.0), pull=(_undefined("kv", "v"),
             lambda g, r, v, x: g * -0.5 * (kv(v - 1, x) + kv(v + 1, x))))  # fmt: skip

# ---- logistic ------------------------------------------------------------------------------------

logit = Special("logit", special.logit, domain=(0.1, 0.9), ulps=8, pull=(lambda g, r, x: g / (x * (1 - x)),))
log_expit = Special("log_expit", special.log_expit, ulps=8, pull=(lambda g, r, x: g * sigmoid(negative(x)),))

# ---- entropies: 0 where x is 0, whatever the logarithm -------------------------------------------

xlogy = Special("xlogy", special.xlogy, 2, domain=(0.3, 3.0), pull=(lambda g, r, x, y: g * log(y),
                lambda g, r, x, y: g * (x / where(equal(x, 0), 1, y))))  # fmt: skip
xlog1py = Special("xlog1py", special.xlog1py, 2, domain=(-0.8, 3.0), pull=(lambda g, r, x, y: g * log1p(y),
                  lambda g, r, x, y: g * (x / where(equal(x, 0), 1, 1 + y))))  # fmt: skip
entr = Special("entr", special.entr, domain=(0.3, 3.0), pull=(lambda g, r, x: negative(g * (log(x) + 1)),))
rel_entr = Special("rel_entr", special.rel_entr, 2, domain=(0.3, 3.0), pull=(lambda g, r, x, y: g * (log(x / y) + 1),
                   lambda g, r, x, y: negative(g * x / y)))  # fmt: skip
kl_div = Special("kl_div", special.kl_div, 2, domain=(0.3, 3.0), pull=(lambda g, r, x, y: g * log(x / y),
                 lambda g, r, x, y: g * (1 - x / y)))  # fmt: skip

# ---- sin(pi x) / (pi x) --------------------------------------------------------------------------


def _sinc_slope(g: Variable, r: Variable, x: Variable) -> Any:
    # (cos(pi x) - sinc(x)) / x loses its digits near 0, where its series is pi (-t/3 + t**3/30 - ...) in t = pi x.
    near = less(absolute(x), 1e-3)
    series = x * (math.pi**4 / 30 * square(x) - math.pi**2 / 3)
    return g * where(near, series, subtract(cos(x * math.pi), r) / where(near, 1, x))


sinc = Special("sinc", _sinc, c="gl_sinc_{t}({x})", resolve=same_float, ulps=8, pull=(_sinc_slope,))

TABLE: tuple[Special, ...] = (
    gamma, gammaln, digamma, polygamma, gammainc, gammaincc, beta, betaln, betainc, binom,
    erf, erfc, erfcx, erfinv, erfcinv, ndtr, log_ndtr, ndtri,
    j0, j1, jv, y0, y1, yv, i0, i1, iv, i0e, i1e, ive, k0, k1, kv,
    logit, log_expit, xlogy, xlog1py, entr, rel_entr, kl_div, sinc,
)  # fmt: skip


@user_boundary
def tri_gamma(x: Any) -> Variable:
    """The second derivative of log gamma, polygamma(1, x), in float64.

    >>> tri_gamma(1.0).eval().round(6)
    np.float64(1.644934)
    """
    result: Variable = polygamma(1, x)
    return result
