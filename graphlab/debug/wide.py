"""The same computation in a wider format: beside each value of a run what it would be with more digits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlab.control.loop import Scan
from graphlab.debug.inside import Array, Held, Scope
from graphlab.dtypes import is_float
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import toposort
from graphlab.ops.conversion import Cast
from graphlab.ops.linalg import MatMul
from graphlab.ops.ufunc import Elementwise


@dataclass(eq=False)
class Beside:
    """A computation beside that of `scope`: the wide values that are still needed, and how far the run is off."""

    scope: Scope
    values: dict[Variable, Array] = field(default_factory=dict)
    _errors: dict[Variable, Array] = field(default_factory=dict)

    def error(self, v: Variable) -> Array:
        """The relative error of each element of `v` in the run."""
        if v not in self._errors:
            self._errors[v] = relative(self.scope.read(v), self.values[v])
        return self._errors[v]

    def forget(self, v: Variable) -> None:
        """Nobody needs `v` any more."""
        self.values.pop(v, None)
        self._errors.pop(v, None)


Seen = Callable[[Apply, Beside], None]


def relative(value: Array, true: Array) -> Array:
    """The relative error of each element; infinite where only one is finite. Subnormal numbers count as 0."""
    with np.errstate(all="ignore"):
        size = np.clip(np.abs(true), np.finfo(value.dtype).tiny, np.finfo("float64").max)
        off: Array = np.abs(value - true).astype("float64") / size.astype("float64")  # the difference needs digits
        if np.isfinite(off).all():
            return off
        same = (value == true) | (np.isnan(value) & np.isnan(true))
        return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


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
    go the same way. `seen` is called for each node, with the wide values of its operands and its own.
    """

    real: type[np.floating]
    seen: Seen
    otherwise: set[Apply] = field(default_factory=set)  # what would have been decided in another way

    def walk(self, nodes: Iterable[Apply], beside: Beside, kept: Collection[Variable] = ()) -> None:
        """Compute `nodes`, operands first; of what they make only `kept` is there afterwards."""
        order, scope = list(dict.fromkeys(nodes)), beside.scope
        last = {v: k for k, node in enumerate(order) for v in node.inputs}
        for k, node in enumerate(order):
            inputs = [self._input(v, beside) for v in node.inputs]
            actual = [scope.read(v) for v in node.outputs]
            results = self._held(node, scope, inputs) if node.op.graphs else self._computed(node, inputs, actual)
            beside.values.update(zip(node.outputs, results or [widened(a, self.real) for a in actual], strict=True))
            self.seen(node, beside)
            for v in (*node.inputs, *node.outputs):
                if last.get(v, -1) <= k and v not in kept:
                    beside.forget(v)

    def _input(self, v: Variable, beside: Beside) -> Array:
        if v not in beside.values:
            beside.values[v] = widened(beside.scope.read(v), self.real)
        return beside.values[v]

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
        if isinstance(node.op, MatMul) and max(a.ndim for a in inputs) <= 2:
            return [np.asarray(np.dot(*inputs))]  # which is faster where there is no BLAS
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
            inner = Beside(held.inner(k), dict(zip(graph.inputs, given, strict=True)))
            self.walk(nodes, inner, graph.outputs)
            return [self._input(v, inner) for v in graph.outputs]

        if not isinstance(op, Scan):
            return turn(0, [inputs[i] for i in held.positions])
        made = len(held.given)
        return list(op.made_by(turn, made, inputs)) if made else None
