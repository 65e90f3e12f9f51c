"""Calls that are recorded: they run step by step, and each step is timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphlab.loops.ir import Program
from graphlab.runtime.program import Array, Cell, Machine


@dataclass
class Recording:
    """How often a function was called, and how many seconds each step of its program took in all.

    A recorded call keeps every intermediate array until its end and copies its results, so it needs more
    memory and is slower than a plain one.
    """

    calls: int = 0
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)

    def run(self, program: Program, machine: Machine, arrays: Sequence[Array], updates: Sequence[Cell]) -> list[Array]:
        """As `machine.call`, step by step of `program`; the last outputs are the new values of `updates`."""
        started = time.perf_counter()
        frame = machine.frame(arrays)
        try:
            for k, name in enumerate(_names(program)):
                before = time.perf_counter()
                frame.run_step(k)
                self.steps[name] = self.steps.get(name, 0.0) + time.perf_counter() - before
            results = [value for slot in program.outputs if (value := frame.value(slot)) is not None]
        finally:
            frame.close()
        visible = len(results) - len(updates)
        for cell, value in zip(updates, results[visible:], strict=True):
            cell[0] = value
        self.calls += 1
        self.seconds += time.perf_counter() - started
        return results[:visible]

    def summary(self) -> str:
        """The steps as a table, the slowest first."""
        if not self.calls:
            return "not called yet"
        total = sum(self.steps.values()) or 1.0
        lines = [f"{self.calls} calls, {1e6 * self.seconds / self.calls:.1f} us each; of the time in steps:"]
        for name, seconds in sorted(self.steps.items(), key=lambda item: -item[1]):
            lines.append(f"{seconds / total:6.1%} {1e6 * seconds / self.calls:10.1f} us  {name}")
        return "\n".join(lines)


def _names(program: Program) -> list[str]:
    return [f"{k}: {step.name}" for k, step in enumerate(program.steps)]
