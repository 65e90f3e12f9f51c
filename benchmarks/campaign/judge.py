"""Judging: compiled code against NumPy on the graph as written, as far as rounding leaves room.

How much rounding may matter is measured: NumPy computes the graph several times over, with every rounded
result moved by a few units in its last place. What that moves an output by, some times over, is its
tolerance; an element whose NaN, infinity or truth it changes is undecided. Where a rule that rounds fired,
the graph as written is also computed with longer numbers, for its naive form may have broken down.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import graphlab
from graphlab.callable import Function
from graphlab.dtypes import INTEGER
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import demand, interpret, leaf_value
from graphlab.ops.check import Check
from graphlab.ops.conversion import Cast
from graphlab.ops.extents import BroadcastTo, Reshape, ShapeOf, StackScalars
from graphlab.ops.index import Index
from graphlab.ops.join import Concatenate
from graphlab.ops.lowering import Expand
from graphlab.ops.products import Prod
from graphlab.ops.reduce import All_, Any_, Sum
from graphlab.ops.shape import Dimshuffle
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.rule import EXACT, STABLE

from .draw import Array
from .sample import RULES, Sample

NOISE_ULPS = 8  # by how many units in the last place a rounded result is moved
FACTOR = 16  # how many times over
RUNS, MORE_RUNS = 3, 40  # noisy runs; those before a difference is called one
REFUSALS = ("did not converge", "not positive definite", "Singular matrix")  # of LAPACK, in NumPy's words
MANY_RUNS = 600  # of truth values and integers, which noise changes rarely: equal(x / y, 1)
TINIEST = {"float32": 1e-37, "complex64": 1e-37}

STABILISING = frozenset(rule.name for rule in RULES if STABLE in getattr(rule, "tags", ()))
# Ops of which each result is the correctly rounded one, or a copy: every implementation gives the same bits.
MOVES = (Cast, Check, BroadcastTo, Reshape, ShapeOf, StackScalars, Index, Concatenate, Dimshuffle, Any_, All_)
UNROUNDED = frozenset((
    "negative", "absolute", "sign", "floor", "ceil", "trunc", "rint", "equal", "not_equal", "less", "less_equal",
    "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not", "where", "isnan", "isinf",
    "isfinite", "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift", "real", "imag",
    "conjugate", "maximum", "minimum", "signbit", "copysign",
))  # fmt: skip
ARITHMETIC = frozenset(("add", "subtract", "multiply", "true_divide", "floor_divide", "remainder"))
VANISHING = frozenset(("sigmoid", "softplus", "erfc", "exp", "exp2", "ndtr"))  # never 0 where the operand is finite
ADDS = frozenset(("sum", "sum_to", "matmul", "cumsum", "fold_windows"))  # many numbers, in any order
ROUNDED_ONCE = frozenset(("add", "subtract", "multiply", "true_divide", "sqrt", "square", "reciprocal"))


@dataclass(frozen=True)
class Difference:
    """An output that is not what it should be; `kind` names the values it was run on."""

    kind: str
    output: int
    message: str
    got: Any = None
    want: Any = None


@dataclass
class Verdict:
    """What was found: rules that fired, differences, how many elements of outputs were judged how; and its kernels."""

    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    elements: Counter[str] = field(default_factory=Counter)
    kernels: int = 0


# ---- one graph -----------------------------------------------------------------------------------


def compiled(s: Sample) -> Function:
    """The function of the sample."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", graphlab.rewrite.driver.RewriteWarning)
        return graphlab.function(list(s.graph.inputs), list(s.graph.outputs), mode=s.mode, on_unused_input="ignore")


def judge(s: Sample, compares: bool = True) -> Verdict:
    """Compile the sample, run it on all its values and, if it `compares`, find the differences."""
    f = compiled(s)
    verdict = Verdict(kernels=len(f.kernels))
    verdict.fired.update((r.rule, r.changes) for r in f.trace.rewrites)
    for kind, values in s.values.items():
        if compares:
            verdict.differences += compare(s, f, kind, values, verdict.elements)
        else:
            outcome(lambda values=values: f(*values))  # type: ignore[misc]
    return verdict


