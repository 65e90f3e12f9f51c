"""Kernels that fold a few long columns: block after block along all of them, so that memory is read once and in order.

A column is a row of the kernel's nest, like any other. In arrays in C order its elements lie apart, so a block of
them is put side by side first: then it is folded as rows.py does, with the same bits. The trees of all rows lie side
by side, and threads can make parts of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from graphlab.loops.ir import (
    Accumulator,
    Columns,
    Element,
    Expr,
    For,
    Let,
    Literal,
    Name,
    Pointer,
    Stmt,
)
from graphlab.lower.frame import ZERO, Frame, Operand, Scope, c_int, extent, index, joined
from graphlab.lower.kernels import nested
from graphlab.lower.parts import PART_ROWS, earlier_parts, highest_level, parts_made, push_for_later
from graphlab.lower.passes import Passes
from graphlab.lower.reductions import BLOCK, COUNT, LEVELS, Fold, K, at_most, combine, indices
from graphlab.lower.rows import Block, Rows, block_size, once, written

MOST_ROWS = 32  # gl_kernel.c has the same
MOST_COLUMNS = 6  # operands that may have to be put side by side
ROW = Name("row")


def can_be_tall(frame: Frame, plan: Passes) -> bool:
    """Whether a kernel has this form: all that it does is to fold columns of what it computes, from arrays in C order.

    Columns that are in memory are as fast in strips, and the C compiler takes its time over every form.
    """
    columns = plan.only_folds and frame.kept > 0 and not frame.space.in_rows
    return columns and bool(plan.passes[0].nodes) and len(_moving(frame)) <= MOST_COLUMNS


def tall(rows: Rows) -> tuple[Stmt, ...]:
    """The loops of a kernel whose nest has `part_rows` rows."""
    frame, (each,), scope = rows.frame, rows.plan.passes, rows.scope.fork()
    folds, blocks, inner = [rows.folds[n] for n in each.folds], Name("blocks"), rows.frame.ndim - 1
    size, moving = block_size(folds), _moving(frame)
    of_row = [replace(fold, suffix=f"{fold.suffix}_row") for fold in folds]
    inside, column = scope.fork(), _Column(frame, inner, {**indices(inner), inner: BLOCK}, True, inner, size)
    one_row: list[Stmt] = [
        *_row_number(frame),
        *rows.read_once(inside),
        *rows.block(each, of_row, inside, column, size),
        *(fold.put(fold.part, own.part, ROW) for fold, own in zip(folds, of_row, strict=True)),
    ]
    block: list[Stmt] = [
        Let(COUNT, "int64", at_most(size, extent(inner), BLOCK)),
        *(_columns(frame, o, size) for o in moving),
        *(Accumulator(fold.part, fold.dtype, None, MOST_ROWS) for fold in folds),
        *nested(range(frame.kept), one_row),
        *push_for_later(folds, blocks, _each, MOST_ROWS),
    ]
    loop = For(BLOCK, ZERO, extent(inner), tuple(block), step=size)
    return (
        *(Accumulator(_buffer(o), o.dtype, None, MOST_ROWS * size) for o in moving),
        *(Accumulator(fold.tree, fold.dtype, None, LEVELS * MOST_ROWS) for fold in folds),
        Accumulator(blocks, "int64", ZERO),
        earlier_parts(folds, blocks, _each, MOST_ROWS),
        highest_level(),
        *nested(range(frame.kept, inner), [loop]),
        parts_made(),
        *(s for fold in folds for s in combine(fold, blocks, _each, MOST_ROWS)),
        *nested(range(frame.kept), _results(rows, folds, scope)),
    )


def _results(rows: Rows, folds: Sequence[Fold], scope: Scope) -> list[Stmt]:
    """What is folded for a row, and what follows from it."""
    kept, (each,) = indices(rows.frame.kept), rows.plan.passes
    done: list[Stmt] = [*_row_number(rows.frame), *rows.read_once(scope), *once(scope, rows.plan.before, kept)]
    for fold in folds:
        done += [fold.finished(fold.at(fold.total, ROW), scope), *written(scope, fold.node, kept)]
    return [*done, *once(scope, each.after, kept)]


def _row_number(frame: Frame) -> list[Stmt]:
    number: Expr = ZERO
    for d in range(frame.kept):
        number = c_int("{0} * {1} + {2}", number, extent(d), index(d)) if d else index(d)
    return [Let(ROW, "int64", number)]


# ---- columns ---------------------------------------------------------------------------------------


def _moving(frame: Frame) -> list[Operand]:
    """The operands that may differ along the last of the loops."""
    return [o for o in frame.inputs if o.steps[frame.ndim - 1]]


def _columns(frame: Frame, operand: Operand, size: int) -> Columns:
    """The block of all rows of an operand."""
    inner = frame.ndim - 1
    at = {**{d: index(d) for d in range(frame.kept, inner)}, inner: BLOCK}
    return Columns(
        _block(operand), operand.pointer, operand.offset(at), operand.stride(inner), COUNT,
        tuple(extent(d) for d in range(frame.kept)), tuple(map(operand.stride, range(frame.kept))),
        operand.dtype, _buffer(operand), size, _steps(operand),
    )  # fmt: skip


def _block(operand: Operand) -> Name:
    return Name(f"block{operand.k}")


def _buffer(operand: Operand) -> Name:
    return Name(f"columns{operand.k}")


def _steps(operand: Operand) -> Name:
    return Name(f"step{operand.k}")


@dataclass(frozen=True)
class _Column(Block):
    """The operands along a block of one of several rows, which have been put side by side together."""

    def pointers(self, operands: Iterable[Operand]) -> list[Stmt]:
        """Where the row of each begins."""
        return [self.pointer(o) for o in operands if not o.is_scalar]

    def pointer(self, operand: Operand) -> Pointer:
        """Where the row of `operand` begins."""
        if not operand.steps[self.inner]:
            return Pointer(operand.row, operand.pointer, operand.offset(self.at), operand.dtype)
        steps = [
            c_int("{0} * {1}", index(d), Element(_steps(operand), Literal(d, "int64"), "int64"))
            for d in range(self.frame.kept) if operand.steps[d]
        ]  # fmt: skip
        offset = joined(" + ", steps, "int64") if steps else ZERO
        return Pointer(operand.row, _block(operand), offset, operand.dtype)


def _each(statement: Callable[[Expr], Stmt]) -> Stmt:
    return For(K, ZERO, PART_ROWS, (statement(K),), simd=True)
