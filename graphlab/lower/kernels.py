"""Fused applications become loops.

A kernel of pointwise applications is one nest over the broadcast of its inputs, written twice: for an
inner axis along which every operand is contiguous (or certainly broadcast), and for any strides.
Reductions are in reductions.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlab.dtypes import itemsize
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.loops.ir import (
    Assign,
    Cast,
    Element,
    Expr,
    For,
    Formula,
    If,
    Let,
    Literal,
    Load,
    Name,
    Nest,
    Pointer,
    Stmt,
    Store,
)
from graphlab.lower.fuse import Unit, is_scalar_constant
from graphlab.ops.base import Lowering, Pointwise, Reduction

ZERO = Literal(0, "int64")
ONE = Literal(1, "int64")
TRUE = Literal(True, "bool")

# ---- small expressions ---------------------------------------------------------------------------


def c_int(template: str, *arguments: Expr) -> Formula:
    """A formula over int64."""
    return Formula(template, arguments, "int64")


def joined(operator: str, parts: Sequence[Formula], dtype: str) -> Formula:
    """`parts` with `operator` between them, as one formula: without parentheses, so it must bind less tightly."""
    templates, arguments = list[str](), list[Expr]()
    for part in parts:
        templates.append(part.template.format(*(f"{{{len(arguments) + k}}}" for k in range(len(part.arguments)))))
        arguments += part.arguments
    return Formula(operator.join(templates), tuple(arguments), dtype)


def product(factors: Sequence[Expr]) -> Expr:
    """The product of `factors`."""
    if len(factors) <= 1:
        return factors[0] if factors else ONE
    return c_int(" * ".join(f"{{{k}}}" for k in range(len(factors))), *factors)


def extent(axis: int) -> Name:
    """The extent of a loop axis."""
    return Name(f"n{axis}")


def index(axis: int) -> Name:
    """The loop index along an axis."""
    return Name(f"i{axis}")


# ---- operands ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operand:
    """Array number `k` of a kernel.

    `axes`: whether it is more than one element long along each axis, as far as its type tells; `steps`:
    whether it may have a stride along each loop, onto which the runtime moves merged axes from before.
    """

    k: int
    dtype: str
    axes: tuple[bool, ...]
    steps: tuple[bool, ...]
    is_output: bool = False

    @property
    def pointer(self) -> Name:
        """Its first byte."""
        return Name(f"p{self.k}")

    @property
    def row(self) -> Name:
        """Where a row of it begins."""
        return Name(f"{'out' if self.is_output else 'in'}{self.k}")

    @property
    def value(self) -> Name:
        """Its element at hand."""
        return Name(f"x{self.k}")

    @property
    def is_scalar(self) -> bool:
        """Whether it has one element for all iterations."""
        return not any(self.axes)

    def stride(self, axis: int) -> Name:
        """Its byte stride along a loop axis."""
        return Name(f"s{self.k}_{axis}")

    def offset(self, at: Mapping[int, Expr]) -> Expr:
        """Bytes from its first element to the one whose index along each axis `at` gives."""
        steps = [c_int("{0} * {1}", i, self.stride(axis)) for axis, i in at.items() if self.steps[axis]]
        return joined(" + ", steps, "int64") if steps else ZERO


@dataclass(frozen=True)
class Frame:
    """A unit seen from its kernel: operands, loop axes (those kept, then those reduced) and node numbers."""

    unit: Unit
    lowerings: Mapping[Apply, Lowering]
    number: Mapping[Apply, int]
    slots: Mapping[Variable, int]
    order: tuple[int, ...]
    kept: int
    reduced: tuple[int, ...]
    keepdims: bool
    operands: dict[Variable, Operand] = field(default_factory=dict)

    @property
    def ndim(self) -> int:
        """How many loops."""
        return len(self.order)

    @property
    def inputs(self) -> list[Operand]:
        """The operands that are read."""
        return [o for o in self.operands.values() if not o.is_output]

    @property
    def outputs(self) -> list[Operand]:
        """The operands that are written."""
        return [o for o in self.operands.values() if o.is_output]

    def nest(self) -> Nest:
        """What the runtime has to plan."""
        made, read = self.unit.outputs, self.unit.inputs
        return Nest(
            self.ndim,
            tuple(self.slots[v] for v in made),
            tuple(v.dtype for v in made),
            tuple(self.slots[v] for v in read),
            tuple(v.dtype for v in read),
            self.reduced,
            (bool(self.reduced),) * len(made),
            (self.keepdims,) * len(made),
        )


def frame_of(
    unit: Unit, lowerings: Mapping[Apply, Lowering], number: Mapping[Apply, int], slots: Mapping[Variable, int]
) -> Frame:
    """The frame of a kernel's unit."""
    last = lowerings[unit.nodes[-1]]
    reduced, keepdims = (last.axes, last.keepdims) if isinstance(last, Reduction) else ((), False)
    space = unit.nodes[-1].inputs[0] if isinstance(last, Reduction) else unit.outputs[0]
    order = (*(d for d in range(space.ndim) if d not in reduced), *reduced)
    frame = Frame(unit, lowerings, number, slots, order, space.ndim - len(reduced), reduced, keepdims)
    for k, v in enumerate((*unit.outputs, *unit.inputs)):
        written = k < len(unit.outputs)
        shape = space.type.shape if written else padded_shape(v, space.ndim)
        axes = tuple(shape[d] != 1 and not (written and d in reduced) for d in order)
        steps = tuple(any(axes[0 if d < frame.kept else frame.kept : d + 1]) for d in range(space.ndim))
        frame.operands[v] = Operand(k, v.dtype, axes, steps, written)
    return frame


