"""The methods of a variable do what those of a NumPy array of the same name do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.ops.operators import _Methods
from tests.ops.test_statistics import agrees

X = np.array([[3.0, -1.0, 2.0], [0.0, 5.5, -4.0], [1.0, 1.0, 0.25]])
# One text for both: the method of an array and that of a variable.
SAME: tuple[Callable[[Any], Any], ...] = (
    lambda x: x.argsort(), lambda x: x.argsort(0), lambda x: x.cumsum(), lambda x: x.cumsum(1), lambda x: x.cumprod(0),
    lambda x: x.diagonal(), lambda x: x.diagonal(1), lambda x: x.trace(), lambda x: x.trace(-1),
    lambda x: x.repeat(2), lambda x: x.repeat(2, 0), lambda x: x.take([2, 0], 1),
    lambda x: x.compress([True, False, True], 0), lambda x: x.compress([True, False, True]), lambda x: x.nonzero()[1],
    lambda x: x.copy(), lambda x: x.swapaxes(0, 1), lambda x: x.ravel(), lambda x: x.flatten(), lambda x: x.squeeze(),
    lambda x: x.clip(-1, 1), lambda x: x.round(), lambda x: x.conj(), lambda x: x.astype("float32"),
    lambda x: x.mean(0, "float32"), lambda x: x.var(1), lambda x: x.std(0, ddof=1), lambda x: x.max(1, keepdims=True),
    lambda x: x[0].searchsorted([0.0, 4.0]), lambda x: x.real, lambda x: x.imag, lambda x: x.T, lambda x: x.dot(x),
    lambda x: (x > 0).astype("int64").choose([x, -x]), lambda x: x.any(), lambda x: x.all(1), lambda x: x.argmin(1),
)  # fmt: skip


@pytest.mark.parametrize("use", SAME, ids=range(len(SAME)))
def test_a_method_of_a_variable_is_that_of_an_array(use: Callable[[Any], Any]) -> None:
    agrees(use, use, X)


def test_methods_that_arrays_do_not_have_so() -> None:
    agrees(lambda x: x.sort(0), lambda x: np.sort(x, 0), X)  # an array sorts itself and returns None
    agrees(lambda x: x.fill(2), lambda x: np.full_like(x, 2), X)
    agrees(lambda x: x.ptp(1), lambda x: np.ptp(x, 1), X)
    agrees(lambda x: x.norm(2, axis=1), lambda x: np.linalg.norm(x, 2, axis=1), X)
    agrees(lambda x: x.diff(axis=0), lambda x: np.diff(x, axis=0), X)
    agrees(lambda x: x.zeros_like() + x.ones_like("int8"), lambda x: np.ones_like(x), X)
    agrees(lambda x: x.cast("int32"), lambda x: x.astype("int32"), X)
    agrees(lambda x: x[1:, 0].set(7), lambda x: np.array([[3, -1, 2], [7, 5.5, -4], [7, 1, 0.25]]), X)
    agrees(lambda x: x[0].inc(x[1]), lambda x: np.stack([x[0] + x[1], x[1], x[2]]), X)
    assert (T.row("r").broadcastable, T.dtensor3("t").broadcastable) == ((True, False), (False,) * 3)


def test_type_checkers_know_every_method() -> None:
    stub = (Path(__file__).parents[2] / "graphlab" / "graph" / "interface.pyi").read_text()
    public = {name for name in vars(_Methods) if not name.startswith("_")}
    assert {name for name in public if f"def {name}(" not in stub} == set()
    assert all(hasattr(Variable, name) for name in public)
