"""Whether rewrites kept the values: each one judged on real values, and the first that changes an output found."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.control.loop import Scan
from graphlab.graph.events import RewriteApplied
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.text import described
from graphlab.graph.walk import toposort
from graphlab.interpret import demand, interpret, leaf_value
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.replay import History, Stage

Array = np.ndarray[Any, Any]

EXACT = "exact"
ROUNDING = "rounding"
REPAIRED = "repaired"
DIVERGED = "diverged"
UNKNOWN = "not evaluated"
VERDICTS = (EXACT, ROUNDING, REPAIRED, DIVERGED, UNKNOWN)
_SEVERITY = (UNKNOWN, EXACT, ROUNDING, REPAIRED, DIVERGED)  # the last of those in several turns is the verdict
MOST_TURNS = 100  # of a loop that are looked at

# ---- comparing -----------------------------------------------------------------------------------


def tolerance_of(dtype: str) -> float:
    """How far apart, by the largest value, results of `dtype` may be through rounding."""
    return {"float16": 1e-2, "float32": 1e-4, "complex64": 1e-4}.get(dtype, 1e-9)


def error(got: Array, want: Array, least: float = 0.0) -> float:
    """The largest difference by the largest finite value (`least`, if all are smaller).

    Infinite where types, NaN or infinities differ.

    >>> error(np.array([1.0, np.nan]), np.array([1.0, np.nan])), error(np.array(1.0), np.array(np.inf))
    (0.0, inf)
    """
    if got.dtype != want.dtype or got.shape != want.shape:
        return float("inf")
    with np.errstate(all="ignore"):
        if np.array_equal(got, want, equal_nan=want.dtype.kind in "fc"):
            return 0.0
        if want.dtype.kind not in "fc":
            return float("inf")
        finite = np.isfinite(got) & np.isfinite(want)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        if not np.all(finite | same):
            return float("inf")
        wide = np.complex128 if want.dtype.kind == "c" else np.float64
        a, b = got[finite].astype(wide), want[finite].astype(wide)
        scale = max(np.max(np.abs(a)), np.max(np.abs(b)), least)
        return float(np.max(np.abs(a / scale - b / scale)))


def agree(got: Array, want: Array, tolerance: float | None = None, least: float = 1.0) -> bool:
    """Whether `got` is `want` within `tolerance` (None: that of its dtype) of the largest value, or of `least`."""
    return error(got, want, least) <= (tolerance_of(want.dtype.name) if tolerance is None else tolerance)


# ---- every rewrite on its own --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Judged:
    """A rewrite's verdict: the values of both sides, and how far apart they are."""

    number: int
    rewrite: RewriteApplied
    verdict: str
    error: float = 0.0
    before: Array | None = None
    after: Array | None = None
    note: str = ""

    def __str__(self) -> str:
        origin = self.rewrite.before.origin
        error = "" if self.verdict in (EXACT, UNKNOWN) else f"{self.error:.1e}"
        parts = [f"{self.number:4}  {self.verdict:13} {error:8} {self.rewrite.rule}"]
        parts += [f"[{self.rewrite.changes}]", origin.label if origin else "", self.note and f"({self.note})"]
        return "  ".join(filter(None, parts))

    __repr__ = __str__


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """The verdicts on all rewrites; printed, a table with totals."""

    rows: tuple[Judged, ...]

    @property
    def totals(self) -> str:
        """How many there are of each verdict, and the largest error of rounding."""
        counts = Counter(row.verdict for row in self.rows)
        said = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
        largest = max((row.error for row in self.rows if row.verdict == ROUNDING), default=None)
        within = "" if largest is None else f"; the largest error of rounding is {largest:.1e}"
        return f"{len(self.rows)} rewrite{'' if len(self.rows) == 1 else 's'}" + (f": {said}{within}" if said else "")

    @property
    def diverged(self) -> tuple[Judged, ...]:
        """The rewrites that changed the values."""
        return tuple(row for row in self.rows if row.verdict == DIVERGED)

    def __str__(self) -> str:
        head = f"{'#':>4}  {'verdict':13} {'error':8} rule"
        return "\n".join([head, *map(str, self.rows), self.totals])

    def __repr__(self) -> str:
        return f"<{self.totals}>"


