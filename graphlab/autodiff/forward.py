"""Forward mode: tangents pushed on from what moves to what depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphlab.autodiff.asked import Wrt, as_list, label, null
from graphlab.autodiff.reverse import derivative_of, pull, pulled_through, undefined_at
from graphlab.dtypes import is_float
from graphlab.errors import GraphlabError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Apply, Variable, as_data_variable
from graphlab.graph.walk import rebuild, toposort
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import add
from graphlab.ops.shape import zeros_like
from graphlab.ops.ufunc import Undefined
from graphlab.ops.unbroadcast import conform


@user_boundary
def jvp(outputs: Wrt, wrt: Wrt, tangents: Any, consider_constant: Sequence[Variable] = ()) -> Any:
    """The Jacobian-vector product: how `outputs` change when `wrt` move along `tangents` (forward mode).

    A tangent has the shape of its `wrt`; `consider_constant` do not move. Operations without a formula for
    it are derived from their pullback, so it works wherever `grad` does. GraphTypeError: a rank differs.

    >>> import graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> jvp(x**2, x, [1.0, 0.0]).eval({x: [3.0, 4.0]})
    array([6., 0.])
    """
    outs = [outputs] if isinstance(outputs, Variable) else list(outputs)
    variables = as_list(wrt)
    given = [tangents] if isinstance(wrt, Variable) else list(tangents)
    table: dict[Variable, Variable | Undefined] = {
        v: cast(as_data_variable(t), v.dtype) for v, t in zip(variables, given, strict=True)
    }
    for v, t in zip(variables, given, strict=True):
        if as_data_variable(t).ndim != v.ndim:
            raise GraphTypeError(f"jvp: the tangent of {label(v)} must have its rank, got {as_data_variable(t).type}",
                                 origin=caller_origin())  # fmt: skip
    held = set(consider_constant)
    for node in toposort(outs, variables):
        moving = [table.get(v) for v in node.inputs]
        if all(t is None for t in moving):
            continue
        with derivative_of(node):
            for v, t in zip(node.outputs, _pushed_through(node, moving), strict=True):
                if t is not None and is_float(v.dtype) and v not in held:
                    table[v] = cast(_stretch(t, v, node), v.dtype) if isinstance(t, Variable) else t
    found = [table.get(v) for v in outs]
    results = [
        zeros_like(v) if t is None else null(v, t, "raise") if isinstance(t, Undefined) else t
        for v, t in zip(outs, found, strict=True)
    ]
    return results[0] if isinstance(outputs, Variable) else results


@user_boundary
def Rop(outputs: Wrt, wrt: Wrt, eval_points: Any) -> Any:
    """Theano's name and argument order for `jvp`."""
    return jvp(outputs, wrt, eval_points)


def _stretch(t: Variable, v: Variable, node: Apply) -> Variable:
    """`t` in the run-time shape of `v`: the tangent of one operand may be smaller than the broadcast result."""
    if t.type.shape == v.type.shape and (len(node.inputs) == 1 or None not in v.type.shape):
        return t
    stretched: Variable = add(t, zeros_like(v))
    return stretched


def _pushed_through(
    node: Apply, tangents: Sequence[Variable | Undefined | None]
) -> Sequence[Variable | Undefined | None]:
    """The tangents of `node`'s outputs; Undefined where there is no such derivative, None where nothing moves."""
    undefined = next((t for t in tangents if isinstance(t, Undefined)), None)
    moving = [Variable(v.type) if isinstance(t, Undefined) else t for t, v in zip(tangents, node.inputs, strict=True)]
    try:
        own = node.op.pushforward(node, moving)
    except GraphlabError as error:
        return [undefined or undefined_at(node, error.message, error.hint)] * len(node.outputs)
    results = _pushed_by_pullback(node, moving) if own is None else own
    return [undefined if undefined and t is not None else t for t in results]


def _pushed_by_pullback(node: Apply, tangents: Sequence[Variable | None]) -> Sequence[Variable | Undefined | None]:
    """J t without a formula for it: u -> J^T u is linear, and the pullback of this map is u' -> J u'."""
    u = [Variable(v.type) if is_float(v.dtype) else None for v in node.outputs]
    seeds: dict[Variable, Variable] = {}
    for v, t, g in zip(node.inputs, tangents, pulled_through(node, u), strict=True):
        if t is not None and isinstance(g, Undefined):
            return [g] * len(node.outputs)
        if t is not None and isinstance(g, Variable):
            back = conform(g, v)
            seeds[back] = add(seeds[back], t) if back in seeds else t
    table = pull(seeds, [v for v in u if v is not None], [*node.inputs, *node.outputs])
    found = [None if v is None else table.get(v) for v in u]
    # The result does not depend on u; where it stands there nevertheless, any value will do.
    places = {v: zeros_like(y) for v, y in zip(u, node.outputs, strict=True) if v is not None}
    whole = iter(rebuild([t for t in found if isinstance(t, Variable)], places))
    return [next(whole) if isinstance(t, Variable) else t if isinstance(t, Undefined) else None for t in found]
