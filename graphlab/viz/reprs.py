"""How functions, sessions and variables show themselves in a notebook: by what needs no trust."""

from __future__ import annotations

from typing import Any

from graphlab.callable import Function
from graphlab.debug.session import Session
from graphlab.graph.node import Constant, Graph, Shared, Variable
from graphlab.graph.text import latex, maths
from graphlab.graph.walk import ancestors, free_inputs
from graphlab.viz.escape import clip, escape
from graphlab.viz.record import Expression, record
from graphlab.viz.views import Views, image, still
from graphlab.viz.widget import explore

FORMULA, DRAWN = 24, 300  # up to so many variables the formula is shown, up to so many the graph


def variable_bundle(variable: Variable) -> dict[str, str]:
    """A small expression as a formula, a larger one as its graph; always with its text."""
    bundle = {"text/plain": repr(variable)}
    if isinstance(variable, Constant | Shared) or variable.owner is None:
        return bundle
    size = len(ancestors([variable]))
    if size <= FORMULA:
        return {**bundle, "text/latex": f"$\\displaystyle {latex(variable)}$"}
    if size <= DRAWN:
        graph = Graph(tuple(free_inputs([variable])), (variable,))
        trace = record(Expression(graph, variable.name or "expression"))
        return {
            **bundle,
            "text/html": image(Views(trace).document("before"), escape(clip(maths(variable), 300))),
        }
    return bundle


def function_bundle(function: Function) -> dict[str, str]:
    """A function as the image of its graphs, before and after; a very large one as text alone."""
    if len(ancestors(function.graph.outputs)) > DRAWN:
        return {"text/plain": repr(function)}
    return still(function, Views(record(function)))


def session_bundle(session: Session) -> Any:
    """A session as an explorer opened at the stepper."""
    return explore(session.function, session, "step")._repr_mimebundle_()


def session_display(session: Session) -> None:
    """A session as an explorer opened at the stepper, with its picture."""
    explore(session.function, session, "step")._ipython_display_()
