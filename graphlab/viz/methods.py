"""The methods that the glass gives to functions, sessions and variables.

What draws is imported when the first of them is called: `import graphlab` stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphlab.callable import Function
from graphlab.debug.profile import Profile
from graphlab.debug.record import Log
from graphlab.debug.session import Session
from graphlab.graph.node import Variable


def install() -> None:
    """Give them out: called once, by the package."""
    Variable._repr_mimebundle_ = variable_bundle  # type: ignore[attr-defined]
    Function._repr_mimebundle_ = function_bundle
    Session._repr_mimebundle_ = session_bundle  # type: ignore[attr-defined]
    Session._ipython_display_ = session_display  # type: ignore[attr-defined]
    Function.explore, Function.report = explore, report
    Log.plot, Log.explore, Log.report = plot, explore_log, report_log  # type: ignore[attr-defined]
    Log._repr_mimebundle_ = log_bundle  # type: ignore[attr-defined]


def explore(
    function: Function, session: Session | None = None, view: str = "graph", profile: Profile | None = None
) -> Any:
    """An explorer of the function for a notebook: its graphs, its rewrites, its C; the steps of a `session`.

    `view` is the tab: "rewrites", "graph", "inspect", "step", "value", "code", "profile" (of a `profile` from
    `f.profile(...)`) or "nodes"; ValueError otherwise.
    """
    from graphlab.viz import widget

    return widget.explore(function, session, view, profile)


def report(
    function: Function,
    path: str | os.PathLike[str],
    args: Sequence[Any] | Mapping[str, Any] | None = None,
    show: str | int = "side-by-side",
    include: Sequence[str] | None = None,
) -> Path:
    """Write what there is to see to `path`, whose ending says what: .svg, .html, .json, .dot, .png or .pdf; the path.

    `args`, the arguments of a call, are run step by step and the page then holds their values. `show` chooses
    the graphs of a picture: "before", "after", "difference", "side-by-side", or a number: the graph after so many
    rewrites. `include` chooses the parts of a page: "graph", "rewrites", "code", "assembly", and of a call "values" and
    "profile", where its time goes; None: all but the profile and the assembly, and values only with `args`.
    """
    from graphlab.viz import report as reports

    return reports.report(function, path, args, show, include)


def plot(log: Log, what: str | Variable, name: str = "mean") -> Any:
    """A Chart of one array over the recorded calls: an SVG for a notebook, and `save(path)`.

    `name`: "mean" (with the range from min to max), "std", "min", "max", "nan", "inf", "zero". Calls with NaN or
    infinities are marked. GraphValueError: there is no such array or name.
    """
    from graphlab.viz import chart

    return chart.chart(log[what], name)


def explore_log(log: Log) -> Any:
    """A widget for a notebook: each array over the calls, and what it was in the call that is picked."""
    from graphlab.viz import training

    return training.Training(log)


def report_log(log: Log, path: str | os.PathLike[str]) -> Path:
    """Write what `explore` shows as one page (.html), or its first charts as a picture (.svg); the path.

    Of arrays that were kept the page holds as many as 2 MB hold. GraphValueError: another ending.
    """
    from graphlab.viz import training

    return training.report(log, path)


def log_bundle(log: Log, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """A log for IPython: its first charts as an image."""
    from graphlab.viz import training

    return training.bundle_of(log)


def variable_bundle(variable: Variable, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """A variable for IPython: a formula or its graph."""
    from graphlab.viz import reprs

    return reprs.variable_bundle(variable)


def function_bundle(function: Function, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """A function for IPython: its graphs before and after."""
    from graphlab.viz import reprs

    return reprs.function_bundle(function)


def session_bundle(session: Session, include: Any = None, exclude: Any = None) -> Any:
    """A session for IPython: the explorer at its stepper."""
    from graphlab.viz import reprs

    return reprs.session_bundle(session)


def session_display(session: Session) -> None:
    """A session in a notebook: as its explorer shows itself; NotImplementedError elsewhere, where a bundle will do."""
    from graphlab.viz import reprs

    reprs.session_display(session)
