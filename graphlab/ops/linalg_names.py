"""T.linalg: linear algebra under the names of numpy.linalg and scipy.linalg.

>>> import numpy as np
>>> solve(np.eye(2), np.ones(2)).type.shape
(2,)
"""

from __future__ import annotations

from typing import Any

from graphlab.errors import user_boundary
from graphlab.graph.node import Variable
from graphlab.ops import matrix_functions
from graphlab.ops.decompositions import cholesky, qr
from graphlab.ops.determinants import det, slogdet
from graphlab.ops.eigen import eig, eigh, eigvalsh
from graphlab.ops.grids import diag, diagonal
from graphlab.ops.least_squares import lstsq, pinv
from graphlab.ops.linalg import matmul, outer, tensordot
from graphlab.ops.matrix_functions import expm, kron, matrix_power
from graphlab.ops.norms import norm
from graphlab.ops.singular import svd, svdvals
from graphlab.ops.systems import inv, solve, solve_triangular
from graphlab.ops.theano_names import matrix_dot


@user_boundary
def trace(x: Any, offset: int = 0) -> Variable:
    """The sum along diagonal `offset` of each matrix of `x`, (..., m, n), as numpy.linalg.trace."""
    return matrix_functions.trace(x, offset, -2, -1)


@user_boundary
def solve_lower_triangular(a: Any, b: Any) -> Variable:
    """x with a x = b, of which the lower triangle of `a` is used: Theano's spelling of solve_triangular."""
    return solve_triangular(a, b, lower=True)


@user_boundary
def solve_upper_triangular(a: Any, b: Any) -> Variable:
    """x with a x = b, of which the upper triangle of `a` is used: Theano's spelling of solve_triangular."""
    return solve_triangular(a, b, lower=False)


# Theano's names for the same.
matrix_inverse, extract_diag, alloc_diag = inv, diagonal, diag

__all__ = [
    "alloc_diag", "cholesky", "det", "diag", "eig", "eigh", "eigvalsh", "expm", "extract_diag", "inv", "kron",
    "lstsq", "matmul", "matrix_dot", "matrix_inverse", "matrix_power", "norm", "outer", "pinv", "qr", "slogdet",
    "solve", "solve_lower_triangular", "solve_triangular", "solve_upper_triangular", "svd", "svdvals", "tensordot",
    "trace",
]  # fmt: skip
