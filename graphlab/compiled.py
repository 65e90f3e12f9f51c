"""From a graph to a loaded program: rewrite, lower, print, build."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphlab.codegen.c import Source, emit
from graphlab.errors import CompilerError, caller_origin
from graphlab.graph.events import Event, Fallback, listen
from graphlab.graph.events import emit as tell
from graphlab.graph.node import Graph, Shared
from graphlab.lower import Lowered, lower
from graphlab.rewrite.pipeline import Mode, optimize
from graphlab.rewrite.trace import Trace
from graphlab.runtime.program import Machine
from graphlab.runtime.progress import shown, stage


@dataclass(frozen=True)
class Compiled:
    """What compiling a graph produced; `machine` is None where NumPy runs the graph."""

    optimized: Graph
    trace: Trace
    lowered: Lowered | None = None
    source: Source | None = None
    machine: Machine | None = None


def compile_graph(
    graph: Graph, mode: Mode, updated: Sequence[Shared] = (), failed: Callable[[str], None] | None = None
) -> Compiled:
    """Rewrite, lower, print and build `graph`; the last outputs are the new values of `updated`.

    `failed` is told why no program could be built; without it a warning says so, once.
    """
    events: list[Event] = []
    with shown(), listen(events.append):
        stage("optimise")
        optimized = optimize(graph, mode)
        if not mode.compiles:
            return Compiled(optimized, Trace(graph, tuple(events)))
        stage("lower")
        lowered = lower(optimized, updated)
        source = emit(lowered.program)
        stage("C compiler")
        machine = build(lowered, source, updated, failed, mode.nan_policy == "raise")
        return Compiled(optimized, Trace(graph, tuple(events)), lowered, source, machine)


def build(
    lowered: Lowered, source: Source, updated: Sequence[Shared], failed: Callable[[str], None] | None = None,
    refuses_nan: bool = False,
) -> Machine | None:  # fmt: skip
    """The loaded program, or None, with one warning, where it can't be built: NumPy then runs the graph."""
    shared = [lowered.variables[slot] for slot in lowered.program.shared]
    cells = {v: v.cell for v in (*shared, *updated) if isinstance(v, Shared)}
    first = len(lowered.program.outputs) - len(updated)
    try:
        return Machine(
            lowered.program,
            source.text,
            constants=lowered.constants,
            hosts=lowered.hosts,
            cells=[cells[v] for v in shared],  # type: ignore[index]
            updates=[(first + i, v.cell) for i, v in enumerate(updated)],
            externs=source.externs,
            refuses_nan=refuses_nan,
        )
    except CompilerError as error:
        tell(Fallback(str(error)))
        (failed or _warn_once)(str(error))
        return None


_warned = False


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        message, line = f"graphlab runs on NumPy, which is slower: {reason}", caller_origin()
        warnings.warn_explicit(message, RuntimeWarning, line.file if line else __file__, line.line if line else 0)
