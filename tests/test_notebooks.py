"""The notebooks run from top to bottom, and what they tell is true."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from notebooks import WIDGET, is_measured, keeps_outputs, paths_in, run  # noqa: E402
from notebooks import outputs as shown  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
PAGES = sorted(NOTEBOOKS.glob("*.ipynb"))


def execute(name: str, folder: Path) -> tuple[nbformat.NotebookNode, Path]:
    """A notebook after it ran, and where; a cell that raises fails the test with its traceback.

    It runs in `folder`, unless GRAPHLAB_DEMO names one in which `./dev demo` has just run it.
    """
    if demo := os.environ.get("GRAPHLAB_DEMO"):
        return nbformat.read(Path(demo) / name, as_version=4), Path(demo)
    return run(NOTEBOOKS / name, folder), folder


def outputs(notebook: nbformat.NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def printed(notebook: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def media(notebook: nbformat.NotebookNode) -> set[str]:
    return {kind for output in outputs(notebook) for kind in output.get("data", {})}


def stored_values(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """What the notebook's last cells said as JSON, one object a line."""
    lines = [line for line in printed(notebook).splitlines() if line.startswith("{")]
    return {key: value for line in lines for key, value in json.loads(line).items()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_notebooks_are_stored_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    if keeps_outputs(notebook):
        return
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


KEPT = [path for path in PAGES if keeps_outputs(nbformat.read(path, as_version=4))]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_outputs_that_are_kept_need_no_kernel_and_name_no_machine(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # of one run, from top to bottom
    assert paths_in(notebook) == []
    assert "image/svg+xml" in media(notebook)
    assert WIDGET not in media(notebook)
    assert path.stat().st_size < 200_000
    assert not any(re.search(r"\d [mu]s\b", o.get("text", "")) for c in code if not is_measured(c) for o in c.outputs)


def test_kept_outputs_are_those_of_the_notebook(books: dict[str, nbformat.NotebookNode]) -> None:
    """Each cell gives as much now as it did then; `python tools/notebooks.py` stores them anew."""
    for name, executed in books.items():
        stored = nbformat.read(NOTEBOOKS / name, as_version=4)
        for old, new in zip(stored.cells, executed.cells, strict=True):
            if old.cell_type == "code":
                assert old.source == new.source
                kinds = [[o.output_type for o in given] for given in (old.outputs, shown(new))]
                assert kinds[0] == kinds[1], f"{name}, {old.id}: {old.source}"


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[nbformat.NotebookNode, Path]:
    return execute("00_tour.ipynb", tmp_path_factory.mktemp("tour"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[nbformat.NotebookNode, Path]:
    return execute("01_logistic_regression.ipynb", tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    return execute("02_mlp_and_convnet.ipynb", tmp_path_factory.mktemp("layers"))[0]


@pytest.fixture(scope="module")
def poem(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    return execute("03_recurrent.ipynb", tmp_path_factory.mktemp("poem"))[0]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, nbformat.NotebookNode]:
    folder = tmp_path_factory.mktemp("books")
    return {path.name: execute(path.name, folder)[0] for path in KEPT}


def test_the_tour_shows_each_stage(tour: tuple[nbformat.NotebookNode, Path]) -> None:
    notebook, _ = tour
    text = printed(notebook)
    assert "2*x + x**3" in text
    assert "add(mul(2, x), pow(x, 3))" in text
    assert "static int kernel_0" in text
    assert "differences from NumPy and from the plain call: 0" in text
    results = [o.data["text/plain"] for o in outputs(notebook) if o.output_type == "execute_result"]
    assert "array(33.)" in results
    assert "array(29.)" in results


def test_the_tours_mistake_names_the_line(tour: tuple[nbformat.NotebookNode, Path]) -> None:
    assert "at cell:2: total = graphlab.function([a, b], a + b)" in printed(tour[0])


def test_symgraph_shows_a_widget_and_an_image_for_readers_without_one(
    tour: tuple[nbformat.NotebookNode, Path],
) -> None:
    cell = next(cell for cell in tour[0].cells if cell.source.startswith("%%symgraph"))
    picture, widget = cell.outputs
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert picture.data["text/html"].startswith("<img")
    assert "g: before step 0 of 1" in picture.data["text/plain"]


def test_digits_are_learned(digits: tuple[nbformat.NotebookNode, Path]) -> None:
    values = stored_values(digits[0])
    assert values["accuracy"] > 0.93
    assert values["last_loss"] < values["first_loss"] / 3


def test_the_textbook_formula_was_made_stable(digits: tuple[nbformat.NotebookNode, Path]) -> None:
    text = printed(digits[0])
    assert "log(softmax(x)) -> log_softmax(x)" in text
    assert "compiled: 1000.0" in text
    assert "the steps and the plain call agree" in text


def test_bayes_agrees_with_scipy_and_scikit_learn(tmp_path: Path) -> None:
    """Its cells assert as much; here is what they found."""
    values = stored_values(execute("04_bayes_and_science.ipynb", tmp_path)[0])
    assert 0.9 < values["coverage"] < 0.99
    assert values["gaps"] == sorted(values["gaps"], reverse=True)


@pytest.mark.parametrize(("book", "name"), [("tour", "tour"), ("digits", "report")])
def test_reports_are_written(book: str, name: str, request: pytest.FixtureRequest) -> None:
    _, folder = request.getfixturevalue(book)
    assert (folder / f"{name}.svg").read_text().rstrip().endswith("</svg>")
    assert "Content-Security-Policy" in (folder / f"{name}.html").read_text()


def test_layers_read_more_digits(layers: nbformat.NotebookNode) -> None:
    values = stored_values(layers)
    assert values["perceptron"] > 0.95
    assert values["convnet"] > 0.97
    assert values["last_cost"] < values["first_cost"] / 10


def test_layers_show_scopes_kernels_and_times(layers: nbformat.NotebookNode) -> None:
    text = printed(layers)
    assert "in hidden" in text
    assert "inside dense [" in text
    assert "updates stream.state" in text
    assert "sqrtf(" in text
    assert re.search(r"20 calls, [\d.]+ us each; of the time in steps:\n +\d", text)
    assert {"image/png", "image/svg+xml", "application/vnd.jupyter.widget-view+json"} <= media(layers)


def test_the_poem_is_learned(poem: nbformat.NotebookNode) -> None:
    values = stored_values(poem)
    assert values["last_cost"] < 0.3 < 3.5 < values["guessing"]
    assert values["known_words"] > 0.8


def test_the_loop_and_its_gradient_are_steps_of_the_program(poem: nbformat.NotebookNode) -> None:
    text = printed(poem)
    assert "inside read [" in text
    assert "read gradient   takes float32[?,?,192]" in text
    assert "f->api->loop_turn(f, &loop, t)" in text
    assert re.search(r"% +[\d.]+ us +\d+: read gradient_", text)


def test_a_nan_is_found_three_ways_and_mended(books: dict[str, nbformat.NotebookNode]) -> None:
    """Its cells assert that the mended loop has none."""
    notebook = books["05_debugging_nan.ipynb"]
    text, told = printed(notebook), stored_values(notebook)
    assert re.search(r"call \d+, step \d+ \(kernel_\d\): nan in 1 of 1 elements of loss", text)  # recorded
    assert "output 0 of train has a NaN, which arose in" in text  # raised
    assert "breakpoint 0: true_divide made inf at" in text  # stopped
    assert (told["op"], told["zero"]) == ("true_divide", 0.0)
    assert f"0 is spread[{told['element']}]" in text
    assert "made in: spread = T.nnet.relu(hidden @ u + c)" in text
    assert told["early"] < told["late"]


def test_the_optimiser_answers(books: dict[str, nbformat.NotebookNode]) -> None:
    notebook = books["06_reading_the_optimiser.ipynb"]
    text, told = printed(notebook), stored_values(notebook)
    assert told["repaired"] == 2
    assert told["slopes"] == [[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]  # as in the textbook, with a margin, by a rule
    assert "where the pattern has sigmoid(x), there is" in text
    assert "the rule 'tanh(x) -> x' (cell:1)" in text


def test_a_graph_is_followed_to_its_instructions(books: dict[str, nbformat.NotebookNode]) -> None:
    notebook = books["07_from_graph_to_assembly.ipynb"]
    told = stored_values(notebook)
    assert told["bound"] in ("memory", "compute")  # as the machine that runs the test is found to be
    assert told["kernels"] == 2
    assert told["instructions"] >= 10
    assert re.search(r"sqrt\w* .*sqrt\(v6\)", printed(notebook))
