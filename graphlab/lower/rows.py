"""Kernels that run row by row: passes over the elements of a row, and what is computed once for it.

Each pass goes through a row in blocks. It computes elements into tiles, which are folded, and writes
those that are outputs, or that a later pass needs, where they belong. Operands whose elements are no neighbours in
memory are put together block by block, so that there is one loop for all that may come, and it is vector code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphlab.dtypes import itemsize
from graphlab.graph.node import Apply, Variable
from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Element,
    Expr,
    For,
    Gather,
    Let,
    Load,
    Name,
    Pointer,
    Scatter,
    Stmt,
    Store,
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
    product,
    row_reads,
)
from graphlab.lower.fuse import is_costly
from graphlab.lower.kernels import Row, nested
from graphlab.lower.parts import earlier_parts, highest_level, parts_made, push_for_later
from graphlab.lower.passes import Pass, Passes
from graphlab.lower.reductions import (
    BLOCK,
    COUNT,
    ELEMENTS,
    LEVELS,
    WHOLE,
    Fold,
    I,
    K,
    at_most,
    by_vectors,
    combine,
    indices,
    push,
    whole_lanes,
)

SCRATCH = Name("scratch")


@dataclass(frozen=True)
class Block(Row):
    """The operands along a block of a row, `size` elements at most, side by side."""

    size: int

    def moves(self, operand: Operand) -> bool:
        """Whether it may: the runtime may have moved another axis to the last loop, where that has one element."""
        return operand.steps[self.inner]

    def pointers(self, operands: Iterable[Operand]) -> list[Stmt]:
        """Where the elements of each can be read."""
        found: list[Stmt] = []
        for o in operands:
            if self.moves(o):
                found += [Accumulator(_buffer(o), o.dtype, None, self.size), self.gather(o)]
            elif not o.is_scalar:
                found.append(Pointer(o.row, o.pointer, o.offset(self.at), o.dtype))
        return found

    def places(self, outputs: Iterable[Operand]) -> list[Stmt]:
        """Where the elements of each can be written, for `taken` to take them where they belong."""
        found: list[Stmt] = []
        for o in outputs:
            found += [Accumulator(_buffer(o), o.dtype, None, self.size), self.gather(o, writable=True)]
        return found

    def taken(self, outputs: Iterable[Operand]) -> list[Stmt]:
        """What was written, where it belongs."""
        return [Scatter(self.gather(o, writable=True)) for o in outputs]

    def gather(self, operand: Operand, writable: bool = False) -> Gather:
        """The elements of `operand`, side by side."""
        return Gather(
            operand.row, operand.pointer, operand.offset(self.at), operand.stride(self.inner), COUNT, ZERO, ONE,
            operand.dtype, _buffer(operand), writable,
        )  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """The loops over all rows of a kernel."""

    frame: Frame
    plan: Passes
    folds: Mapping[Apply, Fold]
    scope: Scope

    def loops(self) -> tuple[Stmt, ...]:
        """All rows, one after the other."""
        scope = self.scope.fork()
        row: list[Stmt] = [*self.read_once(scope), *once(scope, self.plan.before, indices(self.frame.kept))]
        for number, each in enumerate(self.plan.passes):
            folds = [self.folds[n] for n in each.folds]
            blocks = Name("blocks" if len(self.plan.passes) == 1 else f"blocks{number}")
            loops = self.elements(each, folds, blocks, scope)
            row += [*empty_trees(folds, blocks), *loops, *self.results(each, folds, blocks, scope)]
        return nested(range(self.frame.kept), row)

    def all_folded(self) -> tuple[Stmt, ...]:
        """The one row that there is: see parts.py."""
        (each,), scope, before = self.plan.passes, self.scope, self.plan.before
        folds, blocks = [self.folds[n] for n in each.folds], Name("blocks")
        start = [*self.read_once(scope), *scope.compute(before), *empty_trees(folds, blocks)]
        return (
            *start,
            earlier_parts(folds, blocks),
            highest_level(),
            *self.elements(each, folds, blocks, scope, parts=True),
            parts_made(),
            *(s for node in before for s in written(scope, node, {})),
            *self.results(each, folds, blocks, scope),
        )

    def read_once(self, scope: Scope) -> list[Stmt]:
        """Read what is one value for the row."""
        return [
            scope.load(v, Load(o.pointer, o.offset(indices(self.frame.kept)), o.dtype))
            for v, o in row_reads(self.frame)
            if v not in scope.values
        ]

    def elements(self, each: Pass, folds: list[Fold], blocks: Name, scope: Scope, parts: bool = False) -> list[Stmt]:
        """A pass over the elements of a row, block by block; what is folded is in the trees then, or in parts."""
        inner, size = self.frame.ndim - 1, block_size(folds)
        row = Block(self.frame, inner, {**indices(inner), inner: BLOCK}, True, inner, size)
        body = [
            Let(COUNT, "int64", at_most(size, extent(inner), BLOCK)),
            *self.block(each, folds, scope.fork(), row, size),
            *(push_for_later(folds, blocks) if parts else push(folds, blocks, _alone, 1) if folds else []),
        ]
        loop = For(BLOCK, ZERO, extent(inner), tuple(body), step=size)
        return list(nested(range(self.frame.kept, inner), [loop]))

    def results(self, each: Pass, folds: list[Fold], blocks: Name, scope: Scope) -> list[Stmt]:
        """What the pass folded, and what follows from it."""
        kept, done = indices(self.frame.kept), list[Stmt]()
        for fold in folds:
            done += [*combine(fold, blocks, _alone, 1), fold.finished(fold.total, scope)]
            done += written(scope, fold.node, kept)
        return [*done, *once(scope, each.after, kept)]

    def block(self, each: Pass, folds: list[Fold], scope: Scope, row: Block, size: int) -> list[Stmt]:
        """The elements of a block: computed, kept, written, and folded into the part of each fold."""
        frame, kept = self.frame, [*each.saved, *each.again]
        stored = [frame.operands[v] for v in each.stored]
        again = [frame.operands[v] for v in each.again if v in frame.operands]
        start = [*row.pointers(frame.inputs), *row.pointers(again), *row.places(stored), *row.once(scope)]
        start += [self.kept_row(v) for v in dict.fromkeys(kept) if v not in frame.operands]
        if in_lanes(frame, each, self.folds):
            return [*start, *self.lanes(each, folds, scope, row)]
        body: list[Stmt] = row.each(scope, I)
        for v in each.again:
            operand = frame.operands.get(v)
            where = row.element(operand, I) if operand else Element(_kept_name(v, frame), I, v.dtype)
            name = Name(f"v{self.number(v)}")
            scope.values[v] = name
            body.append(Let(name, v.dtype, where, (self.number(v),)))
        body += scope.compute(each.nodes)
        for v in each.saved:
            body.append(Assign(_kept_name(v, frame), scope.value(v), I, (self.number(v),)))
        body += [row.store(frame.operands[v], I, scope.value(v), (self.number(v),)) for v in each.stored]
        tiles: list[Stmt] = []
        parts: list[Stmt] = []
        for fold in folds:
            source = self.in_memory(fold, each, row)
            if source is None:
                source = fold.tile
                tiles.append(Accumulator(fold.tile, fold.dtype, None, size))
                body.append(fold.put(fold.tile, fold.value(scope), I))
            parts.append(Accumulator(fold.part, fold.dtype, fold.block(source), None, fold.nodes))
        needed = bool(tiles or each.saved or each.stored)
        loop = [For(I, ZERO, COUNT, tuple(body), simd=True)] if needed else []
        return [*tiles, *start, *loop, *row.taken(stored), *parts]

    def lanes(self, each: Pass, folds: list[Fold], scope: Scope, row: Block) -> list[Stmt]:
        """A block whose elements are folded as they are computed; by way of a tile the last, that do not fill lanes."""

        def elements(i: Expr, put: Callable[[Fold, Expr], Stmt]) -> list[Stmt]:
            inside = scope.fork()
            computed = [*row.each(inside, i), *inside.compute(each.nodes)]
            return [*computed, *(put(fold, fold.value(inside)) for fold in folds)]

        left, size = c_int("{0} - {1}", I, WHOLE), max(FEW, folds[0].lanes)
        return [
            *(Accumulator(fold.lane, fold.dtype, fold.initial, fold.lanes, fold.nodes) for fold in folds),
            whole_lanes(folds[0]),
            by_vectors(folds, elements(c_int("{0} + {1}", I, K), lambda fold, x: fold.fold_in(fold.lane, K, x))),
            *(Accumulator(fold.tile, fold.dtype, None, size) for fold in folds),
            For(I, WHOLE, COUNT, tuple(elements(I, lambda fold, x: fold.put(fold.tile, x, left))), simd=True),
            *(Accumulator(fold.part, fold.dtype, fold.accumulated(fold.tile), None, fold.nodes) for fold in folds),
        ]

    def in_memory(self, fold: Fold, each: Pass, row: Block) -> Expr | None:
        """Where the elements to be folded lie one after the other, in the fold's dtype."""
        v, frame = fold.node.inputs[0], self.frame
        operand = frame.operands.get(v)
        if v.dtype != fold.dtype:
            return None
        if operand is None:
            return _kept_name(v, frame) if v in each.saved or v in each.again else None
        there = not operand.is_output or v in each.stored or v in each.again
        return operand.row if there and row.moves(operand) else None

    def number(self, v: Variable) -> int:
        """The number of the application that makes `v`."""
        assert v.owner is not None
        return self.frame.number[v.owner]

    def kept_row(self, v: Variable) -> Stmt:
        """Where the elements of this block of a kept value begin."""
        before = [itemsize(w.dtype) for w in self.plan.kept[: self.plan.kept.index(v)]]
        first: Expr = BLOCK
        for d in range(self.frame.ndim - 2, self.frame.kept - 1, -1):
            rest = product([extent(k) for k in range(d + 1, self.frame.ndim)])
            first = joined(" + ", [c_int("{0} * ({1})", index(d), rest), c_int("{0}", first)], "int64")
        offset = c_int(f"{sum(before)} * {{0}} + {itemsize(v.dtype)} * ({{1}})", ELEMENTS, first)
        return Pointer(_kept_name(v, self.frame), SCRATCH, offset, v.dtype, writable=True)


