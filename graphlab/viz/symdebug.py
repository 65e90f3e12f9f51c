"""`%symdebug`: a session at the step where the last call failed; of `f(x)`, one before its first step."""

from __future__ import annotations

import ast
import re
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand
from IPython.display import display

from graphlab.debug.mortem import post_mortem
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError

USAGE = """\
%symdebug [-o VAR] [f(arguments)]

Without a call: a session on the last call of a compiled function that failed, before the step that raised or made
the NaN. With one: a session that steps through it, before its first step. It is shown, is `_`, and is stored in VAR.
"""


class Symdebug:
    """`%symdebug` in one IPython."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    @no_var_expand
    def symdebug(self, line: str) -> None:
        if line.strip() in ("-h", "--help"):
            print(USAGE)
            return
        found = re.fullmatch(r"\s*(?:(?:-o|--out)(?:\s+|=)([^\W\d]\w*)(?=\s|$))?\s*(.*?)\s*", line)
        assert found is not None  # it fits every line
        session = self._opened(found[2])
        if found[1]:
            self.shell.push({found[1]: session})
        self.shell.displayhook.update_user_ns(session)  # `_` and Out[n], as for the value of any cell
        if hasattr(self.shell, "kernel"):
            display(session)
        else:  # a terminal
            print(session)

    def _opened(self, call: str) -> Session:
        if not call:
            try:
                return post_mortem()
            except GraphlabError as error:
                raise UsageError(f"{error.message} (hint: {error.hint})") from None
        try:
            tree = ast.parse(call, mode="eval").body
        except SyntaxError as error:
            raise UsageError(f"%symdebug {call}: {error.msg}") from None
        if not isinstance(tree, ast.Call):
            raise UsageError(f"%symdebug takes a call of a compiled function, as f(x), not {call!r}")
        tree.func = ast.Attribute(tree.func, "debug", ast.Load())
        code = compile(ast.fix_missing_locations(ast.Expression(tree)), "<symdebug>", "eval")
        try:
            session = eval(code, self.shell.user_ns)
        except GraphlabError as error:
            raise UsageError(f"%symdebug {call}: {error}") from None
        except Exception as error:
            raise UsageError(f"%symdebug {call}: {type(error).__name__}: {error}") from None
        if not isinstance(session, Session):
            raise UsageError(f"%symdebug {call}: that is no call of a compiled function")
        return session

    symdebug.__doc__ = USAGE
