"""Batches: every op of the table over a batch is the stack of its examples; vmap, nested, and with gradients."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops.base import Array
from graphlab.ops.convolve import conv2d
from graphlab.ops.index import index
from graphlab.vectorize import EachExample, vectorize_graph
from graphlab.vmap import vmap
from tests.ops.table import CASES, Case

COUNT = 3


def grouped(cases: Sequence[Case], size: int = 24) -> list[Sequence[Case]]:
    return [cases[i : i + size] for i in range(0, len(cases), size)]


GROUPS = grouped(CASES)
# What is not known before the run, or differs from example to example, has no operation on batches.
ONE_BY_ONE = {
    "arange", "array_equal", "bincount", "each bincount", "index", "nonzero", "repeat", "searchsorted", "unique",
}  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """A case, with which of its operands differ from example to example."""

    case: Case
    flags: tuple[bool, ...]
    which: int = 0

    @property
    def dtype(self) -> str:
        return "float64" if "float64" in self.case.dtypes else self.case.dtypes[0]

    def rows(self) -> list[list[Array]]:
        """The operands of each example: those that may differ have the same elements in another order."""
        base = self.case.arguments(self.dtype, self.which)
        rng = np.random.default_rng(zlib.crc32(self.case.name.encode()))
        moves = [f and o.values is None for f, o in zip(self.flags, self.case.operands, strict=True)]
        shuffled = [
            [rng.permutation(a.ravel()).reshape(a.shape) if m else a for a, m in zip(base, moves, strict=True)]
            for _ in range(COUNT - 1)
        ]
        return [base, *shuffled]

    def batch(self) -> list[Array]:
        """The operands of all: stacked where they differ."""
        rows = self.rows()
        return [np.stack([r[i] for r in rows]) if f else rows[0][i] for i, f in enumerate(self.flags)]

    def build(self, known: bool) -> tuple[list[Variable], Variable, Variable]:
        """Variables for the batch; the output for one example; the output for all."""
        inputs = self.case.inputs(self.dtype, self.which if known else None)
        output = self.case.build(*inputs)
        count = COUNT if known else None
        whole = [
            Variable(TensorType(v.dtype, (count, *v.type.shape))) if f else v
            for v, f in zip(inputs, self.flags, strict=True)
        ]
        return whole, output, vectorize_graph(output, dict(zip(inputs, whole, strict=True)))

    def expected(self) -> Array:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.stack([np.asarray(self.case.reference(*row)) for row in self.rows()])


def ways(cases: Sequence[Case]) -> Iterator[Examples]:
    """All operands in batches, and each of several alone."""
    for case in cases:
        n = len(case.operands)
        yield from (Examples(case, (True,) * n, which) for which in range(min(2, len(case.shapes))))
        if n > 1:
            yield from (Examples(case, tuple(i == k for i in range(n))) for k in range(n))


@pytest.mark.parametrize("cases", GROUPS, ids=lambda group: f"{group[0]} to {group[-1]}")
def test_an_op_over_a_batch_is_the_stack_of_its_examples(cases: Sequence[Case]) -> None:
    for turn, examples in enumerate(ways(cases)):
        inputs, one, output = examples.build(known=turn % 2 == 0)
        want, what = examples.expected(), f"{examples.case} {examples.flags}"
        (got,) = interpret(Graph(tuple(inputs), (output,)), examples.batch())
        assert output.type.accepts(TensorType(got.dtype.name, got.shape)), what
        if output.ndim == one.ndim:  # it is the same for all examples
            got = np.broadcast_to(got, (COUNT, *got.shape))
        assert (got.dtype, got.shape) == (want.dtype, want.shape), what
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10, err_msg=what)


def test_compiled_batches_are_those_of_the_interpreter() -> None:
    inputs, outputs, values = list[Variable](), list[Variable](), list[Array]()
    for case in CASES[::3]:
        whole, _, output = (examples := Examples(case, (True,) * len(case.operands))).build(known=False)
        inputs, outputs, values = inputs + whole, [*outputs, output], values + examples.batch()
    wanted = interpret(Graph(tuple(inputs), tuple(outputs)), values)
    function = graphlab.function(inputs, outputs, mode="fast_run", on_unused_input="ignore")
    for case, got, want in zip(CASES[::3], function(*values), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10, err_msg=str(case))


def test_ops_are_batched_not_looped_over() -> None:
    looped = set()
    for case in CASES:
        _, _, output = Examples(case, (True,) * len(case.operands)).build(known=False)
        looped |= {node.op.op.name for node in toposort([output]) if isinstance(node.op, EachExample)}
    assert looped <= ONE_BY_ONE


SMOOTH = [c for c in CASES if c.differentiable and "float64" in c.dtypes]


@pytest.mark.parametrize("cases", grouped(SMOOTH), ids=lambda group: f"{group[0]} to {group[-1]}")
def test_the_gradient_of_a_batch_is_the_batch_of_gradients(cases: Sequence[Case]) -> None:
    # Three ways to the same numbers: d(sum of vmap f), vmap(d sum of f), and one example after the other.
    for case in cases:
        examples = Examples(case, (True,) * len(case.operands))
        inputs, _, output = examples.build(known=False)
        ones = case.inputs("float64")
        floats = [i for i, v in enumerate(ones) if v.dtype == "float64"]
        if case.build(*ones).dtype != "float64":
            continue
        wrt = [ones[i] for i in floats]
        single = grad(_weighted(case.build(*ones)), wrt, disconnected_inputs="ignore")
        inside = vectorize_graph(single, dict(zip(ones, inputs, strict=True)))
        outside = grad(_weighted_rows(output), [inputs[i] for i in floats], disconnected_inputs="ignore")
        values = examples.batch()
        of_batch = interpret(Graph(tuple(inputs), tuple(outside)), values)
        of_each = interpret(Graph(tuple(inputs), tuple(inside)), values)
        rows = [interpret(Graph(tuple(ones), tuple(single)), row) for row in examples.rows()]
        for i, row in enumerate(zip(*rows, strict=True)):
            want = np.stack(row)
            np.testing.assert_allclose(of_batch[i], want, rtol=1e-7, atol=1e-9, err_msg=f"grad of vmap: {case}")
            got = of_each[i] if inside[i].ndim > single[i].ndim else np.broadcast_to(of_each[i], want.shape)
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9, err_msg=f"vmap of grad: {case}")


def _weighted(y: Variable) -> Variable:
    """A cost whose cotangents differ."""
    return (y * T.cos(y)).sum()


def _weighted_rows(ys: Variable) -> Variable:
    return (ys * T.cos(ys)).sum()


# ---- indexing -------------------------------------------------------------------------------------

FIRST, SECOND = np.array([[0, 1], [2, -1], [1, 1]]), np.array([[1], [0], [2]])  # for each of three examples
X = np.arange(3 * 3 * 4 * 3.0).reshape(3, 3, 4, 3)
KEYS: tuple[tuple[str, Any], ...] = (
    ("rows", lambda i, j: i),
    ("a column of each", lambda i, j: (slice(None), i)),
    ("points", lambda i, j: (i, j)),
    ("points behind", lambda i, j: (slice(None), i, j)),
    ("points apart", lambda i, j: (i, slice(None), j)),
    ("a number beside", lambda i, j: (0, slice(1, None), i)),
    ("a fixed array beside", lambda i, j: (np.array([[1], [0]]), i)),
    ("one number", lambda i, j: (slice(None), i[0])),
    ("numbers apart", lambda i, j: (i[0], slice(None), i[1])),
    ("a number and rows", lambda i, j: (i[1], slice(None), j)),
    ("a new axis", lambda i, j: (None, i, slice(None, None, -1), j)),
    ("a mask beside", lambda i, j: (np.array([True, False, True]), i)),
    ("nothing that differs", lambda i, j: (0, slice(None), np.array([0, 2]))),
)


@pytest.mark.parametrize(("name", "key"), KEYS, ids=[name for name, _ in KEYS])
@pytest.mark.parametrize("differs", [True, False], ids=["each its own array", "one array"])
def test_a_batch_of_indices_selects_what_each_selects(name: str, key: Any, differs: bool) -> None:
    x, i, j = T.tensor("float64", (3, 4, 3)), T.lvector(), T.lvector()
    part = index(x, key(i, j))
    xs, xv = (T.dtensor4(), X) if differs else (x, X[0])
    iv, jv = T.lmatrix(), T.lmatrix()
    replace = {x: xs, i: iv, j: jv}
    rows = [X[b] if differs else X[0] for b in range(3)]
    selected = [np.asarray(row[key(a, c)]) for row, a, c in zip(rows, FIRST, SECOND, strict=True)]
    whole = vectorize_graph(part, replace)
    got = np.broadcast_to(whole.eval({xs: xv, iv: FIRST, jv: SECOND}), np.stack(selected).shape)
    np.testing.assert_array_equal(got, np.stack(selected))
    assert not any(isinstance(n.op, EachExample) for n in toposort([whole]))

    values = T.tensor("float64", selected[0].shape[-1:])
    more = T.tensor("float64", (3, *values.type.shape))
    y = np.arange(3.0 * selected[0].shape[-1]).reshape(3, -1)
    for mode, write in (("set", T.set_subtensor), ("inc", T.inc_subtensor)):
        for each_value in (True, False):
            written = vectorize_graph(write(part, values), {**replace, **({values: more} if each_value else {})})
            bound = {xs: xv, iv: FIRST, jv: SECOND, **({more: y} if each_value else {values: y[0]})}
            want = []
            for row, a, c, one in zip(rows, FIRST, SECOND, y if each_value else [y[0]] * 3, strict=True):
                want.append(row.copy())
                if mode == "set":
                    want[-1][key(a, c)] = one
                else:
                    np.add.at(want[-1], key(a, c), one)
            got = written.eval({k: v for k, v in bound.items() if k in _leaves(written)})
            np.testing.assert_array_equal(np.broadcast_to(got, np.stack(want).shape), np.stack(want), mode)


def _leaves(v: Variable) -> set[Variable]:
    return {x for node in toposort([v]) for x in node.inputs} | {v}


def test_slices_that_differ_are_cut_one_by_one_and_must_agree_in_length() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    starts = T.lvector("starts")
    part = vectorize_graph(x[i : i + 2], {i: starts})
    np.testing.assert_array_equal(part.eval({x: np.arange(5.0), starts: [0, 3]}), [[0, 1], [3, 4]])
    with pytest.raises(GraphShapeError, match="different shapes"):
        part.eval({x: np.arange(5.0), starts: [0, 4]})
    assert part.eval({x: np.arange(5.0), starts: np.zeros(0, "int64")}).shape == (0, 0)


# ---- vectorize_graph ------------------------------------------------------------------------------


def test_several_axes_at_once_are_aligned_at_the_right() -> None:
    x, y = T.dvector("x"), T.dscalar("y")
    xs, ys = T.dtensor3("xs"), T.dvector("ys")
    outputs = vectorize_graph([(x * y).sum(), x], {x: xs, y: ys})
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=3)
    np.testing.assert_allclose(outputs[0].eval({xs: a, ys: b}), (a * b[:, None]).sum(-1), rtol=1e-12)
    assert outputs[1] is xs


def test_what_does_not_depend_on_a_replaced_variable_is_shared() -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    heavy = T.exp(w)
    whole = vectorize_graph(heavy @ x, {x: T.dmatrix("xs")})
    assert sum(n.op.name == "exp" for n in toposort([whole])) == 1
    assert heavy.owner in toposort([whole])


def test_a_replacement_that_does_not_fit_is_refused() -> None:
    x = T.tensor("float64", (3,), "x")
    with pytest.raises(GraphTypeError, match="x: expected float64"):
        vectorize_graph(x, {x: T.dscalar()})
    with pytest.raises(GraphTypeError, match="got float32"):
        vectorize_graph(x, {x: T.fmatrix()})
    with pytest.raises(GraphShapeError, match="float64"):
        vectorize_graph(x, {x: T.tensor("float64", (5, 4))})


def test_the_extents_of_a_batch_are_known_as_far_as_they_can_be() -> None:
    x = T.tensor("float64", (3, None))
    whole = vectorize_graph(T.softmax(x.reshape((-1, 3)) @ np.ones((3, 2))), {x: T.tensor("float64", (7, 3, None))})
    assert whole.type.shape == (7, None, 2)


def test_nodes_of_a_batch_know_the_line_of_the_example() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    whole = vectorize_graph(y, {x: T.dmatrix()})
    assert whole.owner is not None
    assert whole.owner.provenance.origins[0].text == "y = T.exp(x)"


# ---- vmap -----------------------------------------------------------------------------------------

RNG = np.random.default_rng(3)


def test_axes_in_and_out() -> None:
    a, b = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5))
    outer = vmap(vmap(T.dot, in_axes=(None, 1)), in_axes=(0, None))
    np.testing.assert_allclose(outer(T.constant(a), T.constant(b)).eval(), a @ b, rtol=1e-12)
    turned = vmap(lambda v: v * 2, in_axes=1, out_axes=-1)(T.constant(a)).eval()
    np.testing.assert_array_equal(turned, 2 * a)


def test_containers_go_in_and_come_out() -> None:
    x, w, c = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=(2, 5))
    net = vmap(
        lambda p, v: {"y": p["w"].T @ v + p["c"], "both": (v.sum(), T.constant(1.0))},
        in_axes=({"w": None, "c": 1}, 0),
        out_axes={"y": 1, "both": (0, None)},
    )
    result = net({"w": T.constant(w), "c": T.constant(c)}, T.constant(x))
    np.testing.assert_allclose(result["y"].eval(), (x @ w + c.T).T, rtol=1e-12)
    np.testing.assert_allclose(result["both"][0].eval(), x.sum(1), rtol=1e-12)
    assert result["both"][1].eval() == 1.0


def test_a_result_that_is_the_same_for_all_is_repeated() -> None:
    same = vmap(lambda v: T.constant([1.0, 2.0]))(T.dmatrix("x"))
    assert same.type.shape == (None, 2)
    x = T.dmatrix("x")
    np.testing.assert_array_equal(vmap(lambda v: v.shape[0])(x).eval({x: np.zeros((2, 7))}), [7, 7])


def test_an_empty_batch_gives_an_empty_result() -> None:
    x = T.dmatrix("x")
    y = vmap(lambda v: T.sort(v.reshape((-1, 2)).sum(1)))(x)
    assert y.eval({x: np.zeros((0, 6))}).shape == (0, 3)


def test_gradients_of_each_example() -> None:
    w, xs, ts = T.dvector("w"), T.dmatrix("xs"), T.dvector("ts")

    def loss(x: Variable, t: Variable) -> Variable:
        return (T.tanh(T.dot(x, w)) - t) ** 2

    each = vmap(lambda x, t: T.grad(loss(x, t), w))(xs, ts)
    a, x, t = RNG.normal(size=3), RNG.normal(size=(6, 3)), RNG.normal(size=6)
    y = np.tanh(x @ a)
    want = (2 * (y - t) * (1 - y**2))[:, None] * x
    np.testing.assert_allclose(graphlab.function([w, xs, ts], each)(a, x, t), want, rtol=1e-10)
    total = T.grad(vmap(loss)(xs, ts).sum(), w)
    np.testing.assert_allclose(total.eval({w: a, xs: x, ts: t}), want.sum(0), rtol=1e-10)


def test_what_has_no_rule_is_computed_one_by_one_and_has_its_gradients() -> None:
    xs = T.dmatrix("xs")
    a = np.array([[3.0, 1.0, 3.0, 2.0], [5.0, 5.0, 4.0, 0.0]])
    squares = vmap(lambda v: T.unique(v) ** 2)(xs)
    np.testing.assert_array_equal(squares.eval({xs: a}), [[1, 4, 9], [0, 16, 25]])
    slopes = T.grad(squares.sum(), xs).eval({xs: a})
    np.testing.assert_allclose(slopes, [[3, 2, 3, 4], [5, 5, 8, 0]])
    moved = T.jvp(squares, xs, np.ones((2, 4))).eval({xs: a})
    np.testing.assert_allclose(moved, [[2, 4, 6], [0, 8, 10]])
    twice = vmap(vmap(lambda v: T.unique(v).sum()))(T.constant(np.stack([a, a + 1])))
    np.testing.assert_allclose(twice.eval(), [[6, 9], [9, 12]])


def test_what_expands_is_batched_by_its_expansion() -> None:
    images, filters = RNG.normal(size=(3, 2, 1, 5, 5)), RNG.normal(size=(3, 2, 1, 2, 2))
    x, w = T.dtensor4("x"), T.dtensor4("w")
    xs, ws = T.tensor("float64", (None,) * 5), T.tensor("float64", (None,) * 5)
    y = conv2d(x, w)
    whole = vectorize_graph(y, {x: xs, w: ws})
    assert not any(isinstance(n.op, EachExample) for n in toposort([whole]))
    want = np.stack([y.eval({x: a, w: b}) for a, b in zip(images, filters, strict=True)])
    np.testing.assert_allclose(whole.eval({xs: images, ws: filters}), want, rtol=1e-12)


def test_a_symbolic_function_is_batched() -> None:
    @graphlab.symbolic
    def energy(v: Variable) -> Variable:
        total: Variable = (v * T.tanh(v)).sum()
        return total

    x, a = T.dmatrix("x"), RNG.normal(size=(4, 3))
    np.testing.assert_allclose(vmap(energy)(x).eval({x: a}), (a * np.tanh(a)).sum(1), rtol=1e-12)
    slopes = vmap(lambda v: T.grad(energy(v), v))(x)
    np.testing.assert_allclose(slopes.eval({x: a}), np.tanh(a) + a / np.cosh(a) ** 2, rtol=1e-12)


def test_a_check_holds_of_every_example() -> None:
    x = T.dmatrix("x")
    logs = vmap(lambda v: T.log(graphlab.check(v, v > 0, "it must be positive")))(x)
    np.testing.assert_array_equal(logs.eval({x: np.ones((2, 2))}), np.zeros((2, 2)))
    with pytest.raises(GraphValueError, match="it must be positive"):
        logs.eval({x: np.eye(2)})


def test_the_graph_of_a_batch_does_not_grow_with_it() -> None:
    batches = [T.tensor("float64", (n, 4)) for n in (2, 200)]
    sizes = {len(toposort([vmap(lambda v: T.softmax(v) @ v)(x)])) for x in batches}
    assert len(sizes) == 1


class TestMistakes:
    def test_nothing_to_map_over(self) -> None:
        with pytest.raises(GraphTypeError, match="no argument"):
            vmap(lambda v: v, in_axes=None)(T.dvector("x"))
        with pytest.raises(GraphTypeError, match="s: float64 has no axis"):
            vmap(lambda v: v)(T.dscalar("s"))

    def test_batches_that_differ(self) -> None:
        with pytest.raises(GraphShapeError, match=r"x: float64\[2\].*y: float64\[3\]"):
            vmap(T.add)(T.tensor("float64", (2,), "x"), T.tensor("float64", (3,), "y"))

    def test_axes_that_do_not_fit(self) -> None:
        with pytest.raises(GraphTypeError, match="in_axes"):
            vmap(T.add, in_axes=(0,))(T.dvector("x"), T.dvector("y"))
        with pytest.raises(GraphTypeError, match="out_axes"):
            vmap(lambda v: (v, v), out_axes=(0,))(T.dvector("x"))
        with pytest.raises(GraphValueError, match="axis 1"):
            vmap(lambda v: v, in_axes=1)(T.dvector("x"))
        with pytest.raises(GraphValueError, match="out_axes is None"):
            vmap(lambda v: v, out_axes=None)(T.dvector("x"))
