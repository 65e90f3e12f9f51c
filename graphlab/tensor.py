"""The user's namespace: variables by rank and dtype, and every operation by its NumPy and Theano names.

>>> import graphlab.tensor as T
>>> x = T.matrix("x")
>>> T.exp(x).sum(axis=0).type.ndim
1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphlab import random, shared_randomstreams
from graphlab.autodiff import (
    Lop,
    Rop,
    grad,
    grad_not_implemented,
    grad_undefined,
    hessian,
    hessian_vector_product,
    jacobian,
    jvp,
    verify_grad,
    vjp,
)
from graphlab.dtypes import LETTERS
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Shared, Variable
from graphlab.graph.types import Extent, tensor_type
from graphlab.ops import extra_ops
from graphlab.ops import linalg_names as linalg
from graphlab.ops import nnet_names as nnet
from graphlab.ops import signal_names as signal
from graphlab.ops.choices import allclose, array_equal, choose, isclose, nan_to_num, piecewise, select
from graphlab.ops.complex import angle, complex_from_polar
from graphlab.ops.conversion import cast
from graphlab.ops.cumulative import bincount, count_nonzero, cumprod, cumsum, diff
from graphlab.ops.decompositions import cholesky, qr
from graphlab.ops.determinants import det, slogdet
from graphlab.ops.eigen import eig, eigh, eigvalsh
from graphlab.ops.einsum import einsum
from graphlab.ops.elementwise import (
    absolute,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    bitwise_and,
    bitwise_count,
    bitwise_or,
    bitwise_xor,
    cbrt,
    ceil,
    clip,
    conjugate,
    copysign,
    cos,
    cosh,
    deg2rad,
    equal,
    exp,
    exp2,
    expm1,
    fabs,
    float_power,
    floor,
    floor_divide,
    fmax,
    fmin,
    fmod,
    gcd,
    greater,
    greater_equal,
    heaviside,
    hypot,
    imag,
    invert,
    isfinite,
    isinf,
    isnan,
    lcm,
    left_shift,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    power,
    rad2deg,
    real,
    reciprocal,
    remainder,
    right_shift,
    rint,
    round,
    sigmoid,
    sign,
    signbit,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    true_divide,
    trunc,
    where,
)
from graphlab.ops.elementwise import complex_ as complex
from graphlab.ops.grids import diag, diagonal, linspace, meshgrid, tril, triu
from graphlab.ops.index import inc_subtensor, set_subtensor, take
from graphlab.ops.join import as_tensor, concatenate, eye, join, repeat, split, stack, tile
from graphlab.ops.least_squares import lstsq, pinv
from graphlab.ops.linalg import dot, inner, matmul, outer, tensordot
from graphlab.ops.matrix_functions import expm, kron, matrix_power, trace
from graphlab.ops.nnet import log_softmax, logsumexp, softmax
from graphlab.ops.norms import norm
from graphlab.ops.ordering import (
    argsort,
    argtopk,
    flatnonzero,
    median,
    nonzero,
    ptp,
    searchsorted,
    sort,
    topk,
    topk_and_argtopk,
    unique,
)
from graphlab.ops.products import prod
from graphlab.ops.ranges import arange
from graphlab.ops.rearrange import flip, pad, roll, take_along_axis
from graphlab.ops.reduce import all, any, argmax, argmin, max, mean, min, std, sum, var
from graphlab.ops.samples import convolve, correlate, cross, interp, trapezoid, vander, vdot
from graphlab.ops.shape import (
    atleast_1d,
    atleast_2d,
    broadcast_to,
    dimshuffle,
    expand_dims,
    flatten,
    full,
    full_like,
    moveaxis,
    ones,
    ones_like,
    ravel,
    reshape,
    shape_of,
    shape_padaxis,
    shape_padleft,
    shape_padright,
    size,
    squeeze,
    swapaxes,
    transpose,
    zeros,
    zeros_like,
)
from graphlab.ops.singular import svd
from graphlab.ops.special import (
    beta,
    betainc,
    betaln,
    binom,
    digamma,
    entr,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    i0,
    i0e,
    i1,
    i1e,
    iv,
    ive,
    j0,
    j1,
    jv,
    k0,
    k1,
    kl_div,
    kv,
    log_expit,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    polygamma,
    rel_entr,
    sinc,
    tri_gamma,
    xlog1py,
    xlogy,
    y0,
    y1,
    yv,
)
from graphlab.ops.statistics import (
    average,
    corrcoef,
    cov,
    digitize,
    histogram,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    percentile,
    quantile,
)
from graphlab.ops.steering import consider_constant, disconnected_grad, grad_clip, grad_scale, zero_grad
from graphlab.ops.systems import inv as matrix_inverse
from graphlab.ops.systems import solve, solve_triangular
from graphlab.ops.theano_names import (
    addbroadcast,
    batched_dot,
    batched_tensordot,
    fill_diagonal,
    fill_diagonal_offset,
    horizontal_stack,
    hstack,
    identity_like,
    makeKeepDims,
    matrix_dot,
    max_and_argmax,
    mgrid,
    ogrid,
    patternbroadcast,
    specify_shape,
    to_one_hot,
    unbroadcast,
    vertical_stack,
    vstack,
    xlogx,
)
from graphlab.options import options
from graphlab.vectorize import vectorize_graph
from graphlab.vmap import vmap

# ---- variables -----------------------------------------------------------------------------------


@user_boundary
def tensor(dtype: Any = None, shape: Sequence[Extent] = (), name: str | None = None) -> Variable:
    """A variable of `dtype` (default floatX) with `len(shape)` dimensions; a None extent is left to the run.

    >>> str(tensor("int32", (None, 3), "codes").type)
    'int32[?,3]'
    """
    given: Any = name
    if not isinstance(given, str | None):
        raise GraphTypeError(f"the name of a variable is a text, got {given!r:.40}", origin=caller_origin(),
                             hint="fixed extents are a shape: T.tensor('float64', (3,), 'x')")  # fmt: skip
    try:
        return Variable(tensor_type(dtype or options().floatX, shape), name)
    except (TypeError, ValueError) as error:
        raise GraphTypeError(
            f"tensor({name or ''}): {error}",
            origin=caller_origin(),
            hint="tensor('float64', (None, 3), 'x'): a dtype, a tuple of integers or None, a name",
        ) from None


Maker = Callable[..., Variable]


def _maker(kind: str, shape: Sequence[Extent], dtype: str | None = None, letter: str = "") -> Maker:
    """A function (name, dtype) that makes variables of `shape`; a `letter` in its name tells a fixed dtype."""

    def make(name: str | None = None, dtype: Any = dtype) -> Variable:
        return tensor(dtype, shape, name)

    make.__name__ = make.__qualname__ = letter + kind
    make.__doc__ = f"A {kind} variable of {dtype or 'dtype floatX, unless `dtype` says another'}."
    return user_boundary(make)


def _of_each_dtype(kind: str, shape: Sequence[Extent]) -> list[Maker]:
    return [_maker(kind, shape, dtype, letter) for letter, dtype in LETTERS.items()]


@user_boundary
def TensorType(dtype: Any, broadcastable: Sequence[Any] = (), name: str | None = None) -> Maker:
    """Theano's spelling of a maker of variables: TensorType("float32", (False,) * 5)("x").

    Of each axis `broadcastable` says whether its extent is 1, or the extent itself, or None. `name` is taken for
    Theano's sake. For a variable of any shape `tensor` is shorter.

    >>> str(TensorType("float32", (False, True))("x").type)
    'float32[?,1]'
    """
    shape = tuple((1 if n else None) if isinstance(n, bool) else n for n in broadcastable)
    return _maker(name or "tensor", shape, dtype)


def _several(make: Maker) -> Callable[..., tuple[Variable, ...]]:
    """The plural of `make`: one variable for each name, or as many unnamed ones as a number says."""

    def several(*names: str | int) -> tuple[Variable, ...]:
        if len(names) == 1 and isinstance(names[0], int):
            return tuple(make() for _ in range(names[0]))
        return tuple(make(name) for name in names)

    several.__name__ = several.__qualname__ = make.__name__.replace("matrix", "matrice") + "s"
    several.__doc__ = f"One `{make.__name__}` for each name given, or as many unnamed ones as a number says."
    return user_boundary(several)


scalar, vector, matrix = _maker("scalar", ()), _maker("vector", (None,)), _maker("matrix", (None, None))
tensor3, tensor4 = _maker("tensor3", (None,) * 3), _maker("tensor4", (None,) * 4)
row, col = _maker("row", (1, None)), _maker("col", (None, 1))

# In the order of LETTERS: b int8, w int16, i int32, l int64, f float32, d float64, c complex64, z complex128.
bscalar, wscalar, iscalar, lscalar, fscalar, dscalar, cscalar, zscalar = _of_each_dtype("scalar", ())
bvector, wvector, ivector, lvector, fvector, dvector, cvector, zvector = _of_each_dtype("vector", (None,))
bmatrix, wmatrix, imatrix, lmatrix, fmatrix, dmatrix, cmatrix, zmatrix = _of_each_dtype("matrix", (None,) * 2)
btensor3, wtensor3, itensor3, ltensor3, ftensor3, dtensor3, ctensor3, ztensor3 = _of_each_dtype("tensor3", (None,) * 3)
btensor4, wtensor4, itensor4, ltensor4, ftensor4, dtensor4, ctensor4, ztensor4 = _of_each_dtype("tensor4", (None,) * 4)
brow, wrow, irow, lrow, frow, drow, crow, zrow = _of_each_dtype("row", (1, None))
bcol, wcol, icol, lcol, fcol, dcol, ccol, zcol = _of_each_dtype("col", (None, 1))

scalars, vectors, matrices = _several(scalar), _several(vector), _several(matrix)
cscalars, zscalars = map(_several, (cscalar, zscalar))
cvectors, zvectors = map(_several, (cvector, zvector))
cmatrices, zmatrices = map(_several, (cmatrix, zmatrix))
tensor3s, tensor4s, rows, cols = _several(tensor3), _several(tensor4), _several(row), _several(col)
iscalars, lscalars, fscalars, dscalars = map(_several, (iscalar, lscalar, fscalar, dscalar))
ivectors, lvectors, fvectors, dvectors = map(_several, (ivector, lvector, fvector, dvector))
imatrices, lmatrices, fmatrices, dmatrices = map(_several, (imatrix, lmatrix, fmatrix, dmatrix))


@user_boundary
def constant(value: Any, name: str | None = None, dtype: Any = None) -> Variable:
    """`value`, copied into the graph.

    >>> constant([1, 2]).type.shape
    (2,)
    """
    made = as_tensor(value, name)
    return made if dtype is None else cast(made, dtype)


shared = Shared

# ---- more names for the same ---------------------------------------------------------------------

abs = abs_ = absolute
neg, inv, sgn, sqr = negative, reciprocal, sign, square
sub, mul, true_div, int_div, floor_div, mod, pow = (
    subtract, multiply, true_divide, floor_divide, floor_divide, remainder, power,
)  # fmt: skip
eq, neq, lt, le, gt, ge = equal, not_equal, less, less_equal, greater, greater_equal
and_, or_, xor, bitwise_not = bitwise_and, bitwise_or, bitwise_xor, invert
conj = conjugate
switch, round_half_to_even = where, rint
psi, expit, log_sigmoid, jn = digamma, sigmoid, log_expit, jv
as_tensor_variable, stacklists, shape = as_tensor, as_tensor, shape_of
nlinalg = slinalg = linalg
TensorVariable, SharedVariable, xlogy0, extract_diag, alloc_diag = Variable, Shared, xlogy, diagonal, diag
amax, amin = max, min
permute_dims = transpose


@user_boundary
def alloc(value: Any, *extents: Any) -> Variable:
    """`value` stretched to the shape `extents`: Theano's spelling of `full`."""
    return full(extents, value)


