"""save and load: functions, graphs and values in a file that holds data alone and never runs code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from graphlab.errors import user_boundary
from graphlab.saving.archive import read, write
from graphlab.saving.decode import decoded
from graphlab.saving.encode import encoded


@user_boundary
def save(path: str | os.PathLike[str], thing: Any) -> None:
    """Write `thing` to the file `path`, whole or not at all.

    `thing` is a function, a variable, a Graph, an array, a number, a text, or lists, tuples and dicts of
    them; what they share is shared again after loading. GraphTypeError for anything else: an op or a
    rewrite rule of your own, say. OSError where the file can't be written.

    >>> import graphlab, graphlab.tensor as T, tempfile
    >>> x = T.dvector("x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     graphlab.save(f"{folder}/f.graph", graphlab.function([x], x.sum()))
    ...     graphlab.load(f"{folder}/f.graph")([1.0, 2.0])
    array(3.)
    """
    text, arrays = encoded(thing)
    write(Path(path), text, arrays)


@user_boundary
def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote to `path`; functions are compiled again, from their graphs.

    Nothing in the file is executed: it names ops of graphlab's, and types, sizes and references are
    checked. GraphlabError says what is wrong with a file; OSError where there is none to read.
    """
    return decoded(*read(Path(path)))
