"""What a user asks of a graph: what it depends on, its applications, and the same graph of other variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph import walk
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.text import labelled

Variables = Variable | Iterable[Variable]
Replacements = Mapping[Variable, Any] | Iterable[tuple[Variable, Any]]


def _several(variables: Variables) -> list[Variable]:
    found = [variables] if isinstance(variables, Variable) else list(variables)
    for v in found:
        if not isinstance(v, Variable):
            raise GraphTypeError(
                f"a graph is asked of variables, got {type(v).__name__}",
                origin=caller_origin(),
                hint="pass a variable, or a list of variables; of a function f: f.graph.outputs",
            )
    return found


@user_boundary
def ancestors(variables: Variables, stop: Variables = ()) -> list[Variable]:
    """Every variable that `variables` depend on, themselves included, inputs first; none behind those in `stop`.

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> len(ancestors(T.exp(x) + x))
    3
    """
    return walk.ancestors(_several(variables), _several(stop))


@user_boundary
def inputs_of(variables: Variables, stop: Variables = ()) -> list[Variable]:
    """The ancestors that nothing computes: inputs, shared variables and constants, and those in `stop`.

    >>> import graphlab.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> [v.name for v in inputs_of(x * y)]
    ['x', 'y']
    """
    return walk.leaves(_several(variables), _several(stop))


@user_boundary
def applies_of(variables: Variables, stop: Variables = ()) -> list[Apply]:
    """The applications that `variables` need, each after those that it reads (Theano's io_toposort).

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> [node.op.name for node in applies_of(T.exp(x) + x)]
    ['exp', 'add']
    """
    return walk.toposort(_several(variables), _several(stop))


def pairs_of(given: Any, who: str) -> list[tuple[Any, Any]]:
    """The pairs of a mapping or a list of pairs; GraphTypeError, said by `who`, if it is neither."""
    if isinstance(given, Mapping):
        return list(given.items())
    items = list(given) if isinstance(given, Iterable) and not isinstance(given, Variable) else [given]
    for item in items:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise GraphTypeError(
                f"{who} is a dict {{old: new}} or a list of pairs (old, new), got {item!r:.80} for a pair",
                origin=caller_origin(),
                hint=f"{who}={{old: new}}",
            )
    return [(old, new) for old, new in items]


def replacements(pairs: Replacements, who: str) -> dict[Variable, Variable]:
    """`pairs`, checked: GraphTypeError, said by `who`, where a new variable can't stand for the old one.

    Data becomes a constant in the dtype of what it replaces.
    """
    checked: dict[Variable, Variable] = {}
    for old, value in pairs_of(pairs, who):
        if not isinstance(old, Variable):
            raise GraphTypeError(
                f"{who}: only variables are replaced, got {type(old).__name__}",
                origin=caller_origin(),
                hint="{old: new}, where old is the variable itself, not its name",
            )
        new = value if isinstance(value, Variable) else _in_dtype(value, old.dtype)
        if not old.type.accepts(new.type):
            raise GraphTypeError(
                f"{who}: {labelled(old)} can't be replaced by {labelled(new)}",
                origin=caller_origin(),
                hint=f"convert it: new.astype({old.dtype!r})" if old.ndim == new.ndim else "the rank must be the same",
            )
        checked[old] = new
    return checked


def _in_dtype(value: Any, dtype: str) -> Variable:
    constant = as_data_variable(value)
    assert isinstance(constant, Constant)
    if not np.can_cast(constant.dtype, dtype, "same_kind"):
        return constant  # its type does not fit, and the message says so
    return Constant(constant.data.astype(dtype))


@user_boundary
def clone_replace(outputs: Any, replace: Replacements = ()) -> Any:
    """`outputs`, a variable or a list, tuple or dict of them, computed from other variables.

    `replace` maps variables, inputs or computed ones, to what stands in their place: all at once, so that
    two can be exchanged. What does not depend on them is shared with the old graph, which stays as it is.
    GraphTypeError: dtype or rank of a new variable is not that of the old one.

    >>> import graphlab.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> clone_replace(x - 2 * y, {x: y, y: x}).eval({x: 1.0, y: 10.0})
    array(8.)
    """
    pairs = replacements(replace, "clone_replace")
    keys = list(outputs) if isinstance(outputs, Mapping) else None
    flat = _several(outputs.values() if isinstance(outputs, Mapping) else outputs)
    made = walk.rebuild(flat, pairs)
    if isinstance(outputs, Variable):
        return made[0]
    if keys is not None:
        return dict(zip(keys, made, strict=True))
    return tuple(made) if isinstance(outputs, tuple) else made
