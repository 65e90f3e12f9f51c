"""Extents as values: the shape of an array inside the graph, and arrays that are brought to a shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import canonical, is_integer
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import Shape, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Extents, OneByOne, ToShape
from graphlab.ops.conversion import cast
from graphlab.ops.lowering import Lowering, Runtime
from graphlab.options import options

# ---- axes and shapes as arguments ----------------------------------------------------------------


def normalized_axes(axis: Any, ndim: int, what: str) -> tuple[int, ...]:
    """`axis` (None for all, an integer or a sequence, negative from the end) as sorted axes of `ndim`.

    GraphValueError if one is out of range or named twice.

    >>> normalized_axes(-1, 3, "sum"), normalized_axes((2, 0), 3, "sum"), normalized_axes(None, 2, "sum")
    ((2,), (0, 2), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    try:
        given = [operator.index(a) for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    except TypeError:
        raise GraphTypeError(
            f"{what}: an axis must be an integer, got {axis!r}",
            origin=caller_origin(),
            hint="axes are fixed when the graph is built: give Python integers, a tuple of them or None",
        ) from None
    for a in given:
        if not -ndim <= a < ndim:
            have = f"axes {-ndim} to {ndim - 1}" if ndim else "no axes"
            message = f"{what}: axis {a} is out of range, the operand has {have}"
            raise GraphValueError(message, origin=caller_origin())
    axes = tuple(sorted(a % ndim for a in given))
    if len(set(axes)) < len(axes):
        raise GraphValueError(f"{what}: an axis is named twice in {axis}", origin=caller_origin())
    return axes


def shape_vector(shape: Any) -> Variable:
    """`shape` as an int64 vector: an integer, a sequence of integers and symbolic scalars, or a vector.

    GraphTypeError if it is none of these.
    """
    if isinstance(shape, Variable) and shape.ndim == 1 and is_integer(shape.dtype):
        return cast(shape, "int64")
    several = isinstance(shape, Sequence) or (isinstance(shape, np.ndarray) and shape.ndim > 0)
    items = list(shape) if several else [shape]
    extents = [_as_extent(item) for item in items]
    if all(isinstance(n, Constant) for n in extents):
        return Constant(np.array([n.data for n in extents if isinstance(n, Constant)], dtype="int64"))
    vector: Variable = StackScalars()(*extents)
    return vector


def _as_extent(item: Any) -> Variable:
    if isinstance(item, Variable):
        if item.ndim == 0 and is_integer(item.dtype):
            return Constant(item.data.astype("int64")) if isinstance(item, Constant) else cast(item, "int64")
        came = str(item.type)
    else:
        try:
            return Constant(np.int64(operator.index(item)))
        except TypeError:
            came = repr(item)
    raise GraphTypeError(
        f"an extent must be an integer or an integer scalar, got {came}",
        origin=caller_origin(),
        hint="a shape is a tuple of integers, symbolic or not, such as (x.shape[0], 3), or an integer vector",
    )


def known_elements(vector: Variable) -> Shape | None:
    """What the graph tells of the elements of an integer vector; None: not even how many there are."""
    if isinstance(vector, Constant):
        return tuple(int(n) for n in vector.data)
    if vector.owner is not None and isinstance(vector.owner.op, ShapeOf):
        return vector.owner.inputs[0].type.shape
    if vector.owner is not None and isinstance(vector.owner.op, StackScalars):
        return tuple(int(v.data) if isinstance(v, Constant) else None for v in vector.owner.inputs)
    (length,) = vector.type.shape
    return None if length is None else (None,) * length


def known_shape(vector: Variable, what: str, ndim: int | None = None) -> Shape:
    """The static shape that `vector` asks for; GraphTypeError if its length, the rank, is not known."""
    extents = known_elements(vector)
    if extents is None and ndim is None:
        raise GraphTypeError(
            f"{what}: the rank of the result is not known, the shape is a vector of unknown length",
            origin=caller_origin(),
            hint="give the extents one by one, such as (n, m), or ndim= where it is accepted",
        )
    if extents is None or (ndim is not None and len(extents) != ndim):
        if extents is not None:
            message = f"{what}: ndim is {ndim}, but the shape has {len(extents)} extents"
            raise GraphShapeError(message, origin=caller_origin())
        return (None,) * (ndim or 0)
    return extents


# ---- the shape of an array -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShapeOf(Op):
    """The extents of an array, as an int64 vector."""

    name = "shape"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType("int64", (inputs[0].ndim,)),)

    def numpy(self, *values: Array) -> Any:
        return np.array(values[0].shape, dtype="int64")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Extents()

    def lowering(self, node: Apply) -> Lowering:
        return Runtime("shape_of", (node.inputs[0].ndim,))

    def text(self, x: str) -> str:
        return f"{x}.shape"


@dataclass(frozen=True, slots=True)
class StackScalars(Op):
    """Integer scalars side by side as an int64 vector: a shape of which some extents are symbolic."""

    name = "stack_scalars"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if any(t.ndim or t.dtype != "int64" for t in inputs):
            raise GraphTypeError(f"{self.name} takes int64 scalars, got {', '.join(map(str, inputs))}")
        return (TensorType("int64", (len(inputs),)),)

    def numpy(self, *values: Array) -> Any:
        return np.array([int(v) for v in values], dtype="int64")

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [None] * len(node.inputs)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None]

    def lowering(self, node: Apply) -> Lowering:
        return Runtime("stack_scalars", (len(node.inputs),))

    def text(self, *scalars: str) -> str:
        return f"[{', '.join(scalars)}]"


