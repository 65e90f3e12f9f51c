"""scan: a loop written as a function of one turn, with Theano's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.control.invariants import hoisted
from graphlab.control.loop import Scan
from graphlab.control.recurrent import Info, Read, listed, turns_of
from graphlab.dtypes import promote
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.closure import close
from graphlab.graph.node import Graph, Shared, Variable, tracing
from graphlab.graph.text import maths
from graphlab.graph.walk import rebuild
from graphlab.ops.conversion import cast
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Recurrence
from graphlab.ops.random import numbers
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


@user_boundary
def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    strict: bool = False,
    name: str | None = None,
    return_list: bool = False,
) -> tuple[Any, Updates]:
    """The values that `fn` makes in every turn of a loop, stacked along a first axis, and updates, as in Theano.

    `fn` gets, in this order, an element of each of `sequences`, the past values of each output with an
    entry in `outputs_info`, and the `non_sequences`; other variables that it uses are found by themselves
    (but not with `strict`). It returns an output or several, and perhaps updates of shared variables (a
    dict) and an `until(condition)`. Sequences are variables, or dicts of `input` and `taps` ([-1, 0, 2]:
    the elements t-1, t and t+2). An output's info is None (no past values), the value it starts from, or
    a dict of `initial` and `taps` ([-2, -1]; `initial` then has a value for each turn back, oldest first).
    There are `n_steps` turns, by default as many as the sequences allow. A gradient goes back through
    `truncate_gradient` turns (-1: all). A single output is returned by itself (unless `return_list`),
    several as a list. GraphTypeError and GraphValueError name the output, the sequence or the variable.

    >>> import graphlab, graphlab.tensor as T
    >>> x, w = T.dvector("x"), T.dscalar("w")
    >>> s, updates = graphlab.scan(lambda x_t, before, w: w * before + x_t, [x], [0.0], [w])
    >>> s.eval({x: [1.0, 1.0, 1.0], w: 2.0})
    array([1., 3., 7.])
    """
    if truncate_gradient != -1 and truncate_gradient < 1:
        raise GraphValueError(f"truncate_gradient is {truncate_gradient}", origin=caller_origin(),
                              hint="it is a number of turns, at least 1, or -1 for all of them")  # fmt: skip
    reads = [Read.of(s, k, go_backwards) for k, s in enumerate(listed(sequences))]
    infos = None if outputs_info is None else [Info.of(i, k) for k, i in enumerate(listed(outputs_info))]
    turn = Turn(fn, reads, [as_tensor(v) for v in listed(non_sequences)], strict, name or "scan")
    made = turn.traced(infos)
    turns, exact = turns_of(reads, n_steps)
    results, updates = apply(made, turns, [s for r in reads for s in r.stacks(turns, exact)],
                             truncate=None if truncate_gradient == -1 else truncate_gradient)  # fmt: skip
    return (results if return_list or len(results) != 1 else results[0]), updates


# ---- one turn ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A turn, as a closed graph: `body` of elements, past values and constants, as Scan has it.

    `infos` belong to its outputs one by one, `carried` are the shared variables it changes (the last of
    them `streams` of random numbers), `lifted` what its constants are outside.
    """

    body: Graph
    infos: list[Info]
    carried: list[Shared]
    streams: list[Shared]
    until: bool
    lifted: tuple[Variable, ...]
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
        elements = [Variable(r.sequence.type.with_shape(r.sequence.type.shape[1:]), name)
                    for r in self.reads for name in r.names()]  # fmt: skip
        taps = [Variable(i.type, name) for k, i in enumerate(infos or []) if i.start is not None for name in i.names(k)]
        _check_call(self.fn, [*elements, *taps, *self.constants], self.name)
        with tracing() as nodes:
            outputs, updates, condition = _returned(self.fn(*elements, *taps, *self.constants))
            infos = _matched(infos, outputs)
            wanted = _cast_starts(infos, outputs)
            outputs = [o if i.start is None else cast(o, i.type.dtype) for o, i in zip(outputs, infos, strict=True)]
            ends = [] if condition is None else [cast(condition, "bool")]
            roots, latest = thread([*outputs, *updates.values(), *ends])
            streams = [s for s in latest if s not in updates]
            carried = [*updates, *streams]
            inside: dict[Variable, Variable] = {s: Variable(s.type, f"{s.name or 'shared'}[t-1]") for s in carried}
            changed = [*roots[len(outputs) :][: len(updates)], *(latest[s] for s in streams)]
            ordered = [o for o, i in zip(roots, infos, strict=False) if i.start is not None]
            ordered += [cast(v, s.dtype) for s, v in zip(carried, changed, strict=True)]
            ordered += [o for o, i in zip(roots, infos, strict=False) if i.start is None]
            ordered = rebuild([*ordered, *roots[len(roots) - len(ends) :]], inside)
            body, lifted = close(ordered, [*elements, *taps, *inside.values()], nodes)
        if self.strict and any(v not in self.constants for v in lifted):
            missing = ", ".join(v.name or str(v.type) for v in lifted if v not in self.constants)
            raise GraphValueError(f"{self.name} is strict, and its function uses {missing}", origin=caller_origin(),
                                  hint="pass it in non_sequences")  # fmt: skip
        if wanted is None:
            body, lifted = hoisted(body, lifted)
        return Made(body, infos, carried, streams, bool(ends), lifted, self.name), wanted


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


def _returned(result: Any) -> tuple[list[Variable], Updates, Variable | None]:
    """What a user's function returned: outputs, updates, and the condition of an `until`."""
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
    return outputs, updates, condition


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


# ---- the loop ------------------------------------------------------------------------------------


def apply(
    made: Made, turns: Variable, stacks: Sequence[Variable], truncate: int | None = None, trace: bool = True
) -> tuple[list[Variable], Updates]:
    """The loop over a turn: for each output the values of all turns, or (not `trace`) the last one; and updates."""
    recurrent = [i for i in made.infos if i.start is not None]
    traced = trace or bool(made.streams)  # what was drawn must be there for the gradient
    recurrences = [Recurrence(i.lags, traced, not trace) for i in recurrent]
    recurrences += [Recurrence((1,), bool(made.streams), True)] * len(made.carried)
    first_stream = len(recurrences) - len(made.streams)
    op = Scan(
        made.body, len(stacks), tuple(recurrences), len(made.infos) - len(recurrent), made.until, truncate,
        streams=tuple(range(first_stream, len(recurrences))), number=_number(made), name=made.name,
    )  # fmt: skip
    starts = [i.start for i in recurrent if i.start is not None]
    outputs = op.apply(turns, *stacks, *starts, *made.carried, *made.lifted).outputs
    recurrent_at, maps = iter(range(len(recurrent))), iter(range(op.first_map, op.first_map + op.maps))
    where = op.traces if trace else op.finals
    results = [outputs[next(maps) if i.start is None else where[next(recurrent_at)]] for i in made.infos]
    finals = [outputs[op.finals[len(recurrent) + k]] for k in range(len(made.carried))]
    changed = {s: v for s, v in zip(made.carried, finals, strict=True) if s not in made.streams}
    return results, changed


def _number(made: Made) -> int:
    """The loop's place among all that draw from streams; loops that do not draw need none."""
    return numbers.next() if made.streams else 0
