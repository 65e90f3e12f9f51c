"""Cards that belong together, as boxes that nest and that can be opened and closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KERNEL, SCOPE = "kernel", "scope"  # what is fused into one loop, what was made under one name
BODY, BRANCH = "body", "branch"  # what an op holds: all of it, and each graph if there are several
REPEAT, COPY, CHAIN, PART = "repeat", "copy", "chain", "part"  # what is put together because there is too much
GRADIENT = " (gradient)"
Path = tuple[bool, tuple[str, ...]]  # whether it is the gradient's part, and the names of the scopes


@dataclass(frozen=True, slots=True)
class Group:
    """Cards in one box. Of any two groups one holds the other, or they share no card; but kernels may cross scopes."""

    key: str
    label: str
    members: tuple[str, ...]
    kind: str = KERNEL

    @property
    def toggle(self) -> str:
        """What opens and closes it: the card of the op that it is inside of, else its key; or nothing does."""
        return {BODY: self.key.removesuffix("/"), BRANCH: ""}.get(self.kind, self.key)


def named(path: Path) -> str:
    """How a scope is called, with the names of those around it."""
    gradient, names = path
    return "/".join(names) + GRADIENT * gradient


def shown(group: Group, around: Group | None) -> str:
    """The label of a group drawn within another: without the names that the outer one has."""
    outer = around.label.removesuffix(GRADIENT) + "/" if around is not None else ""
    return group.label.removeprefix(outer)


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
