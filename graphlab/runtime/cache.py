"""The folder of built programs: private to the user, addressed by content, checked before every use.

KEY.so and KEY.json are a program and what is known of it, KEY.plan is which program a graph became and how that is run;
there is a KEY.lock while it is built, and a KEY.c if it could not be.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphlab.errors import CompilerError

_DAY = 86400.0
_NEW = 10.0


class CacheWarning(RuntimeWarning):
    """The cache could not be used as it should be; results are right all the same."""


@dataclass(frozen=True)
class Entry:
    """A built program: the shared object and what is known of it."""

    path: Path
    facts: dict[str, Any]


# ---- the folder ----------------------------------------------------------------------------------


def open_folder(wanted: Path) -> Path:
    """`wanted`, made if need be; where it can't be trusted or used a private one, with one warning."""
    folder = Path(os.path.abspath(wanted))
    problem = problem_of(folder)
    return folder if problem is None else private_folder(f"{wanted}: {problem}")


def problem_of(folder: Path) -> str | None:
    """Why `folder`, which is made if need be, can't be used; None if it can."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return _distrust(folder) or (None if os.access(folder, os.W_OK | os.X_OK) else "it is read-only")
    except OSError as error:
        return error.strerror or str(error)


def _distrust(folder: Path) -> str | None:
    """Why others could put files into `folder`; None if they can't."""
    me = os.getuid()
    status = os.lstat(folder)
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    if status.st_uid != me:
        return "it belongs to another user"
    if status.st_mode & 0o022:
        return "others may write to it"
    for parent in folder.parents:  # whoever can rename a parent can replace the folder
        status = os.lstat(parent)
        if status.st_uid not in (0, me):
            return f"{parent} belongs to another user"
        writable = not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022
        if writable and not status.st_mode & stat.S_ISVTX:
            return f"others may write to {parent}"
    return None


@cache
def private_folder(reason: str) -> Path:
    """A temporary folder that goes away with this process; CompilerError if there can be none."""
    try:
        folder = tempfile.mkdtemp(prefix="graphlab-")
    except OSError as error:
        raise CompilerError(
            f"there is no room for built code: {reason}, and there is no temporary folder: {error.strerror or error}",
            hint="make room, or name a folder in GRAPHLAB_CACHE_DIR",
        ) from error
    atexit.register(_remove_if_ours, folder, os.getpid())
    warnings.warn(
        f"the cache folder is not used ({reason}); built code is kept in {folder} until this process ends",
        CacheWarning,
        stacklevel=2,
    )
    return Path(folder)


def _remove_if_ours(folder: str, owner: int) -> None:
    """Remove `folder`, unless this is a fork of the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A fresh folder for one build, removed after it, or by others: its lock is ours as long as we live."""
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=folder))
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks: then only its age counts
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(descriptor)


# ---- entries -------------------------------------------------------------------------------------


def lookup(folder: Path, key: str, *, repair: bool = False) -> Entry | None:
    """The entry `key`, if it is there and undamaged.

    `repair` puts a damaged one aside, with one warning: for the holder of the key's lock, since without
    it a difference may be another process at work.
    """
    path, facts_path = folder / f"{key}.so", folder / f"{key}.json"
    try:
        text = _read(facts_path)
    except OSError:
        return None  # the facts are written last: without them there is no entry
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):  # whatever damage can make of it
        facts = json.loads(text)
        if facts["key"] == key and facts["sha256"] == hashlib.sha256(_read(path)).hexdigest():
            with suppress(OSError):
                os.utime(path)  # last used now
            return Entry(path, facts)
    if repair:
        _quarantine(folder, key)
    return None


