"""Compiling ahead of time: programs put into the cache, so that later processes find them there."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.codegen.c import emit
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.function import function
from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.lower import lower
from graphlab.runtime.build import build

Signature = Sequence[Any]


@dataclass(frozen=True)
class Program:
    """A program that is now in the cache: of which function, whether it was there before, its bytes, and how long
    it took to see to that. `general`: it is the one without assumptions about extents.
    """

    function: str
    general: bool
    key: str
    cached: bool
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Precompiled:
    """What `precompile` put into the cache, or found there."""

    programs: tuple[Program, ...]

    def __str__(self) -> str:
        lines = []
        for p in self.programs:
            how = "was there" if p.cached else f"built in {p.seconds:.2f} s"
            lines.append(f"{p.function}{' (general)' * p.general}: {p.bytes / 1024:.0f} KiB, {how}")
        return "\n".join(lines) or "nothing to compile"


@user_boundary
def precompile(what: Function | Sequence[Function] | Callable[..., Any], *signatures: Signature,
               **how: Any) -> Precompiled:  # fmt: skip
    """Put the programs of `what` into the cache: later processes that build the same need no C compiler.

    `what` is a compiled function, or several, or a Python function from variables to outputs, which is compiled for
    each of `signatures`: sequences of types such as "float64[?,3]", TensorTypes, Variables or example arrays; `how`
    goes to `graphlab.function`. Besides the program of a function this builds the general one, which runs where extents
    that the first takes to be equal are not. GraphValueError where NumPy runs the function, CompilerError where it
    can't be compiled.

    >>> import graphlab, graphlab.tensor as T
    >>> found = graphlab.precompile(lambda x, y: x @ y, ["float64[?,?]", "float64[?]"], ["float32[?,?]", "float32[?]"])
    >>> len(found.programs)
    2
    """
    if isinstance(what, Function):
        functions = [what]
    elif callable(what):
        functions = [_compiled(what, signature, how) for signature in signatures]
    else:
        functions = list(what)
    if not functions or (signatures and not callable(what)) or (signatures and isinstance(what, Function)):
        raise GraphTypeError(
            "precompile takes compiled functions, or a Python function and its signatures", origin=caller_origin(),
            hint='precompile(f), or precompile(lambda x: x * 2, ["float64[?]"])',
        )  # fmt: skip
    return Precompiled(tuple(p for f in functions for p in programs(f)))


def programs(f: Function) -> list[Program]:
    """The programs of `f`, each built if it is not in the cache."""
    if f.lowered is None:
        raise GraphValueError(f"{f.name} has no program: NumPy runs it in mode {f.mode.name!r}", origin=caller_origin(),
                              hint='compile it with mode="fast_run"')  # fmt: skip
    texts = {f.c_source: False}
    texts.setdefault(emit(lower(f.optimized, general=True).program).text, True)
    made = []
    for text, general in texts.items():
        began = time.perf_counter()
        built = build(text)
        seconds = time.perf_counter() - began
        made.append(Program(f.name, general, built.key, built.cached, built.path.stat().st_size, seconds))
    return made


def _compiled(make: Callable[..., Any], signature: Signature, how: dict[str, Any]) -> Function:
    names = [n for n, p in inspect.signature(make).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if isinstance(signature, str | TensorType | Variable | np.ndarray):
        raise GraphTypeError(f"a signature is a sequence of types, got {signature!r:.60}", origin=caller_origin(),
                             hint='one type for each argument: ["float64[?]"]')  # fmt: skip
    types = [_type(given) for given in signature]
    inputs = [Variable(t, names[k] if k < len(names) else None) for k, t in enumerate(types)]
    shown = ", ".join(map(str, types))
    return function(inputs, make(*inputs), **{"name": f"{getattr(make, '__name__', 'function')}({shown})", **how})


def _type(given: Any) -> TensorType:
    """The type that `given` is, names or is an example of; of an example's extents only the number counts."""
    if isinstance(given, TensorType):
        return given
    if isinstance(given, Variable):
        return given.type
    try:
        if isinstance(given, str):
            return TensorType.parse(given)
        example = np.asarray(given)
        return TensorType.parse(f"{example.dtype}[{','.join('?' * example.ndim)}]")
    except (GraphTypeError, ValueError, TypeError) as error:
        raise GraphTypeError(
            f"{given!r:.60} is no type: {error}", origin=caller_origin(),
            hint='write it as "float64[?,3]": the dtype, then for each axis its extent, or ? where a call decides',
        ) from None  # fmt: skip
