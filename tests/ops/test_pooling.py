"""Pools against windows taken one by one, as Theano's documentation describes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError
from graphlab.ops.pooling import MODES, UNROLLED
from tests.ops.values import value

Array = np.ndarray[Any, Any]

# window, ignore_border, stride, pad
SETTINGS = [
    ((2, 2), True, None, (0, 0)),
    ((2, 3), False, None, (0, 0)),
    ((3, 3), True, (2, 1), (1, 2)),
    ((3, 2), False, (1, 1), (0, 0)),
    ((2, 2), False, (3, 4), (0, 0)),
    ((3, 3), False, (2, 2), (0, 0)),
    ((7, UNROLLED + 1), True, (1, 1), (0, 0)),
]


def count(extent: int, window: int, stride: int, ignore_border: bool) -> int:
    """How many windows there are, from theano.tensor.signal.pool.Pool.out_shape."""
    if ignore_border:
        return (extent - window) // stride + 1
    if stride >= window:
        return (extent - 1) // stride + 1
    return max(0, (extent - 1 - window + stride) // stride) + 1


def one_by_one(x: Array, ws: Any, ignore_border: bool, stride: Any, pad: Any, mode: str) -> Array:
    stride = stride or ws
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in pad])
    inside = np.pad(np.ones(x.shape[-2:], bool), [(p, p) for p in pad])
    extents = inside.shape
    result = np.zeros((*x.shape[:-2], *(count(*each, ignore_border) for each in zip(extents, ws, stride, strict=True))))
    for place in np.ndindex(*result.shape[-2:]):
        window = tuple(slice(i * s, i * s + w) for i, s, w in zip(place, stride, ws, strict=True))
        seen = padded[..., window[0], window[1]][..., inside[window]]
        size = inside[window].size if mode == "average_inc_pad" else inside[window].sum()
        result[(..., *place)] = seen.max(-1) if mode == "max" else seen.sum(-1) / (1 if mode == "sum" else size)
    return result


@pytest.mark.parametrize("mode", MODES)
def test_pool_2d_and_its_gradient(mode: str) -> None:
    array = np.random.default_rng(0).normal(size=(2, 3, 7, 9))
    known, unknown = T.tensor("float64", array.shape), T.dtensor4()
    outputs = [T.nnet.pool_2d(x, *setting, mode) for x in (known, unknown) for setting in SETTINGS]
    slopes = [grad((y**2).sum(), x) for y, x in zip(outputs, [known] * 7 + [unknown] * 7, strict=True)]
    results = graphlab.function([known, unknown], outputs + slopes)(array, array)
    for setting, y, got, general in zip(SETTINGS, outputs, results, results[7:], strict=False):
        want = one_by_one(array, *setting, mode)
        assert y.type.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(general, want, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(value(y, {known: array}), want, rtol=1e-12, atol=1e-12)
    for setting, got, general in zip(SETTINGS, results[14:], results[21:], strict=False):
        np.testing.assert_allclose(got, general, rtol=1e-12, atol=1e-12)
        verify_grad(lambda v, s=setting: T.nnet.pool_2d(v, *s, mode), [array[:1, :1]])


def test_second_derivatives() -> None:
    x = np.random.default_rng(1).normal(size=(1, 4, 5))
    for mode in ("max", "average_exc_pad"):
        verify_grad(lambda v, m=mode: grad((T.nnet.pool_2d(v, 2, True, 1, 1, m) ** 3).sum(), v), [x])


def test_ties_share_the_gradient_and_nan_wins() -> None:
    x = T.dmatrix("x")
    y = T.nnet.pool_2d(x, (2, 2))
    function = graphlab.function([x], [y, grad(y.sum(), x)])
    best, slope = function([[1.0, 3.0, 0.0, 0.0], [3.0, 2.0, 0.0, 0.0]])
    np.testing.assert_array_equal(best, [[3, 0]])
    np.testing.assert_array_equal(slope, [[0, 0.5, 0.25, 0.25], [0.5, 0, 0.25, 0.25]])
    best, _ = function([[np.nan, 3.0, -np.inf, -np.inf], [3.0, 2.0, -np.inf, -np.inf]])
    np.testing.assert_array_equal(best, [[np.nan, -np.inf]])


# ---- as the runtime computes them ------------------------------------------------------------------

# What is pooled, window, stride: side by side and whole, rows left over, gaps between windows, windows that meet, wide
# rows, rows of one window, one axis and three.
LAYOUTS = [
    ((3, 5, 6, 8), (2, 2), (2, 2)),
    ((2, 7, 50), (2, 2), (2, 2)),
    ((2, 9, 31), (3, 2), (4, 3)),
    ((70, 4, 4), (2, 3), (2, 3)),
    ((2, 9, 11), (3, 3), (2, 2)),
    ((3, 5000), (5,), (5,)),
    ((3, 2600), (2,), (2,)),
    ((2, 5, 6, 9), (2, 3, 2), (2, 3, 2)),
    ((2, 3, 40), (1, 1), (1, 1)),
    ((0, 4, 4), (2, 2), (2, 2)),
]


def of_layout(layout: Any, dtype: str) -> tuple[list[Any], list[Any], list[Array]]:
    """What is pooled and a cotangent, the largest elements and the derivative, and values with many ties."""
    shape, window, stride = layout
    x, g = (T.tensor(dtype, (None,) * len(shape), n) for n in "xg")
    y = T.nnet.max_pool(x, window, stride)
    rng = np.random.default_rng(6)
    array = rng.integers(0, 4, shape).astype(dtype)
    steep = rng.normal(size=pooled(array, window, stride).shape).astype(dtype)
    return [x, g], [y, grad((y * g).sum(), x)], [array, steep]


def pooled(x: Array, window: Any, stride: Any) -> Array:
    axes = tuple(range(x.ndim - len(window), x.ndim))
    seen = np.lib.stride_tricks.sliding_window_view(x, window, axes)
    chosen = seen[(..., *(slice(None, None, s) for s in stride), *(slice(None),) * len(window))]
    return np.max(chosen, tuple(range(x.ndim, chosen.ndim)))


def slope_of(x: Array, g: Array, window: Any, stride: Any) -> Array:
    """Each window's cotangent, shared by its largest elements, one window after the other."""
    slope = np.zeros(x.shape, x.dtype)
    lead = x.ndim - len(window)
    for place in np.ndindex(*g.shape):
        inside = tuple(slice(p * s, p * s + w) for p, s, w in zip(place[lead:], stride, window, strict=True))
        seen = x[place[:lead] + inside]
        hits = (seen == np.max(seen)).astype(x.dtype)
        with np.errstate(invalid="ignore"):
            slope[place[:lead] + inside] += g[place] * (hits / hits.sum())
    return slope


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_each_layout_of_windows_gives_what_numpy_does(layout: Any, dtype: str) -> None:
    inputs, outputs, (x, g) = of_layout(layout, dtype)
    function = graphlab.function(inputs, outputs)
    _, window, stride = layout
    steps = {step.name.rpartition("_")[0] for step in function.lowered.program.steps}
    apart = all(w <= s for w, s in zip(window, stride, strict=True))
    assert "max_pool" in steps
    assert ("max_pool_input" in steps) == apart
    assert ("fold_windows" in steps) != apart
    close = 1e-6 if dtype == "float32" else 1e-15
    before = graphlab.num_threads()
    try:
        for threads in (1, 3):
            graphlab.set_num_threads(threads)
            best, slope = function(x, g)
            np.testing.assert_array_equal(best, pooled(x, window, stride))
            np.testing.assert_allclose(slope, slope_of(x, g, window, stride), rtol=close)
    finally:
        graphlab.set_num_threads(before)
    turned = np.asfortranarray(x)  # the same elements, elsewhere in memory
    for one, other in zip((best, slope), function(turned, np.repeat(g, 2, -1)[..., ::2]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("window", [(2, 2), (2, 3)], ids=str)
def test_nan_and_infinities_go_where_numpy_lets_them(window: Any) -> None:
    rng = np.random.default_rng(7)
    x, g = T.dtensor3("x"), T.dtensor3("g")
    y = T.nnet.max_pool(x, window)
    function = graphlab.function([x, g], [y, grad((y * g).sum(), x)])
    array = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], (4, 12, 54), p=[0.05, 0.1, 0.35, 0.2, 0.2, 0.1])
    steep = rng.choice([np.inf, np.nan, -1.0, 0.0], pooled(array, window, window).shape)
    best, slope = function(array, steep)
    np.testing.assert_array_equal(best, pooled(array, window, window))
    np.testing.assert_array_equal(slope, slope_of(array, steep, window, window))


