"""Checking a rule: both sides of its equation are computed on awkward values and must agree as it says.

An exact rule must give the same bits (NaN being one value). A rounding rule must be no further from the
true value, computed in many digits, than what it replaces, but for a few ulps of the result or the
operands; NaN in must give NaN out as before. A domain rule must agree on ordinary positive numbers,
as far as what it replaces has a value there.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np

from graphlab.graph.node import Constant, Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.ops.base import Array
from graphlab.ops.nnet import LogSoftmax, LogSumExp, Softmax
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.awkward import awkward_values, ordinary_values
from graphlab.rewrite.driver import RewriteError, apply_rules
from graphlab.rewrite.facts import same_bits
from graphlab.rewrite.rule import DOMAIN, EXACT, AnyRule, Rule
from graphlab.rewrite.trials import OP_EXAMPLES, Around, failures

ULPS = 16  # how much further from the true value a rounding rule may be
MOST = 900.0  # true values are not computed from larger inputs
MAX_CASES = 60  # of those in which the rule fires
DIGITS = 420  # enough for 1 - sigmoid(700)

# ---- computing -----------------------------------------------------------------------------------


def evaluate(graph: Graph, values: Sequence[Array]) -> Array:
    """The first output of `graph` by NumPy."""
    known: dict[Variable, Array] = dict(zip(graph.inputs, values, strict=True))
    with np.errstate(all="ignore"):
        for node in toposort(graph.outputs, graph.inputs):
            operands = [v.data if isinstance(v, Constant) else known[v] for v in node.inputs]
            known.update(zip(node.outputs, node.op.evaluate(*operands), strict=True))
    (output,) = graph.outputs
    return output.data if isinstance(output, Constant) else known[output]


PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214808651"
)
MANY_TERMS = 5000


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _series(term: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """The sum of terms of which each is `ratio` times the one before, until they no longer count."""
    total = Decimal(0)
    for k in range(1, MANY_TERMS):
        if total + term == total:
            break
        total += term
        term *= ratio(k)
    return total


def _erf(x: Decimal) -> Decimal:
    # 2/sqrt(pi) e**-x**2 sum 2**k x**(2k+1) / (2k+1)!!: dlmf.nist.gov 7.6.2
    if abs(x) > 8:
        return 1 - _erfc(x)
    return _series(x, lambda k: 2 * x * x / (2 * k + 1)) * 2 * (-x * x).exp() / PI.sqrt()


def _erfc(x: Decimal) -> Decimal:
    if x < 0:
        return 2 - _erfc(-x)
    if x <= 8:
        return 1 - _erf(x)
    # e**-x**2 / (x sqrt(pi)) sum (-1)**k (2k-1)!! / (2 x**2)**k, up to its smallest terms: dlmf.nist.gov 7.12.1
    total, term = Decimal(0), Decimal(1)
    for k in range(1, 60):
        total += term
        term *= -(2 * k - 1) / (2 * x * x)
    return total * (-x * x).exp() / (x * PI.sqrt())


IN_DIGITS: dict[str, Callable[..., Decimal]] = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "true_divide": lambda x, y: x / y, "negative": lambda x: -x, "power": lambda x, y: x**y, "absolute": abs,
    "square": lambda x: x * x, "sqrt": Decimal.sqrt, "exp": Decimal.exp, "exp2": lambda x: Decimal(2) ** x,
    "expm1": lambda x: x.exp() - 1, "log": Decimal.ln, "log2": lambda x: x.ln() / Decimal(2).ln(),
    "log1p": lambda x: (1 + x).ln(), "logaddexp": lambda x, y: (x.exp() + y.exp()).ln(),
    "sigmoid": _sigmoid, "softplus": lambda x: (1 + x.exp()).ln(), "logit": lambda x: (x / (1 - x)).ln(),
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2, "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1), "arcsinh": lambda x: (x + (x * x + 1).sqrt()).ln(),
    "erf": _erf, "erfc": _erfc, "ndtr": lambda x: _erfc(-x / Decimal(2).sqrt()) / 2,
}  # fmt: skip


def _of_exponentials(op: Softmax | LogSoftmax | LogSumExp, x: Any) -> Any:
    each = np.frompyfunc(Decimal.exp, 1, 1)(x)
    total = np.sum(each, axis=op.axes, keepdims=not isinstance(op, LogSumExp) or op.keepdims)
    if isinstance(op, Softmax):
        return each / total
    logarithm = np.frompyfunc(Decimal.ln, 1, 1)(total)
    return x - logarithm if isinstance(op, LogSoftmax) else logarithm


def true_values(graph: Graph, values: Sequence[Array]) -> Array | None:
    """The output in DIGITS decimal digits, as an array of Decimals; None if an op has no such form."""
    known: dict[Variable, Any] = {v: _decimals(a) for v, a in zip(graph.inputs, values, strict=True)}
    with localcontext(Context(prec=DIGITS, Emin=-(10**9), Emax=10**9, traps=[])):
        for node in toposort(graph.outputs, graph.inputs):
            operands = [_decimals(v.data) if isinstance(v, Constant) else known[v] for v in node.inputs]
            if isinstance(node.op, Elementwise):
                if node.op.name not in IN_DIGITS:
                    return None
                result: Any = np.frompyfunc(IN_DIGITS[node.op.name], len(operands), 1)(*operands)
            elif isinstance(node.op, Softmax | LogSoftmax | LogSumExp):
                result = _of_exponentials(node.op, operands[0])
            else:
                result = node.op.numpy(*operands)
            known[node.outputs[0]] = np.asarray(result, dtype=object)
    return np.asarray(known[graph.outputs[0]], dtype=object)


def _decimals(values: Array) -> Any:
    return np.asarray(np.frompyfunc(lambda v: Decimal(float(v)), 1, 1)(values), dtype=object)


def distance(value: float, true: Decimal, largest: float) -> Decimal:
    """How far a float is from the true value; an infinity is right where that is out of range."""
    if np.isfinite(value):
        return abs(Decimal(value) - true)
    beyond = not np.isnan(value) and (true > 0) == (value > 0) and abs(true) >= Decimal(largest)
    return Decimal(0) if beyond else Decimal("Infinity")


# ---- cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One way to fill in the wildcards: the graph of `find` over its free inputs."""

    label: str
    graph: Graph
    shape: tuple[int | None, ...]

    @property
    def rank(self) -> int:
        """The rank of the inputs."""
        return len(self.shape)


