"""The body of a loop: a user's function of one turn becomes a closed graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.control.invariants import hoisted
from graphlab.control.recurrent import Info, Read
from graphlab.dtypes import promote
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.closure import close
from graphlab.graph.node import Apply, Graph, Shared, Variable, tracing
from graphlab.graph.text import maths
from graphlab.graph.walk import rebuild
from graphlab.ops.conversion import cast
from graphlab.ops.join import as_tensor
from graphlab.streams import thread

Updates = dict[Shared, Variable]


class until:
    """What a scan's function returns to say when to stop: after the turn in which `condition` holds.

    >>> import graphlab, graphlab.tensor as T
    >>> powers, _ = graphlab.scan(lambda x: (x * 2, graphlab.until(x * 2 > 50)), outputs_info=1, n_steps=99)
    >>> powers.eval()
    array([ 2,  4,  8, 16, 32, 64])
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_tensor(condition)
        if self.condition.ndim != 0:
            raise GraphTypeError(
                f"until needs a condition that is a scalar, got {self.condition.type}", origin=caller_origin(),
                hint="reduce it, for example with .all() or .any()",
            )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A turn, as a closed graph: `body` of elements, past values and constants, as Scan has it.

    `infos` belong to its outputs one by one, `carried` are the shared variables it changes (the last of
    them `streams` of random numbers), `lifted` what its constants are outside.
    """

    body: Graph
    lifted: tuple[Variable, ...]
    infos: list[Info]
    carried: list[Shared]
    streams: list[Shared]
    until: bool
    name: str


@dataclass(frozen=True)
class Turn:
    """A user's function of one turn, and what it reads."""

    fn: Callable[..., Any]
    reads: Sequence[Read]
    constants: Sequence[Variable]
    strict: bool
    name: str

    def traced(self, infos: list[Info] | None) -> Made:
        """The function as a graph, with each start in the dtype that the loop keeps."""
        try:
            return self._settled(None if infos is None else [i.small() for i in infos])
        except GraphTypeError:
            if infos is None or not any(i.weak for i in infos):
                raise
            return self._settled([i.default() for i in infos])

    def _settled(self, infos: list[Info] | None) -> Made:
        """The function as a graph; it is called again where a turn makes more of a start than the start is."""
        for _ in range(4):
            made, wanted = self._traced(infos)
            if wanted is None:
                return made
            infos = wanted
        raise GraphTypeError("the dtype of an output changes from turn to turn", origin=caller_origin())

    def _traced(self, infos: list[Info] | None) -> tuple[Made, list[Info] | None]:
        """The function as a graph for starts of the types in `infos`, and the infos with those it asks for."""
        elements = [Variable(r.sequence.type.with_shape(r.sequence.type.shape[1:]), name)
                    for r in self.reads for name in r.names()]  # fmt: skip
        taps = [Variable(i.type, name) for k, i in enumerate(infos or []) if i.start is not None for name in i.names(k)]
        _check_call(self.fn, [*elements, *taps, *self.constants], self.name)
        with tracing() as nodes:
            returned = _returned(self.fn(*elements, *taps, *self.constants))
            infos = _matched(infos, returned.outputs)
            made = self._closed(returned, infos, [*elements, *taps], nodes)
        return made, _cast_starts(infos, returned.outputs)

    def _closed(self, returned: Returned, infos: list[Info], inputs: list[Variable], nodes: set[Apply]) -> Made:
        """The body as Scan has it: first what is carried on, also in shared variables, then the rest."""
        outputs = [o if i.start is None else cast(o, i.type.dtype)
                   for o, i in zip(returned.outputs, infos, strict=True)]  # fmt: skip
        ends = [] if returned.condition is None else [cast(returned.condition, "bool")]
        roots, latest = thread([*outputs, *returned.updates.values(), *ends])
        streams = [s for s in latest if s not in returned.updates]
        changed = dict(zip(returned.updates, roots[len(outputs) :], strict=False)) | {s: latest[s] for s in streams}
        ordered = [o for o, i in zip(roots, infos, strict=False) if i.start is not None]
        ordered += [cast(v, s.dtype) for s, v in changed.items()]
        ordered += [o for o, i in zip(roots, infos, strict=False) if i.start is None]
        inside: dict[Variable, Variable] = {s: Variable(s.type, f"{s.name or 'shared'}[t-1]") for s in changed}
        ordered = rebuild([*ordered, *roots[len(roots) - len(ends) :]], inside)
        body, lifted = close(ordered, [*inputs, *inside.values()], nodes)
        self._check_strict(lifted)
        return Made(*hoisted(body, lifted), infos, list(changed), streams, bool(ends), self.name)

    def _check_strict(self, lifted: Sequence[Variable]) -> None:
        missing = ", ".join(v.name or str(v.type) for v in lifted if v not in self.constants)
        if self.strict and missing:
            raise GraphValueError(f"{self.name} is strict, and its function uses {missing}", origin=caller_origin(),
                                  hint="pass it in non_sequences")  # fmt: skip


