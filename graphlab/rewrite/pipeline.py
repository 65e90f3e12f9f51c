"""The passes in their order, and the modes that choose among them."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph import events
from graphlab.graph.collector import uncollected
from graphlab.graph.enclose import enclose
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import free_inputs, rebuild, replace_inner
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.factors import share_factors
from graphlab.rewrite.inline import inline
from graphlab.rewrite.loops import LOOPS, join_loops, slim_loops
from graphlab.rewrite.merge import merge
from graphlab.rewrite.rule import DOMAIN, AnyRule, NodeRule, Rule
from graphlab.rewrite.rules import CANONICAL, FOLD, PAYING, RULES, SPECIAL, STABLE

# ---- passes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """A step of the pipeline: `name` says what is true afterwards; it applies `rules` or calls `function`.

    `inside`: it runs the whole pipeline on the graphs that operations hold. `quick`: whether the modes
    that hurry run it too. `paying`: its rules fire only where fewer operations are left. `after`: for a pass
    of your own, the name of the one that it follows; it is the last one if none is named.
    """

    name: str
    rules: tuple[AnyRule, ...] = ()
    function: Callable[[Graph, str], Graph] | None = None
    quick: bool = False
    inside: bool = False
    paying: bool = False
    after: str = ""


PASSES = (
    Pass("calls are opened", function=inline, quick=True),
    Pass("equal nodes are one", function=merge, quick=True),
    Pass("branches hold what only they need", function=enclose, quick=True),
    Pass("graphs inside loops and branches are rewritten", inside=True, quick=True),
    Pass("constants are folded", FOLD, quick=True),
    Pass("forms are canonical", FOLD + CANONICAL),
    # Rules with a repeated wildcard, such as exp(x) / sum(exp(x)), ask for one and the same variable.
    Pass("equal forms are one", function=merge),
    Pass("loops of the same turns are one", function=join_loops),
    Pass("loops make only what is read", function=slim_loops),
    Pass("turns compute only what needs them", LOOPS),
    Pass("values are stable", FOLD + STABLE + CANONICAL, quick=True),
    Pass("nothing dear is computed that need not be", PAYING, paying=True),
    Pass("special forms are used", FOLD + SPECIAL + CANONICAL),
    Pass("factors are shared", function=share_factors),
    Pass("equal results are one", function=merge),
    Pass("loops keep only what is read", function=slim_loops, quick=True),
)

# ---- modes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mode:
    """How a graph is rewritten and run.

    `passes`: "all", "quick" or "none"; `compiles`: whether it becomes C; `checks`: whether each call is
    checked against the interpreter; `fast_math` admits rules that change special values; `nan_policy`: whether a
    result with a NaN is an error ("raise") or a result ("ignore"). `included` and
    `excluded` hold names and tags of rules, and names of passes; `rules` are the user's own, applied before
    the others, and `own_passes` run where they say.
    """

    name: str
    passes: str = "all"
    compiles: bool = True
    checks: bool = False
    fast_math: bool = False
    nan_policy: str = "ignore"
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    rules: tuple[AnyRule, ...] = ()
    own_passes: tuple[Pass, ...] = ()

    @user_boundary
    def including(self, *what: str | AnyRule | Pass) -> Mode:
        """This mode with more rules: by name or tag (a rule of class domain, say), or a rule or pass of your own.

        What is given as itself is applied whatever its class. GraphValueError: no rule, tag or pass has that name.

        >>> import graphlab.tensor as T
        >>> rule = Rule("sin(x) -> tan(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.tan(x))
        >>> optimize(T.sin(T.dscalar("x")), mode("fast_run").including(rule))
        <tan(x): float64>
        """
        names = frozenset(w for w in what if isinstance(w, str))
        rules = tuple(w for w in what if isinstance(w, Rule | NodeRule))
        passes = tuple(w for w in what if isinstance(w, Pass))
        self._known(*names, *(p.after for p in passes if p.after))
        names |= {rule.name for rule in (*rules, *(rule for p in passes for rule in p.rules))}
        return replace(
            self, included=self.included | names, excluded=self.excluded - names,
            rules=self.rules + rules, own_passes=self.own_passes + passes,
        )  # fmt: skip

    @user_boundary
    def excluding(self, *names: str) -> Mode:
        """This mode without the rules that have one of `names` as their name or tag, and the passes called so.

        GraphValueError: no rule, tag or pass has that name.
        """
        self._known(*names)
        return replace(self, excluded=self.excluded | frozenset(names), included=self.included - frozenset(names))

    @property
    def steps(self) -> tuple[Pass, ...]:
        """The passes in their order, with the user's own where they ask to be."""
        steps = list(PASSES)
        for own in self.own_passes:
            at = next((i for i, step in enumerate(steps, 1) if step.name == own.after), len(steps))
            steps.insert(at, own)
        return tuple(steps)

    def applied_rules(self, step: Pass) -> tuple[AnyRule, ...]:
        """The rules that `step` applies, in the order in which they are tried."""
        return tuple(rule for rule in self.rules + step.rules if self.admits(rule))

    def _known(self, *names: str) -> None:
        rules = (*RULES, *LOOPS, *self.rules, *(rule for step in self.own_passes for rule in step.rules))
        labels = {label for rule in rules for label in (rule.name, *rule.tags)} | {step.name for step in self.steps}
        for name in names:
            if name not in labels:
                near = difflib.get_close_matches(name, labels, 3) or sorted({tag for r in rules for tag in r.tags})
                raise GraphValueError(f"no rule, tag or pass is called {name!r}", origin=caller_origin(),
                                      hint=f"near it: {', '.join(near)}; all are in docs/rules.md")  # fmt: skip

    def runs(self, step: Pass) -> bool:
        """Whether this mode runs the pass `step`."""
        return step.name not in self.excluded and (self.passes == "all" or (self.passes == "quick" and step.quick))

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


@uncollected
def _optimized(graph: Graph, chosen: str | Mode, rules: Sequence[AnyRule] | None, depth: int = 0) -> Graph:
    settings = mode(chosen)
    steps = settings.steps
    if rules is not None:
        steps = (Pass("rules are applied", tuple(rules), quick=True),)
        settings = replace(settings, included=settings.included | {rule.name for rule in rules})
    work, doubles = _detached(graph)
    if events.listening():
        events.emit(events.Rewriting(graph, work, depth))
    for step in steps:
        if settings.runs(step):
            work = _run(step, work, settings, depth)
    return Graph(graph.inputs, tuple(rebuild(work.outputs, doubles))) if doubles else work


def _run(step: Pass, graph: Graph, settings: Mode, depth: int) -> Graph:
    """One pass, reported to whoever listens."""
    started = time.perf_counter()
    if step.function is not None:
        after = step.function(graph, step.name)
    elif step.inside:
        after = replace_inner(graph, lambda inner: _optimized(inner, settings, None, depth + 1))
    else:
        rules = settings.applied_rules(step)
        after = apply_rules(graph, rules, pass_name=step.name, strict=settings.checks, paying=step.paying)
    if events.listening():
        events.emit(events.PassApplied(step.name, graph, after, time.perf_counter() - started, depth))
    return after


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
