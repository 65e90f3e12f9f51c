"""Summaries of values say what NumPy says."""

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from graphlab.viz.values import charts, listed, summary

ODD = [
    np.array(3.5), np.zeros(0), np.zeros((0, 3)), np.array([np.nan, np.inf, -np.inf, 0.0, 1.0]),
    np.full((5, 4), np.nan), np.array([1e308, -1e308]), np.arange(6) > 2, np.arange(24).reshape(2, 3, 4),
    np.array([1 + 2j, 3j]), np.int64(2) ** 62 * np.ones(3, "int64"), np.ones((9, 200), "float32")[::2, ::-1],
    np.array([5e-324, 0.0]), np.array([1.0, 1.0 + 2**-52]), np.float16([1, 60000]),
]  # fmt: skip


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
    rows, shown = listed(value)
    assert shown == 48
    assert np.array_equal(np.array(rows, dtype=float), value[:6, :8])


def test_it_says_how_much_is_shown() -> None:
    assert summary(np.zeros((100, 100)))["showing"] == "showing 48 of 10,000"


@pytest.mark.parametrize("value", ODD, ids=lambda v: f"{v.dtype}{v.shape}")
def test_charts_are_well_formed_and_the_same_every_time(value: Any) -> None:
    drawn = charts(value)
    assert drawn == charts(value.copy())
    for chart in drawn:
        ET.fromstring(chart)
        assert "nan" not in chart.replace("gl-nan", "").lower()
    summary(value)


def test_nan_and_infinities_are_told_by_shape() -> None:
    (line,) = charts(np.array([1.0, np.nan, np.inf, -np.inf, 2.0]))
    assert line.count('class="gl-nan"') == 1
    assert line.count('class="gl-inf"') == 2
    (tiles,) = charts(np.array([[1.0, np.nan], [-np.inf, 2.0]]))
    assert (tiles.count('class="gl-nan"'), tiles.count('class="gl-inf"')) == (1, 1)


def test_a_large_matrix_is_thinned_and_says_so() -> None:
    tiles, _ = charts(np.arange(200 * 300.0).reshape(200, 300))
    assert "showing 4,096 of 60,000" in tiles
    assert len(tiles) < 40_000
