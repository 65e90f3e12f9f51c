"""Random numbers: each distribution draws what numpy.random.Generator draws, bit for bit; slopes; errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import graphlab
import graphlab.tensor as T
from graphlab import RandomStream
from graphlab.autodiff import grad, jvp, verify_grad
from graphlab.codegen.paste import csrc
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError, NullGradientError
from graphlab.ops.distributions import DISTRIBUTIONS
from graphlab.ops.lowering import Host
from graphlab.ops.random import IN_C, Draw, generator_at, packed, unpacked
from graphlab.vmap import vmap

Array = np.ndarray[Any, Any]
Draws = Callable[[Any, Any], Any]  # of (a stream or a NumPy generator, a size)

ROW, COLUMN = np.array([0.3, 1.0, 2.5]), np.array([[0.2], [1.5]])
CHANCES = np.array([[0.1, 0.5, 1.0]])
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4])

# What is called alike on a stream and on a NumPy generator; first with numbers, then with arrays that broadcast.
DRAWS: dict[str, tuple[Draws, ...]] = {
    "random": (lambda g, n: g.random(n), lambda g, n: g.random(n, dtype="float32")),
    "uniform": (lambda g, n: g.uniform(-2.0, 3.0, n), lambda g, n: g.uniform(-COLUMN, ROW, n)),
    "standard_normal": (lambda g, n: g.standard_normal(n), lambda g, n: g.standard_normal(n, dtype="float32")),
    "normal": (lambda g, n: g.normal(1.0, 2.0, n), lambda g, n: g.normal(ROW, COLUMN, n)),
    "lognormal": (lambda g, n: g.lognormal(1.0, 0.5, n), lambda g, n: g.lognormal(ROW, COLUMN, n)),
    "standard_exponential": (
        lambda g, n: g.standard_exponential(n),
        lambda g, n: g.standard_exponential(n, dtype="float32"),
    ),
    "exponential": (lambda g, n: g.exponential(3.0, n), lambda g, n: g.exponential(ROW, n)),
    "standard_gamma": (
        lambda g, n: g.standard_gamma(0.5, n),
        lambda g, n: g.standard_gamma(ROW, n),
        lambda g, n: g.standard_gamma(2.5, n, dtype="float32"),
    ),
    "gamma": (lambda g, n: g.gamma(2.0, 3.0, n), lambda g, n: g.gamma(ROW, COLUMN, n)),
    "beta": (lambda g, n: g.beta(0.5, 0.7, n), lambda g, n: g.beta(ROW, COLUMN, n)),
    "chisquare": (lambda g, n: g.chisquare(3.0, n), lambda g, n: g.chisquare(ROW, n)),
    "noncentral_chisquare": (lambda g, n: g.noncentral_chisquare(ROW, COLUMN, n),),
    "f": (lambda g, n: g.f(3.0, 5.0, n), lambda g, n: g.f(ROW, COLUMN, n)),
    "noncentral_f": (lambda g, n: g.noncentral_f(ROW, COLUMN, 2.0, n),),
    "gumbel": (lambda g, n: g.gumbel(1.0, 2.0, n), lambda g, n: g.gumbel(ROW, COLUMN, n)),
    "laplace": (lambda g, n: g.laplace(1.0, 2.0, n), lambda g, n: g.laplace(ROW, COLUMN, n)),
    "logistic": (lambda g, n: g.logistic(1.0, 2.0, n), lambda g, n: g.logistic(ROW, COLUMN, n)),
    "pareto": (lambda g, n: g.pareto(3.0, n), lambda g, n: g.pareto(ROW, n)),
    "power": (lambda g, n: g.power(3.0, n), lambda g, n: g.power(ROW, n)),
    "rayleigh": (lambda g, n: g.rayleigh(3.0, n), lambda g, n: g.rayleigh(ROW, n)),
    "standard_cauchy": (lambda g, n: g.standard_cauchy(n),),
    "standard_t": (lambda g, n: g.standard_t(3.0, n), lambda g, n: g.standard_t(ROW, n)),
    "triangular": (lambda g, n: g.triangular(-ROW, 0.1, COLUMN, n),),
    "vonmises": (lambda g, n: g.vonmises(0.5, 2.0, n), lambda g, n: g.vonmises(ROW, COLUMN, n)),
    "wald": (lambda g, n: g.wald(1.0, 2.0, n), lambda g, n: g.wald(ROW, COLUMN, n)),
    "weibull": (lambda g, n: g.weibull(3.0, n), lambda g, n: g.weibull(ROW, n)),
    "binomial": (
        lambda g, n: g.binomial(5, 0.3, n),
        lambda g, n: g.binomial(1000, 0.4, n),
        lambda g, n: g.binomial([[3], [200]], CHANCES, n),
    ),
    "geometric": (lambda g, n: g.geometric(0.1, n), lambda g, n: g.geometric(CHANCES, n)),
    "hypergeometric": (lambda g, n: g.hypergeometric([[8], [20]], [5, 6, 7], 4, n),),
    "logseries": (lambda g, n: g.logseries(0.3, n),),
    "negative_binomial": (lambda g, n: g.negative_binomial(COLUMN, CHANCES, n),),
    "poisson": (lambda g, n: g.poisson(3.0, n), lambda g, n: g.poisson(40 * ROW, n)),
    "zipf": (lambda g, n: g.zipf(3.0, n),),
    "integers": (
        lambda g, n: g.integers(10, size=n),
        lambda g, n: g.integers([[-5], [0]], [7, 8, 2**40], n, endpoint=True),
    ),
    "multinomial": (lambda g, n: g.multinomial(7, WEIGHTS, n),),
    "dirichlet": (lambda g, n: g.dirichlet(WEIGHTS, n),),
    "multivariate_normal": (lambda g, n: g.multivariate_normal([1.0, 2.0], [[2.0, 0.5], [0.5, 1.0]], n),),
    "choice": (
        lambda g, n: g.choice(10, n),
        lambda g, n: g.choice(WEIGHTS, n, p=WEIGHTS),
        lambda g, n: g.choice(50, n, replace=False),
        lambda g, n: g.choice(50, n, replace=False, shuffle=False),
    ),
    "permutation": (
        lambda g, n: g.permutation(11),
        lambda g, n: g.permutation(np.arange(7.0)),
        lambda g, n: g.permutation(np.arange(12.0).reshape(3, 4), axis=1),
    ),
    "permuted": (
        lambda g, n: g.permuted(np.arange(7.0)),
        lambda g, n: g.permuted(np.arange(24.0).reshape(2, 3, 4), axis=1),
        lambda g, n: g.permuted(np.arange(24.0).reshape(2, 3, 4), axis=-1),
        lambda g, n: g.permuted(np.arange(12.0).reshape(3, 4)),
    ),
    # What NumPy has no method for, by its definition.
    "bernoulli": (lambda g, n: g.bernoulli(0.3, n) if isinstance(g, RandomStream) else g.random(n) < 0.3,),
    "categorical": (
        lambda g, n: g.categorical(WEIGHTS, n) if isinstance(g, RandomStream) else g.choice(4, n, p=WEIGHTS),
    ),
}
UNSIZED = {"permutation", "permuted"}


def pair(seed: int = 7) -> tuple[RandomStream, np.random.Generator]:
    """A stream, and NumPy's generator of the same seed."""
    return RandomStream(seed), np.random.Generator(np.random.Philox(seed))


