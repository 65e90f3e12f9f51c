"""scan equals its own unrolling, values and gradients, on random bodies."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Graph
from graphlab.loops.ir import Loop as Repeated
from graphlab.loops.ir import Turns
from graphlab.loops.steady import steady_steps
from graphlab.loops.walk import every_step
from graphlab.rewrite.pipeline import mode
from tests.control.bodies import Loop, random_loop

PARTS, EACH = 20, 25  # 500 bodies
APART = mode("fast_run").excluding("loops of the same turns are one")
# What the bodies compute, how they are compiled, and how many of 10 loops, at least, are planned once or one kernel.
KINDS = [(None, mode("fast_run"), 0), (None, APART, 3), ((3,), APART, 6), ((), APART, 10)]


def inputs_of(loop: Loop, values: list[np.ndarray]) -> list[graphlab.Variable]:
    return [T.tensor("float64", shape=(None,) * v.ndim, name=f"x{k}") for k, v in enumerate(values)]


def cost_of(outputs: list[graphlab.Variable]) -> graphlab.Variable:
    """A smooth number in which every element of every turn has a weight of its own."""
    parts = []
    for k, v in enumerate(outputs):
        weights = T.cos(T.arange(v.shape[0]).astype("float64") * 1.3 + k)
        if v.ndim == 2:
            weights = weights.dimshuffle(0, "x") * T.constant(np.array([1.0, 0.5, -0.7]))
        parts.append((v * weights).sum())
    return sum(parts[1:], parts[0])


def fast_loops(f: graphlab.Function) -> tuple[int, int]:
    """How many loops of `f` are one kernel, or have turns that are planned once, and how many there are."""
    loops = [s.action for s in every_step(f.lowered.program.steps) if isinstance(s.action, Repeated | Turns)]
    return sum(isinstance(loop, Turns) or bool(steady_steps(loop)) for loop in loops), len(loops)


@pytest.mark.parametrize("part", range(PARTS))
def test_scan_equals_its_unrolling(part: int) -> None:
    made, expected, arguments, inputs = [], [], [], []
    shape, compiled, floor = KINDS[part % len(KINDS)]
    for seed in range(part * EACH, (part + 1) * EACH):
        loop = random_loop(seed, shape)
        values = loop.values(seed)
        xs = inputs_of(loop, values)
        scanned = loop.scanned(xs)
        if loop.turns:
            plain = loop.unrolled(xs)
        else:
            plain = [T.zeros((0, *loop.shape))] * len(scanned)
        for by, outputs in ((scanned, made), (plain, expected)):
            cost = cost_of(by)
            gradients = T.grad(cost, xs, disconnected_inputs="ignore") if xs else []
            outputs += [*by, *gradients]
        inputs += xs
        arguments += values
    f = graphlab.function(inputs, made, mode=compiled, on_unused_input="ignore")
    fast, loops = fast_loops(f)
    assert 10 * fast >= floor * loops
    assert loops >= (EACH if floor else 1)
    by_scan = f(*arguments)
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
        for by, how in ((loop.scanned(xs), "fast_run"), (loop.unrolled(xs), "interpret")):
            slopes = T.grad(cost_of(by), xs, disconnected_inputs="ignore")
            turned = sum((T.sin(g * 1.1).sum() for g in slopes), T.constant(0.0))
            second = T.grad(turned, xs, disconnected_inputs="ignore")
            results.append(graphlab.function(xs, second, mode=how, on_unused_input="ignore")(*values))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_the_interpreter_agrees() -> None:
    outputs, inputs, values = [], [], []
    for seed in range(40):
        loop = random_loop(seed)
        xs = inputs_of(loop, loop.values(seed))
        outputs += loop.scanned(xs)
        inputs, values = inputs + xs, values + loop.values(seed)
    compiled = graphlab.function(inputs, outputs, mode=APART, on_unused_input="ignore")(*values)
    interpreted = graphlab.interpret(Graph(tuple(inputs), tuple(outputs)), values)
    for got, want in zip(compiled, interpreted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
