"""Products of matrices with fewer operations: in another order, of smaller operands, or without a product."""

from __future__ import annotations

import numpy as np

from graphlab.dtypes import FLOAT, INTEGER
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.elementwise import (
    add,
    greater,
    isfinite,
    isnan,
    logical_and,
    multiply,
    negative,
    subtract,
    where,
)
from graphlab.ops.extents import BroadcastTo, broadcast_to, shape_vector
from graphlab.ops.grids import diag
from graphlab.ops.join import eye
from graphlab.ops.linalg import BLAS_DTYPES, MatMul, matmul
from graphlab.ops.matrix_functions import trace
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import expand_dims, squeeze, transpose
from graphlab.rewrite.facts import facts, may_drop, uniform_value
from graphlab.rewrite.rule import DOMAIN, EXACT, ROUNDING, AnyRule, NodeRule, example
from graphlab.rewrite.structure import Scaling, diagonal_of, diagonal_part, identity_extent, scaling


def made_by(v: Variable, op: object) -> tuple[Variable, ...]:
    """The operands of `op` if it makes `v`, else none."""
    return v.owner.inputs if v.owner is not None and v.owner.op == op else ()


# ---- without a product ---------------------------------------------------------------------------


def of_columns(node: Apply) -> Variable | None:
    """A column times a row: nothing is added up, so it can be computed where it is used."""
    a, b = node.inputs
    left = expand_dims(a, 0) if a.ndim == 1 else a
    right = expand_dims(b, 1) if b.ndim == 1 else b
    if facts(left).extents[-1] or facts(right).extents[-2] or a.dtype not in (*BLAS_DTYPES, *INTEGER):
        return None
    # A sum of products starts with 0.0, and 0.0 + -0.0 is 0.0.
    product: Variable = add(multiply(left, right), Constant(np.zeros((), a.dtype)))
    dropped = ((-2,) if a.ndim == 1 else ()) + ((-1,) if b.ndim == 1 else ())
    return squeeze(product, dropped) if dropped else product


def by_ones(node: Apply) -> Variable | None:
    """A vector of ones times a matrix is the sum of its rows; a matrix times ones that of its columns."""
    a, b = node.inputs
    for ones, other, axis, inner in ((a, b, -2, 0), (b, a, -1, -1)):
        if ones.ndim != 1 or not _is_ones(ones) or other.dtype not in BLAS_DTYPES:
            continue
        folded = other.ndim + axis if other.ndim > 1 else 0
        total: Variable = Sum((folded,))(other)
        if facts(other).extents[folded] == facts(ones).extents[inner] and may_drop(ones, total):
            return total
    return None


def _is_ones(v: Variable) -> bool:
    filled = v.owner.inputs[0] if v.owner is not None and isinstance(v.owner.op, BroadcastTo) else v
    return isinstance(filled, Constant) and uniform_value(filled) == 1


def by_identity(node: Apply) -> Variable | None:
    """The identity leaves matrices as they are."""
    a, b = node.inputs
    for unit, other, axis in ((a, b, -2 if b.ndim > 1 else -1), (b, a, -1)):
        if identity_extent(unit) == facts(other).extents[axis] and may_drop(unit, other):
            return other
    return None


def by_diagonal(node: Apply) -> Variable | None:
    """A diagonal matrix scales rows (from the left) or columns (from the right)."""
    a, b = node.inputs
    d = diagonal_of(a)
    if d is not None and facts(d).extents[0] == facts(b).extents[-2 if b.ndim > 1 else -1]:
        scaled: Variable = multiply(expand_dims(d, 1) if b.ndim > 1 else d, b)
        return scaled if may_drop(a, scaled) else None
    d = diagonal_of(b)
    if d is not None and facts(d).extents[0] == facts(a).extents[-1]:
        scaled = multiply(a, d)
        return scaled if may_drop(b, scaled) else None
    return None


def by_scaling(node: Apply) -> Variable | None:
    """The same with the nan that 0 * inf is: in what another row (or column) than its own is not finite in."""
    a, b = node.inputs
    for matrix, x, axis in ((a, b, -2 if b.ndim > 1 else -1), (b, a, -1)):
        found = scaling(matrix) if matrix.ndim == 2 and matrix.dtype == x.dtype in (*FLOAT, *INTEGER) else None
        if found is None or found.extent != facts(x).extents[axis]:
            continue
        if found.spoils and found.down is (matrix is a) and found.d is not None and found.d.ndim:
            continue
        product = _scaled(x, found, axis)
        return product if may_drop(matrix, product) else None
    return None


