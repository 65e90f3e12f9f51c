"""./dev sets itself up, says what is missing in one line, and does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ["sh", "dirname", "cat", "cksum", "rm", "touch", "id", "env", "find", "gcc", "as", "ld", "sleep"]

# A stand-in for .venv/bin/python: it logs what it is asked to do; asked for Python.h it names itself.
PYTHON = """#!/bin/sh
echo "$*" >>"{log}"
case "$1" in -c) echo "$0" ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A tiny checkout whose virtual environment only logs, and a PATH (folder `bin`) without dot and apt-get."""
    here = tmp_path / "checkout"
    for folder in ("csrc", "graphlab", "tools", ".venv/bin"):
        (here / folder).mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "csrc/gl.c", "graphlab/_rt.abi3.so"):
        (here / name).touch()
    shutil.copy(ROOT / "dev", here / "dev")
    executable(here / ".venv/bin/python", PYTHON.format(log=here / "log"))
    executable(here / "tools/get_dot.sh", f"#!/bin/sh\necho get_dot >>{here / 'log'}\nexit 1\n")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return here


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def dev(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ./dev there."""
    names = {
        "PATH": str(checkout.parent / "bin"),
        "HOME": str(checkout.parent),
        "TMPDIR": str(checkout.parent),
        **environment,
    }
    return subprocess.run(
        [str(checkout / "dev"), *arguments], env=names, capture_output=True, text=True, timeout=60, check=False
    )


def log(checkout: Path) -> str:
    path = checkout / "log"
    return path.read_text() if path.exists() else ""


def test_help_names_every_command(checkout: Path) -> None:
    done = dev(checkout, "help")
    assert done.returncode == 0
    assert all(f"  {command} " in done.stdout for command in ("demo", "test", "lab", "check", "setup", "clean"))


def test_an_unknown_command_is_refused(checkout: Path) -> None:
    done = dev(checkout, "tset")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_installs_once_and_again_when_the_c_changes(checkout: Path) -> None:
    for _ in range(2):
        assert dev(checkout, "test", "-q").returncode == 0
    assert log(checkout).count("-m pip install") == 1
    assert log(checkout).count("-m pytest -q") == 2
    (checkout / "csrc/gl.c").write_text("int changed;")
    dev(checkout, "test")
    assert log(checkout).count("-m pip install") == 2


def test_installs_again_when_a_compiler_has_come_since(checkout: Path) -> None:
    (checkout / "graphlab/_rt.abi3.so").unlink()
    assert dev(checkout, "demo", GRAPHLAB_CC="/nonexistent/cc").returncode == 0
    assert dev(checkout, "demo", GRAPHLAB_CC="/nonexistent/cc").returncode == 0
    assert log(checkout).count("-m pip install") == 1
    dev(checkout, "demo")
    assert log(checkout).count("-m pip install") == 2


def test_without_a_compiler_tests_stop_and_the_demo_runs(checkout: Path) -> None:
    stopped = dev(checkout, "test", GRAPHLAB_CC="/nonexistent/cc")
    assert stopped.returncode == 1
    assert len(stopped.stderr.splitlines()) == 1
    assert "apt-get install gcc" in stopped.stderr
    assert "pytest" not in log(checkout)
    shown = dev(checkout, "demo", GRAPHLAB_CC="/nonexistent/cc")
    assert shown.returncode == 0
    assert "NumPy" in shown.stderr
    assert "tools/demo.py" in log(checkout)


def test_without_python_one_line_says_so(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = dev(checkout, "demo")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "Python 3.11" in done.stderr


def test_without_dot_it_tries_once_and_uses_graphlabs_own_layout(checkout: Path) -> None:
    for _ in range(2):
        assert "graphlab's own" in dev(checkout, "test").stderr
    assert log(checkout).count("get_dot") == 1


def test_a_private_copy_of_dot_is_used(checkout: Path) -> None:
    private = checkout.parent / ".cache/graphlab/gv/bin"
    private.mkdir(parents=True)
    executable(private / "dot", "#!/bin/sh\n")
    assert f"graph layout: {private / 'dot'}" in dev(checkout, "test").stderr
    assert "get_dot" not in log(checkout)


def test_a_dot_on_the_path_comes_first(checkout: Path) -> None:
    executable(checkout.parent / "bin/dot", "#!/bin/sh\n")
    assert f"graph layout: {checkout.parent / 'bin/dot'}" in dev(checkout, "test").stderr


def test_clean_removes_what_the_others_made_and_nothing_else(checkout: Path) -> None:
    dev(checkout, "test")
    (checkout / "demo").mkdir()
    assert dev(checkout, "clean").returncode == 0
    left = {str(p.relative_to(checkout)) for p in checkout.rglob("*") if p.is_file()}
    assert left == {"dev", "log", "pyproject.toml", "setup.py", "csrc/gl.c", "tools/get_dot.sh"}


def test_the_scripts_are_executable() -> None:
    assert all(os.access(ROOT / name, os.X_OK) for name in ("dev", ".ci/run"))
