"""Work that a browser asks for, done where Python's own code runs: in the main thread, where it can be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from IPython import get_ipython


def in_main_thread(work: Callable[[], object]) -> None:
    """Do `work` now, or if this is another thread of a notebook's kernel, when its main thread is free.

    JupyterLab has the messages of widgets handled by a thread of its own ("subshell"). A session must not be moved by
    two threads, and "Interrupt the kernel" is heard by the main thread alone.
    """
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is None or threading.current_thread() is threading.main_thread():
        work()
    else:
        loop.add_callback(_interruptible, work)


def _interruptible(work: Callable[[], object]) -> None:
    """Between cells a kernel is deaf to interrupts, and one that came through would end it."""
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            work()
        finally:
            signal.signal(signal.SIGINT, before)
    except KeyboardInterrupt:  # a second one, when `work` was told of the first
        pass
