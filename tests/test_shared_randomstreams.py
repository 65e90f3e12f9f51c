"""Theano's RandomStreams: its order of arguments over the same streams."""

from __future__ import annotations

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.options import using
from graphlab.shared_randomstreams import MRG_RandomStreams, RandomStreams


def numpy_generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def test_the_size_comes_first_and_the_numbers_are_the_streams() -> None:
    srng, g, x = RandomStreams(3), numpy_generator(3), T.dmatrix("x")
    draws = [
        srng.uniform((2, 3), -1.0, 1.0), srng.normal(x.shape, avg=1.0, std=2.0), srng.binomial((4,), n=5, p=0.5),
        srng.binomial(x.shape, p=0.5, dtype="float32"), srng.random_integers((9,), 1, 6), srng.poisson((3,), 4.0),
        srng.choice((5,), 10), srng.permutation(n=6), srng.multinomial((2,), 10, [0.5, 0.5]),
    ]  # fmt: skip
    got = graphlab.function([x], draws)(np.ones((2, 2)))
    want = [
        g.uniform(-1.0, 1.0, (2, 3)), g.normal(1.0, 2.0, (2, 2)), g.binomial(5, 0.5, 4),
        (g.random((2, 2)) < 0.5).astype("float32"), g.integers(1, 6, 9, endpoint=True), g.poisson(4.0, 3),
        g.choice(10, 5), g.permutation(6), g.multinomial(10, [0.5, 0.5], 2),
    ]  # fmt: skip
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


def test_float_numbers_are_of_floatx_unless_told_otherwise() -> None:
    srng = MRG_RandomStreams(3)
    with using(floatX="float32"):
        assert (srng.uniform((2,)).dtype, srng.normal((2,)).dtype) == ("float32", "float32")
        assert srng.normal((2,), dtype="float64").dtype == "float64"


def test_rows_are_shuffled_each_in_its_own_way() -> None:
    srng, x = RandomStreams(3), T.dmatrix("x")
    f = graphlab.function([x], [srng.shuffle_row_elements(x), srng.permutation((4,), 3)])
    rows = np.arange(40.0).reshape(2, 20)
    shuffled, orders = f(rows)
    assert np.array_equal(np.sort(shuffled, axis=1), rows)
    assert not np.array_equal(shuffled[0] + 20, shuffled[1])
    assert orders.shape == (4, 3)
    assert np.array_equal(np.sort(orders, axis=1), np.tile(np.arange(3), (4, 1)))


def test_a_seed_begins_anew() -> None:
    srng = RandomStreams(3)
    f = graphlab.function([], srng.uniform((2,)))
    first = f()
    srng.seed(3)
    assert np.array_equal(f(), first)
