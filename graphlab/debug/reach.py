"""Which elements of its operands an element of a result depends on, by the shapes of operations, not by values.

A set of elements of an array is a mask of its shape. For elementwise operations, folds and products of matrices it is
enough to know which axes of operands and result run together (`ties`); what only moves elements is asked where numbers
from 0 on would go. Of all others each result may read all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import Environment, leaf_value, run_node
from graphlab.ops.base import Array
from graphlab.ops.conversion import Cast
from graphlab.ops.linalg import MatMul
from graphlab.ops.lowering import Expand, Lowering, Pointwise, Runtime
from graphlab.ops.reduce import Reduce
from graphlab.ops.ufunc import Elementwise

Mask = np.ndarray[Any, Any]
Value = Callable[[Variable], Array]

MOVES = ("transpose", "reshape", "broadcast_to", "index", "windows", "gather")  # elements of the first operand
JOINS = ("concatenate", "stack_scalars")  # elements of all


# ---- axes ----------------------------------------------------------------------------------------

Tie = tuple[int | None, ...]  # for each axis of an operand the axis of the result that runs with it; None: all is read


def ties(node: Apply, ndims: Sequence[int], ndim: int) -> list[Tie] | None:
    """How the axes of operands, which have `ndims`, run with those of the result, which has `ndim`.

    None: an element of the result may be made of any elements.
    """
    if isinstance(node.op, Elementwise | Cast):
        return _aligned(ndims, ndim)
    if isinstance(node.op, Reduce):
        folded, kept = node.op.over(ndims[0]), iter(range(ndim))
        places = [next(kept) if node.op.keepdims or d not in folded else None for d in range(ndims[0])]
        return [tuple(None if d in folded else place for d, place in enumerate(places))]
    if isinstance(node.op, MatMul):
        rows, columns = int(ndims[0] > 1), int(ndims[1] > 1)
        batch = ndim - rows - columns
        left, right = ((*range(batch - max(n - 2, 0), batch),) for n in ndims)
        return [(*left, *[batch] * rows, None), (*right, None, *[ndim - 1] * columns)]
    return None


def _aligned(ndims: Sequence[int], ndim: int) -> list[Tie]:
    """As broadcasting does: by the last axis."""
    return [tuple(range(ndim - n, ndim)) for n in ndims]


def parts(node: Apply, values: Sequence[Array], element: Sequence[int]) -> list[tuple[slice, ...]] | None:
    """For each operand the part that `element` of the result is made of; None where any part may be."""
    tied = ties(node, [a.ndim for a in values], len(element))
    return None if tied is None else [_part(tie, a.shape, element) for tie, a in zip(tied, values, strict=True)]


def _part(tie: Tie, shape: Sequence[int], element: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(None) if axis is None else slice(0, 1) if n == 1 else slice(element[axis], element[axis] + 1)
        for axis, n in zip(tie, shape, strict=True)
    )


def lifted(mask: Mask, tie: Tie, shape: Sequence[int]) -> Mask:
    """The elements of an operand of `shape` that reach those of the result in `mask`."""
    read = np.any(mask, axis=tuple(axis for axis in range(mask.ndim) if axis not in tie))
    whole = np.expand_dims(read, tuple(d for d, axis in enumerate(tie) if axis is None))
    stretched = tuple(d for d, n in enumerate(shape) if n == 1 and whole.shape[d] != 1)
    return np.array(np.broadcast_to(whole.any(axis=stretched, keepdims=True), tuple(shape)))


# ---- operations ----------------------------------------------------------------------------------


def read_by(node: Apply, masks: Sequence[Mask | None], value: Value) -> list[Mask | None]:
    """For each input of `node` the elements that those of its outputs in `masks` depend on; None for none."""
    wanted = masks[0]
    if all(m is None or not m.any() for m in masks):
        return [None] * len(node.inputs)
    shapes = [np.shape(value(v)) for v in node.inputs]
    if wanted is None or len(node.outputs) != 1:
        return [np.ones(s, bool) for s in shapes]
    lowering: Lowering | None = node.op.lowering(node)
    tied = ties(node, list(map(len, shapes)), wanted.ndim)
    if tied is None and isinstance(lowering, Pointwise):
        tied = _aligned(list(map(len, shapes)), wanted.ndim)
    if tied is not None:
        unread = [isinstance(lowering, Pointwise) and f"{{{k}}}" not in lowering.template for k in range(len(shapes))]
        return [None if no else lifted(wanted, t, s) for no, t, s in zip(unread, tied, shapes, strict=True)]
    match lowering:
        case Expand(build=build):
            return _expanded(node, build(*node.inputs)[0], wanted, value)
        case Runtime(function="sum_to"):
            first = len(shapes[0]) - wanted.ndim
            tie = tuple(None if d < first or wanted.shape[d - first] == 1 else d - first for d in range(len(shapes[0])))
            return [lifted(wanted, tie, shapes[0]), *[None] * (len(shapes) - 1)]
        case Runtime(function="shape_of"):
            return [None] * len(shapes)
        case Runtime(function=function) if function in MOVES or function in JOINS:
            return moved(node, wanted, range(len(shapes)) if function in JOINS else (0,), value)
    return [np.ones(s, bool) for s in shapes]


def moved(node: Apply, mask: Mask, operands: Iterable[int], value: Value) -> list[Mask | None]:
    """As `read_by`, of what only moves elements of its `operands`: asked where numbers from 0 on go."""
    places, sizes = sources(node, operands, value), [np.shape(value(v)) for v in node.inputs]
    picked = places[mask]
    found: list[Mask | None] = [None] * len(sizes)
    first = 0
    for k in operands:
        count = int(np.prod(sizes[k], dtype=int))
        inside = picked[(picked >= first) & (picked < first + count)] - first
        flat = np.zeros(count, bool)
        flat[inside] = True
        found[k] = flat.reshape(sizes[k])
        first += count
    return found


def sources(node: Apply, operands: Iterable[int], value: Value) -> Array:
    """For each element of the output its place among all of the operands' elements, one operand after the other."""
    given = [np.asarray(value(v)) for v in node.inputs]
    first = 0
    for k in operands:
        size = given[k].size
        given[k] = np.arange(first, first + size, dtype="int64").reshape(given[k].shape)
        first += size
    (places,) = node.op.evaluate(*given)
    return np.asarray(places).astype("int64")


