"""What the compiler made of a C text: its instructions, each with the C line that it is for, and its remarks.

The text is compiled again, with the same flags and a table of lines, which changes no instruction; only when asked.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from graphlab.errors import CompilerError
from graphlab.options import options
from graphlab.runtime.cache import open_folder, work_folder
from graphlab.runtime.compiler import Compiler, compile_c, find_compiler, is_clang

VECTORIZED, MISSED = "vectorized", "missed"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its text, the C function that it belongs to, and the C lines that it is for.

    The first of `lines` is where its work is written, the others are the calls, expanded in place, that led there.
    """

    address: int
    text: str
    function: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """What the compiler says of a C line; `kind` is "vectorized" or "missed"."""

    line: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All instructions in the order of their addresses, and the compiler's notes in the order of the lines."""

    instructions: tuple[Instruction, ...]
    notes: tuple[Note, ...]


def listing(source: str) -> Listing:
    """The listing of the C text `source`; CompilerError where there is no compiler, or no objdump."""
    chosen = options()
    return _listing(source, find_compiler(chosen.cc), chosen.cc_timeout)


def attempts(source: str) -> tuple[Note, ...]:
    """The notes if the compiler were to try all loops of `source`, also those that no pragma marks as independent."""
    chosen = options()
    return _attempts(source, find_compiler(chosen.cc), chosen.cc_timeout)


@lru_cache(maxsize=16)
def _listing(source: str, compiler: Compiler, timeout: float) -> Listing:
    program = shutil.which("objdump") or shutil.which("llvm-objdump")
    if program is None:
        raise CompilerError("there is no objdump to read built code with",
                            hint="install binutils (Debian, Ubuntu: apt install binutils)")  # fmt: skip
    with work_folder(open_folder(options().cache_dir)) as folder:
        output = folder / "listed.so"
        remarks = compile_c(compiler, source, output, timeout, ("-g1", *_asking(compiler)))
        command = [program, "-d", "-l", "--inlines", "--no-show-raw-insn", str(output)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                               env={**os.environ, "LC_ALL": "C"})  # fmt: skip
    if found.returncode:
        raise CompilerError(f"objdump failed with status {found.returncode}: {found.stderr.strip()[:200]}")
    pragmas, notes = _pragmas(source), _of_loops(read_notes(remarks), source)
    if is_clang(compiler):  # which speaks of all loops, whether it was asked to vectorize them or not
        notes = [note for note in notes if note.kind == VECTORIZED or note.line - 1 in pragmas]
    return Listing(tuple(read_instructions(found.stdout)), tuple(notes))


@lru_cache(maxsize=16)
def _attempts(source: str, compiler: Compiler, timeout: float) -> tuple[Note, ...]:
    with work_folder(open_folder(options().cache_dir)) as folder:
        extra = ("-fvectorize" if is_clang(compiler) else "-ftree-loop-vectorize", *_asking(compiler))
        remarks = compile_c(compiler, source, folder / "tried.so", timeout, extra)
    return tuple(note for note in _of_loops(read_notes(remarks), source) if not note.message.startswith(_OUTER))


def _pragmas(source: str) -> set[int]:
    """The lines of C that mark the loop in the next line as independent."""
    return {k for k, row in enumerate(source.splitlines(), 1) if row.lstrip().startswith("#pragma omp simd")}


def _of_loops(notes: list[Note], source: str) -> list[Note]:
    """`notes` with the lines of loops: clang gives that of the pragma where a loop has one."""
    pragmas = _pragmas(source)
    return [replace(note, line=note.line + 1) if note.line in pragmas else note for note in notes]


def _asking(compiler: Compiler) -> tuple[str, ...]:
    """The flags that make it tell what it vectorizes and what not."""
    if is_clang(compiler):
        return tuple(f"-Rpass{kind}=(loop-vectorize|slp-vectorizer)" for kind in ("", "-missed", "-analysis"))
    return ("-fopt-info-vec-optimized-missed",)


# ---- what objdump prints -------------------------------------------------------------------------

_LABEL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_PLACE = re.compile(r"^(inlined by )?.*:(\d+)(?: \(.*\))?$")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\s+(\S.*?)\s*$")


def read_instructions(text: str) -> Iterator[Instruction]:
    """The instructions in the output of `objdump -d -l --inlines`."""
    function, line, callers = "", 0, list[int]()
    for row in text.splitlines():
        if label := _LABEL.match(row):
            function, line, callers = label[1], 0, []
        elif found := _INSTRUCTION.match(row):
            lines = (line, *callers) if line else ()
            yield Instruction(int(found[1], 16), re.sub(r"\s+", " ", found[2]), function, lines)
            callers = []
        elif place := _PLACE.match(row):
            if place[1]:
                callers.append(int(place[2]))
            else:
                line, callers = int(place[2]), []


# ---- what compilers remark -----------------------------------------------------------------------

_GCC = re.compile(r"^<stdin>:(\d+):\d+: (optimized|missed): +(.*)$")
# Of straight code clang remarks what it does not vectorize, too ("slp"), and nobody asked for that. `zig cc`, which is
# clang, has the text in a file.
_CLANG = re.compile(r"^(?:<stdin>|.*-stdin\.c):(\d+):\d+: (?:remark|warning): (.*)"
                    r" \[-(?:Rpass(-missed|-analysis)?=(loop|slp)-vectorize[^]]*|Wpass-failed=.*)\]$")  # fmt: skip
_BARE = "loop not vectorized"
_ASIDE = "the cost-model indicates that interleaving is not beneficial"  # which the loop may do without
_OUTER = (
    "not vectorized: loop nest containing two or more",
    "not vectorized: multiple nested loops",
)  # it holds others


def read_notes(remarks: str) -> list[Note]:
    """The notes in a compiler's remarks: each once, by line."""
    found = dict.fromkeys([*_gcc_notes(remarks), *_clang_notes(remarks)])
    return sorted(found, key=lambda note: note.line)


def _gcc_notes(remarks: str) -> Iterator[Note]:
    """gcc names a loop first, and then says why, perhaps of a line that was expanded in it."""
    loop = 0
    for row in remarks.splitlines():
        if not (said := _GCC.match(row)):
            continue
        line, message = int(said[1]), said[3].strip()
        if said[2] == "optimized":
            yield Note(line, VECTORIZED, message)
        elif message == "couldn't vectorize loop":
            loop = line
        elif message.startswith("not vectorized:"):
            where = f" (in line {line})" if loop not in (0, line) else ""
            yield Note(loop or line, MISSED, f"{message}{where}")
            loop = 0


def _clang_notes(remarks: str) -> Iterator[Note]:
    """clang says that it vectorized a loop, or that it did not, and in other remarks why not."""
    bare, told = list[int](), set[int]()
    for row in remarks.splitlines():
        if not (said := _CLANG.match(row)) or said[2] == _ASIDE or (said[3] and said[4] == "slp"):
            continue
        line, message = int(said[1]), said[2]
        if said[4] is None or message == _BARE:  # a warning, or the remark without a reason
            bare.append(line)
            continue
        told.add(line)
        yield Note(line, MISSED if said[3] else VECTORIZED, message.split(" with cost")[0])  # of each piece another
    yield from (Note(line, MISSED, _BARE) for line in bare if line not in told)
