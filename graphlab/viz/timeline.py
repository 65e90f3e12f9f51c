"""What the timeline tells beyond the trace: rules in their own words, times of passes, verdicts on real values."""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import textwrap
from pathlib import Path
from typing import Any

from graphlab.callable import Function
from graphlab.debug.places import checked
from graphlab.debug.session import Session
from graphlab.rewrite import verdicts
from graphlab.rewrite.document import dtypes_of
from graphlab.rewrite.loops import LOOPS
from graphlab.rewrite.rule import AnyRule, Rule
from graphlab.rewrite.rules import RULES

PACKAGE = Path(__file__).parents[1]
LINES = 24  # of a rule's source that are shown
ABOVE = 4  # lines above a rule's pattern in which it may begin
CHECKED = 400  # rewrites of a report that are checked
# A verdict as a sign, the word of trace.check, and what it says.
SIGNS = {
    verdicts.EXACT: "=", verdicts.ROUNDING: "≈", verdicts.REPAIRED: "+", verdicts.DIVERGED: "!", verdicts.UNKNOWN: "?",
}  # fmt: skip


def rules(function: Function, live: bool = False) -> dict[str, Any]:
    """The rules that fired by name; for a `live` page the seconds of each pass and the names of all rules too."""
    known = {rule.name: rule for rule in rules_of(function)}
    fired = dict.fromkeys(event.rule for event in function.trace.rewrites)
    return {
        "rules": {name: told(known[name]) for name in fired if name in known},
        "seconds": [event.seconds for event in function.trace.passes] if live else [],
        "names": list(known) if live else [],
    }


def rules_of(function: Function) -> tuple[AnyRule, ...]:
    """Every rule that a pass of the function's mode may apply, each once."""
    mode = function.mode
    own = (rule for step in mode.own_passes for rule in step.rules)
    return tuple(dict.fromkeys((*RULES, *LOOPS, *mode.rules, *own)))


def told(rule: AnyRule) -> dict[str, Any]:
    """What a rule says of itself: what it may change, for which dtypes, where it comes from, where it is written."""
    code = (rule.find if isinstance(rule, Rule) else rule.rewrite).__code__
    path = Path(code.co_filename)
    place = f"graphlab/{path.relative_to(PACKAGE).as_posix()}" if path.is_relative_to(PACKAGE) else path.name
    return {
        "changes": rule.changes,
        "because": rule.because,
        "for": dtypes_of(rule),
        "tags": list(rule.tags),
        "source": f"{place}:{code.co_firstlineno}",
        "text": _text(rule, code.co_filename, code.co_firstlineno),
    }


def _text(rule: AnyRule, path: str, line: int) -> str:
    """The lines in which a rule is written: its call of Rule, or the function of a NodeRule."""
    if not isinstance(rule, Rule):
        try:
            lines = inspect.getsource(rule.rewrite).splitlines()
        except (OSError, TypeError):
            return ""
        return textwrap.dedent("\n".join(lines[:LINES] + ["..."] * (len(lines) > LINES)))
    above = range(line, max(line - ABOVE, 0), -1)
    first = next((k for k in above if "Rule(" in linecache.getline(path, k)), line)
    lines, depth = list[str](), 0
    for k in range(first, first + LINES):
        lines.append(linecache.getline(path, k).rstrip())
        depth += sum(map(lines[-1].count, "([{")) - sum(map(lines[-1].count, ")]}"))
        if depth <= 0:
            break
    return textwrap.dedent("\n".join(lines)).strip().rstrip(",")


def check(session: Session) -> dict[str, Any]:
    """The verdicts on all rewrites on the values of a run: for each a sign, a word and an error; and the totals."""
    with contextlib.redirect_stdout(io.StringIO()):  # what prints has printed in the run
        found = checked(session)
    rows = sorted(found.rows, key=lambda row: row.number)
    return {"totals": found.totals, "verdicts": [_verdict(row) for row in rows]}


def _verdict(row: verdicts.Judged) -> dict[str, str]:
    told = row.verdict in (verdicts.EXACT, verdicts.UNKNOWN)
    return {"verdict": SIGNS[row.verdict], "word": row.verdict, "error": "" if told else f"{row.error:.1e}",
            "note": row.note}  # fmt: skip


def judge(trace: dict[str, Any], session: Session) -> None:
    """Write the verdicts into a trace of the run, unless there are more than CHECKED rewrites."""
    if 0 < len(trace["rewrites"]) <= CHECKED:
        found = check(session)
        trace["checked"] = found["totals"]
        for rewrite, verdict in zip(trace["rewrites"], found["verdicts"], strict=True):
            rewrite |= verdict
