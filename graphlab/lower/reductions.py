"""Folding: the arithmetic that reductions share, by rows (rows.py) or in strips (strips.py).

Rounding must not pile up, whatever the length: blocks are folded in parallel lanes, and the parts of
the blocks pairwise, as a binary counter carries: part number b, counted from 0, is folded with the
parts of levels 0, 1, ... as long as b has 1s there. The order depends on shape and strides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

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
    Nodes,
    Parameter,
    Return,
    Stmt,
)
from graphlab.lower.frame import FEW, ONE, ZERO, Frame, Scope, c_int, converted, extent, index, product
from graphlab.ops.lowering import Reduction

Rule = tuple[str, Literal | None, str]  # what is folded how, from what on, and its dtype
Use = tuple[Function, Nodes]

LEVELS = 40  # 2**40 blocks
LAST = 8  # lanes that are folded one by one

LANE, COUNT, WHOLE, FIRST, I, K = map(Name, ("lane", "count", "whole", "first", "i", "k"))  # noqa: E741
BLOCK, CARRY, LEVEL, ELEMENTS = map(Name, ("block", "carry", "level", "elements"))


@dataclass(frozen=True)
class Fold:
    """A reduction of a kernel: its accumulator's arithmetic and its place; `suffix` tells it from others there.

    `name` begins the names of the functions that fold so, wherever in the program; `position` is the node's.
    """

    name: str
    node: Apply
    rule: Reduction
    position: int
    suffix: str = ""

    @property
    def dtype(self) -> str:
        """The accumulator's."""
        return self.rule.dtype

    @property
    def nodes(self) -> tuple[int, ...]:
        """The reduction's position, for the statements that fold."""
        return (self.position,)

    @property
    def lanes(self) -> int:
        """How many accumulators run in parallel: four vectors of 64 bytes."""
        return min(64, 256 // itemsize(self.dtype))

    @property
    def vector(self) -> int:
        """How many accumulators are one vector."""
        return min(self.lanes, 64 // itemsize(self.dtype))

    @property
    def lane(self) -> Name:
        """The accumulators."""
        return Name(f"lane{self.suffix}")

    @property
    def tile(self) -> Name:
        """The elements of a block, ready to be folded."""
        return Name(f"tile{self.suffix}")

    @property
    def part(self) -> Name:
        """A block, folded."""
        return Name(f"part{self.suffix}")

    @property
    def tree(self) -> Name:
        """The parts that wait for others."""
        return Name(f"tree{self.suffix}")

    @property
    def total(self) -> Name:
        """All parts, folded."""
        return Name(f"total{self.suffix}")

    @property
    def initial(self) -> Literal | None:
        """The value to start with, if the reduction has one."""
        return None if self.rule.initial is None else Literal(self.rule.initial, self.dtype)

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
        return Formula(f"{self.name}({{0}}, {{1}})", (accumulated, x), self.dtype)

    def block(self, source: Expr) -> Formula:
        """`count` elements of `source` folded into one."""
        return Formula(f"{self.name}_block({{0}}, {{1}})", (source, COUNT), self.dtype)

    def accumulated(self, rest: Expr) -> Formula:
        """`count` elements folded into one: those of `rest`, and unless they are few those in the lanes."""
        arguments = (COUNT, WHOLE, rest, self.lane)
        few, many = f"{self.name}_block({{2}}, {{0}})", f"{self.name}_lanes({{3}}, {{2}}, {{0}} - {{1}})"
        return Formula(f"{{0}} <= {FEW} ? {few} : {many}", arguments, self.dtype)

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

    def finished(self, accumulated: Expr, scope: Scope) -> Let:
        """The result, which `scope` knows from here on."""
        if self.rule.finish is not None:
            form = self.rule.finish.format(a="{0}", n="{1}")
            accumulated = Formula(form, (accumulated, ELEMENTS), self.dtype)
        name, dtype = Name(f"v{self.nodes[0]}"), self.node.output.dtype
        scope.values[self.node.output] = name
        return Let(name, dtype, converted(accumulated, self.dtype, dtype), self.nodes)


def folds_of(frame: Frame, numbers: dict[Rule, int]) -> dict[Apply, Fold]:
    """The reductions of a kernel; `numbers` are those of the rules in the program, and grow."""
    rules = {n: rule for n in frame.unit.nodes if isinstance(rule := frame.lowerings[n], Reduction)}
    suffixes = [""] if len(rules) == 1 else [f"_{k}" for k in range(len(rules))]
    return {
        n: Fold(f"fold_{numbers.setdefault(_rule(rule), len(numbers))}", n, rule, frame.number[n], suffix)
        for (n, rule), suffix in zip(rules.items(), suffixes, strict=True)
    }


def _rule(rule: Reduction) -> Rule:
    return rule.accumulate, None if rule.initial is None else Literal(rule.initial, rule.dtype), rule.dtype


def functions_of(folds: Iterable[Fold], in_lanes: Collection[Apply]) -> tuple[Use, ...]:
    """The functions that folding calls, each once; `in_lanes` are the reductions that fold straight into lanes."""
    same: dict[str, list[Fold]] = {}
    for fold in folds:
        same.setdefault(fold.name, []).append(fold)
    return tuple(
        (function, tuple(fold.position for fold in some))
        for some in same.values()
        for function in _functions(
            replace(some[0], position=0, suffix=""), any(fold.node in in_lanes for fold in some)
        )
    )  # fmt: skip


def _functions(fold: Fold, in_lanes: bool) -> list[Function]:
    a, x = Name("a"), Name("x")
    two = (Parameter(a, fold.dtype), Parameter(x, fold.dtype))
    once = Function(fold.name, two, (), fold.rule_of(a, x), fold.dtype)
    lanes = [_lanes_function(fold)] if in_lanes else []
    return [*([] if fold.is_short else [once]), _halved_function(fold), _block_function(fold), *lanes]


def count_elements(frame: Frame, folds: Iterable[Fold], earlier: Expr = ZERO) -> list[Stmt]:
    """How many elements a row has, with those `earlier`; an error if none, and a fold has nothing to start with.

    There may be no rows either: NumPy refuses that too.
    """
    count = product([extent(d) for d in range(frame.kept, frame.ndim)])
    count = count if earlier == ZERO else c_int("{0} + {1}", count, earlier)
    statements: list[Stmt] = [Let(ELEMENTS, "int64", count)]
    if any(fold.initial is None for fold in folds):
        statements.append(If(Formula("{0} == 0", (ELEMENTS,), "bool"), (Fail("GL_ERROR_EMPTY"),)))
    return statements


def indices(axes: int) -> dict[int, Expr]:
    """The loop index along each of the first `axes` axes."""
    return {d: index(d) for d in range(axes)}


def at_most(size: int, extent: Expr, start: Expr) -> Expr:
    """How many elements from `start` on to take at once."""
    return c_int(f"{{0}} - {{1}} < {size} ? {{0}} - {{1}} : {size}", extent, start)


# ---- the tree of parts -----------------------------------------------------------------------------

Each = Callable[[Callable[[Expr], Stmt]], Stmt]  # one statement for each column, or just one


def push(
    folds: Iterable[Fold], blocks: Name, each: Each, width: int, lowest: Expr = ZERO, highest: Expr | None = None,
    reached: Sequence[Stmt] = (),
) -> list[Stmt]:  # fmt: skip
    """Carry the part of a block into each fold's tree; `lowest`: the level of its node.

    Above the level `highest` nothing is joined; `reached` is done with each node there.
    """
    bound = "__builtin_ctzll(~{0})" if highest is None else "__builtin_ctzll(~{0} | 1ULL << {1})"
    carried: list[Stmt] = [Let(CARRY, "int64", c_int(bound, blocks, *([] if highest is None else [highest])))]
    for fold in folds:
        carried += [For(LEVEL, lowest, CARRY, (each(_fold_levels(fold, width)),)), each(_put_part(fold, width))]
    if highest is not None:
        carried.append(If(Formula("{0} == {1}", (CARRY, highest), "bool"), tuple(reached)))
    return [*carried, Assign(blocks, c_int("{0} + 1", blocks))]


def _fold_levels(fold: Fold, width: int) -> Callable[[Expr], Stmt]:
    return lambda k: _fold_level(fold, fold.part, k, width)


def _put_part(fold: Fold, width: int) -> Callable[[Expr], Stmt]:
    return lambda k: fold.put(fold.tree, _lane(fold, fold.part, k, width), _node(CARRY, k, width))


def combine(fold: Fold, blocks: Name, each: Each, width: int) -> list[Stmt]:
    """Fold all parts that are left in the tree into `total`."""
    lanes = None if width == 1 else width
    start: Expr | None = fold.initial
    lowest = c_int("__builtin_ctzll({0})", blocks)
    if start is None and lanes is None:
        start = fold.at(fold.tree, lowest)  # folding a value in twice changes nothing, as in max and min
    begun: list[Stmt] = [Accumulator(fold.total, fold.dtype, start, lanes, fold.nodes)]
    if start is None:
        begun.append(each(lambda k: _set(fold, fold.total, fold.at(fold.tree, _node(lowest, k, width)), k, width)))
    occupied = Formula("{0} >> {1} & 1", (blocks, LEVEL), "bool")
    levels = c_int("64 - __builtin_clzll({0} | 1)", blocks)
    return [*begun, For(LEVEL, ZERO, levels, (
        If(occupied, (each(lambda k: _fold_level(fold, fold.total, k, width)),)),
    ))]  # fmt: skip


def total_of_one(fold: Fold, each: Each, width: int) -> list[Stmt]:
    """The part of the only block, as `combine` makes it the total of `width` rows."""

    def whole(k: Expr) -> Stmt:
        part = fold.at(fold.part, k)
        return fold.put(fold.total, part if fold.initial is None else fold.op(part, fold.at(fold.total, k)), k)

    return [Accumulator(fold.total, fold.dtype, fold.initial, width, fold.nodes), each(whole)]


def _fold_level(fold: Fold, name: Name, k: Expr, width: int) -> Assign:
    value = fold.op(fold.at(fold.tree, _node(LEVEL, k, width)), _lane(fold, name, k, width))
    return _set(fold, name, value, k, width)


def _set(fold: Fold, name: Name, value: Expr, k: Expr, width: int) -> Assign:
    return fold.put(name, value, None if width == 1 else k)


def _lane(fold: Fold, name: Name, k: Expr, width: int) -> Expr:
    return name if width == 1 else fold.at(name, k)


def _node(level: Expr, k: Expr, width: int) -> Expr:
    return level if width == 1 else c_int(f"{{0}} * {width} + {{1}}", level, k)


# ---- blocks in lanes -------------------------------------------------------------------------------


def whole_lanes(fold: Fold) -> Let:
    """How many of the elements of a block fill the lanes again and again; none of a few."""
    lanes = fold.lanes
    many = f"{{0}} / {lanes} * {lanes}"
    return Let(WHOLE, "int64", c_int(f"{{0}} <= {FEW} ? 0 : {many}" if lanes <= FEW else many, COUNT))


def by_vectors(folds: Sequence[Fold], body: Sequence[Stmt]) -> For:
    """`body` for elements i + k of all lanes, vector by vector, so that these accumulators stay in registers."""
    (lanes,), vector = {fold.lanes for fold in folds}, min(fold.vector for fold in folds)
    one = For(K, FIRST, c_int(f"{{0}} + {vector}", FIRST), tuple(body), simd=True)
    every = For(FIRST, ZERO, Literal(lanes, "int64"), (one,), step=vector, unroll=lanes // vector)
    return For(I, ZERO, WHOLE, (every,), step=lanes)


def _block_function(fold: Fold) -> Function:
    """Fold `count` elements of `x`, few as they come, else side by side in lanes, folded half into half."""
    x = Name("x")
    along = fold.fold_in(LANE, K, fold.at(x, c_int("{0} + {1}", I, K)))
    rest = fold.fold_in(LANE, c_int("{0} - {1}", I, WHOLE), fold.at(x, I))
    few = (
        Accumulator(fold.part, fold.dtype, fold.at(x, ZERO), None, fold.nodes),
        For(I, ONE, COUNT, (fold.put(fold.part, fold.op(fold.part, fold.at(x, I))),)),
        Return(fold.part),
    )
    body = (
        If(Formula(f"{{0}} <= {FEW}", (COUNT,), "bool"), few),
        Accumulator(LANE, fold.dtype, fold.initial or fold.at(x, ZERO), fold.lanes, fold.nodes),
        Let(WHOLE, "int64", c_int(f"{{0}} / {fold.lanes} * {fold.lanes}", COUNT)),
        by_vectors([fold], [along]),
        For(I, WHOLE, COUNT, (rest,), simd=True),
    )
    parameters = (Parameter(x, fold.dtype, is_array=True), Parameter(COUNT, "int64"))
    return Function(f"{fold.name}_block", parameters, body, _halved(fold, LANE), fold.dtype)


def _lanes_function(fold: Fold) -> Function:
    """Fold the `count` elements of `x`, which do not fill them, and the lanes `from` into one."""
    x, source = Name("x"), Name("from")
    body = (
        If(Formula("{0} == 0", (COUNT,), "bool"), (Return(_halved(fold, source)),)),
        Accumulator(LANE, fold.dtype, None, fold.lanes, fold.nodes),
        For(K, ZERO, Literal(fold.lanes, "int64"), (fold.put(LANE, fold.at(source, K), K),), simd=True),
        For(I, ZERO, COUNT, (fold.fold_in(LANE, I, fold.at(x, I)),), simd=True),
    )
    parameters = (
        Parameter(source, fold.dtype, is_array=True), Parameter(x, fold.dtype, is_array=True), Parameter(COUNT, "int64")
    )  # fmt: skip
    return Function(f"{fold.name}_lanes", parameters, body, _halved(fold, LANE), fold.dtype)


def _halved(fold: Fold, lanes: Name) -> Formula:
    return Formula(f"{fold.name}_halved({{0}})", (lanes,), fold.dtype)


def _halved_function(fold: Fold) -> Function:
    """One half of the lanes folded into the other, and so on, until there is one.

    They become LAST at once, in vectors, and these one by one, in registers: halves that are stored and read again,
    down to one, took as long as folding 800 elements.
    """
    last = Name("last")

    def tree(array: Name, at: Callable[[int], Expr], lane: int, width: int, lanes: int) -> Expr:
        """What the lanes at lane, lane + width, lane + 2 * width, ... fold into."""
        if width == lanes:
            return fold.at(array, at(lane))
        halves = (tree(array, at, first, 2 * width, lanes) for first in (lane, lane + width))
        return fold.op(*halves)

    along = tree(LANE, lambda lane: c_int(f"{{0}} + {lane}", K) if lane else K, 0, LAST, fold.lanes)
    body = (
        Accumulator(last, fold.dtype, None, LAST, fold.nodes),
        For(K, ZERO, Literal(LAST, "int64"), (fold.put(last, along, K),), simd=True),
    )
    one = tree(last, lambda lane: Literal(lane, "int64"), 0, 1, LAST)
    return Function(f"{fold.name}_halved", (Parameter(LANE, fold.dtype, is_array=True),), body, one, fold.dtype)
