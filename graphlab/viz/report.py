"""Exports: a picture, a page that needs nothing but itself, the trace as JSON, or the graph as DOT."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.function import Function
from graphlab.viz import bundle, dot
from graphlab.viz.escape import escape, script_json
from graphlab.viz.listing import listings
from graphlab.viz.record import record
from graphlab.viz.views import SHOWS, VIEWS, Views

FORMATS = (".svg", ".html", ".json", ".dot")
INCLUDES = ("profile",)
LONG = 100_000  # characters of C that take their time to be coloured
REWRITES = 200  # a page holds the pictures of no more rewrites
FOLDED = 60  # and up to so many in which a group is opened or closed; if there are more, none of them


@user_boundary
def report(
    function: Function,
    path: str | os.PathLike[str],
    args: Sequence[Any] | Mapping[str, Any] | None = None,
    show: str = "side-by-side",
    include: Sequence[str] = (),
) -> Path:
    """Write what there is to see of `function` to `path`, whose ending says what: .svg, .html, .json or .dot.

    `args`, the arguments of a call (a sequence, or a mapping by name), are run step by step, and the
    page then holds their values: without it, none. `show` chooses the graphs of an .svg or .dot:
    "before", "after", "difference" or "side-by-side". Files name no path, user, host or time, and the
    same function gives the same bytes - unless `include` has "profile", which times a call on `args` and adds the
    table. Returns the path; GraphValueError for an unknown ending, `show` or `include`, or a profile without `args`.
    """
    target = Path(path)
    if target.suffix not in FORMATS or show not in SHOWS:
        what = f"show={show!r}" if target.suffix in FORMATS else f"the ending of {target.name!r}"
        raise GraphValueError(
            f"report: {what} is unknown",
            origin=caller_origin(),
            hint=f"{', '.join(FORMATS)}; {', '.join(SHOWS)}",
        )
    if unknown := [what for what in include if what not in INCLUDES]:
        raise GraphValueError(f"report: include={unknown[0]!r} is unknown", origin=caller_origin(),
                              hint=f"include is a sequence of: {', '.join(INCLUDES)}")  # fmt: skip
    if include and args is None:
        raise GraphValueError("report: a profile needs a call", origin=caller_origin(), hint="pass its args=[...]")
    target.write_text(contents(traced(function, args, include), target.suffix, show), encoding="utf-8", newline="\n")
    return target


def traced(
    function: Function, args: Sequence[Any] | Mapping[str, Any] | None = None, include: Sequence[str] = ()
) -> dict[str, Any]:
    """The trace of `function`, with the values of a run on `args` if they are given, and a profile of it."""
    if args is None:
        return record(function)
    given, named = ((), args) if isinstance(args, Mapping) else (args, {})
    session = function.debug(*given, **named)
    profile = function.profile(*given, **named) if "profile" in include else None
    return record(function, session.finish(), profile=profile)


def contents(trace: dict[str, Any], suffix: str, show: str = "side-by-side") -> str:
    """The text of a report of `trace` in the format that `suffix` names."""
    views = Views(trace)
    if suffix == ".svg":
        return views.document(show)
    if suffix == ".dot":
        return str(dot.digraph(views.placed("difference" if show == "side-by-side" else show)[0], labels=True).source)
    if suffix == ".json":
        return json.dumps(trace, indent=1, allow_nan=False) + "\n"
    return html(trace, views)


def state(
    trace: Mapping[str, Any], views: Views, view: str = "graph", step: int = 0, *, lazy: bool = False
) -> dict[str, Any]:
    """What the explorer starts from: the same in a widget and in a page; if `lazy`, long code is asked for later."""
    outputs = trace["graphs"]["after"]["outputs"]
    return {
        "trace": trace,
        "pictures": {name: views.picture(name) for name in VIEWS},
        "legend": views.legend(),
        "listings": listings(trace) if len(trace["code"]["text"]) < LONG or not lazy else {},
        "view": view,
        "graph": "after" if view in ("step", "code") else "before",
        "folds": "",
        "focus": outputs[0][0] if outputs else "",
        "step": step,
        "error": "",
    }


def html(trace: Mapping[str, Any], views: Views) -> str:
    """One page that makes no request: the explorer over what the page itself holds."""
    numbers = range(min(len(trace["rewrites"]), REWRITES))
    names = [f"rewrite-{k}-{side}" for k in numbers for side in ("before", "after")]
    view = "step" if trace["values"] else "graph"
    folded = [f"{view}:{toggle}" for view in VIEWS for toggle in views.toggles(view)]
    names += folded if len(folded) <= FOLDED else []
    held = {
        "state": state(trace, views, view, len(trace["steps"])),
        "pictures": {name: views.picture(name) for name in names},
    }
    script, style = bundle.script("offline"), bundle.style()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = escape(trace["function"]["name"])
    holds = "the values of one run" if trace["values"] else "no values"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta name="description" content="A graphlab report; it holds {holds}.">',
            f"<title>{title} · graphlab</title><style>{style}</style></head>",
            '<body class="gl-report"><div id="gl-app"></div>',
            f"<noscript><p>{escape(trace['function']['expression'])}</p>{views.picture('after')}</noscript>",
            f'<script type="application/json" id="gl-data">{script_json(held)}</script>',
            f'<script type="module">{script}</script>',
            "</body></html>\n",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
