"""Faults that no other file has: arguments that share memory, arrays that misbehave, disks with little room."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphMemoryError, GraphShapeError, GraphValueError

ROOT = Path(__file__).resolve().parents[1]

x, y, A, k = T.dvector("x"), T.dvector("y"), T.dmatrix("A"), T.lvector("k")


@pytest.mark.parametrize("size", [4, 100_000])
def test_arguments_may_be_the_memory_of_one_another_and_of_what_is_updated(size: int) -> None:
    w = graphlab.shared(np.arange(float(size)), name="w")
    f = graphlab.function([x, y], (x * y + w)[::-1], updates={w: w * 2.0 + x})
    for _ in range(3):
        held = w.get_value(borrow=True)
        before = held.copy()
        np.testing.assert_array_equal(f(held, held[::-1]), (before * before[::-1] + before)[::-1])
        np.testing.assert_array_equal(held, before)
        np.testing.assert_array_equal(w.get_value(), before * 3.0)
        w.set_value(held, borrow=True)
        buffer = np.arange(size + 1.0)
        w.set_value(buffer[1:], borrow=True)
        f(buffer[:-1], buffer[1:])
        np.testing.assert_array_equal(buffer, np.arange(size + 1.0))  # what was lent is never written


ODD = {
    "reversed": lambda a: a[::-1],
    "every other": lambda a: np.repeat(a, 2)[::2],
    "stretched": lambda a: np.broadcast_to(a[:1], a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), "u1")[1:].view(a.dtype),
    "overlapping": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (0,)),
    "a subclass": lambda a: a.view(type("Sub", (np.ndarray,), {})),
    "a list": lambda a: a.tolist(),
}


mixed = graphlab.function([x, k], [T.exp(x) + k, T.cumsum(x), T.sort(k), x.sum(), T.concatenate([k, k[::-1]])])


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("size", [0, 1, 7, 70_000])
def test_any_layout_gives_what_numpy_gives(odd: Any, size: int) -> None:
    a, b = np.linspace(-1.0, 1.0, size), np.arange(size) % 11 - 5
    given = odd(a), odd(b)
    u, v = (np.asarray(g, a.dtype if i == 0 else b.dtype) for i, g in enumerate(given))
    want = [np.exp(u) + v, np.cumsum(u), np.sort(v), u.sum(), np.concatenate([v, v[::-1]])]
    for got, expected in zip(mixed(*given), want, strict=True):
        assert type(got) is np.ndarray
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)


# ---- sizes ---------------------------------------------------------------------------------------

n, m = T.lscalars("n", "m")
HUGE = 2**40
SIZES: dict[str, tuple[Any, dict[Any, Any], type[Exception]]] = {
    "a product that overflows": (T.zeros((n, m)), {n: HUGE, m: HUGE}, GraphMemoryError),
    "one extent too large": (T.ones((n,)), {n: 2**62}, GraphMemoryError),
    "stretched": (T.broadcast_to(x, (n, m, 2)) + 1.0, {x: [1.0, 2.0], n: HUGE, m: HUGE}, GraphMemoryError),
    "range": (T.arange(n), {n: 2**50}, GraphMemoryError),
    "a matrix of ranges": (T.eye(n), {n: HUGE}, GraphMemoryError),
    "numbers": (graphlab.RandomStream(1).normal(size=(n, n)), {n: HUGE}, GraphMemoryError),
    "turns": (graphlab.scan(lambda s: s * 2, outputs_info=1.0, n_steps=n)[0], {n: 2**60}, GraphMemoryError),
    "fewer turns": (graphlab.scan(lambda s: s * 2, outputs_info=1.0, n_steps=n)[0], {n: 2**50}, GraphMemoryError),
    "an argument that repeats itself": (x + 1.0, {x: np.broadcast_to(1.0, 2**40)}, GraphMemoryError),
    "negative": (T.zeros((n,)), {n: -1}, GraphShapeError),
    "negative, reshaped": (x.reshape((n, 2)), {x: [1.0, 2.0], n: -7}, GraphValueError),
    "negative, stretched": (T.broadcast_to(x, (n, 2)), {x: [1.0, 2.0], n: -7}, GraphShapeError),
    "negative, repeated": (T.repeat(x, n), {x: [1.0, 2.0], n: -7}, GraphShapeError),
    "negative, turns": (graphlab.scan(lambda s: s * 2, outputs_info=1.0, n_steps=n)[0], {n: -1}, GraphValueError),
}  # fmt: skip


@pytest.mark.parametrize("what", SIZES)
def test_a_size_that_cant_be_is_an_error_at_once_with_the_line(what: str) -> None:
    result, values, error = SIZES[what]
    f = graphlab.function(list(values), result)
    with pytest.raises(error) as caught:
        f(*values.values())
    assert isinstance(caught.value, (MemoryError, ValueError))
    assert caught.value.origin is not None
    assert caught.value.origin.file == __file__


# ---- text that would do harm ---------------------------------------------------------------------

HOSTILE = ["*/ #error", '"\n#include <x>', "??/\n", "%n%s", "\0\\", "</script>", "../../x", "e" * 5000, "\u202egnp.exe"]


def spelled(names: list[str]) -> graphlab.Function:
    """A function all of whose names are these: of inputs, shared and other variables, scopes, a function, its text."""
    inputs = [T.dvector(name) for name in names]
    state = graphlab.shared(np.zeros(3), name=names[0])

    def stated(v: Any) -> Any:
        return T.tanh(v)

    stated.__name__ = stated.__qualname__ = names[1]
    stated.__doc__ = names[0]
    with graphlab.name_scope("/".join(filter(None, names[2].split("/")))):
        total = graphlab.symbolic(stated)(sum(inputs[1:], inputs[0]) * state)
        total.name = names[3]
        loop, _ = graphlab.scan(lambda v: T.exp(v), sequences=total, name=names[4])
    return graphlab.function(inputs, loop.sum(), updates={state: state + total}, name=names[5])


def test_hostile_text_changes_no_byte_of_the_c_and_names_no_file(tmp_path: Path) -> None:
    f, plain = spelled(HOSTILE), spelled([f"v{k}" for k in range(len(HOSTILE))])
    assert f.machine is not None
    assert f.c_source == plain.c_source != ""
    f.export_c(tmp_path / "made" / "c")
    assert {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")} == {"made"}
    for path in (p for p in (tmp_path / "made").rglob("*") if p.is_file()):
        assert re.fullmatch(r"[\w.]+", path.name)
        assert not re.search(r"^\s*#\s*(error|include <x>)", path.read_text(), re.MULTILINE), path.name
    np.testing.assert_array_equal(f(*[[0.5] * 3] * len(HOSTILE)), plain(*[[0.5] * 3] * len(HOSTILE)))


# ---- disks with little room ----------------------------------------------------------------------

LITTLE_ROOM = """
import resource, sys, warnings
import numpy as np, graphlab, graphlab.tensor as T
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
x = T.dvector("x")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    f = graphlab.function([x], T.exp(x) * 2)
    np.testing.assert_allclose(f([0.0, 1.0]), 2 * np.exp([0.0, 1.0]))
