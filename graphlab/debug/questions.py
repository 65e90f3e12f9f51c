"""Questions to a compiled function: why is this node there, why did that rule not fire, why are these not fused."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlab.callable import Function
from graphlab.errors import GraphTypeError, GraphValueError, Origin, caller_origin, user_boundary
from graphlab.graph.events import RewriteApplied
from graphlab.graph.node import Apply, Variable
from graphlab.graph.text import described, inner_graphs
from graphlab.graph.walk import ancestors, toposort
from graphlab.lower.assume import relied_on
from graphlab.lower.expand import lowerings
from graphlab.lower.fuse import Unit, fuse
from graphlab.rewrite.merge import RULE as MERGED
from graphlab.rewrite.pipeline import Mode, Pass
from graphlab.rewrite.refusal import refusal
from graphlab.rewrite.replay import History, Stage, histories
from graphlab.rewrite.rule import DOMAIN, AnyRule
from graphlab.rewrite.rules import RULES

Numbered = tuple[int, RewriteApplied]

# ---- why -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Why:
    """How a variable came about: the user's `lines`, the `rewrites` with their numbers, what it is `now` (None: gone).

    `step` is what computes it in the program, and `reason` why that is one step.
    """

    variable: Variable
    now: Variable | None
    lines: tuple[Origin, ...]
    rewrites: tuple[Numbered, ...]
    step: str = ""
    reason: str = ""

    def __str__(self) -> str:
        lines = [described(self.variable)]
        lines += [f"  written at {o.label}{f': {o.text}' if o.text else ''}" for o in self.lines]
        for number, r in self.rewrites:
            lines.append(f"  rewrite {number}: {r.rule}  [{r.changes}, {r.source}]  in the pass {r.pass_name!r}")
            lines.append(f"    {described(r.before)} -> {described(r.after)}")
        if self.now is None:
            lines.append("  nothing needs it any more")
        elif self.now is not self.variable:
            lines.append(f"  now {described(self.now)}")
        if self.step:
            lines.append(f"  computed by {self.step}{f': {self.reason}' if self.reason else ''}")
        return "\n".join(lines)

    __repr__ = __str__


@user_boundary
def why(f: Function, what: Variable | Apply) -> Why:
    """How `what` came about: from the user's lines through each rewrite down to the kernel that computes it.

    `what` is a variable or application as written, or of the optimised graph, or of any of `f.trace`; of one as
    written it is told what became of it. GraphValueError: it is no part of `f`.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> y = T.log(1 + T.exp(x))
    >>> f = graphlab.function([x], 2 * y)
    >>> [rewrite.rule for _, rewrite in f.why(y).rewrites]
    ['log(1 + exp(x)) -> softplus(x)']
    """
    variable = _variable(what, "why")
    history = histories(f.trace.events)
    _belongs(f, variable, history)
    return came_about(f, variable, history, set(ancestors(roots(f))))


def came_about(f: Function, variable: Variable, history: History | None, there: set[Variable]) -> Why:
    """`why` for one of many variables: `history` is that of `f`, `there` is all that its `roots` are made of."""
    now, forward = followed(variable, history, there)
    last = variable if now is None else now
    chain = {**dict(forward), **dict(_origin_chain(last, history))}
    step, reason = _step(f, now) if now is not None else ("", "")
    lines = last.owner.provenance.origins if last.owner is not None else ()
    own = (variable.origin,) if variable.origin else ()
    return Why(variable, now, tuple(dict.fromkeys((*own, *lines))), tuple(sorted(chain.items())), step, reason)


def _variable(what: Variable | Apply, who: str) -> Variable:
    if isinstance(what, Apply):
        return what.outputs[0]
    if isinstance(what, Variable):
        return what
    raise GraphTypeError(f"{who} is asked of a variable or an application, got {type(what).__name__}",
                         origin=caller_origin(), hint="f.why(y), or f.why(f.optimized.outputs[0])")  # fmt: skip


def roots(f: Function) -> list[Variable]:
    """What the optimised graph, the program, its kernels and the graphs inside of operations compute in the end."""
    lowered = () if f.lowered is None else f.lowered.graph.outputs
    inside = [v for k in f.kernels for v in k.outputs]  # of loops and branches too
    held = [v for _, _, graph in inner_graphs(f.optimized.outputs) for v in graph.outputs]
    return [*f.optimized.outputs, *lowered, *inside, *held]


def _belongs(f: Function, variable: Variable, history: History | None) -> None:
    """GraphValueError if `f` has never seen `variable`."""
    seen = [*f.graph.outputs, *f.graph.inputs, *roots(f)]
    if variable in set(ancestors(seen)):
        return
    rest = [v for e in f.trace.rewrites for v in (e.before, e.after)]
    rest += [v for stage in _stages(history) for graph in (stage.before, stage.after) for v in graph.outputs]
    if variable not in set(ancestors(rest)):
        raise GraphValueError(
            f"{described(variable)} is no part of {f.name}",
            origin=caller_origin(),
            hint="take a variable that its outputs were made of, or one of f.optimized or f.trace.at(k)",
        )


def _stages(history: History | None) -> Iterator[Stage]:
    """All stages, those inside of operations before the pass that they belong to."""
    for stage in history.stages if history is not None else ():
        for inner in stage.inner:
            yield from _stages(inner)
        yield stage


def followed(
    variable: Variable, history: History | None, there: set[Variable]
) -> tuple[Variable | None, list[Numbered]]:
    """What became of `variable` in the end, the rewrites of it, and if it is gone of what took it up."""
    if variable in there or history is None:
        return variable, []
    told: list[Numbered] = []
    last = variable
    forms = dict(history.follow(variable))
    for stage in history.stages:
        own = list(_own(stage, last))
        told += own
        if stage not in forms:
            last = dict(own[-1][1].exchanged).get(last, own[-1][1].after) if own else last
            return None, told + [
                (stage.first + i, e) for i, e in enumerate(stage.rewrites)
                if last.owner in e.matched and e.before is not last
            ]  # fmt: skip
        last = forms[stage]
    return last, told


def _own(stage: Stage, variable: Variable) -> Iterator[Numbered]:
    """The rewrites of `stage` that put something in the place of `variable`, and of that, and so on."""
    exchange = {old: (stage.first + i, e, new) for i, e in enumerate(stage.rewrites) for old, new in e.exchanged}
    seen: set[Variable] = set()
    while variable in exchange and variable not in seen:
        seen.add(variable)
        number, event, variable = exchange[variable]
        yield number, event


def _origin_chain(variable: Variable, history: History | None) -> Iterator[Numbered]:
    """The rewrites behind `variable`: of what stood in its place before, and before that."""
    events = [(stage.first + i, e) for stage in _stages(history) for i, e in enumerate(stage.rewrites)]
    made_of = {e.before.owner: (number, e) for number, e in events}
    merged: dict[int, list[Numbered]] = {}
    for number, e in events:
        if e.rule == MERGED and e.after.owner is not None:
            merged.setdefault(id(e.after.owner.provenance), []).append((number, e))
    node = variable.owner
    while node is not None:
        yield from merged.get(id(node.provenance), ())
        node = node.provenance.replaced
        if node in made_of:
            yield made_of[node]


def _step(f: Function, variable: Variable) -> tuple[str, str]:
    """What computes `variable` in the program, and why that is one step."""
    nodes = _lowered(f, variable)
    if variable.owner is None:
        return "", ""
    if f.lowered is None:
        return "NumPy, node by node", ""
    for kernel in f.kernels:
        if any(n in kernel.nodes for n in nodes):
            return kernel.name, kernel.reason
    for step in f.lowered.program.steps:
        if any(f.lowered.nodes[k] in nodes for k in step.nodes):
            return step.name, "it is called by itself"
    return "no step of its own", "what it reads is used as it is"


def _lowered(f: Function, variable: Variable) -> set[Apply]:
    """The applications of the lowered graph that compute `variable`."""
    if f.lowered is None or variable.owner is None:
        return set()
    found = {n for n in f.lowered.nodes if n is variable.owner}
    return found or {n for n in f.lowered.nodes if made_of(n, variable.owner)}


def made_of(node: Apply, source: Apply) -> bool:
    """Whether lowering made `node` of `source`: the same on other inputs, or a part of what it expands to."""
    step: Apply | None = node
    while step is not None:
        if step is source or (step.provenance is source.provenance and type(step.op) is type(source.op)):
            return True
        step = step.provenance.replaced if (step.provenance.rule or "").startswith("lower ") else None
    return False


# ---- why not -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class WhyNot:
    """Why a rule did not fire: `kind` is what said no, `reason` says it in a sentence.

    Kinds: "fired" (it did), "op", "pattern", "dtypes", "guard", "result", "declined" (of the rule), "mode",
    "domain" (of the mode), "taken" (another rule was there first), "work" (it would save none),
    "late" (its pass came at another time).
    """

    rule: AnyRule
    variable: Variable
    kind: str
    reason: str

    def __str__(self) -> str:
        verb = "fired" if self.kind == "fired" else "did not fire"
        return f"{self.rule.name}  ({self.rule.source}) {verb} on {described(self.variable)}:\n  {self.reason}"

    __repr__ = __str__


@user_boundary
def why_not(f: Function, rule: str | AnyRule, what: Variable | Apply) -> WhyNot:
    """Why `rule`, or the rule of that name, did not fire on `what`: the guard that said no, or where it departs.

    GraphValueError: there is no rule of that name.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> y = x - x
    >>> print(graphlab.function([x], y).why_not("x - x -> 0", y).reason)
    it is of class domain (inf - inf is nan), and fast_math is off
    """
    chosen = _rule(rule, f.mode) if isinstance(rule, str) else rule
    variable = _variable(what, "why_not")
    history = histories(f.trace.events)
    _belongs(f, variable, history)
    forms = _forms(variable, history)
    for number, e in ((s.first + i, e) for s in _stages(history) for i, e in enumerate(s.rewrites)):
        if e.rule == chosen.name and (e.before in forms or any(old in forms for old, _ in e.exchanged)):
            return WhyNot(chosen, variable, "fired", f"it is rewrite {number}, in the pass {e.pass_name!r}")
    tried = [(form.owner, refusal(chosen, form.owner)) for form in forms if form.owner is not None]
    fits = [node for node, said in tried if said is None]
    if tried and not fits:
        furthest = max((said for _, said in tried if said is not None), key=lambda r: r.distance)
        return WhyNot(chosen, variable, furthest.kind, furthest.reason)
    if not tried:
        return WhyNot(chosen, variable, "op", f"{described(variable)} is not computed by anything")
    return WhyNot(chosen, variable, *_outside(f.mode, chosen, fits, history))


def _rule(name: str, mode: Mode) -> AnyRule:
    rules = {r.name: r for r in (*RULES, *mode.rules, *(r for step in mode.own_passes for r in step.rules))}
    if name not in rules:
        near = difflib.get_close_matches(name, rules, 3, 0.4)
        hint = f"near it: {'; '.join(near)}" if near else "docs/rules.md lists them all"
        raise GraphValueError(f"there is no rule {name!r}", origin=caller_origin(), hint=hint)
    return rules[name]


def _forms(variable: Variable, history: History | None) -> list[Variable]:
    """`variable`, and what it was in each pass when rules looked at it."""
    forms = [variable]
    if history is not None:
        for stage, form in history.follow(variable):
            forms += [e.before for _, e in _own(stage, forms[-1])]
            forms.append(form)
    return list(dict.fromkeys(forms))


def _outside(mode: Mode, rule: AnyRule, fits: Sequence[Apply], history: History | None) -> tuple[str, str]:
    """Why a rule that fits did not fire."""
    if labels := {rule.name, *rule.tags} & mode.excluded:
        return "mode", f"the mode {mode.name!r} excludes {', '.join(map(repr, sorted(labels)))}"
    if not mode.admits(rule):
        because = f" ({rule.because})" if rule.because else ""
        return DOMAIN, f"it is of class domain{because}, and fast_math is off"
    steps = [step for step in mode.steps if rule in step.rules or (step.rules and rule in mode.rules)]
    if not any(map(mode.runs, steps)):
        return "mode", f"the mode {mode.name!r} does not run {_passes(steps)}, which it belongs to"
    for e in (e for stage in _stages(history) for e in stage.rewrites):
        if e.before.owner in fits:
            return "taken", f"the rule {e.rule!r} of the pass {e.pass_name!r} was there first"
    if steps and all(step.paying for step in steps):
        return "work", f"{_passes(steps)} found no less work in it: something else may need what it replaces"
    return "late", f"it fits, but not while {_passes(steps)} ran"


def _passes(steps: Sequence[Pass]) -> str:
    return "the pass " + " or ".join(repr(step.name) for step in steps) if steps else "any pass with it"


# ---- why not fused -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class WhyNotFused:
    """Why two values are computed by two steps; `fused` if they are not."""

    a: Variable
    b: Variable
    fused: bool
    reason: str

    def __str__(self) -> str:
        verb = "share a kernel" if self.fused else "are apart"
        return f"{described(self.a)} and {described(self.b)} {verb}:\n  {self.reason}"

    __repr__ = __str__


@user_boundary
def why_not_fused(f: Function, a: Variable | Apply, b: Variable | Apply) -> WhyNotFused:
    """Why `a` and `b` are not computed in one kernel: what fusion said where the way between them is cut.

    GraphValueError: one of them is no part of `f`.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dmatrix("x")
    >>> total = x.sum()
    >>> y = x / total
    >>> print(graphlab.function([x], y).why_not_fused(total, y).reason)
    sum: all elements are needed before the first is used
    """
    first, second = _variable(a, "why_not_fused"), _variable(b, "why_not_fused")
    history, there = histories(f.trace.events), set(ancestors(roots(f)))
    nodes = []
    for v in (first, second):
        _belongs(f, v, history)
        now, _ = followed(v, history, there)
        if now is None:
            return WhyNotFused(first, second, False, f"nothing needs {described(v)} any more; see f.why")
        nodes.append(_lowered(f, now))
    return WhyNotFused(first, second, *_apart(f, *nodes))


def _apart(f: Function, first: set[Apply], second: set[Apply]) -> tuple[bool, str]:
    if f.lowered is None:
        return False, "NumPy runs this function, node by node"
    if not first or not second:
        return False, "one of them is given, not computed"
    for kernel in f.kernels:
        if first & set(kernel.nodes) and second & set(kernel.nodes):
            return True, kernel.reason
    graph = f.lowered.graph
    order = toposort(graph.outputs, graph.inputs)
    units = fuse(graph, order, lowerings(order), relied_on(f.lowered.assumed))
    for source, target in ((first, second), (second, first)):
        if cut := _cut(units, source, target):
            return False, "; ".join(cut)
    if any(not nodes & set(order) for nodes in (first, second)):
        return False, "one of them is inside a loop or a branch, which has kernels of its own"
    return False, "neither needs the other: only what reads from one another, or what one kernel reads, is joined"


def _cut(units: Sequence[Unit], source: set[Apply], target: set[Apply]) -> list[str]:
    """What fusion said of the arrays through which `source` reaches `target`, the last first."""
    maker = {node: unit for unit in units for node in unit.nodes}
    start = next((maker[n] for n in source if n in maker), None)
    goal = next((maker[n] for n in target if n in maker), None)
    if start is None or goal is None:
        return []
    found: dict[Unit, list[str]] = {goal: []}
    pending = [goal]
    while pending:
        unit = pending.pop(0)
        if unit is start:
            return found[unit]
        for v in unit.inputs:
            owner = v.owner
            if owner is None or owner not in maker or maker[owner] in found:
                continue
            said = dict(unit.apart).get(v) or f"{unit.nodes[0].op.name} needs it as an array"
            found[maker[owner]] = [*found[unit], f"{owner.op.name}: {said}"]
            pending.append(maker[owner])
    return []


def install() -> None:
    """Give the questions to functions as methods: called once, by the package."""
    Function.why, Function.why_not, Function.why_not_fused = why, why_not, why_not_fused
