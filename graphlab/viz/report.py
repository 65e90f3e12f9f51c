"""Exports: a picture, a page that needs nothing but itself, the trace as JSON, or the graph as DOT."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphlab.callable import Function
from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph.collector import uncollected
from graphlab.viz import asking, digits, dot, timeline, whys
from graphlab.viz.escape import escape
from graphlab.viz.instructions import assembly
from graphlab.viz.layout import PATIENCE
from graphlab.viz.listing import listings
from graphlab.viz.page import page
from graphlab.viz.record import Recorder
from graphlab.viz.seen import held
from graphlab.viz.stepping import Stepping
from graphlab.viz.truncate import truncated
from graphlab.viz.views import SHOWS, VIEWS, Views

FORMATS = (".svg", ".html", ".json", ".dot", ".png", ".pdf")
THROUGH_DOT = (".png", ".pdf")
PARTS = ("graph", "rewrites", "values", "code", "profile", "assembly")
OF_CALLS = ("values", "profile")
ASKED_FOR = ("profile", "assembly")  # what takes its time, or is of this machine
LONG = 100_000  # characters of C that take their time to be coloured
REWRITES = 200  # a page holds the pictures of no more rewrites
MOMENTS = 2_000_000  # characters of pictures of the graph between rewrites in a page
DIGITS = 1 << 22  # bytes of values of a run that is run again in a wider format
DRAWN = 4000  # nodes of a trace of which such pictures are drawn
FOLDED = 60  # and up to so many in which a group is opened or closed; if there are more, none of them


@user_boundary
def report(
    function: Function,
    path: str | os.PathLike[str],
    args: Sequence[Any] | Mapping[str, Any] | None = None,
    show: str | int = "side-by-side",
    include: Sequence[str] | None = None,
) -> Path:
    """Write what there is to see of `function` to `path`; its ending says what: .svg, .html, .json, .dot, .png or .pdf.

    `args`, the arguments of a call (a sequence, or a mapping by name), are run step by step, and the
    page then holds their values: without it, none. `show` chooses the graphs of a picture: "before", "after",
    "difference", "side-by-side" (where dot draws: the difference), or a number: the graph after so many rewrites.
    Graphviz's dot draws .png and .pdf. `include` chooses the parts of a page, or of JSON: "graph", "rewrites", "code",
    "assembly", "values" and "profile", of which the last two need `args`; None is all but the profile and the assembly,
    and values where there are `args`. Files name no path, user, host or time, and the same function gives the same
    bytes - unless `include` has "profile", which times a call. Returns the path; GraphValueError for an unknown ending,
    `show` or part, for values or a profile without `args`, and where dot is needed and not found.
    """
    target = Path(path)
    most = len(function.trace.rewrites)
    counts = isinstance(show, int) and not isinstance(show, bool) and 0 <= show <= most
    if target.suffix not in FORMATS or not (show in SHOWS or counts):
        what = f"show={show!r}" if target.suffix in FORMATS else f"the ending of {target.name!r}"
        raise GraphValueError(
            f"report: {what} is unknown",
            origin=caller_origin(),
            hint=f"{', '.join(FORMATS)}; {', '.join(SHOWS)}, or a number of rewrites up to {most}",
        )
    parts = _parts(include, args is not None)
    recorder = Recorder(function)
    trace, answers = traced(function, recorder, args, parts, pages=target.suffix == ".html")
    views = Views(trace, moments=recorder.moment)
    try:
        target.write_bytes(contents(views, target.suffix, f"step-{show}" if counts else str(show), parts, answers))
    except dot.DotFailed as failure:
        raise GraphValueError(
            f"report: a {target.suffix} file needs Graphviz: {failure}",
            origin=caller_origin(),
            hint="install it (apt-get install graphviz), or write an .svg, which needs nothing",
        ) from None
    return target


def _parts(include: Sequence[str] | None, called: bool) -> tuple[str, ...]:
    """The parts of a report, in their order."""
    if include is None:
        return tuple(part for part in PARTS if part not in ASKED_FOR and (part not in OF_CALLS or called))
    if unknown := [what for what in include if what not in PARTS]:
        raise GraphValueError(f"report: include={unknown[0]!r} is unknown", origin=caller_origin(),
                              hint=f"include is a sequence of: {', '.join(PARTS)}")  # fmt: skip
    wanting = [part for part in OF_CALLS if part in include]
    if wanting and not called:
        what = "a profile needs a call" if wanting == ["profile"] else "values need a call"
        raise GraphValueError(f"report: {what}", origin=caller_origin(), hint="pass its args=[...]")
    return tuple(part for part in PARTS if part in include)


def traced(
    function: Function, recorder: Recorder, args: Sequence[Any] | Mapping[str, Any] | None, parts: Sequence[str],
    *, pages: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Those `parts` of the trace of `function`, of a run on `args`; and if `pages`, what only a kernel could answer."""
    given, named = ((), args or {}) if isinstance(args, Mapping | None) else (args, {})
    session = function.debug(*given, **named).finish() if "values" in parts else None
    profile = function.profile(*given, **named) if "profile" in parts else None
    trace = recorder.trace(session, False, profile)
    answers = held(recorder, session, trace["values"]) if session is not None and pages else {}
    if session is not None:
        stepping = Stepping(session, recorder)
        if origins := asking.origins(stepping):
            trace["origins"] = origins
        if pages and session.bytes <= DIGITS:
            answers[f"digits:{stepping.run}"] = digits.lost(stepping, "")
    if "rewrites" not in parts:
        trace |= {"rewrites": [], "passes": []}
    else:
        if session is not None:
            timeline.judge(trace, session)
        answers |= {"rules:all": timeline.rules(function), **whys.held(function, recorder)} if pages else {}
    if "code" not in parts:
        kernels = [{**kernel, "c": ""} for kernel in trace["kernels"]]
        trace |= {"kernels": kernels, "code": {"text": "", "lines": []}, "build": None}
    if "assembly" in parts and pages:
        names = [kernel["name"] for kernel in trace["kernels"]]
        answers |= {f"assembly:{name}": assembly(function, recorder, name) for name in names}
    return trace, answers


