"""Reductions along columns: where the kept inner axis is contiguous, many columns are folded side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlab.graph.node import Apply
from graphlab.loops.ir import Accumulator, Expr, For, Let, Literal, Load, Name, Stmt, Store
from graphlab.lower.frame import ZERO, Frame, Scope, c_int, extent, index, per_element, row_reads
from graphlab.lower.kernels import Row, dense_axis, is_contiguous, nested
from graphlab.lower.passes import Passes
from graphlab.lower.reductions import BLOCK, COUNT, LEVELS, Fold, K, at_most, combine, indices, push

COLUMNS = 64  # side by side
STRETCH = 16  # rows of columns folded one after the other before their part goes to the tree
START, STOP, BLOCKS = map(Name, ("start", "stop", "blocks"))


def columns(frame: Frame, plan: Passes, folds: Mapping[Apply, Fold], scope: Scope) -> tuple[tuple[Stmt, ...], Expr]:
    """The loops that fold columns, and the condition that these lie side by side in memory."""
    inner, last = frame.kept - 1, frame.ndim - 1
    across = dense_axis(frame, 0, frame.kept)
    stretch = [
        Let(STOP, "int64", c_int("{0} + {1}", START, at_most(STRETCH, extent(last), START))),
        *(Accumulator(f.part, f.dtype, None, COLUMNS, f.nodes) for f in folds.values()),
        *_row(frame, folds, scope, START, begins=True),
        For(index(last), c_int("{0} + 1", START), STOP, tuple(_row(frame, folds, scope, index(last), begins=False))),
        *push(folds.values(), BLOCKS, _each, COLUMNS),
    ]
    stretches = For(START, ZERO, extent(last), tuple(stretch), step=STRETCH)
    tile: list[Stmt] = [
        Let(COUNT, "int64", at_most(COLUMNS, extent(inner), BLOCK)),
        *(Accumulator(f.tree, f.dtype, None, LEVELS * COLUMNS) for f in folds.values()),
        Accumulator(BLOCKS, "int64", ZERO),
        *nested(range(frame.kept, last), [stretches]),
    ]
    for fold in folds.values():
        tile += combine(fold, BLOCKS, _each, COLUMNS)
    tile.append(For(K, ZERO, COUNT, tuple(_finished(frame, plan, folds, scope.fork()))))
    loops = nested(range(inner), [For(BLOCK, ZERO, extent(inner), tuple(tile), step=COLUMNS)])
    return loops, is_contiguous(frame.inputs, inner, across)


def _each(statement: Callable[[Expr], Stmt]) -> Stmt:
    return For(K, ZERO, Literal(COLUMNS, "int64"), (statement(K),), simd=True)


def _row(frame: Frame, folds: Mapping[Apply, Fold], scope: Scope, at: Expr, begins: bool) -> list[Stmt]:
    """Row `at` of the columns, which `begins` the parts of a stretch, or is folded into them."""
    inner, inside = frame.kept - 1, scope.fork()
    where = {**indices(frame.ndim - 1), inner: BLOCK, frame.ndim - 1: at}
    row = Row(frame, inner, where, True, dense_axis(frame, 0, frame.kept))
    start = [*row.pointers(frame.inputs), *row.once(inside)]
    body: list[Stmt] = [*row.each(inside, K), *inside.compute(per_element(frame))]
    for fold in folds.values():
        value = fold.value(inside)
        body.append(fold.put(fold.part, value if begins else fold.op(fold.at(fold.part, K), value), K))
    return [*start, For(K, ZERO, COUNT, tuple(body), simd=True)]


def _finished(frame: Frame, plan: Passes, folds: Mapping[Apply, Fold], scope: Scope) -> list[Stmt]:
    """The results of one column, and what is computed from them."""
    inner = frame.kept - 1
    at = {**indices(inner), inner: c_int("{0} + {1}", BLOCK, K)}
    statements: list[Stmt] = [fold.finished(fold.at(fold.total, K), scope) for fold in folds.values()]
    statements += [
        scope.load(v, Load(o.pointer, o.offset(at), o.dtype))
        for v, o in row_reads(frame) if v not in scope.values
    ]  # fmt: skip
    statements += scope.compute((*plan.before, *plan.passes[0].after))
    for v in frame.unit.outputs:
        assert v.owner is not None
        operand = frame.operands[v]
        statements.append(
            Store(operand.pointer, operand.offset(at), operand.dtype, scope.value(v), (frame.number[v.owner],))
        )
    return statements
