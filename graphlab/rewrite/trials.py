"""Trying rules on examples: what equations over single elements can't say - shapes, indices, matrices, errors.

An example is computed as written and as the rule makes it, with plain and with awkward values, with
extents known and unknown, also such as do not fit. What was an error must stay one. An exact rule must
give the same bits; a rounding rule must be near, and finite where it was finite and nowhere else; a
domain rule must be near on ordinary positive numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, INTEGER
from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.interpret import interpret
from graphlab.ops.base import Array, Op
from graphlab.ops.conversion import Cast
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.reduce import Max, Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.rewrite.awkward import awkward_values, ordinary_values
from graphlab.rewrite.driver import RewriteError, apply_rules
from graphlab.rewrite.facts import same_bits
from graphlab.rewrite.rule import DOMAIN, EXACT, STABLE, AnyRule, Rule

NEAR = 1e4  # how many units in the last place of its largest element a rounding rule may move a result
SHAPES = 6  # other shapes that are tried where extents are unknown
EXTENTS = (0, 1, 2, 3, 5)
OP_EXAMPLES: dict[type[Op], tuple[Op, ...]] = {
    Cast: (Cast("int8"), Cast("float64"), Cast("uint32")),
    Sum: (Sum((1,)), Sum((1,), True), Sum((0,), True), Sum(None), Sum((0, 1), True)),
    Max: (Max((1,), True), Max(None), Max((0,), True)),
    Softmax: (Softmax((1,)), Softmax((0,)), Softmax((0, 1))),
    LogSoftmax: (LogSoftmax((1,)), LogSoftmax((0,)), LogSoftmax((0, 1))),
    LogSumExp: (LogSumExp((1,)), LogSumExp((1,), True), LogSumExp((0, 1))),
    Dimshuffle: (Dimshuffle((0, "x")), Dimshuffle(("x", 0)), Dimshuffle(("x", "x"))),
}


@dataclass(frozen=True, slots=True)
class Around(Op):
    """Stands around an expression: a rule must fire inside a larger graph too."""

    name = "around"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return inputs


@dataclass(frozen=True)
class Trial:
    """An expression on which a rule should fire, over `graph.inputs` of the given shapes."""

    label: str
    graph: Graph
    shapes: tuple[tuple[int, ...], ...]


def trials(rule: AnyRule) -> Iterator[Trial]:
    """The examples of `rule`, with extents known and unknown."""
    for label, build, types in _examples(rule):
        for known in (True, False):
            free = {
                name: Variable(t if known else t.with_shape((None,) * t.ndim), name) for name, t in types.items()
            }  # fmt: skip
            try:
                output = build(**free)
            except Exception:  # it needs the extents, or an op that does not fit these operands
                continue
            shapes = tuple(tuple(n or 1 for n in t.shape) for t in types.values())
            yield Trial(f"{label}{', '.join(f'{n}: {v.type}' for n, v in free.items())}",
                        Graph(tuple(free.values()), (output,)), shapes)  # fmt: skip


def _examples(rule: AnyRule) -> Iterator[tuple[str, Callable[..., Variable], dict[str, TensorType]]]:
    if not isinstance(rule, Rule):
        for i, each in enumerate(rule.examples):
            yield f"example {i}: ", each.build, dict(each.types)
        return
    ops = list(itertools.product(*(OP_EXAMPLES[kind] for kind in rule.ops.values())))
    constants = list(itertools.product(*rule.constants.values()))
    for row, values, chosen in itertools.product(rule.dtype_rows(), constants, ops):
        given: dict[str, Any] = dict(zip(rule.ops, chosen, strict=True))
        given |= {n: Constant(np.asarray(v).astype(row[n])) for n, v in zip(rule.constants, values, strict=True)}
        types = {n: TensorType(row[n], rule.shapes.get(n, ())) for n in rule.wildcards if n not in given}
        yield "".join(f"{op}, " for op in chosen), lambda given=given, **free: rule.find(**given, **free), types


def failures(rule: AnyRule, seed: int = 0) -> list[str]:
    """What is wrong with `rule` on its examples, one sentence each; empty if nothing was found."""
    rng = np.random.default_rng(seed)
    found, fired = [], False
    for trial in trials(rule):
        outer = Graph(trial.graph.inputs, (Around()(trial.graph.outputs[0]),))
        try:
            after = apply_rules(outer, [rule], strict=True).outputs[0]
        except RewriteError as error:
            return [f"{trial.label}: {error}"]
        if after is outer.outputs[0]:
            continue
        fired = True
        assert after.owner is not None
        old, new = trial.graph.outputs[0], after.owner.inputs[0]
        if not old.type.accepts(new.type):
            found.append(f"{trial.label}: {rule.name} makes {new.type} of {old.type}")
            continue
        complaint = _differs(rule, trial, Graph(trial.graph.inputs, (new,)), rng)
        if complaint:
            found.append(f"{trial.label}: {rule.name} {complaint}")
    return found if fired else ["it never fires on its own examples inside a larger graph"]


# ---- values --------------------------------------------------------------------------------------


def _arrays(rule: AnyRule, trial: Trial, rng: np.random.Generator) -> Iterator[list[Array]]:
    inputs = trial.graph.inputs
    for kind, _ in itertools.product(("plain", "plain", "awkward", "finite"), range(3)):
        yield [_values(rule, v.dtype, s, kind, rng) for v, s in zip(inputs, trial.shapes, strict=True)]
    if any(None in v.type.shape for v in inputs):
        for shapes in _other_shapes(trial.shapes, rng):
            yield [_values(rule, v.dtype, s, "plain", rng) for v, s in zip(inputs, shapes, strict=True)]


def _other_shapes(shapes: tuple[tuple[int, ...], ...], rng: np.random.Generator) -> Iterator[list[tuple[int, ...]]]:
    """Shapes in which other extents stand for equal ones, and shapes in which single extents are changed."""
    for k in range(SHAPES):
        renamed = {n: int(rng.choice(EXTENTS)) for n in sorted({n for s in shapes for n in s})}
        new = [tuple(renamed[n] for n in s) if k % 2 else s for s in shapes]
        if k >= 2:
            new = [tuple(int(rng.choice(EXTENTS)) if rng.random() < 0.3 else n for n in s) for s in new]
        yield new


def _values(rule: AnyRule, dtype: str, shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Array:
    """Awkward values, finite ones of them, or plain ones; of integers plain ones are small, so that they can index."""
    if rule.changes == DOMAIN:
        return np.asarray(rng.choice(ordinary_values(dtype, rng), shape), dtype)
    if kind == "plain" and dtype in INTEGER:
        return np.asarray(rng.integers(0, 3, shape), dtype)
    pool = awkward_values(dtype, rng)
    if dtype in (*BOOL, *INTEGER):
        return np.asarray(rng.choice(pool, shape), dtype)
    if kind == "plain" or (rule.changes != EXACT and kind == "finite"):
        plain = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype.startswith("c") else 0)
        return np.asarray(plain).astype(dtype)
    if rule.changes != EXACT or kind == "finite":  # large numbers overflow in one order and not in the other
        pool = pool[(np.abs(pool) <= 100) | (~np.isfinite(pool) if kind == "awkward" else False)]
    return np.asarray(rng.choice(pool, shape), dtype)


# ---- judging -------------------------------------------------------------------------------------


def _differs(rule: AnyRule, trial: Trial, made: Graph, rng: np.random.Generator) -> str | None:
    """The first values on which both sides disagree beyond the rule's class."""
    for arrays in _arrays(rule, trial, rng):
        given = ", ".join(f"{v.name}={a.tolist()}" for v, a in zip(trial.graph.inputs, arrays, strict=True))
        old, new = _computed(trial.graph, arrays), _computed(made, arrays)
        if isinstance(old, Exception) or isinstance(new, Exception):
            if isinstance(old, Exception) != isinstance(new, Exception):
                return f"with {given}: {_shown(old)} became {_shown(new)}"
            continue
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            return f"with {given} gives {new.dtype}{new.shape} instead of {old.dtype}{old.shape}"
        with np.errstate(all="ignore"):
            if not _agree(rule, old, new):
                return f"with {given}: {old.tolist()} became {new.tolist()}"
    return None


def _shown(result: Array | Exception) -> str:
    return f"{type(result).__name__}: {str(result).splitlines()[0]}" if isinstance(result, Exception) else "a value"


def _computed(graph: Graph, arrays: list[Array]) -> Array | Exception:
    try:
        return interpret(graph, arrays)[0]
    except Exception as error:
        return error


def _agree(rule: AnyRule, old: Array, new: Array) -> bool:
    if old.dtype.kind not in "fc":
        return bool(np.array_equal(old, new))
    if rule.changes == EXACT:
        nan = np.isnan(old)
        return bool(np.array_equal(nan, np.isnan(new))) and same_bits(old[~nan], new[~nan])
    finite = np.isfinite(old)
    if STABLE not in rule.tags and not np.array_equal(finite, np.isfinite(new)):
        return False
    largest = float(np.abs(old[finite]).max(initial=0.0))
    reach = NEAR * float(np.finfo(old.dtype).eps) * max(largest, float(np.finfo(old.dtype).tiny))
    return bool(np.all(np.abs(new[finite] - old[finite]) <= reach))
