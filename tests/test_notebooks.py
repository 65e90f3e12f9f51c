"""The notebooks run from top to bottom, and what they tell is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PAGES = sorted(NOTEBOOKS.glob("*.ipynb"))


def execute(name: str, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in `folder`; a cell that raises fails the test with its traceback."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


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
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
