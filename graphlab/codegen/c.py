"""Loop programs as C: kernels, the steps that call them, and the whole program.

It knows no graph and no ops. Names come from positions, so the same program is always the same text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import chain

from graphlab.codegen.cost import asks, cost
from graphlab.codegen.expressions import C_TYPES, c_expr, c_integer, c_value
from graphlab.codegen.near import near
from graphlab.codegen.paste import header, needed, words
from graphlab.codegen.statements import Line, c_lines, indented, safe
from graphlab.graph.collector import uncollected
from graphlab.loops.ir import (
    Action,
    Branch,
    Cast,
    Columns,
    Formula,
    Function,
    Gather,
    HostCall,
    Kernel,
    Loop,
    LoopCall,
    Name,
    Nodes,
    Program,
    RuntimeCall,
    SameExtents,
    Scatter,
    Stack,
    Step,
    Stmt,
    Stretch,
    Turns,
)
from graphlab.loops.steady import SteadyStep, steady_steps
from graphlab.loops.walk import every_step, formulas, formulas_in, kernel_of, used_names, walk

Span = tuple[int, int]  # the first and the last line


@dataclass(frozen=True, slots=True)
class Source:
    """A C file: `lines[k]` are the nodes of line k + 1, `spans` the parts of each step by name, from line to line.

    Steps that run the same share lines: a step's nodes are those of them that are among its own.
    `externs`: the gl_extern_... pointers that it expects to be set, without that prefix.
    """

    text: str
    lines: tuple[Nodes, ...]
    spans: dict[str, tuple[Span, ...]]
    externs: tuple[str, ...] = ()


# ---- kernels -------------------------------------------------------------------------------------


def kernel_lines(kernel: Kernel) -> Iterator[Line]:
    """The C function of a kernel."""
    yield Line(f"/* {kernel.name}: {safe(kernel.title)} */")
    yield Line(f"static int {kernel.name}(const int64_t *extent, const int64_t *stride, char *const *data) {{")
    yield from indented(_declarations(kernel))
    yield from indented(line for s in kernel.body for line in c_lines(s))
    yield Line("  GL_DONE_WITH_VECTORS();")
    yield Line("  return 0;")
    yield Line("}")


def run_lines(kernel: Kernel) -> Iterator[Line]:
    """The C function by which steps plan the nest of a kernel and run it."""
    yield Line(f"{_HEAD.format(f'run_{kernel.name}')} {{")
    yield from indented(_run_lines(kernel))
    yield Line("}")


def function_lines(function: Function) -> Iterator[Line]:
    """The C function for a piece of kernels; one that only gives an expression is always inlined, others never.

    Else it would depend on how many kernels are in the text whether a function is a part of one.
    """
    parameters = ", ".join(
        f"const {C_TYPES[p.dtype]} *{p.name.text}" if p.is_array else f"{C_TYPES[p.dtype]} {p.name.text}"
        for p in function.parameters
    )
    head = f"{C_TYPES[function.dtype]} {function.name}({parameters}) {{"
    yield Line(("static __attribute__((noinline)) " if function.body else "GL_FN ") + head, (0,))
    yield from indented(line for s in function.body for line in c_lines(s))
    yield Line(f"  return {c_value(function.result)};", (0,))
    yield Line("}")


def _declarations(kernel: Kernel) -> Iterator[Line]:
    """The names of extents, strides and pointers that the body uses."""
    nest, used = kernel.nest, used_names(kernel.body)
    operands = range(nest.outputs + nest.inputs)
    extents = [f"const int64_t n{d} = extent[{d}];" for d in range(nest.ndim) if f"n{d}" in used]
    extents += [f"const int64_t rows = extent[{nest.ndim}];"] if "rows" in used else []
    strides = [
        f"const int64_t s{k}_{d} = stride[{k * nest.ndim + d}];"
        for k in operands for d in range(nest.ndim) if f"s{k}_{d}" in used
    ]  # fmt: skip
    pointers = [f"char *const p{k} = data[{k}];" for k in operands if f"p{k}" in used]
    if kernel.scratch:
        pointers.append(f"char *const scratch = data[{len(operands)}];")
    if kernel.block:
        pointers += _part_lines(len(operands), used)
    for parameter, uses in (("extent", extents), ("stride", strides), ("data", pointers)):
        yield from map(Line, uses or [f"(void){parameter};"])


def _part_lines(position: int, used: set[str]) -> Iterator[str]:
    """What is in the gl_parts at `position` of the data."""
    yield f"const gl_parts *const parts = (const gl_parts *)data[{position}];"
    whole = [(field, "int64_t ") for field in ("rows", "count", "level", "elements")]
    for field, c_type in (*whole, ("memory", "char *")):
        if f"part_{field}" in used:
            yield f"{c_type}const part_{field} = parts->{field};"


def _run_lines(kernel: Kernel) -> Iterator[Line]:
    """Statements that run `kernel` on the arrays in `slots`."""
    nest = kernel.nest
    yield _table("uint8_t", "reduce", [d in nest.reduce for d in range(nest.ndim)])
    yield _table("int8_t", "axes", [axis for axes in nest.axes for axis in axes])
    counts = f"{nest.ndim}, {nest.outputs}, {nest.inputs}"
    order = f"{int(nest.sorts)}, {nest.few}, params"
    facts = f"{cost(kernel)}, {kernel.scratch}, {kernel.folds}, {kernel.block}, {int(asks(kernel))}, {int(nest.beside)}"
    yield Line(f"const gl_nest nest = {{{counts}, slots, reduce, axes, {order}, {facts}}};")
    yield Line(f"return f->api->run(f, &nest, {kernel.name});")


# ---- steps ---------------------------------------------------------------------------------------
# A step is a row of a table, as a compiler takes far longer over a function than over a row: what to run, on
# which slots, with which parameters, and the slots to release then. What it runs is the same for many steps,
# but for a loop, a choice and a check, which have a function of their own.

_HEAD = "static int {}(gl_frame *f, const int32_t *slots, const int64_t *params)"


def _row(number: str, step: Step) -> Line:
    """The row of a step in its table."""
    slots: tuple[int, ...]
    params: tuple[int, ...]
    match step.action:
        case LoopCall(kernel, outputs, inputs, takes):
            run, slots, params = f"run_{kernel.name}", (*outputs, *inputs), takes
        case RuntimeCall(function, slots, params):
            run = f"call_{function}"
        case HostCall(index, inputs, outputs):
            run, slots, params = "call_host", (*inputs, *outputs), (index, len(inputs), len(outputs))
        case _:
            run, slots, params = f"run_step_{number}", (), ()
    lists = f"{_list('int32_t', slots)}, {_list('int64_t', params)}, {len(step.release)}"
    return Line(f"  {{{run}, {lists}, {_list('int32_t', step.release)}}},  /* {safe(step.name)} */", step.nodes)


def _list(c_type: str, values: Sequence[int]) -> str:
    if not values:
        return "0"
    return f"(const {c_type}[]){{{', '.join(c_integer(v, c_type.removesuffix('_t')) for v in values)}}}"


def table_lines(name: str, numbers: str, steps: Sequence[Step]) -> Iterator[Line]:
    """The table `name` of steps, whose numbers begin with `numbers`."""
    yield Line(f"static const gl_step {name}[] = {{")
    yield from (_row(f"{numbers}{k}", step) for k, step in enumerate(steps))
    if not steps:  # C has no empty arrays
        yield Line("  {0},")
    yield Line("};")


def step_lines(number: str, step: Step) -> Iterator[Line]:
    """The C of a step that has a function of its own, and of such steps inside it."""
    if isinstance(step.action, LoopCall | RuntimeCall | HostCall):
        return
    for name, steps in _blocks(number, step.action):
        for k, inside in enumerate(steps):
            yield from step_lines(f"{name}_{k}", inside)
        yield from table_lines(f"steps_{name}", f"{name}_", steps)
        yield Line("")
    yield Line(f"{_HEAD.format(f'run_step_{number}')} {{", step.nodes)
    yield Line("  (void)slots, (void)params;")
    yield from indented(call_lines(step.action, number))
    yield Line("  return failed;")
    yield Line("}")
    yield Line("")


_ROW = re.compile(r"^  \{.*\},  /\* (.*) \*/$")


def _blocks(number: str, action: Action) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """The blocks of steps inside an action, each with its name in C."""
    match action:
        case Loop():
            return ((f"{number}_body", action.body),)
        case Branch():
            return ((f"{number}_then", action.then), (f"{number}_else", action.otherwise))
        case _:
            return ()


def caller_lines(steps: Iterable[Step]) -> Iterator[Line]:
    """The functions by which steps call the runtime."""
    actions = [step.action for step in steps]
    for function in dict.fromkeys(a.function for a in actions if isinstance(a, RuntimeCall)):
        yield from _text_lines(f"{_HEAD.format(f'call_{function}')} {{")
        yield Line(f"  return f->api->{function}(f, slots, params);")
        yield Line("}")
        yield Line("")
    if any(isinstance(a, HostCall) for a in actions):
        yield Line("/* Function number params[0] of Python's, from so many slots into so many. */")
        yield Line(f"{_HEAD.format('call_host')} {{")
        inputs, outputs = "(int32_t)params[1], slots", "(int32_t)params[2], slots + params[1]"
        yield Line(f"  return f->api->host(f, (int32_t)params[0], {inputs}, {outputs});")
        yield Line("}")
        yield Line("")


@singledispatch
def call_lines(action: Action, number: str) -> Iterator[Line]:
    """Statements that do `action` and leave in `failed` how it went; TypeError for what has no function of its own."""
    raise TypeError(f"no C for {type(action).__name__}")


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
    yield _stacks(action.stacks)
    counts = f"{len(action.elements)}, {len(action.carried)}, {len(action.stacks)}"
    slots = f"{action.turns}, {_or_none(action.made)}"
    yield Line(f"static const gl_loop loop = {{{counts}, {slots}, elements, carried, depths, past, stacks}};")
    run = f"gl_run_steps(f, steps_{number}_body, {len(action.body)})"
    yield Line("int64_t turns, t = 0;")
    yield Line("int failed = f->api->loop_begin(f, &loop, &turns);")
    if action.dry:
        yield Line("/* Without any turn the body runs once, on zeros, to tell the extents of what it would make. */")
        yield Line(f"if (!failed && turns == 0) failed = {run};")
    steady = steady_steps(action)
    yield Line("for (; !failed && t < turns; ++t) {")
    if steady:
        first = max((len(c.past) for c in action.carried), default=1)
        yield Line(f"  if (t == {first}) {{")
        yield from indented(indented(_steady_lines(steady)))
        yield Line("    if (failed || t == turns) break;")
        yield Line("  }")
    yield Line("  failed = f->api->loop_turn(f, &loop, t);")
    yield Line(f"  if (!failed) failed = {run};")
    yield Line("  if (!failed) failed = f->api->loop_keep(f, &loop, turns, t);")
    if action.until is not None:
        yield Line(f"  if (!failed && *(const uint8_t *)f->arrays[{action.until}].data) turns = t + 1;")
    yield Line("}")
    yield Line("if (!failed) failed = f->api->loop_end(f, &loop, t);")


def _steady_lines(steps: Sequence[SteadyStep]) -> Iterator[Line]:
    """The other turns of a loop, whose body is `steps`."""
    yield Line("/* From here on each turn does the same, with other pointers. */")
    rows = []
    for k, step in enumerate(steps):
        match step.action:
            case LoopCall(kernel, outputs, inputs):
                yield _table("int32_t", f"slots{k}", (*outputs, *inputs))
                yield from _steady_nest(k, kernel)
                rows.append(f"{{GL_STEADY_{step.kind}, &nest{k}, {kernel.name}, 0, 0, 0}}")
            case RuntimeCall(function, slots, params):
                lists = f"{_list('int32_t', slots)}, {_list('int64_t', params)}"
                rows.append(f"{{GL_STEADY_{step.kind}, 0, 0, f->api->{function}, {lists}}}")
    yield Line("const gl_steady_step steps[] = {")
    yield from (Line(f"  {row},") for row in rows)
    yield Line("};")
    yield Line(f"failed = f->api->loop_steady(f, &loop, steps, {len(steps)}, turns, &t);")


def _steady_nest(k: int, kernel: Kernel) -> Iterator[Line]:
    """The nest of step k, which is a kernel."""
    nest = kernel.nest
    yield _table("uint8_t", f"reduce{k}", [d in nest.reduce for d in range(nest.ndim)])
    yield _table("int8_t", f"axes{k}", [axis for axes in nest.axes for axis in axes])
    yield Line(f"const gl_nest nest{k} = {{")
    yield Line(f"  .ndim = {nest.ndim}, .n_outputs = {nest.outputs}, .n_inputs = {nest.inputs},")
    yield Line(f"  .slots = slots{k}, .reduce = reduce{k}, .axes = axes{k},")
    yield Line(f"  .sorts = {int(nest.sorts)}, .few = {nest.few}, .cost = {cost(kernel)}, .scratch = {kernel.scratch},")
    yield Line(f"  .folds = {kernel.folds}, .block = {kernel.block}, .asks = {int(asks(kernel))},")
    yield Line(f"  .beside = {int(nest.beside)}}};")


@call_lines.register
def _(action: Turns, number: str) -> Iterator[Line]:
    carried = [n for start, depth, final in action.carried for n in (start, depth, _or_none(final))]
    yield _stacks(action.stacks)
    yield _table("int32_t", "carried", carried)
    yield _table("int32_t", "sequences", action.sequences)
    yield _table("int32_t", "constants", action.constants)
    counts = f"{len(action.stacks)}, {len(action.carried)}, {len(action.sequences)}, {len(action.constants)}"
    others = f"{int(action.until)}, {action.turns}, {_or_none(action.made)}"
    yield Line(f"static const gl_turns turns = {{{counts}, {others}, stacks, carried, sequences, constants}};")
    yield Line(f"int failed = f->api->turns(f, &turns, {action.kernel.name});")


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


@call_lines.register
def _(action: Branch, number: str) -> Iterator[Line]:
    yield Line("int failed;")
    blocks = (("if", 1, "then", action.then), ("else", 2, "else", action.otherwise))
    for word, which, name, steps in blocks:
        test = f"(*(const uint8_t *)f->arrays[{action.condition}].data) " if word == "if" else ""
        yield Line(f"{word} {test}{{")
        yield Line(f"  failed = gl_run_steps(f, steps_{number}_{name}, {len(steps)});")
        for result in action.results:
            yield Line(f"  if (!failed) failed = f->api->share(f, {result[0]}, {result[which]});")
        yield Line("}")


def _stacks(stacks: Sequence[Stack]) -> Line:
    rows = ", ".join(f"{{{s.stack}, {s.value}, {_or_none(s.keep)}, {int(s.backwards)}}}" for s in stacks) or "{0}"
    return Line(f"static const gl_collected stacks[] = {{{rows}}};")


def _table(c_type: str, name: str, values: Sequence[int]) -> Line:
    items = ", ".join(str(int(v)) for v in values) or "0"  # C has no empty arrays
    return Line(f"static const {c_type} {name}[] = {{{items}}};")


# ---- the program ---------------------------------------------------------------------------------

_WARNINGS = """/* Expressions may well compare a value with itself, or an unsigned one with 0. */
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
"""


_STEPS = """
/* A step: what it runs, on which slots and with which parameters, and the slots that it then releases. */
typedef struct gl_step {
  int (*run)(gl_frame *f, const int32_t *slots, const int64_t *params);
  const int32_t *slots;
  const int64_t *params;
  int32_t releases;
  const int32_t *release;
} gl_step;

