"""Large arrays use memory again that others gave back; never does that show but in the time it takes."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name  # type: ignore[attr-defined]

import graphlab
import graphlab.tensor as T
from graphlab.runtime.memory import MemoryUse, memory_use
from graphlab.runtime.native import csrc
from tests.runtime.programs import adder, call, machine

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
CALLS = 16  # between two looks for what nobody wants
GCC = ["gcc", "-g", "-O1", "-std=gnu11", "-Wall", "-Werror", f"-I{csrc()}", "-pthread"]
SOURCE = str(csrc() / "gl_memory.c")


# ---- the rules, on an instance of its own ----------------------------------------------------------


class Memory:
    """gl_memory.c as a library with nothing in it yet."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        for name in ("gl_memory_new", "gl_memory_resized"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self.library.gl_memory_release.restype = ctypes.c_size_t
        self.library.gl_memory_used.restype = type("Use", (ctypes.Structure,), {
            "_fields_": [(name, ctypes.c_size_t) for name in MemoryUse._fields]})  # fmt: skip

    def new(self, mib: float) -> int | None:
        address: int | None = self.library.gl_memory_new(ctypes.c_size_t(int(mib * MIB)))
        return address

    def drop(self, *addresses: int | None) -> None:
        for address in addresses:
            self.library.gl_memory_drop(ctypes.c_void_p(address))

    def rest(self) -> None:
        for _ in range(CALLS):
            self.library.gl_memory_rest()

    def use(self) -> tuple[int, int, int]:
        """In whole MiB: in use, kept, the most that were in use at once."""
        use = self.library.gl_memory_used()
        return use.in_use // MIB, use.kept // MIB, use.most // MIB


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "memory.so"
    subprocess.run([*GCC, "-shared", "-fPIC", SOURCE, "-o", str(path)], check=True)
    return path


@pytest.fixture
def memory(library: Path, tmp_path: Path) -> Memory:
    return Memory(Path(shutil.copy(library, tmp_path)))


def test_what_was_dropped_is_used_again(memory: Memory) -> None:
    first = memory.new(3)
    assert memory.use() == (3, 0, 3)
    memory.drop(first)
    assert memory.use() == (0, 3, 3)
    assert memory.new(3) == first
    assert memory.use() == (3, 0, 3)


def test_the_tightest_piece_is_taken_that_is_less_than_twice_as_large(memory: Memory) -> None:
    pieces = [memory.new(mib) for mib in (4, 3, 8)]
    memory.drop(*pieces)
    assert memory.new(2.5) == pieces[1]
    assert memory.new(3) == pieces[0]
    assert memory.new(3) not in pieces  # 8 would be too much


def test_large_arrays_begin_with_a_page(memory: Memory) -> None:
    pieces = [memory.new(mib) for mib in (0.125, 1.00001, 3)]
    assert [address is not None and address % 4096 for address in pieces] == [0, 0, 0]
    large = graphlab.function([x := T.dvector("x")], x * 2)(np.arange(20_000.0))
    assert large.ctypes.data % 4096 == 0
    np.testing.assert_array_equal(large, np.arange(0.0, 40_000.0, 2.0))
    small = memory.library.gl_memory_resized(ctypes.c_void_p(pieces[2]), ctypes.c_size_t(100))
    memory.drop(*pieces[:2], small)
    assert memory.use()[0] == 0
    assert memory.library.gl_memory_release() > 4 * MIB


def test_what_is_kept_makes_the_process_no_larger_by_more_than_an_eighth(memory: Memory) -> None:
    memory.drop(memory.new(8))
    small = memory.new(3)
    assert memory.use() == (3, 0, 8)
    more = memory.new(3)
    memory.drop(small)
    assert memory.use() == (3, 3, 8)
    memory.drop(more)
    memory.new(1), memory.new(1)
    assert memory.use() == (2, 6, 8)
    memory.new(1)
    assert memory.use() == (3, 3, 8)


def test_a_call_with_small_arrays_before_a_large_one_finds_all_of_them_again(memory: Memory) -> None:
    turns = []
    for _ in range(3):
        first, second = memory.new(1), memory.new(1)
        memory.drop(first)
        large = memory.new(12)
        memory.drop(second, large)
        turns.append(({first, second}, large))
    assert turns == [turns[0]] * 3
    assert memory.use() == (0, 14, 13)


