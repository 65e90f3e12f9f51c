"""The signature of a function: its inputs, outputs, updates and givens as the user wrote them, checked."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.arguments import In, Out
from graphlab.errors import GraphTypeError, GraphValueError, MissingInputError, UnusedInputError, caller_origin
from graphlab.graph.node import Constant, Graph, Shared, Variable, as_data_variable
from graphlab.graph.text import labelled, maths
from graphlab.graph.tools import pairs_of, replacements
from graphlab.graph.walk import ancestors, free_inputs, rebuild
from graphlab.ops.conversion import cast

Array = np.ndarray[Any, Any]
Updates = Mapping[Shared, Any] | Sequence[tuple[Shared, Any]]


def input_specs(inputs: Any) -> tuple[In, ...]:
    """The inputs as In: GraphTypeError for what is no free variable, GraphValueError for one given twice."""
    if isinstance(inputs, Variable | In) or not isinstance(inputs, Iterable):
        raise GraphTypeError(
            "the inputs of a function are a list of variables", origin=caller_origin(), hint="function([x], y)"
        )
    specs = tuple(s if isinstance(s, In) else In(s) for s in inputs)
    seen: set[Variable] = set()
    for spec in specs:
        v = spec.variable
        if not isinstance(v, Variable):
            raise GraphTypeError(
                f"inputs must be variables, got {type(v).__name__}", origin=caller_origin(),
                hint="make one with graphlab.tensor, for example T.vector('x')",
            )  # fmt: skip
        if v.owner is not None or isinstance(v, Constant | Shared):
            kind = "shared" if isinstance(v, Shared) else "constant" if isinstance(v, Constant) else "computed"
            raise GraphTypeError(
                f"{labelled(v)} can't be an input: it is {kind}", origin=caller_origin(),
                hint="make a new input of the same type and pass givens={old: new}",
            )  # fmt: skip
        if v in seen:
            raise GraphValueError(f"input {labelled(v)} is given twice", origin=caller_origin())
        seen.add(v)
    labels = [s.label for s in specs if s.label]
    if twice := sorted({n for n in labels if labels.count(n) > 1 and any(s.name == n for s in specs)}):
        raise GraphValueError(f"several inputs are named {', '.join(twice)}", origin=caller_origin())
    return specs


@dataclass(frozen=True)
class Structure:
    """How the flat results are handed back: as one array, a list, a tuple or a dict with `keys`."""

    kind: str
    keys: tuple[Any, ...] = ()

    @property
    def form(self) -> type[tuple[Any, ...]] | tuple[Any, ...] | None:
        """What compiled code makes of the list of results: a tuple, a dict with these keys, or (None) just that."""
        return self.keys if self.kind == "dict" else tuple if self.kind == "tuple" else None

    def pack(self, results: Sequence[Array]) -> Any:
        """The results in the shape in which the outputs were given."""
        if self.kind == "single":
            return results[0]
        if self.kind == "dict":
            return dict(zip(self.keys, results, strict=True))
        return tuple(results) if self.kind == "tuple" else list(results)


def flatten(outputs: Any) -> tuple[list[Variable], Structure]:
    """The outputs as a list, and how to hand results back."""
    if outputs is None:
        return [], Structure("list")
    if isinstance(outputs, Mapping):
        return [_output(v) for v in outputs.values()], Structure("dict", tuple(outputs))
    if isinstance(outputs, list | tuple):
        return [_output(v) for v in outputs], Structure("tuple" if isinstance(outputs, tuple) else "list")
    return [_output(outputs)], Structure("single")


def _output(value: Any) -> Variable:
    if isinstance(value, Out):
        value = value.variable
    if not isinstance(value, Variable | int | float | complex | np.ndarray | np.generic):
        raise GraphTypeError(
            f"an output must be a variable, got {type(value).__name__}", origin=caller_origin(),
            hint="outputs are a variable, or a list, tuple or dict of variables",
        )  # fmt: skip
    return as_data_variable(value)


def update_pairs(updates: Updates | None) -> list[tuple[Shared, Variable]]:
    """The updates, each to a variable of the shared variable's own type."""
    pairs: list[tuple[Shared, Variable]] = []
    for shared, value in pairs_of(() if updates is None else updates, "updates"):
        if not isinstance(shared, Shared):
            raise GraphTypeError(
                f"only shared variables can be updated, got {shared!r:.60} ({type(shared).__name__})",
                origin=caller_origin(), hint="make it with graphlab.shared(value); updates={shared: new value}",
            )  # fmt: skip
        if any(shared is other for other, _ in pairs):
            raise GraphValueError(f"shared {labelled(shared)} is updated twice", origin=caller_origin(),
                                  hint="give one new value for each: the sum of the two changes, say")  # fmt: skip
        new = value if isinstance(value, Variable) else cast(value, shared.dtype)
        if not shared.type.accepts(new.type):
            raise GraphTypeError(
                f"the update of {labelled(shared)} has another type: {new.type}, as in {maths(new, limit=80)[-80:]}",
                origin=new.origin or caller_origin(),
                hint=f"convert it: new.astype({shared.dtype!r})" if shared.ndim == new.ndim else "reduce or reshape it",
            )
        pairs.append((shared, new))
    return pairs


