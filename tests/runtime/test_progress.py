"""The bar of a long compile: shown where somebody watches, after a while, and nowhere else."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest

import graphlab
import graphlab.tensor as T
from graphlab.options import Options, using
from graphlab.runtime import progress


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What stands for standard error, on which a bar shows after a tenth of a second."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "AFTER", 0.1)
    monkeypatch.setattr(progress, "EVERY", 0.05)
    return Terminal()


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[None]:
    """A compiler that takes half a second longer."""
    path = tmp_path / "slow-cc"
    path.write_text('#!/bin/sh\n[ "$1" = --version ] && echo slow && exit\nsleep 0.5\nexec gcc "$@"\n')
    path.chmod(0o755)
    with using(cc=(str(path),), cache_dir=tmp_path / "cache"):
        yield


def compiled(stderr: io.StringIO) -> graphlab.Function:
    x = T.dvector("x")
    with redirect_stderr(stderr):
        return graphlab.function([x], T.exp(x) + 1)


def test_a_slow_compiler_is_named_and_the_bar_goes_away(terminal: Terminal, slow: None) -> None:
    f = compiled(terminal)
    assert f([0.0]).tolist() == [2.0]
    shown = terminal.getvalue()
    assert "graphlab: C compiler: 2/3" in shown
    assert shown.count("C compiler") > 2  # it moves on while the compiler runs
    assert shown.endswith("\r")


def test_slow_rewriting_is_named_too(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with using(cache_dir=tmp_path / "cache"):
        compiled(terminal)
    for name in progress.STAGES:
        assert f"graphlab: {name}" in terminal.getvalue()


def test_a_quick_one_shows_nothing_and_imports_nothing() -> None:
    code = "\n".join([
        "import io, sys",
        "class Terminal(io.StringIO):",
        "    isatty = lambda self: True",
        "sys.stderr = Terminal()",
        "import graphlab, graphlab.tensor as T",
        "from graphlab.runtime import progress",
        "progress.AFTER = 1e9",
        "x = T.dvector('x')",
        "graphlab.function([x], x + 1)([1.0])",
        "print('tqdm' in sys.modules, repr(sys.stderr.getvalue()))",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "''"]


def test_the_option_turns_it_off(terminal: Terminal, slow: None) -> None:
    with using(progress=False):
        compiled(terminal)
    assert terminal.getvalue() == ""


def test_a_file_gets_no_bar(terminal: Terminal, slow: None) -> None:
    file = io.StringIO()
    compiled(file)
    assert file.getvalue() == ""


def test_the_environment_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHLAB_PROGRESS", "0")
    assert not Options().progress
    monkeypatch.setenv("GRAPHLAB_PROGRESS", "1")
    assert Options().progress


def test_a_compiler_that_takes_too_long_is_still_stopped(
    terminal: Terminal, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphlab.compiled, "_warned", False)
    with using(cc_timeout=0.2), pytest.warns(RuntimeWarning, match="NumPy"):
        f = compiled(terminal)
    assert f.machine is None
    assert "C compiler" in terminal.getvalue()


def test_a_notebook_counts_as_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        get_ipython = staticmethod(lambda: object())

    monkeypatch.setitem(sys.modules, "ipykernel", Shell)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython", Shell)  # type: ignore[arg-type]
    assert progress.watched()
