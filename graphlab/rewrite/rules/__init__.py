"""The rules, a table for each family; FAMILIES holds them in the order in which they are tried and documented."""

from graphlab.rewrite.rule import AnyRule
from graphlab.rewrite.rules.arithmetic import IDENTITIES, NEGATIONS, PARTS, POWERS
from graphlab.rewrite.rules.casts import CASTS
from graphlab.rewrite.rules.economies import ARITHMETIC_ONCE
from graphlab.rewrite.rules.fold import FOLD
from graphlab.rewrite.rules.indexing import INDEXING, INDEXING_ONCE
from graphlab.rewrite.rules.linear_algebra import LINEAR_ALGEBRA, LOGARITHMS
from graphlab.rewrite.rules.logic import BITS, CHECKS, CHOICES, COMPARISONS, EXTREMES, LOGIC
from graphlab.rewrite.rules.products import OUTER, PRODUCTS
from graphlab.rewrite.rules.reductions import REDUCTIONS, REDUCTIONS_ONCE
from graphlab.rewrite.rules.regroup import REGROUPINGS
from graphlab.rewrite.rules.shapes import SHAPES
from graphlab.rewrite.rules.softmax import DERIVATIVES as SOFTMAX_DERIVATIVES
from graphlab.rewrite.rules.softmax import VALUES as SOFTMAX
from graphlab.rewrite.rules.special import SPECIAL, SPECIAL_ONCE
from graphlab.rewrite.rules.stable import DERIVATIVES, ERRORS, EXPONENTIALS, ROOTS, STEPS
from graphlab.rewrite.rules.updates import JOINS, UPDATES

CANONICAL_FAMILIES: tuple[tuple[str, tuple[AnyRule, ...]], ...] = (
    ("Identities", IDENTITIES),
    ("Negation and absolute value", NEGATIONS),
    ("Powers and divisions", POWERS),
    ("Constants brought together", REGROUPINGS),
    ("Parts of complex numbers", PARTS),
    ("Comparison", COMPARISONS),
    ("Logic", LOGIC),
    ("Bits", BITS),
    ("Larger and smaller", EXTREMES),
    ("Choice", CHOICES),
    ("Casts", CASTS),
    ("Shapes", SHAPES),
    ("Indexing", INDEXING),
    ("Updates of parts", UPDATES),
    ("Joins", JOINS),
    ("Reductions", REDUCTIONS),
    ("Products without a sum", OUTER),
    ("Checks", CHECKS),
)
# What they replace may have other users: they fire only where fewer operations are left.
PAYING_FAMILIES: tuple[tuple[str, tuple[AnyRule, ...]], ...] = (
    ("Arithmetic and logic, where it pays", ARITHMETIC_ONCE),
    ("Indexing, where it pays", INDEXING_ONCE),
    ("Reductions, where it pays", REDUCTIONS_ONCE),
    ("Products of matrices, where it pays", PRODUCTS),
    ("Linear algebra, where it pays", LINEAR_ALGEBRA),
    ("Only with `fast_math`, where it pays", SPECIAL_ONCE),
)
FAMILIES: tuple[tuple[str, tuple[AnyRule, ...]], ...] = (
    ("Constants", FOLD),
    *CANONICAL_FAMILIES,
    ("Stable forms of exponentials and logarithms", EXPONENTIALS),
    ("Stable forms of sigmoid, softplus and hyperbolic functions", STEPS),
    ("Stable forms of roots and quotients", ROOTS),
    ("Stable forms of the error function and its kin", ERRORS),
    ("Stable forms of softmax and sums of exponentials", SOFTMAX),
    ("Stable derivatives of naive forms", DERIVATIVES),
    ("Stable derivatives of naive forms of softmax", SOFTMAX_DERIVATIVES),
    ("Stable logarithms of products", LOGARITHMS),
    *PAYING_FAMILIES,
    ("Only with `fast_math`", SPECIAL),
)

CANONICAL: tuple[AnyRule, ...] = tuple(rule for _, family in CANONICAL_FAMILIES for rule in family)
STABLE: tuple[AnyRule, ...] = (
    *EXPONENTIALS, *STEPS, *ROOTS, *ERRORS, *SOFTMAX, *DERIVATIVES, *SOFTMAX_DERIVATIVES, *LOGARITHMS,
)  # fmt: skip
PAYING: tuple[AnyRule, ...] = tuple(rule for _, family in PAYING_FAMILIES for rule in family)
RULES: tuple[AnyRule, ...] = (*FOLD, *CANONICAL, *STABLE, *PAYING, *SPECIAL)

__all__ = ["CANONICAL", "FAMILIES", "FOLD", "PAYING", "RULES", "SPECIAL", "STABLE"]