def compare(s: Sample, f: Function, kind: str, values: Sequence[Array], elements: Counter[str]) -> list[Difference]:
    """The outputs that differ on `values`."""
    want, got = outcome(lambda: interpret(s.graph, values)), outcome(lambda: f(*values))
    if isinstance(want, Exception) or isinstance(got, Exception):
        if isinstance(want, Exception) and isinstance(got, Exception):
            elements["errors in both"] += 1
            return []
        if _is_unspecified(s.graph, values, want if isinstance(want, Exception) else got):
            elements["undecided: LAPACK on what is not finite"] += 1
            return []
        return [Difference(kind, 0, f"compiled: {_shown(got)}; NumPy: {_shown(want)}", got, want)]
    judged = Comparison(s, f, values, want)
    return [d for i, g in enumerate(got) if (d := judged.difference(kind, i, np.asarray(g), elements)) is not None]


def outcome(run: Any) -> list[Array] | Exception:
    """What `run` gives, or the exception that it raises."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result: list[Array] = run()
            return result
    except Exception as error:
        return error


def _is_unspecified(graph: Graph, values: Sequence[Array], error: Any) -> bool:
    """Whether LAPACK refused a matrix that is not finite in one of the forms: another routine may well give NaNs."""
    if not any(words in str(error) for words in REFUSALS):
        return False
    known = dict(zip(graph.inputs, values, strict=True))
    for node in toposort(graph.outputs, graph.inputs):
        if outcome(lambda node=node: demand(node.outputs, known)) is not None:  # type: ignore[misc]
            return any(v in known and not np.isfinite(known[v]).all() for v in node.inputs)
    return any(a.dtype.kind in "fc" and not np.isfinite(a).all() for a in known.values())


def _shown(result: Any) -> str:
    return f"{type(result).__name__}: {result}".splitlines()[0] if isinstance(result, Exception) else "a value"


@dataclass
class Comparison:
    """The graph of a sample on some values: what NumPy makes of it, with noise and with longer numbers as needed."""

    sample: Sample
    function: Function
    values: Sequence[Array]
    want: list[Array]
    spread: list[Array] = field(default_factory=list)
    runs: int = 0

    def difference(self, kind: str, i: int, got: Array, elements: Counter[str]) -> Difference | None:
        """How output `i` differs from what it should be, if it does."""
        want = self.want[i]
        if (got.dtype, got.shape) != (want.dtype, want.shape):
            return Difference(kind, i, f"{got.dtype}{got.shape} instead of {want.dtype}{want.shape}", got, want)
        if i in self.unrounded:
            good = same(got, want)
            elements["equal in every bit"] += int(good.sum())
            return None if good.all() else Difference(kind, i, "not the same bits", got, want)
        if self.sample.mode.fast_math and not self._is_finite(i):
            elements["undecided: special values with fast_math"] += want.size
            return None
        good, held = self.within(i, got)
        if not good.all():
            good, held = self.within(i, got, MORE_RUNS)
        if not good.all() and (want.dtype.kind not in "fc" or self._chooses(i)):
            good, held = self.within(i, got, MANY_RUNS)
        elements["within rounding"] += int((good & held).sum())
        elements["undecided: noise decides"] += int((good & ~held).sum())
        if good.all():
            return None
        if self.rounds:
            repaired = self.repaired(i, got)
            elements["repaired" if repaired is not None else "undecided: beyond longer numbers"] += int((~good).sum())
            good = good | (repaired if repaired is not None else True)
        return None if good.all() else Difference(kind, i, _where(got, want, ~good), got, want)

    def _chooses(self, i: int) -> bool:
        """Whether truth values or integers made of rounded numbers decide on output `i`."""
        made = (v.owner for v in graphlab.ancestors([self.sample.graph.outputs[i]]) if v.dtype[0] not in "fc")
        return any(node is not None and any(v.dtype[0] in "fc" for v in node.inputs) for node in made)

    def _is_finite(self, i: int) -> bool:
        """Whether NumPy has no NaN and no infinity on the way to output `i`."""
        known = dict(zip(self.sample.graph.inputs, self.values, strict=True))
        demand((self.sample.graph.outputs[i],), known)
        return all(bool(np.isfinite(a).all()) for a in known.values())

    def within(self, i: int, got: Array, runs: int = RUNS) -> tuple[Array, Array]:
        """For each element whether it is within rounding of NumPy's, and whether noise leaves that decided."""
        self._measure(runs)
        want, tolerance = self.want[i], FACTOR * self.spread[i]
        if want.dtype.kind in "fc":
            tolerance = tolerance + TINIEST.get(want.dtype.name, 1e-300)
        good = near(got, want, tolerance)
        if i in self.signed and want.dtype.kind == "f":
            good &= (got != 0) | (want != 0) | (np.signbit(got) == np.signbit(want))
        return good | np.isinf(tolerance), np.isfinite(tolerance)

    def _measure(self, runs: int) -> None:
        if not self.spread:
            self.spread = [np.zeros(w.shape) for w in self.want]
        while self.runs < runs:
            noisy = Noise(np.random.default_rng(self.runs), self.rounds, self.stable).run(
                self.sample.graph, self.values
            )
            for k, (a, w) in enumerate(zip(noisy, self.want, strict=True)):
                self.spread[k] = np.maximum(self.spread[k], moved(a, w))
            self.runs += 1

    @cached_property
    def rounds(self) -> bool:
        """Whether a rule that rounds, or changes more, fired."""
        return any(r.changes != EXACT for r in self.function.trace.rewrites)

    @cached_property
    def stable(self) -> bool:
        """Whether a stabilising rule fired, which may change the sign of a zero."""
        return any(r.rule in STABILISING for r in self.function.trace.rewrites)

    @cached_property
    def unrounded(self) -> set[int]:
        """The outputs that every implementation must give with the same bits: no rule and no op leaves a choice."""
        return self._outputs_of(_same_anywhere)

    @cached_property
    def signed(self) -> set[int]:
        """The outputs in which zeros have a sign to keep: no rule rounds, and nothing is summed up."""
        return self._outputs_of(_keeps_signs)

    def _outputs_of(self, kind: Callable[[Apply], bool]) -> set[int]:
        """The outputs made only of applications of that kind, as written and as rewritten, if no rule rounds."""
        if self.rounds:
            return set()
        pairs = zip(self.sample.graph.outputs, self.function.optimized.outputs, strict=True)
        return {i for i, both in enumerate(pairs) if all(map(kind, toposort(both)))}

    # -- longer numbers --

    @cached_property
    def wide(self) -> tuple[Mapping[Variable, Array], set[Variable]]:
        """The graph's values in the longest format, and the variables where even that broke down."""
        return widened(self.sample.graph, self.values)

    def repaired(self, i: int, got: Array) -> Array | None:
        """Whether the graph as written, in longer numbers, gives `got`; None if it breaks down even so."""
        known, broken = self.wide
        output = self.sample.graph.outputs[i]
        if output not in known or broken & set(graphlab.ancestors([output])):
            return None
        with np.errstate(all="ignore"):
            true = known[output].astype(got.dtype) if known[output].dtype.kind == got.dtype.kind else known[output]
        single = any(v.dtype in TINIEST for v in graphlab.ancestors([output]))
        rtol = 1e-4 if single else 1e-9
        spread = np.zeros(true.shape)
        for seed in range(RUNS):
            noisy, _ = widened(self.sample.graph, self.values, np.random.default_rng(seed))
            spread = np.maximum(spread, moved(noisy[output], known[output])) if output in noisy else spread + np.inf
        relative = rtol * np.where(np.isfinite(true), np.abs(true), 0)
        tolerance = relative + FACTOR * spread + TINIEST.get(got.dtype.name, 1e-300)
        # Both forms broke down where the true value is finite; or it is beyond the dtype, where the order of the terms
        # decides between an infinity and inf - inf.
        beyond = np.isfinite(known[output]) & ~np.isfinite(true)
        both = np.isfinite(true) & ~np.isfinite(got) & ~np.isfinite(self.want[i])
        lost = both | (beyond & np.isnan(got)) if got.dtype.kind in "fc" else False
        return near(got, true, tolerance) | np.isinf(tolerance) | lost


