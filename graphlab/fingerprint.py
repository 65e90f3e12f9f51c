"""The fingerprint of a graph: equal for graphs that are compiled to the same program, in this process or another.

It is over all that compiling looks at: ops and their fields, types, the values of constants, which variables are one,
and what of a node's provenance the rules ask for. Names, lines and the values of shared variables are not in it. A
graph with what is not graphlab's own - ops, rules or functions of the user's - has none, since nothing tells whether
those are as they were.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from functools import cache
from types import EllipsisType
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Elementwise

PLAIN = (bool, int, str, float, complex, type(None), EllipsisType)  # their repr tells them apart


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`text`, and the graph's `leaves`, its inputs first, in an order that graphs of the same text share."""

    text: str
    leaves: tuple[Variable, ...]


def fingerprint(graph: Graph) -> Fingerprint | None:
    """That of `graph`, or None if it has something that is not graphlab's own.

    >>> import graphlab.tensor as T
    >>> x, y = T.dvector("x"), T.dvector("y")
    >>> one, other = (fingerprint(Graph((v,), (2 * v,))) for v in (x, y))
    >>> one.text == other.text, one.text == fingerprint(Graph((x,), (3 * x,))).text
    (True, False)
    """
    writer = _Writer()
    try:
        writer.graph(graph)
    except _Foreign:
        return None
    writer.lines.append(f"drawn in the order {[writer.draws[number] for number in sorted(writer.draws)]}")
    digest = hashlib.blake2b("\n".join(writer.lines).encode(), digest_size=20)
    return Fingerprint(digest.hexdigest(), tuple(writer.leaves))


class _Foreign(Exception):
    """There is something that is not graphlab's own."""


@dataclass
class _Writer:
    """The lines that say what the graph is, each by the numbers of what stands in lines before."""

    lines: list[str] = field(default_factory=list)
    names: dict[Variable, str] = field(default_factory=dict)
    leaves: list[Variable] = field(default_factory=list)
    ops: dict[int, str] = field(default_factory=dict)
    types: dict[TensorType, str] = field(default_factory=dict)
    draws: dict[int, int] = field(default_factory=dict)

    def graph(self, graph: Graph) -> None:
        """All of `graph`."""
        inputs = " ".join(self._leaf(v) for v in graph.inputs)
        for node in toposort(graph.outputs, graph.inputs):
            self._application(node)
        outputs = " ".join(self._reference(v) for v in graph.outputs)
        self.lines.append(f"graph {inputs} -> {outputs}")

    def _reference(self, v: Variable) -> str:
        return self.names.get(v) or self._leaf(v)

    def _leaf(self, v: Variable) -> str:
        kind = "input"
        if isinstance(v, Constant):
            kind = f"constant {_content(v.data)}"
        elif isinstance(v, Shared):
            kind = "shared"
        name = self.names[v] = f"l{len(self.leaves)}"
        self.leaves.append(v)
        self.lines.append(f"{name} {kind} {self._type(v.type)}")
        return name

    def _application(self, node: Apply) -> None:
        why = node.provenance
        inputs = " ".join([self._reference(v) for v in node.inputs])
        op = self.ops.get(id(node.op)) or self._new(node.op)  # the graph holds the op, so its id is its own
        number = len(self.names)
        for v in node.outputs:
            self.names[v] = f"n{number}.{v.index}"
        types = " ".join([self._type(v.type) for v in node.outputs])
        self.lines.append(f"n{number} {op} {inputs}: {types} {why.rule!r} {why.grad_of is not None}")

    def _type(self, type: TensorType) -> str:
        text = self.types.get(type)
        if text is None:
            text = self.types[type] = str(type)
        return text

    def _new(self, op: Op) -> str:
        """The name of an op that was not seen before."""
        text = self._op(op)
        name = self.ops[id(op)] = f"o{len(self.ops)}"
        self.lines.append(f"{name} {text}")
        return name

    def _op(self, op: Op) -> str:
        if isinstance(op, Elementwise):
            known = _elementwise().get(op)
            if known is None:
                raise _Foreign
            return known
        return self._record(op)

    def _record(self, value: Any) -> str:
        kind = type(value)
        if not is_dataclass(kind) or not _is_ours(kind):
            raise _Foreign
        drawn = isinstance(value, Op) and bool(value.advances)
        fields = " ".join(
            self._drawn(value.number) if drawn and name == "number" else self.value(getattr(value, name))
            for name in kind.__dataclass_fields__
        )
        return f"{kind.__module__}.{kind.__qualname__}({fields})"

    def _drawn(self, number: int) -> str:
        """What stands for the number of a draw, of which only the order counts."""
        return f"draw {self.draws.setdefault(number, len(self.draws))}"

    def value(self, value: Any) -> str:
        """What stands for a field of an op."""
        kind = type(value)
        if kind in PLAIN:
            return repr(value)
        if kind is tuple or kind is list:
            return f"({' '.join(map(self.value, value))})"
        if kind is frozenset:
            return f"{{{' '.join(sorted(map(self.value, value)))}}}"
        if kind is dict:
            return f"[{' '.join(f'{self.value(k)}={self.value(v)}' for k, v in value.items())}]"
        if isinstance(value, Enum) and _is_ours(kind):
            return f"{kind.__qualname__}.{value.name}"
        if kind is slice:
            return f"slice{self.value((value.start, value.stop, value.step))}"
        if isinstance(value, Op):
            return self.ops.get(id(value)) or self._new(value)
        if isinstance(value, Variable):
            return self._reference(value)
        if isinstance(value, Graph):
            self.graph(value)
            return f"g{len(self.lines)}"
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.hasobject:
                raise _Foreign
            return f"{value.dtype.str}{value.shape}{_content(np.asarray(value))}"
        if isinstance(value, np.dtype) and not value.hasobject:
            return value.str
        return self._record(value)


def _content(array: np.ndarray[Any, Any]) -> str:
    data = array.tobytes()
    return data.hex() if len(data) <= 16 else hashlib.blake2b(data, digest_size=20).hexdigest()


def _is_ours(kind: type[Any]) -> bool:
    """Whether it is a class of graphlab's, found where it says."""
    home = sys.modules.get(kind.__module__)
    return kind.__module__.startswith("graphlab.") and getattr(home, kind.__qualname__, None) is kind


@cache
def _elementwise() -> dict[Elementwise, str]:
    """graphlab's own elementwise ops, by where they are."""
    return {op: f"{module}.{name}" for module, name, op in _found()}


def _found() -> Iterator[tuple[str, str, Elementwise]]:
    for module in [name for name in sys.modules if name.startswith("graphlab.ops.")]:
        for name, value in list(vars(sys.modules[module]).items()):
            if isinstance(value, Elementwise):
                yield module, name, value