static int gl_run_step(gl_frame *f, const gl_step *step) {
  const int failed = step->run(f, step->slots, step->params);
  for (int32_t k = 0; !failed && k < step->releases; ++k) f->api->release(f, step->release[k]);
  return failed;
}
"""

_BLOCKS = """
static int gl_run_steps(gl_frame *f, const gl_step *steps, int32_t count) {
  int failed = 0;
  for (int32_t k = 0; !failed && k < count; ++k) failed = gl_run_step(f, &steps[k]);
  return failed;
}
"""


@uncollected
def emit(program: Program) -> Source:
    """The C of `program`: gl_run runs it all, gl_run_one its step k. What many steps run is in it once."""
    steps = tuple(every_step(program.steps))
    calls = [call for step in steps if (call := kernel_of(step)) is not None]
    kernels = {kernel.name: kernel for kernel, _ in calls}
    planned = {step.action.kernel.name: step.action.kernel for step in steps if isinstance(step.action, LoopCall)}
    functions = {function.name: function for kernel in kernels.values() for function, _ in kernel.functions}
    shared = [(name, function_lines(function)) for name, function in functions.items()]
    for name, kernel in kernels.items():
        shared.append((name, chain(kernel_lines(kernel), [Line("")], run_lines(kernel)) if name in planned
                       else kernel_lines(kernel)))  # fmt: skip
    nodes, places = _computed(calls), dict[str, Span]()
    lines = list(_text_lines("/* Generated by graphlab. */\n" + header("gl_abi.h") + "\n" + _WARNINGS))
    used = needed(_identifiers(kernels.values(), functions.values()))
    lines += [line for text in used for line in _text_lines("\n" * (text[-1] == "\n") + text)]
    inside = any(isinstance(step.action, Loop | Branch) for step in program.steps)
    lines += _text_lines(_STEPS + _BLOCKS * inside + "\n")
    for name, some in shared:
        first = len(lines) + 1
        lines += (Line(line.text, tuple(own[k] for own in nodes[name] for k in line.nodes)) for line in some)
        places[name] = (first, len(lines))
        lines.append(Line(""))
    lines += caller_lines(steps)
    for number, step in enumerate(program.steps):
        first = len(lines) + 1
        lines += step_lines(str(number), step)
        if len(lines) >= first:
            places[_own(step)] = (first, len(lines) - 1)
    lines += table_lines("steps", "", program.steps)
    lines += _text_lines(_ENTRY.format(count=len(program.steps)))
    text = "".join(f"{line.text}\n" for line in lines)
    externs = tuple(sorted(set(re.findall(r"\bgl_extern_(\w+)", text))))
    return Source(text, tuple(line.nodes for line in lines), _spans(steps, lines, places), externs)


def _computed(calls: Iterable[tuple[Kernel, Nodes]]) -> dict[str, list[Nodes]]:
    """For each kernel and function the nodes of all that use it: theirs at position k are those of its lines' k."""
    found: dict[str, list[Nodes]] = {}
    for kernel, nodes in calls:
        found.setdefault(kernel.name, []).append(nodes)
        for function, positions in kernel.functions:
            found.setdefault(function.name, []).extend((nodes[k],) for k in positions)
    return found


