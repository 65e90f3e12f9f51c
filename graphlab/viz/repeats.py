"""Stretches of a sequence that repeat right behind one another: the layers of a network, the turns of a loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOW = 3  # so many equal tokens in a row, some way further on, make a distance worth trying
TRIED = 16  # distances


@dataclass(frozen=True, slots=True)
class Repetition:
    """From `start` on `copies` times the same `period` tokens."""

    start: int
    period: int
    copies: int

    @property
    def length(self) -> int:
        """How many tokens that are."""
        return self.period * self.copies


def repetitions(tokens: Sequence[int]) -> list[Repetition]:
    """Repetitions that share no token, in order; those that say the most about `tokens` in the fewest words first.

    >>> repetitions([7, 1, 2, 3, 1, 2, 3, 1, 2, 3, 9])
    [Repetition(start=1, period=3, copies=3)]
    """
    array = np.asarray(tokens, np.int64)
    found = [r for period in _distances(tokens) for r in _at(array, period)]
    taken = np.zeros(len(array), bool)
    chosen = list[Repetition]()
    for repetition in sorted(found, key=lambda r: (r.period - r.length, r.period, r.start)):
        stretch = taken[repetition.start : repetition.start + repetition.length]
        if not stretch.any():
            stretch[:] = True
            chosen.append(repetition)
    return sorted(chosen, key=lambda r: r.start)


def _distances(tokens: Sequence[int]) -> list[int]:
    """The commonest distances between equal windows, the shorter first."""
    last: dict[tuple[int, ...], int] = {}
    counts = Counter[int]()
    for k in range(len(tokens) - WINDOW + 1):
        window = tuple(tokens[k : k + WINDOW])
        if window in last:
            counts[k - last[window]] += 1
        last[window] = k
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TRIED]
    return sorted({1, *(distance for distance, _ in common)})


def _at(array: np.ndarray[tuple[int, ...], np.dtype[np.int64]], period: int) -> list[Repetition]:
    """The stretches of `array` in which every token comes again `period` further on."""
    equal = np.concatenate([[False], array[period:] == array[:-period], [False]])
    edges = np.flatnonzero(np.diff(equal.astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    found = ((first, (last - first) // period + 1) for first, last in pairs)
    return [Repetition(first, period, copies) for first, copies in found if copies * period > max(2, period)]
