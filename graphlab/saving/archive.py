"""The file itself: a zip of one JSON text and NumPy arrays, checked when it is read, replaced whole when written.

Entries are stored, not compressed: what a file claims to hold is bounded by its size on the disk, so no
file can blow up in memory. Nothing is ever extracted to a path.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import secrets
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.dtypes import ALL
from graphlab.errors import GraphlabError

Array = np.ndarray[Any, Any]
TEXT = "graph.json"
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same object makes the same bytes


def array_name(number: int) -> str:
    """The entry that holds array `number`."""
    return f"arrays/{number}.npy"


def damaged(why: str) -> GraphlabError:
    """The error for a file that can't be read."""
    return GraphlabError(f"the file can't be loaded: {why}")


# ---- writing -------------------------------------------------------------------------------------


def write(path: Path, text: Any, arrays: Sequence[Array]) -> None:
    """The file at `path` becomes the JSON of `text` and `arrays`, or stays as it was if anything fails."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _put(archive, TEXT, json.dumps(text, allow_nan=False, separators=(",", ":")).encode())
                for number, array in enumerate(arrays):
                    _put(archive, array_name(number), _npy(array))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _SAME_TIME), content)


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.require(array, requirements="C"), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


# ---- reading -------------------------------------------------------------------------------------


def read(path: Path) -> tuple[Any, list[Array]]:
    """What `write` wrote: GraphlabError if the file is not whole or not of that form."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist(), size)
            text = json.loads(archive.read(TEXT))
            count = len(archive.namelist()) - 1
            return text, [_array(archive.read(array_name(k)), k) for k in range(count)]
    except (ValueError, RecursionError) as error:
        raise damaged(f"{TEXT} is no JSON that graphlab wrote ({error})") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise damaged(f"it is no whole zip file ({error})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise damaged("it is no whole zip file (an entry should begin before the file)") from None


def _check(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    expected = {TEXT, *(array_name(k) for k in range(len(entries) - 1))}
    if {e.filename for e in entries} != expected or len(entries) != len(expected):
        odd = sorted({e.filename for e in entries} ^ expected) or [e.filename for e in entries]
        raise damaged(f"its entries are not {TEXT} and numbered arrays, look at {odd[0]!r:.60}")
    if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries):
        raise damaged("entries are compressed or encrypted, which graphlab never does")
    if sum(e.file_size for e in entries) > size:
        raise damaged("its entries claim to be bigger than the file")


def _array(content: bytes, number: int) -> Array:
    """An array from the bytes of its .npy: its header must fit them before any memory is taken."""
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise damaged(f"array {number} has another version of the format")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError as error:
        raise damaged(f"array {number} has no readable header ({error})") from None
    if dtype.name not in ALL:
        raise damaged(f"array {number} has the dtype {dtype}, which graphlab does not have")
    rest = len(content) - stream.tell()
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != rest:
        raise damaged(f"array {number} should be {dtype}{list(shape)}, but has {rest} bytes")
    array: Array = np.ndarray(shape, dtype, content, stream.tell(), order="F" if fortran else "C")
    if dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise damaged(f"array {number} holds what is neither true nor false")
    return array.astype(dtype.newbyteorder("="), order="C")