@user_boundary
def shape_of(x: Any) -> Variable:
    """The extents of `x` as an int64 vector: a constant if all of them are known.

    >>> shape_of(Constant([[1.0, 2.0]])).data
    array([1, 2])
    """
    variable = as_data_variable(x)
    if any(n is None for n in variable.type.shape):
        shape: Variable = ShapeOf()(variable)
        return shape
    return Constant(np.array(variable.type.shape, dtype="int64"))


# ---- arrays brought to a shape -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BroadcastTo(Op):
    """The first input stretched to the shape that the second, a vector, gives; `extents`: as far as known."""

    extents: Shape
    name = "broadcast_to"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, shape = inputs
        _check_target(self, shape, self.extents)
        padded = (1,) * (len(self.extents) - x.ndim) + x.shape
        fits = len(padded) == len(self.extents) and all(
            have in (1, None, want) or want is None for have, want in zip(padded, self.extents, strict=True)
        )
        if not fits or any(n is not None and n < 0 for n in self.extents):
            raise GraphShapeError(
                f"{self.name}: {x} does not broadcast to the shape {_shape_text(self.extents)}",
                hint="aligned at the right, each extent must be 1 or the one asked for",
            )
        shape_known = (
            want if want is not None else None if have == 1 else have
            for have, want in zip(padded, self.extents, strict=True)
        )  # fmt: skip
        return (x.with_shape(tuple(shape_known)),)

    def numpy(self, *values: Array) -> Any:
        return np.broadcast_to(values[0], tuple(values[1]))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [cotangents[0], None]  # the caller sums it back to the input's shape

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return OneByOne() if batched[1] else ToShape(lambda n: BroadcastTo((n, *self.extents)), align=True)

    def lowering(self, node: Apply) -> Lowering:
        return Runtime(self.name, (len(self.extents), node.inputs[0].ndim), view=True)

    def text(self, x: str, shape: str) -> str:
        return f"{self.name}({x}, {shape})"


def _shape_text(extents: Shape) -> str:
    return f"({', '.join('?' if n is None else str(n) for n in extents)})"


def _check_target(op: Op, shape: TensorType, extents: Shape) -> None:
    if shape.dtype != "int64" or shape.ndim != 1 or shape.shape[0] not in (None, len(extents)):
        raise GraphTypeError(f"{op.name}: the shape must be int64[{len(extents)}], got {shape}")


@user_boundary
def broadcast_to(x: Any, shape: Any) -> Variable:
    """`x` stretched to `shape`, as numpy.broadcast_to; `x` itself if it is known to have that shape.

    GraphShapeError if it can be seen not to fit; otherwise the run sees.
    """
    variable, vector = as_data_variable(x), shape_vector(shape)
    extents = known_shape(vector, "broadcast_to")
    if variable.type.shape == extents and None not in extents:
        return variable
    stretched: Variable = BroadcastTo(extents)(variable, vector)
    return stretched


