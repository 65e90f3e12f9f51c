"""What a line of the table of ops says, and the arguments that are drawn for it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphlab.tensor as T
from graphlab.dtypes import COMPLEX, FLOAT, INTEGER
from graphlab.graph.node import Variable

Array = np.ndarray[Any, Any]


Shape = tuple[int, ...]


Rng = np.random.Generator


REAL = ("float64", "float32")


NUMERIC = (*REAL, "int64", "int8", "uint8")


MOST = (*NUMERIC, "bool")


WIDE = (*MOST, "float16", *COMPLEX)


@dataclass(frozen=True)
class Operand:
    """An operand of the case's dtype (or a fixed one), floats drawn from `low` to `high`, or fixed `values`."""

    low: float = -3.0
    high: float = 3.0
    dtype: str | None = None
    values: Any = None

    def draw(self, rng: Rng, shape: Shape, dtype: str) -> Array:
        """Values of `shape`; `dtype` is the case's."""
        chosen = self.dtype or dtype
        if self.values is not None:
            return np.asarray(self.values, dtype=chosen)
        if chosen == "bool":
            return rng.random(shape) < 0.5
        if chosen in INTEGER:
            low = 0 if chosen.startswith("u") or self.low >= 0 else -9
            return rng.integers(low, 10, shape).astype(chosen)
        drawn = rng.uniform(self.low, self.high, shape)
        return (drawn + 1j * rng.uniform(self.low, self.high, shape) if chosen in COMPLEX else drawn).astype(chosen)


@dataclass(frozen=True)
class Case:
    """One use of an op.

    `build` maps variables, `reference` arrays of the same values, to the result. `shapes` lists sets of
    operand shapes of the same ranks. Results may differ by `ulps`, counted at max(|value|, `scale`).
    `edges`: which values at which programs go wrong are fed too: "all" of them; not the extreme floats, where
    the "order" of rounding matters; only "floats" that are not extreme; or "none". `exact_shape`: known input
    shapes give a known result.
    """

    name: str
    build: Callable[..., Variable]
    reference: Callable[..., Any]
    operands: tuple[Operand, ...] = (Operand(),)
    shapes: tuple[tuple[Shape, ...], ...] = (((2, 3),),)
    dtypes: tuple[str, ...] = WIDE
    ulps: float = 0.0
    scale: float = 0.0
    differentiable: bool = True
    edges: str = "all"
    signed_zeros: bool = True
    exact_shape: bool = True

    def __str__(self) -> str:
        return self.name

    def arguments(self, dtype: str, which: int = 0) -> list[Array]:
        """Operands for shape set `which`, the same in every run."""
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {which}".encode()))
        return [o.draw(rng, s, dtype) for o, s in zip(self.operands, self.shapes[which], strict=True)]

    def inputs(self, dtype: str, which: int | None = None) -> list[Variable]:
        """Variables for the operands: of known extents for shape set `which`, else only of known rank."""
        return [
            T.tensor(o.dtype or dtype, s if which is not None else (None,) * len(s), f"x{i}")
            for i, (o, s) in enumerate(zip(self.operands, self.shapes[which or 0], strict=True))
        ]


def at_least_single(x: Array) -> Array:
    if np.iscomplexobj(x):
        raise TypeError
    return x if x.dtype.name in FLOAT else x.astype("float64")
