"""Walks over loop code and steps: what is inside, which names are used, and the code without unused locals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from graphlab.loops.ir import (
    Accumulator,
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
    Gather,
    If,
    Kernel,
    Let,
    Literal,
    Load,
    Loop,
    LoopCall,
    Name,
    Nodes,
    Pointer,
    Return,
    Scatter,
    Step,
    Stmt,
    Store,
    Stretch,
    Turns,
)


def parts(expression: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside `expression`."""
    match expression:
        case Name() | Literal():
            return ()
        case Formula():
            return expression.arguments
        case Element():
            return (expression.array, expression.index)
        case Load():
            return (expression.pointer, expression.offset)
        case Cast():
            return (expression.value,)


def expressions(statement: Stmt) -> tuple[Expr, ...]:
    """The expressions that `statement` itself evaluates or writes to; not those of statements inside it."""
    match statement:
        case Let(_, _, value):
            return (value,)
        case Pointer(_, base, offset):
            return (base, offset)
        case Accumulator(_, _, value):
            return () if value is None else (value,)
        case Assign(name, value, lane):
            return (name, value) if lane is None else (name, value, lane)
        case Store(pointer, offset, _, value):
            return (pointer, offset, value)
        case Gather(_, base, offset, stride, count, step, rows, _, buffer):
            return (base, offset, stride, count, step, rows, buffer)
        case Scatter(strip):
            return (strip.name, *expressions(strip))
        case Stretch(_, _, strip, along, several, _, held, holds):
            return (along, several, held, holds, *expressions(strip))
        case Columns():
            places = (statement.base, statement.offset, statement.stride, statement.count, statement.buffer)
            return (*places, *statement.extents, *statement.strides)
        case For(_, start, stop):
            return (start, stop)
        case If(condition):
            return (condition,)
        case Return(value):
            return (value,)
        case Fail() | Comment():
            return ()


def inner(statement: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The blocks of statements inside `statement`."""
    match statement:
        case For():
            return (statement.body,)
        case If():
            return (statement.then, statement.otherwise)
        case _:
            return ()


def walk(body: Iterable[Stmt]) -> Iterator[Stmt]:
    """Every statement of `body`, in order, those inside others included."""
    for statement in body:
        yield statement
        for block in inner(statement):
            yield from walk(block)


def formulas(body: Iterable[Stmt]) -> Iterator[Formula | Cast]:
    """Every formula and conversion of `body`, those inside others included."""
    for statement in walk(body):
        yield from formulas_in(*expressions(statement))


def formulas_in(*given: Expr) -> Iterator[Formula | Cast]:
    """Every formula and conversion in expressions, those inside others included."""
    stack = list(given)
    while stack:
        expression = stack.pop()
        if isinstance(expression, Name):
            continue
        if isinstance(expression, Formula | Cast):
            yield expression
        stack.extend(parts(expression))


def used_names(body: Iterable[Stmt]) -> set[str]:
    """The names that `body` reads, or writes to by Assign and Store."""
    names = set[str]()
    for statement in walk(body):
        _add_names(statement, names)
    return names


def _add_names(statement: Stmt, names: set[str]) -> None:
    """Add the names that `statement` itself uses, not those of statements inside it, to `names`."""
    stack = list(expressions(statement))
    while stack:
        expression = stack.pop()
        if isinstance(expression, Name):
            names.add(expression.text)
        else:
            stack.extend(parts(expression))


def without_unused(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """`body` without the names, of values, places and arrays, that nothing later in it needs."""
    return _without_unused(body, set())


def _without_unused(body: tuple[Stmt, ...], needed: set[str]) -> tuple[Stmt, ...]:
    """The same, inside others that need what is `needed`; the names that the rest of `body` uses are added to it."""
    own = {statement.name.text for statement in body if isinstance(statement, _NAMING)}
    later, kept = needed - own, list[Stmt]()  # what others mean by such a name is another thing
    for statement in reversed(body):
        if isinstance(statement, _NAMING) and statement.name.text not in later:
            continue
        if isinstance(statement, For):
            shorter = _without_unused(statement.body, later)
            statement = replace(statement, body=shorter)
        elif isinstance(statement, If):
            needed_then = set(later)
            otherwise = _without_unused(statement.otherwise, later)
            statement = If(statement.condition, _without_unused(statement.then, needed_then), otherwise)
            later |= needed_then
        _add_names(statement, later)
        kept.append(statement)
    needed |= later - own
    return tuple(reversed(kept))


_NAMING = Let | Pointer | Accumulator | Gather | Stretch | Columns


def kernel_of(step: Step) -> tuple[Kernel, Nodes] | None:
    """The kernel that `step` runs, and the numbers of its applications; None if it runs none."""
    match step.action:
        case LoopCall(kernel):
            return kernel, step.nodes
        case Turns(kernel, nodes=nodes):
            return kernel, nodes
        case _:
            return None


def blocks(step: Step) -> tuple[tuple[Step, ...], ...]:
    """The blocks of steps inside `step`."""
    match step.action:
        case Loop():
            return (step.action.body,)
        case Branch():
            return (step.action.then, step.action.otherwise)
        case _:
            return ()


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """Each of `steps`, in order, those inside others included."""
    for step in steps:
        yield step
        for block in blocks(step):
            yield from every_step(block)
