"""Graphs, functions and plain values as JSON: tables of leaves, applications and arrays, and an object over them.

    leaf         {"kind": "input" | "constant" | "shared", "type": TYPE, "name", "origin", "array"}
    application  {"op": OP, "inputs": [REFERENCE...], "types": [TYPE...], "names", "origins", "scope",
                  "rule", "grad_of", "replaced"}
    TYPE         [dtype, [extent or null...]]
    REFERENCE    the number of a leaf, or [application, output]
    OP           {"class": name, "fields": {...}} or {"elementwise": name}
    value        null, true, 1, 0.5, "text", [value...], or {tag: content}, the tags being those of TAGS
                 and the names of records()

An application refers only to those before it, so the tables have no cycles. An array is named by its number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from types import EllipsisType
from typing import Any

import numpy as np

from graphlab.arguments import In, as_argument
from graphlab.callable import Function
from graphlab.dtypes import ALL
from graphlab.errors import GraphTypeError, Origin, caller_origin
from graphlab.graph.flat import history
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Op
from graphlab.ops.key import Slot
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.pipeline import Mode
from graphlab.saving import registry
from graphlab.signature import Structure

Array = np.ndarray[Any, Any]
VERSION = 1
PLAIN = (bool, int, str, type(None))
RECORDS = (Graph, In, Mode, Origin, Structure, TensorType)
# What a function is made of, by the names of its attributes.
FUNCTION = {
    "specs": tuple[In, ...], "graph": Graph, "mode": Mode, "structure": Structure, "updated": tuple[Shared, ...],
    "downcast": bool | None, "name": str, "origin": Origin | None, "trust_input": bool,
}  # fmt: skip


def encoded(thing: Any) -> tuple[dict[str, Any], list[Array]]:
    """The JSON for `thing`, and the arrays that it names; GraphTypeError for what can't be saved."""
    writer = Writer()
    value = writer.value(thing)
    tables = {"leaves": writer.leaf_rows, "applications": writer.rows, "object": value}
    return {"format": "graphlab", "version": VERSION, **tables}, writer.arrays


def records() -> dict[str, type[Any]]:
    """The dataclasses that are written field by field, by their names."""
    return {kind.__name__: kind for kind in RECORDS} | registry.records()


def refused(what: str, hint: str) -> GraphTypeError:
    """The error for what can't be saved."""
    return GraphTypeError(f"{what} can't be saved", origin=caller_origin(), hint=hint)


