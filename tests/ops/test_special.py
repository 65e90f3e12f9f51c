"""Special functions beyond what the table of ops tests: undefined derivatives, second ones, far and odd places."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, jvp, verify_grad
from graphlab.errors import GraphlabError
from graphlab.graph.node import Variable
from graphlab.ops.special import TABLE
from graphlab.ops.ufunc import Elementwise, Undefined
from tests.ops.values import value

PARTLY = [op for op in TABLE if op.pull and any(isinstance(p, Undefined) for p in op.pull)]
SMOOTH = [op for op in TABLE if op not in PARTLY]


def by_last(op: Elementwise, last: Variable) -> Variable:
    """`op` of `last`, the operands before it held constant."""
    orders = (2.0, 1.5)[: op.arity - 1] if op.name != "polygamma" else (1.0,)
    result: Variable = op(*orders, last)
    return result


def points(op: Elementwise, n: int = 4) -> np.ndarray[Any, Any]:
    low, high = op.domain
    return np.linspace(low, high, n + 2)[1:-1]


@pytest.mark.parametrize("op", PARTLY, ids=lambda op: op.name)
def test_a_derivative_by_one_operand_needs_no_other(op: Elementwise) -> None:
    verify_grad(lambda x: by_last(op, x), [points(op)])
    order, x = T.dvector("order"), T.dvector("x")
    first = (order,) * (op.arity - 1)
    slope = grad(op(*first, x).sum(), x)  # `order` is a variable, but nobody asks for its derivative
    assert np.isfinite(value(slope, {order: np.full(4, 2.0), x: points(op)})).all()


@pytest.mark.parametrize("op", PARTLY, ids=lambda op: op.name)
def test_an_undefined_derivative_is_an_error_for_who_asks(op: Elementwise) -> None:
    order, x = T.dvector("order"), T.dvector("x")
    made = op(*(order,) * (op.arity - 1), x)
    with pytest.raises(GraphlabError, match=f"derivative of {op.name} by . has no closed form"):
        grad(made.sum(), order)
    with pytest.raises(GraphlabError, match=f"derivative of {op.name} by . has no closed form"):
        jvp(made, order, order)


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_second_derivatives_are_those_of_the_first(op: Elementwise) -> None:
    verify_grad(lambda x: grad(by_last(op, x).sum(), x), [points(op)], tolerance=2e-5)


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_a_pickled_op_is_the_op(op: Elementwise) -> None:
    assert pickle.loads(pickle.dumps(op)) is op


def test_polygamma_of_every_order_is_scipys_in_c_too() -> None:
    n, x = (a.ravel() for a in np.meshgrid(np.arange(6.0), [-2.5, -1.0, 0.0, 1e-3, 0.5, 1.0, 9.5, 40.0, 3e8, np.inf]))
    order, v = T.dvectors("n", "x")
    f = graphlab.function([order, v], T.polygamma(order, v))
    assert "gl_polygamma" in f.c_source
    with np.errstate(all="ignore"):
        want = special.polygamma(n, x)
    np.testing.assert_allclose(f(n, x), want, rtol=1e-13)
    np.testing.assert_allclose(T.tri_gamma([0.5, 2.0]).eval(), special.polygamma(1, [0.5, 2.0]), rtol=1e-14)


def test_entropies_at_zero_are_zero_and_so_are_their_finite_slopes() -> None:
    x, y = T.dvectors("x", "y")
    given = {x: np.zeros(2), y: np.array([0.0, 2.0])}
    for op in (T.xlogy, T.xlog1py):
        np.testing.assert_array_equal(value(op(x, y), given), [0.0, 0.0])
        np.testing.assert_array_equal(value(grad(op(x, y).sum(), y), given), [0.0, 0.0])
    np.testing.assert_array_equal(value(T.entr(y), given)[:1], [0.0])


def test_sinc_is_smooth_through_zero() -> None:
    x = T.dvector("x")
    at = {x: np.array([-1e-3, -1e-5, 0.0, 9.99e-4, 1.001e-3])}
    slope = grad(T.sinc(x).sum(), x)
    np.testing.assert_allclose(value(slope, at), -(np.pi**2) / 3 * at[x] + np.pi**4 / 30 * at[x] ** 3, atol=1e-12)
    curve = grad(slope.sum(), x)
    np.testing.assert_allclose(value(curve, at), -(np.pi**2) / 3, rtol=1e-4)


def test_the_slope_of_log_ndtr_is_right_where_the_density_is_zero() -> None:
    x = T.dscalar("x")
    slope = value(grad(T.log_ndtr(x), x), {x: -50.0})
    np.testing.assert_allclose(slope, 50 + 1 / 50 - 2 / 50**3, rtol=1e-6)  # the hazard's asymptotic series


def test_other_names_are_the_same_functions() -> None:
    assert (T.psi, T.expit, T.log_sigmoid, T.jn) == (T.digamma, T.sigmoid, T.log_expit, T.jv)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_bessel_functions_and_the_gamma_family_are_scipys(dtype: str) -> None:
    x = T.tensor(dtype, (None,), "x")
    names = ["jv", "yv", "iv", "kv", "gammainc", "gammaincc", "beta", "betaln"]
    f = graphlab.function([x], [getattr(T, name)(2, x) for name in names])
    assert all(f"gl_extern_{name}(" in f.c_source for name in names)
    at = np.array([0.1, 1.0, 7.5, 30.0, np.nan], dtype)
    for name, got in zip(names, f(at), strict=True):
        want = getattr(special, name)(np.array(2, dtype), at)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, err_msg=name)
