"""Threads: with any number of them results have the same bits; forks, signals and other threads do no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.codegen.paste import csrc
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.runtime.threads import default_threads, quota, threads_use

ROOT = Path(__file__).resolve().parents[2]
GCC = ["gcc", "-std=gnu11", "-g", "-O1", f"-I{csrc()}", "-pthread"]
FILES = [str(ROOT / "tests" / "runtime" / "pool.c"), str(csrc() / "gl_pool.c")]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = graphlab.num_threads()
    yield
    graphlab.set_num_threads(before)


# ---- the pool by itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("sanitizer", ["none", "address,undefined", "thread"])
def test_regions_nested_at_once_resized_and_over_forks(sanitizer: str, tmp_path: Path) -> None:
    program = str(tmp_path / "pool")
    flags = [] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]
    built = subprocess.run([*GCC, *flags, *FILES, "-o", program], check=False)
    if built.returncode and flags:
        pytest.skip("gcc has no such sanitizer here")
    assert built.returncode == 0
    only = ["no threads after forks"] if sanitizer == "thread" else []  # this sanitizer knows none
    done = subprocess.run([program, *only], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_the_system_gives_no_thread_the_caller_does_the_work(tmp_path: Path) -> None:
    program = str(tmp_path / "pool")
    subprocess.run([*GCC, *FILES, "-o", program], check=True)
    done = subprocess.run([program, "refused"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- how many there are ----------------------------------------------------------------------------


def test_the_number_of_threads_is_what_was_said() -> None:
    graphlab.set_num_threads(3)
    assert graphlab.num_threads() == 3
    with pytest.raises(GraphValueError, match="at least 1, not 0"):
        graphlab.set_num_threads(0)
    with pytest.raises(GraphTypeError, match="not float"):
        graphlab.set_num_threads(2.0)  # type: ignore[arg-type]
    assert graphlab.num_threads() == 3


def test_the_environment_says_how_many_there_are_at_first() -> None:
    assert default_threads({"GRAPHLAB_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}) == 3
    assert default_threads({"OMP_NUM_THREADS": "5, 2"}) == 5
    with pytest.warns(RuntimeWarning, match="GRAPHLAB_NUM_THREADS=many"):
        assert default_threads({"GRAPHLAB_NUM_THREADS": "many", "OMP_NUM_THREADS": "4"}) == 4
    assert default_threads({}) <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 256),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 256),
        ({}, 256),
    ],
)
def test_a_control_group_may_give_less(files: dict[str, str], processors: int, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert quota(tmp_path) == processors


def test_no_more_threads_help_than_were_wanted() -> None:
    f, x = graphlab.function([v := T.dvector("v")], T.exp(v)), np.linspace(0, 1, 200_000)
    for threads in (4, 2, 3, 1):
        graphlab.set_num_threads(threads)
        f(x)
        assert threads_use().helpers == threads - 1 or threads == 1


# ---- the same bits ---------------------------------------------------------------------------------


def squashed(v: Any) -> Any:
    """Elements that await a sum of all, are written, and are summed again."""
    v = v / (1 + abs(v).mean())
    return [v, (v * v).sum(), (v * v).max()]


# Functions of a matrix m, a row r and a column c, and NumPy's or our own word for what they mean.
MAKE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "elements": lambda m, r, c: m * r + T.exp(-m) / (1 + c * c),
    "waves": lambda m, r, c: T.sin(1e3 * m) + T.cos(1e9 * r),
    "two results": lambda m, r, c: [m + r, T.tanh(m)],
    "sum": lambda m, r, c: m.sum(),
    "mean of squares": lambda m, r, c: T.sqrt(((m - r) ** 2).mean()),
    "sum, largest, product": lambda m, r, c: [m.sum(), m.max(), (1 + m * 1e-3).prod()],
    "rows": lambda m, r, c: (m * r).sum(axis=1),
    "columns": lambda m, r, c: (m * c).sum(axis=0),
    "columns' spread": lambda m, r, c: ((m - r) ** 2).mean(axis=0) + 1,
    "softmax": lambda m, r, c: T.softmax(m, axis=1),
    "softmax of columns": lambda m, r, c: T.softmax(m, axis=0),
    "logsumexp": lambda m, r, c: T.logsumexp(m, axis=1),
    "layer norm": lambda m, r, c: (m - m.mean(1, keepdims=True)) / T.sqrt(m.var(1, keepdims=True) + 1e-5) * r,
    "outer": lambda m, r, c: (c * r + m).sum(axis=0),
    "whole and parts": lambda m, r, c: [m.max(), m.sum(axis=0), m.sum(axis=1)],
    "sum of what is written": lambda m, r, c: squashed(m * r),
    "spread": lambda m, r, c: [m.std(), ((m - r) ** 2).var()],
    "copies": lambda m, r, c: [T.concatenate([m, m[::-1]], axis=0), T.set_subtensor(m[::2], 0), T.zeros_like(m)],
}


@cache
def function(name: str, dtype: str) -> Any:
    m, r, c = T.matrix("m", dtype), T.matrix("r", dtype), T.matrix("c", dtype)
    return graphlab.function([m, r, c], MAKE[name](m, r, c), on_unused_input="ignore")


def laid_out(array: Any, layout: str) -> Any:
    """The same elements in other places."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "every second":
        wide = np.zeros((array.shape[0], 2 * array.shape[1]), array.dtype)
        wide[:, ::2] = array
        return wide[:, ::2]
    if layout == "backwards":
        return np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    return array


