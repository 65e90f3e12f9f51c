"""Long bodies of loops, cut into segments: the same bits, wherever the tiles end and whatever is written over."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.interpret import interpret
from graphlab.loops.ir import For, LoopCall
from graphlab.loops.walk import walk
from graphlab.lower.segments import LEAST, MOST, MOST_PASSED, TILE, segments
from graphlab.ops import elementwise as e
from tests.lower.programs import Built, built, var


def chain(x: Variable, links: int) -> Variable:
    v = x
    for k in range(links):
        v = e.add(e.multiply(v, 1.0 + 0.01 * k), x)
        v = e.true_divide(v, e.add(1.0, e.absolute(v)))
    return v


def loops(program: Built) -> list[For]:
    """The loops over a tile that the first tile loop holds."""
    (kernel,) = (s.action.kernel for s in program.lowered.program.steps if isinstance(s.action, LoopCall))
    tiles = [s for s in walk(kernel.body) if isinstance(s, For) and s.step == TILE]
    return [s for s in tiles[0].body if isinstance(s, For)] if tiles else []


def test_a_long_body_is_cut_and_a_short_one_is_not() -> None:
    x = var("float64", None)
    assert len(loops(built([x], [chain(x, 40)]))) >= 5
    assert loops(built([x], [chain(x, 6)])) == []


def test_segments_are_all_in_order_and_of_a_size() -> None:
    x = var("float64", None)
    nodes = built([x], [chain(x, 37)]).lowered.kernels[0].nodes
    parts = segments(nodes, [nodes[-1].output])
    assert [n for part in parts for n in part] == list(nodes)
    assert all(LEAST <= len(part) <= MOST for part in parts[:-1])
    assert all(len(part) <= MOST for part in parts)


def test_where_much_would_be_passed_nothing_is_cut() -> None:
    x = var("float64", None)
    made = [e.multiply(x, float(k)) for k in range(40)]
    sums = [e.add(made[0], made[1])]
    for v in made[2:]:
        sums.append(e.add(sums[-1], v))
    nodes = [v.owner for v in (*made, *sums) if v.owner is not None]
    assert len(nodes) > MOST + MOST_PASSED
    assert segments(nodes, [sums[-1]]) == [tuple(nodes)]


@pytest.mark.parametrize("n", [0, 1, TILE - 1, TILE, TILE + 1, 3 * TILE + 7])
def test_tiles_end_anywhere(n: int, rng: np.random.Generator) -> None:
    x, y = var("float64", None), var("float64", None)
    v = chain(x, 20)
    program = built([x, y], [e.add(v, y), e.multiply(chain(e.add(v, 1.0), 4), y)])
    assert len(loops(program)) > 1
    a, b = rng.standard_normal((2, n))
    a[: n // 50], a[n // 50 : n // 40] = np.nan, np.inf
    with np.errstate(all="ignore"):
        want = interpret(program.graph, [a, b])
    for got, wanted in zip(program(a, b), want, strict=True):
        np.testing.assert_array_equal(got, wanted)
    strided = np.repeat(a, 2)[::2]
    for got, wanted in zip(program(strided, b), want, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_what_stays_the_same_along_a_row_is_read_in_every_segment(rng: np.random.Generator) -> None:
    x, column, scalar = var("float32", None, None), var("float32", None, 1), var("float32")
    v = e.add(chain(e.multiply(x, column), 16), e.multiply(column, scalar))
    program = built([x, column, scalar], [v])
    assert len(loops(program)) > 1
    a, c, s = rng.standard_normal((5, 300), "f"), rng.standard_normal((5, 1), "f"), np.float32(0.3)
    want = interpret(program.graph, [a, c, np.asarray(s)])[0]
    np.testing.assert_array_equal(program(a, c, np.asarray(s))[0], want)


def test_a_shared_variable_is_read_before_its_new_value_is_written(rng: np.random.Generator) -> None:
    start = rng.standard_normal(1000)
    w = graphlab.shared(start.copy(), "w")
    v = w
    for k in range(30):
        v = (v * (1 + 0.01 * k) + w) / (1 + abs(v))
    step = graphlab.function([], updates=[(w, v)])
    want = start
    for _ in range(3):
        step()
        old, want = want, want
        for k in range(30):
            want = (want * (1 + 0.01 * k) + old) / (1 + abs(want))
    np.testing.assert_allclose(w.get_value(), want, rtol=1e-12)


def test_integers_and_truth_values_pass_through_tiles(rng: np.random.Generator) -> None:
    x = T.lvector("x")
    v, odd = x, x > 0
    for k in range(30):
        v = v * 3 + k
        odd = odd & (v > x) | (v < k)
    f = graphlab.function([x], [v, odd])
    a = rng.integers(-100, 100, 1000)
    for got, wanted in zip(f(a), graphlab.interpret(f.graph, [a]), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_cuts_are_where_least_is_passed() -> None:
    x = var("float64", None)
    nodes = built([x], [chain(x, 40)]).lowered.kernels[0].nodes
    parts = segments(nodes, [nodes[-1].output])
    for before, behind in pairwise(parts):
        made = {n.output for part in parts[: parts.index(before) + 1] for n in part}
        assert len(made & {v for part in parts[parts.index(behind) :] for n in part for v in n.inputs}) == 1
