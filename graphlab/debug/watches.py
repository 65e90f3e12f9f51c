"""Watches: expressions that a session shows at each stop, with what they were before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlab.debug.expressions import Expression

Place = tuple[int, ...]


@dataclass(eq=False)
class Watch:
    """An expression over named values and its `history`: (position, value) each time that the value became another.

    A position has a number for each level: (4,) before step 4, (4, 2) before turn 2 of the loop that is step 4.
    """

    expression: Expression
    history: list[tuple[Place, Any]] = field(default_factory=list)

    def note(self, place: Place, value: Any) -> None:
        """The value at a position; what comes later is forgotten if it differs (another path was taken)."""
        for at, known in reversed(self.history):
            if at <= place:
                if not _same(known, value):
                    self.history.append((place, value))
                    self.history.sort(key=lambda entry: entry[0])
                return
        self.history.insert(0, (place, value))

    def at(self, place: Place) -> Any:
        """The value as it was at a position; LookupError if it had none."""
        for noted, value in reversed(self.history):
            if noted <= place:
                return value
        raise LookupError(self.expression.text)

    def __str__(self) -> str:
        shown = ", ".join(f"{'.'.join(map(str, place))}: {short(value)}" for place, value in self.history[-5:])
        more = "... " if len(self.history) > 5 else ""
        return f"{self.expression.text}  {more}{shown}".rstrip()

    __repr__ = __str__


def _same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind in "fc"))


def short(value: Any, width: int = 80) -> str:
    """A value in a few characters."""
    text = np.array2string(np.asarray(value), threshold=6, precision=5, edgeitems=2).replace("\n", " ")
    return text if len(text) <= width else text[: width - 3] + "..."