def _check_call(fn: Callable[..., Any], arguments: Sequence[Variable], name: str) -> None:
    """GraphTypeError if `fn` does not take as many arguments as it will get."""
    if not callable(fn):
        raise GraphTypeError(f"{name} needs a function of one turn, got {type(fn).__name__}",
                             origin=caller_origin(), hint="scan(lambda x_t: x_t * 2, x)")  # fmt: skip
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # some callables of C have none
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        given = ", ".join(v.name or str(v.type) for v in arguments) or "nothing"
        raise GraphTypeError(
            f"{name} passes its function {len(arguments)} arguments ({given}), which takes {signature}: {error}",
            origin=caller_origin(),
            hint="the order is: elements of sequences, past values of outputs, non_sequences",
        ) from None


@dataclass(frozen=True)
class Returned:
    """What a user's function returned: outputs, updates, and the condition of an `until`."""

    outputs: list[Variable]
    updates: Updates
    condition: Variable | None


def _returned(result: Any) -> Returned:
    """What a user's function returned, in one of the ways in which Theano's users write it."""
    if result is None:
        raise GraphTypeError("the function of a loop returned None", origin=caller_origin(),
                             hint="return an output, a list of them, or updates: a dict {shared: value}")  # fmt: skip
    outputs, updates, condition = list[Variable](), Updates(), None
    pending = [result]
    while pending:
        item = pending.pop(0)
        if isinstance(item, until):
            condition = item.condition
        elif isinstance(item, Mapping):
            updates.update((s, as_tensor(v)) for s, v in item.items())
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Shared) and item is not result:
            updates[item[0]] = as_tensor(item[1])
        elif isinstance(item, list | tuple):
            pending[:0] = item
        elif item is not None:
            outputs.append(as_tensor(item))
    wrong: Any = next((s for s in updates if type(s) is not Shared), None)
    if wrong is not None:
        raise GraphTypeError(f"the function's updates name {type(wrong).__name__}, which is no shared variable",
                             origin=caller_origin())  # fmt: skip
    return Returned(outputs, updates, condition)


def _matched(infos: list[Info] | None, outputs: Sequence[Variable]) -> list[Info]:
    """An info for each output; none for any if the user gave none."""
    if infos is None:
        return [Info(None)] * len(outputs)
    if len(infos) != len(outputs):
        raise GraphValueError(
            f"the function returned {len(outputs)} outputs, and outputs_info has {len(infos)} entries",
            origin=caller_origin(), hint="give one entry for each output: what it starts from, or None",
        )  # fmt: skip
    return infos


def _cast_starts(infos: Sequence[Info], outputs: Sequence[Variable]) -> list[Info] | None:
    """The infos with starts of the dtype that the outputs ask for; None if they have it."""
    wanted = list(infos)
    for k, (info, made) in enumerate(zip(infos, outputs, strict=True)):
        if info.start is None:
            continue
        if not info.type.with_dtype(made.dtype).accepts(made.type):
            raise GraphTypeError(
                f"output {k} starts from {info.type} and a turn makes {made.type} of it: {maths(made, limit=60)}",
                origin=made.origin or caller_origin(),
                hint=f"outputs_info[{k}] must have the shape of one turn's value, for example T.zeros(...) of it",
            )
        if info.weak and info.start is not info.given and info.type.dtype == made.dtype in ("bool", "float16"):
            wanted[k] = info.default()  # nothing that it meets says how exact it should be
        elif (dtype := promote(info.type.dtype, made.dtype)) != info.type.dtype:
            wanted[k] = info.cast(dtype)
    return wanted if any(a is not b for a, b in zip(wanted, infos, strict=True)) else None
