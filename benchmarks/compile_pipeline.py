"""How long compiling takes before the C compiler starts, and how that grows: graphlab beside PyTensor.

Run: python benchmarks/compile_pipeline.py [--peer-python PYTHON] [--sizes 1000,10000,100000] [--json FILE]

Four families of programs, each written once and built with either library. Counted is what happens to the graph that is
there: graphlab optimises it, lowers it to loops and writes the C; PyTensor applies the rewrites of its mode FAST_RUN
and writes no code. Building the graph, gradients included, is shown beside it. Every measurement is a process
of its own, the two take turns, and the best of the rounds counts, in processor time, as other work on the machine
does not lengthen that much. PyTensor gets a large stack and may recurse as deep as it likes, without which it
ends in a RecursionError on deep graphs; graphlab gets neither.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import math
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

# ---- the programs --------------------------------------------------------------------------------

Program = tuple[list[Any], list[Any]]  # inputs and outputs


def chain(T: Any, grad: Callable[..., Any], steps: int) -> Program:
    """A long elementwise expression of one vector."""
    x = T.dvector("x")
    y = x
    for k in range(steps):
        y = T.tanh(y * (1.0 + 1.0 / (k + 2)) + x)
    return [x], [y]


def wide_sum(T: Any, grad: Callable[..., Any], steps: int) -> Program:
    """A sum of as many terms as there are inputs."""
    inputs = [T.dvector(f"x{k}") for k in range(steps)]
    total = T.exp(inputs[0])
    for x in inputs[1:]:
        total = total + T.exp(x)
    return inputs, [total]


def deep_mlp(T: Any, grad: Callable[..., Any], steps: int) -> Program:
    """The loss of a network of many layers, and its gradient by all weights."""
    x, target = T.dmatrix("x"), T.dmatrix("target")
    weights, h = [], x
    for k in range(steps):
        w, b = T.dmatrix(f"w{k}"), T.dvector(f"b{k}")
        weights += [w, b]
        h = T.tanh(T.dot(h, w) + b)
    loss = ((h - target) ** 2).mean()
    return [x, target, *weights], [loss, *grad(loss, weights)]


def unrolled_rnn(T: Any, grad: Callable[..., Any], steps: int) -> Program:
    """The loss of a recurrent network written out turn by turn, and its gradient by the weights of all turns."""
    xs, h = T.dmatrix("xs"), T.dvector("h")
    u, w, b = T.dmatrix("u"), T.dmatrix("w"), T.dvector("b")
    state = h
    for k in range(steps):
        state = T.tanh(T.dot(xs[k], u) + T.dot(state, w) + b)
    loss = (state**2).sum()
    return [xs, h, u, w, b], [loss, *grad(loss, [u, w, b])]


@dataclass(frozen=True)
class Family:
    """A kind of program: `build` makes one of so many steps, which has about `per_step` applications in each."""

    title: str
    build: Callable[[Any, Callable[..., Any], int], Program]
    per_step: int


FAMILIES = {
    "chain": Family("elementwise chain", chain, 3),
    "sum": Family("wide sum", wide_sum, 2),
    "mlp": Family("gradient of a deep MLP", deep_mlp, 13),
    "rnn": Family("gradient of an unrolled RNN", unrolled_rnn, 19),
}

# ---- one measurement, in a process of its own ----------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Seconds of processor time; `nodes` as built, `left` after optimising; `parts` by step of the pipeline."""

    nodes: int
    left: int
    built: float
    compiled: float
    parts: dict[str, float]
    version: str


def measure_graphlab(family: Family, steps: int) -> Measured:
    """Build, optimise, lower and write the C of one program."""
    from graphlab.codegen.c import emit
    from graphlab.graph.node import Graph
    from graphlab.graph.walk import toposort
    from graphlab.lower import lower
    from graphlab.rewrite.pipeline import optimize

    T = importlib.import_module("graphlab.tensor")

    def run(steps: int) -> tuple[list[float], Graph, Graph]:
        times = [time.process_time()]
        inputs, outputs = family.build(T, T.grad, steps)
        graph = Graph(tuple(inputs), tuple(outputs))
        times.append(time.process_time())
        optimized = optimize(graph)
        times.append(time.process_time())
        lowered = lower(optimized)
        times.append(time.process_time())
        emit(lowered.program)
        times.append(time.process_time())
        return [b - a for a, b in itertools.pairwise(times)], graph, optimized

    run(3)  # patterns are traced, tables filled
    (built, *parts), graph, optimized = run(steps)
    counts = [len(toposort(g.outputs, g.inputs)) for g in (graph, optimized)]
    names = ("optimise", "lower", "write C")
    return Measured(*counts, built, sum(parts), dict(zip(names, parts, strict=True)), metadata.version("graphlab"))


def measure_pytensor(family: Family, steps: int) -> Measured:
    """Build one program and apply the rewrites of FAST_RUN."""
    pytensor = importlib.import_module("pytensor")
    T = importlib.import_module("pytensor.tensor")
    rewriter = importlib.import_module("pytensor.compile.mode").get_mode("FAST_RUN").optimizer
    new_graph = importlib.import_module("pytensor.graph.fg").FunctionGraph
    protect = importlib.import_module("pytensor.compile.aliasing").add_supervisor_to_fgraph

    sys.setrecursionlimit(10**6)

    def run(steps: int) -> tuple[float, float, int, int]:
        began = time.process_time()
        inputs, outputs = family.build(T, pytensor.grad, steps)
        built = time.process_time()
        graph = new_graph(inputs, outputs, clone=True)
        protect(graph, [pytensor.In(v) for v in inputs])  # so that rewrites may work in place, as in a function
        nodes = len(graph.apply_nodes)
        rewriter.rewrite(graph)
        return built - began, time.process_time() - built, nodes, len(graph.apply_nodes)

    run(3)
    built, compiled, nodes, left = run(steps)
    return Measured(nodes, left, built, compiled, {"optimise": compiled}, metadata.version("pytensor"))


