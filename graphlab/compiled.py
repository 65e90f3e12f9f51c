"""From a graph to a loaded program: rewrite, lower, print, build - or find what became of the same graph before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from threading import RLock

from graphlab.codegen.c import Source, emit
from graphlab.errors import CompilerError, caller_origin
from graphlab.graph.events import Event, Fallback, listen, listening
from graphlab.graph.events import emit as tell
from graphlab.graph.node import Graph, Shared
from graphlab.lower import Lowered, lower
from graphlab.lower.assume import Equal
from graphlab.options import in_force, options
from graphlab.recall import Mark, mark, recall, remember
from graphlab.rewrite.pipeline import Mode, optimize
from graphlab.rewrite.trace import Trace
from graphlab.runtime.program import Facts, Machine
from graphlab.runtime.progress import shown, stage


@dataclass(frozen=True)
class Compiled:
    """What compiling a graph produced; `machine` is None where NumPy runs the graph."""

    optimized: Graph
    trace: Trace
    lowered: Lowered | None = None
    source: Source | None = None
    machine: Machine | None = None

    @property
    def assumed(self) -> tuple[Equal, ...]:
        """What the program takes for granted."""
        return self.lowered.assumed if self.lowered is not None else ()


class Recalled:
    """A program found by the graph as written, with all that Compiled has: the rest is made when somebody looks."""

    def __init__(
        self, machine: Machine, assumed: tuple[Equal, ...], graph: Graph, mode: Mode, updated: Sequence[Shared]
    ) -> None:
        self.assumed = assumed
        self._machine = machine
        self._asked = (graph, mode, tuple(updated), options())
        self._made: Compiled | None = None
        self._making = RLock()

    @property
    def machine(self) -> Machine:
        """The loaded program."""
        return self._machine

    @property
    def optimized(self) -> Graph:
        """The graph after rewriting."""
        return self.whole.optimized

    @property
    def trace(self) -> Trace:
        """What happens when the graph is compiled."""
        return self.whole.trace

    @property
    def lowered(self) -> Lowered | None:
        """The program of steps over slots."""
        return self.whole.lowered

    @property
    def source(self) -> Source | None:
        """The generated C."""
        return self.whole.source

    @property
    def whole(self) -> Compiled:
        """All that compiling the graph produces, which makes the program that was found."""
        with self._making:
            if self._made is None:
                # A context of its own: whoever listens, traces or names scopes now does not mean what was asked then.
                self._made = Context().run(self._compiled)
                made = self._made.machine
                if made is not None and made.built.key != self._machine.built.key:
                    self._machine = made  # so that what is seen is what runs, step by step
            return self._made

    def _compiled(self) -> Compiled:
        graph, mode, updated, chosen = self._asked
        with in_force(chosen):
            return compile_anew(graph, mode, updated, lambda reason: None)


def compile_graph(
    graph: Graph, mode: Mode, updated: Sequence[Shared] = (), failed: Callable[[str], None] | None = None
) -> Compiled | Recalled:
    """Rewrite, lower, print and build `graph`; the last outputs are the new values of `updated`.

    Where the cache has the plan of the same graph, its program is loaded at once. Not so while somebody listens.
    `failed` is told why no program could be built; without it a warning says so, once.
    """
    known, found = sought(graph, mode, updated)
    return found or compile_anew(graph, mode, updated, failed, known)


def sought(graph: Graph, mode: Mode, updated: Sequence[Shared]) -> tuple[Mark | None, Recalled | None]:
    """What `graph` is found by, and what was found."""
    known = None if listening() else mark(graph, mode, updated)
    found = None if known is None else recall(known, updated, mode.nan_policy == "raise")
    return known, None if found is None else Recalled(*found, graph, mode, updated)


def compile_anew(
    graph: Graph, mode: Mode, updated: Sequence[Shared], failed: Callable[[str], None] | None, known: Mark | None = None
) -> Compiled:
    """As compile_graph, whatever the cache has; what comes of it is remembered as `known`."""
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
        if known is not None and machine is not None:
            remember(known, lowered, source, machine)
        return Compiled(optimized, Trace(graph, tuple(events)), lowered, source, machine)


def build(
    lowered: Lowered, source: Source, updated: Sequence[Shared], failed: Callable[[str], None] | None = None,
    refuses_nan: bool = False,
) -> Machine | None:  # fmt: skip
    """The loaded program, or None, with one warning, where it can't be built: NumPy then runs the graph."""
    shared = [lowered.variables[slot] for slot in lowered.program.shared]
    first = len(lowered.program.outputs) - len(updated)
    try:
        return Machine(
            Facts.of(lowered.program, source.externs),
            source.text,
            constants=lowered.constants,
            hosts=lowered.hosts,
            cells=[v.cell for v in shared if isinstance(v, Shared)],
            updates=[(first + i, v.cell) for i, v in enumerate(updated)],
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
