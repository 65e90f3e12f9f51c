"""Normalization over a batch or within each example, and dropout."""

from __future__ import annotations

from typing import Any

from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add, greater_equal, maximum, multiply, sqrt, subtract, true_divide, where
from graphlab.ops.extents import normalized_axes, shape_of
from graphlab.ops.join import as_tensor
from graphlab.ops.nnet import floating
from graphlab.ops.reduce import mean, var
from graphlab.ops.shape import dimshuffle, size

# ---- shared --------------------------------------------------------------------------------------


def _axes(what: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes by number, or by Theano's names "per-activation" (the batch) and "spatial" (all but the channels)."""
    named = {"per-activation": (0,), "spatial": (0, *range(2, ndim))}
    if isinstance(axes, str) and axes not in named:
        raise GraphValueError(
            f"{what}: there are no axes {axes!r}", origin=caller_origin(), hint="'per-activation', 'spatial' or numbers"
        )
    return normalized_axes(named.get(axes, axes) if isinstance(axes, str) else axes, ndim, what)


def _spread(what: str, name: str, parameter: Any, x: Variable, axes: tuple[int, ...]) -> Variable:
    """`parameter`, which has the axes of `x` that are not in `axes`, or all of them, so that it broadcasts."""
    variable = as_tensor(parameter)
    kept = [a for a in range(x.ndim) if a not in axes]
    if variable.ndim == x.ndim or variable.ndim == 0:
        return variable
    if variable.ndim != len(kept):
        raise GraphShapeError(
            f"{what}: {name} must have the axes {tuple(kept)} of {x.type}, or all {x.ndim}; got {variable.type}",
            origin=caller_origin(),
        )
    for a, n in zip(kept, variable.type.shape, strict=True):
        if None not in (n, x.type.shape[a]) and n not in (1, x.type.shape[a]):
            raise GraphShapeError(
                f"{what}: {name} has {n} elements for axis {a} of {x.type}, which has {x.type.shape[a]}",
                origin=caller_origin(),
            )
    return dimshuffle(variable, [kept.index(a) if a in kept else "x" for a in range(x.ndim)])


def _standardized(
    what: str, x: Variable, gamma: Any, beta: Any, axes: tuple[int, ...], epsilon: float
) -> tuple[Variable, Variable, Variable]:
    """(x - mean) / sqrt(var + epsilon) * gamma + beta, the mean, and the variance, over `axes`."""
    center, spread = mean(x, axes, keepdims=True), var(x, axes, keepdims=True)
    result: Variable = true_divide(subtract(x, center), sqrt(add(spread, epsilon)))
    return _scaled(what, result, gamma, beta, x, axes), center, spread


def _scaled(what: str, result: Variable, gamma: Any, beta: Any, x: Variable, axes: tuple[int, ...]) -> Variable:
    if gamma is not None:
        result = multiply(result, _spread(what, "gamma", gamma, x, axes))
    if beta is not None:
        result = add(result, _spread(what, "beta", beta, x, axes))
    return result


# ---- the simple ones -----------------------------------------------------------------------------


@user_boundary
def layer_norm(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-5) -> Variable:
    """`x` with mean 0 and variance 1 over `axis` of each example, times `gamma`, plus `beta` (Ba and others, 2016).

    `gamma` and `beta` have the extents of `x` along `axis`; the variance is that of all elements (ddof 0).

    >>> layer_norm([[1.0, 3.0], [5.0, 5.0]], epsilon=0.0001).eval().round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    variable = floating(x, "layer_norm")
    axes = normalized_axes(axis, variable.ndim, "layer_norm")
    others = tuple(a for a in range(variable.ndim) if a not in axes)
    plain, _, _ = _standardized("layer_norm", variable, None, None, axes, epsilon)
    return _scaled("layer_norm", plain, gamma, beta, variable, others)


@user_boundary
def batch_norm(x: Any, gamma: Any = None, beta: Any = None, axis: Any = 0, epsilon: float = 1e-5) -> Variable:
    """`x` with mean 0 and variance 1 over `axis`, times `gamma`, plus `beta` (Ioffe and Szegedy, 2015).

    `axis`: the batch, for images (0, 2, 3) or "spatial". `gamma` and `beta` have the other extents of `x`.

    >>> batch_norm([[1.0, 4.0], [3.0, 4.0]], beta=[0.0, 7.0], epsilon=0.0001).eval().round(3)
    array([[-1.,  7.],
           [ 1.,  7.]])
    """
    variable = floating(x, "batch_norm")
    axes = _axes("batch_norm", axis, variable.ndim)
    return _standardized("batch_norm", variable, gamma, beta, axes, epsilon)[0]


# ---- Theano's ------------------------------------------------------------------------------------


@user_boundary
def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem") -> Variable:
    """(inputs - mean) * gamma / std + beta, where all broadcast; `mode` is Theano's, and makes no difference."""
    result: Variable = add(multiply(subtract(inputs, mean), true_divide(gamma, std)), beta)
    return result


@user_boundary
def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: float = 1e-4,
    running_average_factor: float = 0.1, running_mean: Any = None, running_var: Any = None,
) -> tuple[Variable, ...]:  # fmt: skip
    """The normalized `inputs`, their mean, 1 / sqrt(variance + epsilon), and new running averages of those given.

    `axes`: over which mean and variance are taken, numbers or "per-activation" (the batch) or "spatial" (all
    but axis 1). The statistics have the axes that `gamma` has: the others of `inputs`, or all, those with
    extent 1. running_mean becomes running_mean * (1 - factor) + mean * factor, and running_var so too with the
    variance whose divisor is n - 1.
    """
    what = "batch_normalization_train"
    x, scale = floating(inputs, what), as_tensor(gamma)
    over = _axes(what, axes, x.ndim)
    out, center, spread = _standardized(what, x, scale, beta, over, epsilon)
    invstd: Variable = true_divide(1, sqrt(add(spread, epsilon)))
    results = [center, invstd]
    factor = running_average_factor
    if running_mean is not None:
        before = _spread(what, "running_mean", running_mean, x, over)
        results.append(add(multiply(before, 1 - factor), multiply(center, factor)))
    if running_var is not None:
        n = cast(size(x, over), x.dtype)
        unbiased = multiply(spread, true_divide(n, maximum(subtract(n, 1), 1)))
        before = _spread(what, "running_var", running_var, x, over)
        results.append(add(multiply(before, 1 - factor), multiply(unbiased, factor)))
    if scale.ndim != x.ndim:
        results = [dimshuffle(v, [a for a in range(x.ndim) if a not in over]) for v in results]
    return (out, *results)


