"""Arrays in another dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphlab.dtypes import ALL, BOOL, COMPLEX, canonical
from graphlab.errors import GraphTypeError, user_boundary
from graphlab.graph.node import Apply, Variable, as_data_variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.lowering import Lowering, Pointwise


@dataclass(frozen=True, slots=True)
class Cast(Op):
    """The same values in another dtype, as NumPy's astype gives them."""

    dtype: str
    name = "cast"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.dtype in COMPLEX and self.dtype not in (*COMPLEX, *BOOL):
            raise GraphTypeError(f"cast: {x.dtype} to {self.dtype} would lose the imaginary part")
        return (x.with_dtype(self.dtype),)

    def numpy(self, *values: Array) -> Any:
        return values[0].astype(self.dtype)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return list(cotangents)  # the caller casts it to the input's dtype

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if t is None else cast(t, self.dtype) for t in tangents]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((0,))

    def lowering(self, node: Apply) -> Lowering:
        return Pointwise("{0}", (self.dtype,), self.dtype)


@user_boundary
def cast(x: Any, dtype: Any) -> Variable:
    """`x` with element type `dtype`; itself when it has it already.

    >>> from graphlab.graph.node import Constant
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
