"""What rules look for that is more than one application, or sits in loops and choices: situations to plant as they are.

Tables of rules carry their own examples; the passes that are functions on whole graphs have theirs here, and so
have rules about loops, on which a table has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import graphlab
import graphlab.tensor as T
from graphlab.graph import enclose
from graphlab.graph.node import Variable
from graphlab.rewrite import merge
from graphlab.rewrite.loops import LOOPS, join, slim
from graphlab.rewrite.loops.after import AFTER
from graphlab.rewrite.loops.before import BEFORE, INVARIANT
from graphlab.rewrite.loops.sums import SUMMED
from graphlab.rewrite.loops.unroll import UNROLLED
from graphlab.rewrite.pipeline import PASSES
from graphlab.rewrite.rule import EXACT, ROUNDING, AnyRule, Example, NodeRule, example


@dataclass(frozen=True, eq=False)
class Situation:
    """A rule by its name and class, with expressions on which some pass applies it."""

    name: str
    changes: str
    examples: tuple[Example, ...]


Planted = AnyRule | Situation


# ---- loops ---------------------------------------------------------------------------------------


def _states(x: Variable, w: Variable) -> Any:
    """The states of a recurrent network on the rows of `x`."""
    return graphlab.scan(lambda a, h: T.tanh(a + T.dot(h, w)), [x], [T.zeros_like(x[0])])[0]


def _last_state(x: Variable) -> Any:
    return graphlab.scan(lambda a, s: T.tanh(s * 0.5 + a), [x], [T.zeros_like(x[0])])[0][-1]


def _two_loops(x: Variable, y: Variable) -> Any:
    sums = graphlab.scan(lambda a, s: T.sin(s + a), [x], [T.zeros_like(x[0])])[0]
    other = graphlab.scan(lambda a, s: T.cos(s * a), [x], [T.ones_like(x[0]) * y])[0]
    return sums * other


def _written_out(x: Variable) -> Any:
    return graphlab.scan(lambda s: T.sin(s) + x, outputs_info=[x], n_steps=2)[0]


def _invariant(x: Variable, w: Variable) -> Any:
    return graphlab.scan(lambda a, s, w: T.tanh(s + a * T.exp(w)), [x], [T.zeros_like(x[0])], [w])[0]


def _before(x: Variable, w: Variable) -> Any:
    return graphlab.scan(lambda a, h, w: T.tanh(T.dot(a, w) + h), [x], [T.zeros_like(x[0])], [w])[0]


def _after(x: Variable, w: Variable, v: Variable) -> Any:
    def turn(a: Any, h: Any) -> Any:
        new = T.tanh(a + T.dot(h, w))
        return new, T.dot(new, v)

    return graphlab.scan(turn, [x], [T.zeros_like(x[0]), None])[0][1]


def _summed(x: Variable, y: Variable) -> Any:
    start = T.zeros((x.shape[1], y.shape[1]), dtype=x.dtype)
    return graphlab.scan(lambda a, b, s: s + T.outer(a, b), [x, y], [start])[0][-1]


def _weights(x: Variable, w: Variable) -> Any:
    return T.grad(T.sum(_states(x, w)), w)


MATRIX, SQUARE = "float64[?,3]", "float64[3,3]"
IN_LOOPS: dict[NodeRule, tuple[Example, ...]] = {
    UNROLLED: (example(_written_out, x="float64[3]"), example(_written_out, x="float64[?]")),
    INVARIANT: (example(_invariant, x=MATRIX, w="float64[3]"),),
    SUMMED: (example(_summed, x=MATRIX, y="float64[?,3]"), example(_weights, x=MATRIX, w=SQUARE)),
    AFTER: (example(_after, x=MATRIX, w=SQUARE, v="float64[3]"),),
    BEFORE: (example(_before, x=MATRIX, w=SQUARE),
             example(lambda x: graphlab.map(lambda a: T.exp(a) - 1, [x])[0], x="float64[?]")),
}  # fmt: skip


# ---- calls, choices, factorisations --------------------------------------------------------------


@graphlab.symbolic
def blend(x: Any, y: Any) -> Any:
    """A function whose calls are single nodes until they are opened."""
    return x * T.sigmoid(y) + y * T.sigmoid(-y)


def _choice(x: Variable, y: Variable) -> Any:
    return graphlab.ifelse(T.sum(x) > 0, T.exp(-y), T.tanh(x) * 2)


def _positive(a: Variable) -> Any:
    return T.dot(a, a.T) + 3 * T.eye(3)


def _solved(a: Variable, b: Variable) -> Any:
    m = _positive(a)
    return T.solve(m, b) + T.cholesky(m)


def _inverse(a: Variable) -> Any:
    m = _positive(a)
    return T.matrix_inverse(m) + T.cholesky(m)


def _logarithm(a: Variable) -> Any:
    m = _positive(a)
    return T.slogdet(m)[1] + T.cholesky(m)


def _determinant(a: Variable) -> Any:
    m = _positive(a)
    return T.det(m) + T.slogdet(m)[1]


IN_GRAPHS: tuple[Situation, ...] = (
    Situation("blend(...) -> its graph", EXACT, (example(blend, x="float64[3]", y="float64[2,3]"),)),
    Situation(enclose.RULE, EXACT, (example(_choice, x="float64[?]", y="float64[?]"),)),
    Situation(merge.RULE, EXACT, (example(lambda x: T.sin(x) * 2 + T.sin(x), x="float64[?]"),)),
    Situation(slim.RULE, EXACT, (example(_last_state, x="float64[?]"), example(_last_state, x=MATRIX))),
    Situation(join.RULE, EXACT, (example(_two_loops, x="float64[?]", y="float64"),)),
    Situation("solve(a, b) -> by cholesky(a)", ROUNDING, (example(_solved, a=SQUARE, b=SQUARE),)),
    Situation("inv(a) -> by cholesky(a)", ROUNDING, (example(_inverse, a=SQUARE),)),
    Situation("slogdet(a) -> by cholesky(a)", ROUNDING, (example(_logarithm, a=SQUARE),)),
    Situation("det(a) -> by slogdet(a)", ROUNDING, (example(_determinant, a=SQUARE),)),
    Situation("svd(a) -> svdvals(a)", ROUNDING, (
        example(lambda a: T.svd(a)[1], a=SQUARE), example(lambda a: T.eigh(_positive(a))[0], a=SQUARE))),
)  # fmt: skip


def everything() -> tuple[Planted, ...]:
    """Every rule of the pipeline, in the form in which it can be planted."""
    tables = dict.fromkeys(rule for step in PASSES for rule in step.rules)
    known = {rule: Situation(rule.name, rule.changes, IN_LOOPS[rule]) for rule in LOOPS if not rule.examples}
    return (*(known.get(rule, rule) for rule in tables), *IN_GRAPHS)  # type: ignore[call-overload]
