"""Code as HTML: every line once, linked to its nodes, inert."""

import re

import graphlab
from graphlab.viz import listing
from graphlab.viz.record import record


def test_each_line_of_c_is_an_item_with_its_nodes(cubic: graphlab.Function) -> None:
    trace = record(cubic)
    items = re.findall(r'<li data-line="(\d+)"(?: data-nodes="([^"]+)")?', listing.c(trace))
    assert [int(number) for number, _ in items] == list(range(1, len(trace["code"]["text"].split("\n")) + 1))
    for number, nodes in items:
        assert [nodes.split()] == (trace["code"]["lines"][int(number) - 1 :][:1] or [[]])
    assert any(nodes for _, nodes in items)


def test_the_users_lines_know_their_nodes(cubic: graphlab.Function) -> None:
    trace = record(cubic)
    add = next(n["id"] for n in trace["nodes"] if n["op"] == "add")
    (line,) = re.findall(rf'<li data-line="([^"]+)" data-nodes="[^"]*\b{add}\b[^"]*"', listing.python(trace))
    assert line.startswith("conftest.py:")


def test_source_text_is_inert() -> None:
    trace = {
        "sources": [{"label": '"><b>', "text": 'x = "</script>" # <img>\r\n'}],
        "nodes": [{"id": "n0", "origins": [0]}],
    }
    html = listing.python(trace)
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert html.count("<li") == 1
