"""Where a NaN or an infinity arose: node, element and line, through views, folds, kernels, loops and branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab import Function, shared
from graphlab.debug.origin import Arose, origin
from graphlab.errors import GraphValueError
from graphlab.graph.node import Variable

SEARCH = (Phase.explicit, Phase.generate)  # making a failing program small takes a compilation a step
MODES = ["fast_run", "interpret"]


def found(f: Function, *args: Any, x: Any = None, kind: str | None = None, element: Any = None) -> Arose:
    return f.debug(*args).origin(x, kind, element)


def line_of(answer: Arose) -> str:
    (line,) = answer.lines
    return line.text


# ---- planted troubles ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_log_of_zero_forty_nodes_upstream(mode: str) -> None:
    p = T.dmatrix("p")
    entropy = p * T.log(p)  # the trouble
    y = entropy
    for _ in range(20):
        y = T.sin(y) + T.cos(p)
    cost = y[::-1].T.reshape((-1,)).sum()
    f = graphlab.function([p], cost, mode=mode)
    values = np.linspace(0.1, 0.9, 12).reshape(3, 4)
    values[1, 2] = 0
    answer = found(f, values, x=cost)
    assert answer.kind == "nan"
    assert answer.node is not None
    assert answer.node.op.name == "multiply"
    assert answer.element == (1, 2)
    assert "# the trouble" in line_of(answer)
    assert [o.value for o in answer.operands] == [0.0, -np.inf]
    assert len(answer.path) >= 41
    root = answer.root
    assert root.node is not None
    assert (root.node.op.name, root.element, root.kind) == ("log", (1, 2), "inf")
    assert [(o.variable, o.element, o.value) for o in root.operands] == [(p, (1, 2), 0.0)]
    assert "# the trouble" in line_of(root)
    text = str(answer)
    assert "multiply(0, -inf) = nan" in text
    assert "log(0) = -inf" in text
    assert "0 is p[1, 2]" in text


@pytest.mark.parametrize("mode", MODES)
def test_an_infinity_from_exp(mode: str) -> None:
    x = T.fvector("x")
    y = T.exp(x)  # here
    f = graphlab.function([x], (y * 2).sum(), mode=mode)
    answer = found(f, np.array([1, 2, 100, 3], "float32"))
    assert answer.node is not None
    assert (answer.node.op.name, answer.element, answer.kind) == ("exp", (2,), "inf")
    assert answer.operands[0].value == 100
    assert "# here" in line_of(answer)
    assert "exp(100) = inf" in str(answer)


def test_a_nan_that_was_given_is_followed_to_the_argument() -> None:
    x, w = T.dmatrix("x"), shared(np.ones((3, 2)), "w")
    f = graphlab.function([x], T.tanh(T.dot(x, w)))
    values = np.zeros((4, 3))
    values[2, 1] = np.nan
    answer = found(f, values)
    assert answer.node is None
    assert answer.variable is x
    assert answer.element == (2, 1)
    assert "was given: x[2, 1] = nan" in str(answer)


# ---- what passes it on ---------------------------------------------------------------------------

VIEWS: list[tuple[str, Callable[[Variable], Variable], tuple[int, ...]]] = [
    ("transpose", lambda x: x.T, (2, 1)),
    ("reshape", lambda x: x.reshape((-1,)), (6,)),
    ("index", lambda x: x[1:, ::-1], (0, 1)),
    ("rows", lambda x: x[[2, 1, 1]], (1, 2)),
    ("where", lambda x: T.where(x.T.T > 5, 0.0, x), (1, 2)),
    ("concatenate", lambda x: T.concatenate([T.zeros_like(x), x], axis=1), (1, 6)),
    ("set_subtensor", lambda x: T.set_subtensor(T.zeros((5, 4))[1:4], x), (2, 2)),
    ("pad", lambda x: T.pad(x, 1), (2, 3)),
    ("cumsum", lambda x: T.cumsum(x, axis=0), (1, 2)),
    ("sort", lambda x: T.sort(x, axis=0), (2, 2)),
    ("cast", lambda x: x.astype("float32"), (1, 2)),
]


@pytest.mark.parametrize(("make", "element"), [v[1:] for v in VIEWS], ids=[v[0] for v in VIEWS])
def test_views_and_copies_are_skipped(make: Callable[[Variable], Variable], element: tuple[int, ...]) -> None:
    x = T.dmatrix("x")
    bad = T.log(x)  # -1 there
    y = make(bad)
    f = graphlab.function([x], y)
    values = np.arange(1.0, 13.0).reshape(3, 4)
    values[1, 2] = -1
    assert np.isnan(f(values)[element])
    answer = found(f, values, x=y, element=element)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (1, 2))
    assert answer.operands[0].value == -1


def test_the_element_that_is_selected_counts_not_the_first_nan() -> None:
    x = T.dvector("x")
    a, b = T.log(x), T.sqrt(x)
    y = T.where(x < -5, a, b)
    f = graphlab.function([x], y)
    answer = found(f, [-1.0, -9.0], x=y)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("sqrt", (0,))
    answer = found(f, [-1.0, -9.0], x=y, element=(1,))
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (1,))


def test_through_a_product_of_matrices_and_a_sum() -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    left = T.log(a)
    y = T.dot(left, b).sum(axis=0)
    f = graphlab.function([a, b], y)
    values = np.ones((4, 3))
    values[3, 1] = -2
    answer = found(f, values, np.ones((3, 5)), x=y)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (3, 1))


def test_a_product_of_matrices_that_makes_one_names_the_factors() -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    y = T.dot(a, 1 / b)
    f = graphlab.function([a, b], y)
    left, right = np.ones((3, 4)), np.ones((4, 5))
    left[1, 2], right[2, 3] = 0, 0
    answer = found(f, left, right)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("matmul", (1, 3))
    assert (answer.operands[0].variable, answer.operands[0].element) == (a, (1, 2))
    assert "matmul(0*inf + 1*1 + ...) = nan" in str(answer)
    assert answer.cause is not None
    assert answer.cause.node is not None
    assert (answer.cause.node.op.name, answer.cause.element) == ("true_divide", (2, 3))


def test_a_sum_of_opposite_infinities_arises_in_the_sum() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], (1 / x).sum())
    answer = found(f, [1.0, 0.0, 2.0, -0.0])
    assert answer.node is not None
    assert answer.node.op.name == "sum"
    assert "sum(inf, -inf, 1, 0.5, ...) = nan" in str(answer)
    assert answer.cause is not None
    assert answer.cause.element in ((1,), (3,))


def test_a_nan_beside_infinities_is_preferred() -> None:
    x = T.dvector("x")
    y = T.log(x)
    f = graphlab.function([x], (y * y - y * y * y).sum() + y.sum())
    answer = found(f, [0.0, -1.0], x=f.graph.outputs[0])
    assert answer.root.node is not None
    assert answer.root.node.op.name == "log"


# ---- inside ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_inside_a_loop_the_turn_is_named(mode: str) -> None:
    x = T.dmatrix("x")

    def turn(row: Variable, total: Variable) -> Variable:
        return total + T.log(row)  # in the loop

    totals, _ = graphlab.scan(turn, [x], [T.zeros((3,))])
    y = totals[-1].sum()
    f = graphlab.function([x], y, mode=mode)
    values = np.ones((10, 3))
    values[4, 1] = -1
    answer = found(f, values, x=y)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (1,))
    ((loop, number),) = answer.turns
    assert (loop.op.name, number) == ("scan", 4)
    assert "# in the loop" in line_of(answer)
    assert [(o.variable, o.element) for o in answer.operands] == [(x, (4, 1))]
    assert "turn 4 of scan" in str(answer)


def test_what_a_loop_starts_from_and_older_taps() -> None:
    start, c = T.dvector("start"), T.dscalar("c")
    info = {"initial": T.log(start), "taps": [-2, -1]}
    values, _ = graphlab.scan(lambda a, b: a + 0 * b + c, outputs_info=[info], n_steps=6)
    f = graphlab.function([start, c], values[5])
    answer = found(f, [1.0, -1.0], 0.0)
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (1,))
    assert answer.turns == ()


@pytest.mark.parametrize("mode", MODES)
def test_inside_a_branch(mode: str) -> None:
    x, c = T.dvector("x"), T.dscalar("c")
    y = graphlab.ifelse(c > 0, T.log(x).sum(), T.sqrt(x).sum())
    f = graphlab.function([x, c], y, mode=mode)
    for condition, op in ((1.0, "log"), (-1.0, "sqrt")):
        answer = found(f, [1.0, -4.0, 2.0], condition, x=y)
        assert answer.node is not None
        assert (answer.node.op.name, answer.element) == (op, (1,))


def test_inside_what_an_operation_expands_to() -> None:
    x = T.dmatrix("x")
    y = T.softmax(x)
    f = graphlab.function([x], y)
    values = np.zeros((2, 3))
    values[1] = -np.inf
    answer = found(f, values, x=y)
    assert answer.node is not None
    assert answer.lines
    assert "of softmax" in str(answer)


def test_what_was_optimised_away_is_searched_in_the_graph_as_written() -> None:
    x = T.dvector("x")
    e = T.exp(x)
    y = T.log(1 + e)
    f = graphlab.function([x], y)
    assert np.isfinite(f([800.0])).all()
    answer = found(f, [800.0], x=e)
    assert answer.node is e.owner
    assert "as written" in str(answer)
    assert answer.step is None


def test_a_large_operation_is_searched_by_halves() -> None:
    """Which of many NaN in a solve's right-hand side: the one in the same column."""
    a, b = T.dmatrix("a"), T.dmatrix("b")
    y = T.linalg.solve(a, T.log(b))
    f = graphlab.function([a, b], y)
    right = np.ones((3, 6))
    right[0, 1] = right[2, 4] = -1
    answer = found(f, np.eye(3) * 2 + 1, right, x=y, element=(1, 4))
    assert answer.node is not None
    assert (answer.node.op.name, answer.element) == ("log", (2, 4))


