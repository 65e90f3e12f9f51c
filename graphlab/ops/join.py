"""Arrays put together and taken apart: concatenate, stack, split, repeat, and the identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, INTEGER, promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import Extent, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Shifted
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, equal
from graphlab.ops.extents import broadcast_to, normalized_axes, reshape, zeros_like
from graphlab.ops.index import index
from graphlab.ops.lowering import Host, Lowering, Runtime
from graphlab.ops.ranges import arange
from graphlab.ops.shape import expand_dims, extent, ravel, size
from graphlab.options import options

# ---- together ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Concatenate(Op):
    """Arrays of one dtype one after the other along `axis`; their other extents agree."""

    axis: int
    name = "concatenate"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        first = inputs[0]
        if any(t.ndim != first.ndim or t.dtype != first.dtype for t in inputs):
            raise GraphTypeError(
                f"{self.name}: expected arrays of one rank and dtype, got {', '.join(map(str, inputs))}"
            )
        if not 0 <= self.axis < first.ndim:
            raise GraphTypeError(f"{self.name}: axis {self.axis} is out of range for {first}")
        shape = [self._agreed([t.shape[a] for t in inputs], a, inputs) for a in range(first.ndim)]
        return (first.with_shape(tuple(shape)),)

    def _agreed(self, extents: Sequence[Extent], axis: int, inputs: Sequence[TensorType]) -> Extent:
        known = [n for n in extents if n is not None]
        if axis == self.axis:
            return sum(known) if len(known) == len(extents) else None
        if len(set(known)) > 1:
            raise GraphShapeError(
                f"{self.name}: along axis {axis} the extents of {' and '.join(map(str, inputs))} differ",
                hint=f"only axis {self.axis}, along which they are joined, may differ",
            )
        return known[0] if known else None

    def numpy(self, *values: Array) -> Any:
        return np.concatenate(values, axis=self.axis)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        before = (slice(None),) * self.axis
        return [index(g, (*before, part)) for part in _spans([extent(v, self.axis) for v in node.inputs])]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        pairs = zip(node.inputs, tangents, strict=True)
        return [self(*(zeros_like(v) if t is None else cast(t, v.dtype) for v, t in pairs))]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Shifted(Concatenate(self.axis + 1))

    def lowering(self, node: Apply) -> Lowering:
        return Runtime(self.name, (self.axis, len(node.inputs), node.inputs[0].ndim))

    def text(self, *arrays: str) -> str:
        return f"{self.name}([{', '.join(arrays)}], axis={self.axis})"


def _spans(extents: Sequence[Variable]) -> Iterator[slice]:
    """The slices that lie one after the other and have `extents`."""
    start: Any = 0
    for n in extents:
        both_known = isinstance(start, int) and isinstance(n, Constant)
        stop = start + int(n.data) if both_known else add(start, n)  # type: ignore[attr-defined]
        yield slice(start, stop)
        start = stop


@user_boundary
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Variable:
    """`arrays` one after the other along `axis` (None: all their elements in a row), as numpy.concatenate.

    Dtypes promote as NumPy's. GraphTypeError: ranks differ; GraphShapeError: extents across `axis` do.

    >>> concatenate([Constant([1, 2]), Constant([0.5])]).type
    TensorType(dtype='float64', shape=(3,))
    """
    variables = [as_tensor(a) for a in arrays]
    if not variables:
        raise GraphValueError("concatenate: at least one array is needed", origin=caller_origin())
    if axis is None:
        variables, axis = [ravel(v) for v in variables], 0
    if variables[0].ndim == 0:
        raise GraphTypeError(
            "concatenate: scalars can't be concatenated",
            origin=caller_origin(),
            hint="stack them: stack([a, b])",
        )
    (along,) = normalized_axes(axis, variables[0].ndim, "concatenate")
    dtype = promote(*(v.dtype for v in variables))
    joined: Variable = Concatenate(along)(*(cast(v, dtype) for v in variables))
    return joined


@user_boundary
def join(axis: int, *arrays: Any) -> Variable:
    """`arrays` one after the other along `axis`: Theano's spelling of `concatenate`."""
    return concatenate(arrays, axis)


@user_boundary
def stack(arrays: Sequence[Any], axis: int = 0) -> Variable:
    """`arrays` of one shape side by side along a new `axis`, as numpy.stack.

    >>> stack([Constant(1), Constant(2.5)]).type.dtype
    'float64'
    """
    variables = [as_tensor(a) for a in arrays]
    if not variables:
        raise GraphValueError("stack: at least one array is needed", origin=caller_origin())
    if len({v.ndim for v in variables}) > 1:
        came = ", ".join(str(v.type) for v in variables)
        raise GraphTypeError(f"stack: expected arrays of one rank, got {came}", origin=caller_origin())
    return concatenate([expand_dims(v, axis) for v in variables], axis)


@user_boundary
def as_tensor(value: Any, name: str | None = None) -> Variable:
    """`value` as a variable: itself, a constant, or a stack if it is a nested list that holds variables.

    >>> as_tensor([1, 2]).type.shape
    (2,)
    """
    if isinstance(value, list | tuple) and _holds_variable(value):
        return stack([as_tensor(v) for v in value])
    return as_data_variable(value, name)


