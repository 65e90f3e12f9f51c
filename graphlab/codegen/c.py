"""Loop programs as C: one printer, with one small method for each class of the loop language.

It knows no graph and no ops. Names come from positions, so the same program is always the same text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from graphlab.codegen.paste import header, needed, words
from graphlab.dtypes import FLOAT, INTEGER
from graphlab.loops.ir import (
    Accumulator,
    Action,
    Assign,
    Cast,
    Comment,
    Element,
    Expr,
    Fail,
    For,
    Formula,
    Function,
    HostCall,
    If,
    Kernel,
    Let,
    Literal,
    Load,
    LoopCall,
    Name,
    Nest,
    Nodes,
    Pointer,
    Program,
    Return,
    RuntimeCall,
    SameExtents,
    Step,
    Stmt,
    Store,
)
from graphlab.loops.walk import formulas, used_names

C_TYPES = {"bool": "uint8_t", "float32": "float", "float64": "double"} | {name: f"{name}_t" for name in INTEGER}
WIDTH = 110


@dataclass(frozen=True, slots=True)
class Line:
    """A line of C, and the numbers of the graph nodes that it computes."""

    text: str
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A C file: `lines[k]` are the nodes of line k + 1, `spans` the first and last line of each step by name.

    `externs`: the gl_extern_... pointers that it expects to be set, without that prefix.
    """

    text: str
    lines: tuple[Nodes, ...]
    spans: dict[str, tuple[int, int]]
    externs: tuple[str, ...] = ()


# ---- expressions ---------------------------------------------------------------------------------


@singledispatch
def c_expr(e: Expr) -> str:
    """`e` in C; TypeError for what is no expression.

    >>> c_expr(Formula("{0} * {1}", (Name("x1"), Literal(-2, "int64")), "int64"))
    'x1 * (-2)'
    """
    raise TypeError(f"no C for {type(e).__name__}")


@c_expr.register
def _(e: Name) -> str:
    return e.text


@c_expr.register
def _(e: Literal) -> str:
    return c_float(float(e.value), e.dtype) if e.dtype in FLOAT else c_integer(int(e.value), e.dtype)


@c_expr.register
def _(e: Load) -> str:
    where = c_expr(e.pointer) if _is_zero(e.offset) else f"({c_expr(e.pointer)} + {c_expr(e.offset)})"
    return f"*(const {C_TYPES[e.dtype]} *){where}"


@c_expr.register
def _(e: Element) -> str:
    return f"{c_expr(e.array)}[{c_expr(e.index)}]"


@c_expr.register
def _(e: Formula) -> str:
    return e.template.format(*map(c_operand, e.arguments))


@c_expr.register
def _(e: Cast) -> str:
    value = c_operand(e.value)
    if e.dtype == "bool":
        return f"({value} != 0)"
    if e.dtype in INTEGER and e.source in FLOAT:
        return f"gl_truncate_{e.dtype}({value})"
    return f"({C_TYPES[e.dtype]}){value}"


def c_operand(e: Expr) -> str:
    """`e` as an operand: in parentheses where a sign or an operator would bind wrongly."""
    text = c_expr(e)
    return f"({text})" if text.startswith("-") or (isinstance(e, Formula) and not _is_primary(text)) else text


def c_value(e: Expr) -> str:
    """`e` as the whole of a right-hand side: without parentheses around it."""
    text = c_expr(e)
    return text[1:-1] if text.startswith("(") and _closing(text) == len(text) - 1 else text


def _is_primary(text: str) -> bool:
    """Whether `text` is a call, or in parentheses already."""
    head = re.match(r"\w*(?=\()", text)
    return head is not None and _closing(text[head.end() :]) == len(text) - head.end() - 1


def _closing(text: str) -> int:
    """Where the parenthesis that opens `text` is closed."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position
    return -1


def c_float(value: float, dtype: str) -> str:
    """A floating number in C: the shortest digits that give exactly this number."""
    suffix = "f" if dtype == "float32" else ""
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}__builtin_inf{suffix}()"
    return (str(np.float32(value)) if suffix else repr(value)) + suffix


def c_integer(value: int, dtype: str) -> str:
    """An integer in C; the least int64 can't be written directly."""
    if value == -(2**63):
        return "(-9223372036854775807LL - 1)"
    suffix = "U" if dtype in ("uint32", "uint64") and value > 2**31 - 1 else ""
    return f"{value}{suffix}{'LL' if abs(value) > 2**31 - 1 else ''}"


def _is_zero(e: Expr) -> bool:
    return isinstance(e, Literal) and e.value == 0


# ---- statements ----------------------------------------------------------------------------------


@singledispatch
def c_lines(s: Stmt) -> Iterator[Line]:
    """The lines of C for `s`; TypeError for what is no statement."""
    raise TypeError(f"no C for {type(s).__name__}")


def indented(lines: Iterable[Line]) -> Iterator[Line]:
    """`lines`, two spaces in."""
    return (Line(f"  {line.text}", line.nodes) for line in lines)


