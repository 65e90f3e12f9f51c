"""Losses: cross-entropies of chances and of logits, one number for each example."""

from __future__ import annotations

from typing import Any

from graphlab.dtypes import is_integer
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.elementwise import add, log, multiply, negative, softplus, subtract
from graphlab.ops.extents import normalized_axes, reshape, shape_of
from graphlab.ops.index import index, take
from graphlab.ops.join import as_tensor
from graphlab.ops.nnet import floating, log_softmax, softmax
from graphlab.ops.ranges import arange
from graphlab.ops.reduce import argmax, sum
from graphlab.ops.shape import extent, flatten, moveaxis, size

# ---- of two classes ------------------------------------------------------------------------------


@user_boundary
def binary_crossentropy(output: Any, target: Any) -> Variable:
    """-(target * log(output) + (1 - target) * log(1 - output)), element by element.

    `output`: chances; `target`: 0 or 1, or chances too. Written on a sigmoid it is rewritten to a form that
    does not lose small chances; `sigmoid_binary_crossentropy` is that form.
    """
    p, t = floating(output, "binary_crossentropy"), as_tensor(target)
    hit = multiply(t, log(p))
    miss = multiply(subtract(1, t), log(subtract(1, p)))
    cost: Variable = negative(add(hit, miss))
    return cost


@user_boundary
def sigmoid_binary_crossentropy(output: Any, target: Any) -> Variable:
    """binary_crossentropy(sigmoid(output), target) of logits, exact where the sigmoid rounds to 0 or 1.

    >>> sigmoid_binary_crossentropy([-1000.0, 1000.0], [1, 1]).eval()
    array([1000.,    0.])
    """
    x, t = floating(output, "sigmoid_binary_crossentropy"), as_tensor(target)
    # -log(sigmoid(x)) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x), which lose nothing.
    cost: Variable = add(multiply(t, softplus(negative(x))), multiply(subtract(1, t), softplus(x)))
    return cost


# ---- of many classes -----------------------------------------------------------------------------


@user_boundary
def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Variable:
    """-sum(true * log(coding)) over the last axis.

    `coding_dist`: chances along the last axis; `true_dist`: chances of the same rank (one-hot rows too), or
    integers of one rank less that name the true class. One number for each distribution comes back.
    GraphTypeError: it is neither.

    >>> categorical_crossentropy([[0.5, 0.5], [0.1, 0.9]], [1, 0]).type.shape
    (2,)
    """
    coding, true = floating(coding_dist, "categorical_crossentropy"), as_tensor(true_dist)
    _check_target("categorical_crossentropy", coding, true)
    if true.ndim == coding.ndim:
        return negative(sum(multiply(true, log(coding)), -1))  # type: ignore[no-any-return]
    return negative(log(_picked(coding, true)))  # type: ignore[no-any-return]


@user_boundary
def softmax_categorical_crossentropy(logits: Any, true_dist: Any, axis: int = -1) -> Variable:
    """categorical_crossentropy(softmax(logits), true_dist) along `axis`, exact where the softmax rounds to 0.

    >>> softmax_categorical_crossentropy([[0.0, 1000.0]], [0]).eval()
    array([1000.])
    """
    what = "softmax_categorical_crossentropy"
    x, true = floating(logits, what), as_tensor(true_dist)
    _check_target(what, x, true)
    (along,) = normalized_axes(axis, x.ndim, what)
    if along != x.ndim - 1:
        x = moveaxis(x, along, -1)
        true = moveaxis(true, along, -1) if true.ndim == x.ndim else true
    chances = log_softmax(x)
    if true.ndim == x.ndim:
        return negative(sum(multiply(true, chances), -1))  # type: ignore[no-any-return]
    return negative(_picked(chances, true))  # type: ignore[no-any-return]


@user_boundary
def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Variable, Variable, Variable]:
    """Of the rows of x + b: the cross-entropy with the true classes `y_idx`, the softmax, and the likeliest class."""
    logits = add(x, b)
    return softmax_categorical_crossentropy(logits, y_idx), softmax(logits), argmax(logits, -1)


@user_boundary
def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> tuple[Variable, Variable]:
    """Of the rows of `x`: the cross-entropy with the true classes `y_idx`, and the softmax."""
    return softmax_categorical_crossentropy(x, y_idx), softmax(x)


def _check_target(what: str, coding: Variable, true: Variable) -> None:
    if true.ndim == coding.ndim or (true.ndim == coding.ndim - 1 and is_integer(true.dtype)):
        return
    raise GraphTypeError(
        f"{what}: expected {coding.type} or integers of rank {coding.ndim - 1}, got {true.type}",
        origin=caller_origin(),
        hint="give the true classes as integers, or as a distribution for each row",
    )


def _picked(rows: Variable, classes: Variable) -> Variable:
    """Of each vector along the last axis of `rows` the element that `classes` names."""
    if rows.ndim == 1:
        return index(rows, classes)
    if rows.ndim > 2:
        flat = reshape(rows, (size(classes), extent(rows, rows.ndim - 1)))
        return reshape(_picked(flat, flatten(classes)), shape_of(classes))
    return index(rows, (arange(size(classes)), classes))


# ---- classes to vectors --------------------------------------------------------------------------


@user_boundary
def embedding(table: Any, indices: Any) -> Variable:
    """For each of `indices` that row of `table`, (rows, ...): as table[indices]; gradients of one row add up.

    >>> embedding([[1.0, 2.0], [3.0, 4.0]], [1, 1]).eval()
    array([[3., 4.],
           [3., 4.]])
    """
    return take(table, indices, 0)
