"""Breakpoints: places in the program, and conditions on its values, at which a run stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlab.debug.expressions import Expression
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import toposort

Array = np.ndarray[Any, Any]
Test = Callable[[Array], Any]

ODD: dict[str, Test] = {
    "nan": lambda a: bool(np.isnan(a).any()) if a.dtype.kind in "fc" else False,
    "inf": lambda a: bool(np.isinf(a).any()) if a.dtype.kind in "fc" else False,
}


@dataclass(eq=False)
class Breakpoint:
    """Where a run stops, how often it did (`hits`), and whether it still does (`enabled`).

    With nothing to test it stops before the step of its place; one that tests values stops behind the step that
    made them.
    """

    number: int
    place: str
    matches: Callable[[Apply], bool] | None
    kernel: str | None = None
    when: str = ""
    test: Test | None = None
    condition: Expression | None = None
    hits: int = 0
    enabled: bool = True
    held: bool = field(default=False, repr=False)  # a condition of no place: whether it held before
    tell: Callable[[], object] = field(default=lambda: None, repr=False)  # that it was changed

    @property
    def tests(self) -> bool:
        """Whether it looks at values."""
        return self.test is not None or self.condition is not None

    @property
    def placed(self) -> bool:
        """Whether it is at a place, not everywhere."""
        return self.matches is not None or self.kernel is not None

    def nodes(self, nodes: Sequence[Apply], kernel: str) -> list[Apply]:
        """Those of the `nodes` of a step that it is for."""
        if self.kernel is not None:
            return list(nodes) if kernel == self.kernel else []
        return list(nodes) if self.matches is None else [n for n in nodes if self.matches(n)]

    def inside(self, nodes: Sequence[Apply]) -> bool:
        """Whether its place is in a graph that one of `nodes` holds."""
        if self.matches is None:
            return False
        pending = [g for n in nodes for g in n.op.graphs]
        while pending:
            graph = pending.pop()
            for n in toposort(graph.outputs, graph.inputs):
                if self.matches(n):
                    return True
                pending += n.op.graphs
        return False

    def disable(self) -> None:
        """Let runs pass."""
        self.enabled = False
        self.tell()

    def enable(self) -> None:
        """Stop runs again."""
        self.enabled = True
        self.tell()

    def __str__(self) -> str:
        what = [
            self.place,
            f"when {self.when}" if self.when else "",
            f"if {self.condition.text}" if self.condition else "",
        ]
        state = f"hit {self.hits} time{'' if self.hits == 1 else 's'}" + ("" if self.enabled else ", disabled")
        return f"{self.number}: {' '.join(w for w in what if w)}  ({state})"

    __repr__ = __str__


class Breakpoints(Sequence[Breakpoint]):
    """The breakpoints of a session; printed, a line for each. `tell` is called after each change."""

    def __init__(self, tell: Callable[[], object] = lambda: None) -> None:
        self._all: list[Breakpoint] = []
        self._tell = tell
        self._next = 0

    def add(self, place: str, **parts: Any) -> Breakpoint:
        """A new one, with the next number."""
        self._all.append(Breakpoint(self._next, place, **parts, tell=self._tell))
        self._next += 1
        self._tell()
        return self._all[-1]

    def remove(self, which: Breakpoint | int) -> None:
        """Take one away, given as it is or by its number; GraphIndexError if there is none."""
        found = [b for b in self._all if b is which or b.number == which]
        if not found:
            known = ", ".join(str(b.number) for b in self._all) or "none"
            raise GraphIndexError(f"there is no breakpoint {which!r}", origin=caller_origin(), hint=f"there is {known}")
        self._all.remove(found[0])
        self._tell()

    def clear(self) -> None:
        """Take all away."""
        self._all.clear()
        self._tell()

    def __getitem__(self, k: Any) -> Any:
        return self._all[k]

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(self._all)

    def __str__(self) -> str:
        return "\n".join(map(str, self._all)) or "no breakpoints"

    __repr__ = __str__


def place_of(
    op: Any, node: Any, line: Any, kernel: Any, rule: Any, alike: Callable[[Variable], Callable[[Apply], bool]]
) -> tuple[str, Callable[[Apply], bool] | None, str | None]:
    """What `break_at` says of a place: in words, as a test of applications, and as the name of a kernel.

    `alike` gives a test for the application that computes a variable. GraphTypeError: it is said in a wrong way.
    """
    places = {"op": op, "node": node, "line": line, "kernel": kernel, "rule": rule}
    given = [name for name, x in places.items() if x is not None]
    if len(given) > 1:
        raise GraphTypeError(f"break_at takes one place, got {' and '.join(given)}", origin=caller_origin())
    if op is not None:
        name = op if isinstance(op, str) else getattr(op, "name", None)
        if not isinstance(name, str):
            raise GraphTypeError(f"op= is the name of an operation, got {op!r:.40}", origin=caller_origin())
        return name, lambda n: n.op.name == name, None
    if node is not None:
        v = node.outputs[0] if isinstance(node, Apply) else node
        if not isinstance(v, Variable):
            raise GraphTypeError(f"node= is an application or a variable, got {node!r:.40}", origin=caller_origin())
        if v.owner is None:
            raise GraphValueError(f"{v.name or 'the variable'} is given, not computed", origin=caller_origin())
        return v.name or v.owner.op.name, alike(v), None
    if line is not None:
        if not isinstance(line, int | str) or isinstance(line, bool):
            raise GraphTypeError(f'line= is 12 or "file.py:12", got {line!r:.40}', origin=caller_origin())
        return f"line {line}", lambda n: any(line in (o.line, o.label, o.place) for o in n.provenance.origins), None
    if kernel is not None:
        name = f"kernel_{kernel}" if isinstance(kernel, int) else getattr(kernel, "name", kernel)
        if not isinstance(name, str):
            raise GraphTypeError(f"kernel= is a kernel, its name or number, got {kernel!r:.40}", origin=caller_origin())
        return name, None, name
    if rule is not None:
        name = rule if isinstance(rule, str) else getattr(rule, "name", None)
        if not isinstance(name, str):
            raise GraphTypeError(f"rule= is a rule or its name, got {rule!r:.40}", origin=caller_origin())
        return f"made by {name}", lambda n: n.provenance.rule == name, None
    return "anywhere", None, None
