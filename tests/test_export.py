"""Functions as C without Python: the folder builds without a warning, runs cleanly, and gives the same results."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.codegen.paste import csrc, header
from graphlab.errors import GraphValueError
from graphlab.export.tables import blas

STRICT = "-Wall -Wextra -Werror"
CHECKED = f"{STRICT} -O0 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
Case = tuple[graphlab.Function, list[Any]]


def make(folder: Path, *targets: str, flags: str = STRICT) -> str:
    """What `make` says; the assertion shows it where it fails."""
    command = ["make", "-C", str(folder), "CC=gcc", f"CFLAGS={flags}", "BLAS=slow", *targets]
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "MAKEFLAGS": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def checked_runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects of the runtime under the sanitizers, built once."""
    x = T.dvector("x")
    folder = graphlab.function([x], x).export_c(tmp_path_factory.mktemp("runtime"))
    make(folder, *(f"runtime/{p.stem}.o" for p in (folder / "runtime").glob("*.c")), flags=CHECKED)
    return folder / "runtime"


@pytest.fixture
def checked(checked_runtime: Path) -> Callable[..., str]:
    """Builds targets in a folder under the sanitizers."""

    def build(folder: Path, *targets: str) -> str:
        for built in checked_runtime.glob("*.o"):
            shutil.copy(built, folder / "runtime")
        return make(folder, *targets, flags=CHECKED)

    return build


# ---- what is exported computes the same ----------------------------------------------------------


def training() -> Case:
    x, t = T.dmatrix("x"), T.lvector("t")
    w, b = graphlab.shared(np.linspace(-1, 1, 15).reshape(5, 3), "w"), graphlab.shared(np.zeros(3), "b")
    p = T.nnet.softmax(x @ w + b)
    cost = -T.log(p[T.arange(t.shape[0]), t]).mean()
    updates = {v: v - 0.1 * g for v, g in zip((w, b), T.grad(cost, [w, b]), strict=True)}
    return graphlab.function([x, t], cost, updates=updates), [np.arange(20.0).reshape(4, 5) / 10, [0, 2, 1, 1]]


def loop() -> Case:
    xs, w = T.dmatrix("xs"), T.dmatrix("w")
    out, _ = graphlab.scan(lambda x, h: T.tanh(w @ h + x), sequences=xs, outputs_info=T.zeros(3))
    return graphlab.function([xs, w], [out, T.grad(out.sum(), w)]), [np.ones((6, 3)), np.eye(3) / 2]


def single_loop() -> Case:
    xs = T.dvector("xs")
    out, _ = graphlab.scan(lambda x, h: T.tanh(h) * x, sequences=xs, outputs_info=T.constant(0.5))
    return graphlab.function([xs], out), [np.linspace(0, 2, 9)]


def branch() -> Case:
    c, x = T.bscalar("c"), T.dvector("x")
    return graphlab.function([c, x], graphlab.ifelse(c, T.exp(x), x[::-1])), [0, [1.0, 2.0, 3.0]]


def indices() -> Case:
    x, i = T.fmatrix("x"), T.lvector("i")
    outputs = [x[i], T.set_subtensor(x[i], 0), x.argmax(axis=1), T.cumsum(x, axis=0), T.concatenate([x, x]), x.T]
    return graphlab.function([x, i], outputs), [np.arange(12, dtype="float32").reshape(4, 3) % 5, [2, 0]]


def numbers() -> Case:
    x, z, k = T.dvector("x"), T.zvector("z"), T.ivector("k")
    outputs = [
        x > 0,
        k // 2 - 7,
        T.cast(k, "int64") + np.int64(-(2**63) + 5),
        z * z,
        T.cast(x, "float16"),
        T.cast(k, "uint8"),
        x.sum(),
        T.exp(x),
        x,
        x / 0,
    ]
    return graphlab.function([x, z, k], outputs), [[-1.0, np.nan, np.inf], [1 + 2j, -1j], [1, -5, 2**31 - 1]]


def products() -> Case:
    a, b = T.dtensor3("a"), T.fmatrix("b")
    v = T.dvector("v")
    outputs = [a @ a, a[0] @ v, v @ v, b @ b.T, v @ a[1], T.tanh(b @ b)]
    args = [np.arange(18.0).reshape(2, 3, 3), np.ones((70, 70), "float32"), [1.0, 2.0, 3.0]]
    return graphlab.function([a, b, v], outputs), args


def pooling() -> Case:
    x = T.tensor4("x")
    y = T.nnet.max_pool(x, 2)
    return graphlab.function([x], [y, T.grad(y.sum(), x)]), [np.arange(64.0).reshape(1, 1, 8, 8)]


