"""Arrays as C data: numbers that read back to the same bits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_TYPES = {"bool": "uint8_t", "float16": "_Float16", "float32": "float", "float64": "double"}
PER_LINE = 8


def number_type(array: Array) -> str:
    """The C type of the numbers of `array`; complex ones are pairs of them."""
    dtype = array.real.dtype.name
    return _TYPES.get(dtype) or f"{dtype}_t"


def definition(name: str, array: Array) -> Iterator[str]:
    """The lines that define `name` as the numbers of `array` in C order."""
    flat = np.ascontiguousarray(array).reshape(-1)
    numbers = flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
    texts = [_text(x) for x in numbers.tolist()] or ["0"]  # C has no empty arrays
    yield f"static const {number_type(array)} {name}[] __attribute__((aligned(64))) = {{"
    for k in range(0, len(texts), PER_LINE):
        yield f"  {', '.join(texts[k : k + PER_LINE])},"
    yield "};"


def _text(x: bool | int | float) -> str:
    if isinstance(x, float):
        if math.isnan(x):
            return '-__builtin_nan("")' if math.copysign(1, x) < 0 else '__builtin_nan("")'
        return repr(x) if math.isfinite(x) else "-__builtin_inf()" if x < 0 else "__builtin_inf()"
    if x == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    return f"{int(x)}{'ULL' if x >= 1 << 63 else 'LL' if not -(1 << 31) <= x < 1 << 31 else ''}"


def integers(numbers: Sequence[int]) -> str:
    """An initialiser of integers, which may be none."""
    return "{" + (", ".join(map(str, numbers)) or "0") + "}"
