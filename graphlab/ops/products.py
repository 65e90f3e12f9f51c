"""Products over axes, whose derivatives of every order are right where elements are 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import COMPLEX
from graphlab.errors import user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.cumulative import CumProd, ProductSlope
from graphlab.ops.elementwise import add, equal, multiply, true_divide, where
from graphlab.ops.extents import reshape, shape_of
from graphlab.ops.lowering import Expand, Lowering
from graphlab.ops.rearrange import flip
from graphlab.ops.recurrence import after
from graphlab.ops.reduce import Reduce, Sum, accumulated, as_dtype, reduced
from graphlab.ops.shape import transpose


@dataclass(frozen=True, slots=True)
class Prod(Reduce):
    """The product along `axes`; 1 where there is nothing to multiply.

    The derivative by an element is the product of the others: [2, 0, 3] has the gradient [0, 6, 0].
    """

    name = "prod"

    def dtype(self, dtype: str) -> str:
        return accumulated(dtype)

    def numpy(self, *values: Array) -> Any:
        return np.prod(values[0], axis=self.axes, keepdims=self.keepdims)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        return [multiply(self.back(g, x), ProductOfOthers(self.over(x.ndim))(x))]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (t,), (x,) = tangents, node.inputs
        if t is None:
            return [None]
        return [Sum(self.axes, self.keepdims)(multiply(t, ProductOfOthers(self.over(x.ndim))(x)))]

    def lowering(self, node: Apply) -> Lowering:
        (x,) = node.inputs
        return self.folded(x, 1, f"gl_multiply_{x.dtype}({{a}}, {{x}})" if x.dtype in COMPLEX else "{a} * {x}")


@dataclass(frozen=True, slots=True)
class ProductOfOthers(Op):
    """For each element the product of the others along `axes`: their product, divided by it where it is not 0."""

    axes: tuple[int, ...]
    name = "product_of_others"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return inputs

    def numpy(self, *values: Array) -> Any:
        (x,) = values
        zero = x == 0
        zeros = np.sum(zero, axis=self.axes, keepdims=True)
        without = np.where(zero, x.dtype.type(1), x)
        product = np.prod(without, axis=self.axes, keepdims=True)
        nothing = x.dtype.type(0)
        return np.where(zero, np.where(zeros == 1, product, nothing), np.where(zeros == 0, product / without, nothing))

    def _divided(self, x: Variable) -> Variable:
        """What `numpy` computes, as a graph."""
        zero = equal(x, 0)
        zeros = Sum(self.axes, True)(zero)
        without = where(zero, 1, x)
        product = Prod(self.axes, True)(without)
        result: Variable = where(
            zero, where(equal(zeros, 1), product, 0), where(equal(zeros, 0), true_divide(product, without), 0)
        )
        return result

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        # In a row it is e[i] f[i], the product of the elements before i and that of those behind.
        (g,), (x,) = cotangents, node.inputs
        assert g is not None
        order = (*(a for a in range(x.ndim) if a not in self.axes), *self.axes)
        kept = x.ndim - len(self.axes)
        inside = transpose(x, order)
        rows = reshape(inside, [*(shape_of(inside)[a] for a in range(kept)), -1])
        weights = reshape(transpose(g, order), shape_of(rows))
        product, slope = CumProd(kept), ProductSlope(kept)
        turned = flip(rows, kept)
        e, f = product.exclusive(rows), flip(product.exclusive(turned), kept)
        by_e = slope(rows, after(multiply(weights, f), kept))
        by_f = flip(slope(turned, after(flip(multiply(weights, e), kept), kept)), kept)
        back = tuple(int(a) for a in np.argsort(order))
        return [transpose(reshape(add(by_e, by_f), shape_of(inside)), back)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(ProductOfOthers(tuple(a + 1 for a in self.axes)))

    def lowering(self, node: Apply) -> Lowering:
        return Expand(lambda x: [self._divided(x)])


@user_boundary
def prod(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Variable:
    """The product over `axis`, as numpy.prod; its gradient is right at zeros too."""
    total = reduced(Prod, as_dtype(x, dtype), axis, keepdims)
    return total if dtype is None else cast(total, dtype)