@user_boundary
def fill(x: Any, value: Any) -> Variable:
    """`value` in the shape of `x`, in its own dtype: Theano's spelling of `full_like`."""
    made = as_tensor(value)
    return full_like(x, made, made.dtype)


__all__ = [
    "Lop", "Rop", "Shared", "SharedVariable", "TensorType", "TensorVariable", "Variable", "abs", "abs_", "absolute",
    "add", "addbroadcast", "all", "allclose", "alloc", "alloc_diag", "amax", "amin", "and_", "angle", "any", "arange",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort",
    "argtopk", "array_equal", "as_tensor", "as_tensor_variable", "atleast_1d", "atleast_2d", "average", "batched_dot",
    "batched_tensordot", "bcol", "beta", "betainc", "betaln", "bincount", "binom", "bitwise_and", "bitwise_count",
    "bitwise_not", "bitwise_or", "bitwise_xor", "bmatrix", "broadcast_to", "brow", "bscalar", "btensor3", "btensor4",
    "bvector", "cast", "cbrt", "ccol", "ceil", "cholesky", "choose", "clip", "cmatrices", "cmatrix", "col", "cols",
    "complex", "complex_from_polar", "concatenate", "conj", "conjugate", "consider_constant", "constant", "convolve",
    "copysign", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross", "crow", "cscalar",
    "cscalars", "ctensor3", "ctensor4", "cumprod", "cumsum", "cvector", "cvectors", "dcol", "deg2rad", "det", "diag",
    "diagonal", "diff", "digamma", "digitize", "dimshuffle", "disconnected_grad", "dmatrices", "dmatrix", "dot",
    "drow", "dscalar", "dscalars", "dtensor3", "dtensor4", "dvector", "dvectors", "eig", "eigh", "eigvalsh", "einsum",
    "entr", "eq", "equal", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp", "exp2", "expand_dims", "expit", "expm",
    "expm1", "extra_ops", "extract_diag", "eye", "fabs", "fcol", "fill", "fill_diagonal", "fill_diagonal_offset",
    "flatnonzero", "flatten", "flip", "float_power", "floor", "floor_div", "floor_divide", "fmatrices", "fmatrix",
    "fmax", "fmin", "fmod", "frow", "fscalar", "fscalars", "ftensor3", "ftensor4", "full", "full_like", "fvector",
    "fvectors", "gamma", "gammainc", "gammaincc", "gammaln", "gcd", "ge", "grad", "grad_clip", "grad_not_implemented",
    "grad_scale", "grad_undefined", "greater", "greater_equal", "gt", "heaviside", "hessian",
    "hessian_vector_product", "histogram", "horizontal_stack", "hstack", "hypot", "i0", "i0e", "i1", "i1e", "icol",
    "identity_like", "imag", "imatrices", "imatrix", "inc_subtensor", "inner", "int_div", "interp", "inv", "invert",
    "irow", "iscalar", "iscalars", "isclose", "isfinite", "isinf", "isnan", "itensor3", "itensor4", "iv", "ive",
    "ivector", "ivectors", "j0", "j1", "jacobian", "jn", "join", "jv", "jvp", "k0", "k1", "kl_div", "kron", "kv",
    "lcm", "lcol", "le", "left_shift", "less", "less_equal", "linalg", "linspace", "lmatrices", "lmatrix", "log",
    "log1p", "log2", "log10", "log_expit", "log_ndtr", "log_sigmoid", "log_softmax", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logsumexp", "lrow", "lscalar", "lscalars",
    "lstsq", "lt", "ltensor3", "ltensor4", "lvector", "lvectors", "makeKeepDims", "matmul", "matrices", "matrix",
    "matrix_dot", "matrix_inverse", "matrix_power", "max", "max_and_argmax", "maximum", "mean", "median", "meshgrid",
    "mgrid", "min", "minimum", "mod", "moveaxis", "mul", "multiply", "nan_to_num", "nanmax", "nanmean", "nanmin",
    "nanprod", "nanstd", "nansum", "nanvar", "ndtr", "ndtri", "neg", "negative", "neq", "nextafter", "nlinalg",
    "nnet", "nonzero", "norm", "not_equal", "ogrid", "ones", "ones_like", "or_", "outer", "pad", "patternbroadcast",
    "percentile", "permute_dims", "piecewise", "pinv", "polygamma", "positive", "pow", "power", "prod", "psi", "ptp",
    "qr", "quantile", "rad2deg", "random", "ravel", "real", "reciprocal", "rel_entr", "remainder", "repeat",
    "reshape", "right_shift", "rint", "roll", "round", "round_half_to_even", "row", "rows", "scalar", "scalars",
    "searchsorted", "select", "set_subtensor", "sgn", "shape", "shape_of", "shape_padaxis", "shape_padleft",
    "shape_padright", "shared", "shared_randomstreams", "sigmoid", "sign", "signal", "signbit", "sin", "sinc", "sinh",
    "size", "slinalg", "slogdet", "softmax", "softplus", "solve", "solve_triangular", "sort", "specify_shape",
    "split", "sqr", "sqrt", "square", "squeeze", "stack", "stacklists", "std", "sub", "subtract", "sum", "svd",
    "swapaxes", "switch", "take", "take_along_axis", "tan", "tanh", "tensor", "tensor3", "tensor3s", "tensor4",
    "tensor4s", "tensordot", "tile", "to_one_hot", "topk", "topk_and_argtopk", "trace", "transpose", "trapezoid",
    "tri_gamma", "tril", "triu", "true_div", "true_divide", "trunc", "unbroadcast", "unique", "vander", "var", "vdot",
    "vector", "vectorize_graph", "vectors", "verify_grad", "vertical_stack", "vjp", "vmap", "vstack", "wcol", "where",
    "wmatrix", "wrow", "wscalar", "wtensor3", "wtensor4", "wvector", "xlog1py", "xlogx", "xlogy", "xlogy0", "xor",
    "y0", "y1", "yv", "zcol", "zero_grad", "zeros", "zeros_like", "zmatrices", "zmatrix", "zrow", "zscalar",
    "zscalars", "ztensor3", "ztensor4", "zvector", "zvectors",
]  # fmt: skip
