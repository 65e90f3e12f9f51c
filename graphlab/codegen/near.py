"""Functions that are vector code only where their argument is not huge: sin, cos and their like.

To reduce a huge argument by pi/2 takes so many digits of pi that every element would pay for it. So a vector loop over
such functions runs in strips, and looks at a strip's arguments first. If none is huge, which is nearly always, the
strip is vector code over the gl_near_... functions; else it is plain code over functions that ask at each element.
An element's value is the same either way.
"""

from __future__ import annotations

import re
from functools import cache

from graphlab.codegen.paste import pieces
from graphlab.loops.ir import Assign, Expr, For, Formula, Let, Name, Pointer
from graphlab.loops.walk import formulas, without_unused

STRIP = 512  # elements: what they are computed from stays in the first cache
FAR = Name("far")


@cache
def _calls() -> re.Pattern[str]:
    """A call of a function that has a gl_near_... form: its name, dtype and, in a template, its argument's number."""
    names = {name.removeprefix("gl_near_").rpartition("_")[0] for name in pieces() if name.startswith("gl_near_")}
    return re.compile(rf"\bgl_({'|'.join(sorted(names))})_(float32|float64)\((?:\{{(\d)\}}\))?")


def near(text: str) -> str:
    """`text` with the gl_near_... form of every such call.

    >>> near("const double v1 = gl_sin_float64(v0);")
    'const double v1 = gl_near_sin_float64(v0);'
    """
    return _calls().sub(lambda call: "gl_near_" + call[0].removeprefix("gl_"), text)


def watched(loop: For) -> dict[tuple[Expr, str], None]:
    """The arguments of such calls in `loop`, each with its dtype."""
    return {
        (e.arguments[int(call[3])], call[2]): None
        for e in formulas(loop.body)
        if isinstance(e, Formula)
        for call in _calls().finditer(e.template)
    }


def looks(loop: For) -> For:
    """The loop that sets `far` where one of these arguments is huge; it computes nothing that they don't need."""
    definitions = [s for s in loop.body if isinstance(s, Let | Pointer)]
    questions = [
        Assign(FAR, Formula(f"{{0}} | gl_is_far_{dtype}({{1}})", (FAR, argument), "uint8"))
        for argument, dtype in watched(loop)
    ]
    body = without_unused((*definitions, *questions))
    return For(loop.index, loop.start, loop.stop, body)
