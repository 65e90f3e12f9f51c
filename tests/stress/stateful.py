"""Shared variables under calls, updates, exceptions and interrupts in any order: always what a model of them says.

python tests/stress/stateful.py --runs 5000 --steps 50
"""

from __future__ import annotations

import _thread
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError
from graphlab.graph.types import TensorType
from graphlab.ops.base import Op

SHORT = {"runs": 30, "steps": 20, "seed": 1}
LONG = {"runs": 5000, "steps": 50, "seed": 1}
Array = np.ndarray[Any, Any]

a, b, n = (
    graphlab.shared(np.zeros(4), name="a"),
    graphlab.shared(np.zeros((2, 2)), name="b"),
    graphlab.shared(0, name="n"),
)
x, k = T.dvector("x"), T.lscalar("k")


class Stopped(Exception):
    """What the host function raises."""


fails = {"how": ""}


@dataclass(frozen=True)
class Hook(Op):
    """Gives back its operand, computed by Python in the middle of a call: it may raise, or press Ctrl-C."""

    name = "hook"

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return (x,)

    def numpy(self, x: Array) -> tuple[Array, ...]:
        if fails["how"] == "raise":
            raise Stopped
        if fails["how"] == "interrupt":
            _thread.interrupt_main()
        return (x,)


ADD = graphlab.function([x], a.sum(), updates={a: a + x, n: n + 1})
MIX = graphlab.function(
    [x], [T.concatenate([a, x]), b], updates={a: T.dot(b, a[:2]).repeat(2), b: b + a.reshape((2, 2)).T}
)
PUT = graphlab.function([k, x], a[k], updates={a: a[k : k + 2].set(x[:2]), n: n + k})
SWAP = graphlab.function([], [], updates={a: b.flatten(), b: a.reshape((2, 2))})
HOOKED = Hook()(x)
HOOK = graphlab.function([x], (HOOKED + a).sum(), updates={a: a * 0.5 + HOOKED, n: n - 1})
NAN = graphlab.function([x], T.log(x + a).sum(), updates={a: a - x}, nan_policy="raise")

vectors = st.sampled_from([2, 4, 4, 4, 4, 0]).flatmap(
    lambda size: st.lists(st.integers(-3, 3), min_size=size, max_size=size).map(lambda v: np.array(v, float))
)


class SharedVariables(RuleBasedStateMachine):
    """The variables `a`, `b`, `n` and what they should hold; `held` are arrays that somebody borrowed."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.n = np.zeros(4), np.zeros((2, 2)), 0
        a.set_value(self.a), b.set_value(self.b), n.set_value(0)
        self.held: list[tuple[Array, Array]] = []

    def tried(self, f: Any, *arguments: Any) -> Any:
        """The result of a call; None if it was refused."""
        try:
            return f(*arguments)
        except (GraphlabError, Stopped, KeyboardInterrupt):
            return None

    @rule(v=vectors)
    def add(self, v: Array) -> None:
        got = self.tried(ADD, v)
        assert (got is None) == (v.size != 4)
        if got is not None:
            assert got == self.a.sum()
            self.a, self.n = self.a + v, self.n + 1

    @rule(v=vectors)
    def mix(self, v: Array) -> None:
        first, second = MIX(v)
        np.testing.assert_array_equal(first, np.concatenate([self.a, v]))
        np.testing.assert_array_equal(second, self.b)
        with np.errstate(all="ignore"):
            self.a, self.b = (self.b @ self.a[:2]).repeat(2), self.b + self.a.reshape(2, 2).T
        if not np.all(np.abs(np.concatenate([self.a, self.b.ravel()])) < 1e6):  # so that all stays exact
            self.set(np.zeros(4), True)
            self.b = np.ones((2, 2))
            b.set_value(self.b)

    @rule(v=vectors, at=st.integers(-1, 5))
    def put(self, v: Array, at: int) -> None:
        got, changed = self.tried(PUT, at, v), self.a.copy()
        try:
            expected, changed[at : at + 2] = self.a[at], v[:2]
        except (IndexError, ValueError):
            assert got is None
        else:
            assert got == expected
            self.a, self.n = changed, self.n + at

    @rule()
    def swap(self) -> None:
        SWAP()
        self.a, self.b = self.b.flatten(), self.a.reshape(2, 2).copy()

    @rule(v=vectors, how=st.sampled_from(["", "", "raise", "interrupt"]))
    def hooked(self, v: Array, how: str) -> None:
        fails["how"] = how
        try:
            got = self.tried(HOOK, v)
        except KeyboardInterrupt:  # it came after the call
            got = "late"
        finally:
            fails["how"] = ""
        happened = int(n.get_value()) != self.n
        assert happened == (got is not None)
        assert not (happened and how == "raise")
        if happened:
            self.a, self.n = self.a * 0.5 + v, self.n - 1

    @rule(v=vectors)
    def nan(self, v: Array) -> None:
        if v.size == 4:
            got = self.tried(NAN, v)
            assert (got is None) == bool((v + self.a < 0).any())
            if got is not None:
                self.a = self.a - v

    @rule(v=vectors, borrow=st.booleans())
    def set(self, v: Array, borrow: bool) -> None:
        if v.size == 4:
            a.set_value(v, borrow=borrow)
            self.a = v.copy()

    @rule(borrow=st.booleans())
    def borrow(self, borrow: bool) -> None:
        got = a.get_value(borrow=borrow)
        self.held = [*self.held[-3:], (got, got.copy())]

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        np.testing.assert_array_equal(a.get_value(), self.a)
        np.testing.assert_array_equal(b.get_value(), self.b)
        assert int(n.get_value()) == self.n
        for borrowed, copy in self.held:
            np.testing.assert_array_equal(borrowed, copy)


def run(*, runs: int, steps: int, seed: int) -> figures.Figures:
    """So many runs of so many steps."""
    failures = list[str]()
    chosen = settings(max_examples=runs, stateful_step_count=steps, deadline=None, database=None, print_blob=False,
                      phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck))  # fmt: skip
    try:
        run_state_machine_as_test(_seeded(SharedVariables, seed), settings=chosen)
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}\n" + "\n".join(getattr(error, "__notes__", [])))
    return {"runs": runs, "steps of each, at most": steps, "failures": failures}


def _seeded(machine: Any, number: int) -> Any:
    return seed(number)(machine)


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
