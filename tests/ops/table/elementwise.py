"""Elementwise ops, generated from their own tables, and casts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from scipy import special

import graphlab.tensor as T
from graphlab.dtypes import ALL, BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.ops import elementwise as e
from graphlab.ops import special as sp
from graphlab.ops.ufunc import Elementwise, Undefined
from tests.ops.table.case import NUMERIC, Array, Case, Operand, Shape, at_least_single


def _numpy_meaning(op: Elementwise) -> Callable[..., Any]:
    """What the name of `op` means in NumPy or SciPy, found by the name."""
    if op.name == "complex":
        return _with_parts
    if op.name == "sigmoid":
        return lambda x: special.expit(at_least_single(x)).astype(at_least_single(x).dtype)
    if op.name == "polygamma":  # always in float64: SciPy loses digits that it could keep
        return lambda n, x: special.polygamma(np.asarray(n, "float64"), np.asarray(x, "float64"))
    if op.name == "sinc":  # NumPy's is a function that takes complex too
        return lambda x: np.sinc(at_least_single(x))
    if op.name == "softplus":
        return lambda x: np.logaddexp(at_least_single(x), np.zeros((), at_least_single(x).dtype))
    found: Callable[..., Any] = getattr(special if isinstance(op, sp.Special) else np, op.name)
    return found


def _with_parts(re: Array, im: Array) -> Array:
    if np.iscomplexobj(re) or np.iscomplexobj(im):
        raise TypeError
    made = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re, im, "complex64"))
    made.real, made.imag = re, im
    return made


def takes(function: Callable[..., Any], dtypes: Sequence[str]) -> bool:
    """Whether NumPy computes `function` of operands of `dtypes`."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)  # what drops imaginary parts does not take them
            function(*(np.ones((1,), d) for d in dtypes))
    except (TypeError, ComplexWarning):
        return False
    return True


# By arity; the last of each has room for every edge value, and with two operands for every pair of them.
_BROADCASTS: dict[int, tuple[tuple[Shape, ...], ...]] = {
    1: (((2, 3),), ((3, 0),), ((8, 9),)),
    2: (((2, 3), (2, 3)), ((2, 1), (1, 3)), ((0, 3), (1, 3)), ((64, 1), (1, 64))),
    3: (((2, 3), (1, 3), (2, 1)), ((0, 3), (1, 3), (1, 1)), ((8, 9), (8, 9), (8, 9))),
}


# SciPy's gammaln is infinite for subnormal numbers, its kv in float32 nan where that in float64 is 0.
_EDGES = {"polygamma": "none", **dict.fromkeys(("power", "gammaln", "sinc", "kv"), "floats")}


def elementwise_cases() -> Iterator[Case]:
    """One case for each elementwise op, in every dtype that NumPy takes."""
    for op in (*e.TABLE, *sp.TABLE):
        meaning = _numpy_meaning(op)
        low, high = op.domain
        operands = tuple(Operand(low, high) for _ in range(op.arity))
        shapes = _BROADCASTS[op.arity]
        if op.name == "where":
            operands = (Operand(dtype="bool"), *operands[1:])
        first = operands[0].dtype
        dtypes = tuple(d for d in ALL if takes(meaning, [first or d, *(d,) * (op.arity - 1)]))
        yield Case(
            op.name,
            op,
            meaning,
            operands,
            shapes,
            dtypes,
            ulps=op.ulps,
            # Where a derivative is undefined, that by the other operands has a test of its own.
            differentiable=op.pull is not None and not any(isinstance(p, Undefined) for p in op.pull),
            # These cross 0 where they are not exact.
            scale=1.0 if op.name in ("gammaln", "digamma", "logit", "sinc", "logaddexp", "logaddexp2") else 0.0,
            # Which zero is the larger one depends on the vector instructions that NumPy was built for.
            signed_zeros=op.name not in ("maximum", "minimum", "fmax", "fmin"),
            edges=_EDGES.get(op.name, "all"),
        )


def conversion_cases() -> Iterator[Case]:
    """Casts between dtypes, and what is composed of elementwise ops."""
    for target in ("bool", "int8", "uint8", "int32", "int64", "uint64", *FLOAT, *COMPLEX):
        # Out of range, float to int is undefined in C and in NumPy: the domain stays inside.
        low = 0.0 if target.startswith("u") else -3.0
        yield Case(
            f"cast {target}",
            lambda x, t=target: T.cast(x, t),
            lambda x, t=target: x.astype(t),
            (Operand(low),),
            dtypes=ALL if target in (*COMPLEX, *BOOL) else (*BOOL, *INTEGER, *FLOAT),
            edges="none",
            differentiable=target == "float64",
        )
    yield Case("clip", lambda x: T.clip(x, 1, 2), lambda x: np.clip(x, 1, 2), dtypes=NUMERIC)