def same(got: Array, want: Any) -> bool:
    """Equal to the last bit, in dtype and shape too."""
    want = np.asarray(want)
    return got.dtype == want.dtype and got.shape == want.shape and np.array_equal(got, want, equal_nan=True)


def names(draws: Any = DRAWS) -> list[Any]:
    return [pytest.param(call, id=f"{name}-{k}") for name, calls in draws.items() for k, call in enumerate(calls)]


# ---- values --------------------------------------------------------------------------------------


def test_every_distribution_is_compared_with_numpy() -> None:
    assert set(DRAWS) == set(DISTRIBUTIONS)


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
@pytest.mark.parametrize("call", names())
def test_draws_are_numpys_through_calls_of_all_sizes(call: Draws, mode: str) -> None:
    stream, generator = pair()
    n, m = T.lscalars("n", "m")
    f = graphlab.function([n, m], call(stream, (n, m, 3)), mode=mode, on_unused_input="ignore")
    for size in [(1, 2, 3), (1, 2, 3), (5, 2, 3), (0, 2, 3), (4, 2, 3)]:
        assert same(f(*size[:2]), call(generator, size))
        assert same(stream.state.get_value(), packed(generator.bit_generator.state))


@pytest.mark.parametrize("call", names({k: v for k, v in DRAWS.items() if k not in UNSIZED}))
def test_without_a_size_the_parameters_give_the_shape(call: Draws) -> None:
    stream, generator = pair()
    drawn = graphlab.function([], call(stream, None))()
    assert same(drawn, np.asarray(call(generator, None), drawn.dtype))  # NumPy gives a float32 as a Python float


