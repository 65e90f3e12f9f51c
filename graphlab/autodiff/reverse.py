"""Reverse mode: cotangents pulled back from outputs to what they depend on.

Each application of the forward graph is visited once, so a gradient is linear in the graph's size.
Nodes made here carry the forward node they belong to (`provenance.grad_of`) and its lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from graphlab.autodiff.asked import Wrt, as_list, disconnected, label, null
from graphlab.dtypes import COMPLEX, is_float
from graphlab.errors import GraphlabError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.collector import uncollected
from graphlab.graph.enclose import enclosed
from graphlab.graph.node import Apply, Constant, Graph, Provenance, Variable, as_data_variable, provenance
from graphlab.graph.walk import toposort
from graphlab.ops.elementwise import add, conjugate
from graphlab.ops.shape import zeros_like
from graphlab.ops.ufunc import ZERO, Undefined, Zero
from graphlab.ops.unbroadcast import conform

Cotangent = Variable | Zero | Undefined

# ---- the walk back -------------------------------------------------------------------------------


def _dependents(nodes: Iterable[Apply], sources: Iterable[Variable]) -> set[Variable]:
    """The variables that `sources` reach through `nodes` (in topological order), themselves included."""
    reached = set(sources)
    for node in nodes:
        if any(v in reached for v in node.inputs):
            reached.update(node.outputs)
    return reached


def _accumulate(table: dict[Variable, Cotangent], v: Variable, g: Cotangent) -> None:
    known = table.get(v)
    if known is None or isinstance(known, Zero) or isinstance(g, Undefined):
        table[v] = g
    elif isinstance(known, Variable) and isinstance(g, Variable):
        table[v] = add(known, g)


def _pull_node(node: Apply, table: dict[Variable, Cotangent], wanted: set[Variable]) -> None:
    """Send the cotangents of `node`'s outputs on to its inputs."""
    found = [table.get(v) for v in node.outputs]
    if all(g is None for g in found):
        return
    with derivative_of(node):
        for v, g in zip(node.inputs, pulled_through(node, found), strict=True):
            if g is not None and v in wanted:
                flows = not isinstance(g, Zero) and is_float(v.dtype)
                _accumulate(table, v, ZERO if not flows else conform(g, v) if isinstance(g, Variable) else g)


def derivative_of(node: Apply) -> AbstractContextManager[None]:
    """Applications made inside belong to `node` and have its lines."""
    why = node.provenance
    return provenance(lambda: Provenance(why.origins, grad_of=node, scope=why.scope, asked=caller_origin()))


def pulled_through(node: Apply, cotangents: Sequence[Cotangent | None]) -> Sequence[Cotangent | None]:
    """The cotangents of `node`'s inputs; where there is no such derivative, Undefined with the reason and the line."""
    undefined = next((g for g in cotangents if isinstance(g, Undefined)), None)
    if all(g is None or isinstance(g, Zero) for g in cotangents):
        return [ZERO] * len(node.inputs)
    # What is undefined goes where a cotangent would go: not past an argument that the op holds constant.
    flowing = [
        Variable(v.type) if isinstance(g, Undefined) else g if isinstance(g, Variable) else None
        for g, v in zip(cotangents, node.outputs, strict=True)
    ]
    try:
        results: Sequence[Any] = node.op.pullback(node, flowing)
    except GraphlabError as error:
        return [undefined or undefined_at(node, error.message, error.hint)] * len(node.inputs)
    if undefined:
        return [undefined if isinstance(g, Variable | Undefined) else g for g in results]
    return [undefined_at(node, g.reason) if isinstance(g, Undefined) else g for g in results]


def undefined_at(node: Apply, reason: str, hint: str | None = None) -> Undefined:
    """A derivative through `node` that there is not, with the line of `node`."""
    return Undefined(reason, next(iter(node.provenance.origins), None), hint)


def pull(
    outputs: Mapping[Variable, Variable], wrt: Sequence[Variable], constant: Sequence[Variable]
) -> dict[Variable, Cotangent]:
    """The cotangents of everything between `wrt` and `outputs`, given those of `outputs`.

    A choice is differentiated with what only its branches need inside: so the gradient of a branch that is
    not taken is not computed either, and can't send a NaN.
    """
    stop = [v for v in constant if v not in set(wrt)]
    new = enclosed(Graph(tuple(stop), tuple(outputs)), [*wrt, *stop])
    if new:
        found = pull({new.get(v, v): g for v, g in outputs.items()}, [new.get(v, v) for v in wrt], stop)
        return {**found, **{v: found[w] for v in wrt if (w := new.get(v)) in found and w is not None}}
    nodes = toposort(outputs, stop)
    wanted = _dependents(nodes, wrt)
    table: dict[Variable, Cotangent] = {}
    for v, g in outputs.items():
        _accumulate(table, v, conform(g, v))
    for node in reversed(nodes):
        if any(v in wanted for v in node.outputs):
            _pull_node(node, table, wanted)
    return table


# ---- what is asked for ---------------------------------------------------------------------------


