"""Which rules may fire on an application: its op and those of its operands rule out nearly all, at a glance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.rule import AnyRule, Call, NodeRule, OpWildcard, Pattern, Wildcard

# What is seen of a variable: an elementwise op, the class of another, Constant, or nothing of an input.
Kind = Op | type[Op] | type[Constant] | None
Outline = tuple[Op | type[Op], int, tuple[Kind, ...]]  # the op, how many operands, and what the first of them are

# Of each pattern of a rule how many operands it has, and the numbers and patterns of those that not everything fits.
Demands = list[tuple[int, list[tuple[int, Pattern]]]] | None

MOST_OPERANDS = 3  # that are looked at
MOST_OUTLINES = 4096  # that are remembered
MOST_TABLES = 64  # sets of rules


def outline(node: Apply) -> Outline:
    """What is seen of `node` at a glance; equal for applications that the same rules may fit."""
    return _kind_of(node.op), len(node.inputs), tuple([_kind(v) for v in node.inputs[:MOST_OPERANDS]])


def _kind(v: Variable) -> Kind:
    if v.owner is not None:
        return _kind_of(v.owner.op)
    return Constant if isinstance(v, Constant) else None


def _kind_of(op: Op) -> Op | type[Op]:
    return op if isinstance(op, Elementwise) else type(op)


class RuleIndex:
    """`rules`, found by the outline of an application."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        self.rules = rules
        self._by_key = dict[Kind, list[int]]()  # the numbers of rules, which are their order
        for number, rule in enumerate(rules):
            for key in _keys(rule):
                self._by_key.setdefault(key, []).append(number)
        self._by_root: Callable[..., list[tuple[AnyRule, Demands]]] = lru_cache(MOST_OUTLINES)(self._of_root)
        self._by_outline: Callable[..., list[AnyRule]] = lru_cache(MOST_OUTLINES)(self._of_outline)

    def candidates(self, node: Apply) -> list[AnyRule]:
        """The rules that may fire on `node`, in order."""
        return self._by_outline(*outline(node))

    def _of_outline(self, root: Op | type[Op], arity: int, operands: tuple[Kind, ...]) -> list[AnyRule]:
        return [rule for rule, demands in self._by_root(root) if _may_fit(rule, demands, arity, operands)]

    def _of_root(self, root: Op | type[Op]) -> list[tuple[AnyRule, Demands]]:
        ancestry = (root if isinstance(root, type) else type(root)).__mro__
        numbers = {n for key in (root, None, *ancestry) for n in self._by_key.get(key, ())}
        rules = [self.rules[n] for n in sorted(numbers)]
        return [(rule, _demands(rule)) for rule in rules if _may_concern(rule, root)]


@lru_cache(MOST_TABLES)
def rule_index(rules: tuple[AnyRule, ...]) -> RuleIndex:
    """The index of `rules`, kept for the next graph."""
    return RuleIndex(rules)


def _keys(rule: AnyRule) -> Sequence[Kind]:
    """The elementwise ops and the classes of others that `rule` may concern, with all that inherit; None: any op."""
    if isinstance(rule, NodeRule):
        return [wanted if isinstance(wanted, type) else _kind_of(wanted) for wanted in rule.on_ops] or [None]
    try:
        op = rule.pattern.op
    except Exception:
        return [None]
    return [op.kind if isinstance(op, OpWildcard) else _kind_of(op)]


def _may_concern(rule: AnyRule, root: Op | type[Op]) -> bool:
    """Whether `rule` may fire on applications of `root`; one whose pattern can't be traced says so when it is tried."""
    if isinstance(rule, NodeRule):
        return not rule.on_ops or any(_is_one_of(root, wanted) for wanted in rule.on_ops)
    try:
        return _fits(rule.pattern, root)
    except Exception:
        return True


def _is_one_of(kind: Kind, wanted: Op | type[Op] | type[Constant]) -> bool:
    if not isinstance(wanted, type):
        return kind is _kind_of(wanted)
    return issubclass(kind if isinstance(kind, type) else type(kind), wanted)


def _demands(rule: AnyRule) -> Demands:
    """What the patterns of `rule` demand; None if it has none, or none that can be traced."""
    if isinstance(rule, NodeRule):
        return None
    try:
        patterns = rule.patterns
    except Exception:
        return None
    return [
        (len(pattern.inputs), [(k, p) for k, p in enumerate(pattern.inputs[:MOST_OPERANDS]) if not _fits_all(p)])
        for pattern in patterns
    ]


def _fits_all(pattern: Pattern) -> bool:
    return isinstance(pattern, Wildcard) and not pattern.constant


def _may_fit(rule: AnyRule, demands: Demands, arity: int, operands: tuple[Kind, ...]) -> bool:
    """Whether `rule`, which concerns the op, may fire on operands of these kinds."""
    if isinstance(rule, NodeRule):
        some = arity > MOST_OPERANDS or any(_is_one_of(kind, wanted) for kind in operands for wanted in rule.of)
        return some or not rule.of
    if demands is None:
        return True
    for number, picky in demands:
        if number == arity and all([_fits(pattern, operands[k]) for k, pattern in picky]):
            return True
    return False


def _fits(pattern: Pattern, kind: Kind) -> bool:
    if isinstance(pattern, Call):
        op = pattern.op
        if isinstance(op, OpWildcard):
            return kind is op.kind or isinstance(kind, op.kind)
        return kind is (op if isinstance(op, Elementwise) else type(op))
    return kind is Constant or _fits_all(pattern)
