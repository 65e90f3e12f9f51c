"""Streams in functions: draws follow one another as written, calls move streams on, streams are independent."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

import graphlab
import graphlab.tensor as T
from graphlab import RandomStream
from graphlab.errors import GraphValueError
from graphlab.graph.node import Variable
from graphlab.graph.walk import toposort
from graphlab.streams import thread


def numpy_generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def states(stream: RandomStream) -> list[int]:
    return [int(word) for word in stream.state.get_value()]


# ---- in a function -------------------------------------------------------------------------------


def test_draws_follow_one_another_as_they_were_written() -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    a, b, c = stream.normal(size=2), stream.random(3), stream.integers(9, size=2)
    f = graphlab.function([], [c, a, b])
    for _ in range(2):
        got = f()
        for k, want in ((1, generator.normal(size=2)), (2, generator.random(3)), (0, generator.integers(9, size=2))):
            assert np.array_equal(got[k], want)


def test_a_function_draws_only_what_it_holds() -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    stream.normal(size=5)
    second = stream.random(3)
    assert np.array_equal(graphlab.function([], second)(), generator.random(3))


def test_functions_share_a_stream() -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    f, g = graphlab.function([], stream.random(2)), graphlab.function([], stream.normal())
    for _ in range(2):
        assert np.array_equal(f(), generator.random(2))
        assert g() == generator.normal()


def test_a_draw_read_twice_is_drawn_once() -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    mask = stream.random(4)
    f = graphlab.function([], [mask, mask * 2, stream.random(4)])
    first, double, other = f()
    assert np.array_equal(double, 2 * first)
    assert np.array_equal(first, generator.random(4))
    assert np.array_equal(other, generator.random(4)), "equal draws are still two draws"


def test_two_streams_move_side_by_side() -> None:
    left, right = RandomStream(1), RandomStream(2)
    f = graphlab.function([], [left.random(2), right.random(2), left.random()])
    generator, other = numpy_generator(1), numpy_generator(2)
    for _ in range(2):
        got = f()
        assert np.array_equal(got[0], generator.random(2))
        assert np.array_equal(got[1], other.random(2))
        assert got[2] == generator.random()


def test_a_draw_whose_parameters_are_drawn_comes_after_them() -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    f = graphlab.function([], stream.normal(stream.random(3), stream.exponential()))
    loc = generator.random(3)
    scale = generator.exponential()
    assert np.array_equal(f(), generator.normal(loc, scale))


def test_givens_may_put_a_later_draw_before_an_earlier_one() -> None:
    stream, generator, loc = RandomStream(1), numpy_generator(1), T.dscalar("loc")
    early = stream.normal(loc, size=2)
    late = stream.random()
    f = graphlab.function([], [early, late], givens={loc: late})
    drawn = generator.random()
    got = f()
    assert got[1] == drawn
    assert np.array_equal(got[0], generator.normal(drawn, size=2))


def test_updates_may_draw_too() -> None:
    stream, generator, total = RandomStream(1), numpy_generator(1), graphlab.shared(0.0)
    f = graphlab.function([], stream.random(), updates={total: total + stream.normal()})
    expected = 0.0
    for _ in range(2):
        assert f() == generator.random()
        expected += generator.normal()
    assert total.get_value() == expected


def test_gradients_use_the_numbers_that_were_drawn() -> None:
    stream, x = RandomStream(1), T.dvector("x")
    mask = stream.bernoulli(0.5, x.shape, dtype="float64")
    cost = (x * mask).sum()
    f = graphlab.function([x], [T.grad(cost, x), mask])
    slope, drawn = f(np.ones(100))
    assert np.array_equal(slope, drawn)
    assert 20 < drawn.sum() < 80


@pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "interpret", "debug"])
def test_every_mode_draws_the_same(mode: str) -> None:
    stream, generator = RandomStream(1), numpy_generator(1)
    f = graphlab.function([], (stream.normal(size=3) + stream.random(3)).sum(), mode=mode)
    for _ in range(2):
        assert np.isclose(f(), (generator.normal(size=3) + generator.random(3)).sum())


def test_thousands_of_draws_are_threaded() -> None:
    stream = RandomStream(1)
    total: Variable = stream.random()
    for _ in range(4000):
        total = total + stream.random()
    (threaded,), latest = thread([total])
    assert list(latest) == [stream.state]
    assert len(toposort([threaded])) == len(toposort([total])) == 2 * 4000 + 1


# ---- updates -------------------------------------------------------------------------------------


def test_without_default_updates_a_stream_stays() -> None:
    stream, other = RandomStream(1), RandomStream(2)
    before, draws = states(stream), [stream.random(2), other.random(2)]
    f = graphlab.function([], draws, no_default_updates=True)
    assert np.array_equal(f(), f())
    for left in (stream, stream.state):
        g = graphlab.function([], draws, no_default_updates=[left])
        (kept, moved), (again, further) = g(), g()
        assert np.array_equal(kept, again)
        assert not np.array_equal(moved, further)
    assert states(stream) == before


def test_updates_of_a_state_that_are_written_out_win() -> None:
    stream = RandomStream(1)
    begin = stream.state.get_value()
    f = graphlab.function([], stream.random(2), updates={stream.state: T.constant(begin)})
    assert np.array_equal(f(), f())
    assert np.array_equal(f(), numpy_generator(1).random(2))


def test_a_call_that_fails_moves_no_stream() -> None:
    stream, x = RandomStream(1), T.dvector("x")
    f = graphlab.function([x], stream.random(3) + stream.normal() * x)
    before = states(stream)
    with pytest.raises(ValueError, match="broadcast"):
        f(np.ones(2))
    assert states(stream) == before


def test_looking_at_a_value_moves_no_stream() -> None:
    stream = RandomStream(1)
    draw = stream.normal(size=3)
    assert np.array_equal(draw.eval(), draw.eval())
    assert np.array_equal(draw.eval(), numpy_generator(1).normal(size=3))


# ---- streams -------------------------------------------------------------------------------------


def test_a_stream_is_seeded_and_set_as_numpys_generators() -> None:
    stream = RandomStream(1, name="noise")
    f = graphlab.function([], stream.random(3, dtype="float32"))
    first = f()
    ahead = stream.generator()
    assert np.array_equal(f(), ahead.random(3, dtype="float32"))
    stream.seed(1)
    assert np.array_equal(f(), first)
    philox = np.random.Philox(5)
    np.random.Generator(philox).normal(size=7)
    stream.set_state(philox.state)
    assert np.array_equal(f(), np.random.Generator(philox).random(3, dtype="float32"))
    philox.state = stream.get_state()
    assert np.array_equal(f(), np.random.Generator(philox).random(3, dtype="float32"))
    assert repr(stream) == "<graphlab random stream noise>"


def test_seeds_are_those_of_numpy() -> None:
    for seed in (0, 2**70, [1, 2, 3], np.random.SeedSequence(4)):
        want = np.random.Philox(seed).state  # type: ignore[arg-type]
        assert np.array_equal(RandomStream(seed).get_state()["state"]["key"], want["state"]["key"])  # type: ignore[arg-type]
    assert states(RandomStream()) != states(RandomStream()), "without a seed every stream is another"
    for wrong in (-1, 1.5, "one"):
        with pytest.raises(GraphValueError, match="can't be seeded"):
            RandomStream(wrong)  # type: ignore[arg-type]
    with pytest.raises(GraphValueError, match="not of PCG64"):
        RandomStream(1).set_state(np.random.PCG64(1).state)


def test_streams_jump_and_spawn_as_numpys() -> None:
    stream, philox = RandomStream(6), np.random.Philox(6)
    assert stream.jumped(2).generator().random() == np.random.Generator(philox.jumped(2)).random()
    children, twins = stream.spawn(2), np.random.Generator(philox).spawn(2)
    assert [c.generator().random() for c in children] == [t.random() for t in twins]
    assert stream.spawn(1)[0].generator().random() == np.random.Generator(philox).spawn(1)[0].random()


@pytest.mark.parametrize("others", ["another seed", "a child", "a jump"])
def test_streams_are_independent(others: str) -> None:
    n, stream = 20000, RandomStream(2026)
    other = {"another seed": RandomStream(2027), "a child": stream.spawn(1)[0], "a jump": stream.jumped()}[others]
    x, y = graphlab.function([], [stream.random(n), other.random(n)])()
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(n)
    table, _, _ = np.histogram2d(x, y, 8)
    assert stats.chisquare(table.ravel()).pvalue > 1e-3
    assert stats.kstest(x - y, stats.triang(0.5, -1, 2).cdf).pvalue > 1e-3


def test_a_copy_of_a_stream_goes_its_own_way() -> None:
    stream = RandomStream(1)
    graphlab.function([], stream.random(3, dtype="float32"))()
    for twin in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        ahead, before = stream.generator(), states(stream)
        assert np.array_equal(graphlab.function([], twin.random(3))(), ahead.random(3))
        assert states(stream) == before


def test_a_pickled_function_draws_on() -> None:
    stream = RandomStream(1)
    f = graphlab.function([], [stream.random(2), stream.normal(size=3)])
    f()
    g: Any = pickle.loads(pickle.dumps(f))
    for a, b in zip(f(), g(), strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(f(), g(), strict=True):
        assert np.array_equal(a, b)


# ---- inside of other graphs ----------------------------------------------------------------------


def test_a_loop_draws_in_every_turn_between_what_was_written_before_and_after() -> None:
    stream, generator, x = RandomStream(1), numpy_generator(1), T.dvector("x")
    before = stream.random()
    walk, updates = graphlab.scan(lambda v: v + stream.normal(), sequences=[x])
    f = graphlab.function([x], [stream.random(), walk, before], updates=updates)
    for _ in range(2):
        after, got, first = f(np.zeros(3))
        assert first == generator.random()
        assert np.array_equal(got, generator.normal(size=3))
        assert after == generator.random()


def test_each_call_of_a_symbolic_function_draws() -> None:
    stream, generator, x = RandomStream(1), numpy_generator(1), T.dvector("x")

    @graphlab.symbolic
    def noisy(v: Variable) -> Variable:
        return v + stream.normal(size=2)

    f = graphlab.function([x], [noisy(x), stream.random(), noisy(x)])
    for _ in range(2):
        got = f(np.zeros(2))
        want = [generator.normal(size=2), generator.random(), generator.normal(size=2)]
        assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))


def test_a_choice_draws_as_if_both_branches_were_computed() -> None:
    stream, generator, c = RandomStream(1), numpy_generator(1), T.dscalar("c")
    f = graphlab.function([c], [graphlab.ifelse(c > 0, stream.normal(), -1.0), stream.random()])
    for sign in (1.0, -1.0, 1.0):
        chosen, after = f(sign)
        drawn = generator.normal()
        assert chosen == (drawn if sign > 0 else -1.0)
        assert after == generator.random()
