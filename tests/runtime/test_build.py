"""Building and the cache: damage, hostile folders, broken compilers, many processes, sudden death."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.codegen.apart import apart
from graphlab.errors import CompilerError
from graphlab.graph.events import Event, ProgramBuilt, listen
from graphlab.options import using
from graphlab.runtime import cache, compiler, program
from graphlab.runtime.build import Built, build
from graphlab.runtime.cache import CacheWarning
from tests.runtime.programs import adder, source

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = source(["return 0;"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with using(cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache"


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """Makes a compiler out of a shell script."""

    def make(script: str) -> tuple[str, ...]:
        path = tmp_path / "fake-cc"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo fake && exit\n{script}\n')
        path.chmod(0o755)
        return (str(path),)

    return make


def works() -> None:
    np.testing.assert_array_equal(adder().call([1.0, 2.0])[0], 3.0)


def in_new_process(code: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GRAPHLAB_CACHE_DIR": str(folder), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


# ---- the cache -----------------------------------------------------------------------------------


def test_the_second_build_is_a_hit_and_both_are_told(folder: Path) -> None:
    events: list[Event] = []
    with listen(events.append):
        first, second = build(PROGRAM), build(PROGRAM)
    assert (first.cached, second.cached) == (False, True)
    assert first.path == second.path == folder / f"{first.key}.so"
    told = [e for e in events if isinstance(e, ProgramBuilt)]
    assert [(e.key, e.cached) for e in told] == [(first.key, False), (first.key, True)]
    assert "-lm" in told[0].command
    assert 0 < told[1].seconds < told[0].seconds


def test_an_entry_is_private_checked_and_described_in_json(folder: Path) -> None:
    built = build(PROGRAM)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    facts = json.loads((folder / f"{built.key}.json").read_text())
    assert facts["key"] == built.key
    assert len(facts["sha256"]) == 64
    assert sorted(p.suffix for p in folder.iterdir()) == [".json", ".so"]


def test_the_key_depends_on_source_compiler_and_processor(
    folder: Path, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {build(PROGRAM).key, build(PROGRAM + "\n").key}
    with using(cc=("gcc", "-DX=1")):
        keys.add(build(PROGRAM).key)
    with using(cc=fake('exec gcc "$@"')):
        keys.add(build(PROGRAM).key)
    with using(cc=fake('exec gcc "$@" # changed')):
        keys.add(build(PROGRAM).key)
    monkeypatch.setattr("graphlab.runtime.build.processor", lambda: "another")
    keys.add(build(PROGRAM).key)
    assert len(keys) == 6


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda b: b[: len(b) // 2],
    "empty": lambda b: b"",
    "nested": lambda b: b"[" * 100_000,
    "flipped": lambda b: b[:2000] + bytes([b[2000] ^ 255]) + b[2001:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("suffix", [".so", ".json"])
def test_a_damaged_entry_is_put_aside_and_built_anew(folder: Path, damage: Any, suffix: str) -> None:
    with using(cc=("gcc", "-DPADDING=1" * 200)):  # so that the facts are long enough to be damaged
        key = build(PROGRAM).key
        path = folder / f"{key}{suffix}"
        whole = (folder / f"{key}.so").read_bytes()
        path.write_bytes(damage(path.read_bytes()))
        with pytest.warns(CacheWarning, match="damaged entry"):
            assert not build(PROGRAM).cached
        assert (folder / f"{key}.so").read_bytes() == whole
        assert len(list((folder / "quarantine").iterdir())) == 2
        assert build(PROGRAM).cached


def test_swapped_entries_are_detected(folder: Path) -> None:
    a, b = build(PROGRAM).key, build(PROGRAM + "\nint other;").key
    for suffix in (".so", ".json"):
        os.rename(folder / f"{a}{suffix}", folder / "third")
        os.rename(folder / f"{b}{suffix}", folder / f"{a}{suffix}")
        os.rename(folder / "third", folder / f"{b}{suffix}")
    with pytest.warns(CacheWarning, match=a):
        assert not build(PROGRAM).cached


def test_a_link_in_place_of_a_program_is_not_followed(folder: Path, tmp_path: Path) -> None:
    built = build(PROGRAM)
    elsewhere = tmp_path / "elsewhere.so"
    built.path.rename(elsewhere)
    built.path.symlink_to(elsewhere)
    with pytest.warns(CacheWarning, match="damaged"):
        assert not build(PROGRAM).cached
    assert not built.path.is_symlink()


def test_a_program_without_its_facts_is_no_entry(folder: Path) -> None:
    built = build(PROGRAM)
    (folder / f"{built.key}.json").unlink()
    assert not build(PROGRAM).cached


def test_a_loaded_program_goes_on_without_its_file(folder: Path) -> None:
    made = adder()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    np.testing.assert_array_equal(made.call([1.0, 2.0])[0], 3.0)
    works()


def test_the_least_recently_used_programs_go_first(folder: Path) -> None:
    sources = [PROGRAM + f"\nint number_{k};" for k in range(4)]
    built = [build(s) for s in sources]
    size = built[0].path.stat().st_size
    for k, one in enumerate(built):
        os.utime(one.path, (k, k))
    build(sources[0])  # used just now
    with using(cache_bytes=3 * size + size // 2):
        build(PROGRAM)
    assert [b.path.exists() for b in built] == [True, False, False, True]
    assert [b.path.with_suffix(".json").exists() for b in built] == [True, False, False, True]


def test_what_killed_builds_left_is_swept(folder: Path) -> None:
    build(PROGRAM)
    old, left, held, new = (folder / f"tmp-{name}" for name in ("old", "left", "held", "new"))
    for path in (old, left, held, new):
        path.mkdir()
        (path / "object.o").touch()
    files = [folder / "failed.c", folder / "forgotten.lock"]
    for path in files:
        path.touch()
    for path in (old, *files):
        os.utime(path, (0, 0))
    for path in (left, held):  # a minute ago; of one the owner lives
        os.utime(path, (time.time() - 60,) * 2)
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    build(PROGRAM + "\n")
    os.close(descriptor)
    assert [path.exists() for path in (old, left, held, new)] == [False, False, True, True]
    assert not any(path.exists() for path in files)


# ---- folders that can't be trusted ---------------------------------------------------------------


def refused(match: str) -> None:
    """A build works all the same, outside the folder, with one warning for many builds."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        built = [build(PROGRAM), build(PROGRAM), build(PROGRAM + "\n")]
        works()
    told = [str(w.message) for w in caught]
    assert len(told) == 1
    assert match in told[0]
    private = built[0].path.parent
    assert [b.cached for b in built] == [False, True, False]
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_to_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    refused("others may write to it")
    assert not list(folder.iterdir())


