"""The one stream of facts: what compiling and running do, as frozen events that anyone may listen to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from graphlab.graph.node import Apply, Graph, Variable


@dataclass(frozen=True, slots=True)
class PassApplied:
    """A pass of the pipeline ended: `graph` is the whole graph after it."""

    name: str
    graph: Graph
    nodes_before: int
    nodes_after: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {self.nodes_before} -> {self.nodes_after} nodes"


@dataclass(frozen=True, slots=True)
class RewriteApplied:
    """A rule replaced the variable `before` by `after`.

    `changes` is what the rule may change ("exact", "rounding" or "domain"); `source` is where the
    rule is written, as file:line.
    """

    pass_name: str
    rule: str
    changes: str
    before: Variable
    after: Variable
    seconds: float
    source: str = ""

    def __str__(self) -> str:
        where = f"  {self.before.origin.label}" if self.before.origin else ""
        return f"    {self.rule}  [{self.changes}]{where}"


@dataclass(frozen=True, slots=True)
class KernelFused:
    """Lowering put `nodes` into one kernel; `reason` says why, and what was kept out."""

    name: str
    nodes: tuple[Apply, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ProgramBuilt:
    """The C was compiled, or found in the cache."""

    key: str
    cached: bool
    seconds: float
    command: tuple[str, ...]
    remarks: str = ""

    def __str__(self) -> str:
        return "C from the cache" if self.cached else f"C built in {self.seconds:.2f} s"


@dataclass(frozen=True, slots=True)
class Fallback:
    """Something could not be done the fast way; `reason` says what and why."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class StepRan:
    """One step of a program ran under a debugger."""

    step: int
    name: str
    seconds: float

    def __str__(self) -> str:
        return f"step {self.step}: {self.name}"


Event = PassApplied | RewriteApplied | KernelFused | ProgramBuilt | Fallback | StepRan
Listener = Callable[[Event], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("graphlab_listeners", default=())


def listening() -> bool:
    """Whether anyone listens: ask before building an event that costs something to build."""
    return bool(_listeners.get())


def emit(event: Event) -> None:
    """Tell every listener."""
    for listener in _listeners.get():
        listener(event)


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Call `listener` with each event emitted inside the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@dataclass(frozen=True, slots=True, repr=False)
class Trace:
    """All events of one compilation, in order; printed, a line for each."""

    graph: Graph
    events: tuple[Event, ...] = ()

    def __repr__(self) -> str:
        return f"<trace of {len(self.passes)} passes and {len(self.rewrites)} rewrites>"

    def __str__(self) -> str:
        return "\n".join(map(str, self.events))

    @property
    def rewrites(self) -> tuple[RewriteApplied, ...]:
        """Every application of a rule."""
        return tuple(e for e in self.events if isinstance(e, RewriteApplied))

    @property
    def passes(self) -> tuple[PassApplied, ...]:
        """The passes, with the graph after each."""
        return tuple(e for e in self.events if isinstance(e, PassApplied))

    @property
    def build(self) -> ProgramBuilt | None:
        """The building of the C; None when there was none."""
        return next((e for e in self.events if isinstance(e, ProgramBuilt)), None)
