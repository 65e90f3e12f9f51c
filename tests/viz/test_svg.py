"""Pictures: well formed, complete, inert, and the same bytes every time."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph
from graphlab.viz import dot
from graphlab.viz.record import Expression, record
from graphlab.viz.views import SHOWS, Views
from tests.viz.hostile import HOSTILE, check_dot, function, texts

ENGINES = ["linear", pytest.param("dot", marks=pytest.mark.needs_dot)]
ROOT = Path(__file__).resolve().parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "g", "path", "rect", "circle", "text", "title", "desc"}

PROGRAM = """
import sys, graphlab, graphlab.tensor as T
x = T.dmatrix("x")
w = graphlab.shared([[1.0, 2.0], [3.0, 4.0]], name="w")
y = T.exp(T.log(1 + x @ w)).sum(axis=0)
f = graphlab.function([x], [y, T.grad(y.sum(), w)])
for path in sys.argv[1:]:
    f.report(path, args=[[[0.5, 0.25]]])
"""


def cards(tree: ET.Element) -> Iterator[ET.Element]:
    return (g for g in tree.iter(f"{SVG}g") if g.get("data-nodes"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("show", SHOWS)
def test_every_node_is_drawn_with_a_title_and_a_label(engine, show, training: graphlab.Function) -> None:
    trace = record(training)
    tree = ET.fromstring(Views(trace, engine).document(show))
    drawn = {name for g in cards(tree) for name in str(g.get("data-nodes")).split()}
    graphs = ("before", "after") if show in ("difference", "side-by-side") else (show,)
    assert drawn == {name for graph in graphs for name in trace["graphs"][graph]["nodes"]}
    for g in cards(tree):
        assert g.findtext(f"{SVG}title") == g.get("aria-label")
        assert g.get("tabindex") == "0"
    assert tree.get("role") == "graphics-document document"
    assert f"layout: {engine}" in "".join(tree.itertext())


def test_a_standalone_picture_has_no_script_and_asks_for_nothing(training: graphlab.Function) -> None:
    text = Views(record(training)).document()
    assert "<script" not in text
    assert not re.search(r"(href|src|url\()\s*=?\s*[\"']?(?!data:)(http|//|file)", text)
    assert not re.search(r"\son\w+=", text)


def test_the_difference_marks_what_went_and_what_came() -> None:
    x = T.dvector("x")
    trace = record(graphlab.function([x], T.exp(T.log(1 + x))))
    tree = ET.fromstring(Views(trace).document("difference"))
    marks = {}
    for g in cards(tree):
        words = "".join(g.itertext())
        marks[str(g.get("aria-label")).split(",")[0]] = ("−" in words, "+" in words, str(g.get("class")))
    assert "gl-removed" in marks["log"][2]
    assert marks["log"][0]
    assert "gl-added" in marks["log1p"][2]
    assert marks["log1p"][1]
    assert "gl-same" in marks["x"][2]


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_names_change_nothing_but_the_text(engine) -> None:
    def elements(names: list[str]) -> int:
        xs = [T.dvector(name) for name in names]
        total = sum(xs[1:], xs[0])
        total.name = names[0]
        f = graphlab.function(xs, total, name=names[0])
        tree = ET.fromstring(Views(record(f), engine).document())
        assert not list(tree.iter(f"{SVG}script"))
        assert not list(tree.iter(f"{SVG}img"))
        return sum(1 for _ in tree.iter())

    assert elements(HOSTILE) == elements([f"v{k}" for k in range(len(HOSTILE))])


@pytest.mark.needs_dot
def test_hostile_texts_leave_dot_valid(tmp_path) -> None:
    check_dot(function(texts(40)), tmp_path)  # the first is a scope that looks like HTML, which dot would take for that


@pytest.mark.parametrize("path", ["/usr/bin:/bin", os.devnull], ids=["dot", "linear"])
def test_two_processes_write_the_same_bytes(path, tmp_path) -> None:
    names = ["x.svg", "x.html", "x.json", "x.dot"]
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "program.py").write_text(PROGRAM)
        files = [str(folder / name) for name in names]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "GRAPHLAB_CACHE_DIR": str(folder / "cache")}
        environment["PYTHONPATH"] = str(ROOT)
        if path == os.devnull:  # no dot; and no compiler either, so NumPy runs it
            environment["PATH"] = path
        subprocess.run(
            [sys.executable, "-W", "ignore", folder / "program.py", *files],
            env=environment,
            check=True,
            cwd=folder,
        )
        written.append([(folder / name).read_bytes() for name in names])
    assert written[0] == written[1]
    if path == os.devnull:
        assert b"layout: linear (Graphviz&#39;s dot was not found)" in written[0][0]


MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
TEXTS = st.lists(st.text(st.characters(exclude_categories=()), max_size=12), min_size=100, max_size=100)


def named(names: list[str]) -> Views:
    """The views of an expression of inputs with these names."""
    xs = [T.dvector(name or None) for name in names]
    return Views(record(Expression(Graph(tuple(xs), (T.stack(xs),)), "hostile")), "linear")


@settings(MANY, max_examples=100)
@given(TEXTS)
def test_ten_thousand_texts_as_names_change_no_picture_but_in_its_text(names: list[str]) -> None:
    views = named(names)
    tree = ET.fromstring(views.picture("before"))
    assert sum(1 for _ in cards(tree)) == len(views.trace["graphs"]["before"]["nodes"]) > len(names)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= ELEMENTS
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]


@pytest.mark.needs_dot
@settings(MANY, max_examples=4)
@given(TEXTS)
def test_dot_reads_as_many_nodes_whatever_their_names(names: list[str]) -> None:
    drawn, _ = named(names).placed("before")
    plain = dot.run(dot.digraph(drawn, labels=True).source, "plain", 60.0)
    lines = [line.split(b" ", 1)[0] for line in plain.splitlines()]
    assert (lines.count(b"node"), lines.count(b"edge")) == (len(drawn.cards), len(drawn.links))
