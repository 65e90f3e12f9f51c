"""Random functions with all that a session must follow: loops, choices, draws, updates and symbolic functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import graphlab
import graphlab.tensor as T
from graphlab.debug.levels import largest
from graphlab.debug.session import Session
from graphlab.graph.node import Apply, Constant, Shared, Variable
from graphlab.interpret import run_node
from tests.random_graphs import RandomProgram, random_programs

Array = np.ndarray[Any, Any]


@dataclass
class RandomFunction:
    """A function's parts: `outputs` and `updates` over `inputs`, arguments for it, and which `kinds` were mixed in."""

    inputs: list[Variable]
    values: list[Array]
    outputs: list[Variable]
    updates: dict[Shared, Variable] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()

    def compiled(self, mode: str = "fast_run") -> graphlab.Function:
        """The function."""
        return graphlab.function(self.inputs, self.outputs, updates=self.updates, on_unused_input="ignore", mode=mode)


KINDS = ("scan", "reduce", "while", "ifelse", "random", "update", "symbolic", "gradient")


@st.composite
def random_functions(draw: st.DrawFn, longest: int = 6) -> RandomFunction:
    """A random program, with loops and choices over some of its values, draws, updates, calls and a gradient."""
    program: RandomProgram = draw(random_programs(longest=longest))
    kinds = tuple(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True)))
    outputs = program.graph()
    made = RandomFunction(list(program.inputs), list(program.values), outputs, kinds=kinds)
    for kind in kinds:
        v = _number(outputs[draw(st.integers(0, len(outputs) - 1))])
        outputs.append(_mixed(made, kind, v, draw(st.integers(1, 5))))
    return made


def _number(v: Variable) -> Variable:
    """Something of `v` that stays in bounds however often a loop goes over it."""
    return T.tanh(v.astype("float64"))


@graphlab.symbolic
def bent(x: Any, by: Any) -> Any:
    """A symbolic function."""
    return T.sin(x * by) + by


def _mixed(made: RandomFunction, kind: str, v: Variable, n: int) -> Variable:
    sequence = T.arange(float(n + 1)) / n
    match kind:
        case "scan":
            hs, _ = graphlab.scan(lambda s, h: T.tanh(h * s + v).sum() * 0.1 + h, sequence, T.zeros_like(v))
            return hs
        case "reduce":
            return graphlab.reduce(lambda s, h: T.cos(h) + s, sequence, v.sum())[0]
        case "while":
            return graphlab.while_loop(lambda a: a < 3, lambda a: a * 1.5 + 0.5, abs(v.sum()) + 0.1)
        case "ifelse":
            return graphlab.ifelse(v.sum() > 0.1 * n, T.exp(v).sum(), T.where(v > 0, v, -v).sum())
        case "random":
            stream = graphlab.RandomStream(n)
            return v + stream.uniform() * stream.normal()
        case "update":
            count = graphlab.shared(np.linspace(-1, 1, n), "count")
            made.updates[count] = count * 0.5 + v.sum()
            return count * v.sum()
        case "symbolic":
            return bent(v, n) + bent(v * 2, 1.0)
        case "gradient":
            floats = [x for x in made.inputs if x.dtype == "float64"]
            if not floats:
                return v
            g = T.grad((v * v).sum(), floats[0], disconnected_inputs="ignore")
            return T.tanh(g)
    raise AssertionError(kind)


# ---- what must hold ------------------------------------------------------------------------------


def check(made: RandomFunction, seed: int = 0, mode: str = "fast_run", budget: int | None = None) -> Session:
    """At every step each value is the interpreter's, in any order of moves; the outputs are those of the plain call."""
    f = made.compiled(mode)
    before = {s: s.get_value() for s in f.updated}
    s = Session(f, made.values, **({} if budget is None else {"budget": budget}))
    seen = _forward(s)
    _wander(s, seen, np.random.default_rng(seed))
    outputs = s.finish().outputs
    assert all(np.array_equal(a, b.get_value()) for b, a in before.items()), "the session changed a shared variable"
    plain = f(*made.values)
    same = all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(outputs, plain, strict=True))
    assert same or s.findings, "the outputs differ from the plain call, and nothing says so"
    assert not s.findings, s.findings
    return s


def _forward(s: Session) -> dict[Variable, Array]:
    """Step by step: what every step has made is what NumPy makes of the same operands."""
    seen: dict[Variable, Array] = {}
    for step in s.steps:
        assert s.here is not None
        assert s.here.index == step.index
        s.step()
        known = {v: s.value(v) for v in step.inputs if not isinstance(v, Constant) and s.known(v)}
        if step.kind != "host":
            _check_step(s, step.nodes, known)
        for node in step.nodes:
            seen.update((v, s.value(v)) for v in node.outputs if s.known(v))
        seen.update((v, s.value(v)) for v in step.outputs)
    assert s.here is None
    return seen


def _check_step(s: Session, nodes: tuple[Apply, ...], known: dict[Variable, Array]) -> None:
    single = any(v.dtype in ("float32", "complex64", "float16") for n in nodes for v in (*n.inputs, *n.outputs))
    for node in nodes:
        run_node(node, known)
        passing = largest(known.values())  # where it cancels, what is left is what was rounded
        for v in node.outputs:
            got, want = s.value(v), known[v]
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            slack = (1e-5 if single else 1e-10) * (largest([want]) + 1e-4 * passing)
            np.testing.assert_allclose(got, want, rtol=1e-4 if single else 1e-9, atol=slack)
            known[v] = got


def _wander(s: Session, seen: dict[Variable, Array], rng: np.random.Generator) -> None:
    """Go anywhere: what is known there has the same bits as before, and the rest is not known."""
    n = len(s.steps)
    for position in [*rng.integers(0, n + 1, 4), n]:
        s.goto(int(position))
        if position:
            s.back().step()
        for step in s.steps:
            for v in step.outputs:
                assert s.known(v) == (s.level.born(v) < position), v
        chosen = [v for v in seen if s.known(v)]
        for v in chosen if len(chosen) < 30 else [chosen[int(k)] for k in rng.integers(0, len(chosen), 30)]:
            got = s.value(v)
            assert got.dtype == seen[v].dtype
            assert got.tobytes() == seen[v].tobytes(), v


def look_inside(s: Session) -> int:
    """Enter everything that opens, however deep, and run it to its end; how many levels were opened."""
    opened = 0
    for position in range(len(s.steps)):
        s.goto(position)
        step = s.here
        assert step is not None
        if step.kind not in ("kernel", "loop", "branch", "turn"):
            continue
        s.enter()
        opened += 1
        if len(s.steps) < 10 and s.depth < 6:
            opened += look_inside(s)
        s.finish().leave()
        assert s.position == position + 1
    return opened