MILLION = 10**6
MANY = {
    "random": DRAWS["random"], "uniform": DRAWS["uniform"][:1], "normal": DRAWS["normal"][:1],
    "exponential": DRAWS["exponential"][:1], "gamma": DRAWS["gamma"][:1], "beta": DRAWS["beta"][:1],
    "poisson": DRAWS["poisson"][:1], "binomial": DRAWS["binomial"][:2], "integers": DRAWS["integers"][:1],
    "bernoulli": DRAWS["bernoulli"], "choice": DRAWS["choice"][:1], "laplace": DRAWS["laplace"][:1],
    "standard_normal": DRAWS["standard_normal"], "geometric": DRAWS["geometric"][:1],
}  # fmt: skip


@pytest.mark.parametrize("call", names(MANY))
def test_a_million_draws_are_numpys(call: Draws) -> None:
    stream, generator = pair(2026)
    f = graphlab.function([], call(stream, MILLION))
    assert same(f(), call(generator, MILLION))
    assert same(stream.state.get_value(), packed(generator.bit_generator.state))


@pytest.mark.parametrize("dtype", DISTRIBUTIONS["integers"].dtypes)
@pytest.mark.parametrize("endpoint", [False, True])
def test_integers_of_every_dtype_are_numpys(dtype: str, endpoint: bool) -> None:
    stream, generator = pair(3)
    info = np.iinfo(dtype) if dtype != "bool" else None
    ends = [(0, 1 if endpoint else 2)] if info is None else [(0, 2), (3, 4), (int(info.min), min(int(info.max), 2**62))]
    for low, high in ends:
        for size in (1, 5, 37):
            f = graphlab.function([], stream.integers(low, high, size, dtype, endpoint))
            assert same(f(), generator.integers(low, high, size, dtype, endpoint))
    assert same(stream.state.get_value(), packed(generator.bit_generator.state))


def test_integers_over_all_of_int64_are_numpys() -> None:
    stream, generator = pair(3)
    ends = (-(2**63), 2**63 - 1)
    assert same(graphlab.function([], stream.integers(*ends, 9))(), generator.integers(*ends, 9))
    f = graphlab.function([], stream.integers(*ends, 9, endpoint=True))
    assert same(f(), generator.integers(*ends, 9, endpoint=True))


@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_float32_draws_are_scaled_standard_ones(mode: str) -> None:
    stream, generator = pair(4)
    loc, scale = ROW.astype("float32"), COLUMN.astype("float32")
    draws = [
        stream.normal(loc, scale, dtype="float32"), stream.uniform(-scale, loc, dtype="float32"),
        stream.exponential(loc, (2, 3), dtype="float32"), stream.gamma(loc, scale, dtype="float32"),
        stream.beta(0.5, 0.5, 3, dtype="float32"), stream.bernoulli(0.5, 4, dtype="float32"),
    ]  # fmt: skip
    got = graphlab.function([], draws, mode=mode)()
    shape = (2, 3)
    assert same(got[0], loc + scale * generator.standard_normal(shape, "float32"))
    assert same(got[1], -scale + (loc + scale) * generator.random(shape, "float32"))
    assert same(got[2], loc * generator.standard_exponential(shape, "float32"))
    assert same(got[3], scale * generator.standard_gamma(np.broadcast_to(loc, shape), dtype="float32"))
    assert same(got[4], generator.beta(0.5, 0.5, 3).astype("float32"))
    assert same(got[5], (generator.random(4) < 0.5).astype("float32"))


