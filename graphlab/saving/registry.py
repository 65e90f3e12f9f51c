"""The ops that graphlab has itself, by name: files name ops, and no other class is ever looked up."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from types import ModuleType
from typing import Any, get_args, get_type_hints

from graphlab import control, ops, vectorize
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Elementwise


def _modules() -> Iterator[ModuleType]:
    """The modules in which there are ops."""
    yield vectorize
    for package in (ops, control):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


@cache
def classes() -> dict[str, type[Op]]:
    """The classes of ops but Elementwise, each by its name, which no other has."""
    named: dict[str, type[Op]] = {}
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Op) and value.__module__ == module.__name__:
                if named.setdefault(value.__name__, value) is not value:
                    raise NameError(f"two classes of ops are called {value.__name__}")
    return {name: kind for name, kind in named.items() if kind is not Op and not issubclass(kind, Elementwise)}


@cache
def elementwise() -> dict[str, Elementwise]:
    """The elementwise ops by name."""
    named: dict[str, Elementwise] = {}
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, Elementwise) and named.setdefault(value.name, value) is not value:
                raise NameError(f"two elementwise ops are called {value.name}")
    return named


@cache
def records() -> dict[str, type[Any]]:
    """The dataclasses of which fields of ops are made, by their names: keys, slices, graphs, ..."""
    found: dict[str, type[Any]] = {}
    pending: list[Any] = [hint for kind in classes().values() for hint in field_types(kind).values()]
    while pending:
        hint = pending.pop()
        pending += get_args(hint)
        if isinstance(hint, type) and is_dataclass(hint) and found.setdefault(hint.__name__, hint) is hint:
            pending += (inner for inner in field_types(hint).values() if inner not in found.values())
    return found


_field_types: dict[type[Any], dict[str, Any]] = {}


def field_types(kind: type[Any]) -> dict[str, Any]:
    """The fields with which `kind` is made, and the types that they are declared with."""
    if kind not in _field_types:
        hints = get_type_hints(kind) if is_dataclass(kind) else {}
        _field_types[kind] = {f.name: hints[f.name] for f in fields(kind) if f.init} if hints else {}
    return _field_types[kind]
