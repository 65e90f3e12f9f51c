"""The reference executor: NumPy, one node at a time. The oracle for compiled code, and what runs without a compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphlab.errors import (
    GraphIndexError,
    GraphlabError,
    GraphMemoryError,
    GraphShapeError,
    GraphTypeError,
    GraphValueError,
)
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort

Array = np.ndarray[Any, Any]
Environment = dict[Variable, Array]


def leaf_value(variable: Variable, environment: Mapping[Variable, Array]) -> Array:
    """The value of `variable`: from `environment`, else a constant's or shared variable's own."""
    if variable in environment:
        return environment[variable]
    if isinstance(variable, Constant):
        return variable.data
    if isinstance(variable, Shared):
        return variable.cell[0]
    raise KeyError(variable)


def run_node(node: Apply, environment: Environment) -> None:
    """Compute the outputs of `node` into `environment`; an error names the user's line and the operands."""
    skipped = node.op.branches(node)
    values = [_NOTHING if skipped and v.owner and v not in environment else leaf_value(v, environment)
              for v in node.inputs]  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            results = node.op.evaluate(*values)
    except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError, MemoryError) as error:
        if isinstance(error, GraphlabError) and error.origin is not None:
            raise  # from within a graph that the op holds: the line there says more
        raise explain(error, node, values) from error
    for variable, result in zip(node.outputs, results, strict=True):
        environment[variable] = result


_FEW = 6
_NOTHING = np.empty(0)  # what stands for the values of a branch that was not chosen

_KINDS: tuple[tuple[type[Exception], type[GraphlabError]], ...] = (
    (MemoryError, GraphMemoryError),
    (IndexError, GraphIndexError),
    (TypeError, GraphTypeError),
    (ValueError, GraphShapeError),
)


def explain(error: Exception, node: Apply, values: Sequence[Array]) -> Exception:
    """`error`, raised by computing `node`, as one that names the user's line and what came in."""
    error = _said_by_types(node, values) or error
    kind = next((k for e, k in _KINDS if isinstance(error, e)), GraphValueError)
    if isinstance(error, GraphlabError):
        kind = type(error)
    elif isinstance(error, ValueError) and not any(word in str(error) for word in ("shape", "broadcast", "mismatch")):
        kind = GraphValueError
    operands = ", ".join(
        f"{_called(v, i)}: {a.dtype}{list(a.shape)}{_small(a)}"
        for i, (v, a) in enumerate(zip(node.inputs, values, strict=True))
    )
    origin = next(iter(node.provenance.origins), None)
    message = (error.message if isinstance(error, GraphlabError) else str(error)).rstrip()
    message = message.removeprefix(f"{node.op.name}: ")  # some libraries say it themselves
    return kind(f"{node.op.name}: {message}", origin=origin, hint=f"the operands were {operands}")


def _said_by_types(node: Apply, values: Sequence[Array]) -> GraphlabError | None:
    """What the op would have said had it known the shapes when the graph was built; NumPy's words are for experts."""
    try:
        node.op.infer(*(TensorType(a.dtype.name, a.shape) for a in values))
    except GraphlabError as error:
        return error
    return None


def _small(value: Array) -> str:
    """The value of a number, and of a few truth values."""
    shown = value.ndim == 0 or (value.dtype == bool and value.size <= _FEW)
    return f" = {np.array2string(value, separator=', ')}" if shown else ""


def _called(v: Variable, position: int) -> str:
    """The variable's name, else its formula if there is one and it is short."""
    formula = maths(v, limit=40) if v.owner is not None else ""
    return v.name or (formula if formula and "\n" not in formula else f"operand {position + 1}")


def interpret(graph: Graph, values: Sequence[Array]) -> list[Array]:
    """The outputs of `graph` for the inputs' `values`, by NumPy.

    >>> import numpy as np
    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import add
    >>> x = Variable(TensorType("float64", ()), "x")
    >>> interpret(Graph((x,), (add(x, 1.0),)), [np.asarray(2.0)])
    [array(3.)]
    """
    environment: Environment = dict(zip(graph.inputs, values, strict=True))
    nodes = toposort(graph.outputs, graph.inputs)
    if any(node.op.branches(node) for node in nodes):
        demand(graph.outputs, environment)
    else:
        for node in nodes:
            run_node(node, environment)
    return [leaf_value(v, environment) for v in graph.outputs]


def demand(outputs: Sequence[Variable], environment: Environment) -> None:
    """Compute `outputs` into `environment`, and of choices only the branches that are wanted."""
    stack = list(reversed(outputs))
    while stack:
        node = stack[-1].owner
        if node is None or stack[-1] in environment:
            stack.pop()
            continue
        groups = node.op.branches(node)
        decided = [v for i, v in enumerate(node.inputs) if not any(i in group for group in groups)]
        missing = [v for v in decided if v.owner is not None and v not in environment]
        if groups and not missing:
            chosen = groups[node.op.chosen(*(leaf_value(v, environment) for v in decided))]
            wanted = [node.inputs[i] for i in chosen]
            missing = [v for v in wanted if v.owner is not None and v not in environment]
        if missing:
            stack.extend(reversed(missing))
        else:
            run_node(node, environment)
