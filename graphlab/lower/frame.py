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
from graphlab.lower.fuse import Unit, is_scalar_constant
from graphlab.ops.lowering import Lowering, Pointwise, Reduction

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
    """A unit seen from its kernel: operands, loop axes (those kept, then those reduced) and node numbers.

    `readers`: the numbers of the unit's applications that read each variable.
    """

    unit: Unit
    lowerings: Mapping[Apply, Lowering]
    number: Mapping[Apply, int]
    slots: Mapping[Variable, int]
    order: tuple[int, ...]
    kept: int
    reduced: tuple[int, ...]
    keepdims: bool
    operands: dict[Variable, Operand] = field(default_factory=dict)
    readers: dict[Variable, list[int]] = field(default_factory=dict)

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
            tuple(self.slots[v] for v in read),
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
    for node in unit.nodes:
        for v in dict.fromkeys(node.inputs):
            frame.readers.setdefault(v, []).append(number[node])
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
        return tuple(self.frame.readers.get(v, ()))

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
    loads: list[Stmt] = [scope.load(v, Load(o.pointer, ZERO, o.dtype)) for v, o in reads(scope.frame) if o.is_scalar]
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


def reads(frame: Frame) -> list[tuple[Variable, Operand]]:
    """The inputs of a kernel with their operands."""
    return [(v, frame.operands[v]) for v in frame.unit.inputs]
