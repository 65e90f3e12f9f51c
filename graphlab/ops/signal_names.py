"""T.signal: pools under the names of theano.tensor.signal: T.signal.pool.pool_2d, T.signal.downsample.max_pool_2d."""

from __future__ import annotations

from graphlab.ops import pooling as downsample
from graphlab.ops import pooling as pool

__all__ = ["downsample", "pool"]
