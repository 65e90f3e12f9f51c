"""What a page may do to a session and ask of it, without a browser: moves, stops, watches, insides and questions."""

import json
import re
import sys
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.debug.session import Session
from graphlab.debug.shadow import shadow
from graphlab.viz import acts
from graphlab.viz.answers import Answers
from graphlab.viz.record import Recorder
from graphlab.viz.report import traced
from graphlab.viz.stepping import ROWS
from graphlab.viz.widget import explore

DATA = np.array([[1.0, 0.5], [1.0, 0.1], [2.0, 0.1]])


@pytest.fixture
def loop() -> Answers:
    """log(states - 1).sum() of a loop whose states overflow nothing, but fall below 1: there are NaN in it."""

    def turn(x_t: Any, state: Any) -> Any:
        grown = T.exp(state) * x_t
        grown.name = "grown"
        return grown

    seq = T.dmatrix("seq")
    states, _ = graphlab.scan(turn, seq, T.zeros(2))
    w = T.log(states - 1)
    w.name = "w"
    return Answers((f := graphlab.function([seq], w.sum(), name="loop")), f.debug(DATA))


def states() -> np.ndarray[Any, Any]:
    found, state = [], np.zeros(2)
    for row in DATA:
        state = np.exp(state) * row
        found.append(state)
    return np.array(found)


def node(answers: Answers, **facts: Any) -> str:
    """The last one: what runs stands behind what was written."""
    return next(n["id"] for n in reversed(answers.trace["nodes"]) if all(n[k] == v for k, v in facts.items()))


def path(answers: Answers) -> list[tuple[str, int, int]]:
    return [(one["title"], one["position"], one["count"]) for one in answers.state()["path"]]


def step_of(answers: Answers, kind: str) -> int:
    return next(s["index"] for s in answers.trace["steps"] if s["kind"] == kind)


def value(answers: Answers, name: str) -> Any:
    (output,) = answers.ask("value", f"{name}@{answers.state()['place']}")["outputs"]
    return np.array(output["elements"], float)


def test_a_run_stops_at_a_breakpoint_in_a_loop_and_says_why(loop: Answers) -> None:
    loop.act("break", json.dumps({"op": "exp"}))
    assert loop.state()["breakpoints"][0]["steps"] == [step_of(loop, "loop")]
    for turn in range(3):
        loop.act("run", "")
        state = loop.state()
        assert (state["stopped"], state["status"]) == ("breakpoint 0: exp", "paused")
        assert path(loop)[1][:2] == ("scan: 3 turns", turn)
        assert node(loop, op="exp") in state["next"]
        assert "grown = T.exp(state) * x_t" in state["line"][1]
    loop.act("enable", "0")
    loop.act("run", "")
    state = loop.state()
    assert (state["stopped"], state["status"], len(state["path"])) == ("the end", "finished", 1)
    assert [(b["hits"], b["enabled"]) for b in state["breakpoints"]] == [(3, False)]
    loop.act("unbreak", "0")
    assert loop.state()["breakpoints"] == []


@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ({"when": "nan"}, "log made nan at (0, 1)"), ({"op": "log", "when": "inf"}, "log made inf at (0, 0)"),
        ({"op": "subtract", "if": "abs(value).max() > 29"}, "subtract: abs(value).max() > 29"),
        ({"if": "isnan(w).any()"}, "isnan(w).any()"), ({"kernel": "kernel_1"}, "kernel_1"),
    ],
)  # fmt: skip
def test_breakpoints_ask_for_places_and_values(said: dict[str, str], stopped: str, loop: Answers) -> None:
    loop.act("break", json.dumps(said))
    loop.act("run", "")
    assert stopped in loop.state()["stopped"]
    assert loop.state()["breakpoints"][0]["hits"] == 1


def test_breakpoints_at_a_line_a_node_and_what_a_rule_made() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(1 + x).sum())
    answers = Answers(f, f.debug([0.5, 1.0]))
    made = next(n for n in answers.trace["nodes"] if n["op"] == "log1p")
    label = answers.trace["sources"][made["origins"][0]]["label"]
    for said in ({"node": made["id"]}, {"rule": made["rule"]}, {"line": label}, {"rule": made["rule"], "when": "inf"}):
        answers.act("break", json.dumps(said))
        answers.step(0)
        answers.act("run", "")
        (made_here,) = answers.state()["breakpoints"]
        assert made_here["hits"] == ("when" not in said)
        assert answers.state()["stopped"].startswith("the end" if "when" in said else "breakpoint")
        answers.act("unbreak", str(made_here["number"]))
    answers.act("break", json.dumps({"node": made["id"]}))
    assert answers.state()["breakpoints"][0]["node"] == made["id"]
    answers.act("break", json.dumps({"node": made["id"]}))  # the same again takes it away
    assert answers.state()["breakpoints"] == []


