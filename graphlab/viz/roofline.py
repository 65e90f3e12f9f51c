"""A roofline: what each step of a profile reaches, below what the machine allows for its operations to a byte.

S. Williams, A. Waterman, D. Patterson: "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphlab.debug.profile import Profile, Row
from graphlab.graph.node import Apply
from graphlab.runtime.hardware import Hardware
from graphlab.viz.escape import clip, escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 540, 260, 48, 14, 18, 36
NAMED = 12  # points with the names of their ops; the others have the numbers of their steps alone

_Area = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class _Scale:
    """From operations per byte and GFLOP/s, both by powers of ten, to places in the picture."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, intensity: float) -> float:
        part = (math.log10(intensity) - self.left) / (self.right - self.left)
        return LEFT + (WIDTH - LEFT - RIGHT) * part

    def y(self, rate: float) -> float:
        part = (math.log10(rate) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part


def roofline(profile: Profile, names: Callable[[Sequence[Apply]], list[str]]) -> str:
    """The chart as an `<svg>` for a page with the stylesheet; "" where the machine was not measured, or nothing counts.

    `names` gives the ids of nodes: a point leads to those of its step. Operations and bytes are counted from extents.
    """
    rows = [row for row in profile.sorted() if row.flops and row.read + row.written and row.seconds]
    if profile.machine is None or not rows:
        return ""
    roofs = _roofs(profile.machine, rows)
    peaks = {row.dtype: profile.machine.gflops(row.dtype) for row in rows}
    scale = _scale(rows, list(roofs.values()), list(peaks.values()))
    labels = [(WIDTH - RIGHT - 175, y - 14, WIDTH - RIGHT, y) for y in map(scale.y, peaks.values())]
    body = [*_axes(scale), *_lines(scale, roofs, peaks), *_points(scale, rows, names, labels)]
    omitted = len(profile.rows) - len(rows)
    said = f"{len(rows)} of {len(profile.rows)} steps" + ("; the others compute nothing" if omitted else "")
    body.append(f'<text class="gl-tick" x="{WIDTH - RIGHT}" y="{TOP - 5}" text-anchor="end">showing {said}</text>')
    return (
        f'<svg class="gl-chart gl-roofline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="group" aria-label="roofline: GFLOP/s over operations per byte">'
        f"{''.join(body)}</svg>"
    )


def _intensity(row: Row) -> float:
    return row.flops / (row.read + row.written)


def _roofs(here: Hardware, rows: Sequence[Row]) -> dict[str, float]:
    """GB/s of the levels that hold what the steps touch, and of the memory."""
    levels = {b.level: max(max(c.read, c.copy, c.triad) for c in here.bandwidths if c.level == b.level)
              for b in here.bandwidths}  # fmt: skip
    used = {_level(here, row) for row in rows} | {"memory"}
    return {level: rate for level, rate in levels.items() if level in used}


def _level(here: Hardware, row: Row) -> str:
    return next((name for name, size in here.caches if row.read + row.written <= size), "memory")


def _scale(rows: Sequence[Row], bandwidths: Sequence[float], peaks: Sequence[float]) -> _Scale:
    intensities = [*map(_intensity, rows), *(peak / b for peak in peaks for b in bandwidths)]
    rates = [*(row.gflops for row in rows), *peaks]
    x0, x1 = math.log10(min(intensities)) - 0.35, math.log10(max(intensities)) + 0.6
    y0, y1 = math.log10(min(rates)) - 0.35, math.log10(max(rates)) + 0.35
    return _Scale(x0, max(x1, x0 + 1), y0, max(y1, y0 + 1))


def _axes(scale: _Scale) -> Iterator[str]:
    floor, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    for power in range(math.ceil(scale.left), math.floor(scale.right) + 1):
        x = scale.x(10.0**power)
        yield f'<path class="gl-grid" d="M{x:.1f} {TOP}V{floor}"/>'
        yield f'<text class="gl-tick" x="{x:.1f}" y="{floor + 13}" text-anchor="middle">{10.0**power:g}</text>'
    for power in range(math.ceil(scale.bottom), math.floor(scale.top) + 1):
        y = scale.y(10.0**power)
        yield f'<path class="gl-grid" d="M{LEFT} {y:.1f}H{end}"/>'
        yield f'<text class="gl-tick" x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end">{10.0**power:g}</text>'
    yield f'<path class="gl-axis" d="M{LEFT} {TOP}V{floor}H{end}"/>'
    yield f'<text class="gl-tick" x="{LEFT}" y="{TOP - 5}">GFLOP/s</text>'
    yield f'<text class="gl-tick" x="{LEFT}" y="{HEIGHT - 4}">operations per byte (both estimated from extents)</text>'


def _lines(scale: _Scale, roofs: Mapping[str, float], peaks: Mapping[str, float]) -> Iterator[str]:
    """Each bandwidth up to the highest peak, each peak from the ridge of the fastest level on."""
    top, fastest = max(peaks.values()), max(roofs.values())
    for level, bandwidth in roofs.items():
        first = max(10**scale.left, 10**scale.bottom / bandwidth)
        ridge = top / bandwidth
        (x0, y0), (x1, y1) = (scale.x(first), scale.y(first * bandwidth)), (scale.x(ridge), scale.y(top))
        yield f'<path class="gl-roof" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'
        x, y, turn = x0 + 8, y0 - 5 + 8 * (y1 - y0) / (x1 - x0), math.degrees(math.atan2(y1 - y0, x1 - x0))
        yield (f'<text class="gl-tick" x="{x:.1f}" y="{y:.1f}" transform="rotate({turn:.1f} {x:.1f} {y:.1f})">'
               f"{escape(level)} {bandwidth:.3g} GB/s</text>")  # fmt: skip
    for peak in sorted(set(peaks.values())):
        kinds = ", ".join(sorted(dtype for dtype, rate in peaks.items() if rate == peak))
        y, x = scale.y(peak), scale.x(peak / fastest)
        yield f'<path class="gl-roof" d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield (f'<text class="gl-tick" x="{WIDTH - RIGHT}" y="{y - 4:.1f}" text-anchor="end">BLAS {escape(kinds)} '
               f"{peak:.3g} GFLOP/s</text>")  # fmt: skip


