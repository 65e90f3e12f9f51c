"""The driver: applies rules to a graph, each node once after its inputs, until none fires.

A rule looks at a node and at what it is computed from, never at its users. So a node whose inputs are
settled, and on which no rule fires, is settled for good: one sweep is enough, and takes time in
proportion to the nodes that were there and those that rules made.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from operator import is_

from graphlab.graph import events
from graphlab.graph.node import Apply, Graph, Provenance, Variable, provenance
from graphlab.graph.walk import toposort, with_inputs
from graphlab.rewrite.index import RuleIndex, rule_index
from graphlab.rewrite.rule import AnyRule, Match
from graphlab.rewrite.uses import Uses, work

MAX_ORIGINS = 16  # lines kept for a node that many were made into, so that long chains stay linear


class RewriteError(Exception):
    """A rule that raises, or a set of rules that does not settle; strict drivers raise it."""


class RewriteWarning(UserWarning):
    """The same where the driver goes on without the rule."""


def joined_origins(nodes: Sequence[Apply]) -> Provenance:
    """The provenance of a node that stands for all of `nodes`: the first one's, with the lines and scopes of all."""
    first = nodes[0].provenance
    if len(nodes) == 1:
        return first
    lines = dict.fromkeys(origin for node in nodes for origin in node.provenance.origins)
    return replace(first, origins=tuple(lines)[:MAX_ORIGINS], scope=_common([n.provenance.scope for n in nodes]))