def test_a_watch_shows_its_value_at_each_stop_and_what_it_was(loop: Answers) -> None:
    loop.act("watch", "grown.max()")
    assert loop.state()["watches"][0]["now"] is None
    loop.act("enter", str(step_of(loop, "loop")))
    for turn in range(1, 4):
        loop.step(turn)
        watch = loop.state()["watches"][0]
        np.testing.assert_allclose(float(watch["now"]), states()[turn - 1].max(), rtol=1e-4)
        np.testing.assert_allclose([float(v) for _, v in watch["history"]], states().max(1)[:turn], rtol=1e-4)
    assert watch["course"] == "▁▁█"
    loop.step(1)
    assert [at for at, _ in loop.state()["watches"][0]["history"]] == ["2.1"]
    loop.act("unwatch", "0")
    assert loop.state()["watches"] == []


def test_inside_of_a_loop_its_turns_and_their_steps_have_numpys_values(loop: Answers) -> None:
    loop.act("enter", str(step_of(loop, "loop")))
    level = loop.state()["path"][-1]["level"]
    assert [row["name"] for row in loop.ask("steps", f"{level}:0")["rows"]] == ["turn 0", "turn 1", "turn 2"]
    grown, places = node(loop, name="grown"), set[str]()
    for turn in (1, 3, 2):  # back, too
        loop.step(turn)
        places.add(loop.state()["place"])
        np.testing.assert_allclose(value(loop, grown)[0], states()[turn - 1], rtol=1e-12)
    assert len(places) == 3
    loop.act("enter", "")
    assert [title for title, *_ in path(loop)][-1] == "turn 2 of 3"
    rows = loop.ask("steps", f"{loop.state()['path'][-1]['level']}:0")["rows"]
    kernel = next(row for row in rows if row["kind"] == "kernel")
    assert set(kernel["nodes"]) >= {node(loop, op="exp"), grown}
    loop.step(kernel["index"])
    loop.act("enter", "")
    loop.step(1)
    np.testing.assert_allclose(value(loop, node(loop, op="exp"))[0], np.exp(states()[1]), rtol=1e-12)
    loop.act("leave", "1")
    assert path(loop) == [("loop", step_of(loop, "loop"), 4)]
    with pytest.raises(ValueError, match="was left"):
        loop.ask("steps", f"{level}:0")


def test_many_turns_come_in_parts() -> None:
    f = graphlab.function([], graphlab.scan(lambda s: 0.5 * s + 1, outputs_info=T.zeros(()), n_steps=1000)[0][-1])
    answers = Answers(f, f.debug())
    answers.act("enter", str(step_of(answers, "loop")))
    level = answers.state()["path"][-1]["level"]
    assert answers.state()["path"][-1]["count"] == 1000
    rows = answers.ask("steps", f"{level}:900")["rows"]
    assert [row["index"] for row in rows] == list(range(900, 1000))
    assert len(answers.ask("steps", f"{level}:0")["rows"]) == ROWS
    assert len(json.dumps(answers.state())) < 4000


def test_a_run_goes_to_a_node_back_or_on_or_until_something_holds(loop: Answers) -> None:
    w = node(loop, name="w")
    loop.act("run", f"node {w}")
    assert loop.state()["stopped"] == "w is computed"
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value(loop, w), np.log(states() - 1), rtol=1e-12)
    shape = node(loop, op="shape")
    loop.act("run", f"node {shape}")
    assert path(loop) == [("loop", 1, 4)]
    loop.act("watch", "grown.max()")
    loop.act("break", json.dumps({"op": "exp"}))
    loop.act("run", "until grown.max() > 2")
    assert path(loop)[1][1] == 0  # the breakpoint is before it
    loop.act("enable", "0")
    loop.step(0)
    loop.act("run", "until isnan(w)")
    assert "isnan(w)" in loop.state()["stopped"]


def test_a_run_that_takes_long_pauses_and_says_so(loop: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "PATIENCE", 0.0)
    loop.act("run", "")
    assert path(loop) == [("loop", 1, 4)]
    assert "continue runs on" in loop.state()["stopped"]


