"""export_c: a compiled function as a folder of C with a plain interface, a Makefile and a test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.codegen.c import emit
from graphlab.codegen.paste import csrc, header, needed, words
from graphlab.codegen.statements import safe
from graphlab.errors import GraphlabError, GraphValueError, Origin, caller_origin, user_boundary
from graphlab.export.tables import Exported, blas, called, drop_scratch, filled, hooks, reasons, tables
from graphlab.export.values import Array, definition, number_type
from graphlab.graph.node import Apply, Shared
from graphlab.graph.types import TensorType
from graphlab.loops.ir import HostCall, RuntimeCall
from graphlab.loops.walk import every_step, kernel_of
from graphlab.lower import Lowered, lower
from graphlab.ops.lowering import Host
from graphlab.runtime.compiler import FLAGS

_RESERVED = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline
int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
main""".split()
)
_ONLY_SHARED = ("-shared", "-fPIC", "-O1")  # flags of programs that the Makefile sets by itself

_UNUSED = """/* Rows load an element of each operand, also where nothing is left of what needed it. */
#pragma GCC diagnostic ignored "-Wunused-variable"
"""


@user_boundary
def export_c(
    function: Function,
    folder: str | os.PathLike[str],
    args: Sequence[Any] | Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Path:
    """Write `function` to `folder` as C that needs no Python: programs, runtime, header, Makefile; the folder.

    The header NAME.h tells how to call it; `make` builds libNAME.so. With `args`, the arguments of a call (a sequence,
    or a mapping by name), `make test` runs that call and compares with what it gives here. Shared variables are states
    of a context, which begin as they are now. `name`: the prefix of all names in C (default: the function's own).
    GraphValueError, which names the operation and the user's line: a step is computed by Python, SciPy or NumPy's
    random numbers; or `name` is no name in C.

    >>> import tempfile, graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = graphlab.function([x], 2 * x, name="twice").export_c(folder, args=[[1.0]])
    ...     sorted(path.name for path in made.iterdir() if path.suffix)
    ['twice.c', 'twice.h', 'twice_program.c', 'twice_test.c']
    """
    chosen = name or (function.name if _is_name(function.name) else "function")
    if not _is_name(chosen):
        raise GraphValueError(f"export_c: {chosen!r} is no name in C", origin=caller_origin(),
                              hint="letters, digits and _, not a digit first, no keyword")  # fmt: skip
    if function.lowered is None:
        raise GraphValueError(f"export_c: {function.name} has no C: NumPy runs it in mode {function.mode.name!r}",
                              origin=caller_origin(), hint='compile it with mode="fast_run"')  # fmt: skip
    if args is None:
        call: Recorded | None = None
    else:
        given, named = ((), args) if isinstance(args, Mapping) else (args, {})
        call = _recorded(function, function.arguments(given, named))
    return _written(function, Path(folder), chosen, call)


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII) is not None and text not in _RESERVED


def _written(function: Function, folder: Path, name: str, call: Recorded | None) -> Path:
    programs = list(_programs(function, name))
    states = _states(function, programs)
    outputs = function.graph.outputs[: len(function.graph.outputs) - len(function.updated)]
    products = "matmul" in called(programs)
    prototypes, fill = blas() if products else ("", "")
    types = [v.type for v in function.inputs]
    given = {
        "NAME": name, "GUARD": f"{name.upper()}_H", "INPUTS": str(len(types)), "OUTPUTS": str(len(outputs)),
        "STATES": str(len(states)), "SIGNATURE": _signature(function, [v.type for v in outputs], states),
        "MAX_NDIM": _max_ndim(), "BLAS": prototypes, "START": fill, "REASONS": reasons(), "HOOKS": hooks(),
        "DROP_SCRATCH": drop_scratch(),
        "TABLES": tables(programs, types, states, function.updated, len(outputs)),
    }  # fmt: skip
    runtime = _runtime_files()
    files = {f"{name}.h": filled(header("export/api.h"), given), f"{name}.c": filled(header("export/api.c"), given)}
    for p in programs:
        names = "".join(f"#define gl_{word} {p.name}_{word}\n" for word in ("run", "run_one", "step_count"))
        files[f"{p.name}.c"] = names + _UNUSED + p.source.text
    files |= {f"runtime/{file}": header(file) for file in runtime}
    sources = [f"{name}.c", *(f"{p.name}.c" for p in programs)]
    if products:
        files["slow_blas.c"] = header("export/slow_blas.c")
    if call is not None:
        half = "AS('f', _Float16)\n  " if call.has_half else ""
        files[f"{name}_test.c"] = filled(header("export/test.c"), {**given, "DATA": call.data(), "HALF": half})
    files["Makefile"] = _makefile(name, sources, runtime, products, tested=call is not None)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    return folder


