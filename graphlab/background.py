"""Compiling beside the calls: a thread that turns a graph into a program while NumPy runs the graph as written."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextvars import Context
from dataclasses import replace

from graphlab.compiled import Compiled, Recalled, compile_graph
from graphlab.graph.node import Graph, Shared
from graphlab.options import in_force, options
from graphlab.rewrite.pipeline import Mode
from graphlab.rewrite.trace import Trace


class Pending:
    """`graph` in the making: `meanwhile` is what runs until `done`, and `result` what runs from then on.

    `failed` says why `result` has no program, or is `meanwhile` again. The options are those of the thread that asked.
    """

    def __init__(self, graph: Graph, mode: Mode, updated: Sequence[Shared]) -> None:
        self.meanwhile = Compiled(graph, Trace(graph, ()))
        self.result: Compiled | Recalled = self.meanwhile
        self.failed: str | None = None
        self._asked = (graph, mode, tuple(updated), replace(options(), progress=False))
        self._start()

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for."""
        self._restart_in_child()
        return self._finished.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, at most `timeout` seconds; whether it is."""
        self._restart_in_child()
        return self._finished.wait(timeout)

    def _start(self) -> None:
        self._finished, self._process = threading.Event(), os.getpid()
        # A context of its own: whoever listens, traces or names scopes here does not mean what that thread does.
        threading.Thread(target=Context().run, args=(self._run,), name="graphlab compile", daemon=True).start()

    def _restart_in_child(self) -> None:
        """The child of a fork has no thread that would finish."""
        if self._process != os.getpid() and not self._finished.is_set():
            self._start()

    def _run(self) -> None:
        graph, mode, updated, chosen = self._asked
        try:
            with in_force(chosen):
                self.result = compile_graph(graph, mode, updated, failed=self._fail)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._finished.set()

    def _fail(self, reason: str) -> None:
        self.failed = reason
