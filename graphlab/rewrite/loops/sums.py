"""A sum that a loop adds up turn by turn is made after it, at once: of products, by one large product.

The gradient of a recurrent network adds dot(h[t].T, d[t]) to the gradient of its weights in every turn; that
is dot(H.T, D) for the states and the errors of all turns, one below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphlab.control.loop import Scan
from graphlab.dtypes import is_float
from graphlab.graph.cost import elements
from graphlab.graph.node import Apply, Variable
from graphlab.graph.walk import rebuild
from graphlab.ops.elementwise import add, multiply
from graphlab.ops.extents import broadcast_to, reshape, shape_of
from graphlab.ops.index import index
from graphlab.ops.linalg import MatMul
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import Dimshuffle, dimshuffle, extent
from graphlab.ops.unbroadcast import SumTo
from graphlab.rewrite.facts import same_extents
from graphlab.rewrite.loops.outside import Body, all_turns, fits, is_counted, is_open, turned
from graphlab.rewrite.loops.taken import Carried, Loop, Mapped, place_of
from graphlab.rewrite.rule import ROUNDING, NodeRule

MAX_TERMS = 16  # the terms of a turn that are looked at


def _summed(node: Apply) -> Sequence[Variable] | None:
    loop = Loop.of(node)
    terms = _terms(loop) if is_open(loop) else []
    if not terms:
        return None
    work = _Totals.of(loop)
    totals = [(c, total) for c, term in terms if (total := work.total(term)) is not None]
    if not totals:
        return None
    done = {id(c) for c, _ in totals}
    carried = tuple(c for c in loop.carried if id(c) not in done)
    left = replace(loop, carried=carried, maps=(*loop.maps, *work.extra.values())).trimmed()
    if not left.carried and not left.maps and not is_counted(loop):
        return None  # only the loop sees that a sequence has a wrong length
    result = left.built() if left.carried or left.maps else {}
    for (c, _), v in zip(totals, rebuild([total for _, total in totals], dict(result)), strict=True):
        assert c.final is not None
        result[c.final] = _from(c.start, v)
    return [result[v] for v in node.outputs]


def _from(start: Variable, total: Variable) -> Variable:
    """The sum of both, in the shape of `start`: a sum must not grow from turn to turn."""
    made: Variable = add(start, total)
    return made if same_extents(made, start) else broadcast_to(made, shape_of(start))


def _terms(loop: Loop) -> list[tuple[Carried, Variable]]:
    """The recurrences that only add up, of which only the last value is wanted, and what a turn adds."""
    reads: dict[Variable, int] = {}
    for v in [v for node in loop.nodes for v in node.inputs] + list(loop.outputs):
        reads[v] = reads.get(v, 0) + 1
    found = []
    for c in loop.carried:
        node = c.new.owner
        if c.lags != (1,) or c.trace is not None or c.stream or node is None or node.op is not add:
            continue
        (tap,) = c.taps
        if tap in node.inputs and reads[tap] == 1 and reads[c.new] == 1 and is_float(c.new.dtype):
            term = node.inputs[1 - node.inputs.index(tap)]
            if term.dtype == c.new.dtype and c.new not in loop.inputs:
                found.append((c, term))
    return found


# ---- the sum of all turns ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums over all turns; `extra` are the stacks that the loop must make for them."""

    loop: Loop
    body: Body
    fixed: dict[Variable, Variable]
    stacks: dict[Variable, Variable]
    extra: dict[Variable, Mapped] = field(default_factory=dict)

    @staticmethod
    def of(loop: Loop) -> _Totals:
        """For sums that `loop` adds up."""
        stacks = {f.inner: f.outer for f in loop.sequences}
        stacks |= {m.new: m.stack for m in loop.maps if m.keep is None}
        stacks |= {c.new: c.whole for c in loop.carried if c.whole is not None}
        fixed = {f.inner: f.outer for f in loop.constants}
        return _Totals(loop, Body.of(loop), fixed, stacks)

    def total(self, term: Variable) -> Variable | None:
        """The sum of `term` over all turns; None where the loop had better add it up."""
        before = dict(self.extra)
        found = self._total(term, MAX_TERMS)
        if found is None:
            self.extra.clear()
            self.extra.update(before)
        return found

    def _total(self, term: Variable, left: int) -> Variable | None:
        node = term.owner
        if node is None or term in self.stacks or left == 0:
            return self._plain(term)
        inputs = node.inputs
        match node.op:
            case SumTo() if inputs[1] in self.fixed:
                inner = self._total(inputs[0], left - 1)
                return None if inner is None else node.op(inner, self.fixed[inputs[1]])
            case Dimshuffle():
                inner = self._total(inputs[0], left - 1)
                return None if inner is None else node.op(inner)
            case MatMul() if max(v.ndim for v in inputs) <= 2:
                return self._product(_Factor.of(inputs[0], False), _Factor.of(inputs[1], True))
            case _ if node.op is add and all(v.dtype == term.dtype for v in inputs):
                # Half of the budget for each, so that nothing is looked at again and again.
                parts = [self._total(v, left // 2) for v in inputs]
                return None if parts[0] is None or parts[1] is None else add(*parts)
            case _ if node.op is multiply and (factors := _outer_factors(node)) is not None:
                return self._product(*factors)
        return self._plain(term)

    def _plain(self, term: Variable) -> Variable | None:
        """The sum of a stack, if there is one or elements make it."""
        stack = self._there(term)
        return None if stack is None else Sum((0,))(stack)

    def _there(self, v: Variable) -> Variable | None:
        """The stack of `v`, if the loop need not make it."""
        if v in self.stacks:
            return self.stacks[v]
        return all_turns(self.loop, [v], {})[0] if v in self.body.early else None

    def _product(self, a: _Factor, b: _Factor) -> Variable | None:
        """The sum over all turns of a product of matrices: one product of the factors of all turns."""
        stacks = [self._there(a.value), self._there(b.value)]
        if stacks[0] is None and stacks[1] is None:
            return None
        for i, (own, other) in enumerate(((a, b), (b, a))):
            if stacks[i] is None:
                stacks[i] = self._extra(own.value, beside=other.value)
        left, right = stacks
        if left is None or right is None:
            return None
        if turned(left) is not None or turned(right) is not None:
            left, right = _around(left), _around(right)
        rows, columns = a.flat(left), b.flat(right)
        made: Variable = MatMul()(dimshuffle(rows, 1, 0) if rows.ndim == 2 else rows, columns)
        return made

    def _extra(self, v: Variable, beside: Variable) -> Variable | None:
        """A stack of `v` that the loop makes, if it is no burden beside that of another value."""
        if v not in self.body.varying or v not in self.body.steady:
            return None
        if not fits(elements(v.type), elements(beside.type)):
            return None
        return self.extra.setdefault(v, Mapped(v, place_of(v))).stack


@dataclass(frozen=True, slots=True)
class _Factor:
    """A factor of a product: `value`, whose axis `summed` is added up along (None: it has no such axis)."""

    value: Variable
    summed: int | None

    @staticmethod
    def of(v: Variable, on_the_right: bool) -> _Factor:
        """The factor `v`; where it is transposed, that of which it is the transpose."""
        axis = 0 if v.ndim == 1 or on_the_right else 1
        if v.owner is not None and isinstance(v.owner.op, Dimshuffle) and v.owner.op.pattern == (1, 0):
            return _Factor(v.owner.inputs[0], 1 - axis)
        return _Factor(v, axis)

    def flat(self, stack: Variable) -> Variable:
        """`stack` with the axes that are added up along as one, the first."""
        if self.summed is None:
            return stack
        if self.summed == 1:
            stack = dimshuffle(stack, 0, 2, 1)
        count = multiply(extent(stack, 0), extent(stack, 1))
        return reshape(stack, [count, *(extent(stack, a) for a in range(2, stack.ndim))])


def _outer_factors(node: Apply) -> tuple[_Factor, _Factor] | None:
    """The factors of a product of a column and a row, which are vectors."""
    if len({v.dtype for v in node.inputs}) > 1:
        return None
    for a, b in (node.inputs, node.inputs[::-1]):
        column, row = _vector(a, (0, "x")), b if b.ndim == 1 else _vector(b, ("x", 0))
        if column is not None and row is not None:
            return _Factor(column, None), _Factor(row, None)
    return None


def _vector(v: Variable, pattern: tuple[int | str, int | str]) -> Variable | None:
    """The vector of which `v` is the column or row that `pattern` says."""
    node = v.owner
    return (
        node.inputs[0] if node is not None and isinstance(node.op, Dimshuffle) and node.op.pattern == pattern else None
    )


def _around(stack: Variable) -> Variable:
    """`stack` with its rows the other way round."""
    first = turned(stack)
    reverse: Variable = index(stack, slice(None, None, -1)) if first is None else first
    return reverse


SUMMED = NodeRule(
    "scan(s[t-1] + dot(a[t].T, b[t]))[-1] -> s + dot(a.T, b)", ROUNDING, _summed, (Scan,),
    because="the turns are added up in another order",
)  # fmt: skip
