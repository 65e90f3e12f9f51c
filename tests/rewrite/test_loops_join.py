"""Loops of the same turns become one, and so does what is equal in them."""

from __future__ import annotations

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.rewrite.loops.join import RULE
from tests.rewrite.loops import loops, ran

x, w = T.dvector("x"), T.dscalar("w")
k = T.lscalar("k")
VALUES = [0.3, -1.2, 0.7]


def joined(f) -> int:
    return sum(r.rule == RULE for r in f.trace.rewrites)


def total(s0: float, sequence: Variable = x, factor: Variable = w) -> Variable:
    return graphlab.scan(lambda x_t, s: T.tanh(factor * s + x_t), [sequence], [s0])[0]


def test_independent_loops_over_one_sequence_are_one() -> None:
    other, _ = graphlab.scan(lambda x_t, s: T.sin(s) * x_t, [x], [T.constant(1.0)])
    f = ran([x, w], [total(0.0), other], VALUES, 0.5)
    assert joined(f) == 1
    (loop,) = loops(f)
    assert len(loop.op.recurrences) == 2
    assert loop.op.sequences == 1


def test_loops_that_differ_in_what_is_wanted_of_them_are_one() -> None:
    whole = total(0.0)
    last, _ = graphlab.reduce(lambda x_t, s: T.tanh(w * s + x_t), x, 0.0)
    f = ran([x, w], [whole, last, total(0.0)[-1]], VALUES, 0.5)
    (loop,) = loops(f)
    assert len(loop.op.recurrences) == 1


def test_recurrences_that_start_alike_but_differ_are_kept_apart() -> None:
    f = ran([x, w], [total(0.0), total(0.0, factor=-w), total(1.0)], VALUES, 0.5)
    (loop,) = loops(f)
    assert len(loop.op.recurrences) == 3


def test_loops_that_need_each_other_stay_apart() -> None:
    first = total(0.0)
    second = total(0.0, first)
    third, _ = graphlab.scan(lambda x_t, s: s - x_t * second[-1], [x], [T.constant(1.0)])
    other, _ = graphlab.scan(lambda x_t, s: s * T.exp(x_t), [x], [T.constant(1.0)])
    f = ran([x, w], [first, second, third, other], VALUES, 0.5)
    assert joined(f) == 1  # the first and the last
    assert len(loops(f)) == 3


def test_other_numbers_of_turns_and_ends_of_their_own_keep_loops_apart() -> None:
    y = T.dvector("y")
    f = ran([x, y, w], [total(0.0), total(0.0, y)], VALUES, VALUES[:2], 0.5)
    assert len(loops(f)) == 2
    assert joined(f) == 0
    stops = [
        graphlab.scan(lambda s, n=n: (s * 2, graphlab.until(s > n)), outputs_info=1.0, n_steps=k)[0] for n in (5, 9)
    ]
    f = ran([k], stops, 10)
    assert len(loops(f)) == 2


def test_a_gradient_for_each_cost_is_one_loop_backwards() -> None:
    h = total(0.0)
    slopes = [T.grad(cost, w) for cost in (h[-1], (h**2).sum(), h[0])]
    f = ran([x, w], slopes, VALUES, 0.5)
    assert len(loops(f)) == 2


def test_draws_keep_their_order() -> None:
    stream = graphlab.RandomStream(5)
    a, _ = graphlab.scan(lambda s: s + stream.normal(), outputs_info=0.0, n_steps=6)
    b, _ = graphlab.scan(lambda s: s * stream.normal(), outputs_info=1.0, n_steps=6)
    f = graphlab.function([], [a, b])
    draws = np.random.Generator(np.random.Philox(5)).normal(size=12)
    for got, want in zip(f(), (np.cumsum(draws[:6]), np.cumprod(draws[6:])), strict=True):
        np.testing.assert_allclose(got, want)
    assert joined(f) == 0


def test_nested_loops_join_inside() -> None:
    rows = T.dmatrix("rows")

    def turn(row):
        a, _ = graphlab.scan(lambda v, s: T.sin(s) + v, [row], [T.constant(0.0)])
        b, _ = graphlab.scan(lambda v, s: T.cos(s) * v, [row], [T.constant(1.0)])
        return a * b

    made, _ = graphlab.map(turn, rows)
    f = ran([rows], [made], np.arange(15.0).reshape(3, 5))
    assert joined(f) == 1
