"""Rules: what may be replaced by what, said as an equation, and what that may change.

A `Rule` is a pair of expressions. The parameters of `find` are its wildcards; it is traced once, with
variables in their place, into a pattern. `make` builds the replacement from what the wildcards matched.
A `NodeRule` is a function, for what no pattern can say.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from graphlab import dtypes
from graphlab.errors import Origin
from graphlab.graph.node import Apply, Constant, Provenance, Variable, provenance
from graphlab.graph.types import TensorType
from graphlab.ops import elementwise as e
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.facts import facts, may_drop, uniform_value

EXACT = "exact"  # the same value for every input, NaN, infinities and the sign of zero included
ROUNDING = "rounding"  # differs by rounding only
DOMAIN = "domain"  # may differ at special values, so only fast_math applies it

# A tag of ROUNDING rules: more accurate than what they replace, and right where that over- or underflows.
STABLE = "stable"

FLOAT = tuple(reversed(dtypes.FLOAT))  # float64 first: patterns are traced in the first
INTEGER = dtypes.INTEGER
BOOL = dtypes.BOOL
REAL = (*FLOAT, *dtypes.INTEGER)  # numbers; no bool, for which + and * mean other things, no complex
ANY = (*REAL, *dtypes.BOOL, *dtypes.COMPLEX)

COMMUTATIVE = frozenset((
    e.add, e.multiply, e.equal, e.not_equal, e.logical_and, e.logical_or, e.logical_xor,
    e.bitwise_and, e.bitwise_or, e.bitwise_xor, e.logaddexp, e.hypot,
))  # fmt: skip

# ---- patterns ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Matches any variable; a Constant only, if `constant`."""

    name: str
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """Matches constants of any dtype whose elements all have this value."""

    value: Any

    def matches(self, variable: Variable) -> bool:
        """Whether `variable` is such a constant; 0.0 and -0.0 are two values."""
        if not isinstance(variable, Constant):
            return False
        value = uniform_value(variable)
        return value is not None and bool(
            value == self.value and (value != 0 or _negative_zero(value) == _negative_zero(self.value))
        )


def _negative_zero(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f" and bool(np.signbit(value))


@dataclass(frozen=True, slots=True)
class Call:
    """Matches an application of `op`: of that op, or of the class of ops that an op wildcard stands for."""

    op: Op | OpWildcard
    inputs: tuple[Pattern, ...]


Pattern = Wildcard | Literal | Call


@dataclass(frozen=True, slots=True)
class OpWildcard(Op):
    """Stands in a pattern for any op of `kind`, for example a sum over whichever axes."""

    label: str
    kind: type[Op]

    @property
    def name(self) -> str:
        """The wildcard's name."""
        return self.label

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)


@dataclass(slots=True)
class Match:
    """What a rule found: `bound` maps its wildcards to variables and ops, `nodes` are the matched applications."""

    bound: dict[str, Any] = field(default_factory=dict)
    nodes: list[Apply] = field(default_factory=list)


def _match(pattern: Pattern, variable: Variable, found: Match) -> bool:
    if isinstance(pattern, Wildcard):
        bound = found.bound.setdefault(pattern.name, variable)
        return (bound is variable or _equal_constants(bound, variable)) and (
            not pattern.constant or isinstance(variable, Constant)
        )
    if isinstance(pattern, Literal):
        return pattern.matches(variable)
    return _match_call(pattern, variable.owner, found)


def _match_call(pattern: Call, node: Apply | None, found: Match) -> bool:
    if node is None or len(node.inputs) != len(pattern.inputs):
        return False
    if isinstance(pattern.op, OpWildcard):
        if type(node.op) is not pattern.op.kind or found.bound.setdefault(pattern.op.label, node.op) != node.op:
            return False
    elif node.op is not pattern.op and node.op != pattern.op:
        return False
    found.nodes.append(node)
    return all(map(_match, pattern.inputs, node.inputs, itertools.repeat(found)))


def _equal_constants(a: Variable, b: Variable) -> bool:
    return isinstance(a, Constant) and isinstance(b, Constant) and a.type == b.type and a.key == b.key