def cases(rule: Rule) -> Iterator[Case]:
    """The rule's `find` in each dtype, with each example of its constants and ops."""
    shapes = [(None, None), (3, 4)] if rule.ops else [(None,), (50,)]
    chosen_ops = list(itertools.product(*(OP_EXAMPLES[kind] for kind in rule.ops.values())))
    chosen_constants = list(itertools.product(*rule.constants.values()))
    for dtypes, values, ops, shape in itertools.product(rule.dtype_rows(), chosen_constants, chosen_ops, shapes):
        given: dict[str, Any] = dict(zip(rule.ops, ops, strict=True))
        with np.errstate(all="ignore"):
            given |= {n: Constant(np.asarray(v).astype(dtypes[n])) for n, v in zip(rule.constants, values, strict=True)}
        names = [n for n in rule.wildcards if n not in given]
        label = ", ".join([*(f"{n}: {dtypes[n]}" for n in names), *map(str, values), *map(str, ops)])
        for others in itertools.product(*[_smaller(shape) for _ in names[1:]]):
            free = {n: Variable(TensorType(dtypes[n], s), n) for n, s in zip(names, (shape, *others), strict=True)}
            try:
                output = rule.find(**given, **free)
            except Exception:  # these examples do not fit together, such as an axis that is not there
                continue
            yield Case(label, Graph(tuple(free.values()), (output,)), shape)


