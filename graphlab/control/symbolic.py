"""Symbolic functions: a Python function of variables whose calls stay visible as one node each, which opens."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MethodType
from typing import Any

import numpy as np

from graphlab.control.call import Gradient, call_of
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.closure import structure
from graphlab.graph.node import Graph, Variable, as_data_variable, tracing
from graphlab.signature import Structure, flatten

# ---- the decorator -------------------------------------------------------------------------------

_tracing: ContextVar[tuple[Any, ...]] = ContextVar("graphlab_symbolic", default=())


class SymbolicFunction:
    """A function made symbolic by `graphlab.symbolic`: call it like the function that it was."""

    def __init__(self, function: Callable[..., Any], name: str | None = None, gradient: Gradient | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name: str = name or getattr(function, "__name__", "function").strip("<>")
        self.gradient = gradient
        self._known: dict[Hashable, Graph] = {}

    def def_vjp(self, gradient: Gradient) -> Gradient:
        """Use `gradient` instead of the derivative of the body; returned as it is, so that this is a decorator.

        It is called as `gradient(inputs, outputs, cotangents)`, three tuples of variables, and returns the
        derivative by each input: None where there is none.
        """
        self.gradient = gradient
        return gradient

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<symbolic function {self.name}>"

    @user_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check(args, kwargs)
        arguments = _Arguments()
        args, kwargs = arguments.inner(args, self._labels(args)), arguments.inner(kwargs, {k: k for k in kwargs})
        with self._entered(), tracing() as made:
            result = self.function(*args, **kwargs)
        if result is None:
            raise GraphTypeError(f"{self.name} returns nothing", hint="return a variable, or a tuple, list or dict")
        with tracing():
            outputs, packing = flatten(result)
        call, lifted = call_of(self.name, outputs, arguments.placeholders, made, gradient=self.gradient)
        call = call.with_graphs([self._known.setdefault(structure(call.graph), call.graph)])
        node = call.apply(*arguments.given, *lifted)
        return _packed(packing, node.outputs[: call.results])

    def _check(self, args: Any, kwargs: Any) -> None:
        """GraphTypeError if the function does not take these arguments."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # some callables of C have none
            return
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise GraphTypeError(f"{self.name} takes {signature}: {error}", origin=caller_origin(),
                                 hint="call it like the function that it was") from None  # fmt: skip

    def _labels(self, args: Sequence[Any]) -> list[str]:
        """The names of the parameters that `args` are for."""
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return [*named[: len(args)], *(f"argument {k}" for k in range(len(named), len(args)))]

    @contextmanager
    def _entered(self) -> Iterator[None]:
        active = _tracing.get()
        if any(self is other for other in active):
            raise GraphTypeError(
                f"{self.name} calls itself: a graph has no end then",
                hint="leave @graphlab.symbolic off a recursion that Python ends; for one that values end there are"
                " graphlab.scan and graphlab.while_loop",
            )
        token = _tracing.set((*active, self))
        try:
            yield
        finally:
            _tracing.reset(token)


def _packed(packing: Structure, outputs: Sequence[Variable]) -> Any:
    return packing.pack(outputs)  # type: ignore[arg-type]


class _Arguments:
    """Exchanges the variables and arrays among the arguments, however nested, for inputs of the inner graph."""

    def __init__(self) -> None:
        self.given: list[Variable] = []
        self.placeholders: list[Variable] = []

    def inner(self, value: Any, label: Any) -> Any:
        """`value` with placeholders in it; `label` names it, or each of its parts."""
        if isinstance(value, Variable | np.ndarray):
            outer = as_data_variable(value)
            self.given.append(outer)
            self.placeholders.append(Variable(outer.type, label))
            return self.placeholders[-1]
        labels: Any = label
        if isinstance(label, str) and isinstance(value, list | tuple | dict):
            keys = value if isinstance(value, dict) else range(len(value))
            labels = {k: f"{label}[{k!r}]" for k in keys}
        if isinstance(value, dict):
            return {k: self.inner(v, labels[k]) for k, v in value.items()}
        if isinstance(value, list | tuple):
            parts = [self.inner(v, labels[k]) for k, v in enumerate(value)]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value


def symbolic(
    function: Callable[..., Any] | None = None, *, name: str | None = None, gradient: Gradient | None = None
) -> Any:
    """Make each call of `function` one node of the graph, with the function's own graph inside.

    Variables and arrays among the arguments, also in lists, tuples and dicts, become the node's inputs;
    everything else (numbers, texts, None) is passed on as it is. What the function uses from outside is
    found. It returns a variable, or a tuple, list or dict of variables. The graph is opened before the
    compiler's rules look at it, so a call costs nothing; derivatives are nodes too, named "f gradient".
    `gradient` replaces the derivative of the body (see `SymbolicFunction.def_vjp`).
    GraphTypeError: the function calls itself, or returns no variables.

    >>> import graphlab, graphlab.tensor as T
    >>> @graphlab.symbolic
    ... def dense(x, w, activation="tanh"):
    ...     return getattr(T, activation)(x @ w)
    >>> y = dense(T.dvector("x"), T.dmatrix("w"), activation="exp")
    >>> graphlab.maths(y)
    'dense(x, w)'
    """
    if function is None:
        return functools.partial(symbolic, name=name, gradient=gradient)
    if not callable(function):
        raise GraphTypeError(
            f"symbolic makes a function symbolic, got {type(function).__name__}", origin=caller_origin()
        )
    return SymbolicFunction(function, name, gradient)