def test_a_folder_inside_one_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with using(cache_dir=tmp_path / "open" / "cache"):
        refused(f"others may write to {tmp_path / 'open'}")


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with using(cache_dir=tmp_path / "link"):
        refused("it is a symbolic link")


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.write_text("")
    refused("File exists")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    refused("it belongs to another user")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    refused("it is read-only")


def test_a_full_disk_is_worked_around(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cache.store

    def full(where: Path, *rest: Any) -> Any:
        if where == folder:
            raise OSError(28, "No space left on device")
        return real(where, *rest)

    monkeypatch.setattr("graphlab.runtime.build.store", full)
    with pytest.warns(CacheWarning, match="No space left on device"):
        assert build(PROGRAM).path.parent != folder


def test_where_nothing_can_be_written_numpy_computes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*rest: Any, **more: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphlab.runtime.build.store", full)
    monkeypatch.setattr("tempfile.mkdtemp", full)
    monkeypatch.setattr("graphlab.compiled._warned", False)
    x = T.dvector("x")
    with pytest.warns(RuntimeWarning, match=r"runs on NumPy.*there is no room for built code.*No space left") as told:
        f = graphlab.function([x], x + 1)
    assert len(told) == 1
    assert f.machine is None
    np.testing.assert_array_equal(f([1.0, 2.0]), [2.0, 3.0])


# ---- compilers -----------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_gcc_alone_links_what_a_program_needs_and_no_more(tmp_path: Path) -> None:
    # Half floats without instructions for them are libgcc's, sin is libm's, memmove libc's.
    text = """double sin(double);
void *memmove(void *, const void *, unsigned long);
double gl_run(double *x, unsigned long n, float half) {
  memmove(x + 1, x, n);
  return sin((_Float16)half);
}"""
    script = tmp_path / "gcc"
    script.write_text('#!/bin/sh\nexec gcc "$@"\n')
    script.chmod(0o755)
    for words in (("gcc",), ("gcc", "-DWITH_FLAGS"), (str(script),)):
        chosen = compiler.find_compiler(words)
        assert ("-nostdlib" in compiler.libraries(chosen)) == (words == ("gcc",))
        output = tmp_path / f"{len(list(tmp_path.iterdir()))}.so"
        compiler.compile_c(
            chosen, text, output, 60, ["-mno-f16c", "-mno-avx512f"] if platform.machine() == "x86_64" else []
        )
        run = ctypes.CDLL(str(output)).gl_run
        run.restype, run.argtypes = ctypes.c_double, [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_float]
        moved = np.arange(4.0)
        assert run(moved.ctypes.data, 24, 0.1) == pytest.approx(np.sin(float(np.float16(0.1))), rel=1e-15)
        assert moved.tolist() == [0.0, 0.0, 1.0, 2.0]


def test_no_compiler_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with using(cc=("no-such-cc", "-x")), pytest.raises(CompilerError) as info:
        build(PROGRAM)
    assert "tried: no-such-cc -x" in str(info.value)
    assert "apt install gcc" in str(info.value)
    assert "GRAPHLAB_CC" in str(info.value)
    monkeypatch.setenv("PATH", "/nowhere")
    with using(cc=("gcc",)), pytest.raises(CompilerError, match="tried: gcc, cc, clang"):
        build(PROGRAM)


def test_another_compiler_is_found_when_there_is_no_gcc(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    real = shutil.which("gcc")
    assert real is not None
    (tmp_path / "cc").symlink_to(real)
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "cc") if name == "cc" else None)
    assert compiler.find_compiler(("gcc",)).command == (str(tmp_path / "cc"),)


