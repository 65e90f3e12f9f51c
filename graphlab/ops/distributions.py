"""The table of distributions: what parameters each takes, what NumPy calls it, and how its numbers move with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.graph.node import Variable
from graphlab.graph.types import Shape, TensorType
from graphlab.ops.base import Array
from graphlab.ops.elementwise import log, log1p, negative, subtract, true_divide

if TYPE_CHECKING:
    from numpy.random import Generator  # slow to import, and wanted by few

Size = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a distribution.

    Its last `core` axes belong to one number; those before broadcast with the other parameters' where it
    is `batched`.
    """

    name: str
    dtype: str = "float64"
    core: int = 0
    batched: bool = True


@dataclass(frozen=True, slots=True)
class Distribution:
    """What there is to know of a distribution.

    `draw(generator, size, dtype, *parameters, **flags)` is NumPy's call. `dtype` is what comes out unless
    another of `dtypes` is asked for. `event` gives the shape of one draw from the parameters' types.
    `slopes` maps the numbers drawn and the parameters to the derivative by each parameter: the same
    uniform numbers behind them, what would have been drawn for other parameters? None where unknown.
    """

    name: str
    parameters: tuple[Parameter, ...]
    draw: Callable[..., Any]
    dtype: str = "float64"
    dtypes: tuple[str, ...] = ()
    event: Callable[..., Shape] = lambda *types: ()
    slopes: Callable[..., Sequence[Variable | float | None]] | None = None


# ---- how NumPy draws -----------------------------------------------------------------------------


def method(name: str, *, dtype: bool = False) -> Callable[..., Any]:
    """The method of Generator that has this name and takes the parameters, then the size (then a dtype)."""

    def call(generator: Generator, size: Size, asked: str, *parameters: Array, **flags: bool) -> Any:
        last = {"dtype": asked} if dtype else {}
        return getattr(generator, name)(*parameters, size=size, **last, **flags)

    return call


def _scaled(standard: Callable[..., Array], size: Size, shift: Array, scale: Array, *others: Array) -> Array:
    """shift + scale * standard, all in float32: NumPy draws float32 only where the parameters are 0 and 1."""
    shift, scale = np.asarray(shift, "float32"), np.asarray(scale, "float32")
    if np.any(np.signbit(scale) & ~np.isnan(scale)):
        raise ValueError("scale < 0")
    given = np.broadcast_shapes(shift.shape, scale.shape, *(np.shape(a) for a in others))
    if size is not None and np.broadcast_shapes(size, given) != size:
        raise ValueError(f"parameters of shape {given} do not fit the size {size}")
    return np.asarray(shift + scale * standard(*others, size=given if size is None else size, dtype="float32"))


def _uniform(generator: Generator, size: Size, dtype: str, low: Array, high: Array) -> Any:
    if dtype == "float64":
        return generator.uniform(low, high, size)
    low, high = np.asarray(low, "float32"), np.asarray(high, "float32")
    if not np.all(np.isfinite(high - low)):
        raise OverflowError("high - low range exceeds valid bounds")
    return _scaled(generator.random, size, low, high - low)


def _normal(generator: Generator, size: Size, dtype: str, loc: Array, scale: Array) -> Any:
    if dtype == "float64":
        return generator.normal(loc, scale, size)
    return _scaled(generator.standard_normal, size, loc, scale)


def _exponential(generator: Generator, size: Size, dtype: str, scale: Array) -> Any:
    if dtype == "float64":
        return generator.exponential(scale, size)
    return _scaled(generator.standard_exponential, size, np.zeros((), "float32"), scale)


def _gamma(generator: Generator, size: Size, dtype: str, shape: Array, scale: Array) -> Any:
    if dtype == "float64":
        return generator.gamma(shape, scale, size)
    return _scaled(generator.standard_gamma, size, np.zeros((), "float32"), scale, np.asarray(shape, "float32"))


def _standard_gamma(generator: Generator, size: Size, dtype: str, shape: Array) -> Any:
    return generator.standard_gamma(np.asarray(shape, dtype), size, np.dtype(dtype))


