"""Elementwise operations: each is a few lines that say its NumPy meaning, its C and its derivative.

To add one: write an `Elementwise(...)` below and put it in TABLE; its tests are generated from there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX, INTEGER, UNSIGNED, promote
from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.base import Array
from graphlab.ops.conversion import cast
from graphlab.ops.later import Later
from graphlab.ops.ufunc import ZERO, Elementwise, Loop, same_float

# ---- arithmetic ----------------------------------------------------------------------------------

add = Elementwise(
    "add", np.add, 2, c_all="({x} + {y})", c_bool="({x} | {y})", pull=(lambda g, r, x, y: g, lambda g, r, x, y: g)
)
subtract = Elementwise(
    "subtract", np.subtract, 2, c_all="({x} - {y})",
    pull=(lambda g, r, x, y: g, lambda g, r, x, y: negative(g)),
)  # fmt: skip
multiply = Elementwise(
    "multiply", np.multiply, 2, c_all="({x} * {y})", c_bool="({x} & {y})", c_complex="gl_multiply_{t}({x}, {y})",
    pull=(lambda g, r, x, y: g * y, lambda g, r, x, y: g * x),
)  # fmt: skip
true_divide = Elementwise(
    "true_divide", np.true_divide, 2, c="({x} / {y})", c_complex="gl_divide_{t}({x}, {y})", domain=(0.5, 3.0),
    pull=(lambda g, r, x, y: g / y, lambda g, r, x, y: negative(g * r / y)),
)  # fmt: skip
floor_divide = Elementwise(
    "floor_divide", np.floor_divide, 2, c_all="gl_floor_divide_{t}({x}, {y})", domain=(0.6, 0.9),
    pull=(lambda g, r, x, y: ZERO, lambda g, r, x, y: ZERO),
)  # fmt: skip
remainder = Elementwise(
    "remainder", np.remainder, 2, c_all="gl_remainder_{t}({x}, {y})", domain=(0.6, 0.9),
    pull=(lambda g, r, x, y: g, lambda g, r, x, y: negative(g * floor(x / y))),
)  # fmt: skip
fmod = Elementwise(
    "fmod", np.fmod, 2, c_all="gl_fmod_{t}({x}, {y})", domain=(0.6, 0.9),
    pull=(lambda g, r, x, y: g, lambda g, r, x, y: negative(g * trunc(x / y))),
)  # fmt: skip


def _power_by_base(g: Variable, r: Variable, x: Variable, y: Variable) -> Any:
    # d(x**y)/dx = y x**(y-1); at y = 0 the factor y is 0 and x**-1 must not make it nan.
    if isinstance(y, Constant):
        exponent: Variable = Constant(np.where(y.data == 0, np.ones_like(y.data), y.data - np.ones_like(y.data)))
    else:
        exponent = where(equal(y, 0), 1, y - 1)
    return g * (y * power(x, exponent))


def _power_by_exponent(g: Variable, r: Variable, x: Variable, y: Variable) -> Any:
    # d(x**y)/dy = x**y log(x), which is 0 at x = 0.
    base = cast(x, r.dtype) if r.dtype in COMPLEX else x  # whose logarithm may be complex
    return g * r * log(where(equal(x, 0), 1, base))


def _power_on_host(node: Apply, dtypes: tuple[str, ...]) -> str | None:
    """A negative power of integers is an error, and for that C has no way."""
    exponent = node.inputs[1]
    if dtypes[1] not in INTEGER or exponent.dtype in UNSIGNED:
        return None
    never_negative = isinstance(exponent, Constant) and bool(np.all(exponent.data >= 0))
    return None if never_negative else "an integer power may be negative, which is an error"


power = Elementwise(
    "power", np.power, 2, c="gl_power_{t}({x}, {y})", c_int="gl_power_{t}({x}, {y})",
    c_complex="gl_power_{t}({x}, {y})",
    domain=(0.3, 2.5), pull=(_power_by_base, _power_by_exponent), host=_power_on_host,
)  # fmt: skip
float_power = Elementwise(
    "float_power", np.float_power, 2, c="gl_power_{t}({x}, {y})", c_complex="gl_power_{t}({x}, {y})",
    domain=(0.3, 2.5), pull=(_power_by_base, _power_by_exponent),
)  # fmt: skip


def _sign_pull(g: Variable, r: Variable, x: Variable) -> Any:
    # Of complex numbers it is z/|z|: a cotangent has z Re(g r) taken out of it, a tangent z Re(conj(r) t).
    if x.dtype not in COMPLEX:
        return ZERO
    return _over_modulus(g - conjugate(r) * real(g * r), x)


def _sign_push(t: Variable, r: Variable, x: Variable) -> Any:
    return _over_modulus(t - r * real(t * conjugate(r)), x) if x.dtype in COMPLEX else ZERO


def _over_modulus(g: Variable, x: Variable) -> Any:
    zero = equal(x, 0)
    return where(zero, 0, g / where(zero, 1, absolute(x)))


negative = Elementwise("negative", np.negative, c_all="(-{x})", pull=(lambda g, r, x: negative(g),))


def _absolute_pull(g: Variable, r: Variable, x: Variable) -> Any:
    direction = sign(x)
    return g * (conjugate(direction) if x.dtype in COMPLEX else direction)


absolute = Elementwise(
    "absolute", np.absolute, c="fabs{f}({x})", c_int="gl_abs_{t}({x})", c_bool="{x}",
    c_complex="hypot{f}(__real__ {x}, __imag__ {x})", pull=(_absolute_pull,),
)  # fmt: skip
fabs = Elementwise("fabs", np.fabs, c="fabs{f}({x})", pull=(lambda g, r, x: g * sign(x),))
gcd = Elementwise("gcd", np.gcd, 2)
lcm = Elementwise("lcm", np.lcm, 2)
positive = Elementwise("positive", np.positive, c="{x}", c_int="{x}", c_complex="{x}", pull=(lambda g, r, x: g,))
sign = Elementwise(
    "sign",
    np.sign,
    c="gl_sign_{t}({x})",
    c_int="gl_sign_{t}({x})",
    c_complex="gl_sign_{t}({x})",
    pull=(_sign_pull,),
    push=(_sign_push,),
)
reciprocal = Elementwise(
    "reciprocal",
    np.reciprocal,
    c="(1 / {x})",
    c_complex="gl_reciprocal_{t}({x})",
    domain=(0.5, 3.0),
    pull=(lambda g, r, x: negative(g * square(r)),),
)
square = Elementwise(
    "square", np.square, c_all="({x} * {x})", c_complex="gl_multiply_{t}({x}, {x})", pull=(lambda g, r, x: g * (2 * x),)
)
maximum = Elementwise(
    "maximum", np.maximum, 2, c_all="gl_maximum_{t}({x}, {y})",  # ties give the whole derivative to the first
    pull=(lambda g, r, x, y: where(greater_equal(x, y), g, 0), lambda g, r, x, y: where(less(x, y), g, 0)),
)  # fmt: skip
minimum = Elementwise(
    "minimum", np.minimum, 2, c_all="gl_minimum_{t}({x}, {y})",
    pull=(lambda g, r, x, y: where(less_equal(x, y), g, 0), lambda g, r, x, y: where(greater(x, y), g, 0)),
)  # fmt: skip
fmax = Elementwise(
    "fmax", np.fmax, 2, c_all="gl_fmax_{t}({x}, {y})",
    pull=(lambda g, r, x, y: where(logical_or(greater_equal(x, y), isnan(y)), g, 0),
          lambda g, r, x, y: where(logical_or(less(x, y), isnan(x)), g, 0)),
)  # fmt: skip
fmin = Elementwise(
    "fmin", np.fmin, 2, c_all="gl_fmin_{t}({x}, {y})",
    pull=(lambda g, r, x, y: where(logical_or(less_equal(x, y), isnan(y)), g, 0),
          lambda g, r, x, y: where(logical_or(greater(x, y), isnan(x)), g, 0)),
)  # fmt: skip

# ---- complex numbers -----------------------------------------------------------------------------
# A cotangent g of w = f(z) means Re(g dw): so conj and imag have other derivatives than holomorphic functions.


def _part_loop(dtype: str) -> Loop:
    return (dtype,), {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def _complex_loop(re: str, im: str) -> Loop:
    dtype = promote(re, im, "float32")  # there is no half a complex64
    if dtype in COMPLEX:
        raise TypeError(dtype)
    return (dtype, dtype), promote(dtype, "complex64")


def _from_parts(re: Array, im: Array) -> Array:
    result = np.empty(np.broadcast(re, im).shape, promote(re.dtype.name, "complex64"))
    result.real, result.imag = re, im
    return result


conjugate = Elementwise("conjugate", np.conjugate, c_all="{x}", c_complex="__builtin_conj{f}({x})",
                        pull=(lambda g, r, x: conjugate(g),))  # fmt: skip
real = Elementwise("real", np.real, c_all="{x}", c_complex="(__real__ {x})", resolve=_part_loop,
                   pull=(lambda g, r, x: g,))  # fmt: skip
imag = Elementwise(
    "imag", np.imag, c_all="0", c_complex="(__imag__ {x})", resolve=_part_loop,
    pull=(lambda g, r, x: negative(g * 1j) if x.dtype in COMPLEX else ZERO,),
)  # fmt: skip
complex_ = Elementwise(
    "complex", _from_parts, 2, c="__builtin_complex({x}, {y})", resolve=_complex_loop,
    pull=(lambda g, r, x, y: real(g), lambda g, r, x, y: negative(imag(g))),
    push=(lambda t, r, x, y: t, lambda t, r, x, y: complex_(0.0, t)),
)  # fmt: skip

# ---- comparison, logic, bits ---------------------------------------------------------------------

_no_flow2 = (lambda g, r, x, y: ZERO, lambda g, r, x, y: ZERO)
_no_flow1 = (lambda g, r, x: ZERO,)


def _comparison(function: np.ufunc, c: str, c_complex: str | None = None) -> Elementwise:
    return Elementwise(function.__name__, function, 2, c_all=c, c_complex=c_complex, pull=_no_flow2, compares=True)


equal = _comparison(np.equal, "({x} == {y})")
not_equal = _comparison(np.not_equal, "({x} != {y})")
less = _comparison(np.less, "({x} < {y})", "gl_less_{t}({x}, {y})")
less_equal = _comparison(np.less_equal, "({x} <= {y})", "gl_less_equal_{t}({x}, {y})")
greater = _comparison(np.greater, "({x} > {y})", "gl_less_{t}({y}, {x})")
greater_equal = _comparison(np.greater_equal, "({x} >= {y})", "gl_less_equal_{t}({y}, {x})")

logical_and = Elementwise("logical_and", np.logical_and, 2, c_all="(({x} != 0) & ({y} != 0))", pull=_no_flow2)
logical_or = Elementwise("logical_or", np.logical_or, 2, c_all="(({x} != 0) | ({y} != 0))", pull=_no_flow2)
logical_xor = Elementwise("logical_xor", np.logical_xor, 2, c_all="(({x} != 0) ^ ({y} != 0))", pull=_no_flow2)
logical_not = Elementwise("logical_not", np.logical_not, c_all="({x} == 0)", pull=_no_flow1)
bitwise_and = Elementwise("bitwise_and", np.bitwise_and, 2, c_int="({x} & {y})", c_bool="({x} & {y})")
bitwise_or = Elementwise("bitwise_or", np.bitwise_or, 2, c_int="({x} | {y})", c_bool="({x} | {y})")
bitwise_xor = Elementwise("bitwise_xor", np.bitwise_xor, 2, c_int="({x} ^ {y})", c_bool="({x} ^ {y})")
invert = Elementwise("invert", np.invert, c_int="(~{x})", c_bool="({x} == 0)")
left_shift = Elementwise("left_shift", np.left_shift, 2, c_int="gl_left_shift_{t}({x}, {y})")
right_shift = Elementwise("right_shift", np.right_shift, 2, c_int="gl_right_shift_{t}({x}, {y})")

bitwise_count = Elementwise("bitwise_count", np.bitwise_count)

isnan = Elementwise("isnan", np.isnan, c="({x} != {x})", c_int="({x} != {x})", c_bool="0",
                    c_complex="({x} != {x})", pull=_no_flow1)  # fmt: skip
isinf = Elementwise(
    "isinf", np.isinf, c="(fabs{f}({x}) == __builtin_inf{f}())", c_int="0 * {x}", c_bool="0 * {x}",
    c_complex="gl_isinf_{t}({x})", pull=_no_flow1,
)  # fmt: skip
isfinite = Elementwise(
    "isfinite", np.isfinite, c="(fabs{f}({x}) < __builtin_inf{f}())", c_int="({x} == {x})", c_bool="({x} == {x})",
    c_complex="gl_isfinite_{t}({x})", pull=_no_flow1,
)  # fmt: skip
signbit = Elementwise("signbit", np.signbit, c="(__builtin_signbit({x}) != 0)", pull=_no_flow1)
copysign = Elementwise(
    "copysign", np.copysign, 2, c="copysign{f}({x}, {y})", domain=(0.5, 3.0),
    pull=(lambda g, r, x, y: g * sign(x) * copysign(1.0, y), lambda g, r, x, y: ZERO),
)  # fmt: skip

nextafter = Elementwise(
    "nextafter", np.nextafter, 2, c="nextafter{f}({x}, {y})",
    host=lambda node, dtypes: "the next float16 is not the next float32" if dtypes[0] == "float16" else None,
)  # fmt: skip
heaviside = Elementwise(
    "heaviside", np.heaviside, 2, c="({x} == 0 ? {y} : {x} < 0 ? 0 : {x} > 0 ? 1 : {x})", domain=(0.5, 3.0),
    pull=(lambda g, r, x, y: ZERO, lambda g, r, x, y: where(equal(x, 0), g, 0)),
)  # fmt: skip


def _where_loop(_condition: str, x: str, y: str) -> Loop:
    dtype = promote(x, y)
    return ("bool", dtype, dtype), dtype


where = Elementwise(
    "where", np.where, 3, c_all="({x} ? {y} : {z})", resolve=_where_loop,
    pull=(lambda g, r, c, x, y: ZERO, lambda g, r, c, x, y: where(c, g, 0), lambda g, r, c, x, y: where(c, 0, g)),
)  # fmt: skip

# ---- rounding ------------------------------------------------------------------------------------


def _round_loop(dtype: str) -> Loop:
    return ((dtype,), dtype) if dtype in INTEGER else rint.loop(dtype)


_ROUND_PARTS = "__builtin_complex(rint{f}(__real__ {x}), rint{f}(__imag__ {x}))"
floor = Elementwise("floor", np.floor, c="floor{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1,
                    domain=(0.1, 0.9))  # fmt: skip
ceil = Elementwise("ceil", np.ceil, c="ceil{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1, domain=(0.1, 0.9))
trunc = Elementwise("trunc", np.trunc, c="trunc{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1,
                    domain=(0.1, 0.9))  # fmt: skip
rint = Elementwise("rint", np.rint, c="rint{f}({x})", c_complex=_ROUND_PARTS, pull=_no_flow1, domain=(0.1, 0.4))
round = Elementwise("round", np.round, c="rint{f}({x})", c_int="{x}", c_complex=_ROUND_PARTS, resolve=_round_loop,
                    pull=_no_flow1, domain=(0.1, 0.4))  # fmt: skip

# ---- exponentials, logarithms, roots -------------------------------------------------------------

exp = Elementwise("exp", np.exp, c="gl_exp_{t}({x})", c_complex="cexp{f}({x})", pull=(lambda g, r, x: g * r,))
exp2 = Elementwise(
    "exp2",
    np.exp2,
    c="gl_exp2_{t}({x})",
    c_complex="cexp{f}(gl_scaled_{t}({x}, 0.693147180559945309417232121458176568{f}))",
    pull=(lambda g, r, x: g * r * math.log(2.0),),
)
expm1 = Elementwise(
    "expm1", np.expm1, c="gl_expm1_{t}({x})", c_complex="gl_expm1_{t}({x})", pull=(lambda g, r, x: g * (r + 1),)
)
log = Elementwise(
    "log", np.log, c="gl_log_{t}({x})", c_complex="clog{f}({x})", domain=(0.1, 5.0), pull=(lambda g, r, x: g / x,)
)
log2 = Elementwise("log2", np.log2, c="gl_log2_{t}({x})",
             c_complex="gl_scaled_{t}(clog{f}({x}), 1.442695040888963407359924681001892137{f})", domain=(0.1, 5.0),
                   pull=(lambda g, r, x: g / (x * math.log(2.0)),))  # fmt: skip
log10 = Elementwise("log10", np.log10, c="gl_log10_{t}({x})",
             c_complex="gl_scaled_{t}(clog{f}({x}), 0.434294481903251827651128918916605082{f})", domain=(0.1, 5.0),
                    pull=(lambda g, r, x: g / (x * math.log(10.0)),))  # fmt: skip
log1p = Elementwise(
    "log1p",
    np.log1p,
    c="gl_log1p_{t}({x})",
    c_complex="gl_log1p_{t}({x})",
    domain=(-0.8, 3.0),
    pull=(lambda g, r, x: g / (1 + x),),
)
sqrt = Elementwise(
    "sqrt", np.sqrt, c="sqrt{f}({x})", c_complex="csqrt{f}({x})", domain=(0.1, 5.0), pull=(lambda g, r, x: g * 0.5 / r,)
)
cbrt = Elementwise("cbrt", np.cbrt, c="gl_cbrt_{t}({x})", domain=(0.1, 5.0),
                   pull=(lambda g, r, x: g / (3 * square(r)),))  # fmt: skip
logaddexp = Elementwise(
    "logaddexp", np.logaddexp, 2, c="gl_logaddexp_{t}({x}, {y})",
    pull=(lambda g, r, x, y: g * sigmoid(x - y), lambda g, r, x, y: g * sigmoid(y - x)),
)  # fmt: skip
logaddexp2 = Elementwise(
    "logaddexp2", np.logaddexp2, 2, c="gl_logaddexp2_{t}({x}, {y})",
    pull=(lambda g, r, x, y: g * exp2(x - r), lambda g, r, x, y: g * exp2(y - r)),
)  # fmt: skip


def _leg(g: Variable, r: Variable, leg: Variable) -> Any:
    # d hypot(x, y)/dx = x / r; 0 at the origin, as that of a norm.
    origin = equal(r, 0)
    return where(origin, 0, g * leg / where(origin, 1, r))


hypot = Elementwise("hypot", np.hypot, 2, c="gl_hypot_{t}({x}, {y})", domain=(0.3, 3.0),
                    pull=(lambda g, r, x, y: _leg(g, r, x), lambda g, r, x, y: _leg(g, r, y)))  # fmt: skip

# ---- trigonometric and hyperbolic ----------------------------------------------------------------

sin = Elementwise("sin", np.sin, c="gl_sin_{t}({x})", c_complex="csin{f}({x})", pull=(lambda g, r, x: g * cos(x),))
cos = Elementwise(
    "cos", np.cos, c="gl_cos_{t}({x})", c_complex="ccos{f}({x})", pull=(lambda g, r, x: negative(g * sin(x)),)
)
tan = Elementwise(
    "tan",
    np.tan,
    c="gl_tan_{t}({x})",
    c_complex="ctan{f}({x})",
    domain=(-1.2, 1.2),
    pull=(lambda g, r, x: g * (1 + square(r)),),
)
arcsin = Elementwise("arcsin", np.arcsin, c="gl_arcsin_{t}({x})", c_complex="casin{f}({x})", domain=(-0.8, 0.8),
                     pull=(lambda g, r, x: g / sqrt(1 - square(x)),))  # fmt: skip
arccos = Elementwise("arccos", np.arccos, c="gl_arccos_{t}({x})", c_complex="cacos{f}({x})", domain=(-0.8, 0.8),
                     pull=(lambda g, r, x: negative(g / sqrt(1 - square(x))),))  # fmt: skip
arctan = Elementwise(
    "arctan", np.arctan, c="gl_arctan_{t}({x})", c_complex="catan{f}({x})", pull=(lambda g, r, x: g / (1 + square(x)),)
)
arctan2 = Elementwise(
    "arctan2", np.arctan2, 2, c="gl_arctan2_{t}({x}, {y})", domain=(0.3, 3.0),
    pull=(lambda g, r, x, y: g * y / (square(x) + square(y)),
          lambda g, r, x, y: negative(g * x) / (square(x) + square(y))),
)  # fmt: skip
sinh = Elementwise("sinh", np.sinh, c="gl_sinh_{t}({x})", c_complex="csinh{f}({x})",
                   pull=(lambda g, r, x: g * cosh(x),))  # fmt: skip
cosh = Elementwise("cosh", np.cosh, c="gl_cosh_{t}({x})", c_complex="ccosh{f}({x})",
                   pull=(lambda g, r, x: g * sinh(x),))  # fmt: skip
tanh = Elementwise(
    "tanh", np.tanh, c="gl_tanh_{t}({x})", c_complex="ctanh{f}({x})", pull=(lambda g, r, x: g * (1 - square(r)),)
)
arcsinh = Elementwise(
    "arcsinh",
    np.arcsinh,
    c="asinh{f}({x})",
    c_complex="casinh{f}({x})",
    pull=(lambda g, r, x: g / sqrt(square(x) + 1),),
)
arccosh = Elementwise("arccosh", np.arccosh, c="acosh{f}({x})", c_complex="cacosh{f}({x})", domain=(1.2, 4.0),
                      pull=(lambda g, r, x: g / (sqrt(x - 1) * sqrt(x + 1)),))  # fmt: skip
arctanh = Elementwise("arctanh", np.arctanh, c="atanh{f}({x})", c_complex="catanh{f}({x})", domain=(-0.8, 0.8),
                      pull=(lambda g, r, x: g / (1 - square(x)),))  # fmt: skip
deg2rad = Elementwise("deg2rad", np.deg2rad, c="({x} * 0.017453292519943295{f})",
                      pull=(lambda g, r, x: g * (math.pi / 180),))  # fmt: skip
rad2deg = Elementwise("rad2deg", np.rad2deg, c="({x} * 57.29577951308232{f})",
                      pull=(lambda g, r, x: g * (180 / math.pi),))  # fmt: skip

# ---- smooth steps ---------------------------------------------------------------------------------


_expit = Later("scipy.special", "expit")


def _sigmoid(x: Array) -> Array:
    result: Array = _expit(x)
    return result


def _softplus(x: Array) -> Array:
    result: Array = np.logaddexp(x, x.dtype.type(0))
    return result


sigmoid = Elementwise("sigmoid", _sigmoid, c="gl_sigmoid_{t}({x})", resolve=same_float, ulps=8,
                      pull=(lambda g, r, x: g * r * (1 - r),))  # fmt: skip
softplus = Elementwise("softplus", _softplus, c="gl_softplus_{t}({x})", resolve=same_float, ulps=8,
                       pull=(lambda g, r, x: g * sigmoid(x),))  # fmt: skip

TABLE: tuple[Elementwise, ...] = (
    add, subtract, multiply, true_divide, floor_divide, remainder, fmod, power, float_power, negative,
    positive, absolute, fabs, sign, gcd, lcm, reciprocal, square, maximum, minimum, fmax, fmin,
    conjugate, real, imag, complex_,
    equal, not_equal, less, less_equal, greater, greater_equal, logical_and, logical_or, logical_xor, logical_not,
    bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift, bitwise_count,
    isnan, isinf, isfinite, signbit, copysign, nextafter, heaviside, where,
    floor, ceil, trunc, rint, round,
    exp, exp2, expm1, log, log2, log10, log1p, sqrt, cbrt, logaddexp, logaddexp2, hypot,
    sin, cos, tan, arcsin, arccos, arctan, arctan2, sinh, cosh, tanh, arcsinh, arccosh, arctanh, deg2rad, rad2deg,
    sigmoid, softplus,
)  # fmt: skip


@user_boundary
def clip(x: Any, low: Any, high: Any) -> Variable:
    """`x` limited to [low, high], as numpy.clip: minimum(maximum(x, low), high)."""
    result: Variable = minimum(maximum(x, low), high)
    return result
