"""Rules of shapes that end-to-end values alone would not show: what fires, and what must not."""

from __future__ import annotations

import numpy as np

import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rules.shapes import SHAPES


def rewritten(output: Variable) -> Variable:
    return apply_rules(Graph((), (output,)), SHAPES, strict=True).outputs[0]


def op_names(v: Variable) -> list[str]:
    return [node.op.name for node in toposort([v])]


def test_operands_need_no_new_axes_in_front() -> None:
    x, b = T.dmatrix("x"), T.dvector("b")
    assert op_names(rewritten(x + b.dimshuffle("x", 0))) == ["add"]
    alone = T.exp(b.dimshuffle("x", 0))
    assert rewritten(alone) is alone


def test_what_is_stretched_is_computed_while_small() -> None:
    x, c = T.dmatrix("x"), T.dscalar("c")
    before = T.exp(T.broadcast_to(c, x.shape) * 2) + 1
    after = rewritten(before)
    assert op_names(after)[-1] == "broadcast_to"
    values = [np.ones((2, 3)), np.asarray(0.5)]
    want, got = (interpret(Graph((x, c), (v,)), values)[0] for v in (before, after))
    np.testing.assert_array_equal(got, want, strict=True)


def test_a_power_that_may_fail_is_not_computed_where_there_were_no_elements() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    before = T.broadcast_to(n, x.shape) ** T.broadcast_to(n, x.shape)
    after = rewritten(before)
    assert interpret(Graph((x, n), (after,)), [np.ones(0), np.asarray(-1)])[0].shape == (0,)


def test_a_stretch_that_may_not_fit_stays() -> None:
    x, y = T.dvectors("x", "y")
    before = T.exp(T.broadcast_to(x, y.shape))
    assert rewritten(before) is before


def test_a_reshape_of_axes_of_one_is_a_dimshuffle() -> None:
    x = T.dmatrix("x")
    assert op_names(rewritten(x.reshape((x.shape[0], 1, x.shape[1])))) == ["dimshuffle"]
    assert "reshape" in op_names(rewritten(x.reshape((x.shape[1], 1, x.shape[0]))))


def test_an_extent_is_read_where_it_comes_from() -> None:
    x, y = T.dmatrices("x", "y")
    assert op_names(rewritten(T.exp(x.T).shape[0])) == ["shape", "index"]
    total = (x + y).shape[0]
    assert "add" in op_names(rewritten(total)), "x + y may not fit"


def test_a_sum_to_the_same_shape_keeps_negative_zeros() -> None:
    assert np.signbit(SumTo().numpy(np.array([-0.0]), np.array([2.0]))).all()


def test_no_error_of_a_broadcast_vanishes_when_two_are_joined() -> None:
    x, n = T.dvector("x"), T.dscalar("n")
    zeros = T.broadcast_to(n, x.shape)  # of as many elements as x, which need not fit what follows
    twice = T.broadcast_to(zeros, (2, 3))
    assert rewritten(twice) is twice
    fitting = T.broadcast_to(T.broadcast_to(n, x.shape), (2, *x.shape))
    assert op_names(rewritten(fitting)).count("broadcast_to") == 1


def test_a_stretch_is_not_computed_for_a_shape_that_may_fail_where_the_result_fails_too() -> None:
    x, y, c = T.dmatrix("x"), T.dmatrix("y"), T.dscalar("c")
    both = x * y
    assert op_names(rewritten(T.broadcast_to(c, both.shape) * T.sin(both))) == ["multiply", "sin", "multiply"]
    apart = T.broadcast_to(c, both.shape) * x
    assert "broadcast_to" in op_names(rewritten(apart)), "x may be stretched to y"


def test_an_extent_of_what_is_made_of_numbers_is_one_of_them() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    assert op_names(rewritten(T.arange(x.shape[0]).shape[0] + 0)) == op_names(rewritten(x.shape[0] + 0))
    assert "broadcast_to" not in op_names(rewritten(T.broadcast_to(0.0, (2, x.shape[0])).shape[1]))
    assert "arange" in op_names(rewritten(T.arange(n).shape[0])), "n may be negative"
