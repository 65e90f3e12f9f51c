"""What a user's mistake becomes: one short block that names the line, the variable and the mend."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_BETWEEN = (os.path.dirname(np.__file__) + os.sep, contextlib.__file__, "<frozen ")  # they call graphlab back
_internal: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """A line of the user's program: where a variable was made."""

    file: str
    line: int
    function: str = "<module>"

    @property
    def text(self) -> str:
        """The source text of the line, stripped; empty when it can't be read."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def label(self) -> str:
        """`file.py:12`, or `cell:12` for a notebook cell: never a path, and the same in every run."""
        name = os.path.basename(self.file)
        if self.file.startswith("<") or "ipykernel_" in self.file:
            name = "cell"
        return f"{name}:{self.line}"

    @property
    def place(self) -> str:
        """As `label`, but a notebook's cell has its number, as long as the notebook runs: `In[4]:12`."""
        cell = _cell(self.file)
        return f"{cell}:{self.line}" if cell else self.label

    def __str__(self) -> str:
        return self.label


def _cell(file: str) -> str:
    """How IPython calls the cell that it compiled as `file`, here and in its tracebacks; "" if it did not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    known = shell.compile.format_code_name(file) if shell is not None else None
    return str(known[1]) if known else ""


def _is_internal(file: str) -> bool:
    known = _internal.get(file)
    if known is None:
        known = _internal[file] = file.startswith((_PACKAGE, *_BETWEEN))
    return known


def caller_origin() -> Origin | None:
    """The innermost line on the stack that is not graphlab's own."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not _is_internal(code.co_filename):
            return Origin(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return None


class GraphlabError(Exception):
    """A mistake in the user's graph or call; `origin` is the line at fault, `hint` what to do."""

    def __init__(self, message: str, *, origin: Origin | None = None, hint: str | None = None) -> None:
        self.message, self.origin, self.hint = message, origin, hint
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message]
        if self.origin is not None:
            where = f"  at {self.origin.label}"
            lines.append(f"{where}: {self.origin.text}" if self.origin.text else where)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:  # IPython asks for this: one block, no internals
        return [f"{type(self).__name__}: {self}"]


class GraphTypeError(GraphlabError, TypeError):
    """A dtype, rank or kind of object that does not fit."""


class GraphShapeError(GraphlabError, ValueError):
    """Shapes that do not fit together."""


class GraphValueError(GraphlabError, ValueError):
    """A value that is not allowed."""


class GraphIndexError(GraphlabError, IndexError):
    """An index out of range."""


class GraphMemoryError(GraphlabError, MemoryError):
    """An array for which there is no memory."""


class UnusedInputError(GraphlabError, ValueError):
    """An input that no output needs."""


class MissingInputError(GraphlabError, ValueError):
    """A variable that is needed and was not given."""


class DisconnectedInputError(GraphlabError, ValueError):
    """A gradient with respect to a variable that the cost does not depend on."""


class NullGradientError(GraphlabError, TypeError):
    """A gradient that is not defined."""


class NaNError(GraphlabError, FloatingPointError):
    """A NaN where `nan_policy` is "raise"; `step` is the step of the program that made it, if that is known."""

    def __init__(
        self, message: str, *, origin: Origin | None = None, hint: str | None = None, step: int | None = None
    ) -> None:
        super().__init__(message, origin=origin, hint=hint)
        self.step = step


class CompilerError(GraphlabError, RuntimeError):
    """The C compiler is missing, failed, was killed or took too long."""


def _operands(args: Sequence[Any], message: str) -> str | None:
    """What a function of variables was given, for a message that does not say it."""
    if not args or not hasattr(args[0], "owner"):
        return None
    shown = ", ".join(repr(a).strip("<>") for a in args if hasattr(a, "owner"))
    return None if shown in message else f"the operands are {shown}"


F = TypeVar("F", bound=Callable[..., Any])


def user_boundary(function: F) -> F:
    """Let a GraphlabError leave `function` with the user's line, and without the frames of graphlab's inside."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except GraphlabError as error:
            if error.origin is None:
                error.origin = caller_origin()
            if error.hint is None:
                error.hint = _operands(args, error.message)
            failure = error.with_traceback(None)
        raise failure from None

    return wrapped  # type: ignore[return-value]


C = TypeVar("C", bound=type)


def user_boundaries(cls: C) -> C:
    """Make every public method of `cls`, and its construction, a `user_boundary`."""
    for name, method in list(vars(cls).items()):
        if callable(method) and not isinstance(method, type) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, user_boundary(method))
    return cls
