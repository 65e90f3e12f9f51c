"""`%%symgraph`: the cell's expression is compiled, shown and stepped; mistakes name the cell's own line."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets.config import Config

import graphlab
import graphlab.tensor as T
from graphlab import faults
from graphlab.viz.magic import split_options
from graphlab.viz.record import record


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A terminal IPython with the extension loaded."""
    monkeypatch.delattr(builtins, "_", raising=False)  # doctest leaves one, and IPython then sets none
    InteractiveShell.clear_instance()
    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    made = InteractiveShell.instance(config=config)
    made.run_line_magic("load_ext", "graphlab")
    yield made
    made.run_line_magic("unload_ext", "graphlab")
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str) -> ExecutionResult:
    return shell.run_cell(cell, store_history=True)


def names(variables: Any) -> list[str | None]:
    return [v.name for v in variables]


# ---- what a cell gives -----------------------------------------------------------------------------


def test_the_last_expression_becomes_a_function(shell: InteractiveShell) -> None:
    run(shell, '%%symgraph -o f\nx = T.dvector("x")\n2*x + x**3').raise_error()
    f = shell.user_ns["f"]
    assert isinstance(f, graphlab.Function)
    np.testing.assert_array_equal(f([1.0, 2.0]), [3.0, 12.0])
    assert shell.user_ns["_"] is f


