"""The one stream of facts: what compiling and running do, as frozen events that anyone may listen to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from graphlab.graph.cost import traffic
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The rewriting of `graph` begins, with `start`: the same with a plain input for each that something computes.

    `depth` is 0 for the user's graph, 1 for a graph that an operation of it holds, and so on.
    """

    graph: Graph
    start: Graph
    depth: int = 0

    def __str__(self) -> str:
        return f"{_size(self.graph)} nodes as written"


@dataclass(frozen=True, slots=True)
class PassApplied:
    """A pass of the pipeline ended: `before` and `graph` are the whole graph before and after it.

    `depth` is that of the Rewriting it belongs to.
    """

    name: str
    before: Graph
    graph: Graph
    seconds: float
    depth: int = 0

    @property
    def nodes_before(self) -> int:
        """The number of applications before."""
        return _size(self.before)

    @property
    def nodes_after(self) -> int:
        """The number of applications after."""
        return _size(self.graph)

    def __str__(self) -> str:
        return f"{self.name}: {self.nodes_before} -> {self.nodes_after} nodes"


def _size(graph: Graph) -> int:
    return len(toposort(graph.outputs, graph.inputs))


@dataclass(frozen=True, slots=True)
class RewriteApplied:
    """A rule replaced the variable `before` by `after`.

    `changes` is what the rule may change ("exact", "rounding" or "domain"); `source` is where the
    rule is written, as file:line. `matched` are the applications that it looked at, `added` those that
    it made. `exchanged` says the same of the whole graph: which variables of the graph before the pass,
    or made by earlier rewrites of the pass, have given way to which. `flops` and `bytes`, the
    estimated change of the work, are worked out when they are asked for.
    """

    pass_name: str
    rule: str
    changes: str
    before: Variable
    after: Variable
    seconds: float
    source: str = ""
    matched: tuple[Apply, ...] = ()
    added: tuple[Apply, ...] = ()
    exchanged: tuple[tuple[Variable, Variable], ...] = ()

    @property
    def removed(self) -> tuple[Apply, ...]:
        """The matched applications that `after` does not need; others may still need them."""
        made, kept = set(self.added), {v.owner for _, v in self.exchanged or ((self.before, self.after),)}
        pending = [*kept]
        matched = set(self.matched)
        while pending:
            node = pending.pop()
            if node is not None and (node in made or node in matched):
                new = {v.owner for v in node.inputs} - kept
                kept |= new
                pending += new
        return tuple(node for node in self.matched if node not in kept)

    @property
    def nodes(self) -> int:
        """The change in the number of applications, as if nobody else needed those removed."""
        return len(self.added) - len(self.removed)

    @property
    def flops(self) -> int:
        """The estimated change in arithmetic operations; see Op.flops. Unknown extents count as 1000."""
        return sum(n.op.flops(n) for n in self.added) - sum(n.op.flops(n) for n in self.removed)

    @property
    def bytes(self) -> int:
        """The estimated change in bytes read and written, each application by itself, before fusion."""
        return sum(map(traffic, self.added)) - sum(map(traffic, self.removed))

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


Event = Rewriting | PassApplied | RewriteApplied | KernelFused | ProgramBuilt | Fallback | StepRan
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
