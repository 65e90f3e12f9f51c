"""Calls that failed: which step and which line it was, and what is kept of the last one to look at it afterwards."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from graphlab.errors import GraphlabError, GraphMemoryError, GraphValueError, NaNError, caller_origin
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import leaves
from graphlab.interpret import Environment, demand, interpret, leaf_value
from graphlab.lower import Lowered
from graphlab.runtime.native import DETAILS
from graphlab.runtime.program import Machine, StepFailed
from graphlab.runtime.statistics import measured

Array = np.ndarray[Any, Any]

COPIED_BYTES = 64 << 20  # of a call's arguments; more are only watched
MEMORY_HINT = "smaller arguments or fewer at a time; graphlab.release_memory() gives back what is kept for later calls"
HINT = "graphlab.post_mortem() opens the debugger at this step"

# ---- what is kept of a failed call ---------------------------------------------------------------


class Argument:
    """An argument of a failed call: a copy if it is small, else the array itself as long as somebody else has it."""

    def __init__(self, array: Array, copies: bool) -> None:
        self._copy = array.copy() if copies else None
        self._watched = None if copies else weakref.ref(array)
        self._print = b"" if copies else _fingerprint(array)

    @property
    def value(self) -> Array | None:
        """The array; None if it is gone."""
        return self._copy if self._watched is None else self._watched()

    @property
    def changed(self) -> bool:
        """Whether it was written to since."""
        array = self.value
        return self._watched is not None and array is not None and _fingerprint(array) != self._print


def _fingerprint(array: Array) -> bytes:
    once = array[tuple(slice(None) if step else slice(1) for step in array.strides)]  # what is repeated, once
    return bytes(measured(once).tobytes())


@dataclass(frozen=True)
class FailedCall:
    """A call of `function` that failed with `message`: its arguments, the values that shared variables had.

    `step` is where a debugger should stand, if that is known; None: where a step can't be run, or there is a NaN.
    """

    function: Any
    arguments: tuple[Argument, ...]
    shared: tuple[tuple[Shared, Array], ...]
    message: str
    step: int | None


_last: FailedCall | str = "no call of a compiled function has failed so far"


def last() -> FailedCall | str:
    """The last call that failed, or why there is nothing to look at."""
    return _last


def remember(function: Any, graph: Graph, updated: Sequence[Shared], arrays: Sequence[Array], error: Exception) -> None:
    """Keep what is needed to run this call again; it takes the place of the one before."""
    global _last
    held = {v: v.cell[0] for v in (*leaves(graph.outputs), *updated) if isinstance(v, Shared)}
    copies = sum(a.nbytes for a in arrays) <= COPIED_BYTES
    try:
        kept = tuple(Argument(a, copies) for a in arrays)
    except MemoryError:
        kept = tuple(Argument(a, False) for a in arrays)
    _last = FailedCall(function, kept, tuple(held.items()), str(error), getattr(error, "step", None))


def forget(reason: str) -> None:
    """Give up what is kept; `reason` says why there is nothing to look at."""
    global _last
    _last = reason


# ---- what is said of it --------------------------------------------------------------------------


def pointed(error: GraphlabError) -> GraphlabError:
    """`error`, its hint saying that there is a way to look at the step that raised it."""
    error.hint = f"{error.hint}; {HINT}" if error.hint else HINT
    return error


def interpreted(graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """As `interpret`, with errors that point to the debugger."""
    try:
        return interpret(graph, arrays)
    except GraphlabError as error:
        raise pointed(error) from None


def explain(failure: StepFailed, graph: Graph, lowered: Lowered, arrays: Sequence[Array]) -> NoReturn:
    """Say what went wrong in the user's terms: the interpreter finds the same fault on the graph as written.

    Where memory is short it is not asked: it would take more of it, or make the turns of a loop one by one whose values
    no memory could hold.
    """
    step = lowered.program.steps[failure.step]
    nodes = [lowered.nodes[n] for n in step.nodes]
    origin = next((o for n in nodes for o in n.provenance.origins), None) or caller_origin()
    ops = ", ".join(n.op.name for n in nodes) or step.name
    if failure.kind in ("memory", "size"):
        raise GraphMemoryError(f"step {failure.step} ({ops}): {DETAILS[failure.kind].format(*failure.detail)}",
                               origin=origin, hint=MEMORY_HINT)  # fmt: skip
    try:
        interpret(graph, arrays)
    except GraphlabError as error:
        where = f"it was step {failure.step} ({step.name})"
        error.hint = f"{error.hint}; {where}" if error.hint else where
        raise pointed(error) from None
    raise GraphValueError(f"step {failure.step} ({ops}) failed: {failure}", origin=origin, hint=HINT)


def refuse_nan(
    name: str, output: int, graph: Graph, values: Mapping[Variable, Array], steps: Mapping[Apply, tuple[int, str]]
) -> NoReturn:
    """NaNError: output number `output` of `graph` has a NaN. `values` are known, `steps` say where each node runs.

    Of the operands that have one the first is followed, up to the application that made it of others that have none.
    """
    environment: Environment = dict(values)
    v = graph.outputs[output]
    while v.owner is not None:
        wrong = next((u for u in v.owner.inputs if _has_nan(u, environment)), None)
        if wrong is None:
            break
        v = wrong
    value = leaf_value(v, environment)
    places = np.argwhere(np.isnan(value))
    found = f"{_shaped(value)}, NaN in {len(places)} of {value.size}"
    found += f", the first at {places[0].tolist()}" if value.ndim else ""
    if v.owner is None:
        kind = "shared variable" if isinstance(v, Shared) else "constant" if isinstance(v, Constant) else "argument"
        raise NaNError(f"output {output} of {name} has a NaN, which was in the {kind} {v.name or '(unnamed)'}: {found}",
                       origin=caller_origin(), hint=HINT, step=0)  # fmt: skip
    step, step_name = steps.get(v.owner, (None, ""))
    at = f"step {step} ({step_name}), " if step is not None else ""
    operands = ", ".join(_operand(u, environment) for u in v.owner.inputs)
    raise NaNError(
        f"output {output} of {name} has a NaN, which arose in {at}{v.owner.op.name}: {found}",
        origin=next(iter(v.owner.provenance.origins), None), hint=f"the operands were {operands}; {HINT}", step=step,
    )  # fmt: skip


def _has_nan(v: Variable, environment: Environment) -> bool:
    if v.type.dtype[0] not in "fc":
        return False
    demand([v], environment)
    return bool(np.isnan(leaf_value(v, environment)).any())


def _shaped(value: Array) -> str:
    return f"{value.dtype}{list(value.shape)}"


def _operand(v: Variable, environment: Environment) -> str:
    value = leaf_value(v, environment)
    return f"{v.name or maths(v, limit=40)}: {_shaped(value)}{f' = {value}' if value.ndim == 0 else ''}"


def values_of_run(lowered: Lowered, machine: Machine, arrays: Sequence[Array]) -> dict[Variable, Array]:
    """What the steps make of `arrays`, all of it that has an array."""
    frame = machine.frame(arrays)
    try:
        for k in range(len(lowered.program.steps)):
            frame.run_step(k)
        found = ((v, frame.value(slot)) for v, slot in lowered.slots.items())
        return {v: value for v, value in found if value is not None}
    finally:
        frame.close()


def steps_of(lowered: Lowered) -> dict[Apply, tuple[int, str]]:
    """The number and the name of the step that computes each application."""
    return {lowered.nodes[n]: (k, step.name) for k, step in enumerate(lowered.program.steps) for n in step.nodes}