def _points(
    scale: _Scale, rows: Sequence[Row], names: Callable[[Sequence[Apply]], list[str]], labels: Sequence[_Area]
) -> Iterator[str]:
    """The steps, the dearest first: a large circle takes much time, a diamond is a call of the runtime."""
    spots = [(scale.x(_intensity(row)), scale.y(row.gflops), 4 + 7 * math.sqrt(row.share)) for row in rows]
    taken = [*labels]
    taken += [(x - 0.8 * size, y - 0.8 * size, x + 0.8 * size, y + 0.8 * size) for x, y, size in spots]
    for k, (row, (x, y, size)) in enumerate(zip(rows, spots, strict=True)):
        text = f"{row.step} {clip(', '.join(row.ops), 22)}" if k < NAMED else str(row.step)
        left, top, width = _room(x, y, size, 6.1 * len(text) + 2, taken)
        end = left if left > x else left + width
        leader = abs(top + 5 - y) > 8
        line = f'<path class="gl-leader" d="M{x:.1f} {y:.1f}L{end:.1f} {top + 5:.1f}"/>' if leader else ""
        of_machine = "" if row.fraction is None else f", {row.fraction:.0%} of what {row.bound} allows"
        # It begins with what is seen, so that who says that aloud is understood.
        label = escape(f"{text}: step {row.step}, {', '.join(row.ops)}, {row.gflops:.3g} GFLOP/s{of_machine}")
        yield (
            f'<g class="gl-point" data-nodes="{" ".join(names(row.nodes))}" data-step="{row.step}" tabindex="0" '
            f'role="button" aria-label="{label}"><title>{label}</title>{line}'
            f'<path class="gl-spot" d="{_outline(row.kind, x, y, size)}"/>'
            f'<text x="{left:.1f}" y="{top + 9:.1f}">{escape(text)}</text></g>'
        )


def _outline(kind: str, x: float, y: float, size: float) -> str:
    if kind == "call":
        return f"M{x - size:.1f} {y:.1f}L{x:.1f} {y - size:.1f}L{x + size:.1f} {y:.1f}L{x:.1f} {y + size:.1f}Z"
    r = f"{size:.1f} {size:.1f} 0 1 0"
    return f"M{x - size:.1f} {y:.1f}a{r} {2 * size:.1f} 0a{r} {-2 * size:.1f} 0Z"


def _room(x: float, y: float, size: float, width: float, taken: list[_Area]) -> tuple[float, float, float]:
    """Where a label stands free, near its point: left, top and width. What is taken grows by it."""
    sides = (x + size + 4, x - size - 4 - width)
    tries = [(side, y - 5 + sign * shift) for shift in range(0, 90, 11) for sign in (1, -1) for side in sides]
    inside = [(a, b) for a, b in tries if LEFT < a and a + width < WIDTH - 2 and TOP <= b and b + 11 < HEIGHT - BOTTOM]
    free = (
        (a, b) for a, b in inside
        if not any(a < right and left < a + width and b < low and top < b + 11 for left, top, right, low in taken)
    )  # fmt: skip
    left, top = next(free, (inside or tries)[0])
    taken.append((left, top, left + width, top + 11))
    return left, top, width