# ---- programs ------------------------------------------------------------------------------------


def _programs(function: Function, name: str) -> Iterator[Exported]:
    """The program, and where it takes something for granted the general one behind it."""
    assert function.lowered is not None
    general = lower(function.optimized, general=True)
    texts = set[str]()
    for suffix, lowered in (("program", function.lowered), ("general", general)):
        _refuse_python(lowered)
        source = emit(lowered.program)
        if source.externs:
            node = _user_of(lowered, source.externs[0])
            raise _refused(node, f"SciPy computes {node.op.name}: its code is no part of the folder")
        if source.text not in texts:
            texts.add(source.text)
            yield Exported(f"{name}_{suffix}", lowered, source)


def _refuse_python(lowered: Lowered) -> None:
    for step in every_step(lowered.program.steps):
        node = lowered.nodes[step.nodes[0]] if step.nodes else None
        match step.action:
            case HostCall():
                assert node is not None
                meaning = node.op.lowering(node)
                why = meaning.reason if isinstance(meaning, Host) else "has no C form"
                raise _refused(node, f"NumPy computes {node.op.name}: it {why}")
            case RuntimeCall("draw"):
                assert node is not None
                raise _refused(node, f"{node.op.name} draws by NumPy's library of distributions")


def _user_of(lowered: Lowered, extern: str) -> Apply:
    """An application whose kernel calls the special function `extern`."""
    for step in every_step(lowered.program.steps):
        found = kernel_of(step)
        for n in found[1] if found else ():
            node = lowered.nodes[n]
            if any(f"gl_extern_{extern})" in text for text in needed(words(str(node.op.lowering(node))))):
                return node
    raise AssertionError(f"no application uses {extern}")


def _refused(node: Apply, why: str) -> GraphlabError:
    origin: Origin | None = next(iter(node.provenance.origins), caller_origin())
    return GraphValueError(
        f"export_c: {why}", origin=origin,
        hint="compute it outside, and make what it gives an input: docs/ops.md says what each operation becomes",
    )  # fmt: skip


def _states(function: Function, programs: Sequence[Exported]) -> list[Shared]:
    """The shared variables that the programs read or that are updated; several over one value are one."""
    read = [
        v for p in programs for slot in p.lowered.program.shared if isinstance(v := p.lowered.variables[slot], Shared)
    ]
    found: dict[int, Shared] = {}
    for v in (*read, *function.updated):
        found.setdefault(id(v.cell), v)
    return list(found.values())


# ---- the recorded call ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorded:
    """The arguments of a call, the results of calling so some times, and the states then."""

    arguments: tuple[Array, ...]
    results: tuple[tuple[Array, ...], ...]
    states: tuple[Array, ...]

    @property
    def has_half(self) -> bool:
        """Whether there are numbers that C compilers need not know."""
        return any(a.dtype == np.float16 for a in self._every())

    def _every(self) -> Iterator[Array]:
        yield from self.arguments
        for results in self.results:
            yield from results
        yield from self.states

    def data(self) -> str:
        """What test.c looks at."""
        lines, rows = list[str](), list[str]()
        for k, array in enumerate(self._every()):
            lines += definition(f"numbers_{k}", array)
            rows.append(_recorded_row(f"numbers_{k}", array))
        first, each = len(self.arguments), len(self.results[0])
        lines += ["static const recorded arguments[] = {", *(rows[:first] or ["  {0},"]), "};"]
        lines.append(f"static const recorded results[][{max(each, 1)}] = {{")
        for k in range(len(self.results)):
            lines += ["  {", *(rows[first + k * each : first + (k + 1) * each] or ["  {0},"]), "  },"]
        lines += ["};", "static const recorded last_states[] = {"]
        lines += [*(rows[first + each * len(self.results) :] or ["  {0},"]), "};"]
        return "\n".join([*lines, f"enum {{ calls = {len(self.results)} }};", ""])


