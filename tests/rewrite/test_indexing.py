"""Indices, updates and joins are simplified only where values, shapes and errors stay."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.keys import never_meet, picked_of_slice, sliced_slice
from graphlab.rewrite.pipeline import optimize
from graphlab.rewrite.rules.indexing import INDEXING, INDEXING_ONCE
from graphlab.rewrite.rules.updates import JOINS, UPDATES

BOUNDS = (None, -3, -1, 0, 1, 2, 4)
SLICES = [slice(*b) for b in itertools.product(BOUNDS, BOUNDS, (None, -2, -1, 1, 2))]


def rewritten(output: Variable) -> Variable:
    return apply_rules(Graph((), (output,)), (*INDEXING, *UPDATES, *JOINS), strict=True).outputs[0]


def op_names(v: Variable) -> list[str]:
    return [node.op.name for node in toposort([v])]


@pytest.mark.parametrize("known", [True, False])
def test_slices_of_slices_select_the_same(known: bool) -> None:
    rng, fired = np.random.default_rng(0), 0
    for i, j in rng.integers(0, len(SLICES), (1500, 2)):
        for n in range(6):
            both = sliced_slice(SLICES[i], SLICES[j], n if known else None)
            fired += both is not None
            assert both is None or list(range(n)[both]) == list(range(n)[SLICES[i]][SLICES[j]]), (
                SLICES[i],
                SLICES[j],
                n,
            )
    assert fired > (8000 if known else 300)


@pytest.mark.parametrize("known", [True, False])
def test_an_element_of_a_slice_is_that_element_or_out_of_range_in_both(known: bool) -> None:
    for s, i, n in itertools.product(SLICES, range(-3, 4), range(6)):
        at = picked_of_slice(s, i, n if known else None)
        inside = range(n)[s]
        if at is not None and -len(inside) <= i < len(inside):
            assert range(n)[at] == inside[i], (s, i, n)
        elif at is not None:
            assert not known
            assert not -n <= at < n, (s, i, n)


def test_keys_that_never_meet() -> None:
    items = [*SLICES[::3], -2, -1, 0, 1, 3]
    for a, b, known in itertools.product(items, items, (True, False)):
        for n in (1, 4, 5) if known else ():
            if never_meet([a], [b], [n]):
                chosen = [set(range(n)[s]) if isinstance(s, slice) else {s % n} for s in (a, b)]
                assert not chosen[0] & chosen[1] or any(isinstance(s, int) and not -n <= s < n for s in (a, b))
    assert never_meet([slice(None, 2)], [slice(2, None)], [None])
    assert never_meet([slice(None, None, 2)], [slice(1, None, 2)], [None])
    assert not never_meet([0], [-1], [None]), "an axis of one element"


X = T.tensor("float64", (3, 4), name="x")
Y = T.tensor("float64", (4,), name="y")
A, B = T.dscalars("a", "b")


@pytest.mark.parametrize(
    ("before", "ops"),
    [
        (lambda: X[::-1][::-1], []), (lambda: X[1:][0][1:], ["index"]), (lambda: X.T[1], ["index"]),
        (lambda: T.stack([Y, Y + 1, Y])[1], ["add"]), (lambda: T.concatenate([X, X * 2])[4], ["multiply", "index"]),
        (lambda: T.broadcast_to(Y, (3, 4))[2], []), (lambda: T.set_subtensor(X[1], A)[1:][1], ["index"]),
        (lambda: T.stack([X[0], X[1], X[2]]), []), (lambda: T.concatenate([X[:2], X[2:]]), []),
        (lambda: T.concatenate([T.concatenate([Y, Y]), Y]), ["concatenate"]),
        (lambda: T.inc_subtensor(T.zeros((4,))[1:3], A)[1:3], None),
        (lambda: T.set_subtensor(T.set_subtensor(X[1], A)[1], B), ["set_subtensor"]),
        (lambda: T.set_subtensor(T.set_subtensor(Y[:1], A)[1:], Y[1:]), None),
        (lambda: T.set_subtensor(Y[:2], Y[:2]), []), (lambda: T.inc_subtensor(X[:], X), ["add"]),
    ],
)  # fmt: skip
def test_what_is_read_and_written_is_the_same(before: Callable[[], Variable], ops: list[str] | None) -> None:
    old = before()
    new = rewritten(old)
    assert new is not old
    assert ops is None or op_names(new) == ops
    values = [np.arange(12.0).reshape(3, 4), np.array([-0.0, np.nan, 1.0, np.inf]), np.asarray(-0.0), np.asarray(2.0)]
    want, got = (interpret(Graph((X, Y, A, B), (v,)), values)[0] for v in (old, new))
    np.testing.assert_array_equal(got, want, strict=True)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


@pytest.mark.parametrize(
    "before",
    [
        lambda x, y: x[2:][-1], lambda x, y: x[:3][4], lambda x, y: T.concatenate([x, y])[0],
        lambda x, y: T.set_subtensor(x[0], 1.0)[1], lambda x, y: T.concatenate([x[:-1], x[-1:]])[0],
        lambda x, y: T.set_subtensor(x[1:], y), lambda x, y: T.stack([x[0], x[1]]), lambda x, y: T.zeros(x.shape)[0],
        lambda x, y: T.set_subtensor(T.set_subtensor(x[1:], y)[1:], 0.0),
    ],
)  # fmt: skip
def test_what_may_fail_still_fails(before: Callable[[Variable, Variable], Variable]) -> None:
    x, y = T.dvectors("x", "y")
    old = before(x, y)
    new = rewritten(old)
    for n, m in itertools.product(range(5), range(4)):
        outcomes = []
        for v in (old, new):
            try:
                outcomes.append(interpret(Graph((x, y), (v,)), [np.arange(float(n)), np.ones(m)])[0].tolist())
            except Exception as error:
                outcomes.append(isinstance(error, ValueError | IndexError))
        assert outcomes[0] == outcomes[1], (n, m)


def test_gradients_of_parts_gather_in_one_array() -> None:
    x = T.dvector("x")
    gradient = T.grad(((x[1:] - x[:-1]) ** 2).sum() + x[0] * 3, x)
    names = op_names(T.grad(x[0] * 2 + (x[1:] ** 2).sum(), x))
    assert names.count("inc_subtensor") == 2
    done = optimize(gradient)
    assert op_names(done).count("inc_subtensor") == 3
    assert "add" not in op_names(done)
    value = np.array([1.0, 3.0, -2.0, 0.0])
    want, got = (interpret(Graph((x,), (v,)), [value])[0] for v in (gradient, done))
    np.testing.assert_allclose(got, want)


def test_a_sum_that_may_hold_negative_zeros_keeps_its_zeros() -> None:
    x, a = T.dvector("x"), T.dscalar("a")
    total = -x + T.inc_subtensor(T.zeros_like(x)[:1], a)
    assert rewritten(total) is total


def test_an_index_of_what_is_needed_whole_stays() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    rule = list(INDEXING_ONCE)
    assert op_names(apply_rules(Graph((x,), (y[0],)), rule).outputs[0]) == ["index", "exp"]
    both = optimize([y, y[0]])
    assert op_names(both[1]) == ["exp", "index"]
    assert op_names(optimize(y[0])) == ["index", "exp"]


def test_an_index_does_not_move_through_what_may_be_stretched() -> None:
    x, y = T.dvectors("x", "y")
    part = (x + y)[1]
    assert apply_rules(Graph((x, y), (part,)), list(INDEXING_ONCE)).outputs[0] is part
    n = T.lvector("n")
    power = (n**n)[0]
    assert apply_rules(Graph((n,), (power,)), list(INDEXING_ONCE)).outputs[0] is power, "another element may fail"


def test_many_residual_steps_are_indexed_in_linear_time() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(60):
        y = y + T.sin(y)
    assert len(op_names(optimize(y[0]))) < 200
