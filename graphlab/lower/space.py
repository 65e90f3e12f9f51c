"""The loops that a kernel runs, and how the values that meet in it lie along them.

A space has an axis for each loop. A kernel that folds runs its reduced axes inside the others: for each
row of it, as we say, whichever axes these are. What is the same for a whole row is computed once for it:
the results of reductions, and what is made of them. Such a value may have the reduced axes with extent 1,
or lack them; so each value has a map, from its own axes to those of the space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlab.graph.node import Apply, Variable
from graphlab.lower.extents import Extents
from graphlab.ops.lowering import Lowering, Pointwise, Reduction, Runtime

Map = tuple[int, ...]  # for each axis of a value the axis of the space along which it lies
Static = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """The loops of a kernel: their extents as far as they are known, and those that are `reduce`d.

    `folds`: there are elements along the reduced axes; else their extent is 1, and they are only kept in mind.
    """

    extents: Extents
    static: Static
    reduce: Map = ()
    folds: bool = False

    @property
    def kept(self) -> Map:
        """The axes that are not reduced."""
        return tuple(d for d in range(len(self.extents)) if d not in self.reduce)

    @property
    def whole(self) -> Map:
        """The map of a value that has every axis."""
        return tuple(range(len(self.extents)))

    @property
    def of_row(self) -> Extents:
        """The extents of a value that has one element for each row, the reduced axes with extent 1."""
        return tuple(1 if d in self.reduce else e for d, e in enumerate(self.extents))

    @property
    def in_rows(self) -> bool:
        """Whether rows are what lies together in memory of arrays in C order: the last axis is reduced."""
        longer = [d for d, e in enumerate(self.extents) if e != 1]
        return not longer or longer[-1] in self.reduce

    @property
    def many_rows(self) -> bool:
        """Whether there may be more than one row."""
        return any(self.extents[d] != 1 for d in self.kept)

    def fills(self, extents: Extents, map: Map) -> bool:
        """Whether a value is as long as the space along all axes, but for broadcasting that only the run knows."""
        return map == self.whole and all((e == 1) == (s == 1) for e, s in zip(extents, self.extents, strict=True))

    def fills_rows(self, extents: Extents, map: Map) -> bool:
        """Whether a value has one element for each row, but for broadcasting that only the run knows."""
        along = dict(zip(map, extents, strict=True))
        return (
            bool(self.reduce)
            and all(along.get(d, 1) == 1 for d in self.reduce)
            and all((along.get(d, 1) == 1) == (self.extents[d] == 1) for d in self.kept)
        )

    def is_row(self, extents: Extents, map: Map) -> bool:
        """Whether a value is the same for all elements of a row."""
        return bool(self.reduce) and all(e == 1 for e, d in zip(extents, map, strict=True) if d in self.reduce)

    def same_rows(self, extents: Extents, map: Map) -> bool:
        """Whether a value certainly has one element for each row, in every run."""
        along = dict(zip(map, extents, strict=True))
        return (
            set(along) >= set(self.kept)
            and all(along[d] == self.extents[d] for d in self.kept)
            and all(along.get(d, 1) == 1 for d in self.reduce)
        )


def fold_space(extents: Extents, static: Static, axes: Map) -> Space:
    """The loops of a reduction of a value along `axes`."""
    return Space(extents, static, axes, folds=True)


def common(spaces: Sequence[Space]) -> Space | None:
    """The one space in which kernels with these can run as one, if there is any."""
    first, reducing = spaces[0], [s for s in spaces if s.reduce]
    if any(s.extents != first.extents for s in spaces) or len({(s.reduce, s.folds) for s in reducing}) > 1:
        return None
    if not reducing:
        return first
    # Kernels that store every element run row by row as well, if rows are what lies together.
    mixed = len(reducing) < len(spaces)
    return None if mixed and not (reducing[0].folds and reducing[0].in_rows) else reducing[0]


def within(map: Map, ndim: int) -> Map:
    """The map of an operand of rank `ndim` that is broadcast against a value with this map."""
    return map[len(map) - ndim :]


# ---- views that add or drop axes of extent 1 -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alias:
    """An application whose result has the elements of its operand in their order, with some axes more or fewer.

    `added`: axes of the result that the operand lacks; `dropped`: the other way round.
    """

    added: Map
    dropped: Map


def alias_of(node: Apply, lowerings: Mapping[Apply, Lowering]) -> Alias | None:
    """What `node` is if it adds axes of extent 1 to what a kernel computes, or drops some; else None."""
    owner = node.inputs[0].owner if node.inputs else None
    lowering = lowerings[node]
    if not isinstance(lowering, Runtime) or lowering.function != "transpose" or owner is None:
        return None
    axes = lowering.params[1:]
    used = [a for a in axes if a >= 0]
    added = tuple(j for j, a in enumerate(axes) if a < 0)
    dropped = tuple(a for a in range(node.inputs[0].ndim) if a not in used)
    computed = isinstance(lowerings.get(owner), Pointwise | Reduction)
    return Alias(added, dropped) if computed and used == sorted(used) and bool(added) != bool(dropped) else None


def renumbered(maps: Mapping[Variable, Map], axes: Map) -> dict[Variable, Map]:
    """`maps` into a space of which `axes[d]` is axis d of the one before."""
    return {v: tuple(axes[d] for d in map) for v, map in maps.items()}


def without_reduced(space: Space, maps: Mapping[Variable, Map]) -> tuple[Space, dict[Variable, Map]]:
    """A space without its reduced axes, which have extent 1; in maps they become -1."""
    kept = space.kept
    axes = tuple(kept.index(d) if d in kept else -1 for d in space.whole)
    shorter = Space(tuple(space.extents[d] for d in kept), tuple(space.static[d] for d in kept))
    return shorter, renumbered(maps, axes)
