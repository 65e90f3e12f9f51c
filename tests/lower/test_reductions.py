"""Reductions give what NumPy gives, for any layout, and are at least as accurate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphlab.graph.node import Graph, Variable
from graphlab.interpret import interpret
from graphlab.loops.ir import Accumulator, For, Literal, LoopCall
from graphlab.loops.walk import walk
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import products, reduce
from graphlab.runtime.native import StepFailed
from tests.lower.programs import Array, built, var

KINDS = (reduce.Sum, products.Prod, reduce.Max, reduce.Min, reduce.Any_, reduce.All_)


def all_reductions(x: Variable) -> list[Variable]:
    """By every kind (of three axes: half of them) over every choice of axes, plain and behind a fused op."""
    choices = [c for r in range(x.ndim) for c in itertools.combinations(range(x.ndim), r + 1)]
    return [
        kind(axes, keepdims)(operand)
        for kind in (KINDS if x.ndim < 3 else KINDS[::2])
        for axes in choices
        for keepdims, operand in ((False, x), (True, e.maximum(x, x)))
    ]


def layouts(a: Array) -> Iterator[Array]:
    """The same values, otherwise in memory."""
    yield a
    yield np.asfortranarray(a)
    yield np.repeat(a, 2, axis=-1)[..., ::2]
    yield a[::-1].copy()[::-1]


def near_one(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Values whose products stay in range."""
    if dtype.startswith("float"):
        return rng.uniform(0.99, 1.01, shape).astype(dtype)
    return rng.integers(0, 3, shape).astype(dtype)


def same(got: Array, want: Array, tolerance: float) -> None:
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=0)


@pytest.mark.parametrize(
    ("dtype", "ndim"),
    [("float64", 1), ("float64", 2), ("float64", 3), ("float32", 2), ("int8", 2), ("uint32", 1), ("bool", 2)],
)
def test_every_reduction_of_every_layout(dtype: str, ndim: int, rng: np.random.Generator) -> None:
    x = var(dtype, *[None] * ndim)
    program = built([x], all_reductions(x))
    tolerance = 0 if not dtype.startswith("float") else 64 * float(np.finfo(dtype).eps)
    for shape in [(1, 1, 1), (2, 65, 3), (3, 2, 70), (1040, 2, 1)]:
        for a in layouts(near_one(rng, shape[:ndim], dtype)):
            for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
                same(got, want, tolerance)


def test_a_block_boundary_is_nothing_special(rng: np.random.Generator) -> None:
    x = var("float64", None)
    program = built([x], [reduce.sum(x), reduce.max(x), reduce.sum(e.negative(x))])
    for n in (15, 16, 17, 31, 32, 33, 511, 512, 513, 1024, 1537, 512 * 7 + 40):
        a = rng.permutation(np.arange(n, dtype="float64"))
        assert [float(v) for v in program(a)] == [n * (n - 1) / 2, n - 1, -n * (n - 1) / 2]


# ---- special values --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0, 1, 40, 599, 600, 1199])
def test_extremes_hand_nan_on_wherever_it_is(where: int) -> None:
    x = var("float64", None, None)
    program = built([x], [r(x, axis) for r in (reduce.max, reduce.min) for axis in (None, 0, 1)])
    flat = np.arange(1200.0)
    flat[where] = np.nan
    for a in (flat.reshape(2, 600), flat.reshape(600, 2), flat.reshape(2, 600).T):
        for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
            np.testing.assert_array_equal(got, want)


def test_extremes_know_infinities_and_integer_extremes() -> None:
    x, i = var("float64", None), var("int8", None)
    program = built([x, i], [reduce.max(x), reduce.min(x), reduce.max(i), reduce.min(i)])
    got = program(np.array([-np.inf, -np.inf]), np.array([-128, -128], "int8"))
    assert [v.item() for v in got] == [-np.inf, -np.inf, -128, -128]


def test_sums_of_small_integers_do_not_wrap() -> None:
    x = var("int8", None)
    assert built([x], [reduce.sum(x)])(np.full(1000, 127, "int8"))[0] == 127000


def test_any_and_all_see_every_value_as_true_or_false() -> None:
    x = var("float64", None)
    program = built([x], [reduce.any(x), reduce.all(x)])
    for values in ([0.0, -0.0], [np.nan, 0.5], [0.0, 1e-320], [256.0, 0.0]):
        a = np.array(values)
        assert [bool(v) for v in program(a)] == [bool(np.any(a)), bool(np.all(a))]


# ---- empty axes ------------------------------------------------------------------------------------


def test_folding_nothing_gives_the_initial_value() -> None:
    x = var("float64", None, None)
    program = built([x], [r(x, axis=0) for r in (reduce.sum, products.prod, reduce.any, reduce.all)])
    got = program(np.zeros((0, 2)))
    for value, want in zip(got, [[0.0, 0.0], [1.0, 1.0], [False, False], [True, True]], strict=True):
        np.testing.assert_array_equal(value, want)


def test_an_extreme_of_nothing_is_an_error_even_without_results() -> None:
    x = var("float64", None, None)
    program = built([x], [reduce.max(x, axis=0)])
    with pytest.raises(StepFailed) as failed:
        program(np.zeros((0, 2)))
    assert failed.value.kind == "empty"
    with pytest.raises(StepFailed):  # as NumPy has it
        program(np.zeros((0, 0)))
    assert built([x], [reduce.max(x, axis=1)])(np.zeros((0, 2)))[0].shape == (0,)