def test_the_interpreter_gives_the_same_derivative() -> None:
    for layout in LAYOUTS[:5]:
        inputs, (_, slope), arrays = of_layout(layout, "float64")
        want = slope_of(*arrays, *layout[1:])
        np.testing.assert_allclose(value(slope, dict(zip(inputs, arrays, strict=True))), want, rtol=1e-14)


def test_vmap_of_a_pool_and_its_derivative() -> None:
    x, g = np.random.default_rng(8).normal(size=(3, 4, 6)), np.ones((2, 3))

    def slope(v: Any) -> Any:
        return grad((T.nnet.max_pool(v, (2, 2)) * g).sum(), v)

    batch = T.dtensor3("batch")
    got = graphlab.function([batch], graphlab.vmap(slope)(batch))(x)
    np.testing.assert_allclose(got, slope_of(x, np.ones((3, 2, 3)), (2, 2), (2, 2)))


def test_padding_is_never_the_largest() -> None:
    assert (T.nnet.pool_2d(np.full((3, 3), -5.0), 2, True, 2, 1).eval() == -5).all()
    numbers = T.nnet.max_pool(np.array([[-5, -7], [-6, -8]], "int8"), (2, 2), 1, 1).eval()
    assert numbers.dtype == "int8"
    np.testing.assert_array_equal(numbers, [[-5, -5, -7], [-5, -5, -7], [-6, -6, -8]])