def checked(graph: Graph, history: History | None, values: Sequence[Array], tolerance: float | None) -> Checked:
    """The verdicts on the rewrites of `history`, of `graph`, where its inputs have `values`."""
    if history is None:
        return Checked(())
    outside = _Outside(history, values, tolerance)
    return Checked(tuple(_rows(history, [_Setting.of(history, graph, values)], outside)))


@dataclass(frozen=True, slots=True)
class _Outside:
    """The whole compilation, by whose outputs a rewrite is judged where it has no values of its own."""

    history: History
    values: Sequence[Array]
    tolerance: float | None

    def judged(self, number: int, rewrite: RewriteApplied) -> Judged:
        """The verdict on `rewrite`."""
        return _judged_outside(number, rewrite, self.history, self.values, self.tolerance)


@dataclass(frozen=True, slots=True)
class _Setting:
    """Values for the inputs of a graph: those of a call, or of one turn of a loop; they grow by what is computed."""

    known: dict[Variable, Array]
    wide: dict[Variable, Array]

    @staticmethod
    def of(history: History, graph: Graph, values: Sequence[Array]) -> _Setting:
        """`values` for `graph`, whose rewriting `history` tells."""
        known = dict(zip((*graph.inputs, *history.start.inputs), (*values, *values), strict=True))
        return _Setting(known, {v: _wide(a) for v, a in known.items()})


def _rows(history: History, settings: Sequence[_Setting], outside: _Outside) -> Iterator[Judged]:
    """The verdicts on the rewrites of `history`, each the worst of those in `settings`."""
    for stage in history.stages:
        for inner in stage.inner:
            yield from _rows(inner, _settings_inside(stage, inner, settings), outside)
        for number, rewrite in enumerate(stage.rewrites, stage.first):
            rows = [_judged(number, rewrite, s.known, s.wide, outside.tolerance) for s in settings]
            row = max(rows, key=lambda r: (_SEVERITY.index(r.verdict), r.error), default=None)
            # A loop that keeps less is another array, and right if what is read of it is there.
            other = row is not None and row.before is not None and row.after is not None and (
                row.before.shape != row.after.shape
            )  # fmt: skip
            yield outside.judged(number, rewrite) if row is None or other else row


def _settings_inside(stage: Stage, inner: History, settings: Sequence[_Setting]) -> list[_Setting]:
    """What the graph of `inner`, which operations of `stage` hold, is computed on in its first turns."""
    found: list[_Setting] = []
    nodes = toposort(stage.before.outputs, stage.before.inputs)
    holding = [node for node in nodes if any(graph is inner.graph for graph in node.op.graphs)]
    for setting, node in itertools.product(settings, holding):
        try:
            for given in _given(node, inner.graph, values_of(node.inputs, setting.known)):
                found.append(_Setting.of(inner, inner.graph, given))
                if len(found) == MOST_TURNS:
                    return found
        except Exception:  # a turn fails: those before it can be looked at
            continue
    return found


def _given(node: Apply, graph: Graph, values: Sequence[Array]) -> Iterator[Sequence[Array]]:
    """The values on which `node` computes `graph`: in each turn, or where that branch is taken."""
    if isinstance(node.op, Scan):
        yield from node.op.given(*values)
    for branch, inputs in zip(node.op.graphs, node.op.branches(node), strict=False):
        if branch is graph and node.op.graphs[node.op.chosen(values[0])] is graph:
            yield [values[i] for i in inputs]


def numbered(history: History, inside: bool = False) -> Iterator[tuple[int, RewriteApplied, bool]]:
    """Every rewrite with its number, and whether it is inside of an operation."""
    for stage in history.stages:
        for inner in stage.inner:
            yield from numbered(inner, True)
        for i, rewrite in enumerate(stage.rewrites):
            yield stage.first + i, rewrite, inside


