"""The trace says where a result that is not finite became so: operation, element, line, and what it was made of."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz.answers import Answers
from graphlab.viz.record import record


@pytest.fixture
def surprise() -> graphlab.Function:
    """The surprise at y when a model is sure of `spread`, which may be 0; and a step that learns u."""
    x, y = T.dmatrix("x"), T.dvector("y")
    u = graphlab.shared(np.array([1.0, 1.0]), "u")
    spread = T.nnet.relu(x @ u)
    spread.name = "spread"
    loss = (T.log(spread) + (y / spread) ** 2).mean()
    loss.name = "loss"
    return graphlab.function([x, y], loss, updates={u: u - 0.1 * T.grad(loss, u)}, name="surprise")


SURE = ([[1.0, 2.0], [1.0, 1.0], [2.0, -3.0]], [1.0, 2.0, 3.0])


def troubles(f: graphlab.Function, *args: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    trace = record(f, f.debug(*args).finish())
    assert json.loads(json.dumps(trace, allow_nan=False)) == trace
    return trace, trace["troubles"]


def texts(trace: dict[str, Any], told: dict[str, Any]) -> list[str]:
    return [trace["sources"][k]["text"] for k in told["lines"]]


def test_a_nan_is_followed_to_the_line_that_made_its_operand(surprise: graphlab.Function) -> None:
    trace, (nan, infinity) = troubles(surprise, *SURE)
    nodes = {n["id"]: n for n in trace["nodes"]}
    assert nan["title"] == "The first NaN on the way to loss arose here:"
    assert (nan["op"], nan["element"], nan["formula"]) == ("add", [2], "add(-inf, inf) = nan")
    assert infinity["title"] == "out of an infinity, which arose here:"
    assert (infinity["op"], infinity["element"]) == ("true_divide", [2])
    assert "element [2] of float64[3]" in infinity["facts"]
    for told in (nan, infinity):
        assert texts(trace, told) == ["loss = (T.log(spread) + (y / spread) ** 2).mean()"]
        assert nodes[told["node"]]["op"] == told["op"]
    assert {o["text"] for o in nan["operands"]} == {"-inf is log(spread)[2]", "inf is square(y/maximum(0, x @ u))[2]"}
    assert trace["function"]["expression"].startswith("mean(log(")
    zero = next(o for o in infinity["operands"] if o["text"] == "0 is spread[2]")
    assert texts(trace, zero) == ["spread = T.nnet.relu(x @ u)"]
    assert nodes[zero["node"]]["name"] == "spread"


def test_finite_results_are_no_trouble_and_steps_that_are_left_neither(surprise: graphlab.Function) -> None:
    assert troubles(surprise, [[1.0, 2.0]], [1.0])[1] == []
    assert record(surprise, surprise.debug(*SURE))["troubles"] == record(surprise)["troubles"] == []


def test_a_nan_of_the_gradient_alone_is_found_in_the_new_value() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.zeros(2), "w")
    length = T.sqrt((x * w).sum())
    f = graphlab.function([x], length, updates={w: w - T.grad(length, w)})
    trace, (nan, *causes) = troubles(f, [0.0, 1.0])
    assert nan["title"] == "The first NaN on the way to the new w arose here:"
    assert "in the gradient of multiply" in nan["facts"]
    assert "in the gradient of sqrt" in causes[-1]["facts"]
    assert texts(trace, causes[-1]) == ["length = T.sqrt((x * w).sum())"]


def test_a_nan_that_was_given_names_the_input() -> None:
    x = T.dmatrix("x")
    _, (nan,) = troubles(graphlab.function([x], T.exp(x).sum()), [[1.0, 2.0], [np.nan, 0.0]])
    assert (nan["formula"], nan["op"]) == ("x[1, 0] = nan", None)
    assert nan["facts"].endswith("it was given")
    assert nan["node"] is not None


def test_inside_of_a_loop_the_turn_is_told_and_the_loop_or_what_is_in_it_shown() -> None:
    rows = T.dmatrix("rows")
    total, _ = graphlab.scan(lambda row, t: t + T.log(row), [rows], [T.zeros((2,))])
    trace, (nan,) = troubles(graphlab.function([rows], total[-1]), [[1.0, 2.0], [5.0, -6.0]])
    assert nan["formula"] == "log(-6) = nan"
    assert "turn 1 of scan" in nan["facts"]
    assert nan["node"] in {n["id"] for n in trace["nodes"]}


def test_a_program_for_other_shapes_tells_its_trouble_too() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    ratio = (x / y).sum()
    f = graphlab.function([x, y], [ratio, T.grad(ratio, y)])
    _, (nan, *_) = troubles(f, [0.0, 1.0], [0.0])
    assert nan["formula"] == "true_divide(0, 0) = nan"


def test_a_notebook_hears_of_it_when_the_run_is_over(surprise: graphlab.Function) -> None:
    answers = Answers(surprise, surprise.debug(*SURE))
    assert answers.trace["troubles"] == answers.ask("troubles", "")["troubles"] == []
    answers.step(len(answers.trace["steps"]))
    told = answers.ask("troubles", "")
    assert [t["kind"] for t in told["troubles"]] == ["nan", "inf"]
    assert texts(told, told["troubles"][0]) == ["loss = (T.log(spread) + (y / spread) ** 2).mean()"]
