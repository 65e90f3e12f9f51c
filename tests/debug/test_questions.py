"""Why a node is there, why a rule did not fire on it, why two are not fused: each answer names what decided."""

from __future__ import annotations

import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.rewrite.rule import EXACT, NodeRule, Rule

# ---- why -----------------------------------------------------------------------------------------


def test_why_tells_the_chain_from_the_line_to_the_kernel() -> None:
    x = T.dvector("x")
    p = 1 / (1 + T.exp(-x))
    y = T.log(p)
    f = graphlab.function([x], y)
    answer = f.why(y)
    assert [r.rule for _, r in answer.rewrites] == ["log(sigmoid(x)) -> -softplus(-x)"]
    assert answer.now is not None
    assert graphlab.maths(answer.now) == "-softplus(-x)"
    assert answer.step == "kernel_0"
    assert answer.reason == f.kernels[0].reason
    text = str(answer)
    assert "y = T.log(p)" in text
    assert "test_questions.py:" in text
    assert "stable.py:" in text
    for number, rewrite in answer.rewrites:
        assert f.trace.rewrites[number] is rewrite


def test_why_of_an_optimised_node_goes_back_over_several_rewrites() -> None:
    x = T.dvector("x")
    y = T.exp(x) / T.exp(x).sum()
    z = T.log(y)
    f = graphlab.function([x], z)
    rules = [r.rule for _, r in f.why(f.optimized.outputs[0]).rewrites]
    assert rules[-1] == "log(softmax(x)) -> log_softmax(x)"
    assert rules == [r.rule for _, r in f.why(z).rewrites]
    gone = f.why(y)
    assert gone.now is None
    assert "nothing needs it any more" in str(gone)
    assert [r.rule for _, r in gone.rewrites][-1] == "log(softmax(x)) -> log_softmax(x)"


def test_why_of_a_node_that_stands_for_several_names_all_lines() -> None:
    x = T.dvector("x")
    a = T.exp(x) + 1
    b = T.exp(x) + 2
    f = graphlab.function([x], a * b)
    exp = next(n for n in graphlab.applies_of(f.optimized.outputs) if n.op.name == "exp")
    answer = f.why(exp)
    assert [line.text for line in answer.lines] == ["a = T.exp(x) + 1", "b = T.exp(x) + 2"]
    assert "equal nodes -> one node" in [r.rule for _, r in answer.rewrites]


def test_why_of_what_nothing_touched_names_its_line_and_kernel() -> None:
    x = T.dvector("x")
    y = T.sin(x)
    answer = graphlab.function([x], T.exp(y)).why(y)
    assert answer.rewrites == ()
    assert answer.now is y
    assert answer.step == "kernel_0"


def test_why_works_where_numpy_runs_and_for_inputs_and_applications() -> None:
    x = T.dvector("x")
    y = T.log(1 + x)
    f = graphlab.function([x], y, mode="fast_compile")
    assert f.why(y.owner).step == "NumPy, node by node"
    assert f.why(x).now is x


def test_why_of_a_node_of_any_state_and_of_a_kernel() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(1 + T.exp(x * 1)))
    for k in range(len(f.trace.rewrites) + 1):
        assert str(f.why(f.trace.at(k).outputs[0]))
    for kernel in f.kernels:
        assert f.why(kernel.nodes[0]).step == kernel.name


def test_why_inside_a_loop_and_of_the_loop() -> None:
    x = T.dvector("x")
    values, _ = graphlab.scan(lambda v, s: s + T.log(1 + T.exp(v)), sequences=x, outputs_info=0.0)
    f = graphlab.function([x], values[-1])
    loop = next(n for n in graphlab.applies_of(f.optimized.outputs) if n.op.name == "scan")
    assert [line.text for line in f.why(loop).lines] == [line.text for line in values.owner.provenance.origins]
    softplus = next(n for n in graphlab.applies_of(loop.op.graphs[0].outputs) if n.op.name == "softplus")
    answer = f.why(softplus)
    assert [r.rule for _, r in answer.rewrites] == ["log(1 + exp(x)) -> softplus(x)"]
    assert answer.step == "kernel_0"
    assert answer.now is softplus.outputs[0]


def test_why_says_which_call_computes_it() -> None:
    a = T.dmatrix("a")
    product = a @ a
    assert graphlab.function([a], T.exp(product)).why(product).step.startswith("matmul")


def test_why_refuses_strangers() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.sin(x))
    with pytest.raises(GraphValueError, match="is no part of function"):
        f.why(T.cos(x))
    with pytest.raises(GraphTypeError, match="got str"):
        f.why("y")


# ---- why not -------------------------------------------------------------------------------------


def kind_and_reason(f: graphlab.Function, rule: str | Rule, v: graphlab.Variable) -> tuple[str, str]:
    answer = f.why_not(rule, v)
    assert answer.reason in str(answer)
    return answer.kind, answer.reason


def test_why_not_shows_where_the_pattern_departs() -> None:
    x = T.dvector("x")
    y = T.log(2 + x)
    f = graphlab.function([x], y)
    assert kind_and_reason(f, "log(1 + x) -> log1p(x)", y) == (
        "pattern", "where the pattern has 1, there is <2: float64>",
    )  # fmt: skip
    kind, reason = kind_and_reason(f, "log(sigmoid(x)) -> -softplus(-x)", y)
    assert kind == "pattern"
    assert reason.startswith("where the pattern has sigmoid(x), there is <")
    assert kind_and_reason(f, "exp(x) - 1 -> expm1(x)", y)[0] == "op"


