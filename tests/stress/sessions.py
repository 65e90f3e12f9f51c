"""Sessions over random functions: each value at each step, in any order of moves, within small budgets, and inside.

    python tests/stress/sessions.py --graphs 1000 --seed 1

Loops, choices, draws, updates, symbolic functions and gradients are among them. What fails is printed with its graph,
and the exit status says whether anything did.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.debug.random_sessions import RandomFunction, check, look_inside, random_functions

BUDGETS = (None, None, 0, 300, 3000)


def main() -> int:
    """Run so many graphs; how many failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    failures, kinds, opened, began = list[str](), Counter[str](), 0, time.perf_counter()

    @seed(chosen.seed)
    @settings(max_examples=chosen.graphs, deadline=None, database=None, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(made=random_functions(), order=st.integers(0, 2**16))
    def one(made: RandomFunction, order: int) -> None:
        nonlocal opened
        kinds.update(made.kinds)
        try:
            s = check(made, order, budget=BUDGETS[order % len(BUDGETS)])
            opened += look_inside(s.goto(0))
            assert not s.findings, s.findings
        except Exception:
            failures.append(f"{made!r}\norder {order}\n{traceback.format_exc()}")

    one()
    mixed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    print(f"{chosen.graphs} functions ({mixed}), {opened} levels entered, {time.perf_counter() - began:.0f} s")
    print(*failures[:20], sep="\n\n")
    print(f"{len(failures)} failed")
    return len(failures)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
