"""Loops over single elements: each is one kernel, and means what it would mean turn by turn."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError
from graphlab.graph.events import listen
from graphlab.loops.ir import Loop, Turns
from graphlab.loops.walk import every_step
from graphlab.lower import steps as lowering
from tests.control.bodies import random_loop
from tests.control.test_scan_against_unrolled import inputs_of

MODES = ("fast_run", "interpret", "debug")


def kinds(f: graphlab.Function) -> list[type]:
    """Which kinds of loops the program of `f` has."""
    return [type(s.action) for s in every_step(f.lowered.program.steps) if isinstance(s.action, Loop | Turns)]


def recurrence(dtype: str = "float64") -> graphlab.Function:
    a, x, s0 = T.scalar("a", dtype=dtype), T.vector("x", dtype=dtype), T.scalar("s0", dtype=dtype)
    s, _ = graphlab.scan(lambda x_t, s, a: a * s + x_t, [x], [s0], [a])
    return graphlab.function([a, x, s0], s)


def by_hand(a: np.ndarray, x: np.ndarray, s: np.ndarray) -> np.ndarray:
    states = []
    for x_t in x:
        s = a * s + x_t
        states.append(s)
    return np.array(states, x.dtype)


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "complex128", "complex64", "int64", "int32", "uint8"]
)
@pytest.mark.parametrize("n", [0, 1, 2, 70_000])
def test_a_recurrence_of_every_dtype_has_the_bits_of_numpy(dtype: str, n: int) -> None:
    f, rng = recurrence(dtype), np.random.default_rng(n)
    assert kinds(f) == [Turns]
    x = (rng.normal(size=n) * 3).astype("float64" if dtype[0] != "u" else "uint8").astype(dtype)
    a, s0 = np.array(3 if dtype[0] in "iu" else 0.5, dtype), np.array(2, dtype)
    with np.errstate(all="ignore"):
        expected = by_hand(a, x, s0)
    got = f(a, x, s0)
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


def test_nan_infinities_and_zeros_keep_their_signs() -> None:
    f = recurrence()
    x = np.array([np.inf, 1.0, -np.inf, 2.0, np.nan, -0.0])
    for a, s0 in ((1.0, 0.0), (-0.0, -0.0), (0.0, np.inf), (np.nan, 1.0)):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(f(a, x, s0), by_hand(np.array(a), x, np.array(s0)))
    assert np.signbit(f(1.0, [-0.0], -0.0)).tolist() == [True]


def test_strided_and_reversed_sequences() -> None:
    f = recurrence()
    x = np.random.default_rng(0).normal(size=40)
    for view in (x[::3], x[::-1], x[::-2], np.broadcast_to(x[:1], 9), np.lib.stride_tricks.as_strided(x, (7,), (16,))):
        np.testing.assert_array_equal(f(0.5, view, 1.0), by_hand(np.array(0.5), view, np.array(1.0)))


@pytest.mark.parametrize("mode", MODES)
def test_several_outputs_several_lags_and_what_changes_places(mode: str) -> None:
    x, start = T.dvector("x"), T.dvector("start")

    def turn(x_t, a3, a1, b, c):  # type: ignore[no-untyped-def]
        return [a3 - 0.5 * a1 + x_t, c, b, a1 * b, x_t]

    outputs, _ = graphlab.scan(
        turn, [x], [{"initial": start, "taps": [-3, -1]}, T.constant(1.0), T.constant(2.0), None, None]
    )
    f = graphlab.function([x, start], [*outputs, outputs[0][-2:], outputs[3][-1]], mode=mode)
    values, first = np.random.default_rng(1).normal(size=11), np.array([0.5, -1.0, 2.0])
    past, b, c, rows = list(first), 1.0, 2.0, []
    for v in values:
        rows.append([past[-3] - 0.5 * past[-1] + v, c, b, past[-1] * b, v])
        past, b, c = [*past, rows[-1][0]], rows[-1][1], rows[-1][2]
    columns = np.array(rows).T
    for got, want in zip(f(values, first), [*columns, columns[0][-2:], columns[3][-1]], strict=True):
        np.testing.assert_array_equal(got, want)
    if mode == "fast_run":
        assert kinds(f) == [Turns]


def test_only_the_last_rows_are_kept() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x_t, s: T.tanh(s) + x_t, x, 0.0)
    for rows in (1, 3):
        f = graphlab.function([x], s[-rows:])
        (loop,) = [step.action for step in f.lowered.program.steps if isinstance(step.action, Turns)]
        assert [s.keep for s in loop.stacks] == [rows]
        for n in (0, 1, 2, 3, 4, 70_000):
            values = np.random.default_rng(n).normal(size=n)
            np.testing.assert_array_equal(f(values), graphlab.function([x], s)(values)[-rows:])


@pytest.mark.parametrize("limit", [0.0, 45.0, 1e200])
def test_until_ends_the_kernel(limit: float) -> None:
    x0, end = T.dscalar("x0"), T.dscalar("end")
    (x, twice), _ = graphlab.scan(
        lambda x: ([x * 1.001, x + x], graphlab.until(x * 1.001 > end)), outputs_info=[x0, None], n_steps=100_000
    )
    f = graphlab.function([x0, end], [x, twice, x[-1]])
    assert kinds(f) == [Turns]
    values, expected = [1.0], []
    while True:
        expected.append(values[-1] + values[-1])
        values.append(values[-1] * 1.001)
        if values[-1] > limit or len(expected) == 100_000:
            break
    got = f(1.0, limit)
    np.testing.assert_array_equal(got[0], values[1:])
    np.testing.assert_array_equal(got[1], expected)
    assert got[2] == values[-1]


def test_what_no_turn_made_is_empty() -> None:
    n, start = T.lscalar("n"), T.dvector("start")
    (s, m), _ = graphlab.scan(lambda a, b: [a + b, a > b], outputs_info=[{"initial": start, "taps": [-2, -1]}, None],
                              n_steps=n)  # fmt: skip
    f = graphlab.function([n, start], [s, m])
    assert kinds(f) == [Turns]
    for turns in (0, 1, 6):
        values, more = f(turns, [1.0, 1.0])
        np.testing.assert_array_equal(values, [2.0, 3.0, 5.0, 8.0, 13.0, 21.0][:turns])
        assert more.dtype == bool
        assert more.tolist() == [False] * turns
    with pytest.raises(GraphlabError, match="number of turns is -1"):
        f(-1, [1.0, 1.0])
    with pytest.raises(GraphlabError, match="starts from 1 past values where 2 are needed"):
        f(2, [1.0])


def test_a_sequence_that_is_too_short_is_named() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    s, _ = graphlab.scan(lambda x_t, s: s * 0.5 + x_t, x, 0.0, n_steps=n)
    f = graphlab.function([x, n], s)
    np.testing.assert_array_equal(f([1.0, 1.0, 1.0], 2), [1.0, 1.5])
    with pytest.raises(GraphlabError, match="elements"):
        f([1.0], 2)


def test_loops_in_loops_and_in_branches() -> None:
    x = T.dmatrix("x")

    def row(r, so_far):  # type: ignore[no-untyped-def]
        inner, _ = graphlab.scan(lambda e, s, base: T.tanh(s * 0.5 + e + base), r, 0.0, so_far)
        return inner[-1]

    f = graphlab.function([x], graphlab.scan(row, x, 0.0)[0])
    assert kinds(f) == [Loop, Turns]
    a = np.random.default_rng(0).normal(size=(5, 4))
    expected, so_far = [], 0.0
    for line in a:
        s = 0.0
        for e in line:
            s = np.tanh(s * 0.5 + e + so_far)
        so_far = s
        expected.append(s)
    np.testing.assert_allclose(f(a), expected, rtol=1e-14)


def test_lines_kernels_and_sessions_know_the_loop() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x_t, s: T.exp(-s) * 0.3 + x_t, x, 0.0)
    t, _ = graphlab.scan(lambda s_t, s: T.exp(-s) * 0.3 + s_t, s, 0.0)
    f = graphlab.function([x], [s, t])
    assert kinds(f) == [Turns, Turns]
    assert f.c_source.count("static int kernel_") == 1  # both run it
    assert all(["exp" in [n.op.name for n in k.nodes], "gl_exp" in k.c] == [True, True] for k in f.kernels)
    (line,) = [k for k, text in enumerate(f.c_source.splitlines()) if "= gl_exp_float64(" in text]
    assert [n.op.name for n in f.lines[line]] == ["exp", "exp"]
    session = f.debug([1.0, 2.0, 3.0])
    assert [step.kind for step in session.steps].count("loop") == 2
    session.finish()
    assert session.findings == ()
    assert "Turns" not in str(f.lowered)
    assert "collected in" in str(f.lowered)


def test_a_long_loop_can_be_interrupted() -> None:
    n = T.lscalar("n")
    s, _ = graphlab.scan(lambda s: T.sin(s) + 1.0, outputs_info=T.constant(0.5), n_steps=n)
    f = graphlab.function([n], s[-1])
    assert kinds(f) == [Turns]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            f(10**15)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


def cost_of(outputs: list[graphlab.Variable]) -> graphlab.Variable:
    """A smooth number in which every turn has a weight of its own."""
    weights = [T.cos(T.arange(v.shape[0]).astype("float64") + k) for k, v in enumerate(outputs)]
    return sum(((v * w).sum() for v, w in zip(outputs, weights, strict=True)), T.constant(0.0))


@pytest.mark.parametrize("part", range(5))
def test_random_bodies_equal_their_unrolling_and_the_loop_of_steps(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made, expected, arguments, inputs = [], [], [], []
    for seed in range(part * 8, (part + 1) * 8):
        loop = random_loop(seed, shape=())
        values = loop.values(seed)
        xs = inputs_of(loop, values)
        scanned = loop.scanned(xs)
        plain = loop.unrolled(xs) if loop.turns else [T.zeros((0,))] * len(scanned)
        for by, outputs in ((scanned, made), (plain, expected)):
            outputs += [*by, *(T.grad(cost_of(by), xs, disconnected_inputs="ignore") if xs else [])]
        inputs += xs
        arguments += values
    f = graphlab.function(inputs, made, on_unused_input="ignore")
    assert set(kinds(f)) == {Turns}
    got = f(*arguments)
    written_out = graphlab.function(inputs, expected, mode="interpret", on_unused_input="ignore")(*arguments)
    for a, b in zip(got, written_out, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    monkeypatch.setattr(lowering, "unit_of_turns", lambda *_: None)
    with listen(lambda event: None):  # who listens gets no program from the cache's plans
        by_steps = graphlab.function(inputs, made, on_unused_input="ignore")
    assert set(kinds(by_steps)) == {Loop}
    for a, b in zip(got, by_steps(*arguments), strict=True):
        np.testing.assert_array_equal(a, b)  # the same bits
