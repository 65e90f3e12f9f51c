"""One pass over an array finds what NumPy finds, whatever the array's layout, dtype and number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphlab
from graphlab.dtypes import ALL
from graphlab.runtime import native, statistics
from graphlab.runtime.statistics import measured

FLOATS = ["float16", "float32", "float64"]


def assert_right(array: np.ndarray[Any, Any]) -> None:
    found = measured(array)
    with np.errstate(all="ignore"):
        wide = np.abs(array.astype("complex128")) if array.dtype.kind == "c" else array.astype("float64")
        wide = np.where(np.isnan(array), np.nan, wide)
        finite = wide[np.isfinite(wide)]
        assert found["count"] == array.size
        assert found["nan"] == np.isnan(wide).sum()
        assert found["inf"] == np.isinf(wide).sum()
        assert found["zero"] == (wide == 0).sum()
        if not finite.size:
            return
        rough = 1e-5 if array.dtype.name in ("float32", "complex64") else 1e-12
        scale = np.abs(finite).max()
        low, high = (found["min"], found["max"])
        assert (low, high) == pytest.approx((finite.min(), finite.max()), rel=1e-15)
        np.testing.assert_allclose(found["mean"], finite.astype("longdouble").mean(), rtol=rough, atol=rough * scale)
        if scale < 1e100:
            spread = np.sqrt(found["squares"] / finite.size)
            np.testing.assert_allclose(spread, finite.std(), rtol=1e-4, atol=rough * scale)


values = st.sampled_from([0.0, -0.0, 1.0, -2.5, 1e-300, np.nan, np.inf, -np.inf, 3e38, 1e308, -1e308, 7.0])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_array_has_the_statistics_that_numpy_finds(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(ALL))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    size = int(np.prod(shape))
    drawn = np.array(data.draw(st.lists(values, min_size=size, max_size=size)))
    with np.errstate(all="ignore"):
        clean = drawn if dtype in FLOATS or dtype.startswith("c") else np.nan_to_num(drawn, posinf=3, neginf=2) % 100
        array = clean.reshape(shape).astype(dtype)
    array = array.transpose(data.draw(st.permutations(range(array.ndim))))
    for axis in range(array.ndim):
        array = np.flip(array, axis) if data.draw(st.booleans()) else array
        array = array[(slice(None),) * axis + (slice(None, None, data.draw(st.integers(1, 2))),)]
    assert_right(array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 31, 32, 33, 63, 65, 1023, 1024, 1025, 40_000, 3_000_000])
def test_sizes_around_those_of_vectors_blocks_and_spans(dtype: str, size: int, rng: np.random.Generator) -> None:
    array = (rng.standard_normal(size) + 1000).astype(dtype)
    assert_right(array)
    array[rng.integers(size)] = np.nan
    array[rng.integers(size)] = -np.inf
    array[rng.integers(size)] = 0
    assert_right(array)


def test_strided_broadcast_and_transposed_arrays(rng: np.random.Generator) -> None:
    array = rng.standard_normal((300, 70, 5))
    for view in (array.T, array[::3, ::-2], array[:, :, 1], np.broadcast_to(array[:, :1], array.shape)):
        assert_right(view)


def test_what_is_far_from_zero_keeps_its_spread(rng: np.random.Generator) -> None:
    array = 1e8 + rng.standard_normal(100_000)
    spread = np.sqrt(measured(array)["squares"] / array.size)
    assert spread == pytest.approx(array.std(), rel=1e-6)


def test_the_numbers_do_not_depend_on_the_threads(rng: np.random.Generator) -> None:
    array = rng.standard_normal(2_000_000)
    before = graphlab.num_threads()
    try:
        found = []
        for threads in (1, 2, 5):
            graphlab.set_num_threads(threads)
            found.append(measured(array).tobytes())
    finally:
        graphlab.set_num_threads(before)
    assert len(set(found)) == 1


def test_without_the_extension_numpy_says_the_same(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    array = rng.standard_normal(1000)
    array[:3] = [np.nan, np.inf, 0]
    fast = measured(array)
    monkeypatch.setattr(native, "MISSING", "not built")
    slow = statistics.measured(array)
    for name in statistics.NUMBERS.names or ():
        np.testing.assert_allclose(slow[name], fast[name], rtol=1e-12)


def test_other_byte_orders_and_unaligned_arrays_are_fine() -> None:
    assert_right(np.arange(10.0).astype(">f8"))
    unaligned = np.frombuffer(b"\0" + np.arange(5.0).tobytes(), np.uint8)[1:].view("float64")
    assert measured(unaligned)["mean"] == 2.0
