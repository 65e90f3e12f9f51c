"""Convolutions over any number of axes: three ops, each of which is the derivative of the other two.

The runtime computes them for real numbers, after images are padded and filters are flipped. Elsewhere a convolution is
a product of matrices: the windows of the images, copied side by side as columns, times the filters as rows
(K. Chellapilla, S. Puri, P. Simard: High performance convolutional neural networks for document processing, 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from graphlab.errors import GraphShapeError, GraphTypeError
from graphlab.graph.cost import elements
from graphlab.graph.node import Apply, Variable
from graphlab.graph.types import Shape, TensorType
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Built, OneByOne
from graphlab.ops.columns import (
    filter_rows,
    map_rows,
    numbers,
    seen_windows,
    seen_windows_numpy,
    unpadded,
    window_columns,
)
from graphlab.ops.elementwise import add
from graphlab.ops.extents import known_shape, reshape, shape_vector
from graphlab.ops.geometry import Geometry, shape_text
from graphlab.ops.index import index
from graphlab.ops.linalg import matmul
from graphlab.ops.lowering import Expand, Lowering, Runtime
from graphlab.ops.rearrange import extent_along, pad
from graphlab.ops.shape import moveaxis, swapaxes, transpose
from graphlab.ops.windows import FoldWindows, Numbers, fold_windows, spatial

Build = Callable[..., Sequence[Variable]]
REAL = ("float32", "float64")  # what the runtime convolves

# ---- what the three share --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Convolutional(Op):
    """What the three share: the geometry, and the ranks of their operands."""

    geometry: Geometry

    @property
    def rank(self) -> int:
        """How many axes the filters move along."""
        return self.geometry.rank

    def check(self, *operands: TensorType) -> None:
        """GraphTypeError unless both operands are (batch or filters, channels, ...) of one dtype."""
        if any(t.ndim != self.rank + 2 for t in operands) or len({t.dtype for t in operands}) > 1:
            came = " and ".join(map(str, operands))
            raise GraphTypeError(f"{self.name}: expected {self.rank + 2} axes of one dtype, got {came}")

    def oriented(self, w: Variable) -> Variable:
        """Filters, flipped if the geometry says so; doing it again undoes it."""
        return index(w, self._flip) if self.geometry.flip else w

    def oriented_numpy(self, w: Array) -> Array:
        """The same by NumPy."""
        return w[self._flip] if self.geometry.flip else w

    def work(self, places: TensorType, filters: TensorType) -> int:
        """How many operations: at each of the `places`, (batch, count, ...), every element of a filter takes part."""
        taps = filters.with_shape(filters.shape[1:])
        return 2 * elements(places) * elements(taps)

    def text(self, *operands: str) -> str:
        return f"{self.name}({', '.join([*operands, *self.geometry.words()])})"

    @property
    def plain(self) -> Geometry | None:
        """The geometry without padding and flipping, for images that are padded and filters that are flipped already.

        None if that is what it is.
        """
        plain = replace(self.geometry, padding=((0, 0),) * self.rank, flip=False)
        return None if plain == self.geometry else plain

    def params(self) -> Numbers:
        """Those of the runtime's functions."""
        return (self.geometry.groups, self.rank, *self.geometry.stride, *self.geometry.dilation)

    def padded(self, x: Variable, kernel: Sequence[Any]) -> Variable:
        """Images with their padding, for filters of extents `kernel`."""
        return pad(x, [(0, 0), (0, 0), *self.geometry.pads(kernel)])

    @property
    def _flip(self) -> Any:
        return (..., *(slice(None, None, -1),) * self.rank)

    def merged(self, which: int, into: int, out: int, *inputs: Variable) -> tuple[Variable, ...]:
        """Apply to a batch of input `which`: it is merged into that input's axis `into`, and comes back at `out`."""
        operands = list(inputs)
        batch = extent_along(inputs[which], 0)
        turned = moveaxis(inputs[which], 0, into)
        extents = [extent_along(turned, a) for a in range(turned.ndim)]
        operands[which] = reshape(turned, [*extents[:into], batch * extents[into + 1], *extents[into + 2 :]])
        whole = self(*operands)
        after = [extent_along(whole, a) for a in range(whole.ndim)]
        apart = reshape(whole, [*after[:out], batch, extents[into + 1], *after[out + 1 :]])
        return (moveaxis(apart, out, 0),)

    def _batched(self, into: dict[int, tuple[int, int]], batched: tuple[bool, ...], build: Build) -> Batching:
        """`into` gives for the inputs that can be merged their axis, and that of the result; else `build` expands."""
        one = [which for which, has in enumerate(batched) if has]
        if len(one) == 1 and one[0] in into:
            return Built(partial(self.merged, one[0], *into[one[0]]))
        return OneByOne(build)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # Linear in each of the first two inputs.
        (a, b, *rest), (along_a, along_b, *_) = node.inputs, tangents
        terms = [] if along_a is None else [self(along_a, b, *rest)]
        terms += [] if along_b is None else [self(a, along_b, *rest)]
        return [add(*terms) if len(terms) == 2 else terms[0] if terms else None]


