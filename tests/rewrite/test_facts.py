"""What is proven of shapes is true in every run, and what is not provable is not claimed."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.interpret import interpret
from graphlab.ops.unbroadcast import sum_to
from graphlab.rewrite.facts import depends_on, facts, may_drop, same_extents, uniform_value


def expressions() -> tuple[list[Variable], list[Variable]]:
    """Inputs x, y (matrices) and v (vector), and many expressions of them."""
    x, y, v = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v")
    made = [
        x, y, v, x + y, y + x, x + v, v + x, (x + y) + v, T.exp(x) * 2, x.T, x.T.T, x.sum(axis=0), x.sum(axis=1),
        x.sum(axis=1, keepdims=True), x * x.sum(axis=0), T.softmax(x), T.zeros_like(x), T.zeros_like(x + y),
        T.broadcast_to(v, x.shape), T.ones((x.shape[0], x.shape[1])), T.ones((v.shape[0],)), T.ones((x.shape[1],)),
        v.dimshuffle(0, "x"), v.dimshuffle("x", 0), T.dot(x, y), T.dot(x, v), x.reshape((-1,)), x.max(axis=0),
        x.astype("float32").astype("float64"), sum_to(x + y, x), x[0], T.where(x > 0, y, 0.0),
        v[1:], v[:-1], v[1:] - v[:-1], T.sin(v)[2:], v[1:-1], v[1:][:-1], v[:2], v[-2:], v[::-1], v[::2], v[1::2],
        x[1:, 0], x[:, None, -1], x[T.argmax(x, axis=0)], x[[0, 0]], T.set_subtensor(v[:1], 2.0),
        T.inc_subtensor(x[0], v), T.concatenate([v, v]), T.concatenate([x, y]), T.concatenate([x, x], axis=1),
        T.concatenate([v, v])[: v.shape[0]], T.concatenate([x, y])[x.shape[0] :], T.arange(v.shape[0]),
        T.arange(v.shape[0] + v.shape[0]), x.ravel(), x.reshape((x.shape[0] * x.shape[1],)), x.reshape((-1,)),
        x.reshape((x.shape[0], -1)), x.reshape((x.shape[1], x.shape[0])), T.dot(x.T, x), T.dot(x, x.T), T.tile(v, 2),
        T.stack([v, v]), T.roll(v, 1), T.repeat(v, 2), T.cumsum(v), T.sort(v), T.full((2, 3), 1.0).reshape((-1, 2)),
    ]  # fmt: skip
    return [x, y, v], made


def test_equal_extents_mean_equal_shapes_in_every_run() -> None:
    inputs, made = expressions()
    shapes = list(itertools.product([(1, 1), (1, 3), (3, 3), (3, 1), (2, 3)], [(1, 3), (3, 3), (3, 1)], [1, 3]))
    seen: dict[tuple[int, int], bool] = {}
    for a, b, n in shapes:
        values = [np.ones(a), np.ones(b), np.ones(n)]
        got: list[tuple[int, ...] | None] = []
        for v in made:
            try:
                got.append(interpret(Graph(tuple(inputs), (v,)), values)[0].shape)
            except (ValueError, IndexError):
                got.append(None)
        for i, j in itertools.combinations(range(len(made)), 2):
            if None not in (got[i], got[j]):
                seen[i, j] = seen.get((i, j), True) and got[i] == got[j]
    claimed = {pair for pair in seen if same_extents(made[pair[0]], made[pair[1]])}
    assert all(seen[pair] for pair in claimed)
    assert len(claimed) > 20


def test_what_can_not_fail_does_not() -> None:
    inputs, made = expressions()
    values = [np.ones((2, 3)), np.ones((4, 5)), np.ones(6)]  # nothing fits
    for v in made:
        if not facts(v).may_fail:
            interpret(Graph(tuple(inputs), (v,)), values)
    failing = [facts(v).may_fail for v in made]
    assert any(failing)
    assert not all(failing)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (lambda x, v: v[1:], lambda x, v: v[:-1]), (lambda x, v: v[1:-1], lambda x, v: T.exp(v)[2:]),
        (lambda x, v: v[1:][1:], lambda x, v: v[:-2]), (lambda x, v: v[:3], lambda x, v: v[-3:]),
        (lambda x, v: T.concatenate([x[0], v])[x.shape[1] :], lambda x, v: v),
        (lambda x, v: T.concatenate([v, x[0], v])[v.shape[0] : v.shape[0] + x.shape[1]], lambda x, v: x[0]),
        (lambda x, v: x.reshape((x.shape[0] * x.shape[1],)), lambda x, v: x.ravel()),
        (lambda x, v: x.reshape((x.shape[0], -1)), lambda x, v: x), (lambda x, v: T.arange(v.shape[0]), lambda x, v: v),
        (lambda x, v: T.inc_subtensor(v[0], 1.0), lambda x, v: v),
    ],
)  # fmt: skip
def test_extents_that_are_computed_in_two_ways(a: Callable[..., Variable], b: Callable[..., Variable]) -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    assert same_extents(a(x, v), b(x, v))


@pytest.mark.parametrize("n", [-2, 0, 1, 4])
def test_what_follows_from_a_scalar_may_be_negative(n: int) -> None:
    x, k = T.dvector("x"), T.lscalar("k")
    assert not same_extents(x[:k], T.arange(k))
    assert facts(T.zeros((k,))).may_fail
    assert facts(T.arange(k)).extents == facts(T.zeros((k,))).extents
    assert len(interpret(Graph((k,), (T.arange(k),)), [np.asarray(n)])[0]) == max(n, 0)


def test_an_index_that_is_known_to_fit_can_not_fail() -> None:
    x, v, i = T.tensor("float64", (3, 4), name="x"), T.dvector("v"), T.lscalar("i")
    fits = [x[2], x[[0, -3]], v[1:], T.set_subtensor(v[1:], 2.0), T.set_subtensor(v[1:], v[:-1])]
    assert not any(facts(p).may_fail for p in fits)
    assert all(facts(p).may_fail for p in [v[0], x[i], v[::i], T.set_subtensor(v[1:], v), v[v > 0]])


def test_a_long_chain_of_joins_and_slices_stays_small() -> None:
    x = T.dvector("x")
    for k in range(300):
        x = T.concatenate([x[::2], T.dvector(), x[k:]])
    assert len(repr(facts(x))) < 1000


def test_a_mismatch_may_hide_in_a_sum_of_two_unknown_shapes() -> None:
    x, y = T.dvectors("x", "y")
    assert facts(x + y).may_fail
    assert not facts(x + x).may_fail
    assert not may_drop(x + y, x)
    assert may_drop(x + x, x)
    total = x + y
    way = T.exp(total).shape[0] * x.shape[0]
    assert may_drop(way, T.sin(total)), "what may fail on the way to it is computed all the same"
    assert not may_drop(way + (y + T.dmatrix("z")).shape[0], T.sin(total))


def test_an_integer_power_may_fail() -> None:
    x, n = T.lscalars("x", "n")
    assert facts(x**n).may_fail
    assert not facts(x**2).may_fail


def test_a_symbolic_extent_of_a_reshape_is_not_taken_at_its_word() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    a, b = x.reshape((n, 2)), T.dvector("y").reshape((n, 2))
    assert not same_extents(a, b), "n may be -1"


def test_wide_sums_stay_small() -> None:
    total = T.dvector()
    for _ in range(200):
        total = total + T.dvector()
    assert all(len(axis) <= 9 for axis in facts(total).extents)


def test_facts_of_a_deep_graph_need_no_recursion() -> None:
    x = T.dvector("x")
    deep = x
    for _ in range(20_000):
        deep = T.sin(deep)
    assert same_extents(deep, x)


def test_depends_on_sees_near_ancestors() -> None:
    x, y = T.dscalars("x", "y")
    assert depends_on(T.sin(x) * y, x)
    assert not depends_on(T.sin(x), y)


@pytest.mark.parametrize(
    ("data", "value"),
    [(2.0, 2.0), ([1, 1], 1), ([[True, True]], True), ([1.0, 2.0], None), ([0.0, -0.0], None), ([], None)],
)
def test_uniform_value(data: object, value: object) -> None:
    assert uniform_value(Constant(data)) == value


def test_a_uniform_array_of_nan_has_no_value() -> None:
    assert uniform_value(Constant([np.nan, np.nan])) is None


def test_facts_are_forgotten_with_their_variables() -> None:
    v = Variable(TensorType("float64", (None,)))
    assert facts(v).extents == (frozenset([(id(v), 0)]),)


def test_what_was_broadcast_once_fits_its_operands() -> None:
    x, y, z = T.dvectors("x", "y", "z")
    total = x + y
    for v in (T.exp(total), total * x, total * 2.0, T.dot(total, total)):
        assert may_drop(v, T.sin(total)), "it fails where x + y does, and nowhere else"
    assert not may_drop(total * z, T.sin(total))
    assert not may_drop((x * z) * total, T.sin(total))
