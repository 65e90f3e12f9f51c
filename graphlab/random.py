"""Streams of random numbers: symbolic draws with the methods, and the bits, of numpy.random.Generator.

>>> import graphlab
>>> stream = graphlab.RandomStream(seed=1)
>>> f = graphlab.function([], stream.normal(size=3))
>>> numpy_too = np.random.Generator(np.random.Philox(1))
>>> np.array_equal(f(), numpy_too.normal(size=3)), np.array_equal(f(), numpy_too.normal(size=3))
(True, True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.dtypes import canonical, is_integer
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundaries, user_boundary
from graphlab.graph.node import Shared, Variable, as_data_variable
from graphlab.ops.conversion import cast
from graphlab.ops.distributions import DISTRIBUTIONS, Parameter
from graphlab.ops.extents import known_shape, reshape, shape_of, shape_vector
from graphlab.ops.index import take
from graphlab.ops.random import draw, generator_at, packed
from graphlab.ops.random import unpacked as as_numpy_state
from graphlab.ops.rearrange import take_along_axis
from graphlab.ops.shape import moveaxis, ravel

if TYPE_CHECKING:
    Seed = int | Sequence[int] | np.random.SeedSequence | None  # np.random is slow to import, and wanted by few


@user_boundaries
class RandomStream:
    """A source of random numbers; its methods return variables, of which each call of a function draws new values.

    The methods, their arguments and their numbers are those of `numpy.random.Generator(numpy.random.Philox(seed))`:
    a function draws what the same lines would, in the order in which they were written, and leaves the stream
    behind the last of them. `size` is None (the parameters' broadcast shape), an integer, a sequence of integers
    and symbolic scalars, or an integer vector such as `x.shape`; parameters may be symbolic, and broadcast.
    `dtype`, where NumPy has none, is what the numbers are converted to; float32 normal, uniform, exponential and
    gamma numbers are drawn as float32 standard ones and scaled.

    Numbers of uniform, normal, exponential, gumbel, laplace, logistic, lognormal, pareto, power, rayleigh and
    weibull, and of gamma by its scale, have derivatives by their parameters: the uniform numbers behind them stay
    the same (reparametrisation; Kingma and Welling, arXiv:1312.6114). Where there is no such formula asking for
    the derivative raises NullGradientError; integers have none at all.

    `state` is the shared variable that holds where the stream is. `seed` is what numpy.random.SeedSequence
    takes: an integer >= 0, a sequence of them, or None for one that nobody knows.
    """

    def __init__(self, seed: Seed = None, *, name: str | None = None) -> None:
        self._seeds, words = _seeded(seed)
        self.name = name
        self.state = Shared(words, f"{name or 'stream'}.state", shape=words.shape)

    def __repr__(self) -> str:
        return f"<graphlab random stream {self.name or ''}>".replace(" >", ">")

    # -- where it is --

    def seed(self, seed: Seed) -> None:
        """Begin anew, as a stream made with this seed."""
        self._seeds, words = _seeded(seed)
        self.state.set_value(words)

    def get_state(self) -> dict[str, Any]:
        """Where the stream is, as numpy.random.Philox.state gives it."""
        return as_numpy_state(self.state.get_value())

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go where `get_state`, or NumPy's `philox.state`, says; GraphValueError for another bit generator's state."""
        if state.get("bit_generator") != "Philox":
            raise GraphValueError(f"a stream's state is one of Philox, not of {state.get('bit_generator')}",
                                  origin=caller_origin())  # fmt: skip
        self.state.set_value(packed(state))

    def generator(self) -> np.random.Generator:
        """A NumPy generator that stands where the stream is now, and goes its own way from there."""
        return generator_at(self.state.get_value())

    def spawn(self, n: int) -> list[RandomStream]:
        """`n` new independent streams, as numpy.random.Generator.spawn: each call gives others.

        >>> parent, twin = RandomStream(5), np.random.Generator(np.random.Philox(5))
        >>> [s.generator().random() for s in parent.spawn(2)] == [g.random() for g in twin.spawn(2)]
        True
        """
        return [RandomStream(child, name=self.name) for child in self._seeds.spawn(n)]

    def jumped(self, jumps: int = 1) -> RandomStream:
        """A new stream, 2**128 draws further for each jump, so that the two never meet."""
        philox: Any = self.generator().bit_generator
        there = RandomStream(self._seeds, name=self.name)
        there.state.set_value(packed(philox.jumped(jumps).state))
        return there

    # -- continuous numbers --

    def random(self, size: Any = None, dtype: Any = "float64") -> Variable:
        """Uniform on [0, 1)."""
        return self._draw("random", size, dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Uniform on [low, high)."""
        return self._draw("uniform", size, dtype, low, high)

    def standard_normal(self, size: Any = None, dtype: Any = "float64") -> Variable:
        """Normal with mean 0 and standard deviation 1."""
        return self._draw("standard_normal", size, dtype)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Normal with mean `loc` and standard deviation `scale` >= 0."""
        return self._draw("normal", size, dtype, loc, scale)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """The exponential of normal(mean, sigma)."""
        return self._draw("lognormal", size, dtype, mean, sigma)

    def standard_exponential(self, size: Any = None, dtype: Any = "float64") -> Variable:
        """Exponential with mean 1, by the ziggurat method."""
        return self._draw("standard_exponential", size, dtype)

    def exponential(self, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Exponential with mean `scale` >= 0."""
        return self._draw("exponential", size, dtype, scale)

    def standard_gamma(self, shape: Any, size: Any = None, dtype: Any = "float64") -> Variable:
        """Gamma with `shape` >= 0 and scale 1."""
        return self._draw("standard_gamma", size, dtype, shape)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Gamma with `shape` >= 0 and `scale` >= 0: the mean is their product."""
        return self._draw("gamma", size, dtype, shape, scale)

    def beta(self, a: Any, b: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Beta with a > 0 and b > 0, on [0, 1]."""
        return self._draw("beta", size, dtype, a, b)

    def chisquare(self, df: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Chi-square with `df` > 0 degrees of freedom."""
        return self._draw("chisquare", size, dtype, df)

    def noncentral_chisquare(self, df: Any, nonc: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Chi-square with `df` > 0 degrees of freedom and noncentrality `nonc` >= 0."""
        return self._draw("noncentral_chisquare", size, dtype, df, nonc)

    def f(self, dfnum: Any, dfden: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Fisher's F with `dfnum` > 0 and `dfden` > 0 degrees of freedom."""
        return self._draw("f", size, dtype, dfnum, dfden)

    def noncentral_f(self, dfnum: Any, dfden: Any, nonc: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Fisher's F with noncentrality `nonc` >= 0."""
        return self._draw("noncentral_f", size, dtype, dfnum, dfden, nonc)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Gumbel: loc - scale * log(-log(u))."""
        return self._draw("gumbel", size, dtype, loc, scale)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Laplace: exponential on both sides of `loc`."""
        return self._draw("laplace", size, dtype, loc, scale)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Logistic: loc + scale * log(u / (1 - u))."""
        return self._draw("logistic", size, dtype, loc, scale)

    def pareto(self, a: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Pareto II (Lomax) with exponent a > 0, from 0."""
        return self._draw("pareto", size, dtype, a)

    def power(self, a: Any, size: Any = None, dtype: Any = None) -> Variable:
        """On [0, 1] with density a * x ** (a - 1), a > 0."""
        return self._draw("power", size, dtype, a)

    def rayleigh(self, scale: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Rayleigh with mode `scale` >= 0."""
        return self._draw("rayleigh", size, dtype, scale)

    def standard_cauchy(self, size: Any = None, dtype: Any = None) -> Variable:
        """Cauchy with location 0 and scale 1."""
        return self._draw("standard_cauchy", size, dtype)

    def standard_t(self, df: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Student's t with `df` > 0 degrees of freedom."""
        return self._draw("standard_t", size, dtype, df)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Triangular on [left, right] with its peak at `mode`."""
        return self._draw("triangular", size, dtype, left, mode, right)

    def vonmises(self, mu: Any, kappa: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Von Mises on [-pi, pi] around `mu`, with concentration `kappa` >= 0."""
        return self._draw("vonmises", size, dtype, mu, kappa)

    def wald(self, mean: Any, scale: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Wald (inverse Gaussian) with `mean` > 0 and `scale` > 0."""
        return self._draw("wald", size, dtype, mean, scale)

    def weibull(self, a: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Weibull with shape a >= 0 and scale 1."""
        return self._draw("weibull", size, dtype, a)

    # -- whole numbers --

    def bernoulli(self, p: Any = 0.5, size: Any = None, dtype: Any = "bool") -> Variable:
        """True with probability p: `random(size) < p`; with `dtype` a mask of ones and zeros of it."""
        return self._draw("bernoulli", size, dtype, p)

    def binomial(self, n: Any = 1, p: Any = 0.5, size: Any = None, dtype: Any = None) -> Variable:
        """How many of `n` trials succeed, each with probability `p` (int64)."""
        return self._draw("binomial", size, dtype, n, p)

    def geometric(self, p: Any, size: Any = None, dtype: Any = None) -> Variable:
        """How many trials until the first success, 0 < p <= 1 (int64)."""
        return self._draw("geometric", size, dtype, p)

    def hypergeometric(self, ngood: Any, nbad: Any, nsample: Any, size: Any = None, dtype: Any = None) -> Variable:
        """How many of `nsample` things, taken from `ngood` good and `nbad` bad ones, are good (int64)."""
        return self._draw("hypergeometric", size, dtype, ngood, nbad, nsample)

    def logseries(self, p: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Logarithmic series, 0 <= p < 1 (int64)."""
        return self._draw("logseries", size, dtype, p)

    def negative_binomial(self, n: Any, p: Any, size: Any = None, dtype: Any = None) -> Variable:
        """How many failures before the n-th success (int64)."""
        return self._draw("negative_binomial", size, dtype, n, p)

    def poisson(self, lam: Any = 1.0, size: Any = None, dtype: Any = None) -> Variable:
        """Poisson with mean `lam` >= 0 (int64)."""
        return self._draw("poisson", size, dtype, lam)

    def zipf(self, a: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Zipf with exponent a > 1 (int64)."""
        return self._draw("zipf", size, dtype, a)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = "int64", endpoint: bool = False
    ) -> Variable:
        """Integers from `low` to `high` - 1 (`endpoint`: to `high`), or from 0 if there is only `low`."""
        low, high = (0, low) if high is None else (low, high)
        return self._draw("integers", size, dtype, low, high, flags=("endpoint",) * endpoint)

    randint = integers

    # -- of several things --

    def categorical(self, p: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Positions along the last axis of `p`, which holds their probabilities (int64).

        For a vector `p` these are the numbers of `numpy_generator.choice(len(p), size, p=p)`. A `size` must be
        one to which the other axes of `p` broadcast.
        """
        return self._draw("categorical", size, dtype, p)

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Variable:
        """Elements of `a` along `axis`, or of arange(a) for an integer; `p`: the probability of each.

        Gradients flow to the elements chosen.
        """
        elements = as_data_variable(a)
        many = elements if elements.ndim == 0 else shape_of(elements)[axis]
        flags = ("replace",) * replace + ("shuffle",) * shuffle
        positions = self._draw("choice", size, None, many, *(() if p is None else (p,)), flags=flags)
        return positions if elements.ndim == 0 else take(elements, positions, axis)

    def permutation(self, x: Any, axis: int = 0) -> Variable:
        """The elements of `x` along `axis` (slices, if it has several axes) in another order; an integer is arange(x).

        Gradients flow back to where the elements came from.
        """
        elements = as_data_variable(x)
        many = elements if elements.ndim == 0 else shape_of(elements)[axis]
        order = self._draw("permutation", None, None, many)
        return order if elements.ndim == 0 else take(elements, order, axis)

    def permuted(self, x: Any, axis: int | None = None) -> Variable:
        """`x` with the elements of each row along `axis` in an order of their own (None: all of them mixed).

        Gradients flow back to where the elements came from.
        """
        elements = as_data_variable(x)
        rows = ravel(elements) if axis is None else moveaxis(elements, axis, -1)
        mixed = take_along_axis(rows, self._draw("permuted", None, None, shape_of(rows)), -1)
        result: Variable = reshape(mixed, shape_of(elements)) if axis is None else moveaxis(mixed, -1, axis)
        return result

    def multinomial(self, n: Any, pvals: Any, size: Any = None, dtype: Any = None) -> Variable:
        """How often each of the outcomes, whose probabilities are on the last axis of `pvals`, comes in `n` trials."""
        return self._draw("multinomial", size, dtype, n, pvals)

    def dirichlet(self, alpha: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Probabilities: vectors as long as the vector `alpha` > 0 that sum to 1."""
        return self._draw("dirichlet", size, dtype, alpha)

    def multivariate_normal(self, mean: Any, cov: Any, size: Any = None, dtype: Any = None) -> Variable:
        """Normal vectors with the vector `mean` and the matrix `cov`, by NumPy's singular value decomposition."""
        return self._draw("multivariate_normal", size, dtype, mean, cov)

    # -- all of them --

    @user_boundary
    def _draw(self, name: str, size: Any, dtype: Any, *parameters: Any, flags: tuple[str, ...] = ()) -> Variable:
        """A variable of numbers of the distribution `name`, in `dtype`."""
        distribution = DISTRIBUTIONS[name]
        wanted = canonical(dtype) if dtype is not None else distribution.dtype
        drawn = wanted if wanted in distribution.dtypes else distribution.dtype
        given = [_parameter(name, p, v) for p, v in zip(distribution.parameters, parameters, strict=False)]
        vector = None if size is None else shape_vector(size)
        asked = None if vector is None else (vector, known_shape(vector, f"size of {name}"))
        node = draw(self.state, name, drawn, asked, given, flags)
        return cast(node.outputs[1], wanted)


def _seeded(seed: Seed) -> tuple[np.random.SeedSequence, np.ndarray[Any, Any]]:
    """The seeds' sequence and the words of the state with which a stream of `seed` begins."""
    try:
        seeds = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    except (TypeError, ValueError) as error:
        raise GraphValueError(
            f"a stream can't be seeded with {seed!r:.40}: {error}", origin=caller_origin(),
            hint="a seed is an integer >= 0, a sequence of them, or None",
        ) from None  # fmt: skip
    return seeds, packed(np.random.Philox(seeds).state)


def _parameter(name: str, parameter: Parameter, value: Any) -> Variable:
    """The argument for `parameter`, in its dtype; GraphTypeError if it is a float where whole numbers are needed."""
    variable = as_data_variable(value)
    whole = is_integer(variable.dtype) or variable.dtype == "bool"
    if (parameter.dtype == "int64" and not whole) or variable.dtype.startswith("complex"):
        raise GraphTypeError(
            f"{name}: {parameter.name} must be {'whole numbers' if parameter.dtype == 'int64' else 'real'},"
            f" got {variable.type}",
            origin=caller_origin(),
            hint=f"convert it first: {parameter.name}.astype({parameter.dtype!r})",
        )
    converted: Variable = cast(variable, parameter.dtype)
    return converted


__all__ = ["RandomStream", "Seed"]
