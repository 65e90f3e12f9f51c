"""The index never leaves out a rule that fits, and keeps the order in which rules are tried."""

from __future__ import annotations

import pytest

from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.rewrite.index import RuleIndex
from graphlab.rewrite.pipeline import PASSES, Pass
from graphlab.rewrite.rule import NodeRule, Rule
from graphlab.rewrite.rules import RULES


def expressions() -> list[Apply]:
    """The applications in what the rules look for, and in their examples."""
    found: list[Variable] = []
    for rule in RULES:
        if isinstance(rule, NodeRule):
            for example in rule.examples:
                made = example.build(**{name: Variable(t, name) for name, t in example.types.items()})
                found += [made] if isinstance(made, Variable) else list(made)
        elif not rule.ops:
            ranks = {n: (None,) * len(rule.shapes.get(n, ())) for n in rule.wildcards}
            found.append(
                rule.find(**{n: Variable(TensorType(rule.dtypes_of(n)[0], ranks[n]), n) for n in rule.wildcards})
            )
    return toposort(found)


NODES = expressions()


@pytest.mark.parametrize("step", [step for step in PASSES if step.rules], ids=lambda step: step.name)
def test_every_rule_that_fits_is_a_candidate(step: Pass) -> None:
    index = RuleIndex(step.rules)
    fitting = 0
    for node in NODES:
        candidates = index.candidates(node)
        for rule in step.rules:
            if isinstance(rule, Rule) and rule.match(node) is not None:
                assert rule in candidates, rule.name
                fitting += 1
            if isinstance(rule, NodeRule) and not rule.of and rule.concerns(node.op):
                assert rule in candidates, rule.name
    assert fitting or not any(isinstance(rule, Rule) for rule in step.rules)


@pytest.mark.parametrize("step", [step for step in PASSES if step.rules], ids=lambda step: step.name)
def test_candidates_come_in_the_order_of_the_rules(step: Pass) -> None:
    index = RuleIndex(step.rules)
    for node in NODES:
        places = [step.rules.index(rule) for rule in index.candidates(node)]
        assert places == sorted(places)