def test_a_mixed_sequence_keeps_the_halves_of_words() -> None:
    """float32 and small integers use half a word or less: what is left must be there for the next draw."""
    stream, generator = pair(5)
    calls: list[Draws] = [
        lambda g, n: g.random(n, dtype="float32"),
        lambda g, n: g.integers(0, 100, n, dtype="int8"),
        lambda g, n: g.random(n),
        lambda g, n: g.integers(0, 2**20, n, dtype="int32"),
        lambda g, n: g.standard_normal(n, dtype="float32"),
        lambda g, n: g.integers(0, 1000, n, dtype="uint16"),
        lambda g, n: g.integers(0, 9, n),
    ]
    functions = [graphlab.function([], call(stream, n)) for call, n in zip(calls, [3, 1, 5, 7, 1, 3, 1], strict=True)]
    order = np.random.default_rng(0).integers(0, len(calls), 60)
    sizes = [3, 1, 5, 7, 1, 3, 1]
    assert all(same(functions[k](), calls[k](generator, sizes[k])) for k in order)


def test_the_parameters_may_lie_anyhow_in_memory() -> None:
    stream, generator = pair()
    loc, scale = T.dmatrix("loc"), T.dtensor3("scale")
    f = graphlab.function([loc, scale], stream.normal(loc, scale))
    a = np.arange(24.0).reshape(4, 6)[::2, ::-2]
    b = np.abs(np.random.default_rng(0).normal(size=(3, 2, 5))).transpose(2, 1, 0)[:, :, :]
    assert same(f(a, b), generator.normal(a, b))
    assert same(f(np.zeros((0, 3)), b[:, :1]), generator.normal(np.zeros((0, 3)), b[:, :1]))
    assert same(f(a[:1, :1], b), generator.normal(a[:1, :1], b))


def test_sizes_may_be_symbolic() -> None:
    stream, generator = pair()
    x, n = T.dmatrix("x"), T.lscalar("n")
    f = graphlab.function([x, n], [stream.normal(size=x.shape), stream.poisson(x.sum(), (n, 2)), stream.random(n)])
    got = f(np.ones((2, 3)), 4)
    assert same(got[0], generator.normal(size=(2, 3)))
    assert same(got[1], generator.poisson(6.0, (4, 2)))
    assert same(got[2], generator.random(4))
    assert stream.normal(size=(5, x.shape[0])).type.shape == (5, None)
    assert stream.multinomial(3, WEIGHTS, (n, 2)).type.shape == (None, 2, 4)


def test_categorical_takes_a_batch_of_probabilities() -> None:
    stream, generator = pair()
    p = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    drawn = graphlab.function([], stream.categorical(p, (1000, 2)))()
    u = generator.random((1000, 2))
    assert same(drawn, np.stack([(u[:, 0] >= 0.5).astype("int64"), np.full(1000, 2)], axis=1))


def test_the_numbers_follow_their_distributions() -> None:
    stream = RandomStream(11)
    f = graphlab.function([], [stream.normal(1.0, 2.0, 20000), stream.categorical(WEIGHTS, 20000)])
    normal, categorical = f()
    assert stats.kstest(normal, stats.norm(1.0, 2.0).cdf).pvalue > 1e-3
    assert stats.chisquare(np.bincount(categorical), 20000 * WEIGHTS).pvalue > 1e-3


def test_what_is_in_c_is_what_the_header_numbers() -> None:
    (body,) = re.findall(r"enum gl_distribution \{(.*?)GL_DISTRIBUTIONS", (csrc() / "gl_abi.h").read_text(), re.S)
    assert tuple(name.lower() for name in re.findall(r"GL_(\w+)", body)) == IN_C