def test_a_failing_compiler_is_quoted_and_the_c_is_kept(folder: Path) -> None:
    wrong = PROGRAM + "\nint broken = ;\n" + "\n".join(f"undeclared_{k};" for k in range(100))
    with pytest.raises(CompilerError) as info:
        build(wrong)
    text = str(info.value)
    assert "gcc failed with status 1" in text
    assert "error: expected expression before" in text
    assert len(text.splitlines()) < 25
    (kept,) = folder.glob("*.c")
    assert str(kept) in text
    assert kept.read_text() == wrong
    assert not list(folder.glob("tmp-*"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "failed with status 3"),
        ("kill -9 $$", "was killed by signal 9"),
        ("exit 0", "reported success but wrote no output"),
        ('while [ "$1" != -o ]; do shift; done; : > "$2"', "reported success but wrote no output"),
        ("echo some error >&2; exit 1", "some error"),
    ],
)
def test_a_broken_compiler_is_an_error_and_leaves_no_entry(folder: Path, fake: Any, script: str, message: str) -> None:
    with using(cc=fake(script)), pytest.raises(CompilerError, match=message):
        build(PROGRAM)
    assert not list(folder.glob("*.so"))
    works()


def test_what_is_no_shared_object_is_an_error_not_a_crash(folder: Path, fake: Any) -> None:
    script = 'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"'
    with using(cc=fake(script)), pytest.raises(CompilerError, match="can't be loaded"):
        adder()


