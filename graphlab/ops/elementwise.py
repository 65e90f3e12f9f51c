"""Elementwise operations: each is a few lines that say its NumPy meaning, its C and its derivative.

To add one: write an `Elementwise(...)` below and put it in TABLE; its tests are generated from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from graphlab.dtypes import ALL, BOOL, COMPLEX, INTEGER, UNSIGNED, canonical, promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import TensorType, broadcast_shape
from graphlab.ops.base import Array, Cotangents, Host, Lowering, Op, Pointwise

Loop = tuple[tuple[str, ...], str]  # the dtypes a computation runs in, and the one it gives


class Zero:
    """Stands for a derivative that is zero everywhere: connected, but nothing flows."""

    def __repr__(self) -> str:
        return "ZERO"


ZERO = Zero()
Pull = Callable[..., Any]  # (g, y, *xs) -> the cotangent of one input, or ZERO


@dataclass(frozen=True, eq=False, slots=True)
class Elementwise(Op):
    """A scalar function applied to each element of its broadcast operands.

    `function` is its NumPy (or SciPy) meaning and decides the dtypes; `c`, `c_int` and `c_bool` are C
    templates for float, integer and bool loops ({x} {y} {z}: operands; {f}: "f" in float32; {t}: the
    loop's dtype; `c_all` serves every dtype): where none fits NumPy computes it. `pull` holds one
    derivative per input. `domain` bounds the values that the generated tests draw for gradients.
    """

    name: str
    function: Callable[..., Any]
    arity: int = 1
    c: str | None = None
    c_int: str | None = None
    c_bool: str | None = None
    c_all: str | None = None
    pull: tuple[Pull | None, ...] | None = None
    resolve: Callable[..., Loop] | None = None
    domain: tuple[float, float] = (-3.0, 3.0)
    ulps: float = 4.0

    def loop(self, *dtypes: str) -> Loop:
        """The dtypes in which NumPy computes with operands of `dtypes`, and that of the result."""
        try:
            return self.resolve(*dtypes) if self.resolve else _ufunc_loop(self.function, dtypes)
        except TypeError:
            raise GraphTypeError(
                f"{self.name} is not defined for {' and '.join(dtypes)}",
                hint="cast an operand first, for example x.astype('float64')",
            ) from None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if len(inputs) != self.arity:
            raise GraphTypeError(f"{self.name} takes {self.arity} operands, got {len(inputs)}")
        _, dtype = self.loop(*(t.dtype for t in inputs))
        try:
            shape = broadcast_shape([t.shape for t in inputs])
        except ValueError:
            raise GraphShapeError(
                f"{self.name}: shapes {' and '.join(_shape_text(t) for t in inputs)} do not broadcast together",
            ) from None
        return (TensorType(dtype, shape),)

    def numpy(self, *values: Array) -> Any:
        dtypes, out = self.loop(*(v.dtype.name for v in values))
        cast = [v.astype(d, copy=False) for v, d in zip(values, dtypes, strict=True)]
        return np.asarray(self.function(*cast)).astype(out, copy=False)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        return [self._derivative(i, g, node) for i in range(self.arity)]

    def _derivative(self, i: int, g: Variable | None, node: Apply) -> Any:
        pull = self.pull[i] if self.pull else None
        if g is None or pull is None or isinstance(node.inputs[i], Constant):
            return None
        return pull(g, node.outputs[0], *node.inputs)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # The Jacobian is diagonal, so a pullback of the tangent is the pushforward of it.
        terms = [self._derivative(i, t, node) for i, t in enumerate(tangents) if t is not None]
        flowing = [t for t in terms if t is not None and t is not ZERO]
        total = flowing[0] if flowing else None
        for term in flowing[1:]:
            total = add(total, term)
        return [total]

    def lowering(self, node: Apply) -> Lowering:
        dtypes, out = self.loop(*(v.dtype for v in node.inputs))
        if any(d == "float16" or d in COMPLEX for d in (*dtypes, out, *(v.dtype for v in node.inputs))):
            return Host("float16 and complex have no C form yet")
        if len({d for d in dtypes if d in INTEGER}) > 1:
            return Host("mixed signed and unsigned 64-bit integers")
        if self is power and dtypes[1] in INTEGER and not _never_negative(node.inputs[1]):
            return Host("an integer power may be negative, which is an error")
        kind = dtypes[-1]
        form = self.c_int if kind in INTEGER else self.c_bool if kind in BOOL else self.c
        form = form or self.c_all
        if form is None:
            return Host(f"{self.name} of {kind} has no C form")
        single = "f" if kind == "float32" else ""
        return Pointwise(form.format(x="{0}", y="{1}", z="{2}", f=single, t=kind), dtypes, out)

    def convert(self, *arguments: Any) -> tuple[Variable, ...]:
        """Python scalars are weak: they take the dtype that NumPy 2 gives them beside the others."""
        if not any(type(a) in _WEAK for a in arguments):
            return tuple(as_data_variable(a) for a in arguments)
        strong = {i: as_data_variable(a) for i, a in enumerate(arguments) if type(a) not in _WEAK}
        # The condition of `where` has no say in the dtype of its branches.
        voters = [v.dtype for i, v in strong.items() if not (self.name == "where" and i == 0)]
        return tuple(
            strong[i] if i in strong else _weak_constant(a, voters, compares=self in COMPARISONS)
            for i, a in enumerate(arguments)
        )

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return (_by_name, (self.name,))


_WEAK = (int, float, complex)


def _shape_text(t: TensorType) -> str:
    return "(" + ", ".join("?" if n is None else str(n) for n in t.shape) + ("," if t.ndim == 1 else "") + ")"


def _never_negative(v: Variable) -> bool:
    return v.dtype in UNSIGNED or (isinstance(v, Constant) and bool(np.all(v.data >= 0)))


def _weak_constant(value: Any, voters: Sequence[str], *, compares: bool) -> Constant:
    if not voters:
        return Constant(value)
    dtype = promote(*voters, value)
    if dtype in INTEGER:
        info = np.iinfo(dtype)
        if not info.min <= value <= info.max:
            if compares:  # NumPy compares with any Python integer, whatever the array holds
                return Constant(value)
            raise GraphValueError(
                f"the Python integer {value} does not fit {dtype}",
                hint=f"write numpy.int64({value}) to compute in a wider dtype",
            )
    return Constant(np.asarray(value, dtype=dtype))


@cache
def _ufunc_loop(function: Any, dtypes: tuple[str, ...]) -> Loop:
    if not isinstance(function, np.ufunc):
        raise TypeError("not a ufunc: its dtypes must be given by `resolve`")
    resolved = function.resolve_dtypes((*(np.dtype(d) for d in dtypes), *(None,) * function.nout))
    return tuple(d.name for d in resolved[: function.nin]), resolved[function.nin].name


def _same_float(*dtypes: str) -> Loop:
    """Computed in the operands' float dtype; float64 for integers, as NumPy's exp does from int32 up."""
    dtype = promote(*dtypes)
    chosen = dtype if dtype in ("float32", "float64", "float16") else "float64"
    if dtype in COMPLEX:
        raise TypeError(dtype)
    return (chosen,) * len(dtypes), chosen


def _in_float64(*dtypes: str) -> Loop:
    if promote(*dtypes) in COMPLEX:
        raise TypeError
    return ("float64",) * len(dtypes), "float64"


def _where_loop(_condition: str, x: str, y: str) -> Loop:
    dtype = promote(x, y)
    return ("bool", dtype, dtype), dtype


def _round_loop(dtype: str) -> Loop:
    return ((dtype,), dtype) if dtype in INTEGER else _ufunc_loop(np.rint, (dtype,))


def _sigmoid(x: Array) -> Array:
    result: Array = special.expit(x)
    return result


def _softplus(x: Array) -> Array:
    result: Array = np.logaddexp(x, x.dtype.type(0))
    return result


# ---- arithmetic ----------------------------------------------------------------------------------

add = Elementwise(
    "add", np.add, 2, c_all="({x} + {y})", c_bool="({x} | {y})", pull=(lambda g, r, x, y: g, lambda g, r, x, y: g)
)
subtract = Elementwise(
    "subtract", np.subtract, 2, c_all="({x} - {y})",
    pull=(lambda g, r, x, y: g, lambda g, r, x, y: negative(g)),
)  # fmt: skip
multiply = Elementwise(
    "multiply", np.multiply, 2, c_all="({x} * {y})", c_bool="({x} & {y})",
    pull=(lambda g, r, x, y: g * y, lambda g, r, x, y: g * x),
)  # fmt: skip
true_divide = Elementwise(
    "true_divide", np.true_divide, 2, c="({x} / {y})", domain=(0.5, 3.0),
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
    return g * r * log(where(equal(x, 0), 1, x))


power = Elementwise(
    "power", np.power, 2, c="pow{f}({x}, {y})", c_int="gl_power_{t}({x}, {y})", domain=(0.3, 2.5),
    pull=(_power_by_base, _power_by_exponent),
)  # fmt: skip
float_power = Elementwise(
    "float_power", np.float_power, 2, c="pow{f}({x}, {y})", domain=(0.3, 2.5), pull=(_power_by_base, _power_by_exponent)
)
negative = Elementwise("negative", np.negative, c_all="(-{x})", pull=(lambda g, r, x: negative(g),))
absolute = Elementwise(
    "absolute", np.absolute, c="fabs{f}({x})", c_int="gl_abs_{t}({x})", c_bool="{x}",
    pull=(lambda g, r, x: g * sign(x),),
)  # fmt: skip
fabs = Elementwise("fabs", np.fabs, c="fabs{f}({x})", pull=(lambda g, r, x: g * sign(x),))
gcd = Elementwise("gcd", np.gcd, 2)
lcm = Elementwise("lcm", np.lcm, 2)
sign = Elementwise("sign", np.sign, c="gl_sign_{t}({x})", c_int="gl_sign_{t}({x})", pull=(lambda g, r, x: ZERO,))
reciprocal = Elementwise(
    "reciprocal", np.reciprocal, c="(1 / {x})", domain=(0.5, 3.0), pull=(lambda g, r, x: negative(g * square(r)),)
)
square = Elementwise("square", np.square, c_all="({x} * {x})", pull=(lambda g, r, x: g * (2 * x),))
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

# ---- comparison, logic, bits ---------------------------------------------------------------------

_no_flow2 = (lambda g, r, x, y: ZERO, lambda g, r, x, y: ZERO)
_no_flow1 = (lambda g, r, x: ZERO,)

equal = Elementwise("equal", np.equal, 2, c_all="({x} == {y})", pull=_no_flow2)
not_equal = Elementwise("not_equal", np.not_equal, 2, c_all="({x} != {y})", pull=_no_flow2)
less = Elementwise("less", np.less, 2, c_all="({x} < {y})", pull=_no_flow2)
less_equal = Elementwise("less_equal", np.less_equal, 2, c_all="({x} <= {y})", pull=_no_flow2)
greater = Elementwise("greater", np.greater, 2, c_all="({x} > {y})", pull=_no_flow2)
greater_equal = Elementwise("greater_equal", np.greater_equal, 2, c_all="({x} >= {y})", pull=_no_flow2)
COMPARISONS = (equal, not_equal, less, less_equal, greater, greater_equal)

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

isnan = Elementwise("isnan", np.isnan, c="({x} != {x})", c_int="({x} != {x})", c_bool="0", pull=_no_flow1)
isinf = Elementwise("isinf", np.isinf, c="(fabs{f}({x}) == __builtin_inf{f}())", c_int="0 * {x}", c_bool="0 * {x}",
                    pull=_no_flow1)  # fmt: skip
isfinite = Elementwise("isfinite", np.isfinite, c="(fabs{f}({x}) < __builtin_inf{f}())", c_int="({x} == {x})",
                       c_bool="({x} == {x})", pull=_no_flow1)  # fmt: skip
signbit = Elementwise("signbit", np.signbit, c="(__builtin_signbit({x}) != 0)", pull=_no_flow1)
copysign = Elementwise(
    "copysign", np.copysign, 2, c="copysign{f}({x}, {y})", domain=(0.5, 3.0),
    pull=(lambda g, r, x, y: g * sign(x) * copysign(1.0, y), lambda g, r, x, y: ZERO),
)  # fmt: skip

nextafter = Elementwise("nextafter", np.nextafter, 2, c="nextafter{f}({x}, {y})")
heaviside = Elementwise(
    "heaviside", np.heaviside, 2, c="({x} == 0 ? {y} : {x} < 0 ? 0 : {x} > 0 ? 1 : {x})", domain=(0.5, 3.0),
    pull=(lambda g, r, x, y: ZERO, lambda g, r, x, y: where(equal(x, 0), g, 0)),
)  # fmt: skip
where = Elementwise(
    "where", np.where, 3, c_all="({x} ? {y} : {z})", resolve=_where_loop,
    pull=(lambda g, r, c, x, y: ZERO, lambda g, r, c, x, y: where(c, g, 0), lambda g, r, c, x, y: where(c, 0, g)),
)  # fmt: skip

# ---- rounding ------------------------------------------------------------------------------------

floor = Elementwise("floor", np.floor, c="floor{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1,
                    domain=(0.1, 0.9))  # fmt: skip
ceil = Elementwise("ceil", np.ceil, c="ceil{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1, domain=(0.1, 0.9))
trunc = Elementwise("trunc", np.trunc, c="trunc{f}({x})", c_int="{x}", c_bool="{x}", pull=_no_flow1,
                    domain=(0.1, 0.9))  # fmt: skip
rint = Elementwise("rint", np.rint, c="rint{f}({x})", pull=_no_flow1, domain=(0.1, 0.4))
round = Elementwise("round", np.round, c="rint{f}({x})", c_int="{x}", resolve=_round_loop, pull=_no_flow1,
                    domain=(0.1, 0.4))  # fmt: skip

# ---- exponentials, logarithms, roots -------------------------------------------------------------

exp = Elementwise("exp", np.exp, c="gl_exp_{t}({x})", pull=(lambda g, r, x: g * r,))
exp2 = Elementwise("exp2", np.exp2, c="exp2{f}({x})", pull=(lambda g, r, x: g * r * math.log(2.0),))
expm1 = Elementwise("expm1", np.expm1, c="expm1{f}({x})", pull=(lambda g, r, x: g * (r + 1),))
log = Elementwise("log", np.log, c="log{f}({x})", domain=(0.1, 5.0), pull=(lambda g, r, x: g / x,))
log2 = Elementwise("log2", np.log2, c="log2{f}({x})", domain=(0.1, 5.0),
                   pull=(lambda g, r, x: g / (x * math.log(2.0)),))  # fmt: skip
log10 = Elementwise("log10", np.log10, c="log10{f}({x})", domain=(0.1, 5.0),
                    pull=(lambda g, r, x: g / (x * math.log(10.0)),))  # fmt: skip
log1p = Elementwise("log1p", np.log1p, c="log1p{f}({x})", domain=(-0.8, 3.0), pull=(lambda g, r, x: g / (1 + x),))
sqrt = Elementwise("sqrt", np.sqrt, c="sqrt{f}({x})", domain=(0.1, 5.0), pull=(lambda g, r, x: g * 0.5 / r,))
cbrt = Elementwise("cbrt", np.cbrt, c="cbrt{f}({x})", domain=(0.1, 5.0),
                   pull=(lambda g, r, x: g / (3 * square(r)),))  # fmt: skip
logaddexp = Elementwise(
    "logaddexp", np.logaddexp, 2, c="gl_logaddexp_{t}({x}, {y})",
    pull=(lambda g, r, x, y: g * sigmoid(x - y), lambda g, r, x, y: g * sigmoid(y - x)),
)  # fmt: skip
logaddexp2 = Elementwise(
    "logaddexp2", np.logaddexp2, 2, c="gl_logaddexp2_{t}({x}, {y})",
    pull=(lambda g, r, x, y: g * exp2(x - r), lambda g, r, x, y: g * exp2(y - r)),
)  # fmt: skip
hypot = Elementwise("hypot", np.hypot, 2, c="hypot{f}({x}, {y})", domain=(0.3, 3.0),
                    pull=(lambda g, r, x, y: g * x / r, lambda g, r, x, y: g * y / r))  # fmt: skip

# ---- trigonometric and hyperbolic ----------------------------------------------------------------

sin = Elementwise("sin", np.sin, c="sin{f}({x})", pull=(lambda g, r, x: g * cos(x),))
cos = Elementwise("cos", np.cos, c="cos{f}({x})", pull=(lambda g, r, x: negative(g * sin(x)),))
tan = Elementwise("tan", np.tan, c="tan{f}({x})", domain=(-1.2, 1.2), pull=(lambda g, r, x: g * (1 + square(r)),))
arcsin = Elementwise("arcsin", np.arcsin, c="asin{f}({x})", domain=(-0.8, 0.8),
                     pull=(lambda g, r, x: g / sqrt(1 - square(x)),))  # fmt: skip
arccos = Elementwise("arccos", np.arccos, c="acos{f}({x})", domain=(-0.8, 0.8),
                     pull=(lambda g, r, x: negative(g / sqrt(1 - square(x))),))  # fmt: skip
arctan = Elementwise("arctan", np.arctan, c="atan{f}({x})", pull=(lambda g, r, x: g / (1 + square(x)),))
arctan2 = Elementwise(
    "arctan2", np.arctan2, 2, c="atan2{f}({x}, {y})", domain=(0.3, 3.0),
    pull=(lambda g, r, x, y: g * y / (square(x) + square(y)),
          lambda g, r, x, y: negative(g * x) / (square(x) + square(y))),
)  # fmt: skip
sinh = Elementwise("sinh", np.sinh, c="sinh{f}({x})", pull=(lambda g, r, x: g * cosh(x),))
cosh = Elementwise("cosh", np.cosh, c="cosh{f}({x})", pull=(lambda g, r, x: g * sinh(x),))
tanh = Elementwise("tanh", np.tanh, c="tanh{f}({x})", pull=(lambda g, r, x: g * (1 - square(r)),))
arcsinh = Elementwise("arcsinh", np.arcsinh, c="asinh{f}({x})", pull=(lambda g, r, x: g / sqrt(square(x) + 1),))
arccosh = Elementwise("arccosh", np.arccosh, c="acosh{f}({x})", domain=(1.2, 4.0),
                      pull=(lambda g, r, x: g / sqrt(square(x) - 1),))  # fmt: skip
arctanh = Elementwise("arctanh", np.arctanh, c="atanh{f}({x})", domain=(-0.8, 0.8),
                      pull=(lambda g, r, x: g / (1 - square(x)),))  # fmt: skip
deg2rad = Elementwise("deg2rad", np.deg2rad, c="({x} * 0.017453292519943295{f})",
                      pull=(lambda g, r, x: g * (math.pi / 180),))  # fmt: skip
rad2deg = Elementwise("rad2deg", np.rad2deg, c="({x} * 57.29577951308232{f})",
                      pull=(lambda g, r, x: g * (180 / math.pi),))  # fmt: skip

# ---- special functions ---------------------------------------------------------------------------

erf = Elementwise("erf", special.erf, c="erf{f}({x})",
                  pull=(lambda g, r, x: g * (2 / math.sqrt(math.pi)) * exp(negative(square(x))),))  # fmt: skip
erfc = Elementwise("erfc", special.erfc, c="erfc{f}({x})", ulps=8,
                   pull=(lambda g, r, x: g * (-2 / math.sqrt(math.pi)) * exp(negative(square(x))),))  # fmt: skip
erfinv = Elementwise("erfinv", special.erfinv, domain=(-0.8, 0.8),
                     pull=(lambda g, r, x: g * (math.sqrt(math.pi) / 2) * exp(square(r)),))  # fmt: skip
gammaln = Elementwise("gammaln", special.gammaln, c="gl_gammaln_{t}({x})", domain=(0.3, 5.0), ulps=32,
                      pull=(lambda g, r, x: g * digamma(x),))  # fmt: skip
digamma = Elementwise("digamma", special.digamma, c="gl_digamma_{t}({x})", domain=(0.3, 5.0), ulps=32,
                      pull=(lambda g, r, x: g * polygamma(1, x),))  # fmt: skip
polygamma = Elementwise(
    "polygamma", special.polygamma, 2, resolve=_in_float64, domain=(1.0, 4.0),
    pull=(None, lambda g, r, n, x: g * polygamma(n + 1, x)),
)  # fmt: skip
sigmoid = Elementwise("sigmoid", _sigmoid, c="gl_sigmoid_{t}({x})", resolve=_same_float, ulps=8,
                      pull=(lambda g, r, x: g * r * (1 - r),))  # fmt: skip
softplus = Elementwise("softplus", _softplus, c="gl_softplus_{t}({x})", resolve=_same_float, ulps=8,
                       pull=(lambda g, r, x: g * sigmoid(x),))  # fmt: skip

TABLE: tuple[Elementwise, ...] = (
    add, subtract, multiply, true_divide, floor_divide, remainder, fmod, power, float_power, negative,
    absolute, fabs, sign, gcd, lcm, reciprocal, square, maximum, minimum, fmax, fmin,
    *COMPARISONS, logical_and, logical_or, logical_xor, logical_not,
    bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift, bitwise_count,
    isnan, isinf, isfinite, signbit, copysign, nextafter, heaviside, where,
    floor, ceil, trunc, rint, round,
    exp, exp2, expm1, log, log2, log10, log1p, sqrt, cbrt, logaddexp, logaddexp2, hypot,
    sin, cos, tan, arcsin, arccos, arctan, arctan2, sinh, cosh, tanh, arcsinh, arccosh, arctanh, deg2rad, rad2deg,
    erf, erfc, erfinv, gammaln, digamma, polygamma, sigmoid, softplus,
)  # fmt: skip
_NAMES = {op.name: op for op in TABLE}


def _by_name(name: str) -> Elementwise:
    return _NAMES[name]


# ---- conversion ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cast(Op):
    """The same values in another dtype, as NumPy's astype gives them."""

    dtype: str
    name = "cast"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.dtype in COMPLEX and self.dtype not in COMPLEX:
            raise GraphTypeError(f"cast: {x.dtype} to {self.dtype} would lose the imaginary part")
        return (x.with_dtype(self.dtype),)

    def numpy(self, *values: Array) -> Any:
        return values[0].astype(self.dtype)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return list(cotangents)  # the caller casts it to the input's dtype

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if t is None else cast(t, self.dtype) for t in tangents]

    def lowering(self, node: Apply) -> Lowering:
        source = node.inputs[0].dtype
        if any(d == "float16" or d in COMPLEX for d in (source, self.dtype)):
            return Host("float16 and complex have no C form yet")
        return Pointwise("{0}", (self.dtype,), self.dtype)


def cast(x: Any, dtype: Any) -> Variable:
    """`x` with element type `dtype`; itself when it has it already.

    >>> cast(Constant([1.5, -1.5]), "int32").type.dtype
    'int32'
    """
    variable = as_data_variable(x)
    try:
        name = canonical(dtype)
    except TypeError as error:
        raise GraphTypeError(f"cast: {error}", hint=f"one of {', '.join(ALL)}") from None
    if variable.dtype == name:
        return variable
    result: Variable = Cast(name)(variable)
    return result


def clip(x: Any, low: Any, high: Any) -> Variable:
    """`x` limited to [low, high], as numpy.clip: minimum(maximum(x, low), high)."""
    result: Variable = minimum(maximum(x, low), high)
    return result
