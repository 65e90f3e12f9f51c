"""From the JSON that `encode` describes back to graphs and functions. Nothing in it is believed unchecked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlab.callable import Function, assembled
from graphlab.dtypes import ALL
from graphlab.errors import GraphlabError, Origin
from graphlab.graph import flat
from graphlab.graph.node import Apply, Graph, Provenance, Shared, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import leaves
from graphlab.ops.base import Op
from graphlab.ops.key import SLOT
from graphlab.saving import registry
from graphlab.saving.archive import damaged
from graphlab.saving.conform import conforms
from graphlab.saving.encode import FUNCTION, PLAIN, VERSION, records
from graphlab.signature import Structure, check_inputs, input_specs

Array = np.ndarray[Any, Any]
LEAF = ("kind", "type", "name", "origin", "array")
APPLICATION = ("op", "inputs", "types", "names", "origins", "scope", "rule", "grad_of", "replaced")
MAX_RANK = 64  # NumPy's


def decoded(text: Any, arrays: Sequence[Array]) -> Any:
    """The object that `text` describes; GraphlabError says what is wrong with it."""
    if not isinstance(text, dict) or text.get("format") != "graphlab":
        raise damaged("it was not written by graphlab.save")
    if text.get("version") != VERSION:
        raise damaged(f"it has version {text.get('version')!r:.20} of the format, this graphlab reads {VERSION}")
    try:
        return _decoded(text, arrays)
    except GraphlabError:
        raise
    except Exception as error:  # what a wrong text meets on its way through the ops can be anything
        raise damaged(f"its graph makes no sense ({type(error).__name__}: {error})") from None


def _decoded(text: Mapping[str, Any], arrays: Sequence[Array]) -> Any:
    _, _, leaf_rows, rows, thing = _taken(text, ("format", "version", "leaves", "applications", "object"), "the file")
    reader = Reader(arrays)
    for row in _listed(leaf_rows, "the leaves"):
        reader.leaves.append(reader.leaf(row))
    for row in _listed(rows, "the applications"):
        reader.applications.append(reader.application(row))
    return reader.value(thing)


def _taken(row: Any, names: Sequence[str], what: str) -> list[Any]:
    """The entries `names` of `row`, which must have just these ("array" may be absent)."""
    if not isinstance(row, dict) or not set(names) - {"array"} <= set(row) <= set(names):
        raise damaged(f"{what} should have the entries {', '.join(names)}")
    return [row.get(name) for name in names]


def _listed(value: Any, what: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise damaged(f"{what} should be a list" + (f" of {length}" if length is not None else ""))
    return value


def _chosen(number: Any, table: Sequence[Any], what: str) -> Any:
    """Entry `number` of `table`; so far, so that nothing refers to itself or to what comes later."""
    if type(number) is not int or not 0 <= number < len(table):
        raise damaged(f"{what} {number!r:.40} is not among the {len(table)} that there are at this point")
    return table[number]


def _label(value: Any, what: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise damaged(f"{what} should be a text, not {value!r:.40}")
    return value


def _type(value: Any) -> TensorType:
    dtype, shape = _listed(value, "a type", 2)
    extents = tuple(_listed(shape, "a shape"))
    if dtype not in ALL or len(extents) > MAX_RANK:
        raise damaged(f"there is no type {value!r:.60}")
    if not all(n is None or (type(n) is int and 0 <= n < 2**63) for n in extents):
        raise damaged(f"a shape holds {shape!r:.60}")
    return TensorType(dtype, extents)


def _origin(value: Any) -> Origin | None:
    if value is None:
        return None
    file, line, function = _listed(value, "an origin", 3)
    if not (isinstance(file, str) and type(line) is int and isinstance(function, str)):
        raise damaged(f"an origin is {value!r:.60}")
    return Origin(file, line, function)


def _check_axes(op: Op, operands: Sequence[Variable]) -> None:
    """The functions that make ops count axes from 0 and check them; compiled code relies on that."""
    one: tuple[int, ...] = (op.axis,) if hasattr(op, "axis") else ()
    for axis in getattr(op, "axes", one) or ():
        if not 0 <= axis < operands[0].ndim:
            raise damaged(f"{op.name}: there is no axis {axis} in {operands[0].type}")


@dataclass
class Reader:
    """What has been read so far."""

    arrays: Sequence[Array]
    leaves: list[Variable] = field(default_factory=list)
    applications: list[Apply] = field(default_factory=list)

    # -- graphs --

    def leaf(self, row: Any) -> Variable:
        """An input, constant or shared variable."""
        kind, type_, name, origin, array = _taken(row, LEAF, "a leaf")
        expected, labels = _type(type_), (_label(name, "a name"), _origin(origin))
        if kind == "input":
            return flat.remade_input(expected, *labels)
        data = _chosen(array, self.arrays, "array")
        if not expected.accepts(TensorType(data.dtype.name, data.shape)):
            raise damaged(f"{kind} {name or ''} should be {expected}, its array is {data.dtype}{list(data.shape)}")
        if kind == "constant":
            return flat.remade_constant(data, *labels)
        if kind == "shared":
            return flat.remade_shared(expected, [data.copy()], *labels)
        raise damaged(f"there is no kind of leaf {kind!r:.40}")

    def application(self, row: Any) -> Apply:
        """An application of a known op, whose types must come out as they are written."""
        op_, inputs, types, names, origins, scope, rule, grad_of, replaced = _taken(row, APPLICATION, "an application")
        op, operands = self.op(op_), self.references(inputs)
        _check_axes(op, operands)
        inferred = op.infer(*(v.type for v in operands))
        expected = [_type(t) for t in _listed(types, "types")]
        if len(expected) != len(inferred) or not all(e.accepts(t) for e, t in zip(expected, inferred, strict=True)):
            raise damaged(
                f"{op.name} should give {', '.join(map(str, expected))}, but gives {', '.join(map(str, inferred))}"
            )
        why = Provenance(
            tuple(o for o in map(_origin, _listed(origins, "origins")) if o is not None),
            None if grad_of is None else _chosen(grad_of, self.applications, "application"),
            _label(rule, "a rule"),
            None if replaced is None else _chosen(replaced, self.applications, "application"),
            tuple(str(_label(part, "a scope")) for part in _listed(scope, "a scope")),
        )
        labels = [_label(n, "a name") for n in _listed(names, "names", len(inferred))]
        return flat.remade_apply(op, operands, inferred, labels, why)

    def op(self, row: Any) -> Op:
        """One of graphlab's own ops; its fields must have the types that they are declared with."""
        if isinstance(row, dict) and set(row) == {"elementwise"}:
            if row["elementwise"] not in registry.elementwise():
                raise damaged(f"this graphlab has no elementwise op {row['elementwise']!r:.40}")
            return registry.elementwise()[row["elementwise"]]
        name, content = _taken(row, ("class", "fields"), "an op")
        if name not in registry.classes():
            raise damaged(f"this graphlab has no op {name!r:.40}")
        kind = registry.classes()[name]
        op = kind(**self.fields(content, registry.field_types(kind), f"op {name}"))
        for graph in op.graphs:
            if not set(leaves(graph.outputs, graph.inputs)) <= set(graph.inputs) | self._constants():
                raise damaged(f"a graph in op {name} needs more than its inputs")
        return op

    def _constants(self) -> set[Variable]:
        return {v for v in self.leaves if type(v) is not Variable}

    def references(self, rows: Any) -> list[Variable]:
        """The variables that are named."""
        return [self.reference(row) for row in _listed(rows, "variables")]

    def reference(self, row: Any) -> Variable:
        """A leaf by its number, or [application, output]."""
        if not isinstance(row, list):
            found: Variable = _chosen(row, self.leaves, "leaf")
            return found
        node, index = _listed(row, "a reference", 2)
        output: Variable = _chosen(index, _chosen(node, self.applications, "application").outputs, "output")
        return output

    # -- values --

    def value(self, row: Any) -> Any:
        """A value of any kind."""
        if type(row) in (*PLAIN, float):
            return row
        if isinstance(row, list):
            return [self.value(v) for v in row]
        ((tag, content),) = row.items()
        if tag in records():
            return self.record(tag, content)
        if tag not in VALUES:
            raise damaged(f"there is no kind of value {tag!r:.40}")
        return VALUES[tag](self, content)

    def fields(self, row: Any, types: Mapping[str, Any], what: str) -> dict[str, Any]:
        """The fields of an op, a record or a function."""
        values = [self.value(v) for v in _taken(row, tuple(types), what)]
        for (name, hint), value in zip(types.items(), values, strict=True):
            if not conforms(value, hint):
                raise damaged(f"{what}: its {name} can't be {value!r:.60}")
        return dict(zip(types, values, strict=True))

    def record(self, name: str, row: Any) -> Any:
        """One of `records()`."""
        if name == "Graph":
            inputs, outputs = _taken(row, ("inputs", "outputs"), "a graph")
            return flat.remade_graph(self.references(inputs), self.references(outputs))
        kind = records()[name]
        return kind(**self.fields(row, registry.field_types(kind), name))

    def items(self, rows: Any) -> list[Any]:
        """Several values."""
        return [self.value(v) for v in _listed(rows, "values")]

    def array(self, number: Any) -> Array:
        """A copy of an array of the file."""
        array: Array = _chosen(number, self.arrays, "array").copy()
        return array

    def function(self, row: Any) -> Function:
        """A function, compiled anew."""
        parts = self.fields(row, FUNCTION, "a function")
        origin, trust_input = parts.pop("origin"), parts.pop("trust_input")
        _check_function(**{name: parts[name] for name in ("specs", "graph", "structure", "updated")})
        f = assembled(**parts)
        f.origin, f.trust_input = origin, trust_input
        return f


