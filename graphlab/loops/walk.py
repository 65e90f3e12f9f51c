"""Walks over loop code and steps: what is inside, which names are used, and the code without unused locals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Branch,
    Cast,
    Comment,
    Element,
    Expr,
    Fail,
    For,
    Formula,
    If,
    Let,
    Literal,
    Load,
    Loop,
    Name,
    Pointer,
    Return,
    Step,
    Stmt,
    Store,
)


def parts(expression: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside `expression`."""
    match expression:
        case Name() | Literal():
            return ()
        case Load(pointer, offset):
            return (pointer, offset)
        case Element(array, index):
            return (array, index)
        case Formula(_, arguments):
            return arguments
        case Cast(value):
            return (value,)


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


def formulas(body: Iterable[Stmt]) -> Iterator[Expr]:
    """Every expression of `body`, those inside others included."""
    for statement in walk(body):
        stack = list(expressions(statement))
        while stack:
            expression = stack.pop()
            yield expression
            stack.extend(parts(expression))


def used_names(body: Iterable[Stmt]) -> set[str]:
    """The names that `body` reads, or writes to by Assign and Store."""
    return {e.text for e in formulas(body) if isinstance(e, Name)}


def without_unused(body: tuple[Stmt, ...], used: Iterable[str] = ()) -> tuple[Stmt, ...]:
    """`body` without the Lets and Pointers that nothing later in it needs (`used`: what its surroundings need)."""
    needed, kept = set(used), list[Stmt]()
    for statement in reversed(body):
        if isinstance(statement, Let | Pointer) and statement.name.text not in needed:
            continue
        if isinstance(statement, For):
            shorter = without_unused(statement.body, needed)
            statement = For(statement.index, statement.start, statement.stop, shorter, statement.step, statement.simd)
        elif isinstance(statement, If):
            then, otherwise = (without_unused(block, needed) for block in (statement.then, statement.otherwise))
            statement = If(statement.condition, then, otherwise)
        needed |= used_names((statement,))
        kept.append(statement)
    return tuple(reversed(kept))


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
