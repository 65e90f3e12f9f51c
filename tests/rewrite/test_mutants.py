"""Wrong rules made from right ones, one change each: the check must tell nearly all of them from rules that hold."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import graphlab.tensor as T
from graphlab.dtypes import INTEGER
from graphlab.graph.node import Variable
from graphlab.rewrite.check import check
from graphlab.rewrite.rule import FLOAT, Rule
from graphlab.rewrite.rules import RULES
from graphlab.rewrite.rules.regroup import is_exact_difference, is_exact_sum, joins_small

# Guards of which a rule is not wrong without: of cost, and of an accuracy beyond what the check asks for.
FINER = (joins_small, is_exact_sum, is_exact_difference)
EQUATIONS = [r for r in RULES if isinstance(r, Rule)]


def off_by_one(rule: Rule) -> Rule:
    """The right side, and one more (or its contrary)."""

    def make(*args: Any, **kwargs: Any) -> Variable:
        right = rule.make(*args, **kwargs)
        return T.logical_not(right) if right.dtype == "bool" else right + 1

    make.__signature__ = rule_signature(rule)  # type: ignore[attr-defined]
    return replace(rule, name=f"{rule.name}, and one more", make=make)


def other_sign(rule: Rule) -> Rule:
    """The right side with the other sign."""

    def make(*args: Any, **kwargs: Any) -> Variable:
        right = rule.make(*args, **kwargs)
        return T.logical_not(right) if right.dtype == "bool" else 0 - right

    make.__signature__ = rule_signature(rule)  # type: ignore[attr-defined]
    return replace(rule, name=f"{rule.name}, with the other sign", make=make)


def rule_signature(rule: Rule) -> inspect.Signature:
    """A rule asks its right side for its parameters."""
    return inspect.signature(rule.make)


def mutants() -> Iterator[Rule]:
    """Rules of which each is wrong."""
    for rule in EQUATIONS:
        yield off_by_one(rule)
        yield other_sign(rule)
        if rule.when is not None and rule.when not in FINER:
            more = (3, 7, -3, 1e200, 1e-200) if rule.on == FLOAT else (3, 7, 100)
            others = {name: (*values, *more) for name, values in rule.constants.items()}
            yield replace(rule, name=f"{rule.name}, without its guard", when=None, constants=others)
        if rule.on == INTEGER:
            yield replace(rule, name=f"{rule.name}, for floats", on=FLOAT)


def test_nearly_all_wrong_rules_are_caught() -> None:
    wrong = list(mutants())
    survivors = [rule.name for rule in wrong if check(rule) == []]
    assert len(wrong) > 150
    assert len(survivors) <= 0.05 * len(wrong), survivors
    assert not [name for name in survivors if "one more" in name or "other sign" in name or "for floats" in name]
