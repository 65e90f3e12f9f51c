"""The contract that every operation keeps: infer, numpy, pullback, pushforward, lowering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphlabError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Graph, Variable, as_data_variable
from graphlab.graph.types import TensorType

Array = np.ndarray[Any, Any]
Cotangents = Sequence[Variable | None]

# ---- what an op becomes --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pointwise:
    """One scalar formula for each element of the broadcast inputs; fuses with its neighbours.

    `template` is a C expression of {0}, {1}, ... (operands already cast to `input_dtypes`).
    """

    template: str
    input_dtypes: tuple[str, ...]
    output_dtype: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """Fold elements along `axes`.

    `accumulate` is a C expression of {a} (the accumulator) and {x} (the element, cast to `dtype`, the
    accumulator's dtype); `initial` its first value, None where the first element is (then an empty
    axis is an error); `finish` maps the result {a} given {n}, the number of elements.
    """

    axes: tuple[int, ...]
    keepdims: bool
    dtype: str
    initial: float | int | bool | None
    accumulate: str
    finish: str | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """A call of the C runtime's `function` over the slots (outputs, then inputs) with int64 `params`.

    `view`: the output only describes the memory of its first input.
    """

    function: str
    params: tuple[int, ...] = ()
    view: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """Replace the application by a graph of simpler ones: `build` maps its inputs to its outputs."""

    build: Callable[..., Sequence[Variable]]


@dataclass(frozen=True, slots=True)
class Host:
    """NumPy computes it: there is no C for it (yet); `reason` says why."""

    reason: str = "has no C form"


Lowering = Pointwise | Reduction | Runtime | Expand | Host

# ---- the contract --------------------------------------------------------------------------------


class Op:
    """An operation. Subclasses are frozen dataclasses: equal fields, equal op."""

    name: Any  # a str: a class attribute, or a field where instances differ by it

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The closed graphs that the op holds: the body of a loop, the branches of a choice, a symbolic function's."""
        return ()

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        """The same op over other graphs, which have inputs and outputs of the same types."""
        return self

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The types of the outputs; GraphlabError when the inputs do not fit."""
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def numpy(self, *values: Array) -> Any:
        """The outputs' values by NumPy: an array, or a tuple of them if there are several outputs."""
        raise NotImplementedError(f"{type(self).__name__}.numpy")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        """The cost's derivative by each input, given that by each output; None where there is none.

        A result may have the broadcast shape and a wider dtype: the caller sums and casts it back.
        """
        raise GraphlabError(f"{self.name} has no gradient", origin=caller_origin())

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        """The outputs' derivatives in the direction `tangents` of the inputs."""
        raise GraphlabError(f"{self.name} has no forward derivative", origin=caller_origin())

    def lowering(self, node: Apply) -> Lowering:
        """How it is computed in a compiled program."""
        return Host()

    def convert(self, *arguments: Any) -> tuple[Variable, ...]:
        """The arguments of a call as variables."""
        return tuple(as_data_variable(a) for a in arguments)

    @user_boundary
    def __call__(self, *arguments: Any) -> Any:
        """Apply to variables (or data): the output variable, or a tuple of them."""
        node = self.apply(*self.convert(*arguments))
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs

    def apply(self, *inputs: Variable) -> Apply:
        """The application node itself; errors of `infer` get the user's line and the variables."""
        try:
            types = self.infer(*(v.type for v in inputs))
        except GraphlabError as error:
            if error.origin is None:
                error.origin = caller_origin()
            named = [f"{v.name}: {v.type}" for v in inputs if v.name]
            if named and not error.hint:
                error.hint = "the operands are " + ", ".join(named)
            raise
        return Apply(self, inputs, types)

    def evaluate(self, *values: Array) -> tuple[Array, ...]:
        """`numpy`, always as a tuple of arrays."""
        result = self.numpy(*values)
        results = result if isinstance(result, tuple) else (result,)
        return tuple(np.asarray(r) for r in results)
