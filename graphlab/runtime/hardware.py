"""What this machine can do at most: how fast its memory and caches are read and written, and how fast BLAS multiplies.

Measured once by loops in C, built with the flags of every program, and kept in the cache folder.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.errors import user_boundary
from graphlab.ops.later import Module
from graphlab.options import options
from graphlab.runtime.build import build
from graphlab.runtime.cache import open_folder
from graphlab.runtime.compiler import processor

Array = np.ndarray[Any, Any]
blas = Module("scipy.linalg.blas")

FORMAT = "graphlab machine 1"  # of what is kept
SECONDS = 0.01  # for each of the measurements in a cache
ROUNDS = 3  # of the measurements in memory
LARGEST = 128 << 20  # bytes of an array that lies in memory
ORDER = 768  # of the matrices that BLAS multiplies
FEATURES = ("sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_bf16", "avx512_fp16",
            "amx_tile", "asimd", "sve", "sve2")  # fmt: skip

_SOURCE = """
typedef __INT64_TYPE__ int64_t;
#define AGAIN __asm__ volatile("" ::: "memory")

/* Four sums, each of vectors: one alone would wait for its own last addition. */
typedef double lanes __attribute__((vector_size(64), aligned(8)));
double gl_read(double *a, const double *b, const double *c, int64_t n, int64_t rounds) {
  lanes s = {0}, t = {0}, u = {0}, v = {0};
  for (int64_t r = 0; r < rounds; ++r) {
    for (int64_t i = 0; i + 32 <= n; i += 32) {
      s += *(const lanes *)(a + i);
      t += *(const lanes *)(a + i + 8);
      u += *(const lanes *)(a + i + 16);
      v += *(const lanes *)(a + i + 24);
    }
    AGAIN;
  }
  s += t + u + v;
  return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

double gl_copy(double *a, const double *b, const double *c, int64_t n, int64_t rounds) {
  for (int64_t r = 0; r < rounds; ++r) {
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) a[i] = b[i];
    AGAIN;
  }
  return 0;
}

double gl_triad(double *a, const double *b, const double *c, int64_t n, int64_t rounds) {
  for (int64_t r = 0; r < rounds; ++r) {
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) a[i] = b[i] + 3.0 * c[i];
    AGAIN;
  }
  return 0;
}
"""
_ARRAYS = {"read": 1, "copy": 2, "triad": 3}  # how many arrays of n doubles each loop touches


@dataclass(frozen=True)
class Bandwidth:
    """GB/s of loops over arrays that together have `bytes` bytes, so that they lie in `level` ("L1" ... or "memory").

    `read` sums one array, `copy` writes another, `triad` is a = b + 3 c; bytes that are written count once.
    """

    level: str
    threads: int
    bytes: int
    read: float
    copy: float
    triad: float


@dataclass(frozen=True)
class Hardware:
    """This machine: its processor, its caches (bytes), and the best rates that were measured on it.

    `bandwidths`: for each level with one thread and with `threads`; `dgemm` and `sgemm`: GFLOP/s of SciPy's BLAS,
    which graphlab's matrix products use, with as many threads as it takes by itself.
    """

    cpu: str
    threads: int
    features: tuple[str, ...]
    caches: tuple[tuple[str, int], ...]
    bandwidths: tuple[Bandwidth, ...]
    dgemm: float
    sgemm: float

    def bandwidth(self, bytes: int) -> float:
        """The best GB/s, over all loops and threads, of the smallest level that holds `bytes` bytes."""
        fits = [level for level, size in self.caches if bytes <= size]
        level = fits[0] if fits else "memory"
        found = [b for b in self.bandwidths if b.level == level]
        return max(rate for b in found for rate in (b.read, b.copy, b.triad))

    def gflops(self, dtype: str) -> float:
        """The best GFLOP/s in the precision of `dtype`."""
        return self.sgemm if dtype in ("float32", "complex64") else self.dgemm

    def __str__(self) -> str:
        caches = ", ".join(f"{name} {_size(size)}" for name, size in self.caches)
        lines = [f"{self.cpu}, {self.threads} {'thread' if self.threads == 1 else 'threads'}"]
        lines += [f"caches   {caches or 'unknown'}", f"features {' '.join(self.features) or 'unknown'}"]
        lines += [
            f"BLAS     dgemm {self.dgemm:.1f}, sgemm {self.sgemm:.1f} GFLOP/s",
            "GB/s           read    copy   triad",
        ]
        for b in self.bandwidths:
            threads = f"{b.threads} thread{'s' * (b.threads > 1)}"
            lines.append(f"{b.level:7}{b.read:9.1f}{b.copy:8.1f}{b.triad:8.1f}  {threads}")
        return "\n".join(lines)


@user_boundary
def machine(*, refresh: bool = False) -> Hardware:
    """This machine's memory bandwidth, BLAS speed, caches and instruction sets; measured once, in about two seconds.

    The figures are kept in the cache folder for this processor and these versions; `refresh` measures again (do
    that where the machine was busy the first time). CompilerError where there is no C compiler.

    >>> import graphlab
    >>> here = graphlab.machine()
    >>> here.dgemm > 0 and here.bandwidth(1 << 30) > 0
    True
    """
    path = open_folder(options().cache_dir) / f"machine-{_key()}.json"
    if not refresh:
        with suppress(OSError, ValueError, KeyError, TypeError):  # not there yet, or damaged
            return _read(path)
    measured = _measured()
    _keep(path, measured)
    _known.cache_clear()
    return measured


# ---- what is kept --------------------------------------------------------------------------------


def _key() -> str:
    versions = " ".join(_version(name) for name in ("graphlab", "numpy", "scipy"))
    return hashlib.blake2b(f"{FORMAT} {processor()} {_threads()} {versions}".encode(), digest_size=10).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _read(path: Path) -> Hardware:
    return _known(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _known(text: str) -> Hardware:
    facts = json.loads(text)
    bandwidths = tuple(Bandwidth(**b) for b in facts.pop("bandwidths"))
    caches, features = tuple((name, size) for name, size in facts.pop("caches")), tuple(facts.pop("features"))
    return Hardware(bandwidths=bandwidths, caches=caches, features=features, **facts)


def _keep(path: Path, measured: Hardware) -> None:
    """Write it whole or not at all; where there is no room it is measured again next time."""
    written = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        written.write_text(json.dumps(asdict(measured), indent=1), encoding="utf-8")
        os.replace(written, path)


# ---- what the system says ------------------------------------------------------------------------


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _said(word: str) -> str:
    """What /proc/cpuinfo says of the first processor under `word`."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file.read(16384).splitlines():
            name, _, value = line.partition(":")
            if name.strip().lower() == word:
                return value.strip()
    return ""


