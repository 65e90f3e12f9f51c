"""Compiling makes much that stays and little that goes: Python's collector would look through it in vain."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def uncollected(function: F) -> F:
    """`function` without searches for cyclic garbage while it runs.

    Each search visits objects that are there to stay; for a large graph that takes a third of the time and more.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return wrapped  # type: ignore[return-value]
