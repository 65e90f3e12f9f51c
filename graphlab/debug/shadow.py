"""Where digits are lost: each value of a run beside the same run in a wider format, largest growth of errors first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.focus import Focus, Operand, formula
from graphlab.debug.inside import Array, Element, Place, lines_of
from graphlab.debug.places import finished, program, schedule, whole
from graphlab.debug.wide import Beside, Wide, wider
from graphlab.errors import GraphValueError, Origin, caller_origin
from graphlab.graph.cost import is_view
from graphlab.graph.node import Apply, Variable
from graphlab.graph.text import number_text
from graphlab.graph.walk import ancestors
from graphlab.ops.conversion import Cast
from graphlab.ops.linalg import MatMul
from graphlab.ops.reduce import Reduce, Sum
from graphlab.ops.ufunc import Elementwise

if TYPE_CHECKING:
    from graphlab.debug.session import Session

LONGEST = 70  # characters of the user's line that the table has
SHOWN = 10  # nodes that the text has
NOTABLE = 30.0  # a growth of errors that costs one and a half digits

# ---- the answer ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """What `node` makes of errors: `growth` is the relative error of its result by that of its operands.

    Of the elements a `share` has at least this growth; the one with the largest is `element`, which is `value` and
    would be `true`, with a relative error `after` made of one `before`. (An operand without error counts as rounded.)
    A growth that few elements have counts less, as a sum of many numbers is near 0 somewhere by chance: the order is
    by growth times share. `turns` are the loops and branches around it with the numbers of their turns, `step` that
    of its step in the session.
    """

    node: Apply
    variable: Variable
    growth: float
    share: float
    before: float
    after: float
    element: Element
    value: Any
    true: Any
    operands: tuple[Operand, ...] = ()
    turns: tuple[tuple[Apply, int | None], ...] = ()
    step: int | None = None

    @property
    def lines(self) -> tuple[Origin, ...]:
        """The user's lines."""
        return lines_of(self.node)

    @property
    def weight(self) -> float:
        """By what losses are ordered."""
        return self.growth * self.share

    @property
    def kept(self) -> float:
        """How many decimal digits of the element are right."""
        return digits(self.after)

    def __str__(self) -> str:
        where = "; ".join(f"{o.label}{f': {o.text}' if o.text else ''}" for o in self.lines)[:LONGEST]
        turns = "".join(f" turn {n} of {node.op.name}" for node, n in self.turns if n is not None)
        errors = f"{self.growth:8.1e}  {self.before:8.1e}  {self.after:8.1e}  {_percent(self.share)}"
        return f"{errors}  {self.node.op.name}{turns} -> {self.variable.type}  {where}".rstrip()


@dataclass(frozen=True, repr=False)
class Shadow:
    """A run beside itself in the format `beside`: what each node loses, the largest first, and the outputs' errors.

    `outputs` are relative errors, of the worst element; `otherwise` are nodes that would have decided in another way:
    comparisons, roundings to integers. What was decided in the run was kept.
    """

    losses: tuple[Loss, ...]
    outputs: tuple[float, ...]
    beside: str
    otherwise: tuple[Apply, ...] = ()

    @property
    def first(self) -> Loss | None:
        """The largest loss, if one costs more than a digit."""
        return next((loss for loss in self.losses if loss.weight >= NOTABLE), None)

    def __str__(self) -> str:
        errors = ", ".join(f"{e:.1e}" for e in self.outputs)
        lines = [f"beside {self.beside} the outputs are off by {errors}, relatively"]
        if self.first is None:
            lines.append("no operation loses digits")
        else:
            loss = self.first
            lines += [f"digits are lost first of all in {loss.node.op.name}, which keeps {loss.kept:.1f}"
                      f" of {digits(loss.before):.1f} digits:",
                      f"  {formula(loss.node, loss.operands)} = {number_text(loss.value)}, and should be"
                      f" {_number(loss.true)}"]  # fmt: skip
        lines.append("  growth    before     after  share  operation")
        lines += map(str, self.losses[:SHOWN])
        for node in self.otherwise:
            where = next((f" at {o.label}" for o in node.provenance.origins), "")
            lines.append(f"{node.op.name}{where} would have decided in another way")
        return "\n".join(lines)

    __repr__ = __str__


def _percent(share: float) -> str:
    return f"{share:5.0%}" if share >= 0.01 else f"{share:5.1%}"


def _number(value: Any) -> str:
    return f"{float(value):.7g}" if np.isrealobj(value) else f"{complex(value):.7g}"


def digits(error: float) -> float:
    """How many decimal digits are right where the relative error is `error`."""
    return 0.0 if not error < 1 else 17.0 if error == 0 else min(-float(np.log10(error)), 17.0)


