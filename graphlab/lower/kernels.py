"""Fused applications become loops.

A kernel of pointwise applications is one nest over the broadcast of its inputs. Its loop is for elements that lie side
by side; the runtime puts them so where they do not, some at a time (csrc/gl_beside.c). So the C compiler has one loop
to look at, and that is vector code wherever the operands lie. Operands that stay the same along the rows, as their
types say, are better read once in each row: a kernel with such operands has loops over rows, which are written twice
unless the body is long: for an inner axis along which all others are contiguous, and for any strides. Reductions are in
reductions.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphlab.dtypes import itemsize
from graphlab.graph.node import Apply, Variable
from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Element,
    Expr,
    For,
    If,
    Let,
    Load,
    Name,
    Pointer,
    Stmt,
    Store,
)
from graphlab.lower.frame import (
    TRUE,
    ZERO,
    Frame,
    Operand,
    Scope,
    c_int,
    extent,
    index,
    joined,
    per_element,
    reads,
    scalar_prelude,
)
from graphlab.lower.segments import TILE, segments

TILE_START, TILE_STOP = map(Name, ("tile_start", "tile_stop"))

LONG = 20  # applications: a body that is not written twice

# ---- contiguity ----------------------------------------------------------------------------------


def dense_axis(frame: Frame, first: int, last: int) -> int | None:
    """The axis of loop axes first..last-1 that decides contiguity: the last one not certainly of extent 1."""
    return next((d for d in reversed(range(first, last)) if any(o.axes[d] for o in frame.operands.values())), None)


def steps_along(operand: Operand, axis: int | None) -> bool:
    """Whether the operand has a stride along the axis that decides."""
    return axis is not None and operand.axes[axis]


def is_contiguous(operands: Sequence[Operand], inner: int, decides: int | None) -> Expr:
    """The condition that along loop axis `inner` each operand has the stride that its static shape lets expect."""
    wanted = [
        c_int(f"{{0}} == {itemsize(o.dtype) if steps_along(o, decides) else 0}", o.stride(inner))
        for o in operands
        if not o.is_scalar
    ]
    return joined(" && ", wanted, "bool") if wanted else TRUE


# ---- rows: the two ways to walk the inner axis -----------------------------------------------------


@dataclass(frozen=True)
class Row:
    """The operands along the inner axis `inner`, the outer indices being `at`.

    `dense`: as typed pointers with unit stride (`decides` is the axis that tells which have stride 0);
    otherwise as byte pointers with any stride.
    """

    frame: Frame
    inner: int
    at: Mapping[int, Expr]
    dense: bool
    decides: int | None

    def pointers(self, operands: Iterable[Operand]) -> list[Stmt]:
        """Where the row of each begins."""
        return [
            Pointer(o.row, o.pointer, o.offset(self.at), o.dtype if self.dense else None, o.is_output)
            for o in operands
            if o.is_output or not o.is_scalar
        ]

    def once(self, scope: Scope) -> list[Stmt]:
        """Read the inputs that stay the same along a dense row."""
        if not self.dense:
            return []
        still = [v for v, o in self.unread(scope) if not self.moves(o)]
        return [scope.load(v, Element(scope.frame.operands[v].row, ZERO, v.dtype)) for v in still]

    def moves(self, operand: Operand) -> bool:
        """Whether a dense row of `operand` has an element for each index."""
        return steps_along(operand, self.decides)

    def each(self, scope: Scope, i: Expr) -> list[Stmt]:
        """Read the other inputs at index `i`."""
        return [scope.load(v, self.element(o, i)) for v, o in self.unread(scope)]

    def unread(self, scope: Scope) -> list[tuple[Variable, Operand]]:
        """The inputs that are not read yet."""
        return [(v, o) for v, o in reads(scope.frame) if v not in scope.values]

    def element(self, operand: Operand, i: Expr) -> Expr:
        """Element `i` of the operand's row."""
        if self.dense:
            return Element(operand.row, i, operand.dtype)
        return Load(operand.row, c_int("{0} * {1}", i, operand.stride(self.inner)), operand.dtype)

    def store(self, operand: Operand, i: Expr, value: Expr, nodes: tuple[int, ...]) -> Stmt:
        """Write element `i` of an output's row."""
        if self.dense:
            return Assign(operand.row, value, i, nodes)
        return Store(operand.row, c_int("{0} * {1}", i, operand.stride(self.inner)), operand.dtype, value, nodes)


def nested(axes: Iterable[int], body: Iterable[Stmt]) -> tuple[Stmt, ...]:
    """`body` inside one loop for each of `axes`, the first outermost."""
    inside = tuple(body)
    for axis in reversed(tuple(axes)):
        inside = (For(index(axis), ZERO, extent(axis), inside),)
    return inside


# ---- pointwise kernels ---------------------------------------------------------------------------


