"""Constants: what is known before the run is computed before the run."""

from __future__ import annotations

import warnings

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.elementwise import multiply
from graphlab.rewrite.rule import EXACT, AnyRule, NodeRule, example

FOLD_LIMIT = 1 << 16  # elements: a larger result is not folded unless its operands are as large


def fold(node: Apply) -> tuple[Variable, ...] | None:
    """The outputs as constants if all inputs are; None where computing them fails or would take much room."""
    if not node.inputs or node.op.effects or not all(isinstance(v, Constant) for v in node.inputs):
        return None
    sizes = [_size(v) for v in node.outputs]
    given = sum(v.data.size for v in node.inputs if isinstance(v, Constant))
    if any(size is None or size > max(FOLD_LIMIT, given) for size in sizes):
        return None
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = node.op.evaluate(*(v.data for v in node.inputs if isinstance(v, Constant)))
    except Exception:  # whatever it is, the run will say it with the user's line
        return None
    fits = all(value.dtype.name == v.dtype for value, v in zip(values, node.outputs, strict=True))
    return tuple(map(Constant, values)) if fits else None


def _size(v: Variable) -> int | None:
    extents = v.type.shape
    return None if None in extents else int(np.prod([n for n in extents if n is not None], dtype=np.int64))


FOLD: tuple[AnyRule, ...] = (
    NodeRule("f(constants) -> constant", EXACT, fold, of=(Constant,),
             because="NumPy computes it, once, as it would in each run",
             examples=(example(lambda x: x + multiply(Constant([1.0, 2.0]), Constant(3.0)), x="float64[3,2]"),
                       example(lambda x: x[Constant([0, 1]) + 1], x="float64[4]"))),
)  # fmt: skip
