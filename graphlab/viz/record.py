"""Folds a function, and a run of it, into the one trace that every face of the glass reads.

The trace is plain JSON data, versioned, and deterministic: ids are positions (n0, n1, ...), user's
lines are labels such as `cell:3`, and nothing in it names a path, a machine or a time (unless
`include_times`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

from graphlab.errors import Origin
from graphlab.graph.collector import uncollected
from graphlab.graph.events import Event, PassApplied, RewriteApplied
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import constant_text, debugprint, maths, op_text, parameters
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.rewrite.trace import Trace as Events
from graphlab.viz import symbols
from graphlab.viz.escape import clip
from graphlab.viz.inside import Inner, inner
from graphlab.viz.local import Close, close_up
from graphlab.viz.profiling import estimated, shown
from graphlab.viz.troubles import troubles
from graphlab.viz.twins import Node, node_of, nodes_of, twins
from graphlab.viz.values import summary

if TYPE_CHECKING:
    from graphlab.debug.profile import Profile
    from graphlab.debug.session import Session
    from graphlab.ops.base import Op

FORMAT, VERSION = "graphlab-trace", 1
INSIDE = 20_000  # characters of the text of a graph that an op holds
LARGE = 5000  # nodes from which on a function is not told as mathematics
VALUED = 2000  # values of at most so many nodes are embedded
Trace = dict[str, Any]


class Subject(Protocol):
    """What a trace is made of: a Function, or an Expression."""

    graph: Graph
    name: Any
    mode: Any

    @property
    def optimized(self) -> Graph: ...
    @property
    def trace(self) -> Events: ...
    @property
    def lowered(self) -> Any: ...
    @property
    def kernels(self) -> tuple[Any, ...]: ...
    @property
    def c_source(self) -> str: ...
    @property
    def lines(self) -> tuple[tuple[Apply, ...], ...]: ...


@dataclass
class Expression:
    """A graph that nobody has compiled, to be looked at as it is."""

    graph: Graph
    name: str
    mode: str = "as written"
    kernels: tuple[Any, ...] = ()
    lines: tuple[tuple[Apply, ...], ...] = ()
    c_source: str = ""
    lowered: None = None

    @property
    def optimized(self) -> Graph:
        """The graph itself."""
        return self.graph

    @property
    def trace(self) -> Events:
        """Nothing has happened."""
        return Events(self.graph)


@uncollected
def record(
    function: Subject, session: Session | None = None, *, include_times: bool = False, profile: Profile | None = None
) -> Trace:
    """Everything there is to see of `function`; with a `session` its steps, and at its end the values too.

    A `profile` of the function comes with its times.
    """
    return Recorder(function).trace(session, include_times, profile)


class Recorder:
    """Gives nodes their ids, and writes each part of the trace in terms of them."""

    def __init__(self, function: Subject) -> None:
        self.function = function
        # What runs is the lowered graph: the optimised one with its composite ops written out.
        self.running = function.lowered.graph if function.lowered is not None else function.optimized
        self.before = nodes_of(function.graph)
        self.after = self.before if self.running is function.graph else nodes_of(self.running)
        self.closed = [(event, *close_up(event.before, event.after)) for event in function.trace.rewrites]
        self.ids: dict[Node, str] = {}
        self._sources: dict[tuple[str, str], int] = {}
        self._origins: dict[Origin, int] = {}
        self._ops: dict[int, dict[str, Any]] = {}
        near = (n for _, *sides in self.closed for s in sides for n in _of(s))
        for node in (*self.before, *self.after, *near):
            self.ids.setdefault(node, f"n{len(self.ids)}")
        # What the ops hold comes behind, and what the ops in there hold behind that.
        self.insides: dict[Graph, list[Node]] = {}
        held = [node for node in (*self.before, *self.after) if isinstance(node, Apply) and node.op.graphs]
        for holder in held:  # grows while it is walked
            for graph in holder.op.graphs:
                if graph not in self.insides:
                    self.insides[graph] = nodes_of(graph)
                    for node in self.insides[graph]:
                        self.ids.setdefault(node, f"n{len(self.ids)}")
                    held += [n for n in self.insides[graph] if isinstance(n, Apply) and n.op.graphs]
        self.nodes = {name: node for node, name in self.ids.items()}

    def trace(self, session: Session | None, include_times: bool, profile: Profile | None = None) -> Trace:
        """The whole trace."""
        f = self.function
        profiled = {} if profile is None else {"profile": shown(profile, self)}
        return {
            **profiled,
            "format": FORMAT,
            "version": VERSION,
            "made_by": {name: _version(name) for name in ("graphlab", "numpy")},
            "function": {"name": f.name or "function", "mode": _mode(f), "expression": self.expression()},
            "nodes": [self.node(n) for n in self.ids],
            "graphs": {
                "before": self.graph(f.graph, self.before),
                "after": self.graph(self.running, self.after),
            },
            "twins": {self.ids[a]: self.ids[b] for a, b in self.twins().items()},
            "passes": _passes(f.trace.events, include_times),
            "rewrites": [self.rewrite(*closed) for closed in self.closed],
            "kernels": [self.kernel(k) for k in f.kernels],
            "code": {"text": f.c_source, "lines": [self.names(line) for line in f.lines]},
            "build": self.build(include_times),
            "steps": [] if session is None else self.steps(session),
            "values": self.values(session) if session is not None and session.here is None else {},
            "findings": [] if session is None else list(session.findings),
            "troubles": [] if session is None else self.troubles(session),
            "sources": self.sources(),
        }

    def troubles(self, session: Session) -> list[dict[str, Any]]:
        """Where results that are not finite became so: nothing while steps are left to run."""
        return troubles(session, self.ids, self.source)

    def expression(self) -> str:
        """What the function gives as mathematics; what it updates if it gives nothing."""
        updated = getattr(self.function, "updated", ())
        given = self.function.graph.outputs[: len(self.function.graph.outputs) - len(updated)]
        if not given:
            return clip("updates " + ", ".join(v.name or "(unnamed)" for v in updated), 400)
        if len(self.before) > LARGE:
            return f"{len(self.before):,} nodes"
        return clip(maths(*given, limit=400, means=True).splitlines()[-1], 400)

    def names(self, nodes: Iterable[Node]) -> list[str]:
        """The ids of those of `nodes` that are in the trace."""
        return [self.ids[n] for n in nodes if n in self.ids]

    def end(self, variable: Variable) -> list[Any]:
        """A variable as [node id, output number]."""
        return [self.ids[node_of(variable)], variable.index]

    def source(self, origin: Origin) -> int:
        """The number of a user's line; lines are stored once."""
        if origin not in self._origins:
            self._origins[origin] = self._sources.setdefault((origin.place, origin.text), len(self._sources))
        return self._origins[origin]

    def sources(self) -> list[dict[str, str]]:
        """The user's lines so far, in the order of their numbers."""
        return [{"label": label, "text": text} for label, text in self._sources]

    def node(self, node: Node) -> dict[str, Any]:
        """One node: what it is, what it reads and gives, and where it comes from."""
        outputs = node.outputs if isinstance(node, Apply) else (node,)
        facts = {
            "id": self.ids[node],
            "name": next((v.name for v in outputs if v.name), None),
            "outputs": [_type(v.type) for v in outputs],
        }
        return {**facts, **(self._applied(node) if isinstance(node, Apply) else self._leaf(node))}

    def _applied(self, node: Apply) -> dict[str, Any]:
        why = node.provenance
        if id(node.op) not in self._ops:  # the graphs keep their ops alive
            self._ops[id(node.op)] = _op(node.op)
        return {
            **self._ops[id(node.op)],
            "inputs": [self.end(v) for v in node.inputs if node_of(v) in self.ids],
            "origins": [self.source(o) for o in why.origins],
            "grad_of": self.ids.get(why.grad_of) if why.grad_of else None,
            "gradient": why.grad_of is not None,
            "rule": why.rule,
            "replaced": self.ids.get(why.replaced) if why.replaced else None,
            "scope": list(why.scope),
            "inside": [self.inside(one) for one in inner(node.op)] if node.op.graphs else [],
        }

    def inside(self, one: Inner) -> dict[str, Any]:
        """A graph that an op holds: as text, and if the op is in the graph before or after as nodes too.

        `feeds` are the operands of the op that its inputs are made of, `roles` say how.
        """
        text = {"label": one.label, "text": clip(debugprint(one.graph), INSIDE)}
        if one.graph not in self.insides:
            return text
        drawn = self.graph(one.graph, self.insides[one.graph])
        return {**text, **drawn, "feeds": list(one.feeds), "roles": list(one.roles)}

    def _leaf(self, variable: Variable) -> dict[str, Any]:
        kind = "constant" if isinstance(variable, Constant) else "shared" if isinstance(variable, Shared) else "input"
        return {
            "kind": kind,
            "op": None,
            "text": constant_text(variable) if isinstance(variable, Constant) else variable.name or kind,
            "parameters": {},
            "family": kind,
            "glyph": {"constant": "#", "shared": "◫", "input": "▸"}[kind],
            "inputs": [],
            "origins": [self.source(variable.origin)] if variable.origin else [],
            "grad_of": None,
            "gradient": False,
            "rule": None,
            "replaced": None,
            "scope": list(variable.scope),
            "inside": [],
        }

    def twins(self) -> dict[Node, Node]:
        """Which node of the graph after is which of that before; so too inside of ops that are twins."""
        found = twins(self.before, self.after)
        pending = list(found.items())
        for after, before in pending:  # grows while it is walked
            if isinstance(after, Apply) and isinstance(before, Apply):
                for new, old in zip(after.op.graphs, before.op.graphs, strict=False):
                    inside = twins(self.insides[old], self.insides[new])
                    pending += [pair for pair in inside.items() if pair[0] not in found]
                    found = {**inside, **found}
        return found

    def moment(self, count: int) -> dict[str, Any]:
        """The graph after so many rewrites, in the form of the trace; GraphIndexError if there were fewer.

        A node that stands in the graph before or after as well has its id; `nodes` are the others, and those with the
        id of a twin. `made` are those of the last rewrite.
        """
        graph, events = self.function.trace.at(count), self.function.trace.rewrites[:count]
        nodes = nodes_of(graph)
        known = dict.fromkeys((*self.before, *self.after))
        ids = {node: self.ids[node] for node in nodes if node in known}
        for side in (self.before, self.after):
            taken = set(ids.values())
            free = [node for node in side if self.ids[node] not in taken]
            found = twins(free, [node for node in nodes if node not in ids])
            ids.update((node, self.ids[twin]) for node, twin in found.items())
        for node in nodes:
            ids.setdefault(node, self.ids.get(node, f"m{len(ids)}"))
        here = copy(self)
        here.ids = {**self.ids, **ids}
        return {
            "count": count,
            "rule": events[-1].rule if events else "",
            "nodes": [here.node(node) for node in nodes if node not in known],
            "graph": here.graph(graph, nodes),
            "made": here.names(events[-1].added) if events else [],
            "sources": self.sources(),
        }

    def graph(self, graph: Graph, nodes: list[Node]) -> dict[str, Any]:
        """A graph as ids, inputs first."""
        return {
            "nodes": self.names(nodes),
            "inputs": [self.end(v) for v in graph.inputs],
            "outputs": [self.end(v) for v in graph.outputs],
        }

    def rewrite(self, event: RewriteApplied, before: Close, after: Close) -> dict[str, Any]:
        """One application of a rule, with both sides."""
        return {
            "pass": event.pass_name,
            "rule": event.rule,
            "changes": event.changes,
            "verdict": "?",  # until real values tell
            "nodes": event.nodes,
            "line": event.before.origin.place if event.before.origin else "",
            "source": os.path.basename(event.source),
            "before": self.side(before),
            "after": self.side(after),
        }

    def side(self, side: Close) -> dict[str, Any]:
        """One side of a rewrite: `leaves` are where the close-up ends."""
        leaves = self.names(dict.fromkeys(map(node_of, side.leaves)))
        return {
            "root": self.end(side.root),
            "nodes": self.names(side.nodes),
            "leaves": leaves,
            "text": side.text,
        }

    def kernel(self, kernel: Any) -> dict[str, Any]:
        """A kernel: its nodes, its C, and why it is one."""
        return {
            "name": kernel.name,
            "nodes": self.names(kernel.nodes),
            "inputs": [self.end(v) for v in kernel.inputs if node_of(v) in self.ids],
            "outputs": [self.end(v) for v in kernel.outputs if node_of(v) in self.ids],
            "reason": kernel.reason,
            "c": kernel.c,
            "estimate": estimated(kernel),
        }

    def build(self, include_times: bool) -> dict[str, Any] | None:
        """How the C was built: the flags, which say nothing of the machine's paths."""
        built = self.function.trace.build
        if built is None:
            return None
        flags = [word for word in built.command[1:] if word.startswith("-") and "/" not in word]
        times = {"cached": built.cached, "seconds": built.seconds} if include_times else {}
        compiler = os.path.basename(built.command[0])
        return {"compiler": compiler, "flags": flags, "remarks": built.remarks if include_times else "", **times}

    def steps(self, session: Session) -> list[dict[str, Any]]:
        """The schedule of a run."""
        return [
            {
                "index": step.index,
                "name": step.name,
                "kind": step.kind,
                "nodes": self.names(step.nodes),
                "outputs": [self.end(v) for v in step.outputs if node_of(v) in self.ids],
            }
            for step in session.steps
        ]

    def values(self, session: Session) -> dict[str, list[dict[str, Any]]]:
        """What every node of both graphs gave in a finished run."""
        chosen = list(dict.fromkeys((*self.before, *self.after)))[:VALUED]
        return {self.ids[node]: self.value(session, node) for node in chosen}

    def value(self, session: Session, node: Node) -> list[dict[str, Any]]:
        """The summaries of a node's outputs."""
        outputs = node.outputs if isinstance(node, Apply) else (node,)
        return [summary(seen.value, seen.how) for v in outputs for seen in [session.look(v)]]