def is_written_once(frame: Frame) -> bool:
    """Whether a kernel is one loop over elements that the runtime puts side by side."""
    if frame.ndim == 0 or frame.space.reduce:
        return False
    decides = dense_axis(frame, 0, frame.ndim)
    stays = any(not o.is_scalar and not steps_along(o, decides) for o in frame.inputs)
    return not stays or len(per_element(frame)) >= LONG


def pointwise_body(frame: Frame) -> tuple[Stmt, ...]:
    """The loops of a kernel without a reduction."""
    scope = Scope(frame)
    prelude = scalar_prelude(scope)
    if frame.ndim == 0:
        return tuple(_single_element(scope))
    if is_written_once(frame):
        return (*prelude, *_side_by_side(scope))
    inner, outer = frame.ndim - 1, tuple(range(frame.ndim - 1))
    decides = dense_axis(frame, 0, frame.ndim)

    def loops(dense: bool) -> tuple[Stmt, ...]:
        row, inside = Row(frame, inner, {d: index(d) for d in outer}, dense, decides), scope.fork()
        start = [*row.pointers(frame.operands.values()), *row.once(inside)]
        body = _elements(row, inside, index(inner))
        return nested(outer, [*start, For(index(inner), ZERO, extent(inner), tuple(body), simd=dense)])

    condition = is_contiguous(list(frame.operands.values()), inner, decides)
    return (*prelude, If(condition, loops(True), loops(False)))


def _side_by_side(scope: Scope) -> list[Stmt]:
    """The loop over elements that are side by side; a loop for each segment where the body is very long."""
    frame = scope.frame
    row = Row(frame, 0, {}, True, None)
    start = row.pointers(frame.operands.values())
    parts = segments(per_element(frame), frame.unit.outputs)
    if len(parts) > 1:
        return [*start, *_in_tiles(row, scope, parts)]
    body = _elements(row, scope, index(0))
    return [*start, For(index(0), ZERO, extent(0), tuple(body), simd=True)]


def _elements(row: Row, scope: Scope, i: Expr) -> list[Stmt]:
    frame = row.frame
    body: list[Stmt] = [*row.each(scope, i), *scope.compute(per_element(frame))]
    return body + [row.store(o, i, scope.value(v), _maker(frame, v)) for v, o in _written(frame)]


def _in_tiles(row: Row, scope: Scope, parts: Sequence[Sequence[Apply]]) -> list[Stmt]:
    """All elements of a dense row, in a loop for each of the segments `parts` over a tile; see segments.py."""
    frame, i = row.frame, index(row.inner)
    made = {node.output: number for number, nodes in enumerate(parts) for node in nodes}
    needed = [dict.fromkeys(v for node in nodes for v in node.inputs) for nodes in parts]
    needed[-1].update(dict.fromkeys(frame.unit.outputs))
    passed = {v: None for number, some in enumerate(needed) for v in some if made.get(v, number) < number}
    tiles = {v: Name(f"tile{_maker(frame, v)[0]}") for v in passed}
    at = c_int("{0} - {1}", i, TILE_START)
    loops: list[Stmt] = []
    for number, nodes in enumerate(parts):
        inside = scope.fork()
        body: list[Stmt] = row.each(inside, i)
        for v in needed[number]:
            if v in tiles and made[v] < number:
                inside.values[v] = name = Name(f"v{_maker(frame, v)[0]}")
                body.append(Let(name, v.dtype, Element(tiles[v], at, v.dtype), _maker(frame, v)))
        body += inside.compute(nodes)
        body += [Assign(tiles[v], inside.value(v), at, _maker(frame, v)) for v in tiles if made[v] == number]
        if number == len(parts) - 1:
            body += [row.store(o, i, inside.value(v), _maker(frame, v)) for v, o in _written(frame)]
        loops.append(For(i, TILE_START, TILE_STOP, tuple(body), simd=True))
    end = c_int(f"{{0}} - {{1}} < {TILE} ? {{0}} : {{1}} + {TILE}", extent(row.inner), TILE_START)
    arrays = [Accumulator(name, v.dtype, None, TILE) for v, name in tiles.items()]
    return [For(TILE_START, ZERO, extent(row.inner), (Let(TILE_STOP, "int64", end), *arrays, *loops), step=TILE)]


def _single_element(scope: Scope) -> list[Stmt]:
    frame = scope.frame
    body: list[Stmt] = [scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in reads(frame)]
    body += scope.compute(per_element(frame))
    return body + [Store(o.pointer, ZERO, o.dtype, scope.value(v), _maker(frame, v)) for v, o in _written(frame)]


def _written(frame: Frame) -> list[tuple[Variable, Operand]]:
    return [(v, frame.operands[v]) for v in frame.unit.outputs]


def _maker(frame: Frame, v: Variable) -> tuple[int, ...]:
    assert v.owner is not None
    return (frame.number[v.owner],)