@user_boundary
def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation", epsilon: float = 1e-4
) -> Variable:
    """(inputs - mean) / sqrt(var + epsilon) * gamma + beta with statistics from before; `axes` as in training."""
    what = "batch_normalization_test"
    x = floating(inputs, what)
    over = _axes(what, axes, x.ndim)
    center, spread = _spread(what, "mean", mean, x, over), _spread(what, "var", var, x, over)
    plain: Variable = true_divide(subtract(x, center), sqrt(add(spread, epsilon)))
    return _scaled(what, plain, gamma, beta, x, over)


# ---- dropout -------------------------------------------------------------------------------------


@user_boundary
def dropout(x: Any, rate: Any, stream: Any) -> Variable:
    """`x` with each element set to 0 by chance `rate`, the others divided by 1 - rate (Srivastava and others, 2014).

    `stream` is a graphlab.RandomStream, whose uniform numbers decide. GraphValueError: `rate` is not in [0, 1).
    """
    variable = floating(x, "dropout")
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise GraphValueError(
            f"dropout: rate must be a number from 0 up and below 1, got {rate!r}",
            origin=caller_origin(),
            hint="it is the chance of an element to become 0",
        )
    if not callable(getattr(stream, "uniform", None)):
        raise GraphTypeError(
            f"dropout: expected a random stream, got {type(stream).__name__}",
            origin=caller_origin(),
            hint="make one: stream = graphlab.RandomStream(seed)",
        )
    kept = greater_equal(stream.uniform(size=shape_of(variable)), rate)
    result: Variable = where(kept, true_divide(variable, 1 - rate), 0)
    return result
