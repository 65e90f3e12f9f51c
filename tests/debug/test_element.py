"""One element: the arithmetic that is spelled out gives it, and what reaches it does change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphIndexError, GraphValueError

X = np.arange(1.0, 13.0).reshape(3, 4)
SMALL = np.linspace(-1, 1, 12).reshape(3, 4)


def test_arithmetic_is_spelled_out_with_values() -> None:
    x = T.matrix("x")
    y = T.exp(x / 4) + 1
    y.name = "y"
    f = graphlab.function([x], T.dot(y, x.T))
    s = f.debug(X).run(until=y)
    s.element = (1, 2)
    element = s.element
    assert element is not None
    np.testing.assert_allclose(element.value, np.exp(7 / 4) + 1)
    assert element.lines[-1].split("  ")[0].endswith(f"= {np.exp(7 / 4) + 1:.6g}")
    assert "exp(1.75) = 5.7546" in str(element)
    assert "it depends on x[1, 2]" in str(element)
    assert "element: y[1, 2] = " in str(s)
    (mask,) = element.reach.values()
    assert np.argwhere(mask).tolist() == [[1, 2]]


def test_products_and_sums_say_what_they_fold() -> None:
    x = T.matrix("x")
    z = T.dot(x, x.T)
    z.name = "z"
    f = graphlab.function([x], [z, x.sum(axis=1)])
    s = f.debug(X).finish()
    s.element = ("z", (0, 2))
    assert "1*9 + 2*10 + 3*11 + 4*12 = 110" in str(s.element)
    assert "of elements" not in str(s.element)
    total = f.optimized.outputs[1]
    s.element = (total, (1,))
    assert "sum of x[1, :], 4 elements (5, 6, 7, 8) = 26" in str(s.element)


CASES: dict[str, Callable[[Any], Any]] = {
    "pointwise": lambda x: T.exp(x) * 2,
    "broadcast": lambda x: x + x[0] + x[:, :1],
    "transpose": lambda x: T.tanh(x.T),
    "reshape": lambda x: T.tanh(x.reshape((2, 6))),
    "flip": lambda x: T.tanh(x[::-1, 1:]),
    "take": lambda x: T.tanh(x[[2, 0]]),
    "join": lambda x: T.tanh(T.concatenate([x, 2 * x], axis=1)),
    "sum": lambda x: T.exp(x / 9).sum(axis=0),
    "keepdims": lambda x: x - x.max(axis=1, keepdims=True),
    "mean": lambda x: (x * x).mean(),
    "product": lambda x: T.dot(x, x.T),
    "vector": lambda x: T.dot(x, x[0]),
    "softmax": lambda x: T.softmax(x, axis=1),
    "cumulative": lambda x: T.cumsum(x, axis=1),
    "matrix function": lambda x: T.nlinalg.matrix_inverse(T.dot(x, x.T) + T.eye(3)) if hasattr(T, "nlinalg") else x,
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", ["fast_run", "interpret"])
def test_what_does_not_reach_an_element_can_change_without_it(name: str, mode: str) -> None:
    x = T.matrix("x")
    f = graphlab.function([x], CASES[name](x), mode=mode)
    s = f.debug(SMALL).finish()
    result = s.outputs[0]
    rng = np.random.default_rng(0)
    for index in {tuple(int(rng.integers(n)) for n in result.shape) for _ in range(4)}:
        s.element = (s._graph.outputs[0], index)
        element = s.element
        assert element is not None
        assert element.value == result[index]
        mask = element.reach[s._graph.inputs[0]]
        other = np.where(mask, SMALL, SMALL + rng.uniform(0.1, 0.2, SMALL.shape))
        np.testing.assert_allclose(f(other)[index], result[index], rtol=1e-12)
        if name not in ("keepdims", "cumulative", "matrix function"):  # where not all that may matter does
            for at in np.argwhere(mask):
                moved = SMALL.copy()
                moved[tuple(at)] += 0.1
                assert f(moved)[index] != result[index]


def test_there_must_be_such_an_element() -> None:
    x = T.matrix("x")
    s = graphlab.function([x], T.exp(x)).debug(X)
    with pytest.raises(GraphValueError, match="of which variable"):
        s.element = (0, 0)
    with pytest.raises(GraphIndexError, match=r"no element \(3, 0\): x has shape \(3, 4\)"):
        s.element = (x, (3, 0))
    s.element = (x, (-1, 0))
    assert s.element is not None
    assert s.element.index == (2, 0)
    s.element = None
    assert s.element is None
