"""The trace of a compilation: all that happened, the graph at any moment of it, and whether it kept the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphIndexError, GraphTypeError, caller_origin, user_boundary
from graphlab.graph.events import Event, PassApplied, ProgramBuilt, RewriteApplied, Rewriting
from graphlab.graph.node import Graph
from graphlab.rewrite.replay import histories
from graphlab.rewrite.verdicts import Array, Bisection, Checked, bisect, checked


@dataclass(frozen=True, slots=True, repr=False)
class Trace:
    """All events of one compilation, in order; printed, a line for each. `graph` is the graph as written.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> trace = graphlab.function([x], T.log(1 + T.exp(x))).trace
    >>> for rewrite in trace.rewrites:
    ...     print(rewrite.rule, rewrite.changes, rewrite.nodes, rewrite.flops, rewrite.bytes)
    log(1 + exp(x)) -> softplus(x) rounding -2 -2000 -32000
    >>> graphlab.maths(*trace.at(0).outputs), graphlab.maths(*trace.at(1).outputs)
    ('log(1 + exp(x))', 'softplus(x)')
    """

    graph: Graph
    events: tuple[Event, ...] = ()

    def __repr__(self) -> str:
        return f"<trace of {len(self.passes)} passes and {len(self.rewrites)} rewrites>"

    def __str__(self) -> str:
        lines, inside = [], ""
        for event in self.events:
            if isinstance(event, Rewriting | PassApplied):
                inside = "        " * event.depth
            lines.append(
                f"{inside}{event}" if isinstance(event, RewriteApplied | Rewriting | PassApplied) else str(event)
            )
        return "\n".join(lines)

    @property
    def rewrites(self) -> tuple[RewriteApplied, ...]:
        """Every application of a rule."""
        return tuple(e for e in self.events if isinstance(e, RewriteApplied))

    @property
    def passes(self) -> tuple[PassApplied, ...]:
        """The passes over the whole graph, with what it is after each."""
        return tuple(e for e in self.events if isinstance(e, PassApplied) and e.depth == 0)

    @property
    def build(self) -> ProgramBuilt | None:
        """The building of the C; None when there was none."""
        return next((e for e in self.events if isinstance(e, ProgramBuilt)), None)

    @user_boundary
    def at(self, k: int) -> Graph:
        """The whole graph after `k` rewrites: at(0) is the graph as written, at(len(rewrites)) the optimised one.

        It is made anew from the events, so that no copies are kept; what a rewrite made is the same variable as
        in `rewrites`. GraphIndexError: there are fewer rewrites.
        """
        most = len(self.rewrites)
        if not 0 <= k <= most:
            raise GraphIndexError(
                f"there is no graph after {k} rewrites: there are {most}",
                origin=caller_origin(),
                hint=f"k goes from 0, the graph as written, to {most}, the optimised one",
            )
        history = histories(self.events)
        if history is None or k == 0:
            return self.graph
        return history.at(k)

    @user_boundary
    def check(self, *args: Any, tolerance: float | None = None) -> Checked:
        """Evaluate both sides of each rewrite on real values of the inputs, by NumPy: a table of verdicts.

        "exact": the same values, NaN being one of them; "rounding": no further apart than `tolerance` of the
        largest value (None: 1e-9, in single precision 1e-4); "repaired": the old form over- or underflows, and in
        more digits it has the values of the new one; "diverged": the rest; "not evaluated": NumPy raised an error.
        A rewrite inside of a loop or a branch, or one that leaves out what nobody reads, is judged by the outputs
        of the whole graph before and after it. GraphTypeError: another number of values.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> print(graphlab.function([x], T.log(1 + T.exp(x))).trace.check([800.0, 1.0]).totals)
        1 rewrite: 1 repaired
        """
        return checked(self.graph, histories(self.events), self.arrays(args), tolerance)

    def bisect(self, values: Sequence[Array], output: int | None = None, tolerance: float | None = None) -> Bisection:
        """The first rewrite that changes an output, or the given one, by more than `tolerance`; see Function.bisect."""
        return bisect(self.graph, histories(self.events), values, output, tolerance)

    def arrays(self, args: Sequence[Any]) -> list[Array]:
        """The values of a call as arrays of the inputs' types."""
        if len(args) != len(self.graph.inputs):
            raise GraphTypeError(
                f"the graph has {len(self.graph.inputs)} inputs, got {len(args)} values",
                origin=caller_origin(),
                hint="give one value for each input, in their order",
            )
        return [np.asarray(value, v.dtype) for value, v in zip(args, self.graph.inputs, strict=True)]
