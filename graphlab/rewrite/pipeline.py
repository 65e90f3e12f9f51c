"""The passes in their order, and the modes that choose among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from graphlab.errors import GraphValueError, caller_origin
from graphlab.graph import events
from graphlab.graph.enclose import enclose
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import free_inputs, rebuild, replace_nodes, toposort
from graphlab.ops.base import Op
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.inline import inline
from graphlab.rewrite.loops import slim_loops
from graphlab.rewrite.merge import merge
from graphlab.rewrite.rule import DOMAIN, AnyRule
from graphlab.rewrite.rules.canonical import CANONICAL, FOLD
from graphlab.rewrite.rules.special import SPECIAL
from graphlab.rewrite.rules.stable import STABLE

# ---- passes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """A step of the pipeline: `name` says what is true afterwards; it applies `rules` or calls `function`.

    `inside`: it runs the whole pipeline on the graphs that operations hold. `quick`: whether the modes
    that hurry run it too.
    """

    name: str
    rules: tuple[AnyRule, ...] = ()
    function: Callable[[Graph, str], Graph] | None = None
    quick: bool = False
    inside: bool = False


PASSES = (
    Pass("calls are opened", function=inline, quick=True),
    Pass("equal nodes are one", function=merge, quick=True),
    Pass("branches hold what only they need", function=enclose, quick=True),
    Pass("graphs inside loops and branches are rewritten", inside=True, quick=True),
    Pass("constants are folded", FOLD, quick=True),
    Pass("forms are canonical", FOLD + CANONICAL),
    # Rules with a repeated wildcard, such as exp(x) / sum(exp(x)), ask for one and the same variable.
    Pass("equal forms are one", function=merge),
    Pass("values are stable", FOLD + STABLE + CANONICAL, quick=True),
    Pass("special forms are used", FOLD + SPECIAL + CANONICAL),
    Pass("equal results are one", function=merge),
    Pass("loops keep only what is read", function=slim_loops, quick=True),
)
RULES: tuple[AnyRule, ...] = FOLD + CANONICAL + STABLE + SPECIAL

# ---- modes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mode:
    """How a graph is rewritten and run.

    `passes`: "all", "quick" or "none"; `compiles`: whether it becomes C; `checks`: whether each call is
    checked against the interpreter; `fast_math` admits rules that change special values. `included` and
    `excluded` hold names and tags of rules; `rules` are the user's own, applied before the others.
    """

    name: str
    passes: str = "all"
    compiles: bool = True
    checks: bool = False
    fast_math: bool = False
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    rules: tuple[AnyRule, ...] = ()

    def including(self, *what: str | AnyRule) -> Mode:
        """This mode with more rules: by name or tag (a rule of class domain, say), or a rule of your own."""
        names = frozenset(w for w in what if isinstance(w, str))
        own = tuple(w for w in what if not isinstance(w, str))
        return replace(self, included=self.included | names, excluded=self.excluded - names, rules=self.rules + own)

    def excluding(self, *names: str) -> Mode:
        """This mode without the rules that have one of `names` as their name or tag."""
        return replace(self, excluded=self.excluded | frozenset(names), included=self.included - frozenset(names))

    def runs(self, step: Pass) -> bool:
        """Whether this mode runs the pass `step`."""
        return self.passes == "all" or (self.passes == "quick" and step.quick)

    def admits(self, rule: AnyRule) -> bool:
        """Whether this mode applies `rule`."""
        labels = {rule.name, *rule.tags}
        if labels & self.excluded:
            return False
        return bool(labels & self.included) or self.fast_math or rule.changes != DOMAIN


MODES = {
    "fast_run": Mode("fast_run"),
    "fast_compile": Mode("fast_compile", passes="quick", compiles=False),
    "interpret": Mode("interpret", passes="none", compiles=False),
    "debug": Mode("debug", checks=True),
}


def mode(name: str | Mode, fast_math: bool = False) -> Mode:
    """The mode called `name`, or `name` itself if it is a Mode; GraphValueError if there is none.

    >>> mode("fast_run").excluding("stable").excluded
    frozenset({'stable'})
    """
    if isinstance(name, Mode):
        return replace(name, fast_math=True) if fast_math else name
    if name not in MODES:
        raise GraphValueError(
            f"there is no mode {name!r}", origin=caller_origin(), hint=f"the modes are {', '.join(MODES)}"
        )
    return replace(MODES[name], fast_math=fast_math)


# ---- the pipeline --------------------------------------------------------------------------------


@overload
def optimize(graph: Graph, mode: str | Mode = ..., *, rules: Sequence[AnyRule] | None = ...) -> Graph: ...
@overload
def optimize(graph: Variable, mode: str | Mode = ..., *, rules: Sequence[AnyRule] | None = ...) -> Variable: ...
@overload
def optimize(
    graph: Sequence[Variable], mode: str | Mode = ..., *, rules: Sequence[AnyRule] | None = ...
) -> list[Variable]: ...


def optimize(
    graph: Graph | Variable | Sequence[Variable],
    mode: str | Mode = "fast_run",
    *,
    rules: Sequence[AnyRule] | None = None,
) -> Graph | Variable | list[Variable]:
    """`graph`, a Graph, a variable or several, rewritten as `mode` says, or by `rules` alone.

    What it computes is unchanged within the class of each rule applied; inputs stay the same variables.

    >>> import graphlab, graphlab.tensor as T
    >>> x = T.dvector("x")
    >>> graphlab.maths(optimize(T.log(1 + x)))
    'log1p(x)'
    """
    if isinstance(graph, Graph):
        return _optimized(graph, mode, rules)
    outputs = (graph,) if isinstance(graph, Variable) else tuple(graph)
    done = _optimized(Graph(tuple(free_inputs(outputs)), outputs), mode, rules).outputs
    return done[0] if isinstance(graph, Variable) else list(done)


def _optimized(graph: Graph, chosen: str | Mode, rules: Sequence[AnyRule] | None, told: bool = True) -> Graph:
    settings = mode(chosen)
    steps = PASSES if rules is None else (Pass("rules are applied", tuple(rules)),)
    work, doubles = _detached(graph)
    for step in steps:
        if settings.runs(step):
            work = _run(step, work, settings, told)
    return Graph(graph.inputs, tuple(rebuild(work.outputs, doubles))) if doubles else work


def _run(step: Pass, graph: Graph, settings: Mode, told: bool) -> Graph:
    """One pass, reported, if it is to be `told`, to whoever listens."""
    started = time.perf_counter()
    if step.function is not None:
        after = step.function(graph, step.name)
    elif step.inside:
        after = _with_inner(graph, settings)
    else:
        rules = tuple(r for r in settings.rules + step.rules if settings.admits(r))
        after = apply_rules(graph, rules, pass_name=step.name, strict=settings.checks)
    seconds = time.perf_counter() - started
    if told and events.listening():
        before_size, after_size = (len(toposort(g.outputs, g.inputs)) for g in (graph, after))
        events.emit(events.PassApplied(step.name, after, before_size, after_size, seconds))
    return after


def _with_inner(graph: Graph, settings: Mode) -> Graph:
    """`graph` with the graphs that its operations hold rewritten. Their rewrites are told, their passes are not."""
    done: dict[Op, Op] = {}

    def build(node: Apply, _: Apply) -> Sequence[Variable] | None:
        if not node.op.graphs or any(node.op is op for op in done.values()):
            return None
        if node.op not in done:
            done[node.op] = node.op.with_graphs([_optimized(g, settings, None, told=False) for g in node.op.graphs])
        made = Apply(done[node.op], node.inputs, [v.type for v in node.outputs], node.provenance)
        for old, new in zip(node.outputs, made.outputs, strict=True):
            new.name = old.name
        return made.outputs

    return replace_nodes(graph, build)


def _detached(graph: Graph) -> tuple[Graph, dict[Variable, Variable]]:
    """`graph` with a plain input for each input that something computes, which no rule may look behind.

    Also the way back: a map from those plain inputs to the original ones.
    """
    computed = [v for v in graph.inputs if v.owner is not None]
    if not computed:
        return graph, {}
    plain = {v: Variable(v.type, v.name) for v in computed}
    inputs = tuple(plain.get(v, v) for v in graph.inputs)
    outputs = tuple(rebuild(graph.outputs, plain))
    return Graph(inputs, outputs), {p: v for v, p in plain.items()}
