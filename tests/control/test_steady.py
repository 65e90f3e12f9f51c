"""Loops whose turns are planned once: they mean what they mean turn by turn."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.codegen import c as codegen
from graphlab.errors import GraphShapeError
from graphlab.graph.events import listen
from graphlab.graph.node import Graph
from tests.control.bodies import random_loop

FIRES = "f->api->loop_steady("


def recurrence(dtype: str = "float64") -> tuple[list[graphlab.Variable], graphlab.Variable]:
    x, s0, w = T.matrix("x", dtype=dtype), T.vector("s0", dtype=dtype), T.vector("w", dtype=dtype)
    s, _ = graphlab.scan(lambda x_t, s, w: w * s + x_t, [x], [s0], [w])
    return [x, s0, w], s


def by_hand(x: np.ndarray, s: np.ndarray, w: np.ndarray) -> np.ndarray:
    states = []
    for row in x:
        s = w * s + row
        states.append(s)
    return np.array(states, x.dtype).reshape(x.shape)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "complex128"])
@pytest.mark.parametrize(("turns", "width"), [(0, 3), (1, 3), (2, 3), (9, 1), (9, 0), (300, 1000)])
def test_a_recurrence_of_vectors(dtype: str, turns: int, width: int) -> None:
    inputs, s = recurrence(dtype)
    f = graphlab.function(inputs, s)
    assert FIRES in f.c_source
    rng = np.random.default_rng(turns)
    x, s0 = ((rng.normal(size=n) * 3).astype(dtype) for n in ((turns, width), width))
    w = (rng.random(width) * 3).astype(dtype) if dtype == "int32" else rng.random(width).astype(dtype)
    with np.errstate(all="ignore"):
        expected = by_hand(x, s0, w)
    assert f(x, s0, w).tobytes() == expected.tobytes()


def test_strided_reversed_and_broadcast_operands() -> None:
    inputs, s = recurrence()
    f, rng = graphlab.function(inputs, s), np.random.default_rng(0)
    x, wide = rng.normal(size=(12, 6)), rng.normal(size=(6, 12))
    for view in (x[:, ::2], x[::-1, :3], x[::-2, ::-2], wide.T[:, 1:4], np.broadcast_to(x[:1, :3], (7, 3))):
        for s0 in (wide[:3, 1], np.broadcast_to(np.float64(2), 3), x[0, 2::-1]):
            np.testing.assert_array_equal(f(view, s0, wide[3, 8:2:-2]), by_hand(view, s0, wide[3, 8:2:-2]))


def test_several_lags_and_outputs_of_which_some_are_kept() -> None:
    x, start = T.dmatrix("x"), T.dmatrix("start")
    (s, doubled), _ = graphlab.scan(
        lambda x_t, third, first: (T.tanh(third - 0.5 * first + x_t), 2 * third + first),
        [x], [{"initial": start, "taps": [-3, -1]}, None],
    )  # fmt: skip
    values, first = np.random.default_rng(2).normal(size=(11, 4)), np.random.default_rng(3).normal(size=(3, 4))
    for outputs in ([s, doubled], [s[-1], doubled[-2:]], [s[-5:], doubled[-1]], [doubled]):
        f = graphlab.function([x, start], outputs)
        g = graphlab.function([x, start], outputs, mode="interpret")
        for n in (1, 3, 4, 11):
            if n >= 2 or outputs[0] is not s[-1]:
                for got, want in zip(f(values[:n], first), g(values[:n], first), strict=True):
                    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert FIRES in f.c_source


def test_the_state_after_the_loop_is_that_of_its_last_turn() -> None:
    n, state = T.lscalar("n"), graphlab.shared(np.array([1.0, 2.0, 4.0]), "state")
    _, updates = graphlab.scan(lambda: {state: state * 0.5 + 1.0}, n_steps=n)
    f = graphlab.function([n], [], updates=updates)
    assert FIRES in f.c_source
    for turns in (0, 1, 2, 7):
        before = state.get_value()
        for _ in range(turns):
            before = before * 0.5 + 1.0
        f(turns)
        np.testing.assert_array_equal(state.get_value(), before)


def test_a_turn_that_folds_rows_and_one_that_fails() -> None:
    x = T.dmatrix("x")
    s, _ = graphlab.scan(lambda x_t, s: x_t * 0.3 + s.sum(), x, T.zeros_like(x[0]))
    values = np.random.default_rng(0).normal(size=(9, 5))
    expected, state = [], np.zeros(5)
    for row in values:
        state = row * 0.3 + state.sum()
        expected.append(state)
    np.testing.assert_allclose(graphlab.function([x], s)(values), expected, rtol=1e-12)
    inputs, s = recurrence()
    f = graphlab.function(inputs, s)
    with pytest.raises(GraphShapeError):
        f(np.ones((5, 3)), np.ones(3), np.ones(4))
    with pytest.raises(GraphShapeError):
        f(np.ones((5, 3)), np.ones(1), np.ones(3))  # what is carried on would grow


def test_a_session_agrees_with_the_plain_call() -> None:
    inputs, s = recurrence()
    f = graphlab.function(inputs, [s, *T.grad((s**2).sum(), inputs)])
    assert FIRES in f.c_source
    session = f.debug(np.ones((6, 3)), np.ones(3), np.full(3, 0.5)).finish()
    assert session.findings == ()


def by_steps(
    monkeypatch: pytest.MonkeyPatch, inputs: list[graphlab.Variable], outputs: list[graphlab.Variable]
) -> graphlab.Function:
    """The function whose loops take every turn step by step."""
    with (
        monkeypatch.context() as patch,
        listen(lambda event: None),
    ):  # who listens gets no program from the cache's plans
        patch.setattr(codegen, "steady_steps", lambda _: ())
        f = graphlab.function(inputs, outputs, on_unused_input="ignore")
    assert FIRES not in f.c_source
    return f


Cell = Callable[..., Any]
CELLS: dict[str, tuple[Cell, int]] = {  # how a turn makes the state h from x, with weights; how wide its states are
    "rnn": (lambda x, h, w, v: T.tanh(x[:, :3] + T.dot(h, w[:3, :3])), 2),
    "gru": (lambda x, h, w, v: T.tanh(x[:, :3] + T.sigmoid(T.dot(h, w[:3, :3])) * T.dot(h, v[:3, :3])), 2),
    "transposed": (lambda x, h, w, v: T.tanh(T.dot(w[:2, :2], h).T.T + T.dot(h, v.T[1:7:2, 6:0:-2])), 2),
    "one row": (lambda x, h, w, v: T.tanh(x[0, :3] + T.dot(h, w[:3, :3])), 1),
    "one column": (lambda x, h, w, v: T.tanh(x[0, :3] + T.dot(w[:3, :3], h)), 1),
    "numbers": (lambda x, h, w, v: h * T.tanh(T.dot(h, x[1, :3])), 1),
    "packed": (lambda x, h, w, v: T.tanh(T.dot(h[:, ::2], x[:, ::-3][:2]) @ w[:3, :3]), 2),
}  # fmt: skip


def cell_loop(name: str) -> tuple[list[graphlab.Variable], list[graphlab.Variable]]:
    x, w, v = T.dtensor3("x"), T.dmatrix("w"), T.dmatrix("v")
    cell, ndim = CELLS[name]
    h0 = T.dmatrix("h0") if ndim == 2 else T.dvector("h0")
    h, _ = graphlab.scan(cell, [x], [h0], [w, v])
    inputs = [x, w, v, h0]
    return inputs, [h, *T.grad((h**2).sum(), [w, v, h0], disconnected_inputs="ignore")]


@pytest.mark.parametrize("name", CELLS)
def test_products_and_views_have_the_bits_of_the_loop_of_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outputs = cell_loop(name)
    f, plain = graphlab.function(inputs, outputs, on_unused_input="ignore"), by_steps(monkeypatch, inputs, outputs)
    assert "GL_STEADY_PRODUCT, 0" in f.c_source
    rng = np.random.default_rng(0)
    w, v, h0 = rng.normal(size=(7, 7)), rng.normal(size=(7, 7)), rng.normal(size=(2, 3)[2 - inputs[3].ndim :])
    for turns in (0, 1, 2, 3, 20):
        x = rng.normal(size=(turns, 2, 7))
        results = f(x, w, v, h0)
        for got, want in zip(results, plain(x, w, v, h0), strict=True):
            assert got.tobytes() == want.tobytes()
        for got, want in zip(results, graphlab.interpret(Graph(tuple(inputs), tuple(outputs)), [x, w, v, h0]),
                             strict=True):  # fmt: skip
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_gates_that_are_parts_of_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, u, h0 = T.dtensor3("x"), T.dmatrix("w"), T.dmatrix("u"), T.dmatrix("h0")

    def lstm(x_t: Any, h: Any, c: Any) -> Any:
        z, n = T.dot(x_t, w) + T.dot(h, u), h.shape[1]
        i, f, o, g = (z[:, k * n : (k + 1) * n] for k in range(4))
        c = T.sigmoid(f) * c + T.sigmoid(i) * T.tanh(g)
        return T.sigmoid(o) * T.tanh(c), c

    (h, c), _ = graphlab.scan(lstm, [x], [h0, h0])
    f, plain = graphlab.function([x, w, u, h0], [h, c[-2:]]), by_steps(monkeypatch, [x, w, u, h0], [h, c[-2:]])
    assert all(f"GL_STEADY_{kind}, 0" in f.c_source for kind in ("PRODUCT", "VIEW", "FIXED"))
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in ((9, 2, 5), (5, 12), (3, 12), (2, 3))]
    for got, want in zip(f(*values), plain(*values), strict=True):
        assert got.tobytes() == want.tobytes()
    assert f.debug(*values).finish().findings == ()


def test_what_is_collected_twice_is_written_once_and_copied() -> None:
    inputs, s = recurrence()
    f = graphlab.function(inputs, [s, 2 * s[-3:], T.grad((s**3).sum(), inputs[2])])
    x, s0, w = np.random.default_rng(0).normal(size=(9, 3)), np.ones(3), np.full(3, 0.5)
    assert FIRES in f.c_source
    np.testing.assert_array_equal(f(x, s0, w)[0], by_hand(x, s0, w))


def test_ctrl_c_ends_a_loop_that_is_planned_once() -> None:
    n, h0, w = T.lscalar("n"), T.dmatrix("h0"), T.dmatrix("w")
    h, _ = graphlab.scan(lambda h: T.tanh(T.dot(h, w)), outputs_info=[h0], n_steps=n)
    f = graphlab.function([n, h0, w], h[-1])
    assert "GL_STEADY_PRODUCT, 0" in f.c_source
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            f(10**15, np.ones((4, 8)), np.eye(8))
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("part", range(3))
def test_random_bodies_have_the_bits_of_the_loop_of_steps(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fired = 0
    for seed in range(part * 6, (part + 1) * 6):
        loop = random_loop(seed, shape=(2, 3))
        values = loop.values(seed)
        xs = [T.tensor("float64", shape=(None,) * v.ndim, name=f"x{k}") for k, v in enumerate(values)]
        outputs = loop.scanned(xs)
        made = [*outputs, *(T.grad(sum((v**2).sum() for v in outputs), xs, disconnected_inputs="ignore") if xs else [])]
        f = graphlab.function(xs, made, on_unused_input="ignore")
        fired += FIRES in f.c_source
        plain = by_steps(monkeypatch, xs, made)
        for a, b in zip(f(*values), plain(*values), strict=True):
            np.testing.assert_array_equal(a, b)
    assert fired > 0
