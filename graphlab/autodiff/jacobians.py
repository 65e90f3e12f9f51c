"""All derivatives at once: the Jacobian and the Hessian, by one derivative graph for a whole batch of directions.

So the size of the graph does not depend on the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphlab.autodiff.asked import Wrt
from graphlab.autodiff.forward import jvp
from graphlab.autodiff.reverse import grad
from graphlab.dtypes import COMPLEX
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import equal
from graphlab.ops.extents import reshape
from graphlab.ops.ranges import arange
from graphlab.ops.shape import expand_dims, extent, over_batch, size, transpose
from graphlab.vectorize import vectorize_graph


@user_boundary
def jacobian(
    expression: Variable,
    wrt: Wrt,
    consider_constant: Sequence[Variable] = (),
    disconnected_inputs: str = "raise",
    mode: str = "reverse",
) -> Any:
    """The derivative of every element of `expression` by every element of each of `wrt`.

    Its shape is expression.shape + wrt.shape, for any ranks. `wrt` is a variable or a list (then a list comes
    back); `consider_constant` and `disconnected_inputs` are those of `grad`. `mode`: "reverse" (a row for each
    element of the expression) or "forward" (a column for each of `wrt`, better where these are fewer).
    DisconnectedInputError: the expression does not depend on a wrt; GraphTypeError: it is complex or no float.

    >>> import graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> jacobian(x**2, x).eval({x: [1.0, 3.0]})
    array([[2., 0.],
           [0., 6.]])
    """
    if mode not in ("reverse", "forward"):
        raise GraphValueError(f"jacobian: mode must be 'reverse' or 'forward', got {mode!r}", origin=caller_origin())
    if expression.dtype in COMPLEX:
        raise GraphTypeError(f"jacobian: the expression must be real, got {expression.type}", origin=caller_origin(),
                             hint="take the real and imaginary parts apart: T.real(z), T.imag(z)")  # fmt: skip
    wanted = [wrt] if isinstance(wrt, Variable) else list(wrt)
    # Each row is the gradient of <weights, expression>: which also says what is wrong with wrt.
    weights = Variable(expression.type)
    rows = grad(None, wanted, consider_constant, disconnected_inputs, known_grads={expression: weights})
    if mode == "forward":
        results = [_by_columns(expression, v, consider_constant) for v in wanted]
    else:
        results = _by_rows(rows, weights, expression, wanted)
    return results[0] if isinstance(wrt, Variable) else results


def _by_rows(rows: Sequence[Variable], weights: Variable, expression: Variable, wrt: Sequence[Variable]) -> Any:
    n, extents = size(expression), _extents(expression)
    units = reshape(_identity(n, expression.dtype), [n, *extents])
    whole = vectorize_graph(rows, {weights: units})
    return [
        reshape(rows if rows.ndim > v.ndim else over_batch(rows, n), [*extents, *_extents(v)])
        for rows, v in zip(whole, wrt, strict=True)
    ]


def _by_columns(expression: Variable, wrt: Variable, constant: Sequence[Variable]) -> Variable:
    direction = Variable(wrt.type)
    column = jvp(expression, wrt, direction, constant)
    n, extents = size(wrt), _extents(wrt)
    units = reshape(_identity(n, wrt.dtype), [n, *extents])
    columns = vectorize_graph(column, {direction: units})
    columns = columns if columns.ndim > expression.ndim else over_batch(columns, n)
    whole = reshape(columns, [*extents, *_extents(expression)])
    return transpose(whole, [*range(wrt.ndim, whole.ndim), *range(wrt.ndim)])


def _extents(x: Variable) -> list[Variable]:
    return [extent(x, a) for a in range(x.ndim)]


def _identity(n: Variable, dtype: str) -> Variable:
    """Row k is the unit vector k: written as a comparison, which fuses into what reads it."""
    return cast(equal(expand_dims(arange(n), 1), arange(n)), dtype)


@user_boundary
def hessian(
    cost: Variable,
    wrt: Wrt,
    consider_constant: Sequence[Variable] = (),
    disconnected_inputs: str = "raise",
) -> Any:
    """The second derivatives of the scalar `cost`, of shape wrt.shape + wrt.shape.

    For a list of `wrt` a list of such blocks comes back, one for each, as in Theano (those of two different
    ones are `jacobian(grad(cost, x), y)`). The other arguments are those of `grad`.

    >>> import graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> hessian((x**3).sum(), x).eval({x: [1.0, 2.0]})
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    wanted = [wrt] if isinstance(wrt, Variable) else list(wrt)
    slopes = grad(cost, wanted, consider_constant, disconnected_inputs)
    # A slope that does not depend on its variable is constant: its derivative is zero, not a mistake.
    blocks = [jacobian(g, v, consider_constant, "ignore") for g, v in zip(slopes, wanted, strict=True)]
    return blocks[0] if isinstance(wrt, Variable) else blocks


@user_boundary
def hessian_vector_product(cost: Variable, wrt: Wrt, vector: Any) -> Any:
    """H v for the Hessian H of the scalar `cost` by `wrt`: forward over reverse, without forming H.

    For a list of `wrt`, `vector` is a list too, and H that of all of them together.

    >>> import graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> hessian_vector_product((x**3).sum(), x, [1.0, 1.0]).eval({x: [1.0, 2.0]})
    array([ 6., 12.])
    """
    return jvp(grad(cost, wrt), wrt, vector)