def test_an_element_is_spelled_out_with_what_reaches_it(loop: Answers) -> None:
    loop.step(4)
    key = f"{node(loop, name='w')}.0@2,0"
    loop.act("element", key)
    assert loop.state()["element"] == key
    told = loop.ask("element", f"{key}@{loop.state()['place']}")
    expected = np.log(states()[2, 0] - 1)
    np.testing.assert_allclose(float(told["value"]), expected, rtol=1e-12)
    assert any(f"{states()[2, 0]:.6g} - 1 = {states()[2, 0] - 1:.6g}" in line for line in told["lines"])
    assert told["reach"] == [{"node": node(loop, name="seq"), "text": "all of seq"}]
    with pytest.raises(ValueError, match="no element"):
        loop.ask("element", f"{node(loop, name='w')}.0@3,0@x")
    loop.act("element", "")
    assert loop.state()["element"] == ""


def test_the_origin_of_a_nan_names_node_operands_element_and_line(loop: Answers) -> None:
    for key in ("@0", f"{node(loop, op='sum')}@0", f"{node(loop, name='seq')}@0"):
        told = loop.ask("origin", key)
        assert bool(told["note"]) == (node(loop, name="seq") in key)
        (one,) = told["told"]
        assert (one["node"], one["element"], one["step"]) == (node(loop, name="w"), [0, 1], 3)
        assert one["formula"] == "log(-0.5) = nan"
        assert "w = T.log(states - 1)" in one["lines"][0][1]
        assert one["operands"][0]["node"] == node(loop, op="subtract")
    assert path(loop) == [("loop", 0, 4)]  # the question leaves the session where it stood