def empty() -> Case:
    x, y = T.dmatrix("x"), T.dscalar("y")
    return graphlab.function([x, y], {"sum": x.sum(axis=0), "more": x + y}), [np.ones((0, 3)), 2.0]


def strided_and_deep() -> Case:
    x = T.dmatrix("x")
    return graphlab.function([x], (x.T[1:] * 2).reshape((-1,)) + T.constant(np.arange(6.0))), [np.ones((3, 3))]


CASES = [training, loop, single_loop, branch, indices, numbers, products, empty, strided_and_deep]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_recorded_results_come_out_again(case: Callable[[], Case], tmp_path: Path, checked: Any) -> None:
    f, args = case()
    before = [v.get_value() for v in f.updated]
    folder = f.export_c(tmp_path / "out", args=args, name=case.__name__)
    assert "results agree" in checked(folder, "test")
    for old, v in zip(before, f.updated, strict=True):
        np.testing.assert_array_equal(old, v.get_value())


def test_a_wrong_result_fails_the_test(tmp_path: Path, checked: Any) -> None:
    x = T.dvector("x")
    folder = graphlab.function([x], x + 1).export_c(tmp_path, args=[[1.0, 2.0]], name="f")
    path = folder / "f_test.c"
    assert "2.0, 3.0," in path.read_text()
    path.write_text(path.read_text().replace("2.0, 3.0,", "2.0, 3.5,"))
    with pytest.raises(AssertionError, match=r"number 1 is 3, not 3\.5"):
        checked(folder, "test")


def test_without_sanitizers_it_is_as_clean_and_the_library_gives_the_same_bits(tmp_path: Path) -> None:
    x = T.dvector("x")
    f, at = graphlab.function([x], T.exp(T.sin(x)) * (x @ x)), np.arange(-50.0, 51.0)[::-1]  # whose product is exact
    assert "results agree" in make(f.export_c(tmp_path, args=[at], name="f"), "all", "test")
    assert (tmp_path / "slow_blas.c").is_file()
    library = ctypes.CDLL(str(tmp_path / "libf.so"))

    class Array(ctypes.Structure):
        _fields_ = (("data", ctypes.c_void_p), ("shape", ctypes.c_int64 * 16), ("strides", ctypes.c_int64 * 16),
                    ("owner", ctypes.c_void_p))  # fmt: skip

    library.f_create.restype = ctypes.c_void_p
    given, found = Array(at.ctypes.data, (101,), (-8,), None), Array()
    context = ctypes.c_void_p(library.f_create())
    assert library.f_run(context, ctypes.byref(given), ctypes.byref(found)) == 0
    got = np.ctypeslib.as_array(ctypes.cast(found.data, ctypes.POINTER(ctypes.c_double)), (101,)).copy()
    np.testing.assert_array_equal(got, f(at))
    library.f_free(ctypes.byref(found))
    library.f_destroy(context)


CALLER = r"""
#include <stdio.h>
#include <string.h>
#include "step.h"

#define CHECK(condition) if (!(condition)) return printf("line %d: %s\n", __LINE__, step_error(one))

int main(void)
{
  step_context *one = step_create(), *two = step_create();
  double x[] = {1, 2, 3, 4, 5, 6}, y[] = {10, 20, 30}, half[] = {0.5};
  int64_t two_three[] = {2, 3}, one_three[] = {1, 3}, three_three[] = {3, 3};
  graphlab_array in[] = {step_array(x, 2, two_three, 8), step_array(x, 2, two_three, 8)}, out[2], state;

  CHECK(!step_run(one, in, out));
  CHECK(((double *)out[0].data)[5] == 36 && out[0].shape[0] == 2);
  step_free(&out[0]), step_free(&out[1]);
  in[1] = step_array(y, 2, one_three, 8); /* the general program */
  CHECK(!step_run(one, in, out));
  CHECK(((double *)out[0].data)[5] == 180);
  CHECK(out[1].shape[0] == 1 && ((double *)out[1].data)[2] == 9);
  step_free(&out[0]), step_free(&out[1]);

  in[1] = step_array(x, 2, three_three, 8);
  CHECK(step_run(one, in, out) && strstr(step_error(one), "do not broadcast"));
  CHECK(strstr(step_error(one), "multiply"));
  in[1] = step_array(x, 2, (int64_t[]){2, 2}, 8);
  CHECK(step_run(one, in, out) && strstr(step_error(one), "input 1: axis 1 has the extent 2, where 3 is declared"));
  in[1] = step_array(NULL, 2, two_three, 8);
  CHECK(step_run(one, in, out) && strstr(step_error(one), "no data"));

  CHECK(!step_get_state(one, 0, &state) && *(double *)state.data == 2); /* two runs that succeeded */
  step_free(&state);
  CHECK(!step_get_state(two, 0, &state) && *(double *)state.data == 0);
  step_free(&state);
  state = step_array(half, 0, NULL, 8);
  CHECK(!step_set_state(two, 0, &state));
  in[1] = in[0];
  CHECK(!step_run(two, in, out));
  step_free(&out[0]), step_free(&out[1]);
  CHECK(!step_get_state(two, 0, &state) && *(double *)state.data == 1.5);
  step_free(&state);
  CHECK(step_get_state(two, 1, &state) && strstr(step_error(two), "there is no state 1"));
  step_destroy(one), step_destroy(two), step_destroy(NULL);
  puts("all is well");
  return 0;
}
"""