SHAPES = st.one_of(
    st.tuples(st.integers(1, 5), st.integers(30_000, 120_000)),
    st.tuples(st.integers(30_000, 120_000), st.integers(1, 5)),
    st.tuples(st.integers(200, 400), st.integers(200, 400)),
    st.sampled_from(
        [(1, 512 * 256), (128, 1024), (1, 512 * 257 + 1), (64, 2048), (513, 511), (4000, 67), (67, 4000), (5000, 9)]
    ),
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(MAKE)), shape=SHAPES, seed=st.integers(0, 2**32 - 1),
    layout=st.sampled_from(["C", "F", "every second", "backwards"]),
)  # fmt: skip
def test_any_number_of_threads_gives_the_same_bits(
    dtype: str, name: str, shape: tuple[int, int], seed: int, layout: str
) -> None:
    rng, f = np.random.default_rng(seed), function(name, dtype)
    m = laid_out(rng.standard_normal(shape).astype(dtype), layout)
    r, c = (rng.standard_normal(s).astype(dtype) for s in ((1, shape[1]), (shape[0], 1)))
    results = []
    for threads in (1, 2, 3, 8):
        graphlab.set_num_threads(threads)
        found = f(m, r, c)
        results.append([np.asarray(v).tobytes() for v in (found if isinstance(found, list) else [found])])
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_share_it_and_it_is_what_numpy_says(name: str, dtype: str) -> None:
    rng, f = np.random.default_rng(7), function(name, dtype)
    m, r, c = (rng.standard_normal(s).astype(dtype) for s in ((400, 700), (1, 700), (400, 1)))
    graphlab.set_num_threads(3)
    before = threads_use().shared
    found = f(m, r, c)
    assert threads_use().shared > before
    want = graphlab.interpret(f.graph, [m, r, c])
    for a, b in zip(found if isinstance(found, list) else [found], want, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3 if dtype == "float32" else 1e-10, atol=1e-4)


def test_what_is_folded_and_written_is_one_region_for_all_threads() -> None:
    x = T.dvector("x")
    y = T.exp(x) * (1 + x.sum())
    f, value = graphlab.function([x], [y, y.sum()]), np.random.default_rng(3).standard_normal(300_001)
    assert [[n.op.name for n in k.nodes] for k in f.lowered.kernels] == [["sum"], ["exp", "add", "multiply", "sum"]]
    graphlab.set_num_threads(3)
    f(value)
    before = threads_use()
    found, total = f(value)
    assert threads_use().shared - before.shared == 2
    np.testing.assert_allclose(found, np.exp(value) * (1 + value.sum()), rtol=1e-12)
    np.testing.assert_allclose(total, found.sum(), rtol=1e-14)


@pytest.mark.parametrize(
    ("shape", "axis", "shared"),
    [((1000, 200), 0, True), ((1000, 200), 1, True), ((1, 200_000), 1, True), ((100, 100), 0, False)],
)
def test_long_copies_are_shared(shape: tuple[int, int], axis: int, shared: bool) -> None:
    m = T.dmatrix("m")
    f, value = graphlab.function([m], T.concatenate([m, m], axis=axis)), np.random.default_rng(1).standard_normal(shape)
    for layout in ("C", "F", "every second", "backwards"):
        for threads in (1, 3):
            graphlab.set_num_threads(threads)
            before = threads_use().shared
            np.testing.assert_array_equal(f(laid_out(value, layout)), np.concatenate([value, value], axis))
            assert (threads_use().shared > before) == (shared and threads > 1)


@given(sizes=st.tuples(*[st.integers(1, 10)] * 3), axis=st.sampled_from([None, 0, 1, 2, (0, 2), (1, 2)]))
@settings(max_examples=40, deadline=None)
def test_sums_over_any_axes_of_three_have_the_same_bits(sizes: tuple[int, int, int], axis: Any) -> None:
    x = np.random.default_rng(1).standard_normal((sizes[0], 40 * sizes[1], 40 * sizes[2]))[:, ::1, ::2]
    f = summed(axis)
    results = []
    for threads in (1, 2, 8):
        graphlab.set_num_threads(threads)
        results.append(f(x).tobytes())
    assert results[1:] == results[:1] * 2
    np.testing.assert_allclose(f(x), np.exp(x).sum(axis), rtol=1e-11)


