"""Convolutions against loops in NumPy and scipy.signal, their derivatives against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError
from graphlab.ops.convolution import Convolution
from tests.ops.values import value

Array = np.ndarray[Any, Any]

# batch, channels, filters, groups, extents of a filter, border_mode, subsample, dilation, flip
SETTINGS = [
    (2, 3, 4, 1, (3, 3), "valid", (1, 1), (1, 1), True),
    (1, 1, 1, 1, (2, 3), "full", (2, 1), (1, 1), False),
    (2, 4, 6, 2, (3, 2), "half", (1, 2), (2, 1), True),
    (3, 4, 4, 4, (3, 3), ((1, 2), (0, 1)), (2, 2), (1, 2), False),
    (2, 2, 3, 1, (4, 2), (3, 1), (3, 1), (1, 1), True),
    (2, 1, 2, 1, (1, 1), 1, (2, 3), (1, 1), True),
    (1, 2, 1, 1, (7, 8), "valid", (1, 1), (1, 1), True),
]


def pads_of(border_mode: Any, kernel: Any, dilation: Any) -> list[tuple[int, int]]:
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if isinstance(border_mode, str):
        widths = {"valid": [0, 0], "full": spans, "half": [(s + 1) // 2 for s in spans]}[border_mode]
        return [(n, n) for n in widths]
    each = border_mode if isinstance(border_mode, tuple) else (border_mode,) * 2
    return [n if isinstance(n, tuple) else (n, n) for n in each]


def by_loops(x: Array, w: Array, pads: Any, stride: Any, dilation: Any, groups: int, flip: bool) -> Array:
    """Each element of the result is the sum of a patch of the padded images times one filter."""
    w = w[:, :, ::-1, ::-1] if flip else w
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    (count, share, *kernel), (d, e) = w.shape, dilation
    high, wide = (k * n - n + 1 for k, n in zip(kernel, dilation, strict=True))
    rows, columns = (x.shape[2] - high) // stride[0] + 1, (x.shape[3] - wide) // stride[1] + 1
    y = np.zeros((len(x), count, rows, columns))
    for f, i, j in np.ndindex(count, rows, columns):
        c = f // (count // groups) * share
        patch = x[:, c : c + share, i * stride[0] :, j * stride[1] :][:, :, :high:d, :wide:e]
        y[:, f, i, j] = (patch * w[f]).sum((1, 2, 3))
    return y


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_conv2d_and_its_gradients(setting: Any, known: bool) -> None:
    batch, channels, filters, groups, kernel, border, stride, dilation, flip = setting
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(batch, channels, 7, 8)), rng.normal(size=(filters, channels // groups, *kernel))]
    x, w = (T.tensor("float64", a.shape if known else (None,) * 4, n) for a, n in zip(arrays, "xw", strict=True))

    def build(x: Any, w: Any) -> Any:
        return T.nnet.conv2d(x, w, None, None, border, stride, flip, dilation, groups)

    y = build(x, w)
    want = by_loops(*arrays, pads_of(border, kernel, dilation), stride, dilation, groups, flip)
    assert not known or y.type.shape == want.shape
    outputs = [y, *grad((y**2).sum(), [x, w])]
    results = graphlab.function([x, w], outputs)(*arrays)
    np.testing.assert_allclose(results[0], want, rtol=1e-12, atol=1e-12)
    for got, output in zip(results, outputs, strict=True):
        np.testing.assert_allclose(got, value(output, dict(zip((x, w), arrays, strict=True))), rtol=1e-11, atol=1e-11)
    if known:
        verify_grad(build, arrays)


@pytest.mark.parametrize("setting", SETTINGS[1:4], ids=str)
def test_second_derivatives(setting: Any) -> None:
    batch, channels, filters, groups, kernel, border, stride, dilation, flip = setting
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(batch, channels, 4, 5)), rng.normal(size=(filters, channels // groups, *kernel))]

    def slopes(x: Any, w: Any) -> Any:
        y = T.nnet.conv2d(x, w, None, None, border, stride, flip, dilation, groups)
        return T.concatenate([g.ravel() for g in grad((y**3).sum(), [x, w])])

    verify_grad(slopes, arrays)


def test_one_channel_is_what_scipy_convolves() -> None:
    rng = np.random.default_rng(1)
    image, mask = rng.normal(size=(9, 8)), rng.normal(size=(3, 3))
    for border, mode in (("valid", "valid"), ("full", "full"), ("half", "same")):
        got = T.nnet.conv2d(image[None, None], mask[None, None], border_mode=border).eval()[0, 0]
        np.testing.assert_allclose(got, signal.convolve2d(image, mask, mode), atol=1e-12)
        turned = T.nnet.conv2d(image[None, None], mask[None, None], border_mode=border, filter_flip=False).eval()[0, 0]
        np.testing.assert_allclose(turned, signal.correlate2d(image, mask, mode), atol=1e-12)
    line, short = rng.normal(size=9), rng.normal(size=4)
    np.testing.assert_allclose(
        T.nnet.conv1d(line[None, None], short[None, None], border_mode="full").eval()[0, 0], np.convolve(line, short)
    )
    volume, block = rng.normal(size=(4, 5, 6)), rng.normal(size=(2, 3, 2))
    np.testing.assert_allclose(
        T.nnet.conv3d(volume[None, None], block[None, None]).eval()[0, 0],
        signal.convolve(volume, block, "valid", method="direct"),
    )
    verify_grad(lambda v, b: T.nnet.conv3d(v[None, None], b[None, None], subsample=2), [volume, block])


def test_float32_stays_and_integers_are_exact() -> None:
    rng = np.random.default_rng(2)
    images, filters = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(4, 3, 3, 3))
    x, w = T.ftensor4("x"), T.ftensor4("w")
    y = T.nnet.conv2d(x, w)
    got, by_x = graphlab.function([x, w], [y, grad(y.sum(), x)])(images.astype("f4"), filters.astype("f4"))
    assert got.dtype == by_x.dtype == "float32"
    np.testing.assert_allclose(got, T.nnet.conv2d(images, filters).eval(), rtol=1e-4, atol=1e-5)
    counts = T.nnet.conv2d(np.arange(9).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2), "int64")).eval()
    np.testing.assert_array_equal(counts, [[[[8, 12], [20, 24]]]])


def test_nothing_in_gives_nothing_out_and_zero_gradients() -> None:
    x, w = T.tensor4("x"), T.tensor4("w")
    y = T.nnet.conv2d(x, w, border_mode=1)
    function = graphlab.function([x, w], [y, *grad(y.sum(), [x, w])])
    images, filters = np.zeros((0, 2, 5, 5)), np.ones((3, 2, 3, 3))
    result, by_x, by_w = function(images, filters)
    assert (result.shape, by_x.shape) == ((0, 3, 5, 5), images.shape)
    np.testing.assert_array_equal(by_w, np.zeros(filters.shape))


def test_a_transposed_convolution_is_the_gradient_by_the_images() -> None:
    rng = np.random.default_rng(3)
    x, w, g = rng.normal(size=(2, 3, 8, 7)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=(2, 4, 3, 6))
    images, filters = T.dtensor4("x"), T.dtensor4("w")
    y = T.nnet.conv2d(images, filters, subsample=(2, 1))
    by_x, by_w = (value(v, {images: x, filters: w}) for v in grad((y * g).sum(), [images, filters]))
    back = T.nnet.conv2d_transpose(g, w, output_shape=(8, 7), input_dilation=(2, 1))
    np.testing.assert_allclose(back.eval(), by_x)
    assert T.nnet.conv2d_transpose(g, w, input_dilation=(2, 1)).type.shape == (2, 3, 7, 7)
    given = T.nnet.conv2d_grad_wrt_inputs(g, w, x.shape, subsample=(2, 1))
    np.testing.assert_allclose(given.eval(), by_x)
    np.testing.assert_allclose(T.nnet.conv2d_grad_wrt_weights(x, g, w.shape, subsample=(2, 1)).eval(), by_w)
    verify_grad(lambda g, w: T.nnet.conv2d_transpose(g, w, input_dilation=(2, 1), border_mode=1), [g, w])


def test_separable_filters_are_two_convolutions() -> None:
    rng = np.random.default_rng(4)
    x, deep, flat = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(6, 1, 3, 3)), rng.normal(size=(4, 6, 1, 1))
    want = by_loops(x, deep, [(0, 0)] * 2, (1, 1), (1, 1), 3, True)
    want = np.einsum("ncij,fc->nfij", want, flat[:, :, 0, 0])
    np.testing.assert_allclose(T.nnet.separable_conv2d(x, deep, flat, 3).eval(), want)


def test_a_convolution_is_one_node_until_it_is_lowered() -> None:
    x, w = T.tensor4("x"), T.tensor4("w")
    function = graphlab.function([x, w], T.nnet.conv2d(x, w))
    assert [type(v.owner.op) for v in function.optimized.outputs if v.owner] == [Convolution]
    assert "host" not in {step.name.split("_")[0] for step in function.lowered.program.steps}  # type: ignore[union-attr]


# ---- as the runtime computes them ----------------------------------------------------------------

# Images, filters, stride, dilation, groups: rows read in place, rows shorter than three vectors, windows that are
# copied (for a stride, for many filters), few places, of which several images are put together, and many channels.
LAYOUTS = [
    ((3, 2, 29, 31), (5, 2, 3, 2), (1, 1), (1, 1), 1),
    ((2, 3, 9, 40), (6, 1, 2, 3), (2, 1), (1, 3), 3),
    ((5, 2, 8, 12), (3, 2, 3, 3), (1, 1), (1, 1), 1),
    ((2, 4, 12, 13), (70, 2, 3, 3), (1, 1), (1, 1), 2),
    ((3, 3, 20, 19), (4, 3, 5, 4), (2, 3), (1, 1), 1),
    ((9, 5, 4, 3), (7, 5, 3, 2), (1, 1), (1, 1), 1),
    ((6, 4, 1, 1), (10, 2, 1, 1), (1, 1), (1, 1), 2),
    ((1, 130, 6, 7), (33, 130, 2, 3), (1, 1), (1, 1), 1),
    ((2, 1, 1, 1700), (2, 1, 1, 9), (1, 1), (1, 5), 1),
    ((2, 1, 3, 1700), (2, 1, 2, 9), (1, 2), (1, 1), 1),
]


def of_layout(layout: Any, dtype: str) -> tuple[Any, list[Array]]:
    """A function of images, filters and a cotangent, and values for these: the convolution and both its derivatives."""
    images, filters, stride, dilation, groups = layout
    x, w, g = (T.tensor(dtype, (None,) * 4, n) for n in "xwg")
    y = T.nnet.conv2d(x, w, None, None, "valid", stride, False, dilation, groups)
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in (images, filters)]
    arrays.append(rng.normal(size=Convolution.numpy(y.owner.op, *arrays).shape).astype(dtype))
    return graphlab.function([x, w, g], [y, *grad((y * g).sum(), [x, w])]), arrays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_each_layout_of_windows_gives_what_numpy_does(layout: Any, dtype: str) -> None:
    function, arrays = of_layout(layout, dtype)
    steps = [step.name.rpartition("_")[0] for step in function.lowered.program.steps]
    assert {"convolve", "convolve_images", "convolve_filters"} <= set(steps)
    assert "host" not in steps
    x, w, g = (T.as_tensor_variable(a.astype("float64")) for a in arrays)
    op = function.optimized.outputs[0].owner.op
    whole = op(x, w)
    wanted = [value(v, {}) for v in (whole, *grad((whole * g).sum(), [x, w]))]
    close = {"rtol": 1e-12, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-4, "atol": 2e-4}
    for got, want in zip(function(*arrays), wanted, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, **close)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_neither_threads_nor_strides_change_a_bit(layout: Any) -> None:
    function, arrays = of_layout(layout, "float32")
    before = graphlab.num_threads()
    try:
        graphlab.set_num_threads(1)
        alone = function(*arrays)
        graphlab.set_num_threads(3)
        together = function(*arrays)
    finally:
        graphlab.set_num_threads(before)
    turned = [np.asfortranarray(arrays[0]), arrays[1][::-1].copy()[::-1], np.repeat(arrays[2], 2, 3)[..., ::2]]
    for one, several, other in zip(alone, together, function(*turned), strict=True):
        np.testing.assert_array_equal(one, several)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_no_tile_is_shorter_than_a_vector() -> None:
    """So many rows of one element that equal steps through them would leave one over for the last tile."""
    extent = 600 * 512 + 2
    x, w = np.arange(extent) % 5.0, np.array([1.0, 2.0])
    function, _ = of_layout(((1, 1, extent, 1), (1, 1, 2, 1), (1, 1), (1, 1), 1), "float64")
    g = np.arange(extent - 1) % 7.0
    y, by_x, by_w = function(x.reshape(1, 1, -1, 1), w.reshape(1, 1, 2, 1), g.reshape(1, 1, -1, 1))
    np.testing.assert_array_equal(y.ravel(), x[:-1] + 2 * x[1:])
    np.testing.assert_array_equal(by_x.ravel(), np.convolve(g, w))
    np.testing.assert_array_equal(by_w.ravel(), [g @ x[:-1], g @ x[1:]])


def test_what_is_not_finite_stays_where_it_is_seen() -> None:
    """A row of 27 is three vectors and a part of one, which is computed in a vector that overlaps the one before."""
    x, g = T.dtensor4("x"), T.dtensor4("g")
    by_filters = T.nnet.conv2d_grad_wrt_weights(x, g, (1, 1, 1, 2), filter_flip=False)
    forward = T.nnet.conv2d(x, np.ones((1, 1, 1, 2)), filter_flip=False)
    function = graphlab.function([x, g], [by_filters, forward])
    for at in range(28):
        images = np.ones((1, 1, 1, 28))
        images[..., at] = np.inf
        slopes, sums = function(images, np.ones((1, 1, 1, 27)))
        np.testing.assert_array_equal(slopes.ravel(), [np.inf if at < 27 else 27, np.inf if at > 0 else 27])
        np.testing.assert_array_equal(np.isinf(sums.ravel()), [at in (k, k + 1) for k in range(27)])


# ---- mistakes ------------------------------------------------------------------------------------


def test_channels_that_differ_are_named() -> None:
    x, w = T.tensor("float64", (None, 3, 8, 8), "images"), T.tensor("float64", (4, 2, 3, 3), "kernels")
    with pytest.raises(GraphShapeError, match=r"input .* has 3 channels, but the filters .* expect 2") as caught:
        T.nnet.conv2d(x, w)
    assert {"images", "kernels"} <= set(str(caught.value).replace(":", " ").split())
    x, w = T.tensor4("images"), T.tensor4("kernels")
    function = graphlab.function([x, w], T.nnet.conv2d(x, w))
    with pytest.raises(GraphlabError, match=r"input .* has 3 channels, but the filters .* expect 2"):
        function(np.ones((1, 3, 8, 8)), np.ones((4, 2, 3, 3)))
    with pytest.raises(GraphlabError, match="filters of 3 elements do not fit along spatial axis 1"):
        function(np.ones((1, 2, 8, 2)), np.ones((4, 2, 3, 3)))


def test_arguments_that_make_no_sense() -> None:
    x, w = T.tensor("float64", (1, 4, 8, 8), "x"), T.tensor("float64", (4, 2, 3, 3), "w")
    with pytest.raises(GraphTypeError, match="conv2d: input must have 4 axes"):
        T.nnet.conv2d(T.dmatrix(), w)
    with pytest.raises(GraphValueError, match="'same' is no border_mode"):
        T.nnet.conv2d(x, w, border_mode="same")
    with pytest.raises(GraphValueError, match="subsample must be an integer or 2 of them"):
        T.nnet.conv2d(x, w, subsample=(1, 0))
    with pytest.raises(GraphValueError, match="num_groups must be an integer"):
        T.nnet.conv2d(x, w, num_groups=0)
    with pytest.raises(GraphShapeError, match="4 filters can't be split into 3 groups"):
        T.nnet.conv2d(T.tensor("float64", (1, 6, 8, 8)), w, num_groups=3)
    with pytest.raises(GraphShapeError, match="input_shape is"):
        T.nnet.conv2d(x, w, input_shape=(1, 2, None, None), num_groups=2)
    with pytest.raises(GraphShapeError, match="do not fit along spatial axis 0"):
        T.nnet.conv2d(x, T.tensor("float64", (1, 4, 9, 1)))


# ---- a batch of convolutions ---------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=str)
def test_vmap_gives_what_each_example_gives_alone(axes: Any) -> None:
    rng = np.random.default_rng(6)
    arrays = rng.normal(size=(3, 2, 2, 5, 4)), rng.normal(size=(3, 3, 2, 2, 3))
    given = [a if axis == 0 else a[0] for a, axis in zip(arrays, axes, strict=True)]

    def everything(x: Any, w: Any) -> Any:
        y = T.nnet.conv2d(x, w)
        return [y, *grad((y**3).sum(), [x, w])]

    inputs = [T.tensor("float64", (None,) * a.ndim) for a in given]
    together = graphlab.function(inputs, graphlab.vmap(everything, in_axes=axes)(*inputs))(*given)
    x, w = T.tensor4(), T.tensor4()
    alone = graphlab.function([x, w], everything(x, w))
    for i in range(3):
        one = [a[i] if axis == 0 else a for a, axis in zip(given, axes, strict=True)]
        for got, want in zip(together, alone(*one), strict=True):
            np.testing.assert_allclose(got[i], want)