def test_a_compiler_that_is_no_program_is_an_error(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cc"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with using(cc=(str(path),)), pytest.raises(CompilerError):
        build(PROGRAM)


def test_arguments_of_the_compiler_are_never_a_shells(folder: Path, tmp_path: Path) -> None:
    with using(cc=("gcc", f"-DX=$(touch {tmp_path}/ran); touch {tmp_path}/ran")):
        build(PROGRAM)
    assert not (tmp_path / "ran").exists()


def children_of(marker: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(marker in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found


def gone(marker: str, within: float = 2.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not children_of(marker):
            return True
        time.sleep(0.02)
    return False


def long_program() -> str:
    x = T.dmatrix("x")
    return graphlab.function([x], T.log_softmax(T.softmax(x, axis=1).cumsum(axis=0), axis=1)).c_source


@pytest.mark.parametrize("parts", [1, 2])
def test_a_hanging_compiler_is_stopped_with_all_its_children(
    folder: Path, fake: Any, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = f"3{os.getpid()}1"
    monkeypatch.setattr(compiler, "num_threads", lambda: parts)
    text = PROGRAM if parts == 1 else long_program()
    assert len(apart(text, parts)) == parts
    start = time.monotonic()
    with (
        using(cc=fake(f"sleep {marker} & sleep {marker}"), cc_timeout=0.3),
        pytest.raises(CompilerError) as info,
    ):
        build(text)
    assert time.monotonic() - start < 5
    assert "took longer than 0.3 s" in str(info.value)
    assert "GRAPHLAB_CC_TIMEOUT" in str(info.value)
    assert gone(marker)
    works()


BUILD_ONE = """
from graphlab.runtime.build import Built, build
from tests.runtime.programs import source
print("building", flush=True)
print(build(source(["return 0;"])).cached)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_no_compiler_outlives_us(folder: Path, fake: Any, number: signal.Signals) -> None:
    marker = f"3{os.getpid()}{int(number)}"
    cc = fake(f"sleep {marker} & sleep {marker}")[0]
    process = in_new_process(BUILD_ONE, folder, GRAPHLAB_CC=cc)
    deadline = time.monotonic() + 30
    while len(children_of(f"{marker}")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(children_of(marker)) >= 2
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode != 0
    assert gone(marker)
    with using(cc=("gcc",)):
        assert not build(PROGRAM).cached  # neither a lock nor half an entry is left


def test_processes_that_want_the_same_program_compile_it_once(folder: Path, fake: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    cc = fake(f'echo compiled >> {log}; sleep 0.2; exec gcc "$@"')[0]
    processes = [in_new_process(BUILD_ONE, folder, GRAPHLAB_CC=cc) for _ in range(4)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, results
    assert sorted(out.split()[1] for out, _ in results) == ["False", "True", "True", "True"]
    assert log.read_text().count("compiled") == 1


def test_waiting_for_a_lock_has_a_limit(folder: Path) -> None:
    build(PROGRAM + "\n")  # makes the folder
    with cache.lock(folder, "k", patience=1.0) as first, cache.lock(folder, "k", patience=0.05) as second:
        assert (first, second) == (True, False)
    with cache.lock(folder, "k", patience=0.0) as third:
        assert third


HOLD = """
import sys, time
from pathlib import Path
from graphlab.runtime import cache
with cache.lock(Path(sys.argv[1]), sys.argv[2], patience=1.0) as held:
    print(held, flush=True)
    time.sleep(600)
"""


def test_whoever_keeps_a_lock_too_long_is_not_waited_for_and_a_killed_one_holds_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, asked, lock = build(PROGRAM).key, list[float](), cache.lock
    for path in folder.iterdir():
        path.unlink()

    def impatient(where: Path, name: str, patience: float) -> Any:
        asked.append(patience)
        return lock(where, name, 0.1)

    monkeypatch.setattr("graphlab.runtime.build.lock", impatient)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), key],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with using(cc_timeout=77.0):
            assert not build(PROGRAM).cached
        assert asked == [77.0]
        assert build(PROGRAM).cached  # what was built without the lock is whole and of use to all
        with lock(folder, key, patience=0.0) as held:
            assert not held
        process.send_signal(signal.SIGKILL)
        process.wait()
    with lock(folder, key, patience=0.0) as held:
        assert held


def test_threads_share_one_compilation(folder: Path, fake: Any, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    log = tmp_path / "log"
    cc = fake(f'echo compiled >> {log}; exec gcc "$@"')

    def one(_: int) -> bool:
        with using(cc=cc, cache_dir=folder):
            return build(PROGRAM).cached

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [False, True, True, True]
    assert log.read_text().count("compiled") == 1


# ---- loading -------------------------------------------------------------------------------------


def test_a_folder_where_nothing_may_be_executed_is_worked_around(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = program._opened

    def noexec(built: Built, facts: dict[str, Any]) -> Any:
        if built.path.parent == folder:
            raise OSError(f"{built.path}: failed to map segment from shared object")
        return real(built, facts)

    monkeypatch.setattr(program, "_opened", noexec)
    with pytest.warns(CacheWarning, match="nothing there may be executed"):
        works()


def test_an_entry_that_is_evicted_before_it_is_loaded_is_built_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = program._opened, []

    def evicted(built: Built, facts: dict[str, Any]) -> Any:
        seen.append(built.cached)
        if len(seen) == 1:
            for path in folder.glob(f"{built.key}.*"):
                path.unlink()
        return real(built, facts)

    monkeypatch.setattr(program, "_opened", evicted)
    works()
    assert seen == [False, False]


def test_a_file_that_vanishes_while_the_cache_is_swept_does_not_stop_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, age in (("gone.so", 300), ("old.so", 200), ("new.so", 100)):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    listed = os.scandir

    def scandir(folder: Path) -> Any:
        entries = listed(folder)
        (folder / "gone.so").unlink()
        return entries

    monkeypatch.setattr(os, "scandir", scandir)
    cache.evict(tmp_path, limit=100, keep="new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.so"]
