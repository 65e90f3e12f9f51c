"""TensorType: what is known of a value before it exists: its dtype, its rank and some extents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.dtypes import canonical

Extent = int | None  # None: known only at run time
Shape = tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class TensorType:
    """An array of `dtype` with `len(shape)` dimensions, of which a None extent is not yet known.

    >>> str(TensorType("float32", (None, 3)))
    'float32[?,3]'
    """

    dtype: str
    shape: Shape = ()

    @property
    def ndim(self) -> int:
        """The rank: how many dimensions."""
        return len(self.shape)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape with another dtype."""
        return TensorType(dtype, self.shape)

    def with_shape(self, shape: Shape) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, shape)

    def accepts(self, other: TensorType) -> bool:
        """Whether a value of type `other` may stand where this type is expected."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(a is None or b is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )

    @staticmethod
    def parse(text: str) -> TensorType:
        """The type written as `text`, in the form that str gives.

        >>> TensorType.parse("int64[2,?]").shape
        (2, None)
        """
        dtype, _, extents = text.rstrip("]").partition("[")
        return tensor_type(dtype, [None if n == "?" else int(n) for n in extents.split(",") if n])

    def __str__(self) -> str:
        extents = ",".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.dtype}[{extents}]" if self.shape else self.dtype


def tensor_type(dtype: Any, shape: Sequence[Extent] = ()) -> TensorType:
    """A TensorType from any spelling of the dtype."""
    return TensorType(canonical(dtype), tuple(None if n is None else int(n) for n in shape))


def broadcast_extent(extents: Sequence[Extent]) -> Extent:
    """The extent that `extents` broadcast to; None when only the run can tell; ValueError if they clash.

    >>> broadcast_extent([1, 3]), broadcast_extent([None, 1]), broadcast_extent([None, 3])
    (3, None, 3)
    """
    known = {n for n in extents if n is not None and n != 1}
    if len(known) > 1:
        raise ValueError(f"extents {sorted(known)} do not broadcast")
    if known:
        return known.pop()
    return None if any(n is None for n in extents) else 1


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """NumPy's broadcast of static `shapes`, aligned at the right; ValueError if they clash."""
    rank = max((len(s) for s in shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(broadcast_extent([s[axis] for s in padded]) for axis in range(rank))
