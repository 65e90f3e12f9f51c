"""Where the time of a call goes, step by step, and how far each step is from what the machine can do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from html import escape
from statistics import median
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.debug.schedule import StepView, schedule
from graphlab.debug.work import Alive, Meter, Work, nodes_of
from graphlab.errors import CompilerError, user_boundary
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import run_node
from graphlab.lower import Lowered
from graphlab.runtime.hardware import Hardware, machine
from graphlab.runtime.program import Machine

Array = np.ndarray[Any, Any]

SECONDS = 0.2  # of runs
FEWEST, MOST = 3, 300  # runs
COUNTED = 2000  # steps of a program whose memory is counted
NAMED = 4  # ops and lines of a step that a table names


@dataclass(frozen=True)
class Row:
    """One step of a profiled function: its times in seconds, and its work as the extents of that call make it.

    `seconds` is the median of `calls` runs, `total` their sum, `share` the part of all steps' seconds. `read` and
    `written` are bytes, `flops` arithmetic operations (one for each element of an elementwise operation, whatever
    its formula). `bound` says which of the machine's limits would stop it, "memory" or "compute", and `fraction` how
    near it is to that; None where it has no work to speak of, or the machine could not be measured. `memory` is the
    bytes of all arrays that are there while it runs; None where that was not counted: there are too many steps, or
    NumPy runs them. `nodes` are the applications of the graph that it computes, `dtype` is that of what it writes.
    """

    step: int
    name: str
    kind: str
    ops: tuple[str, ...]
    lines: tuple[str, ...]
    calls: int
    seconds: float
    total: float
    share: float
    read: int
    written: int
    flops: int
    bound: str | None
    fraction: float | None
    memory: int | None = None
    dtype: str = "float64"
    nodes: tuple[Apply, ...] = field(default=(), repr=False, compare=False)

    @property
    def bandwidth(self) -> float:
        """GB/s read and written."""
        return _rate(self.read + self.written, self.seconds)

    @property
    def gflops(self) -> float:
        """GFLOP/s."""
        return _rate(self.flops, self.seconds)


@dataclass(frozen=True)
class Profile:
    """Where the time of a function's calls goes: `rows` in the order of the steps, and as text a table, dearest first.

    `total` is the median of a plain call's seconds, `outside` what of it is outside the steps: checking the
    arguments, and making the results.
    """

    function: str
    rows: tuple[Row, ...]
    calls: int
    total: float
    outside: float
    machine: Hardware | None

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(self.data(), indent=1)

    def data(self) -> dict[str, Any]:
        """All of it as dicts and lists."""
        rows = [
            {f.name: getattr(r, f.name) for f in fields(r) if f.name != "nodes"}
            | {"bandwidth": r.bandwidth, "gflops": r.gflops}
            for r in self.rows
        ]
        facts = {name: getattr(self, name) for name in ("function", "calls", "total", "outside")}
        return {**facts, "rows": rows, "machine": asdict(self.machine) if self.machine else None}

    def sorted(self) -> list[Row]:
        """The rows, the dearest first."""
        return sorted(self.rows, key=lambda row: -row.seconds)

    def headline(self) -> str:
        """The whole call in a line."""
        outside = f"{time_text(self.outside)} ({_percent(self.outside, self.total)}) outside the steps"
        return f"{self.function}: {time_text(self.total)} a call, the median of {self.calls}; {outside}"

    def cells(self) -> list[tuple[str, ...]]:
        """The table, dearest first: a row of texts for each step, after one of headings."""
        return [HEADINGS, *(_cells(row) for row in self.sorted())]

    def __str__(self) -> str:
        table = self.cells()
        widths = [max(len(row[k]) for row in table) for k in range(NUMBERS)]
        lines = [
            "  ".join([*(text.rjust(n) for text, n in zip(row, widths, strict=False)), *row[NUMBERS:]]).rstrip()
            for row in table
        ]
        return "\n".join([self.headline(), *lines])

    def _repr_html_(self) -> str:
        head, *rows = ([escape(text) for text in row] for row in self.cells())
        made = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in rows)
        titles = "".join(f"<th>{text}</th>" for text in head)
        return f"<p>{escape(self.headline())}</p><table><thead><tr>{titles}</tr></thead><tbody>{made}</tbody></table>"


HEADINGS = ("share", "time", "read", "written", "memory", "GB/s", "GFLOP/s", "of the machine", "step", "ops", "lines")
NUMBERS = 8  # of these are aligned to the right


def _cells(row: Row) -> tuple[str, ...]:
    of_machine = "" if row.fraction is None else f"{row.fraction:.0%} {row.bound}"
    alive = _bytes(row.memory or 0)
    numbers = (_bytes(row.read), _bytes(row.written), alive, _number(row.bandwidth), _number(row.gflops), of_machine)
    share, seconds = f"{row.share:.1%}", time_text(row.seconds)
    return (share, seconds, *numbers, f"{row.step} {row.kind}", _few(row.ops), _few(row.lines))


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", {more} more" if more > 0 else "")


def time_text(seconds: float) -> str:
    """A time in a unit that suits it: 1.21 ms."""
    scale, unit = next(((s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= s), (1e-9, "ns"))
    return f"{seconds / scale:.3g} {unit}" if seconds < 1000 else f"{seconds:.0f} s"


def _bytes(count: int) -> str:
    scale, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if count >= s), (1.0, "B"))
    return f"{count / scale:.3g} {unit}" if count else ""


def _number(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 0.05 else ""


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def _rate(count: int, seconds: float) -> float:
    return 1e-9 * count / seconds if seconds else 0.0


# ---- measuring -----------------------------------------------------------------------------------


class Profiler:
    """`f.profile`: called with arguments, where their time goes; and what calls recorded with `profile=True`."""

    def __init__(self, function: Function) -> None:
        self._function = function

    @user_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Profile:
        """Run the function on these arguments some times, step by step and as a plain call: a Profile.

        It takes about half a second, and measures the machine where that was not done yet (see `graphlab.machine`).
        Updates do not take effect; errors are those of a call. Where NumPy runs the function its steps are the nodes.

        >>> import numpy as np, graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> found = graphlab.function([x], T.exp(x).sum()).profile(np.zeros(1000))
        >>> [(row.kind, row.ops, row.read, row.flops) for row in found.rows]
        [('kernel', ('exp', 'sum'), 8000, 2000)]
        """
        return profile(self._function, self._function.arguments(args, kwargs))

    @property
    def calls(self) -> int:
        """How many calls were recorded."""
        recorded = self._function.recorded
        return recorded.calls if recorded else 0

    @property
    def seconds(self) -> float:
        """How long they took."""
        recorded = self._function.recorded
        return recorded.seconds if recorded else 0.0

    @property
    def steps(self) -> dict[str, float]:
        """How many seconds each step took in all."""
        recorded = self._function.recorded
        return recorded.steps if recorded else {}

    def summary(self) -> str:
        """The recorded calls as a table, the slowest step first."""
        recorded = self._function.recorded
        if recorded is None:
            return "calls are not recorded: compile with profile=True, or profile one call: f.profile(*arguments)"
        return recorded.summary()

    def __repr__(self) -> str:
        return f"<profile of {self._function.name}: call it with arguments>"


def profile(function: Function, arrays: Sequence[Array]) -> Profile:
    """The profile of calls of `function` with `arrays`."""
    with _unchanged(function) as (fresh, restore):
        function._run(arrays)  # errors are those of a call, and afterwards the right program is known
        restore()
        lowered, program = function.program_for(arrays)
        if lowered is None or program is None:
            steps, names, work = _by_numpy(function, arrays)
        else:
            steps, names, work = _by_steps(function, lowered, program, arrays)
        plain, runs = list[float](), list[Sequence[float]]()
        began = time.perf_counter()
        while len(runs) < FEWEST or (time.perf_counter() - began < SECONDS and len(runs) < MOST):
            fresh()
            before = time.perf_counter()
            function(*arrays)
            plain.append(time.perf_counter() - before)
            restore()
            runs.append(steps())
    here = _hardware() if program is not None else None
    return _profile(function.name, names, work, runs, plain, here)


def _hardware() -> Hardware | None:
    try:
        return machine()
    except CompilerError:
        return None


@contextmanager
def _unchanged(function: Function) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """`fresh` lets the function's updates change copies, written in place as in any call that nobody watches.

    `restore`, and the end of the block, puts back what they are to change.
    """
    held = [(shared, shared.cell[0]) for shared in function.updated]

    def fresh() -> None:
        for shared, value in held:
            shared.cell[0] = value.copy()

    def restore() -> None:
        for shared, value in held:
            shared.cell[0] = value

    try:
        yield fresh, restore
    finally:
        restore()


Done = tuple[Work, int | None]  # by a step, and the bytes of what was there then
Steps = tuple[Callable[[], Sequence[float]], Sequence[tuple[StepView, Sequence[Apply]]], Sequence[Done]]


def _by_steps(function: Function, lowered: Lowered, program: Machine, arrays: Sequence[Array]) -> Steps:
    frame, work = program.frame(arrays), list[Done]()
    views = schedule(function, lowered)
    try:
        meter, alive = Meter(lowered, frame), Alive(lowered, frame) if len(views) <= COUNTED else None
        for k, (step, view) in enumerate(zip(lowered.program.steps, views, strict=True)):
            frame.run_step(k)
            work.append((meter.work(step), None if alive is None else alive.during(step, view.outputs)))
    finally:
        frame.close()

    def steps() -> Sequence[float]:
        frame = program.frame(arrays)
        try:
            return frame.time_steps()
        finally:
            frame.close()

    inside = [tuple(nodes_of(step, lowered)) for step in lowered.program.steps]
    return (
        steps,
        [(v, v.nodes if v.kind in ("loop", "branch") else n) for v, n in zip(views, inside, strict=True)],
        work,
    )


def _by_numpy(function: Function, arrays: Sequence[Array]) -> Steps:
    """As `_by_steps`, where NumPy runs the graph node by node."""
    graph = function.optimized
    nodes = toposort(graph.outputs, graph.inputs)

    def steps() -> Sequence[float]:
        values: dict[Variable, Array] = dict(zip(graph.inputs, arrays, strict=True))
        times = []
        for node in nodes:
            before = time.perf_counter()
            run_node(node, values)
            times.append(time.perf_counter() - before)
        return times

    return steps, [(view, view.nodes) for view in schedule(function, None)], [(Work(), None)] * len(nodes)


def _profile(
    name: str, names: Sequence[tuple[StepView, Sequence[Apply]]], work: Sequence[Done],
    runs: Sequence[Sequence[float]], plain: Sequence[float], here: Hardware | None,
) -> Profile:  # fmt: skip
    medians = [median(run[k] for run in runs) for k in range(len(names))]
    total = median(plain)
    inside, rows = sum(medians), list[Row]()
    for k, ((view, nodes), (done, alive), seconds) in enumerate(zip(names, work, medians, strict=True)):
        ops = tuple(dict.fromkeys(str(node.op.name) for node in nodes)) or (view.kind,)
        lines = tuple(dict.fromkeys(o.label for node in nodes for o in node.provenance.origins))
        bound, fraction = _roofline(done, seconds, view, here)
        share = seconds / inside if inside else 0.0
        rows.append(
            Row(view.index, view.name, view.kind, ops, lines, len(runs), seconds, sum(run[k] for run in runs), share,
                done.read, done.written, done.flops, bound, fraction, alive, _dtype(view), tuple(nodes))
        )  # fmt: skip
    return Profile(name, tuple(rows), len(plain), total, max(total - inside, 0.0), here)


def _roofline(done: Work, seconds: float, view: StepView, here: Hardware | None) -> tuple[str | None, float | None]:
    """Which limit of the machine bounds the work, and how much of the time it would take there was needed.

    S. Williams, A. Waterman, D. Patterson: "Roofline", 2009. The bandwidth is that of the smallest cache, or the
    memory, that holds all the step touches.
    """
    moved = done.read + done.written
    if here is None or not seconds or not (moved or done.flops):
        return None, None
    limits = {"memory": moved / here.bandwidth(moved), "compute": done.flops / here.gflops(_dtype(view))}
    bound = max(limits, key=lambda limit: limits[limit])
    return bound, 1e-9 * limits[bound] / seconds


def _dtype(view: StepView) -> str:
    return view.outputs[0].dtype if view.outputs else "float64"
