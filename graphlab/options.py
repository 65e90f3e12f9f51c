"""The defaults that a user may set, as one frozen dataclass; read at the edge and passed inward."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from graphlab.dtypes import FLOAT
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary

NAN_POLICIES = ("ignore", "raise")


def _default_compiler() -> tuple[str, ...]:
    return tuple(shlex.split(os.environ.get("GRAPHLAB_CC", ""))) or ("gcc",)


def _default_cache() -> Path:
    chosen = os.environ.get("GRAPHLAB_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(chosen) if chosen else Path(base) / "graphlab"


@dataclass(frozen=True)
class Options:
    """Defaults for functions built while they are current.

    `floatX` is the dtype of `T.matrix` and friends; `cc` the C compiler as an argument list
    (environment: GRAPHLAB_CC); `cc_timeout` its time limit in seconds (GRAPHLAB_CC_TIMEOUT);
    `cache_dir` where built code is kept (GRAPHLAB_CACHE_DIR); `cache_bytes` its size bound;
    `mode` the default mode of `graphlab.function`, a name or a Mode; `nan_policy` whether calls whose results have
    a NaN raise ("raise") or not ("ignore"); `progress` whether compiling that takes longer
    than a second shows a bar, on a terminal or in a notebook (GRAPHLAB_PROGRESS=0: no).
    """

    floatX: str = "float64"
    mode: Any = "fast_run"
    nan_policy: str = "ignore"
    cc: tuple[str, ...] = field(default_factory=_default_compiler)
    cc_timeout: float = field(default_factory=lambda: float(os.environ.get("GRAPHLAB_CC_TIMEOUT", "120")))
    cache_dir: Path = field(default_factory=_default_cache)
    cache_bytes: int = 1 << 30
    progress: bool = field(default_factory=lambda: os.environ.get("GRAPHLAB_PROGRESS", "1") != "0")


_current: ContextVar[Options | None] = ContextVar("graphlab_options", default=None)
_base = Options()


def options() -> Options:
    """The options in force here."""
    return _current.get() or _base


@user_boundary
def using(**changes: Any) -> AbstractContextManager[Options]:
    """Options changed inside the `with` block.

    >>> with using(floatX="float32") as o:
    ...     o.floatX
    'float32'
    """
    return in_force(_changed(options(), changes))


@contextmanager
def in_force(chosen: Options) -> Iterator[Options]:
    """All options as `chosen` inside the `with` block."""
    token = _current.set(chosen)
    try:
        yield options()
    finally:
        _current.reset(token)


@user_boundary
def set_default(**changes: Any) -> None:
    """Change the process-wide defaults (where no `using` block is in force)."""
    global _base
    _base = _changed(_base, changes)


def _changed(before: Options, changes: dict[str, Any]) -> Options:
    """`before` with `changes`, checked."""
    known = [f.name for f in fields(Options)]
    if wrong := [name for name in changes if name not in known]:
        raise GraphTypeError(f"there is no option {', '.join(wrong)}", origin=caller_origin(),
                             hint=f"the options are {', '.join(known)}")  # fmt: skip
    if changes.get("floatX", "float64") not in FLOAT:
        raise GraphValueError(f"floatX is {', '.join(FLOAT)}, not {changes['floatX']!r}", origin=caller_origin(),
                              hint="it is the dtype of T.vector and friends that no other is given to")  # fmt: skip
    if changes.get("nan_policy", "ignore") not in NAN_POLICIES:
        raise GraphValueError(f"nan_policy is one of {', '.join(NAN_POLICIES)}, not {changes['nan_policy']!r}",
                              origin=caller_origin(), hint="what a call does whose results have a NaN")  # fmt: skip
    return replace(before, **changes)
