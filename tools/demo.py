"""Execute the notebooks into demo/, where they also write their reports, and say where everything is."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
QUIET = ["--IPKernelApp.log_level=40"]  # the kernel speaks up for errors only


def execute(source: Path) -> Path:
    """Run the notebook `source` with demo/ as its folder; returns where the executed copy is."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(DEMO)}}, extra_arguments=QUIET)
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]

    def progress(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell_index in code:
            show(f"  {source.name:<32} cell {code.index(cell_index) + 1} of {len(code)}", passing=True)

    client.on_cell_execute = progress
    target = DEMO / source.name
    started = time.perf_counter()
    try:
        client.execute(env={**os.environ, "GRAPHLAB_PROGRESS": "0"})  # a bar shows when the machine is slow
    finally:
        nbformat.write(notebook, target)
    show(f"  {source.name:<32} {len(code)} cells in {time.perf_counter() - started:.1f} s")
    return target


def show(line: str, passing: bool = False) -> None:
    """Print `line`; on a terminal the next one overwrites a `passing` one."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="" if passing else "\n", flush=True)
    elif not passing:
        print(line, flush=True)


def main() -> int:
    """Run them all; 1 if a cell failed."""
    DEMO.mkdir(exist_ok=True)
    made = []
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        try:
            made.append(execute(source))
        except CellExecutionError as error:
            print(f"\n{source.name} failed:\n{error}", file=sys.stderr)
            return 1
    print("\nWritten:")
    for path, what in [
        (DEMO / "report.html", "one training step, to click through: open it in a browser"),
        (DEMO / "report.svg", "the same as a picture"),
        *((path, "the executed notebook") for path in made),
    ]:
        if not path.is_file():
            print(f"{path} is missing", file=sys.stderr)
            return 1
        print(f"  {path.relative_to(ROOT)!s:<40} {what}")
    print("\n./dev lab opens the notebooks to play with.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
