"""Which loops a kernel with reductions has: row by row, in strips of rows, or along a few long ones."""

from __future__ import annotations

from dataclasses import dataclass

from graphlab.dtypes import itemsize
from graphlab.loops.ir import Expr, Formula, If, Let, Name, Stmt
from graphlab.lower.frame import FEW, TRUE, ZERO, Frame, Scope, scalar_prelude
from graphlab.lower.kernels import dense_axis, is_contiguous
from graphlab.lower.parts import PART_ELEMENTS, PART_ROWS
from graphlab.lower.passes import Passes, passes_of
from graphlab.lower.reductions import Rule, Use, count_elements, folds_of, functions_of
from graphlab.lower.rows import Rows, block_size, in_lanes
from graphlab.lower.strips import any_length, few_elements, strips
from graphlab.lower.tall import can_be_tall, tall


@dataclass(frozen=True, slots=True)
class RowKernel:
    """The loops of a kernel and what they need: fields as those of loops/ir.py, Kernel."""

    body: tuple[Stmt, ...]
    functions: tuple[Use, ...] = ()
    scratch: int = 0
    folds: int = 0
    block: int = 0


def row_kernel(frame: Frame, rules: dict[Rule, int]) -> RowKernel:
    """A kernel that runs row by row; `rules` numbers those that the program's kernels fold by."""
    folds, plan, scope = folds_of(frame, rules), passes_of(frame), Scope(frame)
    functions = functions_of(
        folds.values(), {n for each in plan.passes if in_lanes(frame, each, folds) for n in each.folds}
    )
    folds_all, long = len(plan.passes) == 1 and not frame.kept, can_be_tall(frame, plan)
    earlier = PART_ELEMENTS if folds_all or long else ZERO
    start = [*count_elements(frame, folds.values(), earlier), *scalar_prelude(scope)]
    kernel = Rows(frame, plan, folds, scope)
    scratch = sum(itemsize(v.dtype) for v in plan.kept)
    if folds_all:
        loops = kernel.all_folded()
        return RowKernel((*start, *loops), functions, 0, len(folds), block_size(folds.values()))
    loops = kernel.loops()
    if frame.kept:
        dense = Let(Name("rows_dense"), "bool", _rows_are_dense(frame))
        across = few_elements(frame, frame.side_by_side)
        if dense.value != TRUE:
            across = Formula("{0} || (!{1} && {2})", (across, dense.name, _worth_strips(frame, plan)), "bool")
        loops = (dense, If(across, strips(frame, plan, folds, scope.fork()), loops))
    if long:
        a_few = Formula("{0} > 0", (PART_ROWS,), "bool")
        loops = (If(a_few, tall(kernel), loops),)
        return RowKernel((*start, *loops), functions, 0, len(folds), block_size(folds.values()))
    return RowKernel((*start, *loops), functions, scratch)


def _rows_are_dense(frame: Frame) -> Expr:
    """The condition that elements of rows are neighbours in memory."""
    decides = dense_axis(frame, frame.kept, frame.ndim)
    along = [o for o in frame.operands.values() if not o.is_output or any(o.axes[frame.kept :])]
    return is_contiguous(along, frame.ndim - 1, decides)


def _worth_strips(frame: Frame, plan: Passes) -> Formula:
    """The condition that rows whose elements are not are better folded in strips."""
    few, closer = few_elements(frame, FEW), any_length(frame, plan)
    return few if closer is None else Formula("({0} || {1})", (few, closer), "bool")
