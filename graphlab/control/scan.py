"""scan: a loop written as a function of one turn, with Theano's arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphlab.control.body import Made, Turn, Updates
from graphlab.control.loop import Scan
from graphlab.control.recurrent import Info, Read, listed, turns_of
from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.join import as_tensor
from graphlab.ops.lowering import Recurrence
from graphlab.ops.random import numbers


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