def test_the_common_distributions_run_in_c() -> None:
    stream = RandomStream(1)
    common = [
        stream.random(2), stream.uniform(size=2), stream.normal(size=2, dtype="float32"), stream.exponential(size=2),
        stream.gamma(2.0, size=2), stream.beta(1.0, 2.0, 2), stream.poisson(size=2), stream.binomial(3, 0.5, 2),
        stream.integers(5, size=2), stream.bernoulli(size=2),
    ]  # fmt: skip
    nodes = graphlab.function([], common).graph.outputs
    assert not any(isinstance(v.owner.op.lowering(v.owner), Host) for v in nodes if v.owner)


def test_a_state_goes_to_numpy_and_back() -> None:
    generator = np.random.Generator(np.random.Philox(9))
    generator.random(dtype="float32")
    words = packed(generator.bit_generator.state)
    assert same(packed(unpacked(words)), words)
    assert generator_at(words).random(dtype="float32") == generator.random(dtype="float32")


# ---- derivatives ---------------------------------------------------------------------------------

SLOPED: dict[str, Draws] = {
    "uniform": lambda g, x: g.uniform(x[0], x[0] + x[1]),
    "normal": lambda g, x: g.normal(x[0], x[1]),
    "lognormal": lambda g, x: g.lognormal(x[0], x[1]),
    "exponential": lambda g, x: g.exponential(x[0]),
    "gumbel": lambda g, x: g.gumbel(x[0], x[1]),
    "laplace": lambda g, x: g.laplace(x[0], x[1]),
    "logistic": lambda g, x: g.logistic(x[0], x[1]),
    "pareto": lambda g, x: g.pareto(x[0] + 1.0),
    "power": lambda g, x: g.power(x[0]),
    "rayleigh": lambda g, x: g.rayleigh(x[0]),
    "weibull": lambda g, x: g.weibull(x[0]),
    "gamma": lambda g, x: g.gamma(2.0, x[0]),
}


def test_every_slope_is_checked() -> None:
    assert set(SLOPED) == {name for name, d in DISTRIBUTIONS.items() if d.slopes}


@pytest.mark.parametrize("name", SLOPED)
def test_slopes_are_those_of_the_same_numbers_elsewhere(name: str) -> None:
    stream = RandomStream(3)
    point = np.array([[0.7, 1.1, 2.0], [0.8, 1.7, 0.9]])
    verify_grad(lambda x: SLOPED[name](stream, x), [point])


def test_parameters_that_broadcast_get_gradients_of_their_shape() -> None:
    stream = RandomStream(3)
    verify_grad(lambda loc, scale: stream.normal(loc, scale, (2, 3)), [ROW, np.array(0.5)])


def test_forward_mode_agrees_with_the_gradient() -> None:
    stream, scale = RandomStream(3), T.dscalar("scale")
    draw = stream.normal(1.0, scale, 4).sum()
    f = graphlab.function([scale], [jvp(draw, scale, 1.0), grad(draw, scale)], no_default_updates=True)
    assert np.isclose(*f(2.0))


def test_a_derivative_that_nobody_knows_is_refused_only_where_it_is_asked_for() -> None:
    stream, shape, scale = RandomStream(3), T.dscalar("shape"), T.dscalar("scale")
    draw = stream.gamma(shape, scale)
    f = graphlab.function([shape, scale], [grad(draw, scale), draw])
    slope, value = f(2.0, 3.0)
    assert np.isclose(slope, value / 3.0)
    with pytest.raises(NullGradientError, match="no derivative by shape"):
        grad(draw, shape)


def test_choosing_and_reordering_pass_gradients_on() -> None:
    stream = RandomStream(3)
    verify_grad(lambda x: stream.permutation(x), [np.arange(5.0)])
    verify_grad(lambda x: stream.permuted(x, axis=1), [np.arange(6.0).reshape(2, 3)])
    verify_grad(lambda x: stream.choice(x, 7), [np.arange(5.0)])


# ---- batches -------------------------------------------------------------------------------------


