"""function(inputs, outputs): from a graph to a callable. Reads like a table of contents of the compiler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from graphlab.arguments import In, as_argument
from graphlab.codegen.c import Source, emit
from graphlab.errors import (
    CompilerError,
    GraphTypeError,
    GraphValueError,
    Origin,
    caller_origin,
    user_boundary,
)
from graphlab.graph.events import Event, Fallback, Trace, listen
from graphlab.graph.events import emit as tell
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.walk import leaves, toposort
from graphlab.interpret import interpret
from graphlab.lower import Lowered, lower
from graphlab.options import options
from graphlab.rewrite.pipeline import Mode, optimize
from graphlab.rewrite.pipeline import mode as find_mode
from graphlab.runtime.program import Callable as CallableBase
from graphlab.runtime.program import Machine, StepFailed
from graphlab.signature import (
    Structure,
    Updates,
    check_inputs,
    flatten,
    input_specs,
    labelled,
    substitute,
    update_pairs,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Kernel:
    """One fused loop nest of a function: its nodes, what it reads and writes, its C, and why it is one."""

    name: str
    nodes: tuple[Apply, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    c: str
    reason: str


@dataclass(frozen=True)
class Compiled:
    """What compiling a graph produced; `machine` is None where NumPy runs the graph."""

    optimized: Graph
    trace: Trace
    lowered: Lowered | None = None
    source: Source | None = None
    machine: Machine | None = None


@user_boundary
def function(
    inputs: Sequence[Variable | In],
    outputs: Any = None,
    *,
    updates: Updates | None = None,
    givens: Mapping[Variable, Any] | Sequence[tuple[Variable, Any]] | None = None,
    mode: str | Mode | None = None,
    allow_input_downcast: bool | None = None,
    on_unused_input: str = "raise",
    name: str | None = None,
    fast_math: bool = False,
) -> Function:
    """Compile `outputs` (a variable, list, tuple, dict or None) as a function of `inputs`.

    `updates` maps shared variables to their next values: all are computed from the old values and
    take effect together, after the call has succeeded. `givens` replaces variables before compiling.
    `mode`: "fast_run" (all passes, C), "fast_compile" (few passes, NumPy), "interpret" (the graph as
    written, by NumPy), "debug" (C, checked against the interpreter on every call).
    `allow_input_downcast`: whether float64 arguments may become float32 (None: only Python numbers).
    `on_unused_input`: "raise", "warn" or "ignore". `fast_math` allows rules that change special values.

    >>> import graphlab, graphlab.tensor as T
    >>> a, b = T.dscalars("a", "b")
    >>> graphlab.function([a, b], a + b)(1, 2)
    array(3.)
    """
    specs = input_specs(inputs)
    flat, structure = flatten(outputs)
    chosen = find_mode(mode or options().mode, fast_math=fast_math)
    pairs = update_pairs(updates)
    roots = substitute([*flat, *(value for _, value in pairs)], givens)
    check_inputs(specs, roots, on_unused_input)
    graph = Graph(tuple(s.variable for s in specs), tuple(roots))
    cells = tuple(shared for shared, _ in pairs)
    compiled = compile_graph(graph, chosen, cells)
    return Function(specs, graph, compiled, chosen, structure, cells, allow_input_downcast, name)


def compile_graph(graph: Graph, mode: Mode, updated: Sequence[Shared] = ()) -> Compiled:
    """Rewrite, lower, print and build `graph`; the last outputs are the new values of `updated`."""
    events: list[Event] = []
    with listen(events.append):
        optimized = optimize(graph, mode)
        if not mode.compiles:
            return Compiled(optimized, Trace(graph, tuple(events)))
        lowered = lower(optimized)
        source = emit(lowered.program)
        machine = _build(lowered, source, updated)
        return Compiled(optimized, Trace(graph, tuple(events)), lowered, source, machine)


def _build(lowered: Lowered, source: Source, updated: Sequence[Shared]) -> Machine | None:
    """The loaded program, or None, with one warning, where it can't be built: NumPy then runs the graph."""
    shared = [lowered.variables[slot] for slot in lowered.program.shared]
    cells = {v: v.cell for v in (*shared, *updated) if isinstance(v, Shared)}
    first = len(lowered.program.outputs) - len(updated)
    try:
        return Machine(
            lowered.program,
            source.text,
            constants=lowered.constants,
            hosts=lowered.hosts,
            cells=[cells[v] for v in shared],  # type: ignore[index]
            updates=[(first + i, v.cell) for i, v in enumerate(updated)],
            externs=source.externs,
        )
    except CompilerError as error:
        tell(Fallback(str(error)))
        _warn_once(str(error))
        return None


_warned = False


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"graphlab runs on NumPy, which is slower: {reason}", RuntimeWarning, stacklevel=5)


# ---- the callable --------------------------------------------------------------------------------


