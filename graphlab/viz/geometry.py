"""Places on a picture: boxes for cards and groups, curves for links; whichever engine found them."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """The middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any area."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """Places for one diagram: a box per card; Bezier control points (1 + 3k) and a label's place per link.

    `engine` is "dot" or "linear"; `why` says what made the linear layout necessary.
    """

    engine: str
    width: float
    height: float
    cards: dict[str, Box]
    links: tuple[tuple[Point, ...], ...]
    labels: tuple[Point | None, ...]
    groups: dict[str, Box]
    why: str = ""
