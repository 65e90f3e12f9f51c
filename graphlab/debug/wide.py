"""The same computation in a wider format: beside each value of a run what it would be with more digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlab.control.loop import Scan
from graphlab.debug.inside import Array, Held, Scope
from graphlab.dtypes import is_float
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import toposort
from graphlab.ops.conversion import Cast
from graphlab.ops.ufunc import Elementwise

Seen = Callable[[Apply, Scope, Mapping[Variable, Array]], None]


def wider(variables: Iterable[Variable]) -> type[np.floating] | None:
    """A format with more digits than the float types of `variables` have; None: there is none on this machine."""
    floats = {v.dtype for v in variables if is_float(v.dtype)}
    if not floats & {"float64", "complex128"}:
        return np.float64
    return np.longdouble if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps else None


def widened(value: Array, real: type[np.floating]) -> Array:
    """`value` in the wider format; what is no float stays."""
    if value.dtype.kind == "c":
        return value.astype(np.result_type(real, np.complex64))
    return value.astype(real) if value.dtype.kind == "f" else value


@dataclass
class Wide:
    """Goes through a run beside it, node by node, and computes each in the format `real`.

    What is decided on the way - truth values, integers, turns, branches, draws - is taken from the run, so that both
    go the same way. `seen` is called for each node, with the wide values known by then, its own among them.
    """

    real: type[np.floating]
    seen: Seen
    otherwise: set[Apply] = field(default_factory=set)  # what would have been decided in another way

    def walk(self, nodes: Iterable[Apply], scope: Scope, wide: dict[Variable, Array]) -> None:
        """Compute `nodes` of `scope`; `wide` has the values of what they read as far as that was computed."""
        for node in nodes:
            if node.outputs[0] in wide:
                continue
            inputs = [self._input(v, scope, wide) for v in node.inputs]
            actual = [scope.read(v) for v in node.outputs]
            results = self._held(node, scope, inputs) if node.op.graphs else self._computed(node, inputs, actual)
            wide.update(zip(node.outputs, results or [widened(a, self.real) for a in actual], strict=True))
            self.seen(node, scope, wide)

    def _input(self, v: Variable, scope: Scope, wide: dict[Variable, Array]) -> Array:
        if v not in wide:
            wide[v] = widened(scope.read(v), self.real)
        return wide[v]

    def _computed(self, node: Apply, inputs: Sequence[Array], actual: Sequence[Array]) -> list[Array] | None:
        if node.op.advances or node.op.effects:
            return None
        try:
            with np.errstate(all="ignore"):
                results = self._evaluated(node, inputs)
        except (TypeError, ValueError):  # there is no such function in that format
            try:
                with np.errstate(all="ignore"):
                    results = node.op.evaluate(*(a.astype(v.dtype) for a, v in zip(inputs, node.inputs, strict=True)))
            except (TypeError, ValueError):
                return None
        made = []
        for mine, want in zip(results, actual, strict=True):
            decided = want.dtype.kind not in "fc"
            if decided and not np.array_equal(mine, want):
                self.otherwise.add(node)
            made.append(want if decided else widened(np.asarray(mine), self.real))
        return made

    def _evaluated(self, node: Apply, inputs: Sequence[Array]) -> Sequence[Array]:
        if isinstance(node.op, Cast):
            return [inputs[0] if is_float(node.output.dtype) and is_float(node.inputs[0].dtype)
                    else inputs[0].astype(node.output.dtype)]  # fmt: skip
        if not isinstance(node.op, Elementwise):
            return node.op.evaluate(*inputs)
        dtypes, _ = node.op.loop(*(v.dtype for v in node.inputs))
        cast = [widened(a.astype(d), self.real) if a.dtype.kind not in "fc" else a
                for a, d in zip(inputs, dtypes, strict=True)]  # fmt: skip
        return [np.asarray(node.op.function(*cast))]

    # -- operations that hold graphs --

    def _held(self, node: Apply, scope: Scope, inputs: Sequence[Array]) -> list[Array] | None:
        held = Held(node, scope)
        op, graph = node.op, held.graph
        nodes = toposort(graph.outputs, graph.inputs)

        def turn(k: int, given: Sequence[Array]) -> list[Array]:
            inner, wide = held.inner(k), dict(zip(graph.inputs, given, strict=True))
            self.walk(nodes, inner, wide)
            return [self._input(v, inner, wide) for v in graph.outputs]

        if not isinstance(op, Scan):
            return turn(0, [inputs[i] for i in held.positions])
        made = len(held.given)
        return list(op.made_by(turn, made, inputs)) if made else None
