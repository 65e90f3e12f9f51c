"""Statistics of arrays by the runtime's one pass over them: see csrc/gl_statistics.h."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlab.dtypes import ALL
from graphlab.runtime import native

Array = np.ndarray[Any, Any]

# A gl_statistics: counts, then numbers of the finite elements; `squares` sums their squared distances to the mean.
NUMBERS = np.dtype([*((name, "i8") for name in ("count", "nan", "inf", "zero")),
                    *((name, "f8") for name in ("min", "max", "mean", "squares"))])  # fmt: skip


def measured(array: Array) -> Any:
    """The NUMBERS of `array`, a record (np.void); of complex numbers it is the modulus that counts.

    >>> found = measured(np.array([1.0, np.nan, 3.0]))
    >>> found["nan"], found["mean"], found["squares"]
    (np.int64(1), np.float64(2.0), np.float64(2.0))
    """
    if not native.MISSING:
        plain = np.require(array, array.dtype.newbyteorder("="), "A")
        found: np.void = np.frombuffer(native.NAMES["statistics"](ALL.index(array.dtype.name), plain), NUMBERS)[0]
        return found
    return _by_numpy(array)


def _by_numpy(array: Array) -> Any:
    with np.errstate(all="ignore"):
        wide = np.abs(array) if array.dtype.kind == "c" else array
        wide = np.where(np.isnan(array), np.nan, wide).astype("float64").ravel()
        finite = wide[np.isfinite(wide)]
        mean = finite.mean() if finite.size else 0.0
        moments = (finite.min(initial=np.inf), finite.max(initial=-np.inf)) if finite.size else (0.0, 0.0)
        counts = (wide.size, np.isnan(wide).sum(), np.isinf(wide).sum(), (wide == 0).sum())
        found: np.void = np.array([(*counts, *moments, mean, ((finite - mean) ** 2).sum())], NUMBERS)[0]
        return found