# ---- answers ---------------------------------------------------------------------------------------


def test_the_session_stays_where_it_was() -> None:
    x = T.dvector("x")
    total = T.log(x).sum()
    f = graphlab.function([x], T.dot(x / total, x))
    s = f.debug([-1.0, 2.0])
    s.step()
    origin(s)
    assert s.position == 1


def test_there_must_be_one() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    f = graphlab.function([x], y)
    with pytest.raises(GraphValueError, match=r"exp\(x\) has no nan"):
        found(f, [1.0], x=y, kind="nan")
    with pytest.raises(GraphValueError, match="kind='inf'"):
        found(f, [1000.0], x=y, kind="nan")
    with pytest.raises(GraphValueError, match="in this run"):
        found(f, [1.0])
    with pytest.raises(GraphValueError, match="no element"):
        found(f, [1000.0], x=y, element=(7,))
    with pytest.raises(GraphValueError, match="kind"):
        found(f, [1000.0], x=y, kind="zero")
    with pytest.raises(GraphValueError, match="no part of"):
        found(f, [1000.0], x=T.dvector("other") * 2)


# ---- random programs -------------------------------------------------------------------------------

Move = Callable[[Variable, Variable], Variable]
MOVES: dict[str, Move] = {
    "sin": lambda v, c: T.sin(v),
    "tanh + c": lambda v, c: T.tanh(v) + c,
    "c - v": lambda v, c: c - v,
    "v * c": lambda v, c: v * c,
    "transpose": lambda v, c: v.T,
    "turned": lambda v, c: v[::-1, 1:][:, ::-1] if v.type.shape[1] and v.type.shape[1] > 2 else v,
    "centred": lambda v, c: v - v.mean(axis=0, keepdims=True),
    "matmul": lambda v, c: T.dot(v, v.T) / 10,
    "square": lambda v, c: v**2,
    "joined": lambda v, c: T.concatenate([v[:1], v], axis=0),
    "max": lambda v, c: T.maximum(v, 0.1) + v.max(axis=1, keepdims=True),
    "where": lambda v, c: T.where(c > 100, c, v),
}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCH)
@given(
    st.lists(st.sampled_from(sorted(MOVES)), min_size=3, max_size=20),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(["fast_run", "fast_run", "interpret"]),
)
def test_random_programs(names: Sequence[str], row: int, column: int, mode: str) -> None:
    """A log of 0 is planted; wherever its NaN ends up, it is followed back to the element and the line."""
    x, c = T.tensor("float64", (3, 4), name="x"), T.dscalar("c")
    v = x * T.log(x)  # planted
    for name in names:
        v = MOVES[name](v, c)
    f = graphlab.function([x, c], v, mode=mode, on_unused_input="ignore")
    values = np.linspace(0.2, 1.0, 12).reshape(3, 4)
    values[row, column] = 0.0
    result = f(values, 0.5)
    if not np.isnan(result).any():  # cut off by an index
        return
    root = found(f, values, 0.5, x=v, kind="nan").root
    assert root.node is not None
    assert root.node.op.name == "log"
    assert [(o.variable, o.element) for o in root.operands] == [(x, (row, column))]
    assert any("# planted" in line.text for line in root.lines)
