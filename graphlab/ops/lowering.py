"""What an op becomes in a compiled program: one of these, each with what the compiler must know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphlab.graph.node import Graph, Variable


@dataclass(frozen=True, slots=True)
class Pointwise:
    """One scalar formula for each element of the broadcast inputs; fuses with its neighbours.

    `template` is a C expression of {0}, {1}, ... (operands already cast to `input_dtypes`).
    """

    template: str
    input_dtypes: tuple[str, ...]
    output_dtype: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """Fold elements along `axes`.

    `accumulate` is a C expression of {a} (the accumulator) and {x} (the element, cast to `dtype`, the
    accumulator's dtype); `initial` its first value, None where the first element is (then an empty
    axis is an error); `finish` maps the result {a} given {n}, the number of elements.
    """

    axes: tuple[int, ...]
    keepdims: bool
    dtype: str
    initial: float | int | bool | None
    accumulate: str
    finish: str | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """A call of the C runtime's `function` over the slots (outputs, then inputs) with int64 `params`.

    `view`: the output only describes the memory of its first input.
    """

    function: str
    params: tuple[int, ...] = ()
    view: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """Replace the application by a graph of simpler ones: `build` maps its inputs to its outputs."""

    build: Callable[..., Sequence[Variable]]


@dataclass(frozen=True, slots=True)
class Inline:
    """Put `graph` in the place of the application, before any rule looks; its nodes get the scope `function`."""

    function: str
    graph: Graph


@dataclass(frozen=True, slots=True)
class Host:
    """NumPy computes it: there is no C for it (yet); `reason` says why."""

    reason: str = "has no C form"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A value that each turn of a loop makes from those of `lags` turns ago, say (1,) or (1, 2).

    It starts with the last max(lags) values, stacked along a first axis where there are several.
    `traced`: the values of all turns are wanted, stacked; `final`: those that one more turn would start with.
    """

    lags: tuple[int, ...]
    traced: bool = True
    final: bool = False

    @property
    def depth(self) -> int:
        """How many past values it needs."""
        return max(self.lags)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A loop: `body` once for each of the turns that the first input counts.

    Inputs: the number of turns, `sequences`, one start for each of `recurrences`, constants. The body's
    inputs: one element of each sequence, the past values of each recurrence in the order of its lags, the
    constants. The body's outputs: the new value of each recurrence, the values of `maps`, and, if `until`,
    whether this turn is the last. Outputs: the stacked values of traced recurrences, the last ones of
    those with `final`, the stacked values of the maps, and, if `until`, the number of turns made.
    `keep`: for each stack how many of its last values are wanted, None for all; `backwards`: whether the last of
    these comes first.
    """

    body: Graph
    sequences: int
    recurrences: tuple[Recurrence, ...]
    maps: int
    until: bool
    keep: tuple[int | None, ...]
    backwards: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """`then` where the first input holds, else `otherwise`: the inputs of both graphs are the node's others."""

    then: Graph
    otherwise: Graph


Lowering = Pointwise | Reduction | Runtime | Expand | Inline | Host | Repeat | Choose