class Function(CallableBase):  # type: ignore[misc]
    """A compiled function. Call it with values for its inputs, by position or by name.

    `graph` and `optimized` are the graphs before and after rewriting, `trace` everything that happened
    between, `kernels` the fused loops, `c_source` the generated C, `lines` the nodes behind each C line.
    """

    def __init__(
        self,
        specs: tuple[In, ...],
        graph: Graph,
        compiled: Compiled,
        mode: Mode,
        structure: Structure,
        updated: tuple[Shared, ...],
        downcast: bool | None,
        name: str | None,
    ) -> None:
        self.specs, self.graph, self.compiled, self.mode = specs, graph, compiled, mode
        self.structure, self.updated, self.downcast = structure, updated, downcast
        self.name = name or "function"
        self.origin: Origin | None = caller_origin()
        self._general: tuple[Lowered, Machine | None] | None = None
        checked = mode.name == "debug" or any(s.value is not None or s.strict for s in specs)
        if compiled.machine is not None and not checked and structure.kind in ("single", "list"):
            compiled.machine.bind(self, self._slow, structure.kind == "single")
        else:
            self._bind_slow(self._slow)

    # -- calling --

    @user_boundary
    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """Every call that is not all plain arrays of the right dtype, and every call that failed."""
        arrays = self.arguments(args, kwargs)
        results = self._run(arrays)
        return self.structure.pack(results)

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Array]:
        """The arguments of a call as arrays of the inputs' types; errors name the input."""
        shown = ", ".join(s.label or f"input {i}" for i, s in enumerate(self.specs))
        if len(args) > len(self.specs):
            raise GraphTypeError(
                f"{self.name} takes {len(self.specs)} inputs ({shown}), got {len(args)}", origin=caller_origin()
            )
        values: list[Any] = [*args, *(s.value for s in self.specs[len(args) :])]
        given = [True] * len(args) + [s.value is not None for s in self.specs[len(args) :]]
        for key, value in kwargs.items():
            position = next((i for i, s in enumerate(self.specs) if s.label == key), None)
            if position is None or position < len(args):
                why = "is given twice" if position is not None else "is no input"
                raise GraphTypeError(f"{self.name}: {key} {why}; it takes ({shown})", origin=caller_origin())
            values[position], given[position] = value, True
        if not all(given):
            missing = ", ".join(s.label or f"input {i}" for i, s in enumerate(self.specs) if not given[i])
            raise GraphTypeError(f"{self.name} takes ({shown}); missing: {missing}", origin=caller_origin())
        return [as_argument(v, s, i, self.downcast) for i, (v, s) in enumerate(zip(values, self.specs, strict=True))]

    def _run(self, arrays: Sequence[Array]) -> list[Array]:
        lowered, machine = self.program_for(arrays)
        visible = len(self.graph.outputs) - len(self.updated)
        if machine is None:
            results = _fresh(interpret(self.compiled.optimized, arrays), [*arrays, *self._held()])
            for shared, value in zip(self.updated, results[visible:], strict=True):
                shared.cell[0] = value
            return results[:visible]
        expected = interpret(self.graph, arrays) if self.mode.name == "debug" else None
        try:
            results = machine.call(arrays)
        except StepFailed as failure:
            self._explain(failure, lowered, arrays)
        if expected is not None:
            self._compare(results[:visible], expected[:visible], arrays)
        return results[:visible]

    def _held(self) -> list[Array]:
        """The arrays that live on after a call: results must not be them, nor views of them."""
        known = leaves(self.compiled.optimized.outputs)
        return [v.data if isinstance(v, Constant) else v.cell[0] for v in known if isinstance(v, Constant | Shared)]

    def program_for(self, arrays: Sequence[Array]) -> tuple[Lowered | None, Machine | None]:
        """The program that runs on `arrays`: the compiled one, or one without its assumptions where they fail."""
        compiled, values = self.compiled, dict(zip(self.inputs, arrays, strict=True))
        if compiled.lowered is None or all(equal.holds(values) for equal in compiled.lowered.assumed):
            return compiled.lowered, compiled.machine
        if self._general is None:
            lowered = lower(self.optimized, general=True)
            self._general = lowered, _build(lowered, emit(lowered.program), self.updated)
        return self._general

    def _explain(self, failure: StepFailed, lowered: Lowered | None, arrays: Sequence[Array]) -> NoReturn:
        """Say what went wrong in the user's terms: the interpreter finds the same fault on the graph as written."""
        interpret(self.graph, arrays)
        assert lowered is not None
        nodes = [lowered.nodes[n] for n in lowered.program.steps[failure.step].nodes]
        origin = next((o for n in nodes for o in n.provenance.origins), None)
        ops = ", ".join(n.op.name for n in nodes)
        raise GraphValueError(f"step {failure.step} ({ops}) failed: {failure}", origin=origin)

    def _compare(self, results: Sequence[Array], expected: Sequence[Array], arrays: Sequence[Array]) -> None:
        """Mode "debug": GraphValueError if a result is not the interpreter's on the graph as written."""
        for i, (got, want) in enumerate(zip(results, expected, strict=True)):
            if not _agree(got, want):
                raise GraphValueError(
                    f"mode 'debug': output {i} of {self.name} is {got!r} where the interpreter has {want!r}",
                    origin=self.graph.outputs[i].origin,
                    hint=self._suspect(arrays),
                )

    def _suspect(self, arrays: Sequence[Array]) -> str:
        """The first rewrite that changes a value, if one does; else it is the compiled code."""
        for applied in self.trace.rewrites:
            before, after = interpret(Graph(self.inputs, (applied.before, applied.after)), arrays)
            if not _agree(after, before):
                where = f" at {applied.before.origin.label}" if applied.before.origin else ""
                return f"the rule {applied.rule!r} ({applied.source}) makes {after!r} of {before!r}{where}"
        return "no rewrite changes a value, so it is the compiled code: step through it with f.debug(...).findings"

    # -- looking --

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The input variables."""
        return self.graph.inputs

    @property
    def optimized(self) -> Graph:
        """The graph after rewriting."""
        return self.compiled.optimized

    @property
    def trace(self) -> Trace:
        """Every pass, rewrite, fusion and build on the way."""
        return self.compiled.trace

    @property
    def lowered(self) -> Lowered | None:
        """The program of steps over slots; None where NumPy runs the graph."""
        return self.compiled.lowered

    @property
    def machine(self) -> Machine | None:
        """The loaded program; None where NumPy runs the graph."""
        return self.compiled.machine

    @property
    def c_source(self) -> str:
        """The generated C; empty where NumPy runs the graph."""
        return self.compiled.source.text if self.compiled.source else ""

    @property
    def lines(self) -> tuple[tuple[Apply, ...], ...]:
        """For each line of `c_source`, the nodes that it computes."""
        lowered, source = self.compiled.lowered, self.compiled.source
        if lowered is None or source is None:
            return ()
        return tuple(tuple(lowered.nodes[n] for n in numbers) for numbers in source.lines)

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The fused loop nests, in the order in which they run."""
        lowered, source = self.compiled.lowered, self.compiled.source
        if lowered is None or source is None:
            return ()
        text = source.text.splitlines()
        return tuple(
            Kernel(k.name, k.nodes, k.inputs, k.outputs, _excerpt(text, source.spans[k.name]), k.reason)
            for k in lowered.kernels
        )

    def __repr__(self) -> str:
        inputs = ", ".join(labelled(v) for v in self.inputs)
        visible = self.graph.outputs[: len(self.graph.outputs) - len(self.updated)]
        outputs = ", ".join(str(v.type) for v in visible) or "nothing"
        before, after = len(toposort(self.graph.outputs)), len(toposort(self.optimized.outputs))
        facts = [f"{before} nodes, {after} after {len(self.trace.rewrites)} rewrites"]
        if self.updated:
            facts.append(f"updates {', '.join(v.name or '(unnamed)' for v in self.updated)}")
        if self.machine is None:
            facts.append("run by NumPy")
        else:
            build = self.trace.build
            facts.append(f"{len(self.kernels)} kernels in C" + (" (cached)" if build and build.cached else ""))
        return f"<graphlab function {self.name}({inputs}) -> {outputs}: {'; '.join(facts)}>"

    __str__ = __repr__