def test_reducing_over_no_axes_changes_nothing_but_the_dtype() -> None:
    x = var("int32", None)
    program = built([x], [reduce.Sum(())(x), reduce.Max(())(x), reduce.Any_(())(x)])
    got = program(np.array([0, -5], "int32"))
    assert [g.dtype.name for g in got] == ["int64", "int32", "bool"]
    assert [g.tolist() for g in got] == [[0, -5], [0, -5], [False, True]]


# ---- accuracy --------------------------------------------------------------------------------------

CASES = {
    "uniform": lambda rng, n: rng.random(n),
    "one tenth": lambda rng, n: np.full(n, 0.1),
    "of mixed sign and size": lambda rng, n: rng.standard_normal(n) * 10.0 ** rng.integers(-6, 7, n),
}


def error(total: float, values: Array) -> float:
    """How far off `total` is, in units of eps times the sum of magnitudes."""
    exact, scale = math.fsum(values), math.fsum(np.abs(values))
    return abs(float(total) - exact) / (scale * float(np.finfo(values.dtype).eps))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_sums_are_accurate_to_a_rounding_or_two(case: str, dtype: str, rng: np.random.Generator) -> None:
    x = var(dtype, None)
    values = CASES[case](rng, 300_007).astype(dtype)
    got = built([x], [reduce.sum(x)])(values)[0]
    assert error(got, values) <= 2.0  # as NumPy's pairwise sum; one after the other would be off by hundreds


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_column_sums_are_accurate_too(case: str, dtype: str, rng: np.random.Generator) -> None:
    x = var(dtype, None, None)
    values = CASES[case](rng, 3 * 100_003).astype(dtype).reshape(-1, 3)
    got = built([x], [reduce.sum(x, axis=0)])(values)[0]
    for total, column in zip(got, values.T, strict=True):
        assert error(total, column) <= 2.0  # rows added one by one would be off by hundreds


# ---- straight into the lanes -----------------------------------------------------------------------


def test_cheap_elements_are_folded_as_they_are_computed() -> None:
    x, y = var("float64", None), var("float64", None)
    lowered = lower(Graph((x, y), (reduce.sum(e.square(e.subtract(x, y))),)))
    (kernel,) = (step.action.kernel for step in lowered.program.steps if isinstance(step.action, LoopCall))
    assert any(isinstance(s, For) and s.unroll == 4 for s in walk(kernel.body)), "vector by vector, in registers"
    sizes = [s.lanes for s in walk(kernel.body) if isinstance(s, Accumulator) and s.name.text.startswith("tile")]
    assert sizes == [32], "no tile but for the last elements"


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64"])
def test_elements_folded_as_they_are_computed_give_the_bits_of_those_in_memory(
    dtype: str, rng: np.random.Generator
) -> None:
    x, y = var(dtype, None), var(dtype, None)
    squares, total = (
        built([x, y], [reduce.sum(e.multiply(x, y)), products.prod(e.add(x, y))]),
        built([x], [reduce.sum(x), products.prod(x)]),
    )
    for n in (0, 1, 15, 16, 17, 31, 32, 33, 64, 100, 511, 512, 513, 528, 529, 1040, 5000):
        a, b = (
            near_one(rng, (n,), dtype) if dtype == "int64" else rng.uniform(0.4, 0.6, n).astype(dtype) for _ in "ab"
        )
        got = squares(a, b)
        np.testing.assert_array_equal(got[0], total(a * b)[0])
        np.testing.assert_array_equal(got[1], total(a + b)[1])


def halved(values: Array, lanes: int) -> Any:
    """The sum of some elements in lanes, one half of which is then added to the other, down to one."""
    padded = np.zeros(-(-len(values) // lanes) * lanes, values.dtype)
    padded[: len(values)] = values
    left = np.zeros(lanes, values.dtype)
    for row in padded.reshape(-1, lanes):
        left = left + row
    while len(left) > 1:
        left = left[: len(left) // 2] + left[len(left) // 2 :]
    return left[0]


@pytest.mark.parametrize(("dtype", "lanes"), [("float64", 32), ("float32", 64), ("complex128", 16)])
def test_lanes_are_folded_half_into_half_without_a_loop_for_each_half(
    dtype: str, lanes: int, rng: np.random.Generator
) -> None:
    x = var(dtype, None)
    program = built([x], [reduce.sum(x), reduce.sum(e.negative(x))])
    kernels = [step.action.kernel for step in program.lowered.program.steps if isinstance(step.action, LoopCall)]
    (folding,) = {f for kernel in kernels for f, _ in kernel.functions if f.name == "fold_0_halved"}
    assert [loop.stop for loop in walk(folding.body) if isinstance(loop, For)] == [Literal(8, "int64")]
    for n in (17, 63, 64, 65, 100, 16 * lanes - 1, 16 * lanes):
        a = rng.standard_normal(n).astype(dtype)
        assert [v.tobytes() for v in program(a)] == [halved(a, lanes).tobytes(), halved(-a, lanes).tobytes()]


def test_folds_of_wide_and_narrow_elements_share_their_lanes(rng: np.random.Generator) -> None:
    x = var("float32", None)
    program = built([x], [reduce.sum(e.multiply(x, x)), reduce.any(e.multiply(x, x))])
    assert len(program.lowered.kernels) == 1
    a = rng.standard_normal(1000).astype("f")
    total, some = program(a)
    np.testing.assert_allclose(total, (a * a).sum(), rtol=1e-6)
    assert some
    assert not program(np.zeros(1000, "f"))[1]
