"""Cards that belong together, as boxes that nest: fused kernels, name scopes and calls of symbolic functions."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

KERNEL, SCOPE, GRADIENT = "kernel", "scope", " (gradient)"
Path = tuple[bool, tuple[str, ...]]  # whether it is the gradient's part, and the names of the scopes


@dataclass(frozen=True, slots=True)
class Group:
    """Cards in one box; of any two groups on a picture one holds the other, or they share no card."""

    key: str
    label: str
    members: tuple[str, ...]
    kind: str = KERNEL


def nested(
    kernels: Sequence[Group], scopes: Mapping[Path, Sequence[str]], computed: Collection[str]
) -> tuple[Group, ...]:
    """The `kernels` and the boxes of `scopes` (each with all its cards, outer ones first), the larger first.

    A box has at least one of the cards that are `computed`. Where a kernel and a scope share some cards only,
    the scope gets one box within the kernel and one outside; a scope that holds but one other has one box with it.
    """
    made: dict[frozenset[str], Group] = {}
    numbers = itertools.count()
    for (gradient, names), cards in scopes.items():
        label = "/".join(names) + GRADIENT * gradient
        for members in _pieces(cards, kernels):
            if any(card in computed for card in members):
                made[frozenset(members)] = Group(f"scope_{next(numbers)}", label, tuple(members), SCOPE)
    return tuple(sorted([*made.values(), *kernels], key=lambda group: -len(group.members)))


def shown(group: Group, around: Group | None) -> str:
    """The label of a group drawn within another: without the names that the outer one has."""
    outer = around.label.removesuffix(GRADIENT) + "/" if around is not None else ""
    return group.label.removeprefix(outer)


def _pieces(cards: Sequence[str], kernels: Sequence[Group]) -> list[list[str]]:
    """`cards` cut along the kernels that hold only some of them, and others besides."""
    whole = set(cards)
    kernel_of: dict[str, int] = {}
    for number, kernel in enumerate(kernels):
        shared = whole.intersection(kernel.members)
        if shared and len(shared) < len(whole) and len(shared) < len(kernel.members):
            kernel_of.update(dict.fromkeys(shared, number))
    pieces: dict[int, list[str]] = {}
    for card in cards:
        pieces.setdefault(kernel_of.get(card, -1), []).append(card)
    return list(pieces.values())


def parents(groups: Sequence[Group]) -> dict[str, str | None]:
    """The key of the smallest group around each one; `groups` come larger first."""
    innermost: dict[str, str] = {}
    found: dict[str, str | None] = {}
    for group in groups:
        found[group.key] = innermost.get(group.members[0]) if group.members else None
        innermost.update(dict.fromkeys(group.members, group.key))
    return found


def heights(groups: Sequence[Group]) -> dict[str, int]:
    """How many groups lie within one another inside each group."""
    around, height = parents(groups), {group.key: 0 for group in groups}
    for group in reversed(groups):
        if (outer := around[group.key]) is not None:
            height[outer] = max(height[outer], height[group.key] + 1)
    return height
