"""What graphlab needs on this machine, whether it is there and works, and how to mend what is not."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from graphlab.errors import CompilerError
from graphlab.function import function
from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.ops.elementwise import exp
from graphlab.ops.linalg import matmul
from graphlab.options import in_force, options
from graphlab.runtime import cache, compiler, native
from graphlab.runtime.threads import num_threads

# Below these nothing is promised.
PACKAGES = {"numpy": "2.0", "scipy": "1.11", "cffi": "1.16"}
FEATURES = ("avx2", "fma", "avx512f", "avx512vl", "asimd", "sve")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `state` is "ok", "without" (there is another, plainer way) or "broken"."""

    name: str
    state: str
    found: str
    mend: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok     ", "without": "without", "broken": "BROKEN "}[self.state]
        mend = "" if self.state == "ok" else f"; {self.mend}"
        return " ".join(f"{self.name:<10} {mark}  {self.found}{mend}".splitlines())


@dataclass(frozen=True)
class Diagnosis:
    """All findings; it prints as one line for each."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken."""
        return all(finding.state != "broken" for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    __repr__ = __str__


def doctor() -> Diagnosis:
    """Look at the versions, the compiler, the cache, BLAS, the processor, dot and the browser, and try them.

    >>> import graphlab
    >>> print(graphlab.doctor()["python"].state)
    ok
    """
    return Diagnosis(tuple(_looked(look) for look in LOOKS))


def _looked(look: Callable[[], Finding]) -> Finding:
    """What `look` finds; what it raises is a finding too."""
    try:
        return look()
    except Exception as error:
        name = look.__name__.removeprefix("_")
        return Finding(name, "broken", f"{type(error).__name__}: {error}", "please report this")


# ---- versions ------------------------------------------------------------------------------------


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Finding:
    found, old = [f"graphlab {version('graphlab')}"], []
    for package, least in PACKAGES.items():
        try:
            have = version(package)
        except PackageNotFoundError:
            have = "none"
        found.append(f"{package} {have}")
        if _numbers(have) < _numbers(least):
            old.append(f"{package}>={least}")
    mend = "pip install --upgrade " + " ".join(f"'{package}'" for package in old)
    return Finding("packages", "broken" if old else "ok", ", ".join(found), mend)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:2] if part.isdecimal()]


# ---- compiled code -------------------------------------------------------------------------------


def _runtime() -> Finding:
    mend = "functions run in NumPy until then: install a C compiler (apt install gcc), then graphlab again"
    return Finding("runtime", "broken" if native.MISSING else "ok", native.MISSING or "the C extension is loaded", mend)


def _compiler() -> Finding:
    chosen = options()
    try:
        with tempfile.TemporaryDirectory(prefix="graphlab-doctor-") as folder:
            used = compiler.find_compiler(chosen.cc)
            compiler.compile_c(used, "int probe(void) { return 0; }\n", Path(folder) / "probe.so", chosen.cc_timeout)
    except CompilerError as error:
        mend = f"functions run in NumPy until then: {error.hint or compiler.INSTALL_HINT}"
        return Finding("compiler", "broken", error.message, mend)
    return Finding("compiler", "ok", f"{' '.join(used.command)} ({_says(used.command[0], '--version')})")


def _cache() -> Finding:
    folder = Path(os.path.abspath(options().cache_dir))
    problem = cache.problem_of(folder)
    if problem is not None:
        mend = f"programs are built anew in each process: chmod 700 {folder}, or set GRAPHLAB_CACHE_DIR to another"
        return Finding("cache", "without", f"{folder}: {problem}", mend)
    programs = [path.stat().st_size for path in folder.glob("*.so")]
    free = shutil.disk_usage(folder).free
    found = (
        f"{folder}: {len(programs)} programs, {sum(programs) / 1e6:.1f} MB of at most {options().cache_bytes / 1e6:.0f}"
    )
    if free < 100e6:
        return Finding("cache", "without", f"{found}, {free / 1e6:.0f} MB free", "the disk is full: make room")
    return Finding("cache", "ok", found)


def _blas() -> Finding:
    if native.bundled_blas():
        return Finding("blas", "ok", f"OpenBLAS of SciPy's wheel ({native.bundled_libraries()[0].name})")
    native.scipy_blas()
    return Finding("blas", "ok", "what SciPy was built with, through scipy.linalg.cython_blas")


def _function() -> Finding:
    """A kernel and a product, compiled, loaded and compared with NumPy."""
    x, y = Variable(TensorType("float64", (None, None)), "x"), Variable(TensorType("float64", (None, None)), "y")
    a, b = np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(0, 2, 12).reshape(3, 4)
    with warnings.catch_warnings(record=True) as caught, in_force(replace(options(), progress=False)):
        warnings.simplefilter("always")
        f = function([x, y], matmul(exp(x), y))
        got = f(a, b)
    told = "; ".join(str(w.message) for w in caught)
    if not np.allclose(got, np.exp(a) @ b):
        return Finding("function", "broken", f"a compiled function gave {got.tolist()}", "please report this")
    if f.machine is None:
        return Finding("function", "without", told or "it runs in NumPy", "mend what is BROKEN above")
    return Finding("function", "ok", f"compiled, loaded and right{f' ({told})' if told else ''}")


# ---- the machine ---------------------------------------------------------------------------------


def _cpu() -> Finding:
    text = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace") if os.path.exists("/proc/cpuinfo") else ""
    )
    lines = dict(_pairs(text.split("\n\n")[0]))
    words = f"{lines.get('flags', '')} {lines.get('features', '')}".split()
    there = [feature for feature in FEATURES if feature in words] or ["no wide vectors known"]
    name = lines.get("model name") or platform.processor() or platform.machine()
    return Finding("cpu", "ok", f"{name}; {', '.join(there)}; {num_threads()} threads (GRAPHLAB_NUM_THREADS)")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        yield key.strip().lower(), value.strip()


# ---- looking -------------------------------------------------------------------------------------


def _dot() -> Finding:
    program = shutil.which("dot")
    if program is None:
        return Finding("dot", "without", "pictures have graphlab's own, plainer layout", "apt install graphviz")
    said = _says(program, "-V")
    if not said:
        return Finding("dot", "without", f"{program} does not answer", "apt install --reinstall graphviz")
    return Finding("dot", "ok", f"{program} ({said})")


def _widget() -> Finding:
    if importlib.util.find_spec("anywidget") is None:
        return Finding("widget", "without", "notebooks show still pictures", "pip install anywidget")
    return Finding("widget", "ok", f"anywidget {version('anywidget')}")


def _browser() -> Finding:
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        mend = "open the page by hand, or name one in BROWSER"
        return Finding("browser", "without", "python -m graphlab explore only writes its page", mend)
    return Finding("browser", "ok", str(getattr(found, "name", "") or type(found).__name__))


def _says(program: str, argument: str) -> str:
    """The first line of what `program` says of itself; nothing if it does not answer."""
    try:
        said = subprocess.run([program, argument], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (said.stdout or said.stderr).partition("\n")[0].strip()


LOOKS = (_python, _packages, _runtime, _compiler, _cache, _blas, _function, _cpu, _dot, _widget, _browser)

__all__ = ["Diagnosis", "Finding", "doctor"]