assert len(told) <= 2, told  # the cache was tried, and a temporary folder
assert f.machine is None
print(told[-1].message)
"""


@pytest.mark.parametrize("room", [0, 1000, 12_000])
def test_where_files_cant_grow_numpy_computes_and_a_warning_says_why(room: int, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, str(room)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GRAPHLAB_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "graphlab runs on NumPy" in done.stdout
    assert not list(cache.glob("*.so"))
    assert not list(cache.glob("tmp-*"))


MOUNTED = """
import os, sys, warnings
import numpy as np, graphlab, graphlab.tensor as T
x = T.dvector("x")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    made = [graphlab.function([x], T.exp(x) * k) for k in (2, 3, 2)]
    for f, k in zip(made, (2, 3, 2)):
        np.testing.assert_allclose(f([0.0, 1.0]), k * np.exp([0.0, 1.0]))
print([f.machine is not None for f in made])
print(*[str(w.message).splitlines()[0] for w in told], sep="\\n")
"""


def mounted(folder: Path, options: str, both: bool) -> list[str]:
    """What MOUNTED says where a file system of its own is the cache, and, if `both`, holds temporary files too."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare, which makes file systems of one's own")
    cache, temporary = folder / "mounted" / "cache", folder / ("mounted/tmp" if both else "tmp")
    (folder / "mounted").mkdir()
    script = (
        f'mount -t tmpfs -o mode=0700,{options} none "{folder}/mounted" || exit 42; '
        f'mkdir -p "{temporary}"; "$0" -c "$1"; status=$?; ls "{cache}"/*.so "{cache}"/tmp-* 2>/dev/null; exit $status'
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, MOUNTED],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "GRAPHLAB_CACHE_DIR": str(cache),
             "TMPDIR": str(temporary)},
    )  # fmt: skip
    if done.returncode == 42 or "unshare" in done.stderr:
        pytest.skip(f"this user may mount nothing here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("size", ["4k", "20k"])  # no room for anything, or for half of what is to be written
def test_a_disk_that_is_really_full_is_worked_around_with_one_warning(size: str, tmp_path: Path) -> None:
    compiled, *rest = mounted(tmp_path, f"size={size}", both=False)
    told = [line for line in rest if not line.startswith(str(tmp_path))]
    assert compiled == "[True, True, True]"
    assert len(told) == 1, rest
    assert "No space left on device" in told[0]


def test_where_no_disk_has_room_numpy_computes(tmp_path: Path) -> None:
    compiled, *told = mounted(tmp_path, "size=8k", both=True)
    assert compiled == "[False, False, False]"
    assert len(told) == 2, told
    assert "runs on NumPy" in told[1]


@pytest.mark.parametrize("both", [False, True])
def test_a_disk_where_nothing_may_be_executed_is_worked_around(both: bool, tmp_path: Path) -> None:
    compiled, *rest = mounted(tmp_path, "noexec,size=1m", both)
    told = [line for line in rest if not line.startswith(str(tmp_path))]
    assert compiled == ("[False, False, False]" if both else "[True, True, True]")
    assert "nothing there may be executed" in told[0]
    assert len(told) == 1 + both, told
    assert not both or "runs on NumPy" in told[1]
