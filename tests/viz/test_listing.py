"""Code as HTML: every line once, linked to its nodes, inert."""

import re
import shutil

import pytest

import graphlab
from graphlab.viz import listing
from graphlab.viz.answers import Answers
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


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not here")
def test_each_instruction_knows_its_line_of_c_and_its_nodes(cubic: graphlab.Function) -> None:
    answers, (kernel,) = Answers(cubic), cubic.kernels
    found = answers.ask("assembly", kernel.name)
    items = re.findall(
        r'<li data-line="\d*" data-c="(\d+)"(?: data-nodes="([^"]*)")? [^>]*><code>(.*?)</code>', found["html"]
    )
    assert found["showing"] == f"showing {len(items)} of {len(items)} instructions"
    assert [int(line) for line, _, _ in items] == [one.line.number for one in kernel.assembly]
    assert [nodes.split() for _, nodes, _ in items] == [
        answers.recorder.names(one.line.nodes) for one in kernel.assembly
    ]
    assert any(nodes for _, nodes, _ in items)
    assert {number for number, _, _ in found["remarks"]} == {remark.line.number for remark in kernel.remarks}
    with pytest.raises(ValueError, match="no kernel"):
        answers.ask("assembly", "kernel_99")


def test_the_notebook_says_how_the_c_came_about(cubic: graphlab.Function) -> None:
    built = cubic.trace.build
    assert built is not None
    text = Answers(cubic).ask("build", "how")["text"]
    assert ("taken from the cache" in text) == built.cached
    assert "/" not in text
