"""Loops whose turns can be planned once: what each step of the body is from the second turn on.

Extents do not change from turn to turn, nor does anything that is made of extents and of what comes from outside. What
does change are the elements of sequences and the past values, and what is computed of them: they move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graphlab.loops.ir import Loop, LoopCall, RuntimeCall, SameExtents

Kind = Literal["KERNEL", "PRODUCT", "VIEW", "FIXED"]
VIEWS = ("index", "transpose", "reshape", "broadcast_to", "sum_to")  # mostly; at run time one may turn out to copy
OF_SHAPES = ("shape_of", "stack_scalars")


@dataclass(frozen=True, slots=True)
class SteadyStep:
    """A step of a body: a KERNEL or PRODUCT of each turn, a VIEW that moves with its first input, or what is FIXED."""

    kind: Kind
    action: LoopCall | RuntimeCall

    @property
    def outputs(self) -> tuple[int, ...]:
        """The slots that it fills."""
        return self.action.outputs if isinstance(self.action, LoopCall) else self.action.slots[:1]


def steady_steps(loop: Loop) -> tuple[SteadyStep, ...]:
    """The steps of `loop`'s body, checks apart; none where a turn can't be planned before the others.

    That takes steps of these kinds, and that kernels and products make all that is collected and carried on.
    """
    moving = {slot for _, slot in loop.elements} | {slot for c in loop.carried for slot in c.past}
    steps, made = list[SteadyStep](), set[int]()
    for step in loop.body:
        if isinstance(step.action, SameExtents):
            continue
        steady = _steady(step.action, moving)
        if steady is None:
            return ()
        steps.append(steady)
        if steady.kind != "FIXED":
            moving.update(steady.outputs)
        if steady.kind in ("KERNEL", "PRODUCT"):
            made.update(steady.outputs)
    kept = {*(s.value for s in loop.stacks), *(c.new for c in loop.carried)}
    return tuple(steps) if loop.until is None and kept <= made else ()


def _steady(action: object, moving: set[int]) -> SteadyStep | None:
    """What `action` is from turn to turn, given the slots that move; None if none of the kinds."""
    match action:
        case LoopCall(inputs=inputs):
            return SteadyStep("KERNEL" if _any(inputs, moving) else "FIXED", action)
        case RuntimeCall(function, (_, *inputs)) if function in OF_SHAPES:
            return SteadyStep("FIXED", action) if function == "shape_of" or not _any(inputs, moving) else None
        case RuntimeCall("matmul"):
            return SteadyStep("PRODUCT", action)
        case RuntimeCall(function, (_, first, *others)) if function in VIEWS:
            if function != "sum_to" and _any(others, moving):
                return None
            return SteadyStep("VIEW" if first in moving else "FIXED", action)
        case _:
            return None


def _any(slots: Sequence[int], among: set[int]) -> bool:
    return any(slot in among for slot in slots)
