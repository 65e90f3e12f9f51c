"""Arrays are written where others die, which shows in nothing but the memory that a call needs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.errors import GraphIndexError, GraphlabError
from graphlab.graph.node import Shared, Variable
from graphlab.interpret import interpret
from graphlab.loops.ir import RuntimeCall

Array = np.ndarray[Any, Any]
X = np.linspace(-1, 1, 12).reshape(3, 4)
SQUARE = np.linspace(-1, 1, 9).reshape(3, 3)


def taken(f: Function, *arguments: Any) -> int:
    """In how many places one call with these arguments writes an array where another dies."""
    before: int = f.machine._code.taken  # type: ignore[union-attr]
    f(*arguments)
    after: int = f.machine._code.taken  # type: ignore[union-attr]
    return after - before


# ---- intermediates ---------------------------------------------------------------------------------


def test_a_kernel_writes_where_a_product_dies() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.tanh(x @ x + 1.0) @ x)
    np.testing.assert_allclose(f(SQUARE), np.tanh(SQUARE @ SQUARE + 1) @ SQUARE, rtol=1e-12)
    assert taken(f, SQUARE) == 1
    assert "in the memory of" in str(f.lowered)


def test_what_is_needed_later_is_not_written_over() -> None:
    x = T.dmatrix("x")
    p = x @ x
    f = graphlab.function([x], T.tanh(p + 1.0) @ p)
    np.testing.assert_allclose(f(SQUARE), np.tanh(SQUARE @ SQUARE + 1) @ (SQUARE @ SQUARE), rtol=1e-12)
    assert taken(f, SQUARE) == 0


def test_memory_that_a_view_shows_is_not_written_over() -> None:
    x = T.dmatrix("x")
    p = x @ x
    f = graphlab.function([x], T.sort(p.T) @ (T.exp(p) @ x) + p.T)
    q = SQUARE @ SQUARE
    np.testing.assert_allclose(f(SQUARE), np.sort(q.T) @ (np.exp(q) @ SQUARE) + q.T, rtol=1e-12)


def test_arguments_and_results_have_memory_of_their_own() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = graphlab.function([x, y], [x + y, (x @ y) * 2.0])
    a, b = SQUARE.copy(), SQUARE + 1
    first = f(a, b)
    kept = [r.copy() for r in first]
    second = f(b, a)
    assert taken(f, a, b) == 0
    assert (a == SQUARE).all()
    assert (b == SQUARE + 1).all()
    assert all((r == k).all() for r, k in zip(first, kept, strict=True))
    assert not any(np.may_share_memory(r, s) for r in (*first, a, b) for s in second)


def test_an_operand_of_fewer_elements_gives_no_memory() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = graphlab.function([x, y], T.exp((x @ x) + y) @ y)
    one = np.ones((1, 1))
    wide = np.ones((1, 3))
    np.testing.assert_allclose(f(one, SQUARE), np.exp(1 + SQUARE) @ SQUARE, rtol=1e-12)
    assert taken(f, one, SQUARE) == 0
    assert taken(f, SQUARE, SQUARE) == 1
    with pytest.raises(GraphlabError):
        f(wide, SQUARE)


def test_rows_are_written_where_they_were_read_last() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.softmax(x @ x, axis=-1) @ x)
    e = np.exp(SQUARE @ SQUARE)
    np.testing.assert_allclose(f(SQUARE), e / e.sum(-1, keepdims=True) @ SQUARE, rtol=1e-12)
    assert taken(f, SQUARE) == 1


def test_rows_that_a_later_pass_reads_are_not_written_over() -> None:
    x = T.dmatrix("x")
    p = x @ x
    e = T.exp(p)  # stored in the pass that sums it; the next reads p again
    f = graphlab.function([x], T.sort(e) @ T.sort(p / e.sum(axis=1, keepdims=True)))
    q = SQUARE @ SQUARE
    want = np.sort(np.exp(q)) @ np.sort(q / np.exp(q).sum(1, keepdims=True))
    np.testing.assert_allclose(f(SQUARE), want, rtol=1e-12)


def test_a_part_is_set_in_an_array_that_dies() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    f = graphlab.function([x, i], T.inc_subtensor((x @ x)[i], 1.0) @ x)
    want = SQUARE @ SQUARE
    np.add.at(want, [0, 0, 2], 1.0)
    np.testing.assert_allclose(f(SQUARE, [0, 0, 2]), want @ SQUARE, rtol=1e-12)
    assert taken(f, SQUARE, np.array([0, 0, 2])) == 1


def test_an_array_with_parts_of_itself_added() -> None:
    x = T.dmatrix("x")
    p = x @ x
    f = graphlab.function([x], T.inc_subtensor(p[[2, 0, 2]], p) @ x)
    want = SQUARE @ SQUARE
    np.add.at(want, [2, 0, 2], SQUARE @ SQUARE)
    np.testing.assert_allclose(f(SQUARE), want @ SQUARE, rtol=1e-12)
    assert taken(f, SQUARE) == 0


def test_a_debugger_sees_every_value() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.tanh(x @ x + 1.0) @ x)
    assert f.machine is not None
    assert f.lowered is not None
    frame = f.machine.frame([SQUARE])
    for k in range(len(f.lowered.program.steps)):
        frame.run_step(k)
    product = next(s.action.slots[0] for s in f.lowered.program.steps if isinstance(s.action, RuntimeCall))
    value = frame.value(product)
    assert value is not None
    assert np.allclose(value, SQUARE @ SQUARE)
    frame.close()
    assert f.machine._code.taken == 0


_LINKS: dict[str, Callable[[Any, Any], Any]] = {
    "product": lambda a, b: T.dot(a, b) * 0.3,
    "sine": lambda a, b: T.sin(a) + 0.5 * b,
    "scaled": lambda a, b: a * b[0],
    "softmax": lambda a, b: T.softmax(a - b, axis=-1),
    "sorted": lambda a, b: T.sort(a),
    "turned": lambda a, b: a.T,
    "part": lambda a, b: T.set_subtensor(a[1:], b[1:]),
    "rows": lambda a, b: T.inc_subtensor(a[[2, 0, 2]], b),
    "sums": lambda a, b: a - b.sum(axis=0),
    "normal": lambda a, b: (a - a.mean(axis=1, keepdims=True)) * b,
}


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck), print_blob=True)
@given(data=st.data())
def test_random_lifetimes(data: st.DataObject) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    w = graphlab.shared(SQUARE * 0.5, "w")
    pool: list[Variable] = [x, y, w]
    for _ in range(data.draw(st.integers(2, 9))):
        link = _LINKS[data.draw(st.sampled_from(sorted(_LINKS)))]
        back = st.integers(1, min(4, len(pool)))
        pool.append(link(pool[-data.draw(back)], pool[-data.draw(back)]))
    extra = data.draw(st.lists(st.integers(0, len(pool) - 1), max_size=2))
    updates = {w: pool[-1]} if data.draw(st.booleans()) else {}
    f = graphlab.function([x, y], [pool[-1], *(pool[k] for k in extra)], updates=updates, on_unused_input="ignore")
    a, b = SQUARE.copy(), SQUARE[::-1] + 0.25
    b0, earlier = b.copy(), list[tuple[Array, Array]]()
    for turn in range(3):
        borrowed = w.get_value(borrow=True) if turn == 1 else None
        value = w.get_value()
        want = interpret(f.graph, [a, b])
        got = f(a, b)
        for result, expected in zip(got, want, strict=False):
            np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)
        if updates:
            np.testing.assert_allclose(w.get_value(), want[-1], rtol=1e-9, atol=1e-12)
        assert (a == SQUARE).all()
        assert (b == b0).all()
        assert borrowed is None or (borrowed == value).all()
        assert all((r == copy).all() for r, copy in earlier)
        arrays = [*got, a, b, w.cell[0], *(r for r, _ in earlier)]
        assert not any(np.may_share_memory(r, s) for k, r in enumerate(arrays) for s in arrays[:k])
        earlier += [(r, r.copy()) for r in got]


# ---- shared variables ------------------------------------------------------------------------------


def _address(s: Shared) -> int:
    return s.get_value(borrow=True).ctypes.data


def _step(*shared: Shared) -> Function:
    x = T.dmatrix("x")
    return graphlab.function([x], (x * shared[0]).sum(), updates=[(s, s - 0.1 * x) for s in shared])


def test_an_update_is_written_where_the_old_value_was() -> None:
    w, v = graphlab.shared(X, "w"), graphlab.shared(X + 1, "v")
    f = _step(w, v)
    before = _address(w), _address(v)
    assert taken(f, X) == 2
    assert (_address(w), _address(v)) == before
    np.testing.assert_allclose(w.get_value(), 0.9 * X)
    np.testing.assert_allclose(v.get_value(), X + 1 - 0.1 * X)
    np.testing.assert_allclose(f(X), (X * X * 0.9).sum())


def test_a_borrowed_value_stays_as_it_is() -> None:
    w = graphlab.shared(X, "w")
    f = _step(w)
    borrowed = w.get_value(borrow=True)
    part = borrowed[1:]
    assert taken(f, X) == 0
    assert (borrowed == X).all()
    assert w.get_value(borrow=True) is not borrowed
    held = w.get_value(borrow=True)[:1]  # a view alone keeps its array too
    assert taken(f, X) == 0
    np.testing.assert_allclose(held, 0.9 * X[:1])
    buffer = memoryview(w.get_value(borrow=True))
    assert taken(f, X) == 0
    np.testing.assert_allclose(np.asarray(buffer), 0.8 * X)
    del borrowed, part, held, buffer
    assert taken(f, X) == 1


def test_what_is_the_users_stays_the_users() -> None:
    mine = X.copy()
    w = graphlab.shared(mine, "w", borrow=True)
    f = _step(w)
    f(X)
    assert (mine == X).all()
    w.set_value(mine, borrow=True)
    f(X)
    assert (mine == X).all()
    np.testing.assert_allclose(w.get_value(), 0.9 * X)


def test_two_variables_over_one_array() -> None:
    one = X.copy()
    w, v = graphlab.shared(one, borrow=True), graphlab.shared(one, borrow=True)
    del one
    f = _step(w, v)
    assert taken(f, X) == 0
    np.testing.assert_allclose(w.get_value(), 0.9 * X)
    np.testing.assert_allclose(v.get_value(), 0.9 * X)


def test_an_old_value_that_is_read_crosswise() -> None:
    w, v = graphlab.shared(SQUARE, "w"), graphlab.shared(SQUARE * 2, "v")
    f = graphlab.function([], [w, w.T], updates=[(w, w + w.T), (v, v - w)])
    for _ in range(2):
        a, b = w.get_value(), v.get_value()
        old, turned = f()
        assert (old == a).all()
        assert (turned == a.T).all()
        np.testing.assert_allclose(w.get_value(), a + a.T)
        np.testing.assert_allclose(v.get_value(), b - a)


def test_new_values_that_are_read_again() -> None:
    w, m, x = graphlab.shared(X, "w"), graphlab.shared(0 * X, "m"), T.dmatrix("x")
    new = 0.9 * m + T.sort(x)
    f = graphlab.function([x], [], updates=[(m, new), (w, w - 0.1 * new)])
    assert taken(f, X) == 2
    np.testing.assert_allclose(m.get_value(), X)
    np.testing.assert_allclose(w.get_value(), 0.9 * X)


def test_swapped_variables() -> None:
    w, v = graphlab.shared(X, "w"), graphlab.shared(X + 1, "v")
    f = graphlab.function([], [], updates=[(w, v), (v, w)])
    f()
    assert (w.get_value() == X + 1).all()
    assert (v.get_value() == X).all()
    f = graphlab.function([], [], updates=[(w, v + w), (v, w - v)])
    f()
    assert (w.get_value() == 2 * X + 1).all()
    assert (v.get_value() == 1).all()


def test_rows_of_a_table_are_updated_where_they_are() -> None:
    w, i, x = graphlab.shared(X, "w"), T.lvector("i"), T.dmatrix("x")
    f = graphlab.function([i, x], w[i].sum(), updates=[(w, T.inc_subtensor(w[i], x))])
    rows, before = np.array([0, 2, 0]), _address(w)
    want = X.copy()
    np.add.at(want, rows, np.ones((3, 4)))
    assert taken(f, rows, np.ones((3, 4))) == 1
    assert _address(w) == before
    np.testing.assert_allclose(w.get_value(), want)


@pytest.mark.parametrize("wrong", [[0, 1, 3], [-4, 0, 0]])
def test_an_index_that_leads_outside_leaves_every_variable_as_it_was(wrong: list[int]) -> None:
    w, v, i, x = graphlab.shared(X, "w"), graphlab.shared(X, "v"), T.lvector("i"), T.dmatrix("x")
    f = graphlab.function([i, x], [], updates=[(v, v + x[:1]), (w, T.set_subtensor(w[i], x))])
    with pytest.raises(GraphIndexError):
        f(wrong, np.ones((3, 4)))
    assert (w.get_value() == X).all()
    assert (v.get_value() == X).all()
    gc.collect()  # what the exception knew
    f(np.array([0, 1, 2]), np.ones((3, 4)))  # those of the failed call are kept for post_mortem, and not written over
    assert taken(f, np.array([0, 1, 2]), np.ones((3, 4))) == 2


def test_extents_that_do_not_fit_leave_every_variable_as_it_was() -> None:
    w, v = graphlab.shared(X, "w"), graphlab.shared(SQUARE, "v")
    f = _step(w, v)
    with pytest.raises(GraphlabError):
        f(X)
    assert (w.get_value() == X).all()
    assert (v.get_value() == SQUARE).all()


def test_a_profile_times_what_a_call_does_and_changes_nothing() -> None:
    w, i = graphlab.shared(X, "w"), T.lvector("i")
    f = graphlab.function([i], [], updates=[(w, T.inc_subtensor(w[i], 1.0))])
    assert f.machine is not None
    frame = f.machine.frame([np.array([0, 2])])
    frame.time_steps()
    frame.close()
    assert f.machine._code.taken == 1
    assert (w.get_value() == X).all()


def test_an_update_that_changes_the_extents() -> None:
    w, x = graphlab.shared(np.ones((1, 4)), "w"), T.dmatrix("x")
    f = graphlab.function([x], [], updates=[(w, w + x)])
    assert taken(f, X) == 0
    assert taken(f, X) == 1
    np.testing.assert_allclose(w.get_value(), 1 + 2 * X)


def test_a_value_in_fortran_order_gets_memory_of_its_own() -> None:
    w = graphlab.shared(np.asfortranarray(X), "w")
    f = _step(w)
    assert taken(f, X) == 0
    np.testing.assert_allclose(w.get_value(), 0.9 * X)
    assert taken(f, X) == 1
