"""Softmax and its kin, losses and windows, and what steers gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

import graphlab.tensor as T
from graphlab.dtypes import ALL
from graphlab.ops import check
from tests.ops.table.case import NUMERIC, REAL, Array, Case, Operand, at_least_single


def _softmax(x: Array, axis: int | None) -> Array:
    """SciPy's, but beside +inf what the formula as written gives: 0 for a finite element."""
    written = np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)
    return np.where(np.any(x == np.inf, axis=axis, keepdims=True), written, special.softmax(x, axis))


def network_cases() -> Iterator[Case]:
    """Softmax and its kin, relu and cross-entropies."""
    rows = (((2, 3),), ((30, 3),), ((3, 30),))
    for label, axis in (("last", -1), ("first", 0), ("all", None)):
        yield Case(
            f"softmax {label}",
            lambda x, a=axis: T.softmax(x, a),
            lambda x, a=axis: _softmax(at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
        )
        yield Case(
            f"log_softmax {label}",
            lambda x, a=axis: T.log_softmax(x, a),
            lambda x, a=axis: special.log_softmax(at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
            scale=1.0,
        )
        yield Case(
            f"logsumexp {label}",
            lambda x, a=axis: T.logsumexp(x, a),
            lambda x, a=axis: special.logsumexp(at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
            scale=1.0,
        )
    yield Case(
        "logsumexp kept",
        lambda x: T.logsumexp(x, 0, keepdims=True),
        lambda x: special.logsumexp(x, 0, keepdims=True),
        dtypes=REAL,
        ulps=8,
        scale=1.0,
    )
    for name, steer in (
        ("disconnected_grad", T.disconnected_grad),
        ("zero_grad", T.zero_grad),
        ("grad_clip", lambda x: T.grad_clip(x, -1, 1)),
    ):
        yield Case(name, steer, lambda x: x, dtypes=NUMERIC, differentiable=False)  # the gradient is not the value's
    yield Case("print", check.Print("", ()), lambda x: x, dtypes=ALL)
    yield Case("check", lambda x: check.check(x, x.size >= 0), lambda x: x, dtypes=ALL)
    yield Case("relu", T.nnet.relu, lambda x: np.maximum(x, x.dtype.type(0)), dtypes=NUMERIC, signed_zeros=False)
    yield Case(
        "leaky relu", lambda x: T.nnet.relu(x, 0.25), lambda x: np.where(x > 0, x, x * x.dtype.type(0.25)), dtypes=REAL
    )
    chances, classes = Operand(0.1, 0.9), Operand(dtype="int64", values=[2, 0])
    yield Case(
        "categorical_crossentropy of classes",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.log(p[np.arange(2), t]),
        (chances, classes),
        (((2, 3), (2,)),),
        REAL,
        ulps=4,
    )
    yield Case(
        "categorical_crossentropy of distributions",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.sum(t * np.log(p), axis=-1),
        (chances, chances),
        (((2, 3), (2, 3)),),
        REAL,
        ulps=8,
        edges="order",
        scale=1.0,
    )
    yield Case(
        "categorical_crossentropy of three",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.log(np.take_along_axis(p, t[..., None], -1)[..., 0]),
        (chances, Operand(dtype="int32", values=[[2, 0], [1, 1]])),
        (((2, 2, 3), (2, 2)),),
        REAL,
        ulps=4,
        exact_shape=False,
    )
    yield Case(
        "binary_crossentropy",
        T.nnet.binary_crossentropy,
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
        (chances, chances),
        (((2, 3), (2, 3)),),
        REAL,
        ulps=8,
        scale=1.0,
    )


def window_cases() -> Iterator[Case]:
    """Windows over the last axes, and what is made of them."""
    seen = np.lib.stride_tricks.sliding_window_view
    yield Case(
        "windows",
        lambda x: T.nnet.windows(x, (2, 2), (1, 2)),
        lambda x: seen(x, (2, 2), (-2, -1))[..., ::2, :, :],
        shapes=(((2, 3, 4),), ((0, 4, 5),)),
    )
    yield Case(
        "fold_windows",
        lambda g: T.nnet.fold_windows(g, (4,), 2),
        lambda g: g.reshape(-1, 4),
        shapes=(((3, 2, 2),), ((0, 2, 2),)),
        dtypes=NUMERIC,
        signed_zeros=False,
    )
    yield Case(
        "conv2d",
        T.nnet.conv2d,
        lambda x, w: np.einsum("ncijkl,fckl->nfij", seen(x, w.shape[2:], (2, 3)), w[:, :, ::-1, ::-1]),
        (Operand(), Operand()),
        (((2, 2, 4, 4), (3, 2, 2, 3)), ((0, 2, 3, 3), (1, 2, 3, 3))),
        REAL,
        ulps=32,
        scale=32.0,
        edges="none",
        signed_zeros=False,
    )
    pooled = {"shapes": (((2, 4, 6),), ((0, 4, 6),)), "dtypes": NUMERIC, "signed_zeros": False}
    yield Case(
        "max_pool",
        lambda x: T.nnet.max_pool(x, (2, 3)),
        lambda x: x.reshape(-1, 2, 2, 2, 3).max((-3, -1)),
        **pooled,  # type: ignore[arg-type]
    )
    yield Case(
        "sum_pool",
        lambda x: T.nnet.pool_2d(x, (2, 3), mode="sum"),
        lambda x: x.reshape(-1, 2, 2, 2, 3).sum((-3, -1), dtype=x.dtype),
        ulps=8,
        scale=8.0,
        edges="order",
        **pooled,  # type: ignore[arg-type]
    )