def contents(
    views: Views, suffix: str, show: str = "side-by-side", parts: Sequence[str] = PARTS,
    answers: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    """A report in the format that `suffix` names; DotFailed if that needs dot, and dot fails."""
    if suffix == ".svg":
        text = views.document(show)
    elif suffix == ".json":
        text = json.dumps(views.trace, indent=1, allow_nan=False) + "\n"
    elif suffix == ".html":
        text = html(views.trace, views, parts, answers or {})
    else:
        text = str(dot.digraph(views.placed("difference" if show == "side-by-side" else show)[0], labels=True).source)
        if suffix in THROUGH_DOT:
            return dot.drawn(text, suffix.removeprefix("."), PATIENCE)
    return text.encode()


@uncollected
def state(
    trace: Mapping[str, Any],
    views: Views,
    view: str = "graph",
    step: int = 0,
    session: Mapping[str, Any] | None = None,
    *,
    lazy: bool = False,
) -> dict[str, Any]:
    """What the explorer starts from: the same in a widget and in a page; if `lazy`, long code is asked for later."""
    # What there is to see first: what went wrong, else a result.
    ends = [told["node"] for told in reversed(trace["troubles"]) if told["node"]]
    ends += [node for node, _ in trace["graphs"]["after"]["outputs"]]
    return {
        "trace": truncated(trace),
        "pictures": {name: views.picture(name) for name in VIEWS},
        "legend": views.legend(),
        "listings": listings(trace) if len(trace["code"]["text"]) < LONG or not lazy else {},
        "view": view,
        "graph": "after" if view in ("step", "code", "value") else "before",
        "folds": "",
        "focus": ends[0] if ends else "",
        "step": step,
        "session": session or {},
        "error": "",
    }


def _moments(trace: Mapping[str, Any], views: Views) -> dict[str, str]:
    """The graph after each number of rewrites, at the ends of passes first, as long as there is room in a page."""
    if views.scene.moments is None or len(trace["nodes"]) > DRAWN:
        return {}
    most = len(trace["rewrites"])
    order = dict.fromkeys((0, *(each["last"] for each in trace["passes"]), *range(most + 1)))
    found, size = dict[str, str](), 0
    for count in order:
        found[f"step-{count}"] = views.picture(f"step-{count}")
        size += len(found[f"step-{count}"])
        if size > MOMENTS:
            break
    return found


def html(trace: Mapping[str, Any], views: Views, parts: Sequence[str], answers: Mapping[str, Any]) -> str:
    """One page that makes no request: the explorer over what the page itself holds, its `parts` and `answers`."""
    numbers = range(min(len(trace["rewrites"]), REWRITES))
    names = [f"rewrite-{k}-{side}" for k in numbers for side in ("before", "after")]
    view = "step" if trace["values"] else "graph"
    folded = [f"{view}:{toggle}" for view in VIEWS for toggle in views.toggles(view)] if "graph" in parts else []
    names += folded if len(folded) <= FOLDED else []
    pictures = {name: views.picture(name) for name in names} | (_moments(trace, views) if "graph" in parts else {})
    start = state(trace, views, view, len(trace["steps"]))
    if "graph" not in parts:
        start |= {"pictures": {}, "legend": ""}
    holds = _holds(parts)
    data = {
        "state": {**start, "parts": list(parts), "holds": holds},
        "answers": {**{f"picture:{name}": {"svg": drawn} for name, drawn in pictures.items()}, **answers},
    }
    otherwise = f"<p>{escape(trace['function']['expression'])}</p>{views.picture('after') if 'graph' in parts else ''}"
    return page(trace["function"]["name"], holds, "offline", data, otherwise)


def _holds(parts: Sequence[str]) -> str:
    """In words, what a page holds."""
    kept = ", ".join({"code": "C", "profile": "a profile"}.get(part, part) for part in parts if part != "values")
    if "values" in parts:
        return f"it holds the values of one run{f', and {kept}' if kept else ''}"
    return f"it holds no values{f', but {kept}' if kept else ''}"
