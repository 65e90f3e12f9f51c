"""Values with which rules are tried: those at which algebra and floating point part, and plain ones."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, INTEGER
from graphlab.ops.base import Array


def awkward_values(dtype: str, rng: np.random.Generator) -> Array:
    """Special and random values of `dtype`."""
    if dtype in BOOL:
        return np.array([False, True])
    if dtype in INTEGER:
        info = np.iinfo(dtype)
        picked = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, 3, 7, 100]
        return np.array([*picked, *rng.integers(info.min, info.max, 6, dtype=dtype)], dtype)
    info_f = np.finfo(dtype)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 40.0, -40.0, np.inf, -np.inf, np.nan, 1e-5, -1e-5]
    limits = [info_f.max, -info_f.max, info_f.tiny, info_f.smallest_subnormal, info_f.eps / 8]
    if dtype in COMPLEX:
        parts = np.array([*special[:10], np.nan, *rng.normal(size=6)])
        both = np.empty(parts.shape, dtype)
        both.real, both.imag = parts, rng.permutation(parts)
        return both
    large = [700.0, -700.0] if dtype == "float64" else [80.0, -80.0] if dtype == "float32" else [9.0, -9.0]
    return np.array([*special, *limits, *large, *rng.normal(size=12), *(10 * rng.normal(size=6))]).astype(dtype)


def ordinary_values(dtype: str, rng: np.random.Generator) -> Array:
    """Positive numbers around one."""
    return rng.uniform(0.5, 2.0, 40).astype(dtype)
