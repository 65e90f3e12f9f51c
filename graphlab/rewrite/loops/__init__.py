"""Loops: what they need not make, what they need not repeat, and which of them are one."""

from graphlab.rewrite.loops.after import AFTER
from graphlab.rewrite.loops.before import BEFORE, INVARIANT
from graphlab.rewrite.loops.join import join_loops
from graphlab.rewrite.loops.slim import slim_loops
from graphlab.rewrite.loops.sums import SUMMED
from graphlab.rewrite.loops.unroll import UNROLLED

LOOPS = (UNROLLED, INVARIANT, SUMMED, AFTER, BEFORE)

__all__ = ["LOOPS", "join_loops", "slim_loops"]
