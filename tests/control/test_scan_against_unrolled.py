"""scan equals its own unrolling, values and gradients, on random bodies."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from tests.control.bodies import Loop, random_loop

PARTS, EACH = 20, 25  # 500 bodies


def inputs_of(loop: Loop, values: list[np.ndarray]) -> list[graphlab.Variable]:
    return [T.tensor("float64", shape=(None,) * v.ndim, name=f"x{k}") for k, v in enumerate(values)]


def cost_of(outputs: list[graphlab.Variable]) -> graphlab.Variable:
    """A smooth number in which every element of every turn has a weight of its own."""
    parts = []
    for k, v in enumerate(outputs):
        weights = T.cos(T.arange(v.shape[0]).astype("float64") * 1.3 + k).dimshuffle(0, "x")
        parts.append((v * weights * T.constant(np.array([1.0, 0.5, -0.7]))).sum())
    return sum(parts[1:], parts[0])


@pytest.mark.parametrize("part", range(PARTS))
def test_scan_equals_its_unrolling(part: int) -> None:
    made, expected, arguments, inputs = [], [], [], []
    for seed in range(part * EACH, (part + 1) * EACH):
        loop = random_loop(seed)
        values = loop.values(seed)
        xs = inputs_of(loop, values)
        scanned = loop.scanned(xs)
        if loop.turns:
            plain = loop.unrolled(xs)
        else:
            plain = [T.zeros((0, 3))] * len(scanned)
        for by, outputs in ((scanned, made), (plain, expected)):
            cost = cost_of(by)
            gradients = T.grad(cost, xs, disconnected_inputs="ignore") if xs else []
            outputs += [*by, *gradients]
        inputs += xs
        arguments += values
    by_scan = graphlab.function(inputs, made, on_unused_input="ignore")(*arguments)
    written_out = graphlab.function(inputs, expected, mode="interpret", on_unused_input="ignore")(*arguments)
    for got, want in zip(by_scan, written_out, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("part", range(4))
def test_second_order_equals_its_unrolling(part: int) -> None:
    for seed in range(1000 + part * 5, 1000 + (part + 1) * 5):
        loop = random_loop(seed)
        if not loop.turns:
            continue
        values = loop.values(seed)
        xs = inputs_of(loop, values)
        results = []
        for by in (loop.scanned(xs), loop.unrolled(xs)):
            slopes = T.grad(cost_of(by), xs, disconnected_inputs="ignore")
            turned = sum((T.sin(g * 1.1).sum() for g in slopes), T.constant(0.0))
            results += T.grad(turned, xs, disconnected_inputs="ignore")
        got = graphlab.function(xs, results, on_unused_input="ignore")(*values)
        for a, b in zip(got[: len(xs)], got[len(xs) :], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_the_interpreter_agrees() -> None:
    for seed in range(40):
        loop = random_loop(seed)
        values = loop.values(seed)
        xs = inputs_of(loop, values)
        outputs = loop.scanned(xs)
        compiled = graphlab.function(xs, outputs, on_unused_input="ignore")(*values)
        for got, want in zip(compiled, graphlab.interpret(graphlab.graph.node.Graph(tuple(xs), tuple(outputs)), values),
                             strict=True):  # fmt: skip
            np.testing.assert_allclose(got, want, rtol=1e-12)
