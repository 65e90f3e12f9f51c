"""Ranges of numbers: start, start + step, ... before stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.dtypes import ALL, BOOL, FLOAT, INTEGER, is_float, promote
from graphlab.errors import GraphTypeError, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.conversion import cast
from graphlab.ops.lowering import Expand, Host, Lowering, Runtime


@dataclass(frozen=True, slots=True)
class ARange(Op):
    """start, start + step, ... before stop: three scalars to a vector of `dtype`."""

    dtype: str
    name = "arange"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if any(t.ndim for t in inputs):
            raise GraphTypeError(f"{self.name}: expected scalars, got {', '.join(map(str, inputs))}")
        return (TensorType(self.dtype, (None,)),)

    def numpy(self, *values: Array) -> Any:
        start, stop, step = (v.item() for v in values)
        return np.arange(start, stop, step, dtype=self.dtype)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        if any(is_float(v.dtype) for v in node.inputs):
            hint = "write start + step * arange(n)"
            raise GraphTypeError(f"{self.name} of floats has no gradient", hint=hint)
        return [None] * len(node.inputs)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def lowering(self, node: Apply) -> Lowering:
        given = {v.dtype for v in node.inputs}
        counted = "float64" if given & set(FLOAT) else "int64"
        if "uint64" in given or not given <= set(BOOL + INTEGER + FLOAT):
            return Host(f"NumPy counts in {', '.join(sorted(given))}")
        if self.dtype in ("int64", "float32", "float64")[counted == "float64" :]:
            if given == {counted}:
                return Runtime(self.name, (ALL.index(self.dtype), int(counted == "float64")))
            return Expand(lambda *v: [self(*(cast(s, counted) for s in v))])
        if counted == "int64" and self._fits(*node.inputs):
            return Expand(lambda *v: [cast(replace(self, dtype="int64")(*v), self.dtype)])
        return Host(f"NumPy makes {self.dtype}, or says that a number does not fit")

    def _fits(self, start: Variable, _: Variable, step: Variable) -> bool:
        """Whether the first two numbers are known to fit; NumPy raises where they don't."""
        if self.dtype not in INTEGER or not isinstance(start, Constant) or not isinstance(step, Constant):
            return False
        first, apart, limits = int(start.data), int(step.data), np.iinfo(self.dtype)
        return all(limits.min <= n <= limits.max for n in (first, first + apart))

    def text(self, start: str, stop: str, step: str) -> str:
        shown = [start, stop, step] if step != "1" else [start, stop] if start != "0" else [stop]
        return f"{self.name}({', '.join(shown)})"


@user_boundary
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Variable:
    """start, start + step, ... before stop (only one given: 0, 1, ... before it), as numpy.arange.

    int64 for integers, float64 if any of them is a float; a constant if all are numbers.

    >>> arange(2, 8, 3).data
    array([2, 5])
    """
    first, last = (0, start) if stop is None else (start, stop)
    scalars = [as_data_variable(v) for v in (first, last, step)]
    chosen = promote("int64", *(v.dtype for v in scalars)) if dtype is None else dtype
    op = ARange(np.dtype(chosen).name)
    op.infer(*(v.type for v in scalars))
    if all(isinstance(v, Constant) for v in scalars):
        return Constant(op.numpy(*(v.data for v in scalars if isinstance(v, Constant))))
    made: Variable = op(*scalars)
    return made
