"""Profiles as a page shows them: every step that computes is a point under the machine's roofs."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

import graphlab
from graphlab.viz.answers import Answers


def test_the_call_of_a_session_is_profiled_when_somebody_asks(training: graphlab.Function, batch: list[Any]) -> None:
    answers = Answers(training, training.debug(*batch))
    weights = [v.get_value() for v in training.updated]
    found = answers.ask("profile", "now@1")
    assert len(found["cells"]) == len(found["details"]) + 1 == len(training.lowered.program.steps) + 1
    assert found["shares"] == sorted(found["shares"], reverse=True)
    for before, shared in zip(weights, training.updated, strict=True):
        assert (before == shared.get_value()).all()
    with pytest.raises(ValueError, match="no call"):
        Answers(training).ask("profile", "now@1")


def test_every_step_that_computes_is_a_labelled_point_that_leads_to_its_nodes(
    training: graphlab.Function, batch: list[Any]
) -> None:
    answers = Answers(training, training.debug(*batch))
    found = answers.ask("profile", "now@1")
    ET.fromstring(found["roofline"])
    computing = {row["step"] for row in found["rows"] if row["flops"] and row["read"] + row["written"]}
    points = re.findall(r'data-nodes="([^"]*)" data-step="(\d+)"[^>]*aria-label="[^"]*(step \d+),', found["roofline"])
    assert {int(step) for _, step, _ in points} == computing
    assert all(label == f"step {step}" for _, step, label in points)
    known = {node["id"] for node in answers.trace["nodes"]}
    assert all(ids and set(ids.split()) <= known for ids, _, _ in points)
    assert f"showing {len(computing)} of {len(found['rows'])} steps" in found["roofline"]
    assert "estimated" in found["roofline"]


def test_before_any_call_kernels_have_estimates_that_say_so(training: graphlab.Function) -> None:
    for told, kernel in zip(Answers(training).trace["kernels"], training.kernels, strict=True):
        flops, read, written, *_, how = told["estimate"]
        cost = kernel.cost
        assert [int(text.replace(",", "")) for text in (flops, read, written)] == [cost.flops, cost.read, cost.written]
        assert ("1000" in how) == cost.estimated
