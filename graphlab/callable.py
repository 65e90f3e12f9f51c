"""What `function` gives: a callable that keeps the way it came about, and runs the program that fits a call."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np

from graphlab import faults
from graphlab.arguments import In, as_arguments
from graphlab.background import Pending, short_turns
from graphlab.codegen.c import emit
from graphlab.compiled import Compiled, Recalled, build, compile_graph
from graphlab.errors import GraphIndexError, GraphlabError, GraphValueError, Origin, caller_origin, user_boundary
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import labelled
from graphlab.graph.walk import leaves, toposort
from graphlab.interpret import interpret
from graphlab.lower import Lowered, lower
from graphlab.rewrite.pipeline import Mode
from graphlab.rewrite.trace import Trace
from graphlab.rewrite.verdicts import Bisection, agree, error
from graphlab.runtime.program import Callable as CallableBase
from graphlab.runtime.program import Machine, StepFailed
from graphlab.runtime.recording import Recording
from graphlab.signature import Structure, swapped

Array = np.ndarray[Any, Any]


def assembled(
    specs: tuple[In, ...], graph: Graph, mode: Mode, structure: Structure, updated: tuple[Shared, ...],
    downcast: bool | None, name: str | None, compile: str = "now",
) -> Function:  # fmt: skip
    """A function of parts that are checked already; the last outputs of `graph` are the new values of `updated`."""
    made = Pending if compile == "background" else compile_graph
    return Function(specs, graph, made(graph, mode, updated), mode, structure, updated, downcast, name)


class Function(CallableBase):  # type: ignore[misc]
    """A compiled function. Call it with values for its inputs, by position or by name.

    `graph` and `optimized` are the graphs before and after rewriting, `trace` everything that happened
    between, `kernels` the fused loops, `c_source` the generated C, `lines` the nodes behind each C line.
    `trust_input` is accepted for Theano's sake: arrays of the right kind are never converted, others always.
    """

    trust_input: bool = False
    profile: Any  # of debug/profile.py
    kernels: Any  # of debug/kernels.py
    export_c: Any  # of export/

    def __init__(
        self,
        specs: tuple[In, ...],
        graph: Graph,
        compiled: Compiled | Recalled | Pending,
        mode: Mode,
        structure: Structure,
        updated: tuple[Shared, ...],
        downcast: bool | None,
        name: str | None,
    ) -> None:
        self.specs, self.graph, self.mode = specs, graph, mode
        self._pending = compiled if isinstance(compiled, Pending) else None
        self._now = compiled.meanwhile if isinstance(compiled, Pending) else compiled
        self._adopting = Lock()
        self.structure, self.updated, self.downcast = structure, updated, downcast
        self.name = name or "function"
        self.origin: Origin | None = caller_origin()
        self._general: tuple[Lowered, Machine | None] | None = None
        self._assumes = True
        self.recorded: Recording | None = None
        self.watched: Any = None  # a Log of debug/record.py: calls go through it
        self._bind_program()

    def _bind_program(self) -> None:
        """Let calls go straight to the program, if there is one and nothing else is to be done for a call."""
        checked = self.mode.name == "debug" or any(s.value is not None or s.strict for s in self.specs)
        machine = self._now.machine
        narrows = self.downcast is not False and all(s.allow_downcast is not False for s in self.specs)
        if machine is not None and not checked and self.recorded is None:
            names = [s.label for s in self.specs]
            machine.bind(self, self._slow, self.structure.kind == "single", self.structure.form, narrows, names)
            if self.watched is not None:
                self._pass(0)  # no call, until its log says which need not be looked at
        else:
            self._bind_slow(self._slow)

    # -- compiling in the background --

    @property
    def compiled(self) -> Compiled | Recalled:
        """What compiling gave; of a function that is compiled in the background, once that is done."""
        self.wait()
        return self._now

    @property
    def ready(self) -> bool:
        """Whether compiling is over. It always is, unless it was asked for in the background."""
        return self._pending is None or self._pending.done

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until compiling in the background is over, at most `timeout` seconds; `ready`.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dscalar("x")
        >>> f = graphlab.function([x], x + 1, compile="background")
        >>> f(1.0), f.wait(), f(1.0)
        (array(2.), True, array(2.))
        """
        pending = self._pending
        if pending is not None and pending.wait(timeout):
            self._adopt(pending)
        return self.ready

    def _adopt(self, pending: Pending) -> None:
        """From now on run what `pending`, which is done, has made; a warning where it could not make it."""
        with self._adopting:
            if self._pending is None:
                return
            self._now, self._pending = pending.result, None
            self._bind_program()
        if pending.failed is not None:
            warnings.warn(f"{self.name} goes on in NumPy, which is slower: it can't be compiled: {pending.failed}",
                          RuntimeWarning, stacklevel=4)  # fmt: skip

    def start_profile(self) -> None:
        """From now on time each step of each call, and keep the times in `recorded`; what was there is forgotten."""
        self.recorded = Recording()
        self._bind_slow(self._slow)

    # -- copying --

    @user_boundary
    def copy(
        self,
        share_memory: bool = False,
        swap: Mapping[Shared, Shared] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
    ) -> Function:
        """The same function again; with `swap` over other shared variables, with `delete_updates` without its updates.

        Shared variables that are not swapped are used by both. `share_memory` is accepted for Theano's
        sake: temporaries live only during a call. GraphValueError if the function does not use a key of
        `swap`, GraphTypeError if its replacement has another type.

        >>> import graphlab, graphlab.tensor as T
        >>> mine, yours, x = graphlab.shared(1.0), graphlab.shared(10.0), T.dscalar("x")
        >>> f = graphlab.function([x], mine + x)
        >>> f.copy(swap={mine: yours})(5.0)
        array(15.)
        """
        graph, updated = self.graph, self.updated
        if delete_updates:
            graph, updated = Graph(graph.inputs, graph.outputs[: len(graph.outputs) - len(updated)]), ()
        if swap:
            used = dict.fromkeys((*leaves(self.graph.outputs), *self.updated))
            graph, updated = swapped(graph, updated, swap, used)
        parts = (self.mode, self.structure, updated, self.downcast, name or self.name)
        if graph is self.graph:
            return Function(self.specs, graph, self.compiled, *parts)
        return assembled(self.specs, graph, *parts)

    # -- calling --

    @user_boundary
    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """Every call that is not all plain arrays of the right dtype, and every call that failed."""
        try:
            arrays = self.arguments(args, kwargs)
        except GraphlabError as error:
            faults.forget(f"the last call that failed did not begin: {error.message}")
            raise
        try:
            results = self._run(arrays)
        except Exception as error:
            faults.remember(self, self.graph, self.updated, arrays, error)
            raise
        return self.structure.pack(results)

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Array]:
        """The arguments of a call as arrays of the inputs' types; errors name the input."""
        return as_arguments(args, kwargs, self.specs, self.downcast, self.name)

    def _run(self, arrays: Sequence[Array]) -> list[Array]:
        pending = self._pending
        if pending is not None and pending.done:
            self._adopt(pending)
        waiting = self._pending is not None
        machine = None if waiting else self.machine_for(arrays)
        visible = len(self.graph.outputs) - len(self.updated)
        if machine is None:
            graph = self._now.optimized
            run = faults.interpreted if self.watched is None else self.watched.interpret
            with short_turns() if waiting else nullcontext():
                results = _fresh(run(graph, arrays), [*arrays, *_held(graph)])
            if pending is not None:
                pending.answered()
            self._refuse_nan(results, graph, arrays)
            for shared, value in zip(self.updated, results[visible:], strict=True):
                shared.cell[0] = value
            return results[:visible]
        expected = faults.interpreted(self.graph, arrays) if self.mode.name == "debug" else None
        try:
            results = self._called(machine, arrays)
        except StepFailed as failure:
            lowered, machine = self.program_for(arrays)
            assert lowered is not None
            assert machine is not None
            if failure.kind != "nan":
                faults.explain(failure, self.graph, lowered, arrays)
            values = faults.values_of_run(lowered, machine, arrays)
            faults.refuse_nan(self.name, failure.detail[0], lowered.graph, values, faults.steps_of(lowered))
        if expected is not None:
            self._compare(results[:visible], expected[:visible], arrays)
        return results[:visible]

    def _called(self, machine: Machine, arrays: Sequence[Array]) -> list[Array]:
        """The results of `machine`; where an assumption inside a loop or a branch fails, those of the general one."""
        try:
            return self._ran(machine, arrays)
        except GraphlabError as error:  # of a step that NumPy computes
            raise faults.pointed(error) from None
        except StepFailed as failure:
            if failure.kind != "assumption":
                raise
        self.generalize()
        general = self.machine_for(arrays)
        return interpret(self.optimized, arrays) if general is None else self._ran(general, arrays)

    def _ran(self, machine: Machine, arrays: Sequence[Array]) -> list[Array]:
        if self.watched is None and self.recorded is None:
            return machine.call_refusing(arrays)
        lowered, _ = self.program_for(arrays)
        assert lowered is not None
        if self.watched is not None:
            results: list[Array] = self.watched.run(lowered, machine, arrays)
            return results
        assert self.recorded is not None
        return self.recorded.run(lowered.program, machine, arrays, [shared.cell for shared in self.updated])

    def generalize(self) -> None:
        """From now on run the program without assumptions."""
        self._assumes = False

    def machine_for(self, arrays: Sequence[Array]) -> Machine | None:
        """What runs on `arrays`: the compiled program, or one without its assumptions where they fail."""
        if self._holds(arrays):
            return self.compiled.machine
        return self._without_assumptions()[1]

    def program_for(self, arrays: Sequence[Array]) -> tuple[Lowered | None, Machine | None]:
        """The program that runs on `arrays`, and what runs it."""
        if self._holds(arrays):
            return self.compiled.lowered, self.compiled.machine
        return self._without_assumptions()

    def _holds(self, arrays: Sequence[Array]) -> bool:
        """Whether what the compiled program takes for granted is so for `arrays`."""
        values = dict(zip(self.inputs, arrays, strict=True))
        return self._assumes and all(equal.holds(values) for equal in self.compiled.assumed)

    def _without_assumptions(self) -> tuple[Lowered | None, Machine | None]:
        if self.compiled.lowered is None:
            return None, None
        if self._general is None:
            lowered = lower(self.optimized, self.updated, general=True)
            refuses = self.mode.nan_policy == "raise"
            self._general = lowered, build(lowered, emit(lowered.program), self.updated, refuses_nan=refuses)
        return self._general

    def _refuse_nan(self, results: Sequence[Array], graph: Graph, arrays: Sequence[Array]) -> None:
        """NaNError if one of `results`, which NumPy gave, has a NaN that is not to be."""
        if self.mode.nan_policy != "raise":
            return
        wrong = [k for k, value in enumerate(results) if value.dtype.kind in "fc" and np.isnan(value).any()]
        if wrong:
            nodes = toposort(graph.outputs, graph.inputs)
            steps = {node: (k, f"node_{k}") for k, node in enumerate(nodes)}
            faults.refuse_nan(self.name, wrong[0], graph, dict(zip(graph.inputs, arrays, strict=True)), steps)

    def _compare(self, results: Sequence[Array], expected: Sequence[Array], arrays: Sequence[Array]) -> None:
        """Mode "debug": GraphValueError if a result is not the interpreter's on the graph as written.

        A graph that over- or underflows as written, and whose rewrite does not, is right.
        """
        for i, (got, want) in enumerate(zip(results, expected, strict=True)):
            if not agree(got, want):
                found = self.trace.bisect(arrays, i)
                if found.repaired and agree(got, interpret(self.optimized, arrays)[i]):
                    continue
                raise GraphValueError(
                    f"mode 'debug': output {i} of {self.name} is {got!r} where the interpreter has {want!r}",
                    origin=self.graph.outputs[i].origin,
                    hint=str(found) if found.rewrite else _IN_C,
                )

    # -- looking --

    @user_boundary
    def bisect(self, *args: Any, output: Any = None, tolerance: float | None = None, **kwargs: Any) -> Bisection:
        """The first rewrite that changes an output for these arguments, with the rule, the user's line and the values.

        `output`: the one to look at: its number, its key, the variable, or a shared variable that is updated (None:
        any); `tolerance`: how far it may move, as a part of its largest value or of 1 (None: 1e-9, in single
        precision 1e-4). The graphs are computed by NumPy, about log2 of the number of rewrites times; what has changed
        is taken to stay changed. Where no rewrite changes it, the compiled program is compared too.

        >>> import graphlab, graphlab.tensor as T
        >>> wrong = graphlab.Rule("sin(x) -> tan(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.tan(x))
        >>> x = T.dscalar("x")
        >>> f = graphlab.function([x], T.log(1 + T.sin(x)), mode=graphlab.mode("fast_run").including(wrong))
        >>> f.bisect(1.0).rewrite.rule
        'sin(x) -> tan(x)'
        """
        arrays = self.arguments(args, kwargs)
        number = None if output is None else self._output_number(output)
        found = self.trace.bisect(arrays, number, tolerance)
        if found.rewrite is not None:
            return replace(found, label=self._output_label(found.output))
        if self.machine is None:
            return found
        want, got = interpret(self.graph, arrays), self._tried(arrays)
        asked = range(len(got)) if number is None else [number] if number < len(got) else []
        return replace(found, compiled=max((error(got[i], want[i], 1.0) for i in asked), default=None))

    def _output_number(self, output: Any) -> int:
        """The number of an output given by that, by its key, or as a variable; new values follow the results."""
        visible, total = len(self.graph.outputs) - len(self.updated), len(self.graph.outputs)
        if isinstance(output, Variable):
            places = [*self.graph.outputs[:visible], *self.updated]
            if output in places:
                return places.index(output)
        elif output in self.structure.keys:
            return self.structure.keys.index(output)
        elif isinstance(output, int) and -visible <= output < total:
            return output % visible if output < 0 else output
        known = f": its keys are {', '.join(map(str, self.structure.keys))}" if self.structure.keys else ""
        raise GraphIndexError(f"{self.name} has no output {output!r:.60}: there are {total}{known}",
                              origin=caller_origin())  # fmt: skip

    def _output_label(self, number: int) -> str:
        """What an output is called in a message."""
        visible = len(self.graph.outputs) - len(self.updated)
        if number >= visible:
            return f"the new value of {self.updated[number - visible].name or 'a shared variable'}"
        return f"output {self.structure.keys[number]!r}" if self.structure.keys else f"output {number}"

    def _tried(self, arrays: Sequence[Array]) -> list[Array]:
        """The results of a call whose updates do not take effect."""
        held = [(shared, shared.cell[0]) for shared in self.updated]  # nobody writes over what is held
        try:
            return self._run(arrays)
        finally:
            for shared, value in held:
                shared.cell[0] = value

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

    def __repr__(self) -> str:
        if not self.ready:
            return f"<graphlab function {self.name}: compiled in the background, run by NumPy meanwhile>"
        inputs = ", ".join(labelled(v) for v in self.inputs)
        visible = self.graph.outputs[: len(self.graph.outputs) - len(self.updated)]
        outputs = ", ".join(str(v.type) for v in visible) or "nothing"
        before, after = len(toposort(self.graph.outputs)), len(toposort(self.optimized.outputs))
        facts = [f"{_counted(before, 'node')}, {after} after {_counted(len(self.trace.rewrites), 'rewrite')}"]
        if self.updated:
            facts.append(f"updates {', '.join(v.name or '(unnamed)' for v in self.updated)}")
        if self.machine is None:
            facts.append("run by NumPy")
        else:
            build = self.trace.build
            facts.append(
                f"{_counted(len(self.lowered.kernels) if self.lowered else 0, 'kernel')} in C"
                + (" (cached)" if build and build.cached else "")
            )
        return f"<graphlab function {self.name}({inputs}) -> {outputs}: {'; '.join(facts)}>"

    __str__ = __repr__


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _held(graph: Graph) -> list[Array]:
    """The arrays that live on after a call: results must not be them, nor views of them."""
    known = leaves(graph.outputs)
    return [v.data if isinstance(v, Constant) else v.cell[0] for v in known if isinstance(v, Constant | Shared)]


def _fresh(results: Sequence[Array], held: Sequence[Array]) -> list[Array]:
    """Each result as an array of its own: no view, none of `held`, none twice."""
    fresh: list[Array] = []
    taken = {id(a) for a in held}
    for result in results:
        own = result.base is None and id(result) not in taken and result.flags.writeable
        fresh.append(result if own else result.copy())
        taken.add(id(result))
    return fresh


_IN_C = "no rewrite changes it, so it is the compiled code: step through it with f.debug(...).findings"
