"""Planting: an expression on which a rule fires, made of what a random graph already has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import graphlab.tensor as T
from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.ops.base import Op
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rule import AnyRule, NodeRule, Rule
from graphlab.rewrite.trials import OP_EXAMPLES

from .draw import REFUSED, Draft
from .situations import Planted, Situation

TRIES = 12
Tried = tuple[list[Variable], Variable]  # what stands for the wildcards, and the expression

UNKNOWN = 3  # the extent that a value has where an example leaves it open
# What is made of one wildcard to stand for another beside it; the shape stays.
BESIDE = (T.tanh, lambda x: x * 0.5, T.sin, lambda x: 1 + x, lambda x: x)
BESIDE_INTEGER = (lambda x: x * 3, lambda x: x - 1, lambda x: x, lambda x: x ^ 5, lambda x: x // 3, lambda x: x & 6)


def plant(d: Draft, rule: Planted) -> Variable | None:
    """An expression of `d` on which `rule` fires by itself, or a situation as it is; None if none was found."""
    for _ in range(TRIES):
        try:
            operands, made = _equation(d, rule) if isinstance(rule, Rule) else _example(d, rule)
            fires = isinstance(rule, Situation) or _fires(rule, operands, made)
        except REFUSED:
            continue
        if fires and d.add(lambda made=made: made, pooled=not d.plain) is not None:
            if d.plain:  # what it gives may be 0, so others get something positive made of it
                d.add(lambda made=made: 0.5 + T.tanh(abs(made)))
            return made
    return None


def _fires(rule: AnyRule, operands: list[Variable], made: Variable) -> bool:
    return apply_rules(Graph(tuple(dict.fromkeys(operands)), (made,)), [rule], strict=True).outputs[0] is not made


# ---- equations -----------------------------------------------------------------------------------


def _equation(d: Draft, rule: Rule) -> Tried:
    """`find` of the rule, with variables of the draft, constants and ops in place of its wildcards."""
    row = d.choose([r for r in rule.dtype_rows() if "float16" not in r.values()] or list(rule.dtype_rows()))
    given: dict[str, Any] = {n: _op(d, kind) for n, kind in rule.ops.items()}
    for name, values in rule.constants.items():
        given[name] = Constant(np.asarray(d.choose(values)).astype(row[name]))
    first: Variable | None = None
    for name in (n for n in rule.wildcards if n not in given):
        if rule.shapes:
            given[name] = of_type(d, TensorType(row[name], rule.shapes.get(name, ())))
        elif first is None:
            first = given[name] = _matrix(d, row[name]) if rule.ops else converted(d, d.recent(), row[name])
        else:
            given[name] = _companion(d, first, row[name])
    return [v for v in given.values() if isinstance(v, Variable) and not isinstance(v, Constant)], rule.find(**given)


def _op(d: Draft, kind: type[Op]) -> Op:
    chosen: Op = d.choose(OP_EXAMPLES[kind])
    return chosen


def _matrix(d: Draft, dtype: str) -> Variable:
    """A matrix, for the ops of the examples are for such."""
    there = [v for v in d.pool if v.ndim == 2]
    return converted(d, d.choose(there), dtype) if there and d.chance(0.8) else d.add_input(dtype, (2, 3))


def _companion(d: Draft, first: Variable, dtype: str) -> Variable:
    """A variable that broadcasts with `first`: made of it, a scalar, of the pool, or a new input like it."""
    k = d.rng.random()
    if k < 0.5:
        ways = BESIDE if first.dtype[0] in "fc" else BESIDE_INTEGER if first.dtype[0] in "iu" else (lambda x: x,)
        return converted(d, d.choose(ways)(first), dtype)
    if k < 0.65:
        return d.add_input(dtype, (), role="" if dtype[0] in "fc" or d.plain else "index")
    if k < 0.85:
        return converted(d, d.recent(), dtype)
    shape = d.value(first).shape
    return d.add_input(dtype, shape, shape if first.type.shape == shape else None)


def converted(d: Draft, v: Variable, dtype: str) -> Variable:
    """`v` in `dtype`."""
    if v.dtype == dtype:
        return v
    if v.dtype[0] == "c" and dtype[0] != "c":
        v = v.real
    if dtype == "bool":  # a comparison, or what no rule of comparisons takes
        return v > 0 if d.chance(0.5) else d.add_input("bool", d.value(v).shape)
    if dtype[0] == "u" and v.dtype[0] == "f":
        v = abs(v)
    return v.astype(dtype)


# ---- examples ------------------------------------------------------------------------------------


def _example(d: Draft, rule: NodeRule | Situation) -> Tried:
    """One of the rule's examples, with variables of the draft for its own."""
    example = d.choose(rule.examples)
    operands = {name: of_type(d, t) for name, t in example.types.items()}
    return list(operands.values()), example.build(**operands)


def of_type(d: Draft, t: TensorType) -> Variable:
    """A variable of type `t`: a new input, or one of the pool made so."""
    shape = tuple(UNKNOWN if n is None else n for n in t.shape)
    if t.dtype[0] in "iu":
        return d.add_input(t.dtype, shape, t.shape, role="index" if d.chance(0.8) else "")
    if t.dtype[0] == "f" and len(shape) > 1 and shape[-1] == shape[-2] and d.chance(0.6):
        return d.add_input(t.dtype, shape, t.shape, role="matrix")
    source = d.recent()
    if d.chance(0.4) or not d.value(source).size:
        return d.add_input(t.dtype, shape, t.shape)
    return _shaped(d, converted(d, source, t.dtype), shape, t.shape)


def _shaped(d: Draft, v: Variable, shape: tuple[int, ...], static: Sequence[int | None]) -> Variable:
    """The elements of `v`, again and again, in `shape`; the graph knows all of its extents."""
    if d.value(v).shape == shape and all(n is None or n == k for n, k in zip(static, v.type.shape, strict=True)):
        return v
    at = np.arange(math.prod(shape)) % d.value(v).size
    return v.flatten()[at].reshape(shape)
