"""To which elements of its operands a result owes it that it is NaN or infinite: it is computed again without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.debug.inside import Array, Element, Place, outside
from graphlab.debug.reach import parts, sources
from graphlab.graph.cost import is_view
from graphlab.graph.node import Apply, Variable
from graphlab.graph.text import number_text
from graphlab.ops.linalg import MatMul
from graphlab.ops.reduce import Reduce

FILLINGS = (0.5, 1.0, 2.0)  # what an operand might have been instead: each is outside of some function's domain
SHOWN = 4  # elements of what is folded that are shown


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of the operation at fault: the `value` of its `element`; of what is folded the first that matter."""

    variable: Variable
    element: Element
    value: Any


def formula(node: Apply, operands: Sequence[Operand]) -> str:
    """The operation on numbers: `log(0)`, `sum(inf, -inf, ...)`, `matmul(0*inf + 1*2 + ...)`."""
    values = [value_text(o.value) for o in operands]
    if isinstance(node.op, MatMul):
        return f"{node.op.name}({' + '.join(f'{a}*{b}' for a, b in zip(values[::2], values[1::2], strict=True))} + ...)"
    more = ", ..." if isinstance(node.op, Reduce) else ""
    return f"{node.op.name}({', '.join(values)}{more})"


def value_text(value: Any) -> str:
    """A number, or what kind of array it is."""
    array = np.asarray(value)
    return number_text(array) if array.ndim == 0 else f"{array.dtype}{list(array.shape)}"


@dataclass(frozen=True)
class Focus:
    """The part of `node`'s operands that reaches one element of `place`: `parts`, which begin at `starts`.

    `at` is where that element is when `node` is computed of these parts.
    """

    node: Apply
    place: Place
    parts: tuple[Array, ...]
    starts: tuple[Element, ...]
    at: Element

    @staticmethod
    def on(node: Apply, place: Place) -> Focus:
        """All of the operands, but of what folds and of what works on single elements only the part in question."""
        values = [np.asarray(place.scope.read(v)) for v in node.inputs]
        slices = parts(node, values, place.element)
        if slices is None:
            return Focus(node, place, tuple(values), tuple((0,) * a.ndim for a in values), place.element)
        chosen = tuple(np.asarray(a[s]) for a, s in zip(values, slices, strict=True))
        starts = tuple(tuple(k.start or 0 for k in s) for s in slices)
        return Focus(node, place, chosen, starts, (0,) * len(place.element))

    def computed(self, replaced: Sequence[tuple[int, int]] = (), filling: float = 0.0) -> Any:
        """The element, computed by NumPy, where `filling` stands for those elements of operands; NaN if that fails."""
        parts = list(self.parts)
        for i in {i for i, _ in replaced}:
            places = [k for j, k in replaced if j == i]
            parts[i] = parts[i].copy()
            parts[i].flat[places] = np.copysign(filling, parts[i].flat[places].real)
        try:
            with np.errstate(all="ignore"):
                return self.node.op.evaluate(*parts)[self.place.variable.index][self.at]
        except (ValueError, IndexError, ArithmeticError):
            return np.nan

    def owed(self, bad: Callable[[Any], Any], what: Callable[[Any], Any]) -> Place | None:
        """The first element of an operand, being `what`, without which the result would not be `bad`; None: none is.

        Counterfactual: numbers are put in the place of such elements, of all at first and then of ever fewer. Where
        that leaves the result `bad` they are put for everything that is not finite.
        """
        if self.node.op.effects:  # it prints, say, what it passes on; computing it again would print again
            first = Place(self.place.scope, self.node.inputs[0], self.place.element)
            return first if what(first.value[first.element]) else None
        suspects = self._where(what)
        known = set(suspects)
        others = [s for s in self._where(lambda a: ~np.isfinite(a)) if s not in known] if suspects else []
        for filling in FILLINGS if suspects else ():
            for besides in ([], others) if others else ([],):
                if not bad(self.computed([*suspects, *besides], filling)):
                    return self._element(*self._least(bad, suspects, besides, filling))
        return None

    def _where(self, what: Callable[[Any], Any]) -> list[tuple[int, int]]:
        return [
            (i, k) for i, a in enumerate(self.parts) if a.dtype.kind in "fc" for k in np.flatnonzero(what(a)).tolist()
        ]

    def _least(self, bad: Callable[[Any], Any], suspects: Sequence[tuple[int, int]],
               besides: Sequence[tuple[int, int]], filling: float) -> tuple[int, int]:  # fmt: skip
        """The last of the fewest of `suspects`, from the first on, that must stay as they are for a `bad` result."""
        low, high = 0, len(suspects)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if bad(self.computed([*suspects[middle:], *besides], filling)) else (middle, high)
        return suspects[high - 1]

    def _element(self, operand: int, k: int) -> Place:
        inside = np.unravel_index(k, self.parts[operand].shape)
        element = tuple(int(j) + start for j, start in zip(inside, self.starts[operand], strict=True))
        return Place(self.place.scope, self.node.inputs[operand], element)

    def operands(self) -> tuple[Operand, ...]:
        """What to show of the operands: their elements, of what is folded those that matter most."""
        if isinstance(self.node.op, MatMul):
            a, b = (part.ravel() for part in self.parts)
            with np.errstate(all="ignore"):
                return tuple(self._shown(i, k) for k in _largest(a * b)[: SHOWN // 2] for i in (0, 1))
        if isinstance(self.node.op, Reduce):
            return tuple(self._shown(0, k) for k in _largest(self.parts[0].ravel())[:SHOWN])
        return tuple(
            self._shown(i, 0) if part.size == 1 else Operand(self.node.inputs[i], (), part)
            for i, part in enumerate(self.parts)
        )

    def _shown(self, operand: int, k: int) -> Operand:
        return Operand(*_origin_of(self._element(operand, k)), self.parts[operand].ravel()[k])


def _largest(values: Array) -> list[int]:
    """The positions of `values`, those of NaN first, then the largest."""
    with np.errstate(all="ignore"):
        size = np.where(np.isnan(values), np.inf, np.abs(values))
    order: list[int] = np.lexsort((-size, ~np.isnan(values))).tolist()
    return order


def _origin_of(place: Place) -> tuple[Variable, Element]:
    """An element to show: what is given to a graph inside is what the operation reads, and of a view what it is of."""
    while True:
        node = place.variable.owner
        if place.scope.held is not None and place.variable in place.scope.inputs:
            place = outside(place)
        elif node is not None and place.variable not in place.scope.inputs and is_view(node):
            place = behind_view(node, place)
        else:
            return place.variable, place.element


def behind_view(node: Apply, place: Place) -> Place:
    """The element that the view which `node` makes shows at `place`."""
    base = node.inputs[0]
    number = int(sources(node, (0,), place.scope.read)[place.element])
    element = np.unravel_index(number, place.scope.read(base).shape)
    return Place(place.scope, base, tuple(map(int, element)))