def test_names_assigned_in_the_cell_name_the_nodes(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -o f\na = T.dscalar()\nhalf = a / 2\ny = T.exp(half) + half").raise_error()
    f = shell.user_ns["f"]
    assert names(f.inputs) == ["a"]
    assert names(f.graph.outputs) == ["y"]
    assert shell.user_ns["half"].name == "half"


def test_a_name_that_was_given_is_kept(shell: InteractiveShell) -> None:
    run(shell, '%%symgraph\nx = T.dscalar("input")\ny = x + 1').raise_error()
    assert shell.user_ns["x"].name == "input"


def test_a_tuple_gives_several_outputs(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -o f\nx = T.dscalar()\ny = x**2\ny, T.grad(y, x)").raise_error()
    assert [float(v) for v in shell.user_ns["f"](3.0)] == [9.0, 6.0]


def test_inputs_come_in_order_of_creation(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -o f\nlate, b = T.dscalar(), T.dscalar()\na = T.dscalar()\na - b * late").raise_error()
    assert names(shell.user_ns["f"].inputs) == ["late", "b", "a"]


def test_variables_of_earlier_cells_come_first(shell: InteractiveShell) -> None:
    shell.user_ns["weights"] = T.dvector()
    run(shell, "%%symgraph -o f\nx = T.dvector()\n(x * weights).sum()").raise_error()
    assert names(shell.user_ns["f"].inputs) == ["weights", "x"]


def test_inputs_may_be_chosen(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -o f --inputs b,a\na = T.dscalar()\nb = T.dscalar()\na - b").raise_error()
    assert shell.user_ns["f"](1, 10) == 9


def test_a_compiled_function_is_shown_as_it_is(shell: InteractiveShell) -> None:
    cell = "%%symgraph -o f\nimport graphlab\nx = T.dscalar()\nn = graphlab.shared(1.0)\n"
    run(shell, cell + "graphlab.function([x], x * n, updates={n: n + 1})").raise_error()
    f = shell.user_ns["f"]
    assert [float(f(2)), float(f(2))] == [2.0, 4.0]


def test_no_optimize_keeps_the_graph_as_written(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -o f --no-optimize\nx = T.dvector()\nx + 0 * x").raise_error()
    f = shell.user_ns["f"]
    assert not f.trace.rewrites
    assert f.graph.outputs == f.optimized.outputs


# ---- what a cell shows -----------------------------------------------------------------------------


def test_the_page_of_a_notebooks_function_names_its_cells(shell: InteractiveShell) -> None:
    run(shell, "import graphlab.tensor as T\nscale = T.dscalar('scale')").raise_error()
    number = shell.execution_count
    cell = "%%symgraph -o f\nx = T.dvector('x')\ny = T.log(x)\nscale * y"
    assert shell.run_cell(cell, store_history=True).success
    f = shell.user_ns["f"]
    places = {one["text"]: one["label"] for one in record(f)["sources"]}
    assert places["y = T.log(x)"] == f"In[{number}]:3"
    session = f.debug(2.0, [1.0, 2.0]) if f.inputs[0].name == "scale" else f.debug([1.0, 2.0], 2.0)
    assert session.break_at(line=f"In[{number}]:3").place == f"line In[{number}]:3"
    assert session.run().stopped == f"breakpoint 0: line In[{number}]:3"


def test_a_terminal_gets_text(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%symgraph\nx = T.dvector()\ny = T.exp(x)").raise_error()
    shown = capsys.readouterr().out
    assert "as written" in shown
    assert "exp" in shown
    assert "cell:3" in shown


def test_values_open_the_stepper(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%symgraph --with x=np.linspace(0, 1, 3) k=[10]\nk = T.dvector()\nx = T.dvector()\nx * k")
    shown = capsys.readouterr().out
    assert "step 0" in shown
    assert str(np.linspace(0, 1, 3) * 10) in shown


@pytest.mark.parametrize(("view", "needle"), [("rewrites", "rewrite"), ("code", "gl_run")])
def test_views(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], view: str, needle: str) -> None:
    run(shell, f"%%symgraph --view {view}\nx = T.dvector()\nx**2 + 1").raise_error()
    assert needle in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["%%symgraph -q\nx = T.dscalar()\nx + 1", "%%symgraph\nx = T.dscalar()\nx + 1;"])
def test_quiet_shows_nothing(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str) -> None:
    run(shell, cell).raise_error()
    assert capsys.readouterr().out == ""


def test_a_report_is_written(shell: InteractiveShell, in_tmp_path: Path) -> None:
    run(shell, '%%symgraph -q --report "my f.svg"\nx = T.dvector()\nT.exp(x)').raise_error()
    assert (in_tmp_path / "my f.svg").read_text().rstrip().endswith("</svg>")


def test_help_lists_every_option(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%symgraph --help").raise_error()
    shown = capsys.readouterr().out
    for option in ("--out", "--with", "--view", "--inputs", "--report", "--no-optimize", "--mode", "--quiet"):
        assert option in shown


# ---- mistakes --------------------------------------------------------------------------------------


def failure(shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str]) -> tuple[BaseException, str]:
    """The error that a cell ends with, and what it shows."""
    result = run(shell, cell)
    assert result.error_in_exec is not None, "Run All would go on"
    captured = capsys.readouterr()
    return result.error_in_exec, captured.out + captured.err


def test_a_name_that_does_not_exist_tells_how_to_make_it(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    error, shown = failure(shell, "%%symgraph\nT.exp(q)", capsys)
    assert isinstance(error, graphlab.GraphlabError)
    assert 'q = T.vector("q")' in shown
    assert "cell:2" in shown


def test_a_misspelt_name_gets_a_suggestion(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    _, shown = failure(shell, "%%symgraph\nweights = T.dvector()\nweigths + 1", capsys)
    assert "did you mean weights" in shown


def test_a_mistake_in_the_graph_is_one_block_with_the_cells_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = '%%symgraph\na = T.tensor("float64", (2,))\nb = T.tensor("float64", (3,))\na + b'
    _, shown = failure(shell, cell, capsys)
    assert "cell:4: a + b" in shown
    assert "Traceback" not in shown


def test_another_exception_shows_only_the_cells_frames(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    error, shown = failure(shell, "%%symgraph\ndef half(n):\n    return n / 0\nhalf(1)", capsys)
    assert isinstance(error, ZeroDivisionError)
    assert "return n / 0" in shown
    assert "magic.py" not in shown
    assert "interactiveshell" not in shown


def test_a_syntax_error_names_the_cells_line(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    _, shown = failure(shell, "%%symgraph\nx = T.dscalar()\ny = (x +", capsys)
    assert "cell:3" in shown


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%symgraph -o 2f\nT.dscalar() + 1", "'2f' is not a variable name"),
        ("%%symgraph --view profit\nT.dscalar() + 1", "invalid choice"),
        ("%%symgraph --view step\nT.dscalar() + 1", "--view step needs values"),
        ("%%symgraph --with y=1\nx = T.dscalar()\nx + 1", "no value for x"),
        ("%%symgraph --with x=1 y=1\nx = T.dscalar()\nx + 1", "there is no input y"),
        ("%%symgraph --with x=1/0\nx = T.dscalar()\nx + 1", "ZeroDivisionError"),
        ("%%symgraph --inputs T\nx = T.dscalar()\nx + 1", "T is not a symbolic variable"),
        ("%%symgraph\n[1, 2]", "last expression is a list"),
        ("%%symgraph\nn = 1", "no symbolic variable"),
    ],
)
def test_other_mistakes(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, message: str) -> None:
    _, shown = failure(shell, cell, capsys)
    assert message in shown
    assert len(shown.strip().splitlines()) <= 4


# ---- the line --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--with x=[1, -2, 3] -q", ["--with", "x=[1, -2, 3]", "-q"]),
        ('--with "x=f(1, 2)" y=(1, 2)', ["--with", '"x=f(1, 2)"', "y=(1, 2)"]),
        ("--report a.html --with x=-1", ["--report", "a.html", "--with", "x=-1"]),
    ],
)
def test_expressions_with_blanks_stay_whole(line: str, words: list[str]) -> None:
    assert split_options(line) == words


def completions(shell: InteractiveShell, text: str) -> list[str]:
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(text, len(text))]


def test_options_are_completed_and_python_names_are_not(shell: InteractiveShell) -> None:
    assert completions(shell, "%%symgraph --vi") == ["--view"]
    assert set(completions(shell, "%%symgraph -o f --view ")) == {"graph", "rewrites", "step", "code"}
    shell.user_ns["viewpoint"] = 1
    assert "viewpoint" not in completions(shell, "%%symgraph --view vi")


def test_inputs_are_completed_with_symbolic_variables(shell: InteractiveShell) -> None:
    shell.user_ns.update(width=T.dscalar(), word="w")
    assert completions(shell, "%%symgraph --inputs w") == ["width"]
    assert completions(shell, "%%symgraph --inputs width,w") == ["width"]


def test_the_lines_complete_with_functions(shell: InteractiveShell) -> None:
    run(shell, "%%symgraph -q -o fine\nx = T.dscalar('x')\nfinal = x + 1").raise_error()
    assert completions(shell, "%symgraph fi") == ["fine"]
    assert completions(shell, "%symgraph fine --vi") == ["--view"]
    assert completions(shell, "%symdebug fi") == ["fine"]
    assert completions(shell, "%%symgraph --mo") == ["--mode"]
    assert "--mode" not in completions(shell, "%symgraph --mo")


def test_the_cell_below_completes_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["viewpoint"] = 1
    assert "viewpoint" in completions(shell, "%%symgraph\nviewp")


def test_unloading_leaves_nothing(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "graphlab")
    assert shell.find_cell_magic("symgraph") is None
    assert completions(shell, "%%symgraph --vi") != ["--view"]
    shell.run_line_magic("load_ext", "graphlab")
    assert shell.find_cell_magic("symgraph") is not None


# ---- the line form ---------------------------------------------------------------------------------


def test_the_line_form_shows_what_is_there(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%symgraph -q -o f\nx = T.dvector('x')\ny = T.exp(x)\nz = y.sum()").raise_error()
    assert capsys.readouterr().out == ""
    run(shell, "%symgraph f --with x=[0.0, 0.0]").raise_error()
    assert "= 2." in capsys.readouterr().out
    assert shell.user_ns["_"] is shell.user_ns["f"]
    run(shell, "%symgraph -q -o g y").raise_error()
    np.testing.assert_array_equal(shell.user_ns["g"]([0.0]), [1.0])
    run(shell, "%symgraph").raise_error()
    assert "%symgraph f --with x=[1,2,3]" in capsys.readouterr().out
    for name in ("symgraph", "symdebug"):  # `%symdebug?`
        assert f"%{name}" in str(shell.find_line_magic(name).__doc__)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%symgraph nothing", "NameError"), ("%symgraph T", "expected a compiled function, not module"),
        ("%symgraph f --mode interpret", "are for cells"), ("%symgraph f --with y=1", "no value for x"),
        ("%symgraph f --view step", "needs values"), ("%symgraph f(", "SyntaxError"), ("%symgraph f --nope", "unrec"),
        ("%%symgraph f\nx + 1", "unrecognized arguments: f"),
    ],
)  # fmt: skip
def test_mistakes_with_the_line_form_are_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    run(shell, "%%symgraph -q -o f\nx = T.dvector('x')\nT.exp(x).sum()").raise_error()
    capsys.readouterr()
    run(shell, line)
    shown = capsys.readouterr()
    assert message in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err


# ---- symdebug --------------------------------------------------------------------------------------


def test_symdebug_opens_the_last_call_that_failed(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "import graphlab, graphlab.tensor as T\nx = T.dvector('x')\ny = T.log(x)").raise_error()
    run(shell, "f = graphlab.function([x], y, nan_policy='raise')").raise_error()
    assert isinstance(run(shell, "f([1.0, -1.0])").error_in_exec, FloatingPointError)
    assert "post_mortem" in capsys.readouterr().out
    run(shell, "%symdebug -o s").raise_error()
    session = shell.user_ns["s"]
    assert isinstance(session, graphlab.Session)
    assert shell.user_ns["_"] is session
    assert "log" in capsys.readouterr().out
    np.testing.assert_array_equal(session.value(shell.user_ns["x"]), [1.0, -1.0])


def test_symdebug_of_a_call_begins_before_its_first_step(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%symgraph -q -o f\nx = T.dvector('x')\nT.exp(x).sum()").raise_error()
    run(shell, "%symdebug f([0.0] * 3)").raise_error()
    assert shell.user_ns["_"].position == 0
    assert shell.user_ns["_"].finish().outputs[0] == 3.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "nothing to look at"), ("f(", "SyntaxError|never closed"), ("f", "takes a call"), ("len([1])", "debug"),
        ("f(1, 2)", "1 inputs"), ("-o 1x f([1.0])", "takes a call|invalid"),
    ],
)  # fmt: skip
def test_mistakes_with_symdebug_are_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    faults.forget("no call of a compiled function has failed so far")
    run(shell, "%%symgraph -q -o f\nx = T.dvector('x')\nT.exp(x).sum()").raise_error()
    capsys.readouterr()
    run(shell, f"%symdebug {line}")
    shown = capsys.readouterr()
    assert re.search(message, shown.out + shown.err)
    assert "Traceback" not in shown.out + shown.err
