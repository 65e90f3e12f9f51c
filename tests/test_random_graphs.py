"""Random graphs: compiled C == interpreter == NumPy, as written and after every pass."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings

import graphlab
from graphlab.graph.node import Graph
from graphlab.interpret import interpret
from tests.random_graphs import Array, RandomProgram, random_programs

_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def _agree(got: Array, want: Array, tolerance: Array, what: str) -> None:
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype} instead of {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape} instead of {want.shape}"
    with np.errstate(all="ignore"):
        if want.dtype.kind == "f":
            close = np.abs(got.astype("float64") - want.astype("float64")) <= tolerance
            fine = close | (got == want) | (np.isnan(got) & np.isnan(want)) | np.isinf(tolerance)
        else:
            fine = (got == want) | np.isinf(tolerance)
    assert np.all(fine), f"{what}:\n{got!r}\ninstead of\n{want!r}\ntolerance {tolerance!r}"


def _check(program: RandomProgram, *, stabilised: bool) -> None:
    outputs = program.graph()
    f = graphlab.function(program.inputs, outputs, on_unused_input="ignore")
    want, tolerance = program.run(), program.tolerance()
    if stabilised and any(r.changes == "rounding" for r in f.trace.rewrites):
        # A stabilising rule may give the finite result where the naive formula overflows.
        tolerance = [np.where(np.isfinite(w), t, np.inf) if w.dtype.kind == "f" else np.full(w.shape, np.inf)
                     for w, t in zip(want, tolerance, strict=True)]  # fmt: skip
    exact = interpret(f.graph, program.values)
    for k, (a, b) in enumerate(zip(exact, program.run(), strict=True)):
        _agree(a, b, program.tolerance()[k], f"output {k}: the interpreter on the graph as written and NumPy")
    for event in f.trace.passes:
        graph = Graph(f.inputs, event.graph.outputs)
        for k, a in enumerate(interpret(graph, program.values)):
            _agree(a, want[k], tolerance[k], f"output {k}: after pass {event.name!r} and NumPy")
    optimised = interpret(f.optimized, program.values)
    for k, a in enumerate(f(*program.values)):
        _agree(a, want[k], tolerance[k], f"output {k}: compiled and NumPy")
        _agree(a, optimised[k], tolerance[k], f"output {k}: compiled and the optimised graph, interpreted")


@settings(_SETTINGS, max_examples=1500)
@given(random_programs())
def test_on_ordinary_values_compiled_and_interpreted_graphs_equal_numpy(program: RandomProgram) -> None:
    _check(program, stabilised=False)


@settings(_SETTINGS, max_examples=600)
@given(random_programs(edge=True))
def test_on_edge_values_compiled_and_interpreted_graphs_equal_numpy(program: RandomProgram) -> None:
    _check(program, stabilised=True)