def _judged(number: int, rewrite: RewriteApplied, known: dict[Variable, Array], wide: dict[Variable, Array],
            tolerance: float | None) -> Judged:  # fmt: skip
    try:
        before, after = values_of((rewrite.before, rewrite.after), known)
    except Exception as failure:
        return Judged(number, rewrite, UNKNOWN, note=str(failure).splitlines()[0])
    largest = _largest(rewrite, known)
    off = error(after, before, largest)
    verdict = EXACT if off == 0 else ROUNDING if agree(after, before, tolerance, largest) else DIVERGED
    if verdict == DIVERGED and _is_repaired(rewrite.before, after, wide):
        verdict = REPAIRED
    return Judged(number, rewrite, verdict, off, before, after)


def _largest(rewrite: RewriteApplied, known: dict[Variable, Array]) -> float:
    """The largest finite operand of what was matched: rounding is measured by it, whatever cancels."""
    operands = [known[v] for node in rewrite.matched for v in node.inputs if v in known]
    sizes = [np.abs(a[np.isfinite(a)]).astype(float) for a in operands if a.dtype.kind in "fc"]
    return max((float(np.max(a)) for a in sizes if a.size), default=0.0)


def _judged_outside(number: int, rewrite: RewriteApplied, history: History, values: Sequence[Array],
                    tolerance: float | None) -> Judged:  # fmt: skip
    """A rewrite inside of an operation, whose variables have no values here, by what the whole graph computes."""
    try:
        before, after = (interpret(history.at(k), values) for k in (number, number + 1))
    except Exception as failure:
        return Judged(number, rewrite, UNKNOWN, note=str(failure).splitlines()[0])
    errors = [error(a, b, 1.0) for a, b in zip(after, before, strict=True)]
    worst = int(np.argmax(errors)) if errors else 0
    fits = all(agree(a, b, tolerance) for a, b in zip(after, before, strict=True))
    verdict = EXACT if not any(errors) else ROUNDING if fits else DIVERGED
    return Judged(number, rewrite, verdict, errors[worst], before[worst], after[worst], "judged at the outputs")


def values_of(wanted: Sequence[Variable], known: dict[Variable, Array]) -> list[Array]:
    """The values of `wanted`, where those `known` have been computed; it grows."""
    demand(wanted, known)
    return [leaf_value(v, known) for v in wanted]


def _wide(value: Array) -> Array:
    """`value` in the widest format there is."""
    wider = {"f": np.longdouble, "c": np.clongdouble}.get(value.dtype.kind)
    return value if wider is None else value.astype(wider)


def _is_repaired(before: Variable, after: Array, wide: dict[Variable, Array]) -> bool:
    """Whether the form before, computed in more digits and with larger exponents, has the values of the new one."""
    try:
        for node in toposort([before], wide):
            operands = [wide[v] if v in wide else _wide(leaf_value(v, wide)) for v in node.inputs]
            # An elementwise op would first convert them to a dtype of graphlab's, which has none so wide.
            whole = isinstance(node.op, Elementwise) and node.op.name != "cast"
            with np.errstate(all="ignore"):
                results = (node.op.function(*operands),) if whole else node.op.evaluate(*operands)  # type: ignore[attr-defined]
            wide.update(zip(node.outputs, map(np.asarray, results), strict=True))
        true = leaf_value(before, wide)
    except Exception:  # not every operation computes in that format
        return False
    with np.errstate(all="ignore"):
        narrow = true.astype(after.dtype) if true.dtype.kind == after.dtype.kind else None
    return narrow is not None and bool(np.all(np.isfinite(after))) and agree(after, narrow)


