"""Work that leaves loops: before them, after them, as one sum; and loops of few turns, which are written out."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.rewrite.loops.after import AFTER
from graphlab.rewrite.loops.before import BEFORE, INVARIANT
from graphlab.rewrite.loops.sums import SUMMED
from graphlab.rewrite.loops.unroll import UNROLLED
from tests.rewrite.loops import fails_alike, fired, loops, products, ran, rng

W, V, H = T.dmatrix("W"), T.dmatrix("V"), T.dmatrix("H")
X3 = T.tensor("float64", shape=(None, None, None), name="X3")
x, b = T.dvector("x"), T.dvector("b")
X, Y = T.dmatrix("X"), T.dmatrix("Y")


def recurrent(h0=H):
    """A recurrent network with outputs."""

    def turn(x_t, h):
        h = T.tanh(x_t @ W + h @ V + b)
        return h, h @ W.T

    return graphlab.scan(turn, [X3], [h0, None])[0]


def values(turns: int) -> list[np.ndarray]:
    draw = rng(turns).normal
    return [draw(size=(turns, 4, 3)), draw(size=(3, 3)), draw(size=(3, 3)), draw(size=3), draw(size=(4, 3))]


@pytest.mark.parametrize("turns", [0, 1, 2, 7])
def test_products_leave_a_recurrent_network(turns: int) -> None:
    f = ran([X3, W, V, b, H], recurrent(), *values(turns))
    assert fired(f) == [AFTER.name, BEFORE.name]
    (loop,) = loops(f)
    assert products(loop) == 1  # h @ V


@pytest.mark.parametrize("turns", [0, 1, 2, 7])
def test_the_gradient_of_a_recurrent_network_adds_no_products_up(turns: int) -> None:
    h, y = recurrent()
    f = ran([X3, W, V, b, H], T.grad(T.sin(y).sum() + (h**2).sum(), [X3, W, V, b, H]), *values(turns))
    assert SUMMED.name in fired(f)
    assert [products(loop) for loop in loops(f)] == [1, 1]


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_the_gradient_of_a_gated_network_adds_no_products_up(turns: int) -> None:
    A, B, C = T.dmatrix("A"), T.dmatrix("B"), T.dmatrix("C")

    def turn(x_t, h):
        z, r = T.sigmoid(x_t @ W + h @ A), T.sigmoid(x_t @ V + h @ B)
        return (1 - z) * h + z * T.tanh(x_t + (r * h) @ C)

    h, _ = graphlab.scan(turn, [X3], [H])
    inputs = [X3, W, V, A, B, C, H]
    draw = rng(turns).normal
    given = [draw(size=(turns, 4, 3)), *(draw(size=(3, 3)) for _ in range(5)), draw(size=(4, 3))]
    f = ran(inputs, T.grad((h * T.cos(h)).sum(), inputs), *given)
    assert [products(loop) for loop in loops(f)] == [3, 3]


@pytest.mark.parametrize("turns", [0, 1, 6])
def test_a_network_of_vectors_sums_outer_products(turns: int) -> None:
    h, _ = graphlab.scan(lambda x_t, h: T.tanh(W @ x_t + V @ h), [X], [b])
    draw = rng(3).normal
    f = ran([X, W, V, b], T.grad((h**3).sum(), [W, V, b]), draw(size=(turns, 3)), *values(1)[1:4])
    assert [products(loop) for loop in loops(f)] == [1, 1]


def test_the_whole_derivative_of_a_derivative() -> None:
    h, _ = recurrent()
    slopes = T.grad((h**2).sum(), [W, V])
    turned = sum(T.sin(g).sum() for g in slopes)
    ran([X3, W, V, b, H], T.grad(turned, [X3, W, V, b, H]), *values(4), rtol=1e-9)


# ---- before --------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_a_loop_that_carries_nothing_on_is_no_loop(turns: int) -> None:
    made, _ = graphlab.map(lambda x_t: T.softmax(T.tanh(x_t @ W) * b)[::-1], X)
    f = ran([X, W, b], [made], rng().normal(size=(turns, 3)), *values(1)[1:4:2])
    assert fired(f) == [BEFORE.name]
    assert not loops(f)


def test_maps_over_several_sequences_are_cut_to_the_shortest() -> None:
    made, _ = graphlab.map(lambda x_t, y_t: x_t * y_t, [x, b])
    f = ran([x, b], [made], np.arange(5.0), np.arange(3.0))
    assert not loops(f)


def test_a_length_that_may_be_wrong_stays_an_error() -> None:
    k = T.lscalar("k")
    made, _ = graphlab.scan(lambda x_t, y_t: x_t * y_t, [x, b], n_steps=k)
    f = ran([x, b, k], [made], np.arange(5.0), np.arange(3.0), 3)
    assert loops(f)
    assert not fired(f)
    fails_alike([x, b, k], [made], np.arange(5.0), np.arange(3.0), 5)
    held, _ = graphlab.scan(lambda x_t, h: T.tanh(x_t @ W + h), [X], [b], n_steps=k)
    assert fired(ran([X, W, b, k], [held], np.ones((4, 3)), np.ones((3, 3)), np.ones(3), 4)) == [BEFORE.name]
    fails_alike([X, W, b, k], [held], np.ones((1, 3)), np.ones((3, 3)), np.ones(3), 4)
    fails_alike([X, W, b, k], [held], np.ones((4, 3)), np.ones((3, 3)), np.ones(3), -1)


def test_what_only_elements_make_is_computed_backwards_too() -> None:
    made, _ = graphlab.scan(lambda x_t, h: T.tanh(x_t @ W + h), [X], [b], go_backwards=True)
    f = ran([X, W, b], [made, X @ W], rng().normal(size=(5, 3)), *values(1)[1:4:2])
    assert fired(f) == [BEFORE.name]
    assert sum(n.op.name == "matmul" for n in graphlab.applies_of(f.optimized.outputs)) == 1  # shared with X @ W


def test_cheap_large_and_uncertain_work_stays() -> None:
    cheap, _ = graphlab.scan(lambda x_t, h: T.tanh(x_t * b + h), [X], [b])
    large, _ = graphlab.scan(lambda x_t, s: s * T.dot(T.outer(x_t, x_t), s), [X], [b])
    stops, _ = graphlab.scan(lambda x_t, h: (x_t @ W + h, graphlab.until(h.sum() > 9)), [X], [b])
    for inputs, output in (([X, b], cheap), ([X, b], large), ([X, W, b], stops)):
        given = {X: rng().normal(size=(4, 3)), W: np.eye(3), b: np.ones(3)}
        f = ran(inputs, [output], *(given[v] for v in inputs))
        assert fired(f) == []
        assert len(loops(f)) == 1


def test_draws_stay_in_their_turns() -> None:
    stream = graphlab.RandomStream(3)
    noisy, _ = graphlab.map(lambda x_t: x_t @ W + stream.normal(size=(3,)), X)
    f = graphlab.function([X, W], noisy)
    got = f(np.zeros((3, 3)), np.eye(3))
    want = np.random.Generator(np.random.Philox(3)).normal(size=(3, 3))
    np.testing.assert_allclose(got, want)
    assert len(loops(f)) == 1


def test_what_rewriting_makes_invariant_leaves_the_loop() -> None:
    # Whatever the turn, where() gives b: that shows once the body is rewritten.
    made, _ = graphlab.scan(lambda h: h + T.exp(T.where(h.sum() > 0, b, b) @ W), outputs_info=b, n_steps=9)
    f = ran([W, b], [made], np.eye(3), np.ones(3))
    assert fired(f) == [INVARIANT.name]
    assert products(loops(f)[0]) == 0


# ---- after ---------------------------------------------------------------------------------------


def test_outputs_that_no_turn_reads_are_made_after_the_loop() -> None:
    def turn(x_t, h):
        h = T.tanh(x_t + h)
        return h, T.softmax(h @ W), h * 2

    outputs, _ = graphlab.scan(turn, [X], [b, None, None])
    f = ran([X, W, b], outputs, rng().normal(size=(5, 3)), *values(1)[1:4:2])
    assert fired(f) == [AFTER.name]
    (loop,) = loops(f)
    assert loop.op.maps == 0


def test_of_an_output_that_is_read_at_its_end_one_row_is_made() -> None:
    _, y = recurrent()
    f = ran([X3, W, V, b, H], [y[-1]], *values(5))
    (loop,) = loops(f)
    assert loop.op.keep == (1,)
    assert products(loop) == 2
    assert AFTER.name not in fired(f)


# ---- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_a_sum_over_turns_is_a_sum(turns: int) -> None:
    total, _ = graphlab.reduce(lambda x_t, s: s + x_t**2, x, T.constant(3.0))
    gram, _ = graphlab.reduce(lambda x_t, y_t, s: s + T.outer(x_t, y_t), [X, Y], T.zeros((3, 3)))
    draw = rng(turns).normal
    for inputs, output, given in (
        ([x], total, [draw(size=turns)]), ([X, Y], gram, [draw(size=(turns, 3)), draw(size=(turns + 1, 3))]),
    ):  # fmt: skip
        f = ran(inputs, [output], *given)
        assert fired(f) == [SUMMED.name]
        assert not loops(f)


def test_a_sum_that_grows_stays_an_error() -> None:
    grown, _ = graphlab.reduce(lambda x_t, s: s + x_t, X, b)
    ran([X, b], [grown], np.ones((4, 3)), np.ones(3))
    fails_alike([X, b], [grown], np.ones((4, 3)), np.ones(1))


def test_sums_keep_special_values() -> None:
    total, _ = graphlab.reduce(lambda x_t, s: s + x_t, x, T.constant(0.0))
    f = graphlab.function([x], total)
    assert fired(f) == [SUMMED.name]
    for given, want in (([np.inf, 1.0], np.inf), ([np.inf, -np.inf], np.nan), ([np.nan, 1.0], np.nan), ([], 0.0)):
        np.testing.assert_equal(f(given), want)


def test_a_sum_whose_steps_are_read_stays_in_its_loop() -> None:
    steps, _ = graphlab.scan(lambda x_t, s: s + x_t, [x], [T.constant(0.0)])
    both, _ = graphlab.reduce(lambda x_t, s, h: [s + x_t, h * 0.5 + s], x, [T.constant(0.0), T.constant(1.0)])
    for outputs in ([steps], both):
        assert SUMMED.name not in fired(ran([x], outputs, np.arange(4.0)))


# ---- few turns -----------------------------------------------------------------------------------


def test_a_loop_of_few_turns_is_written_out() -> None:
    s = T.dscalar("s")
    (h, y), _ = graphlab.scan(lambda h: (T.sin(h) + s, h * 2), outputs_info=[s, None], n_steps=3)
    lagged, _ = graphlab.scan(
        lambda a, c: a + c, outputs_info=[{"initial": T.stack([s, s]), "taps": [-2, -1]}], n_steps=4
    )
    f = ran([s], [h, y, lagged, h[-1]], 0.3)
    assert fired(f) == [UNROLLED.name] * 2
    assert not loops(f)
    assert [r.changes for r in f.trace.rewrites if r.rule == UNROLLED.name] == ["exact"] * 2


@pytest.mark.parametrize("what", ["many", "until", "shape", "large"])
def test_other_loops_are_not_written_out(what: str) -> None:
    def turn(h):
        for _ in range(20 if what == "large" else 1):
            h = T.sin(h) * b
        return (h, graphlab.until(h.sum() > 9)) if what == "until" else h

    start = b[:1] if what == "shape" else T.sin(b)
    made, _ = graphlab.scan(turn, outputs_info=[start], n_steps=5 if what == "many" else 4)
    assert fired(ran([b], [made], np.ones(1))) == []
    if what == "shape":
        fails_alike([b], [made], np.ones(3))


def test_what_is_known_of_the_rules() -> None:
    assert (BEFORE.changes, AFTER.changes, SUMMED.changes) == ("rounding",) * 3
    assert (INVARIANT.changes, UNROLLED.changes) == ("exact",) * 2
    plain = graphlab.mode("fast_run").excluding(AFTER.name)
    f = graphlab.function([X3, W, V, b, H], recurrent(), mode=plain)
    assert AFTER.name not in fired(f)


def test_flops_count_every_turn_and_the_dearer_branch() -> None:
    wide = T.tensor("float64", shape=(7, 10), name="wide")
    made, _ = graphlab.scan(lambda r, s: T.tanh(s) + r, [wide], [T.zeros(10)])
    assert made.owner.op.flops(made.owner) == 7 * 20
    few, _ = graphlab.scan(lambda s: T.tanh(s), outputs_info=T.zeros(10), n_steps=T.lscalar())
    assert few.owner.op.flops(few.owner) == 1000 * 10
    then = graphlab.ifelse(wide.sum() > 0, T.exp(T.sin(wide)), wide)
    f = graphlab.function([wide], then)
    (choice,) = [n for n in graphlab.applies_of(f.optimized.outputs) if n.op.name == "ifelse"]
    assert choice.op.flops(choice) == 140
