"""Chains of casts in their canonical form."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.graph.node import Apply, Variable
from graphlab.ops.conversion import Cast, cast
from graphlab.ops.elementwise import absolute, equal, logical_not, not_equal, square, where
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, Rule, example


def keeps_values(source: str, target: str) -> bool:
    """Whether every value of dtype `source` is one of dtype `target`."""
    lossy = source in ("int64", "uint64") and target in (*FLOAT, *COMPLEX)  # which NumPy calls safe
    return not lossy and np.can_cast(source, target, "safe")


def wraps_alike(inner: str, target: str) -> bool:
    """Whether integers cut down to `target` are the same if they were cut down or stretched to `inner` before."""
    return {inner, target} <= set(INTEGER) and np.dtype(target).itemsize <= np.dtype(inner).itemsize


def shorter_cast(node: Apply) -> Variable | None:
    """cast(cast(x, a), b) is cast(x, b) where a holds every value of x, or all that b keeps of it."""
    (inner,) = node.inputs
    if inner.owner is None or not isinstance(inner.owner.op, Cast):
        return None
    (x,) = inner.owner.inputs
    # Floats out of range become integers as the machine likes, so only integers may go on to integers.
    to_integer = node.outputs[0].dtype in INTEGER and inner.dtype not in (*INTEGER, *BOOL)
    lossless = keeps_values(x.dtype, inner.dtype) and not to_integer
    wraps = x.dtype in INTEGER and wraps_alike(inner.dtype, node.outputs[0].dtype)
    return cast(x, node.outputs[0].dtype) if lossless or wraps else None


def same_dtype(node: Apply) -> Variable | None:
    """A cast to the dtype that the operand has."""
    (x,) = node.inputs
    return x if x.dtype == node.outputs[0].dtype else None


CASTS: tuple[AnyRule, ...] = (
    NodeRule("cast(x, x.dtype) -> x", EXACT, same_dtype, (Cast,),
             examples=(example(lambda x: Cast("float32")(x), x="float32[3]"),)),
    NodeRule("cast(cast(x, a), b) -> cast(x, b)", EXACT, shorter_cast, (Cast,),
             because="where a holds all that x can, or b keeps no more of it than a",
             examples=(example(lambda x: cast(cast(x, "int32"), "float64"), x="int8[2,3]"),
                       example(lambda x: cast(cast(x, "int16"), "uint8"), x="int64[9]"),
                       example(lambda x: cast(cast(x, "float64"), "float32"), x="float32[3]"))),
    Rule("cast(c) == 1 -> c", EXACT, find=lambda c, to: equal(to(c), 1), make=lambda c: c, on={"c": BOOL},
         ops={"to": Cast}, because="where c is bool"),
    Rule("cast(c) == 0 -> not c", EXACT, find=lambda c, to: equal(to(c), 0), make=lambda c: logical_not(c),
         on={"c": BOOL}, ops={"to": Cast}, because="where c is bool"),
    Rule("cast(c) != 0 -> c", EXACT, find=lambda c, to: not_equal(to(c), 0), make=lambda c: c, on={"c": BOOL},
         ops={"to": Cast}, because="where c is bool"),
    Rule("cast(c) != 1 -> not c", EXACT, find=lambda c, to: not_equal(to(c), 1), make=lambda c: logical_not(c),
         on={"c": BOOL}, ops={"to": Cast}, because="where c is bool"),
    Rule("where(cast(c), x, y) -> where(c, x, y)", EXACT, find=lambda c, x, y, to: where(to(c), x, y),
         make=lambda c, x, y: where(c, x, y), on={"c": BOOL, "x": FLOAT, "y": FLOAT}, ops={"to": Cast}),
    Rule("square(cast(c)) -> cast(c)", EXACT, find=lambda c, to: square(to(c)), make=lambda c, to: to(c),
         on={"c": BOOL}, ops={"to": Cast}, because="where c is bool"),
    Rule("|cast(c)| -> cast(c)", EXACT, find=lambda c, to: absolute(to(c)), make=lambda c, to: to(c),
         on={"c": BOOL}, ops={"to": Cast}, because="where c is bool"),
)  # fmt: skip