def _scaled(x: Variable, by: Scaling, axis: int) -> Variable:
    """`x` with `by` along `axis`; nan where another element along it makes 0 * inf or 0 * nan in the product."""
    d = by.d
    upright = (lambda v: expand_dims(v, 1)) if axis == -2 and d is not None and d.ndim else (lambda v: v)
    # A sum of products starts with 0.0, and 0.0 + -0.0 is 0.0.
    product: Variable = add(x if d is None else multiply(upright(d), x), Constant(np.zeros((), x.dtype)))
    if x.dtype in INTEGER:
        return product
    # Whether an element is finite is asked in two ways: as one answer it would be an array that two loops share.
    zero, fine = subtract(x, x), isfinite(x)
    if d is not None and by.spoils:
        zero, fine = multiply(zero, upright(d)), logical_and(fine, upright(isfinite(d)))
    none, one, nan = (Constant(np.asarray(value, x.dtype)) for value in (0, 1, np.nan))
    bad = Sum((x.ndim + axis,), True)(where(isnan(zero), one, none))
    chosen: Variable = where(greater(bad, where(fine, none, one)), nan, product)
    return chosen


# ---- the order of products and sums --------------------------------------------------------------


def of_negated(node: Apply) -> Variable | None:
    """(-A) B is -(A B), which is negated where it is used."""
    a, b = node.inputs
    (x,), (y,) = made_by(a, negative) or (None,), made_by(b, negative) or (None,)
    if a.dtype not in BLAS_DTYPES or (x is None and y is None):
        return None
    product = node.op(a if x is None else x, b if y is None else y)
    both = x is not None and y is not None
    return product if both else subtract(Constant(np.zeros((), a.dtype)), product)  # type: ignore[no-any-return]


def of_scaled(node: Apply) -> Variable | None:
    """(c A) B is c (A B) for a scalar c."""
    a, b = node.inputs
    for operands, other, first in ((made_by(a, multiply), b, True), (made_by(b, multiply), a, False)):
        for c, x in (operands, operands[::-1]) if operands else ():
            if c.ndim == 0 < x.ndim:
                scaled: Variable = multiply(c, node.op(x, other) if first else node.op(other, x))
                return scaled
    return None


def left_first(node: Apply) -> Variable | None:
    """A (B C) as (A B) C."""
    a, right = node.inputs
    b, c = made_by(right, node.op) or (None, None)
    if b is None or c is None or b.ndim != 2 or max(a.ndim, c.ndim) > 2:
        return None
    return node.op(node.op(a, b), c)  # type: ignore[no-any-return]


def right_first(node: Apply) -> Variable | None:
    """(A B) C as A (B C)."""
    left, c = node.inputs
    a, b = made_by(left, node.op) or (None, None)
    if a is None or b is None or b.ndim != 2 or max(a.ndim, c.ndim) > 2:
        return None
    return node.op(a, node.op(b, c))  # type: ignore[no-any-return]


def summed_first(node: Apply) -> Variable | None:
    """The sum over rows or columns of A B, from the sums of A and of B."""
    (product,), op = node.inputs, node.op
    assert isinstance(op, Sum)
    a, b = made_by(product, MatMul()) or (None, None)
    if a is None or b is None or a.ndim != 2 or b.ndim != 2 or op.keepdims:
        return None
    over = op.over(2)
    return matmul(Sum((0,))(a) if 0 in over else a, Sum((1,))(b) if 1 in over else b)


def trace_of_product(node: Apply) -> Variable | None:
    """The sum over the diagonal of A B, or the diagonal: only its own products are added up."""
    (masked,), op = node.inputs, node.op
    assert isinstance(op, Sum)
    product = diagonal_part(masked)
    if product is None or op.keepdims or op.over(2) not in ((1,), (0, 1)):
        return None
    a, b = made_by(product, MatMul()) or (None, None)
    if a is None or b is None or a.ndim != 2 or b.ndim != 2 or facts(masked).extents != facts(product).extents:
        return None
    if facts(a).extents[1] != facts(b).extents[0]:
        return None
    total: Variable = Sum(op.axes)(multiply(a, transpose(b)))
    return total


# ---- tables --------------------------------------------------------------------------------------

OUTER: tuple[AnyRule, ...] = (
    NodeRule("column @ row -> column * row + 0.0", EXACT, of_columns, (MatMul,),
             because="where the extents between them are known to be 1; it fuses with its neighbours",
             examples=(example(lambda x, y: matmul(x, y), x="float64[3,1]", y="float64[1,4]"),
                       example(lambda x, y: matmul(x, expand_dims(y, 0)), x="float32[2,3,1]", y="float32[4]"),
                       example(lambda x, y: matmul(expand_dims(x, 1), y), x="int64[3]", y="int64[1]"))),
)  # fmt: skip