def test_lost_digits_and_the_rewrite_at_fault_are_told() -> None:
    wrong = graphlab.Rule("sin(x) -> tan(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.tan(x))
    x = T.fvector("x")
    f = graphlab.function([x], T.sin(x) + (1 - T.cos(x / 1000)), mode=graphlab.mode("fast_run").including(wrong))
    answers = Answers(f, f.debug(np.array([0.3, 0.7], np.float32)))
    rows = answers.ask("digits", "0")["rows"]
    growth = [float(row["growth"]) for row in rows]
    assert growth[0] == max(growth) > 1e4
    assert "T.cos(x / 1000)" in rows[0]["lines"][0][1]
    told = answers.ask("bisect", "0")
    assert told["found"]
    assert "sin(x) -> tan(x)" in told["text"]
    assert answers.trace["rewrites"][told["rewrite"]]["rule"] == "sin(x) -> tan(x)"


def test_the_run_in_a_wider_format_is_made_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counted(session: Any) -> Any:
        made.append(session)
        return shadow(session)

    monkeypatch.setattr(sys.modules[Session.__module__], "shadow", counted)
    x = T.fvector("x")
    f = graphlab.function([x], 1 - T.cos(x))
    session = f.debug(np.array([1e-3, 2.0], np.float32))
    first, second = Answers(f, session), Answers(f, session)
    one = first.ask("digits", "0")
    first.step(1)
    assert one == second.ask("digits", "0") == first.ask("digits", "1")
    assert session.shadow() is session.shadow()
    assert len(made) == 1
    session.restart(np.array([1.5, 2.0], np.float32))
    assert first.ask("digits", "2")["rows"][0]["value"] != one["rows"][0]["value"]
    assert len(made) == 2


def test_where_runs_part_names_the_turn_the_line_and_what_was_given(loop: Answers) -> None:
    told = loop.ask("compare", json.dumps(["0", "", "where(seq == 2, 2.5, seq)"]))
    (one,) = told["told"]
    assert (one["title"], one["node"], one["step"]) == ("The runs part at grown", node(loop, name="grown"), 2)
    assert one["facts"].startswith("turn 2 of scan, step 2, ")
    assert "grown = T.exp(state) * x_t" in one["lines"][0][1]
    last = np.exp(states()[1, 0])
    here, there = (float(text.split()[-1]) for text in re.split(" here| there", one["formula"])[:2])
    np.testing.assert_allclose([here, there], [2 * last, 2.5 * last], rtol=1e-12)
    assert [o["node"] for o in one["operands"]] == [node(loop, name="seq")]
    same = loop.ask("compare", json.dumps(["0", "0.5", "where(seq == 2, 2.5, seq)"]))
    assert same == {"note": "The runs do not part: no value that is computed differs by more than 0.5 of the largest"
                    " value.", "told": [], "given": []}  # fmt: skip
    assert path(loop) == [("loop", 0, 4)]


def test_runs_on_other_arguments_have_the_same_shared_values() -> None:
    x, w = T.fvector("x"), graphlab.shared(np.array([1.0, 2.0], np.float32), "w")
    f = graphlab.function([x], T.exp(x) * w, updates=[(w, w * 2)])
    session = f.debug(np.array([0.5, 0.25], np.float32))
    f(np.array([0.5, 0.25], np.float32))  # which changes w
    assert session.compare(np.array([0.5, 0.25], np.float32)).node is None
    told = Answers(f, session).ask("compare", json.dumps(["0", "", "x * 1.5"]))["told"]
    assert told[0]["operands"][0]["text"].startswith("x: 0.5 here and 0.75 there at [0]")


def test_a_report_holds_the_origins_of_what_is_not_finite(loop: Answers) -> None:
    def trace_of(data: Any) -> Any:
        return traced(loop.function, Recorder(loop.function), [data], ("values",), pages=True)[0]

    trace = trace_of(DATA)
    output = trace["graphs"]["after"]["outputs"][0][0]
    assert trace["origins"][output] == trace["origins"][""] == loop.ask("origin", "@0")
    assert "origins" not in trace_of([[2.0, 2.0], [1.0, 1.0]])


def test_findings_and_a_failing_step_are_shown() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    f = graphlab.function([x, i], T.exp(x[i]))
    widget = explore(f, f.debug([1.0, 2.0], 5), "step")
    widget._received(widget, {"kind": "act", "what": "run", "key": ""}, [])
    assert widget.session["status"] == "error"
    assert widget.session["failed"] == widget.error != ""
    widget._received(widget, {"kind": "step", "to": 0}, [])
    assert (widget.session["status"], widget.error) == ("idle", "")
    widget.answers.session._levels[0].findings.append("it differs")  # type: ignore[union-attr]
    assert widget.answers.state()["findings"] == ["it differs"]


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("run", "node n999"), ("run", "until nosuch > 1"), ("run", "until __import__('os')"), ("run", "away"),
        ("enter", "99"), ("enter", "-1"), ("enter", "x"), ("leave", ""), ("leave", "7"), ("goto", "²"),
        ("goto", "9" * 50),
        ("break", ""), ("break", "[" * 900), ("break", '{"op": 3}'), ("break", '{"op": "no such"}'), ("break", "{}"),
        ("break", '{"op": "exp", "node": "n1"}'), ("break", '{"if": "().__class__"}'), ("break", '{"rule": "none"}'),
        ("break", '{"node": "n0"}'), ("break", '{"kernel": "kernel_99"}'), ("break", '{"when": "never"}'),
        ("watch", ""), ("watch", "nosuch"), ("watch", "x" * 5000), ("unwatch", "0"), ("unbreak", "0"), ("enable", "3"),
        ("element", "n0"), ("element", "n0.0@9,9"), ("element", "n0.7@0"), ("element", "../../etc"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said_and_changes_nothing(what: str, key: str, loop: Answers) -> None:
    widget = explore(loop.function, loop.session, "step")
    before = {k: v for k, v in widget.session.items() if k not in ("acts", "failed", "status")}
    widget._received(widget, {"kind": "act", "what": what, "key": key}, [])
    assert 0 < len(widget.error) <= 200
    after = dict(widget.session)
    assert {k: after[k] for k in before} == before
    widget._received(widget, {"kind": "step", "to": 1}, [])
    assert (widget.step, widget.error, widget.session["status"]) == (1, "", "paused")


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("steps", ""), ("steps", "9:0"), ("steps", "0:-5"), ("steps", "0:x"), ("element", "n0@1"), ("element", ""),
        ("origin", "n999@0"), ("element", "n0.0@" + "1," * 100),
        ("compare", ""), ("compare", "[" * 900), ("compare", '["0", "0"]'), ("compare", '["0", "0", 3]'),
        ("compare", '["0", "-1", ""]'), ("compare", '["0", "nan", ""]'), ("compare", '["0", "x", ""]'),
        ("compare", '["0", "0", "nosuch"]'), ("compare", '["0", "0", "().__class__"]'),
        ("compare", '["0", "0", "seq[0]"]'), ("compare", '["0", "0", "seq + 1j"]'),
    ],
)  # fmt: skip
def test_malformed_questions_are_refused(what: str, key: str, loop: Answers) -> None:
    with pytest.raises((ValueError, TypeError), match=r"\w"):
        loop.ask(what, key)


def test_without_a_session_there_is_nothing_to_do(cubic: graphlab.Function) -> None:
    answers = Answers(cubic)
    assert answers.state() == {}
    for what in acts.ACTS:
        with pytest.raises(ValueError, match="no run"):
            answers.act(what, "")