@user_boundary
@uncollected
def grad(
    cost: Variable | None,
    wrt: Wrt,
    consider_constant: Sequence[Variable] = (),
    disconnected_inputs: str = "raise",
    known_grads: Mapping[Variable, Any] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of the scalar `cost` by each of `wrt`, in the shape and dtype of each.

    `wrt` is a variable or a list (then a list comes back). Nothing flows through `consider_constant`.
    `known_grads` maps variables to their gradients, used beside or instead of `cost` (then None).
    A `wrt` that the cost does not depend on raises DisconnectedInputError naming it
    (`disconnected_inputs`: "raise", "warn" or "ignore") or else gives zeros
    (`return_disconnected`: "zero", or "none" for None). A gradient that has no formula raises
    NullGradientError naming the operation and its line, or is NaN with `null_gradients="return"`.
    By a complex variable it is dC/dRe + i dC/dIm, the direction of steepest ascent, as in Theano and PyTorch.
    GraphTypeError: the cost is no real float scalar, or a wrt is not floating.

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> T.grad(x**2, x).eval({x: 3.0})
    array(6.)
    """
    for name, given, allowed in (
        ("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore")),
        ("return_disconnected", return_disconnected, ("zero", "none")),
        ("null_gradients", null_gradients, ("raise", "return")),
    ):
        if given not in allowed:
            raise GraphValueError(f"{name} must be one of {allowed}, got {given!r}", origin=caller_origin())
    variables = as_list(wrt)
    seeds = {v: as_data_variable(g) for v, g in (known_grads or {}).items()}
    if cost is not None:
        unchecked: Any = cost
        if not isinstance(unchecked, Variable):
            raise GraphTypeError(f"the cost of grad must be a variable, got {type(unchecked).__name__}",
                                 origin=caller_origin(), hint="grad(cost, wrt) takes expressions")  # fmt: skip
        if cost.ndim != 0 or not is_float(cost.dtype):
            raise GraphTypeError(
                f"the cost of grad must be a float scalar, got {label(cost)}",
                origin=caller_origin(),
                hint="reduce it first, for example cost.sum() or cost.mean(); vjp takes any shape"
                if cost.ndim
                else "what counts or compares has no slope; a smooth stand-in, T.sigmoid(x) for x > 0 say, has one",
            )
        if cost.dtype in COMPLEX:
            raise GraphTypeError(
                f"the cost of grad must be real, got {label(cost)}",
                origin=caller_origin(),
                hint="take T.real(cost) or abs(cost); vjp pulls back through complex outputs",
            )
        seeds.setdefault(cost, Constant(np.ones((), cost.dtype)))
    cotangents = _pulled_back(
        {v: _conjugated(g) for v, g in seeds.items()}, variables, consider_constant, disconnected_inputs,
        return_disconnected, null_gradients,
    )  # fmt: skip
    results = [None if g is None else _conjugated(g) for g in cotangents]
    return results[0] if isinstance(wrt, Variable) else results


def _conjugated(g: Variable) -> Variable:
    """Between the steepest ascent dC/dx + i dC/dy, which `grad` speaks of, and the cotangent dC/dx - i dC/dy."""
    result: Variable = conjugate(g) if g.dtype in COMPLEX else g
    return result


def _pulled_back(
    seeds: Mapping[Variable, Variable],
    wrt: Sequence[Variable],
    constant: Sequence[Variable],
    policy: str,
    returned: str,
    undefined: str = "raise",
) -> list[Variable | None]:
    """The cotangents of `wrt`, given those of others in `seeds`; for what is not connected see `grad`."""
    table = pull(seeds, wrt, constant)
    results: list[Variable | None] = []
    for v in wrt:
        g = table.get(v)
        if g is None:
            results.append(disconnected(v, policy, returned))
        elif isinstance(g, Undefined):
            results.append(null(v, g, undefined))
        else:
            results.append(zeros_like(v) if isinstance(g, Zero) else g)
    return results


def pulled(seeds: Mapping[Variable, Variable], wrt: Sequence[Variable]) -> list[Variable | Undefined | None]:
    """The cotangents of `wrt`, given those of others in `seeds`; None where there is no way from one to the other."""
    table = pull(seeds, wrt, ())
    return [None if isinstance(g, Zero) else g for g in map(table.get, wrt)]


@user_boundary
def vjp(outputs: Wrt, wrt: Wrt, cotangents: Any) -> Any:
    """The vector-Jacobian product: `cotangents` of `outputs` pulled back to `wrt` (zeros where disconnected).

    It is the plain transpose, of complex numbers too: a cotangent g of w stands for Re(g dw).
    """
    outs = [outputs] if isinstance(outputs, Variable) else list(outputs)
    given = [cotangents] if isinstance(outputs, Variable) else list(cotangents)
    if len(outs) != len(given):
        raise GraphTypeError(f"vjp: there are {len(outs)} outputs and {len(given)} cotangents", origin=caller_origin(),
                             hint="give one cotangent for each output, in its shape")  # fmt: skip
    seeds: dict[Variable, Variable] = {}
    for v, g in zip(outs, map(as_data_variable, given), strict=True):
        if g.ndim > v.ndim:
            raise GraphTypeError(f"vjp: the cotangent of {label(v)} must have its rank, got {g.type}",
                                 origin=caller_origin())  # fmt: skip
        seeds[v] = add(seeds[v], g) if v in seeds else g
    results = _pulled_back(seeds, as_list(wrt), (), "ignore", "zero")
    return results[0] if isinstance(wrt, Variable) else results


@user_boundary
def Lop(outputs: Wrt, wrt: Wrt, eval_points: Any) -> Any:
    """Theano's name and argument order for `vjp`."""
    return vjp(outputs, wrt, eval_points)
