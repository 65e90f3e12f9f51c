"""The estimated work of kernels: by its order of magnitude, whatever their form."""

from __future__ import annotations

import pytest

from graphlab.codegen.cost import asks, cost
from graphlab.graph.node import Variable
from graphlab.loops.ir import Kernel, LoopCall
from graphlab.ops import elementwise as e
from graphlab.ops import nnet, reduce, special
from tests.lower.programs import built, var


def kernel(outputs: list[Variable]) -> Kernel:
    (action,) = (s.action for s in built([x], outputs).lowered.program.steps if isinstance(s.action, LoopCall))
    return action.kernel


x = var("float64", None, None)
FORMS = {
    "x + 1": (e.add(x, 1.0), 3, 6),
    "exp": (e.exp(x), 10, 20),
    "sin": (e.sin(x), 15, 40),
    "a function of SciPy's": (special.gamma(x), 100, 2000),
    "sum": (reduce.sum(x), 1, 6),
    "sum of rows": (reduce.sum(x, 1), 1, 6),
    "sum of columns": (reduce.sum(e.square(x), 0), 1, 8),
    "sum of exponentials": (reduce.sum(e.exp(x)), 10, 25),
    "softmax": (nnet.softmax(x, 1), 15, 40),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_cost_is_that_of_an_element(name: str) -> None:
    v, least, most = FORMS[name]
    assert least <= cost(kernel([v])) <= most


def test_functions_of_scipy_s_may_ask_for_python_s_lock() -> None:
    assert asks(kernel([special.erfinv(x)]))
    assert asks(kernel([reduce.sum(special.digamma(x))]))
    assert not asks(kernel([e.exp(x)]))