def padded_shape(v: Variable, ndim: int) -> tuple[int | None, ...]:
    """The static shape of `v`, broadcast to rank `ndim`."""
    return (1,) * (ndim - v.ndim) + v.type.shape


# ---- the scalar code of one element --------------------------------------------------------------


def literal(constant: Constant) -> Literal:
    """A constant of one element as a number."""
    return Literal(constant.data.reshape(()).item(), constant.dtype)


def converted(value: Expr, source: str, dtype: str) -> Expr:
    """`value` of dtype `source` as `dtype`."""
    if source == dtype:
        return value
    if isinstance(value, Literal):
        with np.errstate(all="ignore"):
            return Literal(np.asarray(value.value, source).astype(dtype).item(), dtype)
    return Cast(value, source, dtype)


@dataclass
class Scope:
    """Which expression holds each variable here; grows as code is written, and forks at branches."""

    frame: Frame
    values: dict[Variable, Expr] = field(default_factory=dict)

    def fork(self) -> Scope:
        """A scope inside this one."""
        return Scope(self.frame, dict(self.values))

    def value(self, v: Variable) -> Expr:
        """The expression of `v`, which is known or a number."""
        known = self.values.get(v)
        if known is None and isinstance(v, Constant) and is_scalar_constant(v):
            return literal(v)
        assert known is not None, "a variable is used before it is loaded or computed"
        return known

    def load(self, v: Variable, where: Expr) -> Let:
        """Read the element of input `v` at `where`."""
        operand = self.frame.operands[v]
        self.values[v] = operand.value
        return Let(operand.value, operand.dtype, where, self.readers(v))

    def readers(self, v: Variable) -> tuple[int, ...]:
        """The numbers of the applications in the kernel that read `v`: the load is part of them."""
        return tuple(self.frame.number[node] for node in self.frame.unit.nodes if v in node.inputs)

    def compute(self, nodes: Iterable[Apply]) -> list[Stmt]:
        """One Let for each of the pointwise `nodes`."""
        return [self._let(node) for node in nodes]

    def _let(self, node: Apply) -> Let:
        lowering = self.frame.lowerings[node]
        assert isinstance(lowering, Pointwise)
        arguments = [  # what the template does not mention need not be loaded
            converted(self.value(v), v.dtype, dtype) if f"{{{k}}}" in lowering.template else ZERO
            for k, (v, dtype) in enumerate(zip(node.inputs, lowering.input_dtypes, strict=True))
        ]
        number = self.frame.number[node]
        name = Name(f"v{number}")
        self.values[node.output] = name
        formula = Formula(lowering.template, tuple(arguments), lowering.output_dtype)
        return Let(name, node.output.dtype, formula, (number,))


