"""The contract that every operation keeps: infer, numpy, pullback, pushforward, batching, lowering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlab.errors import GraphlabError, caller_origin, user_boundary
from graphlab.graph.cost import elements, is_view
from graphlab.graph.node import Apply, Graph, Variable, as_data_variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.ops.batching import Batching, OneByOne
from graphlab.ops.lowering import Host, Lowering

Array = np.ndarray[Any, Any]
Cotangents = Sequence[Variable | None]


class Op:
    """An operation. Subclasses are frozen dataclasses: equal fields, equal op."""

    name: Any  # a str: a class attribute, or a field where instances differ by it
    # (input, output) positions: this input is a random stream's state, this output its state afterwards.
    advances: tuple[tuple[int, int], ...] = ()
    number: int = 0  # of those that advance a stream, in the order in which they were written

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The closed graphs that the op holds: the body of a loop, the branches of a choice, a symbolic function's."""
        return ()

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        """The same op over other graphs, which have inputs and outputs of the same types."""
        return self

    @property
    def effects(self) -> bool:
        """Whether computing it does more than give values, print say: then it is never folded, merged or dropped."""
        return any(node.op.effects for graph in self.graphs for node in toposort(graph.outputs, graph.inputs))

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

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents | None:
        """The outputs' derivatives in the direction `tangents` of the inputs.

        None: the op has no formula of its own, and the pullback, which is linear, is differentiated instead.
        """
        return None

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        """How the op takes a batch: those of `node`'s inputs that are `batched` get one more axis in front."""
        return OneByOne()

    def lowering(self, node: Apply) -> Lowering:
        """How it is computed in a compiled program."""
        return Host()

    def flops(self, node: Apply) -> int:
        """About how many arithmetic operations it takes, an unknown extent being 1000.

        Unless an op says more: one for each element of its largest operand or result, whatever the formula; of
        ops that hold graphs what these take; nothing for what only describes memory that is there.
        """
        if is_view(node):
            return 0
        inner = sum(n.op.flops(n) for graph in self.graphs for n in toposort(graph.outputs, graph.inputs))
        return inner or max((elements(v.type) for v in (*node.inputs, *node.outputs)), default=0)

    def branches(self, node: Apply) -> tuple[tuple[int, ...], ...]:
        """Groups of inputs (positions) of which a run needs only one group; most ops have none."""
        return ()

    def chosen(self, *decided: Array) -> int:
        """Which of `branches` a run needs, given the values of the inputs that are in none of them."""
        raise NotImplementedError(f"{type(self).__name__}.chosen")

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
            types = self.infer(*[v.type for v in inputs])
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
