"""Kernel facts: instructions belong to lines of C, these to nodes and the user's lines, and remarks to loops."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.debug.kernels import Assembly, Cost, Kernel, Remark, roofline
from graphlab.errors import CompilerError
from graphlab.options import options
from graphlab.runtime import listing as listings
from graphlab.runtime.build import build
from graphlab.runtime.hardware import Bandwidth, Hardware
from graphlab.runtime.listing import MISSED, VECTORIZED, Note, listing, read_instructions, read_notes

HERE = "test_kernels.py"


@pytest.fixture(scope="module")
def function() -> Function:
    x, y = T.dmatrix("x"), T.dvector("y")
    exponential = T.exp(x)
    return graphlab.function([x, y], [exponential * y + 1, (x * y).sum(0)])


def ops(kernel: Kernel) -> list[str]:
    return [node.op.name for node in kernel.nodes]


# ---- lines ---------------------------------------------------------------------------------------


def test_lines_lead_from_the_c_to_the_nodes_and_the_users_lines(function: Function) -> None:
    kernel = function.kernels[0]
    text = function.c_source.splitlines()
    assert all(text[line.number - 1] == line.text for line in kernel.lines)
    (computes, *_) = (line for line in kernel.lines if "gl_exp_float64(" in line.text)
    assert [node.op.name for node in computes.nodes] == ["exp"]
    assert [o.text for o in computes.origins] == ["exponential = T.exp(x)"]
    assert {n for line in kernel.lines for n in line.nodes} == set(kernel.nodes)
    assert re.search(rf"gl_exp_float64\(.*// exp: {re.escape(HERE)}:\d+", str(kernel.lines))


def test_kernels_that_share_their_c_have_lines_of_their_own_nodes() -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    hidden = T.tanh(w @ x)
    y = T.tanh(w @ hidden)
    f = graphlab.function([x, w], y)
    first, second = f.kernels
    assert set(first.nodes).isdisjoint(second.nodes)
    for kernel in (first, second):
        assert {n for line in kernel.lines for n in line.nodes} == set(kernel.nodes)
    shared = {line.number for line in first.lines} & {line.number for line in second.lines}
    assert shared, "the two kernels are one C function"


# ---- instructions --------------------------------------------------------------------------------


def test_instructions_know_their_line_also_where_functions_are_expanded_in_place(function: Function) -> None:
    kernel = function.kernels[0]
    assembly = kernel.assembly
    assert isinstance(assembly, Assembly)
    assert len(assembly) > 20
    exponentials = [i for i in assembly if i.line is not None and "gl_exp_float64(" in i.line.text]
    others = [i for i in assembly if i.line is not None and i.line.text.strip() == "}"]
    assert len(exponentials) > len(others)
    assert {i.function for i in exponentials} == {"kernel_0"}
    assert [i.address for i in assembly] == sorted(i.address for i in assembly)
    printed = str(assembly)
    assert "kernel_0:" in printed
    assert printed.count("\n") > len(assembly)


def test_ranges_cover_each_instruction_once(function: Function) -> None:
    assembly = function.kernels[0].assembly
    covered = [k for spans in assembly.ranges.values() for first, last in spans for k in range(first, last + 1)]
    assert sorted(covered) == [k for k, i in enumerate(assembly) if i.line is not None]
    for number, spans in assembly.ranges.items():
        assert all(assembly[k].line.number == number for first, last in spans for k in range(first, last + 1))  # type: ignore[union-attr]


def test_the_listing_is_of_the_code_that_runs(function: Function) -> None:
    """The table of lines changes no instruction: the program that was built has the same."""
    built = build(function.c_source)
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", built.path], capture_output=True, text=True, check=True
    )
    runs = [(i.address, i.text) for i in read_instructions(text.stdout) if i.function == "kernel_0"]
    listed = [(i.address, i.text) for i in listing(function.c_source).instructions if i.function == "kernel_0"]
    assert runs
    assert listed == runs


def test_the_compiler_is_asked_once(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    before = function.kernels[0].assembly, function.kernels[0].remarks
    monkeypatch.setattr(listings, "compile_c", None)
    assert (function.kernels[0].assembly, function.kernels[0].remarks) == before


def test_without_objdump_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], x + 17)
    compiler = listings.find_compiler(options().cc)
    monkeypatch.setattr(listings.shutil, "which", lambda name: None)
    monkeypatch.setattr(listings, "find_compiler", lambda cc: compiler)
    with pytest.raises(CompilerError, match="objdump"):
        _ = f.kernels[0].assembly


def test_inlined_lines_are_read_from_the_inside_out() -> None:
    text = """