# The rows of these have 3, 1172, 196, 2, 5 and 8 blocks: few are a power of two.
@pytest.mark.parametrize("shape", [(1000, 1500), (3, 600_000), (7, 100_001), (999, 513), (64, 2560), (129, 3585)])
def test_a_fold_of_all_broadcast_rows_is_shared_and_has_the_same_bits(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    m, r, c = (rng.standard_normal(s) for s in (shape, shape[1], (shape[0], 1)))
    f, results = all_folded(), []
    for threads in (1, 2, 3, 8):
        graphlab.set_num_threads(threads)
        before = threads_use().shared
        results.append([v.tobytes() for v in f(m, r, c)])
        assert threads == 1 or threads_use().shared > before
    assert results[1:] == results[:1] * 3
    want = [np.exp(m + r).sum(), (m * r).max(), (m * r + c).mean()]
    np.testing.assert_allclose(f(m, r, c), want, rtol=1e-10)


@cache
def all_folded() -> Any:
    m, r, c = T.dmatrix("m"), T.dvector("r"), T.dmatrix("c")
    return graphlab.function([m, r, c], [T.exp(m + r).sum(), (m * r).max(), (m * r + c).mean()])


@cache
def summed(axis: Any) -> Any:
    x = T.tensor3("x")
    return graphlab.function([x], T.exp(x).sum(axis))


@pytest.mark.parametrize("kind", ["zeros", "empty", "nan"])
def test_signs_of_zero_nan_and_nothing_stay_as_they_are(kind: str) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], [x.sum(), x.max(), x.mean()] if kind != "empty" else [x.sum(), (1 + x).prod()])
    value = {"zeros": np.full(200_001, -0.0), "empty": np.zeros(0), "nan": np.zeros(200_000)}[kind]
    if kind == "nan":
        value[150_000] = np.nan
    results = []
    for threads in (1, 2, 8):
        graphlab.set_num_threads(threads)
        results.append([(float(v), bool(np.signbit(v))) for v in f(value)])
    assert str(results[1:]) == str(results[:1] * 2)
    assert kind != "nan" or all(np.isnan(v) for v, _ in results[0])


def test_functions_of_scipy_s_are_shared_too() -> None:
    from scipy import special

    x, value = T.dvector("x"), np.linspace(0.1, 5, 30_000)
    f = graphlab.function([x], T.erfinv(x / 6))
    graphlab.set_num_threads(2)
    before = threads_use().shared
    np.testing.assert_allclose(f(value), special.erfinv(value / 6), rtol=1e-12)
    assert threads_use().shared > before


# ---- others ----------------------------------------------------------------------------------------


def test_several_threads_of_python_s_call_at_once() -> None:
    graphlab.set_num_threads(4)
    functions = [function(name, "float64") for name in ("sum", "softmax", "elements", "columns")]
    rng = np.random.default_rng(3)
    arguments = [[rng.standard_normal(s) for s in ((300, 400 + k), (1, 400 + k), (300, 1))] for k in range(8)]
    want = [[f(*a).tobytes() for f in functions] for a in arguments]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            if [f(*arguments[k]).tobytes() for f in functions] != want[k]:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_fork_after_fork_goes_on() -> None:
    graphlab.set_num_threads(3)
    f, x = graphlab.function([v := T.dvector("v")], T.exp(v)), np.linspace(0, 1, 200_000)
    want = f(x).tobytes()
    for _ in range(50):
        if (child := os.fork()) == 0:
            fine = threads_use().helpers == 0 and f(x).tobytes() == want and threads_use().helpers == 2
            os._exit(0 if fine else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert f(x).tobytes() == want


LONG = """
import sys, time
import numpy as np
import graphlab, graphlab.tensor as T

x, total = T.dvector("x"), graphlab.shared(np.zeros(3))
def long(v):
    for _ in range(12):
        v = T.sin(T.exp(T.tanh(v)) + T.log1p(v * v))
    return v
made = {
    "elements": lambda: graphlab.function([x], long(x)),
    "sum": lambda: graphlab.function([x], long(x).sum()),
    "spread": lambda: graphlab.function([x], (long(x) - x.mean()).var()),
    "updates": lambda: graphlab.function([x], long(x).sum(), updates={total: total + 1}),
}[sys.argv[1]]()
graphlab.set_num_threads(int(sys.argv[2]))
made(np.ones(1000))
value = np.linspace(0, 1, 20_000_000)
print("ready", flush=True)
try:
    made(value)
except KeyboardInterrupt:
    print("stopped", total.get_value())
    made(np.ones(1000))
    print("again", total.get_value())
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("what", ["elements", "sum", "spread", "updates"])
def test_the_user_may_stop_a_long_kernel(what: str, threads: int) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", LONG, what, str(threads)], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().splitlines()
    done = int(what == "updates")
    assert lines == [f"stopped [{done}. {done}. {done}.]", f"again [{2 * done}. {2 * done}. {2 * done}.]"]
    assert process.returncode == 0
