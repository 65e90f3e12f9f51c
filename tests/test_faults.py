"""Faults that no other file has: arguments that share memory, arrays that misbehave, disks with little room."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T

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


@pytest.mark.parametrize("room", [0, 1000])
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
