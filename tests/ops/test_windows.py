"""Windows over the last axes and their transpose: against NumPy, in C and by the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphlabError, GraphShapeError, GraphValueError
from graphlab.ops.windows import fold_windows, windows
from tests.ops.values import value

MOVES = [((3, 2), 1, 1), ((2, 2), 2, 1), ((2, 3), (3, 1), (2, 1)), ((1, 1), (2, 3), 1), ((5, 6), 1, 1)]


def placed(x: np.ndarray[Any, Any], window: Any, stride: Any, dilation: Any) -> np.ndarray[Any, Any]:
    """The windows of NumPy's sliding_window_view that begin and go on at those places."""
    (s, t), (d, e) = (n if isinstance(n, tuple) else (n, n) for n in (stride, dilation))
    wide = ((window[0] - 1) * d + 1, (window[1] - 1) * e + 1)
    view = np.lib.stride_tricks.sliding_window_view(x, wide, (-2, -1))
    return view[..., ::s, ::t, ::d, ::e]


@pytest.mark.parametrize(("window", "stride", "dilation"), MOVES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_windows_are_those_of_numpy(window: Any, stride: Any, dilation: Any, dtype: str) -> None:
    x = T.tensor(dtype, (None,) * 3, "x")
    function = graphlab.function([x], windows(x, window, stride, dilation))
    array = np.random.default_rng(1).integers(0, 99, (2, 5, 6)).astype(dtype)
    for given in (array, array[:, ::-1, ::-1], array.transpose(0, 2, 1).copy().transpose(0, 2, 1), array[:0]):
        want = placed(given, window, stride, dilation)
        np.testing.assert_array_equal(function(given), want)
        np.testing.assert_array_equal(value(windows(x, window, stride, dilation), {x: given}), want)


@pytest.mark.parametrize(("window", "stride", "dilation"), MOVES)
def test_folding_is_the_transpose(window: Any, stride: Any, dilation: Any) -> None:
    # <windows(x), g> = <x, fold_windows(g)> for any x and g.
    rng = np.random.default_rng(2)
    array = rng.normal(size=(2, 5, 6))
    seen = placed(array, window, stride, dilation)
    weights = rng.normal(size=seen.shape)
    for dtype in ("float64", "float32"):
        g = T.tensor(dtype, (None,) * 5, "g")
        folded = fold_windows(g, (5, 6), stride, dilation)
        got = graphlab.function([g], folded)(weights.astype(dtype))
        np.testing.assert_array_equal(got, value(folded, {g: weights}))  # the C adds in the order of the NumPy
        np.testing.assert_allclose((got * array).sum(), (seen * weights).sum(), rtol=1e-5)


def test_derivatives_of_every_order_are_windows_and_folds() -> None:
    x = np.random.default_rng(3).normal(size=(2, 6))
    verify_grad(lambda v: windows(v, (3,), 2, 2) ** 2, [x])
    verify_grad(lambda v: grad((windows(v, (3,)) ** 3).sum(), v), [x])
    verify_grad(lambda v: fold_windows(v * v, (5,)), [x.reshape(4, 3)[:3]])


def test_extents_may_be_symbolic() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    function = graphlab.function([x, n], fold_windows(windows(x, (n,)), (x.shape[1],)))
    np.testing.assert_array_equal(function(np.ones((1, 4)), 2), [[1, 2, 2, 1]])
    np.testing.assert_array_equal(function(np.ones((1, 4)), 4), [[1, 1, 1, 1]])


def test_a_window_that_does_not_fit_is_an_error_when_it_is_seen() -> None:
    with pytest.raises(GraphShapeError, match="a window of 3 elements does not fit along spatial axis 0"):
        windows(T.tensor("float64", (2,)), (3,))
    with pytest.raises(GraphValueError, match="stride must be an integer or 1 of them"):
        windows(T.dvector(), (3,), 0)
    x = T.dvector("x")
    function = graphlab.function([x], windows(x, (3,), dilation=2))
    with pytest.raises(GraphlabError, match="a window of 3 elements, 2 apart, does not fit"):
        function([1.0, 2.0, 3.0, 4.0])
    folding = graphlab.function([x], fold_windows(x[:, None], (5,)))
    with pytest.raises(GraphlabError, match="windows given"):
        folding([1.0])
