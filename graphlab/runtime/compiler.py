"""The C compiler: which one, who it is, and one bounded run of it that leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphlab.codegen.apart import apart
from graphlab.errors import CompilerError
from graphlab.runtime import progress
from graphlab.runtime.threads import num_threads

INSTALL_HINT = "install one (Debian, Ubuntu: apt install gcc), or name yours in GRAPHLAB_CC"

FLAGS = (
    "-O1", "-march=native", *(["-mprefer-vector-width=512"] if platform.machine() == "x86_64" else []),
    "-std=gnu11", "-fopenmp-simd",
    "-fno-math-errno", "-fno-trapping-math",  # errno and floating point traps are nothing we look at
    "-ffp-contract=off",  # so that x*x - y*y is 0 where x == y
    "-fwrapv",  # integers wrap, as NumPy's do
    "-shared", "-fPIC",
)  # fmt: skip

LIBRARIES = ("-nostartfiles", "-lm")
# gcc links a short program in half the time without the C library, which every process has, and gives libgcc's
# conversions of half floats and products of complex numbers nevertheless. Its assembler reads what it writes.
GCC_LIBRARIES = ("-pipe", "-nostdlib", "-lm", "-lgcc")

# Runs the compiler, "$@", beside a watcher. Descriptor 1 is the reading end of a pipe whose other end
# only we hold: when it closes, we are gone, however we went, and the watcher ends the whole process group.
# The text is fixed; nothing is ever put into it.
_SUPERVISOR = """
{ read -r _; kill -s KILL 0; } <&1 >/dev/null 2>&1 &
watcher=$!
"$@" >/dev/null
status=$?
kill -s KILL $watcher
exit $status
"""

# Compiles 0.c, 1.c, ... of a folder side by side by "$@", gives their remarks one after the other, and links them.
_SIDE_BY_SIDE = """
folder=$1 count=$2 output=$3 libraries=$4
shift 4
running= objects= failed=0 k=0
while [ $k -lt $count ]; do
  "$@" -c -x c - -o "$folder/$k.o" <"$folder/$k.c" 2>"$folder/$k.said" &
  running="$running $!" k=$((k + 1))