def _spans(steps: Sequence[Step], lines: Sequence[Line], places: Mapping[str, Span]) -> dict[str, tuple[Span, ...]]:
    """Where what each step runs is, and its row, given the places of what is shared and of steps' own functions."""
    rows = {found[1]: k for k, line in enumerate(lines, 1) if (found := _ROW.search(line.text))}
    spans: dict[str, tuple[Span, ...]] = {}
    for step in steps:
        call = kernel_of(step)
        kernels = [*(function.name for function, _ in call[0].functions), call[0].name] if call else []
        names = [*kernels, _own(step)]
        row = rows[safe(step.name)]
        spans[step.name] = (*(places[name] for name in names if name in places), (row, row))
    return spans


def _own(step: Step) -> str:
    """The key of the function that is a step's own, if it has one: not the name of a kernel."""
    return f"run {step.name}"


def _text_lines(text: str) -> Iterator[Line]:
    return map(Line, text.splitlines())


def _identifiers(kernels: Collection[Kernel], functions: Iterable[Function]) -> set[str]:
    """Every identifier that the formulas, conversions and strips of kernels and functions use."""
    strips = {name for kernel in kernels for s in walk(kernel.body) if (name := _moved(s)) is not None}
    every = chain(*(formulas(kernel.body) for kernel in kernels), *map(_function_formulas, functions))
    texts = {
        e.template if isinstance(e, Formula) else c_expr(Cast(Name("x"), e.source, e.dtype))
        for e in every
    }  # fmt: skip
    return strips.union(word for text in texts for word in words(text) | words(near(text)))


def _moved(s: Stmt) -> str | None:
    """The function that brings elements side by side for a statement, or back."""
    match s:
        case Scatter(strip):
            return f"gl_scatter_{strip.dtype}"
        case Gather(dtype=dtype, writable=False):
            return f"gl_gather_{dtype}"
        case Stretch(strip=strip):
            return f"gl_stretch_{strip.dtype}"
        case Columns(dtype=dtype):
            return f"gl_columns_{dtype}"
    return None


def _function_formulas(function: Function) -> Iterator[Formula | Cast]:
    yield from formulas(function.body)
    yield from formulas_in(function.result)


_ENTRY = """
const int32_t gl_step_count = {count};

int gl_run_one(gl_frame *f, int32_t k) {{
  f->step = k;
  return gl_run_step(f, &steps[k]);
}}

int gl_run(gl_frame *f) {{
  int failed = 0;
  for (int32_t k = 0; !failed && k < gl_step_count; ++k) failed = gl_run_one(f, k);
  return failed;
}}
"""
