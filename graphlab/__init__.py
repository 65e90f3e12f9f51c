"""graphlab: a symbolic array compiler that one can see through.

>>> import graphlab, graphlab.tensor as T
>>> x = T.dvector("x")
>>> f = graphlab.function([x], 2 * x + x**3)
>>> f([1.0, 2.0])
array([ 3., 12.])
"""

from __future__ import annotations

from typing import Any

from graphlab.arguments import In, Out
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError
from graphlab.function import Function, evaluate, function
from graphlab.graph.node import Shared, Variable
from graphlab.graph.text import debugprint, latex, maths, prefix
from graphlab.interpret import interpret
from graphlab.ops import operators
from graphlab.options import options, set_default, using
from graphlab.rewrite.pipeline import optimize
from graphlab.viz import methods

__version__ = "0.1.0"

shared = Shared


def debug(f: Function, *args: Any, **kwargs: Any) -> Session:
    """A session that steps through `f(*args)`, standing before the first step."""
    return Session(f, args, kwargs)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext graphlab`: the `%%symgraph` magic, with `T` at hand in its cells."""
    from graphlab import tensor  # IPython is imported only where it runs already
    from graphlab.viz import magic

    magic.load_ipython_extension(shell, {"T": tensor})


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext graphlab`."""
    from graphlab.viz import magic

    magic.unload_ipython_extension(shell)


operators.install()
Variable.eval = evaluate  # type: ignore[method-assign, assignment]
Function.debug = debug
methods.install()

__all__ = [
    "Function", "GraphlabError", "In", "Out", "Session", "Shared", "Variable", "debug", "debugprint", "function",
    "interpret", "latex", "maths", "optimize", "options", "prefix", "set_default", "shared", "using",
]  # fmt: skip
