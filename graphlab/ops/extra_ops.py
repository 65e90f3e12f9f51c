"""T.extra_ops: the names of theano.tensor.extra_ops, which all stand in graphlab.tensor itself."""

from __future__ import annotations

from graphlab.ops.cumulative import bincount, cumprod, cumsum, diff
from graphlab.ops.extents import broadcast_to
from graphlab.ops.join import repeat
from graphlab.ops.ordering import searchsorted, unique
from graphlab.ops.shape import squeeze
from graphlab.ops.theano_names import fill_diagonal, fill_diagonal_offset, to_one_hot

__all__ = [
    "bincount", "broadcast_to", "cumprod", "cumsum", "diff", "fill_diagonal", "fill_diagonal_offset", "repeat",
    "searchsorted", "squeeze", "to_one_hot", "unique",
]  # fmt: skip