def _of(side: Close) -> list[Node]:
    return list(dict.fromkeys([*map(node_of, side.leaves), *side.nodes, node_of(side.root)]))


@cache
def _type(type: TensorType) -> dict[str, Any]:
    return {"dtype": type.dtype, "shape": list(type.shape), "type": str(type)}


def _op(op: Op) -> dict[str, Any]:
    return {
        "kind": "op",
        "op": op.name,
        "text": op_text(op),
        "parameters": {name: clip(str(value), 80) for name, value in parameters(op)},
        "family": symbols.family(op),
        "glyph": symbols.glyph(op),
    }


def _passes(events: Sequence[Event], include_times: bool) -> list[dict[str, Any]]:
    """The passes, with the numbers of rewrites before and after each; what one pass gives the next one takes."""
    counts: dict[Graph, int] = {}
    found, first, last = list[dict[str, Any]](), 0, 0
    for event in events:
        last += isinstance(event, RewriteApplied)
        if not isinstance(event, PassApplied) or event.depth:
            continue
        for graph in (event.before, event.graph):
            if graph not in counts:
                counts[graph] = len(toposort(graph.outputs, graph.inputs))
        facts = {"nodes_before": counts[event.before], "nodes_after": counts[event.graph], "first": first, "last": last}
        found.append({"name": event.name, **facts, **({"seconds": event.seconds} if include_times else {})})
        first = last
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _mode(function: Subject) -> str:
    return str(getattr(function.mode, "name", function.mode))
