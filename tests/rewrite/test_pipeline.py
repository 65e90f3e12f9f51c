"""The passes together: naive forms come out stable, results never change, modes choose."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphValueError
from graphlab.graph import events
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops.elementwise import sin, tan
from graphlab.rewrite.pipeline import MODES, PASSES, mode, optimize
from graphlab.rewrite.rule import DOMAIN, EXACT, Rule
from graphlab.rewrite.rules import RULES


def traced(inputs: list[Variable], output: Variable, how: Any = "fast_run") -> tuple[Graph, list[str], list[str]]:
    """The optimised graph, the names of the rules that fired and their classes."""
    seen: list[events.Event] = []
    with events.listen(seen.append):
        graph = optimize(Graph(tuple(inputs), (output,)), how)
    fired = [e for e in seen if isinstance(e, events.RewriteApplied)]
    return graph, [e.rule for e in fired], [e.changes for e in fired]


def run(graph: Graph, *values: Any) -> Any:
    with np.errstate(all="ignore"):
        return interpret(graph, [np.asarray(v) for v in values])[0]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + T.exp(-x))


def softmax(x: Any, axis: int = -1) -> Any:
    e = T.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


# ---- stable --------------------------------------------------------------------------------------

NAIVE: list[tuple[str, Callable[[Any], Any], list[float], list[float], str]] = [
    ("log softmax", lambda x: T.log(T.softmax(x)), [1000, 0, -1000], [0, -1000, -2000],
     "log(softmax(x)) -> log_softmax(x)"),
    ("log of naive softmax", lambda x: T.log(softmax(x)), [1000, 0, -1000], [0, -1000, -2000],
     "log(softmax(x)) -> log_softmax(x)"),
    ("log sum exp", lambda x: T.log(T.exp(x).sum()), [1000, 1000], 1000 + np.log(2),
     "log(sum(exp(x))) -> logsumexp(x)"),
    ("softplus", lambda x: T.log(1 + T.exp(x)), [800, -800], [800, 0], "log(1 + exp(x)) -> softplus(x)"),
    ("log1p", lambda x: T.log(1 + x), [1e-20], [1e-20], "log(1 + x) -> log1p(x)"),
    ("expm1", lambda x: T.exp(x) - 1, [1e-20], [1e-20], "exp(x) - 1 -> expm1(x)"),
    ("log sigmoid", lambda x: T.log(T.sigmoid(x)), [-800], [-800], "log(sigmoid(x)) -> -softplus(-x)"),
    ("log of naive sigmoid", lambda x: T.log(sigmoid(x)), [-800], [-800], "1 / (1 + exp(-x)) -> sigmoid(x)"),
    ("log(1 - sigmoid)", lambda x: T.log(1 - T.sigmoid(x)), [800], [-800], "1 - sigmoid(x) -> sigmoid(-x)"),
    ("log(1 - naive sigmoid)", lambda x: T.log(1 - sigmoid(x)), [800, 40], [-800, -40],
     "1 - sigmoid(x) -> sigmoid(-x)"),
    ("naive softmax", softmax, [1000, 1000], [0.5, 0.5], "exp(x) / sum(exp(x)) -> softmax(x)"),
    ("naive sigmoid", lambda x: T.exp(x) / (1 + T.exp(x)), [800], [1], "exp(x) / (1 + exp(x)) -> sigmoid(x)"),
    ("softmax by dimshuffle", lambda x: T.exp(x) / T.exp(x).sum(axis=0).dimshuffle("x"), [1000, 1000], [0.5, 0.5],
     "exp(x) / sum(exp(x)) -> softmax(x)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "naive", "at", "want", "rule"), NAIVE, ids=[n[0] for n in NAIVE])
@pytest.mark.parametrize("how", ["fast_run", "fast_compile", "debug"])
def test_naive_forms_come_out_stable(name: str, naive: Any, at: Any, want: Any, rule: str, how: str) -> None:
    x = T.dvector("x")
    graph, fired, _ = traced([x], naive(x), how)
    assert rule in fired
    np.testing.assert_allclose(run(graph, np.array(at, float)), want, rtol=1e-14)


@pytest.mark.parametrize(("name", "naive", "at", "want", "rule"), NAIVE, ids=[n[0] for n in NAIVE])
def test_ordinary_values_stay(name: str, naive: Any, at: Any, want: Any, rule: str) -> None:
    x = T.dvector("x")
    value = np.linspace(-2, 3, 7) if "log1p" not in name else np.linspace(-0.5, 3, 7)
    before = Graph((x,), (naive(x),))
    np.testing.assert_allclose(run(optimize(before), value), run(before, value), rtol=1e-13)


GRADIENTS: list[tuple[str, Callable[[Any], Any], list[float], list[float]]] = [
    ("softplus", lambda x: T.log(1 + T.exp(x)).sum(), [800, -800, 0], [1, 0, 0.5]),
    ("log sigmoid", lambda x: T.log(T.sigmoid(x)).sum(), [-800, 800, 0], [1, 0, 0.5]),
    ("log naive sigmoid", lambda x: T.log(sigmoid(x)).sum(), [-800, 800, 0], [1, 0, 0.5]),
    ("weighted", lambda x: (T.log(sigmoid(x)) * np.array([1.0, 2.0, 3.0])).sum(), [-800, 800, 0], [1, 0, 1.5]),
    ("log(1 - sigmoid)", lambda x: T.log(1 - T.sigmoid(x)).sum(), [-800, 800, 0], [0, -1, -0.5]),
    ("log(1 - naive sigmoid)", lambda x: T.log(1 - sigmoid(x)).sum(), [-800, 800, 0], [0, -1, -0.5]),
    ("naive sigmoid", lambda x: sigmoid(x).sum(), [-800, 800, 0], [0, 0, 0.25]),
    ("mean", lambda x: -T.log(sigmoid(x)).mean(), [-800, 800, 0], [-1 / 3, 0, -0.5 / 3]),
    ("log sum exp", lambda x: T.log(T.exp(x).sum()), [1000, 1000, -1000], [0.5, 0.5, 0]),
    ("log softmax", lambda x: T.log(T.softmax(x))[0], [-1000, 1000, 1000], [1, -0.5, -0.5]),
    ("log naive softmax", lambda x: T.log(softmax(x)).sum(), [-1000, 1000, 0], [1, -2, 1]),
    ("log naive softmax by dimshuffle", lambda x: T.log(T.exp(x) / T.exp(x).sum(0).dimshuffle("x"))[1],
     [-1000, 1000, 0], [0, 0, 0]),
    ("weighted log softmax", lambda x: (T.log(softmax(x)) * np.array([1.0, 2.0, 3.0])).sum(), [-1000, 1000, 0],
     [1, -4, 3]),
    ("naive softmax", lambda x: (softmax(x) * np.array([1.0, 2.0, 3.0])).sum(), [-1000, 1000, 1000], [0, -0.25, 0.25]),
    ("cross-entropy", lambda x: -(T.log(sigmoid(x)) * 0.25 + T.log(1 - sigmoid(x)) * 0.75).sum(), [-800, 800, 0],
     [-0.25, 0.75, 0.25]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cost", "at", "want"), GRADIENTS, ids=[g[0] for g in GRADIENTS])
def test_gradients_of_naive_forms_are_stable(name: str, cost: Any, at: Any, want: Any) -> None:
    x = T.dvector("x")
    graph, _, _ = traced([x], T.grad(cost(x), x))
    np.testing.assert_allclose(run(graph, np.array(at, float)), want, rtol=1e-13)


CROSS_ENTROPIES: dict[str, Callable[[Any, Any], Any]] = {
    "one sum": lambda p, t: -(t * T.log(p) + (1 - t) * T.log(1 - p)),
    "two terms": lambda p, t: -t * T.log(p) - (1 - t) * T.log(1 - p),
    "the other way round": lambda p, t: -((1 - t) * T.log(1 - p) + t * T.log(p)),
    "with a factor": lambda p, t: -(t * T.log(p) + (1 - t) * T.log(1 - p)) * 3,
    "from nnet": T.nnet.binary_crossentropy,
}


@pytest.mark.parametrize("form", CROSS_ENTROPIES)
@pytest.mark.parametrize("probability", [sigmoid, T.sigmoid], ids=["naive", "named"])
def test_gradients_of_cross_entropies_of_targets_are_stable(form: str, probability: Any) -> None:
    x, t = T.dvectors("x", "t")
    cost = CROSS_ENTROPIES[form](probability(x), t).sum()
    graph, rules, _ = traced([x, t], T.grad(cost, x))
    at, targets = np.array([2.0, 800.0, -800.0, 0.0, -800.0]), np.array([1.0, 0.0, 1.0, 0.25, 0.0])
    want = np.array([-1 / (1 + np.exp(2.0)), 1, -1, 0.25, 0]) * (3 if "factor" in form else 1)
    np.testing.assert_allclose(run(graph, at, targets), want, rtol=1e-13, atol=1e-300)
    assert any("/ sigmoid(" in rule for rule in rules)


def test_gradient_of_logsumexp_over_rows_is_stable() -> None:
    x = T.dmatrix("x")
    graph, _, _ = traced([x], T.grad(T.log(T.exp(x).sum(axis=1)).sum(), x))
    value = np.array([[1000.0, 1000.0], [-1000.0, 0.0]])
    np.testing.assert_allclose(run(graph, value), [[0.5, 0.5], [0.0, 1.0]], rtol=1e-14)


def test_gradients_of_broadcasts_lose_their_sum_to() -> None:
    x = T.dmatrix("x")
    graph, _, _ = traced([x], T.grad((T.exp(x) * T.sin(x) / (1 + x * x)).sum(), x))
    assert "sum_to" not in {n.op.name for n in toposort(graph.outputs)}
    assert "broadcast_to" not in {n.op.name for n in toposort(graph.outputs)}


# ---- never ---------------------------------------------------------------------------------------

SPECIAL_VALUES = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0])
NEVER: list[tuple[str, Callable[[Any], Any]]] = [
    ("x/x", lambda x: x / x), ("x*0", lambda x: x * 0), ("x-x", lambda x: x - x), ("x+0", lambda x: x + 0),
    ("0-x", lambda x: 0 - x), ("neq(x,x)", lambda x: T.neq(x, x)), ("eq(x,x)", lambda x: T.eq(x, x)),
    ("0/x", lambda x: 0 / x), ("x**0.5", lambda x: x**0.5), ("exp(log(x))", lambda x: T.exp(T.log(x))),
    ("sqrt(x)**2", lambda x: T.sqrt(x) ** 2), ("x*y/y", lambda x: x * 3 / 3), ("-(x-1)", lambda x: -(x - 1.0)),
    ("x<=x", lambda x: x <= x), ("max-x", lambda x: T.maximum(x, 0) - T.maximum(x, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form"), NEVER, ids=[n[0] for n in NEVER])
def test_special_values_never_change(name: str, form: Callable[[Any], Any]) -> None:
    x = T.dvector("x")
    before = Graph((x,), (form(x),))
    want, got = run(before, SPECIAL_VALUES), run(optimize(before), SPECIAL_VALUES)
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        number = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(want[number]))


def test_integer_wraparound_never_changes() -> None:
    x = T.bvector("x")
    before = Graph((x,), ((x * 2 // 2) + (x * 2 / 2),))
    value = np.array([100, -100, 127, -128, 3], "int8")
    np.testing.assert_array_equal(run(optimize(before), value), run(before, value))


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: T.where(True, x, x + y), lambda x, y: x.reshape((3, 2)).reshape((6,)), lambda x, y: (x + y).shape,
        lambda x, y: T.zeros_like(x + y), lambda x, y: T.concatenate([x, y])[:1] * 0,
        lambda x, y: T.where(T.constant(np.ones(4, bool)), x, x),
    ],
)  # fmt: skip
def test_errors_never_vanish(form: Callable[[Any, Any], Any]) -> None:
    x, y = T.dvectors("x", "y")
    before = Graph((x, y), (form(x, y),))
    values = [np.ones(5), np.ones(7)]
    try:
        want = run(before, *values)
    except ValueError:
        with pytest.raises(ValueError, match=r"shape|broadcast|reshape"):
            run(optimize(before), *values)
    else:
        np.testing.assert_array_equal(run(optimize(before), *values), want)


def test_shapes_stay_where_a_neutral_operand_stretches() -> None:
    x = T.lvector("x")
    for other in (np.zeros(3, "int64"), np.zeros((1, 1), "int64")):
        before = Graph((x,), (x + other,))
        np.testing.assert_array_equal(run(optimize(before), [5]), run(before, [5]))


def test_the_default_mode_applies_no_domain_rule() -> None:
    assert any(r.changes == DOMAIN for r in RULES)
    assert not [r.name for r in RULES if mode("fast_run").admits(r) and r.changes == DOMAIN]
    x = T.dvector("x")
    for _, form in NEVER:
        assert DOMAIN not in traced([x], form(x))[2]


def test_fast_math_applies_them() -> None:
    x = T.dvector("x")
    graph, fired, _ = traced([x], x * 0 + x / x, mode("fast_run", fast_math=True))
    assert {"x * 0 -> 0", "x / x -> 1"} <= set(fired)
    np.testing.assert_array_equal(run(graph, [np.nan, 0.0]), [1.0, 1.0])


# ---- modes ---------------------------------------------------------------------------------------


def test_interpret_changes_nothing() -> None:
    x = T.dvector("x")
    output = T.log(1 + x) + T.log(1 + x)
    assert optimize(Graph((x,), (output,)), "interpret").outputs == (output,)


def test_modes() -> None:
    assert [m for m in MODES if MODES[m].compiles] == ["fast_run", "debug"]
    assert mode("debug").checks
    assert mode(mode("debug")) is MODES["debug"] or mode(mode("debug")) == MODES["debug"]
    assert mode("fast_run", fast_math=True).fast_math
    with pytest.raises(GraphValueError, match="no mode 'fats_run'"):
        mode("fats_run")


def test_rules_are_left_out_by_name_or_tag() -> None:
    x = T.dvector("x")
    output = T.log(1 + T.exp(x))
    without = mode("fast_run").excluding("log(1 + exp(x)) -> softplus(x)")
    assert "log(1 + x) -> log1p(x)" in traced([x], output, without)[1]
    assert traced([x], output, mode("fast_run").excluding("stable"))[1] == []


def test_rules_are_taken_in_by_name() -> None:
    x = T.dvector("x")
    assert traced([x], x / x, mode("fast_run").including("x / x -> 1"))[1] == ["x / x -> 1"]


def test_a_rule_of_ones_own() -> None:
    own = Rule("sin(x) -> tan(x)", EXACT, find=lambda x: sin(x), make=lambda x: tan(x))
    x = T.dvector("x")
    graph, fired, _ = traced([x], T.sin(x), mode("fast_run").including(own))
    assert fired == [own.name]
    assert [n.op.name for n in toposort(graph.outputs)] == ["tan"]
    assert graphlab.maths(optimize(T.sin(x) + 0.0, rules=[own])) == "tan(x) + 0"


def test_every_pass_is_an_event_with_its_graph() -> None:
    x = T.dvector("x")
    seen: list[events.Event] = []
    with events.listen(seen.append):
        graph = optimize(Graph((x,), (T.log(1 + x) + T.log(1 + x),)))
    passes = [e for e in seen if isinstance(e, events.PassApplied)]
    assert [e.name for e in passes] == [p.name for p in PASSES]
    assert passes[-1].graph.outputs == graph.outputs
    merged = next(e for e in passes if e.name == "equal nodes are one")
    assert (merged.nodes_before, merged.nodes_after) == (5, 3)
    assert all(a.nodes_after == b.nodes_before for a, b in itertools.pairwise(passes))


# ---- faces ---------------------------------------------------------------------------------------


def test_optimize_takes_and_returns_variables() -> None:
    x = T.dvector("x")
    single = optimize(T.log(1 + x))
    assert graphlab.maths(single) == "log1p(x)"
    first, second = optimize([T.log(1 + x), x - 0])
    assert graphlab.maths(first) == "log1p(x)"
    assert second is x


def test_inputs_stay_the_same_variables() -> None:
    x, unused = T.dvectors("x", "unused")
    graph = optimize(Graph((x, unused), (x - 0,)))
    assert graph.inputs == (x, unused)
    assert graph.outputs == (x,)


def test_no_rule_looks_behind_an_input_that_something_computes() -> None:
    x = T.dvector("x")
    e = T.exp(x)
    graph = optimize(Graph((e,), (T.log(e) + 1,)))
    np.testing.assert_array_equal(run(graph, [2.0]), np.log([2.0]) + 1)
    assert graph.inputs == (e,)
    assert x not in {v for n in toposort(graph.outputs, graph.inputs) for v in n.inputs}


def test_optimizing_twice_changes_nothing_more() -> None:
    x = T.dmatrix("x")
    once = optimize(T.grad(T.log(softmax(x)).sum(), x))
    assert graphlab.maths(optimize(once)) == graphlab.maths(once)


def test_output_is_the_same_in_every_run() -> None:
    def text() -> str:
        x, w = T.dmatrix("x"), T.dvector("w")
        return graphlab.maths(optimize(T.grad(T.log(sigmoid(T.dot(x, w))).mean(), w)))

    assert text() == text()


PLAIN = [r for r in RULES if isinstance(r, Rule) and not r.ops and not r.constants and isinstance(r.on, tuple)]


@pytest.mark.parametrize("rule", PLAIN, ids=lambda r: f"{r.name} ({r.changes})")
def test_rules_do_not_run_in_circles(rule: Rule) -> None:
    free = [T.tensor(rule.dtypes_of(n)[0], (None,), name=n) for n in rule.wildcards]
    graph = Graph(tuple(free), (rule.find(*free),))
    optimize(graph, "debug")  # strict: raises if the rules do not settle
    optimize(graph, mode("debug", fast_math=True))
