"""Complex numbers by their angle: what is said with the parts, which elementwise.py holds."""

from __future__ import annotations

import math
from typing import Any

from graphlab.dtypes import COMPLEX
from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.elementwise import arctan2, complex_, cos, imag, multiply, real, sin
from graphlab.ops.join import as_tensor


@user_boundary
def angle(z: Any, deg: bool = False) -> Variable:
    """The angle of each element of `z` in (-pi, pi], or in degrees, as numpy.angle: pi for negative real numbers.

    Its derivative at 0 is nan.

    >>> angle([1j, -1.0]).eval().round(3)
    array([1.571, 3.142])
    """
    variable = as_tensor(z)
    result: Variable = arctan2(imag(variable), real(variable))
    return multiply(result, 180 / math.pi) if deg else result


@user_boundary
def complex_from_polar(modulus: Any, theta: Any) -> Variable:
    """The complex numbers modulus (cos theta + i sin theta), of real operands that broadcast.

    GraphTypeError: an operand is complex.

    >>> complex_from_polar(2.0, [0.0, 3.14159265]).eval().round(3)
    array([ 2.+0.j, -2.+0.j])
    """
    size, around = as_tensor(modulus), as_tensor(theta)
    if size.dtype in COMPLEX or around.dtype in COMPLEX:
        raise GraphTypeError(
            f"complex_from_polar: expected a real modulus and angle, got {size.type} and {around.type}",
            origin=caller_origin(),
        )
    made: Variable = complex_(multiply(size, cos(around)), multiply(size, sin(around)))
    return made
