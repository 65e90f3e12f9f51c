"""What the documentation shows is true: its Python runs, its examples give what they say, its links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import io
import pkgutil
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import graphlab

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> Iterator[tuple[int, str, str]]:
    """The blocks of a page in these languages: the line where each starts, its language and its code."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        if found[1] in languages:
            yield text.count("\n", 0, found.start(2)), found[1], found[2]


def run_in_ipython(code: str, names: dict[str, Any]) -> None:
    """Run a cell in an IPython of its own that has these names."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(user_ns=names, config=Config({"HistoryManager": {"enabled": False}}))
    try:
        with redirect_stdout(io.StringIO()):
            shell.run_cell(code).raise_error()
    finally:
        InteractiveShell.clear_instance()


def run_block(code: str, names: dict[str, Any], page: Path, line: int) -> str:
    """Run one block as a doctest if it has prompts, else as a program; returns what it printed."""
    if ">>> " in code:
        test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
        output = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        failed, _ = runner.run(test, out=output.write, clear_globs=False)
        names.update(test.globs)
        assert not failed, output.getvalue()
        return output.getvalue()
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile("\n" * line + code, str(page), "exec"), names)
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, in_tmp_path: Path) -> None:
    """The blocks of a page are one program: later ones use the names of earlier ones."""
    names: dict[str, Any] = {"__name__": page.stem}
    for line, language, code in blocks(page, "python", "ipython"):
        if language == "ipython":
            run_in_ipython(code, names)
        else:
            run_block(code, names, page, line)


def test_the_readme_has_a_tour() -> None:
    assert len(list(blocks(ROOT / "README.md", "python"))) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {(index.parent / t).resolve() for t in re.findall(r"\]\(([^)#\s]+\.md)\)", index.read_text())}
    assert {page for page in PAGES if page.parent != ROOT} <= linked | {index}


def test_the_tests_that_the_page_of_faults_names_are_there() -> None:
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (DOCS / "faults.md").read_text())
    texts = {file: path.read_text() if (path := ROOT / "tests" / file).is_file() else "" for file, _ in named}
    assert not [f"{file}::{name}" for file, name in named
                if not re.search(rf"^ *def {name}\(" if name else ".", texts[file], re.MULTILINE)]  # fmt: skip
    assert len(named) > 100


MODULES = sorted(
    {m.name for m in pkgutil.walk_packages(graphlab.__path__, "graphlab.")} - {"graphlab.__main__", "graphlab._rt"}
)


@pytest.mark.parametrize("name", ["graphlab", *MODULES])
def test_docstring_examples(name: str, in_tmp_path: Path) -> None:
    with np.printoptions(legacy=False):
        results = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert results.failed == 0


def test_public_names_have_docstrings() -> None:
    public = {name: getattr(graphlab, name) for name in graphlab.__all__}
    assert not [name for name, thing in public.items() if callable(thing) and not thing.__doc__]
