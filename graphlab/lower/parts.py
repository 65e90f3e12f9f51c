"""Kernels that fold all elements into one value, or those of a few rows, in parts that threads can make side by side.

A part is the value of a node of the tree of blocks, of a whole subtree: whoever makes it folds the blocks of that
subtree alone, as if there were no others. A run may make several, one after the other, which are left side by side.
Then the kernel runs once more, on the elements behind the parts. It begins with the tree as it is after all of them,
so what comes out has the bits of a run in one go. How many parts there are, and where they lie, the runtime says
(csrc/gl_kernel.c): the names below are fields of its gl_parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from graphlab.loops.ir import Accumulator, Assign, Expr, For, Formula, If, Let, Load, Name, Return, Stmt, Store
from graphlab.lower.frame import ZERO, c_int
from graphlab.lower.reductions import Each, Fold, push

PART = 16  # bytes: GL_PART
PART_ROWS, PART_COUNT, PART_LEVEL, PART_ELEMENTS, PART_MEMORY = map(
    Name, ("part_rows", "part_count", "part_level", "part_elements", "part_memory")
)
P, HIGHEST = Name("p"), Name("highest")


def alone(statement: Callable[[Expr], Stmt]) -> Stmt:
    """`statement` for the one row that there is."""
    return statement(ZERO)


def earlier_parts(folds: Sequence[Fold], blocks: Name, each: Each = alone, width: int = 1) -> For:
    """Put the parts before these elements into the trees, as if their blocks had been folded just now."""
    read: list[Stmt] = []
    for k, fold in enumerate(folds):
        at = functools.partial(_place, len(folds), k, P, width)
        if width == 1:
            read.append(Accumulator(fold.part, fold.dtype, Load(PART_MEMORY, at(ZERO), fold.dtype), None, fold.nodes))
        else:
            read += [Accumulator(fold.part, fold.dtype, None, width), each(functools.partial(_read, fold, at))]
    last = Assign(blocks, c_int("{0} + (1LL << {1}) - 1", blocks, PART_LEVEL))  # the number of the part's last block
    return For(P, ZERO, PART_COUNT, (*read, last, *push(folds, blocks, each, width, PART_LEVEL)))


def highest_level() -> Let:
    """The level of the parts that are to be made; where none are, one that no tree has."""
    return Let(HIGHEST, "int64", c_int("{0} < 0 ? {1} : 63", PART_COUNT, PART_LEVEL))


def push_for_later(folds: Sequence[Fold], blocks: Name, each: Each = alone, width: int = 1) -> list[Stmt]:
    """Carry the part of a block into the trees; where these elements are parts, leave each of them in its place."""
    number = c_int("({0} >> {1})", blocks, PART_LEVEL)
    left = [
        each(functools.partial(_write, fold, width, functools.partial(_place, len(folds), k, number, width)))
        for k, fold in enumerate(folds)
    ]
    return push(folds, blocks, each, width, highest=HIGHEST, reached=left)


def parts_made() -> If:
    """Where these elements are parts, that is all."""
    return If(Formula("{0} < 0", (PART_COUNT,), "bool"), (Return(ZERO),))


def _place(folds: int, k: int, part: Expr, width: int, row: Expr) -> Expr:
    """Where fold `k` has the value of a row in a part."""
    number = part if width == 1 else c_int("({0} * {1} + {2})", part, PART_ROWS, row)
    return c_int(f"{{0}} * {PART * folds} + {PART * k}", number)


def _read(fold: Fold, at: Callable[[Expr], Expr], row: Expr) -> Stmt:
    return fold.put(fold.part, Load(PART_MEMORY, at(row), fold.dtype), row)


def _write(fold: Fold, width: int, at: Callable[[Expr], Expr], row: Expr) -> Stmt:
    return Store(PART_MEMORY, at(row), fold.dtype, fold.part if width == 1 else fold.at(fold.part, row), fold.nodes)
