"""One element with more digits, by mpmath where it is installed; and what is said where it is not."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphValueError

installed = pytest.mark.skipif(importlib.util.find_spec("mpmath") is None, reason="mpmath is not installed")


def test_without_mpmath_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpmath", None)
    x = T.dscalar("x")
    y = T.exp(x) - 1
    with pytest.raises(GraphValueError, match="mpmath") as caught:
        graphlab.function([x], y).debug(1.0).shadow(y)
    assert "pip install mpmath" in str(caught.value)


@installed
def test_a_cancellation_in_double_precision() -> None:
    import mpmath

    x = T.dvector("x")
    y = (1 - T.cos(x)) / x**2
    f = graphlab.function([x], y, mode="interpret")
    found = f.debug([1.0, 1e-8]).shadow(y, (1,), digits=40)
    with mpmath.workdps(60):
        small = mpmath.mpf(1e-8)
        want = (1 - mpmath.cos(small)) / small**2
        assert abs(found.true - want) < mpmath.mpf(10) ** -20
    assert found.value == 0.0
    assert found.error == 1.0
    assert "should be 0.49999999999999999583" in str(found)
    assert found.taken == ()


@installed
def test_through_folds_views_loops_and_what_has_no_such_form() -> None:
    x = T.dmatrix("x")
    total, _ = graphlab.scan(lambda row, t: t * 0.5 + T.tanh(row), [T.dot(x, x.T)[::-1]], [T.zeros((3,))])
    y = total[-1].sum() + T.linalg.det(x)
    f = graphlab.function([x], y)
    values = np.random.default_rng(0).normal(size=(3, 3))
    s = f.debug(values)
    found = s.shadow(y)
    assert float(found.true) == pytest.approx(float(f(values)), rel=1e-12)
    assert 0 < found.error < 1e-13
    assert found.taken == ("det",)
    assert s.position == 0
    with pytest.raises(GraphValueError, match="no element"):
        s.shadow(x, (7, 7))
