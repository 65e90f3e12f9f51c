"""A session as text: where it stands with the steps around, the user's lines, and the C of a step with values."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Sequence

from graphlab.codegen.c import Source
from graphlab.debug.levels import Level
from graphlab.debug.schedule import StepView
from graphlab.debug.watches import short
from graphlab.errors import GraphlabError, Origin
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.text import maths
from graphlab.lower import Lowered

AROUND = 10  # steps that are shown
WIDTH = 120


class Text(str):
    """Text that a prompt shows as it is, line by line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def called(v: Variable) -> str:
    """The name of a variable, or what it is made by."""
    if v.name:
        return v.name
    return maths(v) if isinstance(v, Constant) else v.owner.op.name if v.owner is not None else "unnamed"


# ---- the steps around ----------------------------------------------------------------------------


def around(level: Level, count: int = AROUND) -> list[str]:
    """`count` steps around the position, the next marked; those that have run with what they wrote."""
    n, at = len(level.steps), level.position
    first = max(0, min(at - count // 2, n - count))
    return [_line(level, level.steps[k], at) for k in range(first, min(first + count, n))]


def _line(level: Level, step: StepView, at: int) -> str:
    ops = " ".join(n.op.name for n in step.nodes[:4]) + (" ..." if len(step.nodes) > 4 else "") or step.name
    mark = "->" if step.index == at else "  "
    lines = ", ".join(o.label for o in step.origins[:2]) + (", ..." if len(step.origins) > 2 else "")
    head = f"{mark} {step.index:3} {step.kind:6} {ops}"
    room = WIDTH - len(head) - len(lines) - 4
    return f"{head}  {_written(level, step, at, room)}  {lines}".rstrip()


def _written(level: Level, step: StepView, at: int, room: int) -> str:
    """What a step writes: with values where it has run, and they are at hand."""
    if step.index >= at or (step.kind == "turn" and step.index != at - 1):
        return ", ".join(f"{v.name + ': ' if v.name else ''}{v.type}" for v in step.outputs)
    texts = []
    for v in step.outputs:
        value = level.peek(v)
        shape = f"{v.dtype}[{','.join(map(str, value.shape))}]" if value is not None and value.ndim else v.dtype
        texts.append(
            f"{v.name or ''}: {shape} = {'(given up)' if value is None else short(value, 60)}".removeprefix(": ")
        )
    text = ", ".join(texts)
    return text if len(text) <= max(room, 30) else text[: max(room, 30) - 3] + "..."


# ---- the user's lines ----------------------------------------------------------------------------


def where(nodes: Sequence[Apply], title: str) -> Text:
    """The user's lines that `nodes` come from, of gradients both lines: of what they belong to, and who asked."""
    lines: dict[Origin, list[str]] = {}
    for node in nodes:
        for origin in node.provenance.origins:
            lines.setdefault(origin, []).append(("gradient of " if forward_of(node) else "") + _op(node))
    told = [title]
    for origin, ops in lines.items():
        told.append(f"  {origin.label}: {origin.text}".rstrip().rstrip(":") + f"    ({', '.join(dict.fromkeys(ops))})")
    for origin, forwards in asked_by(nodes).items():
        belongs = ", ".join(dict.fromkeys(forwards))
        told.append(
            f"  {origin.label}: {origin.text}".rstrip().rstrip(":") + f"    (asked for the gradient of {belongs})"
        )
    if len(told) == 1:
        told.append("  no line of yours: the compiler made it")
    return Text("\n".join(told))


def _op(node: Apply) -> str:
    forward = forward_of(node)
    return str(forward.op.name) if forward is not None else str(node.op.name)


def forward_of(node: Apply) -> Apply | None:
    """The application that `node` is the gradient of, also where rewrites have changed it."""
    at: Apply | None = node
    while at is not None:
        if at.provenance.grad_of is not None:
            return at.provenance.grad_of
        at = at.provenance.replaced
    return None


def asked_by(nodes: Iterable[Apply]) -> dict[Origin, list[str]]:
    """The lines that asked for the gradients among `nodes`, with what these are the gradients of."""
    lines: dict[Origin, list[str]] = {}
    for node in nodes:
        at: Apply | None = node
        while at is not None and at.provenance.asked is None:
            at = at.provenance.replaced
        forward = forward_of(node)
        if at is not None and at.provenance.asked is not None and forward is not None:
            line = next(iter(forward.provenance.origins), None)
            lines.setdefault(at.provenance.asked, []).append(forward.op.name + (f", {line.label}" if line else ""))
    return lines


def source(origins: Sequence[Origin], context: int = 5) -> Text:
    """The lines of the user's file around those of `origins`, which are marked."""
    if not origins:
        return Text("no line of yours: the compiler made it")
    first = origins[0]
    marked = {o.line for o in origins if o.file == first.file}
    numbers = range(max(1, min(marked) - context), max(marked) + context + 1)
    if len(numbers) > 4 * context:
        numbers = range(max(1, first.line - context), first.line + context + 1)
    text = [(k, linecache.getline(first.file, k).rstrip()) for k in numbers]
    if not any(line for _, line in text):
        return Text(f"{first.label}: its text can't be read")
    while text and not text[-1][1]:
        text.pop()
    shown = [f"{'->' if k in marked else '  '} {k:4}  {line}".rstrip() for k, line in text]
    return Text("\n".join([first.label.rpartition(":")[0], *shown]))


# ---- C -------------------------------------------------------------------------------------------


def c_of(step: StepView, lowered: Lowered, code: Source, value: Callable[[Variable], str]) -> Text:
    """The C that a step runs; beside a line what it computes, and the value of that."""
    own = set(step.nodes) | {n for n in _inside(step, lowered)}
    lines, told = code.text.splitlines(), set[Apply]()
    shown: list[str] = []
    for first, last in code.spans.get(step.name, ()):
        for k in range(first, last + 1):
            nodes = [n for n in (lowered.nodes[i] for i in code.lines[k - 1]) if n in own and n not in told]
            note = "" if len(nodes) != 1 or not _computes(lines[k - 1]) else _note(nodes[0], value)
            told.update(nodes if note else ())
            shown.append(f"{lines[k - 1]:<70}  // {note}" if note else lines[k - 1])
        shown.append("")
    return Text("\n".join(shown).rstrip())


def _computes(line: str) -> bool:
    return "=" in line


def _note(node: Apply, value: Callable[[Variable], str]) -> str:
    line = next(iter(node.provenance.origins), None)
    return f"{node.op.name}{' of ' + line.label if line else ''}: {value(node.outputs[0])}"


def _inside(step: StepView, lowered: Lowered) -> list[Apply]:
    kernel = next((k for k in lowered.kernels if k.name == step.name), None)
    return list(kernel.nodes) if kernel is not None else []


def value_text(find: Callable[[Variable], object], v: Variable) -> str:
    """The value of a variable in short, or that there is none yet."""
    try:
        found = find(v)
    except GraphlabError:
        return "not computed yet"
    return short(found, 50)