def _smaller(shape: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
    """The shapes of the other wildcards beside one of `shape`."""
    return [shape, shape[:1], ()] if len(shape) == 2 else [shape]


def _arrays(case: Case, rule: Rule, rng: np.random.Generator) -> Iterator[list[Array]]:
    """Values for the inputs of `case`: all pairings as far as they are few; then other shapes, empty ones too."""
    draw = ordinary_values if rule.changes == DOMAIN else awkward_values
    pools = [draw(v.dtype, rng) for v in case.graph.inputs]
    if case.rank == 2:
        ranked = [(3, 4)[: v.ndim] for v in case.graph.inputs]
        for finite in (True, True, True, True, False, False):
            # The largest numbers stay out: a sum of them overflows by rounding alone.
            small = [p[~(np.abs(p) > _largest(p.dtype) / 4) | np.isinf(p)] for p in pools]
            usable = [p[np.isfinite(p)] for p in small] if finite else small
            yield [np.asarray(rng.choice(p, s), p.dtype) for p, s in zip(usable, ranked, strict=True)]
        for _ in range(2):  # one NaN among plain numbers
            plain = [
                np.asarray(rng.normal(size=s)).astype(v.dtype) for v, s in zip(case.graph.inputs, ranked, strict=True)
            ]
            if plain[0].dtype.kind == "f":
                plain[0][tuple(rng.integers(plain[0].shape))] = np.nan
            yield plain
        if case.shape == (None, None):
            for empty in ((0, 4), (3, 0)):
                yield [np.ones(empty[: v.ndim], v.dtype) for v in case.graph.inputs]
        return
    if case.shape != (None,):
        yield [rng.choice(p, tuple(n or 1 for n in case.shape)) for p in pools]
        return
    paired = list(itertools.product(*pools)) if len(pools) < 3 else [[rng.choice(p) for p in pools] for _ in range(400)]
    yield [np.array([row[i] for row in paired], p.dtype) for i, p in enumerate(pools)]
    for shapes in itertools.product([(1,), (3,)], repeat=len(pools)):
        yield [rng.choice(p, shape) for p, shape in zip(pools, shapes, strict=True)]
    yield [p[:0] for p in pools]


def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max) if dtype.kind in "fc" else np.inf


# ---- the check -----------------------------------------------------------------------------------


def check(rule: AnyRule, seed: int = 0) -> list[str]:
    """What is wrong with `rule`, one sentence each; empty if nothing was found.

    Equations over single elements are tried with awkward values paired in all ways, other rules on their examples.

    >>> from graphlab.ops.elementwise import log, log1p
    >>> wrong = Rule("log(1 + x) -> log1p(-x)", EXACT, find=lambda x: log(1 + x), make=lambda x: log1p(-x))
    >>> check(wrong)[0]
    'x: float32: log(1 + x) -> log1p(-x) differs at x=0.0: 0.0 became -0.0'
    """
    if not isinstance(rule, Rule) or rule.shapes:
        return failures(rule, seed)
    rng = np.random.default_rng(seed)
    found: list[str] = []
    fired = 0
    tried = list(cases(rule))
    for i in rng.permutation(len(tried)):
        case = tried[i]
        if fired == MAX_CASES:
            break
        outer = Graph(case.graph.inputs, (Around()(case.graph.outputs[0]),))
        try:
            after = apply_rules(outer, [rule], strict=True).outputs[0]
        except RewriteError as error:
            return [f"{case.label}: {error}"]
        if after is outer.outputs[0]:
            continue
        fired += 1
        assert after.owner is not None
        made = Graph(case.graph.inputs, (after.owner.inputs[0],))
        complaint = _differs(rule, case, made, rng)
        if complaint:
            found.append(f"{case.label}: {rule.name} {complaint}")
    return found if fired else ["it never fires on its own pattern inside a larger graph"]


def _differs(rule: Rule, case: Case, made: Graph, rng: np.random.Generator) -> str | None:
    """The first place where both sides disagree beyond the rule's class."""
    for arrays in _arrays(case, rule, rng):
        try:
            old = evaluate(case.graph, arrays)
        except ValueError as error:  # what raised before must raise
            with contextlib.suppress(ValueError):
                evaluate(made, arrays)
                return f"does not raise where it raised {str(error).splitlines()[0]!r}"
            continue
        new = evaluate(made, arrays)
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            return f"gives {new.dtype}{new.shape} instead of {old.dtype}{old.shape}"
        with np.errstate(all="ignore"):
            wrong = np.argwhere(~_agree(rule, case, arrays, old, new))
        if len(wrong):
            at = tuple(wrong[0])
            stretched = np.broadcast_arrays(*arrays) if case.rank == 1 else ()
            shown = ", ".join(f"{v.name}={a[at]}" for v, a in zip(case.graph.inputs, stretched, strict=False))
            return f"differs at {shown or at}: {old[at]} became {new[at]}"
    return None


