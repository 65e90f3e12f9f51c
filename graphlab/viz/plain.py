"""The views as plain text: what a terminal, a log or a test sees of a compiled function."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from graphlab.callable import Function
from graphlab.debug.session import Session
from graphlab.graph.text import debugprint, maths

VIEWS = ("graph", "rewrites", "step", "code")


def describe(function: Function, view: str = "graph", session: Session | None = None) -> str:
    """One of the VIEWS of `function` as text; "step" runs a `session` to its end."""
    if view == "step" and session is None:
        raise ValueError('the view "step" needs a session: function.debug(...)')
    writers: dict[str, Callable[[], Iterator[str]]] = {
        "graph": lambda: _graph(function),
        "rewrites": lambda: _rewrites(function),
        "step": lambda: _steps(session) if session is not None else iter(()),
        "code": lambda: iter([function.c_source.rstrip() or "(no C: this function runs in NumPy)"]),
    }
    return "\n".join(writers[view]())


def _graph(function: Function) -> Iterator[str]:
    yield f"{function!r}"
    yield from ("", "as written:", debugprint(*function.graph.outputs))
    yield from ("", "as compiled:", debugprint(*function.optimized.outputs))
    if function.kernels:
        yield ""
    for kernel in function.kernels:
        yield f"{kernel.name}: {kernel.reason}"


def _rewrites(function: Function) -> Iterator[str]:
    rewrites = function.trace.rewrites
    yield f"{len(rewrites)} rewrite{'' if len(rewrites) == 1 else 's'}"
    for rewrite in rewrites:
        yield f"{rewrite.pass_name}: {rewrite.rule}   [{rewrite.changes}]"
        yield f"    {_short(maths(rewrite.before))}"
        yield f" -> {_short(maths(rewrite.after))}"


def _steps(session: Session) -> Iterator[str]:
    session.finish()
    for step in session.steps:
        lines = dict.fromkeys(str(o) for node in step.nodes for o in node.provenance.origins)
        yield f"step {step.index}: {step.name} ({step.kind})" + (f"   {', '.join(lines)}" if lines else "")
        for variable in step.outputs:
            value = np.array2string(session.value(variable), threshold=12, edgeitems=2, precision=6)
            yield f"    {variable.name or maths(variable, limit=60).splitlines()[-1]} = {_indented(value)}"
    yield from (f"finding: {finding}" for finding in session.findings)


def _short(text: str, width: int = 100) -> str:
    line = text.splitlines()[-1]
    return line if len(line) <= width else line[: width - 1] + "…"


def _indented(text: str) -> str:
    return text.replace("\n", "\n        ")
