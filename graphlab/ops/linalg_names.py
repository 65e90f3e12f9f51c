"""T.linalg: linear algebra under the names of numpy.linalg and scipy.linalg.

>>> import numpy as np
>>> solve(np.eye(2), np.ones(2)).type.shape
(2,)
"""

from __future__ import annotations

from typing import Any

from graphlab.graph.node import Variable
from graphlab.ops import matrix_functions
from graphlab.ops.decompositions import cholesky, qr
from graphlab.ops.determinants import det, slogdet
from graphlab.ops.eigen import eig, eigh, eigvalsh
from graphlab.ops.least_squares import lstsq, pinv
from graphlab.ops.linalg import matmul, outer, tensordot
from graphlab.ops.matrix_functions import expm, kron, matrix_power
from graphlab.ops.norms import norm
from graphlab.ops.singular import svd, svdvals
from graphlab.ops.systems import inv, solve, solve_triangular


def trace(x: Any, offset: int = 0) -> Variable:
    """The sum along diagonal `offset` of each matrix of `x`, (..., m, n), as numpy.linalg.trace."""
    return matrix_functions.trace(x, offset, -2, -1)


__all__ = [
    "cholesky", "det", "eig", "eigh", "eigvalsh", "expm", "inv", "kron", "lstsq", "matmul", "matrix_power",
    "norm", "outer", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensordot", "trace",
]  # fmt: skip