def _bernoulli(generator: Generator, size: Size, dtype: str, p: Array) -> Any:
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p < 0, p > 1 or p is NaN")
    return generator.random(_size_for(size, np.shape(p))) < p


def _categorical(generator: Generator, size: Size, dtype: str, p: Array) -> Any:
    """The inverse of the cumulated probabilities at a uniform number: for a vector, what Generator.choice does."""
    totals = np.cumsum(p, axis=-1)
    if not np.all(p >= 0) or np.any(np.abs(totals[..., -1:] - 1) > 1e-6):
        raise ValueError("probabilities are negative or do not sum to 1")
    u = generator.random(_size_for(size, p.shape[:-1]))
    ends = totals / totals[..., -1:]
    return np.searchsorted(ends, u, side="right") if p.ndim == 1 else np.sum(ends <= u[..., None], axis=-1)


def _size_for(size: Size, given: tuple[int, ...]) -> tuple[int, ...]:
    if size is not None and np.broadcast_shapes(size, given) != size:
        raise ValueError(f"parameters of shape {given} do not fit the size {size}")
    return given if size is None else size


def _choice(
    generator: Generator, size: Size, dtype: str, n: Array, p: Array | None = None, *,
    replace: bool = False, shuffle: bool = False,
) -> Any:  # fmt: skip
    return generator.choice(int(n), size, replace, p, shuffle=shuffle)


def _permutation(generator: Generator, size: Size, dtype: str, n: Array) -> Any:
    return generator.permutation(int(n))


def _permuted(generator: Generator, size: Size, dtype: str, shape: Array) -> Any:
    """Along the last axis of `shape`, in each of its rows, the positions in another order."""
    return generator.permuted(np.broadcast_to(np.arange(shape[-1]), tuple(shape)), axis=-1)


# ---- how the numbers move with the parameters ----------------------------------------------------


def _by_location(x: Variable, loc: Variable, scale: Variable) -> Sequence[Any]:
    """x = loc + scale * z, z the standard number: z = (x - loc) / scale, nan where the scale is 0."""
    return 1.0, true_divide(subtract(x, loc), scale)


def _by_ends(x: Variable, low: Variable, high: Variable) -> Sequence[Any]:
    """x = low + (high - low) * u."""
    width = subtract(high, low)
    return true_divide(subtract(high, x), width), true_divide(subtract(x, low), width)


def _by_scale(x: Variable, *parameters: Variable) -> Sequence[Any]:
    """x = scale * z, the scale being the last parameter."""
    return (*(None for _ in parameters[1:]), true_divide(x, parameters[-1]))


def _lognormal(x: Variable, mean: Variable, sigma: Variable) -> Sequence[Any]:
    """log x = mean + sigma * z."""
    return x, x * true_divide(subtract(log(x), mean), sigma)


def _by_power(x: Variable, a: Variable) -> Sequence[Any]:
    """x = z ** (1 / a)."""
    return (negative(x * true_divide(log(x), a)),)


def _pareto(x: Variable, a: Variable) -> Sequence[Any]:
    """log(1 + x) = z / a."""
    return (negative((1.0 + x) * true_divide(log1p(x), a)),)


# ---- the table -----------------------------------------------------------------------------------

LOC, SCALE, SHAPE, P = Parameter("loc"), Parameter("scale"), Parameter("shape"), Parameter("p")
A, B, DF = Parameter("a"), Parameter("b"), Parameter("df")
N, ONE_N = Parameter("n", "int64"), Parameter("n", "int64", batched=False)
PVALS = Parameter("pvals", core=1)
SINGLE = ("float32", "float64")
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _last(*types: TensorType) -> Shape:
    """One draw is as long as the last parameter."""
    return types[-1].shape[-1:]


