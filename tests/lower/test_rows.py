"""Kernels that go over a row in several passes: what is in them, and that they give what NumPy gives in any layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from graphlab.graph.node import Graph, Variable
from graphlab.interpret import interpret
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import nnet, reduce, shape
from graphlab.ops.products import prod
from tests.lower.programs import Array, built, kernels, var


def softmax(x: Variable, axis: int = -1) -> Variable:
    exps = e.exp(e.subtract(x, reduce.max(x, axis, keepdims=True)))
    return e.true_divide(exps, reduce.sum(exps, axis, keepdims=True))


def layernorm(x: Variable, axis: int = -1) -> Variable:
    away = e.subtract(x, e.multiply(reduce.sum(x, axis, keepdims=True), 1 / 65))
    spread = e.multiply(reduce.sum(e.square(away), axis, keepdims=True), 1 / 65)
    return e.true_divide(away, e.sqrt(e.add(spread, 1e-5)))


def log_sum_exp(x: Variable, axis: int = -1) -> Variable:
    return nnet.logsumexp(x, axis)


# ---- what is one kernel --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [softmax, log_sum_exp, lambda x: nnet.softmax(x, -1), lambda x: nnet.log_softmax(x, -1)]
)
def test_softmax_and_its_kin_are_one_kernel(form: Callable[[Variable], Variable]) -> None:
    x = var("float64", None, None)
    assert len(kernels([x], [form(x)])) == 1


def test_layer_normalisation_is_one_kernel() -> None:
    x, g, b = var("float64", None, None), var("float64", None), var("float64", None)
    found = kernels([x, g, b], [e.add(e.multiply(layernorm(x), g), b)])
    assert len(found) == 1


def test_the_exponentials_of_softmax_are_computed_once() -> None:
    x = var("float64", None, None)
    program = built([x], [softmax(x)])
    (kernel,) = program.lowered.kernels
    text = program.source.text.split("static int kernel_0")[1]
    strips, rows = text.split("} else {")
    assert strips.count("gl_exp_float64(") == rows.count("gl_exp_float64(") == 1, (
        "rows have one loop, whatever lies apart"
    )
    assert kernel.name == "kernel_0"
    assert program.lowered.program.steps[-1].action.kernel.scratch == 8


def test_what_is_cheap_is_computed_again_in_each_pass() -> None:
    x = var("float64", None, None)
    away = e.subtract(x, reduce.max(x, 1, keepdims=True))
    program = built([x], [e.multiply(away, reduce.sum(away, 1, keepdims=True))])
    assert program.lowered.program.steps[-1].action.kernel.scratch == 0


def test_what_follows_a_reduction_for_each_row_is_in_its_kernel() -> None:
    x = var("float64", None, None)
    assert kernels([x], [e.sqrt(reduce.sum(e.square(x), axis=1))]) == [["square", "sum", "sqrt"]]
    assert kernels([x], [e.sqrt(reduce.sum(e.square(x), axis=0))]) == [["square", "sum", "sqrt"]]
    loss = e.true_divide(reduce.sum(e.square(x)), 2.0)
    assert kernels([x], [loss]) == [["square", "sum", "true_divide"]]


def test_reductions_of_the_same_elements_share_a_pass() -> None:
    x = var("float64", None, None)
    z = e.true_divide(reduce.sum(x, 1), reduce.max(x, 1))
    assert kernels([x], [z]) == [["sum", "max", "true_divide"]]


def test_elements_are_written_in_the_pass_that_folds_them() -> None:
    x = var("float64", None, None)
    y = e.exp(x)
    assert kernels([x], [y, reduce.sum(y, 1)]) == [["exp", "sum"]]


def test_all_elements_are_needed_before_the_first_is_used() -> None:
    x = var("float64", None, None)
    z = e.subtract(x, reduce.max(x))
    assert kernels([x], [z]) == [["max"], ["subtract"]]
    (_, second) = lower(Graph((x,), (z,))).kernels
    assert "apart from max: all elements are needed before the first is used" in second.reason


def test_columns_are_folded_by_a_kernel_of_their_own() -> None:
    x = var("float64", None, None)
    z = softmax(x, axis=0)
    assert len(kernels([x], [z])) > 1
    reasons = " ".join(k.reason for k in lower(Graph((x,), (z,))).kernels)
    assert "it folds columns, and whole rows are needed before the first element is used" in reasons


def test_a_value_for_each_row_in_two_forms_is_computed_once() -> None:
    x = var("float64", None, None)
    top = reduce.max(x, 1, keepdims=True)
    flat = shape.dimshuffle(top, (0,))
    assert kernels([x], [e.subtract(x, top), e.exp(flat)]) == [["max"], ["subtract"], ["dimshuffle", "exp"]]
    assert kernels([x], [e.exp(flat)]) == [["max", "dimshuffle", "exp"]]


def test_a_lone_view_stays_a_view() -> None:
    x = var("float64", None, 1)
    program = built([x], [shape.dimshuffle(e.exp(x), (0,))])
    a = np.arange(3.0).reshape(3, 1)
    np.testing.assert_allclose(program(a)[0], np.exp(a[:, 0]), rtol=1e-15)


# ---- what they compute ---------------------------------------------------------------------------

FORMS: dict[str, Callable[[Variable], list[Variable]]] = {
    "softmax": lambda x: [softmax(x)],
    "softmax over columns": lambda x: [softmax(x, 0)],
    "layernorm": lambda x: [layernorm(x)],
    "layernorm over columns": lambda x: [layernorm(x, 0)],
    "logsumexp": lambda x: [log_sum_exp(x), log_sum_exp(x, 0)],
    "log softmax": lambda x: [nnet.log_softmax(x, -1), nnet.softmax(x, 0)],
    "norms": lambda x: [e.sqrt(reduce.sum(e.square(x), -1)), e.sqrt(reduce.sum(e.square(x), 0)), e.sqrt(reduce.sum(x))],
    "elements and their sums": lambda x: [y := e.exp(x), reduce.sum(y, -1), reduce.sum(y, 0), reduce.sum(y)],
    "spread": lambda x: [e.subtract(reduce.max(x, -1), reduce.min(x, -1)), e.subtract(reduce.max(x), reduce.min(x))],
    "products": lambda x: [e.multiply(x, prod(e.add(e.multiply(x, 0.01), 1.0), -1, keepdims=True))],
    "shifted": lambda x: [reduce.sum(e.square(e.subtract(x, reduce.mean(x, -1, keepdims=True))))],
    "two forms": lambda x: [
        e.subtract(x, t := reduce.max(x, -1, keepdims=True)), e.exp(shape.dimshuffle(t, tuple(range(x.ndim - 1)))), t
    ],
    "counts": lambda x: [reduce.sum(e.greater(x, reduce.mean(x, -1, keepdims=True)), -1)],
    "four passes": lambda x: [softmax(e.multiply(softmax(x), 3.0))],
}  # fmt: skip


def layouts(a: Array) -> Iterator[Array]:
    """The same values, otherwise in memory."""
    yield a
    yield np.asfortranarray(a)
    yield np.repeat(a, 2, axis=-1)[..., ::2]
    yield a[::-1].copy()[::-1]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_passes_give_what_numpy_gives_in_any_layout(name: str, ndim: int, rng: np.random.Generator) -> None:
    x = var("float64", *[None] * ndim)
    program = built([x], FORMS[name](x))
    for extents in [(1, 1, 1), (2, 65, 3), (3, 2, 70), (2, 3, 1), (5, 1, 2), (2, 2, 1500)]:
        for a in layouts(rng.uniform(0.5, 2.0, extents[3 - ndim :])):
            for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
                assert got.shape == want.shape
                np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_passes_over_other_dtypes(dtype: str, rng: np.random.Generator) -> None:
    x = var(dtype, None, None)
    forms = [e.multiply(x, reduce.sum(x, 1, keepdims=True)), e.subtract(x, reduce.max(x, 1, keepdims=True))]
    program = built([x], [*forms, softmax(x) if dtype != "int32" else forms[0]])
    a = rng.uniform(0, 9, (3, 130)).astype(dtype)
    rtol = {"float32": 1e-6, "float16": 4e-3, "int32": 0}[dtype]
    for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got.astype("float64"), want.astype("float64"), rtol=rtol, atol=1e-7)


def test_rows_that_are_broadcast_are_computed_for_each_row(rng: np.random.Generator) -> None:
    x, y, c = var("float64", None, None), var("float64", None), var("float64", None, 1)
    z = e.add(softmax(e.multiply(e.add(x, y), c)), e.exp(c))
    program = built([x, y, c], [z, reduce.sum(z, 1)], general=True)
    for shapes in [((3, 4), (4,), (3, 1)), ((1, 4), (4,), (3, 1)), ((3, 1), (4,), (1, 1)), ((3, 4), (1,), (3, 1))]:
        arrays = [rng.normal(size=s) for s in shapes]
        for got, want in zip(program(*arrays), interpret(program.graph, arrays), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13)


def test_rows_of_one_element_known_as_such(rng: np.random.Generator) -> None:
    for extents in [(1, 1), (None, 1), (1, None)]:
        x, y = var("float64", *extents), var("float64", None, None)
        program = built([x, y], [softmax(x), nnet.softmax(e.multiply(x, 2.0), -1), softmax(e.add(x, y))], general=True)
        a, b = rng.normal(size=[3 if n is None else n for n in extents]), rng.normal(size=(3, 3))
        for got, want in zip(program(a, b), interpret(program.graph, [a, b]), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)


def test_nan_and_infinity_go_where_numpy_sends_them() -> None:
    x = var("float64", None, None)
    program = built([x], [nnet.softmax(x, -1), nnet.logsumexp(x, -1), e.subtract(x, reduce.max(x, 1, keepdims=True))])
    a = np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, 2.0], [-np.inf, -np.inf, -np.inf], [-np.inf, 0.0, 1.0]])
    for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-15)


@pytest.mark.parametrize("extents", [(0, 3), (3, 0), (0, 0)])
def test_passes_over_nothing(extents: tuple[int, int]) -> None:
    x = var("float64", None, None)
    program = built([x], [layernorm(x), reduce.sum(e.exp(x), 1), nnet.softmax(x, -1)])
    a = np.zeros(extents)
    for got, want in zip(program(a), interpret(program.graph, [a]), strict=True):
        np.testing.assert_array_equal(got, want, strict=True)
