"""Stacks that are only read the other way round are written that way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.loops.ir import Loop, RuntimeCall, Stack, Turns
from graphlab.loops.walk import every_step

Variables = list[graphlab.Variable]


def stacks(f: graphlab.Function) -> list[Stack]:
    steps = every_step(f.lowered.program.steps)
    return [stack for s in steps if isinstance(s.action, Loop | Turns) for stack in s.action.stacks]


def agrees(inputs: Variables, outputs: Variables, *values: Any) -> graphlab.Function:
    """The function, whose results are those of the interpreter and in C order."""
    f, plain = graphlab.function(inputs, outputs), graphlab.function(inputs, outputs, mode="interpret")
    for turns in (0, 1, 2, 9):
        given = [values[0][:turns], *values[1:]]
        for got, want in zip(f(*given), plain(*given), strict=True):
            assert got.flags.c_contiguous
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    assert f.debug(values[0], *values[1:]).finish().findings == ()
    return f


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("product", [False, True])
def test_the_gradient_of_a_loop_is_written_from_its_last_turn_on(shape: tuple[int, ...], product: bool) -> None:
    x = T.tensor("float64", shape=(None,) * (len(shape) + 1), name="x")
    s0, w = T.tensor("float64", shape=(None,) * len(shape), name="s0"), T.dmatrix("w")
    inside = (lambda x, s: T.tanh(x + T.dot(s, w))) if product and shape else (lambda x, s: T.tanh(x + w[0, 0] * s))
    s, _ = graphlab.scan(inside, [x], [s0])
    outputs = T.grad((s**2).sum(), [x, s0, w])
    rng = np.random.default_rng(0)
    f = agrees([x, s0, w], outputs, rng.normal(size=(9, *shape)), rng.normal(size=shape), rng.normal(size=(3, 3)))
    assert any(stack.backwards for stack in stacks(f))
    if not shape:  # else it is summed to a shape before: it is not copied
        assert f.lowered.program.outputs[0] in [stack.stack for stack in stacks(f)]


def test_a_part_that_is_kept_and_one_that_is_read_as_it_is() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x, s: T.tanh(s) + x, x, T.zeros(()))
    values = np.linspace(-1.0, 1.0, 9)
    turned = agrees([x], [s[::-1]], values)
    assert [stack.backwards for stack in stacks(turned)] == [True]
    assert not any(
        isinstance(s.action, RuntimeCall) and s.action.function == "copy" for s in turned.lowered.program.steps
    )
    for outputs in ([s], [s, s[::-1]], [s[::-1], s.cumsum()], [s[::-2]]):
        assert not any(stack.backwards for stack in stacks(agrees([x], outputs, values)))
    kept = graphlab.function([x], s[-4:][::-1])
    np.testing.assert_array_equal(kept(values), graphlab.function([x], s)(values)[:-5:-1])


def test_loops_that_may_end_early_are_written_as_they_go() -> None:
    x = T.dvector("x")
    s, _ = graphlab.scan(lambda x, s: (s + x, graphlab.until(s > 3)), x, T.zeros(()))
    f = graphlab.function([x], s[::-1])
    assert not any(stack.backwards for stack in stacks(f))
    np.testing.assert_array_equal(f(np.arange(9.0)), graphlab.function([x], s)(np.arange(9.0))[::-1])


def test_what_is_collected_twice_is_kept_once() -> None:
    x, h0, w, b = T.dtensor3("x"), T.dmatrix("h0"), T.dmatrix("w"), T.dvector("b")
    h, _ = graphlab.scan(lambda x, h: T.tanh(x + b + T.dot(h, w)), [x], [h0])
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in ((9, 2, 3), (2, 3), (3, 3), (3,))]
    f = agrees([x, h0, w, b], T.grad((h**2).sum(), [x, w, b]), *values)
    collected = [stack.value for stack in stacks(f) if stack.backwards]
    assert len(collected) > len(set(collected))
