"""What the C of an exported function says of its programs: slots, constants, states, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphlab.codegen.c import Source
from graphlab.codegen.paste import header
from graphlab.codegen.statements import safe
from graphlab.export.values import Array, definition, integers
from graphlab.graph.node import Shared
from graphlab.graph.types import TensorType
from graphlab.lower import Lowered
from graphlab.runtime.native import DETAILS


@dataclass(frozen=True)
class Exported:
    """A program to be written: its name in C, what was lowered, and its text."""

    name: str
    lowered: Lowered
    source: Source


class Constants:
    """The arrays that programs need, each defined once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.lines: list[str] = []

    def __call__(self, array: Array) -> str:
        """The name of the data of `array`."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = f"data_{len(self._names)}"
            self.lines += definition(self._names[key], array)
        return self._names[key]


def tables(
    programs: Sequence[Exported], inputs: Sequence[TensorType], states: Sequence[Shared], updated: Sequence[Shared],
    outputs: int,
) -> str:  # fmt: skip
    """The tables of api.c."""
    constants, lines = Constants(), list[str]()
    for p in programs:
        lines += _program(p, states, constants)
    first = [f"  {_value(constants, np.ascontiguousarray(s.cell[0], s.dtype))}," for s in states]
    kinds = ((("input_kinds"), inputs), ("states", [s.type for s in states]))
    lines += [f"static const kind {name}[] = {_kinds(types)};" for name, types in kinds]
    lines += ["static const value first_states[] = {", *(first or ["  {0},"]), "};"]
    numbers = [next(k for k, s in enumerate(states) if s.cell is u.cell) for u in updated]
    lines += [f"static const int32_t updated[] = {integers(numbers)};"]
    lines += ["static const program programs[] = {", *(f"  {_row(p, outputs)}," for p in programs), "};"]
    most = max(len(p.lowered.program.dtypes) for p in programs)
    lines += [f"enum {{ n_programs = {len(programs)}, n_updated = {len(updated)}, most_slots = {most} }};", ""]
    return "\n".join([*constants.lines, "", *lines, *_api(programs)])


def _program(p: Exported, states: Sequence[Shared], constants: Constants) -> Iterator[str]:
    """The arrays that the row of a program names."""
    program, name = p.lowered.program, p.name
    slots = [f"{{.ndim = {n}, .itemsize = {np.dtype(d).itemsize}}}"
             for d, n in zip(program.dtypes, program.ndims, strict=True)]  # fmt: skip
    yield f"int {name}_run(gl_frame *);"
    yield f"static const gl_slot {name}_slots[] = {{{', '.join(slots) or '{0}'}}};"
    yield f"static const int32_t {name}_inputs[] = {integers(program.inputs)};"
    yield f"static const int32_t {name}_outputs[] = {integers(program.outputs)};"
    yield f"static const int32_t {name}_constant_slots[] = {integers(program.constants)};"
    yield f"static const int32_t {name}_shared_slots[] = {integers(program.shared)};"
    held = [p.lowered.variables[slot] for slot in program.shared]
    numbers = [next(k for k, s in enumerate(states) if isinstance(v, Shared) and s.cell is v.cell) for v in held]
    yield f"static const int32_t {name}_shared_states[] = {integers(numbers)};"
    given = zip(p.lowered.constants, program.constants, strict=True)
    values = [_value(constants, np.ascontiguousarray(a, program.dtypes[slot])) for a, slot in given]
    yield f"static const value {name}_constants[] = {{{', '.join(values) or '{0}'}}};"
    yield f"static const char *const {name}_steps[] = {{"
    for step in program.steps:
        ops = ", ".join(dict.fromkeys(p.lowered.nodes[n].op.name for n in step.nodes)) or step.name
        yield f'  "{safe(ops)}",'
    yield "  0,"
    yield "};"


def _row(p: Exported, outputs: int) -> str:
    program, name = p.lowered.program, p.name
    counts = f"{len(program.dtypes)}, {len(program.constants)}, {len(program.shared)}"
    names = ("slots", "inputs", "outputs", "constant_slots", "shared_slots", "shared_states", "constants", "steps")
    return f"{{{name}_run, {counts}, {', '.join(f'{name}_{n}' for n in names)}}}"


def _value(constants: Constants, array: Array) -> str:
    return f"{{{constants(array)}, {integers(array.shape)}}}"


def _kinds(types: Sequence[TensorType]) -> str:
    rows = [
        f"{{{t.ndim}, {np.dtype(t.dtype).itemsize}, {integers([-1 if n is None else n for n in t.shape])}}}"
        for t in types
    ]
    return f"{{{', '.join(rows) or '{0}'}}}"


def called(programs: Iterable[Exported]) -> list[str]:
    """The functions of the runtime's table that the programs call."""
    return sorted({name for p in programs for name in re.findall(r"->api->(\w+)\(", p.source.text)})


def _api(programs: Sequence[Exported]) -> Iterator[str]:
    """The runtime's table, with only what is called: the linker leaves out the rest."""
    known = dict(re.findall(r"\.(\w+) = (gl_\w+),", header("gl_host.c")))
    yield "static const gl_api api = {"
    for name in called(programs):
        yield f"  .{name} = {known[name]},"
    yield "};"


def reasons() -> str:
    """What each kind of error means, as cases of a switch over its details `d`."""
    lines = []
    for kind, text in DETAILS.items():
        if kind == "unknown":
            continue
        count = text.count("{}")
        numbers = "".join(f", (long long)d[{k}]" for k in range(count))
        lines.append(f"  case GL_ERROR_{kind.upper()}:")
        lines.append(
            f'    snprintf(reason, sizeof reason, "{text.replace("%", "%%").replace("{}", "%lld")}"{numbers});'
        )
        lines.append("    break;")
    return "".join(f"{line}\n" for line in lines)


def hooks() -> str:
    """What the runtime asks of Python: to every question that it may ask besides, the answer is no."""
    found = re.search(r"typedef struct gl_hooks \{\n(.*?)\} gl_hooks;", header("gl_runtime.h"), re.DOTALL)
    assert found is not None, "gl_runtime.h declares what the runtime asks"
    special = {"new_output": "no_output", "drop": "no_drop"}
    members = re.findall(r"\(\*(\w+)\)\(gl_call \*call", found[1])
    return ", ".join(f".{name} = {special.get(name, 'never')}" for name in members)


def drop_scratch() -> str:
    """The function that gives back the memory of a call's rows: the one that the bridge to Python calls."""
    found = re.search(r"(\w+)\(run->call\.scratch\);", header("gl_activation.c"))
    assert found is not None, "gl_activation.c ends runs"
    return found[1]


def blas() -> tuple[str, str]:
    """The prototypes of the BLAS routines in the runtime's table, and the statements that fill it."""
    found = re.search(r"typedef struct gl_blas \{\n(.*?)\} gl_blas;", header("gl_runtime.h"), re.DOTALL)
    assert found is not None, "gl_runtime.h declares the table of BLAS"
    members = re.findall(r"(\w+) \(\*(\w+)\)\(([^)]*)\);", found[1])
    prototypes = [f"{c_type} {name}_({' '.join(parameters.split())});" for c_type, name, parameters in members]
    filled = [f"  gl_blas_table.{name} = {name}_;" for _, name, _ in members]
    return "\n".join(["/* BLAS, by its Fortran interface. */", *prototypes, "", ""]), "\n".join([*filled, ""])


def filled(template: str, given: Mapping[str, str]) -> str:
    """`template` with each @NAME@ replaced."""
    return re.sub(r"@([A-Z_]+)@", lambda found: given[found[1]], template)
