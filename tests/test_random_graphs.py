"""Random graphs: compiled C == interpreter == NumPy, as written and after every pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphlab
from graphlab.graph.node import Graph
from graphlab.interpret import interpret
from graphlab.rewrite.pipeline import Mode
from graphlab.rewrite.pipeline import mode as find_mode
from graphlab.rewrite.rules import RULES
from tests.random_graphs import Array, RandomProgram, random_programs

STABILISING = {rule.name for rule in RULES if "stable" in rule.tags}
_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def _agree(got: Array, want: Array, tolerance: Array, what: str) -> None:
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype} instead of {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape} instead of {want.shape}"
    with np.errstate(all="ignore"):
        if want.dtype.kind in "fc":
            wide = "complex128" if want.dtype.kind == "c" else "float64"
            close = np.abs(got.astype(wide) - want.astype(wide)) <= tolerance
            fine = close | (got == want) | (np.isnan(got) & np.isnan(want)) | np.isinf(tolerance)
        else:
            fine = (got == want) | np.isinf(tolerance)
    assert np.all(fine), f"{what}:\n{got!r}\ninstead of\n{want!r}\ntolerance {tolerance!r}"


def _check(program: RandomProgram, mode: Mode) -> None:
    outputs = program.graph()
    f = graphlab.function(program.inputs, outputs, on_unused_input="ignore", mode=mode)
    want, tolerance = program.run(), program.tolerance()
    for k, a in enumerate(interpret(f.graph, program.values)):
        _agree(a, want[k], tolerance[k], f"output {k}: the interpreter on the graph as written and NumPy")
    if program.overflows() and any(r.rule in STABILISING for r in f.trace.rewrites):
        # The naive formula may lose the result in an infinity on the way, where the stable one has it.
        tolerance = [np.full(w.shape, np.inf) for w in want]
    for event in f.trace.passes:
        graph = Graph(f.inputs, event.graph.outputs)
        for k, a in enumerate(interpret(graph, program.values)):
            _agree(a, want[k], tolerance[k], f"output {k}: after pass {event.name!r} and NumPy")
    for k, a in enumerate(f(*program.values)):
        _agree(a, want[k], tolerance[k], f"output {k}: compiled and NumPy")


# In parts, so that several processors share them: together more than 2,000 graphs.
@pytest.mark.parametrize("part", range(5))
@settings(_SETTINGS, max_examples=270)
@given(program=random_programs())
def test_on_ordinary_values_compiled_and_interpreted_graphs_equal_numpy(part: int, program: RandomProgram) -> None:
    _check(program, find_mode("fast_run"))


@pytest.mark.parametrize("part", range(3))
@settings(_SETTINGS, max_examples=230)
@given(program=random_programs(edge=True))
def test_on_edge_values_compiled_and_interpreted_graphs_equal_numpy(part: int, program: RandomProgram) -> None:
    _check(program, find_mode("fast_run").excluding("stable"))


@pytest.mark.parametrize("dtypes", [("complex128", "complex64", "float64"), ("float16", "float16", "int8")], ids=str)
@settings(_SETTINGS, max_examples=60)
@given(data=st.data())
def test_graphs_of_complex_numbers_and_of_halves_equal_numpy(dtypes: tuple[str, ...], data: st.DataObject) -> None:
    _check(data.draw(random_programs(dtypes=dtypes, longest=6)), find_mode("fast_run"))


@settings(_SETTINGS, max_examples=25)
@given(program=random_programs(large=True))
def test_graphs_of_large_arrays_equal_numpy(program: RandomProgram) -> None:
    _check(program, find_mode("fast_run"))
