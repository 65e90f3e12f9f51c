"""Pointwise kernels that are written once: the runtime puts their operands side by side, wherever these lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.interpret import interpret
from graphlab.loops.ir import For, If, LoopCall
from graphlab.loops.walk import used_names, walk
from graphlab.lower.kernels import LONG
from graphlab.lower.segments import TILE
from graphlab.ops import elementwise as e
from tests.lower.programs import Array, Built, built, var

EXTENTS = [0, 1, 2, 3, 5, 17, 63, 64, 65, 130]


def kernels(program: Built) -> list[Any]:
    return [s.action.kernel for s in program.lowered.program.steps if isinstance(s.action, LoopCall)]


def chain(x: Variable, y: Variable, links: int) -> Variable:
    """Twice as many applications, all of them exact for small integers."""
    v = x
    for _ in range(links):
        v = e.maximum(e.subtract(v, y), e.negative(x))
    return v


# ---- what is written -----------------------------------------------------------------------------


def test_there_is_one_loop_and_no_stride() -> None:
    x, y = var("float64", None, None), var("float64", None, None)
    for result in (e.add(x, y), chain(x, y, 9)):
        (kernel,) = kernels(built([x, y], [result]))
        assert kernel.nest.beside
        (loop,) = (s for s in walk(kernel.body) if isinstance(s, For))
        assert loop.simd
        assert not any(isinstance(s, If) for s in walk(kernel.body))
        assert not [name for name in used_names(kernel.body) if name.startswith("s")]


def test_what_stays_along_rows_is_read_once_in_each_where_the_body_is_short() -> None:
    x, column = var("float64", None, None), var("float64", None, 1)
    (short,) = kernels(built([x, column], [e.add(x, column)]))
    (long,) = kernels(built([x, column], [chain(x, column, LONG // 2)]))
    assert not short.nest.beside
    assert long.nest.beside


# ---- what comes out ------------------------------------------------------------------------------


def laid_out(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> Array:
    """Small integers in an array of that shape, in any layout."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, -1])) for _ in shape]
    whole = [shape[d] * abs(steps[d]) for d in order]
    numbers = np.arange(np.prod(whole, dtype=int)) * 7 % 23 - 11
    back = np.argsort(order) if shape else ()
    return numbers.astype(dtype).reshape(whole).transpose(back)[tuple(slice(None, None, step) for step in steps)]


@st.composite
def operands(draw: st.DrawFn) -> list[Array]:
    """Arrays that broadcast, of any rank and layout."""
    shape = tuple(draw(st.lists(st.sampled_from(EXTENTS), min_size=1, max_size=5)))
    if np.prod(shape, dtype=int) > 100_000:
        shape = tuple(min(n, 5) for n in shape[:-1]) + shape[-1:]
    given = []
    for dtype in draw(st.sampled_from([("float64",) * 2, ("float32", "float64"), ("int8", "int64"), ("int16",) * 2])):
        own = tuple(draw(st.sampled_from([n, n, 1])) for n in shape)
        array = laid_out(draw, own[draw(st.integers(0, len(own) - 1)) :] if draw(st.booleans()) else own, dtype)
        stretches = draw(st.booleans()) and array.ndim == len(shape)
        given.append(np.broadcast_to(array, shape) if stretches else array)  # strides of 0
    return given


@settings(max_examples=60, deadline=None)
@given(operands())
def test_any_layout_gives_the_same(given: list[Array]) -> None:
    x, y = (var(a.dtype.name, *[None] * a.ndim) for a in given)
    program = built([x, y], [chain(x, y, 4), e.less(chain(y, x, 3), x)])
    for got, want in zip(program(*given), interpret(program.graph, given), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("columns", [1, 2, 31, 63, 64, 300, 511, 512, 513, 1100])
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_tiles_end_anywhere(rows: int, columns: int) -> None:
    x, y, z = var("float64", None, None), var("float64", None, None), var("float64", None, None)
    program = built([x, y, z], [e.add(chain(x, y, 4), z), chain(z, x, 4)])
    a = np.arange(2.0 * rows * columns).reshape(rows, 2 * columns)[:, ::2] % 101
    b, c = a.T.copy().T, np.arange(float(columns))[None]
    for arrays in ((a, b, c), (c, a, b), (b, b, b), (a, c, np.ones((rows, 1)))):
        for got, want in zip(program(*arrays), interpret(program.graph, list(arrays)), strict=True):
            np.testing.assert_array_equal(got, want)


def test_many_operands_and_segments_at_any_stride() -> None:
    given = [np.arange(900.0)[k::3][:280] % 13 for k in range(3)] * 20
    inputs = [var("float64", None) for _ in given]
    v = inputs[0]
    for x in inputs:
        v = e.maximum(e.subtract(v, x), e.minimum(x, inputs[1]))
    program = built(inputs, [v])
    assert max(len(k.nest.axes) for k in kernels(program)) > 16  # so many have tiles of 64 elements each
    assert any(isinstance(s, For) and s.step == TILE for k in kernels(program) for s in walk(k.body))
    np.testing.assert_array_equal(program(*given)[0], interpret(program.graph, given)[0])


def test_numbers_and_inputs_of_one_element_are_the_same_for_all(rng: np.random.Generator) -> None:
    x, one, number = var("float64", None, None), var("float64", 1, 1), var("float64")
    program = built([x, one, number], [e.add(chain(x, one, 4), number)])
    a = rng.integers(-9, 9, (200, 300)).astype(float)
    for array in (a, a[:, ::3], a.T):
        given = [array, np.array([[2.0]]), np.array(3.0)]
        np.testing.assert_array_equal(program(*given)[0], interpret(program.graph, given)[0])


def test_threads_get_tiles_of_their_own() -> None:
    x, y = var("float64", None, None), var("float64", None, None)
    program = built([x, y], [e.add(e.exp(e.negative(x)), chain(x, y, 4))])
    a, b = np.arange(1.2e6).reshape(1000, 1200) % 7, np.arange(1.2e6).reshape(1200, 1000).T % 5
    whole, parts = program(a, b)[0], [program(a[k : k + 1], b[k : k + 1])[0] for k in range(0, 1000, 37)]
    np.testing.assert_array_equal(whole[::37], np.concatenate(parts))


def test_new_values_go_where_the_old_ones_are_in_any_layout(rng: np.random.Generator) -> None:
    start = np.asfortranarray(rng.integers(-9, 9, (70, 90)).astype(float))
    w, x = graphlab.shared(start, "w"), T.dmatrix("x")
    step = graphlab.function([x], updates=[(w, chain(w, x, 4))])
    want, a = start.copy(), np.full((70, 180), 2.0)[:, ::2]
    for _ in range(3):
        step(a)
        before = want
        for _ in range(4):
            want = np.maximum(want - a, -before)
    np.testing.assert_array_equal(w.get_value(), want)