# ---- the ops -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Convolution(Convolutional):
    """Images (batch, channels, ...) and filters (count, channels / groups, ...) to (batch, count, ...).

    result[b, f, i] = sum over c, k of images[b, c, i stride + k dilation] filters[f, c, k], in which images are
    padded and filters may be flipped.
    """

    @property
    def name(self) -> str:
        """That of the function: conv1d, conv2d, conv3d."""
        return f"conv{self.rank}d"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, w = inputs
        self.check(x, w)
        self.geometry.check_channels(x.shape[1], w.shape, self.name)
        return (x.with_shape((x.shape[0], w.shape[0], *self.geometry.counts(x.shape[2:], w.shape[2:], self.name))),)

    def numpy(self, *values: Array) -> Any:
        x, w = values
        self.infer(*(TensorType(v.dtype.name, v.shape) for v in values))  # says what does not fit
        seen, w = seen_windows_numpy(self.geometry, x, w.shape[2:]), self.oriented_numpy(w)
        over = range(2 + self.rank, 2 + 2 * self.rank)
        parts = [
            np.tensordot(f, s, axes=((*range(1, f.ndim),), (1, *over)))
            for f, s in zip(np.split(w, self.geometry.groups), np.split(seen, self.geometry.groups, 1), strict=True)
        ]
        return np.concatenate(parts).swapaxes(0, 1)

    def flops(self, node: Apply) -> int:
        return self.work(node.output.type, node.inputs[1].type)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,), (x, w) = cotangents, node.inputs
        return [
            ConvolutionInput(self.geometry, x.type.shape[2:])(g, w, shape_vector(spatial(x, self.rank))),
            ConvolutionFilters(self.geometry, w.type.shape[2:])(x, g, shape_vector(spatial(w, self.rank))),
        ]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        filters = {1: (0, 1)} if self.geometry.groups == 1 else {}
        return self._batched({0: (0, 0), **filters}, batched, self._product)

    def lowering(self, node: Apply) -> Lowering:
        if node.output.dtype not in REAL:
            return Expand(self._product)
        return Runtime("convolve", self.params()) if self.plain is None else Expand(self._plainly)

    def _plainly(self, x: Variable, w: Variable) -> tuple[Variable, ...]:
        assert self.plain is not None
        return (Convolution(self.plain)(self.padded(x, spatial(w, self.rank)), self.oriented(w)),)

    def _product(self, x: Variable, w: Variable) -> tuple[Variable, ...]:
        groups, count = self.geometry.groups, extent_along(w, 0)
        seen = seen_windows(self.geometry, x, spatial(w, self.rank))
        batch, counts = extent_along(x, 0), [extent_along(seen, 2 + d) for d in range(self.rank)]
        product = matmul(filter_rows(self.oriented(w), groups), window_columns(seen, groups))
        return (swapaxes(reshape(product, [count, batch, *counts]), 0, 1),)