def scalar_prelude(scope: Scope) -> list[Stmt]:
    """What is the same for all elements: inputs and applications of one element, outside of the loops."""
    unit = scope.frame.unit
    if scope.frame.ndim == 0:
        return []
    loads: list[Stmt] = [
        scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in _read(scope.frame) if o.is_scalar
    ]
    return loads + scope.compute(n for n in unit.nodes if is_pointwise_scalar(n, scope.frame))


def is_pointwise_scalar(node: Apply, frame: Frame) -> bool:
    """Whether `node` is computed once, outside of the loops."""
    return isinstance(frame.lowerings[node], Pointwise) and node.output.ndim == 0


def per_element(frame: Frame) -> list[Apply]:
    """The pointwise applications computed for each element."""
    return [
        n for n in frame.unit.nodes
        if isinstance(frame.lowerings[n], Pointwise) and (n.output.ndim or not frame.ndim)
    ]  # fmt: skip


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
        still = [v for v, o in self.moving(scope) if not steps_along(o, self.decides)]
        return [scope.load(v, Element(scope.frame.operands[v].row, ZERO, v.dtype)) for v in still]

    def each(self, scope: Scope, i: Expr) -> list[Stmt]:
        """Read the other inputs at index `i`."""
        return [scope.load(v, self.element(o, i)) for v, o in self.moving(scope)]

    def moving(self, scope: Scope) -> list[tuple[Variable, Operand]]:
        """The inputs that are not read yet."""
        return [(v, o) for v, o in _read(scope.frame) if v not in scope.values]

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


def pointwise_body(frame: Frame) -> tuple[Stmt, ...]:
    """The loops of a kernel without a reduction."""
    scope = Scope(frame)
    prelude = scalar_prelude(scope)
    if frame.ndim == 0:
        return tuple(_single_element(scope))
    inner, outer = frame.ndim - 1, tuple(range(frame.ndim - 1))
    decides = dense_axis(frame, 0, frame.ndim)

    def loops(dense: bool) -> tuple[Stmt, ...]:
        row, inside = Row(frame, inner, {d: index(d) for d in outer}, dense, decides), scope.fork()
        start = [*row.pointers(frame.operands.values()), *row.once(inside)]
        body = _elements(row, inside, index(inner))
        return nested(outer, [*start, For(index(inner), ZERO, extent(inner), tuple(body), simd=dense)])

    condition = is_contiguous(list(frame.operands.values()), inner, decides)
    if condition == TRUE:
        return (*prelude, *loops(True))
    return (*prelude, If(condition, loops(True), loops(False)))


def _elements(row: Row, scope: Scope, i: Expr) -> list[Stmt]:
    frame = row.frame
    body: list[Stmt] = [*row.each(scope, i), *scope.compute(per_element(frame))]
    return body + [row.store(o, i, scope.value(v), _maker(frame, v)) for v, o in _written(frame)]


def _single_element(scope: Scope) -> list[Stmt]:
    frame = scope.frame
    body: list[Stmt] = [scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in _read(frame)]
    body += scope.compute(per_element(frame))
    return body + [
        Store(o.pointer, ZERO, o.dtype, scope.value(v), _maker(frame, v)) for v, o in _written(frame)
    ]


def _read(frame: Frame) -> list[tuple[Variable, Operand]]:
    return [(v, frame.operands[v]) for v in frame.unit.inputs]


def _written(frame: Frame) -> list[tuple[Variable, Operand]]:
    return [(v, frame.operands[v]) for v in frame.unit.outputs]


def _maker(frame: Frame, v: Variable) -> tuple[int, ...]:
    assert v.owner is not None
    return (frame.number[v.owner],)
