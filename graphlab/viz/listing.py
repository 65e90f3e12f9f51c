"""Source text as HTML: a line per list item, coloured, each knowing the nodes that it computes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pygments.lexers import CLexer, PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

from graphlab.viz.escape import escape

CONTEXT = 4  # lines of the prelude that are shown above the first line with a node
CLASSES = {
    Keyword.Type: "gl-t",
    Keyword: "gl-k",
    Name.Builtin: "gl-t",
    Comment: "gl-c1",
    Number: "gl-m",
    String: "gl-s",
}


def listings(trace: Mapping[str, Any]) -> dict[str, str]:
    """The user's lines ("python") and the generated code ("c"), as HTML."""
    return {"python": python(trace), "c": c(trace)}


def python(trace: Mapping[str, Any]) -> str:
    """Each line of the user's that made nodes, labelled with its file and line."""
    sources = trace["sources"]
    made: list[list[str]] = [[] for _ in sources]
    for node in trace["nodes"]:
        for source in node["origins"]:
            made[source].append(node["id"])
    order = sorted(range(len(sources)), key=lambda k: _place(sources[k]["label"]))
    # Each by itself: what one line opens, such as a bracket, is not closed by the next of these.
    lines = ["".join(_coloured(PythonLexer(), sources[k]["text"])) for k in order]
    return _list(zip((sources[k]["label"] for k in order), lines, (made[k] for k in order), strict=True))


def _place(label: str) -> list[tuple[str, int]]:
    """What labels are sorted by: their numbers by size, as in In[10]:2 after In[4]:3."""
    return [(word, int(digits or 0)) for word, digits in re.findall(r"(\D*)(\d{0,15})", label)]


def c(trace: Mapping[str, Any]) -> str:
    """The generated C; what stands above the first line that computes a node is folded away."""
    code = trace["code"]
    if not code["text"]:
        return ""
    lines = _coloured(CLexer(), code["text"])
    nodes = [*code["lines"], *([] for _ in lines)][: len(lines)]
    rows = [(str(k), line, ids) for k, (line, ids) in enumerate(zip(lines, nodes, strict=True), 1)]
    first = next((k for k, ids in enumerate(nodes) if ids), 0)
    start = _beginning(code["text"].split("\n"), first)
    if start < 2 * CONTEXT:
        return _list(rows)
    summary = f"<summary>{start} lines that every program begins with</summary>"
    return f"<details>{summary}{_list(rows[:start])}</details>{_list(rows[start:])}"


def _beginning(lines: Sequence[str], first: int) -> int:
    """The line on which the function that holds line `first` begins."""
    for k in range(first, -1, -1):
        if lines[k][:1].isalpha() and "(" in lines[k]:
            return k
    return max(first - CONTEXT, 0)


def _list(rows: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    return "<ol>" + "".join(_item(*row) for row in rows) + "</ol>"


def _item(label: str, line: str, ids: Sequence[str]) -> str:
    nodes = f' data-nodes="{escape(" ".join(ids))}" tabindex="0"' if ids else ""
    return f'<li data-line="{escape(label)}"{nodes}><code>{line or " "}</code></li>'


def _coloured(lexer: Any, text: str) -> list[str]:
    """`text` line by line as HTML; as many lines as `text` has."""
    lexer.stripnl = lexer.stripall = lexer.ensurenl = False
    lines = [""]
    for kind, value in lexer.get_tokens(text.replace("\r", "␍")):
        name = _class(kind)
        for k, piece in enumerate(value.split("\n")):
            if k:
                lines.append("")
            if piece:
                lines[-1] += f'<span class="{name}">{escape(piece)}</span>' if name else escape(piece)
    return lines


def _class(kind: _TokenType) -> str | None:
    return next((name for token, name in CLASSES.items() if kind in token), None)
