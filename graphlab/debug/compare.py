"""Where two runs part: the first value, in the order of the schedule, that is another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.control.loop import Scan
from graphlab.debug.inside import Array, Element, Held, Scope, lines_of
from graphlab.debug.places import arguments, finished, program, schedule, whole
from graphlab.errors import Origin
from graphlab.graph.node import Apply, Variable
from graphlab.graph.text import described, number_text, short
from graphlab.graph.walk import toposort
from graphlab.rewrite.verdicts import error

if TYPE_CHECKING:
    from graphlab.debug.session import Session

# ---- the answer ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """How two arrays differ: in `count` of `size` elements, by `largest` in `element`, which is `mine` and `yours`.

    `relative` is the largest difference by the largest value. It and `largest` are infinite where only one is NaN or
    infinite, and where shapes or dtypes differ (`shapes`; then there is no element).
    """

    largest: float
    relative: float
    count: int = 0
    size: int = 0
    element: Element = ()
    mine: Any = None
    yours: Any = None
    shapes: tuple[str, str] | None = None

    def __str__(self) -> str:
        if self.shapes is not None:
            return f"{self.shapes[0]} here and {self.shapes[1]} there"
        at = f" at [{', '.join(map(str, self.element))}]" if self.element else ""
        here = f"{number_text(self.mine)} here and {number_text(self.yours)} there{at}"
        many = f", {self.count} of {self.size} elements differ" if self.size > 1 else ""
        if isinstance(self.mine, np.bool_):
            return f"{here}{many}"
        return f"{here}: {self.largest:.2e} apart, {self.relative:.1e} of the largest value{many}"


@dataclass(frozen=True, repr=False)
class Parted:
    """The first value in which two runs differ; `variable` is None if there is none.

    `node` computes it, in `step` of the session; `turns` are the loops and branches around it with the numbers of their
    turns, `lines` the user's. `before` is how many values are the same before it, `given` the inputs that differ.
    """

    node: Apply | None = None
    variable: Variable | None = None
    difference: Difference | None = None
    step: int | None = None
    turns: tuple[tuple[Apply, int | None], ...] = ()
    before: int = 0
    given: tuple[tuple[Variable, Difference], ...] = ()
    note: str = ""

    @property
    def lines(self) -> tuple[Origin, ...]:
        """The user's lines."""
        return lines_of(self.node) if self.node is not None else ()

    def __str__(self) -> str:
        lines = [f"{short(v) or 'an input'} differs: {d}" for v, d in self.given]
        if self.node is None or self.variable is None:
            return "\n".join([*lines, "the runs do not part: no value computed differs", *filter(None, [self.note])])
        inside = "".join(f", turn {n} of {node.op.name}" if n is not None else f", inside {node.op.name}"
                         for node, n in reversed(self.turns))  # fmt: skip
        lines += [f"the runs part at {described(self.variable)}{inside}, step {self.step}; {self.before} values before"
                  " it are the same"]  # fmt: skip
        lines += [f"  {o.label}{f': {o.text}' if o.text else ''}" for o in self.lines]
        lines += [f"  {self.difference}"] if self.difference is not None else []
        return "\n".join([*lines, *(f"  {note}" for note in filter(None, [self.note]))])

    __repr__ = __str__


def difference(mine: Array, yours: Array, tolerance: float = 0.0) -> Difference | None:
    """How `mine` and `yours` differ; None: by no more than `tolerance` of the largest value, NaN being equal to NaN.

    >>> print(difference(np.array([1.0, 2.0]), np.array([1.0, 2.5])))
    2 here and 2.5 there at [1]: 5.00e-01 apart, 2.0e-01 of the largest value, 1 of 2 elements differ
    """
    if mine.dtype != yours.dtype or mine.shape != yours.shape:
        kinds = tuple(f"{a.dtype}{list(a.shape)}" for a in (mine, yours))
        return Difference(np.inf, np.inf, shapes=(kinds[0], kinds[1]))
    if error(mine, yours) <= tolerance:
        return None
    with np.errstate(all="ignore"):
        same = (mine == yours) | ((mine != mine) & (yours != yours))
        wide = np.complex128 if mine.dtype.kind == "c" else np.float64
        apart = np.where(same, 0.0, np.abs(mine.astype(wide) - yours.astype(wide)))
        apart = np.where(np.isnan(apart), np.inf, apart)
        values = np.array([np.abs(a[np.isfinite(mine) & np.isfinite(yours)].astype(wide)) for a in (mine, yours)])
    element = tuple(int(k) for k in np.unravel_index(int(np.argmax(apart)), apart.shape))
    largest, most = float(apart[element]), float(np.max(values, initial=0.0))
    relative = largest / most if most and np.isfinite(largest) else np.inf
    return Difference(
        largest, relative, int(np.count_nonzero(~same)), mine.size, element, mine[element], yours[element]
    )


