"""The op of all loops: a body that makes each turn's values from elements, past values and constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from graphlab.control.alike import AlikeByGraphs
from graphlab.control.batch import over_batch
from graphlab.control.reverse import reverse
from graphlab.dtypes import is_integer
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError
from graphlab.graph.cost import UNKNOWN
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import instantiate, toposort
from graphlab.interpret import interpret
from graphlab.ops.base import Array, Cotangents
from graphlab.ops.batching import Batching
from graphlab.ops.lowering import Lowering, Recurrence, Repeat
from graphlab.ops.random import numbers


@dataclass(frozen=True, eq=False)
class Scan(AlikeByGraphs):
    """A loop, as `ops.lowering.Repeat` describes its inputs, its body and its outputs.

    `truncate`: how many turns, counted from the last, a gradient goes back (None: all). `keep`: for each
    stack (of a recurrence, then of a map) how many of its last values it keeps (None: all); empty: all of
    all. `backwards`: which stacks have the last value first (lower/backwards.py); empty: none. `streams`: the
    recurrences that are states of random streams, `number` the loop's place among all that draw.
    """

    body: Graph
    sequences: int = field(repr=False)
    recurrences: tuple[Recurrence, ...] = field(repr=False)
    maps: int = field(default=0, repr=False)
    until: bool = False
    truncate: int | None = None
    keep: tuple[int | None, ...] = field(default=(), repr=False)
    backwards: tuple[bool, ...] = field(default=(), repr=False)
    streams: tuple[int, ...] = field(default=(), repr=False)
    number: int = field(default=0, repr=False)
    name: str = "scan"

    def __post_init__(self) -> None:
        numbers.seen(self.number)

    def __repr__(self) -> str:
        parts = [f"{self.sequences} sequences", f"{len(self.recurrences)} recurrences", f"{self.maps} maps"]
        return f"{self.name}({', '.join(p for p in parts if not p.startswith('0'))}{', until' * self.until})"

    @property
    def settings(self) -> tuple[Any, ...]:
        counts = (self.sequences, self.recurrences, self.maps, self.until, self.truncate, self.kept, self.turned)
        return (counts, self.streams, self.number)

    # -- what is where --

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return (self.body,)

    def with_graphs(self, graphs: Sequence[Graph]) -> Scan:
        return replace(self, body=graphs[0])

    @property
    def starts(self) -> slice:
        """The inputs from which the recurrences start; the constants follow them."""
        first = 1 + self.sequences
        return slice(first, first + len(self.recurrences))

    @cached_property
    def taps(self) -> tuple[slice, ...]:
        """For each recurrence, the inputs of the body that are its past values."""
        bounds = np.cumsum([self.sequences, *(len(r.lags) for r in self.recurrences)]).tolist()
        return tuple(map(slice, bounds[:-1], bounds[1:]))

    @property
    def body_constants(self) -> slice:
        """The inputs of the body that are the same in every turn."""
        return slice(self.taps[-1].stop if self.taps else self.sequences, None)

    @cached_property
    def traces(self) -> dict[int, int]:
        """For each traced recurrence the output that has its values of all turns."""
        return {k: i for i, k in enumerate(k for k, r in enumerate(self.recurrences) if r.traced)}

    @cached_property
    def finals(self) -> dict[int, int]:
        """For each recurrence of which the last values are wanted the output that has them."""
        return {k: i for i, k in enumerate((k for k, r in enumerate(self.recurrences) if r.final), len(self.traces))}

    @property
    def first_map(self) -> int:
        """The first output that is stacked from a map."""
        return len(self.traces) + len(self.finals)

    @property
    def kept(self) -> tuple[int | None, ...]:
        """For each stack how many of its last values it keeps."""
        return self.keep or (None,) * (len(self.traces) + self.maps)

    @property
    def turned(self) -> tuple[bool, ...]:
        """For each stack whether the last value comes first."""
        return self.backwards or (False,) * (len(self.traces) + self.maps)

    @property
    def advances(self) -> tuple[tuple[int, int], ...]:  # type: ignore[override]
        return tuple((self.starts.start + k, self.finals[k]) for k in self.streams)

    # -- types --

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        steps, given = inputs[0], self._element_types(inputs)
        if not is_integer(steps.dtype) or steps.ndim != 0:
            raise GraphTypeError(f"{self.name}: the number of turns must be an integer scalar, got {steps}")
        for k, (v, t) in enumerate(zip(self.body.inputs, given, strict=True)):
            if (v.dtype, v.ndim) != (t.dtype, t.ndim):
                raise GraphTypeError(f"{self.name}: input {k} of the body is {v.type}, got {t}")
        outputs = [v.type for v in self.body.outputs]
        if any(not v.type.accepts(t) for v, t in zip(self.body.inputs, given, strict=True)):
            outputs = [v.type for v in instantiate(self.body, [Variable(t) for t in given])]
        taps = [given[s.start] for s in self.taps]
        traces = [_stack(_joined(taps[k], outputs[k])) for k in self.traces]
        finals = [inputs[self.starts][k] for k in self.finals]
        maps = map(_stack, outputs[len(self.recurrences) :][: self.maps])
        return (*traces, *finals, *maps, *([TensorType("int64", ())] if self.until else []))

    def _element_types(self, inputs: Sequence[TensorType]) -> list[TensorType]:
        """The types of the body's inputs, given those of the loop."""
        types = [TensorType(t.dtype, t.shape[1:]) for t in inputs[1 : self.starts.start]]
        for r, start in zip(self.recurrences, inputs[self.starts], strict=True):
            own = start if r.depth == 1 else TensorType(start.dtype, start.shape[1:])
            types += [own] * len(r.lags)
        return [*types, *inputs[self.starts.stop :]]

    # -- values --

    def numpy(self, *values: Array) -> Any:
        turns = int(values[0])
        sequences, starts, constants = values[1 : self.starts.start], values[self.starts], values[self.starts.stop :]
        self._check(turns, sequences, starts)
        past = [[s] if r.depth == 1 else list(s) for r, s in zip(self.recurrences, starts, strict=True)]
        rows: list[list[Array]] = []
        for t in range(turns):
            new = self._turn([s[t] for s in sequences], past, constants)
            rows.append(new)
            self._check_turn(new, past, rows[0])
            past = [[*p[1:], v] for p, v in zip(past, new, strict=False)]
            if self.until and new[-1]:
                break
        if not rows and self.maps:  # what would be made, had there been a turn: of it only the shapes
            rows = [self._turn([np.zeros(s.shape[1:], s.dtype) for s in sequences], past, constants)]
            return self._packed(rows, past, 0)
        return self._packed(rows, past, len(rows))

    def given(self, *values: Array) -> Iterator[list[Array]]:
        """The values of the body's inputs in one turn after the other."""
        sequences, starts, constants = values[1 : self.starts.start], values[self.starts], values[self.starts.stop :]
        past = [[s] if r.depth == 1 else list(s) for r, s in zip(self.recurrences, starts, strict=True)]
        for t in range(int(values[0])):
            elements = [s[t] for s in sequences]
            yield self._given(elements, past, constants)
            new = self._turn(elements, past, constants)
            past = [[*p[1:], v] for p, v in zip(past, new, strict=False)]
            if self.until and new[-1]:
                return

    def made_by(
        self, turn: Callable[[int, Sequence[Array]], Sequence[Array]], turns: int, values: Sequence[Array]
    ) -> tuple[Array, ...]:
        """The outputs of `turns` turns, at least one, where `turn` computes the body: of its number and its inputs."""
        sequences, starts, constants = values[1 : self.starts.start], values[self.starts], values[self.starts.stop :]
        past = [[s] if r.depth == 1 else list(s) for r, s in zip(self.recurrences, starts, strict=True)]
        rows = list[Sequence[Array]]()
        for t in range(turns):
            new = turn(t, self._given([s[t] for s in sequences], past, constants))
            rows.append(new)
            past = [[*p[1:], v] for p, v in zip(past, new, strict=False)]
        return self._packed(rows, past, turns)

    def _given(
        self, elements: Sequence[Array], past: Sequence[Sequence[Array]], constants: Sequence[Array]
    ) -> list[Array]:
        """The values of the body's inputs in one turn."""
        taps = [p[-lag] for p, r in zip(past, self.recurrences, strict=True) for lag in r.lags]
        return [np.asarray(v) for v in (*elements, *taps, *constants)]

    def _turn(
        self, elements: Sequence[Array], past: Sequence[Sequence[Array]], constants: Sequence[Array]
    ) -> list[Array]:
        results = interpret(self.body, self._given(elements, past, constants))
        return [np.asarray(v, o.dtype) for v, o in zip(results, self.body.outputs, strict=True)]

    def _packed(self, rows: Sequence[Sequence[Array]], past: Sequence[Sequence[Array]], made: int) -> tuple[Array, ...]:
        kinds = zip(self.kept, self.turned, strict=True)

        def stacked(k: int, like: Array) -> Array:
            most, turned = next(kinds)
            chosen = [row[k] for row in rows[:made]][-most if most else 0 :]
            return np.array(chosen[::-1] if turned else chosen, like.dtype).reshape(len(chosen), *like.shape)

        traces = [stacked(k, past[k][-1]) for k in self.traces]
        finals = [np.array(past[k][-1] if self.recurrences[k].depth == 1 else past[k]) for k in self.finals]
        first = len(self.recurrences)
        maps = [stacked(k, rows[0][k]) for k in range(first, first + self.maps)]
        return (*traces, *finals, *maps, *([np.asarray(made, "int64")] if self.until else []))

    def _check(self, turns: int, sequences: Sequence[Array], starts: Sequence[Array]) -> None:
        if turns < 0:
            raise GraphValueError(f"the number of turns is {turns}")
        for k, s in enumerate(sequences):
            if len(s) != turns:
                raise GraphShapeError(f"sequence {k} has {len(s)} elements, and the loop makes {turns} turns")
        for k, (r, s) in enumerate(zip(self.recurrences, starts, strict=True)):
            if r.depth > 1 and len(s) != r.depth:
                raise GraphShapeError(f"output {k} starts from {len(s)} past values where {r.depth} are needed")

    def _check_turn(self, new: Sequence[Array], past: Sequence[Sequence[Array]], first: Sequence[Array]) -> None:
        before = [p[-1] for p in past]
        for k, (v, was) in enumerate(zip(new, [*before, *first[len(before) :]], strict=True)):
            if v.shape != was.shape:
                raise GraphShapeError(
                    f"output {k} changes its shape from turn to turn: from {was.shape} to {v.shape}",
                    hint="a value that is carried on must keep the shape from which it starts",
                )

    def flops(self, node: Apply) -> int:
        known = [v.type.shape[0] for v in node.inputs[1 : self.starts.start]]
        turns = int(node.inputs[0].data) if isinstance(node.inputs[0], Constant) else next(filter(None, known), UNKNOWN)
        return turns * sum(n.op.flops(n) for n in toposort(self.body.outputs, self.body.inputs))

    # -- derivatives and C --

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return reverse(node, cotangents)

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return over_batch(self, batched)

    def lowering(self, node: Apply) -> Lowering:
        return Repeat(self.body, self.sequences, self.recurrences, self.maps, self.until, self.kept, self.turned)


def _stack(element: TensorType) -> TensorType:
    return TensorType(element.dtype, (None, *element.shape))


def _joined(a: TensorType, b: TensorType) -> TensorType:
    """What is known of a value that is of both types."""
    return TensorType(a.dtype, tuple(m if n is None else n for n, m in zip(a.shape, b.shape, strict=True)))
