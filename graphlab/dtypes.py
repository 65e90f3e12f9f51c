"""The element types: their names, their kinds and how NumPy 2 promotes them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

BOOL = ("bool",)
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGER = SIGNED + UNSIGNED
FLOAT = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
ALL = BOOL + INTEGER + FLOAT + COMPLEX

# One letter per dtype as Theano spells them: T.dmatrix, T.fvector, T.ivector, T.bscalar.
LETTERS = {
    "b": "int8", "w": "int16", "i": "int32", "l": "int64",
    "f": "float32", "d": "float64", "c": "complex64", "z": "complex128",
}  # fmt: skip


@cache
def canonical(dtype: Any) -> str:
    """The canonical name of `dtype`; TypeError if graphlab has no such element type.

    >>> canonical(float), canonical(">i4"), canonical("bool")
    ('float64', 'int32', 'bool')
    """
    name: str = np.dtype(dtype).newbyteorder("=").name
    if name not in ALL:
        raise TypeError(f"graphlab has no dtype {name!r}; it has {', '.join(ALL)}")
    return name


def is_float(dtype: str) -> bool:
    """Whether gradients flow through values of `dtype` (floating or complex)."""
    return dtype in FLOAT or dtype in COMPLEX


def is_integer(dtype: str) -> bool:
    """Whether `dtype` is a signed or unsigned integer (not bool)."""
    return dtype in INTEGER


@cache
def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return np.dtype(dtype).itemsize


def promote(*operands: Any) -> str:
    """The NumPy 2 result dtype of `operands`: dtype names, or Python scalars, which are weak.

    >>> promote("float32", 1.5), promote("int32", 1.5), promote("int8", "int32")
    ('float32', 'float64', 'int32')
    """
    result = np.result_type(*(np.dtype(o) if isinstance(o, str) else o for o in operands))
    name: str = result.name
    return name