def test_of_a_batch_every_example_draws_its_own_numbers() -> None:
    stream, generator, loc = RandomStream(3), pair(3)[1], T.dvector("loc")
    f = graphlab.function([loc], vmap(lambda m: stream.normal(m, ROW))(loc))
    g = graphlab.function([loc], vmap(lambda m: stream.normal(m, 1.0, (2, 3)))(loc))
    locs = np.array([1.0, 10.0, 100.0, 1000.0])
    assert same(f(locs), generator.normal(locs[:, None], ROW))
    assert same(g(locs), generator.normal(locs[:, None, None], 1.0, (4, 2, 3)))
    assert same(stream.state.get_value(), packed(generator.bit_generator.state))
    with pytest.raises(GraphTypeError, match="dirichlet takes no batch of parameters"):
        vmap(lambda a: stream.dirichlet(T.stack([a, a])))(loc)


# ---- errors --------------------------------------------------------------------------------------

WRONG: dict[str, Draws] = {
    "normal": lambda g, x: g.normal(0.0, x),
    "normal with a size": lambda g, x: g.normal(0.0, x, (2, 3)),
    "exponential": lambda g, x: g.exponential(x),
    "gamma": lambda g, x: g.gamma(1.0, x),
    "beta": lambda g, x: g.beta(1.0, x),
    "binomial": lambda g, x: g.binomial(3, x),
    "geometric": lambda g, x: g.geometric(x),
    "poisson": lambda g, x: g.poisson(x),
    "uniform": lambda g, x: g.uniform(0.0, x),
    "wald": lambda g, x: g.wald(x, 1.0),
    "weibull": lambda g, x: g.weibull(x),
    "standard_gamma": lambda g, x: g.standard_gamma(x, dtype="float32"),
}


@pytest.mark.parametrize("name", WRONG)
def test_parameters_are_refused_just_where_numpy_refuses_them(name: str) -> None:
    stream, x = RandomStream(3), T.dvector("x")
    f = graphlab.function([x], WRONG[name](stream, x))
    for value in (-1.0, -0.0, 0.0, 0.5, 1.0, 1.5, 1e19, np.inf, np.nan):
        before, point = stream.state.get_value(), np.array([0.5, 0.5, value])
        try:
            want = WRONG[name](stream.generator(), point)
        except (ValueError, OverflowError):
            with pytest.raises(GraphlabError):
                f(point)
            assert same(stream.state.get_value(), before), "a call that fails draws nothing"
        else:
            assert same(f(point), want)


def test_errors_name_the_line_and_the_parameter() -> None:
    stream, scale = RandomStream(3), T.dscalar("scale")
    f = graphlab.function([scale], stream.normal(0.0, scale))
    with pytest.raises(GraphValueError, match="normal: scale < 0") as caught:
        f(-1.0)
    assert caught.value.origin is not None
    assert "stream.normal(0.0, scale)" in caught.value.origin.text
    with pytest.raises(GraphTypeError, match="binomial: n must be whole numbers, got float64"):
        stream.binomial(2.5, 0.5)
    with pytest.raises(GraphTypeError, match="pvals must be float64 of rank 1 or more"):
        stream.multinomial(3, 0.5)
    with pytest.raises(GraphTypeError, match="p must be float64 of rank 1"):
        stream.choice(3, p=COLUMN)
    with pytest.raises(GraphTypeError, match="an extent must be an integer"):
        stream.normal(size=2.5)
    with pytest.raises(TypeError, match="no dtype"):
        stream.normal(size=2, dtype="float128")


def test_a_size_must_hold_the_parameters() -> None:
    stream, x, n = RandomStream(3), T.dvector("x"), T.lscalar("n")
    with pytest.raises(GraphShapeError, match="do not fit the size"):
        stream.normal(COLUMN, 1.0, 3)
    with pytest.raises(GraphShapeError, match="broadcast"):
        stream.normal(ROW, 1.0, 2)
    f = graphlab.function([x, n], stream.normal(x, 1.0, n))
    for wrong in (2, 1, -1):
        with pytest.raises(GraphlabError):
            f(ROW, wrong)
    assert f(ROW, 3).shape == (3,)


def test_a_draw_shows_no_number_of_its_own() -> None:
    texts = [graphlab.debugprint(RandomStream(1).normal(size=3)) for _ in range(2)]
    assert texts[0] == texts[1]
    assert repr(Draw("normal", 12345, "float64")) == repr(Draw("normal", 54321, "float64"))