def test_at_most_so_much_is_kept(memory: Memory) -> None:
    pieces = [memory.new(100) for _ in range(3)]
    memory.drop(*pieces)
    assert memory.use() == (0, 200, 300)  # the oldest went
    assert {memory.new(100), memory.new(100)} == set(pieces[1:])
    memory.drop(memory.new(300))
    assert memory.use()[1] == 0  # this one was never kept
    memory.drop(*[memory.new(1) for _ in range(200)])
    assert memory.use()[1] == 128


def test_what_nobody_wants_for_a_second_is_given_up(memory: Memory) -> None:
    memory.drop(memory.new(5))
    memory.rest()
    assert memory.use()[1] == 5
    time.sleep(1.1)
    memory.drop(memory.new(2))
    memory.rest()
    assert memory.use() == (0, 2, 5)
    assert memory.library.gl_memory_release() >= 2 * MIB
    assert memory.use() == (0, 0, 5)


def test_what_the_system_refuses_does_not_count(memory: Memory) -> None:
    memory.drop(memory.new(5))
    assert memory.library.gl_memory_new(ctypes.c_size_t(1 << 61)) is None
    assert memory.library.gl_memory_new(ctypes.c_size_t(2**64 - 1)) is None
    assert memory.use()[::2] == (0, 5)


def test_memory_moves_with_what_is_in_it(memory: Memory) -> None:
    address = memory.new(0.001)
    assert address
    ctypes.memset(address, 7, 1000)
    for mib in (2, 3, 0.001, 5):
        address = memory.library.gl_memory_resized(ctypes.c_void_p(address), ctypes.c_size_t(int(mib * MIB)))
        assert address
        assert address % 64 == 0
        assert ctypes.string_at(address, 1000) == b"\7" * 1000
    memory.drop(address, None)
    assert memory.use()[0] == 0


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_threads_and_forks_under_a_sanitizer(sanitizer: str, tmp_path: Path) -> None:
    program = tmp_path / "memory"
    driver = str(ROOT / "tests" / "runtime" / "memory.c")
    built = subprocess.run([*GCC, f"-fsanitize={sanitizer}", driver, SOURCE, "-o", str(program)], check=False)
    if built.returncode:
        pytest.skip("gcc has no such sanitizer here")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if sanitizer != "thread":
        done = subprocess.run([program, "wrong"], capture_output=True, text=True, check=False)
        assert "use-after-poison" in done.stderr


# ---- functions and their results -------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()
    graphlab.release_memory()
    yield
    gc.collect()


