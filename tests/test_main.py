"""The command line: a view, a report or the trace of a script's function; mistakes are one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from graphlab.__main__ import main
from graphlab.options import using

SCRIPT = """\
import graphlab
import graphlab.tensor as T

x = T.dvector("x")
total = (2 * x).sum()
f = graphlab.function([x], total, name="f")
number = 7
if __name__ == "__main__":
    raise RuntimeError("a script that is looked at is not run as the main program")
"""


@pytest.fixture
def script(in_tmp_path: Path) -> Path:
    path = in_tmp_path / "model.py"
    path.write_text(SCRIPT)
    return path


def test_show_prints_a_view(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model.py:f"]) == 0
    shown = capsys.readouterr().out
    assert "as written" in shown
    assert "model.py:5" in shown


def test_show_steps_through_values(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model.py:f", "--with", "x=np.arange(4.0)"]) == 0
    assert "= 12." in capsys.readouterr().out


def test_a_variable_is_compiled_first(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model.py:total", "--view", "code"]) == 0
    assert "gl_run" in capsys.readouterr().out


def test_json_is_the_whole_trace(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model.py:f", "--json", "--with", "x=[1.0, 2.0]"]) == 0
    trace = json.loads(capsys.readouterr().out)
    assert trace["format"] == "graphlab-trace"
    assert trace["values"]
    assert str(script.parent) not in json.dumps(trace)


def test_report_writes_a_page(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "model.py:f", "-o", "f.html"]) == 0
    assert (script.parent / "f.html").read_text().startswith("<!doctype html>")


def test_doctor_says_it_in_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "compiler   ok " in capsys.readouterr().out
    with using(cc=("no-such-compiler",)):
        assert main(["doctor"]) == 1
    assert "compiler   BROKEN   no C compiler found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("model", SCRIPT, "expected script.py or script.py:name"),
        ("model.py", SCRIPT + "g = graphlab.function([x], x)", "one compiled function; choose one: model.py:name"),
        ("model.py", "x = 1", "it has none"),
        ("nowhere.py:f", SCRIPT, "there is no file nowhere.py"),
        ("model.py:g", SCRIPT, "has no function or variable g; it has x, total, f"),
        ("model.py:number", SCRIPT, "has no function or variable number"),
        ("model.py:f", "f = (", "model.py:1: SyntaxError"),
        ("model.py:f", "\n1 / 0\n", "model.py:2: ZeroDivisionError"),
        ("model.py:f", "import graphlab.tensor as T\nT.dvector() + T.fmatrix().foo", "model.py:2: AttributeError"),
        ("model.py:f", "import sys\nsys.exit(3)", "model.py:2: SystemExit"),
        ("model.py:f", "\0\x80", "model.py"),
    ],
)
def test_a_bad_target_is_one_line(
    script: Path, capsys: pytest.CaptureFixture[str], target: str, text: str, message: str
) -> None:
    script.write_text(text)
    assert main(["show", target]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--with", "y=1"], "--with must give x"),
        (["--with", "x=nothing"], "NameError"),
        (["--with", "x=[[1.0]]"], "expects float64[?]"),
        (["--view", "step"], "--view step needs values"),
    ],
)
def test_bad_values_are_one_line(
    script: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["show", "model.py:f", *arguments]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert message in error


def test_a_report_of_an_unknown_kind_is_one_line(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in (["-o", "f.gif"], ["-o", "f.svg", "--show", "sideways"], ["-o", "f.svg", "--show", "999"]):
        assert main(["report", "model.py:f", *more]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_script_with_one_function_needs_no_name(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "model.py", "-o", "f.svg", "--show", "0"]) == 0
    assert "after 0 of" in (script.parent / "f.svg").read_text()


def test_explore_writes_a_page_for_the_browser(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "model.py", "--no-browser"]) == 0
    page = Path(capsys.readouterr().out.removeprefix("open ").partition(" in a browser")[0])
    assert page.name == "model.html"
    assert page.read_text().startswith("<!doctype html>")


def test_debug_steps_in_the_terminal(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(["n", "p total", "q"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(said))
    assert main(["debug", "model.py:f", "--with", "x=np.arange(4.0)"]) == 0
    shown = capsys.readouterr().out
    assert "12." in shown
    assert "left at step 1 of" in shown
    for more, message in (
        (["--with", "x=1/0"], "ZeroDivisionError"),
        ([], "--with gives x"),
        (["--with", "x=[[1]]"], "expects"),
    ):
        assert main(["debug", "model.py", *more]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1


def test_lab_writes_a_notebook_that_shows_the_function(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "model.py:total", "--no-browser"]) == 0
    notebook = nbformat.read(script.parent / "model-total.graphlab.ipynb", as_version=4)
    nbformat.validate(notebook)
    (cell,) = notebook.cells
    names: dict[str, Any] = {}
    exec(cell.source.replace("f.explore()", ""), names)
    assert names["f"]([1.0, 2.0]) == 6.0
    assert main(["lab", "model.py:nothing", "--no-browser"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