# ---- the first that changes an output ------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Bisection:
    """The first rewrite after which an output differs by more than a tolerance; `rewrite` is None if none does.

    `number` is its number in the trace: `trace.at(number)` still has `want`, `trace.at(number + 1)` has `got`.
    `output` is the output that it changes most, `label` what that is called, `outputs` are all that it changes; `error`
    is how far it moves, by its largest value or 1, where there is no such rewrite through all of them together.
    `compiled` is then how far the compiled program is from the graph as written, None if that was not asked.
    """

    rewrite: RewriteApplied | None = None
    number: int = 0
    output: int = 0
    want: Array | None = None
    got: Array | None = None
    error: float = 0.0
    judged: Judged | None = None
    outputs: tuple[int, ...] = ()
    label: str = "output 0"
    tolerance: float | None = None
    compiled: float | None = None

    @property
    def repaired(self) -> bool:
        """Whether the rewrite is right where the old form over- or underflows."""
        return self.judged is not None and self.judged.verdict == REPAIRED

    def __str__(self) -> str:
        if self.rewrite is None:
            return self._unchanged()
        r, origin = self.rewrite, self.rewrite.before.origin
        where = f" at {origin.label}{f': {origin.text}' if origin.text else ''}" if origin else ""
        lines = [
            f"the rule {r.rule!r} ({r.source}), rewrite {self.number} in the pass {r.pass_name!r},"
            f" changes {self.label}{where}",
            f"  it replaces {described(r.before)} by {described(r.after)}",
            f"  {self.label} was {_short(self.want)} and is {_short(self.got)}",
        ]
        if others := [str(i) for i in self.outputs if i != self.output]:
            lines.append(f"  so does output {', '.join(others)}")
        if self.judged is not None and self.judged.before is not None and not self.judged.note:
            lines.append(f"  there it makes {_short(self.judged.after)} of {_short(self.judged.before)}")
        if self.repaired:
            lines.append("  the old form over- or underflows there; in more digits it has the new values")
        return "\n".join(lines)

    def _unchanged(self) -> str:
        within = "that of its number type" if self.tolerance is None else f"{self.tolerance:.1e}"
        most = f"all together move one by {self.error:.1e}" if self.error else "none moves one at all"
        text = f"no rewrite changes an output by more than the tolerance, {within}: {most} of its largest value"
        if self.compiled is None:
            return text
        if self.is_compiled:
            return f"{text}\n  but the compiled program is {self.compiled:.1e} off: f.debug(...).finish().findings"
        return f"{text}, and the compiled program is {self.compiled:.1e} off"

    @property
    def is_compiled(self) -> bool:
        """Whether it is the compiled program that differs, and no rewrite."""
        tolerance = 1e-4 if self.tolerance is None else self.tolerance
        return self.compiled is not None and self.compiled > tolerance

    __repr__ = __str__


def bisect(graph: Graph, history: History | None, values: Sequence[Array], output: int | None = None,
           tolerance: float | None = None) -> Bisection:  # fmt: skip
    """Search `history` for the first rewrite that changes an output of `graph` (None: any) by more than `tolerance`.

    As any bisection it takes for granted that what has changed stays changed.
    """
    positions = range(len(graph.outputs)) if output is None else (output,)
    chosen = [graph.outputs[i] for i in positions]
    want = interpret(Graph(graph.inputs, tuple(chosen)), values)

    def results(k: int) -> list[Array]:
        assert history is not None
        state = history.at(k)
        return interpret(Graph(state.inputs, tuple(state.outputs[i] for i in positions)), values)

    def changed(k: int) -> bool:
        return not all(agree(g, w, tolerance) for g, w in zip(results(k), want, strict=True))

    rewrites = {} if history is None else {n: (r, inside) for n, r, inside in numbered(history)}
    if not rewrites or history is None or not changed(len(rewrites)):
        moved = [error(g, w, 1.0) for g, w in zip(results(len(rewrites)), want, strict=True)] if rewrites else []
        return Bisection(error=max(moved, default=0.0), tolerance=tolerance)
    last = _first(changed, len(rewrites)) - 1
    rewrite, inside = rewrites[last]
    got = results(last + 1)
    moved = [error(g, w, 1.0) for g, w in zip(got, want, strict=True)]
    outputs = tuple(p for p, g, w in zip(positions, got, want, strict=True) if not agree(g, w, tolerance))
    i = max((positions.index(p) for p in outputs), key=moved.__getitem__)
    known: dict[Variable, Array] = dict(zip(history.start.inputs, values, strict=True))
    wide = {v: _wide(a) for v, a in known.items()}
    judged = None if inside else _judged(last, rewrite, known, wide, tolerance)
    return Bisection(rewrite, last, positions[i], want[i], got[i], moved[i], judged, outputs,
                     f"output {positions[i]}", tolerance)  # fmt: skip


def _first(holds: Callable[[int], bool], last: int) -> int:
    """The first number in 1..last for which `holds`, which it does for `last`."""
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _short(value: Array | None) -> str:
    return "" if value is None else np.array2string(value, threshold=6, edgeitems=2, precision=6).replace("\n", " ")