@dataclass(frozen=True, slots=True)
class ConvolutionInput(Convolutional):
    """The derivative of a convolution by its images: inputs are (batch, count, ...), filters, the images' extents.

    It spreads every element of the first input over a window, times the filters: a transposed convolution.
    """

    extents: Shape

    @property
    def name(self) -> str:
        """conv1d_input, conv2d_input, conv3d_input."""
        return f"conv{self.rank}d_input"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        g, w, _ = inputs
        self.check(g, w)
        if None not in (g.shape[1], w.shape[0]) and g.shape[1] != w.shape[0]:
            raise GraphShapeError(
                f"{self.name}: the input (batch, count, ...) has {g.shape[1]} channels, but there are {w.shape[0]} "
                f"filters: their shape (count, channels, ...) is {shape_text(w.shape)}"
            )
        fitting = self.geometry.counts(self.extents, w.shape[2:], self.name)
        if any(None not in (n, m) and n != m for n, m in zip(g.shape[2:], fitting, strict=True)):
            raise GraphShapeError(
                f"{self.name}: images of extents {shape_text(self.extents)} give a result of extents "
                f"{shape_text(fitting)}, not {shape_text(g.shape[2:])}"
            )
        channels = None if w.shape[1] is None else w.shape[1] * self.geometry.groups
        return (g.with_shape((g.shape[0], channels, *self.extents)),)

    def numpy(self, *values: Array) -> Any:
        g, w, extents = values
        shape, groups = tuple(map(int, extents)), self.geometry.groups
        kinds = [TensorType(v.dtype.name, v.shape) for v in values]
        ConvolutionInput(self.geometry, shape).infer(*kinds)  # says what does not fit
        spread = [
            np.moveaxis(np.tensordot(f, part, axes=(0, 1)), 1 + self.rank, 0)
            for f, part in zip(np.split(self.oriented_numpy(w), groups), np.split(g, groups, 1), strict=True)
        ]
        seen = np.concatenate(spread, axis=1)  # batch, channels, the filters' extents, the result's
        order = (0, 1, *range(2 + self.rank, 2 + 2 * self.rank), *range(2, 2 + self.rank))
        pads = self.geometry.pads(w.shape[2:])
        whole = np.array([n + sum(p) for n, p in zip(shape, pads, strict=True)])
        fold = FoldWindows(self.geometry.stride, self.geometry.dilation, (None,) * self.rank)
        kept = tuple(slice(before, before + n) for (before, _), n in zip(pads, shape, strict=True))
        return fold.numpy(seen.transpose(order), whole)[(..., *kept)]

    def flops(self, node: Apply) -> int:
        return self.work(node.inputs[0].type, node.inputs[1].type)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (t,), (g, w, _) = cotangents, node.inputs
        by_filters = ConvolutionFilters(self.geometry, w.type.shape[2:])
        return [Convolution(self.geometry)(t, w), by_filters(t, g, shape_vector(spatial(w, self.rank))), None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return self._batched({0: (0, 0)}, batched, self._product)

    def lowering(self, node: Apply) -> Lowering:
        if node.output.dtype not in REAL:
            return Expand(self._product)
        return Runtime("convolve_images", self.params()) if self.plain is None else Expand(self._plainly)

    def _plainly(self, g: Variable, w: Variable, extents: Variable) -> tuple[Variable, ...]:
        assert self.plain is not None
        shape, pads = numbers(extents, self.extents), self.geometry.pads(spatial(w, self.rank))
        whole = shape_vector([n + before + after for n, (before, after) in zip(shape, pads, strict=True)])
        spread = ConvolutionInput(self.plain, known_shape(whole, self.name))(g, self.oriented(w), whole)
        return (unpadded(spread, pads, shape),)

    def _product(self, g: Variable, w: Variable, extents: Variable) -> tuple[Variable, ...]:
        groups, kernel, shape = self.geometry.groups, spatial(w, self.rank), numbers(extents, self.extents)
        product = matmul(swapaxes(filter_rows(self.oriented(w), groups), -1, -2), map_rows(g, groups))
        channels, batch = extent_along(w, 1) * groups, extent_along(g, 0)
        seen = reshape(product, [channels, *kernel, batch, *spatial(g, self.rank)])
        places = range(1 + self.rank, 2 + 2 * self.rank)
        seen = transpose(seen, (places[0], 0, *places[1:], *range(1, 1 + self.rank)))
        pads = self.geometry.pads(kernel)
        whole = [n + before + after for n, (before, after) in zip(shape, pads, strict=True)]
        folded = fold_windows(seen, whole, self.geometry.stride, self.geometry.dilation)
        return (unpadded(folded, pads, shape),)


@dataclass(frozen=True, slots=True)
class ConvolutionFilters(Convolutional):
    """The derivative of a convolution by its filters: inputs are images, (batch, count, ...), the filters' extents."""

    extents: Shape

    @property
    def name(self) -> str:
        """conv1d_filters, conv2d_filters, conv3d_filters."""
        return f"conv{self.rank}d_filters"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        x, g, _ = inputs
        self.check(x, g)
        groups, channels = self.geometry.groups, x.shape[1]
        if channels is not None and channels % groups:
            raise GraphShapeError(f"{self.name}: {channels} channels can't be split into {groups} groups")
        share = None if channels is None else channels // groups
        filters = (g.shape[1], share, *self.extents)
        self.geometry.check_channels(channels, filters, self.name)
        fitting = self.geometry.counts(x.shape[2:], self.extents, self.name)
        if any(
            None not in (n, m) and n != m
            for n, m in zip((x.shape[0], *fitting), (g.shape[0], *g.shape[2:]), strict=True)
        ):
            raise GraphShapeError(f"{self.name}: no filters of extents {shape_text(self.extents)} make {g} of {x}")
        return (x.with_shape(filters),)

    def numpy(self, *values: Array) -> Any:
        x, g, extents = values
        kernel, groups = tuple(map(int, extents)), self.geometry.groups
        kinds = [TensorType(v.dtype.name, v.shape) for v in values]
        ConvolutionFilters(self.geometry, kernel).infer(*kinds)  # says what does not fit
        seen = seen_windows_numpy(self.geometry, x, kernel)
        places = (0, *range(2, 2 + self.rank))
        parts = [
            np.tensordot(part, s, axes=(places, places))
            for part, s in zip(np.split(g, groups, 1), np.split(seen, groups, 1), strict=True)
        ]
        return self.oriented_numpy(np.concatenate(parts))

    def flops(self, node: Apply) -> int:
        return self.work(node.inputs[1].type, node.output.type)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (t,), (x, g, _) = cotangents, node.inputs
        by_input = ConvolutionInput(self.geometry, x.type.shape[2:])
        return [by_input(g, t, shape_vector(spatial(x, self.rank))), Convolution(self.geometry)(x, t), None]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return self._batched({0: (1, 1), 1: (1, 0)} if self.geometry.groups == 1 else {}, batched, self._product)

    def lowering(self, node: Apply) -> Lowering:
        if node.output.dtype not in REAL:
            return Expand(self._product)
        return Runtime("convolve_filters", self.params()) if self.plain is None else Expand(self._plainly)

    def _plainly(self, x: Variable, g: Variable, extents: Variable) -> tuple[Variable, ...]:
        assert self.plain is not None
        seen = self.padded(x, numbers(extents, self.extents))
        return (self.oriented(ConvolutionFilters(self.plain, self.extents)(seen, g, extents)),)

    def _product(self, x: Variable, g: Variable, extents: Variable) -> tuple[Variable, ...]:
        groups, kernel = self.geometry.groups, numbers(extents, self.extents)
        seen = seen_windows(self.geometry, x, kernel)
        product = matmul(map_rows(g, groups), swapaxes(window_columns(seen, groups), -1, -2))
        share = extent_along(x, 1) // groups if groups > 1 else extent_along(x, 1)
        return (self.oriented(reshape(product, [extent_along(g, 1), share, *kernel])),)
