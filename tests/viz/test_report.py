"""Reports: what their ending says, holding only what was asked for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
from graphlab.errors import GraphValueError


def test_the_ending_chooses_the_format(cubic: graphlab.Function, tmp_path) -> None:
    starts = {".svg": "<svg", ".html": "<!doctype html>", ".json": "{", ".dot": "digraph"}
    for suffix, start in starts.items():
        assert cubic.report(tmp_path / f"f{suffix}").read_text().startswith(start)


@pytest.mark.needs_dot
@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_dot_draws_the_same_picture_every_time(suffix, start, training: graphlab.Function, tmp_path) -> None:
    for show in ("before", "after", "difference", "side-by-side", 3):
        one, other = (training.report(tmp_path / f"{k}{suffix}", show=show).read_bytes() for k in "ab")
        assert one.startswith(start)
        assert one == other


def test_without_dot_a_png_is_an_error_that_says_what_to_do(monkeypatch, cubic: graphlab.Function, tmp_path) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(GraphValueError, match=r"dot was not found.*\n.*\n?.*apt-get install graphviz"):
        cubic.report(tmp_path / "f.png")
    assert list(tmp_path.iterdir()) == []


def test_a_number_shows_the_graph_after_so_many_rewrites(training: graphlab.Function, tmp_path) -> None:
    count = len(training.trace.rewrites)
    pictures = {training.report(tmp_path / "f.svg", show=k).read_text() for k in range(count + 1)}
    assert len(pictures) == count + 1
    for wrong in (count + 1, -1, True):
        with pytest.raises(GraphValueError, match="a number of rewrites up to"):
            training.report(tmp_path / "f.svg", show=wrong)


def test_an_unknown_ending_or_view_is_an_error_that_names_the_choices(cubic: graphlab.Function, tmp_path) -> None:
    with pytest.raises(GraphValueError, match=r"f\.gif.*\n.*\n?.*\.svg, \.html"):
        cubic.report(tmp_path / "f.gif")
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


CANARY_SCRIPT = """\
import os, graphlab, graphlab.tensor as T, numpy as np
secret = float(os.environ["CANARY_NUMBER"])
x = T.dvector("x")
table = T.constant(np.full(40, secret), name="table")
w = graphlab.shared(np.full(3, secret), name="w")
with graphlab.name_scope("layer"):
    y = (x * w).sum() + table[:20] @ table[20:]
step = graphlab.function([x], y, updates=[(w, w - 0.5 * T.grad(y.sum(), w))], name="step")
for suffix in ("svg", "html", "json", "dot"):
    step.report(f"plain.{suffix}")
    step.report(f"only.{suffix}", args=[[1.0, 2.0, 3.0]], include=("graph", "rewrites", "code"))
step.report("asked.json", args=[[1.0, 2.0, 3.0]])
"""


def test_a_canary_gets_out_only_when_values_were_asked_for(tmp_path) -> None:
    word, number = "canaryhome", "0.7264539172"
    folder = tmp_path / word / "project"
    folder.mkdir(parents=True)
    script = folder / "model.py"
    script.write_text(CANARY_SCRIPT)
    paths = os.pathsep.join(map(str, (Path(graphlab.__file__).parents[1], *sys.path)))
    environment = {**os.environ, "HOME": str(tmp_path / word), "USER": word, "LOGNAME": word, "HOSTNAME": word,
                   "CANARY_NUMBER": number, "CANARY": word, "GRAPHLAB_CACHE_DIR": str(tmp_path / word / "cache"),
                   "PYTHONPATH": paths}  # fmt: skip
    subprocess.run([sys.executable, str(script)], cwd=folder, env=environment, check=True)
    written = {path.name: path.read_text() for path in folder.iterdir() if path != script}
    assert len(written) == 9
    asked = written.pop("asked.json")
    assert number in asked
    assert word not in asked
    for name, text in written.items():
        assert "model.py" in text or name.endswith("dot"), name  # lines are named by their file
        for canary in (word, number, number[:7], float(number).hex()[4:14]):
            assert canary not in text, (name, text[max(text.find(canary) - 200, 0) : text.find(canary) + 80])
