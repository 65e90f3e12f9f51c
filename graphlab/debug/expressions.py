"""Expressions over the values of a session, such as "abs(x).max() > 1e3": a small part of Python, and nothing else.

They may come from a page in a browser, so they are not Python: names are those of values and of functions listed here,
attributes those of arrays listed here. What can be said is what NumPy computes without a side effect.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlab.errors import GraphValueError, caller_origin

Array = np.ndarray[Any, Any]
Lookup = Callable[[str], Any]

_REDUCTIONS = (
    "all any argmax argmin average count_nonzero cumsum diff dot linalg.norm max mean median min nanmax nanmean nanmin"
    " nanstd nansum percentile prod ptp quantile std sum var allclose array_equal isclose ravel reshape shape size ndim"
    " sort squeeze transpose where unique real imag round clip trace outer"
).split()
FUNCTIONS: dict[str, Any] = {
    **{name: f for name, f in vars(np).items() if isinstance(f, np.ufunc)},
    **{name: getattr(np, name) for name in _REDUCTIONS if "." not in name},
    **{name: getattr(builtins, name) for name in ("abs", "float", "int", "bool", "len")},
    "norm": np.linalg.norm, "nan": np.nan, "inf": np.inf, "pi": np.pi,
}  # fmt: skip
ATTRIBUTES = frozenset(
    "T all any argmax argmin clip conj cumsum dot dtype flatten imag item itemsize max mean min nbytes ndim prod ravel"
    " real reshape round shape size squeeze std strides sum trace transpose var kind name".split()
)
_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.Invert, ast.BinOp,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Call, ast.keyword, ast.Attribute, ast.Name,
    ast.Constant, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.IfExp, ast.Load,
)  # fmt: skip
LARGEST = 1000  # number that a power may have as its exponent
_BUILTINS = {"__import__": __import__}  # methods of arrays import parts of NumPy; expressions can't name it


class Unknown(LookupError):
    """A name of an expression has no value yet."""


@dataclass(frozen=True)
class Expression:
    """An expression: its `text`, and the `names` of values that it reads.

    A name that is none in Python, such as `h[t-1]`, is written v["h[t-1]"].
    """

    text: str
    names: tuple[str, ...] = field(compare=False)
    _code: Any = field(repr=False, compare=False)

    @staticmethod
    def of(text: str, known: Callable[[str], bool]) -> Expression:
        """The expression `text` over values of which there are those that are `known`.

        GraphValueError: it is no expression, uses what there is not, or something that is not allowed.
        """
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise _refused(text, f"it is no expression: {error.args[0]}") from None
        names: dict[str, None] = {}
        for node in ast.walk(tree):
            if not isinstance(node, _NODES):
                raise _refused(text, f"{type(node).__name__.lower()} is not allowed in it")
            if isinstance(node, ast.Attribute) and node.attr not in ATTRIBUTES and not _is_module(node):
                raise _refused(text, f".{node.attr} is not allowed in it")
            if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | complex | str | None):
                raise _refused(text, f"{node.value!r} is not allowed in it")
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not _is_small(node.right):
                raise _refused(text, "such powers are not allowed in it")
        for name in _values(tree):
            if known(name):
                names[name] = None
            elif name not in FUNCTIONS and name not in ("np", "v"):
                raise _refused(text, f"nothing is called {name!r}")
        return Expression(text, tuple(names), compile(tree, "<expression>", "eval"))

    def value(self, lookup: Lookup) -> Any:
        """Its value where `lookup` gives those of names, or raises Unknown; GraphValueError: NumPy refuses."""
        values: dict[str, Any] = {name: lookup(name) for name in self.names}
        scope = {**FUNCTIONS, "np": _Module(), "v": values, **values, "__builtins__": _BUILTINS}
        try:
            with np.errstate(all="ignore"):
                return eval(self._code, scope)
        except Exception as error:
            raise GraphValueError(f"{self.text!r} can't be computed: {error}", origin=caller_origin()) from None

    def holds(self, lookup: Lookup) -> bool:
        """Whether it is true, of an array: of any element."""
        return bool(np.any(self.value(lookup)))


class _Module:
    """What `np.` has in expressions."""

    def __getattr__(self, name: str) -> Any:
        return FUNCTIONS[name]


def _is_module(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in FUNCTIONS


def _is_small(exponent: ast.expr) -> bool:
    """Numbers of Python's have no limit: a power of a power may take for ever."""
    if isinstance(exponent, ast.UnaryOp):
        return _is_small(exponent.operand)
    if isinstance(exponent, ast.Constant):
        return isinstance(exponent.value, int | float) and abs(exponent.value) <= LARGEST
    return False


def _values(tree: ast.AST) -> list[str]:
    """The names that stand for values: plain ones, and those of v[...]."""
    found = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
    found += [
        n.slice.value for n in ast.walk(tree)
        if isinstance(n, ast.Subscript) and isinstance(n.value, ast.Name) and n.value.id == "v"
        and isinstance(n.slice, ast.Constant) and isinstance(n.slice.value, str)
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def _refused(text: str, why: str) -> GraphValueError:
    return GraphValueError(
        f"{text!r}: {why}", origin=caller_origin(), hint='an expression over named values, such as "abs(x).max() > 1e3"'
    )


def namespace(values: Mapping[str, Any]) -> Lookup:
    """A lookup in `values`."""

    def lookup(name: str) -> Any:
        if name not in values:
            raise Unknown(name)
        return values[name]

    return lookup