def _common(scopes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The innermost scope that holds all of `scopes`."""
    alike = 0
    for names in zip(*scopes, strict=False):
        if len(set(names)) > 1:
            break
        alike += 1
    return scopes[0][:alike]


def _rewritten(nodes: Sequence[Apply], rule: AnyRule) -> Provenance:
    """The provenance of what `rule` makes of `nodes`, the first of which it replaces."""
    old = joined_origins(nodes)
    return Provenance(old.origins, old.grad_of, rule.name, nodes[0], nodes[0].provenance.scope, old.asked)


def default_budget(nodes: int) -> int:
    """How many applications of rules a pass over `nodes` nodes may take before something is wrong."""
    return 1000 + 20 * nodes


def apply_rules(
    graph: Graph,
    rules: Sequence[AnyRule],
    *,
    pass_name: str = "rules",
    budget: int | None = None,
    strict: bool = False,
    paying: bool = False,
) -> Graph:
    """`graph` with `rules` applied wherever they fit; earlier rules are tried first.

    If `paying`, a rule is applied only where fewer arithmetic operations are left afterwards: what it replaces may
    have other users, and is then computed all the same.

    After `budget` applications (the default grows with the graph) no rule is applied any more and a
    RewriteWarning names the one that fired most. A rule that raises is left out, with a RewriteWarning.
    If `strict`, both raise RewriteError. The inputs of the graph stay the variables they are.
    """
    if budget is None:
        budget = default_budget(len(toposort(graph.outputs, graph.inputs)))
    sweep = Sweep(tuple(rules), pass_name, strict, budget, Uses(graph) if paying else None)
    for variable in graph.inputs:
        sweep.final[variable] = variable
    for output in graph.outputs:
        sweep.settle(output)
    return Graph(graph.inputs, tuple(sweep.final[v] for v in graph.outputs))


@dataclass
class Sweep:
    """One run of the driver: `final` maps each settled variable to what stands in its place."""

    rules: tuple[AnyRule, ...]
    pass_name: str
    strict: bool
    budget: int
    uses: Uses | None = None
    final: dict[Variable, Variable] = field(default_factory=dict)
    visits: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    _replaced: dict[Apply, tuple[Variable, ...]] = field(default_factory=dict)
    _failed: set[AnyRule] = field(default_factory=set)
    _exhausted: bool = False
    _index: RuleIndex = field(init=False)

    def __post_init__(self) -> None:
        self._index = rule_index(self.rules)

    def settle(self, variable: Variable) -> None:
        """Work out `final` for `variable` and all it needs."""
        stack = [variable]
        while stack:
            top = stack[-1]
            node = top.owner
            if top in self.final or node is None:
                self.final.setdefault(top, top)
                stack.pop()
                continue
            needed = self._replaced.get(node, node.inputs)
            pending = [v for v in needed if v not in self.final]
            if pending:
                stack.extend(reversed(pending))
            elif node in self._replaced:
                self._finish(node, [self.final[v] for v in needed])
            else:
                self._visit(node)

    def _finish(self, node: Apply, values: Sequence[Variable]) -> None:
        for old, new in zip(node.outputs, values, strict=True):
            if self.uses is not None and old is not new and old not in self.final:
                self.uses.stands_for(new, old)
            self.final.setdefault(old, new)

    def _visit(self, node: Apply) -> None:
        """Try the rules on `node`, whose inputs are settled; it is settled itself if none fires."""
        self.visits += 1
        inputs = [self.final[v] for v in node.inputs]
        current = node if all(map(is_, inputs, node.inputs)) else with_inputs(node, inputs)
        for rule in self._rules_for(current):
            replacement = self._fire(rule, current, node)
            if replacement is not None:
                self._replaced[node] = replacement
                return
        self._finish(node, current.outputs)
        if current is not node:
            self._finish(current, current.outputs)

    def _rules_for(self, node: Apply) -> list[AnyRule]:
        """The rules that may fire on `node`, in order."""
        return [] if self._exhausted else self._index.candidates(node)

    def _fire(self, rule: AnyRule, node: Apply, site: Apply) -> tuple[Variable, ...] | None:
        """What `rule` makes of the outputs of `node`, which is `site` on its settled inputs, or None."""
        if self._failed and rule in self._failed:
            return None
        started = time.perf_counter()
        try:
            found = rule.match(node)
            if found is None:
                return None
            made, fresh = self._build(rule, found) or (None, {})
            if made is not None and not self._pays(node, made, fresh):
                return None
        except Exception as error:
            self._complain(f"rule {rule.name!r} ({rule.source}) raised {type(error).__name__}: {error}", error)
            self._failed.add(rule)
            return None
        if made is not None:
            self._count(rule)
            if events.listening():
                event = events.RewriteApplied(
                    self.pass_name, rule.name, rule.changes, node.outputs[0], made[0], time.perf_counter() - started,
                    rule.source, tuple(found.nodes), tuple(fresh), tuple(zip(site.outputs, made, strict=True)),
                )  # fmt: skip
                events.emit(event)
        return made

    def _pays(self, node: Apply, made: Sequence[Variable], fresh: Collection[Apply]) -> bool:
        """Whether `made` may stand for the outputs of `node`: anywhere, or only where it takes less work."""
        if self.uses is None:
            return True
        gone = self.uses.freed(node, made, fresh)
        if work(fresh) >= work(gone):
            return False
        self.uses.replace(gone, fresh)
        return True

    def _build(self, rule: AnyRule, found: Match) -> tuple[tuple[Variable, ...], Collection[Apply]] | None:
        """What stands for the matched application, and the applications that are new in it."""
        node = found.nodes[0]
        with provenance(lambda: _rewritten(found.nodes, rule)):
            new = rule.build(found)
        if new is None:
            return None
        made = (new,) if isinstance(new, Variable) else new
        if all(a is b for a, b in zip(made, node.outputs, strict=True)):
            return None
        fresh = self._fresh(made)
        if node in fresh:
            raise RewriteError("what it makes contains what it replaces")
        for before, after in zip(node.outputs, made, strict=True):
            if before.name and not after.name and after.owner in fresh:
                after.name = before.name
        return made, fresh

    def _fresh(self, made: Sequence[Variable]) -> dict[Apply, None]:
        """The applications among `made` and their ancestors that were not there before."""
        fresh: dict[Apply, None] = {}
        pending = list(made)
        while pending:
            v = pending.pop()
            if v not in self.final and v.owner is not None and v.owner not in fresh:
                fresh[v.owner] = None
                pending.extend(v.owner.inputs)
        return fresh

    def _count(self, rule: AnyRule) -> None:
        self.fired[rule.name] += 1
        if self.fired.total() >= self.budget:
            culprit, times = self.fired.most_common(1)[0]
            self._exhausted = True
            self._complain(
                f"rewriting stopped after {self.budget} applications: the rules do not settle;"
                f" {culprit!r} fired {times} times"
            )

    def _complain(self, message: str, cause: Exception | None = None) -> None:
        message = f"pass {self.pass_name!r}: {message}"
        if self.strict:
            raise RewriteError(message) from cause
        warnings.warn(message, RewriteWarning, stacklevel=2)
