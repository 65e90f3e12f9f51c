"""Kernels that fold all elements into one value, in parts that threads can make side by side.

A part is the value of a node of the tree of blocks, of a whole subtree: whoever makes it folds the blocks of that
subtree alone, as if there were no others. Then the kernel runs once more, on the elements behind the parts. It
begins with the tree as it is after all of them, so what comes out has the bits of a run in one go. How many parts
there are, and where they lie, the runtime says (csrc/gl_kernel.c): the names below are fields of its gl_parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlab.loops.ir import Accumulator, Assign, For, Formula, If, Load, Name, Return, Stmt, Store
from graphlab.lower.frame import ZERO, c_int
from graphlab.lower.reductions import Fold, push

PART = 16  # bytes: GL_PART
PART_COUNT, PART_LEVEL, PART_ELEMENTS, PART_MEMORY = map(
    Name, ("part_count", "part_level", "part_elements", "part_memory")
)
P = Name("p")


def earlier_parts(folds: Sequence[Fold], blocks: Name) -> For:
    """Put the parts before these elements into the trees, as if their blocks had been folded just now."""
    where = [c_int(f"{{0}} * {PART * len(folds)} + {PART * k}", P) for k in range(len(folds))]
    read: list[Stmt] = [
        Accumulator(fold.part, fold.dtype, Load(PART_MEMORY, offset, fold.dtype), None, fold.nodes)
        for fold, offset in zip(folds, where, strict=True)
    ]
    last = Assign(blocks, c_int("{0} + (1LL << {1}) - 1", blocks, PART_LEVEL))  # the number of the part's last block
    body = (*read, last, *push(folds, blocks, lambda statement: statement(ZERO), 1, PART_LEVEL))
    return For(P, ZERO, PART_COUNT, body)


def part_for_later(folds: Sequence[Fold]) -> If:
    """Where these elements are a part, that is all."""
    body: list[Stmt] = [
        Store(PART_MEMORY, c_int(str(PART * k)), fold.dtype, fold.at(fold.tree, PART_LEVEL), fold.nodes)
        for k, fold in enumerate(folds)
    ]
    return If(Formula("{0} < 0", (PART_COUNT,), "bool"), (*body, Return(ZERO)))