def _check_function(*, specs: Any, graph: Graph, structure: Structure, updated: tuple[Shared, ...]) -> None:
    input_specs(specs)
    check_inputs(specs, graph.outputs, "ignore")
    visible, kind = len(graph.outputs) - len(updated), structure.kind
    if [s.variable for s in specs] != list(graph.inputs):
        raise damaged("the inputs of a function are not those of its graph")
    results = {
        "single": visible == 1,
        "list": visible >= 0,
        "tuple": visible >= 0,
        "dict": visible == len(structure.keys),
    }
    if not results.get(kind) or (kind != "dict" and structure.keys):
        raise damaged(f"{visible} results of a function can't be handed back as {structure}")
    new = graph.outputs[visible:]
    if len(set(updated)) < len(updated) or not all(s.type.accepts(v.type) for s, v in zip(updated, new, strict=True)):
        raise damaged("the updates of a function do not fit its shared variables")


VALUES: Mapping[str, Callable[[Reader, Any], Any]] = {
    "variable": Reader.reference,
    "op": Reader.op,
    "function": Reader.function,
    "array": Reader.array,
    "float": lambda r, text: {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}[text],
    "complex": lambda r, rows: complex(*r.items(rows)),
    "tuple": lambda r, rows: tuple(r.items(rows)),
    "set": lambda r, rows: frozenset(r.items(rows)),
    "dict": lambda r, rows: dict(r.items(pair) for pair in _listed(rows, "a dict")),
    "slot": lambda r, content: SLOT,
    "ellipsis": lambda r, content: ...,
}
