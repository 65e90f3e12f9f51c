"""What a value looks like: its statistics, a few of its elements, and small charts drawn as SVG."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SAMPLE = 4096  # a chart looks at no more elements than these
ROWS, COLUMNS = 6, 8  # elements listed
GRID = 64  # largest side of a heatmap
BINS = 24
FEW = 16  # fewer elements need no histogram


def summary(value: Array) -> dict[str, Any]:
    """Facts, listed elements and charts of `value` as JSON-able data; texts stand for the numbers."""
    array = np.asarray(value)
    facts = [
        ["dtype", array.dtype.name],
        ["shape", "×".join(map(str, array.shape)) or "scalar"],
        ["strides", ", ".join(map(str, array.strides)) or "–"],
        *_moments(array),
    ]
    elements, shown = listed(array)
    return {
        "facts": facts,
        "elements": elements,
        "showing": _showing(shown, array.size),
        "charts": charts(array),
    }


def _showing(shown: int, total: int) -> str:
    return f"showing {shown:,} of {total:,}"


def number(x: Any) -> str:
    """The shortest text of a NumPy scalar that reads back as it, as NumPy prints it.

    >>> number(np.float32(0.1)), number(np.float64("nan")), number(np.int8(-3))
    ('0.1', 'nan', '-3')
    """
    return str(x)


def _moments(array: Array) -> list[list[str]]:
    if array.size == 0:
        return [["elements", "0"]]
    if array.dtype.kind == "c":
        return [["elements", f"{array.size:,}"], ["nan", f"{int(np.isnan(array).sum()):,}"]]
    if array.dtype.kind == "b":
        return [["true", f"{int(array.sum()):,}"], ["false", f"{int((~array).sum()):,}"]]
    wide = array.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    facts = [["min", _short(finite.min())], ["max", _short(finite.max())]] if finite.size else []
    if finite.size > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            facts += [["mean", _short(finite.mean())], ["std", _short(finite.std())]]
    counts = {
        "nan": np.isnan(wide).sum(), "+inf": np.isposinf(wide).sum(),
        "-inf": np.isneginf(wide).sum(), "zero": (wide == 0).sum(),
    }  # fmt: skip
    always = ("nan", "zero")
    return facts + [[name, f"{int(n):,}"] for name, n in counts.items() if n or name in always]


def _short(x: float) -> str:
    return f"{x:.6g}"


def listed(array: Array) -> tuple[list[list[str]], int]:
    """The leading corner of `array` as rows of texts, and how many elements that is."""
    grid = array.reshape(1, -1) if array.ndim < 2 else array.reshape(-1, array.shape[-1]) if array.size else array
    if not array.size:
        return [], 0
    corner = grid[: 1 if array.ndim < 2 else ROWS, :COLUMNS]
    return [[number(x) for x in row] for row in corner], corner.size


# ---- charts --------------------------------------------------------------------------------------


def charts(array: Array) -> list[str]:
    """SVG drawings that suit `array`: none for scalars, a sparkline or heatmap, for many a histogram too."""
    if array.size < 2 or array.dtype.kind == "c":
        return []
    shape = [n for n in array.shape if n != 1]
    numbers = array.astype(np.float64).reshape(shape)
    first = sparkline(numbers) if numbers.ndim == 1 else heatmap(numbers.reshape(-1, shape[-1]))
    return [first, histogram(numbers.ravel())] if numbers.size >= FEW else [first]


def _svg(width: int, height: int, label: str, body: Sequence[str]) -> str:
    return (
        f'<svg class="gl-chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="gl-tick" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{text}</text>'


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def _scaled(numbers: Array) -> tuple[float, float, Array]:
    """The smallest and the largest finite number, and where each lies between them: 0 to 1."""
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    span = high / 2 - low / 2  # halves: the whole span may overflow
    return low, high, (numbers / 2 - low / 2) / span if span else np.full(numbers.shape, 0.5)


def _marker(x: float, y: float, value: float, size: float = 3.0) -> str:
    """NaN is a cross, +inf a triangle up, -inf a triangle down: told by shape, not by colour alone."""
    s = size
    if math.isnan(value):
        left, right, top, bottom = _n(x - s), _n(x + s), _n(y - s), _n(y + s)
        d = f"M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}"
        return f'<path class="gl-nan" d="{d}"/>'
    up = 1 if value > 0 else -1
    d = f"M{_n(x - s)} {_n(y + up * s)}L{_n(x + s)} {_n(y + up * s)}L{_n(x)} {_n(y - up * s)}Z"
    return f'<path class="gl-inf" d="{d}"/>'


def _thin(numbers: Array, most: int) -> Array:
    """At most `most` elements of a vector, evenly taken, first and last among them."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).astype(np.intp)]


