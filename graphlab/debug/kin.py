"""A set of variables in which one finds its own by identity, by name, or by where they came from."""

from __future__ import annotations

from collections.abc import Iterable

from graphlab.graph.node import Apply, Variable


class Kin:
    """Variables, to find in them what is the same as another in all but identity: copies keep their provenance."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.own = dict.fromkeys(variables)
        self.names: dict[str, list[Variable]] = {}
        self._alike: dict[tuple[int, type, int], list[Variable]] = {}
        for v in self.own:
            if v.name:
                self.names.setdefault(v.name, []).append(v)
            if v.owner is not None:
                self._alike.setdefault(_mark(v.owner, v.index), []).append(v)

    def find(self, v: Variable) -> Variable | None:
        """`v` itself, or the only one that was made by the same line in the same way."""
        if v in self.own:
            return v
        alike = self._alike.get(_mark(v.owner, v.index), []) if v.owner is not None else []
        same = [u for u in alike if (u.dtype, u.ndim) == (v.dtype, v.ndim)]
        return same[0] if len(same) == 1 else None


def _mark(node: Apply, index: int) -> tuple[int, type, int]:
    return id(node.provenance), type(node.op), index
