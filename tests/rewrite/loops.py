"""What the tests of rules for loops share: run both ways, see what fired, look into what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import graphlab
from graphlab.control.loop import Scan
from graphlab.control.values import by_value
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import toposort
from graphlab.ops.linalg import MatMul

PASS = "turns compute only what needs them"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ran(inputs: Sequence[Variable], outputs: Sequence[Variable], *values: Any, rtol: float = 1e-10) -> Any:
    """The compiled function, after its results have been compared with those of the graph as it is written."""
    f = graphlab.function(inputs, list(outputs), on_unused_input="ignore")
    want = graphlab.function(inputs, list(outputs), mode="interpret", on_unused_input="ignore")(*values)
    for a, b in zip(f(*values), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, strict=True)
    return f


def fails_alike(inputs: Sequence[Variable], outputs: Sequence[Variable], *values: Any) -> None:
    """Both ways raise the same class of error."""
    raised = []
    for mode in ("fast_run", "interpret"):
        try:
            graphlab.function(inputs, list(outputs), mode=mode, on_unused_input="ignore")(*values)
            raised.append(None)
        except graphlab.GraphlabError as error:
            raised.append(type(error))
    assert raised[0] is not None
    assert raised[0] is raised[1]


def fired(f: Any) -> list[str]:
    """The names of the rules for loops that fired, in their order."""
    return [r.rule for r in f.trace.rewrites if r.pass_name == PASS]


def loops(f: Any) -> list[Apply]:
    """The loops that are left."""
    return [n for n in toposort(f.optimized.outputs, f.optimized.inputs) if isinstance(n.op, Scan)]


def products(node: Apply) -> int:
    """How many products of matrices a turn computes for their values."""
    body = node.op.graphs[0]
    needed = by_value(body.outputs, body.inputs)
    return sum(isinstance(n.op, MatMul) and n.output in needed for n in toposort(body.outputs, body.inputs))
