"""Activations: plain formulas of elementwise ops, so that they fuse and have the derivatives of their parts."""

from __future__ import annotations

import math
from typing import Any

from graphlab.errors import user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.elementwise import (
    absolute,
    add,
    clip,
    expm1,
    greater,
    less,
    maximum,
    minimum,
    multiply,
    sigmoid,
    sign,
    softplus,
    subtract,
    tanh,
    true_divide,
    where,
)
from graphlab.ops.join import as_tensor
from graphlab.ops.special import erfc

# ---- rectifiers ----------------------------------------------------------------------------------


@user_boundary
def relu(x: Any, alpha: Any = 0) -> Variable:
    """max(0, x), or alpha * x where x is negative; the derivative at 0 is `alpha`, so 0 for the plain one.

    `alpha` may be an array of slopes that broadcasts with `x`.

    >>> relu([-2.0, 3.0]).eval()
    array([0., 3.])
    """
    variable = as_tensor(x)
    if isinstance(alpha, int | float) and alpha == 0:
        # At a tie `maximum` gives the whole derivative to its first operand, here the 0.
        plain: Variable = maximum(0, variable)
        return plain
    leaky: Variable = where(greater(variable, 0), variable, multiply(alpha, variable))
    return leaky


@user_boundary
def leaky_relu(x: Any, alpha: Any = 0.01) -> Variable:
    """x, or alpha * x where x is negative.

    >>> leaky_relu([-2.0, 3.0]).eval()
    array([-0.02,  3.  ])
    """
    return relu(x, alpha)


@user_boundary
def elu(x: Any, alpha: Any = 1) -> Variable:
    """x, or alpha * (exp(x) - 1) where x is not positive (Clevert and others, 2015).

    >>> elu([-100.0, 3.0]).eval()
    array([-1.,  3.])
    """
    variable = as_tensor(x)
    # The minimum keeps exp from overflowing where it is not looked at: its derivative there would be 0 * inf.
    result: Variable = where(greater(variable, 0), variable, multiply(alpha, expm1(minimum(variable, 0))))
    return result


@user_boundary
def selu(x: Any) -> Variable:
    """1.0507... * elu(x, 1.6732...): keeps the mean 0 and the variance 1 (Klambauer and others, 2017)."""
    scaled: Variable = multiply(1.0507009873554805, elu(x, 1.6732632423543772))
    return scaled


# ---- smooth ones ---------------------------------------------------------------------------------


@user_boundary
def gelu(x: Any, approximate: bool = False) -> Variable:
    """x times the chance that a standard normal number is below x (Hendrycks and Gimpel, 2016).

    `approximate`: by their formula with tanh.

    >>> gelu([-40.0, 0.0, 40.0]).eval()
    array([-0.,  0., 40.])
    """
    variable = as_tensor(x)
    if approximate:
        cubic = add(variable, multiply(0.044715, multiply(variable, multiply(variable, variable))))
        return silu_like(variable, multiply(2 * math.sqrt(2 / math.pi), cubic))
    # 1 + erf(x / sqrt(2)) would lose all digits where x is far below 0.
    chance = multiply(0.5, erfc(multiply(-math.sqrt(0.5), variable)))
    weighted: Variable = multiply(variable, chance)
    return weighted


def silu_like(x: Variable, steep: Variable) -> Variable:
    """x sigmoid(steep), which is x (1 + tanh(steep / 2)) / 2."""
    weighted: Variable = multiply(x, sigmoid(steep))
    return weighted


@user_boundary
def silu(x: Any) -> Variable:
    """x * sigmoid(x), also called swish."""
    variable = as_tensor(x)
    return silu_like(variable, variable)


swish = silu


@user_boundary
def mish(x: Any) -> Variable:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    variable = as_tensor(x)
    weighted: Variable = multiply(variable, tanh(softplus(variable)))
    return weighted


# ---- between two bounds --------------------------------------------------------------------------


@user_boundary
def softsign(x: Any) -> Variable:
    """x / (1 + |x|), between -1 and 1.

    >>> softsign([-1.0, 3.0]).eval()
    array([-0.5 ,  0.75])
    """
    variable = as_tensor(x)
    bounded: Variable = true_divide(variable, add(1, absolute(variable)))
    return bounded


@user_boundary
def hard_sigmoid(x: Any) -> Variable:
    """0.2 * x + 0.5 limited to [0, 1], as in Theano: three straight lines for a sigmoid."""
    return clip(add(multiply(0.2, as_tensor(x)), 0.5), 0, 1)


@user_boundary
def ultra_fast_sigmoid(x: Any) -> Variable:
    """Theano's sigmoid of quotients and straight lines, within 0.03 of the true one."""
    half = multiply(0.5, as_tensor(x))
    z = absolute(half)
    # Bounded, so that the branch that is not looked at has a derivative too.
    near = true_divide(multiply(1.5, z), add(1, z))
    far = add(0.935409070603099, multiply(0.0458812946797165, subtract(minimum(z, 3), 1.7)))
    curve = where(less(z, 1.7), near, where(less(z, 3), far, 0.99505475368673))
    result: Variable = multiply(0.5, add(1, multiply(sign(half), curve)))
    return result


__all__ = [
    "elu", "gelu", "hard_sigmoid", "leaky_relu", "mish", "relu", "selu", "sigmoid", "silu", "softplus", "softsign",
    "swish", "ultra_fast_sigmoid",
]  # fmt: skip
