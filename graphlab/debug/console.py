"""The command line of a session: one letter and perhaps a word, as in pdb."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphlab.debug.watches import short
from graphlab.errors import GraphlabError

if TYPE_CHECKING:
    from graphlab.debug.session import Session

PROMPT = "(graphlab) "
HELP = """\
n            the next step              p            the previous step
c [UNTIL]    run on, to a breakpoint, or until a name is computed or an expression holds
u, d         up: leave, down: enter     g N          go to position N
b            the breakpoints            b NAME       stop at an op, a variable or a line; b nan, b inf; b EXPRESSION
b -N         remove breakpoint N        w EXPRESSION watch; w: the watches
p EXPRESSION its value                  e [X] I,J    one element: how it comes about
o [X]        where its nan or inf arose s, k         the source, the C of the step
l            where it stands            q            leave
An empty line does the last command again; what is no command is an expression."""


def interact(session: Session, read: Callable[[str], str] = input, write: Callable[[str], Any] = print) -> None:
    """Read commands with `read(prompt)` and answer with `write(text)`, until q or the end of the input."""
    write(str(session))
    last = ""
    while True:
        try:
            line = read(PROMPT).strip() or last
        except (EOFError, KeyboardInterrupt):
            return
        last = line
        if line in ("q", "quit", "exit"):
            return
        try:
            answer = _answer(session, line)
        except GraphlabError as error:
            answer = str(error)
        if answer:
            write(answer)


def _answer(session: Session, line: str) -> str:
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word == "p" and rest:
        return short(session.evaluate(rest), 400)
    if word in _COMMANDS:
        return _COMMANDS[word](session, rest)
    return short(session.evaluate(line), 400) if line else ""


def _moved(move: Callable[[Session, str], Any]) -> Callable[[Session, str], str]:
    def command(session: Session, rest: str) -> str:
        move(session, rest)
        return str(session)

    return command


def _goto(session: Session, rest: str) -> None:
    session.goto(int(rest) if rest.isdigit() else -1)


def _run(session: Session, rest: str) -> None:
    session.run(until=int(rest) if rest.isdigit() else rest or None)


def _break(session: Session, rest: str) -> str:
    if not rest:
        return str(session.breakpoints)
    if rest.startswith("-") and rest[1:].isdigit():
        session.breakpoints.remove(int(rest[1:]))
        return str(session.breakpoints)
    if rest in ("nan", "inf"):
        return str(session.break_at(when=rest))
    if rest.isdigit():
        return str(session.break_at(line=int(rest)))
    if ".py:" in rest or rest.startswith("cell:"):
        return str(session.break_at(line=rest))
    if session.has_op(rest):
        return str(session.break_at(op=rest))
    if session.has_name(rest):
        return str(session.break_at(node=session.named(rest)))
    return str(session.break_at(condition=rest))


def _watch(session: Session, rest: str) -> str:
    if rest:
        return str(session.watch(rest))
    return "\n".join(map(str, session.watches)) or "no watches"


def _element(session: Session, rest: str) -> str:
    name, _, numbers = rest.rpartition(" ")
    index = tuple(int(k) for k in numbers.strip("()[]").split(",") if k.strip().lstrip("-").isdigit())
    session.element = (name, index) if name else index
    return str(session.element)


def _origin(session: Session, rest: str) -> str:
    return str(session.origin(session.named(rest) if rest else None))


_COMMANDS: dict[str, Callable[[Session, str], str]] = {
    "n": _moved(lambda s, _: s.step()), "p": _moved(lambda s, _: s.back()), "c": _moved(_run),
    "u": _moved(lambda s, _: s.leave()), "d": _moved(lambda s, _: s.enter()), "g": _moved(_goto),
    "b": _break, "w": _watch, "o": _origin, "e": _element, "l": lambda s, _: str(s),
    "s": lambda s, _: s.source(), "k": lambda s, _: s.c(), "?": lambda s, _: HELP, "h": lambda s, _: HELP,
}  # fmt: skip
