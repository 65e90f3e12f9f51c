"""Questions to a node: why it is here and what became of it, which rules nearly fired, why it is not fused."""

from __future__ import annotations

from typing import Any

from graphlab.callable import Function
from graphlab.debug.questions import Why, came_about, made_of, roots, why_not, why_not_fused
from graphlab.errors import GraphlabError
from graphlab.graph.cost import traffic
from graphlab.graph.node import Apply
from graphlab.graph.text import described
from graphlab.graph.walk import ancestors
from graphlab.rewrite.refusal import DTYPES, GUARD, OP, ORDER, PATTERN, RESULT, Refusal, refusal
from graphlab.rewrite.replay import histories
from graphlab.viz.record import Recorder
from graphlab.viz.timeline import rules_of
from graphlab.viz.twins import Node, node_of

NEAREST = 6  # rules that nearly fired
CONDITIONS = (DTYPES, GUARD, RESULT)  # what says no where the pattern fits
_FAR = Refusal(OP, "")
HELD = 400  # nodes of a report that tell why they are here


class Whys:
    """Tells of the nodes of one function, which `recorder` has given their ids."""

    def __init__(self, function: Function, recorder: Recorder) -> None:
        self.function, self.recorder = function, recorder
        self.history = histories(function.trace.events)
        self.there = set(ancestors(roots(function)))

    def about(self, name: str) -> dict[str, Any]:
        """Why node `name` is here: the user's lines, each rewrite, what it is now, what computes it, and its cost."""
        node = self._node(name)
        variable = node.outputs[0] if isinstance(node, Apply) else node
        return {**self._told(came_about(self.function, variable, self.history, self.there)), "cost": _cost(node)}

    def _told(self, why: Why) -> dict[str, Any]:
        rewrites = [
            {"number": number, "rule": r.rule, "changes": r.changes, "pass": r.pass_name,
             "before": described(r.before), "after": described(r.after)}
            for number, r in why.rewrites
        ]  # fmt: skip
        return {
            "lines": [{"label": line.place, "text": line.text or ""} for line in why.lines],
            "rewrites": rewrites,
            "now": self._now(why),
            "form": "" if why.now in (None, why.variable) else described(why.now),
            "gone": why.now is None,
            "step": why.step,
            "reason": why.reason,
        }

    def _now(self, why: Why) -> str | None:
        """The id of what a node is now: in the graph that runs, if lowering did not take it apart."""
        if why.now is None:
            return None
        node = node_of(why.now)
        if node not in self.recorder.ids and isinstance(node, Apply):
            node = next((n for n in self.recorder.after if isinstance(n, Apply) and made_of(n, node)), node)
        return self.recorder.ids.get(node)

    def near(self, name: str) -> dict[str, Any]:
        """The rules that came nearest to firing on node `name` and did not, with what said no; the nearest first."""
        node = self._node(name)
        if not isinstance(node, Apply):
            return {"rules": []}
        found = []
        for rule in rules_of(self.function):
            said = refusal(rule, node) if rule.concerns(node.op) else _FAR
            # That a pattern has another operation at once is no news, nor that a function finds nothing.
            if said is None or said.kind in CONDITIONS or (said.kind == PATTERN and said.matched > 1):
                found.append((said.distance if said is not None else (len(ORDER), 0), rule))
        found.sort(key=lambda each: each[0], reverse=True)
        told = [self._said(rule.name, node) for _, rule in found[: 2 * NEAREST]]
        return {"rules": [each for each in told if not each["fired"]][:NEAREST]}

    def why_not(self, key: str) -> dict[str, Any]:
        """Why a rule did not fire on a node: of the node and the rule's name, as in "n7@log(1 + x) -> log1p(x)"."""
        name, _, rule = key.partition("@")
        return self._said(rule, self._node(name))

    def _said(self, rule: str, node: Node) -> dict[str, Any]:
        try:
            found = why_not(self.function, rule, node)
        except GraphlabError as error:
            raise ValueError(error.message) from None
        return {"rule": rule, "kind": found.kind, "reason": found.reason, "fired": found.kind == "fired"}

    def apart(self, key: str) -> dict[str, Any]:
        """Why two nodes are not computed in one kernel, or why they are: of both names, as in "n3,n7"."""
        first, _, second = key.partition(",")
        found = why_not_fused(self.function, self._node(first), self._node(second))
        return {"fused": found.fused, "reason": found.reason}

    def _node(self, name: str) -> Node:
        if name not in self.recorder.nodes:
            raise ValueError(f"there is no node {name[:40]!r}")
        return self.recorder.nodes[name]


def _cost(node: Node) -> str:
    """What a node takes by itself, in words."""
    if not isinstance(node, Apply):
        return ""
    return f"{node.op.flops(node):,} operations, {traffic(node):,} bytes"


def held(function: Function, recorder: Recorder) -> dict[str, dict[str, Any]]:
    """What a page holds of `about`: that of the first HELD nodes."""
    told = Whys(function, recorder)
    names = recorder.names(dict.fromkeys((*recorder.after, *recorder.before)))
    return {f"about:{name}": told.about(name) for name in names[:HELD]}
