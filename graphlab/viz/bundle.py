"""Makes one script of the ES modules in static/: what a widget or a report without a server can carry."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
# The modules keep to two forms, each on one line, so that nothing more than this is needed to join them.
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+)\.js";$', re.MULTILINE)
_MARGIN = re.compile(r"^\s*(?://.*\n)?\s*", re.MULTILINE)  # comments that have a line, and indentation
_EXPORT = re.compile(r"^export (?=function (\w+)|const (\w+))", re.MULTILINE)


@cache
def script(entry: str) -> str:
    """The module `entry` and all that it imports as one module; each keeps a scope of its own.

    Comments and indentation stay behind: every widget sends the script to its page.

    >>> script("widget").count("export")
    1
    """
    done: dict[str, str] = {}
    _add(entry, done)
    main = done.pop(entry)
    return _MARGIN.sub("", "\n".join([*done.values(), main]))


@cache
def style() -> str:
    """The one stylesheet: of pictures, of the explorer, and then of its panels."""
    first = [STATIC / "picture.css", STATIC / "explorer.css"]
    rest = sorted(set(STATIC.glob("*.css")) - set(first))
    return "".join(path.read_text(encoding="utf-8") for path in (*first, *rest))


def _add(name: str, done: dict[str, str]) -> None:
    if name in done:
        return
    text = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    for _, dependency in _IMPORT.findall(text):
        _add(dependency, done)
    names = [function or constant for function, constant in _EXPORT.findall(text)]
    body = _EXPORT.sub("", _IMPORT.sub(r"const { \1 } = module_\2;", text))
    given = f"return {{ {', '.join(names)} }};"
    done[name] = f"const module_{name} = (() => {{\n{body}{given}\n}})();" if names else body
