"""Expressions of the loop language as C: one small function for each class."""

from __future__ import annotations

import math
import re
from functools import singledispatch

import numpy as np

from graphlab.dtypes import COMPLEX, FLOAT, INTEGER
from graphlab.loops.ir import (
    Cast,
    Element,
    Expr,
    Formula,
    Literal,
    Load,
    Name,
)

C_TYPES = {
    "bool": "uint8_t", "float16": "_Float16", "float32": "float", "float64": "double",
    "complex64": "float _Complex", "complex128": "double _Complex",
} | {name: f"{name}_t" for name in INTEGER}  # fmt: skip


@singledispatch
def c_expr(e: Expr) -> str:
    """`e` in C; TypeError for what is no expression.

    >>> c_expr(Formula("{0} * {1}", (Name("x1"), Literal(-2, "int64")), "int64"))
    'x1 * (-2)'
    """
    raise TypeError(f"no C for {type(e).__name__}")


@c_expr.register
def _(e: Name) -> str:
    return e.text


@c_expr.register
def _(e: Literal) -> str:
    if e.dtype in COMPLEX:
        part = "float32" if e.dtype == "complex64" else "float64"
        value = complex(e.value)
        return f"__builtin_complex({c_float(value.real, part)}, {c_float(value.imag, part)})"
    assert not isinstance(e.value, complex), "a complex number has a complex dtype"
    return c_float(float(e.value), e.dtype) if e.dtype in FLOAT else c_integer(int(e.value), e.dtype)


@c_expr.register
def _(e: Load) -> str:
    where = c_expr(e.pointer) if is_zero(e.offset) else f"({c_expr(e.pointer)} + {c_expr(e.offset)})"
    return f"*(const {C_TYPES[e.dtype]} *){where}"


@c_expr.register
def _(e: Element) -> str:
    return f"{c_expr(e.array)}[{c_expr(e.index)}]"


@c_expr.register
def _(e: Formula) -> str:
    return e.template.format(*map(c_operand, e.arguments))


@c_expr.register
def _(e: Cast) -> str:
    value = c_operand(e.value)
    if e.dtype == "bool":
        return f"({value} != 0)"
    if e.dtype in INTEGER and e.source in FLOAT:
        return f"gl_truncate_{e.dtype}({value})"
    if e.source == "bool" and e.dtype in ("float32", "float64"):  # compilers make vectors of this, and not of a cast
        return f"({value} ? {c_float(1.0, e.dtype)} : {c_float(0.0, e.dtype)})"
    return f"({C_TYPES[e.dtype]}){value}"


def c_operand(e: Expr) -> str:
    """`e` as an operand: in parentheses where a sign or an operator would bind wrongly."""
    if isinstance(e, Name):  # nearly all are
        return e.text
    text = c_expr(e)
    return f"({text})" if text.startswith("-") or (isinstance(e, Formula) and not _is_primary(text)) else text


def c_value(e: Expr) -> str:
    """`e` as the whole of a right-hand side: without parentheses around it."""
    text = c_expr(e)
    return text[1:-1] if text.startswith("(") and _closing(text) == len(text) - 1 else text


def _is_primary(text: str) -> bool:
    """Whether `text` is a call, or in parentheses already."""
    head = re.match(r"\w*(?=\()", text)
    return head is not None and _closing(text[head.end() :]) == len(text) - head.end() - 1


def _closing(text: str) -> int:
    """Where the parenthesis that opens `text` is closed."""
    depth = 0
    for found in _PARENTHESES.finditer(text):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return -1


_PARENTHESES = re.compile(r"[()]")


def c_float(value: float, dtype: str) -> str:
    """A floating number in C: the shortest digits that give exactly this number."""
    suffix = "f" if dtype in ("float16", "float32") else ""
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}__builtin_inf{suffix}()"
    return (str(np.float32(value)) if suffix else repr(value)) + suffix


def c_integer(value: int, dtype: str) -> str:
    """An integer in C; the least int64 can't be written directly."""
    if value == -(2**63):
        return "(-9223372036854775807LL - 1)"
    suffix = "U" if dtype in ("uint32", "uint64") and value > 2**31 - 1 else ""
    return f"{value}{suffix}{'LL' if abs(value) > 2**31 - 1 else ''}"


def is_zero(e: Expr) -> bool:
    """Whether `e` is the number 0."""
    return isinstance(e, Literal) and e.value == 0
