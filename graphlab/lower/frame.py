"""A kernel in the making: its operands, its loops, and the scalar code of one element."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.loops.ir import (
    Cast,
    Expr,
    Formula,
    Let,
    Literal,
    Load,
    Name,
    Nest,
    Stmt,
)
from graphlab.lower.fuse import Unit, is_costly, is_scalar_constant
from graphlab.lower.space import Map, Space
from graphlab.ops.lowering import Lowering, Pointwise, Reduction

ZERO = Literal(0, "int64")
ONE = Literal(1, "int64")
TRUE = Literal(True, "bool")

FEW = 16  # elements are folded one after the other
SHORT = 8  # elements: rows that are cheap to compute, or written, are side by side at most where they are so long

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
    """A unit seen from its kernel: operands, loop axes (those kept, then those reduced) and node positions.

    `readers`: the positions of the unit's applications that read each variable.
    """

    unit: Unit
    space: Space
    lowerings: Mapping[Apply, Lowering]
    number: Mapping[Apply, int]
    operands: dict[Variable, Operand] = field(default_factory=dict)
    readers: dict[Variable, list[int]] = field(default_factory=dict)

    @property
    def order(self) -> Map:
        """The axes of the space in the order of the loops."""
        return (*self.space.kept, *self.space.reduce)

    @property
    def kept(self) -> int:
        """How many loops are around each row."""
        return len(self.space.kept)

    @property
    def ndim(self) -> int:
        """How many loops."""
        return len(self.space.extents)

    @property
    def inputs(self) -> list[Operand]:
        """The operands that are read."""
        return [o for o in self.operands.values() if not o.is_output]

    @property
    def outputs(self) -> list[Operand]:
        """The operands that are written."""
        return [o for o in self.operands.values() if o.is_output]

    def of_row(self, v: Variable) -> bool:
        """Whether `v` is made here, and one element of it for each row."""
        node = v.owner
        return node is not None and (node in self.unit.rows or isinstance(self.lowerings.get(node), Reduction))

    def axes(self, v: Variable) -> Map:
        """For each axis of an operand the axis of the space along which it lies, -1 where it has one element."""
        axes = self.unit.maps[v]
        written = v in self.unit.outputs and self.of_row(v)
        return tuple(-1 if written and d in self.space.reduce else d for d in axes)

    @property
    def side_by_side(self) -> int:
        """Rows with at most so many elements are always computed side by side: see strips.py."""
        dear = any(is_costly(self.lowerings[node]) for node in per_element(self))
        written = any(not self.of_row(v) for v in self.unit.outputs)
        return FEW if dear and not written else SHORT

    def nest(self, beside: bool = False) -> Nest:
        """What the runtime has to plan, and whether it is to put elements side by side."""
        made, read = self.unit.outputs, self.unit.inputs
        reduced = [o.axes[self.kept :] for o in self.operands.values()]
        return Nest(
            self.ndim,
            len(made),
            len(read),
            self.space.reduce,
            tuple(self.axes(v) for v in (*made, *read)),
            sorts=len(self.space.reduce) > 1 and all(all(axes) or not any(axes) for axes in reduced),
            few=self.side_by_side if self.kept and self.space.reduce else 0,
            beside=beside,
        )


def likeness(frame: Frame) -> object:
    """All of a frame that its loops depend on: kernels of frames alike are the same."""
    unit, number = frame.unit, dict[Variable, int]()
    for v in (*unit.inputs, *(node.output for node in unit.nodes)):
        number[v] = len(number)
    nodes = [
        (
            node.op.name, node in unit.rows, _meaning(frame.lowerings[node]), node.output.dtype, node.output.ndim,
            tuple(literal(v) if v not in number and isinstance(v, Constant) else number[v] for v in node.inputs),
        )
        for node in unit.nodes
    ]  # fmt: skip
    operands = [(number[v], v.ndim, frame.axes(v), o) for v, o in frame.operands.items()]
    single = tuple(extent == 1 for extent in frame.space.extents)
    return single, frame.space.reduce, frame.space.folds, tuple(nodes), tuple(operands)


def _meaning(lowering: Lowering) -> object:
    return (lowering, repr(lowering.initial)) if isinstance(lowering, Reduction) else lowering  # 0.0 is not -0.0


def frame_of(unit: Unit, lowerings: Mapping[Apply, Lowering]) -> Frame:
    """The frame of a kernel's unit."""
    assert unit.space is not None
    frame = Frame(unit, unit.space, lowerings, {node: k for k, node in enumerate(unit.nodes)})
    for k, v in enumerate((*unit.outputs, *unit.inputs)):
        longer = {d for d, n in zip(frame.axes(v), v.type.shape, strict=True) if n != 1}
        axes = tuple(d in longer for d in frame.order)
        steps = tuple(any(axes[0 if d < frame.kept else frame.kept : d + 1]) for d in range(frame.ndim))
        frame.operands[v] = Operand(k, v.dtype, axes, steps, k < len(unit.outputs))
    for node in unit.nodes:
        for v in dict.fromkeys(node.inputs):
            frame.readers.setdefault(v, []).append(frame.number[node])
    return frame


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
        return tuple(self.frame.readers.get(v, ()))

    def compute(self, nodes: Iterable[Apply]) -> list[Stmt]:
        """One Let for each of the pointwise `nodes`; a view of what another made needs none."""
        lets: list[Stmt] = []
        for node in nodes:
            lowering = self.frame.lowerings[node]
            if isinstance(lowering, Pointwise):
                lets.append(self._let(node, lowering))
            else:
                self.values[node.output] = self.value(node.inputs[0])
        return lets

    def _let(self, node: Apply, lowering: Pointwise) -> Let:
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
    loads: list[Stmt] = [scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in reads(scope.frame) if o.is_scalar]
    return loads + scope.compute(n for n in unit.nodes if is_pointwise_scalar(n, scope.frame))


def is_pointwise_scalar(node: Apply, frame: Frame) -> bool:
    """Whether `node` is computed once, outside of the loops."""
    return isinstance(frame.lowerings[node], Pointwise) and node.output.ndim == 0 and node not in frame.unit.rows


def per_element(frame: Frame) -> list[Apply]:
    """The applications computed for each element."""
    return [
        n for n in frame.unit.nodes
        if not isinstance(frame.lowerings[n], Reduction) and n not in frame.unit.rows
        and (n.output.ndim or not frame.ndim)
    ]  # fmt: skip


def reads(frame: Frame) -> list[tuple[Variable, Operand]]:
    """The inputs of a kernel with their operands."""
    return [(v, frame.operands[v]) for v in frame.unit.inputs]


def row_reads(frame: Frame) -> list[tuple[Variable, Operand]]:
    """The inputs that are one value for each row, with their operands."""
    by_rows = {v for node in frame.unit.rows for v in node.inputs}
    return [(v, o) for v, o in reads(frame) if v in by_rows or not any(o.axes[frame.kept :])]
