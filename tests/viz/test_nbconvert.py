"""A notebook that was run and converted to a page shows the picture where its widgets can't be loaded."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.viz.visit import Visit

CELLS = ["import graphlab, graphlab.tensor as T\nx = T.dvector('x')\nf = graphlab.function([x], 2*x + x**3, name='f')",
         "f.explore()", "f.debug([1.0])", "print(_ is not None, Out[2].view)"]  # fmt: skip
STATE = "application/vnd.jupyter.widget-state+json"


def test_the_picture_stands_where_a_widget_would(browser: Any, tmp_path: Path) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)
    NotebookClient(notebook, timeout=120, extra_arguments=["--IPKernelApp.log_level=40"]).execute()
    assert notebook.metadata.widgets[STATE]["state"]  # so nbconvert believes that the page can show them
    assert notebook.cells[3].outputs[0].text == "True graph\n"
    page = tmp_path / "n.html"
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    visit = Visit(browser, ("file:",))
    visit.page.goto(page.as_uri(), wait_until="domcontentloaded")
    stills = visit.page.locator("img.gl-still")
    assert stills.count() == 2
    for still in stills.all():
        assert still.is_visible()
        assert still.evaluate("image => image.decode().then(() => image.naturalWidth)") > 200
    visit.context.close()
