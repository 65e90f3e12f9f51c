"""Derivatives: reverse mode (grad, vjp), forward mode (jvp), and their check against finite differences.

Each application of the forward graph is visited once, so a gradient is linear in the graph's size.
Nodes made here carry the forward node they belong to (`provenance.grad_of`) and its lines.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlab.dtypes import is_float
from graphlab.errors import (
    DisconnectedInputError,
    GraphlabError,
    GraphTypeError,
    GraphValueError,
    NullGradientError,
    caller_origin,
    user_boundary,
)
from graphlab.graph.node import Apply, Constant, Graph, Provenance, Variable, as_data_variable, provenance
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops.elementwise import ZERO, Zero, add, cast
from graphlab.ops.reduce import sum_to
from graphlab.ops.shape import zeros_like

Cotangent = Variable | Zero
Wrt = Variable | Sequence[Variable]


def _label(v: Variable) -> str:
    where = f" (made at {v.origin.label})" if v.origin else ""
    return f"{v.name or 'a variable'}: {v.type}{where}"


def _conform(g: Variable, like: Variable) -> Variable:
    """`g` summed to the run-time shape of `like`, in its dtype: what broadcasting spread is gathered again."""
    return cast(sum_to(g, like), like.dtype)


def _dependents(nodes: Iterable[Apply], sources: Iterable[Variable]) -> set[Variable]:
    """The variables that `sources` reach through `nodes` (in topological order), themselves included."""
    reached = set(sources)
    for node in nodes:
        if any(v in reached for v in node.inputs):
            reached.update(node.outputs)
    return reached


def _accumulate(table: dict[Variable, Cotangent], v: Variable, g: Cotangent) -> None:
    known = table.get(v)
    if known is None or isinstance(known, Zero):
        table[v] = g
    elif not isinstance(g, Zero):
        table[v] = add(known, g)


def _pull_node(node: Apply, table: dict[Variable, Cotangent], wanted: set[Variable]) -> None:
    """Send the cotangents of `node`'s outputs on to its inputs."""
    found = [table.get(v) for v in node.outputs]
    if all(g is None for g in found):
        return
    cotangents = [None if isinstance(g, Zero) else g for g in found]
    results: Sequence[Any]
    with provenance(Provenance(node.provenance.origins, grad_of=node)):
        if all(g is None for g in cotangents):
            results = [ZERO] * len(node.inputs)
        else:
            try:
                results = node.op.pullback(node, cotangents)
            except GraphlabError as error:
                origin = next(iter(node.provenance.origins), None)
                raise NullGradientError(error.message, origin=origin, hint=error.hint) from None
        for v, g in zip(node.inputs, results, strict=True):
            if g is None or v not in wanted:
                continue
            flows = not isinstance(g, Zero) and is_float(v.dtype)
            _accumulate(table, v, _conform(g, v) if flows else ZERO)


def _pull(
    outputs: Mapping[Variable, Variable], wrt: Sequence[Variable], constant: Sequence[Variable]
) -> dict[Variable, Cotangent]:
    """The cotangents of everything between `wrt` and `outputs`, given those of `outputs`."""
    stop = [v for v in constant if v not in set(wrt)]
    nodes = toposort(outputs, stop)
    wanted = _dependents(nodes, wrt)
    table: dict[Variable, Cotangent] = {}
    for v, g in outputs.items():
        _accumulate(table, v, _conform(g, v))
    for node in reversed(nodes):
        if any(v in wanted for v in node.outputs):
            _pull_node(node, table, wanted)
    return table


def _as_list(wrt: Wrt) -> list[Variable]:
    variables = [wrt] if isinstance(wrt, Variable) else list(wrt)
    for v in variables:
        if not isinstance(v, Variable):
            raise GraphTypeError(
                f"wrt must be graphlab variables, got {type(v).__name__}",
                origin=caller_origin(),
                hint="shared variables, inputs and intermediate variables can be given",
            )
        if not is_float(v.dtype):
            raise GraphTypeError(
                f"there is no derivative by {_label(v)}: its dtype is not floating",
                origin=caller_origin(),
                hint=f"make it a float, for example {v.name or 'x'}.astype('float64')",
            )
    return variables


def _disconnected(v: Variable, policy: str, returned: str) -> Variable | None:
    message = f"the cost does not depend on {_label(v)}"
    if policy == "raise":
        raise DisconnectedInputError(
            message,
            origin=caller_origin(),
            hint="drop it from wrt, or pass disconnected_inputs='ignore' for a gradient of zeros",
        )
    if policy == "warn":
        warnings.warn(message, stacklevel=4)
    return zeros_like(v) if returned == "zero" else None


@user_boundary
def grad(
    cost: Variable | None,
    wrt: Wrt,
    consider_constant: Sequence[Variable] = (),
    disconnected_inputs: str = "raise",
    known_grads: Mapping[Variable, Any] | None = None,
    return_disconnected: str = "zero",
) -> Any:
    """The gradient of the scalar `cost` by each of `wrt`, in the shape and dtype of each.

    `wrt` is a variable or a list (then a list comes back). Nothing flows through `consider_constant`.
    `known_grads` maps variables to their gradients, used beside or instead of `cost` (then None).
    A `wrt` that the cost does not depend on raises DisconnectedInputError naming it
    (`disconnected_inputs`: "raise", "warn" or "ignore") or else gives zeros
    (`return_disconnected`: "zero", or "none" for None).
    GraphTypeError: the cost is no float scalar, or a wrt is not floating.

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> T.grad(x**2, x).eval({x: 3.0})
    array(6.)
    """
    for name, given, allowed in (
        ("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore")),
        ("return_disconnected", return_disconnected, ("zero", "none")),
    ):
        if given not in allowed:
            raise GraphValueError(f"{name} must be one of {allowed}, got {given!r}", origin=caller_origin())
    variables = _as_list(wrt)
    seeds = {v: as_data_variable(g) for v, g in (known_grads or {}).items()}
    if cost is not None:
        if cost.ndim != 0 or not is_float(cost.dtype):
            raise GraphTypeError(
                f"the cost of grad must be a float scalar, got {_label(cost)}",
                origin=caller_origin(),
                hint="reduce it first, for example cost.sum() or cost.mean(); vjp takes any shape",
            )
        seeds.setdefault(cost, Constant(np.ones((), cost.dtype)))
    table = _pull(seeds, variables, consider_constant)
    results: list[Variable | None] = []
    for v in variables:
        g = table.get(v)
        if g is None:
            results.append(_disconnected(v, disconnected_inputs, return_disconnected))
        else:
            results.append(zeros_like(v) if isinstance(g, Zero) else g)
    return results[0] if isinstance(wrt, Variable) else results


