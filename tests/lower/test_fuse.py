"""What shares a kernel and what does not, and that the reasons given are the true ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from graphlab.graph.events import Event, KernelFused, listen
from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.loops.ir import Kernel
from graphlab.lower import lower
from graphlab.lower.expand import expand, lowerings
from graphlab.lower.frame import frame_of, likeness
from graphlab.lower.fuse import MOST_NODES, MOST_OPERANDS, fuse
from graphlab.lower.reductions import Rule
from graphlab.lower.steps import kernel_of
from graphlab.ops import elementwise as e
from graphlab.ops import nnet, reduce, shape
from graphlab.ops.conversion import cast
from tests.lower.programs import built, kernels, var


def reasons(inputs: list[Variable], outputs: list[Variable]) -> str:
    return "\n".join(k.reason for k in lower(Graph(tuple(inputs), tuple(outputs))).kernels)


# ---- pointwise -----------------------------------------------------------------------------------


def test_a_chain_becomes_one_kernel() -> None:
    x, y = var("float64", None), var("float64", None)
    z = e.exp(e.multiply(e.add(x, y), 2.0))
    assert kernels([x, y], [z]) == [["add", "multiply", "exp"]]
    assert reasons([x, y], [z]) == (
        "add, multiply, exp share one loop: what passes between them is not needed as an array"
    )


def test_a_value_used_twice_inside_is_computed_once() -> None:
    x = var("float64", None)
    y = e.exp(x)
    program = built([x], [e.multiply(e.add(y, 1.0), y)])
    assert [[n.op.name for n in k.nodes] for k in program.lowered.kernels] == [["exp", "add", "multiply"]]
    dense_loop = program.source.text.split("#pragma omp simd")[1].split("}")[0]
    assert dense_loop.count("gl_exp_float64(") == 1


def test_an_output_inside_a_kernel_is_stored_by_it() -> None:
    x = var("float64", None, None)
    y = e.exp(x)
    program = built([x], [e.negative(y), y])
    (kernel,) = program.lowered.kernels
    assert len(kernel.outputs) == 2
    a = np.linspace(-1, 1, 6).reshape(2, 3)
    got = program(a)
    np.testing.assert_allclose(got[1], np.exp(a), rtol=1e-15)
    np.testing.assert_array_equal(got[0], -got[1])


def test_outputs_that_may_differ_in_shape_have_kernels_of_their_own() -> None:
    x, y = var("float64", None), var("float64", None)
    u = e.exp(x)
    v = e.add(u, y)
    assert kernels([x, y], [u, v]) == [["exp"], ["add"]]
    assert "exp: it is needed elsewhere too, and may differ in shape" in reasons([x, y], [u, v])
    got = built([x, y], [u, v])(np.zeros(1), np.arange(5.0))
    assert [a.shape for a in got] == [(1,), (5,)]


def test_the_broadcast_of_the_same_operands_has_the_same_shape_in_any_order() -> None:
    x, y = var("float64", None), var("float64", None)
    u, v = e.add(x, y), e.multiply(y, x)
    w = e.subtract(u, v)
    assert kernels([x, y], [w, u, v]) == [["add", "multiply", "subtract"]]


def test_what_is_made_cheaply_of_smaller_arrays_is_computed_again_rather_than_stored() -> None:
    x, y = var("float64", None, 1, None), var("float64", None, None)
    z = e.multiply(e.subtract(x, y), y)
    q = reduce.sum(e.multiply(z, z), 2)
    g = e.multiply(z, shape.expand_dims(e.exp(q), 2))
    program = built([x, y], [q, reduce.sum(g, 0)])
    first, second = program.lowered.kernels
    assert [n.op.name for n in first.nodes] == ["subtract", "multiply", "multiply", "sum", "exp"]
    assert [n.op.name for n in second.nodes] == ["subtract", "multiply", "multiply", "sum"]
    assert set(first.nodes) & set(second.nodes), "the same applications"
    assert all(v.ndim == 2 for v in first.outputs), "nothing as large as their elements is stored"
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((50, 1, 3)), rng.standard_normal((4, 3))
    c = (a - b) * b
    want = (c * c).sum(2), (c * np.exp((c * c).sum(2))[..., None]).sum(0)
    for got, wanted in zip(program(a, b), want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_what_is_dear_or_as_large_as_what_it_is_made_of_is_stored() -> None:
    x, y = var("float64", None, 1, None), var("float64", None, None)
    for z in (e.exp(e.subtract(x, y)), e.multiply(e.exp(e.subtract(x, y)), y)):
        q = reduce.sum(e.multiply(z, z), 2)
        g = e.multiply(z, shape.expand_dims(e.exp(q), 2))
        first, second = built([x, y], [q, reduce.sum(g, 0)]).lowered.kernels
        assert not set(first.nodes) & set(second.nodes)
        assert any(v.ndim == 3 for v in first.outputs)


def test_siblings_that_share_an_argument_are_computed_together() -> None:
    x = var("float64", None)
    y = e.exp(x)
    outputs = [e.add(y, 1.0), e.multiply(y, 2.0)]
    assert [sorted(k) for k in kernels([x], outputs)] == [["add", "exp", "multiply"]]
    got = built([x], outputs)(np.array([0.0, 1.0]))
    np.testing.assert_allclose(got, [np.exp([0.0, 1.0]) + 1, np.exp([0.0, 1.0]) * 2], rtol=1e-15)


# ---- broadcasting --------------------------------------------------------------------------------


def test_what_broadcasting_would_repeat_is_not_fused() -> None:
    x, b = var("float64", None, None), var("float64", None)
    assert kernels([x, b], [e.add(x, e.exp(b))]) == [["exp"], ["add"]]
    assert "apart from exp: broadcasting would compute it again and again" in reasons([x, b], [e.add(x, e.exp(b))])


def test_a_column_is_not_computed_for_every_element_of_its_row() -> None:
    x, c = var("float64", None, None), var("float64", None, 1)
    assert kernels([x, c], [e.add(x, e.log(c))]) == [["log"], ["add"]]


def test_a_cheap_operator_is_repeated_rather_than_stored() -> None:
    x, b = var("float64", None, None), var("float64", None)
    assert kernels([x, b], [e.add(x, e.negative(b))]) == [["negative", "add"]]
    a, c = np.ones((2, 3)), np.arange(3.0)
    np.testing.assert_array_equal(built([x, b], [e.add(x, e.negative(b))])(a, c)[0], a - c)


def test_a_scalar_is_computed_once_outside_of_the_loops() -> None:
    x, s = var("float64", None), var("float64")
    program = built([x, s], [e.multiply(x, e.exp(s))])
    assert len(program.lowered.kernels) == 1
    before_loops = program.source.text.split("static int kernel_0")[1].split("for (")[0]
    assert "gl_exp_float64(" in before_loops
    assert program.source.text.count("= gl_exp_float64(") == 1
    np.testing.assert_allclose(program(np.arange(3.0), 0.5)[0], np.arange(3.0) * np.exp(0.5), rtol=1e-15)


# ---- reductions ----------------------------------------------------------------------------------


def test_a_number_made_of_one_that_belongs_to_the_rows_of_a_sum_belongs_to_them_too() -> None:
    n, x = var("int64"), var("float64", None, None)
    zero = e.logical_not(n)
    chosen = e.where(e.greater(zero, 0), zero, e.multiply(n, x))
    floors = e.floor(chosen)
    program = built([n, x], [floors, e.multiply(cast(zero, "complex128"), floors), reduce.sum(e.exp(chosen))])
    assert len(program.lowered.kernels) == 1
    data = np.arange(-3.0, 3).reshape(2, 3)
    for value in (0, -4):
        want = np.where(value == 0, 1.0, value * data)
        found, products, total = program(value, data)
        np.testing.assert_array_equal(found, np.floor(want))
        np.testing.assert_array_equal(products, (value == 0) * np.floor(want))
        np.testing.assert_allclose(total, np.exp(want).sum())


def test_a_reduction_takes_in_what_is_before_and_behind_it() -> None:
    x, y = var("float64", None), var("float64", None)
    z = e.sqrt(reduce.sum(e.square(e.subtract(x, y))))
    assert kernels([x, y], [z]) == [["subtract", "square", "sum", "sqrt"]]


def test_a_reduction_of_other_elements_ends_its_kernel() -> None:
    x, y = var("float64", None), var("float64", None)
    z = e.exp(e.multiply(reduce.sum(x), y))
    assert kernels([x, y], [z]) == [["sum"], ["multiply", "exp"]]
    assert "apart from sum: a reduction of other elements ends its kernel" in reasons([x, y], [z])


def test_elements_that_await_a_sum_of_all_have_a_kernel_of_their_own() -> None:
    x, m = var("float64", None), var("float64", None, None)
    total = reduce.sum(x)
    apart = e.subtract(x, e.multiply(total, 0.5))  # the total reaches the elements by way of a number
    spread = e.add(reduce.sum(e.square(apart)), total)
    assert kernels([x], [spread]) == [["sum"], ["multiply", "subtract", "square", "sum", "add"]]
    assert "apart from sum: all elements are needed before the first is used" in reasons([x], [spread])
    means = e.true_divide(reduce.sum(m, axis=1, keepdims=True), 3.0)
    spreads = reduce.sum(e.square(e.subtract(m, means)), axis=1)
    assert kernels([m], [spreads]) == [["sum", "true_divide", "subtract", "square", "sum"]]


def test_elements_are_folded_once_whether_their_axes_are_kept_or_not() -> None:
    x, m = var("float64", None), var("float64", None, None)
    apart = e.subtract(x, reduce.sum(x, keepdims=True))
    assert sum(names.count("sum") for names in kernels([x], [reduce.sum(x), apart])) == 1
    folded = [reduce.max(m, axis=-1), e.subtract(m, reduce.max(m, axis=1, keepdims=True))]
    assert [names.count("max") for names in kernels([m], folded)] == [1]
    a = np.linspace(-1, 1, 12).reshape(3, 4)
    largest, below = built([m], folded)(a)
    np.testing.assert_array_equal(largest, a.max(1))
    np.testing.assert_array_equal(below, a - a.max(1, keepdims=True))


def test_a_kernel_that_folds_all_elements_may_write_them_too() -> None:
    x, y = var("float64", None, None), var("float64")
    scale = e.exp(y)
    z = e.multiply(e.exp(x), scale)
    inputs, outputs = [x, y], [z, reduce.sum(z), scale]
    assert ["multiply", "sum"] in [k[-2:] for k in kernels(inputs, outputs)]
    program, a = built(inputs, outputs), np.linspace(-1, 1, 3000).reshape(5, 600)
    got = program(a, np.array(0.5))
    np.testing.assert_allclose(got[0], np.exp(a) * np.exp(0.5), rtol=1e-14)
    np.testing.assert_allclose(got[1], (np.exp(a) * np.exp(0.5)).sum(), rtol=1e-14)
    np.testing.assert_allclose(got[2], np.exp(0.5), rtol=1e-14)


def test_a_value_needed_after_a_reduction_of_columns_too_is_stored_first() -> None:
    x = var("float64", None, None)
    y = e.exp(x)
    z = e.true_divide(y, reduce.sum(y, axis=0, keepdims=True))
    assert kernels([x], [z]) == [["exp"], ["sum"], ["true_divide"]]
    assert "exp: it is needed elsewhere too, and the kernel folds columns" in reasons([x], [z])


# ---- calls ---------------------------------------------------------------------------------------


def test_what_c_cannot_compute_is_asked_of_numpy() -> None:
    x = var("float16", None)
    program = built([x], [e.nextafter(x, np.float16(3))])
    assert not program.lowered.kernels
    assert len(program.lowered.hosts) == 1
    np.testing.assert_array_equal(program(np.array([1, 2], "float16"))[0], np.array([1 + 2**-10, 2 + 2**-9], "float16"))


def test_a_call_of_the_runtime_separates_kernels() -> None:
    x = var("float64", None, None)
    assert kernels([x], [e.exp(shape.transpose(e.negative(x)))]) == [["negative"], ["exp"]]
    assert "the runtime's transpose computes it" in reasons([x], [e.exp(shape.transpose(e.negative(x)))])


# ---- limits and form -------------------------------------------------------------------------------


def test_a_full_kernel_takes_no_more() -> None:
    x = y = var("float64", None)
    for _ in range(MOST_NODES + 50):
        y = e.add(y, x)
    sizes = [len(k) for k in kernels([x], [y])]
    assert sizes == [50, MOST_NODES]
    assert "the kernel is full (200 operations)" in reasons([x], [y])


def test_a_kernel_reads_a_bounded_number_of_arrays() -> None:
    many = [var("float64", None) for _ in range(150)]
    y = many[0]
    for x in many[1:]:
        y = e.add(y, x)
    lowered = lower(Graph(tuple(many), (y,)))
    assert max(len(k.inputs) + len(k.outputs) for k in lowered.kernels) <= MOST_OPERANDS + 1
    assert len(lowered.kernels) == 3


def test_a_deep_graph_needs_no_deep_stack() -> None:
    x = y = var("float64", None)
    for _ in range(3000):
        y = e.multiply(y, x)
    assert sum(len(k) for k in kernels([x], [y])) == 3000


def test_each_kernel_is_an_event() -> None:
    x = var("float64", None)
    events: list[Event] = []
    with listen(events.append):
        lower(Graph((x,), (reduce.sum(e.exp(x)),)))
    fused = [event for event in events if isinstance(event, KernelFused)]
    assert [(f.name, [n.op.name for n in f.nodes]) for f in fused] == [("kernel_0", ["exp", "sum"])]
    assert fused[0].reason.startswith("exp, sum share one loop")


def test_expanded_nodes_know_what_they_were() -> None:
    x = var("float64", None, None)
    node = nnet.softmax(x, axis=1).owner
    assert node is not None
    lowered = lower(Graph((x,), node.outputs))
    whys = [n.provenance for n in lowered.nodes]
    assert whys
    assert all(why.rule == "lower softmax" and why.replaced is node for why in whys)
    assert all(why.origins == node.provenance.origins for why in whys)


# ---- any graph -----------------------------------------------------------------------------------


def random_graph(rng: random.Random) -> tuple[list[Variable], list[Variable]]:
    """A tangle of pointwise ops, reductions and views whose values have some 3x3 shape or broadcast to it."""
    inputs = [var("float64", None, None) for _ in range(3)]
    pool = list(inputs)
    for _ in range(rng.randint(4, 25)):
        x, y = rng.choice(pool), rng.choice(pool)
        choices = [
            lambda x, y: e.add(x, y), lambda x, y: e.sin(x), lambda x, y: e.subtract(e.cos(x), y),
            lambda x, y: e.multiply(Constant(0.5), e.maximum(x, y)),
        ]  # fmt: skip
        choices += [
            lambda x, y: reduce.max(x, axis=0, keepdims=True), lambda x, y: reduce.sum(x, axis=1, keepdims=True),
            lambda x, y: shape.transpose(x), lambda x, y: reduce.max(x, axis=1),
            lambda x, y: shape.dimshuffle(e.exp(reduce.max(x, axis=1, keepdims=True)), 0),
        ] if x.ndim == 2 else [lambda x, y: shape.dimshuffle(x, "x", 0)] if x.ndim == 1 else []  # fmt: skip
        pool.append(rng.choice(choices)(x, y))
    return inputs, [rng.choice(pool[3:]) for _ in range(3)]


@pytest.mark.parametrize("seed", range(300))
def test_units_cover_the_graph_once_and_run_after_what_they_read(seed: int) -> None:
    inputs, outputs = random_graph(random.Random(seed))
    graph = expand(Graph(tuple(inputs), tuple(outputs)))
    nodes = toposort(graph.outputs, graph.inputs)
    units = fuse(graph, nodes, lowerings(nodes))
    assert sorted(nodes.index(n) for unit in units for n in unit.nodes) == list(range(len(nodes)))
    there = set(inputs)
    for unit in units:
        assert all(v in there or isinstance(v, Constant) for v in unit.inputs)
        inside = {*unit.inputs, *(v for n in unit.nodes for v in n.outputs)}
        assert all(v in inside or isinstance(v, Constant) for n in unit.nodes for v in n.inputs)
        there.update(unit.outputs)
    assert there.issuperset(v for v in graph.outputs if v.owner is not None)


def test_frames_alike_have_one_kernel() -> None:
    kernel_for: dict[object, Kernel] = {}
    rules: dict[Rule, int] = {}
    frames = 0
    for seed in range(300):
        inputs, outputs = random_graph(random.Random(seed))
        graph = expand(Graph(tuple(inputs), tuple(outputs)))
        nodes = toposort(graph.outputs, graph.inputs)
        meanings = lowerings(nodes)
        for unit in fuse(graph, nodes, meanings):
            if unit.kernel:
                frame = frame_of(unit, meanings)
                kernel = kernel_of(frame, rules, "")
                assert kernel_for.setdefault(likeness(frame), kernel) == kernel
                frames += 1
    assert frames > 2 * len(kernel_for) > 400


@pytest.mark.parametrize(
    "change", [lambda v: e.multiply(v, 2.0), lambda v: e.multiply(v, -0.0), lambda v: e.multiply(0.0, v), e.square]
)
def test_other_frames_are_not_alike(change: Callable[[Variable], Variable]) -> None:
    def frame(y: Variable) -> object:
        nodes = toposort([y])
        meanings = lowerings(nodes)
        (unit,) = fuse(Graph((x,), (y,)), nodes, meanings)
        return likeness(frame_of(unit, meanings))

    x = var("float64", None)
    assert frame(e.multiply(e.exp(x), 0.0)) == frame(e.multiply(e.exp(x), 0.0))
    assert frame(change(e.exp(x))) != frame(e.multiply(e.exp(x), 0.0))


@pytest.mark.parametrize("seed", range(12))
def test_fused_programs_compute_what_the_graph_means(seed: int) -> None:
    inputs, outputs = random_graph(random.Random(seed))
    values = np.random.default_rng(seed).uniform(-1, 1, (3, 3, 3))
    program = built(inputs, outputs)
    for got, want in zip(program(*values), interpret(program.graph, list(values)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(24))
def test_fused_programs_broadcast_as_numpy_does(seed: int) -> None:
    rng = random.Random(seed)
    inputs, outputs = random_graph(rng)
    program = built(inputs, outputs, general=True)
    for _ in range(6):
        values = [np.random.default_rng(seed).uniform(-1, 1, (rng.choice((1, 3)), rng.choice((1, 3)))) for _ in inputs]
        for got, want in zip(program(*values), interpret(program.graph, values), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, strict=True)


def test_the_rows_of_a_sum_are_not_as_many_as_what_they_are_broadcast_with() -> None:
    x = var("float64", None, None)
    logs = shape.dimshuffle(e.log(reduce.sum(x, axis=1, keepdims=True)), 0)
    program = built([x], [logs, e.add(reduce.sum(x, axis=0), logs)], general=True)
    row = np.array([[1.0, 2.0, 3.0]])
    first, second = program(row)
    np.testing.assert_allclose(first, np.log([6.0]), strict=True)
    np.testing.assert_allclose(second, row[0] + np.log(6.0), strict=True)
