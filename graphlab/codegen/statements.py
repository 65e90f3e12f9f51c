"""Statements of the loop language as lines of C that know their graph nodes: one small function for each class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import singledispatch
from typing import NamedTuple

from graphlab.codegen.expressions import C_TYPES, c_expr, c_value, is_zero
from graphlab.codegen.near import FAR, STRIP, looks, near, watched
from graphlab.loops.ir import (
    Accumulator,
    Assign,
    Columns,
    Comment,
    Fail,
    For,
    Gather,
    If,
    Let,
    Literal,
    Name,
    Nodes,
    Pointer,
    Return,
    Scatter,
    Stmt,
    Store,
    Stretch,
)

WIDTH = 110


class Line(NamedTuple):
    """A line of C, and the numbers of the graph nodes that it computes."""

    text: str
    nodes: Nodes = ()


@singledispatch
def c_lines(s: Stmt) -> Iterator[Line]:
    """The lines of C for `s`; TypeError for what is no statement."""
    raise TypeError(f"no C for {type(s).__name__}")


def indented(lines: Iterable[Line]) -> Iterator[Line]:
    """`lines`, two spaces in."""
    return (Line("  " + text, nodes) for text, nodes in lines)


def block(head: str, body: Iterable[Stmt]) -> Iterator[Line]:
    """`head {`, the body and the line before its closing brace."""
    yield from broken(f"{head} {{")
    yield from indented(line for s in body for line in c_lines(s))


def broken(text: str, nodes: Nodes = ()) -> Iterator[Line]:
    """A long conjunction over several lines."""
    if len(text) <= WIDTH - 20:
        yield Line(text, nodes)
        return
    start = 0
    while len(text) - start > WIDTH - 20 and (cut := text.find(" && ", start + 60)) > 0:
        yield Line(("    " if start else "") + text[start:cut] + " &&", nodes)
        start = cut + 4
    yield Line(("    " if start else "") + text[start:], nodes)


@c_lines.register
def _(s: Let) -> Iterator[Line]:
    yield from broken(f"const {C_TYPES[s.dtype]} {s.name.text} = {c_value(s.value)};", s.nodes)


@c_lines.register
def _(s: Pointer) -> Iterator[Line]:
    const = "" if s.writable else "const "
    address = c_expr(s.base) if is_zero(s.offset) else f"{c_expr(s.base)} + {c_expr(s.offset)}"
    if s.dtype is None:
        yield Line(f"{const}char *const {s.name.text} = {address};")
    else:
        target = f"{const}{C_TYPES[s.dtype]} *"
        cast = f"({target}){address}" if is_zero(s.offset) else f"({target})({address})"
        yield Line(f"{target}const {s.name.text} = {cast};")


@c_lines.register
def _(s: Accumulator) -> Iterator[Line]:
    c_type, name = C_TYPES[s.dtype], s.name.text
    if s.lanes is None:
        yield Line(f"{c_type} {name}{'' if s.value is None else f' = {c_expr(s.value)}'};", s.nodes)
    elif s.value is None or is_zero(s.value):
        yield Line(f"{c_type} {name}[{s.lanes}]{'' if s.value is None else ' = {0}'};", s.nodes)
    else:
        yield Line(f"{c_type} {name}[{s.lanes}];", s.nodes)
        fill = Assign(s.name, s.value, Name("k"), s.nodes)
        yield from c_lines(For(Name("k"), Literal(0, "int64"), Literal(s.lanes, "int64"), (fill,), simd=True))


@c_lines.register
def _(s: Assign) -> Iterator[Line]:
    target = s.name.text if s.lane is None else f"{s.name.text}[{c_expr(s.lane)}]"
    yield Line(f"{target} = {c_value(s.value)};", s.nodes)


@c_lines.register
def _(s: Store) -> Iterator[Line]:
    where = c_expr(s.pointer) if is_zero(s.offset) else f"({c_expr(s.pointer)} + {c_expr(s.offset)})"
    yield Line(f"*({C_TYPES[s.dtype]} *){where} = {c_value(s.value)};", s.nodes)


@c_lines.register
def _(s: Gather) -> Iterator[Line]:
    c_type, buffer = C_TYPES[s.dtype], s.buffer.text
    target = f"{c_type} *" if s.writable else f"const {c_type} *"
    if not s.writable:
        buffer = f"gl_gather_{s.dtype}({_strided(s)}, {buffer})"
    yield Line(f"{target}const {s.name.text} = {_in_place(s)}")
    yield Line(f"    ? ({target})({_address(s)})")
    yield Line(f"    : {buffer};")


@c_lines.register
def _(s: Scatter) -> Iterator[Line]:
    strip = s.strip
    yield Line(f"if (!({_in_place(strip)}))")
    yield Line(f"  gl_scatter_{strip.dtype}({strip.name.text}, {_strided(strip)});")


@c_lines.register
def _(s: Stretch) -> Iterator[Line]:
    strip, several = s.strip, ", ".join(map(c_expr, (s.along, s.several, s.holds)))
    buffer = f"{strip.buffer.text}, {s.width}, &{s.held.text}"
    yield Line(f"const int64_t {s.step.text} = {_in_place(strip)}")
    yield Line(f"    ? {c_expr(s.along)} : {s.width} * (int64_t)sizeof({C_TYPES[strip.dtype]});")
    yield Line(f"const char *const {s.name.text} = {_in_place(strip)}")
    yield Line(f"    ? {_address(strip)}")
    yield Line(f"    : gl_stretch_{strip.dtype}({_strided(strip)}, {several}, {buffer});")


@c_lines.register
def _(s: Columns) -> Iterator[Line]:
    extents, strides = (", ".join(map(c_expr, some)) for some in (s.extents, s.strides))
    address = c_expr(s.base) if is_zero(s.offset) else f"{c_expr(s.base)} + {c_expr(s.offset)}"
    axes = f"{len(s.extents)}, (const int64_t[]){{{extents}}}, {s.steps.text}"
    yield Line(f"int64_t {s.steps.text}[] = {{{strides}}};")
    yield Line(f"const char *const {s.name.text} = gl_columns_{s.dtype}({address}, {axes},")
    yield Line(f"    {c_expr(s.stride)}, {c_expr(s.count)}, {s.buffer.text}, {s.length});")


def _in_place(s: Gather) -> str:
    """The condition that the elements of a strip are neighbours in memory."""
    stride, size = c_expr(s.stride), f"(int64_t)sizeof({C_TYPES[s.dtype]})"
    rows = "" if isinstance(s.rows, Literal) else (
        f" && ({c_expr(s.rows)} == 1 || {c_expr(s.step)} == {size} * {c_expr(s.count)})"
    )  # fmt: skip
    return f"{stride} == {size}{rows}"


def _strided(s: Gather) -> str:
    return ", ".join([_address(s), *map(c_expr, (s.step, s.rows, s.stride, s.count))])


def _address(s: Gather) -> str:
    return c_expr(s.base) if is_zero(s.offset) else f"{c_expr(s.base)} + {c_expr(s.offset)}"


@c_lines.register
def _(s: For) -> Iterator[Line]:
    if s.simd and watched(s):
        yield from _strips(s)
        return
    if s.simd:
        yield Line("#pragma omp simd")
    if s.unroll:
        yield Line(f"#pragma GCC unroll {s.unroll}")
    yield from _loop(s)


def _loop(s: For) -> Iterator[Line]:
    i = s.index.text
    step = f"++{i}" if s.step == 1 else f"{i} += {s.step}"
    yield from block(f"for (int64_t {i} = {c_expr(s.start)}; {i} < {c_expr(s.stop)}; {step})", s.body)
    yield Line("}")


def _strips(s: For) -> Iterator[Line]:
    """The vector loop `s` with functions that must not get a huge argument: see near.py."""
    whole, stop = For(s.index, Name("strip"), Name("strip_end"), s.body), c_value(s.stop)
    yield Line(f"for (int64_t strip = {c_expr(s.start)}; strip < {stop}; strip += {STRIP}) {{")
    yield Line(f"  const int64_t strip_end = {stop} - strip < {STRIP} ? {stop} : strip + {STRIP};")
    yield Line(f"  uint8_t {FAR.text} = 0;")
    yield Line(f"  #pragma omp simd reduction(|:{FAR.text})")
    yield from indented(_loop(looks(whole)))
    yield Line(f"  if ({FAR.text}) {{")
    yield from indented(indented(_loop(whole)))
    yield Line("  } else {")
    yield Line("    #pragma omp simd")
    yield from (Line(near(line.text), line.nodes) for line in indented(indented(_loop(whole))))
    yield Line("  }")
    yield Line("}")


@c_lines.register
def _(s: If) -> Iterator[Line]:
    yield from block(f"if ({c_expr(s.condition)})", s.then)
    if s.otherwise:
        yield from block("} else", s.otherwise)
    yield Line("}")


@c_lines.register
def _(s: Fail) -> Iterator[Line]:
    yield Line(f"return {s.kind};")


@c_lines.register
def _(s: Return) -> Iterator[Line]:
    yield Line(f"return {c_value(s.value)};")


@c_lines.register
def _(s: Comment) -> Iterator[Line]:
    yield Line(f"/* {safe(s.text)} */")


def safe(text: str) -> str:
    """`text` as it may stand in a comment."""
    return re.sub(r"[^\w ,.()+=-]", "?", text)[: WIDTH - 20]
