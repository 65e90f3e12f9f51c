"""What a loop read and made in its turns, as the loop of its gradient reads it: from the last turn to the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphlab.graph.node import Apply, Graph, Variable
from graphlab.ops.elementwise import minimum
from graphlab.ops.extents import zeros_like
from graphlab.ops.index import index
from graphlab.ops.join import concatenate
from graphlab.ops.shape import expand_dims

if TYPE_CHECKING:
    from graphlab.control.loop import Scan


@dataclass(frozen=True)
class Turns:
    """The turns of `node`, a Scan: `made` of them, of which the gradient goes back through the last `back`.

    `whole`: the number of turns was known beforehand, and the gradient goes back through all.
    """

    node: Apply
    op: Scan
    made: Variable
    back: Variable
    whole: bool

    @staticmethod
    def of(node: Apply) -> Turns:
        """The turns of `node`."""
        op: Scan = node.op  # type: ignore[assignment]
        made: Variable = node.outputs[-1] if op.until else node.inputs[0]
        back: Variable = made if op.truncate is None else minimum(made, op.truncate)
        return Turns(node, op, made, back, not op.until and op.truncate is None)

    @property
    def sequences(self) -> tuple[Variable, ...]:
        """The sequences that the loop reads."""
        return self.node.inputs[1 : self.op.starts.start]

    @property
    def starts(self) -> tuple[Variable, ...]:
        """What the recurrences start from."""
        return self.node.inputs[self.op.starts]

    @property
    def constants(self) -> tuple[Variable, ...]:
        """What is the same in every turn."""
        return self.node.inputs[self.op.starts.stop :]

    def start_rows(self, k: int) -> Variable:
        """The values from which recurrence k starts, stacked also where there is only one."""
        return expand_dims(self.starts[k], 0) if self.op.recurrences[k].depth == 1 else self.starts[k]

    def backwards(self, stacked: Variable) -> Variable:
        """Of `stacked`, which has a value for each turn, those that the gradient goes through, the last one first."""
        part = stacked if self.whole else index(stacked, slice(self.made - self.back, self.made))
        return index(part, slice(None, None, -1))

    def forwards(self, stacked: Variable, like: Variable) -> Variable:
        """What the gradient's turns have stacked up, the first turn first; zeros for turns it does not go through."""
        part = index(stacked, slice(None, None, -1))
        if self.whole:
            return part
        blank = zeros_like(like)
        return concatenate(
            [index(blank, slice(None, self.made - self.back)), part, index(blank, slice(self.made, None))]
        )

    def past(self, traces: dict[int, Variable], k: int, lag: int) -> Variable:
        """The value of recurrence k that each turn reads as the one `lag` turns ago."""
        depth = self.op.recurrences[k].depth
        known = concatenate([self.start_rows(k), traces[k]])
        return index(known, slice(depth - lag, depth - lag + self.made))

    def traces(self, needed: Sequence[int]) -> dict[int, Variable]:
        """The values that recurrences have made in all turns; where they were not kept the loop runs again."""
        op, node = self.op, self.node
        if all(op.recurrences[k].traced for k in needed):
            return {k: node.outputs[op.traces[k]] for k in needed}
        recurrences = tuple(replace(r, traced=r.traced or k in needed) for k, r in enumerate(op.recurrences))
        body = Graph(op.body.inputs, op.body.outputs[: len(op.body.outputs) - op.until])
        again = replace(op, body=body, recurrences=recurrences, until=False)
        sequences = [index(s, slice(None, self.made)) if op.until else s for s in self.sequences]
        repeated = again.apply(self.made, *sequences, *self.starts, *self.constants)
        return {k: repeated.outputs[again.traces[k]] for k in needed}
