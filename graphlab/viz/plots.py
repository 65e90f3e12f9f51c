"""Numbers as small pictures in SVG: a line, a map and a histogram, in which no NaN and no infinity is ever lost.

NaN is a cross, +inf a triangle that points up, -inf one that points down: told by shape, not by colour alone. What has
more elements than a picture has room for is pooled, and says so: a tile that holds a single NaN among a million has its
cross.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

GRID = 64  # largest side of a map, in tiles
POINTS = 256  # of a line
BINS = 24
SAMPLE = 1 << 20  # elements that a histogram looks at
KINDS = ("nan", "+inf", "-inf")


def showing(shown: int, total: int) -> str:
    """How much of a value is there to see.

    >>> showing(48, 10000)
    'showing 48 of 10,000'
    """
    return f"showing {shown:,} of {total:,}"


def reals(array: Array) -> Array:
    """`array` as float64, to be drawn: of complex numbers the moduli, NaN where either part is NaN."""
    if array.dtype.kind == "c":
        return np.where(np.isnan(array), np.nan, np.abs(array)).astype(np.float64)
    return array.astype(np.float64, copy=False)


def short(x: float) -> str:
    """Six digits, which tell numbers apart at a glance."""
    return f"{x:.6g}"


# ---- pooling -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tiles:
    """A matrix pooled to `mean`: of the finite elements of each tile, NaN where there are none.

    `low` and `high` are the smallest and largest of them, `odd[k]` says whether one of KINDS[k] is in the tile, and
    `each` is how many elements the largest tile has.
    """

    mean: Array
    low: Array
    high: Array
    odd: Array
    each: int


def tiles(grid: Array, rows: int = GRID, columns: int = GRID) -> Tiles:
    """`grid`, which has elements, pooled to at most `rows` x `columns` tiles: every element counts."""
    down, across = _edges(grid.shape[0], rows), _edges(grid.shape[1], columns)
    widths = np.diff([*across, grid.shape[1]])
    parts = [_row(reals(grid[a:b]), across, widths) for a, b in pairwise([*down, grid.shape[0]])]
    mean, low, high, *odd = (np.stack(part) for part in zip(*parts, strict=True))
    each = int(max(np.diff([*down, grid.shape[0]])) * max(widths))
    return Tiles(mean, low, high, np.stack(odd), each)


def _edges(extent: int, most: int) -> Array:
    return np.linspace(0, extent, min(extent, most) + 1).astype(np.intp)[:-1]


def _row(slab: Array, across: Array, widths: Array) -> tuple[Array, ...]:
    """A row of tiles: mean, smallest, largest; NaN, +inf, -inf."""
    finite, size = np.isfinite(slab), widths * len(slab)
    count = np.add.reduceat(finite.sum(0), across)
    # Each element by the size of its tile, before the sum: the sum itself might overflow.
    parts = np.where(finite, slab, 0.0) / np.repeat(size, widths)
    with np.errstate(all="ignore"):
        mean = np.where(count > 0, np.add.reduceat(parts.sum(0), across) * (size / count), np.nan)
    low = np.minimum.reduceat(np.where(finite, slab, np.inf).min(0), across)
    high = np.maximum.reduceat(np.where(finite, slab, -np.inf).max(0), across)
    odd = (np.logical_or.reduceat(f(slab).any(0), across) for f in (np.isnan, np.isposinf, np.isneginf))
    return mean, low, high, *odd


# ---- drawing -------------------------------------------------------------------------------------


def _svg(width: float, height: float, label: str, body: Sequence[str], data: str = "") -> str:
    return (
        f'<svg class="gl-chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" aria-label="{label}"{data}>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="gl-tick" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{text}</text>'


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def mark(kind: str, x: float, y: float, size: float = 3.0) -> str:
    """The outline of one of KINDS around a point.

    >>> mark("+inf", 5, 5)
    'M2 8L8 8L5 2Z'
    """
    left, right, top, bottom = _n(x - size), _n(x + size), _n(y - size), _n(y + size)
    if kind == "nan":
        return f"M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}"
    base, tip = (bottom, top) if kind == "+inf" else (top, bottom)
    return f"M{left} {base}L{right} {base}L{_n(x)} {tip}Z"


def _marks(places: Sequence[tuple[str, float, float]], size: float = 3.0, *, on_colour: bool = False) -> Iterator[str]:
    """The marks of each kind as one path; on a ground of any colour with a pale rim."""
    for kind in KINDS:
        d = "".join(mark(kind, x, y, size) for what, x, y in places if what == kind)
        if d and on_colour:
            yield f'<path class="gl-halo" d="{d}"/>'
        if d:
            name = "gl-nan" if kind == "nan" else "gl-inf"
            yield f'<path class="{name}{" gl-on" if on_colour else ""}" data-kind="{kind}" d="{d}"/>'


def _bounds(low: Array, high: Array) -> tuple[float, float]:
    """The smallest and the largest finite number there is; 0 and 0 if there is none."""
    lows, highs = low[np.isfinite(low)], high[np.isfinite(high)]
    return (float(lows.min()), float(highs.max())) if lows.size else (0.0, 0.0)


def _levels(numbers: Array, low: float, high: float) -> Array:
    """Where each number lies between `low` and `high`, from 0 to 1."""
    span = high / 2 - low / 2  # halves: the whole span may overflow
    return (numbers / 2 - low / 2) / span if span else np.full(np.shape(numbers), 0.5)


def line(numbers: Array) -> str:
    """A vector over its index: of many, the mean of neighbours and the range around it. Marks stand at the edges."""
    width, height, left, top, bottom = 300, 92, 6, 16, 18
    pool = tiles(numbers.reshape(1, -1), 1, POINTS)
    mean, odd = pool.mean[0], pool.odd[:, 0]
    low, high = _bounds(pool.low, pool.high)
    xs = left + np.arange(len(mean)) * (width - 2 * left) / max(len(mean) - 1, 1)

    def heights(values: Array) -> Array:
        return height - bottom - _levels(values, low, high) * (height - top - bottom)

    body = list[str]()
    for run in _runs(np.isfinite(mean)):
        if pool.each > 1:
            rim = [*zip(xs[run], heights(pool.high[0, run]), strict=True)]
            rim += reversed([*zip(xs[run], heights(pool.low[0, run]), strict=True)])
            body.append(f'<path class="gl-range" d="{_path(rim)}Z"/>')
        body.append(f'<path class="gl-line" d="{_path([*zip(xs[run], heights(mean[run]), strict=True)])}"/>')
    if len(mean) <= 40:
        points = zip(xs, heights(mean), mean, strict=True)
        body += [f'<circle class="gl-dot" cx="{_n(x)}" cy="{_n(y)}" r="2"/>' for x, y, v in points if math.isfinite(v)]
    edge = {"nan": height / 2, "+inf": top, "-inf": height - bottom}
    body += _marks([(kind, xs[k], edge[kind]) for kind, there in zip(KINDS, odd, strict=True)
                    for k in np.flatnonzero(there)])  # fmt: skip
    of_each = f" by {pool.each:,}s" if pool.each > 1 else ""
    texts = [
        _text(left, 10, f"max {short(high)}"), _text(left, height - 4, f"min {short(low)}"),
        _text(width - left, height - 4, f"{showing(numbers.size, numbers.size)}{of_each}", "end"),
    ]  # fmt: skip
    return _svg(width, height, "values by index", [*body, *texts], f' data-axis="{numbers.size}"')


def _runs(there: Array) -> Iterator[slice]:
    """The stretches of neighbours that are there."""
    changes = np.flatnonzero(np.diff(np.r_[False, there, False]))
    yield from (slice(a, b) for a, b in zip(changes[::2], changes[1::2], strict=True))


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def heatmap(grid: Array, total: int, window: tuple[int, int, int, int] | None = None) -> str:
    """A matrix as tiles, at most 64 on a side; of a value of `total` elements.

    Blue is low, vermillion is high; near white is 0 where there are both signs, else the middle. `window`: first and
    last row, first and last column of a part that gets a frame.
    """
    pool = tiles(grid)
    low, high = _bounds(pool.low, pool.high)
    bound = max(-low, high) if low < 0 < high else 0.0
    first, last = (-bound, bound) if bound else (low, high)
    rows, columns = pool.mean.shape
    cell = max(4, min(18, 300 // columns, 180 // rows))
    height, width = rows * cell, columns * cell
    colours = _colours(_levels(pool.mean, first, last))
    colours[~np.isfinite(pool.mean)] = (150, 150, 150)
    body = [_image(colours.repeat(cell, 0).repeat(cell, 1), 0, 0, width, height)]
    if window is not None:
        top, bottom, left, right = window
        down, across = height / grid.shape[0], width / grid.shape[1]
        size = f'width="{_n((right + 1 - left) * across)}" height="{_n((bottom + 1 - top) * down)}"'
        body.append(f'<rect class="gl-window" x="{_n(left * across)}" y="{_n(top * down)}" {size}/>')
    places = [(kind, (j + 0.5) * cell, (i + 0.5) * cell) for kind, there in zip(KINDS, pool.odd, strict=True)
              for i, j in np.argwhere(there)]  # fmt: skip
    body += _marks(places, max(2.5, cell / 2 - 2.5), on_colour=True)
    scale = _colours(_levels(np.linspace(low, high, 64), first, last))[None]
    of_each = f", each tile the mean of {pool.each:,}" if pool.each > 1 else ""
    texts = [
        _image(scale, 0, height + 8, 90, 7), _text(96, height + 15, f"{short(low)} … {short(high)}"),
        _text(0, height + 30, f"{showing(grid.size, total)}{of_each}"),
    ]  # fmt: skip
    data = f' data-rows="{grid.shape[0]}" data-columns="{grid.shape[1]}" data-width="{width}" data-height="{height}"'
    return _svg(max(width, 300 if of_each else 210), height + 34, "values as a map", [*body, *texts], data)


# Okabe-Ito blue, near white, Okabe-Ito vermillion: told apart by every kind of colour vision.
_LOW, _MIDDLE, _HIGH = np.array([(0, 114, 178), (245, 243, 238), (213, 94, 0)])


def _colours(levels: Array) -> Array:
    t = np.where(np.isfinite(levels), levels, 0.5)[..., None]
    mixed = np.where(t < 0.5, _LOW + (_MIDDLE - _LOW) * t * 2, _MIDDLE + (_HIGH - _MIDDLE) * (t * 2 - 1))
    colours: Array = mixed.round().astype(np.uint8)
    return colours


def _image(pixels: Array, x: float, y: float, width: float, height: float) -> str:
    data = base64.b64encode(_png(pixels)).decode()
    return (
        f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{data}"/>'
    )


def _png(pixels: Array) -> bytes:
    """An RGB image of uint8[rows, columns, 3] as a PNG file: signature, header, data, end."""
    rows, columns, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # each line begins with its filter: none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def histogram(array: Array) -> str:
    """How often values occur, in 24 bins between the smallest and the largest finite one; beside it what is not."""
    width, height, bottom, left = 300, 92, 18, 6
    flat = array.reshape(-1)
    sample = reals(flat if flat.size <= SAMPLE else flat[:: -(-flat.size // SAMPLE)])
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return _svg(width, 20, "no finite values", [_text(left, 13, "no finite values")])
    low, high = float(finite.min()), float(finite.max())
    # Binned by hand: numpy.histogram refuses ranges too narrow to split, which values may well have.
    places = np.clip((_levels(finite, low, high) * BINS).astype(np.intp), 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    bar, scale = (width - 2 * left) / BINS, (height - bottom - 16) / counts.max()
    body = [
        f'<rect class="gl-bar" x="{_n(left + k * bar)}" y="{_n(height - bottom - max(n * scale, 0.7))}" '
        f'width="{_n(bar - 1)}" height="{_n(max(n * scale, 0.7))}"/>'
        for k, n in enumerate(counts)
        if n
    ]
    body.append(f'<path class="gl-axis" d="M{left} {_n(height - bottom + 0.5)}H{width - left}"/>')
    texts = [
        _text(left, height - 4, short(low)), _text(width - left, height - 4, short(high), "end"),
        _text(left, 10, f"up to {counts.max():,}"),
        _text(width - left, 10, showing(finite.size, array.size), "end"),
    ]  # fmt: skip
    return _svg(width, height, "histogram", [*body, *texts])
