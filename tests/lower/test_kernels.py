"""Pointwise kernels: every layout and every broadcast gives the same values, and the fast loops are taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from graphlab.graph.node import Constant, Graph
from graphlab.interpret import interpret
from graphlab.loops.ir import For, If, LoopCall, SameExtents, Stmt
from graphlab.loops.walk import walk
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import shape
from graphlab.runtime.native import StepFailed
from tests.lower.programs import Array, built, var


def layouts(a: Array) -> Iterator[Array]:
    """The same values, otherwise in memory."""
    yield a
    yield np.asfortranarray(a)
    yield np.repeat(a, 3, axis=-1)[..., 1::3]
    yield a[..., ::-1].copy()[..., ::-1]


def test_every_pair_of_layouts_gives_the_same(rng: np.random.Generator) -> None:
    x, y = var("float64", None, None, None), var("float32", None, None)
    program = built([x, y], [e.subtract(e.multiply(x, y), 0.5)])
    a, b = rng.standard_normal((4, 3, 5)), rng.standard_normal((3, 5)).astype("float32")
    for p, q in itertools.product(layouts(a), layouts(b)):
        np.testing.assert_array_equal(program(p, q)[0], a * b - 0.5)


@pytest.mark.parametrize("first", [(1, 1), (4, 1), (1, 5), (4, 5), (0, 5), (4, 0), (1, 0)])
@pytest.mark.parametrize("second", [(1, 1), (4, 1), (1, 5), (4, 5)])
def test_unknown_extents_may_be_one_when_it_runs(first: tuple[int, int], second: tuple[int, int]) -> None:
    x, y = var("int64", None, None), var("int64", None, None)
    a, b = np.arange(np.prod(first)).reshape(first), 10 * np.arange(np.prod(second)).reshape(second)
    program = built([x, y], [e.add(e.negative(x), y)])
    try:
        want = b - a
    except ValueError:
        with pytest.raises(StepFailed, match="do not broadcast"):
            program(a, b)
        return
    np.testing.assert_array_equal(program(a, b)[0], want)


@pytest.mark.parametrize("shapes", list(itertools.product([(None, 1), (1, None), (1, 1), (3, 1), (1, 4)], repeat=2)))
def test_known_extents_of_one_are_broadcast(shapes: tuple[tuple[int | None, ...], ...]) -> None:
    x, y, z = (var("float64", *s) for s in (*shapes, (None, None)))
    filled = [tuple({None: k}.get(n, n) for n, k in zip(s, (3, 4), strict=True)) for s in shapes]
    a, b = (np.arange(float(np.prod(s))).reshape(s) + 1 for s in filled)
    program = built([x, y, z], [e.subtract(x, y), e.add(e.sqrt(x), z)])
    c = np.ones((3, 4))
    for got, want in zip(program(a, b, c), [a - b, np.sqrt(a) + c], strict=True):
        np.testing.assert_array_equal(got, want)


def test_merged_axes_need_not_be_where_the_types_have_them(rng: np.random.Generator) -> None:
    x, y = var("float64", None, None, 1, 1), var("float64", 1, None, 1, 1)
    a, b = rng.standard_normal((3, 4, 1, 1)), rng.standard_normal((1, 4, 1, 1))
    np.testing.assert_array_equal(built([x, y], [e.add(x, y)])(a, b)[0], a + b)


def test_scalars_and_constants_of_any_rank(rng: np.random.Generator) -> None:
    x, s = var("float64", None, None), var("float64")
    big = Constant(rng.standard_normal((2, 3)))
    outputs = [e.add(x, big), e.add(s, Constant([[2.0]])), e.exp(s), e.add(Constant(1.0), Constant(2.0))]
    program = built([x, s], outputs)
    a = rng.standard_normal((2, 3))
    for got, want in zip(program(a, 0.5), interpret(program.graph, [a, np.array(0.5)]), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-15)


def test_an_operand_whose_value_does_not_matter_still_gives_its_shape() -> None:
    x = var("bool", None)
    np.testing.assert_array_equal(built([x], [e.isnan(x)])(np.array([True, False]))[0], [False, False])


def loops(statements: tuple[Stmt, ...]) -> list[For]:
    return [s for s in walk(statements) if isinstance(s, For)]


def test_the_contiguous_branch_is_simd_and_the_other_is_not() -> None:
    x, c = var("float64", None, None), var("float64", None, 1)
    check, step = lower(Graph((x, c), (e.add(x, c),))).program.steps
    assert check.action == SameExtents((((1, 1),),), (1,))  # what is declared of c
    assert isinstance(step.action, LoopCall)
    (branch,) = step.action.kernel.body
    assert isinstance(branch, If)
    dense, strided = loops(branch.then), loops(branch.otherwise)
    assert [loop.simd for loop in dense] == [False, True]
    assert [loop.simd for loop in strided] == [False, False]


def test_ranks_up_to_the_limit(rng: np.random.Generator) -> None:
    x = var("float64", *[None] * 12)
    a = rng.standard_normal((2,) * 12)
    turned = shape.transpose(x)
    np.testing.assert_array_equal(built([x], [e.add(turned, 1.0)])(a)[0], a.T + 1.0)