def _holds_variable(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_variable(v) for v in value)
    return isinstance(value, Variable)


# ---- apart and again -----------------------------------------------------------------------------


@user_boundary
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Variable, ...]:
    """`x` cut along `axis` into so many equal sections, or before each given position, as numpy.split.

    Equal sections need an extent that is known; positions may be symbolic.

    >>> [part.type.shape for part in split(Constant([1, 2, 3, 4, 5]), [2])]
    [(2,), (3,)]
    """
    variable = as_data_variable(x)
    (along,) = normalized_axes(axis, variable.ndim, "split")
    cuts = indices_or_sections
    if isinstance(cuts, int):
        n = variable.type.shape[along]
        if n is None or cuts < 1 or n % cuts:
            raise GraphShapeError(
                f"split: axis {along} of {variable.type} can't be cut into {cuts} equal sections",
                origin=caller_origin(),
                hint="give the positions of the cuts: split(x, [n, 2 * n])",
            )
        cuts = [n // cuts * i for i in range(1, cuts)]
    before = (slice(None),) * along
    edges = pairwise([None, *cuts, None])
    return tuple(index(variable, (*before, slice(start, stop))) for start, stop in edges)


@dataclass(frozen=True, slots=True)
class Repeated(Op):
    """Each of a vector of positions as often as the second vector says, which may have one element for all."""

    name = "repeat"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        positions, times = inputs
        n, m = positions.shape[0], times.shape[0]
        if None not in (n, m) and m not in (1, n):
            raise GraphShapeError(f"{self.name}: {n} elements, but {m} numbers of how often")
        return (positions.with_shape((None,)),)

    def numpy(self, *values: Array) -> Any:
        positions, times = values
        return np.repeat(positions, times.astype("int64"))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        return [None, None]

    def lowering(self, node: Apply) -> Lowering:
        return Host("its length is known only once the numbers are")


@user_boundary
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Variable:
    """Each element (or slice along `axis`) `repeats` times, as numpy.repeat: an integer, or a vector with one for each.

    They may be symbolic. GraphTypeError: they are no integers. A negative number is a ValueError as it runs.

    >>> repeat(Constant([1, 2]), 3).type.shape
    (6,)
    >>> repeat([1, 2, 3], [0, 2, 1]).eval()
    array([2, 2, 3])
    """
    variable, times = as_data_variable(x), as_tensor(repeats)
    if axis is None:
        variable, axis = ravel(variable), 0
    (along,) = normalized_axes(axis, variable.ndim, "repeat")
    if times.dtype not in BOOL + INTEGER or times.ndim > 1:
        raise GraphTypeError(f"repeat: expected an integer or a vector of integers, got {times.type}",
                             origin=caller_origin())  # fmt: skip
    extents: list[Any] = [extent(variable, a) for a in range(variable.ndim)]
    before, after = extents[: along + 1], extents[along + 1 :]
    if times.ndim == 1:
        return index(variable, (*(slice(None),) * along, _repeated(arange(before[along]), times)))
    spread = broadcast_to(expand_dims(variable, along + 1), [*before, repeats, *after])
    return reshape(spread, [*before[:-1], size(spread, (along, along + 1)), *after])


def _repeated(positions: Variable, times: Variable) -> Variable:
    op = Repeated()
    if isinstance(positions, Constant) and isinstance(times, Constant):
        return Constant(op.numpy(positions.data, times.data))
    result: Variable = op(positions, times)
    return result


@user_boundary
def tile(x: Any, reps: Any) -> Variable:
    """Copies of `x` side by side, `reps` along each axis (an integer or a sequence), as numpy.tile.

    >>> tile(Constant([[1, 2]]), (3, 2)).type.shape
    (3, 4)
    """
    times = list(reps) if isinstance(reps, tuple | list) else [reps]
    variable = as_data_variable(x)
    rank = max(len(times), variable.ndim)
    variable = expand_dims(variable, tuple(range(rank - variable.ndim)))
    times = [1] * (rank - len(times)) + times
    extents = [extent(variable, a) for a in range(rank)]
    between = expand_dims(variable, tuple(range(0, 2 * rank, 2)))
    copied = broadcast_to(between, [n for pair in zip(times, extents, strict=True) for n in pair])
    return reshape(copied, [size(copied, (2 * a, 2 * a + 1)) for a in range(rank)])


# ---- the identity --------------------------------------------------------------------------------


@user_boundary
def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
    """Ones on diagonal `k` of an n by m matrix (without `m` square), as numpy.eye; `dtype`: floatX.

    ValueError: n or m is a negative number. Where they are symbolic and turn out negative, they count as 0, as for
    `arange`.

    >>> eye(2).data
    array([[1., 0.],
           [0., 1.]])
    """
    chosen = dtype or options().floatX
    if all(isinstance(v, int) for v in (n, n if m is None else m, k)):
        return Constant(np.eye(n, m, k, dtype=chosen))
    rows, columns = expand_dims(arange(n), 1), arange(n if m is None else m)
    return cast(equal(add(rows, k), columns), chosen)
