"""Rows that are folded side by side: rows of a few elements, and columns; in any layout, in the order of one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphlab.codegen.expressions import c_expr
from graphlab.graph.node import Graph, Variable
from graphlab.interpret import interpret
from graphlab.loops.ir import Gather, If, LoopCall, Scatter, Stretch
from graphlab.loops.walk import walk
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import nnet, products, reduce, shape
from tests.lower.programs import Array, built, var

SHAPES = [(3, 5), (200, 4), (70, 16), (70, 17), (5, 0), (0, 4), (1, 1), (2, 64)]


def body(inputs: list[Variable], outputs: list[Variable]) -> list[object]:
    """The statements of the only kernel, those inside others included."""
    steps = lower(Graph(tuple(inputs), tuple(outputs))).program.steps
    (kernel,) = (step.action.kernel for step in steps if isinstance(step.action, LoopCall))
    return list(walk(kernel.body))


def choice(statements: list[object]) -> str:
    """The condition under which a kernel runs in strips."""
    conditions = (c_expr(s.condition) for s in statements if isinstance(s, If))
    return next(condition for condition in conditions if "!rows_dense" in condition)


def test_a_kernel_with_rows_has_strips_that_few_elements_or_near_rows_choose() -> None:
    x = var("float64", None, None)
    statements = body([x], [reduce.sum(x, 1)])
    assert any(isinstance(s, Stretch) for s in statements)
    assert any(isinstance(s, Gather) for s in statements)
    assert any(isinstance(s, Scatter) for s in statements)
    chosen = choice(statements)
    assert "n1 <= 8" in chosen, "cheap elements"
    assert "!rows_dense && ((n1 > 0 && n1 <= 16" in chosen
    assert "__builtin_llabs(s1_0) < __builtin_llabs(s1_1)" in chosen
    assert not any(isinstance(s, Stretch) for s in body([x], [reduce.sum(x)])), "without rows there are no strips"
    chosen = choice(body([x], [reduce.sum(e.exp(x), 1)]))
    assert "n1 <= 16" in chosen.partition("rows_dense")[0], "dear elements"


@pytest.mark.parametrize("count", [1, 2, 7, 16])
@pytest.mark.parametrize("rows", [(1,), (5,), (300,), (40, 3), (3, 40), (2, 3, 40)])
def test_a_few_elements_are_added_one_after_the_other(
    count: int, rows: tuple[int, ...], rng: np.random.Generator
) -> None:
    a = rng.standard_normal((*rows, count))
    x = var("float64", *[None] * a.ndim)
    program = built([x], [reduce.sum(x, -1), reduce.sum(e.square(x), -1), products.prod(x, -1), reduce.max(x, -1)])
    for value in (a, np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]):
        total, squares, product, top = program(value)
        np.testing.assert_array_equal(total, np.add.accumulate(a, -1)[..., -1])
        np.testing.assert_array_equal(squares, np.add.accumulate(a * a, -1)[..., -1])
        np.testing.assert_array_equal(product, np.multiply.accumulate(a, -1)[..., -1])
        np.testing.assert_array_equal(top, a.max(-1))


def meanings(x: Variable, w: Variable, b: Variable) -> list[Variable]:
    """Kernels of one pass and of several, with operands of a row, of an element, and of neither."""
    centred = e.subtract(x, reduce.mean(x, -1, keepdims=True))
    scaled = e.multiply(e.subtract(x, w), b)
    return [
        nnet.softmax(scaled, -1),
        nnet.log_softmax(x, -1),
        reduce.sum(scaled, -1),
        reduce.sum(e.sin(scaled), -1),
        e.multiply(centred, reduce.mean(e.square(centred), -1, keepdims=True)),
        reduce.sum(scaled, 0),
        e.add(reduce.sum(e.multiply(x, b), 0), w),
        shape.dimshuffle(reduce.max(scaled, -1, keepdims=True), (0,)),
    ]


@pytest.mark.parametrize("shape_", SHAPES)
def test_strips_compute_what_the_graph_means(shape_: tuple[int, int], rng: np.random.Generator) -> None:
    x, w, b = var("float64", None, None), var("float64", None), var("float64", None, 1)
    outputs = meanings(x, w, b)
    if shape_[1] == 0:
        outputs = [reduce.sum(e.multiply(x, b), -1), reduce.sum(x, 0)]
    program = built([x, w, b], outputs)
    a, u, v = rng.standard_normal(shape_), rng.standard_normal(shape_[1]), rng.standard_normal((shape_[0], 1))
    want = interpret(Graph((x, w, b), tuple(outputs)), (a, u, v))
    for value, weight, scale in itertools.product(
        (a, np.asfortranarray(a)), (u, np.repeat(u, 3)[::3]), (v, v[::-1][::-1])
    ):
        for got, expected in zip(program(value, weight, scale), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex64", "complex128"])
def test_strips_of_every_dtype(dtype: str, rng: np.random.Generator) -> None:
    x = var(dtype, None, None, None)
    outputs = [reduce.sum(x, 2), reduce.sum(x, 0), reduce.sum(e.add(x, x), 1)]
    program = built([x], outputs)
    a = rng.integers(0, 3, (30, 20, 5)).astype(dtype)
    want = interpret(Graph((x,), tuple(outputs)), (a,))
    for value in (a, np.asfortranarray(a), a.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
        for got, expected in zip(program(value), want, strict=True):
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected)


def test_a_column_that_is_stretched_along_rows_is_gathered(rng: np.random.Generator) -> None:
    x, r = var("float64", None, None, None), var("float64", None, None, 1)
    z = reduce.sum(e.multiply(x, r), 0)
    a, b = rng.standard_normal((3000, 8, 4)), rng.standard_normal((3000, 8, 1))
    for value, weight in ((a, b), (np.asfortranarray(a), b), (a[::-1], b[:, ::-1])):
        (got,) = built([x, r], [z])(value, weight)
        np.testing.assert_allclose(got, (value * weight).sum(0), rtol=1e-11)


@pytest.mark.parametrize("kind", [reduce.max, reduce.min])
def test_nan_and_signed_zeros_are_what_one_by_one_gives(kind: object, rng: np.random.Generator) -> None:
    x = var("float64", None, None)
    a = rng.choice([np.nan, 0.0, -0.0, np.inf, -np.inf, 1.0], (500, 3))
    (got,) = built([x], [kind(x, 1)])(a)  # type: ignore[operator]
    want: Array = np.array([getattr(row, kind.__name__)() for row in a])  # type: ignore[attr-defined]
    np.testing.assert_array_equal(got, want)


def test_reduced_axes_are_walked_in_the_order_of_memory(rng: np.random.Generator) -> None:
    x = var("float64", None, None, None)
    a = np.asfortranarray(rng.standard_normal((7, 90, 11)))
    (got,) = built([x], [reduce.sum(x)])(a)
    (straight,) = built([x], [reduce.sum(x)])(np.ascontiguousarray(a.T))
    assert got == straight, "the same elements in the same places in memory"


def test_windows_that_overlap_and_short_rows_of_them_are_gathered_anew(rng: np.random.Generator) -> None:
    """Strips begin at one address in several places, and have different elements there."""
    x, y = var("float64", None, None, None), var("float64", None, None)
    f = built([x, y], [reduce.sum(e.multiply(x, y), 2)])
    flat = rng.standard_normal(4000)
    for steps, extents in (((1024, 16, 8), (2, 72, 3)), ((0, 16, 16), (9, 70, 4)), ((32, 0, 64), (40, 10, 5))):
        a = np.lib.stride_tricks.as_strided(flat, extents, steps)
        b = rng.standard_normal((extents[1], extents[2]))
        for other in (b, np.broadcast_to(b[:, :1], b.shape), np.broadcast_to(b[:1], b.shape)):
            np.testing.assert_allclose(f(a, other)[0], (a * other).sum(2), rtol=1e-12, atol=1e-13)


def test_what_all_strips_share_is_gathered_once(rng: np.random.Generator) -> None:
    x, y = var("float64", None, 1, None), var("float64", None, None)
    program = built([x, y], [reduce.sum(e.exp(e.multiply(x, y)), 2)])
    assert "gl_stretch_float64(" in program.source.text
    for n, m, k in ((200, 5, 3), (3, 130, 16), (65, 64, 1), (64, 2, 7)):
        a, b = rng.standard_normal((n, 1, k)), rng.standard_normal((m, k))
        np.testing.assert_allclose(program(a, b)[0], np.exp(a * b).sum(2), rtol=1e-13)
