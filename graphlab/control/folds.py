"""map, reduce, foldl, foldr and while_loop: the common shapes of loops, made of scan's parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlab.control.body import Turn, Updates, until
from graphlab.control.recurrent import Info, Read, listed, turns_of
from graphlab.control.scan import apply, scan
from graphlab.dtypes import is_float
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Constant, Variable
from graphlab.graph.text import labelled
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import logical_not, where
from graphlab.ops.join import as_tensor


@user_boundary
def map(
    fn: Callable[..., Any],
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """The values of `fn` for each element of `sequences`, stacked, and updates: `scan` without past values.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dmatrix("x")
    >>> norms, _ = graphlab.map(lambda row: T.sqrt((row**2).sum()), x)
    >>> norms.eval({x: [[3.0, 4.0], [0.0, 2.0]]})
    array([5., 2.])
    """
    return scan(fn, sequences, None, non_sequences, None, truncate_gradient, go_backwards, name=name or "map")


@user_boundary
def reduce(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    name: str | None = None,
) -> tuple[Any, Updates]:
    """What remains of `outputs_info` after `fn` has taken in every element of `sequences`, and updates.

    `fn` gets the elements, then the values so far, then `non_sequences`. Over no elements it is
    `outputs_info` itself. GraphValueError: an output has no start.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> total, _ = graphlab.reduce(lambda x_t, so_far: so_far + x_t, x, 0.0)
    >>> total.eval({x: [1.0, 2.0, 3.0]})
    array(6.)
    """
    infos = [Info.of(info, k) for k, info in enumerate(listed(outputs_info))]
    if not infos or any(info.start is None or max(info.lags) > 1 for info in infos):
        raise GraphValueError(
            "each output of a reduction starts from one value", origin=caller_origin(),
            hint="outputs_info holds a variable or a number for each; scan takes outputs without, and with taps",
        )  # fmt: skip
    reads = [Read.of(s, k, go_backwards) for k, s in enumerate(listed(sequences))]
    made = Turn(fn, reads, [as_tensor(v) for v in listed(non_sequences)], False, name or "reduce").traced(infos)
    turns, exact = turns_of(reads, None)
    results, updates = apply(made, turns, [s for r in reads for s in r.stacks(turns, exact)], trace=False)
    return (results[0] if len(results) == 1 else results), updates


@user_boundary
def foldl(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, name: str | None = None
) -> tuple[Any, Updates]:
    """`reduce` from the first element to the last.

    >>> import graphlab, graphlab.tensor as T
    >>> c, x = T.dvector("c"), T.dscalar("x")
    >>> horner, _ = graphlab.foldl(lambda c_k, so_far, x: so_far * x + c_k, c, 0.0, x)
    >>> horner.eval({c: [1.0, 2.0, 3.0], x: 10.0})
    array(123.)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, False, name or "foldl")


@user_boundary
def foldr(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, name: str | None = None
) -> tuple[Any, Updates]:
    """`reduce` from the last element to the first.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> nested, _ = graphlab.foldr(lambda x_t, so_far: x_t - so_far, x, 0.0)
    >>> nested.eval({x: [1.0, 2.0, 3.0]})
    array(2.)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, True, name or "foldr")


@user_boundary
def while_loop(
    condition: Callable[..., Any],
    body: Callable[..., Any],
    start: Any,
    max_steps: Any = None,
    name: str | None = None,
) -> Any:
    """The values that `body` makes of `start`, again and again, as long as `condition` holds for them.

    Both get the values one by one; `body` returns as many, of the same types (for one value: it, else a
    list). No turn is made if the condition does not hold at the start; there are at most `max_steps`. A
    gradient runs the loop once more, as often as it took. GraphTypeError: types or numbers do not fit.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dscalar("x")
    >>> root = graphlab.while_loop(lambda r: abs(r * r - x) > 1e-12, lambda r: (r + x / r) / 2, x)
    >>> f"{root.eval({x: 2.0}):.6f}"
    '1.414214'
    """
    infos = [Info.of(v, k) for k, v in enumerate(listed(start))]
    if not infos or any(info.start is None for info in infos):
        raise GraphTypeError("while_loop needs a start for each value", origin=caller_origin())

    def turn(*values: Variable) -> list[Any]:
        new = [as_tensor(v) for v in listed(body(*values))]
        if len(new) != len(values):
            raise GraphTypeError(f"the body of while_loop makes {len(new)} values of {len(values)}",
                                 origin=caller_origin())  # fmt: skip
        holds = as_tensor(condition(*new))
        if is_float(holds.dtype):
            raise GraphTypeError(f"the condition of while_loop is true or false, got {labelled(holds)}",
                                 origin=caller_origin(), hint="while_loop(condition, body, start)")  # fmt: skip
        return [*new, until(logical_not(holds))]

    made = Turn(turn, [], [], False, name or "while_loop").traced(infos)
    starts = [info.start for info in made.infos if info.start is not None]
    most = as_tensor(np.int64(np.iinfo("int64").max) if max_steps is None else max_steps)
    turns = where(as_tensor(condition(*starts)), cast(most, "int64"), Constant(np.int64(0)))
    results, _ = apply(made, turns, [], trace=False)
    return results[0] if len(results) == 1 else results
