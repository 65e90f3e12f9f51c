"""One element of a value: the arithmetic on single numbers that makes it, and what of the given arrays reaches it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.debug.reach import JOINS, MOVES, Mask, described, reaching, sources
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.text import ATOM, UNARY, number_text, written_out
from graphlab.ops.lowering import Lowering, Pointwise, Reduction, Runtime

Array = np.ndarray[Any, Any]
Value = Callable[[Variable], Array]
Index = tuple[int, ...]

FEW = 4  # elements of a fold that are written out
LONGEST = 60  # lines


@dataclass(frozen=True, eq=False, repr=False)
class Element:
    """Element `index` of `variable`: its `value`, how it comes about in `lines`, and what reaches it.

    `reach`: for each array that the computation was given, the mask of the elements on which it depends (by the shape
    of the operations, not by their values).
    """

    variable: Variable
    index: Index
    value: Any
    lines: tuple[str, ...]
    reach: dict[Variable, Mask]
    names: dict[Variable, str]

    def __str__(self) -> str:
        from_ = [described(self.names.get(v, v.name or "(unnamed)"), m) for v, m in self.reach.items()]
        reached = [f"it depends on {', '.join(from_)}"] if from_ else ["it depends on nothing that was given"]
        return "\n".join([*self.lines, *reached])

    __repr__ = __str__


def element(
    v: Variable, index: Index, inside: Sequence[Apply], before: Sequence[Apply], given: Collection[Variable],
    value: Value,
) -> Element:  # fmt: skip
    """The Element; `inside` are the applications that are spelled out, `before` all behind them, inputs first."""
    story = _Story(set(inside), value)
    story.tell(v, index)
    mask = np.zeros(value(v).shape, bool)
    mask[index] = True
    masks = reaching(v, mask, before, value)
    reach = {u: masks[u] for u in given if u in masks}
    return Element(v, index, value(v)[index], tuple(story.lines()), reach, story.names)


class _Story:
    """Writes the lines, operands before what is made of them."""

    def __init__(self, inside: Collection[Apply], value: Value) -> None:
        self.inside, self.value = inside, value
        self.names: dict[Variable, str] = {}
        self._told: dict[tuple[Variable, Index], str] = {}
        self._lines: list[tuple[str, str]] = []

    def lines(self) -> list[str]:
        """Each with the user's line at its end."""
        width = min(max((len(text) for text, _ in self._lines), default=0), 80)
        return [f"{text:{width}}  {where}".rstrip() for text, where in self._lines]

    def name(self, v: Variable, index: Index) -> str:
        """What an element is called: h[3, 7], or t2[3, 7] where the user gave no name."""
        if v not in self.names:
            count = sum(n.startswith("t") and n[1:].isdigit() for n in self.names.values())
            self.names[v] = v.name or f"t{count}"
        return f"{self.names[v]}[{', '.join(map(str, index))}]" if index else self.names[v]

    def tell(self, v: Variable, index: Index) -> None:
        """The lines of an element; without recursion, for chains may be long."""
        stack: list[tuple[Variable, Index, bool]] = [(v, index, False)]
        while stack and len(self._lines) < LONGEST:
            u, at, ready = stack.pop()
            if (u, at) in self._told or isinstance(u, Constant):
                continue
            node = u.owner
            if node is None or node not in self.inside:
                self._told[u, at] = self.name(u, at)
                continue
            if ready:
                self._write(node, u, at)
                continue
            stack.append((u, at, True))
            stack += [(w, i, False) for w, i in reversed(self._operands(node, u, at) or [])]

    def _operands(self, node: Apply, v: Variable, index: Index) -> list[tuple[Variable, Index]] | None:
        """The single elements of which an element is made; None if it is made of many."""
        lowering = _lowering(node)
        match lowering:
            case Pointwise():
                return [(u, _stretched(index, self.value(u).shape)) for u in node.inputs]
            case Runtime(function=function) if function in MOVES or function in JOINS:
                operands = range(len(node.inputs)) if function in JOINS else (0,)
                return [self._source(node, operands, index)]
        return None

    def _source(self, node: Apply, operands: Sequence[int], index: Index) -> tuple[Variable, Index]:
        place = int(sources(node, operands, self.value)[index])
        for k in operands:
            shape = self.value(node.inputs[k]).shape
            size = int(np.prod(shape, dtype=int))
            if place < size:
                return node.inputs[k], tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()
            place -= size
        raise IndexError(place)

    def _write(self, node: Apply, v: Variable, index: Index) -> None:
        name, result = self.name(v, index), _number(self.value(v)[index])
        operands = self._operands(node, v, index)
        match _lowering(node):
            case Pointwise() if operands is not None:
                symbols = [self._atom(u, i) for u, i in operands]
                numbers = [self._numeric(u, i) for u, i in operands]
                said, computed = written_out(node, symbols), written_out(node, numbers)
                text = f"{name} = {said} = {computed} = {result}" if said != computed else f"{name} = {said} = {result}"
            case Runtime() if operands is not None:
                ((u, i),) = operands
                text = f"{name} is {self.name(u, i)} = {result}"
            case Reduction(axes=axes, keepdims=keepdims):
                text = f"{name} = {self._folded(node, index, axes, keepdims)} = {result}"
            case Runtime(function="matmul"):
                text = f"{name} = {self._product(node, index)} = {result}"
            case _:
                text = f"{name} = {node.op.name} of {', '.join(self._whole(u) for u in node.inputs)} = {result}"
        origin = next(iter(node.provenance.origins), None)
        self._lines.append((text, origin.label if origin else ""))
        self._told[v, index] = name

    def _folded(self, node: Apply, index: Index, axes: Sequence[int], keepdims: bool) -> str:
        (u,) = node.inputs[:1]
        array = self.value(u)
        folded = {a % array.ndim for a in axes}
        kept = iter(index)
        where = [slice(None) if d in folded else 0 for d in range(array.ndim)]
        for d in range(array.ndim):
            if d not in folded:
                where[d] = next(kept)
            elif keepdims:
                next(kept)
        part = array[tuple(where)]
        shown = ", ".join(":" if isinstance(w, slice) else str(w) for w in where)
        few = ", ".join(_number(x) for x in part.ravel()[:FEW])
        more = ", ..." if part.size > FEW else ""
        return f"{node.op.name} of {self._called(u)}[{shown}], {part.size:,} elements ({few}{more})"

    def _product(self, node: Apply, index: Index) -> str:
        a, b = node.inputs[:2]
        left, right = self.value(a), self.value(b)
        at = list(index)
        column = [] if right.ndim == 1 else [at.pop()]
        row = [] if left.ndim == 1 else [at.pop()]
        first = left[(*_stretched(tuple(at), left.shape[:-2]), *row)] if left.ndim > 1 else left
        lead = _stretched(tuple(at), right.shape[:-2]) if right.ndim > 1 else ()
        whole: tuple[Any, ...] = (*lead, slice(None), *column)
        second = right[whole] if right.ndim > 1 else right
        few = " + ".join(f"{_factor(x)}*{_factor(y)}" for x, y in zip(first[:FEW], second[:FEW], strict=True))
        rows, columns = (", ".join(map(str, (*row, ":"))), ", ".join(map(str, (":", *column))))
        more = f" + ... ({len(first):,} products)" if len(first) > FEW else ""
        return f"{self._called(a)}[{rows}] @ {self._called(b)}[{columns}] = {few}{more}"

    def _called(self, u: Variable) -> str:
        return self.name(u, ())

    def _whole(self, u: Variable) -> str:
        return _number(u.data) if isinstance(u, Constant) and u.ndim == 0 else f"all of {self._called(u)}"

    def _atom(self, u: Variable, index: Index) -> tuple[str, int]:
        return self._numeric(u, index) if isinstance(u, Constant) else (self.name(u, index), ATOM)

    def _numeric(self, u: Variable, index: Index) -> tuple[str, int]:
        text = _number(self.value(u)[index])
        return text, UNARY if text.startswith("-") else ATOM


def _lowering(node: Apply) -> Lowering | None:
    return node.op.lowering(node) if len(node.outputs) == 1 else None


def _stretched(index: Index, shape: Sequence[int]) -> Index:
    """The element of an operand of `shape` that broadcasting puts at `index`."""
    own = index[len(index) - len(shape) :] if shape else ()
    return tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))


def _number(x: Any) -> str:
    scalar = np.asarray(x)
    return f"{float(scalar):.6g}" if scalar.dtype.kind == "f" else number_text(scalar)


def _factor(x: Any) -> str:
    text = _number(x)
    return f"({text})" if text.startswith("-") else text
