"""Random loops, and the same written out: what scan means, without scan."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphlab.tensor as T
from graphlab.graph.node import Variable

Fn = Callable[..., list[Variable]]


@dataclass(frozen=True)
class Loop:
    """A loop over `sequences` (with taps), outputs from `starts` (with lags; None: no past) and `constants`."""

    fn: Fn
    taps: tuple[tuple[int, ...], ...]
    lags: tuple[tuple[int, ...] | None, ...]
    constants: int
    turns: int
    backwards: bool
    shape: tuple[int, ...] = (3,)

    def values(self, seed: int) -> list[np.ndarray]:
        """Sequences, starts and constants to run it on: arrays of `shape`, unless they are stacks of several."""
        rng = np.random.default_rng(seed)
        made = [rng.normal(size=(self.length(taps), *self.shape)) for taps in self.taps]
        for lags in self.lags:
            if lags is not None:
                depth = max(lags)
                made.append(np.asarray(rng.normal(size=self.shape if depth == 1 else (depth, *self.shape))))
        return made + [np.asarray(rng.normal(size=self.shape)) for _ in range(self.constants)]

    def length(self, taps: Sequence[int]) -> int:
        """How long a sequence must be."""
        return self.turns + max(0, *taps) - min(0, *taps)

    def split(self, inputs: Sequence[Variable]) -> tuple[list[Any], list[Any], list[Any]]:
        """The sequences, the starts (None where there is none) and the constants among `inputs`."""
        given = iter(inputs)
        sequences = [next(given) for _ in self.taps]
        starts = [None if lags is None else next(given) for lags in self.lags]
        return sequences, starts, list(given)

    def scanned(self, inputs: Sequence[Variable]) -> list[Variable]:
        """The outputs by scan."""
        import graphlab

        sequences, starts, constants = self.split(inputs)
        outputs, _ = graphlab.scan(
            self.fn,
            [{"input": s, "taps": list(taps)} for s, taps in zip(sequences, self.taps, strict=True)],
            [None if lags is None else {"initial": s, "taps": [-lag for lag in lags]}
             for s, lags in zip(starts, self.lags, strict=True)],
            constants,
            n_steps=self.turns,
            go_backwards=self.backwards,
            return_list=True,
        )  # fmt: skip
        return outputs

    def unrolled(self, inputs: Sequence[Variable]) -> list[Variable]:
        """The outputs by turns written one after another."""
        sequences, starts, constants = self.split(inputs)
        if self.backwards:
            sequences = [s[::-1] for s in sequences]
        past = [None if lags is None else [s] if max(lags) == 1 else [s[i] for i in range(max(lags))]
                for s, lags in zip(starts, self.lags, strict=True)]  # fmt: skip
        rows = []
        for t in range(self.turns):
            elements = [
                s[t - min(0, *taps) + tap] for s, taps in zip(sequences, self.taps, strict=True) for tap in taps
            ]
            before = [p[-lag] for p, lags in zip(past, self.lags, strict=True) if lags for lag in lags]
            rows.append(self.fn(*elements, *before, *constants))
            for p, v in zip(past, rows[-1], strict=True):
                if p is not None:
                    p.append(v)
        return [T.stack([row[k] for row in rows]) for k in range(len(self.lags))]


def random_loop(seed: int, shape: tuple[int, ...] | None = None) -> Loop:
    """A loop whose body is a random smooth expression, with random taps; with a `shape` all is elementwise."""
    constant = np.array([0.3, -0.2, 0.9]) if shape is None else np.full(shape, 0.3)
    rng = random.Random(seed)
    taps = tuple(tuple(rng.sample([-1, 0, 1], rng.choice([1, 1, 2]))) for _ in range(rng.randint(0, 2)))
    choices = [(1,), (1,), (2,), (1, 2), (1, 3), None]
    lags = tuple(rng.choice(choices) for _ in range(rng.randint(1, 3)))
    constants = rng.randint(0, 2)
    plan_seed = rng.random()

    def fn(*values: Variable) -> list[Variable]:
        plan = random.Random(plan_seed)
        pool = list(values) or [T.constant(constant)]
        for _ in range(plan.randint(2, 7)):
            a, b = plan.choice(pool), plan.choice(pool)
            pool.append(plan.choice(OPERATIONS if shape is None else OPERATIONS[:ELEMENTWISE])(a, b))
        made = [plan.choice(pool[-4:]) for _ in lags]
        return [v if plan.random() < 0.8 else plan.choice(pool) for v in made]

    turns = rng.choice([0, 1, 1, 2, 3, 5] if shape is None else [0, 1, 5, 6, 7])
    return Loop(fn, taps, lags, constants, turns, rng.random() < 0.3, (3,) if shape is None else shape)


ELEMENTWISE = 6  # so many of them

OPERATIONS: list[Callable[[Variable, Variable], Variable]] = [
    lambda a, b: T.tanh(a + b),
    lambda a, b: T.sin(a) * b,
    lambda a, b: a - 0.5 * b,
    lambda a, b: a * T.sigmoid(b),
    lambda a, b: T.exp(-(a**2)) + b * 0.1,
    lambda a, b: T.maximum(a, b) * 0.7,
    lambda a, b: a.sum() * 0.2 + b * 0.5,
    lambda a, b: T.dot(a, b) * 0.1 + a[::-1],
    lambda a, b: T.concatenate([a[1:], b[:1]]),
]