# ---- comparing -----------------------------------------------------------------------------------


def same(a: Array, b: Array) -> Array:
    """For each element whether it has the same bits, NaN being one value."""
    if a.dtype.kind not in "fc":
        return np.asarray(a == b)
    parts = [(a.real, b.real), (a.imag, b.imag)] if a.dtype.kind == "c" else [(a, b)]
    one = [((p == q) & (np.signbit(p) == np.signbit(q))) | (np.isnan(p) & np.isnan(q)) for p, q in parts]
    return np.logical_and.reduce(one)


def near(got: Array, want: Array, tolerance: Any) -> Array:
    """For each element whether it differs by no more than `tolerance`, or is the same NaN or infinity."""
    with np.errstate(all="ignore"):
        if want.dtype.kind not in "fc":
            return np.asarray(got == want)
        wide = np.complex128 if want.dtype.kind == "c" else np.float64
        close = np.abs(got.astype(wide) - want.astype(wide)) <= tolerance
        return np.asarray(close | (got == want) | (np.isnan(got) & np.isnan(want)))


def moved(noisy: Array, want: Array) -> Array:
    """How far noise moved each element; infinite if it changed what is no rounded number."""
    if noisy.shape != want.shape:
        return np.full(want.shape, np.inf)
    with np.errstate(all="ignore"):
        if want.dtype.kind not in "fc":
            return np.where(noisy != want, np.inf, 0.0)
        alike = (np.isfinite(noisy) & np.isfinite(want)) | (np.isnan(noisy) & np.isnan(want)) | (noisy == want)
        if want.dtype.kind == "f":
            alike &= (noisy != 0) | (want != 0) | (np.signbit(noisy) == np.signbit(want))
        off = np.abs(np.where(np.isfinite(want), noisy - want, 0.0))
        return np.asarray(np.where(alike, np.nan_to_num(off, nan=0.0, posinf=np.inf), np.inf), np.float64)