def test_a_program_of_ones_own_calls_it(tmp_path: Path, checked: Any) -> None:
    x, y = T.dmatrix("x"), T.tensor("float64", (None, 3), name="y") if hasattr(T, "tensor") else T.dmatrix("y")
    calls = graphlab.shared(0.0, "calls")
    f = graphlab.function([x, y], [x * y, T.grad((x * y).sum(), y)], updates={calls: calls + 1})
    folder = f.export_c(tmp_path, name="step")
    assert not (folder / "step_test.c").exists()
    assert (folder / "step_general.c").is_file()
    checked(folder, "all")
    (folder / "caller.c").write_text(CALLER)
    objects = [str(p) for p in (*folder.glob("*.o"), *(folder / "runtime").glob("*.o"))]
    command = [
        "gcc",
        *CHECKED.split(),
        "-o",
        str(folder / "caller"),
        str(folder / "caller.c"),
        *objects,
        "-lm",
        "-pthread",
    ]
    subprocess.run(command, check=True)
    done = subprocess.run([str(folder / "caller")], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("all is well\n", 0), done.stdout + done.stderr


# ---- the folder ----------------------------------------------------------------------------------


def test_the_header_describes_the_function_and_names_are_only_text(tmp_path: Path) -> None:
    x, s = T.dmatrix("x */ #error"), graphlab.shared(np.float32(1), 'a "state"')
    folder = graphlab.function([x], [x.sum() * s], updates={s: s + 1}).export_c(tmp_path, name="total")
    text = (folder / "total.h").read_text()
    assert "input 0: float64[-,-]" in text
    assert "output 0: float64" in text
    assert "state 0: float32" in text
    assert "#error" not in text
    assert text.count("*/") == text.count("/*")
    assert "total_states = 1" in text


def test_the_folder_knows_no_python_and_every_runtime_file_is_in_it(tmp_path: Path) -> None:
    x = T.dvector("x")
    folder = graphlab.function([x], x).export_c(tmp_path)
    text = "".join(p.read_text() for p in folder.rglob("*.[ch]"))
    assert not re.search(r"#include [<\"](Python|numpy)", text)
    assert "@" not in "".join(re.findall(r"@[A-Z_]+@", text))
    bridge = {p.name for p in csrc().glob("gl_*.c") if re.search("gl_python.h|gl_random.h", p.read_text())}
    assert {p.name for p in (folder / "runtime").glob("*.c")} == {p.name for p in csrc().glob("gl_*.c")} - bridge


def test_the_slow_blas_has_every_routine_that_the_runtime_calls() -> None:
    slow = header("export/slow_blas.c")
    names = re.findall(r"(\w+_)\(", blas()[0])
    assert "dgemm_" in names
    assert set(names) <= set(re.findall(r"\w+_\b", slow))


# ---- what can't be exported ----------------------------------------------------------------------


def test_steps_of_python_are_refused_by_name_and_line(tmp_path: Path) -> None:
    x = T.dmatrix("x")
    with pytest.raises(GraphValueError, match=r"NumPy computes inv.*\n.*test_export\.py:\d+"):
        graphlab.function([x], T.linalg.inv(x) + 1).export_c(tmp_path / "a")
    with pytest.raises(GraphValueError, match=r"draws by NumPy.*\n.*test_export\.py:\d+"):
        graphlab.function([], graphlab.RandomStream(1).normal(size=(2,))).export_c(tmp_path / "b")
    with pytest.raises(GraphValueError, match=r"SciPy computes.*\n.*test_export\.py:\d+"):
        graphlab.function([x], T.gammaln(x) * T.psi(x)).export_c(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_names_and_modes_are_checked(tmp_path: Path) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x, name="my model")
    for name in ("int", "2x", "a b", "é", "x;"):
        with pytest.raises(GraphValueError, match="no name in C"):
            f.export_c(tmp_path, name=name)
    assert (f.export_c(tmp_path) / "function.h").is_file()
    with pytest.raises(GraphValueError, match="NumPy runs it"):
        graphlab.function([x], x, mode="interpret").export_c(tmp_path)
