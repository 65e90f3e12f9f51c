"""Summaries of values say what NumPy says."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlab.viz.plots import GRID, tiles
from graphlab.viz.values import summary, window

ODD = [
    np.array(3.5), np.zeros(0), np.zeros((0, 3)), np.array([np.nan, np.inf, -np.inf, 0.0, 1.0]),
    np.full((5, 4), np.nan), np.array([1e308, -1e308]), np.arange(6) > 2, np.arange(24).reshape(2, 3, 4),
    np.array([1 + 2j, 3j]), np.int64(2) ** 62 * np.ones(3, "int64"), np.ones((9, 200), "float32")[::2, ::-1],
    np.array([5e-324, 0.0]), np.array([1.0, 1.0 + 2**-52]), np.float16([1, 60000]),
]  # fmt: skip


def pictures(value: Any) -> list[str]:
    found = summary(np.asarray(value))
    return [chart for chart in (found["chart"], found["histogram"]) if chart]


def fact(value: Any, name: str) -> str:
    return dict(summary(np.asarray(value))["facts"])[name]


def test_the_facts_are_numpys(rng: np.random.Generator) -> None:
    value = rng.normal(size=(7, 9)).astype("float32")
    assert fact(value, "shape") == "7×9"
    assert fact(value, "strides") == "36, 4"
    assert float(fact(value, "mean")) == pytest.approx(value.mean(dtype="float64"), rel=1e-5)
    assert float(fact(value, "std")) == pytest.approx(value.std(dtype="float64"), rel=1e-5)
    assert float(fact(value, "max")) == pytest.approx(value.max(), rel=1e-5)


def test_what_is_not_finite_is_counted_and_kept_out_of_the_moments() -> None:
    value = np.array([np.nan, np.inf, -np.inf, -np.inf, 0.0, 4.0])
    assert [fact(value, name) for name in ("nan", "+inf", "-inf", "zero", "max", "mean")] == [
        "1",
        "1",
        "2",
        "1",
        "4",
        "2",
    ]


def test_listed_elements_read_back_exactly(rng: np.random.Generator) -> None:
    value = rng.normal(size=(9, 11))
    listed = window(value)["elements"]
    assert np.array_equal(np.array(listed, dtype=float), value[:6, :8])
    last = window(value, (), (6, 8))
    assert (last["rows"], last["columns"], last["showing"]) == ([6, 7, 8], [8, 9, 10], "showing 9 of 99")
    assert np.array_equal(np.array(last["elements"], dtype=float), value[6:, 8:])


def test_a_vector_is_read_line_by_line() -> None:
    found = window(np.arange(100), (), (48, 0))
    assert [int(x) for row in found["elements"] for x in row] == list(range(48, 96))
    assert found["rows"] == [48, 56, 64, 72, 80, 88]


def test_slices_are_those_of_numpy(rng: np.random.Generator) -> None:
    value = rng.normal(size=(3, 4, 5, 6)).astype("float32")
    found = window(value, (2, 1))
    assert np.array_equal(np.array(found["elements"], "float32"), value[2, 1])
    assert found["showing"] == "showing 30 of 360"
    assert "showing 30 of 360" in found["chart"]
    for wrong in ((), (3, 0), (0, -1), (0, 0, 0)):
        with pytest.raises(ValueError, match="no slice"):
            window(value, wrong)
    with pytest.raises(ValueError, match="no element"):
        window(value, (0, 0), (5, 0))


def test_it_opens_where_the_first_nan_is_and_says_where_others_are() -> None:
    value = np.zeros((4, 20, 30))
    value[2, 13, 17], value[3, 0, 0] = np.nan, -np.inf
    found = summary(value)
    assert found["offenders"] == [[[2, 13, 17], "nan"], [[3, 0, 0], "-inf"]]
    assert (found["at"], found["corner"], found["slices"]) == ([2], [12, 16], [[2, 3]])
    assert found["elements"][1][1] == "nan"


def test_what_is_odd_looks_right() -> None:
    assert summary(np.array(2.5))["facts"][-1] == ["value", "2.5"]
    assert summary(np.zeros((0, 3)))["showing"] == "it has no elements"
    assert summary(np.array([True, False, True]))["facts"][-2:] == [["true", "2"], ["false", "1"]]
    large = np.array([2**62 + 1, -5], "int64")  # which float64 can't tell from its neighbour
    assert (fact(large, "max"), fact(large, "min")) == (str(2**62 + 1), "-5")
    turned = np.array([3 + 4j, complex(np.nan, 1), complex(0, np.inf), 0])
    assert [fact(turned, name) for name in ("|max|", "|mean|", "nan", "inf", "zero")] == ["5", "2.5", "1", "1", "1"]
    for scale in (1.0, 1e300, 1e-300):
        value = scale * np.array([1.0, 3.0, 8.0])
        assert float(fact(value, "std")) == pytest.approx(np.std([1.0, 3.0, 8.0]) * scale, rel=1e-5)


def test_it_says_how_much_is_shown() -> None:
    assert summary(np.zeros((100, 100)))["showing"] == "showing 48 of 10,000"


@pytest.mark.parametrize("value", ODD, ids=lambda v: f"{v.dtype}{v.shape}")
def test_charts_are_well_formed_and_the_same_every_time(value: Any) -> None:
    drawn = pictures(value)
    assert drawn == pictures(value.copy())
    for chart in drawn:
        ET.fromstring(chart)
        assert "nan" not in re.sub(r'class="gl-nan( gl-on)?"|data-kind="nan"', "", chart).lower()


def test_nan_and_infinities_are_told_by_shape() -> None:
    for value in (np.array([1.0, np.nan, np.inf, -np.inf, 2.0]), np.array([[1.0, np.nan], [-np.inf, np.inf]])):
        (chart,) = pictures(value)
        shapes = dict(re.findall(r'data-kind="([^"]+)" d="([^"]+)"', chart))
        assert shapes["nan"].count("M") == 2  # two strokes: a cross
        (up, top), (down, bottom) = (_base_and_tip(shapes[kind]) for kind in ("+inf", "-inf"))
        assert up > top
        assert down < bottom


def _base_and_tip(outline: str) -> tuple[float, float]:
    ys = [float(y) for _, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", outline)]
    return ys[0], ys[2]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    places=st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([np.nan, np.inf, -np.inf])), max_size=4
    ),
)
def test_pooling_keeps_every_nan_and_the_mean_of_the_rest(shape: Any, places: Any) -> None:
    value = np.add.outer(np.arange(shape[0]) * 3.0, np.arange(shape[1]) * 0.5)
    odd: dict[tuple[int, int], float] = {}
    for i, j, x in places:
        odd[i % shape[0], j % shape[1]] = x
        value[i % shape[0], j % shape[1]] = x
    pool = tiles(value)
    down, across = (np.linspace(0, n, min(n, GRID) + 1).astype(int) for n in shape)
    expected = np.zeros((3, len(down) - 1, len(across) - 1), bool)
    for (i, j), x in odd.items():
        kind = 0 if np.isnan(x) else 1 if x > 0 else 2
        expected[kind, np.searchsorted(down, i, "right") - 1, np.searchsorted(across, j, "right") - 1] = True
    assert np.array_equal(pool.odd, expected)
    for i, j in ((0, 0), (len(down) - 2, len(across) - 2)):
        block = value[down[i] : down[i + 1], across[j] : across[j + 1]]
        finite = block[np.isfinite(block)]
        if finite.size:
            assert pool.mean[i, j] == pytest.approx(finite.mean(), rel=1e-12)
            assert (pool.low[i, j], pool.high[i, j]) == (finite.min(), finite.max())


def test_one_nan_among_a_million_has_its_cross() -> None:
    value = np.ones((1000, 1000), "float32")
    value[617, 382] = np.nan
    found = summary(value)
    assert found["chart"].count('data-kind="nan"') == 1
    assert "showing 1,000,000 of 1,000,000, each tile the mean of 256" in found["chart"]
    assert len(found["chart"]) < 40_000
    assert summary(value.ravel())["chart"].count('data-kind="nan"') == 1
