"""What a caller hands to a function, turned into exactly the arrays that compiled code takes, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.dtypes import FLOAT, is_integer
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Variable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class In:
    """An input of a function: its variable, and how its argument is treated.

    `value`: the default; `name`: the keyword, else the variable's name; `strict`: only the exact dtype;
    `allow_downcast`: whether float64 may become float32 (None: only from Python numbers).
    `mutable` and `borrow` are accepted for Theano's sake: arguments are never written to.
    """

    variable: Variable
    value: Any = None
    name: str | None = None
    mutable: bool = False
    borrow: bool = True
    strict: bool = False
    allow_downcast: bool | None = None

    @property
    def label(self) -> str | None:
        """The keyword by which it can be passed, if any."""
        return self.name or self.variable.name


@dataclass(frozen=True, eq=False)
class Out:
    """An output of a function. `borrow` is accepted for Theano's sake: results never alias anything."""

    variable: Variable
    borrow: bool = False


_MAKERS = ("T.scalar", "T.vector", "T.matrix", "T.tensor3", "T.tensor4")  # by rank


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{list(value.shape)}"
    try:
        shown = repr(value)
    except Exception:  # it is the user's, and may do anything
        shown = "whose repr fails"
    return f"{type(value).__name__} {shown if len(shown) < 60 else shown[:57] + '...'}"


def _refuse(kind: type[GraphlabError], spec: In, position: int, value: Any, why: str, hint: str = "") -> GraphlabError:
    v = spec.variable
    declared = f"; {spec.label or 'it'} was declared at {v.origin.label}" if v.origin else ""
    return kind(
        f"input {position} ({spec.label or 'unnamed'}) expects {v.type}, got {_described(value)}: {why}",
        origin=caller_origin(),
        hint=(hint + declared).removeprefix("; ") or None,
    )


def as_arguments(
    args: Sequence[Any], kwargs: Mapping[str, Any], specs: Sequence[In], downcast: bool | None, caller: str
) -> list[Array]:
    """The arguments of a call of `caller`, one for each of `specs`, as `as_argument` makes them.

    GraphTypeError where one is missing, unknown or given twice, or where there are too many.
    """
    shown = ", ".join(s.label or f"input {i}" for i, s in enumerate(specs))
    if len(args) > len(specs):
        raise GraphTypeError(
            f"{caller} takes {len(specs)} inputs ({shown}), got {len(args)}",
            origin=caller_origin(),
            hint="the elements of one input are one argument: f([1.0, 2.0]), not f(1.0, 2.0)",
        )
    values: list[Any] = [*args, *(s.value for s in specs[len(args) :])]
    given = [True] * len(args) + [s.value is not None for s in specs[len(args) :]]
    for key, value in kwargs.items():
        position = next((i for i, s in enumerate(specs) if s.label == key), None)
        if position is None or position < len(args):
            why = "is given twice" if position is not None else "is no input"
            raise GraphTypeError(f"{caller}: {key} {why}; it takes ({shown})", origin=caller_origin(),
                                 hint="a keyword is the name that an input was made with")  # fmt: skip
        values[position], given[position] = value, True
    if not all(given):
        missing = ", ".join(s.label or f"input {i}" for i, s in enumerate(specs) if not given[i])
        raise GraphTypeError(
            f"{caller} takes ({shown}); missing: {missing}",
            origin=caller_origin(),
            hint="pass each input by position or by name; In(x, value=...) gives one a default",
        )
    return [as_argument(v, s, i, downcast) for i, (v, s) in enumerate(zip(values, specs, strict=True))]


def as_argument(value: Any, spec: In, position: int, downcast: bool | None) -> Array:
    """`value` as an aligned native array of the input's dtype and rank; its data may be the caller's own.

    Casting that loses nothing is silent. GraphTypeError or GraphShapeError name the input, what it
    expects and what came.
    """
    want = np.dtype(spec.variable.dtype)
    if isinstance(value, np.ma.MaskedArray):
        raise _refuse(GraphTypeError, spec, position, value, "masked arrays are refused", "pass x.filled(...)")
    if value is None or isinstance(value, Variable):
        raise _refuse(GraphTypeError, spec, position, value, "it is no value", "pass a number, a list or an array")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise _refuse(GraphTypeError, spec, position, value, str(error)) from None
    if array.dtype.kind not in "biufc":
        raise _refuse(GraphTypeError, spec, position, value, f"{array.dtype} is no numeric dtype")
    if array.ndim != spec.variable.ndim:
        raise _refuse(
            GraphTypeError, spec, position, value, f"the rank must be {spec.variable.ndim}, it is {array.ndim}",
            f"reshape it, or make the input with {_MAKERS[array.ndim]}" if array.ndim < len(_MAKERS) else "reshape it",
        )  # fmt: skip
    if array.dtype != want:
        exact = not isinstance(value, np.ndarray | np.generic)
        array = _converted(array, want, spec, position, value, downcast, from_python=exact)
    for expected, got in zip(spec.variable.type.shape, array.shape, strict=True):
        if expected is not None and expected != got:
            raise _refuse(GraphShapeError, spec, position, value, f"the shape is {array.shape}")
    return np.require(array, want, ["ALIGNED"])


def _converted(
    array: Array, want: np.dtype[Any], spec: In, position: int, value: Any, downcast: bool | None, *, from_python: bool
) -> Array:
    allowed = spec.allow_downcast if spec.allow_downcast is not None else downcast
    if array.dtype.newbyteorder("=") == want:
        return array.astype(want)
    if spec.strict:
        raise _refuse(GraphTypeError, spec, position, value, "it is strict: only the exact dtype is taken")
    if np.can_cast(array.dtype, want, "safe"):
        return array.astype(want)
    if array.dtype.kind == "c" and want.kind != "c":
        raise _refuse(GraphTypeError, spec, position, value, "the imaginary part would be lost", "pass x.real")
    if want.kind in "fc" and array.dtype.kind in "fc":
        if allowed or (allowed is None and from_python):
            return array.astype(want)
        raise _refuse(
            GraphTypeError, spec, position, value, f"{array.dtype} to {want} loses precision",
            f"pass x.astype({want.name!r}), or compile with allow_input_downcast=True",
        )  # fmt: skip
    with np.errstate(all="ignore"):
        converted = array.astype(want)
        lossless = bool(np.all(converted.astype(array.dtype) == array)) and _in_range(array, want)
    if lossless or (allowed and want.name in FLOAT):
        return converted
    raise _refuse(
        GraphTypeError if array.dtype.kind == "f" else GraphValueError, spec, position, value,
        f"some values can't be {want} exactly", "round or cast it first",
    )  # fmt: skip


def _in_range(array: Array, want: np.dtype[Any]) -> bool:
    """Whether converting wraps nothing around (int64 2**63 compares equal to what it wrapped from)."""
    if not is_integer(want.name) or not array.size:
        return True
    if array.dtype.kind == "f" and not np.isfinite(array).all():  # float16 has int64's least value as -inf
        return False
    info = np.iinfo(want)
    return bool(info.min <= int(array.min()) and int(array.max()) <= info.max)
