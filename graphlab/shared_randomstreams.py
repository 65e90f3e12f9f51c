"""Theano's RandomStreams: the methods of theano.tensor.shared_randomstreams and rng_mrg, with their order of arguments.

>>> import graphlab, graphlab.tensor as T
>>> srng, x = RandomStreams(seed=1), T.dmatrix("x")
>>> dropped = graphlab.function([x], x * srng.binomial(x.shape, n=1, p=0.5, dtype=x.dtype))
>>> dropped([[1.0, 2.0]]).shape
(1, 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlab.graph.node import Variable
from graphlab.ops.extents import broadcast_to
from graphlab.ops.ranges import arange
from graphlab.options import options
from graphlab.random import RandomStream

if TYPE_CHECKING:
    from graphlab.random import Seed


class RandomStreams:
    """A RandomStream whose methods take the size first, as Theano's; float numbers are of floatX unless `dtype` says.

    The numbers are those of the RandomStream `stream` behind it, not Theano's. `ndim` is accepted: the rank
    follows from `size`.
    """

    def __init__(self, seed: Seed = None) -> None:
        self.stream = RandomStream(seed)

    def seed(self, seed: Seed) -> None:
        """Begin anew."""
        self.stream.seed(seed)

    def uniform(self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
                dtype: Any = None) -> Variable:  # fmt: skip
        """Uniform on [low, high)."""
        return self.stream.uniform(low, high, size, dtype or options().floatX)

    def normal(self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
               dtype: Any = None) -> Variable:  # fmt: skip
        """Normal with mean `avg` and standard deviation `std`."""
        return self.stream.normal(avg, std, size, dtype or options().floatX)

    def binomial(self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
                 dtype: Any = "int64") -> Variable:  # fmt: skip
        """How many of `n` trials succeed; a single one is drawn as Bernoulli's, which is quicker."""
        if isinstance(n, int) and n == 1:
            return self.stream.bernoulli(p, size, dtype)
        return self.stream.binomial(n, p, size, dtype)

    def random_integers(self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
                        dtype: Any = "int64") -> Variable:  # fmt: skip
        """Integers from `low` to `high`, both of them possible."""
        return self.stream.integers(low, high, size, dtype, endpoint=True)

    def poisson(self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64") -> Variable:
        """Poisson with mean `lam`."""
        return self.stream.poisson(lam, size, dtype)

    def choice(self, size: Any = 1, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
               dtype: Any = "int64") -> Variable:  # fmt: skip
        """Elements of `a`, or of arange(a)."""
        return self.stream.choice(a, size, replace, p).astype(dtype)

    def permutation(self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64") -> Variable:
        """The numbers from 0 to `n` - 1 in another order, once for each place of `size`."""
        if size is None:
            return self.stream.permutation(n).astype(dtype)
        shape = [*(size if isinstance(size, list | tuple) else [size]), n]
        return self.stream.permuted(broadcast_to(arange(n), shape), axis=-1).astype(dtype)

    def multinomial(self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
                    dtype: Any = "int64") -> Variable:  # fmt: skip
        """How often each outcome comes in `n` trials."""
        return self.stream.multinomial(n, pvals, size, dtype)

    def shuffle_row_elements(self, x: Any) -> Variable:
        """The elements of each row of `x` (along its last axis) in another order."""
        return self.stream.permuted(x, axis=-1)


MRG_RandomStreams = RandomStreams