@user_boundary
def full(shape: Any, value: Any, dtype: Any = None) -> Variable:
    """An array of `shape` full of `value` (a scalar, or an array that broadcasts), as numpy.full."""
    filling = as_data_variable(value)
    if dtype is not None:
        if isinstance(filling, Constant):
            filling = Constant(filling.data.astype(canonical(dtype)))
        filling = cast(filling, dtype)
    return broadcast_to(filling, shape)


@user_boundary
def zeros(shape: Any, dtype: Any = None) -> Variable:
    """Zeros in `shape`; `dtype` defaults to floatX."""
    return full(shape, 0, dtype or options().floatX)


@user_boundary
def ones(shape: Any, dtype: Any = None) -> Variable:
    """Ones in `shape`; `dtype` defaults to floatX."""
    return full(shape, 1, dtype or options().floatX)


@user_boundary
def full_like(x: Any, value: Any, dtype: Any = None) -> Variable:
    """`value` in the shape of `x`, and in its dtype unless `dtype` says another.

    >>> full_like(Constant([1.5, 2.5]), 7).type.dtype
    'float64'
    """
    variable = as_data_variable(x)
    return full(shape_of(variable), value, dtype or variable.dtype)


@user_boundary
def zeros_like(x: Any, dtype: Any = None) -> Variable:
    """Zeros in the shape and dtype of `x`."""
    return full_like(x, 0, dtype)


@user_boundary
def ones_like(x: Any, dtype: Any = None) -> Variable:
    """Ones in the shape and dtype of `x`."""
    return full_like(x, 1, dtype)


@dataclass(frozen=True, slots=True)
class Reshape(Op):
    """The elements of the first input in the shape that the second, a vector, gives; -1 is worked out.

    `extents` is what is known of the shape, -1 included.
    """

    extents: Shape
    name = "reshape"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, shape = inputs
        _check_target(self, shape, self.extents)
        if self.extents.count(-1) > 1 or any(n is not None and n < -1 for n in self.extents):
            wrong = _shape_text(self.extents)
            raise GraphShapeError(f"{self.name}: {wrong} is no shape: one extent may be -1, no other negative")
        missing: int | None = None
        size, others = _product(x.shape), _product([n for n in self.extents if n != -1])
        if size is not None and others is not None:
            if -1 in self.extents and others > 0 and size % others == 0:
                missing = size // others
            elif -1 in self.extents or size != others:
                asked = _shape_text(self.extents)
                raise GraphShapeError(f"{self.name}: the {size} elements of {x} do not fit the shape {asked}")
        return (x.with_shape(tuple(missing if n == -1 else n for n in self.extents)),)

    def numpy(self, *values: Array) -> Any:
        return values[0].reshape(tuple(values[1]))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x, _) = cotangents, node.inputs
        return [reshape(g, shape_of(x)), None]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        return [None if tangents[0] is None else self(tangents[0], node.inputs[1])]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        extents = node.outputs[0].type.shape  # without the -1, which an empty batch would leave open
        return OneByOne() if batched[1] else ToShape(lambda n: Reshape((n, *extents)), align=False)

    def lowering(self, node: Apply) -> Lowering:
        return Runtime(self.name, (len(self.extents), node.inputs[0].ndim), view=True)

    def text(self, x: str, shape: str) -> str:
        return f"{x}.reshape({shape})"


def _product(extents: Sequence[int | None]) -> int | None:
    known = [n for n in extents if n is not None]
    return math.prod(known) if len(known) == len(extents) else None


@user_boundary
def reshape(x: Any, shape: Any, ndim: int | None = None) -> Variable:
    """The elements of `x` in another `shape`, of which one extent may be -1, as numpy.reshape.

    `shape` may hold symbolic integers or be an integer vector; if not even its length is known, `ndim`
    must say it. GraphShapeError if the graph shows that the sizes differ; otherwise the run sees.

    >>> reshape(Constant([[1, 2, 3], [4, 5, 6]]), (-1, 2)).type.shape
    (3, 2)
    """
    variable, vector = as_data_variable(x), shape_vector(shape)
    extents = known_shape(vector, "reshape", ndim)
    if variable.type.shape == extents and None not in extents:
        return variable
    reshaped: Variable = Reshape(extents)(variable, vector)
    return reshaped
