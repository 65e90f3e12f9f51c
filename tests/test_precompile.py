"""Compiled ahead of time: what a later process builds is found in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.__main__ import main
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.graph.types import TensorType
from graphlab.options import using

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with using(cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache"


def test_a_python_function_is_compiled_for_each_signature(folder: Path) -> None:
    def f(x: T.TensorVariable, y: T.TensorVariable) -> T.TensorVariable:
        return T.exp(x) + y

    given = (["float64[?]", TensorType("float64", (3,))], [T.fmatrix(), np.ones((2, 2), "float32")])
    first = graphlab.precompile(f, *given)
    assert {p.function for p in first.programs} == {"f(float64[?], float64[3])", "f(float32[?,?], float32[?,?])"}
    assert {p.key for p in first.programs} == {path.stem for path in folder.glob("*.so")}
    again = graphlab.precompile(f, *given)
    assert [p.key for p in again.programs] == [p.key for p in first.programs]
    assert all(p.cached and p.bytes > 0 for p in again.programs)
    assert "was there" in str(again)


def test_a_function_gets_its_general_program_too(folder: Path) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = graphlab.function([x, y], T.grad((x * y).sum(), [x, y]), name="slope")
    found = graphlab.precompile(f)
    assert [(p.function, p.general, p.cached) for p in found.programs] == [
        ("slope", False, True),
        ("slope", True, False),
    ]
    built = []
    with graphlab.graph.events.listen(built.append):
        f(np.ones((4, 3)), np.ones((1, 3)))
    assert [e.cached for e in built if hasattr(e, "cached")] == [True]


def test_the_same_function_in_another_process_needs_no_compiler(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text(
        "import graphlab, graphlab.tensor as T\n"
        "x = T.dvector('x')\n"
        "f = graphlab.function([x], T.tanh(x).sum(), name='f')\n"
        "if __name__ == '__main__':\n"
        "    print(f.trace.build.cached, f([0.0]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GRAPHLAB_CACHE_DIR": str(folder)}
    ahead = [sys.executable, "-m", "graphlab", "precompile", str(script)]
    first = subprocess.run(ahead, env=env, capture_output=True, text=True, check=True).stdout
    assert first.startswith("f: ")
    assert "1 compiled now, 0 found" in first
    assert (
        "0 compiled now, 1 found" in subprocess.run(ahead, env=env, capture_output=True, text=True, check=True).stdout
    )
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0.0"]


def test_the_command_takes_a_name_a_variable_and_types(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (in_tmp_path / "model.py").write_text(
        "import graphlab, graphlab.tensor as T\n"
        "x = T.dvector('x')\ny = x + 1\ndef twice(a): return a * 2\n"
        "def built_inside():\n    return graphlab.function([x], x - 1)\ninside = [built_inside()]\n"
    )
    assert main(["precompile", "model.py:y"]) == 0
    assert capsys.readouterr().out.startswith("y: ")
    assert main(["precompile", "model.py:twice", "--types", "float32[?]"]) == 0
    assert capsys.readouterr().out.startswith("twice(float32[?]): ")
    assert main(["precompile", "model.py"]) == 0
    assert "1 more that the script builds" in capsys.readouterr().out
    assert main(["precompile", "model.py:nothing"]) == 1
    assert "has no nothing" in capsys.readouterr().err
    assert main(["precompile", "missing.py"]) == 1


def test_what_is_no_type_or_has_no_program_is_an_error() -> None:
    with pytest.raises(GraphTypeError, match=r"float99.*\n.*\n?.*float64\[\?,3\]"):
        graphlab.precompile(lambda x: x, ["float99[?]"])
    with pytest.raises(GraphTypeError, match="sequence of types"):
        graphlab.precompile(lambda x: x, "float64[?]")
    with pytest.raises(GraphTypeError, match="signatures"):
        graphlab.precompile(lambda x: x)
    x = T.dvector("x")
    with pytest.raises(GraphValueError, match="NumPy runs it"):
        graphlab.precompile(graphlab.function([x], x, mode="interpret"))