def _stretch(t: Variable, v: Variable, node: Apply) -> Variable:
    """`t` in the run-time shape of `v`: the tangent of one operand may be smaller than the broadcast result."""
    if t.type.shape == v.type.shape and (len(node.inputs) == 1 or None not in v.type.shape):
        return t
    stretched: Variable = add(t, zeros_like(v))
    return stretched


@user_boundary
def vjp(outputs: Wrt, wrt: Wrt, cotangents: Any) -> Any:
    """The vector-Jacobian product: `cotangents` of `outputs` pulled back to `wrt` (zeros where disconnected)."""
    outs = [outputs] if isinstance(outputs, Variable) else list(outputs)
    given = [cotangents] if isinstance(outputs, Variable) else list(cotangents)
    seeds: dict[Variable, Variable] = {}
    for v, g in zip(outs, map(as_data_variable, given), strict=True):
        seeds[v] = add(seeds[v], g) if v in seeds else g
    return grad(None, wrt, known_grads=seeds, disconnected_inputs="ignore")


@user_boundary
def jvp(outputs: Wrt, wrt: Wrt, tangents: Any) -> Any:
    """The Jacobian-vector product: how `outputs` change when `wrt` move along `tangents` (forward mode)."""
    outs = [outputs] if isinstance(outputs, Variable) else list(outputs)
    variables = _as_list(wrt)
    given = [tangents] if isinstance(wrt, Variable) else list(tangents)
    table = {v: cast(as_data_variable(t), v.dtype) for v, t in zip(variables, given, strict=True)}
    for node in toposort(outs, variables):
        moving = [table.get(v) for v in node.inputs]
        if all(t is None for t in moving):
            continue
        with provenance(Provenance(node.provenance.origins, grad_of=node)):
            for v, t in zip(node.outputs, node.op.pushforward(node, moving), strict=True):
                if t is not None and is_float(v.dtype):
                    table[v] = cast(_stretch(t, v, node), v.dtype)
    results = [table[v] if v in table else zeros_like(v) for v in outs]
    return results[0] if isinstance(outputs, Variable) else results


def Lop(outputs: Wrt, wrt: Wrt, eval_points: Any) -> Any:
    """Theano's name and argument order for `vjp`."""
    return vjp(outputs, wrt, eval_points)


def Rop(outputs: Wrt, wrt: Wrt, eval_points: Any) -> Any:
    """Theano's name and argument order for `jvp`."""
    return jvp(outputs, wrt, eval_points)


def hessian_vector_product(cost: Variable, wrt: Variable, vector: Any) -> Variable:
    """H v for the Hessian H of the scalar `cost` by `wrt`: forward over reverse, without forming H."""
    result: Variable = jvp(grad(cost, wrt), wrt, vector)
    return result


# ---- the check -----------------------------------------------------------------------------------


def verify_grad(
    function: Callable[..., Variable],
    points: Sequence[Any],
    *,
    rng: np.random.Generator | None = None,
    eps: float = 1e-6,
    tolerance: float = 1e-5,
) -> None:
    """Compare the gradient of `function` at `points` (float64 arrays) with central differences.

    The output is projected on random weights, so one number stands for all of it. Raises
    GraphValueError naming the input, the element, and both numbers when they differ by more than
    `tolerance`, relative to the larger of 1 and the number.

    >>> import graphlab.tensor as T
    >>> verify_grad(lambda x: T.exp(x) * x, [np.array([0.5, -1.0])])
    """
    rng = rng or np.random.default_rng(0)
    values = [np.array(p, dtype="float64") for p in points]
    inputs = [Variable(TensorType("float64", (None,) * v.ndim), f"input {i}") for i, v in enumerate(values)]
    output = function(*inputs)
    weights = rng.uniform(0.5, 1.5, interpret(Graph(tuple(inputs), (output,)), values)[0].shape)
    cost = (output * weights).sum() if output.ndim else output * weights
    graph = Graph(tuple(inputs), (cost,))
    analytic = interpret(Graph(tuple(inputs), tuple(grad(cost, inputs, disconnected_inputs="ignore"))), values)
    for i, (value, slope) in enumerate(zip(values, analytic, strict=True)):
        for position in np.ndindex(value.shape):
            around = []
            for step in (eps, -eps):
                moved = value.copy()
                moved[position] += step
                around.append(float(interpret(graph, [*values[:i], moved, *values[i + 1 :]])[0]))
            numeric = (around[0] - around[1]) / (2 * eps)
            if not abs(numeric - slope[position]) <= tolerance * max(1.0, abs(numeric)):
                raise GraphValueError(
                    f"the gradient by input {i} at {position} is {slope[position]}, finite differences give {numeric}"
                )


