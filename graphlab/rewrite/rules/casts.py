"""Chains of casts in their canonical form."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.graph.node import Apply, Variable
from graphlab.ops.conversion import Cast, cast
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, example


def keeps_values(source: str, target: str) -> bool:
    """Whether every value of dtype `source` is one of dtype `target`."""
    lossy = source in ("int64", "uint64") and target in (*FLOAT, *COMPLEX)  # which NumPy calls safe
    return not lossy and np.can_cast(source, target, "safe")


def shorter_cast(node: Apply) -> Variable | None:
    """cast(cast(x, a), b) is cast(x, b) where a holds every value of x and casting from it is the same."""
    (inner,) = node.inputs
    if inner.owner is None or not isinstance(inner.owner.op, Cast):
        return None
    (x,) = inner.owner.inputs
    # Floats out of range become integers as the machine likes, so only integers may go on to integers.
    to_integer = node.outputs[0].dtype in INTEGER and inner.dtype not in (*INTEGER, *BOOL)
    return cast(x, node.outputs[0].dtype) if keeps_values(x.dtype, inner.dtype) and not to_integer else None


def same_dtype(node: Apply) -> Variable | None:
    """A cast to the dtype that the operand has."""
    (x,) = node.inputs
    return x if x.dtype == node.outputs[0].dtype else None


CASTS: tuple[AnyRule, ...] = (
    NodeRule("cast(x, x.dtype) -> x", EXACT, same_dtype, (Cast,),
             examples=(example(lambda x: Cast("float32")(x), x="float32[3]"),)),
    NodeRule("cast(cast(x, a), b) -> cast(x, b)", EXACT, shorter_cast, (Cast,), because="where a holds all that x can",
             examples=(example(lambda x: cast(cast(x, "int32"), "float64"), x="int8[2,3]"),
                       example(lambda x: cast(cast(x, "float64"), "float32"), x="float32[3]"))),
)  # fmt: skip