0000000000001000 <kernel_0>:
kernel_0():
/tmp/<stdin>:40
    1000:\tpush   %rbp
gl_exp():
/tmp/<stdin>:7 (discriminator 3)
inlined by /tmp/<stdin>:42 (kernel_0)
    1001:\tvmulpd %zmm0,%zmm1,%zmm2        # 20 <x>
inlined by /tmp/<stdin>:44 (kernel_0)
    1007:\tret
"""
    found = list(read_instructions(text))
    assert [i.lines for i in found] == [(40,), (7, 42), (7, 44)]
    assert [i.text for i in found] == ["push %rbp", "vmulpd %zmm0,%zmm1,%zmm2 # 20 <x>", "ret"]
    assert {i.function for i in found} == {"kernel_0"}


# ---- remarks -------------------------------------------------------------------------------------


def test_remarks_say_which_loops_are_vector_code_and_which_not(function: Function) -> None:
    remarks = function.kernels[0].remarks
    vectorized = [r for r in remarks if r.kind == "vectorized"]
    assert vectorized
    assert all("vector" in r.message for r in vectorized)
    assert {n.op.name for r in vectorized for n in r.line.nodes} <= set(ops(function.kernels[0]))
    untried = [r for r in remarks if r.kind == "untried"]
    assert {r.line.number for r in untried}.isdisjoint(r.line.number for r in vectorized)
    assert str(remarks).count("\n") == len(remarks) - 1


def test_a_loop_that_must_run_in_order_is_untried_and_says_why() -> None:
    out, _ = graphlab.scan(lambda h: T.cos(h) * 0.5, outputs_info=T.constant(0.3), n_steps=50)
    f = graphlab.function([], out)
    (kernel,) = f.kernels
    remarks = kernel.remarks
    assert any(isinstance(r, Remark) and r.kind == "untried" and "not vectorized" in r.message for r in remarks)
    assert not any(r.kind == "missed" for r in remarks)


def test_the_words_of_gcc_and_clang_are_understood() -> None:
    gcc = """
<stdin>:440:12: optimized: loop vectorized using 64 byte vectors
<stdin>:440:12: optimized: loop vectorized using 64 byte vectors
<stdin>:12:3: missed: couldn't vectorize loop
<stdin>:12:3: missed: not vectorized: control flow in loop.
<stdin>:13:1: missed: statement clobbers memory: f (x);
<stdin>:9:1: warning: unused variable
"""
    clang = """
