"""How much work a kernel does for an element, roughly: whether threads are worth it is decided by that.

The unit is about 0.1 ns. Vector code on what is in a cache does five operations in that time, or reads half a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from graphlab.codegen.near import near
from graphlab.codegen.paste import LIBM, pieces, words
from graphlab.loops.ir import Cast, Element, Expr, For, Formula, If, Kernel, Load, Stmt, Store
from graphlab.loops.walk import expressions, formulas, inner, parts, walk

UNIT = 5  # operations
MOVED = 2 * UNIT  # a number read or written
DIVISION = 5
ELSEWHERE = 200 * UNIT  # a function of libm: one element at a time
FAR_AWAY = 500 * UNIT  # a function of SciPy's

_OPERATIONS = re.compile(r"[-+*&|^<>?]+|GL_FMAF?|[/%]|\b(\w+)\(")
_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)


def cost(kernel: Kernel) -> int:
    """The work for an element of the kernel's nest."""
    written = MOVED * kernel.nest.outputs if kernel.nest.beside else 0  # by Assign: no Store tells
    return max(1, round((written + _loops(kernel.body, bool(kernel.nest.reduce))) / UNIT))


def asks(kernel: Kernel) -> bool:
    """Whether it calls functions that may ask for Python's lock: SciPy's report errors so."""
    return any(_is_far(name) for e in formulas(kernel.body) if isinstance(e, Formula) for name in words(e.template))


@cache
def _is_far(name: str) -> bool:
    piece = pieces().get(name)
    used = words(piece.text) if piece else ()
    return name.startswith("gl_extern_") or any(_is_far(other) for other in used if other != name)


def _loops(body: Iterable[Stmt], in_blocks: bool) -> int:
    """Operations for an element that one run of `body` meets; `in_blocks`: other loops are over something else."""
    total = 0
    for s in body:
        if isinstance(s, If):
            total += max(_loops(block, in_blocks) for block in inner(s))
        elif isinstance(s, For) and (s.step > 1 or not in_blocks):
            loops = map(_each, _innermost(s))
            total += max(loops) if in_blocks else sum(loops)  # blocks: alternatives, for whole lanes and what is left
        elif isinstance(s, For):
            total += _loops(s.body, in_blocks)
    return total


def _innermost(loop: For) -> list[For]:
    inside = [s for s in walk(loop.body) if isinstance(s, For)]
    return [s for s in [loop, *inside] if not any(isinstance(other, For) for other in s.body)]


def _each(loop: For) -> int:
    moved = MOVED * sum(isinstance(s, Store) for s in walk(loop.body))
    return moved + sum(_expression(e) for s in walk(loop.body) for e in expressions(s))


def _expression(e: Expr) -> int:
    own = MOVED if isinstance(e, Load | Element) else 1 if isinstance(e, Cast) else 0
    if isinstance(e, Formula):
        own = _text(near(e.template))
    return own + (0 if isinstance(e, Load | Element) else sum(map(_expression, parts(e))))


def _text(text: str) -> int:
    total = 0
    for found in _OPERATIONS.finditer(text):
        name = found[1]
        total += _function(name) if name else DIVISION if found[0] in "/%" else 1
    return total


@cache
def _function(name: str) -> int:
    """The operations in a call of the function `name`."""
    if name in LIBM:
        return 1 if name.rstrip("f") in _ONE_INSTRUCTION else ELSEWHERE
    if name.startswith("gl_extern_"):
        return FAR_AWAY
    piece = pieces().get(name)
    return 1 if piece is None else _text(_COMMENTS.sub("", piece.text).partition("{")[2])


_ONE_INSTRUCTION = {"ceil", "copysign", "fab", "fabs", "floor", "fmax", "fmin", "rint", "sqrt", "trunc"}
