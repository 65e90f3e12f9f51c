"""Which stacks certainly have a row for each turn of a loop, and no more."""

from __future__ import annotations

from graphlab.graph.node import Variable
from graphlab.ops.elementwise import minimum
from graphlab.ops.index import Index
from graphlab.ops.join import Concatenate
from graphlab.ops.key import SLOT, Slice
from graphlab.rewrite.axes import Axis, has_value
from graphlab.rewrite.facts import count_of, facts

MOST_EXTENTS = 16  # of which a number of turns may be the least


def has_rows(stack: Variable, turns: Variable) -> bool:
    """Whether `stack` has `turns` rows in every run in which the loop does not fail anyway."""
    count = count_of(turns)
    return facts(stack).extents[0] == count or _is_cut(stack, turns, count)


def _is_cut(stack: Variable, turns: Variable, count: Axis) -> bool:
    """Whether `stack` is x[:turns], and x certainly has as many rows."""
    node = stack.owner
    if node is None or not isinstance(node.op, Index) or len(node.inputs) != 2:
        return False
    first = node.op.key.entries[0]
    if (
        not isinstance(first, Slice)
        or first.stop is not SLOT
        or first.start not in (None, 0)
        or first.step not in (None, 1)
    ):
        return False
    x = node.inputs[0]
    if count_of(node.inputs[1]) != count:
        return False
    if x.owner is not None and isinstance(x.owner.op, Concatenate) and x.owner.op.axis == 0:
        return any(facts(part).extents[0] == count for part in x.owner.inputs)
    least = _least(turns)
    return facts(x).extents[0] in least and not any(map(has_value, least))  # what is no extent may be negative


def _least(count: Variable) -> list[Axis]:
    """The extents of which `count` is the least."""
    found, pending = list[Axis](), [count]
    while pending and len(found) < MOST_EXTENTS:
        v = pending.pop()
        if v.owner is not None and v.owner.op is minimum:
            pending += v.owner.inputs
        else:
            found.append(count_of(v))
    return found if not pending else []