clang: warning: argument unused during compilation: '-nostartfiles' [-Wunused-command-line-argument]
<stdin>:5:3: remark: vectorized loop (vectorization width: 8, interleaved count: 4) [-Rpass=loop-vectorize]
    5 |   for (int64_t i = 0; i < n; ++i) {
      |   ^
<stdin>:5:3: remark: the cost-model indicates that interleaving is not beneficial [-Rpass-analysis=loop-vectorize]
<stdin>:4:3: remark: loop not vectorized [-Rpass-missed=loop-vectorize]
<stdin>:4:3: remark: loop not vectorized: unsafe dependent memory operations in loop [-Rpass-analysis=loop-vectorize]
<stdin>:6:3: remark: could not determine number of loop iterations [-Rpass-analysis=loop-vectorize]
/tmp/c1-stdin.c:7:9: remark: Stores SLP vectorized with cost -3 and with tree size 4 [-Rpass=slp-vectorizer]
<stdin>:8:9: remark: List vectorization was possible but not beneficial with cost 0 >= 0 [-Rpass-missed=slp-vectorizer]
<stdin>:9:3: remark: loop not vectorized [-Rpass-missed=loop-vectorize]
<stdin>:10:3: remark: loop not vectorized: value that could not be identified as reduction is used outside the loop \
[-Rpass-analysis=loop-vectorize]
<stdin>:10:3: warning: loop not vectorized: the optimizer was unable to perform the requested transformation; the \
transformation might be disabled or specified as part of an unsupported transformation ordering \
[-Wpass-failed=transform-warning]
<stdin>:11:3: warning: loop not vectorized: the optimizer was unable to perform the requested transformation; the \
transformation might be disabled or specified as part of an unsupported transformation ordering \
[-Wpass-failed=transform-warning]
"""
    assert read_notes(gcc) == [
        Note(12, MISSED, "not vectorized: control flow in loop."),
        Note(440, VECTORIZED, "loop vectorized using 64 byte vectors"),
    ]
    assert read_notes(clang) == [
        Note(4, MISSED, "loop not vectorized: unsafe dependent memory operations in loop"),
        Note(5, VECTORIZED, "vectorized loop (vectorization width: 8, interleaved count: 4)"),
        Note(6, MISSED, "could not determine number of loop iterations"),
        Note(7, VECTORIZED, "Stores SLP vectorized"),
        Note(9, MISSED, "loop not vectorized"),
        Note(
            10, MISSED, "loop not vectorized: value that could not be identified as reduction is used outside the loop"
        ),
        Note(11, MISSED, "loop not vectorized"),
    ]


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_what_clang_says_of_a_kernel() -> None:
    x = T.dmatrix("x")
    out, _ = graphlab.scan(lambda h: T.cos(h) * 0.5, outputs_info=T.constant(0.3), n_steps=50)
    with graphlab.using(cc=("clang",)):
        straight, in_order = graphlab.function([x], T.exp(x) * 2), graphlab.function([], out)
        straight(np.ones((2, 3)))
        loops = [remark for remark in straight.kernels[0].remarks if remark.message.startswith("vectorized loop")]
        kinds = {remark.kind for remark in straight.kernels[0].remarks}
        remarks = in_order.kernels[0].remarks
    assert loops
    assert all(remark.line.text.lstrip().startswith("for ") for remark in loops)
    assert "missed" not in kinds
    assert {remark.kind for remark in remarks} == {"untried"}
    assert all("not vectorized" in remark.message for remark in remarks)


# ---- cost ----------------------------------------------------------------------------------------


def test_cost_counts_what_the_types_tell() -> None:
    x = T.tensor("float64", shape=(30, 50), name="x")
    y = T.tensor("float64", shape=(50,), name="y")
    (kernel,) = graphlab.function([x, y], T.exp(x) * y).kernels
    assert kernel.cost == Cost(2 * 30 * 50, 8 * (30 * 50 + 50), 8 * 30 * 50, estimated=False)
    row = next(r for r in graphlab.function([x, y], T.exp(x) * y).profile(np.ones((30, 50)), np.ones(50)).rows
               if r.kind == "kernel")  # fmt: skip
    assert (row.flops, row.read, row.written) == (kernel.cost.flops, kernel.cost.read, kernel.cost.written)


def test_extents_for_a_call_to_decide_make_it_an_estimate(function: Function) -> None:
    cost = function.kernels[0].cost
    assert cost.estimated
    assert cost.flops == 3 * 1000 * 1000
    assert "1000" in str(cost)


def machine(bandwidth: float, peak: float) -> Hardware:
    level = Bandwidth("memory", 1, 1 << 30, bandwidth, bandwidth, bandwidth)
    return Hardware("a machine", 1, (), (), (level,), peak, 2 * peak)


def test_the_roofline_names_the_limit_that_is_met_first() -> None:
    here = machine(bandwidth=10.0, peak=100.0)  # 10 operations a byte balance it
    streams, computes = Cost(100, 800, 200, False), Cost(100_000, 800, 200, False)
    slow, fast = roofline(streams, "float64", here), roofline(computes, "float64", here)
    assert (slow.bound, fast.bound) == ("memory", "compute")
    assert slow.seconds == pytest.approx(1000 / 10e9)
    assert slow.gflops == pytest.approx(1.0)
    assert fast.seconds == pytest.approx(1e5 / 100e9)
    assert (fast.gflops, roofline(computes, "float32", here).peak) == (100.0, 200.0)
    assert "memory" in str(slow)


def test_a_kernel_has_a_roofline_on_this_machine(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Kernel.__module__], "machine", lambda: machine(10.0, 100.0))
    assert function.kernels[0].roofline.bound == "memory"


def test_a_function_that_numpy_runs_has_no_kernels() -> None:
    x = T.dvector("x")
    assert graphlab.function([x], x + 1, mode="fast_compile").kernels == ()
