"""Kernels that fold many rows side by side, in strips: the vectors lie across the rows, not along them.

That is for rows of a few elements, and for those whose elements lie further from one another than from the other
rows': columns, in arrays in C order. What is the same for a whole row is a strip of values here; what a strip's
operands have in memory is gathered where it does not lie side by side. An element takes part in the
same operations in the same order as in rows.py where there are a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.node import Apply, Variable
from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Element,
    Expr,
    For,
    Formula,
    Gather,
    Let,
    Literal,
    Load,
    Name,
    Pointer,
    Scatter,
    Stmt,
    Stretch,
)
from graphlab.lower.frame import (
    FEW,
    ONE,
    ZERO,
    Frame,
    Operand,
    Scope,
    c_int,
    extent,
    index,
    joined,
    reads,
    row_reads,
)
from graphlab.lower.kernels import nested
from graphlab.lower.passes import Pass, Passes
from graphlab.lower.reductions import (
    BLOCK,
    COUNT,
    ELEMENTS,
    LEVELS,
    Fold,
    K,
    at_most,
    combine,
    indices,
    push,
    total_of_one,
)

WIDTH = 64  # rows side by side
STRETCH = 16  # elements folded one after the other before their part goes to the tree
ENOUGH = 8  # rows side by side are worth it
START, STOP = map(Name, ("start", "stop"))
ROWS = Name("rows")  # of the whole nest, also where the kernel runs on a part: which loops run must not depend on that
WIDE, HIGH, MOST_HIGH, TOP, FLOOR = map(Name, ("wide", "high", "most_high", "top", "floor"))

assert STRETCH >= FEW, "a few elements are one stretch"


def few_elements(frame: Frame, most: int) -> Formula:
    """The condition that rows have at least one and at `most` so many elements, along one axis."""
    last = extent(frame.ndim - 1)
    return Formula(f"({{0}} > 0 && {{0}} <= {most} && {{1}} == {{0}})", (last, ELEMENTS), "bool")


def _rows_are_closer(frame: Frame) -> Formula | None:
    """The condition that there are many rows, with elements closer to those of the next than to one another, if any."""
    across, along = frame.kept - 1, frame.ndim - 1
    both = [o for o in frame.inputs if o.steps[across] and o.steps[along]]
    if not both:
        return None
    there, here = (
        joined(" + ", [c_int("__builtin_llabs({0})", o.stride(axis)) for o in both], "int64")
        for axis in (across, along)
    )
    return Formula(f"({{0}} >= {ENOUGH} && {{1}} < {{2}})", (ROWS, there, here), "bool")


def any_length(frame: Frame, plan: Passes) -> Formula | None:
    """The condition that rows of any length are folded in strips, if it may come true."""
    return _rows_are_closer(frame) if plan.only_folds else None


def strips(frame: Frame, plan: Passes, folds: Mapping[Apply, Fold], scope: Scope) -> tuple[Stmt, ...]:
    """The loops over all rows of a kernel; unless they may have `any_length` they must have a few elements each."""
    return _Strips(frame, plan, folds, scope, any_length(frame, plan) is None).loops()


@dataclass(frozen=True)
class _Strips:
    frame: Frame
    plan: Passes
    folds: Mapping[Apply, Fold]
    scope: Scope
    few: bool  # elements of a row: they are one stretch
    arrays: dict[Variable, Name] = field(default_factory=dict)  # where values of a strip of rows are

    @property
    def start(self) -> Expr:
        """The first element of the stretch at hand."""
        return ZERO if self.few else START

    @property
    def stop(self) -> Expr:
        """The one behind its last."""
        return extent(self.frame.ndim - 1) if self.few else STOP

    @property
    def around(self) -> range:
        """The reduced axes with loops around the stretches."""
        return range(self.frame.kept, self.frame.kept if self.few else self.frame.ndim - 1)

    def loops(self) -> tuple[Stmt, ...]:
        """All rows, in strips along the last of the kept axes."""
        frame = self.frame
        moving = [o for o in frame.operands.values() if o.is_output or self.moves(o)]
        strip: list[Stmt] = [Accumulator(_buffer(o), o.dtype, None, WIDTH) for o in moving if not self.stretches(o)]
        strip += [Accumulator(self.kept(v), v.dtype, None, FEW * WIDTH) for v in self.plan.kept]
        for v, operand in row_reads(frame):
            if self.moves(operand):
                strip.append(self.gathered(operand, {}))
            elif v not in self.scope.values:
                strip.append(self.scope.load(v, Load(operand.pointer, ZERO, operand.dtype)))
        strip += self.once((), self.plan.before)
        if self.few:  # what passes read is the same for all of them
            strip += self.stretched({v: None for each in self.plan.passes for v in self.read_along(each)})
        for number, each in enumerate(self.plan.passes):
            strip += self.one_pass(number, each)
            strip += self.once(each.folds, each.after)
        return self.boxes(strip)

    def boxes(self, strip: Sequence[Stmt]) -> tuple[Stmt, ...]:
        """`strip` in loops over all strips: along the last kept axis, and several of its rows where that is short."""
        inner, outer = self.frame.kept - 1, self.frame.kept - 2
        stretched = [o for o in self.frame.inputs if self.stretches(o)]
        held: list[Stmt] = [Accumulator(_buffer(o), o.dtype, None, STRETCH * WIDTH) for o in stretched]
        held += [Accumulator(_held(o), "int64", ZERO) for o in stretched]
        wide = Let(WIDE, "int64", at_most(WIDTH, extent(inner), BLOCK))
        if outer < 0:
            return (For(BLOCK, ZERO, extent(inner), (wide, Let(COUNT, "int64", WIDE), *held, *strip), step=WIDTH),)
        body: list[Stmt] = [
            Let(TOP, "int64", c_int("{0} * {1}", FLOOR, MOST_HIGH)),
            Let(HIGH, "int64", c_int("{0} - {1} < {2} ? {0} - {1} : {2}", extent(outer), TOP, MOST_HIGH)),
            Let(COUNT, "int64", c_int("{0} * {1}", HIGH, WIDE)),
            *strip,
        ]
        floors = c_int("({0} + {1} - 1) / {1}", extent(outer), MOST_HIGH)
        around = nested(range(outer), [For(FLOOR, ZERO, floors, tuple(body))])
        high = Let(MOST_HIGH, "int64", c_int(f"{WIDTH} / {{0}}", WIDE))
        return (For(BLOCK, ZERO, extent(inner), (wide, high, *held, *around), step=WIDTH),)

    # ---- operands --------------------------------------------------------------------------------

    def moves(self, operand: Operand) -> bool:
        """Whether an operand may differ from row to row."""
        return any(operand.axes[: self.frame.kept])

    def stretches(self, operand: Operand) -> bool:
        """Whether it is an input whose strips for some elements of the rows are brought together."""
        return not operand.is_output and self.moves(operand) and operand.steps[self.frame.ndim - 1]

    def stretch(self, operand: Operand) -> Stretch:
        """An operand's strips for elements START to STOP of the rows.

        Those of whole rows are not gathered again for the next strip, or the next pass, where they are the same.
        """
        last = self.frame.ndim - 1
        at = {**{d: index(d) for d in self.around}, last: self.start}
        high = (HIGH, MOST_HIGH) if self.frame.kept > 1 else (ONE, ONE)
        whole = Formula(f"{{0}} == {{1}} && {{2}} <= {STRETCH}", (*high, extent(last)), "bool")
        strip = self.gathered(operand, at)
        along, several = operand.stride(last), self.stop if self.few else c_int("{0} - {1}", STOP, START)
        return Stretch(_block(operand), _step(operand), strip, along, several, WIDTH, _held(operand), whole)

    def gathered(self, operand: Operand, along: Mapping[int, Expr], writable: bool = False) -> Gather:
        """An operand's strip at indices `along` the reduced axes."""
        inner, outer = self.frame.kept - 1, self.frame.kept - 2
        step, rows = (operand.stride(outer), HIGH) if outer >= 0 else (ZERO, ONE)
        return Gather(
            operand.row, operand.pointer, self.offset(operand, along), operand.stride(inner), WIDE, step, rows,
            operand.dtype, _buffer(operand), writable,
        )  # fmt: skip

    def offset(self, operand: Operand, along: Mapping[int, Expr]) -> Expr:
        """Bytes to an operand's first element in this strip. Any of its kept axes may lie along any of the loops."""
        inner, outer = self.frame.kept - 1, self.frame.kept - 2
        at: dict[int, Expr] = {**indices(inner), inner: BLOCK} if self.moves(operand) else {}
        at |= {outer: TOP} if outer in at else {}
        at |= {d: i for d, i in along.items() if operand.steps[d]}
        steps = [c_int("{0} * {1}", i, operand.stride(d)) for d, i in at.items()]
        return joined(" + ", steps, "int64") if steps else ZERO

    # ---- passes ----------------------------------------------------------------------------------

    def one_pass(self, number: int, each: Pass) -> list[Stmt]:
        """A pass over the elements of a strip of rows, down to the total of each fold."""
        frame, folds = self.frame, [self.folds[n] for n in each.folds]
        last = frame.ndim - 1
        elements = For(index(last), self.start, self.stop, tuple(self.element(each, folds)))
        if self.few:
            return [*map(_nothing, folds), elements, *(s for fold in folds for s in total_of_one(fold, _each, WIDTH))]
        blocks = Name("blocks" if len(self.plan.passes) == 1 else f"blocks{number}")
        stretch: list[Stmt] = [
            Let(STOP, "int64", c_int("{0} + {1}", START, at_most(STRETCH, extent(last), START))),
            *map(_nothing, folds),
            *self.stretched(self.read_along(each)),
            elements,
            *(push(folds, blocks, _each, WIDTH) if folds else []),
        ]
        statements: list[Stmt] = [Accumulator(f.tree, f.dtype, None, LEVELS * WIDTH) for f in folds]
        statements += [Accumulator(blocks, "int64", ZERO)] if folds else []
        statements += nested(self.around, [For(START, ZERO, extent(last), tuple(stretch), step=STRETCH)])
        for fold in folds:
            statements += combine(fold, blocks, _each, WIDTH)
        return statements

    def stretched(self, needed: Iterable[Variable]) -> list[Stmt]:
        """The strips of inputs for the stretch at hand."""
        return [self.stretch(self.frame.operands[v]) for v in needed]

    def read_along(self, each: Pass) -> list[Variable]:
        """The inputs that a pass reads in stretches."""
        needed = _needed(each.nodes, [self.folds[n].node for n in each.folds], [*each.saved, *each.stored])
        by_rows = {v for v, _ in row_reads(self.frame)}
        return [
            v for v, o in reads(self.frame)
            if v in needed and v not in by_rows and v not in self.scope.values and self.stretches(o)
        ]  # fmt: skip

    def element(self, each: Pass, folds: Sequence[Fold]) -> list[Stmt]:
        """One element of each row of a strip: computed, kept, written, and folded."""
        frame, scope = self.frame, self.scope.fork()
        last = frame.ndim - 1
        at = {d: index(d) for d in (*self.around, last)}
        by_rows = {v for v, _ in row_reads(frame)}
        needed = _needed(each.nodes, [fold.node for fold in folds], [*each.saved, *each.stored])
        start: list[Stmt] = []
        stretched = self.read_along(each)
        further = index(last) if self.few else c_int("{0} - {1}", index(last), START)
        for v, operand in reads(frame):
            if v not in needed or v in by_rows or v in scope.values:
                continue
            if v in stretched:
                offset = c_int("{0} * {1}", further, _step(operand))
                start.append(Pointer(operand.row, _block(operand), offset, operand.dtype))
            elif self.moves(operand):
                start.append(self.gathered(operand, at))
            else:
                start.append(scope.load(v, Load(operand.pointer, self.offset(operand, at), operand.dtype)))
        start += [self.gathered(frame.operands[v], at) for v in each.again if v in frame.operands]
        stored = {v: self.gathered(frame.operands[v], at, writable=True) for v in each.stored}
        where = c_int(f"{{0}} * {WIDTH} + {{1}}", index(last), K)
        body: list[Stmt] = []
        for v in each.again:
            there = frame.operands.get(v)
            value = Element(there.row, K, v.dtype) if there else Element(self.kept(v), where, v.dtype)
            body.append(self.named(scope, v, value))
        body += self.brought(scope, needed)
        body += scope.compute(each.nodes)
        body += [Assign(self.kept(v), scope.value(v), where, self.numbers(v)) for v in each.saved]
        body += [Assign(strip.name, scope.value(v), K, self.numbers(v)) for v, strip in stored.items()]
        for fold in folds:
            x = fold.value(scope)
            first = c_int("{0} == {1}", index(last), self.start)
            folded = fold.op(fold.at(fold.part, K), x)
            body.append(fold.put(fold.part, Formula("{0} ? {1} : {2}", (first, x, folded), fold.dtype), K))
        return [*start, *stored.values(), _lanes(body), *map(Scatter, stored.values())]

    def once(self, folded: Sequence[Apply], nodes: Sequence[Apply]) -> list[Stmt]:
        """The results of folds and what is computed from them, for each row of a strip."""
        if not folded and not nodes:
            return []
        frame, scope, made = self.frame, self.scope.fork(), [*folded, *nodes]
        inside = {frame.number[n] for n in made}
        body: list[Stmt] = []
        for node in folded:
            fold = self.folds[node]
            body.append(fold.finished(fold.at(fold.total, K), scope))
        body += [*self.brought(scope, _needed(nodes, (), ())), *scope.compute(nodes)]
        arrays: list[Stmt] = []
        written: list[Gather] = []
        for node in made:
            v, value = node.output, scope.value(node.output)
            if not inside.issuperset(frame.readers.get(v, ())):
                self.arrays[v] = Name(f"row{frame.number[node]}")
                arrays.append(Accumulator(self.arrays[v], v.dtype, None, WIDTH))
                body.append(Assign(self.arrays[v], value, K, self.numbers(v)))
            if v in frame.operands:
                written.append(self.gathered(frame.operands[v], {}, writable=True))
                body.append(Assign(written[-1].name, value, K, self.numbers(v)))
        return [*arrays, *written, _lanes(body), *map(Scatter, written)]

    # ---- values ----------------------------------------------------------------------------------

    def brought(self, scope: Scope, needed: Iterable[Variable]) -> list[Stmt]:
        """Read those of the `needed` values that a strip has one of for each row."""
        statements: list[Stmt] = []
        for v in needed:
            if v in scope.values:
                continue
            if v in self.arrays:
                statements.append(self.named(scope, v, Element(self.arrays[v], K, v.dtype)))
            elif v in self.frame.unit.inputs:
                statements.append(scope.load(v, Element(self.frame.operands[v].row, K, v.dtype)))
        return statements

    def named(self, scope: Scope, v: Variable, value: Expr) -> Stmt:
        """A value that an earlier loop has computed, under its name."""
        (number,) = self.numbers(v)
        scope.values[v] = Name(f"v{number}")
        return Let(Name(f"v{number}"), v.dtype, value, (number,))

    def numbers(self, v: Variable) -> tuple[int, ...]:
        """The number of the application that makes `v`."""
        assert v.owner is not None
        return (self.frame.number[v.owner],)

    def kept(self, v: Variable) -> Name:
        """Where elements are kept from one pass to another."""
        (number,) = self.numbers(v)
        return Name(f"kept{number}")


def _needed(nodes: Iterable[Apply], folded: Iterable[Apply], others: Iterable[Variable]) -> dict[Variable, None]:
    return dict.fromkeys([*(v for node in (*nodes, *folded) for v in node.inputs), *others])


def _buffer(operand: Operand) -> Name:
    return Name(f"strip{operand.k}")


def _block(operand: Operand) -> Name:
    return Name(f"block{operand.k}")


def _step(operand: Operand) -> Name:
    return Name(f"step{operand.k}")


def _held(operand: Operand) -> Name:
    return Name(f"held{operand.k}")


def _nothing(fold: Fold) -> Accumulator:
    return Accumulator(fold.part, fold.dtype, Literal(0, fold.dtype), WIDTH, fold.nodes)


def _lanes(body: Sequence[Stmt]) -> Stmt:
    return For(K, ZERO, COUNT, tuple(body), simd=True)


def _each(statement: Callable[[Expr], Stmt]) -> Stmt:
    return For(K, ZERO, Literal(WIDTH, "int64"), (statement(K),), simd=True)
