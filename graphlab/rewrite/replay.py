"""The graph after any number of rewrites: made again from the events, as nodes never change.

No copies are kept. An event says which variables gave way to which; a state in the middle of a pass is the
graph before that pass with the exchanges of its first rewrites carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.events import Event, PassApplied, RewriteApplied, Rewriting
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import rebuild, replace_inner, toposort, with_inputs

Copies = Mapping[tuple[object, ...], Apply]


@dataclass(eq=False, slots=True)
class Stage:
    """A pass: the graph before and after it, its rewrites, and the histories of graphs inside operations.

    `first` and `last` are the numbers of rewrites before and after it, among all of the compilation.
    """

    name: str
    first: int
    last: int
    before: Graph
    after: Graph
    rewrites: tuple[RewriteApplied, ...]
    inner: tuple[History, ...]
    # What each variable is in the end, and the applications that there are then: once somebody asked.
    _last: dict[Variable, Variable] | None = None
    _nodes: dict[Apply, None] | None = None

    def at(self, k: int) -> Graph:
        """The graph when `k` rewrites of the compilation have been made."""
        if self.last <= k:
            return self.after
        if self.inner:
            states = {history.graph: history.at(k) for history in self.inner if history.first < k}
            return replace_inner(self.before, lambda graph: states.get(graph, graph))
        final = self.forms(k - self.first)
        return Graph(self.before.inputs, tuple(final[v] for v in self.before.outputs))

    def forms(self, count: int) -> dict[Variable, Variable]:
        """What each variable is after the first `count` rewrites of the pass; none for those no longer needed."""
        return settled(self.before, exchanged(self.rewrites[:count]), self._copies())

    def final(self) -> dict[Variable, Variable]:
        """What each variable is after the pass."""
        if self._last is None:
            self._last = self.forms(len(self.rewrites))
        return self._last

    def nodes(self) -> dict[Apply, None]:
        """The applications after the pass."""
        if self._nodes is None:
            self._nodes = dict.fromkeys(toposort(self.after.outputs, self.after.inputs))
        return self._nodes

    def _copies(self) -> Copies:
        """The applications on new inputs that the pass made, to be found by what they are."""
        seen = [v for e in self.rewrites for v in (e.before, e.after)]
        nodes = toposort([*seen, *self.after.outputs], self.before.inputs)
        return {_key(node, node.inputs): node for node in nodes}


@dataclass(eq=False, slots=True)
class History:
    """All passes over one graph, which began after `first` rewrites, with `start`."""

    graph: Graph
    start: Graph
    first: int
    depth: int = 0
    stages: list[Stage] = field(default_factory=list)

    def at(self, k: int) -> Graph:
        """The graph when `k` rewrites of the compilation have been made."""
        if k <= self.first:
            return self.graph
        state = self.start
        for stage in self.stages:
            state = stage.at(k)
            if stage.last > k:
                break
        back = {p: v for p, v in zip(self.start.inputs, self.graph.inputs, strict=True) if p is not v}
        return Graph(self.graph.inputs, tuple(rebuild(state.outputs, back))) if back else state

    def follow(self, variable: Variable) -> Iterator[tuple[Stage, Variable]]:
        """What `variable` of `graph` is after each pass, as long as it is needed."""
        form: Variable | None = variable
        for stage in self.stages:
            if stage.after is not stage.before:
                form = _form(stage, form)
            if form is None:
                return
            yield stage, form


def _form(stage: Stage, variable: Variable | None) -> Variable | None:
    if variable is None:
        return None
    form = stage.final().get(variable)
    if form is None or form.owner is None:
        return form
    if form.owner in stage.nodes():
        return form
    alike = [n for n in stage.nodes() if type(n.op) is type(form.owner.op) and n.provenance is form.owner.provenance]
    return alike[0].outputs[form.index] if len(alike) == 1 else None


def histories(events: Iterable[Event]) -> History | None:
    """The history of the user's graph, those of inner graphs within its stages; None if nothing was rewritten."""
    open_: list[_Open] = []
    root: History | None = None
    count = 0
    for event in events:
        match event:
            case Rewriting(graph, start, depth):
                history = History(graph, start, count, depth)
                del open_[depth:]
                if open_:
                    open_[-1].inner.append(history)
                open_.append(_Open(history, count))
                root = root or history
            case RewriteApplied():
                count += 1
                if open_:
                    open_[-1].rewrites.append(event)
            case PassApplied(depth=depth):
                del open_[depth + 1 :]
                if open_:
                    open_[-1].close(event, count)
            case _:
                pass
    return root


@dataclass(eq=False, slots=True)
class _Open:
    """A history in the making, with what the pass that runs has done."""

    history: History
    first: int
    rewrites: list[RewriteApplied] = field(default_factory=list)
    inner: list[History] = field(default_factory=list)

    def close(self, event: PassApplied, count: int) -> None:
        stage = Stage(event.name, self.first, count, event.before, event.graph, tuple(self.rewrites), tuple(self.inner))
        self.history.stages.append(stage)
        self.first, self.rewrites, self.inner = count, [], []


# ---- carrying out --------------------------------------------------------------------------------


def exchanged(rewrites: Iterable[RewriteApplied]) -> dict[Variable, Variable]:
    """Which variables have given way to which after `rewrites`."""
    return {old: new for e in rewrites for old, new in e.exchanged or ((e.before, e.after),)}


def settled(graph: Graph, exchange: Mapping[Variable, Variable], copies: Copies) -> dict[Variable, Variable]:
    """What stands for each variable that `graph` needs once those of `exchange` have given way, also inside of these.

    Where an application on new inputs is among `copies`, it is that one.
    """
    final: dict[Variable, Variable] = {v: v for v in graph.inputs}
    stack = list(reversed(graph.outputs))
    while stack:
        top = stack[-1]
        if top in final:
            stack.pop()
            continue
        node, instead = top.owner, exchange.get(top)
        needed = (instead,) if instead is not None else node.inputs if node is not None else ()
        pending = [v for v in needed if v not in final]
        if pending:
            stack.extend(reversed(pending))
        elif instead is not None:
            final[top] = final[instead]
        elif node is None:
            final[top] = top
        else:
            moved = _moved(node, [final[v] for v in node.inputs], copies)
            final.update(
                (old, new) for old, new in zip(node.outputs, moved.outputs, strict=True) if old not in exchange
            )
    return final


def _moved(node: Apply, inputs: Sequence[Variable], copies: Copies) -> Apply:
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node
    return copies.get(_key(node, inputs)) or with_inputs(node, inputs)


def _key(node: Apply, inputs: Sequence[Variable]) -> tuple[object, ...]:
    """Equal for the same application on the same inputs: copies share op and provenance with what they were made of."""
    return (id(node.op), id(node.provenance), *inputs)