MEASURE = {"graphlab": measure_graphlab, "pytensor": measure_pytensor}


def measure(library: str, name: str, steps: str, limit: str) -> None:
    """Print one measurement; the process dies of itself after `limit` seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
    threading.stack_size(1 << 30 if library == "pytensor" else 0)
    worker = threading.Thread(
        target=lambda: print(json.dumps(asdict(MEASURE[library](FAMILIES[name], int(steps)))), flush=True)
    )
    worker.start()
    worker.join()


def measured(python: str, library: str, name: str, size: int, limit: int) -> Measured | str:
    """One measurement in a process of its own, or why there is none."""
    steps = max(2, round(size / FAMILIES[name].per_step))
    command = [python, __file__, "--one", library, name, str(steps), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"> {limit} s"
    if not done.stdout:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:30]
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


# ---- all of them, and the table ------------------------------------------------------------------


def importable(python: str) -> bool:
    """Whether `python` has PyTensor."""
    return subprocess.run([python, "-c", "import pytensor"], capture_output=True, check=False).returncode == 0


def best(results: list[Measured | str]) -> Measured | str:
    """The quickest round, or what stood in the way of all."""
    good = [r for r in results if isinstance(r, Measured)]
    return min(good, key=lambda m: m.compiled) if good else results[0]


def exponent(results: list[Measured]) -> float | None:
    """How time grows with size: the slope between the smallest and the largest on doubly logarithmic paper."""
    if len(results) < 2:
        return None
    first, last = results[0], results[-1]
    return math.log(last.compiled / first.compiled) / math.log(last.nodes / first.nodes)


def shown(result: Measured | str | None) -> str:
    return "" if result is None else f"{result.compiled:.2f} s" if isinstance(result, Measured) else result


def print_family(name: str, rows: dict[int, dict[str, Measured | str]]) -> dict[str, float]:
    """The table of one family; the exponents."""
    print(f"\n{FAMILIES[name].title}")
    heads = "nodes|build|optimise|lower|write C|graphlab|PyTensor nodes|build|FAST_RUN|ratio".split("|")
    widths = (8, 8, 9, 8, 8, 9, 15, 8, 12, 7)
    print("".join(h.rjust(w) for h, w in zip(heads, widths, strict=True)))
    for size, row in rows.items():
        ours, theirs = row["graphlab"], row.get("pytensor")
        if not isinstance(ours, Measured):
            print(f"{size:8d}  graphlab: {ours}")
            continue
        cells = [str(ours.nodes), f"{ours.built:.2f}", *(f"{s:.2f}" for s in ours.parts.values()), shown(ours)]
        if isinstance(theirs, Measured):
            cells += [str(theirs.nodes), f"{theirs.built:.2f}", shown(theirs), f"{theirs.compiled / ours.compiled:.1f}"]
        else:
            cells += ["", "", shown(theirs), ""]
        print("".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)))
    found = {}
    for library in MEASURE:
        good = [r for row in rows.values() if isinstance(r := row.get(library), Measured)]
        if (slope := exponent(good)) is not None:
            found[library] = slope
    print("exponent of time over size: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()))
    return found


def run_all(options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything, print it, and give it back as data."""
    python = {"graphlab": sys.executable, "pytensor": options.peer_python}
    if not importable(options.peer_python):
        print(f"PyTensor is left out: {options.peer_python} can't import it")
        del python["pytensor"]
    report: dict[str, Any] = {"sizes": options.sizes, "rounds": options.rounds, "families": {}}
    for name in options.families:
        rows: dict[int, dict[str, Measured | str]] = {}
        hopeless: dict[str, str] = {}
        for size in options.sizes:
            results = {library: list[Measured | str]() for library in python}
            for _ in range(options.rounds):
                for library, executable in python.items():
                    if library not in hopeless:
                        results[library].append(measured(executable, library, name, size, options.limit))
                        if isinstance(why := results[library][-1], str):
                            hopeless[library] = why  # and so is whatever is larger
            rows[size] = {k: best(rs) if rs else hopeless[k] for k, rs in results.items()}
        slopes = print_family(name, rows)
        data = {
            str(size): {k: r if isinstance(r, str) else asdict(r) for k, r in row.items()} for size, row in rows.items()
        }
        report["families"][name] = {"title": FAMILIES[name].title, "rows": data, "exponents": slopes}
    return report


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["--one"]:
        measure(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has PyTensor")
    parser.add_argument("--sizes", type=lambda s: [int(n) for n in s.split(",")], default=[1000, 10_000, 100_000])
    parser.add_argument("--families", type=lambda s: s.split(","), default=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--limit", type=int, default=120, help="seconds of processor time for one measurement")
    parser.add_argument("--json", help="where to write all figures")
    options = parser.parse_args()
    report = run_all(options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
