"""The driver: every node once, any depth, a budget that names the culprit, and a chain back to the user's lines."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph import events
from graphlab.graph.node import Apply, Graph, Provenance, Variable, provenance
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.ops.base import Array, Op
from graphlab.ops.elementwise import cos, exp, log, log1p, negative, sin, tan
from graphlab.rewrite.driver import MAX_ORIGINS, RewriteError, RewriteWarning, Sweep, apply_rules, default_budget
from graphlab.rewrite.merge import merge
from graphlab.rewrite.rule import EXACT, ROUNDING, AnyRule, NodeRule, Rule

DOUBLE_NEGATION = Rule("-(-x) -> x", EXACT, find=lambda x: negative(-x), make=lambda x: x)
LOG1P = Rule("log(1 + x) -> log1p(x)", ROUNDING, find=lambda x: log(1 + x), make=lambda x: log1p(x))
PING = Rule("sin(x) -> cos(x)", EXACT, find=lambda x: sin(x), make=lambda x: cos(x))
PONG = Rule("cos(x) -> sin(x)", EXACT, find=lambda x: cos(x), make=lambda x: sin(x))


def one(output: Variable, *rules: AnyRule, **options: Any) -> Variable:
    return apply_rules(Graph((), (output,)), rules, **options).outputs[0]


def names(*outputs: Variable) -> list[str]:
    return [node.op.name for node in toposort(outputs)]


def origin_lines(node: Apply) -> list[str]:
    return [origin.text for origin in node.provenance.origins]


# ---- how it walks --------------------------------------------------------------------------------


def test_what_rules_make_is_rewritten_too() -> None:
    x = T.dscalar("x")
    split = Rule("sin(x) -> -(-tan(x))", EXACT, find=lambda x: sin(x), make=lambda x: negative(-tan(x)))
    assert names(one(T.exp(T.sin(x)), split, DOUBLE_NEGATION)) == ["tan", "exp"]


def test_nodes_inside_what_a_rule_makes_are_visited() -> None:
    x, y = T.dscalars("x", "y")
    inward = Rule("-(x + y) -> -x + -y", EXACT, find=lambda x, y: -(x + y), make=lambda x, y: -x + -y)
    after = one(-((x + y) + (x + y)), inward)
    assert names(after) == ["negative", "negative", "add", "negative", "negative", "add", "add"]


def test_earlier_rules_are_tried_first() -> None:
    x = T.dscalar("x")
    to_tan = Rule("sin(x) -> tan(x)", EXACT, find=lambda x: sin(x), make=lambda x: tan(x))
    assert names(one(T.sin(x), to_tan, PING)) == ["tan"]
    assert names(one(T.sin(x), PING, to_tan)) == ["cos"]


def test_a_graph_on_which_nothing_fires_stays_the_same_objects() -> None:
    x = T.dscalar("x")
    output = T.exp(x) * 2
    assert one(output, DOUBLE_NEGATION) is output


def test_what_does_not_change_is_shared() -> None:
    x = T.dscalar("x")
    kept = T.exp(x)
    after = one(kept * negative(-x), DOUBLE_NEGATION)
    assert after.owner is not None
    assert after.owner.inputs == (kept, x)


def test_each_node_is_visited_once() -> None:
    for n in (100, 1000):
        v = T.dscalar("x")
        for _ in range(n):
            v = T.sin(v) + v  # 2**n paths
        sweep = Sweep((DOUBLE_NEGATION, LOG1P), "test", True, default_budget(n))
        sweep.settle(v)
        assert sweep.visits == 2 * n


def test_visits_grow_with_what_rules_make_and_no_faster() -> None:
    for n in (100, 1000):
        v = T.dscalar("x")
        for _ in range(n):
            v = negative(-T.log(1 + v))
        sweep = Sweep((DOUBLE_NEGATION, LOG1P), "test", True, default_budget(4 * n))
        sweep.settle(v)
        assert sweep.fired == {DOUBLE_NEGATION.name: n, LOG1P.name: n}
        assert sweep.visits == 5 * n


def test_a_chain_of_100_000_nodes_at_the_default_recursion_limit() -> None:
    assert sys.getrecursionlimit() <= 1000 + 2000
    x = T.dscalar("x")
    v = x
    with provenance(Provenance()):
        for _ in range(50_000):
            v = negative(-v)
    assert one(v, DOUBLE_NEGATION) is x
    assert len(toposort(merge(Graph((x,), (v,))).outputs)) == 100_000
    del v
    gc.collect()


# ---- budget and mistakes -------------------------------------------------------------------------


def test_rules_that_never_settle_stop_and_the_culprit_is_named() -> None:
    x = T.dscalar("x")
    with pytest.warns(RewriteWarning, match=r"do not settle; '(sin|cos)\(x\) -> .*' fired 25 times"):
        after = one(T.sin(x), PING, PONG, budget=50)
    assert names(after) in (["sin"], ["cos"])


def test_the_default_budget_stops_them_too() -> None:
    x = T.dscalar("x")
    with pytest.warns(RewriteWarning, match="do not settle"):
        one(T.sin(x), PING, PONG)


def test_a_growing_graph_stops() -> None:
    grow = Rule("sin(x) -> sin(sin(x))", EXACT, find=lambda x: sin(x), make=lambda x: sin(sin(x)))
    with pytest.warns(RewriteWarning, match=r"'sin\(x\) -> sin\(sin\(x\)\)' fired 30 times"):
        one(T.sin(T.dscalar("x")), grow, budget=30)


def test_strict_raises() -> None:
    with pytest.raises(RewriteError, match="do not settle"):
        one(T.sin(T.dscalar("x")), PING, PONG, strict=True)


def test_a_rule_that_raises_is_left_out_with_one_warning() -> None:
    def broken(x: Variable) -> Variable:
        raise ZeroDivisionError("oh")

    rule = Rule("sin(x) -> nothing", EXACT, find=lambda x: sin(x), make=broken)
    x = T.dscalar("x")
    with pytest.warns(RewriteWarning, match=r"'sin\(x\) -> nothing' \(test_driver.py:\d+\) raised Zero") as caught:
        after = one(T.sin(T.sin(negative(-x))), rule, DOUBLE_NEGATION)
    assert len(caught) == 1
    assert names(after) == ["sin", "sin"]
    with pytest.raises(RewriteError, match="raised ZeroDivisionError: oh"):
        one(T.sin(x), rule, strict=True)


def test_a_rule_whose_pattern_can_not_be_traced_is_left_out() -> None:
    rule = Rule("broken", EXACT, find=lambda x: x.no_such_thing, make=lambda x: x)  # type: ignore[attr-defined]
    x = T.dscalar("x")
    with pytest.warns(RewriteWarning, match="'broken'"):
        assert names(one(T.sin(x), rule)) == ["sin"]


def test_a_result_that_contains_what_it_replaces_is_refused() -> None:
    wrap = NodeRule("f -> tan(f)", EXACT, lambda node: tan(node.outputs[0]))
    with pytest.raises(RewriteError, match="contains what it replaces"):
        one(T.sin(T.dscalar("x")), wrap, strict=True)


# ---- where things come from ----------------------------------------------------------------------


def test_origins_of_all_that_matched_survive() -> None:
    x = T.dscalar("x")
    inner = 1 + x
    outer = T.log(inner)
    node = one(outer, LOG1P).owner
    assert node is not None
    assert origin_lines(node) == ["outer = T.log(inner)", "inner = 1 + x"]


def test_provenance_leads_back_to_what_was_replaced() -> None:
    x = T.dscalar("x")
    before = T.sin(x)
    to_tan = Rule("cos(x) -> tan(x)", EXACT, find=lambda x: cos(x), make=lambda x: tan(x))
    node = one(before, PING, to_tan).owner
    assert node is not None
    assert node.provenance.rule == "cos(x) -> tan(x)"
    first = node.provenance.replaced
    assert first is not None
    assert (first.op, first.provenance.rule) == (cos, "sin(x) -> cos(x)")
    assert first.provenance.replaced is before.owner


def test_gradient_nodes_keep_their_forward_node() -> None:
    x = T.dscalar("x")
    forward = T.sin(x).owner
    with provenance(Provenance(grad_of=forward)):
        v = T.log(1 + x)
    node = one(v, LOG1P).owner
    assert node is not None
    assert node.provenance.grad_of is forward


def test_rebuilt_nodes_keep_their_lines() -> None:
    x = T.dscalar("x")
    y = negative(-x)
    z = T.exp(y)
    node = one(z, DOUBLE_NEGATION).owner
    assert node is not None
    assert origin_lines(node) == ["z = T.exp(y)"]


def test_names_move_to_what_takes_their_place() -> None:
    x = T.dscalar("x")
    y = T.log(1 + x)
    y.name = "y"
    assert one(y, LOG1P).name == "y"
    z = negative(-x)
    z.name = "z"
    assert one(z, DOUBLE_NEGATION).name == "x"


def test_every_application_is_an_event() -> None:
    x = T.dscalar("x")
    seen: list[events.Event] = []
    with events.listen(seen.append):
        after = one(T.log(1 + negative(-x)), LOG1P, DOUBLE_NEGATION, pass_name="a pass")
    applied = [e for e in seen if isinstance(e, events.RewriteApplied)]
    assert [(e.pass_name, e.rule, e.changes) for e in applied] == [
        ("a pass", DOUBLE_NEGATION.name, EXACT),
        ("a pass", LOG1P.name, ROUNDING),
    ]
    assert applied[-1].after is after
    assert applied[-1].source == LOG1P.source
    assert all(e.seconds >= 0 for e in applied)


def test_nothing_is_emitted_where_nobody_listens() -> None:
    assert not events.listening()
    assert names(one(T.log(1 + T.dscalar("x")), LOG1P)) == ["log1p"]


# ---- several outputs -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Halves(Op):
    """Both a half and its negative, for these tests."""

    name = "halves"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return inputs[0], inputs[0]

    def numpy(self, *values: Array) -> Any:
        return values[0] / 2, -values[0] / 2


def test_rules_inside_and_after_a_node_with_two_outputs() -> None:
    x = T.dscalar("x")
    a, b = Halves()(negative(-x))
    graph = apply_rules(Graph((x,), (negative(-a), b)), [DOUBLE_NEGATION])
    first, second = graph.outputs
    assert first.owner is second.owner
    assert (first.index, second.index) == (0, 1)
    assert first.owner is not None
    assert first.owner.inputs == (x,)


def test_a_rule_replaces_all_outputs_at_once() -> None:
    def halved(node: Apply) -> Sequence[Variable]:
        half = node.inputs[0] * 0.5
        return half, -half

    rule = NodeRule("halves(x) -> x/2, -x/2", EXACT, halved, (Halves,))
    x = T.dscalar("x")
    graph = apply_rules(Graph((x,), tuple(Halves()(x))), [rule])
    assert names(*graph.outputs) == ["multiply", "negative"]


# ---- merging -------------------------------------------------------------------------------------


def test_equal_nodes_become_one_with_the_lines_of_all() -> None:
    x = T.dscalar("x")
    a = T.exp(x + 1)
    b = T.exp(1 + x)
    (output,) = merge(Graph((x,), (a * b,))).outputs
    assert names(output) == ["add", "exp", "multiply"]
    assert output.owner is not None
    shared = output.owner.inputs[0].owner
    assert shared is not None
    assert origin_lines(shared) == ["a = T.exp(x + 1)", "b = T.exp(1 + x)"]


def test_different_ops_dtypes_and_operands_are_not_merged() -> None:
    x, y = T.dscalars("x", "y")
    outputs = (x - y, y - x, T.maximum(x, y), T.maximum(y, x), x * 2.0, x * np.float32(2.0), x + 0.0, x + -0.0)
    assert len(set(merge(Graph((x, y), outputs)).outputs)) == len(outputs)


def test_merging_is_visible() -> None:
    x = T.dscalar("x")
    seen: list[events.Event] = []
    with events.listen(seen.append):
        merge(Graph((x,), (T.exp(x) + T.exp(x),)), "equal nodes are one")
    (event,) = seen
    assert isinstance(event, events.RewriteApplied)
    assert (event.rule, event.changes) == ("equal nodes -> one node", EXACT)


def test_a_name_survives_merging() -> None:
    x = T.dscalar("x")
    a, b = T.exp(x), T.exp(x)
    b.name = "b"
    (first, second) = merge(Graph((x,), (a, b))).outputs
    assert first is second
    assert first.name == "b"
    assert a.name is None


def test_a_merged_node_keeps_a_bounded_number_of_lines() -> None:
    x = T.dscalar("x")
    exec("\n" * 7 + "\n".join("made.append(exp(x))" for _ in range(40)), {"made": (made := []), "exp": exp, "x": x})
    total: Any = made[0]
    for v in made[1:]:
        total = total + v
    (output,) = merge(Graph((x,), (total,))).outputs
    merged = [n for n in toposort([output]) if n.op is exp]
    assert [len(n.provenance.origins) for n in merged] == [MAX_ORIGINS]


def test_nodes_with_two_outputs_are_merged() -> None:
    x = T.dscalar("x")
    a, b = Halves()(x), Halves()(x)
    first, second, third = merge(Graph((x,), (a[0] + b[1], a[1], b[1]))).outputs
    assert second is third
    assert names(first) == ["halves", "add"]