def test_any_number_of_axes() -> None:
    x = np.random.default_rng(2).normal(size=(2, 4, 4, 6))
    cut = x.reshape(2, 2, 2, 2, 2, 3, 2)
    np.testing.assert_allclose(T.signal.pool.pool_3d(x, 2).eval(), cut.max((2, 4, 6)))
    np.testing.assert_allclose(T.nnet.avg_pool(x, (2, 2, 2)).eval(), cut.mean((2, 4, 6)))
    np.testing.assert_allclose(T.nnet.max_pool(x, [3]).eval(), x.reshape(2, 4, 4, 2, 3).max(-1))
    assert T.nnet.max_pool_2d(x[:0], (2, 2)).eval().shape == (0, 4, 2, 3)


def test_float32_stays() -> None:
    x = T.ftensor3("x")
    y = T.nnet.pool_2d(x, (2, 2), mode="average_exc_pad")
    got, slope = graphlab.function([x], [y, grad(y.sum(), x)])(np.ones((1, 3, 3), "float32"))
    assert got.dtype == slope.dtype == "float32"
    np.testing.assert_array_equal(got, np.ones((1, 2, 2)))


def test_mistakes() -> None:
    x = T.tensor("float64", (3, 3), "x")
    with pytest.raises(GraphShapeError, match="a window of 4 elements does not fit along spatial axis 0"):
        T.nnet.max_pool(x, (4, 1))
    with pytest.raises(GraphValueError, match="there is no mode 'mean'"):
        T.nnet.pool_2d(x, 2, mode="mean")
    with pytest.raises(GraphValueError, match="pad goes with ignore_border=True"):
        T.nnet.pool_2d(x, 2, pad=(1, 1))
    with pytest.raises(GraphValueError, match="a window would see nothing but padding"):
        T.nnet.pool_2d(x, 2, True, pad=(2, 0))
    with pytest.raises(GraphTypeError, match="expected 2 axes at least"):
        T.nnet.pool_2d(T.dvector(), 2)
    y = T.dmatrix("y")
    with pytest.raises(GraphlabError, match="max_pool: a window of 2 elements does not fit"):
        graphlab.function([y], T.nnet.max_pool(y, (2, 2)))([[1.0]])


def test_theanos_older_names_lead_here() -> None:
    x = np.arange(16.0).reshape(4, 4)
    pooled = T.signal.downsample.max_pool_2d(input=x, ds=(2, 2), ignore_border=True).eval()
    np.testing.assert_array_equal(pooled, [[5, 7], [13, 15]])
    assert T.nnet.conv.conv2d is T.nnet.abstract_conv.conv2d is T.nnet.conv2d
    assert T.nnet.bn.batch_normalization_train is T.nnet.batch_normalization_train
