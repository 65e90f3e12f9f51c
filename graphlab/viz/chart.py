"""A series of statistics over calls as a small picture: a line, the range around it, and marks where NaN were."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.debug.record import Series
from graphlab.errors import GraphValueError, caller_origin
from graphlab.graph.text import maths
from graphlab.viz.escape import escape

Array = np.ndarray[Any, Any]

NAMES = ("mean", "std", "min", "max", "nan", "inf", "zero")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 180, 64, 12, 26, 24
POINTS = 400  # more calls are drawn as ranges of several
LINE, RANGE, NAN, INF = "#0072B2", "#56B4E9", "#D55E00", "#CC79A7"  # M. Okabe, K. Ito: seen by all eyes


@dataclass(frozen=True, repr=False)
class Chart:
    """A picture; `text` says in words what it shows."""

    svg: str
    text: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the SVG to `path`, which is returned."""
        target = Path(path)
        target.write_text(self.svg, encoding="utf-8")
        return target

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def chart(series: Series, name: str = "mean") -> Chart:
    """The chart of `series`; GraphValueError if it has no numbers called `name`."""
    if name not in NAMES:
        raise GraphValueError(f"a log has no {name!r}", origin=caller_origin(), hint=f"it has {', '.join(NAMES)}")
    return Chart("\n".join(_lines(series, name)), str(series))


def _lines(series: Series, name: str) -> Iterator[str]:
    values = np.asarray(getattr(series, name), float)
    low, high = (series.min, series.max) if name == "mean" else (values, values)
    calls, middle, low, high = _thinned(series.calls, values, low, high)
    title = f"{series.variable.name or maths(series.variable, limit=40)}: {name} over calls"
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
           f' role="img" font-family="sans-serif" font-size="11">')  # fmt: skip
    yield f"<title>{escape(title)}</title><desc>{escape(str(series))}</desc>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield f'<text x="{LEFT}" y="16" fill="#222222">{escape(title)}</text>'
    bounds = [v for v in (*low, *high) if math.isfinite(v)]
    bottom, top = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    first, last = (float(calls[0]), float(calls[-1])) if len(calls) else (0.0, 1.0)
    span, length = (top - bottom) or 1.0, (last - first) or 1.0

    def at(call: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (call - first) / length
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / span

    yield from _axes(bottom, top, first, last)
    if name == "mean":
        for run in _runs(calls, low, high):
            outline = [at(c, v) for c, v, _ in run] + [at(c, v) for c, _, v in reversed(run)]
            yield f'<polygon points="{_points(outline)}" fill="{RANGE}" fill-opacity="0.35"/>'
    for run in _runs(calls, middle, middle):
        line = _points([at(c, v) for c, v, _ in run])
        yield f'<polyline points="{line}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'
    yield from _marks(series, lambda call: at(call, bottom)[0])
    yield "</svg>"


def _axes(bottom: float, top: float, first: float, last: float) -> Iterator[str]:
    grey, floor = 'stroke="#888888"', HEIGHT - BOTTOM
    yield f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}" fill="none" {grey}/>'
    for value, y in ((top, TOP + 4), (bottom, floor)):
        yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" fill="#222222">{value:.4g}</text>'
    for call, x, anchor in ((first, LEFT, "start"), (last, WIDTH - RIGHT, "end")):
        yield f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}" fill="#222222">call {call:.0f}</text>'


def _marks(series: Series, x_of: Any) -> Iterator[str]:
    """A cross under each call with NaN, a triangle where there are infinities: shapes, not colours alone."""
    for kind, colour, y in (("nan", NAN, HEIGHT - BOTTOM - 5), ("inf", INF, HEIGHT - BOTTOM - 13)):
        odd = series.calls[getattr(series, kind) > 0]
        for call in odd[:: max(1, len(odd) // POINTS)]:
            x = x_of(float(call))
            path = f"M{x - 3:.1f} {y - 3}l6 6m0 -6l-6 6" if kind == "nan" else f"M{x - 3:.1f} {y + 3}h6l-3 -6z"
            yield f'<path d="{path}" fill="none" stroke="{colour}"><title>{kind} in call {call}</title></path>'


def _thinned(calls: Array, middle: Array, low: Array, high: Array) -> tuple[Array, Array, Array, Array]:
    """Groups of neighbouring calls, where there are more than can be seen: their mean, their lowest, their highest."""
    size = -(-len(calls) // POINTS)
    if size <= 1:
        return calls, middle, low, high
    groups = range(0, len(calls), size)
    found = []
    for numbers, fold in ((calls, np.min), (middle, np.mean), (low, np.min), (high, np.max)):
        parts = (numbers[k : k + size] for k in groups)
        found.append(np.array([fold(p[np.isfinite(p)]) if np.isfinite(p).any() else np.nan for p in parts], float))
    return found[0], found[1], found[2], found[3]


def _runs(calls: Array, low: Array, high: Array) -> Iterator[list[tuple[float, float, float]]]:
    """Neighbouring calls whose numbers are finite."""
    run: list[tuple[float, float, float]] = []
    for call, a, b in zip(calls, low, high, strict=True):
        if math.isfinite(a) and math.isfinite(b):
            run.append((float(call), float(a), float(b)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
