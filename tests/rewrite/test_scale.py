"""Compiling takes work in proportion to the graph, and depth costs no recursion."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.codegen.c import emit
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.lower import lower
from graphlab.rewrite.driver import Sweep
from graphlab.rewrite.pipeline import CANONICAL, optimize

DEPTH = 100_000

# ---- work in proportion to the size --------------------------------------------------------------


def chain(n: int) -> Graph:
    x = T.dvector("x")
    y = x
    for k in range(n // 3):
        y = T.tanh(y * (1.0 + 1.0 / (k + 2)) + x)
    return Graph((x,), (y,))


def wide_sum(n: int) -> Graph:
    inputs = [T.dvector(f"x{k}") for k in range(n // 2)]
    total = T.exp(inputs[0])
    for x in inputs[1:]:
        total = total + T.exp(x)
    return Graph(tuple(inputs), (total,))


def deep_mlp(n: int) -> Graph:
    x, weights = T.dmatrix("x"), list[Variable]()
    h = x
    for k in range(n // 13):
        w, b = T.dmatrix(f"w{k}"), T.dvector(f"b{k}")
        weights += [w, b]
        h = T.tanh(T.dot(h, w) + b)
    loss = (h**2).mean()
    return Graph((x, *weights), (loss, *T.grad(loss, weights)))


def unrolled_rnn(n: int) -> Graph:
    xs, h, u, w, b = T.dmatrix("xs"), T.dvector("h"), T.dmatrix("u"), T.dmatrix("w"), T.dvector("b")
    state = h
    for k in range(n // 27):
        state = T.tanh(T.dot(xs[k], u) + T.dot(state, w) + b)
    loss = (state**2).sum()
    return Graph((xs, h, u, w, b), (loss, *T.grad(loss, [u, w, b])))


def rewritten_everywhere(n: int) -> Graph:
    x = T.dvector("x")
    y = x
    for _ in range(n // 6):
        y = T.log(1 + T.exp(T.negative(-y) * 1))
    return Graph((x,), (y,))


def calls(work: Callable[[], Any]) -> int:
    """How many functions, of Python or of C, `work` calls: unlike its time, the same on every machine."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call" or event == "c_call"

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


FAMILIES = [chain, wide_sum, deep_mlp, unrolled_rnn, rewritten_everywhere]


@pytest.mark.parametrize("family", FAMILIES)
def test_optimising_lowering_and_writing_c_take_work_in_proportion_to_the_nodes(family: Any) -> None:
    def compiled(n: int) -> tuple[int, int]:
        graph = family(n)
        return calls(lambda: emit(lower(optimize(graph)).program)), len(toposort(graph.outputs))

    compiled(300)  # tables are filled
    (small, fewer), (large, more) = compiled(400), compiled(1600)
    assert large / small < 1.1 * more / fewer


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sweep_visits_each_application_once_and_once_more_what_a_rule_made(family: Any) -> None:
    graph = family(1000)
    sweep = Sweep(CANONICAL, "once", strict=True, budget=10**6)
    sweep.final.update((v, v) for v in graph.inputs)
    for output in graph.outputs:
        sweep.settle(output)
    assert sweep.visits <= len(toposort(graph.outputs)) + 2 * sweep.fired.total()


# ---- depth ---------------------------------------------------------------------------------------


def sines(depth: int) -> tuple[Variable, Variable]:
    x = T.dscalar("x")
    y = x
    for _ in range(depth):
        y = T.sin(y)
    return x, y


@pytest.fixture(scope="module", autouse=True)
def no_collector() -> Iterator[None]:
    """Searching for garbage among so many nodes would be half of the time that these tests take."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def deep() -> tuple[Variable, Variable]:
    assert sys.getrecursionlimit() <= 3000, "what follows says nothing if recursion is allowed"
    return sines(DEPTH)


def at(x: Variable, *outputs: Variable) -> list[float]:
    return [float(v) for v in interpret(Graph((x,), outputs), [np.array(0.5)])]


def expected(depth: int) -> tuple[float, float]:
    """The value of `sines` at 0.5 and its derivative."""
    y, dy = 0.5, 1.0
    for _ in range(depth):
        y, dy = float(np.sin(y)), dy * float(np.cos(y))
    return y, dy


def test_a_deep_chain_is_differentiated(deep: tuple[Variable, Variable]) -> None:
    x, y = deep
    assert at(x, y, T.grad(y, x)) == pytest.approx(expected(DEPTH), rel=1e-9)


def test_a_deep_chain_is_compiled(deep: tuple[Variable, Variable]) -> None:
    x, y = deep
    f = graphlab.function([x], y)
    assert f.machine is not None
    assert float(f(0.5)) == pytest.approx(expected(DEPTH)[0], rel=1e-9)
    assert len(str(f)) < 1000


def test_a_deep_chain_is_optimised_from_one_end_to_the_other() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(DEPTH // 3):
        y = T.negative(T.negative(y) * 1)
    assert graphlab.optimize(y) is x


def test_a_deep_chain_is_printed(deep: tuple[Variable, Variable]) -> None:
    _, y = deep
    assert len(repr(y)) < 1000
    assert len(str(y)) < 1000
    assert graphlab.maths(y).count("sin(") > 0
    assert graphlab.debugprint(y).count("─ sin [") == DEPTH - 1


def test_a_deep_chain_is_saved_loaded_and_pickled(deep: tuple[Variable, Variable], tmp_path: Path) -> None:
    _, y = deep
    graphlab.save(tmp_path / "deep", y)
    loaded, pickled = graphlab.load(tmp_path / "deep"), pickle.loads(pickle.dumps(y))
    assert len(toposort([loaded])) == len(toposort([pickled])) == DEPTH


def test_deleting_a_deep_graph_does_not_recurse() -> None:
    """Neither where the collector finds it, nor where the last reference to each node goes with the one above."""
    x, y = sines(DEPTH)
    first = weakref.ref(x)
    del x, y
    gc.collect()
    assert first() is None


def test_a_deep_function_is_copied_and_answers_questions() -> None:
    depth = DEPTH // 10
    x, y = sines(depth)
    copied = copy.deepcopy(y)
    assert copied is not y
    assert len(toposort([copied])) == depth
    assert copy.copy(y).type == y.type
    z = T.dscalar("z")
    (moved,) = toposort([graphlab.clone_replace(y, {x: z})])[-1].outputs
    assert at(z, moved) == pytest.approx(expected(depth)[:1], rel=1e-9)
    f = graphlab.function([x], y, mode="fast_compile")
    assert "sin" in str(f.why(y))
    assert pickle.loads(pickle.dumps(f))(0.5) == f(0.5)
