"""What docs/ops.md shows: the functions by family, and a call of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.ops import (
    activations,
    choices,
    convolve,
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
    losses,
    matrix_functions,
    nnet,
    normalization,
    norms,
    ordering,
    pooling,
    products,
    ranges,
    rearrange,
    reduce,
    samples,
    shape,
    singular,
    special,
    statistics,
    steering,
    systems,
    theano_names,
    windows,
)
from graphlab.ops import complex as by_angle

# The elementwise operations are written first, in these groups.
ELEMENTWISE: tuple[tuple[str, str], ...] = (
    ("Arithmetic", "add subtract multiply true_divide floor_divide remainder fmod power negative positive absolute "
                   "sign reciprocal square maximum minimum fmax fmin float_power fabs heaviside"),
    ("Exponentials, logarithms and roots", "exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2 sqrt cbrt hypot"),
    ("Trigonometric and hyperbolic functions", "sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh "
                                               "arccosh arctanh deg2rad rad2deg"),
    ("Gamma and beta functions", "gamma gammaln digamma polygamma gammainc gammaincc beta betaln betainc binom"),
    ("Error functions and the normal distribution", "erf erfc erfcx erfinv erfcinv ndtr log_ndtr ndtri"),
    ("Bessel functions", "j0 j1 jv y0 y1 yv i0 i1 iv i0e i1e ive k0 k1 kv"),
    ("Logistic functions and entropies", "sigmoid softplus logit log_expit xlogy xlog1py entr rel_entr kl_div sinc"),
    ("Complex numbers", "complex real imag conjugate"),
    ("Rounding", "floor ceil trunc rint round"),
    ("Comparison, logic and choice", "equal not_equal less less_equal greater greater_equal logical_and logical_or "
                                     "logical_xor logical_not where isnan isinf isfinite signbit copysign nextafter"),
    ("Whole numbers and bits", "gcd lcm bitwise_and bitwise_or bitwise_xor invert left_shift right_shift "
                               "bitwise_count"),
)  # fmt: skip

FAMILIES: tuple[tuple[str, ModuleType, str], ...] = (
    ("Gamma and beta functions", special, "tri_gamma"),
    ("Complex numbers", by_angle, "angle complex_from_polar"),
    ("Conversion", elementwise, "cast clip"),
    ("Shapes as values", extents, "shape_of broadcast_to reshape full full_like zeros zeros_like ones ones_like"),
    ("Axes", shape, "size transpose dimshuffle swapaxes moveaxis expand_dims squeeze flatten ravel atleast_1d "
                    "atleast_2d shape_padleft shape_padright shape_padaxis"),
    ("Together and apart", join, "as_tensor concatenate join stack split repeat tile"),
    ("Ranges and grids", ranges, "arange"),
    ("Ranges and grids", join, "eye"),
    ("Ranges and grids", grids, "linspace meshgrid"),
    ("Diagonals and triangles", grids, "diag diagonal tril triu"),
    ("Indexing", index, "index take set_subtensor inc_subtensor"),
    ("Elements in other places", rearrange, "flip roll pad take_along_axis"),
    ("Reductions", reduce, "sum max min mean var std any all argmax argmin"),
    ("Reductions", products, "prod"),
    ("Running folds, differences and counts", cumulative, "cumsum cumprod diff bincount count_nonzero"),
    ("Order and search", ordering, "sort argsort topk argtopk topk_and_argtopk median ptp searchsorted unique "
                                   "nonzero flatnonzero"),
    ("Statistics", statistics, "quantile percentile average nansum nanprod nanmean nanvar nanstd nanmin nanmax cov "
                               "corrcoef histogram digitize"),
    ("Samples of functions", samples, "interp trapezoid convolve correlate vander cross vdot"),
    ("Comparing and choosing arrays", choices, "isclose allclose array_equal select piecewise choose nan_to_num"),
    ("Theano's own", theano_names, "batched_dot batched_tensordot matrix_dot addbroadcast unbroadcast "
                                   "patternbroadcast specify_shape makeKeepDims horizontal_stack vertical_stack "
                                   "hstack vstack identity_like fill_diagonal fill_diagonal_offset to_one_hot xlogx "
                                   "max_and_argmax"),
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
    ("Neural networks", activations, "relu leaky_relu elu selu gelu silu mish softsign hard_sigmoid "
                                     "ultra_fast_sigmoid"),
    ("Neural networks", nnet, "softmax log_softmax logsumexp"),
    ("Neural networks", losses, "categorical_crossentropy softmax_categorical_crossentropy binary_crossentropy "
                                "sigmoid_binary_crossentropy crossentropy_softmax_1hot "
                                "crossentropy_softmax_argmax_1hot_with_bias embedding"),
    ("Neural networks", normalization, "batch_norm layer_norm batch_normalization batch_normalization_train "
                                       "batch_normalization_test"),
    ("Convolutions and pools", convolve, "conv1d conv2d conv3d separable_conv2d conv2d_transpose "
                                         "conv2d_grad_wrt_inputs conv2d_grad_wrt_weights"),
    ("Convolutions and pools", pooling, "pool_2d pool_3d max_pool_2d max_pool avg_pool"),
    ("Convolutions and pools", windows, "windows fold_windows"),
    ("Steering gradients", steering, "disconnected_grad zero_grad grad_clip grad_scale"),
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
IMAGES, FILTERS, MAPS = _sample("x", 2, 3, 8, 8), _sample("w", 4, 3, 3, 3), _sample("g", 2, 4, 6, 6)
# Whole calls, where that says more: functions make operands, all else is an argument as it stands.
_CALLS: dict[str, tuple[Any, ...]] = {
    "quantile": (X, 0.5, 0), "percentile": (X, 50, 0), "average": (X, 0, V), "digitize": (X, V), "cov": (V,),
    "corrcoef": (V,), "nansum": (X, 0), "nanprod": (X, 0), "nanmean": (X, 0), "nanvar": (X, 0), "nanstd": (X, 0),
    "nanmin": (X, 0), "nanmax": (X, 0), "histogram": (V, 3), "interp": (SCALAR, V, W), "trapezoid": (V,),
    "convolve": (V, W), "correlate": (V, W), "vander": (V,), "vdot": (V, W), "batched_dot": (X, Y),
    "select": (lambda dtype: [X(dtype) == 0], lambda dtype: [X(dtype)]),
    "choose": (_PARAMETERS["indices"], lambda dtype: [V(dtype), W(dtype)]),
    "piecewise": (X, lambda dtype: [], (1.0,)), "addbroadcast": (X, 0), "unbroadcast": (X, 0),
    "patternbroadcast": (X, (False, False)), "specify_shape": (_sample("x", None, None), (None, 3)),
    "makeKeepDims": (X, V, 0), "matrix_dot": (X, Y), "horizontal_stack": (X, Y), "vertical_stack": (X, Y),
    "fill_diagonal": (X, 1), "fill_diagonal_offset": (X, 1, 1), "to_one_hot": (_PARAMETERS["indices"], 3),
    "batched_tensordot": (X, Y, 1),
    "angle": (X,), "complex_from_polar": (X, Y),
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
    "softmax_categorical_crossentropy": (X, _PARAMETERS["indices"]), "embedding": (X, _PARAMETERS["indices"]),
    "crossentropy_softmax_1hot": (X, _PARAMETERS["indices"]),
    "crossentropy_softmax_argmax_1hot_with_bias": (X, V, _PARAMETERS["indices"]),
    "batch_normalization": (X, V, W, _sample("mean", 3), _sample("std", 3)), "batch_normalization_train": (X, V, W),
    "batch_normalization_test": (X, V, W, _sample("mean", 3), _sample("var", 3)),
    "conv1d": (_sample("x", 2, 3, 8), _sample("w", 4, 3, 3)), "conv2d": (IMAGES, FILTERS),
    "conv3d": (_sample("x", 2, 3, 8, 8, 8), _sample("w", 4, 3, 3, 3, 3)), "conv2d_transpose": (MAPS, FILTERS),
    "separable_conv2d": (IMAGES, _sample("d", 6, 1, 3, 3), _sample("p", 4, 6, 1, 1), 3),
    "conv2d_grad_wrt_inputs": (MAPS, FILTERS, (2, 3, 8, 8)), "conv2d_grad_wrt_weights": (IMAGES, MAPS, (4, 3, 3, 3)),
    "pool_2d": (X, (2, 2)), "pool_3d": (_sample("x", 4, 4, 4), (2, 2, 2)), "max_pool_2d": (X, (2, 2)),
    "max_pool": (X, (2, 2)), "avg_pool": (X, (2, 2)), "windows": (V, (2,)), "fold_windows": (_sample("x", 2, 2), (3,)),
    "einsum": ("ij,jk->ik", X, Y), "matrix_power": (X, 3), "solve": (X, Y), "solve_triangular": (X, Y), "lstsq": (X, Y),
    "svd": (X, False), "grad_clip": (X, -1, 1), "grad_scale": (X, -1),
    "searchsorted": (V, X), "unique": (V,), "flatnonzero": (V,), "tensordot": (X, Y, 1),
}  # fmt: skip


def call(function: Callable[..., Any], name: str, dtype: str) -> tuple[Any, ...]:
    """The arguments with which the page calls `function`: variables in `dtype`, and what else it takes."""
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    given = _CALLS.get(name) or tuple(_PARAMETERS[p] for p in required)
    return tuple(argument(dtype) if callable(argument) else argument for argument in given)
