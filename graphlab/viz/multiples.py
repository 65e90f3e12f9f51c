"""A log of many calls as small multiples: each array's mean and range over the calls, all on one scale of calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.debug.record import Log, Series
from graphlab.errors import GraphValueError
from graphlab.graph.node import Variable
from graphlab.graph.text import short as formula
from graphlab.viz.escape import clip, escape
from graphlab.viz.plots import mark, short
from graphlab.viz.svg import stylesheet
from graphlab.viz.values import summary

Array = np.ndarray[Any, Any]

MOST = 300  # arrays that are drawn
ROWS = 24_000  # statistics of so many arrays in calls are shown as numbers
POINTS = 240  # of a line: more calls are drawn as ranges of several
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 300, 96, 4, 8, 16
STILL = 12  # charts of the picture that needs no script
KINDS = {"nan": "nan", "inf": "+inf"}  # a log does not know the sign of what is infinite


@dataclass(frozen=True)
class Multiple:
    """One array of a log: its name or formula, its series, and its chart."""

    name: str
    variable: Variable
    series: Series
    chart: str


def multiples(log: Log) -> list[Multiple]:
    """A chart for each array of `log`, those with names first."""
    names = _names(log)
    found = [(v, log[v]) for v in sorted(log.variables, key=lambda v: v not in names)[:MOST]]
    calls = [int(call) for _, series in found for call in series.calls[[0, -1]] if len(series)]
    span = (min(calls), max(calls)) if calls else (0, 0)
    called = ((names.get(v) or formula(v), v, series) for v, series in found)
    return [Multiple(clip(name, 80), v, series, chart(series, span)) for name, v, series in called]


def _names(log: Log) -> dict[Variable, str]:
    """The names of variables; the new value of a shared variable is called after it."""
    names = {v: v.name for v in log.variables if v.name}
    for shared in log.function.updated:
        with suppress(GraphValueError):  # it has no array of its own
            names |= {v: f"{shared.name or 'shared'}, updated" for v in log.forms(shared) if v not in names}
    return names


def data(log: Log, found: Sequence[Multiple]) -> dict[str, Any]:
    """What a page shows of `log`, whose arrays are `found`, but its values, as JSON-able data."""
    places = log.places
    firsts = [first for kind in KINDS if (first := log.first(kind)) is not None]
    known = sorted({int(call) for one in found for call in one.series.calls})
    calls = _chosen(known, {*log.kept, *(first.call for first in firsts)}, max(ROWS // max(len(found), 1), 2))
    keys = {one.variable: k for k, one in enumerate(found)}
    return {
        "name": clip(log.function.name, 200),
        "headline": f"{log.calls:,} calls, {log.looked:,} looked at; showing {len(calls):,} of {len(known):,} calls, "
                    f"{len(found):,} of {len(log.variables):,} arrays",
        "calls": calls,
        "kept": list(log.kept),
        "firsts": [{"text": clip(f"first {first.kind}: {first}", 400), "array": keys.get(first.variable, 0),
                    "call": first.call} for first in firsts],
        "arrays": [{
            "name": one.name,
            "type": str(one.variable.type),
            "step": _step(*places.get(one.variable, (-1, ""))),
            "lines": [[o.label, clip(o.text, 200)] for o in _origins(one.variable)],
            "chart": one.chart,
            "last": short(float(one.series.mean[-1])) if len(one.series) else "",
            "odd": _odd(one.series),
            "calls": one.series.calls[rows].tolist(),
            "rows": [_row(one.series, int(k)) for k in rows],
        } for one in found for rows in [np.flatnonzero(np.isin(one.series.calls, calls))]],
    }  # fmt: skip


def _chosen(known: Sequence[int], wanted: set[int], most: int) -> list[int]:
    """At most `most` of the calls, evenly taken; those that are wanted come first."""
    first = [call for call in known if call in wanted][-most:]
    rest = [call for call in known if call not in wanted]
    picked = np.linspace(0, len(rest) - 1, min(max(most - len(first), 0), len(rest))).astype(np.intp)
    return sorted([*first, *(rest[k] for k in picked)])


def value(log: Log, array: Variable, call: int) -> dict[str, Any]:
    """What `array` was in a call whose arrays were kept: a summary; GraphValueError if that is gone."""
    return summary(log.value(array, call), f"kept from call {call}")


def _step(index: int, name: str) -> str:
    return f"step {index}, {name}" if index >= 0 else name


def _origins(v: Variable) -> Sequence[Any]:
    return v.owner.provenance.origins if v.owner is not None else (v.origin,) if v.origin else ()


def _odd(series: Series) -> list[list[Any]]:
    """In how many calls there was NaN, or infinity, and in which first."""
    found = [(kind, np.flatnonzero(getattr(series, kind))) for kind in KINDS]
    return [[kind, len(k), int(series.calls[k[0]])] for kind, k in found if len(k)]


def _row(series: Series, k: int) -> list[str]:
    moments = [short(float(getattr(series, name)[k])) for name in ("min", "max", "mean", "std")]
    return [*moments, *(f"{int(getattr(series, name)[k]):,}" for name in ("nan", "inf", "zero", "size"))]


# ---- drawing -------------------------------------------------------------------------------------


def chart(series: Series, span: tuple[int, int]) -> str:
    """The mean over the calls of `span` as a line, in the range from min to max; marks where it was not finite."""
    lines = "".join(_lines(series, span))
    label = escape(str(series).partition(":")[2].strip(), 300)
    return (
        f'<svg class="gl-chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{label}">{lines}</svg>'
    )


def _lines(series: Series, span: tuple[int, int]) -> Iterator[str]:
    xs, mean, low, high, odd = _pooled(series, span)
    finite = np.isfinite(mean)
    bottom, top = (float(low[finite].min()), float(high[finite].max())) if finite.any() else (0.0, 0.0)
    half = top / 2 - bottom / 2  # halves: the whole span may overflow

    def heights(values: Array) -> Array:
        part = (values / 2 - bottom / 2) / half if half else np.full(len(values), 0.5)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    changes = np.flatnonzero(np.diff(np.r_[False, finite, False]))
    for first, last in zip(changes[::2], changes[1::2], strict=True):
        run = slice(first, last)
        rim = [*zip(xs[run], heights(high[run]), strict=True)]
        rim += reversed([*zip(xs[run], heights(low[run]), strict=True)])
        yield f'<path class="gl-range" d="{_path(rim)}Z"/>'
        middle = [*zip(xs[run], heights(mean[run]), strict=True)]
        yield f'<path class="gl-line" d="{_path(middle)}"/>' if len(middle) > 1 else (
            f'<circle class="gl-dot" cx="{middle[0][0]:.1f}" cy="{middle[0][1]:.1f}" r="2"/>')  # fmt: skip
    for row, (kind, there) in enumerate(odd.items()):
        y = HEIGHT - BOTTOM - 5 - 8 * row
        d = "".join(mark(KINDS[kind], float(x), y, 3) for x in xs[there])
        if d:
            yield f'<path class="gl-{kind}" data-kind="{KINDS[kind]}" d="{d}"/>'
    yield f'<path class="gl-axis" d="M{LEFT} {HEIGHT - BOTTOM + 0.5}H{WIDTH - LEFT}"/>'
    yield f'<text class="gl-tick" x="{LEFT}" y="{HEIGHT - 4}">call {span[0]}</text>'
    yield f'<text class="gl-tick" x="{WIDTH - LEFT}" y="{HEIGHT - 4}" text-anchor="end">{span[1]}</text>'
    limits = f"{short(bottom)} … {short(top)}" if finite.any() else "nothing finite"
    yield f'<text class="gl-tick" x="{WIDTH / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{limits}</text>'


def _pooled(series: Series, span: tuple[int, int]) -> tuple[Array, Array, Array, Array, dict[str, Array]]:
    """Places on the scale of calls; there the mean, the lowest, the highest, and whether there was anything odd."""
    if not len(series):
        nothing = np.zeros(0)
        return nothing, nothing, nothing, nothing, {}
    length = max(span[1] - span[0], 1)
    bins = (series.calls - span[0]) * min(POINTS - 1, length) // length
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    count = np.add.reduceat(np.isfinite(series.mean).astype(float), starts)
    parts = np.where(np.isfinite(series.mean), series.mean, 0.0) / np.repeat(
        np.maximum(count, 1), np.diff([*starts, len(bins)])
    )
    mean = np.where(count > 0, np.add.reduceat(parts, starts), np.nan)
    low, high = np.fmin.reduceat(series.min, starts), np.fmax.reduceat(series.max, starts)
    odd = {kind: np.add.reduceat(getattr(series, kind), starts) > 0 for kind in KINDS}
    xs = LEFT + (WIDTH - 2 * LEFT) * (series.calls[starts] - span[0]) / length
    return xs, mean, low, high, odd


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def still(log: Log) -> str:
    """The first charts in one document that needs neither script nor stylesheet."""
    found = multiples(log)
    shown = found[:STILL]
    columns, width, height = 3, WIDTH + 24, HEIGHT + 30
    rows = -(-len(shown) // columns)
    body = [
        f'<g transform="translate({12 + k % columns * width},{34 + k // columns * height})">'
        f'<text class="gl-caption" y="-6">{escape(clip(one.name, 40))}</text>{one.chart}</g>'
        for k, one in enumerate(shown)
    ]
    title = escape(f"{log.function.name}: {log.calls} calls; showing {len(shown)} of {len(log.variables)} arrays")
    total = columns * width, 50 + max(rows, 1) * height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gl-chart" width="{total[0]}" height="{total[1]}" '
        f'viewBox="0 0 {total[0]} {total[1]}" role="img"><title>{title}</title><style>{stylesheet()}{_RULES}</style>'
        f'<rect class="gl-paper" width="{total[0]}" height="{total[1]}"/>'
        f'<text class="gl-tick" x="12" y="{total[1] - 10}">{title}</text>{"".join(body)}</svg>'
    )


_RULES = ".gl-range{fill:var(--gl-accent);fill-opacity:.25}.gl-axis{fill:none;stroke:var(--gl-line)}"