def _expanded(node: Apply, result: Variable, mask: Mask, value: Value) -> list[Mask | None]:
    """As `read_by`, of what is made of simpler operations, which give `result`."""
    nodes = toposort([result], node.inputs)
    known: Environment = {u: value(u) for u in node.inputs}
    for inner in nodes:
        run_node(inner, known)
    masks = reaching(result, mask, nodes, lambda u: leaf_value(u, known))
    return [masks.get(u) for u in node.inputs]


def reaching(v: Variable, mask: Mask, nodes: Sequence[Apply], value: Value) -> dict[Variable, Mask]:
    """The elements of all variables behind `v`, through `nodes` (inputs first), that those in `mask` depend on."""
    masks: dict[Variable, Mask] = {v: mask}
    for node in reversed(nodes):
        if not any(u in masks for u in node.outputs):
            continue
        for u, m in zip(node.inputs, read_by(node, [masks.get(o) for o in node.outputs], value), strict=True):
            if m is not None and m.any() and not isinstance(u, Constant):
                masks[u] = masks[u] | m if u in masks else m
    return masks


def described(name: str, mask: Mask) -> str:
    """`name` with the elements in `mask`: x[3, :] or "12 of 35 elements of x"."""
    if mask.ndim == 0:
        return name
    axes = [np.flatnonzero(mask.any(axis=tuple(e for e in range(mask.ndim) if e != d))) for d in range(mask.ndim)]
    if mask.all():
        return f"all of {name}"
    if int(np.prod([len(a) for a in axes])) == int(mask.sum()):
        return f"{name}[{', '.join(_axis(a, n) for a, n in zip(axes, mask.shape, strict=True))}]"
    return f"{int(mask.sum()):,} of {mask.size:,} elements of {name}"


def _axis(places: Array, extent: int) -> str:
    if len(places) == extent:
        return ":"
    if len(places) == 1:
        return str(places[0])
    if places[-1] - places[0] + 1 == len(places):
        return f"{places[0]}:{places[-1] + 1}"
    shown = [str(p) for p in places[:4]]
    return f"[{', '.join(shown)}{', ...' if len(places) > 4 else ''}]"
