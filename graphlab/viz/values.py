"""What a value looks like: its statistics, where it is not finite, and a window of its elements: texts, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphlab.viz.plots import heatmap, histogram, line, reals, short, showing

Array = np.ndarray[Any, Any]

ROWS, COLUMNS = 6, 8  # elements listed at once
FEW = 16  # fewer elements need no histogram
OFFENDERS = 6  # elements that are not finite and are listed
TOLD = 8  # numbers of slices that hold some of those


def summary(value: Array, how: str = "") -> dict[str, Any]:
    """Facts, what is not finite, and a window of `value`, as JSON-able data; texts stand for the numbers.

    The window is where the first NaN or infinity is, if there is one. `how` says how the value was come by.
    """
    array = np.asarray(value)
    odd = _offenders(array)
    first = odd[0][0] if odd else [0] * array.ndim
    at, corner = (first[:-2], first[-2:]) if array.ndim > 2 else ([], first)
    many = array.size >= FEW
    return {
        "facts": [*_kind(array), *_moments(array)],
        "how": how,
        "shape": list(array.shape),
        "offenders": odd,
        "slices": _slices(array) if odd else [],
        "histogram": histogram(array) if many else "",
        **window(array, at, _page(corner)),
    }


def number(x: Any) -> str:
    """The shortest text of a NumPy scalar that reads back as it, as NumPy prints it.

    >>> number(np.float32(0.1)), number(np.float64("nan")), number(np.int8(-3))
    ('0.1', 'nan', '-3')
    """
    return str(x)


# ---- the whole value -----------------------------------------------------------------------------


def _kind(array: Array) -> list[list[str]]:
    facts = [["dtype", array.dtype.name], ["shape", "×".join(map(str, array.shape)) or "scalar"]]
    return [*facts, ["strides", ", ".join(map(str, array.strides))]] if array.ndim else facts


def _moments(array: Array) -> list[list[str]]:
    """Of the finite elements, of complex numbers their moduli; and how many elements are special."""
    kind = array.dtype.kind
    if array.size == 0:
        return [["elements", "0"]]
    if array.ndim == 0:
        return [["value", number(array[()])]]
    if kind == "b":
        true = int(np.count_nonzero(array))
        return [["true", f"{true:,}"], ["false", f"{array.size - true:,}"]]
    if kind in "iu":
        facts = [["min", str(array.min())], ["max", str(array.max())]]
    else:
        facts = []
    wide = reals(array)
    there = np.isfinite(wide)
    finite = wide if there.all() else wide[there]
    name = "|{}|" if kind == "c" else "{}"
    if finite.size and not facts:
        facts = [[name.format("min"), short(finite.min())], [name.format("max"), short(finite.max())]]
    if finite.size > 1:
        mean, std = _mean_and_std(finite)
        facts += [[name.format("mean"), short(mean)], [name.format("std"), short(std)]]
    return facts + [[what, f"{n:,}"] for what, n in _counts(array) if n or what in ("nan", "zero")]


def _mean_and_std(finite: Array) -> tuple[float, float]:
    """In units of the largest, where sums or squares would overflow or underflow."""
    largest = float(np.max(np.abs(finite)))
    scale = 1.0 if 1e-140 < largest < 1e140 or not largest else largest
    if scale < 1e-300:  # so small that to divide by it would overflow
        scale = 1e-300
    scaled = finite / scale if scale != 1.0 else finite
    return float(scaled.mean()) * scale, float(scaled.std()) * scale


def _counts(array: Array) -> Iterator[tuple[str, int]]:
    if array.dtype.kind in "fc":
        yield "nan", int(np.count_nonzero(np.isnan(array)))
    if array.dtype.kind == "f":
        yield "+inf", int(np.count_nonzero(np.isposinf(array)))
        yield "-inf", int(np.count_nonzero(np.isneginf(array)))
    if array.dtype.kind == "c":
        yield "inf", int(np.count_nonzero(np.isinf(array) & ~np.isnan(array)))
    yield "zero", array.size - int(np.count_nonzero(array))


def _offenders(array: Array) -> list[list[Any]]:
    """The first elements that are not finite, in the order of C: [index, text]."""
    if array.dtype.kind not in "fc" or not array.size:
        return []
    places = np.argwhere(~np.isfinite(array))[:OFFENDERS] if array.ndim else np.zeros((0, 0), np.intp)
    return [[[int(k) for k in place], number(array[tuple(place)])] for place in places]


def _slices(array: Array) -> list[list[int]]:
    """For each axis but the last two, at which places there is anything that is not finite; the first few."""
    odd = ~np.isfinite(array)
    axes = range(array.ndim)
    return [
        [int(k) for k in np.flatnonzero(odd.any(axis=tuple(b for b in axes if b != axis)))[:TOLD]] for axis in axes[:-2]
    ]


# ---- a part of it --------------------------------------------------------------------------------


def _page(corner: Sequence[int]) -> tuple[int, int]:
    """The corner of the page that an element is on; vectors are read line by line."""
    if len(corner) < 2:
        return (corner[0] // (ROWS * COLUMNS) * (ROWS * COLUMNS) if corner else 0), 0
    return corner[0] // ROWS * ROWS, corner[1] // COLUMNS * COLUMNS


def window(value: Array, at: Sequence[int] = (), corner: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """The elements of one matrix in `value` from `corner` on, and a picture of the matrix.

    `at` chooses the matrix, the last two axes of an array that has more. A vector begins with element `corner[0]`.
    ValueError: there is no such place.
    """
    array = np.asarray(value)
    place = {"at": list(at), "corner": list(corner)}
    if len(at) != max(array.ndim - 2, 0) or any(not 0 <= k < n for k, n in zip(at, array.shape, strict=False)):
        if array.size or len(at) != max(array.ndim - 2, 0):
            raise ValueError(f"there is no slice {list(at)} of {array.shape}")
    if not array.size:
        return {**place, "elements": [], "rows": [], "columns": [], "of": [0, 0], "page": [1, 1],
                "showing": "it has no elements", "chart": ""}  # fmt: skip
    part = array[tuple(at)]
    limits = part.shape if part.ndim == 2 else (part.size, 1)
    if not all(0 <= k < n for k, n in zip(corner, limits, strict=True)):
        raise ValueError(f"there is no element {list(corner)} in {limits}")
    return {**place, **(_matrix if part.ndim == 2 else _vector)(part, corner, array.size)}


def _vector(part: Array, corner: tuple[int, int], total: int) -> dict[str, Any]:
    flat, first = part.reshape(-1), corner[0]
    listed = flat[first : first + ROWS * COLUMNS]
    lines = range(0, len(listed), COLUMNS)
    return {
        "elements": [[number(x) for x in listed[k : k + COLUMNS]] for k in lines],
        "rows": [first + k for k in lines],
        "columns": list(range(min(COLUMNS, len(listed)))),
        "of": [flat.size, 1],
        "page": [ROWS * COLUMNS, 1],
        "showing": showing(len(listed), total),
        "chart": line(flat) if flat.size > 1 else "",
    }


def _matrix(part: Array, corner: tuple[int, int], total: int) -> dict[str, Any]:
    (top, left), (rows, columns) = corner, part.shape
    listed = part[top : top + ROWS, left : left + COLUMNS]
    down, across = top + listed.shape[0], left + listed.shape[1]
    frame = (top, down - 1, left, across - 1) if listed.size < part.size else None
    return {
        "elements": [[number(x) for x in row] for row in listed],
        "rows": list(range(top, down)),
        "columns": list(range(left, across)),
        "of": [rows, columns],
        "page": [ROWS, COLUMNS],
        "showing": showing(listed.size, total),
        "chart": (line(part.reshape(-1)) if 1 in part.shape else heatmap(part, total, frame)) if part.size > 1 else "",
    }
