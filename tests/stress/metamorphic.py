"""Two ways to write the same: random graphs, and the same with their values taken apart and put together again.

    python tests/stress/metamorphic.py --graphs 100000 --seed 1

Each graph is compiled as it is, and bent: inputs and intermediate values are split and joined, transposed and back,
looped over row by row, sent through a choice, a symbolic function, a wider type; sums are written the other way
round; work that nobody needs is added; and a loop over its results is written with scan and without. Results must
agree within what rounding can do, found by adding noise to the graph's own operations.

Most of the time would be the C compiler's, so several graphs, each with inputs of its own in either form, are outputs
of one function, and nineteen chunks of twenty are built with -O0; what fails is looked at again alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))
sys.path.insert(0, str(figures.ROOT / "benchmarks"))

from campaign.crew import cache, plain_c

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from tests.random_graphs import RandomProgram, random_programs

SHORT = {"graphs": 8, "seed": 1, "jobs": 1}
LONG = {"graphs": 100_000, "seed": 1, "jobs": os.cpu_count() or 1}
CHUNK = 400  # graphs of one process
TOGETHER = 12  # graphs of one function
Variable = graphlab.Variable
Array = np.ndarray[Any, Any]


@graphlab.symbolic
def called(v: Any) -> Any:
    """The same, through a symbolic function."""
    return v[None][0]


def looped(v: Variable) -> Variable:
    """Row by row."""
    return graphlab.scan(lambda row: row, sequences=v)[0]


# Of a value with axes, or of any: the same value.
OF_ARRAYS: dict[str, Callable[[Variable], Variable]] = {
    "split and joined": lambda v: T.concatenate([v[:1], v[1:]]),
    "split in the middle": lambda v: T.concatenate([v[..., : v.shape[-1] // 2], v[..., v.shape[-1] // 2 :]], axis=-1),
    "transposed twice": lambda v: v.T.T,
    "an axis moved to and fro": lambda v: v[None].swapaxes(0, -1).swapaxes(0, -1)[0],
    "turned round twice": lambda v: v[::-1][::-1],
    "flattened and reshaped": lambda v: v.flatten().reshape(tuple(v.shape[d] for d in range(v.ndim))),
    "stacked and taken": lambda v: T.stack([v * 0, v])[1] if v.dtype != "bool" else v,
    "row by row": looped,
    "gathered": lambda v: v[T.arange(v.shape[0])],
}
OF_ALL: dict[str, Callable[[Variable], Variable]] = {
    "called": called,
    "chosen": lambda v: graphlab.ifelse(T.eq(T.constant(1), T.constant(1)), v, v[None][0]),
    "selected": lambda v: T.where(T.eq(v, v) | True, v, v),
    "copied": lambda v: v.copy() if hasattr(v, "copy") else v,
}
OF_FLOATS: dict[str, Callable[[Variable], Variable]] = {
    "negated twice": lambda v: T.neg(T.neg(v)),
    "widened": lambda v: v.astype("complex128").real.astype(v.dtype) if v.dtype[0] == "f" else v,
}


def bends(v: Variable) -> list[str]:
    """What can be done to `v`."""
    names = list(OF_ALL)
    names += list(OF_ARRAYS) if v.ndim else []
    return names + (list(OF_FLOATS) if v.dtype in ("float32", "float64") else [])


def bent(v: Variable, choice: int, used: Counter[str]) -> Variable:
    """`v`, bent, or as it is: one time in two."""
    names = bends(v)
    if choice % 2:
        return v
    name = names[choice // 2 % len(names)]
    used[name] += 1
    return {**OF_ALL, **OF_ARRAYS, **OF_FLOATS}[name](v)


def bent_graph(program: RandomProgram, choices: list[int], used: Counter[str]) -> list[Variable]:
    """The program's outputs, with bent values; and one more, of work that nobody looks at."""
    pool: list[Variable] = [bent(v, choices[k % len(choices)], used) for k, v in enumerate(program.inputs)]
    dead = pool[-1]
    for k, i in enumerate(program.instructions):
        dead = T.exp(pool[-1].astype("float64")).sum()
        made = i.symbolic(*(pool[o] for o in i.operands))
        pool.append(bent(made, choices[(7 * k + 3) % len(choices)], used))
    return [*(pool[o] for o in program.outputs), dead]


def commuted(outputs: list[Variable], values: list[Array]) -> tuple[list[Variable], list[Variable]]:
    """Sums, products and extremes of the outputs, in one order and in the other."""
    a, b = outputs[0], outputs[-1]
    try:
        np.broadcast(values[0], values[-1])
    except ValueError:
        b = a[..., ::-1] if a.ndim else a
    if "bool" in (a.dtype, b.dtype):
        a, b = a.astype("float64"), b.astype("complex128")
    if {a.dtype[0], b.dtype[0]} & {"c"}:
        return [a + b, a * b], [b + a, b * a]
    return [a + b, a * b, T.maximum(a, b)], [b + a, b * a, T.maximum(b, a)]


def loops(outputs: list[Variable], turns: int) -> tuple[Variable, Variable]:
    """A recurrence over the first output, with scan and written out."""
    v = T.tanh(outputs[0].real.astype("float64") if outputs[0].dtype[0] == "c" else outputs[0].astype("float64"))

    def step(h: Variable, s: Variable) -> Variable:
        return T.tanh(h * s + v) - h * 0.25

    weights = [0.5 + 0.125 * t for t in range(turns)]
    hs, _ = graphlab.scan(lambda s, h: step(h, s), sequences=T.constant(np.array(weights)), outputs_info=[v])
    h = v
    for s in weights:
        h = step(h, T.constant(s))
    return hs[-1], h