def sparkline(numbers: Array) -> str:
    """A vector as a line over its index; what is not finite stands at the edge as a mark."""
    width, height, left, top, bottom = 300, 92, 6, 16, 18
    drawn = _thin(numbers, 256)
    low, high, levels = _scaled(drawn)
    xs = left + np.arange(len(drawn)) * (width - 2 * left) / max(len(drawn) - 1, 1)
    ys = height - bottom - levels * (height - top - bottom)
    pieces, marks, pen = [], [], "M"
    for x, y, value in zip(xs, ys, drawn, strict=True):
        if math.isfinite(value):
            pieces.append(f"{pen}{_n(x)} {_n(y)}")
            pen = "L"
        else:
            pen = "M"
            marks.append(_marker(x, height - bottom if value < 0 else top if value > 0 else height / 2, value))
    body = [f'<path class="gl-line" d="{"".join(pieces)}"/>'] if pieces else []
    if len(drawn) <= 40:
        points = zip(xs, ys, drawn, strict=True)
        body += [f'<circle class="gl-dot" cx="{_n(x)}" cy="{_n(y)}" r="2"/>' for x, y, v in points if math.isfinite(v)]
    texts = [
        _text(left, 10, f"max {_short(high)}"), _text(left, height - 4, f"min {_short(low)}"),
        _text(width - left, height - 4, _showing(len(drawn), len(numbers)), "end"),
    ]  # fmt: skip
    return _svg(width, height, "values by index", [*body, *marks, *texts])


def heatmap(grid: Array) -> str:
    """A matrix as tiles, at most 64 on a side; blue is low, vermillion is high, near white lies between."""
    picked = grid[np.ix_(_indices(grid.shape[0]), _indices(grid.shape[1]))]
    low, high, levels = _scaled(picked)
    rows, columns = picked.shape
    cell = max(3, min(18, 300 // columns, 180 // rows))
    height, width = rows * cell, columns * cell
    colours = _colours(levels)
    colours[~np.isfinite(picked)] = (128, 128, 128)
    data = base64.b64encode(_png(colours.repeat(cell, 0).repeat(cell, 1))).decode()
    body = [f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/>']
    holes = np.argwhere(~np.isfinite(picked))
    size = max(1.0, cell / 2 - 1.5)
    body += [_marker((j + 0.5) * cell, (i + 0.5) * cell, picked[i, j], size) for i, j in holes]
    texts = [
        _text(0, height + 13, f"{_short(low)} … {_short(high)}"),
        _text(0, height + 26, _showing(picked.size, grid.size)),
    ]
    return _svg(max(width, 190), height + 30, "values as a heatmap", [*body, *texts])


def _indices(extent: int) -> Array:
    picked: Array = np.linspace(0, extent - 1, min(extent, GRID)).astype(np.intp)
    return picked


# Okabe-Ito blue, near white, Okabe-Ito vermillion: told apart by every kind of colour vision.
_LOW, _MIDDLE, _HIGH = np.array([(0, 114, 178), (245, 243, 238), (213, 94, 0)])


def _colours(levels: Array) -> Array:
    t = np.where(np.isfinite(levels), levels, 0.5)[..., None]
    mixed = np.where(t < 0.5, _LOW + (_MIDDLE - _LOW) * t * 2, _MIDDLE + (_HIGH - _MIDDLE) * (t * 2 - 1))
    colours: Array = mixed.round().astype(np.uint8)
    return colours


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


def histogram(numbers: Array) -> str:
    """How often values occur, in 24 bins between the smallest and the largest finite one."""
    width, height, bottom, left = 300, 78, 16, 6
    finite = _thin(numbers, SAMPLE)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return _svg(width, 20, "no finite values", [_text(left, 13, "no finite values")])
    low, high, levels = _scaled(finite)
    # Binned by hand: numpy.histogram refuses ranges too narrow to split, which values may well have.
    bins = np.clip((levels * BINS).astype(np.intp), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    bar, scale = (width - 2 * left) / BINS, (height - bottom - 6) / counts.max()
    body = [
        f'<rect class="gl-bar" x="{_n(left + k * bar)}" y="{_n(height - bottom - n * scale)}" '
        f'width="{_n(bar - 1)}" height="{_n(n * scale)}"/>'
        for k, n in enumerate(counts)
        if n
    ]
    shown = _showing(finite.size, numbers.size)
    texts = [
        _text(left, height - 4, _short(low)), _text(width - left, height - 4, _short(high), "end"),
        _text(width / 2, height - 4, shown, "middle"),
    ]  # fmt: skip
    return _svg(width, height, "histogram", [*body, *texts])
