"""Profiles: the times are of real runs, the work is what the extents of the call say, and nothing is changed."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.debug.profile import Profile, Row
from graphlab.debug.profile import _unchanged as unchanged
from graphlab.errors import GraphTypeError


def rows_of(profile: Profile, kind: str) -> list[Row]:
    return [row for row in profile.rows if row.kind == kind]


def test_a_kernel_counts_the_bytes_and_operations_of_this_call() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    f = graphlab.function([x, y], T.exp(x) * y)
    found = f.profile(np.ones((30, 50)), np.ones(50))
    (row,) = rows_of(found, "kernel")
    assert (row.read, row.written) == (8 * (30 * 50 + 50), 8 * 30 * 50)
    assert row.flops == 2 * 30 * 50
    assert set(row.ops) == {"exp", "multiply"}
    assert all(re.fullmatch(r"test_profile\.py:\d+", line) for line in row.lines)
    (other,) = rows_of(f.profile(np.ones((3, 50)), np.ones(50)), "kernel")
    assert other.flops == 2 * 3 * 50


def test_single_precision_counts_four_bytes_and_repeated_elements_count_once() -> None:
    x = T.fmatrix("x")
    f = graphlab.function([x], x + 1)
    once = np.broadcast_to(np.float32(2), (100, 100))
    (row,) = rows_of(f.profile(once), "kernel")
    assert (row.read, row.written, row.flops) == (4, 4 * 100 * 100, 100 * 100)


def test_products_are_calls_and_count_two_operations_for_each_term() -> None:
    x, w = T.dmatrix("x"), graphlab.shared(np.ones((40, 20)), "w")
    (row,) = rows_of(graphlab.function([x], x @ w).profile(np.ones((30, 40))), "call")
    assert (row.ops, row.flops) == (("matmul",), 2 * 30 * 40 * 20)
    assert (row.read, row.written) == (8 * (30 * 40 + 40 * 20), 8 * 30 * 20)
    assert row.bound == "compute"


def test_views_move_nothing_and_what_numpy_computes_is_a_host_step() -> None:
    x = T.dmatrix("x")
    found = graphlab.function([x], [x.T[1:], T.linalg.inv(x)]).profile(np.eye(6))
    views = rows_of(found, "view")
    assert views
    assert all((row.read, row.written, row.flops, row.fraction) == (0, 0, 0, None) for row in views)
    (host,) = rows_of(found, "host")
    assert (host.ops, host.read, host.written) == (("inv",), 8 * 36, 8 * 36)
    assert host.flops >= 6**3


def test_a_loop_is_one_row_with_the_work_of_all_its_turns() -> None:
    xs, w = T.dmatrix("xs"), T.dmatrix("w")
    out, _ = graphlab.scan(lambda x, h: T.tanh(w @ h + x), sequences=xs, outputs_info=T.zeros(8))
    f = graphlab.function([xs, w], out)
    work = [rows_of(f.profile(np.ones((n, 8)), np.eye(8)), "loop")[0] for n in (10, 30)]
    assert all("scan" in row.ops for row in work)
    assert work[0].flops >= 10 * (2 * 8 * 8 + 2 * 8)
    assert work[1].flops == 3 * work[0].flops
    assert work[1].read == 3 * work[0].read


def test_a_branch_counts_the_side_that_was_taken() -> None:
    c, x = T.bscalar("c"), T.dmatrix("x")
    f = graphlab.function([c, x], graphlab.ifelse(c, x @ x, x + 1))
    dear, cheap = (rows_of(f.profile(c, np.ones((20, 20))), "branch")[0] for c in (1, 0))
    assert (dear.flops, cheap.flops) == (2 * 20**3, 20**2)


def test_updates_take_no_effect_and_streams_do_not_move_on() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.zeros(3), "w")
    stream = graphlab.RandomStream(3)
    f = graphlab.function([x], [w + x, stream.normal(size=(2,))], updates={w: w + x})
    found = f.profile(np.ones(3))
    assert found.calls >= 3
    assert w.get_value().tolist() == [0, 0, 0]
    fresh = graphlab.function([], graphlab.RandomStream(3).normal(size=(2,)))()
    np.testing.assert_array_equal(f(np.ones(3))[1], fresh)
    assert w.get_value().tolist() == [1, 1, 1]


def test_calls_that_are_timed_update_in_place_as_any_call_does() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.zeros(1000), "w")
    f = graphlab.function([x], updates={w: w + x})
    given = w.cell[0]
    with unchanged(f) as (fresh, restore):
        fresh()
        place = w.cell[0].ctypes.data
        f(np.ones(1000))
        assert (w.cell[0].ctypes.data, w.cell[0][0], given[0]) == (place, 1, 0)
        restore()
        f(np.ones(1000))  # the old value is held: a new array is made
        assert w.cell[0].ctypes.data != given.ctypes.data
    assert w.cell[0] is given


def test_shares_sum_to_one_and_rows_add_up() -> None:
    x = T.dmatrix("x")
    found = graphlab.function([x], T.tanh(x @ x).sum()).profile(np.ones((50, 50)))
    assert sum(row.share for row in found.rows) == pytest.approx(1)
    for row in found.rows:
        assert row.calls == found.calls
        assert row.seconds <= row.total
    assert 0 <= found.outside <= found.total


def test_the_fraction_of_the_machine_is_that_of_the_nearer_limit() -> None:
    x = T.dvector("x")
    (row,) = graphlab.function([x], x + 1).profile(np.ones(1 << 20)).rows
    here = graphlab.machine()
    moved = row.read + row.written
    limits = {"memory": row.bandwidth / here.bandwidth(moved), "compute": row.flops * 1e-9 / row.seconds / here.dgemm}
    assert row.bound == max(limits, key=lambda limit: limits[limit])  # on a busy machine either may be measured low
    assert row.fraction == pytest.approx(limits[row.bound])
    assert row.bandwidth == pytest.approx(1e-9 * moved / row.seconds)


def test_as_text_the_dearest_step_comes_first_and_columns_are_aligned() -> None:
    x = T.dmatrix("x")
    found = graphlab.function([x], T.linalg.inv(T.exp(x) + 1), name="dear").profile(np.eye(60))
    first, head, *lines = str(found).splitlines()
    assert first.startswith("dear: ")
    assert "outside the steps" in first
    shares = [float(line.split()[0].rstrip("%")) for line in lines]
    assert shares == sorted(shares, reverse=True)
    ends = {line.index("%") + 1 for line in lines}
    assert ends == {head.index("share") + len("share")}
    assert any("inv" in line and "test_profile.py:" in line for line in lines)


def test_as_html_it_is_a_table_in_which_text_is_only_text() -> None:
    x = T.dmatrix("x")
    text = graphlab.function([x], x + 1, name="<b>").profile(np.eye(2))._repr_html_()
    assert text.count("<tr>") == 2
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


def test_as_json_it_reads_back() -> None:
    x = T.dmatrix("x")
    found = graphlab.function([x], x + 1).profile(np.eye(2))
    data = json.loads(found.to_json())
    assert data["rows"][0]["read"] == 32
    assert data["total"] == found.total
    assert data["machine"]["threads"] >= 1


def test_arguments_are_those_of_a_call_and_so_are_errors() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    f = graphlab.function([x, y], x + y)
    assert f.profile([1, 2], y=[3.0, 4.0]).rows[-1].written == 16
    with pytest.raises(GraphTypeError, match="missing: y"):
        f.profile([1, 2])
    with pytest.raises(ValueError, match="test_profile"):
        f.profile([1, 2], [1, 2, 3])


def test_where_assumptions_fail_it_is_the_general_program() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = graphlab.function([x, y], T.grad((x * y).sum(), [x, y]))
    a, b = np.ones((4, 3)), np.ones((1, 3))
    found = f.profile(a, b)
    assert not rows_of(found, "check")
    assert found.rows[-1].written > 0


def test_an_empty_array_is_no_work_and_no_error() -> None:
    x = T.dvector("x")
    (row,) = graphlab.function([x], x + 1).profile(np.ones(0)).rows
    assert (row.read, row.written, row.flops, row.fraction) == (0, 0, 0, None)


def test_where_numpy_runs_the_graph_the_steps_are_its_nodes() -> None:
    x = T.dvector("x")
    found = graphlab.function([x], T.exp(x) + 1, mode="interpret").profile([1.0, 2.0])
    assert [(row.kind, row.ops) for row in found.rows] == [("node", ("exp",)), ("node", ("add",))]
    assert found.machine is None


def test_a_recording_function_can_be_profiled_too() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x + 1, profile=True)
    f([1.0])
    assert f.profile([1.0]).rows
    assert f.profile.calls >= 1


def test_a_report_has_the_table_when_it_is_asked_for(tmp_path: Any) -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.exp(x @ x).sum())
    trace = json.loads(f.report(tmp_path / "f.json", args=[np.eye(3)], include=("profile",)).read_text())
    profile = trace["profile"]
    assert len(profile["cells"]) == len(profile["nodes"]) + 1 == len(f.lowered.program.steps) + 1
    assert profile["shares"] == sorted(profile["shares"], reverse=True)
    known = {node["id"] for node in trace["nodes"]}
    assert all(set(ids) <= known for ids in profile["nodes"])
    assert any(profile["nodes"])
    assert "profile" not in json.loads(f.report(tmp_path / "g.json", args=[np.eye(3)]).read_text())
    with pytest.raises(ValueError, match="args"):
        f.report(tmp_path / "h.html", include=("profile",))
    with pytest.raises(ValueError, match="prophet"):
        f.report(tmp_path / "h.html", args=[np.eye(3)], include=("prophet",))


def test_memory_is_what_is_there_while_a_step_runs() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.exp((x @ x) @ x).sum(axis=0))
    rows = f.profile(np.ones((50, 50))).rows
    matrix, vector = 50 * 50 * 8, 50 * 8
    # x and a product; x and two products; x, the last product and the sums: the first product was released
    assert [row.memory for row in rows] == [2 * matrix, 3 * matrix, 2 * matrix + vector]


def test_a_loop_that_is_one_kernel_counts_its_turns_too() -> None:
    xs = T.dvector("xs")
    out, _ = graphlab.scan(lambda x, h: T.tanh(h) * x, sequences=xs, outputs_info=T.constant(0.5))
    f = graphlab.function([xs], out)
    assert any(type(step.action).__name__ == "Turns" for step in f.lowered.program.steps)
    few, many = (rows_of(f.profile(np.ones(n)), "loop")[0] for n in (10, 1000))
    assert (few.flops, many.flops) == (20, 2000)
    assert (many.read, many.written) == (8 * 1001, 8 * 1000)
