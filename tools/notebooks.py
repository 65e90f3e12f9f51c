"""Execute the notebooks that keep their outputs, and store them so that they can be read where nothing runs.

These are the notebooks with {"graphlab": {"outputs": "kept"}} among their metadata. A widget becomes the picture that
stands for it. A cell with the tag "measured" prints what depends on the machine: its output stays as it is, unless
--measure asks for it anew (when that machine is quiet). Nothing is stored that names a path.

.venv/bin/python tools/notebooks.py [--measure] [notebook.ipynb ...]
"""

from __future__ import annotations

import base64
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
QUIET = ["--IPKernelApp.log_level=40"]
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURE = re.compile(r'<img [^>]*src="data:image/svg\+xml;base64,([^"]+)">')
WIDE = 2000  # pixels: of a larger picture nothing could be read in a page's column, and the text says more
COLUMN = 900  # pixels that a page has for a picture
SIZE = re.compile(r'(<svg [^>]*?)\bwidth="(\d+)" height="(\d+)"')
PATH = re.compile(r"(?<![\w.<:/])/(?:home|root|tmp|usr|var|work|Users|opt)/\S*")


def keeps_outputs(notebook: nbformat.NotebookNode) -> bool:
    """Whether the notebook is stored with its outputs."""
    return bool(notebook.metadata.get("graphlab", {}).get("outputs") == "kept")


def is_measured(cell: nbformat.NotebookNode) -> bool:
    """Whether the outputs of `cell` depend on the machine."""
    return "measured" in cell.metadata.get("tags", ())


def readable(data: dict[str, Any]) -> dict[str, Any]:
    """What to store of a result in several forms: of a widget the picture, and a picture as what it is."""
    kept = {kind: value for kind, value in data.items() if kind != WIDGET}
    kept["text/plain"] = kept["text/plain"].replace(" (cached)", "")  # which depends on what was built before
    picture = PICTURE.fullmatch(str(kept.get("text/html", "")).strip())
    if picture is not None:
        del kept["text/html"]
        kept["image/svg+xml"] = base64.b64decode(picture[1]).decode()
    if "image/svg+xml" in kept and (size := SIZE.search(kept["image/svg+xml"])):
        width, height = int(size[2]), int(size[3])
        if width > WIDE:
            del kept["image/svg+xml"]
        elif width > COLUMN:
            smaller = f'{size[1]}width="{COLUMN}" height="{height * COLUMN // width}"'
            kept["image/svg+xml"] = SIZE.sub(lambda _: smaller, kept["image/svg+xml"], count=1)
    return kept


def outputs(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The outputs of `cell` as they are stored: what was printed in one piece."""
    kept = list[nbformat.NotebookNode]()
    for output in cell.outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
            continue
        if WIDGET in output.get("data", {}) and not output.data.get("text/plain"):
            continue  # the picture that stands before it is what can be read
        if "data" in output:
            output.data = nbformat.from_dict(readable(dict(output.data)))
        output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})
        kept.append(output)
    return kept


def paths_in(notebook: nbformat.NotebookNode) -> list[str]:
    """The paths of this machine that the outputs name."""
    shown = (o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs)
    texts = (t for o in shown for t in (o.get("text", ""), *map(str, o.get("data", {}).values())))
    return [path for text in texts for path in PATH.findall(text)]


def run(source: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook `source` after a run in `folder`."""
    notebook = nbformat.read(source, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, resources=resources, extra_arguments=QUIET, record_timing=False)
    client.execute(env={**os.environ, "GRAPHLAB_PROGRESS": "0"})  # a bar shows when the machine is slow
    return notebook


def executed(source: Path, anew: bool) -> nbformat.NotebookNode:
    """The notebook `source` after a run, as it is to be stored; if `anew`, with what was measured in this run."""
    with tempfile.TemporaryDirectory() as folder:
        stored, notebook = nbformat.read(source, as_version=4), run(source, Path(folder))
    for old, cell in zip(stored.cells, notebook.cells, strict=True):
        if cell.cell_type == "code":
            still = is_measured(cell) and old.outputs and not anew
            cell.outputs = old.outputs if still else outputs(cell)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})
    return notebook


def main(words: list[str]) -> int:
    """Store them; 1 if one names a path."""
    status, names = 0, [word for word in words if word != "--measure"]
    for source in sorted(map(Path, names)) or sorted(NOTEBOOKS.glob("*.ipynb")):
        if not keeps_outputs(nbformat.read(source, as_version=4)):
            continue
        notebook = executed(source, "--measure" in words)
        if found := paths_in(notebook):
            print(f"{source.name} names {', '.join(dict.fromkeys(found))}", file=sys.stderr)
            status = 1
            continue
        nbformat.write(notebook, source)
        print(f"{source.name}: {source.stat().st_size // 1024} kB")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