COPIES = ([("float64", 1)] * 3, [0], [1], [call("copy", [2, 0]), call("copy", [1, 2])])


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_many_calls_take_no_more_memory_than_one() -> None:
    made, x = machine(*COPIES), np.arange(MIB / 8)
    for _ in range(10):
        y = made.call([x])[0]
    del y
    before, pages, peak = memory_use(), faults(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        y = made.call([x])[0]
    assert (y == x).all()
    del y
    assert memory_use()._replace(most=0) == before._replace(most=0)
    assert faults() - pages < 10_000  # 512 a call, if memory were fresh
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 20_000  # KiB


def test_sizes_that_alternate_keep_to_the_bounds() -> None:
    made, start = machine(*COPIES), memory_use().in_use
    results = []
    for k in range(200):
        x = np.full((k * 37) % 100 * 10_000, float(k))
        results = [*results[-2:], (k, made.call([x])[0])]
        assert all((y == number).all() for number, y in results)
        use = memory_use()
        assert use.kept <= 256 * MIB
        assert use.in_use + use.kept <= 2 * use.most
    del results
    assert memory_use().in_use == start


def test_threads_do_not_meet_in_one_array() -> None:
    f, start, wrong = graphlab.function([x := T.dvector("x")], T.concatenate([x, x])[1:] * 2), memory_use().in_use, []

    def work(number: int) -> None:
        for size in (140_000, 300_000, 180_000) * 20:
            y = f(np.full(size, float(number)))
            if y.shape != (2 * size - 1,) or not (y == 2 * number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert memory_use().in_use == start


def test_a_forked_process_goes_on() -> None:
    made, x = adder(1), np.arange(300_000.0)
    y = made.call([x, x])[0]
    made.call([x, x])
    assert memory_use().kept
    if (child := os.fork()) == 0:
        fine = memory_use().kept == 0 and (made.call([x, y])[0] == 3 * x).all() and (y == 2 * x).all()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert memory_use().kept
    assert (y == 2 * x).all()


def test_results_outlive_their_function_and_are_nobody_elses() -> None:
    x = np.arange(400_000.0)
    made = adder(1)
    y = made.call([x, x])[0]
    part = made.call([x, x])[0][10:20]
    del made
    gc.collect()
    other = adder(1)
    for _ in range(5):
        other.call([x, np.ones_like(x)])
    assert (y == 2 * x).all()
    assert (part == 2 * x[10:20]).all()


def test_a_result_is_an_array_like_any_other() -> None:
    x, start = np.arange(300_000.0), memory_use().in_use
    y = adder(1).call([x, x])[0]
    assert (y.flags.owndata, y.flags.writeable, y.base, y.ctypes.data % 64) == (True, True, None, 0)
    assert memory_use().in_use - start >= y.nbytes
    for size in (700_000, 300_000, 5, 200_000):
        y.resize(size, refcheck=False)
        assert (y[:5] == 2 * x[:5]).all()
        assert (y[300_000:] == 0).all()
    assert memory_use().in_use - start >= y.nbytes
    del y
    assert memory_use().in_use == start


def test_only_large_results_have_their_memory_from_here() -> None:
    made = adder(1)
    for size, handler in ((0, "default_allocator"), (1000, "default_allocator"), (MIB // 8, "graphlab")):
        x = np.ones(size)
        assert get_handler_name(made.call([x, x])[0]) == handler
    assert get_handler_name() == "default_allocator"  # arrays that others make


def test_release_memory_gives_back_what_is_kept() -> None:
    made, x = machine(*COPIES), np.ones(MIB)
    y = made.call([x])[0]
    assert 8 * MIB <= memory_use().kept < 9 * MIB
    assert 8 * MIB <= graphlab.release_memory() < 9 * MIB
    assert memory_use().kept == 0
    assert (y == 1).all()


def test_when_a_program_goes_what_is_kept_goes_with_it() -> None:
    made, x = machine(*COPIES), np.ones(MIB)
    y = made.call([x])[0]
    assert memory_use().kept >= 8 * MIB
    del made
    gc.collect()
    assert memory_use().kept == 0
    assert (y == 1).all()


def test_a_call_gives_up_what_nobody_wanted_for_a_while() -> None:
    made, small = machine(*COPIES), adder()
    made.call([np.ones(MIB)])
    for _ in range(CALLS):
        small.call([1.0, 2.0])
    assert memory_use().kept > 8 * MIB
    time.sleep(1.1)
    for _ in range(CALLS):
        small.call([1.0, 2.0])
    assert memory_use().kept == 0


# ---- processes of their own ------------------------------------------------------------------------

REFUSED = """
import resource
import numpy as np
from graphlab.runtime.memory import memory_use
from graphlab.runtime.native import StepFailed
from tests.runtime.programs import call, machine, nested

MIB = 1 << 20
touch = machine([("float64", 1)] * 2, [0], [1], [nested(1, [1], [0], ";")])
def array(mib): return touch.call([np.broadcast_to(0.0, mib * MIB // 8)])[0]

four = [array(80) for _ in range(4)]
del four
assert memory_use().kept > 240 * MIB
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 20 * MIB,) * 2)
held = [array(30)]  # fits only where something of the 240 was
assert memory_use().kept == 0
try:
    array(400)
except StepFailed as error:
    print(error)
held.append(array(30))
print(memory_use().in_use // MIB)
"""

AT_EXIT = """
import numpy as np
from tests.runtime.programs import adder

made, x = adder(1), np.ones(1 << 18)
class Late:
    def __init__(self): self.result = made.call([x, x])[0]
    def __del__(self, call=made.call, x=x): self.result = call([self.result, x])[0]
import builtins
builtins.late = Late()
kept = made.call([x, x])
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)


def test_where_there_is_no_memory_the_call_fails_and_the_next_works() -> None:
    done = run(REFUSED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"step 0: no memory for {400 * MIB} bytes", "60"]


def test_results_may_outlive_the_interpreter() -> None:
    done = run(AT_EXIT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("make", [lambda x: 2 * x + x**3, lambda x: T.softmax(x.reshape((-1, 8)), axis=0)])
def test_the_second_call_takes_no_fresh_pages(make: Callable[[Any], Any]) -> None:
    x = T.dvector("x")
    f, value = graphlab.function([x], make(x)), np.linspace(-1, 1, MIB)
    expected = f(value).copy()
    f(value)
    pages = faults()
    y = f(value)
    assert faults() - pages < 100  # of 2048
    np.testing.assert_array_equal(y, expected)
