"""How many threads compiled functions use: what the user says, else the processors that this process may use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.runtime.native import NAMES

MOST = 256  # GL_MAX_THREADS
VARIABLES = ("GRAPHLAB_NUM_THREADS", "OMP_NUM_THREADS")
CGROUPS = Path("/sys/fs/cgroup")


class ThreadsUse(NamedTuple):
    """What threads could share since the process began, the pieces that helpers took of it; and the helpers now."""

    shared: int
    helped: int
    helpers: int


def threads_use() -> ThreadsUse:
    """What the threads of compiled functions did so far; zeros where there is no C runtime."""
    return ThreadsUse(*NAMES["threads_use"]()) if NAMES else ThreadsUse(0, 0, 0)


def num_threads() -> int:
    """How many threads a compiled function may use.

    At first GRAPHLAB_NUM_THREADS or OMP_NUM_THREADS of the environment, else as many as the processors that this
    process may use.

    >>> import graphlab
    >>> graphlab.num_threads() >= 1
    True
    """
    return int(NAMES["num_threads"]()) if NAMES else 1


@user_boundary
def set_num_threads(threads: int) -> None:
    """Let compiled functions use so many threads from now on; results are the same with any number, to the last bit.

    Products of matrices are BLAS's, which has threads and settings of its own. GraphTypeError, GraphValueError:
    `threads` is no integer from 1 on.

    >>> import graphlab
    >>> before = graphlab.num_threads()
    >>> graphlab.set_num_threads(1)
    >>> graphlab.num_threads()
    1
    >>> graphlab.set_num_threads(before)
    """
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise GraphTypeError(f"a number of threads is an int, not {type(threads).__name__}", origin=caller_origin(),
                             hint="1 means that no other thread helps")  # fmt: skip
    if threads < 1:
        raise GraphValueError(f"the number of threads is at least 1, not {int(threads)}", origin=caller_origin(),
                              hint="1 means that no other thread helps")  # fmt: skip
    if NAMES:
        NAMES["set_num_threads"](min(int(threads), MOST))


def default_threads(environment: Mapping[str, str], cgroups: Path = CGROUPS) -> int:
    """The number of threads to begin with."""
    for variable in VARIABLES:
        said = environment.get(variable, "").partition(",")[0].strip()  # OpenMP's may be a list, outermost first
        if said.isdecimal() and int(said) > 0:
            return min(int(said), MOST)
        if said and variable == VARIABLES[0]:
            warnings.warn(f"{variable}={said} is no number of threads: it is ignored", RuntimeWarning, stacklevel=2)
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(processors, quota(cgroups), MOST))


def quota(cgroups: Path) -> int:
    """The processors' time that this process's control group may use, in processors, rounded up."""
    groups = dict[str, str]()
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, names, path = (*line.split(":", 2), "", "")[:3]
        groups.update(dict.fromkeys(names.split(","), path))
    found = MOST
    for folder in {cgroups, cgroups / groups.get("", "/").lstrip("/")}:
        words = _read(folder / "cpu.max").split()
        if len(words) == 2 and all(word.isdecimal() for word in words):
            found = min(found, -(-int(words[0]) // int(words[1])))
    for folder in {cgroups / "cpu", cgroups / "cpu" / groups.get("cpu", "/").lstrip("/")}:
        time, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if time.isdecimal() and period.isdecimal():
            found = min(found, -(-int(time) // int(period)))
    return max(1, found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


set_num_threads(default_threads(os.environ))
