"""The loop language as text: what a kernel does, without the noise of C."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from graphlab.loops.ir import (
    Accumulator,
    Action,
    Assign,
    Branch,
    Cast,
    Columns,
    Comment,
    Element,
    Expr,
    Fail,
    For,
    Formula,
    Function,
    Gather,
    HostCall,
    If,
    Kernel,
    Let,
    Literal,
    Load,
    Loop,
    LoopCall,
    Name,
    Pointer,
    Program,
    Return,
    RuntimeCall,
    SameExtents,
    Scatter,
    Stack,
    Step,
    Stmt,
    Store,
    Stretch,
    Turns,
)

# ---- expressions ---------------------------------------------------------------------------------


@singledispatch
def expression(e: Expr) -> str:
    """One line of text for `e`; TypeError for what is no expression.

    >>> expression(Formula("{0} + {1}", (Name("x1"), Literal(2.0, "float64")), "float64"))
    'x1 + 2.0'
    """
    raise TypeError(f"no text for {type(e).__name__}")


@expression.register
def _(e: Name) -> str:
    return e.text


@expression.register
def _(e: Literal) -> str:
    return repr(e.value)


@expression.register
def _(e: Load) -> str:
    return f"{e.dtype}@({expression(e.pointer)} + {expression(e.offset)})"


@expression.register
def _(e: Element) -> str:
    return f"{expression(e.array)}[{expression(e.index)}]"


@expression.register
def _(e: Formula) -> str:
    return e.template.format(*map(operand, e.arguments))


@expression.register
def _(e: Cast) -> str:
    return f"{e.dtype}({expression(e.value)})"


def operand(e: Expr) -> str:
    """`e` as an operand of a formula: in parentheses where a sign or an operator would bind wrongly."""
    text = expression(e)
    return f"({text})" if isinstance(e, Formula) or text.startswith("-") else text


# ---- statements ----------------------------------------------------------------------------------


@singledispatch
def lines(s: Stmt) -> Iterator[str]:
    """The lines of text for `s`; TypeError for what is no statement."""
    raise TypeError(f"no text for {type(s).__name__}")


def indented(body: Iterable[Stmt]) -> Iterator[str]:
    """The lines of `body`, four spaces in."""
    return ("    " + line for statement in body for line in lines(statement))


def _numbers(nodes: tuple[int, ...]) -> str:
    return f"  # {', '.join(map(str, nodes))}" if nodes else ""


@lines.register
def _(s: Let) -> Iterator[str]:
    yield f"{expression(s.name)}: {s.dtype} = {expression(s.value)}{_numbers(s.nodes)}"


@lines.register
def _(s: Pointer) -> Iterator[str]:
    yield f"{expression(s.name)}: {s.dtype or 'byte'}* = {expression(s.base)} + {expression(s.offset)}"


@lines.register
def _(s: Accumulator) -> Iterator[str]:
    lanes = "" if s.lanes is None else f"[{s.lanes}]"
    value = "" if s.value is None else f" = {expression(s.value)}"
    yield f"var {expression(s.name)}: {s.dtype}{lanes}{value}{_numbers(s.nodes)}"


@lines.register
def _(s: Assign) -> Iterator[str]:
    lane = "" if s.lane is None else f"[{expression(s.lane)}]"
    yield f"{expression(s.name)}{lane} = {expression(s.value)}{_numbers(s.nodes)}"


@lines.register
def _(s: Store) -> Iterator[str]:
    yield f"{s.dtype}@({expression(s.pointer)} + {expression(s.offset)}) = {expression(s.value)}{_numbers(s.nodes)}"


@lines.register
def _(s: Gather) -> Iterator[str]:
    where = f"{expression(s.base)} + {expression(s.offset)}, {expression(s.step)}, {expression(s.stride)}"
    extents = f"{expression(s.rows)}, {expression(s.count)}"
    yield f"{expression(s.name)}: {s.dtype}* = {'place for ' * s.writable}[{extents}] at {where}"


@lines.register
def _(s: Scatter) -> Iterator[str]:
    yield f"put {expression(s.strip.name)} in place"


@lines.register
def _(s: Stretch) -> Iterator[str]:
    strip = s.strip
    where = f"{expression(strip.base)} + {expression(strip.offset)}"
    strides = ", ".join(map(expression, (s.along, strip.step, strip.stride)))
    extents = ", ".join(map(expression, (s.several, strip.rows, strip.count)))
    yield f"{expression(s.name)}, {expression(s.step)}: {strip.dtype}* = [{extents}] at {where}, {strides}"


@lines.register
def _(s: Columns) -> Iterator[str]:
    where = f"{expression(s.base)} + {expression(s.offset)}, {', '.join(map(expression, (*s.strides, s.stride)))}"
    extents = ", ".join(map(expression, (*s.extents, s.count)))
    yield f"{expression(s.name)}, {expression(s.steps)}: {s.dtype}* = [{extents}] at {where}"


@lines.register
def _(s: For) -> Iterator[str]:
    bounds = [expression(s.start), expression(s.stop), *([str(s.step)] if s.step != 1 else [])]
    yield f"{'simd ' if s.simd else ''}for {expression(s.index)} in range({', '.join(bounds)}):"
    yield from indented(s.body)


@lines.register
def _(s: If) -> Iterator[str]:
    yield f"if {expression(s.condition)}:"
    yield from indented(s.then)
    if s.otherwise:
        yield "else:"
        yield from indented(s.otherwise)


@lines.register
def _(s: Fail) -> Iterator[str]:
    yield f"fail {s.kind}"


@lines.register
def _(s: Return) -> Iterator[str]:
    yield f"return {expression(s.value)}"


@lines.register
def _(s: Comment) -> Iterator[str]:
    yield f"# {s.text}"


# ---- programs ------------------------------------------------------------------------------------


def kernel_lines(kernel: Kernel) -> Iterator[str]:
    """`kernel` as lines of text."""
    for function, _ in kernel.functions:
        yield from ("    " + line for line in function_lines(function))
    yield from indented(kernel.body)


def function_lines(function: Function) -> Iterator[str]:
    """`function` as lines of text."""
    parameters = ", ".join(f"{p.name.text}: {p.dtype}{'*' * p.is_array}" for p in function.parameters)
    yield f"def {function.name}({parameters}) -> {function.dtype}:"
    yield from indented(function.body)
    yield f"    return {expression(function.result)}"


_KEPT: dict[int | None, str] = {None: "all", 1: "the last one"}


def _kept(stack: Stack) -> str:
    """Which values a stack keeps, in which order."""
    return _KEPT.get(stack.keep, f"the last {stack.keep}") + ", backwards" * stack.backwards


def action_text(name: str, action: Action) -> str:
    """What a step does, as text."""
    match action:
        case LoopCall(kernel, outputs, inputs, takes):
            reduced = f" reduce {list(kernel.nest.reduce)}" if kernel.nest.reduce else ""
            taken = [f"[{o}] in the memory of [{inputs[k]}]" for o, k in zip(outputs, takes, strict=False) if k >= 0]
            head = f"{name}: {list(inputs)} -> {list(outputs)} over {kernel.nest.ndim} axes{reduced}"
            head = ", ".join([head, *taken])
            own = kernel.name == name
            return "\n".join([head, *kernel_lines(kernel)] if own else [f"{head}, as {kernel.name}"])
        case RuntimeCall(function, slots, params):
            return f"{name}: {function} on {list(slots)} with {list(params)}"
        case HostCall(_, inputs, outputs):
            return f"{name}: NumPy on {list(inputs)} -> {list(outputs)}"
        case SameExtents(groups, known):
            shown = [f"{[*axes, *([] if n is None else [n])]}" for axes, n in zip(groups, known, strict=True)]
            return f"{name}: equal are the extents of {'; '.join(shown)}"
        case Loop():
            return "\n".join([f"{name}: {loop_head(action)}", *block_lines(action.body)])
        case Turns(kernel):
            first = f"{name}: {turns_head(action)}"
            return "\n".join([first, *kernel_lines(kernel)] if kernel.name == name else [f"{first}, as {kernel.name}"])
        case Branch(condition, then, otherwise, results):
            head = f"{name}: if [{condition}] -> {[list(r) for r in results]}"
            return "\n".join([head, *block_lines(then), "else", *block_lines(otherwise)])


def turns_head(loop: Turns) -> str:
    """What a loop that is one kernel reads, carries on and collects, as text."""
    parts = [f"for [{loop.turns}] turns of elements from {[*loop.sequences]} with {[*loop.constants]}"]
    for start, depth, final in loop.carried:
        last = "" if final is None else f", the last to [{final}]"
        parts.append(f"carried from [{start}]{f' ({depth} values)' if depth > 1 else ''}{last}")
    parts += [f"collected in [{s.stack}], {_kept(s)}" for s in loop.stacks]
    return "; ".join([*parts, "until"] if loop.until else parts)


def loop_head(loop: Loop) -> str:
    """What a loop reads, carries on and collects, as text."""
    parts = [f"for [{loop.turns}] turns"]
    parts += [f"[{element}] from [{sequence}]" for sequence, element in loop.elements]
    parts += [f"{list(c.past)} = [{c.new}] from [{c.start}]" for c in loop.carried]
    parts += [f"[{s.stack}] of [{s.value}], {_kept(s)}" for s in loop.stacks]
    if loop.until is not None:
        parts.append(f"until [{loop.until}]")
    return "; ".join(parts)


def block_lines(steps: Iterable[Step]) -> Iterator[str]:
    """The lines of steps inside another."""
    return ("    " + line for step in steps for line in action_text(step.name, step.action).split("\n"))


def program_text(program: Program) -> str:
    """`program` as text: its slots, then step after step."""
    named = ("inputs", "shared", "constants", "outputs")
    text = [f"{name}: {list(getattr(program, name))}" for name in named if getattr(program, name)]
    for number, step in enumerate(program.steps):
        if number == len(program.steps) - program.finishing:
            text.append("all others are over, and from here on nothing may fail:")
        released = f"  then release {list(step.release)}" if step.release else ""
        what = action_text(step.name, step.action)
        text.append(f"step {number}{released}\n" + "\n".join("    " + line for line in what.split("\n")))
    return "\n".join(text) + "\n"
