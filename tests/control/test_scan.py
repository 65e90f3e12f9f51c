"""Loops: what scan and its relatives mean, in closed form and against NumPy."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError
from graphlab.loops.ir import Loop

MODES = ("fast_run", "fast_compile", "interpret", "debug")


# ---- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize(("truncate", "slope"), [(-1, 49.0), (2, 29.0), (1, 15.0)])
def test_a_recurrence_and_its_truncated_gradient(truncate: int, slope: float) -> None:
    x, w, s0 = T.dvector("x"), T.dscalar("w"), T.dscalar("s0")
    s, updates = graphlab.scan(lambda x_t, s, w: w * s + x_t, [x], [s0], [w], truncate_gradient=truncate)
    assert updates == {}
    f = graphlab.function([x, w, s0], [s, T.grad(s[-1], w)])
    values, got = f([1.0, 1.0, 1.0, 1.0], 2.0, 1.0)
    np.testing.assert_array_equal(values, [3.0, 7.0, 15.0, 31.0])
    assert got == slope


def test_taps_of_outputs() -> None:
    w, init = T.dscalar("w"), T.dvector("init")
    y, _ = graphlab.scan(
        lambda a, b, w: a + w * b, outputs_info=[{"initial": init, "taps": [-2, -1]}], non_sequences=w, n_steps=4
    )
    slopes = T.grad(y[-1], [w, init])
    values, by_w, by_init = graphlab.function([w, init], [y, *slopes])(2.0, [1.0, 1.0])
    np.testing.assert_array_equal(values, [3.0, 7.0, 17.0, 41.0])
    assert by_w == 58.0
    np.testing.assert_array_equal(by_init, [12.0, 29.0])
    # y4 = 1 + w + ... as a polynomial of w: its second derivative in closed form is 12 w^2 + 6 w + 6
    assert T.grad(T.grad(y[-1], w), w).eval({w: 2.0, init: [1.0, 1.0]}) == 66.0


def test_the_loop_is_a_step_of_the_same_program() -> None:
    x = T.dmatrix("x")
    s, _ = graphlab.scan(lambda x_t, s: T.tanh(s) + x_t, x, T.zeros(2))
    f = graphlab.function([x], s)
    (step,) = [step for step in f.lowered.program.steps if isinstance(step.action, Loop)]
    assert [inner.name for inner in step.action.body] == ["kernel_0"]
    assert "for (; !failed && t < turns; ++t)" in f.c_source
    assert "tanh" in f.kernels[0].c


@pytest.mark.parametrize("mode", MODES)
def test_sequences_with_taps(mode: str) -> None:
    x = T.dvector("x")
    y, _ = graphlab.scan(lambda before, now, after: after - 2 * now + before, {"input": x, "taps": [-1, 0, 1]})
    values = np.array([1.0, 4.0, 9.0, 17.0, 25.0])
    np.testing.assert_array_equal(graphlab.function([x], y, mode=mode)(values), np.diff(values, 2))


@pytest.mark.parametrize("mode", MODES)
def test_several_outputs_and_backwards(mode: str) -> None:
    x = T.dmatrix("x")
    (total, rows), _ = graphlab.scan(lambda r, t: (t + r.sum(), r * 2), x, [0.0, None], go_backwards=True)
    a = np.arange(6.0).reshape(3, 2)
    got = graphlab.function([x], [total, rows], mode=mode)(a)
    np.testing.assert_array_equal(got[0], np.cumsum(a[::-1].sum(1)))
    np.testing.assert_array_equal(got[1], a[::-1] * 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_turns(mode: str, n: int) -> None:
    x, s0 = T.dmatrix("x"), T.dvector("s0")
    (s, double), _ = graphlab.scan(lambda x_t, s: (s + x_t, x_t[:1] * 2), x, [s0, None])
    a = np.arange(3.0 * n).reshape(n, 3)
    got = graphlab.function([x, s0], [s, double, *T.grad(s.sum() + double.sum(), [x, s0])], mode=mode)(a, np.ones(3))
    np.testing.assert_array_equal(got[0], 1 + np.cumsum(a, 0))
    np.testing.assert_array_equal(got[1], a[:, :1] * 2)
    assert got[2].shape == (n, 3)
    np.testing.assert_array_equal(got[3], np.full(3, float(n)))


def test_n_steps_may_be_symbolic_and_sequences_longer() -> None:
    x, n = T.dvector("x"), T.iscalar("n")
    s, _ = graphlab.scan(lambda x_t, s: s + x_t, x, 0.0, n_steps=n)
    f = graphlab.function([x, n], [s, T.grad(s[-1], x)])
    values, slope = f([1.0, 2.0, 4.0], 2)
    np.testing.assert_array_equal(values, [1.0, 3.0])
    np.testing.assert_array_equal(slope, [1.0, 1.0, 0.0])


@pytest.mark.parametrize("mode", MODES)
def test_until(mode: str) -> None:
    limit, x0 = T.dscalar("limit"), T.dscalar("x0")
    x, _ = graphlab.scan(lambda x: (x * 2, graphlab.until(x * 2 > limit)), outputs_info=x0, n_steps=100)
    f = graphlab.function([x0, limit], [x, T.grad(x[-1], x0)], mode=mode)
    values, slope = f(1.0, 45.0)
    np.testing.assert_array_equal(values, [2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    assert slope == 64.0
    assert f(1.0, 0.0)[0].tolist() == [2.0]  # a turn is made before the condition is looked at


def nested(x: graphlab.Variable) -> graphlab.Variable:
    def row(r: graphlab.Variable, so_far: graphlab.Variable) -> graphlab.Variable:
        inner, _ = graphlab.scan(lambda e, s, base: T.tanh(s * 0.5 + e + base), r, 0.0, so_far)
        return inner[-1]

    return graphlab.scan(row, x, 0.0)[0]


def test_nested_loops() -> None:
    x = T.dmatrix("x")
    a = np.random.default_rng(0).normal(size=(4, 3))
    expected, so_far = [], 0.0
    for r in a:
        s = 0.0
        for e in r:
            s = np.tanh(s * 0.5 + e + so_far)
        so_far = s
        expected.append(s)
    np.testing.assert_allclose(nested(x).eval({x: a}), expected, rtol=1e-14)
    T.verify_grad(nested, [a])


# ---- captured, shared, random --------------------------------------------------------------------


def test_what_the_function_uses_is_found() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.array(3.0), "w")
    hidden = T.exp(w)
    y, _ = graphlab.scan(lambda x_t: x_t * hidden + w, x)
    np.testing.assert_allclose(y.eval({x: [1.0, 2.0]}), np.array([1.0, 2.0]) * np.exp(3.0) + 3.0)
    with pytest.raises(GraphValueError, match=r"strict.*\bw\b"):
        graphlab.scan(lambda x_t: x_t * w, x, strict=True)
    graphlab.scan(lambda x_t, w: x_t * w, x, non_sequences=w, strict=True)


def test_updates_of_shared_variables() -> None:
    count = graphlab.shared(np.int64(0), "count")
    x = T.dvector("x")
    y, updates = graphlab.scan(lambda x_t: (x_t * count, {count: count + 1}), x)
    f = graphlab.function([x], y, updates=updates)
    np.testing.assert_array_equal(f([1.0, 1.0, 1.0]), [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(f([1.0, 1.0]), [3.0, 4.0])
    assert count.get_value() == 5


def test_draws_in_a_loop_go_on_from_turn_to_turn() -> None:
    stream = graphlab.RandomStream(7)
    y, _ = graphlab.scan(lambda: stream.normal(size=2), n_steps=3)
    f = graphlab.function([], y)
    rng = np.random.Generator(np.random.Philox(7))
    for _ in range(2):
        np.testing.assert_array_equal(f(), np.array([rng.normal(size=2) for _ in range(3)]))


def test_draws_in_a_loop_have_the_same_values_in_the_gradient() -> None:
    stream, s0 = graphlab.RandomStream(7), T.dscalar("s0")
    y, _ = graphlab.scan(lambda s: s * stream.uniform(), outputs_info=s0, n_steps=4)
    value, slope = graphlab.function([s0], [y[-1], T.grad(y[-1], s0)])(2.0)
    np.testing.assert_allclose(slope, value / 2.0, rtol=1e-14)


# ---- relatives -----------------------------------------------------------------------------------


def test_map_reduce_foldl_foldr() -> None:
    x = T.dvector("x")
    squares, _ = graphlab.map(lambda v: v**2, x)
    total, _ = graphlab.reduce(lambda v, t: t + v, x, 0.0)
    left, _ = graphlab.foldl(lambda v, t: t * 10 + v, x, 0.0)
    right, _ = graphlab.foldr(lambda v, t: t * 10 + v, x, 0.0)
    f = graphlab.function([x], [squares, total, left, right, T.grad(left, x)])
    got = f([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(got[0], [1.0, 4.0, 9.0])
    assert [float(v) for v in got[1:4]] == [6.0, 123.0, 321.0]
    np.testing.assert_array_equal(got[4], [100.0, 10.0, 1.0])
    assert f([])[1] == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_while_loop_and_its_gradient(mode: str) -> None:
    x = T.dscalar("x")
    root = graphlab.while_loop(lambda r: abs(r * r - x) > 1e-14, lambda r: (r + x / r) / 2, x)
    value, slope = graphlab.function([x], [root, T.grad(root, x)], mode=mode)(2.0)
    np.testing.assert_allclose([value, slope], [2**0.5, 0.5 / 2**0.5], rtol=1e-9)
    assert graphlab.while_loop(lambda r: r < 0, lambda r: r - 1, x).eval({x: 3.0}) == 3.0


def test_while_loop_carries_several_values() -> None:
    n = T.lscalar("n")
    a, b, k = graphlab.while_loop(lambda a, b, k: k < n, lambda a, b, k: (b, a + b, k + 1), [0, 1, 0])
    assert [int(v) for v in graphlab.function([n], [a, b, k])(10)] == [55, 89, 10]


def test_values_that_change_places() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    (a, b), _ = graphlab.scan(lambda a, b: [b, a], outputs_info=[x, y], n_steps=3)
    got = graphlab.function([x, y], [a, b])([1.0, 2.0], [3.0, 4.0])
    np.testing.assert_array_equal(got[0], [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(got[1], [[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])


def test_vmap_and_jacobian_through_a_loop() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x_t, s: T.tanh(s + x_t), x, 0.0)
    a = np.random.default_rng(1).normal(size=(4, 3))
    batch = graphlab.vmap(lambda x: graphlab.scan(lambda x_t, s: T.tanh(s + x_t), x, 0.0)[0])
    xs = T.dmatrix("xs")
    np.testing.assert_allclose(batch(xs).eval({xs: a}), [s.eval({x: row}) for row in a], rtol=1e-14)
    j = T.jacobian(s, x).eval({x: a[0]})
    numeric = np.array([(s.eval({x: a[0] + d}) - s.eval({x: a[0] - d})) / 2e-6 for d in np.eye(3) * 1e-6]).T
    np.testing.assert_allclose(j, numeric, atol=1e-8)


def test_forward_mode_through_a_loop() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x_t, s: T.sin(s) + x_t, x, 0.5)
    a, d = np.array([0.1, 0.7, -0.4]), np.array([1.0, -2.0, 0.5])
    numeric = (s.eval({x: a + 1e-6 * d}) - s.eval({x: a - 1e-6 * d})) / 2e-6
    np.testing.assert_allclose(T.jvp(s, x, d).eval({x: a}), numeric, atol=1e-8)


# ---- dtypes --------------------------------------------------------------------------------------


def test_a_python_number_that_meets_a_wider_dtype_is_still_that_number() -> None:
    one = T.constant(1.0)
    for start, turn in ((5, lambda s: s + 2), (0.1, lambda s: s * one), (1e5, lambda s: s * one)):
        values, _ = graphlab.scan(turn, outputs_info=start, n_steps=1)
        assert values.eval()[0] == turn(T.constant(start)).eval()
    assert graphlab.while_loop(lambda s: s < 0, lambda s: s + 1, 5).eval() == 5
    assert graphlab.reduce(lambda x, s: s + x, T.zeros(0), 0.1)[0].eval() == 0.1


def test_a_python_number_takes_the_dtype_of_what_it_meets() -> None:
    x = T.fvector("x")
    s, _ = graphlab.scan(lambda x_t, s: s + x_t, x, 0.0)
    assert s.dtype == "float32"
    n, _ = graphlab.scan(lambda k: k + 1, outputs_info=0, n_steps=300)
    assert n.dtype == "int64"
    assert n.eval()[-1] == 300
    r, _ = graphlab.scan(lambda r: r / 2, outputs_info=1.0, n_steps=2)
    assert r.dtype == "float64"
    mixed, _ = graphlab.scan(lambda x_t, s: s + x_t, T.dvector("y"), T.constant(np.float32(0)))
    assert mixed.dtype == "float64"


# ---- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda x: graphlab.scan(lambda s: s + x, outputs_info=0.0, n_steps=2), GraphTypeError, "output 0 starts from"),
        (lambda x: graphlab.scan(lambda s: s, outputs_info=0.0), GraphValueError, "sequences or n_steps"),
        (lambda x: graphlab.scan(lambda v: [v, v], x, [0.0]), GraphTypeError, "2 arguments"),
        (lambda x: graphlab.scan(lambda v, s: [v, s], x, [0.0]), GraphValueError, "2 outputs.*1 entries"),
        (lambda x: graphlab.scan(lambda v: v, x.sum()), GraphTypeError, "scalar"),
        (lambda x: graphlab.scan(lambda s: s, outputs_info={"initial": x, "taps": [1]}, n_steps=1), GraphValueError,
         "taps"),
        (lambda x: graphlab.scan(lambda s: s, outputs_info={"initail": x}, n_steps=1), GraphValueError, "initail"),
        (lambda x: graphlab.scan(lambda v: (v, graphlab.until(x > 0)), x), GraphTypeError, "until"),
        (lambda x: graphlab.scan(lambda v: v, x, n_steps=2.5), GraphTypeError, "n_steps"),
        (lambda x: graphlab.scan(lambda v: v, x, truncate_gradient=0), GraphValueError, "truncate_gradient"),
        (lambda x: graphlab.reduce(lambda v, s: v, x, None), GraphValueError, "start"),
    ],
)  # fmt: skip
def test_mistakes_at_construction(call, kind, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind, match=words):
        call(T.dvector("x"))


def test_mistakes_at_the_call_name_the_line() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    s, _ = graphlab.scan(lambda x_t, s: s + x_t * y, x, T.zeros(2))
    f = graphlab.function([x, y], s)
    f([1.0], [1.0, 2.0])
    with pytest.raises(GraphlabError, match=r"(?s)shape.*test_scan.py"):
        f([1.0], [1.0, 2.0, 3.0])
    n = T.lscalar("n")
    t, _ = graphlab.scan(lambda x_t: x_t, x, n_steps=n)
    g = graphlab.function([x, n], t)
    with pytest.raises(GraphShapeError, match=r"3 elements.*5 turns"):
        g([1.0, 2.0, 3.0], 5)
    with pytest.raises(GraphlabError, match="-1"):
        g([1.0, 2.0, 3.0], -1)


def test_a_session_steps_over_the_loop() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x_t, s: T.exp(-s) + x_t, x, 0.0)
    session = graphlab.function([x], (s**2).sum()).debug([1.0, 2.0])
    assert [step.kind for step in session.steps if step.kind == "loop"] == ["loop"]
    session.finish()
    assert session.findings == ()
    np.testing.assert_allclose(session.outputs[0], 2.0**2 + (2 + np.exp(-2.0)) ** 2, rtol=1e-12)


def test_what_is_the_same_in_every_turn_is_computed_once() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    s, _ = graphlab.scan(lambda x_t, s, w: T.tanh(T.dot(T.dot(w, w), s) + x_t), x, T.zeros(3), w)
    for outputs in ([s], T.grad(s.sum(), [x, w])):
        f = graphlab.function([x, w], outputs)
        loops = [step.action for step in f.lowered.program.steps if isinstance(step.action, Loop)]
        products = [[step.name for step in loop.body if step.name.startswith("matmul")] for loop in loops]
        assert max(map(len, products)) <= 2  # w @ w is outside
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3)) * 0.4
    expected, v = [], np.zeros(3)
    for row in a:
        v = np.tanh(b @ b @ v + row)
        expected.append(v)
    np.testing.assert_allclose(s.eval({x: a, w: b}), expected, rtol=1e-13)


def test_only_what_is_read_is_kept() -> None:
    x, s0 = T.dmatrix("x"), T.dvector("s0")
    (s, doubled, _), _ = graphlab.scan(
        lambda x_t, s, u: (T.tanh(s + x_t), 2 * s, u + 1), x, [s0, None, T.constant(0.0)]
    )
    f = graphlab.function([x, s0], [s[-1], doubled[-2:]])
    assert "scan(f)[-1] -> scan(f, keep=1)[-1]" in [r.rule for r in f.trace.rewrites]
    (loop,) = [step.action for step in f.lowered.program.steps if isinstance(step.action, Loop)]
    assert [s.keep for s in loop.stacks] == [1, 2]
    assert len(loop.carried) == 1
    a = np.arange(12.0).reshape(4, 3) / 10
    last, rows = f(a, np.zeros(3))
    states = [np.zeros(3)]
    for row in a:
        states.append(np.tanh(states[-1] + row))
    np.testing.assert_allclose(last, states[-1], rtol=1e-14)
    np.testing.assert_allclose(rows, 2 * np.array(states[-3:-1]), rtol=1e-14)
    np.testing.assert_array_equal(f(a[:1], np.ones(3))[1], [[2.0] * 3])
    with pytest.raises(GraphlabError, match="out of"):
        f(a[:0], np.zeros(3))  # as s[-1] of no turns


def test_what_is_carried_keeps_its_extents() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    s, _ = graphlab.scan(lambda x_t, s: T.tanh(w * s + x_t), x, T.zeros(3))
    f = graphlab.function([x, w], T.grad((s**2).sum(), w))
    assert "sum_to" not in [step.name.rsplit("_", 1)[0] for step in f.lowered.program.steps]
    np.testing.assert_allclose(
        f(np.ones((4, 3)), np.ones(3)),
        graphlab.function([x, w], T.grad((s**2).sum(), w), mode="interpret")(np.ones((4, 3)), np.ones(3)),
        rtol=1e-12,
    )


def test_a_loop_that_never_ends_can_be_interrupted() -> None:
    x, calls = T.dscalar("x"), graphlab.shared(np.int64(0), "calls")
    y = graphlab.while_loop(lambda v: v > 0, lambda v: v + 1.0, x)
    f = graphlab.function([x], y, updates={calls: calls + 1})
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            f(1.0)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert calls.get_value() == 0
    assert f(-1.0) == -1.0
    assert calls.get_value() == 1


def test_a_derivative_that_does_not_exist_is_missed_only_by_who_asks() -> None:
    x, a = T.dvector("x"), T.dscalar("a")
    s, _ = graphlab.scan(lambda x_t, s, a: s + T.gammainc(a, x_t), x, 0.0, a)
    want = graphlab.function([x, a], T.grad(T.gammainc(a, x).sum(), x))([1.0, 2.0], 3.0)
    np.testing.assert_allclose(graphlab.function([x, a], T.grad(s[-1], x))([1.0, 2.0], 3.0), want, rtol=1e-14)
    with pytest.raises(GraphlabError, match="gammainc"):
        T.grad(s[-1], a)
    t, _ = graphlab.scan(lambda t, x_t: T.gammainc(t, x_t), None, T.constant(2.0), x[0], n_steps=2)
    with pytest.raises(GraphlabError, match="gammainc"):
        T.grad(t[-1], x)
