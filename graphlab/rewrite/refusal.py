"""Why a rule does not fire on an application: where its pattern departs, or which of its conditions says no."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphlab.graph.node import Apply, Constant, Variable, provenance
from graphlab.graph.text import described, number_text
from graphlab.rewrite.facts import facts, may_drop
from graphlab.rewrite.rule import AnyRule, Call, Literal, Match, NodeRule, OpWildcard, Pattern, Rule, Wildcard

# How far a rule got before something said no; of several forms of a node the furthest tells most.
OP, PATTERN, DTYPES, GUARD, RESULT, DECLINED = "op", "pattern", "dtypes", "guard", "result", "declined"
ORDER = (OP, PATTERN, DTYPES, GUARD, RESULT, DECLINED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What said no: `kind` is one of ORDER, `reason` a sentence, `matched` how many applications fitted before."""

    kind: str
    reason: str
    matched: int = 0

    @property
    def distance(self) -> tuple[int, int]:
        """How far the rule got."""
        return ORDER.index(self.kind), self.matched


def refusal(rule: AnyRule, node: Apply) -> Refusal | None:
    """Why `rule` does not fire on `node`; None if it does.

    >>> import graphlab.tensor as T
    >>> rule = Rule("log(1 + x) -> log1p(x)", "rounding", find=lambda x: T.log(1 + x), make=lambda x: T.log1p(x))
    >>> x = T.dscalar("x")
    >>> refusal(rule, T.log(2 + x).owner).reason
    'where the pattern has 1, there is <2: float64>'
    """
    with provenance(node.provenance):
        return _of_function(rule, node) if isinstance(rule, NodeRule) else _of_pattern(rule, node)


def _of_function(rule: NodeRule, node: Apply) -> Refusal | None:
    where = f"{rule.rewrite.__name__} ({rule.source})"
    if not rule.concerns(node.op):
        kinds = " or ".join(kind.__name__ if isinstance(kind, type) else kind.name for kind in rule.on_ops)
        return Refusal(OP, f"it is for applications of {kinds}; this is {node.op.name}")
    if rule.build(Match(nodes=[node])) is not None:
        return None
    if rule.rewrite(node) is None:
        return Refusal(DECLINED, f"its function {where} finds nothing to do here", 1)
    return Refusal(RESULT, f"what its function {where} makes has another dtype, rank or shape", 1)


def _of_pattern(rule: Rule, node: Apply) -> Refusal | None:
    departures = []
    for pattern in rule.patterns:
        found = Match()
        departed = _departs(pattern, node.outputs[0], found)
        if departed is None:
            departed = _conditions(rule, found)
            if departed is None:
                return None
        departures.append(departed)
    return max(departures, key=lambda r: r.distance)


# ---- the pattern ---------------------------------------------------------------------------------


def _departs(pattern: Pattern, variable: Variable, found: Match) -> Refusal | None:
    """The first place where `variable` is not what `pattern` says."""
    fits = False
    match pattern:
        case Call():
            return _call_departs(pattern, variable, found)
        case Literal():
            fits = pattern.matches(variable)
        case Wildcard(name, constant):
            if constant and not isinstance(variable, Constant):
                return Refusal(PATTERN, f"{name} stands for a constant, there is {described(variable)}",
                               len(found.nodes))  # fmt: skip
            bound = found.bound.setdefault(name, variable)
            fits = bound is variable or _equal_constants(bound, variable)
            if not fits:
                both = f"{described(bound)} and {described(variable)}"
                return Refusal(PATTERN, f"{name} stands for one value wherever it occurs, there are {both}",
                               len(found.nodes))  # fmt: skip
    said = f"where the pattern has {pattern_text(pattern)}, there is {described(variable)}"
    return None if fits else Refusal(PATTERN, said, len(found.nodes))