_TABLE = (
    Distribution("random", (), method("random", dtype=True), dtypes=SINGLE),
    Distribution("uniform", (Parameter("low"), Parameter("high")), _uniform, dtypes=SINGLE, slopes=_by_ends),
    Distribution("standard_normal", (), method("standard_normal", dtype=True), dtypes=SINGLE),
    Distribution("normal", (LOC, SCALE), _normal, dtypes=SINGLE, slopes=_by_location),
    Distribution("standard_exponential", (), method("standard_exponential", dtype=True), dtypes=SINGLE),
    Distribution("exponential", (SCALE,), _exponential, dtypes=SINGLE, slopes=_by_scale),
    Distribution("standard_gamma", (SHAPE,), _standard_gamma, dtypes=SINGLE),
    Distribution("gamma", (SHAPE, SCALE), _gamma, dtypes=SINGLE, slopes=_by_scale),
    Distribution("beta", (A, B), method("beta")),
    Distribution("chisquare", (DF,), method("chisquare")),
    Distribution("noncentral_chisquare", (DF, Parameter("nonc")), method("noncentral_chisquare")),
    Distribution("f", (Parameter("dfnum"), Parameter("dfden")), method("f")),
    Distribution(
        "noncentral_f", (Parameter("dfnum"), Parameter("dfden"), Parameter("nonc")), method("noncentral_f")
    ),
    Distribution("gumbel", (LOC, SCALE), method("gumbel"), slopes=_by_location),
    Distribution("laplace", (LOC, SCALE), method("laplace"), slopes=_by_location),
    Distribution("logistic", (LOC, SCALE), method("logistic"), slopes=_by_location),
    Distribution("lognormal", (Parameter("mean"), Parameter("sigma")), method("lognormal"), slopes=_lognormal),
    Distribution("pareto", (A,), method("pareto"), slopes=_pareto),
    Distribution("power", (A,), method("power"), slopes=_by_power),
    Distribution("rayleigh", (SCALE,), method("rayleigh"), slopes=_by_scale),
    Distribution("standard_cauchy", (), method("standard_cauchy")),
    Distribution("standard_t", (DF,), method("standard_t")),
    Distribution("triangular", (Parameter("left"), Parameter("mode"), Parameter("right")), method("triangular")),
    Distribution("vonmises", (Parameter("mu"), Parameter("kappa")), method("vonmises")),
    Distribution("wald", (Parameter("mean"), SCALE), method("wald")),
    Distribution("weibull", (A,), method("weibull"), slopes=_by_power),
    Distribution("bernoulli", (P,), _bernoulli, "bool"),
    Distribution("binomial", (N, P), method("binomial"), "int64"),
    Distribution("geometric", (P,), method("geometric"), "int64"),
    Distribution(
        "hypergeometric",
        (Parameter("ngood", "int64"), Parameter("nbad", "int64"), Parameter("nsample", "int64")),
        method("hypergeometric"), "int64",
    ),
    Distribution("logseries", (P,), method("logseries"), "int64"),
    Distribution("negative_binomial", (Parameter("n"), P), method("negative_binomial"), "int64"),
    Distribution("poisson", (Parameter("lam"),), method("poisson"), "int64"),
    Distribution("zipf", (A,), method("zipf"), "int64"),
    Distribution(
        "integers", (Parameter("low", "int64"), Parameter("high", "int64")), method("integers", dtype=True),
        "int64", INTEGERS,
    ),
    Distribution("categorical", (PVALS,), _categorical, "int64"),
    Distribution("multinomial", (N, PVALS), method("multinomial"), "int64", event=_last),
    Distribution("dirichlet", (Parameter("alpha", core=1, batched=False),), method("dirichlet"), event=_last),
    Distribution(
        "multivariate_normal",
        (Parameter("mean", core=1, batched=False), Parameter("cov", core=2, batched=False)),
        method("multivariate_normal"), event=_last,
    ),
    Distribution("choice", (ONE_N, Parameter("p", core=1, batched=False)), _choice, "int64"),
    Distribution("permutation", (ONE_N,), _permutation, "int64", event=lambda n: (None,)),
    Distribution(
        "permuted", (Parameter("shape", "int64", core=1, batched=False),), _permuted, "int64",
        event=lambda shape: (None,) * (shape.shape[0] or 0),
    ),
)  # fmt: skip

DISTRIBUTIONS = {distribution.name: distribution for distribution in _TABLE}
