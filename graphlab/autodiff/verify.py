"""The check of gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlab.autodiff.reverse import grad
from graphlab.dtypes import COMPLEX
from graphlab.errors import GraphValueError, user_boundary
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.interpret import interpret
from graphlab.ops.elementwise import real


@user_boundary
def verify_grad(
    function: Callable[..., Variable],
    points: Sequence[Any],
    *,
    rng: np.random.Generator | None = None,
    eps: float = 1e-6,
    tolerance: float = 1e-5,
) -> None:
    """Compare the gradient of `function` at `points` (float64 or complex128 arrays) with central differences.

    The output is projected on random weights, so one number stands for all of it. Complex elements move
    in both of their directions. Raises
    GraphValueError naming the input, the element, and both numbers when they differ by more than
    `tolerance`, relative to the larger of 1 and the number.

    >>> import graphlab.tensor as T
    >>> verify_grad(lambda x: T.exp(x) * x, [np.array([0.5, -1.0])])
    """
    rng = rng or np.random.default_rng(0)
    values = [np.array(p, dtype="complex128" if np.iscomplexobj(p) else "float64") for p in points]
    inputs = [Variable(TensorType(v.dtype.name, (None,) * v.ndim), f"input {i}") for i, v in enumerate(values)]
    output = function(*inputs)
    cost = _projected(output, interpret(Graph(tuple(inputs), (output,)), values)[0].shape, rng)
    graph = Graph(tuple(inputs), (cost,))
    analytic = interpret(Graph(tuple(inputs), tuple(grad(cost, inputs, disconnected_inputs="ignore"))), values)

    def slope_along(i: int, position: tuple[int, ...], direction: complex) -> float:
        around = []
        for step in (eps, -eps):
            moved = values[i].copy()
            moved[position] += step * direction
            around.append(float(interpret(graph, [*values[:i], moved, *values[i + 1 :]])[0]))
        return (around[0] - around[1]) / (2 * eps)

    for i, (value, slope) in enumerate(zip(values, analytic, strict=True)):
        for position in np.ndindex(value.shape):
            numeric: complex = slope_along(i, position, 1)
            if value.dtype.kind == "c":
                numeric += 1j * slope_along(i, position, 1j)
            if not abs(numeric - slope[position]) <= tolerance * max(1.0, abs(numeric)):
                raise GraphValueError(
                    f"the gradient by input {i} at {position} is {slope[position]}, finite differences give {numeric}"
                )


def _projected(output: Variable, shape: tuple[int, ...], rng: np.random.Generator) -> Variable:
    """One real number: the sum of the elements of `output`, of that shape, times random weights."""
    weights: Any = rng.uniform(0.5, 1.5, shape)
    if output.dtype in COMPLEX:
        weights = weights + 1j * rng.uniform(0.5, 1.5, shape)
    product: Variable = output * weights
    product = real(product) if output.dtype in COMPLEX else product
    return product.sum() if output.ndim else product