def _variants(pattern: Pattern) -> Iterator[Pattern]:
    """`pattern` with the operands of commutative ops in every order."""
    if not isinstance(pattern, Call):
        yield pattern
        return
    for inputs in itertools.product(*(tuple(_variants(p)) for p in pattern.inputs)):
        yield Call(pattern.op, inputs)
        if pattern.op in COMMUTATIVE and inputs[0] != inputs[1]:
            yield Call(pattern.op, (inputs[1], inputs[0]))


def _as_pattern(variable: Variable, wildcards: Mapping[Variable, Wildcard]) -> Pattern:
    if variable in wildcards:
        return wildcards[variable]
    if isinstance(variable, Constant):
        return Literal(variable.data[()])
    assert variable.owner is not None
    return Call(variable.owner.op, tuple(_as_pattern(v, wildcards) for v in variable.owner.inputs))


# ---- rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """An expression on which a rule fires: what `build` makes of variables of `types`."""

    build: Callable[..., Variable]
    types: Mapping[str, TensorType]


def example(build: Callable[..., Variable], **types: str) -> Example:
    """What `build` makes of variables of `types`, each written as str gives it.

    >>> example(lambda x: e.negative(x), x="float64[2,3]").types["x"].shape
    (2, 3)
    """
    return Example(build, {name: TensorType.parse(text) for name, text in types.items()})


@dataclass(frozen=True, eq=False)
class Rule:
    """Replace what `find` describes by what `make` builds; `name` is the equation.

    `changes` says what may differ afterwards (EXACT, ROUNDING or DOMAIN) and `because` why, where that is not plain.
    `on` lists the dtypes in which the equation holds: everything matched then has one and the same of
    them; a mapping gives each wildcard its own list instead. `constants` names the wildcards that match
    constants only, each with values to try it with. `ops` names those that stand for any op of a class.
    `shapes` gives the wildcards extents to trace and try it with, where it is not about single elements.
    `when` is asked last, with the bindings. A rule never fires where it would change the dtype or
    could change the shape, or let an error vanish: that is checked for all of them.

    >>> rule = Rule("-(-x) -> x", EXACT, find=lambda x: e.negative(e.negative(x)), make=lambda x: x)
    >>> x = Constant([1.0, 2.0])
    >>> rule.apply(e.negative(e.negative(x)).owner) is x
    True
    """

    name: str
    changes: str
    find: Callable[..., Variable]
    make: Callable[..., Variable]
    on: tuple[str, ...] | Mapping[str, tuple[str, ...]] = FLOAT
    constants: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    ops: Mapping[str, type[Op]] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    when: Callable[..., bool] | None = None
    tags: tuple[str, ...] = ()
    because: str = ""

    @cached_property
    def source(self) -> str:
        """Where the rule is written, as file:line."""
        return _source(self.find)

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """The parameters of `find` that stand for variables."""
        return tuple(n for n in _parameters(self.find) if n not in self.ops)

    def dtypes_of(self, wildcard: str) -> tuple[str, ...]:
        """The dtypes that `wildcard` may have."""
        return self.on[wildcard] if isinstance(self.on, Mapping) else self.on

    def dtype_rows(self) -> Iterator[Mapping[str, str]]:
        """For each of the dtypes that it is for, the dtype of each wildcard."""
        if not isinstance(self.on, Mapping):
            yield from (dict.fromkeys(self.wildcards, dtype) for dtype in self.on)
            return
        for i in range(max(map(len, self.on.values()))):
            yield {n: options[i % len(options)] for n, options in self.on.items()}

    @cached_property
    def pattern(self) -> Call:
        """What `find` looks for, as it is written."""
        traced = {n: TensorType(self.dtypes_of(n)[0], (None,) * len(self.shapes.get(n, ()))) for n in self.wildcards}
        with provenance(_NOWHERE):
            given = {n: Variable(t, n) for n, t in traced.items()}
            root = self.find(**given, **{n: OpWildcard(n, kind) for n, kind in self.ops.items()})
        pattern = _as_pattern(root, {v: Wildcard(n, n in self.constants) for n, v in given.items()})
        if not isinstance(pattern, Call):
            raise TypeError(f"rule {self.name!r}: find must apply an op")
        return pattern

    @cached_property
    def patterns(self) -> tuple[Call, ...]:
        """What `find` looks for, the operands of commutative ops in every order."""
        return tuple(dict.fromkeys(p for p in _variants(self.pattern) if isinstance(p, Call)))

    def concerns(self, op: Op) -> bool:
        """Whether it may fire on applications of ops like `op`."""
        root = self.pattern.op
        if isinstance(root, Elementwise):
            return op is root
        return type(op) is (root.kind if isinstance(root, OpWildcard) else type(root))

    def match(self, node: Apply) -> Match | None:
        """What the wildcards stand for if `node` is what the rule looks for."""
        for pattern in self.patterns:
            found = Match()
            if _match_call(pattern, node, found) and self._admits(found):
                return found
        return None

    def _admits(self, found: Match) -> bool:
        bound = {n: found.bound[n] for n in self.wildcards}
        if isinstance(self.on, Mapping):
            fits = all(v.dtype in self.on[n] for n, v in bound.items())
        else:
            kinds = {v.dtype for v in (*bound.values(), *(out for node in found.nodes for out in node.outputs))}
            fits = len(kinds) == 1 and kinds <= set(self.on)
        return fits and (self.when is None or self.when(**_taken(self.when, found.bound)))

    def build(self, found: Match) -> Variable | None:
        """The replacement, or None where it would change the dtype or shape, or hide an error."""
        old, new = found.nodes[0].output, self.make(**_taken(self.make, found.bound))
        if new.dtype != old.dtype or facts(new).extents != facts(old).extents:
            return None
        operands = [v for v in found.bound.values() if isinstance(v, Variable)]
        gone = [v for v in operands if facts(v).may_fail and v is not new]
        return new if all(may_drop(v, new) for v in gone) else None

    def apply(self, node: Apply) -> Variable | None:
        """The replacement for the output of `node`; None if the rule does not fire."""
        found = self.match(node)
        return None if found is None else self.build(found)