def substitute(roots: list[Variable], givens: Any) -> list[Variable]:
    """`roots` with the variables of `givens` replaced, all at once."""
    replace = replacements(givens or (), "givens")
    return rebuild(roots, replace) if replace else roots


def swapped(
    graph: Graph, updated: Sequence[Shared], swap: Mapping[Any, Any], used: Collection[Variable]
) -> tuple[Graph, tuple[Shared, ...]]:
    """`graph` and the shared variables it updates, with those of `swap` exchanged; `used` are those it may name."""
    for old, new in swap.items():
        if not isinstance(old, Shared) or not isinstance(new, Shared):
            kinds = f"{type(old).__name__} by {type(new).__name__}"
            raise GraphTypeError(f"swap exchanges shared variables, not {kinds}", origin=caller_origin())
        if old not in used:
            raise GraphValueError(
                f"swap: the function does not use {labelled(old)}", origin=caller_origin(),
                hint="it uses " + (", ".join(labelled(v) for v in used if isinstance(v, Shared)) or "none at all"),
            )  # fmt: skip
        if not old.type.accepts(new.type):
            raise GraphTypeError(
                f"swap: {labelled(old)} can't be replaced by {labelled(new)}", origin=caller_origin(),
                hint="dtype and rank must be the same",
            )  # fmt: skip
    targets = tuple(swap.get(shared, shared) for shared in updated)
    if len(set(targets)) < len(targets):
        raise GraphValueError("swap: a shared variable would be updated twice", origin=caller_origin())
    return Graph(graph.inputs, tuple(rebuild(graph.outputs, dict(swap)))), targets


def check_inputs(specs: Sequence[In], roots: Sequence[Variable], on_unused: str) -> None:
    """Every free variable is an input, and (as `on_unused` says) every input is needed."""
    given = [s.variable for s in specs]
    missing = [v for v in free_inputs(roots) if v not in set(given)]
    if missing:
        named = ", ".join(labelled(v) for v in missing)
        made = f" (made at {missing[0].origin.label})" if missing[0].origin else ""
        raise MissingInputError(
            f"the outputs need {named}{made}, which is not among the inputs",
            origin=caller_origin(),
            hint="add it to the inputs, replace it with givens, or make it with graphlab.shared(value)",
        )
    if on_unused not in ("raise", "warn", "ignore"):
        raise GraphValueError(f"on_unused_input is 'raise', 'warn' or 'ignore', not {on_unused!r}",
                              origin=caller_origin())  # fmt: skip
    needed = set(ancestors(roots))
    unused = ", ".join(labelled(v) for v in given if v not in needed)
    if unused and on_unused == "raise":
        raise UnusedInputError(
            f"no output depends on input {unused}",
            origin=caller_origin(),
            hint="drop it, or pass on_unused_input='ignore'",
        )
    if unused and on_unused == "warn":
        warnings.warn(f"no output depends on input {unused}", stacklevel=4)