@dataclass
class Writer:
    """The tables as they grow."""

    leaf_rows: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    leaves: dict[Variable, int] = field(default_factory=dict)
    applications: dict[Apply, int] = field(default_factory=dict)

    # -- graphs --

    def reference(self, v: Variable) -> int | list[int]:
        """How `v` is named; it and all behind it are written first if they are new."""
        if v.owner is None:
            if v not in self.leaves:
                self.leaf_rows.append(self._leaf(v))
                self.leaves[v] = len(self.leaves)
            return self.leaves[v]
        if v.owner not in self.applications:
            for node in history([v], self.applications):
                self.rows.append(self._application(node))
                self.applications[node] = len(self.applications)
        return [self.applications[v.owner], v.index]

    def references(self, variables: Iterable[Variable]) -> list[int | list[int]]:
        """How each of `variables` is named."""
        return [self.reference(v) for v in variables]

    def _leaf(self, v: Variable) -> dict[str, Any]:
        row: dict[str, Any] = {"kind": "input", "type": _type(v.type), "name": v.name, "origin": _origin(v.origin)}
        if isinstance(v, Constant):
            return row | {"kind": "constant", "array": self.array(v.data)}
        if isinstance(v, Shared):
            return row | {"kind": "shared", "array": self.array(v.cell[0])}
        return row

    def _application(self, node: Apply) -> dict[str, Any]:
        why = node.provenance
        return {
            "op": self._op(node.op),
            "inputs": self.references(node.inputs),
            "types": [_type(v.type) for v in node.outputs],
            "names": [v.name for v in node.outputs],
            "origins": [_origin(o) for o in why.origins],
            "scope": list(why.scope),
            "rule": why.rule,
            "grad_of": None if why.grad_of is None else self.applications[why.grad_of],
            "replaced": None if why.replaced is None else self.applications[why.replaced],
        }

    def _op(self, op: Op) -> dict[str, Any]:
        kind, unknown = type(op), f"the op {op.name} of class {type(op).__name__}"
        if isinstance(op, Elementwise) and registry.elementwise().get(op.name) is op:
            return {"elementwise": op.name}
        if registry.classes().get(kind.__name__) is not kind or isinstance(op, Elementwise):
            raise refused(unknown, "only graphlab's own ops stand in files; pickle keeps ops of your own")
        return {"class": kind.__name__, "fields": self._fields(op, registry.field_types(kind), unknown)}

    # -- values --

    def _fields(self, record: Any, names: Iterable[str], what: str) -> dict[str, Any]:
        return {name: self.value(getattr(record, name), f"{what}: its {name}") for name in names}

    def array(self, array: Array) -> int:
        """The number under which `array` is kept."""
        self.arrays.append(array)
        return len(self.arrays) - 1

    def value(self, value: Any, what: str = "") -> Any:
        """The JSON for `value`; `what` says in an error where it was found."""
        if type(value) in PLAIN or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is list:
            return [self.value(v, what) for v in value]
        name = type(value).__name__
        if records().get(name) is type(value):
            return {name: self._record(value, what or name)}
        for kind, tag, content in TAGS:
            if isinstance(value, kind):
                return {tag: content(self, value, what)}
        raise refused(
            f"{what + ', ' if what else ''}{value!r:.60} ({name})",
            "files hold functions, variables, graphs, arrays, numbers, text, and lists, tuples and dicts of them",
        )

    def _record(self, value: Any, what: str) -> dict[str, Any]:
        if isinstance(value, Graph):
            return {"inputs": self.references(value.inputs), "outputs": self.references(value.outputs)}
        if isinstance(value, In) and value.value is not None:
            value = replace(value, value=as_argument(value.value, value, 0, downcast=True))
        if isinstance(value, Mode) and value.rules:
            raise refused("a mode with rules of your own", "pickle keeps them, if the rules can be pickled")
        return self._fields(value, (f.name for f in fields(value)), what)

    def _items(self, values: Iterable[Any], what: str) -> list[Any]:
        return [self.value(v, what) for v in values]

    def _numbers(self, value: Any, what: str) -> int:
        array = np.asarray(value)
        if array.dtype.newbyteorder("=").name not in ALL or isinstance(value, np.ma.MaskedArray):
            raise refused(f"{what + ', ' if what else ''}an array of {array.dtype}", "arrays of numbers can be")
        return self.array(array)


Tag = tuple[type | tuple[type, ...], str, Callable[[Writer, Any, str], Any]]
TAGS: Sequence[Tag] = (
    (Variable, "variable", lambda w, v, what: w.reference(v)),
    (Op, "op", lambda w, op, what: w._op(op)),
    (Function, "function", lambda w, f, what: w._fields(f, FUNCTION, f"function {f.name}")),
    ((np.ndarray, np.generic), "array", lambda w, v, what: w._numbers(v, what)),
    (float, "float", lambda w, v, what: repr(v)),  # nan and the infinities, which JSON does not have
    (complex, "complex", lambda w, v, what: w._items((v.real, v.imag), what)),
    (tuple, "tuple", lambda w, v, what: w._items(v, what)),
    (frozenset, "set", lambda w, v, what: w._items(sorted(v), what)),
    (dict, "dict", lambda w, v, what: [w._items(pair, what) for pair in v.items()]),
    (Slot, "slot", lambda w, v, what: None),
    (EllipsisType, "ellipsis", lambda w, v, what: None),
)


def _type(type: TensorType) -> list[Any]:
    return [type.dtype, list(type.shape)]


def _origin(origin: Origin | None) -> list[Any] | None:
    return None if origin is None else [origin.file, origin.line, origin.function]