def agree(got: Array, want: Array, tolerance: Array) -> bool:
    """Whether two results are the same, but for rounding."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    with np.errstate(all="ignore"):
        close = np.abs(got.astype("complex128") - want.astype("complex128")) <= 2 * tolerance
        return bool(np.all(close | (got == want) | ((got != got) & (want != want)) | np.isinf(tolerance)))


@dataclass(frozen=True)
class Pair:
    """A random graph, what is done to its values, and both forms, each of inputs of its own."""

    program: RandomProgram
    choices: list[int]
    inputs: list[Variable]
    straight: list[Variable]
    turned: list[Variable]
    bends: Counter[str]

    @classmethod
    def of(cls, program: RandomProgram, choices: list[int]) -> Pair:
        """Both forms of `program`."""
        bends = Counter[str]()
        other = replace(program, inputs=[T.tensor(v.dtype, (None,) * v.ndim) for v in program.inputs])
        values, turns = program.run(), 1 + choices[0] % 4
        plain, again = program.graph(), other.graph()
        straight = [*plain, *commuted(plain, values)[0], loops(plain, turns)[0]]
        *bent, dead = bent_graph(other, choices, bends)
        turned = [*bent, *commuted(again, values)[1], loops(again, turns)[1], dead]
        return cls(program, choices, [*program.inputs, *other.inputs], straight, turned, bends)

    def difference(self, straight: list[Array], turned: list[Array]) -> str | None:
        """How the values of the forms differ, if they do."""
        program, plain = self.program, len(self.program.outputs)
        tolerances, wild = program.tolerance(), program.overflows()
        moved = wild or any(t.max(initial=0.0) > 1e-6 for t in tolerances)
        for k, (got, want) in enumerate(zip(turned, straight, strict=False)):  # what is dead has nothing beside it
            if k < plain:
                allowed = np.full(want.shape, np.inf) if wild else tolerances[k]
            else:  # of what is made of the outputs, as far as these are surely the same
                single = "32" in str(self.straight[0].dtype)
                allowed = np.full(want.shape, np.inf if moved else 1e-3 if single else 1e-7)
            if not agree(got, want, allowed):
                return f"result {k}: {got!r}\ninstead of\n{want!r}\nwithin {allowed!r}"
        return None


@dataclass
class Found:
    """What a chunk of graphs gave."""

    graphs: int = 0
    functions: int = 0
    loops: int = 0
    bends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def judged(drawn: Sequence[tuple[RandomProgram, list[int]]], found: Found) -> None:
    """Count these graphs, compiled together, and what differs; each alone, if they can't be compiled or called."""
    try:
        pairs = [Pair.of(*one) for one in drawn]
        outputs = [v for pair in pairs for v in (*pair.straight, *pair.turned)]
        f = graphlab.function([v for pair in pairs for v in pair.inputs], outputs, on_unused_input="ignore")
        with np.errstate(all="ignore"):
            results = iter(f(*(v for pair in pairs for _ in range(2) for v in pair.program.values)))
    except Exception:
        said = traceback.format_exc()[-1500:]
        if len(drawn) == 1:
            found.graphs += 1
            found.failures.append(f"{drawn[0][0]!r}\n{drawn[0][1]}\n{said}")
    else:
        compare(pairs, f, results, found)
        return
    for one in drawn if len(drawn) > 1 else []:
        judged([one], found)


def compare(pairs: Sequence[Pair], f: Function, results: Iterator[Array], found: Found) -> None:
    """Count these pairs, of the function `f`, and what differs in its results."""
    found.graphs += len(pairs)
    found.functions += 1
    found.loops += len(f.kernels)
    for pair in pairs:
        straight, turned = ([next(results) for _ in form] for form in (pair.straight, pair.turned))
        found.bends += pair.bends
        said = pair.difference(straight, turned)
        if said is not None:
            found.failures.append(f"{pair.program!r}\n{pair.choices}\n{said}")


def chunk(graphs: int, seed: int, plain: bool) -> Found:
    """So many graphs of this seed, in a cache of their own."""
    found, drawn = Found(), list[tuple[RandomProgram, list[int]]]()

    @with_seed(seed)
    @settings(max_examples=graphs, deadline=None, database=None, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(random_programs(longest=5), st.lists(st.integers(0, 999), min_size=3, max_size=9))
    def one(program: RandomProgram, choices: list[int]) -> None:
        drawn.append((program, choices))
        if len(drawn) == TOGETHER:
            judged(drawn, found)
            drawn.clear()

    with cache(), plain_c() if plain else contextlib.nullcontext():
        one()
        if drawn:
            judged(drawn, found)
    return found


def run(*, graphs: int, seed: int, jobs: int) -> figures.Figures:
    """So many graphs, by so many processes."""
    total, sizes = Found(), [min(CHUNK, graphs - k) for k in range(0, graphs, CHUNK)]
    # Processes of their own give back what they have loaded; one that dies is a failure.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as crew:
        waiting = {crew.submit(chunk, n, 1_000_000 * seed + k, k % 20 > 0): k for k, n in enumerate(sizes)}
        for done in as_completed(waiting):
            try:
                found = done.result()
            except Exception as error:
                found = Found(failures=[f"chunk {waiting[done]} of seed {seed}: {error!r}"])
            total = Found(total.graphs + found.graphs, total.functions + found.functions, total.loops + found.loops,
                          total.bends + found.bends, total.failures + found.failures)  # fmt: skip
            print(*found.failures, sep="\n\n", end="", flush=True)
            print(f"{total.graphs} graphs, {len(total.failures)} failed", flush=True)
    return {"graphs": total.graphs, "functions": total.functions, "loops in C": total.loops,
            "values bent": total.bends.total(), "in so many ways": len(total.bends),
            "failures": total.failures}  # fmt: skip


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
