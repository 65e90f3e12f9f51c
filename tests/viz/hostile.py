"""Texts that would do harm on a page that took them for markup."""

HOSTILE = [
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\0\x1b[31m\n\r\t",
    "\u202egnp.exe",
    "\ud800", "\ufffe\uffff", "]]>", "&lt;", "javascript:alert(1)", "x" * 6000,
]  # fmt: skip
