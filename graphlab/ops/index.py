"""Indexing by NumPy's rules, basic and advanced, and arrays with an indexed part replaced or increased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import ALL
from graphlab.errors import GraphShapeError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Keyed, OneByOne
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, equal, where
from graphlab.ops.extents import known_elements, normalized_axes, reshape, shape_of, zeros_like
from graphlab.ops.key import (
    FULL,
    REVERSED,
    Entry,
    Gathered,
    Key,
    Slice,
    index_array,
    indexed_shape,
    is_advanced,
    is_mask,
    parse_key,
)
from graphlab.ops.lowering import Expand, Host, Lowering, Runtime
from graphlab.ops.ranges import arange

# ---- reading -------------------------------------------------------------------------------------


def _runtime_params(key: Key, ndim_in: int, ndim_out: int, indices: Sequence[Variable]) -> tuple[int, ...]:
    """The key as the C runtime reads it: (ndim in, ndim out, entries), then for each entry 0 for a new
    axis, 1 and a number, 2 and the numbers start, stop, step, or 3 and the dtype of an index array. A number
    is a flag and a value: 0 absent, 1 constant, 2 the next index input (int64 scalar)."""

    def number(bound: Any) -> tuple[int, int]:
        if bound is None:
            return 0, 0
        return (1, bound) if isinstance(bound, int) else (2, 0)

    entries = [entry for entry in key.filled(indices) if entry is not ...]
    params = [ndim_in, ndim_out, len(entries)]
    for entry in entries:
        if entry is None:
            params += [0]
        elif isinstance(entry, slice):
            params += [2, *(n for bound in (entry.start, entry.stop, entry.step) for n in number(bound))]
        elif isinstance(entry, Variable) and entry.ndim:
            params += [3, ALL.index(entry.dtype)]
        else:
            params += [1, *number(entry)]
    return tuple(params)


def _selection(key: Key, ndim_in: int, ndim_out: int, indices: Sequence[Variable]) -> tuple[int, ...]:
    """The same behind where the axes of the index arrays stand in the part, and how many these are."""
    gathered = Gathered.by(key, [v.type for v in indices])
    return (gathered.at, gathered.rank, *_runtime_params(key, ndim_in, ndim_out, indices))


_MASKS = Host("how much a mask selects is known only once its values are")


def _batching(key: Key, indices: Sequence[Variable], batched: Sequence[bool]) -> Batching:
    """How a batch of indices is taken: where each selects another number of elements, one by one."""
    bounds = [b for entry in key.filled(indices) if isinstance(entry, slice) for b in (entry.start, entry.stop)]
    steps = [entry.step for entry in key.filled(indices) if isinstance(entry, slice)]
    ragged = {v for v in (*bounds, *steps) if isinstance(v, Variable)} | {v for v in indices if is_mask(v.type)}
    return OneByOne() if any(v in ragged for v, b in zip(indices, batched, strict=True) if b) else Keyed()


@dataclass(frozen=True, slots=True)
class Index(Op):
    """The part of the first input that `key` selects; the other inputs fill the key's slots.

    A view for numbers, slices and new axes; a copy where there is an index array or a mask.
    """

    key: Key
    name = "index"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, *indices = inputs
        return (x.with_shape(indexed_shape(self.key, x.shape, indices)),)

    def numpy(self, *values: Array) -> Any:
        return values[0][self.key.numpy(values[1:])]

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x, *indices) = cotangents, node.inputs
        assert g is not None
        if all(entry in (None, FULL, REVERSED) for entry in self.key.entries):
            # Every element is there once: the axes are turned back, and the new ones dropped.
            back = Key(tuple(0 if entry is None else entry for entry in self.key.entries))
            return [Index(back)(g)]
        whole = IndexUpdate("inc", self.key)(zeros_like(x, g.dtype), g, *indices)
        return [whole, *(None for _ in indices)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0], *node.inputs[1:])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return _batching(self.key, node.inputs[1:], batched[1:])

    def lowering(self, node: Apply) -> Lowering:
        x, *indices = node.inputs
        rank = node.outputs[0].ndim
        if any(is_mask(v.type) for v in indices):
            return _MASKS
        if is_advanced([v.type for v in indices]):
            return Runtime("gather", _selection(self.key, x.ndim, rank, indices))
        return Runtime("index", _runtime_params(self.key, x.ndim, rank, indices), view=True)

    def text(self, x: str, *indices: str) -> str:
        return f"{x}[{self.key.text(indices)}]"


@user_boundary
def index(x: Any, key: Any) -> Variable:
    """`x[key]` by NumPy's rules; every number in `key` may be symbolic.

    A known element of a shape is a constant. GraphIndexError: out of range, as far as the graph shows.

    >>> index(Constant([[1, 2], [3, 4]]), (0, slice(None, None, -1))).type.shape
    (2,)
    """
    variable = as_data_variable(x)
    parsed, inputs = parse_key(key, variable.ndim)
    op = Index(parsed)
    if variable.ndim == 1 and variable.dtype == "int64" and not inputs and len(parsed.entries) == 1:
        op.infer(variable.type)  # so that an index out of range is an error here too
        folded = _known_part(variable, parsed.entries[0])
        if folded is not None:
            return folded
    part: Variable = op(variable, *inputs)
    return part


def _known_part(vector: Variable, entry: Entry) -> Variable | None:
    """The part of an integer vector, usually a shape, that is known while the graph is built."""
    elements = known_elements(vector)
    if elements is None:
        return None
    if isinstance(entry, int):
        n = elements[entry] if -len(elements) <= entry < len(elements) else None
        return None if n is None else Constant(np.int64(n))
    if not isinstance(entry, Slice) or entry == FULL:
        return None
    start, stop, step = (b if isinstance(b, int) else None for b in entry.bounds)
    part = elements[start:stop:step]
    return Constant(np.array(part, "int64")) if None not in part else None


@user_boundary
def take(x: Any, indices: Any, axis: int | None = None) -> Variable:
    """The elements of `x` at `indices` along `axis` (None: of all elements in a row), as numpy.take."""
    variable = as_data_variable(x)
    if axis is None:
        variable, axis = reshape(variable, (-1,)), 0
    (along,) = normalized_axes(axis, variable.ndim, "take")
    return index(variable, (*(slice(None),) * along, index_array(indices)))


# ---- writing -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexUpdate(Op):
    """The first input with `key`'s part replaced by the second ("set") or increased by it ("inc").

    The other inputs fill the key's slots. Where an index repeats an element, "set" keeps the last
    value and "inc" adds them all. The second input broadcasts to the part.
    """

    mode: str
    key: Key

    @property
    def name(self) -> str:
        """set_subtensor or inc_subtensor."""
        return f"{self.mode}_subtensor"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, y, *indices = inputs
        part = indexed_shape(self.key, x.shape, indices)
        if y.dtype != x.dtype:
            raise GraphTypeError(f"{self.name}: expected values of {x.dtype}, got {y.dtype}")
        ones_in_front = (1,) * (len(part) - y.ndim)
        fits = y.ndim <= len(part) and all(
            n in (1, None, m) or m is None for n, m in zip((*ones_in_front, *y.shape), part, strict=True)
        )
        if not fits:
            raise GraphShapeError(f"{self.name}: {y} does not broadcast to the part, {x.with_shape(part)}")
        return (x,)

    def numpy(self, *values: Array) -> Any:
        x, y, *indices = values
        result, key = x.copy(), self.key.numpy(indices)
        if self.mode == "set":
            result[key] = y
        elif any(i.ndim for i in indices):
            np.add.at(result, key, y)
        else:
            result[key] += y
        return result

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (_, _, *indices) = cotangents, node.inputs
        assert g is not None
        part = Index(self.key)(g, *indices)
        if self.mode == "inc":
            return [g, part, *(None for _ in indices)]
        if any(v.ndim and not is_mask(v.type) for v in indices):
            # Of several values for one element only the last got there: the others have no influence.
            part = where(Survives(self.key)(node.inputs[0], *indices), part, 0)
        rest = IndexUpdate("set", self.key)(g, Constant(np.zeros((), g.dtype)), *indices)
        return [rest, part, *(None for _ in indices)]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        (x, y, *indices), (along_x, along_y, *_) = node.inputs, tangents
        along_x = zeros_like(x) if along_x is None else cast(along_x, x.dtype)
        along_y = zeros_like(y) if along_y is None else cast(along_y, x.dtype)
        return [self(along_x, along_y, *indices)]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return _batching(self.key, node.inputs[2:], batched[2:])

    def lowering(self, node: Apply) -> Lowering:
        x, _, *indices = node.inputs
        if any(is_mask(v.type) for v in indices):
            return _MASKS
        if self.mode == "inc" and x.dtype == "float16":
            return self._in_halves(indices)
        rank = len(indexed_shape(self.key, x.type.shape, [v.type for v in indices]))
        inc = int(self.mode == "inc")
        return Runtime("scatter", (inc, ALL.index(x.dtype), *_selection(self.key, x.ndim, rank, indices)))

    def _in_halves(self, indices: Sequence[Variable]) -> Lowering:
        """The runtime does not add float16; where no element is named twice, the part is added to and put back."""
        if is_advanced([v.type for v in indices]):
            return Host("float16 is not added up in C")
        read, write = Index(self.key), IndexUpdate("set", self.key)
        return Expand(lambda x, y, *indices: [write(x, add(read(x, *indices), y), *indices)])

    def text(self, x: str, y: str, *indices: str) -> str:
        return f"{self.name}({x}[{self.key.text(indices)}], {y})"


@dataclass(frozen=True, slots=True)
class Survives(Op):
    """For each element that `key` writes into the first input, whether no later one overwrites it."""

    key: Key
    name = "survives"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, *indices = inputs
        return (TensorType("bool", indexed_shape(self.key, x.shape, indices)),)

    def numpy(self, *values: Array) -> Any:
        x, *indices = values
        key = self.key.numpy(indices)
        writer = np.zeros(x.shape, dtype="int64")
        order = np.arange(writer[key].size).reshape(writer[key].shape)
        writer[key] = order
        return writer[key] == order

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [None] * len(node.inputs)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return _batching(self.key, node.inputs[1:], batched[1:])

    def lowering(self, node: Apply) -> Lowering:
        if any(is_mask(v.type) for v in node.inputs[1:]):
            return _MASKS
        return Expand(self._by_writing)

    def _by_writing(self, x: Variable, *indices: Variable) -> Sequence[Variable]:
        """Each element writes its number; those that can still be read have survived."""
        read, blank = Index(self.key), zeros_like(x, "int64")
        part = read(blank, *indices)
        count = index(shape_of(reshape(part, (-1,))), 0)
        number = reshape(arange(count), shape_of(part))
        return [equal(read(IndexUpdate("set", self.key)(blank, number, *indices), *indices), number)]


def _update(mode: str, target: Any, values: Any) -> Variable:
    owner = target.owner if isinstance(target, Variable) else None
    if owner is None or not isinstance(owner.op, Index):
        came = target.type if isinstance(target, Variable) else type(target).__name__
        raise GraphTypeError(
            f"{mode}_subtensor: the first argument must be an indexed variable, got {came}",
            origin=caller_origin(),
            hint=f"write {mode}_subtensor(x[1:3], values)",
        )
    x, *indices = owner.inputs
    y = as_data_variable(values)
    if not np.can_cast(y.dtype, x.dtype, "same_kind"):
        raise GraphTypeError(
            f"{mode}_subtensor: values of {y.dtype} would lose by standing in {x.dtype}",
            origin=caller_origin(),
            hint=f"cast one of them: values.astype({x.dtype!r}) or x.astype({y.dtype!r})",
        )
    updated: Variable = IndexUpdate(mode, owner.op.key)(x, cast(y, x.dtype), *indices)
    return updated


@user_boundary
def set_subtensor(target: Variable, values: Any) -> Variable:
    """A copy of x with x[key] replaced by `values`, given `target` = x[key].

    Where the key names an element twice the last value stays, and only that one gets a gradient.
    GraphTypeError: `target` is not an indexed variable, or its dtype can't hold the values.

    >>> x = index(Constant([1.0, 2.0, 3.0]), slice(1, None))
    >>> set_subtensor(x, 0.0).type.shape
    (3,)
    """
    return _update("set", target, values)


@user_boundary
def inc_subtensor(target: Variable, values: Any) -> Variable:
    """A copy of x with `values` added to x[key], given `target` = x[key].

    Where the key names an element twice both values are added.
    """
    return _update("inc", target, values)
