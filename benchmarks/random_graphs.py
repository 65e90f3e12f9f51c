"""Random graphs with every rule planted in them: optimised and compiled to C, against NumPy on the graph as written.

    python benchmarks/random_graphs.py --graphs 20000 --seed 0 --jobs 2

Graph i of a seed is drawn from a generator of its own, so `--seed S --only I --plant RULES` gives it again; the
numbers of the rules stand beside each failure. Each graph has one to three inputs (float64, float32, integers, bool,
complex128; extents 0, 1 and more, known to the graph or not), up to five random instructions, and up to four rules
planted among them: expressions on which the rule fires, made of what the graph has. The half of the rules that has
fired least so far is planted next. Those of class `domain` are planted into graphs of their own, compiled with
fast_math=True and made of positive numbers around one.

A graph is compiled once, in mode "fast_run", and run on

- ordinary values: numbers between -3 and 3, small integers;
- edge values, three times: a third of the numbers are nan, infinite, zeros of both signs, huge, tiny, or extreme
  integers;
- misfits (a part of the graphs): ordinary values with other extents where the graph leaves them open.

What NumPy gives on the graph as written (`graphlab.interpret`) decides; nothing of graphlab's rewriting, lowering
or C takes part in it. Where NumPy raises, the compiled function must raise; where it does not, it must not.
dtype and shape must agree, and of each element of each output:

1. If only rules of class `exact` fired and every op gives a correctly rounded result or a copy, all bits, the sign
   of zero included; NaN is one value.
2. Else it may be off by what rounding can do, which is measured: NumPy computes the graph three times with every
   rounded result moved by up to 8 units in the last place at random, in each step of an operation that is made of
   several, and with sums and products in another order; 16 times the largest change of an output is its tolerance.
   NaN and infinities must be where NumPy has them, and where only rules of class `exact` fired
   zeros must have NumPy's sign, but for sums and maxima of zeros; then sums, products and quotients of two numbers
   are not moved, for IEEE 754 leaves no choice in them. What differs even so is measured 40 times, and 600 times
   where truth values or integers decide.
3. An element whose NaN, infinity, truth value or integer that noise changes is undecided: 0/0 or 1/0, depending
   on a rounding, or a number cast out of an integer's range. It is counted, and printed as such.
4. Where a rule of class `rounding` fired, the naive form may have broken down on the way. So an element that is not
   within 2 is compared with the graph as written computed in long double, whose exponents reach 1e4932: it must be
   that, and counts as repaired. Where that overflows as well, or has no sum or product because of an infinity
   (inf - inf, 0 * inf, of which a stable form gives the limit), it is undecided; so it is where both forms broke
   down. The graphs inside loops and choices are computed with noise and with longer numbers like all else.
5. With fast_math=True an output is undecided where NumPy has a NaN or an infinity on the way to it.
6. Whether LAPACK gives NaNs or does not converge on a matrix that is not finite, nothing decides.

A run fails if anything differs, or if any rule fired less than 100 times (--least). Failures are made small: one
output, as few nodes as still fail, what feeds them as inputs; with the rules without which the failure is gone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a worker is a process

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import graphlab

from campaign.crew import Report, examine, plain_c, run  # isort: skip
from campaign.sample import RULES  # isort: skip


def rule_names() -> list[tuple[str, str]]:
    """Every rule with its class."""
    return list(dict.fromkeys((rule.name, rule.changes) for rule in RULES))


def told(report: Report, least: int, seconds: float, seed: int) -> tuple[str, bool]:
    """The report as text, and whether the run passed."""
    lines = [f"{n:7}  {name}  [{changes}]{'' if n >= least else '   FEWER THAN ' + str(least)}"
             for n, (name, changes) in sorted((report.fired[key], key) for key in rule_names())]  # fmt: skip
    few = sum(report.fired[key] < least for key in rule_names())
    judged = sum(n for what, n in report.elements.items() if what != "errors in both")
    lines += ["", *(f"{n:9}  {what} ({n / max(judged, 1):.2%})" for what, n in report.elements.most_common())]
    lines.append(
        f"seed {seed}: {report.graphs} graphs, {report.kernels} kernels, {len(report.failures)} that differ;"
        f" {len(rule_names())} rules, {report.fired.total()} applications, {few} rules below {least}; {seconds:.0f} s"
    )
    return "\n".join(lines), not report.failures and not few


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another run (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this graph alone, with its text")
    parser.add_argument("--plant", default="", metavar="RULES", help="with --only: the rules, by number, in a list")
    parser.add_argument("--least", type=int, default=100, help="how often each rule must fire (default: %(default)s)")
    parser.add_argument(
        "--plain-c", action="store_true", help="let the C compiler optimise nothing: three times as fast"
    )
    parser.add_argument(
        "--only-run", action="store_true", help="compare no results: for runs in which something else looks on"
    )
    parser.add_argument("--shrink", type=int, default=5, help="how many failures to make small (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write counts and failures")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, and return the status: 1 if anything differs or a rule fired too rarely."""
    chosen = arguments(argv)
    print(f"seed {chosen.seed}", flush=True)
    began = time.perf_counter()
    if chosen.only is not None:
        report = examine(chosen.seed, chosen.only, RULES, [int(k) for k in chosen.plant.split(",") if k])
        print(report.text)
        return int(bool(report.failures))
    with plain_c() if chosen.plain_c else contextlib.nullcontext():
        report = run(chosen.seed, chosen.graphs, RULES, chosen.jobs, chosen.shrink, not chosen.only_run)
    seconds = time.perf_counter() - began
    text, passed = told(report, chosen.least, seconds, chosen.seed)
    print(text)
    if chosen.json:
        counts = {f"{name} [{changes}]": report.fired[(name, changes)] for name, changes in rule_names()}
        chosen.json.write_text(json.dumps({
            "version": graphlab.__version__ if hasattr(graphlab, "__version__") else "", "seed": chosen.seed,
            "graphs": report.graphs, "kernels": report.kernels, "seconds": round(seconds, 1), "rules": counts,
            "elements": report.elements,
            "failures": [str(failure) for failure in report.failures],
        }, indent=1))  # fmt: skip
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