def _call_departs(pattern: Call, variable: Variable, found: Match) -> Refusal | None:
    node = variable.owner
    fits = node is not None and len(node.inputs) == len(pattern.inputs)
    if fits and isinstance(pattern.op, OpWildcard):
        fits = type(node.op) is pattern.op.kind and found.bound.setdefault(pattern.op.label, node.op) == node.op  # type: ignore[union-attr]
    elif fits:
        fits = node.op == pattern.op  # type: ignore[union-attr]
    if not fits or node is None:
        said = f"where the pattern has {pattern_text(pattern)}, there is {described(variable)}"
        return Refusal(PATTERN if found.nodes else OP, said, len(found.nodes))
    found.nodes.append(node)
    for wanted, v in zip(pattern.inputs, node.inputs, strict=True):
        departed = _departs(wanted, v, found)
        if departed is not None:
            return departed
    return None


def _equal_constants(a: Variable, b: Variable) -> bool:
    return isinstance(a, Constant) and isinstance(b, Constant) and a.type == b.type and a.key == b.key


def pattern_text(pattern: Pattern) -> str:
    """A pattern as calls: `log(add(1, x))`."""
    match pattern:
        case Call(op, inputs):
            return f"{op.name}({', '.join(map(pattern_text, inputs))})"
        case Literal(value):
            return number_text(value)
        case Wildcard(name):
            return name


# ---- the conditions ------------------------------------------------------------------------------


def _conditions(rule: Rule, found: Match) -> Refusal | None:
    """Which condition does not hold of a match; None if the rule fires."""
    matched = len(found.nodes)
    bound = {n: found.bound[n] for n in rule.wildcards}
    if said := _dtypes(rule, bound, found):
        return Refusal(DTYPES, said, matched)
    if rule.when is not None and not rule.when(**_taken(rule.when, found.bound)):
        values = ", ".join(f"{n} = {_shown(v)}" for n, v in _taken(rule.when, found.bound).items())
        return Refusal(GUARD, f"the guard {written(rule.when)} says no of {values}", matched)
    old, new = found.nodes[0].output, rule.make(**_taken(rule.make, found.bound))
    if new.dtype != old.dtype:
        return Refusal(RESULT, f"what it makes is {new.type}, and here {old.type} is needed", matched)
    if facts(new).extents != facts(old).extents:
        return Refusal(RESULT, f"{described(new)} may have another shape than {described(old)}", matched)
    operands = [v for v in found.bound.values() if isinstance(v, Variable)]
    lost = next((v for v in operands if facts(v).may_fail and v is not new and not may_drop(v, new)), None)
    if lost is not None:
        return Refusal(RESULT, f"{described(lost)} may raise an error, which would vanish with it", matched)
    return None


def _dtypes(rule: Rule, bound: Mapping[str, Variable], found: Match) -> str | None:
    if isinstance(rule.on, Mapping):
        wrong = [n for n, v in bound.items() if v.dtype not in rule.on[n]]
        if not wrong:
            return None
        (n, *_) = wrong
        return f"{n} may be {', '.join(rule.on[n])}; here it is {bound[n].dtype}"
    kinds = {v.dtype for v in (*bound.values(), *(out for node in found.nodes for out in node.outputs))}
    if kinds <= set(rule.on) and len(kinds) == 1:
        return None
    return f"it holds where all is of one dtype out of {', '.join(rule.on)}; here there is {', '.join(sorted(kinds))}"


def _taken(function: Callable[..., Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    return {n: bound[n] for n in function.__code__.co_varnames[: function.__code__.co_argcount]}


def _shown(value: Any) -> str:
    return described(value) if isinstance(value, Variable) else str(value)


def written(function: Callable[..., Any]) -> str:
    """A guard by its name, or as the line that it is written in, and where."""
    code = function.__code__
    text = linecache.getline(code.co_filename, code.co_firstlineno).strip().rstrip(",")
    _, marked, rest = text.partition("when=")
    name = function.__name__ if function.__name__ != "<lambda>" else f"`{rest if marked else text}`"
    return f"{name} ({code.co_filename.rpartition('/')[2]}:{code.co_firstlineno})"
