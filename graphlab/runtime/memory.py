"""The memory that compiled functions keep from one call to the next: see csrc/gl_memory.h."""

from __future__ import annotations

from typing import NamedTuple

from graphlab.runtime.native import NAMES


class MemoryUse(NamedTuple):
    """Bytes of large arrays: those in use, those that are kept for the next, the most that were in use at once."""

    in_use: int
    kept: int
    most: int


def memory_use() -> MemoryUse:
    """What compiled functions and their results use now; zeros where there is no C runtime."""
    return MemoryUse(*NAMES["memory_use"]()) if NAMES else MemoryUse(0, 0, 0)


def release_memory() -> int:
    """Give to the system what compiled functions keep for their next arrays, and return how many bytes it were.

    They keep at most 256 MiB, and by themselves give up what no call wanted for a second. Arrays in use stay.

    >>> import graphlab
    >>> graphlab.release_memory() >= 0, graphlab.release_memory()
    (True, 0)
    """
    return int(NAMES["release_memory"]()) if NAMES else 0
