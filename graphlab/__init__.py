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
from graphlab.callable import Function
from graphlab.control.body import until
from graphlab.control.folds import foldl, foldr, map, reduce, while_loop
from graphlab.control.ifelse import ifelse
from graphlab.control.scan import scan
from graphlab.control.symbolic import symbolic
from graphlab.debug import kernels, questions
from graphlab.debug.mortem import post_mortem
from graphlab.debug.profile import Profiler
from graphlab.debug.record import record
from graphlab.debug.session import SETTINGS, Session
from graphlab.doctor import doctor
from graphlab.errors import GraphlabError, user_boundary
from graphlab.evaluate import evaluate
from graphlab.export import export_c
from graphlab.function import function
from graphlab.graph.node import Shared, Variable, name_scope
from graphlab.graph.text import debugprint, described, latex, maths, pp, prefix
from graphlab.graph.tools import ancestors, applies_of, clone_replace, inputs_of
from graphlab.interpret import interpret
from graphlab.ops import operators
from graphlab.ops.check import Assert, Print, check
from graphlab.options import options, set_default, using
from graphlab.precompile import Precompiled, precompile
from graphlab.random import RandomStream
from graphlab.rewrite.pipeline import Mode, Pass, mode, optimize
from graphlab.rewrite.rule import NodeRule, Rule
from graphlab.runtime.hardware import machine
from graphlab.runtime.memory import release_memory
from graphlab.runtime.threads import num_threads, set_num_threads
from graphlab.saving import pickling
from graphlab.saving.files import load, save
from graphlab.viz import methods
from graphlab.vmap import vmap

__version__ = "0.1.0"

shared = Shared


@user_boundary
def debug(f: Function, *args: Any, **kwargs: Any) -> Session:
    """A session that steps through `f(*args)`, standing before the first step.

    `break_on`, `budget` and `commit` are settings of the Session, unless `f` has inputs of these names; then give them
    to `graphlab.Session(f, args, inputs_by_name, budget=...)`.
    """
    inputs = {spec.label for spec in f.specs}
    settings = {name: kwargs.pop(name) for name in SETTINGS if name in kwargs and name not in inputs}
    return Session(f, args, kwargs, **settings)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext graphlab`: the magics `%%symgraph` and `%symdebug`, with `T` at hand in its cells."""
    from graphlab import tensor  # IPython is imported only where it runs already
    from graphlab.viz import magic

    magic.load_ipython_extension(shell, {"T": tensor})


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext graphlab`."""
    from graphlab.viz import magic

    magic.unload_ipython_extension(shell)


operators.install()
Variable.eval = evaluate  # type: ignore[method-assign, assignment]
Variable.__repr__ = described  # type: ignore[method-assign, assignment]
Function.debug = debug
Function.export_c = export_c
Function.profile = property(Profiler)
Function.kernels = property(kernels.kernels)
questions.install()
methods.install()
pickling.install()

__all__ = [
    "Assert", "Function", "GraphlabError", "In", "Mode", "NodeRule", "Out", "Pass", "Precompiled", "Print",
    "RandomStream", "Rule", "Session", "Shared", "Variable", "ancestors", "applies_of", "check", "clone_replace",
    "debug", "debugprint", "doctor", "foldl", "foldr", "function", "ifelse", "inputs_of", "interpret", "latex", "load",
    "machine", "map", "maths", "mode", "name_scope", "num_threads", "optimize", "options", "post_mortem", "pp",
    "precompile", "prefix", "record",
    "reduce", "release_memory", "save", "scan", "set_default", "set_num_threads", "shared", "symbolic", "until",
    "using", "vmap", "while_loop",
]  # fmt: skip