def _agree(rule: Rule, case: Case, arrays: Sequence[Array], old: Array, new: Array) -> Array:
    """For each element whether the two sides agree as the rule's class says."""
    both_nan = np.zeros(old.shape, bool)
    if old.dtype.kind in "fc":
        both_nan = np.isnan(old) & np.isnan(new)
    if rule.changes == EXACT:
        bits = [same_bits(np.asarray(a), np.asarray(b)) for a, b in zip(old.ravel(), new.ravel(), strict=True)]
        return np.asarray(both_nan | np.reshape(bits, old.shape).astype(bool))
    rtol = ULPS * float(np.finfo(old.dtype).eps)
    if rule.changes == DOMAIN:
        return np.asarray(np.isnan(old) | np.isclose(old, new, rtol=rtol, atol=rtol))
    close = np.asarray(both_nan | np.isclose(old, new, rtol=rtol, atol=0))
    if case.rank == 2 and not all((np.abs(a.astype(float)) <= MOST).all() for a in arrays):
        near = np.isclose(old, new, rtol=1000 * rtol, atol=rtol)
        if all((np.isnan(a) | (np.abs(a.astype(float)) <= MOST)).all() for a in arrays):
            return np.asarray(both_nan | near)  # a NaN goes where it went, and nowhere else
        # One infinity or huge number decides a whole reduction: values stay if all of them had one.
        return np.asarray(close | near | (not np.isfinite(old).all()))
    return _no_further(case, arrays, old, new, close)


def _no_further(case: Case, arrays: Sequence[Array], old: Array, new: Array, close: Array) -> Array:
    """Whether `new` is as near to the true values as `old`, a few ulps of the result or the operands aside.

    In reductions of exponentials these are as many ulps as the exponents are large, or ulps of 1.
    """
    info = np.finfo(old.dtype)
    ulps, floor = float(ULPS), 0.0
    if case.rank == 2:
        ulps, floor = ULPS * max(1.0, *(float(np.abs(a).max(initial=0.0)) for a in arrays)), ULPS * float(info.eps)
    good = close.copy()
    whole = true_values(case.graph, arrays) if case.rank == 2 and not close.all() else None
    for at in map(tuple, np.argwhere(~close)):
        inputs = [np.asarray(np.broadcast_to(a, old.shape)[at]) for a in arrays] if case.rank == 1 else []
        if any(np.isnan(v) for v in inputs):
            continue  # NaN in, NaN out: `close` has said that it is not so
        true = true_values(case.graph, inputs) if case.rank == 1 else whole
        if true is None:  # cancellation in what it replaces is all that may differ
            good[at] = abs(old[at] - new[at]) <= ULPS * info.eps
            continue
        exact = true.reshape(-1)[0] if case.rank == 1 else true[at]
        if case.rank == 1:
            floor = 4 * float(info.eps) * max(abs(float(v)) for v in inputs)
        if exact.is_finite():
            good[at] = _near(old[at], new[at], exact, ulps, floor)
        elif exact.is_infinite() and new[at] == float(exact):
            good[at] = True
        elif any(MOST < abs(float(v)) < np.inf for v in inputs):
            good[at] = not np.isfinite(old[at])  # too large to compute the true value: it may have broken down
        else:
            good[at] = np.isnan(old[at]) and any(np.isinf(v) for v in inputs)
    return good


def _near(old: Any, new: Any, exact: Decimal, ulps: float, floor: float) -> bool:
    info = np.finfo(new.dtype)
    slack = max(ulps * float(np.spacing(np.minimum(abs(new), info.max / 2))), floor) if np.isfinite(new) else 0.0
    far, near = (distance(float(v), exact, float(info.max)) for v in (new, old))
    return far <= near + Decimal(slack)
