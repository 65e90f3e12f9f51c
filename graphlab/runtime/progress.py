"""A bar for compiling that takes long: nothing for the first second, then the stage it is in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from graphlab.graph.events import Event, listen
from graphlab.options import options

AFTER = 1.0  # seconds before anything is shown
EVERY = 0.2  # seconds between two looks at a compiler that runs
STAGES = ("optimise", "lower", "C compiler")


class Progress:
    """How far compiling is. It costs a look at the clock for each event, and tqdm only once something is shown."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stage = 0
        self.bar: Any = None
        self.looked = self.began

    def at(self, name: str) -> None:
        """The stage `name` begins."""
        self.stage = STAGES.index(name)
        self.look(force=True)

    def look(self, event: Event | None = None, force: bool = False) -> None:
        """Show what there is to show, if it is time to."""
        now = time.monotonic()
        if now - self.began < AFTER or (now - self.looked < EVERY and not force):
            return
        self.looked = now
        if self.bar is None:
            from tqdm.auto import tqdm  # only where it is needed: it looks for notebooks when it is imported

            layout = "{desc}: {n_fmt}/{total_fmt} |{bar:20}| {elapsed}"
            self.bar = tqdm(total=len(STAGES), bar_format=layout, leave=False, file=sys.stderr)
            self.bar.start_t -= now - self.began
        self.bar.set_description_str(f"graphlab: {STAGES[self.stage]}", refresh=False)
        self.bar.n = self.stage
        self.bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


_current: ContextVar[Progress | None] = ContextVar("graphlab_progress", default=None)


@contextmanager
def shown() -> Iterator[None]:
    """Show how far the compiling inside the block is, where somebody watches and the option `progress` is on."""
    if _current.get() is not None or not (options().progress and watched()):
        yield
        return
    progress = Progress()
    token = _current.set(progress)
    try:
        with listen(progress.look):
            yield
    finally:
        _current.reset(token)
        progress.close()


def watched() -> bool:
    """Whether a person sees what is shown: stderr is a terminal, or this is a notebook."""
    shell: Any = sys.modules.get("IPython")
    if shell is not None and "ipykernel" in sys.modules and shell.get_ipython() is not None:
        return True
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def stage(name: str) -> None:
    """The stage `name` of STAGES begins."""
    progress = _current.get()
    if progress is not None:
        progress.at(name)


def communicate(process: subprocess.Popen[bytes], source: bytes, timeout: float) -> tuple[bytes, bytes]:
    """As `process.communicate`, with a look at the progress now and then; subprocess.TimeoutExpired."""
    progress = _current.get()
    if progress is None:
        return process.communicate(source, timeout)
    deadline = time.monotonic() + timeout
    given: bytes | None = source
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(given, max(min(EVERY, left), 0.0))
        except subprocess.TimeoutExpired:
            given = None  # it keeps what it has not written yet
            if left <= 0:
                raise
            progress.look()
