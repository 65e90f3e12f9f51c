"""What became of a graph before: its program, found by the graph as written, without rewriting or lowering it again.

Beside programs the cache has plans: for the fingerprint of a graph, and all else that compiling depends on, the key of
the program that it became and what must be known to run that. A plan is data; a damaged one is as if it were not there.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.codegen.c import Source
from graphlab.codegen.paste import PACKAGE, csrc
from graphlab.errors import CompilerError
from graphlab.fingerprint import fingerprint
from graphlab.graph.node import Graph, Shared, Variable
from graphlab.lower import Lowered
from graphlab.lower.assume import Equal
from graphlab.options import options
from graphlab.rewrite.pipeline import Mode
from graphlab.runtime.build import Built, program_key
from graphlab.runtime.cache import lookup, open_folder, read_plan, write_plan
from graphlab.runtime.compiler import find_compiler
from graphlab.runtime.program import Facts, Machine, available

FORMAT = "graphlab plan 1"
MOST_CONSTANTS = 1 << 20  # bytes of constants in a plan
_STARTED = time.time()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a graph is found by: the plan's key, the folder where it would be, and the graph's leaves by number."""

    key: str
    folder: Path
    leaves: tuple[Variable, ...]


def mark(graph: Graph, mode: Mode, updated: Sequence[Shared]) -> Mark | None:
    """That of `graph`, compiled in `mode` to a program whose last outputs are the new values of `updated`.

    None where no plan can be sure to say what compiling would: with ops or rules of the user's, or in mode "debug".
    """
    if not available() or not mode.compiles or mode.checks or mode.rules or mode.own_passes:
        return None
    package = _package()
    found = fingerprint(graph) if package is not None else None
    if package is None or found is None:
        return None
    try:
        chosen = options()
        compiler = program_key("", find_compiler(chosen.cc))
        folder = open_folder(chosen.cache_dir)
    except (CompilerError, OSError):
        return None
    numbers = {v: k for k, v in enumerate(found.leaves)}
    settings = [sorted(value) if isinstance(value, frozenset) else value for value in _values(mode)]
    parts = (FORMAT, found.text, [numbers.get(v) for v in updated], settings, chosen.floatX, compiler, package,
             np.__version__, sys.version)  # fmt: skip
    return Mark(hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest(), folder, found.leaves)


def recall(known: Mark, updated: Sequence[Shared], refuses_nan: bool) -> tuple[Machine, tuple[Equal, ...]] | None:
    """The loaded program of the graph marked `known`, and what it takes for granted; None if the cache has none."""
    plan = read_plan(known.folder, known.key)
    entry = None if plan is None else lookup(known.folder, plan["program"])
    if entry is None:
        return None
    leaves, first = known.leaves, len(plan["facts"]["outputs"]) - len(updated)
    cells = [v.cell for number in plan["shared"] if isinstance(v := leaves[number], Shared)]
    assumed = tuple(Equal(tuple((leaves[k], axis) for k, axis in axes), n) for axes, n in plan["assumed"])
    try:
        machine = Machine(
            _facts(plan["facts"]),
            Built(entry.path, plan["program"], cached=True),
            constants=[_array(*written) for written in plan["constants"]],
            cells=cells,
            updates=[(first + i, v.cell) for i, v in enumerate(updated)],
            refuses_nan=refuses_nan,
        )
    except (CompilerError, OSError):  # a folder from which nothing is loaded, a file that is gone: build says so
        return None
    return machine, assumed


def remember(known: Mark, lowered: Lowered, source: Source, machine: Machine) -> None:
    """Keep the plan of the graph marked `known`, which became `lowered`, if there can be one."""
    if lowered.hosts or sum(a.nbytes for a in lowered.constants) > MOST_CONSTANTS:
        return
    if machine.built.path.parent != known.folder:
        return
    numbers = {v: k for k, v in enumerate(known.leaves)}
    shared = [lowered.variables[slot] for slot in lowered.program.shared]
    asked = {*shared, *(v for equal in lowered.assumed for v, _ in equal.axes)}
    if not asked <= numbers.keys():
        return
    facts = Facts.of(lowered.program, source.externs)
    write_plan(known.folder, known.key, {
        "program": machine.built.key,
        "facts": dict(zip((f.name for f in fields(facts)), _values(facts), strict=True)),
        "constants": [_written(array) for array in lowered.constants],
        "shared": [numbers[v] for v in shared if v is not None],
        "assumed": [([(numbers[v], axis) for v, axis in equal.axes], equal.known) for equal in lowered.assumed],
    })  # fmt: skip


def _facts(written: dict[str, Any]) -> Facts:
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in written.items()}
    return Facts(**given)


def _values(record: Any) -> list[Any]:
    return [getattr(record, f.name) for f in fields(record)]


def _written(array: np.ndarray[Any, Any]) -> tuple[str, tuple[int, ...], str]:
    return array.dtype.name, array.shape, base64.b64encode(array.tobytes()).decode()


def _array(dtype: str, shape: Sequence[int], data: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape)


# ---- the compiler that this is -------------------------------------------------------------------


@cache
def _package() -> str | None:
    """What tells this graphlab from any other, changed by a line: None if its files changed since it was imported."""
    found = sorted(_files(PACKAGE) if csrc().is_relative_to(PACKAGE) else (*_files(PACKAGE), *_files(csrc())))
    if not found or max(changed for _, _, changed in found) > _STARTED * 1e9:
        return None
    return hashlib.blake2b(repr(found).encode(), digest_size=20).hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change of the package's files, without those that only show things."""
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in ("__pycache__", "viz"):
                        pending.append(entry.path)
                else:
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns
