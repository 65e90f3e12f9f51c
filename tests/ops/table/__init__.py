"""One table of ops: for each how to build it, what NumPy or SciPy gives, and what it may be fed.

tests/ops/test_table.py generates its tests from here: types, values by interpreter and by compiled code,
gradients. A new op needs a line here, or a test fails.
"""

from __future__ import annotations

from tests.ops.table import algebra, arrays, control, elementwise, folds, network
from tests.ops.table.case import Array, Case
from tests.ops.table.elementwise import takes

__all__ = ["CASES", "Array", "Case", "takes"]

_FAMILIES = (
    elementwise.elementwise_cases,
    elementwise.conversion_cases,
    folds.reduction_cases,
    arrays.shape_cases,
    arrays.join_cases,
    arrays.index_cases,
    algebra.product_cases,
    network.network_cases,
    folds.ordering_cases,
    folds.cumulative_cases,
    arrays.rearrange_cases,
    arrays.grid_cases,
    algebra.linear_algebra_cases,
    algebra.equation_cases,
    algebra.norm_cases,
    algebra.contraction_cases,
    folds.comparison_cases,
    network.window_cases,
    control.control_cases,
)

CASES: tuple[Case, ...] = tuple(case for family in _FAMILIES for case in family())
