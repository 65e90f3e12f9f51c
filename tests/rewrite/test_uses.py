"""What a rewrite saves is what nothing else needs."""

from __future__ import annotations

import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rule import DOMAIN, Rule
from graphlab.rewrite.uses import Uses, work

SPLIT = Rule("exp(x + y) -> exp(x) * exp(y)", DOMAIN, find=lambda x, y: T.exp(x + y),
             make=lambda x, y: T.exp(x) * T.exp(y))  # fmt: skip
JOIN = Rule("exp(x) * exp(y) -> exp(x + y)", DOMAIN, find=lambda x, y: T.exp(x) * T.exp(y),
            make=lambda x, y: T.exp(x + y))  # fmt: skip


def test_a_rule_that_costs_more_does_not_fire_where_it_must_pay() -> None:
    x, y = T.dvectors("x", "y")
    for rule, output, pays in ((SPLIT, T.exp(x + y), False), (JOIN, T.exp(x) * T.exp(y), True)):
        graph = Graph((x, y), (output,))
        assert apply_rules(graph, [rule], strict=True).outputs[0] is not output
        assert (apply_rules(graph, [rule], strict=True, paying=True).outputs[0] is not output) == pays


def test_what_has_other_users_is_not_saved() -> None:
    x, y = T.dvectors("x", "y")
    p, q = T.exp(x), T.exp(y)
    product = p * q
    for outputs, pays in (((product,), True), ((product, p), False), ((product, p + q), False), ((product, x), True)):
        after = apply_rules(Graph((x, y), outputs), [JOIN], strict=True, paying=True)
        assert (after.outputs[0] is not product) == pays


def test_users_that_go_free_what_they_used() -> None:
    x, y = T.dvectors("x", "y")
    p, q = T.exp(x), T.exp(y)
    both = [p * q, T.tanh(p * q)]
    chain = T.exp(x) * T.exp(y) * T.exp(x * y)
    after = apply_rules(Graph((x, y), (chain,)), [JOIN], strict=True, paying=True)
    assert [v.op.name for v in toposort(after.outputs)] == ["add", "multiply", "add", "exp"]
    stays = apply_rules(Graph((x, y), tuple(both)), [JOIN], strict=True, paying=True)
    assert stays.outputs[0] is both[0]


def test_freed_are_the_applications_that_nothing_reads_any_more() -> None:
    x = T.dvector("x")
    inner = T.exp(x)
    middle = T.sin(inner)
    output = T.cos(middle)
    uses = Uses(Graph((x,), (output, inner)))
    assert uses.freed(output.owner, (x,), ()) == [output.owner, middle.owner]
    fresh = (T.tan(middle).owner,)
    assert uses.freed(output.owner, fresh[0].outputs, fresh) == [output.owner]


def test_work_counts_operations_and_then_bytes() -> None:
    x = Variable(TensorType("float64", (10,)), "x")
    assert work([T.exp(x).owner]) == (10, 160)
    assert work([T.cumsum(x).owner]) > work([T.sum(x).owner])
