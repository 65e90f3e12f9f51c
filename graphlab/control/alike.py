"""When two ops that hold graphs are equal: not if they hold the same graphs, but graphs that compute the same."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from graphlab.graph.closure import structure
from graphlab.ops.base import Op


class AlikeByGraphs(Op):
    """An op that is equal to another of its kind if their graphs have one structure, and `settings` are equal."""

    @property
    def settings(self) -> tuple[Any, ...]:
        """What of the op, beside its graphs, makes a difference."""
        return ()

    @cached_property
    def _identity(self) -> tuple[Any, ...]:
        return (*(structure(graph, labels=False) for graph in self.graphs), self.settings)

    @cached_property
    def _hash(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self is other or self._identity == other._identity)

    def __hash__(self) -> int:
        return self._hash
