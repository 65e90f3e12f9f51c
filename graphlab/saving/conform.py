"""Whether a value from a file is of the type that a field is declared with."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin


def conforms(value: Any, hint: Any) -> bool:
    """Whether `value` is of type `hint`; a bool is no int here, and an int may stand for a float.

    >>> conforms((1, None), tuple[int | None, ...]), conforms(True, int), conforms("x", float | None)
    (True, False, False)
    """
    kind, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint is None:
        return value is None
    if kind in (Union, UnionType):
        return any(conforms(value, part) for part in parts)
    if kind is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if kind is tuple:
        return isinstance(value, tuple) and _items_conform(value, parts)
    if kind is frozenset:
        return isinstance(value, frozenset) and all(conforms(v, parts[0]) for v in value)
    if hint is float:
        return type(value) in (float, int)
    if hint in (int, bool, str, NoneType):
        return type(value) is hint
    return isinstance(hint, type) and isinstance(value, hint)


def _items_conform(items: tuple[Any, ...], hints: tuple[Any, ...]) -> bool:
    if len(hints) == 2 and hints[1] is ...:
        return all(conforms(v, hints[0]) for v in items)
    return len(items) == len(hints) and all(conforms(v, h) for v, h in zip(items, hints, strict=True))