# ---- the search ----------------------------------------------------------------------------------


def compare(session: Session, other: Session, tolerance: float = 0.0) -> Parted:
    """The first value of `session`, in the order of its steps, that is another in `other`, both run to the end.

    Where the two run different programs, nodes of the same operation and the same lines are compared, in their order.
    """
    with finished(session), finished(other):
        return _compared(session, other, tolerance)


def _compared(session: Session, other: Session, tolerance: float) -> Parted:
    mine, yours = whole(session), whole(other)
    here, there = program(session), program(other)
    pairs = zip(session.function.inputs, other.function.inputs, strict=False)
    given = [(v, d) for v, u in pairs if (d := difference(_input(session, v), _input(other, u), tolerance)) is not None]
    nodes = [node for step in schedule(session) for node in step.nodes]
    found, before = _first(nodes, _counterparts(nodes, here, there, other), mine, yours, tolerance)
    if found is None:
        return Parted(before=before, given=tuple(given))
    node, variable, apart, scope, note = found
    outermost = scope.path[0][0] if scope.path else node
    step = next(step.index for step in schedule(session) if outermost in step.nodes)
    return Parted(node, variable, apart, step, scope.path, before, tuple(given), note)


def _input(session: Session, v: Variable) -> Array:
    return dict(zip(session.function.inputs, arguments(session), strict=True))[v]


Found = tuple[Apply, Variable, Difference, Scope, str]


def _first(nodes: Iterable[Apply], counterparts: Mapping[Variable, Variable] | None, mine: Scope, yours: Scope,
           tolerance: float) -> tuple[Found | None, int]:  # fmt: skip
    """The first of `nodes` with an output that differs, and how many values before it do not.

    `counterparts` are the variables of the other run (None: it has the same).
    """
    before, seen = 0, set[Apply]()
    for node in nodes:
        if node in seen:
            continue
        seen.add(node)
        for v in node.outputs:
            other = v if counterparts is None else counterparts.get(v)
            if other is None:
                continue
            apart = difference(mine.read(v), yours.read(other), tolerance)
            if apart is None:
                before += 1
                continue
            deeper = _inside(node, other, mine, yours, tolerance) if node.op.graphs else None
            return deeper or (node, v, apart, mine, ""), before
    return None, before


def _inside(node: Apply, other: Variable, mine: Scope, yours: Scope, tolerance: float) -> Found | None:
    """Where the runs part inside of `node`, whose counterpart computes `other`."""
    assert other.owner is not None
    a, b = Held(node, mine), Held(other.owner, yours)
    if a.branch != b.branch:
        words = ("then", "otherwise")
        apart = difference(np.asarray(a.branch == 0), np.asarray(b.branch == 0))
        assert apart is not None
        return node, node.inputs[0], apart, mine, f"here it takes its branch {words[a.branch]!r}, there the other"
    nodes = toposort(a.graph.outputs, a.graph.inputs)
    counterparts = None if a.graph is b.graph else _matched(nodes, toposort(b.graph.outputs, b.graph.inputs))
    for turn in range(min(len(a.given), len(b.given))):
        found, _ = _first(nodes, counterparts, a.inner(turn), b.inner(turn), tolerance)
        if found is not None:
            return found
    return None


def _counterparts(nodes: Sequence[Apply], here: Any, there: Any, other: Session) -> Mapping[Variable, Variable] | None:
    return None if here is there else _matched(nodes, [node for step in schedule(other) for node in step.nodes])


def _matched(mine: Sequence[Apply], yours: Sequence[Apply]) -> dict[Variable, Variable]:
    """The variables of `mine` with those of `yours` that are the same operation of the same lines, in their order."""
    there = dict(_keyed(yours))
    pairs = ((node, there.get(key)) for key, node in _keyed(mine))
    return {v: u for a, b in pairs if b is not None for v, u in zip(a.outputs, b.outputs, strict=False)}


def _keyed(nodes: Sequence[Apply]) -> Iterable[tuple[Hashable, Apply]]:
    counts: Counter[Hashable] = Counter()
    for node in dict.fromkeys(nodes):
        why = node.provenance
        kept = node.op.kept if isinstance(node.op, Scan) else None  # how many turns' values it gives
        what = (node.op.name, kept, why.origins, why.grad_of is None, len(node.outputs))
        counts[what] += 1
        yield (what, counts[what]), node
