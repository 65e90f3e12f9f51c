"""Making a failure small: one output, as few nodes as still fail, what feeds them as inputs with their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.text import constant_text, op_text
from graphlab.graph.walk import leaves, rebuild, toposort
from graphlab.interpret import interpret

from .draw import Array
from .judge import Difference, compare, compiled
from .sample import Sample

MOST_TRIALS = 150  # graphs that are compiled on the way


@dataclass
class Shrinker:
    """Finds smaller samples that still fail on the values called `kind`."""

    kind: str
    trials: int = 0

    def failure(self, s: Sample) -> Difference | None:
        """The first difference of `s`; None also if it can't be compiled at all, or trials have run out."""
        if self.trials >= MOST_TRIALS:
            return None
        self.trials += 1
        try:
            found = compare(s, compiled(s), self.kind, s.values[self.kind], Counter())
        except Exception:
            return None
        return found[0] if found else None

    def shrink(self, s: Sample, output: int) -> Sample:
        """`s` made small, beginning with its output number `output`."""
        s = replace(s, values={self.kind: s.values[self.kind]})
        for smaller in (_outputs(s, [s.graph.outputs[output]]), s):
            if self.failure(smaller):
                s = smaller
                break
        s = self._least(s, _prefixes)
        while True:
            smaller = self._least(s, _cuts)
            if smaller is s:
                return self._least(s, _elements)
            s = smaller

    def _least(self, s: Sample, candidates: Callable[[Sample], Iterator[Sample]]) -> Sample:
        """The first of the candidates that still fails, else `s`."""
        return next((smaller for smaller in candidates(s) if self.failure(smaller)), s)

    def culprits(self, s: Sample) -> list[str]:
        """The rules without any one of which the failure is gone."""
        if self.failure(s) is None:
            return []
        fired = dict.fromkeys(r.rule for r in compiled(s).trace.rewrites)
        return [name for name in fired if self._gone_without(s, name)]

    def _gone_without(self, s: Sample, name: str) -> bool:
        try:
            return self.trials < MOST_TRIALS and self.failure(replace(s, mode=s.mode.excluding(name))) is None
        except Exception:  # it is no rule of the tables but a pass
            return False


def _outputs(s: Sample, outputs: Sequence[Variable]) -> Sample:
    """`s` with `outputs` only, and the inputs that they need."""
    needed = set(leaves(outputs, s.graph.inputs))
    kept = [(v, a) for v, a in zip(s.graph.inputs, *s.values.values(), strict=True) if v in needed]
    ((kind, _),) = s.values.items()
    return replace(s, graph=Graph(tuple(v for v, _ in kept), tuple(outputs)), values={kind: [a for _, a in kept]})


def _prefixes(s: Sample) -> Iterator[Sample]:
    """What is computed on the way, each as the one output, the first ones first."""
    for node in toposort(s.graph.outputs, s.graph.inputs):
        for v in node.outputs:
            yield _outputs(s, [v])


def _cuts(s: Sample) -> Iterator[Sample]:
    """`s` with a fresh input, of known shape or not, in place of a node on the way; those nearest the output first."""
    ((kind, values),) = s.values.items()
    nodes = toposort(s.graph.outputs, s.graph.inputs)
    middle = [v for node in reversed(nodes) for v in node.outputs if v not in s.graph.outputs]
    for v in middle:
        try:
            (value,) = interpret(Graph(s.graph.inputs, (v,)), values)
        except Exception:
            continue
        fresh = Variable(v.type, f"y{len(nodes)}")
        outputs = rebuild(s.graph.outputs, {v: fresh})
        inputs = (*s.graph.inputs, fresh)
        yield _outputs(replace(s, graph=Graph(inputs, tuple(outputs)), values={kind: [*values, value]}), outputs)


def _elements(s: Sample) -> Iterator[Sample]:
    """`s` on inputs of unknown extents, with one element of each."""
    ((kind, values),) = s.values.items()
    loose = [Variable(v.type.with_shape((None,) * v.ndim), v.name) for v in s.graph.inputs]
    try:
        outputs = rebuild(s.graph.outputs, dict(zip(s.graph.inputs, loose, strict=True)))
    except Exception:  # it needs the extents
        return
    graph = Graph(tuple(loose), tuple(outputs))
    for k in range(max((a.size for a in values), default=0)):
        one = [a.reshape(-1)[k % a.size : k % a.size + 1].reshape((1,) * a.ndim) if a.size else a for a in values]
        yield replace(s, graph=graph, values={kind: one})


# ---- telling -------------------------------------------------------------------------------------


def written(s: Sample) -> str:
    """The graph of `s` as a list of steps, with the values of its inputs."""
    ((_, values),) = s.values.items()
    names: dict[Variable, str] = {v: v.name or f"x{k}" for k, v in enumerate(s.graph.inputs)}
    lines = [f"{names[v]}: {v.type} = {_literal(a)}" for v, a in zip(s.graph.inputs, values, strict=True)]
    for k, node in enumerate(toposort(s.graph.outputs, s.graph.inputs)):
        for j, v in enumerate(node.outputs):
            names[v] = f"v{k}" if len(node.outputs) == 1 else f"v{k}_{j}"
        operands = ", ".join(_operand(v, names) for v in node.inputs)
        lines.append(f"{', '.join(names[v] for v in node.outputs)} = {op_text(node.op)}({operands})")
    return "\n".join([*lines, f"outputs {', '.join(_operand(v, names) for v in s.graph.outputs)}"])


def _operand(v: Variable, names: dict[Variable, str]) -> str:
    if isinstance(v, Constant):
        return f"{constant_text(v)}:{v.dtype}" if v.data.size <= 1 else _literal(v.data)
    return names.get(v, v.name or "?")


def _literal(a: Array) -> str:
    with np.printoptions(threshold=200, floatmode="unique"):
        return f"{np.array2string(a, separator=', ')} ({a.dtype}{list(a.shape)})".replace("\n", " ")