def block(head: str, body: Iterable[Stmt]) -> Iterator[Line]:
    """`head {`, the body and the line before its closing brace."""
    yield from broken(f"{head} {{")
    yield from indented(line for s in body for line in c_lines(s))


def broken(text: str, nodes: Nodes = ()) -> Iterator[Line]:
    """A long conjunction over several lines."""
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
    address = c_expr(s.base) if _is_zero(s.offset) else f"{c_expr(s.base)} + {c_expr(s.offset)}"
    if s.dtype is None:
        yield Line(f"{const}char *const {s.name.text} = {address};")
    else:
        target = f"{const}{C_TYPES[s.dtype]} *"
        cast = f"({target}){address}" if _is_zero(s.offset) else f"({target})({address})"
        yield Line(f"{target}const {s.name.text} = {cast};")


@c_lines.register
def _(s: Accumulator) -> Iterator[Line]:
    c_type, name = C_TYPES[s.dtype], s.name.text
    if s.lanes is None:
        yield Line(f"{c_type} {name}{'' if s.value is None else f' = {c_expr(s.value)}'};", s.nodes)
    elif s.value is None or _is_zero(s.value):
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
    where = c_expr(s.pointer) if _is_zero(s.offset) else f"({c_expr(s.pointer)} + {c_expr(s.offset)})"
    yield Line(f"*({C_TYPES[s.dtype]} *){where} = {c_value(s.value)};", s.nodes)


@c_lines.register
def _(s: For) -> Iterator[Line]:
    i = s.index.text
    step = f"++{i}" if s.step == 1 else f"{i} += {s.step}"
    if s.simd:
        yield Line("#pragma omp simd")
    yield from block(f"for (int64_t {i} = {c_expr(s.start)}; {i} < {c_expr(s.stop)}; {step})", s.body)
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


# ---- kernels -------------------------------------------------------------------------------------


def kernel_lines(kernel: Kernel) -> Iterator[Line]:
    """The C function of a kernel."""
    yield Line(f"/* {kernel.name}: {safe(kernel.title)} */")
    for function in kernel.functions:
        yield from function_lines(function)
        yield Line("")
    yield Line(f"static int {kernel.name}(const int64_t *extent, const int64_t *stride, char *const *data) {{")
    yield from indented(_declarations(kernel))
    yield from indented(line for s in kernel.body for line in c_lines(s))
    yield Line("  return 0;")
    yield Line("}")


def function_lines(function: Function) -> Iterator[Line]:
    """The C function for a piece of a kernel; one that only gives an expression is always inlined."""
    parameters = ", ".join(
        f"const {C_TYPES[p.dtype]} *{p.name.text}" if p.is_array else f"{C_TYPES[p.dtype]} {p.name.text}"
        for p in function.parameters
    )
    head = f"{C_TYPES[function.dtype]} {function.name}({parameters}) {{"
    yield Line(("static " if function.body else "GL_FN ") + head, function.nodes)
    yield from indented(line for s in function.body for line in c_lines(s))
    yield Line(f"  return {c_value(function.result)};", function.nodes)
    yield Line("}")


def _declarations(kernel: Kernel) -> Iterator[Line]:
    """The names of extents, strides and pointers that the body uses."""
    nest, used = kernel.nest, used_names(kernel.body)
    operands = range(len(nest.outputs) + len(nest.inputs))
    extents = [f"const int64_t n{d} = extent[{d}];" for d in range(nest.ndim) if f"n{d}" in used]
    strides = [
        f"const int64_t s{k}_{d} = stride[{k * nest.ndim + d}];"
        for k in operands for d in range(nest.ndim) if f"s{k}_{d}" in used
    ]  # fmt: skip
    pointers = [f"char *const p{k} = data[{k}];" for k in operands if f"p{k}" in used]
    for parameter, uses in (("extent", extents), ("stride", strides), ("data", pointers)):
        yield from map(Line, uses or [f"(void){parameter};"])


# ---- steps ---------------------------------------------------------------------------------------


def step_lines(number: int, step: Step) -> Iterator[Line]:
    """The C of a step: its kernel, if it has one, and the function that the runtime calls."""
    if isinstance(step.action, LoopCall):
        yield from kernel_lines(step.action.kernel)
        yield Line("")
    yield Line(f"static int step_{number}(gl_frame *f) {{", step.nodes)
    yield from indented(call_lines(step.action))
    yield Line("  if (failed) return failed;")
    yield from (Line(f"  f->api->release(f, {slot});") for slot in step.release)
    yield Line("  return 0;")
    yield Line("}")


@singledispatch
def call_lines(action: Action) -> Iterator[Line]:
    """Statements that do `action` and leave in `failed` how it went; TypeError for what is no action."""
    raise TypeError(f"no C for {type(action).__name__}")


