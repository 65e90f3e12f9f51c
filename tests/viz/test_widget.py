"""The widget without a browser: what it holds, what it answers, and what it refuses."""

import asyncio
import base64
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz.answers import Answers
from graphlab.viz.widget import Explorer, explore


@pytest.fixture
def loop() -> graphlab.Function:
    """A dozen steps, of which the last one makes a NaN."""
    x = T.dvector("x")
    y = reduce(lambda y, _: T.sort(-y), range(10), x)
    return graphlab.function([x], T.log(-y.sum()), name="many")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What explorers send to the page."""
    messages: list[Any] = []
    monkeypatch.setattr(Explorer, "send", lambda self, message: messages.append(message))
    return messages


def test_it_steps_forward_and_back_within_bounds(cubic: graphlab.Function) -> None:
    widget = explore(cubic, cubic.debug([1.0, 2.0]), "step")
    for to, position in ((1, 1), (99, 1), (0, 0), (-5, 0)):
        widget._received(widget, {"kind": "step", "to": to}, [])
        assert (widget.step, widget.error) == (position, "")


def test_it_answers_with_the_value_that_numpy_gives(cubic: graphlab.Function, sent: list[Any]) -> None:
    x = np.array([1.5, -0.25])
    widget = explore(cubic, cubic.debug(x), "step")
    ask = {"kind": "ask", "what": "value", "key": f"{widget.trace['graphs']['after']['outputs'][0][0]}@0"}
    widget._received(widget, ask, [])
    assert sent[-1]["data"] == {"waiting": "Step 0 computes it."}
    widget._received(widget, {"kind": "step", "to": 1}, [])
    widget._received(widget, ask, [])
    (value,) = sent[-1]["data"]["outputs"]
    np.testing.assert_allclose(np.array(value["elements"][0], float), 2 * x + x**3, rtol=1e-15)


@pytest.mark.parametrize(
    "message",
    [
        None, [], {}, {"kind": "?"}, {"kind": "x" * 100_000},
        {"kind": "step"}, {"kind": "step", "to": True}, {"kind": "step", "to": "1"},
        {"kind": "ask"}, {"kind": "ask", "what": "value", "key": "n999@0"},
        {"kind": "ask", "what": "value", "key": 3}, {"kind": "ask", "what": ["value"], "key": {}},
        {"kind": "ask", "what": "picture", "key": "../../etc/passwd"},
        {"kind": "ask", "what": "picture", "key": "rewrite-999999999-before"},
    ],
)  # fmt: skip
def test_a_malformed_message_is_shown_and_breaks_nothing(
    message: Any, cubic: graphlab.Function, sent: list[Any]
) -> None:
    widget = explore(cubic, cubic.debug([1.0]))
    widget._received(widget, message, [])
    assert 0 < len(widget.error) <= 200
    assert all(one["data"] == {"absent": widget.error, "waiting": widget.error} for one in sent)
    widget._received(widget, {"kind": "step", "to": 1}, [])
    assert (widget.step, widget.error) == (1, "")


def test_it_follows_a_session_that_moves_in_python(loop: graphlab.Function) -> None:
    with ThreadPoolExecutor(1) as pool:  # in this thread the event loop of a browser may run
        pool.submit(follow, loop).result()


def follow(loop: graphlab.Function) -> None:
    session = loop.debug([1.0, 2.0, 3.0])
    widget, other = explore(loop, session, "step"), explore(loop, session, "step")
    steps = len(session.steps)
    seen = list[int]()
    widget.observe(lambda change: seen.append(change["new"]["path"][0]["position"]), "session")

    async def cell() -> None:
        for _ in range(steps):
            session.step()

    asyncio.run(cell())  # as a notebook runs it: the first move is seen at once, the last one when the cell is over
    assert seen[-1] == widget.step == other.step == steps
    assert len(seen) < steps
    session.origin()  # a question moves the session and back again: nobody sees that
    assert seen[-1] == steps
    assert len(seen) < steps
    session.restart().goto(2)  # as in plain Python
    assert (widget.step, other.step) == (2, 2)
    session.watch("x.max()")
    assert [one["now"] for one in widget.session["watches"]] == ["3."]
    with pytest.raises(IndexError):
        session.goto(99)
    widget._received(widget, {"kind": "step", "to": 1}, [])  # one page moves it, the other follows
    assert (widget.step, other.step) == (1, 1)
    other.close()
    session.step()
    assert (widget.step, other.step) == (2, 1)


def test_an_unknown_view_is_refused(cubic: graphlab.Function) -> None:
    with pytest.raises(ValueError, match="rewrites, graph, inspect"):
        explore(cubic, view="picture")


def test_values_are_sent_only_when_asked_for(cubic: graphlab.Function) -> None:
    assert Answers(cubic, cubic.debug([1.0]).finish()).trace["values"] == {}


def test_its_mime_bundle_survives_without_trust_or_kernel(cubic: graphlab.Function) -> None:
    data, _ = explore(cubic)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(cubic)
    image = data["text/html"]
    assert image.startswith("<img ")
    assert base64.b64decode(image.partition("base64,")[2].partition('"')[0]).startswith(b"<svg")


def test_reveal_leads_to_a_node_wherever_it_is_hidden() -> None:
    x = T.dvector("x")
    with graphlab.name_scope("part"):
        y = T.exp(x)
    loop, _ = graphlab.scan(lambda e, s: T.tanh(e) + s, sequences=y, outputs_info=x[0])
    answers = Answers(graphlab.function([x], loop))
    for op in ("exp", "tanh"):
        found = next(n["id"] for n in answers.trace["nodes"] if n["op"] == op)
        for view in ("before", "step-0"):
            folds = answers.ask("reveal", f"{view}:scope_0@{found}")["folds"]
            assert f'data-nodes="{found}"' in answers.ask("picture", f"{view}:{folds}" if folds else view)["svg"]
    for wrong in ("before@n999", "picture@n0", "@", ""):
        with pytest.raises(ValueError, match=r"no (node|view)"):
            answers.ask("reveal", wrong)


def test_of_a_closed_widget_nothing_stays(cubic: graphlab.Function) -> None:
    widget = explore(cubic)
    layout = weakref.ref(widget.layout)  # a widget too, which ipywidgets keeps until it is closed
    widget.close()
    del widget
    gc.collect()
    assert layout() is None
