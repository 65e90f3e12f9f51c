"""What a picture shows, before anyone decides where: cards, the links between them, and groups."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from graphlab.viz.groups import Group, Path

SAME, ADDED, REMOVED, CHANGED, EDGE = "same", "added", "removed", "changed", "edge"  # EDGE: where a close-up ends
WIDTH, SMALL = 7.3, 6.1  # of a character of the title and of the small text under it
GIVEN = ("input", "constant", "shared", "reference")  # families of what no op makes


@dataclass(frozen=True, slots=True)
class Card:
    """One box: a node, one use of a scalar constant, or a closed group. `nodes` are the ids it stands for."""

    key: str
    nodes: tuple[str, ...]
    family: str
    glyph: str
    title: str
    detail: str = ""
    mark: str = SAME
    tags: tuple[str, ...] = ()  # short remarks on its upper edge: the gradient's sign, "output"
    label: str = ""  # the whole node in words
    sign: str = ""  # what it does, the same for all cards that do the same
    scope: Path = (False, ())
    place: str = ""  # the op that it is drawn inside of, and which of its graphs
    opens: str = ""  # what is shown when it is opened, if it can be
    inside: tuple[str, ...] = ()  # the ids of the nodes that a closed group hides
    room: float = 0.0  # the width that it has at least

    @property
    def computed(self) -> bool:
        """Whether an op makes it, rather than its being given."""
        return self.family not in GIVEN

    @property
    def small(self) -> bool:
        """Whether it is but a word: a number, or a reference."""
        return not self.detail

    @property
    def tile(self) -> float:
        """The width of the glyph's tile."""
        return max(26.0, 10 + 7.6 * columns(self.glyph)) + (6 if self.leans else 0)

    @property
    def leans(self) -> bool:
        """Whether its sides are not upright."""
        return self.family in ("reduction", "shape")

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        if self.small:
            return max(30.0, 18 + WIDTH * columns(self.title), self.room), 24.0
        text = max(WIDTH * columns(self.title), SMALL * columns(self.detail))
        tags = sum(14 + 5.8 * columns(t) for t in self.tags)
        return max(self.tile + text + (30 if self.leans else 20), tags + 18, self.room), 40.0


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow from card `source` to card `target`, which reads it as operand number `position`."""

    source: str
    target: str
    position: int
    type: str = ""  # dtype[shape] of what goes over it
    label: str = ""  # as much of that as is written beside it
    mark: str = SAME
    bytes: int = 0
    count: int = 1  # how many values go over it: more than one where a group is closed

    @property
    def width(self) -> float:
        """How thick it is drawn: it grows with the logarithm of the bytes that go over it.

        >>> [Link("a", "b", 0, bytes=count).width for count in (1, 1000, 1_000_000)]
        [0.9, 1.8, 2.7]
        """
        return round(0.9 + 0.3 * math.log10(max(self.bytes, 1)), 2)

    @property
    def ends(self) -> tuple[str, str, int]:
        """What tells it from all others of its picture."""
        return self.source, self.target, self.position


@dataclass(frozen=True, slots=True)
class Diagram:
    """Everything on one picture; `name` is unique in a page, `about` describes it in a sentence."""

    name: str
    title: str
    about: str
    cards: tuple[Card, ...]
    links: tuple[Link, ...]
    groups: tuple[Group, ...] = field(default=())


@lru_cache(4096)
def columns(text: str) -> int:
    """How many character cells `text` takes in a monospaced font."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    return len(text) + wide - marks
