"""The campaign of random graphs finds wrong rules of each kind, says how to see them again and makes them small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.campaign import crew
from benchmarks.campaign.crew import Report, one, run
from benchmarks.campaign.draw import begin
from benchmarks.campaign.judge import Noise, moved, near, same
from benchmarks.campaign.plant import plant
from benchmarks.campaign.sample import ORDINARY, PLANTS, RULES, plan, sample
from benchmarks.campaign.shrink import written
from graphlab.graph.node import Apply, Variable
from graphlab.ops import elementwise as e
from graphlab.ops.conversion import Cast
from graphlab.ops.extents import zeros_like
from graphlab.rewrite.rule import DOMAIN, EXACT, ROUNDING, AnyRule, NodeRule, Rule, example

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "random_graphs.py"


def narrower(node: Apply) -> Variable | None:
    """Casting by way of a smaller dtype, as if that lost nothing."""
    (x,) = node.inputs
    inner = x.owner
    return e.cast(inner.inputs[0], node.op.dtype) if inner is not None and isinstance(inner.op, Cast) else None  # type: ignore[attr-defined]


def first(node: Apply) -> Variable | None:
    """where(True, x, y) without y, whatever shape that has when it runs."""
    return node.inputs[1] if node.op is e.where and node.inputs[1].ndim == node.outputs[0].ndim else None


WRONG: tuple[tuple[str, AnyRule], ...] = (
    ("a sign", Rule("(-x) * y -> x * y", EXACT, find=lambda x, y: (-x) * y, make=lambda x, y: x * y)),
    ("nan", Rule("x * 0 -> 0", EXACT, find=lambda x: x * 0, make=lambda x: zeros_like(x))),
    ("zero", Rule("x + 0 -> x", EXACT, find=lambda x: x + 0, make=lambda x: x)),
    ("overflow", Rule("cosh(x) -> (exp(2x) + 1) / exp(x) / 2", ROUNDING, find=lambda x: e.cosh(x),
                      make=lambda x: (e.exp(x * 2) + 1) / e.exp(x) / 2)),
    ("one bit", Rule("x / 3 -> x * (1/3)", EXACT, find=lambda x: x / 3, make=lambda x: x * (1 / 3), on=("float64",))),
    ("casts", NodeRule("cast(cast(x, a), b) -> cast(x, b)", EXACT, narrower, (Cast,), examples=(
        example(lambda x: x.astype("int8").astype("float64"), x="float64[2,3]"),))),
    ("errors", NodeRule("where(True, x, y) -> x", EXACT, first, examples=(
        example(lambda x, y: e.where(True, x, y), x="float64[?]", y="float64[?]"),))),
)  # fmt: skip


@pytest.mark.parametrize(("what", "rule"), WRONG, ids=[what for what, _ in WRONG])
def test_a_wrong_rule_is_found_named_and_made_small(what: str, rule: AnyRule) -> None:
    report = next(r for r in (one(0, i, [rule], [0], shrink=True) for i in range(60)) if r.failures)
    failure = report.failures[0]
    assert report.fired[(rule.name, rule.changes)]
    assert f"--seed 0 --only {failure.index} --plant 0" in str(failure)
    assert repr(rule.name) in failure.text.partition("gone without any of:")[2]
    steps = failure.text.partition("\noutputs")[0].splitlines()
    assert len(steps) <= 8, failure.text


def test_the_rules_are_right_on_sixty_graphs_and_each_application_is_counted() -> None:
    report = run(1, 60, RULES, jobs=1, shrink=1)
    assert "\n".join(map(str, report.failures)) == ""
    assert report.graphs == 60
    assert len(report.fired) > len(RULES) / 3
    assert report.elements["within rounding"] > report.elements["undecided: noise decides"]
    assert report.elements["equal in every bit"] > 0


def test_every_rule_can_be_planted() -> None:
    drafts = [begin(np.random.default_rng(k), False) for k in range(8)]
    plain = [begin(np.random.default_rng(k), True) for k in range(8)]
    lost = [r.name for r in RULES if all(plant(d, r) is None for d in (plain if r.changes == DOMAIN else drafts))]
    assert lost == []


def test_what_fired_least_is_planted_next_and_domain_rules_keep_to_themselves() -> None:
    half = {k for due in plan(RULES, Counter(), range(200), 0) for k in due}
    assert len(half) >= len(RULES) // 2
    fired = Counter((RULES[k].name, RULES[k].changes) for k in half)
    plans = plan(RULES, fired, range(200, 400), 0)
    assert len(plans) == 200
    assert len({k for due in plans for k in due} & half) <= len(half) / 4  # of an odd number, and of equal names
    assert all(len({RULES[k].changes == DOMAIN for k in due}) == 1 and len(due) <= PLANTS for due in plans)


def test_a_seed_a_number_and_rules_give_the_same_graph_and_values_again() -> None:
    a, b, other = (sample(seed, 17, RULES[20:24]) for seed in (3, 3, 4))
    assert list(a.values) == list(b.values)
    for kind in a.values:
        assert all(same(x, y).all() for x, y in zip(a.values[kind], b.values[kind], strict=True))
    texts = [written(replace(s, values={ORDINARY: s.values[ORDINARY]})) for s in (a, b, other)]
    assert texts[0] == texts[1] != texts[2]


def test_a_crash_and_a_loop_without_end_are_failures_of_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def falls(seed: int, index: int, *_: object) -> Report:
        if index == 2:
            os._exit(3)
        if index == 4:
            time.sleep(60)
        return Report(1)

    monkeypatch.setattr(crew, "one", falls)
    monkeypatch.setattr(crew, "PATIENCE", 1.0)
    report = run(0, 7, [], jobs=1, shrink=0)
    assert report.graphs == 7
    assert [(f.index, f.message) for f in report.failures] == [
        (2, "the process died (3)"), (4, "takes longer than 1 s"),
    ]  # fmt: skip


def test_how_elements_are_compared() -> None:
    nan, inf = float("nan"), float("inf")
    a = np.array([1.0, nan, inf, 0.0, 2.0])
    b = np.array([1.0 + 1e-9, nan, -inf, -0.0, nan])
    assert near(a, b, 1e-8).tolist() == [True, True, False, True, False]
    assert same(a, b).tolist() == [False, True, False, False, False]
    assert moved(a, b).tolist()[1:] == [0.0, inf, inf, inf]
    shaken = Noise(np.random.default_rng(0))._shaken(np.array([1.0, nan, inf, 0.0]))
    assert 0 < abs(shaken[0] - 1) < 1e-14
    assert np.isnan(shaken[1])
    assert shaken[2] == inf


def test_the_script_prints_its_seed_counts_rules_and_fails_where_one_fires_too_rarely(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(SCRIPT),
        "--graphs",
        "4",
        "--seed",
        "9",
        "--jobs",
        "1",
        "--json",
        str(tmp_path / "j"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("seed 9\n")
    assert "FEWER THAN 100" in done.stdout
    assert "seed 9: 4 graphs, " in done.stdout
    counts = json.loads((tmp_path / "j").read_text())
    assert counts["graphs"] == 4
    assert sum(counts["rules"].values()) > 0
    again = subprocess.run(
        [*command, "--only", "3", "--plant", "5,6"], capture_output=True, text=True, timeout=300, check=False
    )
    assert "planted: " in again.stdout
    assert again.returncode in (0, 1), again.stderr
