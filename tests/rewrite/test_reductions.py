"""Reductions fold no axis that they need not fold, and arrays that are no larger than they must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rules import RULES

X = np.array([[1.0, -2.0, 0.5], [-0.0, 3.0, -1.0]])


def fired(f: Any) -> set[str]:
    return {rewrite.rule for rewrite in f.trace.rewrites}


def compiled(build: Callable[..., Variable], *types: str, fast_math: bool = False) -> Any:
    inputs = [Variable(TensorType.parse(t), f"x{i}") for i, t in enumerate(types)]
    return graphlab.function(inputs, build(*inputs), mode=graphlab.mode("fast_run", fast_math=fast_math))


def alone(name: str, output: Variable) -> Variable:
    """What the rule called `name` makes of `output`."""
    (rule,) = [r for r in RULES if r.name == name]
    return apply_rules(Graph((), (output,)), [rule], strict=True).outputs[0]


def names(*outputs: Variable) -> list[str]:
    return [node.op.name for node in toposort(outputs)]


CASES = [
    ("reduce(x) -> x", lambda x: T.sum(x, axis=1), ["float64[3,1]"], [[[-0.0], [np.nan], [2.0]]]),
    ("reduce(x) -> x", lambda x: T.max(x, axis=(0, 1), keepdims=True), ["float32[1,1,3]"], [[[[-0.0, np.inf, 2.0]]]]),
    ("reduce(x) -> x", lambda x: T.any(x, axis=0), ["float64[1,3]"], [[[0.0, np.nan, 1.0]]]),
    ("reduce(dimshuffle(x)) -> dimshuffle(reduce(x))", lambda x: x.T.sum(), ["float64[?,?]"], [X]),
    ("reduce(dimshuffle(x)) -> dimshuffle(reduce(x))", lambda x: x.T.max(axis=1), ["float64[?,?]"], [X]),
    ("reduce(dimshuffle(x)) -> dimshuffle(reduce(x))",
     lambda x: T.exp(x).dimshuffle(1, "x", 0).min(axis=2, keepdims=True), ["float64[?,?]"], [X]),
    ("reduce(broadcast_to(x)) -> reduce(x)", lambda x: T.broadcast_to(x, (4, 3)).sum(axis=0), ["float64[3]"], [X[0]]),
    ("reduce(broadcast_to(x)) -> reduce(x)", lambda x: T.broadcast_to(x, (4, 2, 3)).prod(axis=(0, 2)), ["float64[2,1]"],
     [[[2.0], [-0.5]]]),
    ("reduce(broadcast_to(x)) -> reduce(x)", lambda x: T.broadcast_to(x, (4, 3)).max(), ["float64[3]"], [X[0]]),
    ("max(-x) -> -min(x)", lambda x: T.max(-x, axis=0), ["float64[?,?]"], [X]),
    ("any(not x) -> not all(x)", lambda x: T.all(T.logical_not(x), axis=1), ["float64[?,?]"], [X]),
    ("max(exp(x)) -> exp(max(x))", lambda x: T.min(T.tanh(x), axis=1), ["float64[?,?]"], [X]),
    ("max(join(x, y)) -> maximum(max(x), max(y))", lambda x: T.max(T.concatenate([x, x * 2]), axis=0), ["float64[2,3]"],
     [X]),
    ("reduce(reduce(x)) -> reduce(x)", lambda x: x.max(axis=0).max(), ["float64[?,?]"], [X]),
    ("cumsum(x)[-1] -> sum(x)", lambda x: T.cumsum(x, axis=0)[-1], ["float64[2,3]"], [X]),
    ("logsumexp(logsumexp(x)) -> logsumexp(x)", lambda x: T.logsumexp(T.logsumexp(x, axis=1)), ["float64[?,?]"], [X]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "build", "types", "values"), CASES)
def test_rules_fire_in_the_pipeline_and_keep_the_value(
    name: str, build: Callable[..., Variable], types: list[str], values: list[Any]
) -> None:
    f = compiled(build, *types)
    arrays = [np.asarray(v, t.partition("[")[0]) for v, t in zip(values, types, strict=True)]
    plain = f.trace.at(0)
    want = graphlab.function(list(plain.inputs), list(plain.outputs), mode="interpret")(*arrays)[0]
    assert name in fired(f)
    np.testing.assert_allclose(f(*arrays), want, rtol=1e-15, strict=True)


def test_a_sum_of_one_is_never_a_negative_zero() -> None:
    assert not np.signbit(compiled(lambda x: T.sum(x, axis=1), "float64[1,1]")(np.array([[-0.0]])))


def test_a_sum_over_axes_of_unknown_extents_stays() -> None:
    x, n = T.dscalar("x"), T.lscalar("n")
    f = graphlab.function([x, n], T.broadcast_to(x, (n,)).sum())
    assert "reduce(broadcast_to(x)) -> reduce(x)" not in fired(f)
    assert f(np.inf, 0) == 0  # and not inf * 0


def test_an_array_that_does_not_stretch_is_still_an_error() -> None:
    x = T.dvector("x")
    stretched = T.broadcast_to(x, (4, 3)).sum(axis=0)
    assert alone("reduce(broadcast_to(x)) -> reduce(x)", stretched) is stretched
    with pytest.raises(ValueError, match="broadcast"):
        graphlab.function([x], stretched)(np.ones(2))


def test_extremes_of_integers_keep_their_sign() -> None:
    x = T.bvector("x")
    f = graphlab.function([x], T.max(-x))
    assert f(np.array([-128, 5], "int8")) == -5  # -(-128) is -128


def test_the_largest_of_nothing_is_still_an_error() -> None:
    for build in (lambda x: T.max(-x), lambda x: T.max(T.exp(x)), lambda x: T.max(T.concatenate([x, x]))):
        with pytest.raises(ValueError, match="zero-size"):
            compiled(build, "float64[?]")(np.zeros(0))


def test_sums_of_floats_are_reordered_by_fast_math_alone() -> None:
    build = lambda x: T.concatenate([x.sum(axis=0), 2 * x[0]]).sum()  # noqa: E731
    reordering = {"sum(sum(x)) -> sum(x)", "sum(join(x, y)) -> sum(x) + sum(y)"}
    assert not reordering & fired(compiled(build, "float64[2,3]"))
    fast = compiled(build, "float64[2,3]", fast_math=True)
    assert reordering <= fired(fast)
    np.testing.assert_allclose(fast(X), X.sum() + 2 * X[0].sum())


def test_a_scalar_leaves_a_sum_with_fast_math() -> None:
    f = compiled(lambda c, x: T.sum(c * x), "float64[]", "float64[?]", fast_math=True)
    assert "sum(c * x) -> c * sum(x)" in fired(f)
    assert f(2.0, X[0]) == 2 * X[0].sum()


def test_a_reduction_that_is_read_itself_is_not_computed_anew() -> None:
    x = T.dmatrix("x")
    rows = x.max(axis=1)
    f = graphlab.function([x], [rows, rows.max()])
    assert "reduce(reduce(x)) -> reduce(x)" not in fired(f)
    assert [f(X)[0].tolist(), f(X)[1]] == [[1.0, 3.0], 3.0]


def test_axes_that_are_dropped_or_new_stay() -> None:
    x = T.dmatrix("x")
    name = "reduce(dimshuffle(x)) -> dimshuffle(reduce(x))"
    dropped = T.dtensor3("y").dimshuffle(2, 0).sum()
    assert alone(name, dropped) is dropped  # its middle axis may not have extent 1: an error
    assert names(alone(name, x.dimshuffle(1, "x", 0).sum(axis=2))) == ["sum", "dimshuffle"]


def test_only_elementwise_and_views_are_left_of_a_reduction_over_one() -> None:
    f = compiled(lambda x: T.prod(x, axis=0), "float64[1,3]")
    left = [node.op for node in toposort(f.trace.at(len(f.trace.rewrites)).outputs)]
    assert all(isinstance(op, Elementwise) or op.name == "dimshuffle" for op in left)
