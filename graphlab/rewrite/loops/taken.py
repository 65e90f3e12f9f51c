"""A loop taken apart, so that a rewrite can say what changes and leave the counting of positions to one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphlab.control.loop import Scan
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import rebuild, toposort
from graphlab.ops.lowering import Recurrence
from graphlab.rewrite.loops.lengths import has_rows


@dataclass(frozen=True, slots=True)
class Fed:
    """An input of the body and what feeds it: a sequence, of which it is an element, or a constant."""

    outer: Variable
    inner: Variable


@dataclass(frozen=True, slots=True)
class Carried:
    """A recurrence: its past values in the body, the new one, and the outputs of the loop that it gives, if any."""

    lags: tuple[int, ...]
    start: Variable
    taps: tuple[Variable, ...]
    new: Variable
    trace: Variable | None
    final: Variable | None
    keep: int | None = None
    stream: bool = False

    @property
    def whole(self) -> Variable | None:
        """The output that has its values of all turns."""
        return self.trace if self.keep is None else None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A value of the body that is stacked, and the output that is the stack."""

    new: Variable
    stack: Variable
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """A Scan on its inputs, taken apart. `end` is the condition of an `until`, `made` the number of its turns.

    What stands for outputs (`trace`, `final`, `stack`, `made`) are variables of the graph as it is, or new ones
    that hold a place; `built` maps them to the outputs of the loop that it makes.
    """

    op: Scan
    turns: Variable
    sequences: tuple[Fed, ...]
    carried: tuple[Carried, ...]
    maps: tuple[Mapped, ...]
    constants: tuple[Fed, ...]
    end: Variable | None = None
    made: Variable | None = None

    @staticmethod
    def of(node: Apply) -> Loop:
        """The parts of `node`."""
        op = node.op
        assert isinstance(op, Scan)
        outer, inner, outputs, count = node.inputs, op.body.inputs, node.outputs, len(op.recurrences)
        carried = tuple(
            Carried(r.lags, start, inner[taps], op.body.outputs[k],
                    outputs[op.traces[k]] if r.traced else None, outputs[op.finals[k]] if r.final else None,
                    op.kept[op.traces[k]] if r.traced else None, k in op.streams)
            for k, (r, start, taps) in enumerate(zip(op.recurrences, outer[op.starts], op.taps, strict=True))
        )  # fmt: skip
        maps = tuple(
            Mapped(op.body.outputs[count + j], outputs[op.first_map + j], op.kept[len(op.traces) + j])
            for j in range(op.maps)
        )
        return Loop(
            op, outer[0],
            tuple(map(Fed, outer[1 : op.starts.start], inner[: op.sequences])), carried, maps,
            tuple(map(Fed, outer[op.starts.stop :], inner[op.body_constants])),
            op.body.outputs[-1] if op.until else None, outputs[-1] if op.until else None,
        )  # fmt: skip

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The outputs of the body."""
        ends = () if self.end is None else (self.end,)
        return (*(c.new for c in self.carried), *(m.new for m in self.maps), *ends)

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The inputs of the body."""
        elements, constants = (tuple(f.inner for f in fed) for fed in (self.sequences, self.constants))
        return (*elements, *(v for c in self.carried for v in c.taps), *constants)

    @property
    def nodes(self) -> list[Apply]:
        """The applications of the body, inputs first."""
        return toposort(self.outputs, self.inputs)

    def with_body(self, new: Mapping[Variable, Variable]) -> Loop:
        """The loop with the variables of its body exchanged as `new` says."""
        made = iter(rebuild(self.outputs, new))
        carried = tuple(replace(c, new=next(made)) for c in self.carried)
        maps = tuple(replace(m, new=next(made)) for m in self.maps)
        return replace(self, carried=carried, maps=maps, end=None if self.end is None else next(made))

    def copied(self) -> Loop:
        """The loop with a body on inputs of its own, which it shares with no other loop."""
        new = {v: Variable(v.type, v.name) for v in self.inputs}
        sequences, constants = (
            tuple(replace(f, inner=new[f.inner]) for f in fed) for fed in (self.sequences, self.constants)
        )
        made = self.with_body(new)
        carried = tuple(replace(c, taps=tuple(new[v] for v in c.taps)) for c in made.carried)
        return replace(made, sequences=sequences, constants=constants, carried=carried)

    def trimmed(self) -> Loop:
        """The loop without what none of its outputs needs.

        A sequence that is not read stays where its length may be wrong, for then the loop must fail.
        """
        carried = self._alive()
        slim = replace(self, carried=carried)
        read = {v for node in slim.nodes for v in node.inputs} | set(slim.outputs)
        sequences = tuple(f for f in self.sequences if f.inner in read or not has_rows(f.outer, self.turns))
        return replace(slim, sequences=sequences, constants=tuple(f for f in self.constants if f.inner in read))

    def _alive(self) -> tuple[Carried, ...]:
        """The recurrences that give an output, or that some output needs."""
        of_tap = {v: c for c in self.carried for v in c.taps}
        alive = [c for c in self.carried if c.trace is not None or c.final is not None]
        found = set(map(id, alive))
        pending = [c.new for c in alive] + [m.new for m in self.maps] + ([] if self.end is None else [self.end])
        seen = set[Variable]()
        while pending:
            v = pending.pop()
            if v in seen:
                continue
            seen.add(v)
            if v in of_tap and id(of_tap[v]) not in found:
                found.add(id(of_tap[v]))
                pending.append(of_tap[v].new)
            elif v not in of_tap and v.owner is not None:
                pending += v.owner.inputs
        return tuple(c for c in self.carried if id(c) in found)

    def built(self) -> dict[Variable, Variable]:
        """Make the loop: what each of the variables that stand for outputs becomes."""
        recurrences = tuple(Recurrence(c.lags, c.trace is not None, c.final is not None) for c in self.carried)
        traced = [c for c in self.carried if c.trace is not None]
        op = replace(
            self.op, body=Graph(self.inputs, self.outputs), sequences=len(self.sequences), recurrences=recurrences,
            maps=len(self.maps), keep=(*(c.keep for c in traced), *(m.keep for m in self.maps)),
            streams=tuple(k for k, c in enumerate(self.carried) if c.stream), until=self.end is not None,
        )  # fmt: skip
        outer = [f.outer for f in self.sequences], [c.start for c in self.carried], [f.outer for f in self.constants]
        made = op.apply(self.turns, *outer[0], *outer[1], *outer[2]).outputs
        places = [c.trace for c in traced] + [c.final for c in self.carried if c.final is not None]
        places += [m.stack for m in self.maps] + [self.made] * (self.made is not None)
        result: dict[Variable, Variable] = {}
        for place, v in zip(places, made, strict=True):
            assert place is not None
            v.name = place.name
            result[place] = v
        return result


def place_of(element: Variable) -> Variable:
    """A variable that holds the place of a stack of values like `element`."""
    return Variable(TensorType(element.dtype, (None, *element.type.shape)), element.name)
