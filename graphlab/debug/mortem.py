"""post_mortem(): a session at the step where the last call failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphlab import faults
from graphlab.debug.session import Session
from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Shared

Array = np.ndarray[Any, Any]


@user_boundary
def post_mortem() -> Session:
    """A session on the last call of a compiled function that failed, standing before the step that did.

    That is a step that raised, or with `nan_policy="raise"` the one that made the NaN. The session has the arguments
    of the call and the shared values of then, whatever happened to them since: of up to 64 MiB of arguments a copy was
    made. Larger ones are there as long as you keep them, and `findings` says if you wrote to them. GraphValueError:
    there is no such call, or its arguments are gone.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphlab.function([x], T.log(x).sum() + 1, nan_policy="raise")
    >>> try:
    ...     f([1.0, -1.0])
    ... except FloatingPointError:
    ...     s = graphlab.post_mortem()
    >>> s.here.kind, [v.name for v in f.inputs], s.value(x)
    ('kernel', ['x'], array([ 1., -1.]))
    """
    failed = faults.last()
    if isinstance(failed, str):
        raise GraphValueError(f"there is nothing to look at: {failed}", origin=caller_origin(),
                              hint="f.debug(*arguments) steps through any call")  # fmt: skip
    arrays = [argument.value for argument in failed.arguments]
    names = [spec.label or f"input {k}" for k, spec in enumerate(failed.function.specs)]
    gone = [name for name, value in zip(names, arrays, strict=True) if value is None]
    if gone:
        raise GraphValueError(
            f"the arguments of the last call that failed are gone: {', '.join(gone)}; it said: {failed.message}",
            origin=caller_origin(),
            hint="arguments of more than 64 MiB are not copied: keep them, or call f.debug(*arguments)",
        )
    with _as_they_were(failed.shared):
        session = Session(failed.function, arrays)
    session.level.findings += [
        f"argument {name} was written to after the call that failed"
        for name, argument in zip(names, failed.arguments, strict=True) if argument.changed
    ]  # fmt: skip
    if failed.step is not None:
        return session.goto(failed.step)
    while session.here is not None:
        try:
            session.step()
        except Exception:  # this is the step
            break
    return session


@contextmanager
def _as_they_were(shared: Sequence[tuple[Shared, Array]]) -> Iterator[None]:
    """Shared variables with the values of the call, inside the block."""
    now = [(v, v.cell[0]) for v, _ in shared]
    try:
        for v, value in shared:
            v.cell[0] = value
        yield
    finally:
        for v, value in now:
            v.cell[0] = value
