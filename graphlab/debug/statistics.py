"""What a value looks like in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """The facts of one array. min, max, mean and std are over its finite elements (None when there are none).

    `histogram`: where asked for, how many of its finite elements lie in each of as many equal parts of min to max.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    nan: int
    inf: int
    zero: int
    histogram: tuple[int, ...] = ()

    def __str__(self) -> str:
        moments = " ".join(
            f"{name}={value:.6g}"
            for name, value in (("min", self.min), ("max", self.max), ("mean", self.mean), ("std", self.std))
            if value is not None
        )
        odd = " ".join(f"{name}={n}" for name, n in (("nan", self.nan), ("inf", self.inf), ("zero", self.zero)) if n)
        return " ".join(part for part in (f"{self.dtype}{list(self.shape)}", moments, odd) if part)


def statistics(value: np.ndarray[Any, Any], bins: int = 0) -> Statistics:
    """The Statistics of `value`, with a histogram of so many `bins`.

    >>> print(statistics(np.array([1.0, np.nan, 3.0])))
    float64[3] min=1 max=3 mean=2 std=1 nan=1
    >>> statistics(np.array([0.0, 1.0, 9.0, 10.0, np.inf]), bins=5).histogram
    (2, 0, 0, 0, 2)
    """
    array = np.asarray(value)
    magnitude = np.abs(array) if array.dtype.kind == "c" else array
    wide = magnitude.astype("float64").ravel()
    finite = wide[np.isfinite(wide)]
    with np.errstate(all="ignore"):
        moments = (finite.min(), finite.max(), finite.mean(), finite.std()) if finite.size else (None,) * 4
    low, high, mean, std = (None if m is None else float(m) for m in moments)
    return Statistics(
        array.dtype.name, array.shape, array.strides, low, high, mean, std,
        nan=int(np.isnan(wide).sum()), inf=int(np.isinf(wide).sum()), zero=int((wide == 0).sum()),
        histogram=_histogram(finite, bins),
    )  # fmt: skip


def _histogram(finite: np.ndarray[Any, Any], bins: int) -> tuple[int, ...]:
    """Counted by hand: numpy.histogram refuses ranges too narrow to split, which values may well have."""
    if not finite.size or not bins:
        return ()
    low, high = finite.min() / 2, finite.max() / 2  # halves: the whole span may overflow
    part = (finite / 2 - low) / (high - low) if high > low else np.zeros(finite.shape)
    counts = np.bincount(np.minimum((part * bins).astype(np.intp), bins - 1), minlength=bins)
    return tuple(int(n) for n in counts)