done
for process in $running; do wait $process || failed=$?; done
k=0
while [ $k -lt $count ]; do cat "$folder/$k.said" >&2; k=$((k + 1)); done
[ $failed = 0 ] || exit $failed
exec "$@" "$folder"/*.o -o "$output" $libraries
"""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: its argument list, with the program's full path first, and what it is."""

    command: tuple[str, ...]
    identity: str


def find_compiler(cc: tuple[str, ...]) -> Compiler:
    """The compiler `cc` names; CompilerError if there is none.

    Where `cc` is plain "gcc", the usual other names are tried too.
    """
    tried = (cc, *(((name,) for name in ("cc", "clang")) if cc == ("gcc",) else ()))
    for command in tried:
        program = shutil.which(command[0]) if command else None
        if program is not None:
            return Compiler((program, *command[1:]), _identity(program))
    names = ", ".join(" ".join(command) or "(nothing)" for command in tried)
    raise CompilerError(f"no C compiler found; tried: {names}", hint=INSTALL_HINT)


def _identity(program: str) -> str:
    """What tells this compiler from any other: the file itself; of a script, what it says of itself."""
    real = os.path.realpath(program)
    status = os.stat(real)
    identity = f"{real} {status.st_size} {status.st_mtime_ns}"
    return f"{identity} {_version(real, status.st_mtime_ns)}" if _is_script(real) else identity


def _is_script(program: str) -> bool:
    with open(program, "rb") as file:
        return file.read(2) == b"#!"


@cache
def _version(program: str, changed: int) -> str:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


@cache
def processor() -> str:
    """What -march=native depends on: the machine, and the model and features of its (first) processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(8192).split("\n\n")[0]
    except OSError:
        first = platform.processor()
    fixed = ("model name", "flags", "features", "cpu part")
    features = "\n".join(line for line in first.splitlines() if line.lower().startswith(fixed))
    return f"{platform.machine()} {hashlib.blake2b(features.encode(), digest_size=8).hexdigest()}"


def is_clang(compiler: Compiler) -> bool:
    """Whether it is clang, whatever its name."""
    program = os.path.realpath(compiler.command[0])
    return "clang" in _version(program, os.stat(program).st_mtime_ns)


def arguments(compiler: Compiler, output: Path, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """The command that compiles C from its standard input to the shared object `output`, with `extra` flags."""
    return (*compiler.command, *FLAGS, *extra, "-x", "c", "-", "-o", str(output), *libraries(compiler))


def libraries(compiler: Compiler) -> tuple[str, ...]:
    """What it takes to link a program: little by gcc itself, more by another compiler, a script or with more flags."""
    program = os.path.realpath(compiler.command[0])
    is_gcc = "gcc" in os.path.basename(program) and not _is_script(program)
    return GCC_LIBRARIES if is_gcc and len(compiler.command) == 1 else LIBRARIES


def compile_c(compiler: Compiler, source: str, output: Path, timeout: float, extra: Sequence[str] = ()) -> str:
    """Compile `source` to the shared object `output`, with `extra` flags; returns what the compiler remarked.

    CompilerError: it failed, was killed, took longer than `timeout` seconds, or gave nothing. Temporary
    files go to the folder of `output`. No process of the compiler's outlives this call, or this process.
    Long texts are compiled in parts, as many at the same time as there are threads.
    """
    texts = apart(source, num_threads())
    command = arguments(compiler, output, extra) if len(texts) == 1 else _beside(compiler, output, extra, texts)
    given = source.encode() if len(texts) == 1 else b""
    status, remarks = _run(command, given, output.parent, timeout)
    if status and "internal compiler error" in remarks:  # gcc 12 has some in its vectoriser: do without it
        plain = tuple(flag for flag in command if flag != "-fopenmp-simd")
        status, more = _run(plain, given, output.parent, timeout)
        remarks = f"{remarks}\nbuilt again without -fopenmp-simd\n{more}"
    name = os.path.basename(compiler.command[0])
    if status and "No space left on device" in remarks:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output.parent))
    if status:
        by_signal = -status if status < 0 else status - 128
        ended = f"was killed by signal {by_signal}" if 0 < by_signal < 65 else f"failed with status {status}"
        raise CompilerError(f"the C compiler {name} {ended}\n{shortened(remarks)}".rstrip())
    if not output.is_file() or output.stat().st_size == 0:
        raise CompilerError(
            f"the C compiler {name} reported success but wrote no output\n{shortened(remarks)}".rstrip()
        )
    return remarks


def _beside(compiler: Compiler, output: Path, extra: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """The command that compiles `texts`, which it writes to the folder of `output`, side by side and links them."""
    for number, text in enumerate(texts):
        (output.parent / f"{number}.c").write_text(text, encoding="utf-8")
    where = (str(output.parent), str(len(texts)), str(output), " ".join(libraries(compiler)))
    return ("/bin/sh", "-c", _SIDE_BY_SIDE, "graphlab", *where, *compiler.command, *FLAGS, *extra)


def _run(command: tuple[str, ...], source: bytes, folder: Path, timeout: float) -> tuple[int, str]:
    watched, held = os.pipe()  # the write end is ours alone: it closes when we end
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR, "graphlab", *command],
            stdin=subprocess.PIPE, stdout=watched, stderr=subprocess.PIPE,
            start_new_session=True, env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C"},
        )  # fmt: skip
        try:
            _, remarks = progress.communicate(process, source, timeout)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CompilerError(
                    f"the C compiler took longer than {timeout:g} s and was stopped",
                    hint="GRAPHLAB_CC_TIMEOUT sets the limit in seconds",
                ) from None
            raise
    except OSError as error:
        raise CompilerError(f"the C compiler could not be started: {error}", hint=INSTALL_HINT) from error
    finally:
        os.close(held)
        os.close(watched)
    return process.returncode, remarks.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # the source that was still to be written
                pass


def shortened(text: str, lines: int = 12, width: int = 200) -> str:
    """The first lines of a compiler's output, errors before warnings."""
    all_lines = [line[:width] for line in text.splitlines()]
    important = [line for line in all_lines if "error" in line.lower()] or all_lines
    rest = len(important) - lines
    return "\n".join([*important[:lines], *([f"... {rest} more lines"] if rest > 0 else [])])
