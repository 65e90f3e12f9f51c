"""Random graphs: compiled C == interpreter == NumPy, as written and after every pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphlab
from graphlab.graph.node import Graph, Variable
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


def _check(programs: Sequence[RandomProgram], mode: Mode) -> None:
    graphs = [program.graph() for program in programs]
    inputs, values = [v for p in programs for v in p.inputs], [a for p in programs for a in p.values]
    expected = [_check_rewriting(p, outputs, mode) for p, outputs in zip(programs, graphs, strict=True)]
    f = graphlab.function(inputs, [v for outputs in graphs for v in outputs], on_unused_input="ignore", mode=mode)
    wanted = [(n, k, *pair) for n, pairs in enumerate(expected) for k, pair in enumerate(pairs)]
    for got, (n, k, want, tolerance) in zip(f(*values), wanted, strict=True):
        _agree(got, want, tolerance, f"program {n}, output {k}: compiled and NumPy")


def _check_rewriting(program: RandomProgram, outputs: list[Variable], mode: Mode) -> list[tuple[Array, Array]]:
    """The graph as written and after each pass gives, by the interpreter, what NumPy gives: that, and the tolerance."""
    f = graphlab.function(program.inputs, outputs, on_unused_input="ignore", mode=replace(mode, compiles=False))
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
    return list(zip(want, tolerance, strict=True))


# More than 2,000 graphs. Most are compiled six in one function, since a C compiler has its price each time it starts.
@settings(_SETTINGS, max_examples=150)
@given(program=random_programs())
def test_on_ordinary_values_compiled_and_interpreted_graphs_equal_numpy(program: RandomProgram) -> None:
    _check([program], find_mode("fast_run"))


@settings(_SETTINGS, max_examples=150)
@given(program=random_programs(edge=True))
def test_on_edge_values_compiled_and_interpreted_graphs_equal_numpy(program: RandomProgram) -> None:
    _check([program], find_mode("fast_run").excluding("stable"))


@pytest.mark.parametrize("part", range(2))  # so that two processors share them
@settings(_SETTINGS, max_examples=100)
@given(programs=st.lists(random_programs(), min_size=6, max_size=6))
def test_on_ordinary_values_graphs_of_one_function_equal_numpy(part: int, programs: list[RandomProgram]) -> None:
    _check(programs, find_mode("fast_run"))


@settings(_SETTINGS, max_examples=100)
@given(programs=st.lists(random_programs(edge=True), min_size=6, max_size=6))
def test_on_edge_values_graphs_of_one_function_equal_numpy(programs: list[RandomProgram]) -> None:
    _check(programs, find_mode("fast_run").excluding("stable"))


@pytest.mark.parametrize("dtypes", [("complex128", "complex64", "float64"), ("float16", "float16", "int8")], ids=str)
@settings(_SETTINGS, max_examples=60)
@given(data=st.data())
def test_graphs_of_complex_numbers_and_of_halves_equal_numpy(dtypes: tuple[str, ...], data: st.DataObject) -> None:
    _check([data.draw(random_programs(dtypes=dtypes, longest=6))], find_mode("fast_run"))


@settings(_SETTINGS, max_examples=25)
@given(program=random_programs(large=True))
def test_graphs_of_large_arrays_equal_numpy(program: RandomProgram) -> None:
    _check([program], find_mode("fast_run"))
