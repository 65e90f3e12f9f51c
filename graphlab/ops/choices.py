"""Choosing and comparing arrays: what is close or equal, and values by the first condition that holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, INTEGER, promote
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops import reduce
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import (
    absolute,
    equal,
    isfinite,
    isnan,
    less_equal,
    logical_and,
    logical_or,
    maximum,
    minimum,
    remainder,
    where,
)
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Host, Lowering
from graphlab.ops.ranges import arange

# ---- close and equal -----------------------------------------------------------------------------


@user_boundary
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Where `a` and `b` differ by at most atol + rtol |b|, or are the same infinity, as numpy.isclose.

    >>> isclose([1.0, 2.0], [1.0 + 1e-9, 2.1]).eval()
    array([ True, False])
    """
    x, y = as_tensor(a), as_tensor(b)
    if y.dtype in BOOL + INTEGER:
        y = cast(y, promote(y.dtype, "float64"))
    near = logical_and(less_equal(absolute(x - y), atol + rtol * absolute(y)), isfinite(y))
    result: Variable = logical_or(near, equal(x, y))
    return logical_or(result, logical_and(isnan(x), isnan(y))) if equal_nan else result


@user_boundary
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Whether all elements are close, see isclose, as numpy.allclose.

    >>> allclose([1.0, 2.0], [1.0, 2.0 + 1e-9]).eval()
    array(True)
    """
    return reduce.all(isclose(a, b, rtol, atol, equal_nan))


@dataclass(frozen=True, slots=True)
class ArrayEqual(Op):
    """Whether two arrays have one shape and the same elements; NaNs are the same if `equal_nan`."""

    equal_nan: bool
    name = "array_equal"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType("bool", ()),)

    def numpy(self, *values: Array) -> Any:
        return np.asarray(np.array_equal(values[0], values[1], equal_nan=self.equal_nan))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [None, None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def lowering(self, node: Apply) -> Lowering:
        return Host("arrays of unequal shapes are compared too")


@user_boundary
def array_equal(a: Any, b: Any, equal_nan: bool = False) -> Variable:
    """Whether `a` and `b` have the same shape and elements, without broadcasting, as numpy.array_equal.

    >>> array_equal([1, 2], [1, 2, 3]).eval()
    array(False)
    """
    result: Variable = ArrayEqual(equal_nan)(as_tensor(a), as_tensor(b))
    return result


# ---- choices -------------------------------------------------------------------------------------


@user_boundary
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Variable:
    """For each element the choice whose condition is the first that holds, else `default`, as numpy.select.

    GraphValueError: not as many choices as conditions, or none.

    >>> select([[True, False], [True, True]], [[1, 2], [3, 4]]).eval()
    array([1, 4])
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise GraphValueError(
            f"select: expected as many choices as conditions, got {len(choicelist)} and {len(condlist)}",
            origin=caller_origin(),
        )
    result: Any = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(_condition(condition, "select"), choice, result)
    chosen: Variable = result
    return chosen


def _condition(value: Any, what: str) -> Variable:
    variable = as_tensor(value)
    if variable.dtype not in BOOL:
        raise GraphTypeError(
            f"{what}: expected a condition of dtype bool, got {variable.type}",
            origin=caller_origin(),
            hint="compare, for example x > 0",
        )
    return variable


@user_boundary
def piecewise(x: Any, condlist: Sequence[Any], funclist: Sequence[Callable[[Variable], Any] | Any]) -> Variable:
    """For each element of `x` what the function (or number) of the last condition that holds says, as numpy.piecewise.

    With one function more than conditions, it says the rest; else the rest is 0. Every function is computed for
    all of `x`, where NumPy's sees only its own elements. The dtype is that of `x`.

    >>> piecewise([-2.0, 3.0], [as_tensor([-2.0, 3.0]) < 0], [lambda x: -x, 10.0]).eval()
    array([ 2., 10.])
    """
    variable = as_tensor(x)
    conditions = [_condition(c, "piecewise") for c in condlist]
    pieces = [f(variable) if callable(f) else f for f in funclist]
    if len(pieces) not in (len(conditions), len(conditions) + 1):
        raise GraphValueError(
            f"piecewise: {len(conditions)} conditions need that many functions or one more, got {len(pieces)}",
            origin=caller_origin(),
        )
    rest = pieces.pop() if len(pieces) > len(conditions) else 0
    result: Any = variable * 0 if not conditions else rest
    for condition, piece in zip(conditions, pieces, strict=True):
        result = where(condition, piece, result)
    return cast(result, variable.dtype)


@user_boundary
def choose(a: Any, choices: Sequence[Any], mode: str = "raise") -> Variable:
    """For each element of `a`, a number k, that of `choices[k]`; all broadcast together, as numpy.choose.

    What lies outside is an IndexError at run time (`mode` "raise"; a negative number counts from the end then),
    or is taken as the nearest ("clip") or counted round ("wrap"). The gradient goes to the choices.

    >>> choose([0, 1, 0], [[1, 2, 3], [10, 20, 30]]).eval()
    array([ 1, 20,  3])
    """
    number, count = as_tensor(a), len(choices)
    if number.dtype not in BOOL + INTEGER or not count:
        raise GraphTypeError(
            f"choose: expected integers and at least one choice, got {number.type} and {count} choices",
            origin=caller_origin(),
        )
    number = cast(number, "int64")
    if mode == "raise":
        number = index(arange(count), number)
    elif mode == "clip":
        number = minimum(maximum(number, 0), count - 1)
    elif mode == "wrap":
        number = remainder(number, count)
    else:
        raise GraphValueError(f"choose: mode must be 'raise', 'clip' or 'wrap', got {mode!r}", origin=caller_origin())
    result: Any = where(equal(number, 0), choices[0], choices[0])
    for k in range(1, count):
        result = where(equal(number, k), choices[k], result)
    chosen: Variable = result
    return chosen


@user_boundary
def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Variable:
    """`x` with NaN as `nan`, and the infinities as the largest and least floats or those given, as numpy.nan_to_num.

    >>> nan_to_num([1.0, float("nan")]).eval()
    array([1., 0.])
    """
    variable = as_tensor(x)
    if variable.dtype in BOOL + INTEGER:
        return variable
    if variable.dtype.startswith("complex"):
        raise GraphTypeError(f"nan_to_num: expected real numbers, got {variable.type}", origin=caller_origin())
    info = np.finfo(variable.dtype)
    high, low = float(info.max) if posinf is None else posinf, float(info.min) if neginf is None else neginf
    result = where(equal(variable, np.inf), high, where(equal(variable, -np.inf), low, variable))
    return where(isnan(variable), nan, result)  # type: ignore[no-any-return]