def _where(got: Array, want: Array, bad: Array) -> str:
    at = tuple(int(k) for k in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} elements differ; at {at} {got[at]!r} instead of {want[at]!r}"


# ---- graphs inside ops ---------------------------------------------------------------------------


@contextlib.contextmanager
def bodies(by: Callable[[Graph, Sequence[Array]], list[Array]]) -> Iterator[None]:
    """Inside the `with` block the graphs that loops, choices and calls hold are computed by `by`."""
    modules = (graphlab.control.loop, graphlab.control.ifelse, graphlab.control.call)
    before = modules[0].interpret  # type: ignore[attr-defined]
    try:
        for module in modules:
            module.interpret = by  # type: ignore[attr-defined]
        yield
    finally:
        for module in modules:
            module.interpret = before  # type: ignore[attr-defined]


# ---- noise ---------------------------------------------------------------------------------------


def _keeps_signs(node: Apply) -> bool:
    """Whether the signs of zeros are the same in every implementation; of maximum(0.0, -0.0) either will do."""
    return isinstance(node.op, (Elementwise, *MOVES)) and node.op.name not in ("maximum", "minimum")


def _same_anywhere(node: Apply) -> bool:
    """Whether every implementation of its op gives the same bits."""
    if isinstance(node.op, Elementwise):
        if all(v.dtype in (*INTEGER, "bool") for v in (*node.inputs, *node.outputs)):
            return True
        certain = node.op.name in UNROUNDED | ROUNDED_ONCE
        return certain and _keeps_signs(node) and all(v.dtype[0] != "c" for v in (*node.inputs, *node.outputs))
    return isinstance(node.op, MOVES) and not _lossy(node)


def _lossy(node: Apply) -> bool:
    """Whether it casts floats to integers, which the machine does as it likes where they are out of range."""
    return isinstance(node.op, Cast) and node.inputs[0].dtype[0] in "fc" and node.op.dtype in INTEGER