@call_lines.register
def _(action: LoopCall) -> Iterator[Line]:
    nest, kernel = action.kernel.nest, action.kernel.name
    operands = len(nest.outputs) + len(nest.inputs)
    yield from _nest_lines(nest)
    yield Line(f"int64_t extent[{max(1, nest.ndim)}];")
    yield Line(f"int64_t stride[{max(1, nest.ndim * operands)}];")
    yield Line(f"char *data[{operands}];")
    yield Line("int failed = f->api->nest(f, &nest, extent, stride, data);")
    yield Line(f"if (!failed) failed = {kernel}(extent, stride, data);")


def _nest_lines(nest: Nest) -> Iterator[Line]:
    yield _table("int32_t", "slots", (*nest.outputs, *nest.inputs))
    yield _table("uint8_t", "reduce", [d in nest.reduce for d in range(nest.ndim)])
    yield _table("uint8_t", "reduced", nest.reduced or (0,) * len(nest.outputs))
    yield _table("uint8_t", "keepdims", nest.keepdims or (0,) * len(nest.outputs))
    counts = f"{nest.ndim}, {len(nest.outputs)}, {len(nest.inputs)}"
    yield Line(f"static const gl_nest nest = {{{counts}, slots, reduce, reduced, keepdims}};")


@call_lines.register
def _(action: RuntimeCall) -> Iterator[Line]:
    yield _table("int32_t", "slots", action.slots)
    yield _table("int64_t", "params", action.params)
    yield Line(f"const int failed = f->api->{action.function}(f, slots, params);")


@call_lines.register
def _(action: HostCall) -> Iterator[Line]:
    yield _table("int32_t", "inputs", action.inputs)
    yield _table("int32_t", "outputs", action.outputs)
    counts = f"{len(action.inputs)}, inputs, {len(action.outputs)}, outputs"
    yield Line(f"const int failed = f->api->host(f, {action.index}, {counts});")


@call_lines.register
def _(action: SameExtents) -> Iterator[Line]:
    yield Line("/* What follows relies on this; where it does not hold, the general program runs instead. */")
    yield Line("int failed = 0;")
    for axes, known in zip(action.groups, action.known, strict=True):
        extents = [f"f->arrays[{slot}].shape[{axis}]" for slot, axis in axes]
        first, others = (str(known), extents) if known is not None else (extents[0], extents[1:])
        for other in others:
            yield Line(f"if ({other} != {first}) failed = GL_ERROR_ASSUMPTION;")


def _table(c_type: str, name: str, values: Sequence[int]) -> Line:
    items = ", ".join(str(int(v)) for v in values) or "0"  # C has no empty arrays
    return Line(f"static const {c_type} {name}[] = {{{items}}};")


# ---- the program ---------------------------------------------------------------------------------

_WARNINGS = """/* Expressions may well compare a value with itself, or an unsigned one with 0. */
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
"""


def emit(program: Program) -> Source:
    """The C of `program`: gl_run runs it all, gl_steps[k] its step k."""
    lines = list(_text_lines("/* Generated by graphlab. */\n" + header("gl_abi.h") + "\n" + _WARNINGS))
    lines += [line for text in needed(_identifiers(program)) for line in _text_lines("\n" * (text[-1] == "\n") + text)]
    spans: dict[str, tuple[int, int]] = {}
    for number, step in enumerate(program.steps):
        lines.append(Line(""))
        first = len(lines) + 1
        lines += step_lines(number, step)
        spans[step.name] = (first, len(lines))
    lines += _text_lines(_entry(len(program.steps)))
    text = "".join(f"{line.text}\n" for line in lines)
    externs = tuple(sorted(set(re.findall(r"\bgl_extern_(\w+)", text))))
    return Source(text, tuple(line.nodes for line in lines), spans, externs)


def _text_lines(text: str) -> Iterator[Line]:
    return map(Line, text.splitlines())


def _identifiers(program: Program) -> set[str]:
    """Every identifier that the formulas and conversions of the kernels use."""
    kernels = [step.action.kernel for step in program.steps if isinstance(step.action, LoopCall)]
    return {
        word
        for kernel in kernels
        for e in (*formulas(kernel.body), *_function_formulas(kernel))
        if isinstance(e, Formula | Cast)
        for word in words(e.template if isinstance(e, Formula) else c_expr(Cast(Name("x"), e.source, e.dtype)))
    }


def _function_formulas(kernel: Kernel) -> Iterator[Expr]:
    for function in kernel.functions:
        yield from formulas(function.body)
        yield function.result


def _entry(steps: int) -> str:
    table = ", ".join(f"step_{k}" for k in range(steps)) or "0"
    return f"""
int (*const gl_steps[])(gl_frame *) = {{{table}}};
const int32_t gl_step_count = {steps};

int gl_run(gl_frame *f) {{
  for (int32_t k = 0; k < gl_step_count; ++k) {{
    f->step = k;
    const int failed = gl_steps[k](f);
    if (failed) return failed;
  }}
  return 0;
}}
"""
