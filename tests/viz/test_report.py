"""Reports: what their ending says, holding only what was asked for."""

import json
import re
from typing import Any

import numpy as np
import pytest

import graphlab
from graphlab.errors import GraphValueError


def test_the_ending_chooses_the_format(cubic: graphlab.Function, tmp_path) -> None:
    starts = {".svg": "<svg", ".html": "<!doctype html>", ".json": "{", ".dot": "digraph"}
    for suffix, start in starts.items():
        assert cubic.report(tmp_path / f"f{suffix}").read_text().startswith(start)


def test_an_unknown_ending_or_view_is_an_error_that_names_the_choices(cubic: graphlab.Function, tmp_path) -> None:
    with pytest.raises(GraphValueError, match=r"f\.pdf.*\n.*\n?.*\.svg, \.html"):
        cubic.report(tmp_path / "f.pdf")
    with pytest.raises(GraphValueError, match="side-by-side"):
        cubic.report(tmp_path / "f.svg", show="sideways")
    assert list(tmp_path.iterdir()) == []


def test_values_are_in_it_only_when_asked_for(cubic: graphlab.Function, tmp_path) -> None:
    secret = 0.7310585786300049
    plain = cubic.report(tmp_path / "a.html").read_text()
    valued = cubic.report(tmp_path / "b.html", args=[[secret]]).read_text()
    assert str(secret) not in plain
    assert str(secret) in valued
    assert "it holds no values" in plain
    assert "it holds the values of one run" in valued


def test_arguments_may_be_given_by_name(cubic: graphlab.Function, tmp_path) -> None:
    by_name = cubic.report(tmp_path / "a.json", args={"x": [1.0, 2.0]}).read_text()
    assert json.loads(by_name)["values"]
    assert by_name == cubic.report(tmp_path / "b.json", args=[[1.0, 2.0]]).read_text()


def test_the_page_allows_nothing_but_its_own_script_and_style(
    training: graphlab.Function, batch: list[Any], tmp_path
) -> None:
    text = training.report(tmp_path / "t.html", args=batch).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text)


def test_a_report_does_not_change_shared_variables(training: graphlab.Function, batch: list[Any], tmp_path) -> None:
    before = [v.get_value() for v in training.updated]
    training.report(tmp_path / "t.html", args=batch)
    for old, shared in zip(before, training.updated, strict=True):
        assert np.array_equal(old, shared.get_value())
