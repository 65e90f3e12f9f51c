"""Compiling beside the calls: a thread that turns a graph into a program while NumPy runs the graph as written."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace

from graphlab.compiled import Compiled, Recalled, compile_anew, sought
from graphlab.graph.node import Graph, Shared
from graphlab.options import in_force, options
from graphlab.rewrite.pipeline import Mode
from graphlab.rewrite.trace import Trace

# Seconds for which the first call goes first: compiling is Python for that long or longer, and two threads of Python
# that also release its lock, as NumPy does for each operation, wait for each other most of the time.
FIRST_CALL = 0.1

# Seconds after which the compiling thread hands over Python's lock to a call that wants it back. Python's own 5 ms, for
# each operation, made calls of long graphs take as long as compiling them.
TURN = 1e-4


class Pending:
    """`graph` in the making: `meanwhile` is what runs until `done`, and `result` what runs from then on.

    A program that the cache has is there at once. `failed` says why `result` has no program, or is `meanwhile` again.
    The options are those of the thread that asked.
    """

    def __init__(self, graph: Graph, mode: Mode, updated: Sequence[Shared]) -> None:
        self.meanwhile = Compiled(graph, Trace(graph, ()))
        self.failed: str | None = None
        self._known, found = sought(graph, mode, updated)
        self.result: Compiled | Recalled = found or self.meanwhile
        self._asked = (graph, mode, tuple(updated), replace(options(), progress=False))
        self._begin()
        if found:
            self._finished.set()
        else:
            self._start()

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for."""
        self._restart_in_child()
        return self._finished.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, at most `timeout` seconds; whether it is."""
        self._restart_in_child()
        self._answered.set()
        return self._finished.wait(timeout)

    def answered(self) -> None:
        """A call was answered meanwhile: nothing waits for the next one."""
        self._answered.set()

    def _begin(self) -> None:
        self._finished, self._answered, self._process = threading.Event(), threading.Event(), os.getpid()

    def _start(self) -> None:
        # A context of its own: whoever listens, traces or names scopes here does not mean what that thread does.
        threading.Thread(target=Context().run, args=(self._run,), name="graphlab compile", daemon=True).start()

    def _restart_in_child(self) -> None:
        """The child of a fork has no thread that would finish."""
        if self._process != os.getpid() and not self._finished.is_set():
            self._begin()
            self._start()

    def _run(self) -> None:
        graph, mode, updated, chosen = self._asked
        self._answered.wait(FIRST_CALL)
        try:
            with in_force(chosen):
                self.result = compile_anew(graph, mode, updated, self._fail, self._known)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._finished.set()

    def _fail(self, reason: str) -> None:
        self.failed = reason


@contextmanager
def short_turns() -> Iterator[None]:
    """Let the threads of this process take turns of `TURN` at most: for calls while another thread compiles.

    Of calls side by side the first one to come gives back what it found.
    """
    usual = sys.getswitchinterval()
    if usual <= TURN:
        yield
        return
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
