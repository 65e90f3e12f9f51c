"""What docs/ops.md shows: the functions by family, and a call of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.ops import (
    cumulative,
    decompositions,
    determinants,
    eigen,
    einsum,
    elementwise,
    extents,
    grids,
    index,
    join,
    least_squares,
    linalg,
    matrix_functions,
    nnet,
    norms,
    ordering,
    rearrange,
    reduce,
    shape,
    singular,
    steering,
    systems,
)

# The elementwise operations are written first, in these groups.
ELEMENTWISE: tuple[tuple[str, str], ...] = (
    ("Arithmetic", "add subtract multiply true_divide floor_divide remainder fmod power negative absolute sign "
                   "reciprocal square maximum minimum fmax fmin float_power fabs heaviside"),
    ("Exponentials, logarithms and roots", "exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2 sqrt cbrt hypot"),
    ("Trigonometric and hyperbolic functions", "sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh "
                                               "arccosh arctanh deg2rad rad2deg"),
    ("Special functions", "erf erfc erfinv gammaln digamma polygamma sigmoid softplus"),
    ("Rounding", "floor ceil trunc rint round"),
    ("Comparison, logic and choice", "equal not_equal less less_equal greater greater_equal logical_and logical_or "
                                     "logical_xor logical_not where isnan isinf isfinite signbit copysign nextafter"),
    ("Whole numbers and bits", "gcd lcm bitwise_and bitwise_or bitwise_xor invert left_shift right_shift "
                               "bitwise_count"),
)  # fmt: skip

FAMILIES: tuple[tuple[str, ModuleType, str], ...] = (
    ("Conversion", elementwise, "cast clip"),
    ("Shapes as values", extents, "shape_of broadcast_to reshape full full_like zeros zeros_like ones ones_like"),
    ("Axes", shape, "size transpose dimshuffle swapaxes moveaxis expand_dims squeeze flatten ravel atleast_1d "
                    "atleast_2d shape_padleft shape_padright shape_padaxis"),
    ("Together and apart", join, "as_tensor concatenate join stack split repeat tile"),
    ("Ranges and grids", join, "arange eye"),
    ("Ranges and grids", grids, "linspace meshgrid"),
    ("Diagonals and triangles", grids, "diag diagonal tril triu"),
    ("Indexing", index, "index take set_subtensor inc_subtensor"),
    ("Elements in other places", rearrange, "flip roll pad take_along_axis"),
    ("Reductions", reduce, "sum prod max min mean var std any all argmax argmin"),
    ("Running folds, differences and counts", cumulative, "cumsum cumprod diff bincount count_nonzero"),
    ("Order and search", ordering, "sort argsort topk argtopk topk_and_argtopk median ptp searchsorted unique "
                                   "nonzero flatnonzero"),
    ("Products of matrices", linalg, "matmul dot inner outer tensordot"),
    ("Products of matrices", einsum, "einsum"),
    ("Products of matrices", matrix_functions, "kron matrix_power"),
    ("Linear algebra", systems, "solve solve_triangular inv"),
    ("Linear algebra", least_squares, "lstsq pinv"),
    ("Linear algebra", determinants, "det slogdet"),
    ("Linear algebra", decompositions, "cholesky qr"),
    ("Linear algebra", eigen, "eigh eigvalsh eig"),
    ("Linear algebra", singular, "svd svdvals"),
    ("Linear algebra", matrix_functions, "expm trace"),
    ("Linear algebra", norms, "norm"),
    ("Neural networks", nnet, "softmax log_softmax logsumexp relu categorical_crossentropy binary_crossentropy"),
    ("Steering gradients", steering, "disconnected_grad zero_grad grad_clip"),
)  # fmt: skip


# ---- a call of each -------------------------------------------------------------------------------


def symbol(name: str, dtype: str = "float64", shape: tuple[int | None, ...] = ()) -> Variable:
    """A variable to write mathematics with."""
    return Variable(TensorType(dtype, shape), name)


# What stands for a parameter without a default, by its name; each is made in the dtype that is asked for.
Sample = Callable[[str], Any]


def _sample(name: str, *extents: int | None) -> Sample:
    return lambda dtype: symbol(name, dtype, extents)


X, Y, V, W, SCALAR = _sample("x", 3, 3), _sample("y", 3, 3), _sample("v", 3), _sample("w", 3), _sample("x")
_PARAMETERS: dict[str, Sample] = {
    **dict.fromkeys(("x", "a", "coding_dist", "output", "value"), X),
    **dict.fromkeys(("b", "y", "true_dist", "target"), Y),
    "indices": lambda _: symbol("i", "int64", (3,)),
    "shape": lambda _: (2, 3),
    "arrays": lambda dtype: [X(dtype), Y(dtype)],
}
# Whole calls, where that says more: functions make operands, all else is an argument as it stands.
_CALLS: dict[str, tuple[Any, ...]] = {
    "cast": (X, "float32"), "clip": (X, 0, 1), "full": ((2, 3), SCALAR), "full_like": (X, 1),
    "dimshuffle": (X, 1, "x", 0), "swapaxes": (X, 0, 1), "moveaxis": (X, 0, 1), "expand_dims": (X, 0),
    "squeeze": (_sample("x", 1, 3), 0), "shape_of": (_sample("x", None, None),), "size": (_sample("x", None, None),),
    "atleast_1d": (SCALAR,), "atleast_2d": (V,), "shape_padaxis": (X, 0), "broadcast_to": (V, (2, 3)),
    "reshape": (X, (-1,)), "as_tensor": (lambda dtype: [SCALAR(dtype), 1.0],), "join": (0, X, Y),
    "split": (X, [2]), "repeat": (X, 2, 0), "tile": (X, (2, 1)),
    "arange": (_sample("n"),), "eye": (lambda _: symbol("n", "int64"),), "linspace": (SCALAR, _sample("y"), 5),
    "meshgrid": (V, W), "diag": (V,), "index": (X, (slice(1, None), 0)), "take": (X, _PARAMETERS["indices"], 0),
    "set_subtensor": (lambda dtype: index.index(X(dtype), 0), V),
    "inc_subtensor": (lambda dtype: index.index(X(dtype), 0), V),
    "roll": (X, 2, 0), "pad": (V, 1), "take_along_axis": (V, _PARAMETERS["indices"]),
    **dict.fromkeys("sum prod max min mean var std any all argmax argmin logsumexp cumsum cumprod "
                    "count_nonzero median".split(), (X, 0)),
    "bincount": (_PARAMETERS["indices"], V), "topk": (V, 2), "argtopk": (V, 2), "topk_and_argtopk": (V, 2),
    "einsum": ("ij,jk->ik", X, Y), "matrix_power": (X, 3), "solve": (X, Y), "solve_triangular": (X, Y), "lstsq": (X, Y),
    "svd": (X, False), "grad_clip": (X, -1, 1),
    "searchsorted": (V, X), "unique": (V,), "flatnonzero": (V,), "tensordot": (X, Y, 1),
}  # fmt: skip


def call(function: Callable[..., Any], name: str, dtype: str) -> tuple[Any, ...]:
    """The arguments with which the page calls `function`: variables in `dtype`, and what else it takes."""
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    given = _CALLS.get(name) or tuple(_PARAMETERS[p] for p in required)
    return tuple(argument(dtype) if callable(argument) else argument for argument in given)