# ---- measuring -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """A loss as it is measured; what only the text needs is found for the largest."""

    place: Place
    growth: float
    share: float
    before: float
    after: float
    value: Any
    true: Any

    def loss(self, steps: Mapping[Apply, int], told: bool) -> Loss:
        place = self.place
        node = place.variable.owner
        assert node is not None
        outermost = place.scope.path[0][0] if place.scope.path else node
        operands = Focus.on(node, place).operands() if told else ()
        measures = self.growth, self.share, self.before, self.after
        return Loss(node, place.variable, *measures, place.element, self.value, self.true, operands,
                    place.scope.path, steps.get(outermost))  # fmt: skip


def shadow(session: Session) -> Shadow:
    """Each value of the run beside the same run in a wider format: where errors grow.

    Single precision is run in double precision, double precision in the long doubles of C where these have more digits
    (GraphValueError: they have not). Both begin with the same arguments, and what is decided on the way is decided
    once.
    """
    with finished(session):
        return _beside(session)


def _beside(session: Session) -> Shadow:
    graph = program(session)
    real = wider(ancestors(graph.outputs))
    if real is None:
        raise GraphValueError("this machine has no format with more digits than float64", origin=caller_origin())
    found: dict[Variable, _Candidate] = {}
    errors: dict[Variable, float] = {}

    def seen(node: Apply, beside: Beside) -> None:
        for v in node.outputs:
            if beside.values[v].dtype.kind not in "fc" or not beside.values[v].size:
                continue
            if beside.scope.held is None:
                errors[v] = float(np.max(beside.error(v)))
            if is_view(node) or node.op.graphs:
                continue
            one = _measured(node, v, beside)
            if v not in found or found[v].growth * found[v].share < one.growth * one.share:
                found[v] = one

    wide = Wide(real, seen)
    wide.walk((node for step in schedule(session) for node in step.nodes), Beside(whole(session)))
    steps = {node: step.index for step in schedule(session) for node in step.nodes}
    ordered = sorted(found.values(), key=lambda c: -c.growth * c.share)  # a stable sort: the schedule decides on ties
    losses = tuple(c.loss(steps, k == 0) for k, c in enumerate(ordered))
    outputs = tuple(errors.get(v, 0.0) for v in graph.outputs)
    return Shadow(losses, outputs, np.dtype(real).name, tuple(wide.otherwise))


def _measured(node: Apply, v: Variable, beside: Beside) -> _Candidate:
    """What the result `v` of `node` loses."""
    off, unit = beside.error(v), float(np.finfo(v.dtype).eps) / 2
    with np.errstate(all="ignore"):
        before = np.broadcast_to(np.maximum(_before(node, v, beside), unit), off.shape)
        growth = off / before
    growth = np.where(np.isnan(growth), 0.0, growth)
    ordered = np.sort(growth, axis=None)[::-1]
    shares = np.arange(1, growth.size + 1) / growth.size
    k = int(np.argmax(ordered * shares))
    worst = np.unravel_index(int(np.argmax(growth)), growth.shape)
    element = tuple(int(i) for i in worst)
    return _Candidate(Place(beside.scope, v, element), float(ordered[k]), float(shares[k]), float(before[worst]),
                      float(off[worst]), beside.scope.read(v)[worst], beside.values[v][worst])  # fmt: skip


def _before(node: Apply, v: Variable, beside: Beside) -> Array:
    """The relative error of what each element of the result is made of.

    Of sums and of products of matrices it is that of their terms together: sum |error| / sum |term|.
    """
    floats = [u for u in node.inputs if beside.values[u].dtype.kind in "fc"]
    offs = [beside.error(u) for u in floats]
    if isinstance(node.op, Elementwise | Cast):
        return reduce(np.maximum, offs) if offs else np.asarray(0.0)
    if isinstance(node.op, Reduce) and offs:
        axes, keep = node.op.over(offs[0].ndim), node.op.keepdims
        if not isinstance(node.op, Sum):
            return np.asarray(np.max(offs[0], axis=axes, keepdims=keep, initial=0.0))
        off, size = _sizes(floats[0], beside)
        return np.asarray(np.sum(off, axis=axes, keepdims=keep) / np.sum(size, axis=axes, keepdims=keep))
    if isinstance(node.op, MatMul):
        (a, p), (b, q) = (_sizes(u, beside) for u in floats)
        return np.asarray((a @ q + p @ b) / (p @ q))
    return np.asarray(max((float(np.max(o, initial=0.0)) for o in offs), default=0.0))


def _sizes(v: Variable, beside: Beside) -> tuple[Array, Array]:
    """How large the errors of `v` are, and `v` itself."""
    true = beside.values[v]
    return np.abs(beside.scope.read(v) - true).astype("float64"), np.abs(true).astype("float64")
