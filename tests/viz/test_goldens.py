"""Pictures as they are: to accept new ones, GRAPHLAB_UPDATE_GOLDENS=1 pytest tests/viz/test_goldens.py, then look."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import graphlab
import graphlab.tensor as T
from graphlab.viz import dot
from graphlab.viz.record import Recorder
from graphlab.viz.views import Views

GOLDENS = Path(__file__).parent / "goldens"


def softplus() -> graphlab.Function:
    x = T.dvector("x")
    return graphlab.function([x], T.exp(T.log(1 + x)) * 2, name="softplus")


def scoped() -> graphlab.Function:
    x, w = T.fmatrix("x"), T.fmatrix("w")
    with graphlab.name_scope("layer"):
        y = T.tanh(x @ w)
    with graphlab.name_scope("loss"):
        cost = (y**2).sum()
    return graphlab.function([x, w], [cost, T.grad(cost, w)], name="scoped")


def looping() -> graphlab.Function:
    x, h = T.dvector("x"), T.dscalar("h")
    states, _ = graphlab.scan(lambda e, s: T.tanh(e) + s, sequences=x, outputs_info=h)
    return graphlab.function([x, h], graphlab.ifelse(h > 0, states[-1], h), name="looping")


CASES = [
    (softplus, "before", ""), (softplus, "difference", ""), (softplus, "step-1", ""), (softplus, "side-by-side", ""),
    (scoped, "after", ""), (scoped, "difference", ""), (scoped, "before", "scope_0"),
    (looping, "before", ""), (looping, "before", "opened"),
]  # fmt: skip


def compare(name: str, text: str) -> None:
    path = GOLDENS / name
    if os.environ.get("GRAPHLAB_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def views(make: Callable[[], graphlab.Function]) -> Views:
    recorder = Recorder(make())
    return Views(recorder.trace(None, False), "linear", moments=recorder.moment)


@pytest.mark.parametrize(("make", "show", "toggles"), CASES, ids=lambda v: getattr(v, "__name__", v) or "plain")
def test_the_picture_is_the_golden_one(make: Callable[[], graphlab.Function], show: str, toggles: str) -> None:
    drawn = views(make)
    if toggles == "opened":
        toggles = ",".join(card.key for card in drawn.placed(show)[0].cards if card.opens)
        compare(f"{make.__name__}-{show}-opened.svg", drawn.picture(f"{show}:{toggles}") + "\n")
    elif toggles:
        compare(f"{make.__name__}-{show}-{toggles}.svg", drawn.picture(f"{show}:{toggles}") + "\n")
    else:
        compare(f"{make.__name__}-{show}.svg", drawn.document(show))


@pytest.mark.parametrize("make", [scoped, looping])
def test_the_dot_is_the_golden_one(make: Callable[[], graphlab.Function]) -> None:
    compare(f"{make.__name__}.dot", dot.digraph(views(make).placed("difference")[0], labels=True).source)