def _caches() -> tuple[tuple[str, int], ...]:
    """The bytes of the caches that data goes through, the smallest first."""
    found = dict[str, int]()
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with suppress(OSError, ValueError):
            kind, level, size = ((folder / name).read_text().strip() for name in ("type", "level", "size"))
            if kind != "Instruction":
                found[f"L{level}"] = int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]
    return tuple(found.items())


def _size(size: int) -> str:
    return f"{size / (1 << 20):g} MiB" if size >= 1 << 20 else f"{size / 1024:g} KiB"


# ---- what is measured ----------------------------------------------------------------------------


def _measured() -> Hardware:
    library = ctypes.CDLL(str(build(_SOURCE).path))
    loops = {}
    for name in _ARRAYS:
        loop = getattr(library, f"gl_{name}")
        loop.restype, loop.argtypes = ctypes.c_double, (ctypes.c_void_p,) * 3 + (ctypes.c_int64,) * 2
        loops[name] = loop
    caches, threads = _caches(), _threads()
    spans = [(level, size // 2) for level, size in caches] + [("memory", 3 * _large(caches))]
    counts = [1, threads] if threads > 1 else [1]
    bandwidths = tuple(_bandwidth(loops, level, span, n) for level, span in spans for n in counts)
    features = tuple(word for word in FEATURES if word in (_said("flags") or _said("features")).split())
    gemm = (_gemm(blas.dgemm, np.float64), _gemm(blas.sgemm, np.float32))
    return Hardware(_said("model name") or platform.machine(), threads, features, caches, bandwidths, *gemm)


def _large(caches: Sequence[tuple[str, int]]) -> int:
    """The bytes of an array of which three do not fit the caches."""
    wanted = 2 * max((size for _, size in caches), default=8 << 20)
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 8
    return max(min(wanted, LARGEST, free), 1 << 20)


def _bandwidth(loops: dict[str, Callable[..., float]], level: str, span: int, threads: int) -> Bandwidth:
    """The rates over `span` bytes; threads share the last cache and the memory; other caches are their own."""
    each = span // threads if level in ("memory", "L3", "L4") else span
    n = each // 3 // 8
    arrays = [np.ones(3 * n) for _ in range(threads)]
    rates = {}
    for name, count in _ARRAYS.items():
        rates[name] = 1e-9 * count * 8 * n * threads / _seconds(loops[name], arrays, n, level == "memory")
    return Bandwidth(level, threads, 3 * 8 * n * threads, **rates)


def _seconds(loop: Callable[..., float], arrays: Sequence[Array], n: int, once: bool) -> float:
    """The least seconds that one turn of `loop` takes with a thread for each of `arrays`."""
    rounds = 1
    if not once:
        rounds = max(1, int(SECONDS / 3 / max(_together(loop, arrays, n, 100) / 100, 1e-9)))
    return min(_together(loop, arrays, n, rounds) for _ in range(ROUNDS)) / rounds


def _together(loop: Callable[..., float], arrays: Sequence[Array], n: int, rounds: int) -> float:
    """The seconds from the start of the first thread to the end of the last; ctypes gives up the GIL in each."""
    barrier, times = threading.Barrier(len(arrays)), list[tuple[float, float]]()

    def run(array: Array) -> None:
        a = array.ctypes.data
        barrier.wait()
        before = time.perf_counter()
        loop(a, a + 8 * n, a + 16 * n, n, rounds)
        times.append((before, time.perf_counter()))

    others = [threading.Thread(target=run, args=(array,)) for array in arrays[1:]]
    for thread in others:
        thread.start()
    run(arrays[0])
    for thread in others:
        thread.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def _gemm(multiply: Callable[..., Array], dtype: type[np.floating[Any]]) -> float:
    """The best GFLOP/s of a few products of square matrices."""
    a = np.full((ORDER, ORDER), 0.5, dtype, order="F")
    least = float("inf")
    for _ in range(2 + ROUNDS):  # the first starts BLAS's threads
        before = time.perf_counter()
        multiply(1.0, a, a)
        least = min(least, time.perf_counter() - before)
    return 2e-9 * ORDER**3 / least
