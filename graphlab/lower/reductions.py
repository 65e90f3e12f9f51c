"""Reductions become loops, with fused pointwise applications in front of the folding.

Rounding must not pile up, whatever the length: blocks are folded in parallel lanes, and the parts of
the blocks pairwise, as a binary counter carries: part number b, counted from 0, is folded with the
parts of levels 0, 1, ... as long as b has 1s there. The order depends on shape and strides alone.

Rows are folded where the reduced inner axis is contiguous (or nothing is): a block of elements goes
through `tile` into the lanes. Columns, side by side in a tile, where the kept inner axis is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphlab.dtypes import itemsize
from graphlab.graph.node import Apply
from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Element,
    Expr,
    Fail,
    For,
    Formula,
    Function,
    If,
    Let,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
    Store,
)
from graphlab.lower.frame import (
    ONE,
    TRUE,
    ZERO,
    Frame,
    Operand,
    Scope,
    c_int,
    converted,
    extent,
    index,
    joined,
    per_element,
    product,
    scalar_prelude,
)
from graphlab.lower.kernels import Row, dense_axis, is_contiguous, nested, steps_along
from graphlab.ops.lowering import Reduction

FEW = 16  # elements are not worth the lanes
LEVELS = 40  # 2**40 blocks
COLUMNS = 64  # side by side
STRETCH = 16  # rows of columns folded one after the other before their part goes to the tree

TILE, LANE, PART, TREE, TOTAL = map(Name, ("tile", "lane", "part", "tree", "total"))
BLOCKS, BLOCK, COUNT, WHOLE, CARRY, LEVEL = map(Name, ("blocks", "block", "count", "whole", "carry", "level"))
ELEMENTS, START, STOP, I, K = map(Name, ("elements", "start", "stop", "i", "k"))  # noqa: E741


@dataclass(frozen=True)
class Fold:
    """The reduction of a kernel: its accumulator's arithmetic and its place."""

    kernel: str
    frame: Frame
    node: Apply
    rule: Reduction

    @property
    def dtype(self) -> str:
        """The accumulator's."""
        return self.rule.dtype

    @property
    def nodes(self) -> tuple[int, ...]:
        """The reduction's number, for the statements that fold."""
        return (self.frame.number[self.node],)

    @property
    def lanes(self) -> int:
        """How many accumulators run in parallel: four vectors of 64 bytes."""
        return min(64, 256 // itemsize(self.dtype))

    @property
    def initial(self) -> Literal | None:
        """The value to start with, if the reduction has one."""
        return None if self.rule.initial is None else Literal(self.rule.initial, self.dtype)

    @property
    def inner(self) -> int:
        """The innermost loop axis: a reduced one."""
        return self.frame.ndim - 1

    @property
    def is_short(self) -> bool:
        """Whether the fold is written where it is used; else it is a function."""
        return self.rule.accumulate.count("{a}") == self.rule.accumulate.count("{x}") == 1

    def rule_of(self, accumulated: Expr, x: Expr) -> Formula:
        """The arithmetic itself."""
        return Formula(self.rule.accumulate.format(a="{0}", x="{1}"), (accumulated, x), self.dtype)

    def op(self, accumulated: Expr, x: Expr) -> Formula:
        """`accumulated` with `x` folded in."""
        if self.is_short:
            return self.rule_of(accumulated, x)
        return Formula(f"{self.kernel}_fold({{0}}, {{1}})", (accumulated, x), self.dtype)

    def block(self, source: Expr) -> Formula:
        """`count` elements of `source` folded into one."""
        return Formula(f"{self.kernel}_block({{0}}, {{1}})", (source, COUNT), self.dtype)

    def at(self, array: Name, i: Expr) -> Element:
        """An element of one of the accumulators."""
        return Element(array, i, self.dtype)

    def put(self, name: Name, value: Expr, lane: Expr | None = None) -> Assign:
        """Assign as part of the reduction."""
        return Assign(name, value, lane, self.nodes)

    def fold_in(self, array: Name, i: Expr, x: Expr) -> Assign:
        """`array[i]` with `x` folded in."""
        return self.put(array, self.op(self.at(array, i), x), i)

    def value(self, scope: Scope) -> Expr:
        """The element to be folded, in the accumulator's dtype."""
        v = self.node.inputs[0]
        return converted(scope.value(v), v.dtype, self.dtype)

    def finished(self, accumulated: Expr, at: Mapping[int, Expr]) -> list[Stmt]:
        """Write the result for the kept indices `at`."""
        (out,) = self.frame.outputs
        if self.rule.finish is not None:
            form = self.rule.finish.format(a="{0}", n="{1}")
            accumulated = Formula(form, (accumulated, ELEMENTS), self.dtype)
        name = Name(f"v{self.nodes[0]}")
        result = converted(accumulated, self.dtype, out.dtype)
        return [
            Let(name, out.dtype, result, self.nodes),
            Store(out.pointer, out.offset(at), out.dtype, name, self.nodes),
        ]


def reduction_kernel(name: str, frame: Frame) -> tuple[tuple[Stmt, ...], tuple[Function, ...]]:
    """The loops of the kernel `name`, which ends in a reduction, and the functions that they call."""
    node = frame.unit.nodes[-1]
    rule = frame.lowerings[node]
    assert isinstance(rule, Reduction)
    fold = Fold(name, frame, node, rule)
    a, x = Name("a"), Name("x")
    two = (Parameter(a, fold.dtype), Parameter(x, fold.dtype))
    once = Function(f"{name}_fold", two, (), fold.rule_of(a, x), fold.dtype, fold.nodes)
    return _loops(fold), (*([] if fold.is_short else [once]), _block_function(fold))


def _loops(fold: Fold) -> tuple[Stmt, ...]:
    frame, scope = fold.frame, Scope(fold.frame)
    start = [*_elements(fold), *scalar_prelude(scope)]
    inputs = frame.inputs
    decides = dense_axis(frame, frame.kept, frame.ndim)
    rows_dense = is_contiguous(inputs, fold.inner, decides)
    if frame.kept == 0:
        return (*start, *_rows(fold, scope, rows_dense, decides))
    inner = frame.kept - 1
    across = dense_axis(frame, 0, frame.kept)
    columns_dense = is_contiguous(inputs, inner, across)
    dense = Let(Name("rows_dense"), "bool", rows_dense)
    otherwise = Formula("!{0}", (dense.name,), "bool")
    columns = joined(" && ", [otherwise, *([columns_dense] if isinstance(columns_dense, Formula) else [])], "bool")
    return (
        *start, dense,
        If(columns, _columns(fold, scope, across), _rows(fold, scope, dense.name, decides)),
    )  # fmt: skip


def _elements(fold: Fold) -> list[Stmt]:
    """How many elements are folded into one; an error if there are none and nothing to start with."""
    kept, ndim = fold.frame.kept, fold.frame.ndim
    statements: list[Stmt] = [Let(ELEMENTS, "int64", product([extent(d) for d in range(kept, ndim)]))]
    if fold.initial is None:
        results = product([extent(d) for d in range(kept)])
        nothing = Formula("{0} == 0 && {1} != 0", (ELEMENTS, results), "bool")
        statements.append(If(nothing, (Fail("GL_ERROR_EMPTY"),)))
    return statements


def indices(axes: int) -> dict[int, Expr]:
    """The loop index along each of the first `axes` axes."""
    return {d: index(d) for d in range(axes)}


def at_most(size: int, extent: Expr, start: Expr) -> Expr:
    """How many elements from `start` on to take at once."""
    return c_int(f"{{0}} - {{1}} < {size} ? {{0}} - {{1}} : {size}", extent, start)


# ---- the tree of parts -----------------------------------------------------------------------------

Each = Callable[[Callable[[Expr], Stmt]], Stmt]  # one statement for each column, or just one


def _push(fold: Fold, each: Each, width: int) -> list[Stmt]:
    """Carry the part of a block into the tree."""
    return [
        Let(CARRY, "int64", c_int("__builtin_ctzll(~{0})", BLOCKS)),
        For(LEVEL, ZERO, CARRY, (each(lambda k: _fold_level(fold, PART, k, width)),)),
        each(lambda k: fold.put(TREE, _lane(fold, PART, k, width), _node(CARRY, k, width))),
        Assign(BLOCKS, c_int("{0} + 1", BLOCKS)),
    ]


def _combine(fold: Fold, each: Each, width: int) -> list[Stmt]:
    """Fold all parts that are left in the tree into `total`."""
    lanes = None if width == 1 else width
    start: Expr | None = fold.initial
    lowest = c_int("__builtin_ctzll({0})", BLOCKS)
    if start is None and lanes is None:
        start = fold.at(TREE, lowest)  # folding a value in twice changes nothing, as in max and min
    begun: list[Stmt] = [Accumulator(TOTAL, fold.dtype, start, lanes, fold.nodes)]
    if start is None:
        begun.append(each(lambda k: _set(fold, TOTAL, fold.at(TREE, _node(lowest, k, width)), k, width)))
    occupied = Formula("{0} >> {1} & 1", (BLOCKS, LEVEL), "bool")
    levels = c_int("64 - __builtin_clzll({0} | 1)", BLOCKS)
    return [*begun, For(LEVEL, ZERO, levels, (
        If(occupied, (each(lambda k: _fold_level(fold, TOTAL, k, width)),)),
    ))]  # fmt: skip


def _fold_level(fold: Fold, name: Name, k: Expr, width: int) -> Assign:
    value = fold.op(fold.at(TREE, _node(LEVEL, k, width)), _lane(fold, name, k, width))
    return _set(fold, name, value, k, width)


def _set(fold: Fold, name: Name, value: Expr, k: Expr, width: int) -> Assign:
    return fold.put(name, value, None if width == 1 else k)


def _lane(fold: Fold, name: Name, k: Expr, width: int) -> Expr:
    return name if width == 1 else fold.at(name, k)


def _node(level: Expr, k: Expr, width: int) -> Expr:
    return level if width == 1 else c_int(f"{{0}} * {width} + {{1}}", level, k)


# ---- rows ------------------------------------------------------------------------------------------


def _rows(fold: Fold, scope: Scope, dense: Expr, decides: int | None) -> tuple[Stmt, ...]:
    frame, size = fold.frame, 16 * fold.lanes
    each: Each = lambda statement: statement(ZERO)  # noqa: E731
    at = {**indices(frame.ndim - 1), fold.inner: BLOCK}
    block = [
        Let(COUNT, "int64", at_most(size, extent(fold.inner), BLOCK)),
        *_folded_block(fold, scope, at, dense, decides),
        *_push(fold, each, 1),
    ]
    blocks = For(BLOCK, ZERO, extent(fold.inner), tuple(block), step=size)
    kept = indices(frame.kept)
    return nested(range(frame.kept), [
        Accumulator(TREE, fold.dtype, None, LEVELS),
        Accumulator(BLOCKS, "int64", ZERO),
        *nested(range(frame.kept, frame.ndim - 1), [blocks]),
        *_combine(fold, each, 1),
        *fold.finished(TOTAL, kept),
    ])  # fmt: skip


def _folded_block(fold: Fold, scope: Scope, at: Mapping[int, Expr], dense: Expr, decides: int | None) -> list[Stmt]:
    """Set `part` to the fold of a block: of what memory holds, if that is all, else of the tile."""
    frame = fold.frame
    straight, crooked = (Row(frame, fold.inner, at, d, decides) for d in (True, False))
    tile = Accumulator(TILE, fold.dtype, None, 16 * fold.lanes)
    direct = _direct(fold, decides)
    if direct is not None:
        from_memory = (*straight.pointers(frame.inputs), fold.put(PART, fold.block(direct.row)))
        from_tile = (tile, *_filled(fold, scope, crooked), fold.put(PART, fold.block(TILE)))
        return [Accumulator(PART, fold.dtype, None, None, fold.nodes), If(dense, from_memory, from_tile)]
    part = Accumulator(PART, fold.dtype, fold.block(TILE), None, fold.nodes)
    if dense == TRUE:
        return [tile, *_filled(fold, scope, straight), part]
    return [tile, If(dense, tuple(_filled(fold, scope, straight)), tuple(_filled(fold, scope, crooked))), part]


def _direct(fold: Fold, decides: int | None) -> Operand | None:
    """The operand whose elements are folded as they lie in memory."""
    operand = fold.frame.operands.get(fold.node.inputs[0])
    if operand is None or operand.dtype != fold.dtype or not steps_along(operand, decides):
        return None
    return operand


def _filled(fold: Fold, scope: Scope, row: Row) -> list[Stmt]:
    """Compute a block of elements into the tile."""
    inside = scope.fork()
    start = [*row.pointers(fold.frame.inputs), *row.once(inside)]
    body = [*row.each(inside, I), *inside.compute(per_element(fold.frame))]
    body.append(fold.put(TILE, fold.value(inside), I))
    return [*start, For(I, ZERO, COUNT, tuple(body), simd=row.dense)]


def _block_function(fold: Fold) -> Function:
    """Fold `count` elements of `x`, few as they come, else side by side in lanes, folded half into half."""
    lanes, x, half, width = fold.lanes, Name("x"), Name("half"), Name("width")
    along = fold.fold_in(LANE, K, fold.at(x, c_int("{0} + {1}", I, K)))
    rest = fold.fold_in(LANE, c_int("{0} - {1}", I, WHOLE), fold.at(x, I))
    halve = fold.fold_in(LANE, K, fold.at(LANE, c_int("{0} + {1}", K, width)))
    few = (
        Accumulator(PART, fold.dtype, fold.at(x, ZERO), None, fold.nodes),
        For(I, ONE, COUNT, (fold.put(PART, fold.op(PART, fold.at(x, I))),)),
        Return(PART),
    )
    body = (
        If(Formula(f"{{0}} <= {FEW}", (COUNT,), "bool"), few),
        Accumulator(LANE, fold.dtype, fold.initial or fold.at(x, ZERO), lanes, fold.nodes),
        Let(WHOLE, "int64", c_int(f"{{0}} / {lanes} * {lanes}", COUNT)),
        For(I, ZERO, WHOLE, (For(K, ZERO, Literal(lanes, "int64"), (along,), simd=True),), step=lanes),
        For(I, WHOLE, COUNT, (rest,), simd=True),
        For(half, ONE, Literal(lanes.bit_length(), "int64"), (
            Let(width, "int64", c_int(f"{lanes} >> {{0}}", half)),
            For(K, ZERO, width, (halve,), simd=True),
        )),
    )  # fmt: skip
    parameters = (Parameter(x, fold.dtype, is_array=True), Parameter(COUNT, "int64"))
    return Function(f"{fold.kernel}_block", parameters, body, fold.at(LANE, ZERO), fold.dtype, fold.nodes)


# ---- columns ---------------------------------------------------------------------------------------


def _columns(fold: Fold, scope: Scope, across: int | None) -> tuple[Stmt, ...]:
    frame, inner = fold.frame, fold.frame.kept - 1

    def each(statement: Callable[[Expr], Stmt]) -> Stmt:
        return For(K, ZERO, Literal(COLUMNS, "int64"), (statement(K),), simd=True)

    at = {**indices(frame.ndim), inner: BLOCK}
    row = Row(frame, inner, at, True, across)
    stretch = [
        Let(STOP, "int64", c_int("{0} + {1}", START, at_most(STRETCH, extent(fold.inner), START))),
        Accumulator(PART, fold.dtype, fold.initial or Literal(0, fold.dtype), COLUMNS, fold.nodes),
        For(index(fold.inner), START, STOP, tuple(_folded_row(fold, scope, row))),
        *_push(fold, each, COLUMNS),
    ]
    stretches = For(START, ZERO, extent(fold.inner), tuple(stretch), step=STRETCH)
    kept = {**indices(inner), inner: c_int("{0} + {1}", BLOCK, K)}
    tile = [
        Let(COUNT, "int64", at_most(COLUMNS, extent(inner), BLOCK)),
        Accumulator(TREE, fold.dtype, None, LEVELS * COLUMNS),
        Accumulator(BLOCKS, "int64", ZERO),
        *nested(range(frame.kept, frame.ndim - 1), [stretches]),
        *_combine(fold, each, COLUMNS),
        For(K, ZERO, COUNT, tuple(fold.finished(fold.at(TOTAL, K), kept))),
    ]
    return nested(range(inner), [For(BLOCK, ZERO, extent(inner), tuple(tile), step=COLUMNS)])


def _folded_row(fold: Fold, scope: Scope, row: Row) -> list[Stmt]:
    """Fold a row of the columns into their parts."""
    inside = scope.fork()
    start = [*row.pointers(fold.frame.inputs), *row.once(inside)]
    body = [*row.each(inside, K), *inside.compute(per_element(fold.frame))]
    folded: Expr = fold.op(fold.at(PART, K), fold.value(inside))
    if fold.initial is None:  # the first row of a stretch starts its part
        first = Formula("{0} == {1}", (index(fold.inner), START), "bool")
        folded = Formula("{0} ? {1} : {2}", (first, fold.value(inside), folded), fold.dtype)
    body.append(fold.put(PART, folded, K))
    return [*start, For(K, ZERO, COUNT, tuple(body), simd=True)]
