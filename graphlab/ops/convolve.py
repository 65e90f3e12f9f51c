"""Convolutions under the names and with the arguments of theano.tensor.nnet, along one, two and three axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from graphlab.dtypes import promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.conversion import cast
from graphlab.ops.convolution import Convolution, ConvolutionFilters, ConvolutionInput
from graphlab.ops.extents import known_shape, shape_vector
from graphlab.ops.geometry import Geometry
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.windows import per_axis, spatial

# ---- arguments -----------------------------------------------------------------------------------


def geometry(
    what: str, rank: int, border_mode: Any, subsample: Any, dilation: Any, groups: Any, flip: bool
) -> Geometry:
    """The arguments of `what` as a Geometry; GraphValueError says which of them makes no sense."""
    if not isinstance(groups, int) or groups < 1:
        raise GraphValueError(
            f"{what}: num_groups must be an integer from 1 up, got {groups!r}", origin=caller_origin()
        )
    stride = per_axis(subsample, rank, f"{what}: subsample")
    apart = per_axis(dilation, rank, f"{what}: filter_dilation")
    return Geometry(stride, apart, _padding(what, border_mode, rank), groups, bool(flip))


def _padding(what: str, border_mode: Any, rank: int) -> str | tuple[tuple[int, int], ...]:
    if isinstance(border_mode, str) and border_mode in ("half", "full"):
        return border_mode
    given: Any = 0 if isinstance(border_mode, str) and border_mode == "valid" else border_mode
    try:
        each = list(given) if isinstance(given, tuple | list) else [given] * rank
        pairs = tuple(
            (operator.index(n[0]), operator.index(n[1])) if isinstance(n, tuple | list) and len(n) == 2
            else (operator.index(n),) * 2
            for n in each
        )  # fmt: skip
    except TypeError:
        pairs = ()
    if len(pairs) != rank or min(min(pair) for pair in pairs) < 0:
        raise GraphValueError(
            f"{what}: {border_mode!r} is no border_mode",
            origin=caller_origin(),
            hint=f"'valid', 'half', 'full', an integer, or {rank} integers or pairs (before, after), from 0 up",
        )
    return pairs


def operands(what: str, rank: int, **given: Any) -> list[Variable]:
    """The arrays `given` by name as variables of one dtype; GraphTypeError unless each has `rank` + 2 axes."""
    variables = [as_tensor(v) for v in given.values()]
    for name, v in zip(given, variables, strict=True):
        if v.ndim != rank + 2:
            raise GraphTypeError(
                f"{what}: {name} must have {rank + 2} axes, (batch or count, channels, {rank} more); got {v.type}",
                origin=caller_origin(),
                hint="x[None, None] or x.reshape(...) gives an array the axes that it lacks",
            )
    dtype = promote(*(v.dtype for v in variables))
    return [cast(v, dtype) for v in variables]


def check_shape(what: str, name: str, variable: Variable, shape: Any) -> None:
    """GraphShapeError if `shape`, which may have gaps (None), contradicts what is known of `variable`."""
    if shape is None:
        return
    have = variable.type.shape
    given = [int(n) if isinstance(n, int) else None for n in shape]
    if len(given) != len(have) or any(None not in (n, m) and n != m for n, m in zip(given, have, strict=True)):
        raise GraphShapeError(f"{what}: {name} is {tuple(shape)}, but it is {variable.type}", origin=caller_origin())


# ---- convolutions --------------------------------------------------------------------------------


def _convolved(
    rank: int, input: Any, filters: Any, input_shape: Any, filter_shape: Any, border_mode: Any, subsample: Any,
    filter_flip: bool, dilation: Any, groups: int,
) -> Variable:  # fmt: skip
    what = f"conv{rank}d"
    x, w = operands(what, rank, input=input, filters=filters)
    check_shape(what, "input_shape", x, input_shape)
    check_shape(what, "filter_shape", w, filter_shape)
    moves = geometry(what, rank, border_mode, subsample, dilation, groups, filter_flip)
    result: Variable = Convolution(moves)(x, w)
    return result


@user_boundary
def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """Images (batch, channels, rows, columns) convolved with filters (count, channels / num_groups, rows, columns).

    The result is (batch, count, rows, columns). `border_mode` pads with zeros: "valid" (none), "half" (a result
    as large as the input, for odd filters), "full", an integer, or for each axis an integer or a pair (before,
    after). `subsample`: by how many elements the filters move on; `filter_dilation`: how far apart their
    elements lie. `filter_flip=False` is cross-correlation, what most libraries call convolution. `input_shape`
    and `filter_shape` are compared with what is known. GraphShapeError: channels differ, or the filters do not fit.

    >>> import numpy as np
    >>> conv2d(np.ones((5, 3, 28, 28)), np.ones((8, 3, 5, 5)), border_mode="half", subsample=2).type.shape
    (5, 8, 14, 14)
    """
    return _convolved(
        2, input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups
    )


@user_boundary
def conv1d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1,), filter_flip: bool = True, filter_dilation: Any = (1,), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """Sequences (batch, channels, elements) convolved with filters (count, channels, elements); else as conv2d.

    >>> conv1d([[[1.0, 2.0, 3.0]]], [[[1.0, 10.0]]]).eval()
    array([[[12., 23.]]])
    """
    return _convolved(
        1, input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups
    )


@user_boundary
def conv3d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """Volumes (batch, channels, depth, rows, columns) convolved with filters of the same axes; else as conv2d."""
    return _convolved(
        3, input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups
    )


@user_boundary
def separable_conv2d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1),
) -> Variable:  # fmt: skip
    """Filters for each of `num_channels` channels alone, then filters of 1 by 1 over all of what comes out."""
    apart = conv2d(
        input, depthwise_filters, None, None, border_mode, subsample, filter_flip, filter_dilation, num_channels
    )
    return conv2d(apart, pointwise_filters)


# ---- and back ------------------------------------------------------------------------------------


@user_boundary
def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any = None, border_mode: Any = 0, input_dilation: Any = (1, 1),
    filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """What conv2d's derivative does to (batch, count, rows, columns): each element adds its filter, (count, channels,
    rows, columns), where that lay; also called deconvolution.

    `input_dilation` is the subsample of that conv2d. `output_shape`, all of it or the last two extents, says
    which of the possible shapes (batch, channels, rows, columns) results; by default the smallest.

    >>> import numpy as np
    >>> conv2d_transpose(np.ones((5, 8, 12, 12)), np.ones((8, 3, 5, 5)), input_dilation=2).type.shape
    (5, 3, 27, 27)
    """
    what = "conv2d_transpose"
    g, w = operands(what, 2, input=input, filters=filters)
    moves = geometry(what, 2, border_mode, input_dilation, filter_dilation, num_groups, filter_flip)
    if output_shape is None:
        kernel = spatial(w, 2)
        spans = [(n - 1) * d + 1 for n, d in zip(kernel, moves.dilation, strict=True)]
        pads = [before + after for before, after in moves.pads(kernel)]
        counts = zip(spatial(g, 2), moves.stride, spans, pads, strict=True)
        output_shape = [(n - 1) * stride + span - padding for n, stride, span, padding in counts]
    return _by_input(what, g, w, output_shape, moves)


def _by_input(what: str, g: Variable, w: Variable, shape: Any, moves: Geometry) -> Variable:
    vector = shape_vector(_last(shape, 2))
    op = ConvolutionInput(moves, known_shape(vector, what))
    result: Variable = op(g, w, vector)
    return result


def _last(shape: Any, rank: int) -> Any:
    return index(shape, slice(-rank, None)) if isinstance(shape, Variable) else list(shape)[-rank:]


@user_boundary
def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Sequence[Any], filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """The derivative by its images, of `input_shape`, of the conv2d with these arguments, given that by its result."""
    what = "conv2d_grad_wrt_inputs"
    g, w = operands(what, 2, output_grad=output_grad, filters=filters)
    check_shape(what, "filter_shape", w, filter_shape)
    moves = geometry(what, 2, border_mode, subsample, filter_dilation, num_groups, filter_flip)
    return _by_input(what, g, w, input_shape, moves)


@user_boundary
def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Sequence[Any], input_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Variable:  # fmt: skip
    """The derivative by its filters, of `filter_shape`, of the conv2d with these arguments; else as the one above."""
    what = "conv2d_grad_wrt_weights"
    x, g = operands(what, 2, input=input, output_grad=output_grad)
    check_shape(what, "input_shape", x, input_shape)
    moves = geometry(what, 2, border_mode, subsample, filter_dilation, num_groups, filter_flip)
    vector = shape_vector(_last(filter_shape, 2))
    filters: Variable = ConvolutionFilters(moves, known_shape(vector, what))(x, g, vector)
    return filters
