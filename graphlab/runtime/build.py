"""From C text to a checked shared object: found in the cache, or compiled once and kept there."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from graphlab.errors import CompilerError
from graphlab.graph.events import ProgramBuilt, emit
from graphlab.options import Options, options
from graphlab.runtime.cache import Entry, evict, lock, lookup, open_folder, private_folder, store, work_folder
from graphlab.runtime.compiler import FLAGS, Compiler, arguments, compile_c, find_compiler, libraries, processor

FORMAT = "graphlab program 1"  # of cache entries


@dataclass(frozen=True)
class Built:
    """A shared object that may be loaded, and what the compiler remarked when it was made just now."""

    path: Path
    key: str
    cached: bool
    remarks: str = ""


def program_key(source: str, compiler: Compiler) -> str:
    """The address of what `compiler` makes of `source` on this processor."""
    parts = (FORMAT, source, *FLAGS, *libraries(compiler), *compiler.command, compiler.identity, processor())
    content = b"".join(len(part.encode()).to_bytes(8, "little") + part.encode() for part in parts)
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def build(source: str, chosen: Options | None = None) -> Built:
    """The shared object of the C text `source`; CompilerError if it can't be made.

    Emits ProgramBuilt. Processes that want the same program at the same time compile it once.
    """
    start = time.perf_counter()
    chosen = chosen or options()
    compiler = find_compiler(chosen.cc)
    key = program_key(source, compiler)
    folder = open_folder(chosen.cache_dir)
    try:
        built = _find_or_compile(folder, key, compiler, source, chosen)
    except OSError as error:  # a full disk, a file system without locks, a folder that vanished
        fallback = private_folder(f"{folder}: {error.strerror or error}")
        try:
            built = _find_or_compile(fallback, key, compiler, source, chosen)
        except OSError as second:
            raise CompilerError(f"there is no room for built code, neither in {folder} nor in {fallback}") from second
    command = arguments(compiler, Path(f"{key}.so"))
    emit(ProgramBuilt(key, built.cached, time.perf_counter() - start, command, built.remarks))
    return built


def _find_or_compile(folder: Path, key: str, compiler: Compiler, source: str, chosen: Options) -> Built:
    entry = lookup(folder, key)
    if entry is not None:
        return Built(entry.path, key, cached=True)
    with lock(folder, key, patience=chosen.cc_timeout) as held:
        entry = lookup(folder, key, repair=True) if held else None  # another process may have built it meanwhile
        if entry is not None:
            return Built(entry.path, key, cached=True)
        entry, remarks = _compile(folder, key, compiler, source, chosen)
        return Built(entry.path, key, cached=False, remarks=remarks)


def _compile(folder: Path, key: str, compiler: Compiler, source: str, chosen: Options) -> tuple[Entry, str]:
    with work_folder(folder) as work:
        output = work / "program.so"
        try:
            remarks = compile_c(compiler, source, output, chosen.cc_timeout)
        except CompilerError as error:
            kept = folder / f"{key}.c"
            kept.write_text(source, encoding="utf-8")
            error.hint = "; ".join(filter(None, (error.hint, f"the C is in {kept}")))
            raise
        facts = {"command": list(arguments(compiler, Path("program.so"))), "compiler": compiler.identity}
        entry = store(folder, key, output, facts)
    evict(folder, chosen.cache_bytes, keep=key)
    return entry, remarks
