"""Naive forms where they break down: value and gradient are right in compiled code, and the rule fired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable

E = np.exp
ONE = np.ones_like


@dataclass(frozen=True)
class Naive:
    """A form as one writes it; its value and derivative in a form that holds at `at`; a rule that it needs."""

    build: Callable[[Variable], Variable]
    value: Callable[..., Any]
    slope: Callable[..., Any]
    at: tuple[float, ...]
    rule: str


WIDE = (-800.0, -40.0, -1.0, -1e-20, 0.0, 0.5, 40.0, 800.0)
POSITIVE = (1e-20, 0.1, 1.0, 30.0, 800.0)
SMALL = (-0.5, -1e-20, 0.0, 1e-20, 1e-5, 2.0)
HUGE = (-1e200, -1e-200, 1e-200, 3.0, 1e200)


def d_log_cosh(x: Any) -> Any:
    return np.tanh(x)


def log_cosh(x: Any) -> Any:
    return np.logaddexp(x, -x) - np.log(2)


def density(x: Any) -> Any:
    return np.sqrt(2 / np.pi) / special.erfcx(-x / np.sqrt(2))


ONE_NUMBER = {
    "softplus": Naive(lambda x: T.log(1 + T.exp(x)), lambda x: np.logaddexp(x, 0), special.expit, WIDE,
                      "log(1 + exp(x)) -> softplus(x)"),
    "softplus by log1p": Naive(lambda x: T.log1p(T.exp(x)), lambda x: np.logaddexp(x, 0), special.expit, WIDE,
                               "log1p(exp(x)) -> softplus(x)"),
    "log(1 + x)": Naive(lambda x: T.log(1 + x), np.log1p, lambda x: 1 / (1 + x), SMALL, "log(1 + x) -> log1p(x)"),
    "log(1 - x)": Naive(lambda x: T.log(1 - x), lambda x: np.log1p(-x), lambda x: -1 / (1 - x), (1e-20, -1e-5, 0.5),
                        "log(1 - x) -> log1p(-x)"),
    "exp(x) - 1": Naive(lambda x: T.exp(x) - 1, np.expm1, E, SMALL, "exp(x) - 1 -> expm1(x)"),
    "log(exp(x))": Naive(lambda x: T.log(T.exp(x)), lambda x: x, ONE, WIDE, "log(exp(x)) -> x"),
    "log(2 exp(x))": Naive(lambda x: T.log(2 * T.exp(x)), lambda x: x + np.log(2), ONE, WIDE,
                           "log(exp(x) * c) -> x + log(c)"),
    "log(exp(x) + exp(x))": Naive(lambda x: T.log(T.exp(x) + T.exp(x)), lambda x: x + np.log(2), ONE, WIDE,
                                  "log(exp(x) * c) -> x + log(c)"),
    "log(exp(x) + 3)": Naive(lambda x: T.log(T.exp(x) + 3), lambda x: np.logaddexp(x, np.log(3)),
                             lambda x: special.expit(x - np.log(3)), WIDE, "log(exp(x) + c) -> logaddexp(x, log(c))"),
    "log(exp(x) + exp(2 x))": Naive(lambda x: T.log(T.exp(x) + T.exp(2 * x)), lambda x: np.logaddexp(x, 2 * x),
                                    lambda x: 1 + special.expit(x), WIDE,
                                    "log(exp(x) + exp(y)) -> logaddexp(x, y)"),
    "three exponentials": Naive(lambda x: T.log(T.exp(x) + T.exp(-x) + T.exp(2 * x)),
                                lambda x: np.logaddexp(np.logaddexp(x, -x), 2 * x),
                                lambda x: special.softmax([x, -x, 2 * x], axis=0).T @ [1.0, -1.0, 2.0],
                                (-800.0, 0.0, 0.5, 3.0, 800.0),
                                "log((exp(x) + exp(y)) + exp(z)) -> logaddexp(logaddexp(x, y), z)"),
    "inverse of softplus": Naive(lambda x: T.log(T.exp(x) - 1), lambda x: x + np.log(-np.expm1(-x)),
                                 lambda x: -1 / np.expm1(-x), POSITIVE, "log(expm1(x)) -> x + log(-expm1(-x))"),
    "log(x ** 2)": Naive(lambda x: T.log(x**2), lambda x: 2 * np.log(np.abs(x)), lambda x: 2 / x, HUGE,
                         "log(square(x)) -> log(|x|) * 2"),
    "sqrt(x ** 2)": Naive(lambda x: T.sqrt(x * x), np.abs, np.sign, HUGE, "sqrt(square(x)) -> |x|"),
    "hypot": Naive(lambda x: T.sqrt(x**2 + 9.0 * x**2), lambda x: np.sqrt(10) * np.abs(x),
                   lambda x: np.sqrt(10) * np.sign(x), (3.0, -2.0), ""),
    "log(cosh(x))": Naive(lambda x: T.log(T.cosh(x)), log_cosh, d_log_cosh, (-800.0, -3.0, 1.0, 800.0),
                          "log(cosh(x)) -> |x| + log1p(expm1(|x| * -2) * 0.5)"),
    "sigmoid": Naive(lambda x: 1 / (1 + T.exp(-x)), special.expit, lambda x: special.expit(x) * special.expit(-x),
                     WIDE, "1 / (1 + exp(-x)) -> sigmoid(x)"),
    "sigmoid as a quotient": Naive(lambda x: T.exp(x) / (1 + T.exp(x)), special.expit,
                                   lambda x: special.expit(x) * special.expit(-x), (-40.0, 0.5, 3.0),
                                   "exp(x) / (1 + exp(x)) -> sigmoid(x)"),
    "sigmoid by tanh": Naive(lambda x: 0.5 * (1 + T.tanh(x / 2)), special.expit,
                             lambda x: special.expit(x) * special.expit(-x), (0.5, 3.0),
                             "(tanh(x * 0.5) + 1) * 0.5 -> sigmoid(x)"),
    "log(sigmoid(x))": Naive(lambda x: T.log(T.sigmoid(x)), special.log_expit, lambda x: special.expit(-x), WIDE,
                             "log(sigmoid(x)) -> -softplus(-x)"),
    "log(sigmoid(x)) by hand": Naive(lambda x: T.log(1 / (1 + T.exp(-x))), special.log_expit,
                                     lambda x: special.expit(-x), WIDE, "log(sigmoid(x)) -> -softplus(-x)"),
    "log(1 - sigmoid(x))": Naive(lambda x: T.log(1 - T.sigmoid(x)), lambda x: special.log_expit(-x),
                                 lambda x: -special.expit(x), WIDE, "log(sigmoid(x)) -> -softplus(-x)"),
    "binary cross-entropy of 0.3": Naive(lambda x: -(0.3 * T.log(T.sigmoid(x)) + 0.7 * T.log(1 - T.sigmoid(x))),
                                         lambda x: 0.3 * np.logaddexp(0, -x) + 0.7 * np.logaddexp(0, x),
                                         lambda x: 0.7 * special.expit(x) - 0.3 * special.expit(-x), WIDE,
                                         "1 - sigmoid(x) -> sigmoid(-x)"),
    "logit(p)": Naive(lambda x: T.log(T.sigmoid(x) / (1 - T.sigmoid(x))), lambda x: x, ONE, (-30.0, 0.5, 30.0),
                      "sigmoid(x) / sigmoid(-x) -> exp(x)"),
    "tanh": Naive(lambda x: (T.exp(x) - T.exp(-x)) / (T.exp(x) + T.exp(-x)), np.tanh,
                  lambda x: 1 / np.cosh(x) ** 2, (-1e-20, 1e-9, 0.5, 3.0),
                  "(sinh(x) * 2) / (exp(x) + exp(-x)) -> tanh(x)"),
    "softplus(x) - x": Naive(lambda x: T.softplus(x) - x, lambda x: np.logaddexp(0, -x), lambda x: -special.expit(-x),
                             (-800.0, -3.0, 0.5), "softplus(x) - x -> softplus(-x)"),
    "1 - erf(x)": Naive(lambda x: 1 - T.erf(x), special.erfc, lambda x: -2 / np.sqrt(np.pi) * E(-x * x),
                        (-1.0, 0.1, 6.0, 20.0), "1 - erf(x) -> erfc(x)"),
    "1 - erfc(x)": Naive(lambda x: 1 - T.erfc(x), special.erf, lambda x: 2 / np.sqrt(np.pi) * E(-x * x), SMALL,
                         "1 - erfc(x) -> erf(x)"),
    "log(erfc(x))": Naive(lambda x: T.log(T.erfc(x)), lambda x: special.log_ndtr(-x * np.sqrt(2)) + np.log(2),
                          lambda x: -2 / np.sqrt(np.pi) / special.erfcx(x), (-3.0, 0.5, 6.0, 40.0),
                          "log(erfc(x)) -> where(x < 1, log1p(-erf(x)), log(erfcx(x)) - square(x))"),
    "log of the normal distribution": Naive(lambda x: T.log(0.5 * T.erfc(-x * np.sqrt(0.5))), special.log_ndtr,
                                            density, (-30.0, -5.0, 0.5, 5.0),
                                            "log(erfc(x) * c) -> log_ndtr(x * -sqrt(2)) + log(2 * c)"),
    "log(ndtr(x))": Naive(lambda x: T.log(T.ndtr(x)), special.log_ndtr, density, (-60.0, -5.0, 0.5, 5.0),
                          "log(ndtr(x)) -> log_ndtr(x)"),
}  # fmt: skip


def rules_of(*functions: graphlab.Function) -> set[str]:
    return {rewrite.rule for f in functions for rewrite in f.trace.rewrites}


@pytest.mark.parametrize("name", ONE_NUMBER)
def test_a_naive_form_of_one_number(name: str) -> None:
    form = ONE_NUMBER[name]
    x = T.dvector("x")
    y = form.build(x)
    value, slope = graphlab.function([x], y), graphlab.function([x], T.grad(y.sum(), x))
    at = np.array(form.at)
    np.testing.assert_allclose(value(at), form.value(at), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(slope(at), form.slope(at), rtol=1e-12, atol=1e-300)
    assert not form.rule or form.rule in rules_of(value)


def test_the_hypotenuse() -> None:
    x, y = T.dvectors("x", "y")
    r = T.sqrt(x**2 + y**2)
    f = graphlab.function([x, y], [r, *T.grad(r.sum(), [x, y])])
    value, along_x, along_y = f([3e200, 3.0, 5e-200, np.inf], [4e200, 4.0, 12e-200, np.nan])
    np.testing.assert_allclose(value, [5e200, 5.0, 13e-200, np.nan], rtol=1e-15)
    np.testing.assert_allclose(along_x[:3], [0.6, 0.6, 5 / 13], rtol=1e-15)
    np.testing.assert_allclose(along_y[:3], [0.8, 0.8, 12 / 13], rtol=1e-15)
    assert "sqrt(square(x) + square(y)) -> hypot(x, y)" in rules_of(f)


# ---- softmax -------------------------------------------------------------------------------------

ROWS = np.array([[1000.0, 0.0, -1000.0], [-3.0, 2.0, 800.0], [1e-20, 0.0, 1.0]])
PICKED = np.array([2, 0, 1])
PROBABILITIES = special.softmax(ROWS, axis=1)
CHOSEN = np.eye(3)[PICKED]
E_X = "exp(x) / sum(exp(x)) -> softmax(x)"


def naive_softmax(x: Variable) -> Variable:
    e = T.exp(x)
    return e / e.sum(axis=1, keepdims=True)


SOFTMAXES: dict[str, Callable[[Variable], Variable]] = {
    "as an op": lambda x: T.softmax(x, axis=1),
    "by hand": naive_softmax,
    "by hand, less the largest": lambda x: naive_softmax(x - x.max(axis=1, keepdims=True)),
    "by hand, with another axis": lambda x: T.exp(x) / T.exp(x).sum(axis=1).dimshuffle(0, "x"),
}
LOSSES: dict[str, Callable[[Variable, Variable], Variable]] = {
    "elements of the logarithm": lambda p, k: -T.log(p)[T.arange(3), k].sum(),
    "logarithm of elements": lambda p, k: -T.log(p[T.arange(3), k]).sum(),
    "one-hot": lambda p, k: -(T.eye(3)[k] * T.log(p)).sum(),
    "mean": lambda p, k: 3 * -T.log(p)[T.arange(3), k].mean(),
    "one number": lambda p, k: -(T.log(p[0, 2]) + T.log(p[1, 0]) + T.log(p[2, 1])),
    "in a row": lambda p, k: -T.log(p.reshape((9,))[3 * T.arange(3) + k]).sum(),
    "turned": lambda p, k: -T.log(p.T[k, T.arange(3)]).sum(),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_cross_entropy_with_softmax(softmax: str, loss: str) -> None:
    x, k = T.dmatrix("x"), T.lvector("k")
    cost = LOSSES[loss](SOFTMAXES[softmax](x), k)
    value, slope = (
        graphlab.function([x, k], cost, on_unused_input="ignore"),
        graphlab.function([x, k], T.grad(cost, x), on_unused_input="ignore"),
    )
    expected = -special.log_softmax(ROWS, axis=1)[np.arange(3), PICKED].sum()
    np.testing.assert_allclose(value(ROWS, PICKED), expected, rtol=1e-14)
    np.testing.assert_allclose(slope(ROWS, PICKED), PROBABILITIES - CHOSEN, rtol=1e-13, atol=1e-15)
    fired = rules_of(value)
    assert {"log(softmax(x)) -> log_softmax(x)", "log(softmax(x)[k]) -> log_softmax(x)[k]"} & fired
    assert softmax == "as an op" or E_X in fired


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_logsumexp(axis: int | None, keepdims: bool) -> None:
    x = T.dmatrix("x")
    y = T.log(T.exp(x).sum(axis=axis, keepdims=keepdims))
    value, slope = graphlab.function([x], y), graphlab.function([x], T.grad(y.sum(), x))
    np.testing.assert_allclose(value(ROWS), special.logsumexp(ROWS, axis=axis, keepdims=keepdims), rtol=1e-14)
    np.testing.assert_allclose(slope(ROWS), special.softmax(ROWS, axis=axis), rtol=1e-12, atol=1e-300)
    assert "log(sum(exp(x))) -> logsumexp(x)" in rules_of(value)


def test_the_known_values() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.log(T.exp(x).sum()))
    np.testing.assert_allclose(f([1000.0, 1000.0]), 1000 + np.log(2), rtol=1e-15)
    g = graphlab.function([x], x - T.log(T.exp(x).sum()))
    np.testing.assert_array_equal(g([1000.0, 0.0, -1000.0]), [0.0, -1000.0, -2000.0])
    assert "x - logsumexp(x) -> log_softmax(x)" in rules_of(g)


def test_logsumexp_less_the_largest() -> None:
    x, some = T.tensor("float64", (None, 3), "x"), T.dmatrix("some")

    def form(v: Variable) -> Variable:
        top = v.max(axis=1, keepdims=True)
        return T.log(T.exp(v - top).sum(axis=1, keepdims=True)) + top

    f, careful = graphlab.function([x], form(x)), graphlab.function([some], form(some))
    np.testing.assert_allclose(f(ROWS), special.logsumexp(ROWS, axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_array_equal(f([[-np.inf] * 3, [np.inf, 0.0, 0.0]]), [[-np.inf], [np.inf]])
    with pytest.raises(ValueError, match="max"):  # of nothing: which must stay an error
        careful(np.zeros((2, 0)))
    assert "logsumexp(x - max(x)) + max(x) -> logsumexp(x)" in rules_of(f)


def test_the_logarithm_of_a_mean_of_exponentials() -> None:
    x = T.dmatrix("x")
    y = T.log(T.exp(x).mean(axis=1))
    value, slope = graphlab.function([x], y), graphlab.function([x], T.grad(y.sum(), x))
    np.testing.assert_allclose(value(ROWS), special.logsumexp(ROWS, axis=1) - np.log(3), rtol=1e-14)
    np.testing.assert_allclose(slope(ROWS), PROBABILITIES, rtol=1e-12, atol=1e-300)
    assert "log(sum(exp(x)) / n) -> logsumexp(x) - log(n)" in rules_of(value)


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_nan_stays_nan(softmax: str) -> None:
    x = T.dmatrix("x")
    cost = -T.log(SOFTMAXES[softmax](x)[:, 0]).sum()
    slope = graphlab.function([x], T.grad(cost, x))([[np.nan, 1.0], [1.0, 2.0]])
    np.testing.assert_array_equal(np.isnan(slope), [[True, True], [False, False]])
