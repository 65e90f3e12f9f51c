"""Rewrites inside loops and branches are judged where they are: on the values of each turn."""

from __future__ import annotations

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.rewrite.rule import EXACT, Rule
from graphlab.rewrite.verdicts import DIVERGED, MOST_TURNS, REPAIRED, Judged

x = T.dvector("x")
SLY = Rule("tanh(x) -> x", EXACT, find=lambda x: T.tanh(x), make=lambda x: x)
MODE = graphlab.mode("fast_run").including(SLY)


def rows(output, *values) -> dict[str, Judged]:
    f = graphlab.function([x], output, mode=MODE)
    return {row.rewrite.rule: row for row in f.trace.check(*values).rows}


def test_a_wrong_rewrite_is_found_in_the_turn_that_shows_it() -> None:
    # The outputs hide it: where(False, ...) reads the value of none of the turns.
    made, _ = graphlab.scan(lambda x_t, s: T.where(x_t > 9, T.tanh(x_t), s + 1), [x], [T.constant(0.0)])
    row = rows(made, [0.0, 0.0, 2.0])[SLY.name]
    assert row.verdict == DIVERGED
    assert (row.before, row.after) == (np.tanh(2.0), 2.0)
    assert rows(made, [0.0, 0.0])[SLY.name].verdict == "exact"


def test_a_repair_inside_of_a_turn_is_a_repair() -> None:
    made, _ = graphlab.scan(lambda x_t, s: T.log(1 + T.exp(x_t)) + s * 0, [x], [T.constant(0.0)])
    found = rows(made, [1.0, 800.0])
    assert REPAIRED in {row.verdict for row in found.values()}
    assert not any(row.note for row in found.values() if row.verdict == REPAIRED)


def test_a_branch_is_judged_where_it_is_taken() -> None:
    made = graphlab.ifelse(x.sum() > 0, T.tanh(x) * 0.5, x - 1)
    assert rows(made, [2.0])[SLY.name].verdict == DIVERGED
    assert rows(made, [-2.0])[SLY.name].note == "judged at the outputs"


def test_no_more_turns_than_that_are_looked_at() -> None:
    made, _ = graphlab.scan(lambda x_t, s: T.where(x_t > 9, T.tanh(x_t), s + 1), [x], [T.constant(0.0)])
    late = np.zeros(MOST_TURNS + 1)
    late[-1] = 2.0
    assert rows(made, late)[SLY.name].verdict == "exact"


def test_loops_inside_loops() -> None:
    rows_of = T.dmatrix("rows")

    def turn(row):
        return graphlab.scan(lambda v, s: T.where(v > 9, T.tanh(v), s), [row], [T.constant(0.0)])[0]

    f = graphlab.function([rows_of], graphlab.map(turn, rows_of)[0], mode=MODE)
    checked = f.trace.check([[0.0, 0.0], [0.0, 2.0]])
    assert [row.rewrite.rule for row in checked.diverged] == [SLY.name]