def _read(path: Path) -> bytes:
    """The bytes of a regular file of ours; never through a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise OSError(errno.EPERM, "not a regular file of this user", str(path))
        return file.read()


def store(folder: Path, key: str, built: Path, facts: dict[str, Any]) -> Entry:
    """Put the shared object `built`, a file in `folder`, into the cache as `key`.

    Both files appear whole or not at all, the facts last.
    """
    path, facts_path = folder / f"{key}.so", folder / f"{key}.json"
    facts = {**facts, "key": key, "sha256": hashlib.sha256(built.read_bytes()).hexdigest()}
    written = built.with_suffix(".json")
    written.write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")
    for source, target in ((built, path), (written, facts_path)):
        os.chmod(source, 0o600)
        _synchronize(source)
        os.replace(source, target)
    return Entry(path, facts)


def _synchronize(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quarantine(folder: Path, key: str) -> None:
    """Put the files of `key` where nobody loads them."""
    warnings.warn(f"a damaged entry of graphlab's cache is built anew: {key}", CacheWarning, stacklevel=2)
    aside = folder / "quarantine"
    with suppress(OSError):
        aside.mkdir(mode=0o700, exist_ok=True)
    for suffix in (".json", ".so"):
        try:
            os.replace(folder / f"{key}{suffix}", aside / f"{key}{suffix}.{time.time_ns()}")
        except OSError:
            with suppress(OSError):
                os.unlink(folder / f"{key}{suffix}")


# ---- plans ---------------------------------------------------------------------------------------


def read_plan(folder: Path, key: str) -> Any:
    """What write_plan put there; None if there is nothing, or it is damaged."""
    path = folder / f"{key}.plan"
    with suppress(OSError, ValueError, RecursionError):
        digest, _, text = _read(path).partition(b"\n")
        if digest.decode() == _digest(key, text):
            with suppress(OSError):
                os.utime(path)  # last used now
            return json.loads(text)
    return None


def write_plan(folder: Path, key: str, content: Any) -> None:
    """Keep `content`, which is JSON, as the plan `key`: whole, or where that is not possible not at all."""
    text = json.dumps(content, separators=(",", ":")).encode()
    with suppress(OSError), work_folder(folder) as work:
        written = work / "plan"
        written.write_bytes(_digest(key, text).encode() + b"\n" + text)
        os.chmod(written, 0o600)
        os.replace(written, folder / f"{key}.plan")  # not synchronised: what a crash leaves of it has another digest


def _digest(key: str, text: bytes) -> str:
    return hashlib.blake2b(key.encode() + text, digest_size=20).hexdigest()


# ---- locks ---------------------------------------------------------------------------------------


@contextmanager
def lock(folder: Path, key: str, patience: float) -> Iterator[bool]:
    """Hold the lock of `key`; whether it was got within `patience` seconds.

    The kernel gives it back when its holder ends, however it ends.
    """
    path = folder / f"{key}.lock"
    deadline = time.monotonic() + patience
    descriptor, pause = -1, 0.002
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            if _try_lock(descriptor, path):
                break
            os.close(descriptor)
            descriptor = -1
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        yield descriptor >= 0
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                os.unlink(path)  # while we hold it: whoever waits sees that its file is gone, and opens anew
            os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == os.lstat(path).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


# ---- size ----------------------------------------------------------------------------------------


def evict(folder: Path, limit: int, keep: str) -> None:
    """Remove the least recently used entries until at most `limit` bytes are left; `keep` stays.

    Also removes what crashes left behind. A loaded program goes on without its file.
    """
    with suppress(OSError):
        files = list(_files(folder))
        entries = sorted((s.st_mtime_ns, s.st_size, p) for s, p in files if p.suffix in (".so", ".plan"))
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= limit:
                break
            if path.stem != keep:
                if path.suffix == ".so":
                    path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                total -= size
        _sweep(folder, files)


def _files(folder: Path) -> Iterator[tuple[os.stat_result, Path]]:
    """What lies in `folder`, less what another process removes meanwhile."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False), Path(entry.path)


def _abandoned(work: Path, age: float) -> bool:
    """Whether nobody builds in `work` any more; one that is just made may not have its lock yet."""
    if age > _DAY / 24:
        return True
    if age < _NEW:
        return False
    with suppress(OSError):
        descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return _try_lock(descriptor, work)
        finally:
            os.close(descriptor)
    return False


def _sweep(folder: Path, files: list[tuple[os.stat_result, Path]]) -> None:
    """Remove what builds that were killed left, and old files kept for people to look at."""
    now = time.time()
    for status, path in files:
        age = now - status.st_mtime
        if path.name.startswith("tmp-") and _abandoned(path, age):
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix in (".c", ".lock") and age > _DAY:
            path.unlink(missing_ok=True)
    aside = folder / "quarantine"
    if aside.is_dir():
        for path in aside.iterdir():
            if now - path.lstat().st_mtime > _DAY:
                path.unlink(missing_ok=True)
