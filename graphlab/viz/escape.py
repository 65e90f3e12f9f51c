"""The one door through which text enters SVG and HTML."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}

_ODD = re.compile(r"""[^ !#-%(-;=?-~]""")  # whatever is not plain


def _visible(character: str) -> str:
    """What stands for `character` on a page: itself, or a picture of what can't be shown."""
    code = ord(character)
    if character in _MARKUP:
        return _MARKUP[character]
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode control pictures: ␀ ␊ ␛
    # Controls, bidirectional overrides, lone surrogates and noncharacters are spelled out: XML refuses
    # some of them, and others would reorder the text around them. Joiners stay: scripts and emoji need them.
    if (unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in (0x200C, 0x200D)) or (
        code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    ):
        return f"\\u{code:04x}"
    return character


def escape(text: object, limit: int = 5000) -> str:
    """`text` made inert in an element or a quoted attribute of SVG and HTML, cut after `limit` characters.

    >>> escape('<b title="x">\\0')
    '&lt;b title=&quot;x&quot;&gt;␀'
    """
    shown = clip(str(text), limit)
    return "".join(map(_visible, shown)) if _ODD.search(shown) else shown


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, ending with an ellipsis if there were more.

    >>> clip("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def script_json(data: Any) -> str:
    """`data` as JSON that can't end the script element it stands in.

    >>> script_json({"name": "</script>"})
    '{"name":"\\\\u003c/script>"}'
    """
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c")