def _recorded_row(name: str, array: Array) -> str:
    kind = {"f": "f", "c": "f", "i": "i"}.get(array.dtype.kind, "u")
    parts = 2 if array.dtype.kind == "c" else 1
    itemsize = array.dtype.itemsize // parts
    tolerance = {"f": {2: 1e-2, 4: 1e-4, 8: 1e-9}.get(itemsize, 0.0)}.get(kind, 0.0)
    shape = "{" + (", ".join(map(str, array.shape)) or "0") + "}"
    return f"  {{{name}, {array.ndim}, '{kind}', sizeof({number_type(array)}), {parts}, {tolerance!r}, {shape}}},"


def _recorded(function: Function, arrays: Sequence[Array]) -> Recorded:
    """Calls with `arrays`: two where there are updates; afterwards all is as before."""
    assert function.lowered is not None
    with _kept(function):
        calls = 2 if function.updated else 1
        results = tuple(tuple(a.copy() for a in function._run(arrays)) for _ in range(calls))
        states = _states(function, list(_programs(function, "program")))
        last = tuple(np.array(s.cell[0], s.dtype) for s in states)
    return Recorded(tuple(arrays), results, last)


@contextmanager
def _kept(function: Function) -> Iterator[None]:
    held = [(shared, shared.cell[0]) for shared in function.updated]
    try:
        yield
    finally:
        for shared, value in held:
            shared.cell[0] = value


# ---- texts ---------------------------------------------------------------------------------------


def _signature(function: Function, outputs: Sequence[TensorType], states: Sequence[Shared]) -> str:
    rows = [f"input {k}: {v.type}{_named(v.name)}" for k, v in enumerate(function.inputs)]
    rows += [f"output {k}: {t}" for k, t in enumerate(outputs)]
    rows += [f"state {k}: {s.type}{_named(s.name)}" for k, s in enumerate(states)]
    return "".join(f" * {row.replace('?', '-')}\n" for row in rows)


def _named(name: str | None) -> str:
    return f" ({safe(name)})" if name else ""


def _max_ndim() -> str:
    found = re.search(r"#define GL_MAX_NDIM (\d+)", header("gl_abi.h"))
    assert found is not None, "gl_abi.h defines GL_MAX_NDIM"
    return found[1]


def _runtime_files() -> list[str]:
    """The runtime without what knows Python or NumPy, and without what is pasted into programs."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(csrc().glob("gl_*.c"))}
    chosen = [n for n, text in texts.items() if "gl_python.h" not in text and "gl_random.h" not in text]
    included = {h for n in chosen for h in re.findall(r'#include "(\w+\.h)"', texts[n])}
    while more := {h for n in included for h in re.findall(r'#include "(\w+\.h)"', header(n))} - included:
        included |= more
    return [*chosen, *sorted(included)]


def _makefile(name: str, sources: Sequence[str], runtime: Sequence[str], products: bool, tested: bool) -> str:
    objects = [f"{file.removesuffix('.c')}.o" for file in sources]
    slow = (
        "\n# BLAS=-lopenblas (or -lblas, ...), or BLAS=slow for the plain loops of slow_blas.c.\nBLAS ?= -lopenblas\n"
        "ifeq ($(BLAS),slow)\nOBJECTS += slow_blas.o\nelse\nBLAS_LIBRARY = $(BLAS)\nendif\n"
    )
    rule = (
        f"\n{name}_test: {name}_test.o $(OBJECTS)\n\t$(CC) $(CFLAGS) -o $@ {name}_test.o $(OBJECTS) $(LIBRARIES)\n"
        f"\ntest: {name}_test\n\t./{name}_test\n"
    )
    given = {
        "NAME": name, "TESTED": "; make test: compares with recorded results" if tested else "",
        "SLOW_BLAS": slow if products else "", "LIBRARIES": "$(BLAS_LIBRARY) " if products else "",
        "MEANING": " ".join(flag for flag in FLAGS if flag not in _ONLY_SHARED),
        "RUNTIME": " ".join(f"runtime/{f.removesuffix('.c')}.o" for f in runtime if f.endswith(".c")),
        "OBJECTS": " ".join(objects), "TEST_RULES": rule if tested else "",
        "CLEANED": f"{name}_test {name}_test.o" if tested else "",
    }  # fmt: skip
    return filled(header("export/Makefile"), given)
