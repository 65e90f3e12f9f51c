"""The rules, a table for each family; FAMILIES holds them in the order in which they are tried and documented."""

from graphlab.rewrite.rule import AnyRule
from graphlab.rewrite.rules.arithmetic import IDENTITIES, NEGATIONS, POWERS, REGROUPINGS
from graphlab.rewrite.rules.casts import CASTS
from graphlab.rewrite.rules.fold import FOLD
from graphlab.rewrite.rules.logic import CHECKS, LOGIC
from graphlab.rewrite.rules.reductions import REDUCTIONS
from graphlab.rewrite.rules.shapes import SHAPES
from graphlab.rewrite.rules.special import SPECIAL
from graphlab.rewrite.rules.stable import DERIVATIVES, VALUES

CANONICAL_FAMILIES: tuple[tuple[str, tuple[AnyRule, ...]], ...] = (
    ("Identities", IDENTITIES),
    ("Negation and absolute value", NEGATIONS),
    ("Powers and divisions", POWERS),
    ("Constants brought together", REGROUPINGS),
    ("Comparison, logic and choice", LOGIC),
    ("Casts", CASTS),
    ("Shapes", SHAPES),
    ("Reductions", REDUCTIONS),
    ("Checks", CHECKS),
)
FAMILIES: tuple[tuple[str, tuple[AnyRule, ...]], ...] = (
    ("Constants", FOLD),
    *CANONICAL_FAMILIES,
    ("Stable forms", VALUES),
    ("Stable derivatives of naive forms", DERIVATIVES),
    ("Only with `fast_math`", SPECIAL),
)

CANONICAL: tuple[AnyRule, ...] = tuple(rule for _, family in CANONICAL_FAMILIES for rule in family)
STABLE: tuple[AnyRule, ...] = (*VALUES, *DERIVATIVES)
RULES: tuple[AnyRule, ...] = (*FOLD, *CANONICAL, *STABLE, *SPECIAL)

__all__ = ["CANONICAL", "FAMILIES", "FOLD", "RULES", "SPECIAL", "STABLE"]