@dataclass(frozen=True, eq=False)
class NodeRule:
    """Replace applications of the ops and classes of ops in `on_ops` (empty: of any) by what `rewrite` returns.

    `rewrite` maps the application to its new output (a tuple of them if it has several), or None. It
    vouches for shapes and errors itself; dtype and static shape are checked. `of`: one operand at least is
    an application of such an op (or a Constant), else it does not fire; it is not even asked, which saves time.
    `examples` are expressions on which it fires, with which it is checked.
    """

    name: str
    changes: str
    rewrite: Callable[[Apply], Variable | Sequence[Variable] | None]
    on_ops: tuple[type[Op] | Op, ...] = ()
    tags: tuple[str, ...] = ()
    because: str = ""
    examples: tuple[Example, ...] = ()
    of: tuple[type[Op] | Op | type[Constant], ...] = ()

    @cached_property
    def source(self) -> str:
        """Where the rule is written, as file:line."""
        return _source(self.rewrite)

    def concerns(self, op: Op) -> bool:
        """Whether it may fire on applications of ops like `op`."""
        return not self.on_ops or any(isinstance(op, o) if isinstance(o, type) else op == o for o in self.on_ops)

    def match(self, node: Apply) -> Match | None:
        """Every application of its ops may do."""
        return Match(nodes=[node])

    def build(self, found: Match) -> Variable | tuple[Variable, ...] | None:
        """What `rewrite` returns, if it has the types of what it replaces."""
        (node,) = found.nodes
        new = self.rewrite(node)
        news = () if new is None else (new,) if isinstance(new, Variable) else tuple(new)
        fits = len(news) == len(node.outputs) and all(
            old.type.accepts(v.type) for old, v in zip(node.outputs, news, strict=True)
        )
        return None if not fits else news[0] if len(news) == 1 else news


AnyRule = Rule | NodeRule

_NOWHERE = Provenance()  # of what is traced, which no user ever sees


def _taken(function: Callable[..., Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the bindings that `function` has parameters for."""
    return {n: bound[n] for n in _parameters(function)}


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _source(function: Callable[..., Any]) -> str:
    return Origin(function.__code__.co_filename, function.__code__.co_firstlineno).label