CHAIN = "inf and nan meet other zeros, and products overflow elsewhere"

# What may have other users, and would then be computed all the same: for a pass that weighs the work.
PRODUCTS: tuple[AnyRule, ...] = (
    NodeRule("ones @ x -> sum(x, 0)", ROUNDING, by_ones, (MatMul,), because="and x @ ones; 1 * x is x",
             examples=(example(lambda x: matmul(np.ones(3), x), x="float64[3,4]"),
                       example(lambda x: matmul(x, np.ones(4, "float32")), x="float32[2,3,4]"),
                       example(lambda x: matmul(broadcast_to(1.0, shape_vector([3])), x), x="float64[3]"))),
    NodeRule("trace(x @ y) -> sum(x * y.T)", ROUNDING, trace_of_product, (Sum,),
             because="and the diagonal; the order in which a product of matrices adds is not told either",
             examples=(example(lambda x, y: trace(matmul(x, y)), x="float64[3,4]", y="float64[4,3]"),
                       example(lambda x: Sum((1,))(where(eye(3, dtype="bool"), matmul(x, x), 0.0)), x="float64[3,3]"))),
    NodeRule("(-x) @ y -> 0 - x @ y", EXACT, of_negated, (MatMul,),
             because="rounding is symmetric, and a sum of products starts with 0.0; also x @ -y and (-x) @ -y",
             examples=(example(lambda x, y: matmul(-x, y), x="float64[3,4]", y="float64[4]"),
                       example(lambda x, y: matmul(x, -y), x="float32[2,5]", y="float32[5,3]"),
                       example(lambda x, y: matmul(-x, -y), x="float64[3,4]", y="float64[4,2]"))),
    NodeRule("(c * x) @ y -> c * (x @ y)", DOMAIN, of_scaled, (MatMul,),
             because="for scalars c, where x @ y is smaller than x; x @ y may overflow where c * x is small",
             examples=(example(lambda c, x, y: matmul(c * x, y), c="float64[]", x="float64[3,4]", y="float64[4]"),
                       example(lambda c, x, y: matmul(x, y * c), c="float64[]", x="float64[3]", y="float64[3,4]"))),
    NodeRule("(x @ y) @ z -> x @ (y @ z)", DOMAIN, right_first, (MatMul,), because=CHAIN,
             examples=(example(lambda x, y, z: matmul(matmul(x, y), z), x="float64[4,3]", y="float64[3,4]",
                               z="float64[4]"),)),
    NodeRule("x @ (y @ z) -> (x @ y) @ z", DOMAIN, left_first, (MatMul,), because=CHAIN,
             examples=(example(lambda x, y, z: matmul(x, matmul(y, z)), x="float64[4]", y="float64[4,3]",
                               z="float64[3,4]"),)),
    NodeRule("sum(x @ y) -> sum(x, 0) @ sum(y, 1)", DOMAIN, summed_first, (Sum,), because=CHAIN,
             examples=(example(lambda x, y: Sum(None)(matmul(x, y)), x="float64[4,3]", y="float64[3,4]"),
                       example(lambda x, y: Sum((1,))(matmul(x, y)), x="float64[4,3]", y="float64[3,4]"))),
    NodeRule("eye @ x -> x", DOMAIN, by_identity, (MatMul,), because="0 * inf is nan; and x @ eye",
             examples=(example(lambda x: matmul(np.eye(3), x), x="float64[3,4]"),
                       example(lambda x: matmul(x, np.eye(4)), x="float64[3,4]"))),
    NodeRule("diag(d) @ x -> d * x", DOMAIN, by_diagonal, (MatMul,), because="0 * inf is nan; and x @ diag(d)",
             examples=(example(lambda d, x: matmul(diag(d), x), d="float64[3]", x="float64[3,4]"),
                       example(lambda d, x: matmul(x, diag(d)), d="float64[4]", x="float64[3,4]"))),
    NodeRule("diag(d) @ x -> where(nan elsewhere, nan, d * x)", EXACT, by_scaling, (MatMul,),
             because="nan where 0 * inf was added; also x @ diag(d), and with d * eye or eye, as in Jacobians",
             examples=(example(lambda d, x: matmul(diag(d), x), d="float64[9]", x="float64[9,4]"),
                       example(lambda d, x: matmul(x, d * eye(9, dtype="float32")), d="float32[9,1]", x="float32[3,9]"),
                       example(lambda d, x: matmul(eye(9) * d, x), d="float64[9]", x="float64[9]"),
                       example(lambda d, x: matmul(x, eye(9) * d), d="float64[]", x="float64[2,2,9]"),
                       example(lambda x: matmul(eye(9, dtype="int64"), x), x="int64[9,4]"))),
)  # fmt: skip
