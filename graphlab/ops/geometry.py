"""How the filters of a convolution move over its images: strides, dilations, padding and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.errors import GraphShapeError
from graphlab.graph.types import Extent, Shape
from graphlab.ops.windows import Numbers, window_count

Pair = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How filters move over images: by `stride`, their elements `dilation` apart, images padded with zeros.

    `padding` is a pair (before, after) for each axis, or "half" or "full" of the filters' extents.
    Input channels and filters are split into `groups` that do not see each other. With `flip` the filters'
    elements are taken in reverse order along each axis.
    """

    stride: Numbers
    dilation: Numbers
    padding: str | tuple[tuple[int, int], ...]
    groups: int = 1
    flip: bool = False

    @property
    def rank(self) -> int:
        """How many axes the filters move along."""
        return len(self.stride)

    def words(self) -> list[str]:
        """What is not as usual, as it is written in calls."""
        usual = {"stride": {1}, "dilation": {1}, "padding": {(0, 0)}}
        shown = [f"{name}={getattr(self, name)}" for name, value in usual.items() if set(getattr(self, name)) != value]
        return shown + [f"groups={self.groups}"] * (self.groups > 1) + ["flip=True"] * self.flip

    def pads(self, kernel: Sequence[Any]) -> list[Pair]:
        """The zeros before and after each axis for filters of extents `kernel`, symbolic or not."""
        if not isinstance(self.padding, str):
            return list(self.padding)
        spans = [(n - 1) * d for n, d in zip(kernel, self.dilation, strict=True)]
        widths = spans if self.padding == "full" else [(span + 1) // 2 for span in spans]
        return [(width, width) for width in widths]

    def padded(self, shape: Shape, kernel: Shape) -> Shape:
        """The extents of images of `shape` with their padding, as far as known."""
        if isinstance(self.padding, str) and None in kernel:
            return (None,) * self.rank
        return tuple(None if n is None else n + sum(p) for n, p in zip(shape, self.pads(kernel), strict=True))

    def counts(self, shape: Shape, kernel: Shape, what: str) -> Shape:
        """The extents of the result for images of `shape`; GraphShapeError, from `what`, where no filter fits."""
        padded = self.padded(shape, kernel)
        counts = tuple(map(window_count, padded, kernel, self.stride, self.dilation))
        for axis, count in enumerate(counts):
            if count == 0:
                wide = f" that are {self.dilation[axis]} apart" if self.dilation[axis] > 1 else ""
                pads = f", {padded[axis]} with its padding" if padded[axis] != shape[axis] else ""
                raise GraphShapeError(
                    f"{what}: filters of {kernel[axis]} elements{wide} do not fit along spatial axis {axis}, where "
                    f"the input has {shape[axis]}{pads}; smaller filters or border_mode='half' or 'full' would"
                )
        return counts

    def check_channels(self, channels: Extent, filters: Shape, what: str) -> None:
        """GraphShapeError, from `what`, unless `filters` (count, channels, ...) fit input with `channels`."""
        count, expected = filters[:2]
        if None not in (channels, expected) and channels != (expected or 0) * self.groups:
            groups = f" in each of {self.groups} groups" if self.groups > 1 else ""
            raise GraphShapeError(
                f"{what}: the input (batch, channels, ...) has {channels} channels, but the filters "
                f"(count, channels, ...), of shape {shape_text(filters)}, expect {expected}{groups}"
            )
        if count is not None and count % self.groups:
            raise GraphShapeError(f"{what}: {count} filters can't be split into {self.groups} groups")


def shape_text(shape: Shape) -> str:
    """`shape` with ? for what is not known."""
    return f"({', '.join('?' if n is None else str(n) for n in shape)})"