def in_lanes(frame: Frame, each: Pass, folds: Mapping[Apply, Fold]) -> bool:
    """Whether a pass over dense rows folds elements as it computes them, without a tile for them.

    That is where computing them costs less than the tile, and all they are needed for is to be folded.
    """
    if each.saved or each.stored or each.again or not each.nodes or not 0 < len(each.folds) <= 2:
        return False
    cheap = not any(is_costly(frame.lowerings[n]) for n in each.nodes)
    computed = all(n.inputs[0] not in frame.operands for n in each.folds)
    begun = all(folds[n].initial is not None for n in each.folds)
    return cheap and computed and begun and len({folds[n].lanes for n in each.folds}) == 1


def block_size(folds: Iterable[Fold]) -> int:
    """How many elements a block has."""
    return 16 * max((fold.lanes for fold in folds), default=64)


def empty_trees(folds: Iterable[Fold], blocks: Name) -> list[Stmt]:
    """The trees of a pass, and how many blocks are in them."""
    trees: list[Stmt] = [Accumulator(fold.tree, fold.dtype, None, LEVELS) for fold in folds]
    return [*trees, Accumulator(blocks, "int64", ZERO)] if trees else []


def _alone(statement: Callable[[Expr], Stmt]) -> Stmt:
    return statement(ZERO)


def _buffer(operand: Operand) -> Name:
    return Name(f"near{operand.k}")


def _kept_name(v: Variable, frame: Frame) -> Name:
    assert v.owner is not None
    return Name(f"kept{frame.number[v.owner]}")


def once(scope: Scope, nodes: Sequence[Apply], at: Mapping[int, Expr]) -> list[Stmt]:
    """What is computed for a row as a whole, and written if it is an output."""
    statements: list[Stmt] = []
    for node in nodes:
        statements += [*scope.compute([node]), *written(scope, node, at)]
    return statements


def written(scope: Scope, node: Apply, at: Mapping[int, Expr]) -> list[Stmt]:
    """The value of a row at its place, if it is an output."""
    operand = scope.frame.operands.get(node.output)
    if operand is None or not operand.is_output:
        return []
    number = (scope.frame.number[node],)
    return [Store(operand.pointer, operand.offset(at), operand.dtype, scope.value(node.output), number)]