def _excerpt(lines: Sequence[str], span: tuple[int, int]) -> str:
    first, last = span
    return "\n".join(lines[first - 1 : last])


def _fresh(results: Sequence[Array], held: Sequence[Array]) -> list[Array]:
    """Each result as an array of its own: no view, none of `held`, none twice."""
    fresh: list[Array] = []
    taken = {id(a) for a in held}
    for result in results:
        own = result.base is None and id(result) not in taken and result.flags.writeable
        fresh.append(result if own else result.copy())
        taken.add(id(result))
    return fresh


def _agree(got: Array, want: Array) -> bool:
    tolerance = 1e-4 if want.dtype.name in ("float16", "float32", "complex64") else 1e-9
    return got.dtype == want.dtype and got.shape == want.shape and np.allclose(
        got, want, rtol=tolerance, atol=tolerance, equal_nan=want.dtype.kind in "fc"
    )  # fmt: skip


def evaluate(variable: Variable, values: Mapping[Variable, Any] | None = None) -> Array:
    """The value of `variable` for given input values, by the interpreter: for a quick look.

    >>> import graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> (2 * x).eval({x: 4})
    array(8.)
    """
    given = dict(values or {})
    result: Array = function(list(given), variable, mode="interpret", on_unused_input="ignore")(*given.values())
    return result


