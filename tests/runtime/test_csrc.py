"""The C half itself: clean under strict warnings, and found wherever graphlab is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from graphlab.runtime import native
from graphlab.runtime.native import StepFailed, csrc

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "csrc").glob("*.c"))
STRICT = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DPy_LIMITED_API=0x030b0000"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_the_runtime_compiles_without_a_warning(path: Path) -> None:
    system = [f"-isystem{sysconfig.get_paths()['include']}", f"-isystem{np.get_include()}"]
    done = subprocess.run(["gcc", *STRICT, *system, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_header_that_every_program_begins_with_needs_nothing_else() -> None:
    assert "#include" not in (csrc() / "gl_abi.h").read_text()


def test_only_the_bridge_knows_python() -> None:
    bridge = {
        "gl_activation.c", "gl_callable.c", "gl_code.c", "gl_frame.c", "gl_host.c", "gl_looks.c", "gl_module.c",
        "gl_operands.c", "gl_output.c",
    }  # fmt: skip
    assert {p.name for p in SOURCES if "gl_python.h" in p.read_text()} == bridge
    assert "Python.h" not in "".join(p.read_text() for p in SOURCES)


def test_the_extension_was_built_for_these_headers() -> None:
    assert native.MISSING == ""
    assert {"Callable", "Code", "Frame"} <= set(native.NAMES)


def test_an_extension_that_is_older_than_its_header_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gl_abi.h").write_text((csrc() / "gl_abi.h").read_text() + "\n")
    monkeypatch.setattr(native, "csrc", lambda: tmp_path)
    names, missing = native._load()
    assert names == {}
    assert "older than csrc/gl_abi.h" in missing


def test_a_failure_says_what_happened() -> None:
    assert str(StepFailed(2, "index", (0, 5, 3))) == "step 2: on axis 0 the index 5 is out of range for the extent 3"
    assert str(StepFailed(2, "unknown", ())) == "step 2: unknown"


WITHOUT = """
import sys, warnings
sys.modules["graphlab._rt"] = None
warnings.simplefilter("error", ImportWarning)
from graphlab.runtime.program import Callable, Machine, available
from graphlab.errors import CompilerError
assert not available()
f = Callable()
f._bind_slow(lambda *args: args)
assert f(1, 2) == (1, 2)
from tests.runtime.programs import adder
try:
    adder()
except CompilerError as error:
    print(error)
"""


def test_without_the_extension_programs_are_refused_and_callables_work() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", WITHOUT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "C runtime was not built when graphlab was installed" in done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what setup.py needs, so that building leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("build") / "copy"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("csrc", "graphlab"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def build_package(copy: Path, **environment: str) -> set[str]:
    """What a wheel would carry, as paths below the package."""
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", "out"]
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package = copy / "out" / "graphlab"
    return {str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()}


def test_a_package_carries_the_extension_and_all_c_that_is_written_out(copy: Path) -> None:
    files = build_package(copy, CFLAGS="-O0")
    assert {
        "_rt.abi3.so",
        "csrc/gl_abi.h",
        "csrc/gl_math.h",
        "csrc/gl_simd.h",
        "csrc/gl_strip.h",
        "csrc/gl_waves.h",
        "csrc/gl_normal.h",
    } <= files
    assert "runtime/program.py" in files
    written = [*(ROOT / "csrc").glob("gl_*.[ch]"), *(ROOT / "csrc" / "export").iterdir()]
    assert {str(path.relative_to(ROOT)) for path in written} <= files
    static = {str(p.relative_to(ROOT / "graphlab")) for p in (ROOT / "graphlab/viz/static").glob("*.[jc]s*")}
    assert static <= files


def test_graphlab_installs_without_a_c_compiler(copy: Path) -> None:
    shutil.rmtree(copy / "out", ignore_errors=True)
    shutil.rmtree(copy / "build", ignore_errors=True)
    files = build_package(copy, CC="no-such-compiler")
    assert "csrc/gl_abi.h" in files
    assert not [name for name in files if name.endswith(".so")]
