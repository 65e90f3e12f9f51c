"""A loop over single elements becomes one kernel: its turns are a loop in C, what it carries on are local variables.

A step for each turn would plan and allocate for a handful of numbers; here a turn takes as long as its arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.loops.ir import Accumulator, Assign, Comment, For, If, Let, Literal, Load, Name, Nest, Stmt, Store
from graphlab.loops.walk import without_unused
from graphlab.lower.frame import ONE, ZERO, Frame, Operand, Scope, c_int
from graphlab.lower.fuse import Unit
from graphlab.lower.space import Space
from graphlab.ops.lowering import Lowering, Pointwise, Repeat

REASON = "the whole loop is one kernel: each turn computes single elements"
MOST_NODES = 500  # a kernel that is too long for the C compiler is left to steps
TURN, TURNS = Name("i0"), Name("n0")
ENDED, MADE = Name("ended"), Name("made")


def unit_of_turns(loop: Repeat, nodes: Sequence[Apply], lowerings: Mapping[Apply, Lowering]) -> Unit | None:
    """The unit of `nodes`, all those of the body, if a kernel can be the whole loop; None if not."""
    body, made = loop.body, {v for node in nodes for v in node.outputs}
    variables = [*body.inputs, *body.outputs, *(v for node in nodes for v in (*node.inputs, *node.outputs))]
    known = made.union(body.inputs)
    if len(nodes) > MOST_NODES or not all(isinstance(lowerings[node], Pointwise) for node in nodes):
        return None
    if any(v.ndim or not (v in known or isinstance(v, Constant)) for v in variables):
        return None
    return Unit(tuple(nodes), body.inputs, body.outputs, Space((), ()))


class TurnsKernel:
    """The kernel of a loop, its operands numbered in the order that `loops.ir.Turns` tells."""

    def __init__(self, loop: Repeat, unit: Unit, lowerings: Mapping[Apply, Lowering]) -> None:
        self.loop = loop
        self.frame = Frame(unit, Space((), ()), lowerings, {node: k for k, node in enumerate(unit.nodes)})
        for node in unit.nodes:
            for v in dict.fromkeys(node.inputs):
                self.frame.readers.setdefault(v, []).append(self.frame.number[node])
        outputs, recurrent = loop.body.outputs, len(loop.recurrences)
        self.new = outputs[:recurrent]
        traced = [v for r, v in zip(loop.recurrences, outputs, strict=False) if r.traced]
        self.operands = 0
        self.stacks = [(self._operand(v, True), v) for v in (*traced, *outputs[recurrent : recurrent + loop.maps])]
        formal = iter(loop.body.inputs)
        elements = [next(formal) for _ in range(loop.sequences)]
        self.past = [self._past(r.lags, formal) for r in loop.recurrences]
        self.ending = self.operands
        self.operands += 2 * loop.until
        self.elements = [(v, self._operand(v, True)) for v in elements]
        self.constants = [(v, self._operand(v)) for v in formal]
        self.frame.operands.update((*self.elements, *self.constants))

    def _operand(self, v: Variable, moves: bool = False) -> Operand:
        """The next operand: an element of a stack or of a sequence, which `moves`, or one element for all turns."""
        self.operands += 1
        return Operand(self.operands - 1, v.dtype, (moves,), (moves,))

    def _past(self, lags: Sequence[int], formal: Iterator[Variable]) -> list[tuple[Operand, Variable | None]]:
        """The past values of a recurrence, the youngest first, each with the body's input that it is, if any."""
        taps = {lag: next(formal) for lag in lags}
        return [(self._operand(taps[max(lags)]), taps.get(lag)) for lag in range(1, max(lags) + 1)]

    @property
    def nest(self) -> Nest:
        """One axis: the turns."""
        return Nest(1, len(self.stacks), self.operands - len(self.stacks))

    def body(self) -> tuple[Stmt, ...]:
        """The statements of the kernel."""
        scope, past = Scope(self.frame), [o for values in self.past for o, _ in values]
        before: list[Stmt] = [scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in self.constants]
        before += [Accumulator(_carried(o), o.dtype, Load(o.pointer, ZERO, o.dtype)) for o in past]
        after: list[Stmt] = [Comment("what the next turns start from")] if past else []
        after += [Store(o.pointer, ZERO, o.dtype, _carried(o)) for o in past]
        if self.loop.until:
            before += [Accumulator(MADE, "int64", TURNS), Accumulator(ENDED, "bool", Literal(False, "bool"))]
            after += [Store(Name(f"p{self.ending}"), ZERO, "bool", ENDED)]
            after += [Store(Name(f"p{self.ending + 1}"), ZERO, "int64", MADE)]
        turn = For(TURN, ZERO, MADE if self.loop.until else TURNS, tuple(self._turn(scope)))
        return without_unused((*before, turn, *after))

    def _turn(self, scope: Scope) -> Iterator[Stmt]:
        """What one turn does. New values replace those of before when all are made: one may be the past of another."""
        at = {0: TURN}
        for o, v in (pair for values in self.past for pair in values):
            if v is not None:
                scope.values[v] = o.value
                yield Let(o.value, o.dtype, _carried(o), scope.readers(v))
        for v, o in self.elements:
            yield scope.load(v, Load(o.pointer, o.offset(at), o.dtype))
        yield from scope.compute(self.frame.unit.nodes)
        for o, v in self.stacks:
            yield Store(o.pointer, o.offset(at), o.dtype, scope.value(v), self._maker(v))
        for values, v in zip(self.past, self.new, strict=True):
            for (older, _), (younger, _) in zip(values[:0:-1], values[-2::-1], strict=True):
                yield Assign(_carried(older), _carried(younger))
            yield Assign(_carried(values[0][0]), scope.value(v), None, self._maker(v))
        if self.loop.until:
            end = self.loop.body.outputs[-1]
            yield Assign(ENDED, scope.value(end), None, self._maker(end))
            yield If(ENDED, (Assign(MADE, c_int("{0} + {1}", TURN, ONE)),))

    def _maker(self, v: Variable) -> tuple[int, ...]:
        """The number of the application that makes `v`, if the body has it."""
        return (self.frame.number[v.owner],) if v.owner is not None and v.owner in self.frame.number else ()


def _carried(past: Operand) -> Name:
    """The local variable that holds a past value."""
    return Name(f"c{past.k}")
