"""The arguments of a scan: what is read from sequences, and what outputs are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from graphlab.dtypes import is_integer
from graphlab.errors import GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import minimum, subtract
from graphlab.ops.index import index
from graphlab.ops.join import as_tensor
from graphlab.ops.shape import extent


def listed(values: Any) -> list[Any]:
    """An argument that may be None, one thing or several, as a list."""
    if values is None:
        return []
    return list(values) if isinstance(values, list | tuple) else [values]


def _entry(given: Any, what: str, key: str, default: Sequence[int]) -> tuple[Any, tuple[int, ...]]:
    """A variable and its taps, from a variable or a dict of Theano's."""
    if not isinstance(given, Mapping):
        return given, tuple(default)
    unknown = set(given) - {key, "taps", "return_steps"}
    if unknown or key not in given:
        wrong = f"has no {key!r}" if not unknown else f"has {', '.join(map(repr, sorted(unknown)))}"
        raise GraphValueError(f"{what} {wrong}", origin=caller_origin(), hint=f"its keys are {key!r} and 'taps'")
    taps = given.get("taps")
    return given[key], tuple(default if taps is None else listed(taps))


# ---- sequences -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """A sequence and the places, relative to the turn, of the elements that a turn gets."""

    sequence: Variable
    taps: tuple[int, ...] = (0,)

    @staticmethod
    def of(given: Any, k: int, backwards: bool) -> Read:
        """From what a user gave as sequence number k."""
        value, taps = _entry(given, f"sequence {k}", "input", (0,))
        sequence = as_tensor(value)
        if sequence.ndim == 0:
            raise GraphTypeError(
                f"sequence {k} ({sequence.name or sequence.type}) is a scalar: there is nothing to loop over",
                origin=caller_origin(),
                hint="pass what is the same in every turn in non_sequences, and the number of turns as n_steps",
            )
        return Read(index(sequence, slice(None, None, -1)) if backwards else sequence, taps)

    @property
    def first(self) -> int:
        """How many elements lie before that of the first turn."""
        return -min(0, *self.taps)

    @property
    def available(self) -> Variable:
        """How many turns it has elements for."""
        n = extent(self.sequence, 0)
        beyond = self.first + max(0, *self.taps)
        result: Variable = subtract(n, beyond) if beyond else n
        return result

    def stacks(self, turns: Variable, exact: bool) -> list[Variable]:
        """For each tap the elements of all turns; `exact`: there are as many as the sequence has."""
        if exact and self.taps == (0,):
            return [self.sequence]
        begins = [self.first + tap for tap in self.taps]
        return [index(self.sequence, slice(b or None, turns + b if b else turns)) for b in begins]

    def names(self) -> list[str | None]:
        """A label for the element of each tap."""
        name = self.sequence.name
        return [f"{name}[t{tap:+d}]" if tap else f"{name}[t]" for tap in self.taps] if name else [None] * len(self.taps)


def turns_of(reads: Sequence[Read], n_steps: Any) -> tuple[Variable, bool]:
    """The number of turns, and whether every sequence has just as many elements."""
    if n_steps is None and not reads:
        raise GraphValueError(
            "scan needs sequences or n_steps to know how many turns to make",
            origin=caller_origin(),
            hint="scan(f, x) makes a turn for each element of x, scan(f, n_steps=10) ten",
        )
    if n_steps is None:
        extents = [r.available for r in reads]
        static = {r.sequence.type.shape[0] for r in reads if r.taps == (0,)}
        exact = len(reads) == 1 or (len(static) == 1 and None not in static and all(r.taps == (0,) for r in reads))
        return (extents[0] if exact else reduce(minimum, extents)), exact
    turns = as_tensor(n_steps)
    if turns.ndim != 0 or not is_integer(turns.dtype):
        raise GraphTypeError(f"n_steps must be an integer scalar, got {turns.type}", origin=caller_origin())
    return cast(turns, "int64"), False


# ---- outputs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Info:
    """What an output is made from: `start`, with the values of `lags` turns ago; None: from no past values.

    `weak`: the start is a Python number, `given`, which takes the dtype of what it meets.
    """

    start: Variable | None
    lags: tuple[int, ...] = ()
    weak: bool = False
    given: Variable | None = None

    @staticmethod
    def of(given: Any, k: int) -> Info:
        """From what a user gave as entry k of outputs_info."""
        value, taps = _entry(given, f"outputs_info[{k}]", "initial", (-1,)) if given is not None else (None, ())
        if value is None:
            return Info(None)
        if not taps or any(tap >= 0 for tap in taps):
            raise GraphValueError(
                f"outputs_info[{k}] has taps {list(taps)}: they count turns back from this one, as in [-2, -1]",
                origin=caller_origin(),
            )
        start, lags = as_tensor(value), tuple(-tap for tap in taps)
        if max(lags) > 1:
            if start.ndim == 0:
                raise GraphTypeError(
                    f"outputs_info[{k}] needs the values of {max(lags)} turns, got a scalar", origin=caller_origin(),
                    hint=f"stack them along a first axis, oldest first: its extent is {max(lags)}",
                )  # fmt: skip
            if start.type.shape[0] != max(lags):
                start = index(start, slice(None, max(lags)))
        return Info(start, lags, isinstance(value, bool | int | float), start)

    @property
    def type(self) -> TensorType:
        """The type of one value."""
        assert self.start is not None
        t = self.start.type
        return t if max(self.lags) == 1 else TensorType(t.dtype, t.shape[1:])

    def names(self, k: int) -> list[str]:
        """A label for the past value of each lag."""
        name = (self.start.name if self.start is not None else None) or f"output{k}"
        return [f"{name}[t-{lag}]" for lag in self.lags]

    def cast(self, dtype: str) -> Info:
        """The same with a start of another dtype: of what was given, of which a smaller dtype holds only a part."""
        return replace(self, start=cast(self.given, dtype))

    def small(self) -> Info:
        """A Python number in the smallest dtype, so that what it meets decides."""
        if self.start is None:
            return self
        kinds = {"int64": "bool", "float64": "float16"}
        return self.cast(kinds.get(self.type.dtype, self.type.dtype)) if self.weak else self

    def default(self) -> Info:
        """A Python number in the dtype that it has where it meets nothing that decides."""
        return replace(self, start=self.given)