def _rounds(node: Apply) -> bool:
    if isinstance(node.op, Elementwise):
        return node.op.name not in UNROUNDED or (node.op.name == "absolute" and node.inputs[0].dtype[0] == "c")
    return not isinstance(node.op, MOVES) or (isinstance(node.op, Cast) and node.op.dtype != "float64")


@dataclass
class Noise:
    """Runs a graph by NumPy and moves every rounded result at random; with `signs` also the signs of zeros.

    Without `rewritten`, where no rule rounds, results stay that IEEE 754 leaves no choice in, such as sums of two.
    """

    rng: np.random.Generator
    rewritten: bool = True
    signs: bool = False

    def run(self, graph: Graph, values: Sequence[Array]) -> list[Array]:
        """The outputs; arrays of another shape for those that could not be computed."""
        known: dict[Variable, Array] = dict(zip(graph.inputs, values, strict=True))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for node in toposort(graph.outputs, graph.inputs):
                try:  # both branches of a choice are computed here, and the other one may fail
                    results = self._results(node, [leaf_value(v, known) for v in node.inputs])
                except Exception:
                    continue
                known.update(zip(node.outputs, results, strict=True))
        lost = np.empty((0,) * 9)
        return [leaf_value(v, known) if v in known or v.owner is None else lost for v in graph.outputs]

    def _results(self, node: Apply, operands: Sequence[Array]) -> list[Array]:
        """What `node` makes of `operands`: with noise at each step where the compiler takes it apart into steps."""
        lowering = node.op.lowering(node)
        if isinstance(lowering, Expand):
            inputs = [Variable(v.type) for v in node.inputs]
            made = self.run(Graph(tuple(inputs), tuple(lowering.build(*inputs))), operands)
            if all(m.ndim == v.ndim for m, v in zip(made, node.outputs, strict=True)):
                return made
        if node.op.name in ADDS:  # added up in another order, the sum is that of operands a little off
            operands = [self._shaken(a) for a in operands]
        if isinstance(node.op, (Sum, Prod)):  # but for what overflows on the way
            operands = [self._shuffled(a, node.op.over(a.ndim)) for a in operands]
        if node.op.name == "matmul" and all(a.ndim > 1 for a in operands) and self.rng.random() < 0.5:
            x, y = operands  # products are rounded, and may overflow, or they are not: BLAS fuses them with sums
            return [self._noisy(node, (x[..., None] * y[..., None, :, :]).sum(-2).astype(node.output.dtype), operands)]
        with bodies(self.run):
            return [self._noisy(node, r, operands) for r in node.op.evaluate(*operands)]

    def _shuffled(self, value: Array, axes: Sequence[int]) -> Array:
        for axis in axes:
            value = np.take(value, self.rng.permutation(value.shape[axis]), axis)
        return value

    def _noisy(self, node: Apply, result: Array, operands: Sequence[Array]) -> Array:
        if _lossy(node):
            info, x = np.iinfo(result.dtype), np.real(operands[0])
            sane = np.isfinite(x) & (x > float(info.min)) & (x < float(info.max))
            return np.where(sane, result, self.rng.integers(0, 100, result.shape)).astype(result.dtype)
        certain = node.op.name in ROUNDED_ONCE and isinstance(node.op, Elementwise) and result.dtype.kind == "f"
        return self._shaken(result) if _rounds(node) and (self.rewritten or not certain) else result

    def _shaken(self, value: Array) -> Array:
        if value.dtype.kind == "c":
            parts = [self._moved(part, np.abs(value)) for part in (value.real, value.imag)]
            both = np.empty_like(value)
            both.real, both.imag = parts
            return both
        return self._moved(value, value) if value.dtype.kind == "f" else value

    def _moved(self, value: Array, scale: Array) -> Array:
        eps = NOISE_ULPS * float(np.finfo(value.dtype).eps)
        step = np.where(np.isfinite(scale), scale, 0) * (eps * self.rng.uniform(-1, 1, value.shape))
        shaken = value + step
        if self.signs:
            shaken = np.where(shaken == 0, self.rng.choice([-0.0, 0.0], value.shape), shaken)
        return np.asarray(shaken).astype(value.dtype)


