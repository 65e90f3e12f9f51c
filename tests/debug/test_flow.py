"""Gradients by layer: whether they vanish, explode, die or are steady, and where."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab import Function, name_scope, shared
from graphlab.debug.flow import Flow, forward_of
from graphlab.errors import GraphValueError
from graphlab.graph.node import Variable

SEARCH = (Phase.explicit, Phase.generate)  # making a failing program small takes a compilation a step
WIDTH = 8
DATA = np.random.default_rng(3).normal(size=(16, WIDTH))


def network(
    depth: int, act: Callable[[Variable], Variable], scale: float, *, scopes: bool = True, mode: str = "interpret"
) -> tuple[Function, list[Any]]:
    """A training step of layers act(h @ w + b), and its parameters."""
    rng = np.random.default_rng(5)
    x = T.dmatrix("x")
    h, parameters = x, []
    for k in range(depth):
        q, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
        w, b = shared(scale * q, f"w{k}"), shared(np.zeros(WIDTH), f"b{k}")
        parameters += [w, b]
        with name_scope(f"layer{k}") if scopes else contextlib.nullcontext():
            h = act(T.dot(h, w) + b)  # the layers' line
    cost = (h**2).mean()
    grads = T.grad(cost, parameters)
    updates = [(p, p - 0.1 * g) for p, g in zip(parameters, grads, strict=True)]
    return graphlab.function([x], cost, updates=updates, mode=mode), parameters


def flow(depth: int, act: Callable[[Variable], Variable], scale: float, **more: Any) -> Flow:
    return network(depth, act, scale, **more)[0].debug(DATA).gradient_flow()


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_sigmoids_vanish(mode: str) -> None:
    found = flow(10, T.sigmoid, 1.0, mode=mode)
    assert found.verdict == "vanishing"
    assert 0.05 < found.factor < 0.5
    names = [layer.name for layer in found.layers]
    assert names[:10] == [f"layer{k}" for k in range(10)]
    text = str(found)
    assert text.startswith("the gradient is vanishing: ")
    assert "times as much in each layer as in the next" in text
    rms = [dict(layer.parameters)[f"b{k}"].rms for k, layer in enumerate(found.layers[:10])]
    assert rms == sorted(rms)
    assert rms[0] < 1e-4 * rms[-1]


def test_large_weights_explode() -> None:
    found = flow(10, lambda v: v, 5.0)
    assert found.verdict == "exploding"
    assert found.factor == pytest.approx(5.0, rel=1e-6)  # orthogonal weights, nothing in between
    assert "exploding" in str(found)


def test_what_is_steady_says_so() -> None:
    found = flow(6, T.tanh, 1.2)
    assert found.verdict == "steady"
    assert str(found).startswith("the gradient is steady")


def test_dead_units_stop_it() -> None:
    x, w, v = T.dmatrix("x"), shared(np.ones((WIDTH, 3)), "w"), shared(np.ones((3, 2)), "v")
    with name_scope("first"):
        h = T.tanh(T.dot(x, w))
    with name_scope("second"):
        r = T.nnet.relu(T.dot(h, v) - 100)
    with name_scope("last"):
        cost = (r - 1).sum() + (h * 0).sum()
    found = graphlab.function([x], T.grad(cost, [w, v])).debug(DATA).gradient_flow()
    assert found.verdict == "dead"
    assert "nothing before it learns" in str(found)


def test_what_is_not_finite_says_where() -> None:
    x, w = T.dmatrix("x"), shared(np.zeros((WIDTH, 3)), "w")
    with name_scope("roots"):
        h = T.sqrt(T.dot(x, w))
    found = graphlab.function([x], T.grad(h.sum(), w)).debug(DATA).gradient_flow()
    assert found.verdict == "not finite"
    assert "s.origin()" in str(found)
    assert "roots" in str(found)


def test_layers_of_one_line_are_counted() -> None:
    found = flow(4, T.sigmoid, 1.0, scopes=False)
    names = [layer.name for layer in found.layers]
    assert [name.rpartition(" ")[2] for name in names[:4]] == ["#1", "#2", "#3", "#4"]
    assert all("# the layers' line" in layer.lines[0].text for layer in found.layers[:4])
    assert not found.layers[-1].name.endswith("#1")


def test_the_sizes_are_those_of_the_gradients() -> None:
    f, parameters = network(3, T.tanh, 1.1)
    found = f.debug(DATA).gradient_flow()
    before = [p.get_value() for p in parameters]
    f(DATA)
    for k, layer in enumerate(found.layers[:3]):
        for name, size in layer.parameters:
            p = 2 * k + ("wb".index(name[0]))
            gradient = (before[p] - parameters[p].get_value()) / 0.1
            assert size.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
            assert size.size == gradient.size


def test_through_the_turns_of_a_loop() -> None:
    x, w = T.dmatrix("x"), shared(0.3 * np.eye(WIDTH), "w")
    states, _ = graphlab.scan(lambda row, h: T.tanh(T.dot(h, w) + row), [x], [T.zeros((WIDTH,))])
    f = graphlab.function([x], T.grad((states[-1] ** 2).sum(), w))
    found = f.debug(DATA).gradient_flow()
    ((loop, last, first),) = found.turns
    assert loop.op.name.startswith("scan")
    assert first < 1e-4 * last
    assert "vanishing inside of scan" in str(found)


def test_gradient_nodes_know_their_forward_node() -> None:
    x = T.dvector("x")
    y = T.tanh(x)  # forward
    g = T.grad(y.sum(), x)
    assert g.owner is not None
    forward = forward_of(g.owner)
    assert forward is y.owner


def test_without_a_gradient_it_says_so() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphValueError, match="computes no gradient"):
        graphlab.function([x], T.exp(x)).debug([1.0]).gradient_flow()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCH)
@given(st.integers(6, 12), st.floats(0.1, 8.0), st.booleans())
def test_the_verdict_on_linear_layers_is_their_scale(depth: int, scale: float, scopes: bool) -> None:
    """Orthogonal weights times a number: from layer to layer the gradient changes by exactly that number."""
    found = flow(depth, lambda v: v, scale, scopes=scopes)
    assert found.factor == pytest.approx(scale, rel=1e-6)
    far = scale ** (len(found.series) - 1)
    assert found.verdict == ("vanishing" if far < 1e-4 else "exploding" if far > 1e4 else "steady")
