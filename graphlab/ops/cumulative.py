"""Along an axis, step by step: running sums and products, differences, and how often a number occurs."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, INTEGER, SIGNED, UNSIGNED
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Host, Lowering, Op
from graphlab.ops.elementwise import cast, equal, logical_and, multiply, not_equal, subtract, true_divide, where
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.rearrange import along, flip, part
from graphlab.ops.reduce import sum

# ---- running sums and products -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cumulative(Op):
    """What running sums and products share: the shape of the input, small integers added up in 64 bits."""

    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        wide = "int64" if x.dtype in BOOL + SIGNED else "uint64" if x.dtype in UNSIGNED else x.dtype
        return (x.with_dtype(wide),)

    def backwards(self, g: Variable) -> Variable:
        """For each element the sum of `g` from there to the end."""
        return flip(CumSum(self.axis)(flip(g, self.axis)), self.axis)

    def lowering(self, node: Apply) -> Lowering:
        return Host("a running fold has no C form yet")


@dataclass(frozen=True, slots=True)
class CumSum(Cumulative):
    """The sums of the first 1, 2, ... elements along `axis`."""

    name = "cumsum"

    def numpy(self, *values: Array) -> Any:
        return np.cumsum(values[0], axis=self.axis)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        assert g is not None
        return [self.backwards(g)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0])]


@dataclass(frozen=True, slots=True)
class CumProd(Cumulative):
    """The products of the first 1, 2, ... elements along `axis`.

    With y = cumprod(x) the derivative of y[j] by x[i], i <= j, is y[j] / x[i]. The first zero is left
    out of the product instead of divided by, and what follows it has no other derivative. Derivatives
    of that derivative take the places of the zeros as fixed.
    """

    name = "cumprod"

    def numpy(self, *values: Array) -> Any:
        return np.cumprod(values[0], axis=self.axis)

    def _around_zeros(self, x: Variable) -> tuple[Variable, Variable, Variable, Variable, Variable]:
        """Which elements are 0, which is the first such; x without zeros; the product but for the first
        zero; and where no zero has come yet."""
        zero = equal(x, 0)
        met = CumSum(self.axis)(zero)
        first = logical_and(zero, equal(met, 1))
        return zero, first, where(zero, 1, x), self(where(first, 1, x)), equal(met, 0)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,), (y,) = cotangents, node.inputs, node.outputs
        assert g is not None
        zero, first, divisor, others, _ = self._around_zeros(x)
        elsewhere = where(zero, 0, true_divide(self.backwards(multiply(g, y)), divisor))
        return [where(first, self.backwards(multiply(g, others)), elsewhere)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,), (x,), (y,) = tangents, node.inputs, node.outputs
        if t is None:
            return [None]
        zero, first, divisor, others, before = self._around_zeros(x)
        running = CumSum(self.axis)
        plain = multiply(y, running(where(zero, 0, true_divide(t, divisor))))
        return [where(before, plain, multiply(others, running(where(first, t, 0))))]


def _running(kind: type[Cumulative], x: Any, axis: Any, dtype: Any) -> Variable:
    variable, a = along(x, axis, kind.name)
    totals: Variable = kind(a)(variable if dtype is None else cast(variable, dtype))
    return totals if dtype is None else cast(totals, dtype)


@user_boundary
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Variable:
    """The running sum along `axis` (None: of all elements in a row), as numpy.cumsum.

    >>> cumsum([1, 2, 3]).eval()
    array([1, 3, 6])
    """
    return _running(CumSum, x, axis, dtype)


@user_boundary
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Variable:
    """The running product along `axis` (None: of all elements in a row), as numpy.cumprod.

    Its gradient is right at zeros too.
    """
    return _running(CumProd, x, axis, dtype)


# ---- differences ---------------------------------------------------------------------------------


@user_boundary
def diff(x: Any, n: int = 1, axis: int = -1) -> Variable:
    """Each element less the one before it along `axis`, `n` times over, as numpy.diff; of bools whether they differ.

    >>> diff([1, 4, 9, 16], n=2).eval()
    array([2, 2])
    """
    if operator.index(n) < 0:
        raise GraphValueError(f"diff: n can't be negative, got {n}", origin=caller_origin())
    variable, a = along(x, axis, "diff")
    step = not_equal if variable.dtype in BOOL else subtract
    for _ in range(n):
        variable = step(part(variable, a, slice(1, None)), part(variable, a, slice(None, -1)))
    return variable


# ---- counts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BinCount(Op):
    """How often 0, 1, 2, ... occur in a vector of integers; with a second input, the sum of its elements there.

    The result ends with the largest number, but has `minlength` elements at least.
    """

    minlength: int
    name = "bincount"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, *weights = inputs
        if x.ndim != 1 or x.dtype not in BOOL + INTEGER:
            raise GraphTypeError(f"{self.name}: expected a vector of integers, got {x}")
        if any(w.ndim != 1 or w.dtype in COMPLEX for w in weights):
            raise GraphTypeError(f"{self.name}: expected a vector of real weights, got {weights[0]}")
        return (TensorType("float64" if weights else "int64", (None,)),)

    def numpy(self, *values: Array) -> Any:
        x, weights = values if len(values) == 2 else (values[0], None)
        return np.bincount(x.astype("int64"), weights, self.minlength)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x, *weights) = cotangents, node.inputs
        assert g is not None
        return [None, *(index(g, cast(x, "int64")) for _ in weights)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        _, *moving = tangents
        return [self(node.inputs[0], moving[0]) if moving and moving[0] is not None else None]

    def lowering(self, node: Apply) -> Lowering:
        return Host("its length is known only once its values are")


@user_boundary
def bincount(x: Any, weights: Any = None, minlength: int | None = None) -> Variable:
    """How often each of 0, 1, 2, ... occurs in `x`, or the sum of the `weights` there, as numpy.bincount.

    The length is known only when it runs: the largest number and one, or `minlength`. A negative number
    is a ValueError then.

    >>> bincount([0, 2, 2]).eval()
    array([1, 0, 2])
    """
    op = BinCount(operator.index(minlength or 0))
    if op.minlength < 0:
        raise GraphValueError(f"bincount: minlength can't be negative, got {minlength}", origin=caller_origin())
    counts: Variable = op(as_tensor(x)) if weights is None else op(as_tensor(x), as_tensor(weights))
    return counts


@user_boundary
def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """How many elements over `axis` (None: all, an integer or a tuple) are not zero, as numpy.count_nonzero.

    >>> count_nonzero([[0, 7], [2, 3]], axis=0).eval()
    array([1, 2])
    """
    return sum(not_equal(as_tensor(x), 0), axis, keepdims=keepdims)
