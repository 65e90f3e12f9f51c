"""How an op takes a batch, one more axis in front of some of its inputs: one of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphlab.graph.node import Variable

if TYPE_CHECKING:
    from graphlab.ops.base import Op


@dataclass(frozen=True, slots=True)
class Along:
    """Of input i the op takes the last `core[i]` axes, and broadcasts those before: a batch is one more of these."""

    core: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shifted:
    """`op` does the same one axis further on; every input must have the axis of the batch."""

    op: Op


@dataclass(frozen=True, slots=True)
class ToShape:
    """The op brings its first input to the shape that its last gives: the batch is put before that shape.

    `op` makes the op for the static extent of the batch; `align`: shapes are aligned at the right.
    """

    op: Callable[[int | None], Op]
    align: bool


@dataclass(frozen=True, slots=True)
class Extents:
    """The output is the input's shape, which all examples share."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """The op reads or writes what its key selects of the first input: the key gets one more entry for the batch."""


@dataclass(frozen=True, slots=True)
class Built:
    """`build` maps the inputs, of which some have the axis of the batch in front, to the outputs.

    An output without that axis is the same for every example.
    """

    build: Callable[..., Sequence[Variable]]


@dataclass(frozen=True, slots=True)
class OneByOne:
    """No rule: what the op expands to takes the batch, else NumPy computes the examples one after another.

    `build` expands it, if its lowering does not.
    """

    build: Callable[..., Sequence[Variable]] | None = None


Batching = Along | Shifted | ToShape | Extents | Keyed | Built | OneByOne
