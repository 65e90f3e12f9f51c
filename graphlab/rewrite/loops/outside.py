"""What of a loop's body can be computed outside, for all turns at once, by operations on stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlab.control.values import read_by_value
from graphlab.graph.cost import elements
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import leaves, rebuild
from graphlab.ops.batching import Extents, OneByOne
from graphlab.ops.check import Check
from graphlab.ops.conversion import Cast
from graphlab.ops.extents import BroadcastTo, ShapeOf, StackScalars
from graphlab.ops.index import Index, index
from graphlab.ops.key import FULL, REVERSED
from graphlab.ops.shape import Dimshuffle
from graphlab.ops.ufunc import Elementwise
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.loops.lengths import has_rows
from graphlab.rewrite.loops.taken import Loop
from graphlab.vectorize import vectorize_graph

SMALL = 4096  # elements: as many a turn may always add to a stack
GROWTH = 4  # so many times as large as what a turn reads may be what is stacked of it

# What costs a turn nothing of its own: it fuses with its neighbours, or only describes memory.
_CHEAP = (Elementwise, Cast, Dimshuffle, Index, BroadcastTo, ShapeOf, StackScalars, SumTo)


def is_heavy(node: Apply) -> bool:
    """Whether `node` is a step of its own in every turn."""
    return not isinstance(node.op, _CHEAP)


def fits(new: int, old: int) -> bool:
    """Whether stacks of `new` elements in a turn are no burden where there are stacks of `old`."""
    return new <= max(GROWTH * old, SMALL)


@dataclass(frozen=True, slots=True)
class Body:
    """What the variables of a body depend on, and how.

    `early`: those that elements and constants alone decide, by operations that take a batch; `heavy`: those
    of them that cost a step. `varying`: all that differ from turn to turn. `steady`: those whose shape is
    the same in every turn. `batched`: the applications that take a batch.
    """

    early: frozenset[Variable]
    heavy: frozenset[Variable]
    varying: frozenset[Variable]
    steady: frozenset[Variable]
    batched: frozenset[Apply]

    @staticmethod
    def of(loop: Loop) -> Body:
        """What is known of the body of `loop`."""
        early = {f.inner for f in loop.sequences}
        known = {f.inner for f in loop.constants}  # the same in every turn: constants, and extents
        varying = early | {v for c in loop.carried for v in c.taps}
        steady, heavy, batched = set(loop.inputs) | {c.new for c in loop.carried}, set[Variable](), set[Apply]()
        for node in loop.nodes:
            flags = tuple(v in varying for v in node.inputs)
            may_leave = _takes_batch(node)
            way = node.op.batching(node, flags) if may_leave and any(flags) else None
            if may_leave and not isinstance(way, OneByOne):
                batched.add(node)
                if all(v in steady or isinstance(v, Constant) for v in node.inputs):
                    steady.update(node.outputs)
            if not isinstance(way, Extents) and (any(flags) or not may_leave):
                varying.update(node.outputs)
            if node in batched and all(v in early or v in known or isinstance(v, Constant) for v in node.inputs):
                if way is None or isinstance(way, Extents):
                    known.update(node.outputs)
                elif _is_small(node, early):
                    early.update(node.outputs)
                    if is_heavy(node) or any(v in heavy for v in read_by_value(node)):
                        heavy.update(node.outputs)
            steady.update(v for v in node.outputs if None not in v.type.shape)
        return Body(frozenset(early), frozenset(heavy), frozenset(varying), frozenset(steady), frozenset(batched))


def _takes_batch(node: Apply) -> bool:
    return not (node.op.graphs or node.op.effects or node.op.advances or isinstance(node.op, Check))


def _is_small(node: Apply, early: set[Variable]) -> bool:
    """Whether a stack of what `node` makes is not much larger than the stacks that it is made from."""
    read = max(elements(v.type) for v in node.inputs if v in early)
    return all(fits(elements(v.type), read) for v in node.outputs)


# ---- computing it --------------------------------------------------------------------------------


def is_open(loop: Loop) -> bool:
    """Whether what `loop` does may be done outside: the number of turns is known before, and types agree."""
    return loop.end is None and all(f.inner.type.accepts(_element(f.outer)) for f in loop.sequences)


def _element(stack: Variable) -> TensorType:
    return stack.type.with_shape(stack.type.shape[1:])


def is_counted(loop: Loop) -> bool:
    """Whether every sequence of `loop` certainly has an element for each turn, and no more."""
    return bool(loop.sequences) and all(has_rows(f.outer, loop.turns) for f in loop.sequences)


def all_turns(loop: Loop, wanted: Sequence[Variable], stacks: Mapping[Variable, Variable]) -> list[Variable]:
    """Stacks of the values that the variables `wanted` of the body have in all turns.

    `stacks` are those of other variables. Where everything that is read is a sequence that runs backwards,
    it is computed forwards and turned around: so it may be what the loop forwards has computed already.
    """
    given = {f.inner: f.outer for f in loop.sequences} | dict(stacks)
    fixed = {f.inner: f.outer for f in loop.constants}
    read = set(leaves(wanted, [*given, *fixed]))
    used = {v: s for v, s in given.items() if v in read}
    forwards = {v: s for v, stack in used.items() if (s := turned(stack)) is not None}
    if used and len(forwards) == len(used):
        return [index(v, slice(None, None, -1)) for v in _over_turns(wanted, forwards, fixed)]
    return _over_turns(wanted, used, fixed)


def _over_turns(
    wanted: Sequence[Variable], stacks: Mapping[Variable, Variable], fixed: Mapping[Variable, Variable]
) -> list[Variable]:
    leaf = {v: Variable(v.type, v.name) for v in (*stacks, *fixed)}  # what a stack is there for is computed no more
    values = {leaf[v]: s for v, s in (*stacks.items(), *fixed.items())}
    made: list[Variable] = vectorize_graph(rebuild(list(wanted), leaf), values)
    return made


def turned(stack: Variable) -> Variable | None:
    """What `stack` is with its rows the other way round, if it is such a view."""
    node = stack.owner
    if node is None or not isinstance(node.op, Index) or len(node.inputs) > 1 or not node.op.key.entries:
        return None
    first, *others = node.op.key.entries
    return node.inputs[0] if first == REVERSED and all(entry == FULL for entry in others) else None


def last_rows(stack: Variable, keep: int | None) -> Variable:
    """The last `keep` rows of `stack`, None: all."""
    part: Variable = stack if keep is None else index(stack, slice(-keep, None))
    return part
