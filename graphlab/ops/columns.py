"""Images, filters and results of convolutions as matrices: windows side by side as columns, filters as rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlab.graph.node import Variable
from graphlab.graph.types import Shape
from graphlab.ops.base import Array
from graphlab.ops.extents import reshape
from graphlab.ops.geometry import Geometry, Pair
from graphlab.ops.index import index
from graphlab.ops.rearrange import extent_along, pad
from graphlab.ops.shape import swapaxes, transpose
from graphlab.ops.windows import Windows, windows


def seen_windows(geometry: Geometry, x: Variable, kernel: Sequence[Any]) -> Variable:
    """The windows of padded images: (batch, channels, the result's extents, the filters' extents)."""
    padded = pad(x, [(0, 0), (0, 0), *geometry.pads(kernel)])
    return windows(padded, kernel, geometry.stride, geometry.dilation)


def seen_windows_numpy(geometry: Geometry, x: Array, kernel: Shape) -> Array:
    """The same by NumPy."""
    padded = np.pad(x, [(0, 0), (0, 0), *geometry.pads(kernel)])
    seen: Array = Windows(geometry.stride, geometry.dilation, kernel).numpy(padded, np.array(kernel))
    return seen


def numbers(vector: Variable, known: Shape) -> list[Any]:
    """The elements of `vector`, Python integers where they are known."""
    return [index(vector, k) if n is None else n for k, n in enumerate(known)]


def _grouped(x: Variable, groups: int, rows: Sequence[Any], columns: Sequence[Any]) -> Variable:
    """`x` as a matrix, or for several groups as a batch of them; `rows` count the first axes, `columns` the others."""
    if groups == 1:
        return reshape(x, [_product(rows), _product(columns)])
    first, *others = rows
    return reshape(x, [groups, _product([first // groups, *others]), _product(columns)])


def _product(extents: Sequence[Any]) -> Any:
    """Known extents first, so that their product is a number."""
    known = math.prod(n for n in extents if isinstance(n, int))
    unknown = [n for n in extents if not isinstance(n, int)]
    return math.prod(unknown[1:], start=unknown[0] if known == 1 else unknown[0] * known) if unknown else known


def filter_rows(w: Variable, groups: int) -> Variable:
    """Filters as rows of a matrix for each group."""
    count, *others = (extent_along(w, a) for a in range(w.ndim))
    return _grouped(w, groups, [count], others)


def map_rows(g: Variable, groups: int) -> Variable:
    """(batch, count, ...) as a row for each count."""
    turned = swapaxes(g, 0, 1)
    count, *others = (extent_along(turned, a) for a in range(g.ndim))
    return _grouped(turned, groups, [count], others)


def window_columns(seen: Variable, groups: int) -> Variable:
    """Windows as columns of a matrix for each group; this is where they are copied."""
    rank = (seen.ndim - 2) // 2
    inside = range(2 + rank, seen.ndim)
    turned = transpose(seen, (1, *inside, 0, *range(2, 2 + rank)))
    extents = [extent_along(turned, a) for a in range(seen.ndim)]
    return _grouped(turned, groups, extents[: 1 + rank], extents[1 + rank :])


def unpadded(x: Variable, pads: Sequence[Pair], shape: Sequence[Any]) -> Variable:
    """The part of `x` that is not padding; `shape`: its last extents."""
    if all(isinstance(n, int) and n == 0 for pair in pads for n in pair):
        return x
    return index(x, (..., *(slice(before, before + n) for (before, _), n in zip(pads, shape, strict=True))))
