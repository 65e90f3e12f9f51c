"""Loop programs as C: kernels, the steps that call them, and the whole program.

It knows no graph and no ops. Names come from positions, so the same program is always the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import chain

from graphlab.codegen.expressions import C_TYPES, c_expr, c_value
from graphlab.codegen.near import near
from graphlab.codegen.paste import header, needed, words
from graphlab.codegen.statements import Line, c_lines, indented, safe
from graphlab.graph.collector import uncollected
from graphlab.loops.ir import (
    Action,
    Branch,
    Cast,
    Formula,
    Function,
    HostCall,
    Kernel,
    Loop,
    LoopCall,
    Name,
    Nest,
    Nodes,
    Program,
    RuntimeCall,
    SameExtents,
    Step,
)
from graphlab.loops.walk import blocks, every_step, formulas, formulas_in, used_names


@dataclass(frozen=True, slots=True)
class Source:
    """A C file: `lines[k]` are the nodes of line k + 1, `spans` the first and last line of each step by name.

    `externs`: the gl_extern_... pointers that it expects to be set, without that prefix.
    """

    text: str
    lines: tuple[Nodes, ...]
    spans: dict[str, tuple[int, int]]
    externs: tuple[str, ...] = ()


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
    if kernel.scratch:
        pointers.append(f"char *const scratch = data[{len(operands)}];")
    for parameter, uses in (("extent", extents), ("stride", strides), ("data", pointers)):
        yield from map(Line, uses or [f"(void){parameter};"])


# ---- steps ---------------------------------------------------------------------------------------


def step_lines(number: str, step: Step) -> Iterator[Line]:
    """The C of a step: its kernel, if it has one, or the steps inside it, and the function that the runtime calls."""
    if isinstance(step.action, LoopCall):
        yield from kernel_lines(step.action.kernel)
        yield Line("")
    for name, block in _blocks(number, step.action):
        yield from block_lines(name, block)
    yield Line(f"static int step_{number}(gl_frame *f) {{", step.nodes)
    yield from indented(call_lines(step.action, number))
    yield Line("  if (failed) return failed;")
    yield from (Line(f"  f->api->release(f, {slot});") for slot in step.release)
    yield Line("  return 0;")
    yield Line("}")


def _blocks(number: str, action: Action) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """The blocks of steps inside an action, each with its name in C."""
    match action:
        case Loop():
            return ((f"{number}_body", action.body),)
        case Branch():
            return ((f"{number}_then", action.then), (f"{number}_else", action.otherwise))
        case _:
            return ()


def block_lines(name: str, steps: Sequence[Step]) -> Iterator[Line]:
    """Steps inside another one, and the function that runs them."""
    for k, step in enumerate(steps):
        yield from step_lines(f"{name}_{k}", step)
        yield Line("")
    yield Line(f"static int block_{name}(gl_frame *f) {{")
    yield Line("  int failed = 0;" if steps else "  (void)f;")
    yield from (Line(f"  if (!failed) failed = step_{name}_{k}(f);") for k in range(len(steps)))
    yield Line("  return failed;" if steps else "  return 0;")
    yield Line("}")
    yield Line("")


@singledispatch
def call_lines(action: Action, number: str) -> Iterator[Line]:
    """Statements that do `action` and leave in `failed` how it went; TypeError for what is no action."""
    raise TypeError(f"no C for {type(action).__name__}")


@call_lines.register
def _(action: LoopCall, number: str) -> Iterator[Line]:
    nest, kernel = action.kernel.nest, action.kernel.name
    operands = len(nest.outputs) + len(nest.inputs)
    yield from _nest_lines(nest)
    yield Line(f"int64_t extent[{max(1, nest.ndim)}];")
    yield Line(f"int64_t stride[{max(1, nest.ndim * operands)}];")
    yield Line(f"char *data[{operands + bool(action.kernel.scratch)}];")
    yield Line("int failed = f->api->nest(f, &nest, extent, stride, data);")
    if action.kernel.scratch:
        row = " * ".join(f"extent[{d}]" for d in range(nest.ndim - len(nest.reduce), nest.ndim))
        yield Line(f"if (!failed) failed = f->api->scratch(f, {action.kernel.scratch} * {row}, &data[{operands}]);")
    yield Line(f"if (!failed) failed = {kernel}(extent, stride, data);")


def _nest_lines(nest: Nest) -> Iterator[Line]:
    yield _table("int32_t", "slots", (*nest.outputs, *nest.inputs))
    yield _table("uint8_t", "reduce", [d in nest.reduce for d in range(nest.ndim)])
    yield _table("int8_t", "axes", [axis for axes in nest.axes for axis in axes])
    counts = f"{nest.ndim}, {len(nest.outputs)}, {len(nest.inputs)}"
    yield Line(f"static const gl_nest nest = {{{counts}, slots, reduce, axes}};")


@call_lines.register
def _(action: RuntimeCall, number: str) -> Iterator[Line]:
    yield _table("int32_t", "slots", action.slots)
    yield _table("int64_t", "params", action.params)
    yield Line(f"const int failed = f->api->{action.function}(f, slots, params);")


@call_lines.register
def _(action: HostCall, number: str) -> Iterator[Line]:
    yield _table("int32_t", "inputs", action.inputs)
    yield _table("int32_t", "outputs", action.outputs)
    counts = f"{len(action.inputs)}, inputs, {len(action.outputs)}, outputs"
    yield Line(f"const int failed = f->api->host(f, {action.index}, {counts});")


@call_lines.register
def _(action: SameExtents, number: str) -> Iterator[Line]:
    yield Line("/* What follows relies on this; where it does not hold, the general program runs instead. */")
    yield Line("int failed = 0;")
    for axes, known in zip(action.groups, action.known, strict=True):
        extents = [f"f->arrays[{slot}].shape[{axis}]" for slot, axis in axes]
        first, others = (str(known), extents) if known is not None else (extents[0], extents[1:])
        for other in others:
            yield Line(f"if ({other} != {first}) failed = GL_ERROR_ASSUMPTION;")


@call_lines.register
def _(action: Loop, number: str) -> Iterator[Line]:
    yield _table("int32_t", "elements", [slot for pair in action.elements for slot in pair])
    yield _table("int32_t", "carried", [s for c in action.carried for s in (c.start, c.new, c.next, _or_none(c.final))])
    yield _table("int32_t", "depths", [len(c.past) for c in action.carried])
    yield _table("int32_t", "past", [slot for c in action.carried for slot in c.past])
    yield _table("int32_t", "stacks", [n for s, value, rows in action.stacks for n in (s, value, _or_none(rows))])
    counts = f"{len(action.elements)}, {len(action.carried)}, {len(action.stacks)}"
    slots = f"{action.turns}, {_or_none(action.made)}"
    yield Line(f"static const gl_loop loop = {{{counts}, {slots}, elements, carried, depths, past, stacks}};")
    yield Line("int64_t turns, t = 0;")
    yield Line("int failed = f->api->loop_begin(f, &loop, &turns);")
    if action.dry:
        yield Line("/* Without any turn the body runs once, on zeros, to tell the extents of what it would make. */")
        yield Line(f"if (!failed && turns == 0) failed = block_{number}_body(f);")
    yield Line("for (; !failed && t < turns; ++t) {")
    yield Line("  failed = f->api->loop_turn(f, &loop, t);")
    yield Line(f"  if (!failed) failed = block_{number}_body(f);")
    yield Line("  if (!failed) failed = f->api->loop_keep(f, &loop, turns, t);")
    if action.until is not None:
        yield Line(f"  if (!failed && *(const uint8_t *)f->arrays[{action.until}].data) turns = t + 1;")
    yield Line("}")
    yield Line("if (!failed) failed = f->api->loop_end(f, &loop, t);")


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


@call_lines.register
def _(action: Branch, number: str) -> Iterator[Line]:
    yield Line("int failed;")
    blocks = (("if", 1, "then"), ("else", 2, "else"))
    for word, which, name in blocks:
        test = f"(*(const uint8_t *)f->arrays[{action.condition}].data) " if word == "if" else ""
        yield Line(f"{word} {test}{{")
        yield Line(f"  failed = block_{number}_{name}(f);")
        for result in action.results:
            yield Line(f"  if (!failed) failed = f->api->share(f, {result[0]}, {result[which]});")
        yield Line("}")


def _table(c_type: str, name: str, values: Sequence[int]) -> Line:
    items = ", ".join(str(int(v)) for v in values) or "0"  # C has no empty arrays
    return Line(f"static const {c_type} {name}[] = {{{items}}};")


# ---- the program ---------------------------------------------------------------------------------

_WARNINGS = """/* Expressions may well compare a value with itself, or an unsigned one with 0. */
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
"""


@uncollected
def emit(program: Program) -> Source:
    """The C of `program`: gl_run runs it all, gl_steps[k] its step k."""
    lines = list(_text_lines("/* Generated by graphlab. */\n" + header("gl_abi.h") + "\n" + _WARNINGS))
    lines += [line for text in needed(_identifiers(program)) for line in _text_lines("\n" * (text[-1] == "\n") + text)]
    spans: dict[str, tuple[int, int]] = {}
    for number, step in enumerate(program.steps):
        lines.append(Line(""))
        first = len(lines) + 1
        lines += step_lines(str(number), step)
        spans[step.name] = (first, len(lines))
        for inside in every_step(chain(*blocks(step))):
            if isinstance(inside.action, LoopCall):
                spans[inside.name] = _kernel_span(inside.name, lines, first)
    lines += _text_lines(_entry(len(program.steps)))
    text = "".join(f"{line.text}\n" for line in lines)
    externs = tuple(sorted(set(re.findall(r"\bgl_extern_(\w+)", text))))
    return Source(text, tuple(line.nodes for line in lines), spans, externs)


def _kernel_span(name: str, lines: Sequence[Line], first: int) -> tuple[int, int]:
    """The lines, from `first` on, of the kernel `name`, which has a step of its own inside another."""
    begins = next(k for k in range(first - 1, len(lines)) if lines[k].text.startswith(f"/* {name}: "))
    ends = next(k for k in range(begins, len(lines)) if lines[k].text.startswith("static int step_"))
    return begins + 1, ends


def _text_lines(text: str) -> Iterator[Line]:
    return map(Line, text.splitlines())


def _identifiers(program: Program) -> set[str]:
    """Every identifier that the formulas and conversions of the kernels use."""
    kernels = [s.action.kernel for s in every_step(program.steps) if isinstance(s.action, LoopCall)]
    every = (e for kernel in kernels for e in (*formulas(kernel.body), *_function_formulas(kernel)))
    texts = {
        e.template if isinstance(e, Formula) else c_expr(Cast(Name("x"), e.source, e.dtype))
        for e in every
    }  # fmt: skip
    return {word for text in texts for word in words(text) | words(near(text))}


def _function_formulas(kernel: Kernel) -> Iterator[Formula | Cast]:
    for function in kernel.functions:
        yield from formulas(function.body)
        yield from formulas_in(function.result)


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