# ---- longer numbers ------------------------------------------------------------------------------


def widened(
    graph: Graph, values: Sequence[Array], noise: np.random.Generator | None = None
) -> tuple[dict[Variable, Array], set[Variable]]:
    """The values of `graph` in the longest format there is, as far as it has them, and where even those break down:

    overflow or underflow, and have no sum, product or quotient because of an infinity. With `noise` each result is
    moved as rounding in its own format may move it: what then differs, those longer numbers cannot decide.
    """
    known: dict[Variable, Array] = {v: _wide(a) for v, a in zip(graph.inputs, values, strict=True)}
    broken: set[Variable] = set()
    invalid: set[Variable] = set()
    for node in toposort(graph.outputs, graph.inputs):
        seen: list[str] = []
        try:
            operands = [known[v] if v in known else _wide(leaf_value(v, known)) for v in node.inputs]
            with np.errstate(divide="ignore", over="call", under="call", invalid="call",
                             call=lambda what, _, seen=seen: seen.append(what)):  # fmt: skip
                inner = _WideBodies(noise)
                with bodies(inner.run):
                    results = _computed_wide(node, operands)
                if inner.broke_down:
                    broken.update(node.outputs)
        except Exception:  # not every operation computes in that format
            continue
        for v, result in zip(node.outputs, map(_wide, results), strict=True):
            known[v] = result if noise is None or not _rounds(node) else _moved_wide(result, v.dtype, noise)
        vanished = node.op.name in VANISHING and np.any((results[0] == 0) & np.isfinite(operands[0]))
        if vanished or {"overflow", "underflow"} & set(seen):
            broken.update(node.outputs)
        if "invalid value" in seen and (node.op.name in ARITHMETIC or not isinstance(node.op, Elementwise)):
            invalid.update(node.outputs)
    infinite = any(a.dtype.kind in "fc" and np.isinf(a).any() for a in known.values())
    return known, broken | invalid if infinite else broken


@dataclass
class _WideBodies:
    """Computes the graphs that an op holds in longer numbers too; between turns values have their own dtype."""

    noise: np.random.Generator | None
    broke_down: bool = False

    def run(self, graph: Graph, values: Sequence[Array]) -> list[Array]:
        """The outputs of `graph`."""
        known, broken = widened(graph, values, self.noise)
        self.broke_down |= bool(broken & set(graphlab.ancestors(list(graph.outputs))))
        return [known[v] if v in known else leaf_value(v, known) for v in graph.outputs]


def _computed_wide(node: Apply, operands: Sequence[Array]) -> Sequence[Array]:
    if isinstance(node.op, Cast) and node.op.dtype in ("float64", "complex128") and operands[0].dtype.kind in "fc":
        return (operands[0],)
    # An elementwise op would first convert its operands to a dtype of graphlab's, which has none so wide.
    whole = isinstance(node.op, Elementwise)
    return (np.asarray(node.op.function(*operands)),) if whole else node.op.evaluate(*operands)


def _moved_wide(value: Array, dtype: str, noise: np.random.Generator) -> Array:
    """`value` moved at random by some units in the last place of `dtype`, of its smallest numbers too."""
    if value.dtype.kind not in "fc" or dtype[0] not in "fc":
        return value
    info = np.finfo(dtype)
    size = np.where(np.isfinite(value), np.abs(value), 0)
    step = NOISE_ULPS * (info.eps * size + np.longdouble(info.smallest_subnormal))
    moved: Array = value + step * noise.uniform(-1, 1, value.shape)
    return moved if value.dtype.kind == "f" else moved + 1j * step * noise.uniform(-1, 1, value.shape)


def _wide(value: Array) -> Array:
    kind = {"f": np.longdouble, "c": np.clongdouble}.get(value.dtype.kind)
    return value if kind is None else value.astype(kind)
