"""Along an axis, step by step: running sums and products, differences, and how often a number occurs."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.dtypes import ALL, BOOL, COMPLEX, INTEGER
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, equal, logical_and, multiply, not_equal, subtract, true_divide, where
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Expand, Host, Lowering, Runtime
from graphlab.ops.rearrange import along, flip, part
from graphlab.ops.recurrence import LinearRecurrence, after, before
from graphlab.ops.reduce import accumulated, sum
from graphlab.ops.shape import ones_like

# ---- running sums and products -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cumulative(Op):
    """What running sums and products share: the shape of the input, small integers added up in 64 bits."""

    axis: int
    product = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        return (x.with_dtype(accumulated(x.dtype)),)

    def backwards(self, g: Variable) -> Variable:
        """For each element the sum of `g` from there to the end."""
        return flip(CumSum(self.axis)(flip(g, self.axis)), self.axis)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(replace(self, axis=self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        (x,), (y,) = node.inputs, node.outputs
        if x.dtype == "float16":
            return Host("float16 is not added up in C")
        if x.dtype != y.dtype:
            return Expand(lambda v: [self(cast(v, y.dtype))])
        return Runtime("accumulate", (ALL.index(y.dtype), int(self.product), self.axis))


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
    """The products of the first 1, 2, ... elements along `axis`; its derivatives are right at zeros too."""

    name = "cumprod"
    product = True

    def numpy(self, *values: Array) -> Any:
        return np.cumprod(values[0], axis=self.axis)

    def exclusive(self, x: Variable) -> Variable:
        """The products of the elements before each."""
        return before(self(x), self.axis, ones_like(part(x, self.axis, slice(0, 1))))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        return [ProductSlope(self.axis)(x, cast(g, x.dtype))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # y[i] = x[i] y[i-1], so y'[i] = x[i] y'[i-1] + x'[i] y[i-1].
        (t,), (x,) = tangents, node.inputs
        return [None if t is None else LinearRecurrence(self.axis)(x, multiply(t, self.exclusive(x)))]


@dataclass(frozen=True, slots=True)
class ProductSlope(Op):
    """The cost's derivative by x, given that by cumprod(x), g: the sum over j >= i of g[j] prod(x[k], k <= j, k != i).

    Divided by x[i] these are running sums of g cumprod(x). The first zero is left out of the product instead,
    and what follows it has no other derivative.
    """

    axis: int
    name = "product_slope"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, _ = inputs
        return (x,)

    def numpy(self, *values: Array) -> Any:
        x, g = values
        zero = x == 0
        first = zero & (np.cumsum(zero, self.axis) == 1)
        others = np.cumprod(np.where(first, x.dtype.type(1), x), self.axis)
        with_all, without = (
            np.flip(np.cumsum(np.flip(g * y, self.axis), self.axis), self.axis)
            for y in (np.cumprod(x, self.axis), others)
        )
        divided = with_all / np.where(zero, x.dtype.type(1), x)
        return np.where(first, without, np.where(zero, x.dtype.type(0), divided))

    def _divided(self, x: Variable, g: Variable) -> Variable:
        """What `numpy` computes, as a graph."""
        running, product, zero = CumSum(self.axis), CumProd(self.axis), equal(x, 0)
        first = logical_and(zero, equal(running(zero), 1))
        without = running.backwards(multiply(g, product(where(first, 1, x))))
        divided = true_divide(running.backwards(multiply(g, product(x))), where(zero, 1, x))
        result: Variable = where(first, without, where(zero, 0, divided))
        return result

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # It is e[i] s[i], with the product e[i] of the elements before i, and s[i] = g[i] + x[i+1] s[i+1].
        (h,), (x, g) = cotangents, node.inputs
        assert h is not None
        recurrence = LinearRecurrence(self.axis)
        e, s = CumProd(self.axis).exclusive(x), recurrence.backwards(after(x, self.axis), g)
        # Of s: by g[i] it is r[i] = h[i] e[i] + x[i] r[i-1], by x[i] it is r[i-1] s[i].
        r = recurrence(x, multiply(h, e))
        by_s = multiply(before(r, self.axis), s)
        by_e = self(x, after(multiply(h, s), self.axis))
        return [add(by_s, by_e), r]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(replace(self, axis=self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        return Expand(lambda x, g: [self._divided(x, g)])


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