def test_why_not_names_a_repeated_wildcard() -> None:
    x, y = T.dvectors("x", "y")
    same = Rule("sin(x) * cos(x) -> sin(2 * x) / 2", "rounding", find=lambda x: T.sin(x) * T.cos(x),
                make=lambda x: T.sin(2 * x) / 2)  # fmt: skip
    z = T.sin(x) * T.cos(y)
    kind, reason = kind_and_reason(graphlab.function([x, y], z), same, z)
    assert kind == "pattern"
    assert reason.startswith("x stands for one value wherever it occurs")


def test_why_not_names_the_guard_and_what_it_was_asked_of() -> None:
    def is_even(n: graphlab.Variable) -> bool:
        return bool(n.data % 2 == 0)  # type: ignore[attr-defined]

    even = Rule("x ** n -> |x| ** n", EXACT, find=lambda x, n: x**n, make=lambda x, n: abs(x) ** n,
                constants={"n": (2.0,)}, when=is_even)  # fmt: skip
    x = T.dvector("x")
    y = x**5.0
    kind, reason = kind_and_reason(graphlab.function([x], y), even, y)
    assert kind == "guard"
    assert reason.startswith("the guard is_even (test_questions.py:")
    assert "n = <5: float64>" in reason


def test_why_not_names_dtypes_class_mode_and_results() -> None:
    i, x = T.lvector("i"), T.dvector("x")
    whole = T.log(1 + i)
    kind, reason = kind_and_reason(graphlab.function([i], whole), "log(1 + x) -> log1p(x)", whole)
    assert kind in ("pattern", "dtypes")
    difference = x - x
    domain = graphlab.function([x], difference)
    assert kind_and_reason(domain, "x - x -> 0", difference) == (
        "domain", "it is of class domain (inf - inf is nan), and fast_math is off",
    )  # fmt: skip
    fast = graphlab.function([x], difference, fast_math=True)
    assert fast.why_not("x - x -> 0", difference).kind == "fired"
    y = T.log(1 + x)
    without = graphlab.function([x], y, mode=graphlab.mode("fast_run").excluding("stable"))
    assert kind_and_reason(without, "log(1 + x) -> log1p(x)", y) == (
        "mode", "the mode 'fast_run' excludes 'stable'",
    )  # fmt: skip
    as_written = graphlab.function([x], y, mode="interpret")
    kind, reason = kind_and_reason(as_written, "log(1 + x) -> log1p(x)", y)
    assert kind == "mode"
    assert "does not run the pass" in reason


def test_why_not_names_the_rule_that_was_there_first() -> None:
    x = T.dvector("x")
    first = Rule("sin(x) -> tan(x)", EXACT, find=lambda x: T.sin(x), make=lambda x: T.tan(x))
    second = Rule("sin(x) -> cos(x)", EXACT, find=lambda x: T.sin(x), make=lambda x: T.cos(x))
    y = T.sin(x)
    f = graphlab.function([x], y, mode=graphlab.mode("fast_run").including(first, second))
    kind, reason = kind_and_reason(f, second, y)
    assert kind == "taken"
    assert first.name in reason


def test_why_not_of_a_rule_that_is_a_function() -> None:
    x = T.dvector("x")

    def never(node: object) -> None:
        return None

    rule = NodeRule("nothing -> nothing", EXACT, never)
    y = T.sin(x)
    kind, reason = kind_and_reason(graphlab.function([x], y), rule, y)  # type: ignore[arg-type]
    assert kind == "declined"
    assert "never (test_questions.py:" in reason


def test_why_not_offers_near_names() -> None:
    x = T.dvector("x")
    y = T.log(1 + x)
    with pytest.raises(GraphValueError, match=r"there is no rule 'log\(1\+x\)'") as caught:
        graphlab.function([x], y).why_not("log(1+x)", y)
    assert "log(1 + x) -> log1p(x)" in str(caught.value)


# ---- why not fused -------------------------------------------------------------------------------


def test_why_not_fused_gives_what_fusion_said() -> None:
    x = T.dmatrix("x")
    total = x.sum()
    y = x / total
    product = x @ x.T
    z = T.sin(T.cos(product))
    f = graphlab.function([x], [y, z])
    assert f.why_not_fused(total, y).reason == "sum: all elements are needed before the first is used"
    assert f.why_not_fused(y, total).reason == "sum: all elements are needed before the first is used"
    assert "the runtime's matmul computes it" in f.why_not_fused(product, z).reason
    assert "neither needs the other" in f.why_not_fused(y, z).reason
    together = f.why_not_fused(z.owner.inputs[0], z)
    assert together.fused
    assert "share a kernel" in str(together)
    assert "given, not computed" in f.why_not_fused(x, z).reason


def test_why_not_fused_says_when_one_is_gone_or_numpy_runs() -> None:
    x = T.dvector("x")
    e = T.exp(x)
    y = T.log(1 + e)
    assert "nothing needs" in graphlab.function([x], y).why_not_fused(e, y).reason
    assert "NumPy runs this" in graphlab.function([x], T.sin(e), mode="interpret").why_not_fused(e, e).reason
