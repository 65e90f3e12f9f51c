"""T.linalg: linear algebra under the names of numpy.linalg and scipy.linalg.

>>> import numpy as np
>>> solve(np.eye(2), np.ones(2)).type.shape
(2,)
"""

from __future__ import annotations

from typing import Any

from graphlab.graph.node import Variable
from graphlab.ops import matrices
from graphlab.ops.decompositions import (
    cholesky,
    eig,
    eigh,
    eigvalsh,
    lstsq,
    pinv,
    qr,
    svd,
    svdvals,
)
from graphlab.ops.linalg import matmul, outer, tensordot
from graphlab.ops.matrices import det, expm, inv, kron, matrix_power, slogdet, solve, solve_triangular
from graphlab.ops.norms import norm


def trace(x: Any, offset: int = 0) -> Variable:
    """The sum along diagonal `offset` of each matrix of `x`, (..., m, n), as numpy.linalg.trace."""
    return matrices.trace(x, offset, -2, -1)


__all__ = [
    "cholesky", "det", "eig", "eigh", "eigvalsh", "expm", "inv", "kron", "lstsq", "matmul", "matrix_power",
    "norm", "outer", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensordot", "trace",
]  # fmt: skip
